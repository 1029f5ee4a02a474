//! Tests of the order in which the addresses of a name are tried, and of when.

use std::net::{TcpListener as StdListener, TcpStream as StdStream};
use std::task::Waker;

use super::*;

/// An attempt that never ends: nobody has called connect.
fn silent() -> Socket<StdStream> {
    let socket = socket2::Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), None).unwrap();
    Socket::new(socket.into(), Location::caller()).unwrap()
}

/// An attempt that ends with an error.
fn reset() -> Socket<StdStream> {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let ours = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    socket2::SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
    Socket::from_std(ours, Location::caller()).unwrap()
}

/// A race in which the next address would join in an hour.
fn race(addresses: &[SocketAddr], attempts: Vec<Socket<StdStream>>) -> Race {
    let mut race = Race::new(addresses.to_vec());
    race.attempts = attempts;
    race.next = clock::now() + Duration::from_secs(3600);
    race
}

#[test]
fn a_failed_attempt_is_replaced_while_another_goes_on() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut race = race(&[address, address], vec![silent(), reset()]);
    let _ = race.poll(&mut cx, Location::caller());
    assert_eq!(race.untried.len(), 1, "one for one: the new attempt has its head start");
}

#[test]
fn an_address_that_fails_at_once_is_replaced_while_another_goes_on() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    // A multicast address takes no TCP connection.
    let addresses = ["224.0.0.1:9".parse().unwrap(), listener.local_addr().unwrap()];
    let mut cx = Context::from_waker(Waker::noop());
    let mut race = race(&addresses, vec![silent()]);
    race.next = clock::now();
    let _ = race.poll(&mut cx, Location::caller());
    assert!(race.untried.is_empty());
}

#[test]
fn families_alternate_and_keep_their_order() {
    let order = |addresses: &[&str]| {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        alternate(addresses).iter().map(SocketAddr::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1"]),
        ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
    );
    assert_eq!(order(&["1.1.1.1:1", "[::1]:1"]), ["1.1.1.1:1", "[::1]:1"]);
    assert!(order(&[]).is_empty());
}
