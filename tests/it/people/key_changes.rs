//! An unknown key that claims a contact's name is a pending key change, wherever it comes from.

use std::net::SocketAddrV4;

use crate::support::{Peer, SecurePeer};

use super::*;

/// The beginning of a key, as it is shown.
fn beginning(peer: &SecurePeer) -> String {
    peer.key().to_string().chars().take(4).collect()
}

/// Starts a stranger with this name at a new address. Checks that nothing from it is shown and that
/// messages for Bob, under the name `bob_is`, reach Bob. Returns the stranger.
fn is_pending(carol: &mut Peer, bob: &dyn Recipient, name: &str, bob_is: &str) -> SecurePeer {
    let other = SecurePeer::named(name, b'M');
    let taken = says_as(&other, carol.addr(), other.hello(), "I am Bob");
    // The user sees the key and has to decide.
    carol.has_seen(&beginning(&other));
    carol.types(&[&format!("@{bob_is} for Bob alone")]);
    reaches_only(carol, "for Bob alone", bob, &[&other]);
    never_got(carol, ": I am Bob");
    assert!(!taken, "a pending key gets no receipt");
    carol.has_seen("/trust");
    other
}

fn carol_and_bob() -> (Peer, Peer) {
    let bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob);
    (carol, bob)
}

#[test]
fn new_key_with_a_contacts_name_waits() {
    let (mut carol, bob) = carol_and_bob();
    is_pending(&mut carol, &bob, "Bob", "bob");
}

#[test]
fn new_key_with_a_contacts_alias_waits() {
    let (mut carol, bob) = carol_and_bob();
    carol.types(&["/alias bob Boss"]);
    carol.has_seen("Boss");
    is_pending(&mut carol, &bob, "ＢＯＳＳ", "boss");
}

#[test]
fn new_key_named_like_an_offline_contact_waits() {
    let (bob, carol) = (Person::named("Bob"), Person::named("Carol"));
    let (bob_runs, mut carol_runs) = (bob.starts(), carol.starts());
    befriends(&mut carol_runs, &bob_runs);
    drop(bob_runs);
    carol_runs.types(&["0"]);
    assert!(carol_runs.ends().success());
    let mut carol = carol.starts();
    let mark = sends(&mut carol, &["@bob for Bob alone"]);
    carol.says_it_waits(mark, "Bob");
    let other = SecurePeer::named("Ｂｏｂ", b'M');
    let taken = says_as(&other, carol.addr(), other.hello(), "I am Bob");
    carol.has_seen(&beginning(&other));
    let bob = bob.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Bob alone", &bob, &[&other]);
    never_got(&carol, ": I am Bob");
    assert!(!taken, "a pending key gets no receipt");
}

#[test]
fn trust_moves_the_contact_to_the_new_key() {
    let old = SecurePeer::named("Bob", b'B');
    let mut carol = Peer::named("Carol").start();
    befriends_secure(&mut carol, &old);
    verifies(&mut carol, "Bob");
    carol.types(&["/alias bob Boss"]);
    carol.has_seen("Boss");
    let new = SecurePeer::named("Bob", b'N');
    assert!(!says_as(&new, carol.addr(), new.hello(), "I am Bob"), "a pending key gets no receipt");
    carol.has_seen(&beginning(&new));
    let before = rows(&mut carol);
    assert_eq!(before.len(), 1, "{before:#?}");
    let number = number_of(&before[0]).expect("it has a number");
    carol.types(&["/trust bob"]);
    carol.types(&["@Boss for the new key"]);
    reaches_only(&carol, "for the new key", &new, &[&old]);
    carol.types(&["1", &number.to_string(), "by the same row"]);
    reaches_only(&carol, "by the same row", &new, &[&old]);
    let rows = rows(&mut carol);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let row = rows.iter().find(|row| number_of(row) == Some(number)).expect("it is there");
    assert!(!row.contains("verified") && !row.contains('✓'), "{row}");
    assert!(says_as(&new, carol.addr(), new.hello(), "thank you"), "it is the contact's key now");
    carol.has_seen(": thank you");
}

