//! Replies, as they go over the wire: five kinds, told apart by their first byte.
//!
//! ```text
//!   +OK CRLF            a word of ours            :42 CRLF              an integer
//!   -ERR … CRLF         an error                  $5 CRLF hello CRLF    bytes of any kind; $-1: none
//!   *2 CRLF … …         an array of replies; *-1: none
//! ```
//!
//! All replies to one batch of requests are written into one buffer, and that buffer to the socket at once.
//!
//! # How long a reply may become
//! A short request can ask for a reply of any length, and ask for it again and again, without ever reading one. So a
//! reply that is [`LONG`] is written only while the memory of the process stays within a bound. Where it would not,
//! the reply is *cut*: it grows no further, and an error takes its place.

use crate::error::Error;
use crate::memory;

/// The length from which on replies have to ask for memory.
pub(crate) const LONG: usize = 256 * 1024;

/// Writes replies behind each other.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    out: &'a mut Vec<u8>,
    /// How many bytes may be in use, if there is a bound.
    bound: Option<usize>,
    is_cut: bool,
}

impl<'a> Reply<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self::bounded(out, None)
    }

    /// For as long as no more than so many bytes are in use.
    pub(crate) fn bounded(out: &'a mut Vec<u8>, bound: Option<usize>) -> Self {
        Self { out, bound, is_cut: false }
    }

    /// Whether something is missing.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Takes back all but the first `length` bytes, gives back the memory, and says why.
    pub(crate) fn retract(&mut self, length: usize, why: &Error) {
        self.out.truncate(length);
        self.out.shrink_to(LONG);
        self.write_error(&why.text());
    }

    /// Takes back all that has not been written to the client yet, also the replies to earlier requests.
    pub(crate) fn forget(&mut self) {
        self.out.clear();
    }

    /// Whether there is memory for so many bytes more; if not, the reply is cut.
    fn has_room(&mut self, length: usize) -> bool {
        let needed = self.out.len() + length;
        if needed <= LONG && !self.is_cut {
            return true;
        }
        // A buffer that grows becomes twice as large, at least.
        let grows = if needed > self.out.capacity() { length.max(self.out.capacity()) } else { 0 };
        self.is_cut |= self.bound.is_some_and(|bound| memory::used() + grows > bound);
        !self.is_cut
    }

    pub(crate) fn ok(&mut self) {
        self.simple("OK");
    }

    /// A word of ours, without line breaks.
    pub(crate) fn simple(&mut self, word: &str) {
        self.out.push(b'+');
        self.out.extend_from_slice(word.as_bytes());
        self.line_break();
    }

    /// An error, whose text begins with its code in capitals.
    pub(crate) fn error(&mut self, error: &Error) {
        let text = error.text();
        if self.has_room(text.len()) {
            self.write_error(&text);
        }
    }

    /// What would break the line becomes a blank, except at the end, where it goes.
    fn write_error(&mut self, text: &[u8]) {
        let breaks = |byte: u8| matches!(byte, b'\r' | b'\n');
        let end = text.iter().rposition(|byte| !breaks(*byte)).map_or(0, |last| last + 1);
        self.out.push(b'-');
        self.out.extend(text[..end].iter().map(|byte| if breaks(*byte) { b' ' } else { *byte }));
        self.line_break();
    }

    pub(crate) fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// How many there are.
    pub(crate) fn count(&mut self, count: usize) {
        self.integer(count as i64);
    }

    /// A truth: 1 or 0.
    pub(crate) fn flag(&mut self, is_so: bool) {
        self.integer(is_so.into());
    }

    pub(crate) fn bulk(&mut self, bytes: &[u8]) {
        if !self.has_room(bytes.len()) {
            return;
        }
        self.number(b'$', bytes.len() as i64);
        self.out.extend_from_slice(bytes);
        self.line_break();
    }

    /// The bytes, or that there are none.
    pub(crate) fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub(crate) fn null(&mut self) {
        self.out.extend_from_slice(b"$-1\r\n");
    }

    pub(crate) fn null_array(&mut self) {
        self.out.extend_from_slice(b"*-1\r\n");
    }

    /// Begins an array: the next `length` replies are its elements.
    pub(crate) fn array(&mut self, length: usize) {
        self.number(b'*', length as i64);
    }

    /// An array of bytes of any kind.
    pub(crate) fn bulks<T: AsRef<[u8]>>(&mut self, all: impl ExactSizeIterator<Item = T>) {
        self.array(all.len());
        for bytes in all {
            self.bulk(bytes.as_ref());
        }
    }

    /// Writes what `body` writes, and in front of it what only `body` can tell, how many there are, say.
    pub(crate) fn headed<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> T,
        head: impl FnOnce(T, &mut Reply<'_>),
    ) {
        let begin = self.out.len();
        let told = body(self);
        let mut front = Vec::new();
        head(told, &mut Reply::new(&mut front));
        self.out.splice(begin..begin, front);
    }

    fn number(&mut self, kind: u8, value: i64) {
        self.out.push(kind);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        self.line_break();
    }

    fn line_break(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Reply};

    fn written(write: impl FnOnce(&mut Reply<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Reply::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_kind_has_its_form() {
        assert_eq!(written(|reply| reply.ok()), "+OK\r\n");
        assert_eq!(written(|reply| reply.integer(i64::MIN)), ":-9223372036854775808\r\n");
        assert_eq!(written(|reply| reply.bulk(b"a\r\nb")), "$4\r\na\r\nb\r\n");
        assert_eq!(written(|reply| reply.bulks(["a", ""].iter())), "*2\r\n$1\r\na\r\n$0\r\n\r\n");
        assert_eq!(written(|reply| reply.null()), "$-1\r\n");
        assert_eq!(written(|reply| reply.null_array()), "*-1\r\n");
    }

    #[test]
    fn what_is_known_last_can_come_first() {
        let two = |reply: &mut Reply<'_>| {
            reply.headed(
                |body| {
                    body.bulk(b"a");
                    body.bulk(b"b");
                    2
                },
                |count, head| head.array(count),
            );
        };
        assert_eq!(written(two), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
        assert_eq!(written(|reply| reply.headed(|_| 0, |count, head| head.array(count))), "*0\r\n");
        let after = written(|reply| {
            reply.ok();
            two(reply);
        });
        assert_eq!(after, "+OK\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    }

    #[test]
    fn a_long_reply_is_cut_where_memory_ends() {
        let bytes = vec![b'x'; super::LONG];
        let mut out = Vec::new();
        let mut reply = Reply::bounded(&mut out, Some(0));
        reply.bulk(b"short");
        assert!(!reply.is_cut());
        reply.bulk(&bytes);
        reply.bulk(b"short");
        assert!(reply.is_cut());
        reply.retract(0, &Error::NoRoomForReply);
        assert_eq!(out, b"-OOM the reply is too long for the memory that is left.\r\n");
        out.clear();
        let mut reply = Reply::bounded(&mut out, Some(0));
        reply.error(&Error::unsupported_option(&bytes));
        assert!(reply.is_cut());
        assert!(out.is_empty());
        let mut reply = Reply::new(&mut out);
        reply.bulk(&bytes);
        assert!(!reply.is_cut());
    }

    #[test]
    fn an_error_stays_on_its_line() {
        let error = Error::unsupported_option(b"a\r\n+OK\r\n");
        assert_eq!(written(|reply| reply.error(&error)), "-ERR Unsupported option a  +OK\r\n");
    }
}
