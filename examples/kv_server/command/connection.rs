//! The connection itself: greeting, names, leaving.

use super::Flag::{Family, Fast, Subscriber};
use super::{Call, Command, NONE, help};
use crate::error::{Done, Error};
use crate::integer;

#[rustfmt::skip]
pub(super) const TABLE: &[Command] = &[
    Command { name: "ping", arity: -1, flags: &[Fast, Subscriber], keys: NONE, summary: "Answers.", run: ping },
    Command { name: "echo", arity: 2, flags: &[Fast], keys: NONE, summary: "Returns its argument.", run: echo },
    Command { name: "hello", arity: -1, flags: &[Fast], keys: NONE, summary: "Agrees on the protocol.", run: hello },
    Command { name: "auth", arity: -2, flags: &[Fast], keys: NONE, summary: "Is refused: there are no passwords.", run: auth },
    Command { name: "select", arity: 2, flags: &[Fast], keys: NONE, summary: "Chooses the database; there is one.", run: select },
    Command { name: "client", arity: -2, flags: &[Family], keys: NONE, summary: "Tells of connections.", run: help },
    Command { name: "reset", arity: 1, flags: &[Fast, Subscriber], keys: NONE, summary: "Makes the connection like new.", run: reset },
    Command { name: "quit", arity: -1, flags: &[Fast, Subscriber], keys: NONE, summary: "Ends the connection.", run: quit },
];

#[rustfmt::skip]
pub(super) const CLIENT: &[Command] = &[
    Command { name: "client|getname", arity: 2, flags: &[], keys: NONE, summary: "Returns this connection's name.", run: client_getname },
    Command { name: "client|help", arity: 2, flags: &[], keys: NONE, summary: "Tells what there is.", run: help },
    Command { name: "client|id", arity: 2, flags: &[], keys: NONE, summary: "Returns this connection's number.", run: client_id },
    Command { name: "client|info", arity: 2, flags: &[], keys: NONE, summary: "Tells of this connection.", run: client_info },
    Command { name: "client|list", arity: -2, flags: &[], keys: NONE, summary: "Tells of all connections.", run: client_list },
    Command { name: "client|setinfo", arity: 4, flags: &[], keys: NONE, summary: "Takes note of nothing.", run: client_setinfo },
    Command { name: "client|setname", arity: 3, flags: &[], keys: NONE, summary: "Gives this connection a name.", run: client_setname },
];

