//! `COMMAND`: the table, told to clients.

use super::{Call, Command, GROUPS, Keys, NONE, find, help};
use crate::error::{Done, Error};
use crate::reply::Reply;

#[rustfmt::skip]
pub(super) const COMMAND: &[Command] = &[
    Command { name: "command|count", arity: 2, flags: &[], keys: NONE, summary: "Counts the commands.", run: count },
    Command { name: "command|docs", arity: -2, flags: &[], keys: NONE, summary: "Describes commands.", run: docs },
    Command { name: "command|help", arity: 2, flags: &[], keys: NONE, summary: "Tells what there is.", run: help },
    Command { name: "command|info", arity: -2, flags: &[], keys: NONE, summary: "Tells arities, flags and keys of commands.", run: info },
    Command { name: "command|list", arity: -2, flags: &[], keys: NONE, summary: "Returns the names of the commands.", run: list },
];

fn count(call: &mut Call<'_>) -> Done {
    call.reply.count(all().count());
    Ok(())
}

fn list(call: &mut Call<'_>) -> Done {
    if call.args.len() > 2 {
        return Err(Error::Syntax);
    }
    let names: Vec<_> = all().map(|(_, command)| command.name).collect();
    call.reply.bulks(names.iter());
    Ok(())
}

/// `COMMAND` and `COMMAND INFO`: without names, of all.
pub(super) fn info(call: &mut Call<'_>) -> Done {
    let (args, reply) = (call.args, &mut call.reply);
    if args.len() <= 2 {
        reply.array(all().count());
        all().for_each(|(_, command)| tell(command, reply));
        return Ok(());
    }
    reply.array(args.len() - 2);
    for name in args.from(2) {
        match find(name) {
            Some(command) => tell(command, reply),
            None => reply.null(),
        }
    }
    Ok(())
}

fn docs(call: &mut Call<'_>) -> Done {
    let args = call.args;
    let is_meant = |command: &Command| args.len() == 2 || args.from(2).any(|name| is_called(command, name));
    let meant: Vec<_> = all().filter(|(_, command)| is_meant(command)).collect();
    call.reply.array(2 * meant.len());
    meant.iter().for_each(|(group, command)| describe(group, command, &mut call.reply));
    Ok(())
}

fn all() -> impl Iterator<Item = (&'static str, &'static Command)> {
    GROUPS.iter().flat_map(|(group, table)| table.iter().map(move |command| (*group, command)))
}

fn is_called(command: &Command, name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(command.name.as_bytes())
}

/// Name, arity, flags, keys; access categories, tips, key specifications and subcommands stay empty.
fn tell(command: &Command, reply: &mut Reply<'_>) {
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

fn describe(group: &str, command: &Command, reply: &mut Reply<'_>) {
    reply.bulk(command.name.as_bytes());
    reply.bulks([&b"summary"[..], command.summary.as_bytes(), b"group", group.as_bytes()].iter());
}
