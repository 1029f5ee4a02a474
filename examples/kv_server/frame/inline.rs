//! Inline commands: words between blanks, some of them quoted, as a shell would have them.
//!
//! `"…"` knows `\n \r \t \b \a \\ \"` and `\xHH`, `'…'` knows `\'`. A closing quote must end its word, and every
//! quote must close; otherwise the line means nothing.
//!
//! Which bytes are blanks is as in Redis: before a word and behind a quotation all that C's `isspace` knows, but a
//! vertical tab or a form feed does not end a word.

use super::ProtocolError;

/// Splits `line` into words, which are written one behind the other into `words`; `found` is told where each of
/// them begins and ends.
pub(super) fn split(
    line: &[u8],
    words: &mut Vec<u8>,
    mut found: impl FnMut(usize, usize),
) -> Result<(), ProtocolError> {
    let mut rest = skip_blanks(line);
    while !rest.is_empty() {
        let begin = words.len();
        rest = skip_blanks(word(rest, words)?);
        found(begin, words.len());
    }
    Ok(())
}

fn skip_blanks(mut line: &[u8]) -> &[u8] {
    while let [blank, rest @ ..] = line
        && is_blank(*blank)
    {
        line = rest;
    }
    line
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Writes the word that `rest` begins with, and returns what comes after it.
fn word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            [] => return Ok(rest),
            [b' ' | b'\t' | b'\r' | b'\n', ..] => return Ok(rest),
            [quote @ (b'"' | b'\''), quoted @ ..] => {
                rest = quotation(*quote, quoted, words)?;
                // What is quoted ends the word.
                return match rest.first() {
                    Some(next) if !is_blank(*next) => Err(ProtocolError::UnbalancedQuotes),
                    _ => Ok(rest),
                };
            }
            [byte, after @ ..] => {
                words.push(*byte);
                rest = after;
            }
        }
    }
}

/// Writes what stands between the quotes, and returns what comes after the closing one.
fn quotation<'a>(quote: u8, mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, after) = match (quote, rest) {
            (_, []) => return Err(ProtocolError::UnbalancedQuotes),
            (_, [end, after @ ..]) if *end == quote => return Ok(after),
            (b'"', [b'\\', b'x', high, low, after @ ..]) if is_hex(*high) && is_hex(*low) => {
                (hex(*high) << 4 | hex(*low), after)
            }
            (b'"', [b'\\', escaped, after @ ..]) => (escape(*escaped), after),
            (b'\'', [b'\\', b'\'', after @ ..]) => (b'\'', after),
            (_, [byte, after @ ..]) => (*byte, after),
        };
        words.push(byte);
        rest = after;
    }
}

fn escape(letter: u8) -> u8 {
    match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn is_hex(digit: u8) -> bool {
    digit.is_ascii_hexdigit()
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).map_or(0, |value| value as u8)
}
