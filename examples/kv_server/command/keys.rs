//! Keys, whatever they hold: whether they are there, how long they stay, and finding them.

use super::Flag::{Fast, ReadOnly, Write};
use super::{ALL, Call, Command, FIRST, NONE};
use crate::db::clock::{Moment, NEVER};
use crate::db::{Entry, glob};
use crate::error::{Done, Error};
use crate::integer;
use crate::reply::Reply;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "del", arity: -2, flags: &[Write], keys: ALL, summary: "Removes keys.", run: del },
    Command { name: "unlink", arity: -2, flags: &[Write, Fast], keys: ALL, summary: "Removes keys.", run: del },
    Command { name: "exists", arity: -2, flags: &[ReadOnly, Fast], keys: ALL, summary: "Counts the keys that are there.", run: exists },
    Command { name: "touch", arity: -2, flags: &[ReadOnly, Fast], keys: ALL, summary: "Counts the keys that are there.", run: exists },
    Command { name: "type", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Tells what the key holds.", run: kind },
    Command { name: "expire", arity: -3, flags: &[Write, Fast], keys: FIRST, summary: "Lets the key go after some seconds.", run: expire },
    Command { name: "pexpire", arity: -3, flags: &[Write, Fast], keys: FIRST, summary: "Lets the key go after some milliseconds.", run: pexpire },
    Command { name: "expireat", arity: -3, flags: &[Write, Fast], keys: FIRST, summary: "Lets the key go at a second of the calendar.", run: expireat },
    Command { name: "pexpireat", arity: -3, flags: &[Write, Fast], keys: FIRST, summary: "Lets the key go at a millisecond of the calendar.", run: pexpireat },
    Command { name: "ttl", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Tells how many seconds the key stays.", run: ttl },
    Command { name: "pttl", arity: 2, flags: &[ReadOnly, Fast], keys: FIRST, summary: "Tells how many milliseconds the key stays.", run: pttl },
    Command { name: "persist", arity: 2, flags: &[Write, Fast], keys: FIRST, summary: "Lets the key stay.", run: persist },
    Command { name: "keys", arity: 2, flags: &[ReadOnly], keys: NONE, summary: "Returns the keys that a pattern means.", run: keys },
    Command { name: "scan", arity: -2, flags: &[ReadOnly], keys: NONE, summary: "Returns the keys, a few at a time.", run: scan },
];

/// How a command says when a key goes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Expiry {
    Seconds,
    Millis,
    CalendarSeconds,
    CalendarMillis,
}

impl Expiry {
    /// The option of `SET`.
    pub(super) fn of(option: &[u8]) -> Option<Self> {
        let options = [
            ("EX", Self::Seconds),
            ("PX", Self::Millis),
            ("EXAT", Self::CalendarSeconds),
            ("PXAT", Self::CalendarMillis),
        ];
        let is_it = |(name, _): &&(&str, Self)| option.eq_ignore_ascii_case(name.as_bytes());
        options.iter().find(is_it).map(|(_, unit)| *unit)
    }

    /// The moment that `number` means; 0 if it is long past, `None` if the calendar does not go so far.
    pub(super) fn deadline(self, call: &Call<'_>, number: i64) -> Option<Moment> {
        let millis = match self {
            Self::Seconds | Self::CalendarSeconds => number.checked_mul(1000)?,
            Self::Millis | Self::CalendarMillis => number,
        };
        let clock = &call.server.db.clock;
        let calendar = match self {
            Self::Seconds | Self::Millis => clock.calendar(call.now).checked_add(millis)?,
            Self::CalendarSeconds | Self::CalendarMillis => millis,
        };
        Some(clock.at_calendar(calendar.max(0) as u64))
    }
}

/// On what condition a new deadline takes the old one's place: all that are named must hold.
#[derive(Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    /// What the words behind the number say, in any order.
    fn of(call: &Call<'_>) -> Result<Self, Error> {
        let mut named = Self::default();
        for index in 3..call.args.len() {
            let Self { nx, xx, gt, lt } = &mut named;
            let words = [("NX", nx), ("XX", xx), ("GT", gt), ("LT", lt)];
            let found = words.into_iter().find(|(word, _)| call.is(index, word));
            let (_, is_named) = found.ok_or_else(|| Error::unsupported_option(call.args.at(index)))?;
            *is_named = true;
        }
        match named {
            Self { nx: true, xx, gt, lt } if xx || gt || lt => {
                Err(Error::Incompatible("NX and XX, GT or LT"))
            }
            Self { gt: true, lt: true, .. } => Err(Error::Incompatible("GT and LT")),
            _ => Ok(named),
        }
    }

    /// A key that stays has the deadline `NEVER`, which is later than any other.
    fn holds(&self, old: Moment, new: Moment) -> bool {
        let has_deadline = old != NEVER;
        !(self.nx && has_deadline
            || self.xx && !has_deadline
            || self.gt && new <= old
            || self.lt && new >= old)
    }
}

