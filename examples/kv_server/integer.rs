//! Decimal integers, as strictly as the protocol wants them.
//!
//! Lengths, counts and the values that `INCR` works on are all written in one way: digits without leading zeros,
//! after an optional minus. `str::parse` is more generous (`+1`, `007`), and a number that can be written in two
//! ways would come back from `INCR` as something other than what was stored.

/// Reads an integer; `None` for anything that [`i64`]'s `Display` would not have written.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let canonical = match digits {
        [b'0'] => !negative,
        [b'0', ..] | [] => false,
        _ => digits.len() <= 19,
    };
    if !canonical {
        return None;
    }
    // Counted below zero, where there is room for one more.
    let mut value: i64 = 0;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;

    proptest! {
        #[test]
        fn what_is_written_is_read(value: i64) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(text in "[-+ 0-9a]{0,21}") {
            let read = parse(text.as_bytes());
            prop_assert_eq!(read, text.parse::<i64>().ok().filter(|value| value.to_string() == text));
        }
    }

    #[test]
    fn the_edges_are_read_and_nothing_beyond_them() {
        assert_eq!(parse(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse(b"-9223372036854775808"), Some(i64::MIN));
        for wrong in
            ["9223372036854775808", "-9223372036854775809", "18446744073709551617", "-0", "-", "", "1 "]
        {
            assert_eq!(parse(wrong.as_bytes()), None, "{wrong:?}");
        }
    }
}
