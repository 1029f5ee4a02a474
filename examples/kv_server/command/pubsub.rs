//! Channels: publishing, and listening to them.
//!
//! A connection that listens to anything is a *subscriber*: what it reads are messages, so it may send only what
//! changes its subscriptions, or nothing of consequence.

use super::Flag::{Family, Fast, PubSub, Subscriber};
use super::{Call, Command, NONE, help};
use crate::db::value::Blob;
use crate::error::{Done, Error};
use crate::pubsub::{Kind, Subscriptions};

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "publish", arity: 3, flags: &[PubSub, Fast], keys: NONE, summary: "Sends a message to all who listen.", run: publish },
    Command { name: "subscribe", arity: -2, flags: &[PubSub, Subscriber], keys: NONE, summary: "Listens to channels.", run: subscribe },
    Command { name: "psubscribe", arity: -2, flags: &[PubSub, Subscriber], keys: NONE, summary: "Listens to channels that patterns mean.", run: psubscribe },
    Command { name: "unsubscribe", arity: -1, flags: &[PubSub, Subscriber], keys: NONE, summary: "Stops listening to channels.", run: unsubscribe },
    Command { name: "punsubscribe", arity: -1, flags: &[PubSub, Subscriber], keys: NONE, summary: "Stops listening by patterns.", run: punsubscribe },
    Command { name: "pubsub", arity: -2, flags: &[PubSub, Family], keys: NONE, summary: "Tells who listens.", run: help },
];

#[rustfmt::skip]
pub(super) const PUBSUB: &[Command] = &[
    Command { name: "pubsub|channels", arity: -2, flags: &[PubSub], keys: NONE, summary: "Returns the channels that a pattern means.", run: channels },
    Command { name: "pubsub|help", arity: 2, flags: &[PubSub], keys: NONE, summary: "Tells what there is.", run: help },
    Command { name: "pubsub|numpat", arity: 2, flags: &[PubSub], keys: NONE, summary: "Counts the patterns.", run: numpat },
    Command { name: "pubsub|numsub", arity: -2, flags: &[PubSub], keys: NONE, summary: "Counts who listens to channels.", run: numsub },
];

fn publish(call: &mut Call<'_>) -> Done {
    let reached = call.server.hub.publish(call.args.at(1), call.args.at(2));
    call.reply.count(reached);
    Ok(())
}

fn subscribe(call: &mut Call<'_>) -> Done {
    add(call, Kind::Channel, "subscribe")
}

fn psubscribe(call: &mut Call<'_>) -> Done {
    add(call, Kind::Pattern, "psubscribe")
}

fn add(call: &mut Call<'_>, kind: Kind, word: &str) -> Done {
    call.server.may_keep(call.args.size())?;
    let (hub, client) = (&call.server.hub, &call.session.client);
    let new = || Box::new(Subscriptions::new(hub.clone(), client.clone()));
    let subscriptions = call.session.subscriptions.get_or_insert_with(new);
    for topic in call.args.from(1) {
        subscriptions.add(kind, topic);
        call.reply.array(3);
        call.reply.bulk(word.as_bytes());
        call.reply.bulk(topic);
        call.reply.count(subscriptions.len());
    }
    Ok(())
}

fn unsubscribe(call: &mut Call<'_>) -> Done {
    remove(call, Kind::Channel, "unsubscribe")
}

fn punsubscribe(call: &mut Call<'_>) -> Done {
    remove(call, Kind::Pattern, "punsubscribe")
}

/// Ends the subscriptions that are named, or all of this kind. Each is confirmed; if there are none, that is.
fn remove(call: &mut Call<'_>, kind: Kind, word: &str) -> Done {
    let session = &mut *call.session;
    let topics: Vec<Blob> = if call.args.len() > 1 {
        call.args.from(1).map(Blob::from_slice).collect()
    } else {
        session.subscriptions.as_ref().map(|subscriptions| subscriptions.all(kind)).unwrap_or_default()
    };
    let mut confirm = |topic: Option<&[u8]>, left: usize| {
        call.reply.array(3);
        call.reply.bulk(word.as_bytes());
        call.reply.bulk_or_null(topic);
        call.reply.count(left);
    };
    for topic in &topics {
        let left = session.subscriptions.as_mut().map_or(0, |subscriptions| {
            subscriptions.remove(kind, topic);
            subscriptions.len()
        });
        confirm(Some(topic), left);
    }
    let left = session.subscriptions.as_ref().map_or(0, |subscriptions| subscriptions.len());
    if topics.is_empty() {
        confirm(None, left);
    }
    if left == 0 {
        session.subscriptions = None;
    }
    Ok(())
}

fn channels(call: &mut Call<'_>) -> Done {
    if call.args.len() > 3 {
        return Err(Error::bad_subcommand("PUBSUB", call.args.at(1)));
    }
    call.reply.bulks(call.server.hub.channels(call.args.from(2).next()).iter());
    Ok(())
}

fn numsub(call: &mut Call<'_>) -> Done {
    call.reply.array(2 * (call.args.len() - 2));
    for channel in call.args.from(2) {
        call.reply.bulk(channel);
        call.reply.count(call.server.hub.subscribers(channel));
    }
    Ok(())
}

fn numpat(call: &mut Call<'_>) -> Done {
    call.reply.count(call.server.hub.topics(Kind::Pattern));
    Ok(())
}
