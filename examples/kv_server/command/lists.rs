//! Lists: double-ended queues.

use super::Flag::{DenyOom, Fast, ReadOnly, Write};
use super::{Call, Command, FIRST, range};
use crate::db::Place;
use crate::db::value::{Blob, List};
use crate::error::{Done, Error};
use crate::frame::Args;
use crate::integer;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "lpush", arity: -3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Puts elements in front.", run: lpush },
    Command { name: "rpush", arity: -3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Puts elements at the end.", run: rpush },
    Command { name: "lpushx", arity: -3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Puts elements in front of a list that is there.", run: lpushx },
    Command { name: "rpushx", arity: -3, flags: &[Write, DenyOom, Fast], keys: FIRST, summary: "Puts elements at the end of a list that is there.", run: rpushx },
    Command { name: "lpop", arity: -2, flags: &[Write, Fast], keys: FIRST, summary: "Takes elements from the front.", run: lpop },
    Command { name: "rpop", arity: -2, flags: &[Write, Fast], keys: FIRST, summary: "Takes elements from the end.", run: rpop },
    Command { name: "llen", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Returns the list's length.", run: llen },
    Command { name: "lrange", arity: 4, flags: &[ReadOnly], keys: FIRST, summary: "Returns a part of the list.", run: lrange },
    Command { name: "lindex", arity: 3, flags: &[ReadOnly], keys: FIRST, summary: "Returns one element.", run: lindex },
    Command { name: "ltrim", arity: 4, flags: &[Write], keys: FIRST, summary: "Keeps a part of the list.", run: ltrim },
];

fn lpush(call: &mut Call<'_>) -> Done {
    push(call, List::push_front)
}

fn rpush(call: &mut Call<'_>) -> Done {
    push(call, List::push_back)
}

fn push(call: &mut Call<'_>, put: fn(&mut List, Blob)) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        reply.count(put_all(place, args, put)?);
        Ok(())
    })
}

/// How long the list is then.
fn put_all(place: &mut Place<'_>, args: Args<'_>, put: fn(&mut List, Blob)) -> Result<usize, Error> {
    place.change_or_new(args.len() - 2, |list: &mut List| {
        args.from(2).for_each(|element| put(list, Blob::from_slice(element)));
        list.len()
    })
}

fn lpushx(call: &mut Call<'_>) -> Done {
    push_if_there(call, List::push_front)
}

fn rpushx(call: &mut Call<'_>) -> Done {
    push_if_there(call, List::push_back)
}

fn push_if_there(call: &mut Call<'_>, put: fn(&mut List, Blob)) -> Done {
    let args = call.args;
    call.at(1, |place, reply| {
        reply.count(if place.exists() { put_all(place, args, put)? } else { 0 });
        Ok(())
    })
}

fn lpop(call: &mut Call<'_>) -> Done {
    pop(call, "lpop", List::pop_front)
}

fn rpop(call: &mut Call<'_>) -> Done {
    pop(call, "rpop", List::pop_back)
}

fn pop(call: &mut Call<'_>, name: &'static str, take: fn(&mut List) -> Option<Blob>) -> Done {
    let count = match call.args.len() {
        2 => None,
        3 => {
            let count = integer::parse(call.args.at(2)).and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(Error::NotPositive)?)
        }
        _ => return Err(Error::WrongArity(name)),
    };
    call.at(1, |place, reply| {
        let taken = place.change(|list: &mut List| match count {
            None => {
                let element = take(list);
                reply.bulk_or_null(element.as_deref());
            }
            Some(count) => {
                let count = count.min(list.len());
                reply.array(count);
                (0..count).filter_map(|_| take(list)).for_each(|element| reply.bulk(&element));
            }
        })?;
        match (taken, count) {
            (Some(()), _) => {}
            (None, None) => reply.null(),
            (None, Some(_)) => reply.null_array(),
        }
        Ok(())
    })
}

fn llen(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.count(place.collection()?.map_or(0, List::len));
        Ok(())
    })
}

fn lrange(call: &mut Call<'_>) -> Done {
    let (begin, end) = (call.integer(2)?, call.integer(3)?);
    call.at(1, |place, reply| {
        match place.collection()? {
            None => reply.array(0),
            Some(list) => reply.bulks(List::range(list, range(begin, end, list.len()))),
        }
        Ok(())
    })
}

fn lindex(call: &mut Call<'_>) -> Done {
    let index = call.integer(2);
    call.at(1, |place, reply| {
        let Some(list) = place.collection::<List>()? else {
            reply.null();
            return Ok(());
        };
        let index = index?;
        let index = if index < 0 { index.saturating_add(list.len() as i64) } else { index };
        let element = usize::try_from(index).ok().and_then(|index| list.get(index));
        reply.bulk_or_null(element.map(|element| &element[..]));
        Ok(())
    })
}

fn ltrim(call: &mut Call<'_>) -> Done {
    let (begin, end) = (call.integer(2)?, call.integer(3)?);
    call.at(1, |place, reply| {
        place.change(|list: &mut List| {
            let kept = range(begin, end, list.len());
            list.truncate(kept.end);
            list.drain(..kept.start);
        })?;
        reply.ok();
        Ok(())
    })
}
