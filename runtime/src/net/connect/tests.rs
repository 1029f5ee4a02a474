//! A test of the order in which the addresses of a name are tried.

use super::*;

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