#[test]
fn accept_makes_a_second_contact() {
    let (mut carol, bob) = carol_and_bob();
    let other = is_pending(&mut carol, &bob, "Bob", "bob");
    carol.types(&["/accept bob"]);
    // Both are called Bob now, so the name alone is ambiguous.
    carol.has_seen(&format!("* Bob ({}) is online", other.addr()));
    carol.types(&["@bob for which of them?"]);
    let question = carol.has_seen("matches 2 peers");
    let (label, _) = question.split_once(&format!(" ({})", bob.addr())).expect("it names the first");
    let label = label.rsplit(' ').next().expect("a label");
    carol.types(&[&format!("@{label} still for the first")]);
    reaches_only(&carol, "still for the first", &bob, &[&other]);
    // The newcomer is accepted, under another label.
    assert!(says_as(&other, carol.addr(), other.hello(), "thank you"), "it was accepted");
    let line = carol.has_seen(": thank you");
    assert!(line.contains("Bob"), "{line}");
    carol.types(&["/reply for the second"]);
    reaches_only(&carol, "for the second", &other, &[&bob]);
    let rows = rows(&mut carol);
    assert_eq!(rows.len(), 2, "{rows:#?}");
}

#[test]
fn accept_is_offered_with_a_key_change() {
    let (mut carol, bob) = carol_and_bob();
    is_pending(&mut carol, &bob, "Bob", "bob");
    for command in ["/trust bob", "/accept", "/block bob"] {
        let shown = carol.received();
        assert!(shown.iter().any(|line| line.to_lowercase().contains(command)), "{command}: {shown:#?}");
    }
}

#[test]
fn block_refuses_only_the_new_key() {
    let (mut carol, bob) = carol_and_bob();
    let other = is_pending(&mut carol, &bob, "Bob", "bob");
    carol.types(&["/block bob", "@bob still for the first"]);
    reaches_only(&carol, "still for the first", &bob, &[&other]);
    assert!(!says_as(&other, carol.addr(), other.hello(), "let me in"), "it is blocked");
    never_got(&carol, ": let me in");
}

#[test]
fn newcomer_at_a_contacts_address_raises_no_alarm() {
    let bob = Person::named("Bob");
    let bob_runs = bob.starts();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    drop(bob_runs);
    let zed = SecurePeer::at("Zed", b'Z', bob.home);
    let taken = says_as(&zed, carol.addr(), zed.hello(), "hello from Zed");
    assert!(taken, "a newcomer was refused:\n{}", carol.received().join("\n"));
    carol.has_seen(": hello from Zed");
    let mark = sends(&mut carol, &["@bob for Bob alone"]);
    carol.types(&["@zed for Zed alone"]);
    zed.hears("for Zed alone");
    never_got(&zed, "for Bob alone");
    carol.says_it_waits(mark, "Bob");
    let bob = bob.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Bob alone", &bob, &[&zed]);
    never_got(&bob, "for Zed alone");
    for alarm in ["has changed", "WARNING", "/trust"] {
        never_got(&carol, alarm);
    }
}

/// Waits until the list has this line about a pending key and this number of online peers. Returns
/// the row of an address.
fn lists_waiting(carol: &mut Peer, online: usize, waiting: &str, addr: SocketAddrV4) -> String {
    let shown = list(carol);
    assert!(shown.iter().any(|line| line.contains(&format!(", {online} online"))), "{shown:#?}");
    carol.sees(waiting);
    let addr = format!("  {addr}  ");
    shown.iter().find(|line| line.contains(&addr)).cloned().unwrap_or_else(|| panic!("{addr}: {shown:#?}"))
}

#[test]
fn pending_key_is_not_online() {
    let (mut carol, _bob) = carol_and_bob();
    let other = Peer::named("Bob").start();
    carol.types(&[&format!("/connect {}", other.addr())]);
    carol.has_seen("WARNING: Bob is online with the old key, so this may be someone else.");
    // Showing the list probes the address.
    let words = "A new key for Bob waits for your decision: /block Bob, /accept Bob or /trust Bob.";
    for _ in 0..2 {
        let row = lists_waiting(&mut carol, 1, words, other.addr());
        assert!(row.contains("  waits for your decision  "), "{row}");
    }
    let is_here = |line: &String| line.contains("is online") && line.contains(&other.addr().to_string());
    assert!(!carol.printed().iter().any(is_here), "{:#?}", carol.printed());
    carol.types(&["/accept bob"]);
    carol.has_seen(&format!("* Bob ({}) is online", other.addr()));
    carol.passes_all();
    carol.types(&["/peers"]);
    carol.sees("2 peers, 2 online.");
}
