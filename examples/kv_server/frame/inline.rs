//! Inline commands: words between blanks, some of them quoted, as a shell would have them.
//!
//! `"…"` knows `\n \r \t \b \a \\ \"` and `\xHH`, `'…'` knows `\'`. A closing quote must end its word, and every
//! quote must close; otherwise the line means nothing.

use super::ProtocolError;

/// Splits `line` into words, which are written one behind the other into `words`; `found` is told where each of
/// them begins and ends.
pub(super) fn split(
    line: &[u8],
    words: &mut Vec<u8>,
    mut found: impl FnMut(usize, usize),
) -> Result<(), ProtocolError> {
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let begin = words.len();
        rest = word(rest, words)?.trim_ascii_start();
        found(begin, words.len());
    }
    Ok(())
}

/// Writes the word that `rest` begins with, and returns what comes after it.
fn word<'a>(mut rest: &'a [u8], words: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            [] => return Ok(rest),
            [blank, ..] if blank.is_ascii_whitespace() => return Ok(rest),
            [quote @ (b'"' | b'\''), quoted @ ..] => {
                rest = quotation(*quote, quoted, words)?;
                // What is quoted ends the word.
                return match rest.first() {
                    Some(next) if !next.is_ascii_whitespace() => Err(ProtocolError::UnbalancedQuotes),
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
