//! Every group of commands, as a table of what is said and what is answered.

use crate::Server;

const WRONGTYPE: &str = "!WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER: &str = "!ERR value is not an integer or out of range";
const SYNTAX: &str = "!ERR syntax error";

#[test]
fn strings() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("get a", "nil"),
        ("set a 1", "OK"),
        ("get a", "\"1\""),
        ("SET a 2 NX", "nil"),
        ("set b 2 xx", "nil"),
        ("set b 2 nx", "OK"),
        ("set a 3 xx get", "\"1\""),
        ("set new 3 nx get", "nil"),
        ("get new", "\"3\""),
        ("set a 3 nx xx", SYNTAX),
        ("set a 3 ex", SYNTAX),
        ("set a 3 ex 1 px 1", SYNTAX),
        ("set a 3 ex 1 keepttl", SYNTAX),
        ("set a 3 ex x", NOT_INTEGER),
        ("set a 3 ex 0", "!ERR invalid expire time in 'set' command"),
        ("set a 3 ex 0 what", SYNTAX),
        ("set a 3 ex x what", SYNTAX),
        ("set a 3 ex 9223372036854775807", "!ERR invalid expire time in 'set' command"),
        // In milliseconds it is a number, but not from 1970 on.
        ("set a 3 ex 9223372036854775", "!ERR invalid expire time in 'set' command"),
        ("set b 2 px 1 px 100000", "OK"),
        ("ttl b", "100"),
        ("getset a 4", "\"3\""),
        ("getdel a", "\"4\""),
        ("getdel a", "nil"),
        ("setnx a 1", "1"),
        ("setnx a 2", "0"),
        ("append a 23", "3"),
        ("append fresh xyz", "3"),
        ("strlen a", "3"),
        ("strlen none", "0"),
        ("getrange a 1 -1", "\"23\""),
        ("getrange a 0 -100", "\"1\""),
        ("getrange a -200 -100", "\"1\""),
        ("getrange a -100 -200", "\"\""),
        ("getrange a 1 -100", "\"\""),
        ("getrange none 0 -100", "\"\""),
        ("mset a 1 b 2 a 3", "OK"),
        ("mget a none b", "[\"3\" nil \"2\"]"),
        ("mset a", "!ERR wrong number of arguments for 'mset' command"),
        ("mset a 1 b", "!ERR wrong number of arguments for 'mset' command"),
        ("msetnx n 1 a 1", "0"),
        ("msetnx n 1 m 1", "1"),
        ("get n", "\"1\""),
    ]);
}

#[test]
fn counters() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("incr n", "1"),
        ("incrby n 41", "42"),
        ("decr n", "41"),
        ("decrby n 42", "-1"),
        ("incrby n x", NOT_INTEGER),
        ("set n 9223372036854775807", "OK"),
        ("incr n", "!ERR increment or decrement would overflow"),
        ("decrby n -9223372036854775808", "!ERR decrement would overflow"),
        ("set n 007", "OK"),
        ("incr n", NOT_INTEGER),
        ("get n", "\"007\""),
    ]);
}

#[test]
fn keys() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.table(&[
        ("mset a 1 b 2 c 3", "OK"),
        ("exists a b a none", "3"),
        ("del a none b", "2"),
        ("unlink c", "1"),
        ("dbsize", "0"),
        ("rpush l x", "1"),
        ("sadd s x", "1"),
        ("hset h x y", "1"),
        ("set t x", "OK"),
        ("type l", "list"),
        ("type s", "set"),
        ("type h", "hash"),
        ("type t", "string"),
        ("type none", "none"),
        ("keys [lx]", "[\"l\"]"),
        ("scan 0 match h count 100", "[\"0\" [\"h\"]]"),
        ("scan 0 type set count 100", "[\"0\" [\"s\"]]"),
        ("scan x", "!ERR invalid cursor"),
        ("scan 1x", "!ERR invalid cursor"),
        ("scan +", "!ERR invalid cursor"),
        ("scan 18446744073709551616", "!ERR invalid cursor"),
        ("scan -18446744073709551616", "!ERR invalid cursor"),
        ("scan 18446744073709551615", "[\"0\" []]"),
        ("scan -1", "[\"0\" []]"),
        ("scan -18446744073709551616\0", "!ERR invalid cursor"),
        ("scan +0 match h count 100", "[\"0\" [\"h\"]]"),
        ("scan -0 match h count 100", "[\"0\" [\"h\"]]"),
        ("scan 0\0x match h count 100", "[\"0\" [\"h\"]]"),
        // Between two blanks there is an empty cursor.
        ("scan  match h count 100", "[\"0\" [\"h\"]]"),
        ("scan 0 count 0", SYNTAX),
        ("scan 0 count x", NOT_INTEGER),
        ("scan 0 match", SYNTAX),
        ("select 0", "OK"),
        ("select 1", "!ERR DB index is out of range"),
        ("select x", NOT_INTEGER),
        ("select 2147483648", "!ERR value is out of range, value must between -2147483648 and 2147483647"),
        ("flushdb", "OK"),
        ("dbsize", "0"),
        ("set a 1", "OK"),
        ("flushall async", "OK"),
        ("flushall now", SYNTAX),
        ("get a", "nil"),
    ]);
    for key in 0..1000 {
        client.say(&format!("set key:{key} x"));
    }
    let mut all: Vec<String> =
        redis::cmd("SCAN").cursor_arg(0).clone().iter(&mut client.0).unwrap().map(Result::unwrap).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1000);
}

