//! What `wc` calls a line and a word, for one file, so that many files can be counted in any order and add up to
//! what `cat FILES | wc -lw` says of all of them in one order.
//!
//! # Words
//! A *word* is a run of bytes between separators that holds at least one printable character: so GNU `wc` says,
//! and the locale says which characters are which. In the C locale every byte is one character and those from
//! 0x80 up are neither printable nor separators. In a UTF-8 locale invalid bytes are neither; for everything
//! beyond ASCII we ask the C library, as `wc` does, so that both go by the same edition of Unicode.
//!
//! # Joints
//! Adding up the words of each file is not enough. A file that ends in `</html>`, with no newline after it, and a
//! next one that begins with `<!DOCTYPE>` make *one* word where they meet, in the eyes of whoever reads them through
//! `cat`. So a [`Count`] remembers whether a word is open at either end, and [`Count::then`] takes away the one
//! that was counted twice:
//!
//! ```text
//!    a: "one two"       2 words; open at the head ("one") and at the tail ("two")
//!    b: "three four"    2 words; open at the head ("three") and at the tail ("four")
//!    a.then(b)          2 + 2 - 1 = 3, as in "one twothree four"
//! ```
//!
//! In UTF-8 even a *character* may span two files, of which neither alone holds anything valid: [`Seam`] keeps the
//! few bytes that it takes to see that.
//!
//! `then` is associative and [`Count::default`] changes nothing: that is all that counting in parallel needs.

use std::ffi::{CStr, c_int};
use std::io::{self, Read};

/// Lines and words of a stretch of bytes, and what lies open at its ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) lines: u64,
    pub(crate) words: u64,
    /// A printable character stands before the first separator.
    head: bool,
    /// A printable character stands after the last separator.
    tail: bool,
    /// There is a separator; without one, head and tail are the same stretch.
    separated: bool,
    seam: Seam,
}

/// The bytes at the ends that may be parts of characters, and by themselves mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seam {
    /// Up to three bytes at the beginning that can only continue a character.
    lead: Bytes,
    /// The beginning of a character, at the end.
    cut: Bytes,
    /// There is something other than bytes that continue a character.
    solid: bool,
}

/// Up to three bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bytes {
    bytes: [u8; 3],
    len: usize,
}

impl Bytes {
    /// The first ones of `bytes`, as many as fit.
    fn of(bytes: &[u8]) -> Self {
        let mut first = Self { bytes: [0; 3], len: bytes.len().min(3) };
        first.bytes[..first.len].copy_from_slice(&bytes[..first.len]);
        first
    }

