//! Commands: a table that says of each what it is called, how many arguments it takes and what it does.
//!
//! ```text
//!   name ─► table ─► arity right? ─► may it grow memory now? ─► may a subscriber? ─► run ─► reply, or the error
//!             └► a family's table, if it is one: CLIENT ID, CLIENT LIST, …
//! ```
//!
//! What can be said as data is said as data: the table answers `COMMAND` too, which client libraries ask to learn
//! where keys stand among the arguments; and a family's table answers `CLIENT HELP` and its like.
//!
//! # No HTTP
//! A browser sends what a page wants to any address of the machine that it runs on, only with a head of HTTP in front,
//! each line of which is an inline command that nobody knows; and then the rest would be executed. So what every such
//! head has ([`is_http`]) ends the connection, as it does in Redis, and without a word.

use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::db::clock::Moment;
use crate::db::{Place, Several};
use crate::error::{Done, Error};
use crate::frame::Args;
use crate::integer;
use crate::reply::Reply;
use crate::server::Server;
use crate::session::Session;

mod connection;
mod hashes;
mod introspection;
mod keys;
mod lists;
mod pubsub;
mod server;
mod sets;
mod strings;

/// A row of the table.
pub(crate) struct Command {
    /// In lower case.
    name: &'static str,
    /// How many arguments there are, with the name; a negative number says how many at least.
    arity: i32,
    flags: &'static [Flag],
    keys: Keys,
    summary: &'static str,
    run: fn(&mut Call<'_>) -> Done,
}

/// What is worth knowing of a command before it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    /// It changes keys.
    Write,
    /// It looks at keys.
    ReadOnly,
    /// It may need more memory, and is refused when there is none.
    DenyOom,
    /// It takes the same time whatever there is.
    Fast,
    /// It is about channels, not keys.
    PubSub,
    /// A subscriber may use it.
    Subscriber,
    /// Its first argument says which of a [family](FAMILIES) is meant.
    Family,
}

impl Flag {
    /// What `COMMAND` calls it.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Write => Some("write"),
            Self::ReadOnly => Some("readonly"),
            Self::DenyOom => Some("denyoom"),
            Self::Fast => Some("fast"),
            Self::PubSub => Some("pubsub"),
            Self::Subscriber | Self::Family => None,
        }
    }
}

/// Which arguments are keys: the first, the last (counted from the end when negative), and the step between them.
struct Keys(i32, i32, i32);

const NONE: Keys = Keys(0, 0, 0);
const FIRST: Keys = Keys(1, 1, 1);
const ALL: Keys = Keys(1, -1, 1);
const EVERY_OTHER: Keys = Keys(1, -1, 2);

/// Every command, by group.
const GROUPS: [(&str, &[Command]); 8] = [
    ("string", strings::TABLE),
    ("generic", keys::TABLE),
    ("list", lists::TABLE),
    ("set", sets::TABLE),
    ("hash", hashes::TABLE),
    ("pubsub", pubsub::TABLE),
    ("connection", connection::TABLE),
    ("server", server::TABLE),
];

/// The commands of each family, which are called `family|command`.
const FAMILIES: [(&str, &[Command]); 4] = [
    ("CLIENT", connection::CLIENT),
    ("COMMAND", introspection::COMMAND),
    ("CONFIG", server::CONFIG),
    ("PUBSUB", pubsub::PUBSUB),
];

fn family(name: &[u8]) -> Option<&'static (&'static str, &'static [Command])> {
    FAMILIES.iter().find(|(family, _)| name.eq_ignore_ascii_case(family.as_bytes()))
}

/// The longest name there is.
const LONGEST_NAME: usize = 16;

static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Command>> = LazyLock::new(|| {
    let all = GROUPS.iter().flat_map(|(_, table)| table.iter());
    all.map(|command| (command.name.as_bytes(), command)).collect()
});

fn find(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0; LONGEST_NAME];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    BY_NAME.get(&*lower).copied()
}

/// Whether a request's name is one that only HTTP has: the method that comes with a body, or the field that all have.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"POST") || name.eq_ignore_ascii_case(b"Host:")
}

impl Command {
    /// What comes behind the family's name.
    fn name_in_family(&self) -> &'static str {
        self.name.split_once('|').map_or(self.name, |(_, name)| name)
    }
}

/// Executes a request, which has at least a name, and writes its reply.
pub(crate) fn execute(
    server: &Server,
    session: &mut Session,
    args: Args<'_>,
    now: Moment,
    out: &mut Vec<u8>,
) {
    let begin = out.len();
    let mut call = Call { server, session, args, now, reply: Reply::bounded(out, server.reply_bound()) };
    if let Err(error) = call.execute() {
        call.reply.error(&error);
    }
    if call.reply.is_cut() {
        tracing::info!(
            client = call.session.client.id,
            "there is no memory for a reply: closing its connection"
        );
        call.reply.retract(begin, &Error::NoRoomForReply);
        call.session.is_ending = true;
    }
}

/// A command on its way, with all it may touch.
struct Call<'a> {
    server: &'a Server,
    session: &'a mut Session,
    args: Args<'a>,
    now: Moment,
    reply: Reply<'a>,
}