fn ping(call: &mut Call<'_>) -> Done {
    if call.args.len() > 2 {
        return Err(Error::WrongArity("ping"));
    }
    let text = call.args.from(1).next();
    match text {
        // A subscriber's replies look like messages.
        _ if call.session.subscriptions.is_some() => {
            call.reply.bulks([&b"pong"[..], text.unwrap_or_default()].iter());
        }
        Some(text) => call.reply.bulk(text),
        None => call.reply.simple("PONG"),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>) -> Done {
    call.reply.bulk(call.args.at(1));
    Ok(())
}

fn hello(call: &mut Call<'_>) -> Done {
    if call.args.len() > 1 {
        match call.integer(1) {
            Ok(2) => {}
            Ok(_) => return Err(Error::UnknownProtocol),
            Err(_) => return Err(Error::BadProtocolVersion),
        }
    }
    let mut name = None;
    let mut index = 2;
    while index < call.args.len() {
        let left = call.args.len() - index - 1;
        if call.is(index, "AUTH") && left >= 2 {
            check_password(call.args.at(index + 1))?;
            index += 3;
        } else if call.is(index, "SETNAME") && left >= 1 {
            name = Some(client_name(call.args.at(index + 1))?);
            index += 2;
        } else {
            return Err(Error::hello_option(call.args.at(index)));
        }
    }
    if let Some(name) = name {
        call.server.may_keep(name.len())?;
        call.session.client.set_name(name);
    }
    let reply = &mut call.reply;
    reply.array(14);
    for (field, value) in [("server", "pirn-kv"), ("version", env!("CARGO_PKG_VERSION"))] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(2);
    reply.bulk(b"id");
    reply.integer(call.session.client.id as i64);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

fn auth(call: &mut Call<'_>) -> Done {
    match call.args.len() {
        2 => Err(Error::NoPassword),
        3 => {
            check_password(call.args.at(1))?;
            call.reply.ok();
            Ok(())
        }
        _ => Err(Error::Syntax),
    }
}

/// There is one user, `default`, who may come in with any password.
fn check_password(user: &[u8]) -> Done {
    if user == b"default" { Ok(()) } else { Err(Error::WrongPassword) }
}

fn select(call: &mut Call<'_>) -> Done {
    let number = i32::try_from(call.integer(1)?).map_err(|_| Error::NoSuchNumber)?;
    if number != 0 {
        return Err(Error::NoSuchDatabase);
    }
    call.reply.ok();
    Ok(())
}

fn client_id(call: &mut Call<'_>) -> Done {
    call.reply.integer(call.session.client.id as i64);
    Ok(())
}

fn client_getname(call: &mut Call<'_>) -> Done {
    call.reply.bulk_or_null(call.session.client.name().as_deref().map(str::as_bytes));
    Ok(())
}

fn client_setname(call: &mut Call<'_>) -> Done {
    let name = client_name(call.args.at(2))?;
    call.server.may_keep(name.len())?;
    call.session.client.set_name(name);
    call.reply.ok();
    Ok(())
}

/// Client libraries tell their own names, and mind if they may not.
fn client_setinfo(call: &mut Call<'_>) -> Done {
    call.reply.ok();
    Ok(())
}

fn client_list(call: &mut Call<'_>) -> Done {
    let clients = &call.server.clients;
    let listed = match call.args.len() {
        2 => clients.all(),
        4 if call.is(2, "TYPE") => {
            let meant = client_type(call.args.at(3))?;
            clients.all().into_iter().filter(|client| meant == Some(client.is_subscriber())).collect()
        }
        4.. if call.is(2, "ID") => {
            let ids: Result<Vec<_>, _> = call.args.from(3).map(client_number).collect();
            ids?.into_iter().filter_map(|id| clients.get(id)).collect()
        }
        _ => return Err(Error::Syntax),
    };
    let mut text = String::new();
    listed.iter().for_each(|client| client.describe(&mut text));
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// Whether clients of this type are subscribers; `None` for the types that nobody here is of.
fn client_type(name: &[u8]) -> Result<Option<bool>, Error> {
    let types = [
        ("normal", Some(false)),
        ("pubsub", Some(true)),
        ("master", None),
        ("replica", None),
        ("slave", None),
    ];
    let found = types.iter().find(|(word, _)| name.eq_ignore_ascii_case(word.as_bytes()));
    found.map(|(_, is_subscriber)| *is_subscriber).ok_or_else(|| Error::unknown_client_type(name))
}

/// The number of a client; one that is none may still be asked for.
fn client_number(text: &[u8]) -> Result<i64, Error> {
    integer::parse(text).ok_or(Error::InvalidClientId)
}

fn client_info(call: &mut Call<'_>) -> Done {
    let mut text = String::new();
    call.session.client.describe(&mut text);
    call.reply.bulk(text.as_bytes());
    Ok(())
}

/// A name that does not disturb the lines of `CLIENT LIST`.
fn client_name(name: &[u8]) -> Result<&str, Error> {
    let name = std::str::from_utf8(name).ok().filter(|name| name.bytes().all(|byte| byte.is_ascii_graphic()));
    name.ok_or(Error::BadClientName)
}

fn reset(call: &mut Call<'_>) -> Done {
    call.session.subscriptions = None;
    call.session.client.set_name("");
    call.reply.simple("RESET");
    Ok(())
}

fn quit(call: &mut Call<'_>) -> Done {
    call.session.is_ending = true;
    call.reply.ok();
    Ok(())
}
