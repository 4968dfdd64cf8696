//! peers.toml and contacts.

use super::*;

#[test]
fn first_key_at_a_listed_address_is_pinned() {
    let (data, first, second) = (data(), data(), data());
    let mut bob = started("Bob", &first).start();
    let addr = bob.addr();
    let listed = format!("[[peer]]\naddress = \"{addr}\"\n");
    let mut alice = started("Alice", &data).peers_toml(&listed).start();
    alice.meets(&bob);
    until("pinned", || toml(&data, "alice").contains(&format!("key = \"{}\"\n", bob.key())));
    let bobs_key = bob.key();
    bob.crashes();
    // Another key at that address is a stranger, and messages for Bob wait.
    let mut eve = started("Eve", &second).port(addr.port()).start();
    let eves_key = eve.key();
    let is_stranger = || {
        let text = toml(&data, "alice");
        assert!(text.contains(&bobs_key) && !text.contains(&eves_key), "{text}");
    };
    alice.types(&["@bob for you only"]);
    alice.sees("* Another key (");
    leaves(alice);
    is_stranger();
    // Also after a restart.
    let mut alice = started("Alice", &data).peers_toml(&listed).start();
    alice.sees("* Another key (");
    alice.types(&["@bob for you only again"]);
    alice.still_answers();
    leaves(alice);
    is_stranger();
    assert!(eve.printed().iter().all(|line| !line.contains("for you only")), "{:?}", eve.printed());
    eve.crashes();
    let mut bob = started("Bob", &first).port(addr.port()).start();
    let alice = started("Alice", &data).peers_toml(&listed).start();
    bob.sees(": for you only");
    bob.sees(": for you only again");
    drop(alice);
}

#[test]
fn no_static_ignores_peers_toml_only() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    let mut alice = started("Alice", &data).start();
    alice.types(&[&format!("@{} hello", bob.addr())]);
    bob.sees(": hello");
    alice.sees("Delivered to Bob");
    leaves(alice);
    bob.passes_all();
    let listed = format!("[[peer]]\naddress = \"{}\"\n", carol.addr());
    let mut alice = started("Alice", &data).peers_toml(&listed).arg("--no-static").start();
    bob.sees("* Alice (");
    alice.has_seen(&format!("* {} is here", bob.shown()));
    assert!(alice.lists(carol.addr()).is_none());
    carol.still_answers();
    assert!(carol.printed().iter().all(|line| !line.contains("Alice")));
}
