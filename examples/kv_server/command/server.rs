//! The server as a whole: how big it is, how it is set, emptying it.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Flag::{Family, Fast, ReadOnly, Write};
use super::{Call, Command, NONE, help, introspection};
use crate::db::glob;
use crate::error::{Done, Error};
use crate::frame::{MAX_BULK, MAX_REQUEST};
use crate::memory;
use crate::pubsub::Kind;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "dbsize", arity: 1, flags: &[ReadOnly, Fast], keys: NONE, summary: "Counts the keys.", run: dbsize },
    Command { name: "flushdb", arity: -1, flags: &[Write], keys: NONE, summary: "Removes all keys.", run: flush },
    Command { name: "flushall", arity: -1, flags: &[Write], keys: NONE, summary: "Removes all keys.", run: flush },
    Command { name: "info", arity: -1, flags: &[], keys: NONE, summary: "Tells how the server fares.", run: info },
    Command { name: "config", arity: -2, flags: &[Family], keys: NONE, summary: "Tells how the server is set.", run: help },
    Command { name: "time", arity: 1, flags: &[Fast], keys: NONE, summary: "Tells the time.", run: time },
    Command { name: "command", arity: -1, flags: &[Family], keys: NONE, summary: "Tells of commands.", run: introspection::info },
];

#[rustfmt::skip]
pub(super) const CONFIG: &[Command] = &[
    Command { name: "config|get", arity: -3, flags: &[], keys: NONE, summary: "Returns the settings that patterns mean.", run: config_get },
    Command { name: "config|help", arity: 2, flags: &[], keys: NONE, summary: "Tells what there is.", run: help },
    Command { name: "config|resetstat", arity: 2, flags: &[], keys: NONE, summary: "Resets nothing.", run: config_resetstat },
];

fn dbsize(call: &mut Call<'_>) -> Done {
    call.reply.count(call.server.db.len().0);
    Ok(())
}

fn flush(call: &mut Call<'_>) -> Done {
    let in_background = match call.args.len() {
        1 => false,
        2 if call.is(1, "SYNC") => false,
        2 if call.is(1, "ASYNC") => true,
        _ => return Err(Error::Syntax),
    };
    let shards = call.server.db.take();
    if in_background {
        drop(pirn::spawn_blocking(move || drop(shards)));
    } else {
        drop(shards);
    }
    call.reply.ok();
    Ok(())
}

fn time(call: &mut Call<'_>) -> Done {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let parts = [now.as_secs().to_string(), now.subsec_micros().to_string()];
    call.reply.bulks(parts.iter());
    Ok(())
}

fn config_get(call: &mut Call<'_>) -> Done {
    let maxmemory = call.server.maxmemory.unwrap_or(0);
    let settings = [
        ("save", String::new()),
        ("appendonly", "no".to_owned()),
        ("databases", "1".to_owned()),
        ("maxmemory", maxmemory.to_string()),
        ("maxmemory-policy", "noeviction".to_owned()),
        ("maxclients", call.server.clients.max().to_string()),
        ("timeout", "0".to_owned()),
        ("proto-max-bulk-len", MAX_BULK.to_string()),
        ("client-query-buffer-limit", MAX_REQUEST.to_string()),
    ];
    // What each is called in the reply, if it is meant: a name comes back in the letters in which it was asked for.
    let mut called = [None; 9];
    for asked in call.args.from(2) {
        let is_pattern = asked.iter().any(|byte| b"*?[".contains(byte));
        let in_lower_case = asked.to_ascii_lowercase();
        for (called, (name, _)) in called.iter_mut().zip(&settings) {
            if is_pattern && glob::matches(&in_lower_case, name.as_bytes()) {
                called.get_or_insert(name.as_bytes());
            } else if in_lower_case == name.as_bytes() {
                called.get_or_insert(asked);
            }
        }
    }
    call.reply.array(2 * called.iter().flatten().count());
    for (called, (_, value)) in called.iter().zip(&settings) {
        if let Some(called) = called {
            call.reply.bulk(called);
            call.reply.bulk(value.as_bytes());
        }
    }
    Ok(())
}

fn config_resetstat(call: &mut Call<'_>) -> Done {
    call.reply.ok();
    Ok(())
}

/// Writes one section of `INFO`.
type Section = fn(&Call<'_>, &mut String);

fn info(call: &mut Call<'_>) -> Done {
    let sections: [(&str, Section); 6] = [
        ("Server", about_server),
        ("Clients", about_clients),
        ("Memory", about_memory),
        ("Stats", about_stats),
        ("Runtime", about_runtime),
        ("Keyspace", about_keyspace),
    ];
    let everything = ["all", "default", "everything"];
    let is_wanted = |name: &str| {
        let is_named = |asked: &[u8]| {
            asked.eq_ignore_ascii_case(name.as_bytes())
                || everything.iter().any(|word| asked.eq_ignore_ascii_case(word.as_bytes()))
        };
        call.args.len() == 1 || call.args.from(1).any(is_named)
    };
    let mut text = String::new();
    for (name, tell) in sections.iter().filter(|(name, _)| is_wanted(name)) {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        line(&mut text, format_args!("# {name}"));
        tell(call, &mut text);
    }
    call.reply.bulk(text.as_bytes());
    Ok(())
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = write!(text, "{content}\r\n");
}

fn about_server(call: &Call<'_>, text: &mut String) {
    // Clients compare versions to know what they may ask for; this is the one whose commands these are.
    line(text, format_args!("redis_version:7.0.0"));
    line(text, format_args!("server_name:pirn-kv"));
    line(text, format_args!("pirn_version:{}", env!("CARGO_PKG_VERSION")));
    line(text, format_args!("redis_mode:standalone"));
    line(text, format_args!("process_id:{}", std::process::id()));
    line(text, format_args!("tcp_port:{}", call.server.address.port()));
    line(text, format_args!("uptime_in_seconds:{}", call.server.since.elapsed().as_secs()));
}

fn about_clients(call: &Call<'_>, text: &mut String) {
    line(text, format_args!("connected_clients:{}", call.server.clients.len()));
    line(text, format_args!("maxclients:{}", call.server.clients.max()));
}

fn about_memory(call: &Call<'_>, text: &mut String) {
    line(text, format_args!("used_memory:{}", memory::used()));
    line(text, format_args!("used_memory_rss:{}", memory::resident().unwrap_or(0)));
    line(text, format_args!("maxmemory:{}", call.server.maxmemory.unwrap_or(0)));
    line(text, format_args!("maxmemory_policy:noeviction"));
}

fn about_stats(call: &Call<'_>, text: &mut String) {
    let hub = &call.server.hub;
    line(text, format_args!("total_connections_received:{}", call.server.clients.total()));
    line(text, format_args!("total_commands_processed:{}", call.server.commands.get()));
    line(text, format_args!("pubsub_channels:{}", hub.topics(Kind::Channel)));
    line(text, format_args!("pubsub_patterns:{}", hub.topics(Kind::Pattern)));
}

fn about_runtime(_: &Call<'_>, text: &mut String) {
    let metrics = pirn::Handle::current().metrics();
    line(text, format_args!("procs:{}", metrics.procs.len()));
    line(text, format_args!("live_tasks:{}", metrics.live_tasks));
    line(text, format_args!("threads:{}", metrics.threads));
}

fn about_keyspace(call: &Call<'_>, text: &mut String) {
    let (keys, expires) = call.server.db.len();
    if keys > 0 {
        line(text, format_args!("db0:keys={keys},expires={expires},avg_ttl=0"));
    }
}
