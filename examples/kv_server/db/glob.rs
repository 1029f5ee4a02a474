//! Patterns of `KEYS`, `SCAN`, `PSUBSCRIBE` and `CONFIG GET`.
//!
//! `?` is any byte, `*` any bytes, `[a-c]` one of a class, `[^a-c]` one of none, `\` takes what follows as it is.
//!
//! A pattern with many stars must not cost more than pattern × text: on a mismatch only the *last* star takes one
//! byte more, since whatever an earlier star could take as well, the last one can make up for.

/// Whether the whole of `text` is meant by `pattern`.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // What stands behind the last star, and what of the text it has been tried on.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = pattern {
            retry = Some((after, text));
            pattern = after;
            continue;
        }
        if let Some((after, rest)) = step(pattern, text) {
            (pattern, text) = (after, rest);
            if pattern.is_empty() && text.is_empty() {
                return true;
            }
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        let Some((after, [_, rest @ ..])) = retry else { return false };
        retry = Some((after, rest));
        (pattern, text) = (after, rest);
    }
}

/// Matches one byte: what is left of both then.
fn step<'p, 't>(pattern: &'p [u8], text: &'t [u8]) -> Option<(&'p [u8], &'t [u8])> {
    let (&byte, rest) = text.split_first()?;
    let (is_match, after) = match pattern {
        [] => return None,
        [b'?', after @ ..] => (true, after),
        [b'[', class @ ..] => in_class(class, byte),
        [b'\\', literal, after @ ..] => (*literal == byte, after),
        [literal, after @ ..] => (*literal == byte, after),
    };
    is_match.then_some((after, rest))
}

/// Whether `byte` is of the class, and what of the pattern comes behind it. A class that does not end, ends with the
/// pattern.
fn in_class(class: &[u8], byte: u8) -> (bool, &[u8]) {
    let (negated, mut class) = match class {
        [b'^', class @ ..] => (true, class),
        class => (false, class),
    };
    let mut found = false;
    loop {
        class = match class {
            [] => return (found != negated, class),
            [b']', after @ ..] => return (found != negated, after),
            [b'\\', literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
            // As in Redis also where `to` is the bracket that would have ended the class.
            [from, b'-', to, after @ ..] => {
                found |= (*from.min(to)..=*from.max(to)).contains(&byte);
                after
            }
            [literal, after @ ..] => {
                found |= *literal == byte;
                after
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches;

    #[test]
    fn each_sign_means_what_it_should() {
        for (pattern, yes, no) in [
            ("", &[""][..], &["a"][..]),
            ("*", &["", "a", "abc"], &[]),
            ("h?llo", &["hello", "hallo"], &["hllo", "heello"]),
            ("h*llo", &["hllo", "heeeello"], &["hell", "ahllo"]),
            ("a*b*c", &["abc", "axbxbc", "abcbc"], &["ab", "acb"]),
            ("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]),
            ("h[^e]llo", &["hallo"], &["hello"]),
            ("h[a-c]llo", &["hallo", "hbllo"], &["hello"]),
            ("h[c-a]llo", &["hbllo"], &["hello"]),
            ("a\\*b", &["a*b"], &["axb"]),
            ("[\\]]", &["]"], &["a"]),
            ("[a", &["a"], &["b"]),
            ("[a-]", &["a", "]", "_"], &["-", "b"]),
            ("a\\", &["a\\"], &["a"]),
        ] {
            for text in yes {
                assert!(matches(pattern.as_bytes(), text.as_bytes()), "{pattern} is {text}");
            }
            for text in no {
                assert!(!matches(pattern.as_bytes(), text.as_bytes()), "{pattern} is not {text}");
            }
        }
    }

    #[test]
    fn many_stars_are_no_trap() {
        let pattern = "a*".repeat(1000) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(10_000).as_bytes()));
    }

    /// The definition, tried in every way there is. Classes are read as Redis reads them, with an index.
    fn slowly(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', after @ ..], _) => (0..=text.len()).any(|taken| slowly(after, &text[taken..])),
            ([b'?', after @ ..], [_, rest @ ..]) => slowly(after, rest),
            ([b'[', ..], [byte, rest @ ..]) => {
                let is_negated = pattern.get(1) == Some(&b'^');
                let (mut at, mut is_in) = (1 + usize::from(is_negated), false);
                while at < pattern.len() && pattern[at] != b']' {
                    if pattern[at] == b'\\' && at + 1 < pattern.len() {
                        is_in |= pattern[at + 1] == *byte;
                        at += 2;
                    } else if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() {
                        let (one, other) = (pattern[at], pattern[at + 2]);
                        is_in |= one <= *byte && *byte <= other || other <= *byte && *byte <= one;
                        at += 3;
                    } else {
                        is_in |= pattern[at] == *byte;
                        at += 1;
                    }
                }
                is_in != is_negated && slowly(pattern.get(at + 1..).unwrap_or_default(), rest)
            }
            ([b'\\', byte, after @ ..], [same, rest @ ..]) => byte == same && slowly(after, rest),
            ([byte, after @ ..], [same, rest @ ..]) => byte == same && slowly(after, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn stars_find_what_there_is_to_find(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), slowly(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn all_signs_mean_what_they_mean_in_redis(pattern in r"[abc*?\[\]\^\\-]{0,10}", text in r"[abc\[\]\^\\-]{0,6}") {
            prop_assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), slowly(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn noise_is_only_a_pattern_that_matches_little(pattern: Vec<u8>, text: Vec<u8>) {
            matches(&pattern, &text);
        }
    }
}
