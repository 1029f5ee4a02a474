//! The parser against requests cut everywhere, and against noise.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{MAX_LINE, Parser, ProtocolError};

type Request = Vec<Vec<u8>>;

/// Parses bytes that arrive in these pieces, as a connection does: returns the requests, and how it ended.
fn parse_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Request>, Option<ProtocolError>) {
    let (mut parser, mut input, mut requests) = (Parser::default(), Vec::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        loop {
            match parser.parse(&input) {
                Ok(Some(length)) => {
                    requests.push(parser.args(&input).from(0).map(<[u8]>::to_vec).collect());
                    parser.next();
                    input.drain(..length);
                }
                Ok(None) => break,
                Err(error) => return (requests, Some(error)),
            }
        }
    }
    (requests, None)
}

fn parse_whole(input: &[u8]) -> (Vec<Request>, Option<ProtocolError>) {
    parse_pieces([input])
}

#[track_caller]
fn one(input: &[u8]) -> Request {
    let (mut requests, error) = parse_whole(input);
    assert_eq!((requests.len(), error), (1, None));
    requests.remove(0)
}

#[track_caller]
fn error(input: &[u8]) -> ProtocolError {
    let (requests, error) = parse_whole(input);
    assert!(requests.is_empty());
    error.expect("this is wrong")
}

fn encode(request: &Request) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", request.len()).into_bytes();
    for argument in request {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Cuts `bytes` at these places, wherever they point.
fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// Bytes that look like the protocol, more or less.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        Just(b"*".to_vec()),
        Just(b"$".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"*2\r\n$3\r\nGET\r\n".to_vec()),
        Just(b"$-1\r\n".to_vec()),
        Just(b"\"\\x4".to_vec()),
        "[0-9]{1,3}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..8),
    ];
    vec(token, 0..40).prop_map(|tokens| tokens.concat())
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_requests(
        requests in vec(vec(vec(any::<u8>(), 0..20), 0..6), 0..6),
        places in vec(any::<usize>(), 0..12),
    ) {
        let bytes: Vec<u8> = requests.iter().flat_map(encode).collect();
        let pieces = cut(&bytes, &places);
        let (parsed, error) = parse_pieces(pieces.iter().map(Vec::as_slice));
        prop_assert_eq!(error, None);
        prop_assert_eq!(parsed, requests);
    }

    #[test]
    fn noise_is_understood_the_same_however_it_is_cut(bytes in noise(), places in vec(any::<usize>(), 0..12)) {
        let pieces = cut(&bytes, &places);
        let in_pieces = parse_pieces(pieces.iter().map(Vec::as_slice));
        prop_assert_eq!(in_pieces, parse_whole(&bytes));
    }

    #[test]
    fn an_inline_command_is_its_words(words in vec("[!#-&(-)+-~]{1,8}", 1..6), blanks in "[ \t]{1,3}") {
        let line = format!("{}\r\n", words.join(&blanks));
        let expected: Request = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        prop_assert_eq!(one(line.as_bytes()), expected);
    }

    #[test]
    fn a_quoted_word_may_have_any_bytes(bytes in vec(any::<u8>(), 0..20)) {
        let escaped: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        prop_assert_eq!(one(format!("ECHO \"{escaped}\"\n").as_bytes()), vec![b"ECHO".to_vec(), bytes]);
    }
}

#[test]
fn a_request_is_found_byte_by_byte() {
    let bytes = b"*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\nPING\r\n";
    let (requests, error) = parse_pieces(bytes.chunks(1));
    assert_eq!(requests, [vec![b"ECHO".to_vec(), b"a\r\n".to_vec()], vec![b"PING".to_vec()]]);
    assert_eq!(error, None);
}

#[test]
fn quotes_are_as_in_a_shell() {
    assert_eq!(one(b"set k \"a b\\n\\\"\" \n"), [b"set".to_vec(), b"k".to_vec(), b"a b\n\"".to_vec()]);
    assert_eq!(one(b"echo 'it\\'s \\x41'\n"), [b"echo".to_vec(), b"it's \\x41".to_vec()]);
    assert_eq!(one(b"echo \"\"\n"), [b"echo".to_vec(), b"".to_vec()]);
    for unbalanced in ["echo \"a", "echo 'a", "echo \"a\"b", "echo \"a\\"] {
        assert_eq!(error(format!("{unbalanced}\r\n").as_bytes()), ProtocolError::UnbalancedQuotes);
    }
}