fn del(call: &mut Call<'_>) -> Done {
    let args = call.args;
    if args.len() == 2 {
        return call.at(1, |place, reply| {
            reply.flag(place.remove());
            Ok(())
        });
    }
    call.all(args.from(1), |several, reply| {
        reply.count(args.from(1).filter(|key| several.at(key, |place| place.remove())).count());
        Ok(())
    })
}

fn exists(call: &mut Call<'_>) -> Done {
    let args = call.args;
    call.all(args.from(1), |several, reply| {
        reply.count(args.from(1).filter(|key| several.at(key, |place| place.exists())).count());
        Ok(())
    })
}

fn kind(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        reply.simple(place.get().map_or("none", |value| value.kind()));
        Ok(())
    })
}

fn expire(call: &mut Call<'_>) -> Done {
    set_deadline(call, Expiry::Seconds, "expire")
}

fn pexpire(call: &mut Call<'_>) -> Done {
    set_deadline(call, Expiry::Millis, "pexpire")
}

fn expireat(call: &mut Call<'_>) -> Done {
    set_deadline(call, Expiry::CalendarSeconds, "expireat")
}

fn pexpireat(call: &mut Call<'_>) -> Done {
    set_deadline(call, Expiry::CalendarMillis, "pexpireat")
}

fn set_deadline(call: &mut Call<'_>, unit: Expiry, name: &'static str) -> Done {
    let condition = Condition::of(call)?;
    let number = call.integer(2)?;
    let deadline = unit.deadline(call, number).ok_or(Error::InvalidExpiry(name))?;
    call.at(1, |place, reply| {
        let is_wanted = place.deadline().is_some_and(|old| condition.holds(old, deadline));
        if is_wanted {
            place.set_deadline(deadline);
        }
        reply.flag(is_wanted);
        Ok(())
    })
}

fn ttl(call: &mut Call<'_>) -> Done {
    left(call, |millis| (millis + 500) / 1000)
}

fn pttl(call: &mut Call<'_>) -> Done {
    left(call, |millis| millis)
}

/// How long the key stays: -1 if for ever, -2 if it is not there.
fn left(call: &mut Call<'_>, unit: impl Fn(Moment) -> Moment) -> Done {
    let now = call.now;
    call.at(1, |place, reply| {
        reply.integer(match place.deadline() {
            None => -2,
            Some(NEVER) => -1,
            Some(deadline) => unit(deadline - now) as i64,
        });
        Ok(())
    })
}

fn persist(call: &mut Call<'_>) -> Done {
    call.at(1, |place, reply| {
        let had_deadline = place.deadline().is_some_and(|deadline| deadline != NEVER);
        place.set_deadline(NEVER);
        reply.flag(had_deadline);
        Ok(())
    })
}

fn keys(call: &mut Call<'_>) -> Done {
    let pattern = call.args.at(1);
    let Call { server, now, reply, .. } = call;
    // There may be more than there is memory for: only what is written asks for that.
    let found = |body: &mut Reply<'_>| {
        let mut found = 0;
        server.db.each(*now, |entry| {
            if glob::matches(pattern, &entry.key) {
                found += 1;
                body.bulk(&entry.key);
            }
        });
        found
    };
    reply.headed(found, |found, head| head.array(found));
    Ok(())
}

fn scan(call: &mut Call<'_>) -> Done {
    let cursor = cursor(call.args.at(1)).ok_or(Error::InvalidCursor)?;
    let (mut pattern, mut kind, mut count) = (None, None, 10);
    for index in (2..call.args.len()).step_by(2) {
        if index + 1 == call.args.len() {
            return Err(Error::Syntax);
        }
        let value = call.args.at(index + 1);
        if call.is(index, "MATCH") {
            pattern = Some(value);
        } else if call.is(index, "TYPE") {
            kind = Some(value);
        } else if call.is(index, "COUNT") {
            count = integer::parse(value).ok_or(Error::NotInteger)?;
        } else {
            return Err(Error::Syntax);
        }
    }
    if count < 1 {
        return Err(Error::Syntax);
    }
    let is_meant = |entry: &Entry| {
        pattern.is_none_or(|pattern| glob::matches(pattern, &entry.key))
            && kind.is_none_or(|kind| kind.eq_ignore_ascii_case(entry.value.kind().as_bytes()))
    };
    let Call { server, now, reply, .. } = call;
    let found = |body: &mut Reply<'_>| {
        let mut found = 0;
        let next = server.db.scan(*now, cursor, count as usize, |entry| {
            if is_meant(entry) {
                found += 1;
                body.bulk(&entry.key);
            }
        });
        (next, found)
    };
    reply.headed(found, |(next, found), head| {
        head.array(2);
        head.bulk(next.to_string().as_bytes());
        head.array(found);
    });
    Ok(())
}

/// Reads a cursor as Redis does, with C's `strtoul`: nothing is 0, there may be a sign, and minus counts down from the
/// highest number. What comes behind a NUL is not seen.
fn cursor(text: &[u8]) -> Option<u64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let (is_negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if is_negative { number.wrapping_neg() } else { number })
}
