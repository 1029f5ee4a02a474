//! Requests as they come over the wire, found in whatever pieces the network delivers.
//!
//! A request is an array of binary-safe strings, or a line of words for people with a terminal:
//!
//! ```text
//!   *2 CRLF  $3 CRLF GET CRLF  $5 CRLF hello CRLF          GET hello CRLF
//!   └ count  └ length  bytes   └ length   bytes            └ an inline command
//! ```
//!
//! # How the parser goes on
//! [`Parser::parse`] gets all bytes from the request's first one on, and remembers how far it came: each byte is
//! looked at once, however the request was cut. (Starting over with each piece would make a request of a million
//! arguments cost the square of its size, and anybody can send one slowly.) What it finds are *spans*: where in
//! the input each argument lies. Nothing is copied, but for inline commands with quotes.
//!
//! # What a stranger may announce
//! F1. Nothing is allocated by an announced length or count: memory grows with the bytes that have arrived.
//! F2. Announcements beyond the limits below are refused before a single byte of what they announce has come.
//! F3. After a [`ProtocolError`] nobody knows where the next request would begin: the connection must close.
//!
//! As in Redis, the line break behind an argument is skipped unseen: its place is known, so a client that puts
//! other bytes there harms itself only. And as there, a line ends nowhere behind a NUL: what is no text is not taken
//! for commands, and the connection closes once the line is too long.

use crate::integer;

mod inline;

/// The longest inline command, and the longest line with a count or length.
const MAX_LINE: usize = 64 * 1024;
/// The most arguments in one request; how long that may be comes first, but a count beyond this is none.
const MAX_ARGS: i64 = i32::MAX as i64;
/// The longest argument.
pub(crate) const MAX_BULK: i64 = 512 * 1024 * 1024;
/// The longest request. Spans count in 32 bits, so this is less than 4 GiB.
pub(crate) const MAX_REQUEST: usize = 1024 * 1024 * 1024;
/// How many spans are kept between requests, so that an idle connection is small.
const KEPT_SPANS: usize = 64;

/// Why a connection cannot be understood any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    InlineTooLong,
    UnbalancedQuotes,
    CountTooLong,
    InvalidCount,
    LengthTooLong,
    InvalidLength,
    /// This stands where the `$` of an argument should.
    ExpectedLength(u8),
    RequestTooLong,
}

impl ProtocolError {
    /// What is wrong, in the words of Redis, and with the client's own byte in them.
    pub(crate) fn text(self) -> Vec<u8> {
        let text: &[u8] = match self {
            Self::InlineTooLong => b"too big inline request",
            Self::UnbalancedQuotes => b"unbalanced quotes in request",
            Self::CountTooLong => b"too big mbulk count string",
            Self::InvalidCount => b"invalid multibulk length",
            Self::LengthTooLong => b"too big bulk count string",
            Self::InvalidLength => b"invalid bulk length",
            Self::RequestTooLong => b"too big request",
            Self::ExpectedLength(found) => return [b"expected '$', got '", &[found][..], b"'"].concat(),
        };
        text.to_vec()
    }
}

/// Where an argument lies.
#[derive(Clone, Copy, Debug)]
struct Span {
    begin: u32,
    end: u32,
}

/// The arguments of one request; the first is the command's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    pub(crate) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The argument at `index`.
    ///
    /// # Panics
    /// When there is none: a command's arity is checked before it looks.
    pub(crate) fn at(&self, index: usize) -> &'a [u8] {
        let Span { begin, end } = self.spans[index];
        &self.bytes[begin as usize..end as usize]
    }

    /// How many bytes they take in the request.
    pub(crate) fn size(&self) -> usize {
        match self.spans {
            [first, .., last] => (last.end - first.begin) as usize,
            _ => 0,
        }
    }

    /// The arguments from `first` on; none if there are not so many.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let args = *self;
        (first..self.len()).map(move |index| args.at(index))
    }
}

/// How far the request has been understood.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Phase {
    /// At its first byte.
    #[default]
    Begin,
    /// At the line with the length of the next argument; so many are missing.
    Length(usize),
    /// At an argument of this length; so many are missing, with this one.
    Bytes(usize, usize),
}

/// Finds the requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    spans: Vec<Span>,
    /// The first byte not yet understood.
    at: usize,
    phase: Phase,
    /// The words of an inline command, without their quotes; unused while requests are arrays.
    words: Vec<u8>,
    is_inline: bool,
}