impl<'a> Call<'a> {
    fn execute(&mut self) -> Done {
        let Some(mut command) = find(self.args.at(0)) else { return self.unknown() };
        if command.flags.contains(&Flag::Family) && self.args.len() > 1 {
            command = self.member()?;
        }
        let (found, arity) = (self.args.len() as i32, command.arity);
        if if arity < 0 { found < -arity } else { found != arity } {
            return Err(Error::WrongArity(command.name));
        }
        // What is stored is a copy of what came.
        if command.flags.contains(&Flag::DenyOom) && self.server.is_full(self.args.size()) {
            return Err(Error::OutOfMemory);
        }
        if self.session.subscriptions.is_some() && !command.flags.contains(&Flag::Subscriber) {
            return Err(Error::OnlySubscriber(command.name));
        }
        (command.run)(self)
    }

    /// The command of the family that the first argument names.
    fn member(&self) -> Result<&'static Command, Error> {
        let (family, members) = family(self.args.at(0)).expect("it is flagged as one");
        let is_meant = |command: &&Command| self.is(1, command.name_in_family());
        members.iter().find(is_meant).ok_or_else(|| Error::unknown_subcommand(family, self.args.at(1)))
    }

    /// The end of a request whose name is not in the table.
    fn unknown(&mut self) -> Done {
        if !is_http(self.args.at(0)) {
            return Err(Error::unknown_command(self.args));
        }
        let client = self.session.client.id;
        tracing::warn!(
            client,
            "it speaks HTTP, as a browser does that was lured here: closing its connection"
        );
        self.reply.forget();
        self.session.is_ending = true;
        Ok(())
    }

    /// Does something at the place of the key at `index`, and writes the reply there: what is read need not be copied
    /// twice.
    fn at(&mut self, index: usize, f: impl FnOnce(&mut Place<'_>, &mut Reply<'a>) -> Done) -> Done {
        let Self { server, args, now, reply, .. } = self;
        server.db.at(*now, args.at(index), |place| f(place, reply))
    }

    /// Does something with several keys at once.
    fn all<'k>(
        &mut self,
        keys: impl Iterator<Item = &'k [u8]>,
        f: impl FnOnce(&mut Several<'_>, &mut Reply<'a>) -> Done,
    ) -> Done {
        let Self { server, now, reply, .. } = self;
        server.db.all(*now, keys, |several| f(several, reply))
    }

    fn integer(&self, index: usize) -> Result<i64, Error> {
        integer::parse(self.args.at(index)).ok_or(Error::NotInteger)
    }

    /// Whether the argument is this word, in any case.
    fn is(&self, index: usize, word: &str) -> bool {
        self.args.at(index).eq_ignore_ascii_case(word.as_bytes())
    }
}

/// `CLIENT HELP` and its like: what there is in the family.
fn help(call: &mut Call<'_>) -> Done {
    let (family, members) = family(call.args.at(0)).expect("only a family has this command");
    call.reply.array(1 + 2 * members.len());
    call.reply.simple(&format!("{family} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for member in *members {
        call.reply.simple(&member.name_in_family().to_ascii_uppercase());
        call.reply.simple(&format!("    {}", member.summary));
    }
    Ok(())
}

/// The indices from `begin` to `end` of a sequence, where negative ones count from its end and both ends belong to
/// the range; as a range that lies within it.
fn range(begin: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let from_end = |index: i64| if index < 0 { index.saturating_add(length as i64) } else { index };
    let begin = from_end(begin).clamp(0, length as i64) as usize;
    let end = from_end(end).saturating_add(1).clamp(0, length as i64) as usize;
    begin..end.max(begin)
}

#[cfg(test)]
mod tests {
    use super::{BY_NAME, FAMILIES, Flag, GROUPS, LONGEST_NAME, find, range};

    #[test]
    fn every_command_is_found_by_its_name_in_any_case() {
        let all: Vec<_> = GROUPS.iter().flat_map(|(_, table)| table.iter()).collect();
        assert_eq!(all.len(), BY_NAME.len(), "a name stands in the table twice");
        for command in all {
            assert!(command.name.len() <= LONGEST_NAME);
            assert_eq!(command.name, command.name.to_ascii_lowercase());
            assert!(find(command.name.to_ascii_uppercase().as_bytes()).is_some());
        }
        for (family, members) in FAMILIES {
            let command = find(family.as_bytes()).expect("a family is a command");
            assert!(command.flags.contains(&Flag::Family));
            assert!(members.iter().all(|member| member.name.split_once('|').unwrap().0 == command.name));
        }
        assert!(find(b"client|id").is_none());
        assert!(find(b"").is_none());
        assert!(find(b"get ").is_none());
        assert!(find(&[b'x'; 1000]).is_none());
    }

    #[test]
    fn a_range_lies_within_its_sequence() {
        assert_eq!(range(0, -1, 5), 0..5);
        assert_eq!(range(-3, -2, 5), 2..4);
        assert_eq!(range(-100, 100, 5), 0..5);
        assert_eq!(range(3, 1, 5), 3..3);
        assert_eq!(range(9, 12, 5), 5..5);
        assert_eq!(range(i64::MIN, i64::MAX, 5), 0..5);
        assert_eq!(range(0, -1, 0), 0..0);
    }
}
