//! Strings, which are also counters.

use super::Flag::{DenyOom, Fast, ReadOnly, Write};
use super::{ALL, Call, Command, EVERY_OTHER, FIRST, keys};
use crate::db::Place;
use crate::db::clock::{Moment, NEVER};
use crate::db::value::{Blob, Value};
use crate::error::{Done, Error};
use crate::integer;
use crate::reply::Reply;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "get", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Returns the string.", run: get },
    Command { name: "set", arity: -3, flags: &[Write, DenyOom], keys: FIRST, summary: "Stores a string.", run: set },
    Command { name: "setnx", arity: 3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Stores a string where nothing is.", run: setnx },
    Command { name: "setex", arity: 4, flags: &[Write, DenyOom], keys: FIRST, summary: "Stores a string for some seconds.", run: setex },
    Command { name: "psetex", arity: 4, flags: &[Write, DenyOom], keys: FIRST, summary: "Stores a string for some milliseconds.", run: psetex },
    Command { name: "getset", arity: 3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Stores a string and returns the old one.", run: getset },
    Command { name: "getdel", arity: 2, flags: &[Write, Fast], keys: FIRST, summary: "Removes the string and returns it.", run: getdel },
    Command { name: "append", arity: 3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Puts bytes behind the string.", run: append },
    Command { name: "strlen", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Returns the string's length.", run: strlen },
    Command { name: "getrange", arity: 4, flags: &[ReadOnly], keys: FIRST, summary: "Returns a part of the string.", run: getrange },
    Command { name: "incr", arity: 2, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Adds one.", run: incr },
    Command { name: "decr", arity: 2, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Subtracts one.", run: decr },
    Command { name: "incrby", arity: 3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Adds a number.", run: incrby },
    Command { name: "decrby", arity: 3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Subtracts a number.", run: decrby },
    Command { name: "mget", arity: -2, flags: &[ReadOnly, Fast], keys: ALL, summary: "Returns several strings.", run: mget },
    Command { name: "mset", arity: -3, flags: &[Write, DenyOom], keys: EVERY_OTHER, summary: "Stores several strings at once.", run: mset },
    Command { name: "msetnx", arity: -3, flags: &[Write, DenyOom], keys: EVERY_OTHER, summary: "Stores several strings where nothing is.", run: msetnx },
];

fn get(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.bulk_or_null(place.string()?.map(|bytes| &bytes[..]));
        Ok(())
    })
}

/// What may stand behind the value of `SET`.
#[derive(Default)]
struct Options {
    deadline: Option<Moment>,
    keeps_deadline: bool,
    only_if_absent: bool,
    only_if_present: bool,
    returns_old: bool,
}

impl Options {
    /// What they say. What number a deadline has is looked at last, when all the words are known.
    fn parse(call: &Call<'_>) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut deadline = None;
        let mut index = 3;
        while index < call.args.len() {
            if call.is(index, "NX") && !options.only_if_present {
                options.only_if_absent = true;
            } else if call.is(index, "XX") && !options.only_if_absent {
                options.only_if_present = true;
            } else if call.is(index, "GET") {
                options.returns_old = true;
            } else if call.is(index, "KEEPTTL") && deadline.is_none() {
                options.keeps_deadline = true;
            } else {
                let unit = keys::Expiry::of(call.args.at(index)).ok_or(Error::Syntax)?;
                index += 1;
                // As in Redis, the same unit may be named again, and the last number holds.
                let is_another = deadline.is_some_and(|(_, before)| before != unit);
                if is_another || options.keeps_deadline || index == call.args.len() {
                    return Err(Error::Syntax);
                }
                deadline = Some((index, unit));
            }
            index += 1;
        }
        let told = deadline.map(|(index, unit)| positive_deadline(call, index, unit, "set"));
        options.deadline = told.transpose()?;
        Ok(options)
    }
}

/// The deadline that the argument at `index` means; it must lie ahead.
fn positive_deadline(
    call: &Call<'_>,
    index: usize,
    unit: keys::Expiry,
    name: &'static str,
) -> Result<Moment, Error> {
    let number = call.integer(index)?;
    let deadline = unit.deadline(call, number).filter(|_| number > 0);
    deadline.ok_or(Error::InvalidExpiry(name))
}

fn set(call: &mut Call<'_>) -> Done {
    let bytes = call.args.at(2);
    if call.args.len() == 3 {
        return call.at(1, |place, reply| {
            store(place, bytes, NEVER);
            reply.ok();
            Ok(())
        });
    }
    let options = Options::parse(call)?;
    call.at(1, |place, reply| {
        let is_there = place.exists();
        if options.returns_old {
            reply.bulk_or_null(place.string()?.map(|bytes| &bytes[..]));
        }
        let is_wanted = !(options.only_if_absent && is_there || options.only_if_present && !is_there);
        if is_wanted {
            let kept = if options.keeps_deadline { place.deadline() } else { None };
            store(place, bytes, options.deadline.or(kept).unwrap_or(NEVER));
        }
        match (options.returns_old, is_wanted) {
            (true, _) => {}
            (false, true) => reply.ok(),
            (false, false) => reply.null(),
        }
        Ok(())
    })
}

fn store(place: &mut Place<'_>, bytes: &[u8], deadline: Moment) {
    place.set_string(bytes);
    place.set_deadline(deadline);
}

fn setnx(call: &mut Call<'_>) -> Done {
    let bytes = call.args.at(2);
    call.at(1, |place, reply| {
        let is_there = place.exists();
        if !is_there {
            place.set_string(bytes);
        }
        reply.flag(!is_there);
        Ok(())
    })
}

fn setex(call: &mut Call<'_>) -> Done {
    set_for(call, keys::Expiry::Seconds, "setex")
}

fn psetex(call: &mut Call<'_>) -> Done {
    set_for(call, keys::Expiry::Millis, "psetex")
}

fn set_for(call: &mut Call<'_>, unit: keys::Expiry, name: &'static str) -> Done {
    let deadline = positive_deadline(call, 2, unit, name)?;
    let bytes = call.args.at(3);
    call.at(1, |place, reply| {
        store(place, bytes, deadline);
        reply.ok();
        Ok(())
    })
}

fn getset(call: &mut Call<'_>) -> Done {
    let bytes = call.args.at(2);
    call.at(1, |place, reply| {
        reply.bulk_or_null(place.string()?.map(|bytes| &bytes[..]));
        store(place, bytes, NEVER);
        Ok(())
    })
}

fn getdel(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.bulk_or_null(place.string()?.map(|bytes| &bytes[..]));
        place.remove();
        Ok(())
    })
}

fn append(call: &mut Call<'_>) -> Done {
    let bytes = call.args.at(2);
    call.at(1, |place, reply| {
        let length = place.append(bytes)?;
        if length.is_none() {
            place.set_string(bytes);
        }
        reply.count(length.unwrap_or(bytes.len()));
        Ok(())
    })
}

fn strlen(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.count(place.string()?.map_or(0, |bytes| bytes.len()));
        Ok(())
    })
}

fn getrange(call: &mut Call<'_>) -> Done {
    let (begin, end) = (call.integer(2)?, call.integer(3)?);
    call.at(1, |place, reply| {
        let bytes = place.string()?.map_or(&[][..], |bytes| &bytes[..]);
        // Unlike a list's, a string's end that lies before its first byte means that byte.
        let is_backwards = begin < 0 && end < 0 && begin > end;
        let end = if is_backwards { end } else { end.max(-(bytes.len() as i64)) };
        reply.bulk(&bytes[super::range(begin, end, bytes.len())]);
        Ok(())
    })
}

fn incr(call: &mut Call<'_>) -> Done {
    add(call, 1)
}

fn decr(call: &mut Call<'_>) -> Done {
    add(call, -1)
}

fn incrby(call: &mut Call<'_>) -> Done {
    let amount = call.integer(2)?;
    add(call, amount)
}

fn decrby(call: &mut Call<'_>) -> Done {
    let amount = call.integer(2)?.checked_neg().ok_or(Error::DecrementOverflow)?;
    add(call, amount)
}

fn add(call: &mut Call<'_>, amount: i64) -> Done {
    call.at(1, |place, reply| {
        let old = place.string()?.map_or(Some(0), |bytes| integer::parse(bytes));
        let new = old.ok_or(Error::NotInteger)?.checked_add(amount).ok_or(Error::Overflow)?;
        place.set_string(itoa::Buffer::new().format(new).as_bytes());
        reply.integer(new);
        Ok(())
    })
}

fn mget(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.all(args.from(1), |several, reply: &mut Reply<'_>| {
        reply.array(args.len() - 1);
        for key in args.from(1) {
            several.at(key, |place| match place.get() {
                Some(Value::String(bytes)) => reply.bulk(bytes),
                _ => reply.null(),
            });
        }
        Ok(())
    })
}

fn mset(call: &mut Call<'_>) -> Done {
    let args = call.args;
    if args.len().is_multiple_of(2) {
        return Err(Error::WrongArity("mset"));
    }
    call.all(args.from(1).step_by(2), |several, reply| {
        several.make_room(args.from(1).step_by(2))?;
        for index in (1..args.len()).step_by(2) {
            several.at(args.at(index), |place| store(place, args.at(index + 1), NEVER));
        }
        several.give_back();
        reply.ok();
        Ok(())
    })
}

fn msetnx(call: &mut Call<'_>) -> Done {
    let args = call.args;
    if args.len().is_multiple_of(2) {
        return Err(Error::WrongArity("msetnx"));
    }
    call.all(args.from(1).step_by(2), |several, reply| {
        let is_free = args.from(1).step_by(2).all(|key| !several.at(key, |place| place.exists()));
        if is_free {
            several.make_room(args.from(1).step_by(2))?;
        }
        for index in (1..args.len()).step_by(2).filter(|_| is_free) {
            several.at(args.at(index), |place| {
                place.set(Value::String(Blob::from_slice(args.at(index + 1))), NEVER)
            });
        }
        several.give_back();
        reply.flag(is_free);
        Ok(())
    })
}
