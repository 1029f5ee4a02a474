//! `COMMAND`: the table, told to clients.

use super::{Call, Command, GROUPS, Keys, find};
use crate::error::{Done, Error};
use crate::reply::Reply;

pub(super) fn command(call: &mut Call<'_>) -> Done {
    let (args, reply) = (call.args, &mut call.reply);
    let asked = args.from(1).next().unwrap_or(b"INFO").to_ascii_uppercase();
    match &asked[..] {
        b"COUNT" if args.len() > 2 => return Err(Error::wrong_arity("command|count")),
        b"COUNT" => reply.count(all().count()),
        b"LIST" if args.len() > 2 => return Err(Error::Syntax),
        b"LIST" => {
            let names: Vec<_> = all().map(|(_, command)| command.name).collect();
            reply.bulks(names.iter());
        }
        // Without names, of all.
        b"INFO" if args.len() <= 2 => {
            reply.array(all().count());
            all().for_each(|(_, command)| info(command, reply));
        }
        b"INFO" => {
            reply.array(args.len() - 2);
            for name in args.from(2) {
                match find(name) {
                    Some(command) => info(command, reply),
                    None => reply.null(),
                }
            }
        }
        b"DOCS" => {
            let is_meant =
                |command: &Command| args.len() == 2 || args.from(2).any(|name| is_called(command, name));
            let meant: Vec<_> = all().filter(|(_, command)| is_meant(command)).collect();
            reply.array(2 * meant.len());
            meant.iter().for_each(|(group, command)| docs(group, command, reply));
        }
        _ => return Err(Error::unknown_subcommand("COMMAND", args.at(1))),
    }
    Ok(())
}

fn all() -> impl Iterator<Item = (&'static str, &'static Command)> {
    GROUPS.iter().flat_map(|(group, table)| table.iter().map(move |command| (*group, command)))
}

fn is_called(command: &Command, name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(command.name.as_bytes())
}

/// Name, arity, flags, keys; access categories, tips, key specifications and subcommands stay empty.
fn info(command: &Command, reply: &mut Reply<'_>) {
    let Keys(first, last, step) = command.keys;
    reply.array(10);
    reply.bulk(command.name.as_bytes());
    reply.integer(command.arity.into());
    let flags: Vec<_> = command.flags.iter().filter_map(|flag| flag.name()).collect();
    reply.array(flags.len());
    flags.iter().for_each(|flag| reply.simple(flag));
    [first, last, step].into_iter().for_each(|number| reply.integer(number.into()));
    (0..4).for_each(|_| reply.array(0));
}

fn docs(group: &str, command: &Command, reply: &mut Reply<'_>) {
    reply.bulk(command.name.as_bytes());
    reply.bulks([&b"summary"[..], command.summary.as_bytes(), b"group", group.as_bytes()].iter());
}