#[test]
fn lists() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("lpush l b a", "2"),
        ("rpush l c d", "4"),
        ("lrange l 0 -1", "[\"a\" \"b\" \"c\" \"d\"]"),
        ("lrange l -2 100", "[\"c\" \"d\"]"),
        ("lrange l 2 1", "[]"),
        ("lrange none 0 -1", "[]"),
        ("lrange l x 1", NOT_INTEGER),
        ("lindex l 0", "\"a\""),
        ("lindex l -1", "\"d\""),
        ("lindex l 4", "nil"),
        ("lindex l -5", "nil"),
        ("lindex l x", NOT_INTEGER),
        ("lindex none x", "nil"),
        ("llen l", "4"),
        ("lpop l", "\"a\""),
        ("rpop l 2", "[\"d\" \"c\"]"),
        ("lpop l 0", "[]"),
        ("lpop l -1", "!ERR value is out of range, must be positive"),
        ("rpop l", "\"b\""),
        ("exists l", "0"),
        ("lpop l", "nil"),
        ("lpop l 1", "nil"),
        ("llen l", "0"),
        ("lpushx l x", "0"),
        ("exists l", "0"),
        ("rpush l 1 2 3 4 5", "5"),
        ("rpushx l 6", "6"),
        ("ltrim l 1 -2", "OK"),
        ("lrange l 0 -1", "[\"2\" \"3\" \"4\" \"5\"]"),
        ("ltrim l 9 10", "OK"),
        ("exists l", "0"),
    ]);
}

#[test]
fn sets() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("sadd s a b a", "2"),
        ("sadd s b", "0"),
        ("scard s", "2"),
        ("sismember s a", "1"),
        ("sismember s c", "0"),
        ("smismember s a c", "[1 0]"),
        ("srem s a c", "1"),
        ("smembers s", "[\"b\"]"),
        ("srem s b", "1"),
        ("exists s", "0"),
        ("smembers s", "[]"),
        ("scard s", "0"),
        ("srem s b", "0"),
    ]);
}

#[test]
fn hashes() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("hset h a 1 b 2", "2"),
        ("hset h a 3", "0"),
        ("hset h a", "!ERR wrong number of arguments for 'hset' command"),
        ("hset h a 1 b", "!ERR wrong number of arguments for 'hset' command"),
        ("hmset h b 4", "OK"),
        ("hmset h b 4 c", "!ERR wrong number of arguments for 'hmset' command"),
        ("hsetnx h a 9", "0"),
        ("hget h a", "\"3\""),
        ("hget h none", "nil"),
        ("hmget h a none b", "[\"3\" nil \"4\"]"),
        ("hmget none a", "[nil]"),
        ("hlen h", "2"),
        ("hexists h a", "1"),
        ("hexists h c", "0"),
        ("hincrby h a 2", "5"),
        ("hincrby h new -1", "-1"),
        ("hset h text x", "1"),
        ("hincrby h text 1", "!ERR hash value is not an integer"),
        ("hset h text 9223372036854775807", "0"),
        ("hincrby h text 1", "!ERR increment or decrement would overflow"),
        ("hincrby h text x", NOT_INTEGER),
        ("hdel h new text none", "2"),
        ("hdel h a", "1"),
        ("hgetall h", "[\"b\" \"4\"]"),
        ("hkeys h", "[\"b\"]"),
        ("hvals h", "[\"4\"]"),
        ("hdel h b", "1"),
        ("exists h", "0"),
        ("hgetall h", "[]"),
    ]);
}

