//! What a command may refuse to do, in the words that clients know from Redis.
//!
//! The words matter: clients match on the code in capitals, and people search for the sentence. Where a sentence quotes
//! what the client has said, it quotes the bytes as they came, which need not be text: up to a NUL, as Redis does, and
//! of most things no more than [`QUOTED`].

use std::fmt;

use crate::frame::{Args, ProtocolError};

/// How a command ends: its reply is written, or it has written nothing and this is why.
pub(crate) type Done = Result<(), Error>;

#[derive(Debug)]
pub(crate) enum Error {
    WrongType,
    Syntax,
    NotInteger,
    NotPositive,
    Overflow,
    DecrementOverflow,
    HashNotInteger,
    InvalidCursor,
    NoSuchDatabase,
    NoSuchNumber,
    TooLong,
    OutOfMemory,
    NoRoomForReply,
    UnknownProtocol,
    BadProtocolVersion,
    WrongPassword,
    NoPassword,
    BadClientName,
    InvalidClientId,
    InvalidExpiry(&'static str),
    WrongArity(&'static str),
    UnknownSubcommand { family: &'static str, name: Vec<u8> },
    BadSubcommand { family: &'static str, name: Vec<u8> },
    OnlySubscriber(&'static str),
    UnsupportedOption(Vec<u8>),
    HelloOption(Vec<u8>),
    UnknownClientType(Vec<u8>),
    Incompatible(&'static str),
    UnknownCommand { name: Vec<u8>, args: Vec<u8> },
    Protocol(ProtocolError),
}

/// How many bytes of a name, or of all arguments together, come back in an error.
const QUOTED: usize = 128;

impl Error {
    pub(crate) fn unknown_command(args: Args<'_>) -> Self {
        let mut begin = Vec::new();
        for arg in args.from(1) {
            let left = QUOTED.saturating_sub(begin.len());
            if left == 0 {
                break;
            }
            begin.extend([b"'", quoted(arg, left), b"' "].concat());
        }
        Self::UnknownCommand { name: quoted(args.at(0), QUOTED).to_vec(), args: begin }
    }

    pub(crate) fn unknown_subcommand(family: &'static str, name: &[u8]) -> Self {
        Self::UnknownSubcommand { family, name: quoted(name, QUOTED).to_vec() }
    }

    pub(crate) fn bad_subcommand(family: &'static str, name: &[u8]) -> Self {
        Self::BadSubcommand { family, name: quoted(name, QUOTED).to_vec() }
    }

    pub(crate) fn unsupported_option(option: &[u8]) -> Self {
        Self::UnsupportedOption(quoted(option, usize::MAX).to_vec())
    }

    pub(crate) fn hello_option(option: &[u8]) -> Self {
        Self::HelloOption(quoted(option, usize::MAX).to_vec())
    }

    pub(crate) fn unknown_client_type(name: &[u8]) -> Self {
        Self::UnknownClientType(quoted(name, usize::MAX).to_vec())
    }

    /// What the client is told.
    pub(crate) fn text(&self) -> Vec<u8> {
        let parts: &[&[u8]] = match self {
            Self::WrongType => &[b"WRONGTYPE Operation against a key holding the wrong kind of value"],
            Self::Syntax => &[b"ERR syntax error"],
            Self::NotInteger => &[b"ERR value is not an integer or out of range"],
            Self::NotPositive => &[b"ERR value is out of range, must be positive"],
            Self::Overflow => &[b"ERR increment or decrement would overflow"],
            Self::DecrementOverflow => &[b"ERR decrement would overflow"],
            Self::HashNotInteger => &[b"ERR hash value is not an integer"],
            Self::InvalidCursor => &[b"ERR invalid cursor"],
            Self::NoSuchDatabase => &[b"ERR DB index is out of range"],
            Self::NoSuchNumber => {
                &[b"ERR value is out of range, value must between -2147483648 and 2147483647"]
            }
            Self::TooLong => &[b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"],
            Self::OutOfMemory => &[b"OOM command not allowed when used memory > 'maxmemory'."],
            Self::NoRoomForReply => &[b"OOM the reply is too long for the memory that is left."],
            Self::UnknownProtocol => &[b"NOPROTO unsupported protocol version"],
            Self::BadProtocolVersion => &[b"ERR Protocol version is not an integer or out of range"],
            Self::WrongPassword => &[b"WRONGPASS invalid username-password pair or user is disabled."],
            Self::NoPassword => &[
                b"ERR AUTH <password> called without any password configured for the default user. ",
                b"Are you sure your configuration is correct?",
            ],
            Self::BadClientName => {
                &[b"ERR Client names cannot contain spaces, newlines or special characters."]
            }
            Self::InvalidClientId => &[b"ERR Invalid client ID"],
            Self::InvalidExpiry(command) => {
                &[b"ERR invalid expire time in '", command.as_bytes(), b"' command"]
            }
            Self::WrongArity(command) => {
                &[b"ERR wrong number of arguments for '", command.as_bytes(), b"' command"]
            }
            Self::UnknownSubcommand { family, name } => {
                &[b"ERR unknown subcommand '", name, b"'. Try ", family.as_bytes(), b" HELP."]
            }
            Self::BadSubcommand { family, name } => &[
                b"ERR unknown subcommand or wrong number of arguments for '",
                name,
                b"'. Try ",
                family.as_bytes(),
                b" HELP.",
            ],
            Self::OnlySubscriber(command) => &[
                b"ERR Can't execute '",
                command.as_bytes(),
                b"': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            ],
            Self::UnsupportedOption(option) => &[b"ERR Unsupported option ", option],
            Self::HelloOption(option) => &[b"ERR Syntax error in HELLO option '", option, b"'"],
            Self::UnknownClientType(name) => &[b"ERR Unknown client type '", name, b"'"],
            Self::Incompatible(options) => {
                &[b"ERR ", options.as_bytes(), b" options at the same time are not compatible"]
            }
            Self::UnknownCommand { name, args } => {
                &[b"ERR unknown command '", name, b"', with args beginning with: ", args]
            }
            Self::Protocol(error) => return [b"ERR Protocol error: ", &error.text()[..]].concat(),
        };
        parts.concat()
    }
}

/// The beginning of what a client has said.
fn quoted(bytes: &[u8], most: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(most)];
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// For the log, where nothing stands that a terminal might obey.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()).replace(char::is_control, "?"))
    }
}

impl std::error::Error for Error {}
