//! Hashes: fields with values, under one key.

use super::Flag::{DenyOom, Fast, ReadOnly, Write};
use super::{Call, Command, FIRST};
use crate::db::Place;
use crate::db::value::{Blob, Hash};
use crate::error::{Done, Error};
use crate::frame::Args;
use crate::integer;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "hset", arity: -4, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Sets fields.", run: hset },
    Command { name: "hmset", arity: -4, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Sets fields.", run: hmset },
    Command { name: "hsetnx", arity: 4, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Sets a field that is not there.", run: hsetnx },
    Command { name: "hget", arity: 3, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Returns a field's value.", run: hget },
    Command { name: "hmget", arity: -3, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Returns the values of fields.", run: hmget },
    Command { name: "hdel", arity: -3, flags: &[Write, Fast], keys: FIRST, summary: "Removes fields.", run: hdel },
    Command { name: "hgetall", arity: 2, flags: &[ReadOnly], keys: FIRST, summary: "Returns all fields and values.", run: hgetall },
    Command { name: "hkeys", arity: 2, flags: &[ReadOnly], keys: FIRST, summary: "Returns all fields.", run: hkeys },
    Command { name: "hvals", arity: 2, flags: &[ReadOnly], keys: FIRST, summary: "Returns all values.", run: hvals },
    Command { name: "hlen", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Counts the fields.", run: hlen },
    Command { name: "hexists", arity: 3, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Tells whether the field is there.", run: hexists },
    Command { name: "hincrby", arity: 4, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Adds a number to a field.", run: hincrby },
];

fn hset(call: &mut Call<'_>) -> Done {
    let args = pairs(call.args, "hset")?;
    call.at(1, |place, reply| {
        reply.count(set_fields(place, args)?);
        Ok(())
    })
}

fn hmset(call: &mut Call<'_>) -> Done {
    let args = pairs(call.args, "hmset")?;
    call.at(1, |place, reply| {
        set_fields(place, args)?;
        reply.ok();
        Ok(())
    })
}

/// The arguments, if each field has its value.
fn pairs<'a>(args: Args<'a>, name: &'static str) -> Result<Args<'a>, Error> {
    if args.len().is_multiple_of(2) { Ok(args) } else { Err(Error::WrongArity(name)) }
}

/// Sets the fields; how many are new.
fn set_fields(place: &mut Place<'_>, args: Args<'_>) -> Result<usize, Error> {
    place.change_or_new(args.len() / 2 - 1, |hash: &mut Hash| {
        let fields = (2..args.len()).step_by(2);
        fields.filter(|index| set_field(hash, args.at(*index), args.at(index + 1))).count()
    })
}

/// Whether the field is new.
fn set_field(hash: &mut Hash, field: &[u8], value: &[u8]) -> bool {
    match hash.get_mut(field) {
        Some(old) => {
            *old = Blob::from_slice(value);
            false
        }
        None => hash.insert(Blob::from_slice(field), Blob::from_slice(value)).is_none(),
    }
}

fn hsetnx(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        let is_new = place.change_or_new(1, |hash: &mut Hash| {
            !hash.contains_key(args.at(2)) && set_field(hash, args.at(2), args.at(3))
        })?;
        reply.flag(is_new);
        Ok(())
    })
}

fn hget(call: &mut Call<'_>) -> Done {
    let field = call.args.at(2);
    call.at(1, |place, reply| {
        let value = place.collection()?.and_then(|hash: &Hash| hash.get(field));
        reply.bulk_or_null(value.map(|value| &value[..]));
        Ok(())
    })
}

fn hmget(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        let hash = place.collection::<Hash>()?;
        reply.array(args.len() - 2);
        for field in args.from(2) {
            reply.bulk_or_null(hash.and_then(|hash| hash.get(field)).map(|value| &value[..]));
        }
        Ok(())
    })
}

fn hdel(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        let remove = |hash: &mut Hash| args.from(2).filter(|field| hash.remove(*field).is_some()).count();
        reply.count(place.change(remove)?.unwrap_or(0));
        Ok(())
    })
}

fn hgetall(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        let hash = place.collection::<Hash>()?;
        reply.array(hash.map_or(0, |hash| 2 * hash.len()));
        for (field, value) in hash.into_iter().flatten() {
            reply.bulk(field);
            reply.bulk(value);
        }
        Ok(())
    })
}

fn hkeys(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        match place.collection::<Hash>()? {
            None => reply.array(0),
            Some(hash) => reply.bulks(hash.keys()),
        }
        Ok(())
    })
}

fn hvals(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        match place.collection::<Hash>()? {
            None => reply.array(0),
            Some(hash) => reply.bulks(hash.values()),
        }
        Ok(())
    })
}

fn hlen(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.count(place.collection()?.map_or(0, Hash::len));
        Ok(())
    })
}

fn hexists(call: &mut Call<'_>) -> Done {
    let field = call.args.at(2);
    call.at(1, |place, reply| {
        reply.flag(place.collection()?.is_some_and(|hash: &Hash| hash.contains_key(field)));
        Ok(())
    })
}

fn hincrby(call: &mut Call<'_>) -> Done {
    let (field, amount) = (call.args.at(2), call.integer(3)?);
    call.at(1, |place, reply| {
        let new = place.change_or_new(1, |hash: &mut Hash| {
            let old = hash.get(field).map_or(Some(0), |value| integer::parse(value));
            let new = old.ok_or(Error::HashNotInteger)?.checked_add(amount).ok_or(Error::Overflow)?;
            set_field(hash, field, itoa::Buffer::new().format(new).as_bytes());
            Ok(new)
        })??;
        reply.integer(new);
        Ok(())
    })
}
