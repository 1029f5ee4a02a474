//! What a command may refuse to do, in the words that clients know from Redis.
//!
//! The words matter: clients match on the code in capitals, and people search for the sentence.

use std::borrow::Cow;
use std::fmt;

use crate::frame::Args;

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
    InvalidExpiry(String),
    WrongArity(String),
    UnknownSubcommand { command: &'static str, subcommand: String },
    OnlySubscriber(&'static str),
    UnsupportedOption(String),
    HelloOption(String),
    Incompatible(&'static str),
    UnknownCommand { name: String, args: String },
}

impl Error {
    pub(crate) fn unknown_command(args: Args<'_>) -> Self {
        let text = |bytes: &[u8], most: usize| cut(bytes, most).into_owned();
        let mut begin = String::new();
        for arg in args.from(1) {
            let left = 128_usize.saturating_sub(begin.len());
            if left == 0 {
                break;
            }
            begin.push_str(&format!("'{}' ", text(arg, left)));
        }
        Self::UnknownCommand { name: text(args.at(0), 128), args: begin }
    }

    pub(crate) fn unknown_subcommand(command: &'static str, subcommand: &[u8]) -> Self {
        Self::UnknownSubcommand { command, subcommand: cut(subcommand, 128).into_owned() }
    }

    pub(crate) fn unsupported_option(option: &[u8]) -> Self {
        Self::UnsupportedOption(cut(option, 128).into_owned())
    }

    pub(crate) fn hello_option(option: &[u8]) -> Self {
        Self::HelloOption(cut(option, 128).into_owned())
    }

    pub(crate) fn wrong_arity(command: &str) -> Self {
        Self::WrongArity(command.to_owned())
    }
}

/// The beginning of what a client has said, as text.
fn cut(bytes: &[u8], most: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(most)])
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongType => "WRONGTYPE Operation against a key holding the wrong kind of value",
            Self::Syntax => "ERR syntax error",
            Self::NotInteger => "ERR value is not an integer or out of range",
            Self::NotPositive => "ERR value is out of range, must be positive",
            Self::Overflow => "ERR increment or decrement would overflow",
            Self::DecrementOverflow => "ERR decrement would overflow",
            Self::HashNotInteger => "ERR hash value is not an integer",
            Self::InvalidCursor => "ERR invalid cursor",
            Self::NoSuchDatabase => "ERR DB index is out of range",
            Self::NoSuchNumber => "ERR value is out of range, value must between -2147483648 and 2147483647",
            Self::TooLong => "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
            Self::OutOfMemory => "OOM command not allowed when used memory > 'maxmemory'.",
            Self::NoRoomForReply => "OOM the reply is too long for the memory that is left.",
            Self::UnknownProtocol => "NOPROTO unsupported protocol version",
            Self::BadProtocolVersion => "ERR Protocol version is not an integer or out of range",
            Self::WrongPassword => "WRONGPASS invalid username-password pair or user is disabled.",
            Self::NoPassword => {
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?"
            }
            Self::BadClientName => "ERR Client names cannot contain spaces, newlines or special characters.",
            Self::InvalidExpiry(command) => {
                return write!(f, "ERR invalid expire time in '{command}' command");
            }
            Self::WrongArity(command) => {
                return write!(f, "ERR wrong number of arguments for '{command}' command");
            }
            Self::UnknownSubcommand { command, subcommand } => {
                return write!(f, "ERR unknown subcommand '{subcommand}'. Try {command} HELP.");
            }
            Self::OnlySubscriber(command) => {
                return write!(
                    f,
                    "ERR Can't execute '{command}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
                     RESET are allowed in this context"
                );
            }
            Self::UnsupportedOption(option) => return write!(f, "ERR Unsupported option {option}"),
            Self::HelloOption(option) => return write!(f, "ERR Syntax error in HELLO option '{option}'"),
            Self::Incompatible(options) => {
                return write!(f, "ERR {options} options at the same time are not compatible");
            }
            Self::UnknownCommand { name, args } => {
                return write!(f, "ERR unknown command '{name}', with args beginning with: {args}");
            }
        })
    }
}

impl std::error::Error for Error {}