#[test]
fn a_key_of_another_kind_is_left_alone() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.table(&[("rpush l x", "1"), ("set t x", "OK")]);
    for command in [
        "get l",
        "incr l",
        "append l x",
        "strlen l",
        "getset l x",
        "set l x get",
        "set l x nx get",
        "getdel l",
        "lpush t x",
        "lpop t",
        "llen t",
        "lrange t 0 -1",
        "lindex t 0",
        "sadd t x",
        "srem t x",
        "smembers l",
        "sismember l x",
        "scard l",
        "hset t a b",
        "hget l a",
        "hdel t a",
        "hgetall l",
        "hlen l",
        "hexists l a",
        "hincrby t a 1",
    ] {
        assert_eq!(client.say(command), WRONGTYPE, "{command}");
    }
    client.table(&[
        ("lrange l 0 -1", "[\"x\"]"),
        ("get t", "\"x\""),
        ("mget t l", "[\"x\" nil]"),
        ("set l y", "OK"),
        ("get l", "\"y\""),
    ]);
}

#[test]
fn what_is_no_command_is_told_so() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("nonsense a b", "!ERR unknown command 'nonsense', with args beginning with: 'a' 'b' "),
        ("get", "!ERR wrong number of arguments for 'get' command"),
        ("GET a b", "!ERR wrong number of arguments for 'get' command"),
        ("client nonsense", "!ERR unknown subcommand 'nonsense'. Try CLIENT HELP."),
        ("config set maxmemory 1", "!ERR unknown subcommand 'set'. Try CONFIG HELP."),
        ("config resetstat x", "!ERR wrong number of arguments for 'config|resetstat' command"),
        ("command count x", "!ERR wrong number of arguments for 'command|count' command"),
        ("pubsub numpat x", "!ERR wrong number of arguments for 'pubsub|numpat' command"),
        (
            "pubsub channels a b",
            "!ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB HELP.",
        ),
        ("client|id", "!ERR unknown command 'client|id', with args beginning with: "),
        ("client help x", "!ERR wrong number of arguments for 'client|help' command"),
        ("command list x", SYNTAX),
        ("client list x", SYNTAX),
        ("hello 2 nonsense", "!ERR Syntax error in HELLO option 'nonsense'"),
        ("hello 2 setname", "!ERR Syntax error in HELLO option 'setname'"),
    ]);
    // No more than 128 bytes of the arguments come back, however many there are.
    let (first, second) = ("a".repeat(100), "b".repeat(100));
    let begin = format!("'{first}' '{}' ", "b".repeat(25));
    assert_eq!(
        server.client().say(&format!("nonsense {first} {second} c")),
        format!("!ERR unknown command 'nonsense', with args beginning with: {begin}")
    );
}

#[test]
fn a_connection_introduces_itself() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.table(&[
        ("ping", "PONG"),
        ("ping hello", "\"hello\""),
        ("echo hello", "\"hello\""),
        ("client getname", "nil"),
        ("client setname me", "OK"),
        ("client getname", "\"me\""),
        ("client setname a\nb", "!ERR Client names cannot contain spaces, newlines or special characters."),
        ("client setinfo lib-name x", "OK"),
        ("hello 3", "!NOPROTO unsupported protocol version"),
        ("hello x", "!ERR Protocol version is not an integer or out of range"),
        ("auth x", "!ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?"),
        ("config get save", "[\"save\" \"\"]"),
        ("config get append*", "[\"appendonly\" \"no\"]"),
        ("config get APPEND*", "[\"appendonly\" \"no\"]"),
        ("config get AppendOnly appendonly", "[\"AppendOnly\" \"no\"]"),
        ("config get append* APPENDONLY", "[\"appendonly\" \"no\"]"),
        ("config get timeout x SAVE", "[\"SAVE\" \"\" \"timeout\" \"0\"]"),
    ]);
    assert!(client.say("hello 2 setname you").starts_with("[\"server\" \"pirn-kv\" \"version\""));
    assert!(client.say("client list").contains("name=you"));
    assert_eq!(client.say("reset"), "RESET");
    assert_eq!(client.say("client getname"), "nil");
    let id: u64 = client.say("client id").parse().unwrap();
    let other: u64 = server.client().say("client id").parse().unwrap();
    assert!(other > id);
}