    fn get(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Count {
    /// The count of these bytes followed by the ones that `next` counted.
    pub(crate) fn then(self, next: Self) -> Self {
        let (between, cut) = self.seam.meet(next.seam);
        let joined = self.join(between).join(next);
        let lead = match self.seam.solid {
            true => self.seam.lead,
            false => Bytes::of(&[self.seam.lead.get(), next.seam.lead.get()].concat()),
        };
        Self { seam: Seam { lead, cut, solid: self.seam.solid || next.seam.solid }, ..joined }
    }

    /// As [`then`](Self::then), but blind to what spans the two.
    fn join(self, next: Self) -> Self {
        Self {
            lines: self.lines + next.lines,
            words: self.words + next.words - u64::from(self.tail && next.head),
            head: self.head || (!self.separated && next.head),
            tail: next.tail || (!next.separated && self.tail),
            separated: self.separated || next.separated,
            seam: Seam::default(),
        }
    }

    fn printable(&mut self) {
        self.words += u64::from(!self.tail);
        self.tail = true;
        self.head |= !self.separated;
    }

    fn separator(&mut self) {
        self.tail = false;
        self.separated = true;
    }
}

impl Seam {
    /// The character, if any, that these two stretches have between them; and what the second one leaves cut.
    fn meet(self, next: Self) -> (Count, Bytes) {
        let mut between = Count::default();
        let both = [self.cut.get(), next.lead.get()].concat();
        let valid = match std::str::from_utf8(&both) {
            Ok(text) => text,
            // The next stretch was too short to complete it; perhaps the one after it does.
            Err(error) if error.error_len().is_none() && error.valid_up_to() == 0 && !next.solid => {
                return (between, Bytes::of(&both));
            }
            Err(error) => std::str::from_utf8(&both[..error.valid_up_to()]).expect("that much is valid"),
        };
        if let Some(character) = valid.chars().next() {
            count_char(&mut between, character);
        }
        (between, next.cut)
    }
}

/// Which bytes make a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locale {
    C,
    Utf8,
}

impl Locale {
    /// Sets the process to the locale that its environment names, and tells which kind it is.
    ///
    /// To be called while the process has one thread: the C library reads what this writes without a lock.
    pub(crate) fn of_the_environment() -> Self {
        // SAFETY: the names are C strings; the caller sees to it that no other thread exists; what `nl_langinfo`
        // returns is a C string that stays as it is until the next `setlocale`, and we are done with it by then.
        let encoding = unsafe {
            libc::setlocale(libc::LC_CTYPE, c"".as_ptr());
            CStr::from_ptr(libc::nl_langinfo(libc::CODESET))
        };
        if encoding == c"UTF-8" { Self::Utf8 } else { Self::C }
    }
}

// SAFETY: both are C99's, of these types where `wint_t` has 32 bits, and defined for every character: Rust's
// `char` holds nothing that C's wide characters do not. They only read the locale's tables.
unsafe extern "C" {
    safe fn iswprint(character: u32) -> c_int;
    safe fn iswspace(character: u32) -> c_int;
}

/// Reads `file` to its end, as long as `go_on` says so, and counts what it holds.
pub(crate) fn count(
    mut file: impl Read,
    locale: Locale,
    mut go_on: impl FnMut() -> bool,
) -> io::Result<Count> {
    let mut count = Count::default();
    let mut buffer = vec![0; 64 * 1024];
    // The bytes of a character that the end of the buffer cut in two, at the buffer's start.
    let mut kept = 0;
    while go_on() {
        let read = match file.read(&mut buffer[kept..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = kept + read;
        if locale == Locale::C {
            count_bytes(&mut count, &buffer[..end]);
            continue;
        }
        if !count.seam.solid {
            lead(&mut count.seam, &buffer[..end]);
        }
        let rest = count_text(&mut count, &buffer[..end]);
        buffer.copy_within(end - rest..end, 0);
        kept = rest;
    }
    count.seam.cut = Bytes::of(&buffer[..kept]);
    Ok(count)
}

/// Takes in bytes at the beginning, as long as they can only continue a character.
fn lead(seam: &mut Seam, bytes: &[u8]) {
    let continues = bytes.iter().take_while(|byte| (0x80..0xC0).contains(*byte)).count();
    seam.lead = Bytes::of(&[seam.lead.get(), &bytes[..continues]].concat());
    seam.solid = continues < bytes.len();
}

/// Counts bytes of the C locale.
fn count_bytes(count: &mut Count, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'\n' => {
                count.lines += 1;
                count.separator();
            }
            b' ' | b'\t' | b'\r' | 0x0B | 0x0C => count.separator(),
            0x21..=0x7E => count.printable(),
            _ => {}
        }
    }
}

/// Counts UTF-8, skips what is none, and returns how many bytes at the end may be the start of a character.
fn count_text(count: &mut Count, mut bytes: &[u8]) -> usize {
    loop {
        let (valid, after) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, None),
            Err(error) => {
                let (valid, after) = bytes.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).expect("that much is valid"), Some((after, error.error_len())))
            }
        };
        for character in valid.chars() {
            count_char(count, character);
        }
        match after {
            None => return 0,
            Some((cut, None)) => return cut.len(),
            Some((after, Some(invalid))) => bytes = &after[invalid..],
        }
    }
}

fn count_char(count: &mut Count, character: char) {
    match character {
        '\n' => {
            count.lines += 1;
            count.separator();
        }
        '\u{21}'..='\u{7E}' => count.printable(),
        ' ' | '\u{9}'..='\u{D}' => count.separator(),
        // The spaces that forbid a line break are no spaces to C, and separate words all the same.
        '\u{A0}' | '\u{2007}' | '\u{202F}' | '\u{2060}' => count.separator(),
        other if iswprint(other.into()) == 0 => {}
        other if iswspace(other.into()) != 0 => count.separator(),
        _ => count.printable(),
    }
}