impl Parser {
    /// Goes on with the request that begins at `input`'s first byte. `Some(length)`: it is complete and so long,
    /// and [`args`](Self::args) tells what it says. `None`: more is needed; call again with at least one more
    /// byte behind the same ones. An empty request has no arguments.
    pub(crate) fn parse(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        if self.phase == Phase::Begin {
            match input.first() {
                None => return Ok(None),
                Some(b'*') => {
                    self.is_inline = false;
                    let Some(count) = self.number(input, ProtocolError::CountTooLong)? else {
                        return Ok(None);
                    };
                    let count =
                        count.filter(|count| *count <= MAX_ARGS).ok_or(ProtocolError::InvalidCount)?;
                    self.phase = Phase::Length(count.max(0) as usize);
                }
                Some(_) => return self.inline(input),
            }
        }
        self.arguments(input)
    }

    fn arguments(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        loop {
            match self.phase {
                Phase::Begin | Phase::Length(0) => return Ok(Some(self.at)),
                Phase::Length(missing) => {
                    let begin = self.at;
                    let Some(length) = self.number(input, ProtocolError::LengthTooLong)? else {
                        return Ok(None);
                    };
                    if input[begin] != b'$' {
                        return Err(ProtocolError::ExpectedLength(input[begin]));
                    }
                    let length = length.filter(|length| (0..=MAX_BULK).contains(length));
                    let length = length.ok_or(ProtocolError::InvalidLength)? as usize;
                    if self.at + length + 2 > MAX_REQUEST {
                        return Err(ProtocolError::RequestTooLong);
                    }
                    self.phase = Phase::Bytes(length, missing);
                }
                Phase::Bytes(length, missing) => {
                    let end = self.at + length;
                    if input.len() < end + 2 {
                        return Ok(None);
                    }
                    self.spans.push(Span { begin: self.at as u32, end: end as u32 });
                    self.at = end + 2;
                    self.phase = Phase::Length(missing - 1);
                }
            }
        }
    }

    /// Reads the number behind the sign at `self.at` and goes behind its line. `None`: the line is not all there;
    /// `Some(None)`: it is no number.
    fn number(
        &mut self,
        input: &[u8],
        too_long: ProtocolError,
    ) -> Result<Option<Option<i64>>, ProtocolError> {
        let line = &input[self.at..];
        let Some(end) = search(line, b'\r').ok() else {
            return if line.len() > MAX_LINE { Err(too_long) } else { Ok(None) };
        };
        if line.len() < end + 2 {
            return Ok(None);
        }
        self.at += end + 2;
        Ok(Some(line.get(1..end).and_then(integer::parse)))
    }

    fn inline(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        // Lines that come in pieces are searched from where the last piece ended.
        let end = match search(&input[self.at..], b'\n') {
            Ok(end) => self.at + end,
            Err(seen) => {
                self.at += seen;
                return if input.len() > MAX_LINE { Err(ProtocolError::InlineTooLong) } else { Ok(None) };
            }
        };
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        self.is_inline = true;
        let Self { spans, words, .. } = self;
        inline::split(line, words, |begin, end| spans.push(Span { begin: begin as u32, end: end as u32 }))?;
        Ok(Some(end + 1))
    }

    /// The arguments of the request that [`parse`](Self::parse) has just found complete in the same `input`.
    pub(crate) fn args<'a>(&'a self, input: &'a [u8]) -> Args<'a> {
        let bytes = if self.is_inline { &self.words } else { input };
        Args { bytes, spans: &self.spans }
    }

    /// Forgets the request, for the next one.
    pub(crate) fn next(&mut self) {
        self.spans.clear();
        if self.spans.capacity() > KEPT_SPANS {
            self.spans = Vec::new();
        }
        if self.is_inline {
            self.words = Vec::new();
        }
        self.at = 0;
        self.phase = Phase::Begin;
    }
}

/// Where in `line` the byte that ends it is; or else how far one need not search again, which is not beyond a NUL.
fn search(line: &[u8], end: u8) -> Result<usize, usize> {
    match line.iter().position(|byte| *byte == end || *byte == 0) {
        Some(at) if line[at] == end => Ok(at),
        Some(nul) => Err(nul),
        None => Err(line.len()),
    }
}

#[cfg(test)]
mod tests;