#[test]
fn an_empty_request_says_nothing() {
    for empty in ["\r\n", "\n", "  \r\n", "*0\r\n", "*-1\r\n", "*-10\r\n"] {
        assert_eq!(one(empty.as_bytes()), Request::new(), "{empty:?}");
    }
}

#[test]
fn what_is_announced_beyond_the_limits_is_refused_at_once() {
    assert_eq!(error(b"*2147483648\r\n"), ProtocolError::InvalidCount);
    assert_eq!(error(b"*99999999999999999999\r\n"), ProtocolError::InvalidCount);
    assert_eq!(error(b"*x\r\n"), ProtocolError::InvalidCount);
    assert_eq!(error(b"*\r\n"), ProtocolError::InvalidCount);
    assert_eq!(error(b"*1\r\n$536870913\r\n"), ProtocolError::InvalidLength);
    assert_eq!(error(b"*1\r\n$-1\r\n"), ProtocolError::InvalidLength);
    assert_eq!(error(b"*1\r\n*1\r\n"), ProtocolError::ExpectedLength(b'*'));
    assert_eq!(error(b"*2\r\n$1\r\na\r\n\r\n"), ProtocolError::ExpectedLength(b'\r'));
    assert_eq!(error(b"*1\r\n\xff\r\n").text(), b"expected '$', got '\xff'");
    let long = vec![b'1'; MAX_LINE];
    assert_eq!(error(&[b"*", &long[..]].concat()), ProtocolError::CountTooLong);
    assert_eq!(error(&[b"*1\r\n$", &long[..]].concat()), ProtocolError::LengthTooLong);
    assert_eq!(error(&[b"1", &long[..]].concat()), ProtocolError::InlineTooLong);
}

#[test]
fn blanks_end_words_as_in_redis() {
    assert_eq!(one(b"\x0b\x0c\recho\ta\rb\r\n"), [b"echo".to_vec(), b"a".to_vec(), b"b".to_vec()]);
    // These two are blanks only before a word.
    assert_eq!(one(b"echo a\x0bb\x0c \x0cc\n"), [b"echo".to_vec(), b"a\x0bb\x0c".to_vec(), b"c".to_vec()]);
    assert_eq!(one(b"echo \"a\"\x0bb\n"), [b"echo".to_vec(), b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(one(b"echo \x80\xa0\n"), [b"echo".to_vec(), b"\x80\xa0".to_vec()]);
}

#[test]
fn a_line_does_not_end_behind_a_nul() {
    let no_end = (vec![], None);
    for line in [
        "PING\0\r\n",
        "\0PING\r\n",
        "ECHO \"a\0\"\n",
        "*1\0\r\n$4\r\nPING\r\n",
        "*1\r\n\0\r\n",
        "*1\r\n$4\0\r\n",
    ] {
        let input = format!("{line}PING\r\n");
        assert_eq!(parse_whole(input.as_bytes()), no_end, "{line:?}");
        assert_eq!(parse_pieces(input.as_bytes().chunks(1)), no_end, "{line:?}");
    }
    let more = b"PING\r\n".repeat(MAX_LINE / 6 + 1);
    assert_eq!(error(&[b"\0", &more[..]].concat()), ProtocolError::InlineTooLong);
    assert_eq!(error(&[b"*1\r\n$\0", &more[..]].concat()), ProtocolError::LengthTooLong);
    assert_eq!(one(b"*1\r\n$3\r\na\0b\r\n"), [b"a\0b".to_vec()], "an argument is bytes of any kind");
}

#[test]
fn an_announced_request_costs_nothing_before_it_comes() {
    let mut parser = Parser::default();
    assert_eq!(parser.parse(b"*2147483647\r\n$536870912\r\nabc"), Ok(None));
    assert_eq!(parser.spans.capacity(), 0);
}

#[test]
fn the_spans_of_a_long_request_are_given_back() {
    let request: Request = vec![b"x".to_vec(); 10_000];
    let bytes = encode(&request);
    let mut parser = Parser::default();
    assert_eq!(parser.parse(&bytes), Ok(Some(bytes.len())));
    parser.next();
    assert_eq!(parser.spans.capacity(), 0);
}
