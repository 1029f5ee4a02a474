//! Sets of bytes.

use super::Flag::{DenyOom, Fast, ReadOnly, Write};
use super::{Call, Command, FIRST};
use crate::db::value::{Blob, Set};
use crate::error::Done;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "sadd", arity: -3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Adds members.", run: sadd },
    Command { name: "srem", arity: -3, flags: &[Write, Fast], keys: FIRST, summary: "Removes members.", run: srem },
    Command { name: "smembers", arity: 2, flags: &[ReadOnly], keys: FIRST, summary: "Returns all members.", run: smembers },
    Command { name: "sismember", arity: 3, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Tells whether this is a member.", run: sismember },
    Command { name: "smismember", arity: -3, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Tells of each whether it is a member.", run: smismember },
    Command { name: "scard", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Counts the members.", run: scard },
];

fn sadd(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        let added = place.change_or_new(args.len() - 2, |set: &mut Set| {
            // Most often the member is there already: nothing is allocated to find that out.
            let is_new = |member: &&[u8]| !set.contains(*member) && set.insert(Blob::from_slice(member));
            args.from(2).filter(is_new).count()
        })?;
        reply.count(added);
        Ok(())
    })
}

fn srem(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        let removed =
            place.change(|set: &mut Set| args.from(2).filter(|member| set.remove(*member)).count())?;
        reply.count(removed.unwrap_or(0));
        Ok(())
    })
}

fn smembers(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        match place.collection()? {
            None => reply.array(0),
            Some(set) => reply.bulks(Set::iter(set)),
        }
        Ok(())
    })
}

fn sismember(call: &mut Call<'_>) -> Done {
    let member = call.args.at(2);
    call.at(1, |place, reply| {
        reply.flag(place.collection()?.is_some_and(|set: &Set| set.contains(member)));
        Ok(())
    })
}

fn smismember(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        let set = place.collection::<Set>()?;
        reply.array(args.len() - 2);
        args.from(2).for_each(|member| reply.flag(set.is_some_and(|set| set.contains(member))));
        Ok(())
    })
}

fn scard(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.count(place.collection()?.map_or(0, Set::len));
        Ok(())
    })
}