#[test]
fn the_list_of_clients_can_be_asked_for_some() {
    let server = Server::start(&[]);
    let (mut client, mut subscriber) = (server.client(), server.client());
    let ids = [client.say("client id"), subscriber.say("client id")];
    let listed = |said: String| -> Vec<String> {
        said.split("id=").skip(1).map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let mut pubsub = subscriber.0.as_pubsub();
    pubsub.subscribe("news").unwrap();
    assert_eq!(listed(client.say("client list")), ids);
    assert_eq!(listed(client.say("client list type NORMAL")), ids[..1]);
    assert_eq!(listed(client.say("client list type pubsub")), ids[1..]);
    assert!(client.say("client list type pubsub").contains(" flags=P "));
    let [one, two] = &ids;
    assert_eq!(
        listed(client.say(&format!("client list id {two} 99 -1 {one} {two}"))),
        [two, one, two].map(String::clone)
    );
    client.table(&[
        ("client list type master", "\"\""),
        ("client list type replica", "\"\""),
        ("client list type slave", "\"\""),
        ("client list id 0", "\"\""),
        ("client list id x", "!ERR Invalid client ID"),
        ("client list type x", "!ERR Unknown client type 'x'"),
        ("client list type", "!ERR syntax error"),
        ("client list id", "!ERR syntax error"),
        ("client list type normal pubsub", "!ERR syntax error"),
        ("client list x 1", "!ERR syntax error"),
    ]);
    pubsub.unsubscribe("news").unwrap();
    drop(pubsub);
    client.until("client list type pubsub", "\"\"");
}

#[test]
fn the_table_of_commands_can_be_asked_for() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let count: usize = client.say("command count").parse().unwrap();
    assert!(count > 70);
    assert_eq!(client.say("command").matches("[\"").count(), count);
    assert_eq!(client.say("command info get none"), "[[\"get\" 2 [readonly fast] 1 1 1 [] [] [] []] nil]");
    assert!(
        client.say("command docs get").contains("\"summary\" \"Returns the string.\" \"group\" \"string\"")
    );
    assert!(client.say("info").contains("redis_version:7"));
    assert!(!client.say("info memory").contains("redis_version"));
}

#[test]
fn a_family_of_commands_can_be_asked_for_help() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for family in ["CLIENT", "COMMAND", "CONFIG", "PUBSUB"] {
        let help = client.say(&format!("{family} help"));
        let begin = format!("[{family} <subcommand> [<arg> [value] [opt] ...]. Subcommands are: ");
        assert!(help.starts_with(&begin), "{help}");
        assert!(help.contains(" HELP     Tells what there is."), "{help}");
    }
}

#[test]
fn a_pipeline_is_answered_in_order() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let mut pipe = redis::pipe();
    for number in 0..10_000 {
        pipe.cmd("SET").arg(number).arg(number * 2).ignore();
        pipe.cmd("GET").arg(number);
    }
    let replies: Vec<i64> = pipe.query(&mut client.0).unwrap();
    assert!(replies.into_iter().eq((0..10_000).map(|number| number * 2)));
}

#[test]
fn values_are_bytes_of_any_kind_and_length() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for length in [0, 1, 15, 16, 17, 100, 65_536, 5_000_000] {
        let value: Vec<u8> = (0..length).map(|at| (at * 7) as u8).collect();
        let () = redis::cmd("SET").arg("k").arg(&value).query(&mut client.0).unwrap();
        let read: Vec<u8> = redis::cmd("GET").arg("k").query(&mut client.0).unwrap();
        assert!(read == value, "{length} bytes");
    }
}

#[test]
fn two_processors_count_together() {
    let server = Server::start(&["--procs", "2"]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = server.client();
                let mut pipe = redis::pipe();
                (0..1000).for_each(|_| {
                    pipe.cmd("INCR").arg("n").ignore();
                });
                let () = pipe.query(&mut client.0).unwrap();
            });
        }
    });
    assert_eq!(server.client().say("get n"), "\"8000\"");
}
