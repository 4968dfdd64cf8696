//! Blocking an impostor does not affect the contact.

use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Peer, SecurePeer};

use super::*;

const SECRET: &str = "for Bob alone";

/// Carol has written to Bob, who left. An impostor at his address calls itself Bob and is blocked.
fn impostor_is_blocked(carol: &mut Peer, bob: &Person) {
    let bob_runs = bob.starts();
    befriends(carol, &bob_runs);
    drop(bob_runs);
    let impostor = SecurePeer::at("Bob", b'M', bob.home);
    says_as(&impostor, carol.addr(), impostor.hello(), "I am Bob");
    let beginning = impostor.key().to_string().chars().take(4).collect::<String>();
    carol.has_seen(&beginning);
    carol.types(&["/block bob"]);
    carol.sees("locked");
}

/// Checks that messages for Bob wait, and that nothing unencrypted goes to his address.
fn bob_is_still_known(carol: &mut Peer, bob: &Person) {
    // Only Carol connects to this listener.
    let listener = TcpListener::bind(is_free(bob.home)).expect("the port is free");
    carol.types(&[&format!("@bob {SECRET}"), &format!("@{} to his address", bob.home)]);
    let opening = first_bytes(&listener);
    assert!("P2P-CHAT/1\n".starts_with(&opening), "sent unencrypted: {opening}");
    drop(listener);
    let bob_runs = bob.comes_to(bob.home, carol.addr());
    reaches_only(carol, SECRET, &bob_runs, &[]);
    reaches_only(carol, "to his address", &bob_runs, &[]);
    never_got(carol, "I am Bob");
}

#[test]
fn blocking_an_impostor_keeps_the_contact() {
    let bob = Person::named("Bob");
    let mut carol = Peer::named("Carol").start();
    impostor_is_blocked(&mut carol, &bob);
    bob_is_still_known(&mut carol, &bob);
}

#[test]
fn blocking_an_impostor_keeps_the_contact_after_restart() {
    let (bob, carol) = (Person::named("Bob"), Person::named("Carol"));
    let mut carol_runs = carol.starts();
    impostor_is_blocked(&mut carol_runs, &bob);
    carol_runs.types(&["0"]);
    assert!(carol_runs.ends().success());
    bob_is_still_known(&mut carol.starts(), &bob);
}

#[test]
fn blocking_an_impostor_elsewhere_keeps_the_contact() {
    let bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob);
    let impostor = SecurePeer::named("Bob", b'M');
    says_as(&impostor, carol.addr(), impostor.hello(), "I am Bob");
    carol.has_seen(&impostor.key().to_string().chars().take(4).collect::<String>());
    carol.types(&["/block bob"]);
    carol.sees("locked");
    carol.types(&[&format!("@bob {SECRET}")]);
    reaches_only(&carol, SECRET, &bob, &[&impostor]);
    assert!(!says_as(&impostor, carol.addr(), impostor.hello(), "I am still Bob"), "it is blocked");
    assert!(!carol.has(": I am"), "{:#?}", carol.received());
}

#[test]
fn blocking_a_newcomer_keeps_the_old_contact() {
    let (bob, mallory) = (Person::named("Bob"), Person::named("Mallory"));
    let (bob_runs, mallory_runs) = (bob.starts(), mallory.starts());
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    befriends(&mut carol, &mallory_runs);
    drop((bob_runs, mallory_runs));
    let mallory_runs = mallory.comes_to(bob.home, carol.addr());
    mallory_runs.has_seen("* Carol");
    carol.types(&["@mallory where are you?"]);
    mallory_runs.has_seen(": where are you?");
    carol.types(&["/block mallory"]);
    carol.sees("locked");
    drop(mallory_runs);
    let listener = TcpListener::bind(is_free(bob.home)).expect("the port is free");
    carol.types(&[&format!("@bob {SECRET}"), &format!("@{} to his address", bob.home)]);
    let plain = first_bytes(&listener);
    assert!("P2P-CHAT/1\n".starts_with(&plain), "sent unencrypted: {plain}");
    drop(listener);
    let bob_runs = bob.comes_to(is_free(bob.home), carol.addr());
    reaches_only(&carol, SECRET, &bob_runs, &[]);
    reaches_only(&carol, "to his address", &bob_runs, &[]);
}

#[test]
fn blocked_peer_does_not_come_back_under_its_name() {
    let mallory = SecurePeer::named("Mallory", b'M');
    let mut carol = Peer::named("Carol").start();
    says_as(&mallory, carol.addr(), mallory.hello(), "buy my things");
    carol.sees(": buy my things");
    carol.types(&["/block mallory"]);
    carol.sees("Blocked Mallory");
    carol.types(&["/blocked"]);
    carol.sees(", blocked, at ");
    assert!(!says_as(&mallory, carol.addr(), mallory.hello(), "with the same key"), "it is blocked");
    // Unencrypted, from its address and under its name.
    assert_eq!(mallory.says_plainly(carol.addr(), "in plain"), "");
    // With a new key.
    let other = SecurePeer::named("Mallory", b'N');
    assert!(!says_as(&other, carol.addr(), other.hello(), "with another key"), "it waits");
    carol.sees(" wants to chat, key ");
    // Others are heard as before.
    let bob = Peer::named("Bob").knows(carol.addr()).start();
    carol.has_seen(&format!("* {} is here.", bob.shown()));
    let told = carol.received();
    for words in ["with the same key", "in plain", "with another key"] {
        assert!(!told.iter().any(|line| line.contains(words)), "{words}: {told:#?}");
    }
}

/// Returns the first bytes of the first connection that sends any.
fn first_bytes(listener: &TcpListener) -> String {
    use std::io::Read;

    socket2::SockRef::from(listener).set_read_timeout(Some(SOON)).expect("a timeout");
    loop {
        let (mut stream, _) = listener.accept().expect("Carol dials");
        stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        let mut bytes = Vec::new();
        // After the opening line the peer waits for an answer; a plain message ends at once.
        let _ = stream.read_to_end(&mut bytes);
        if !bytes.is_empty() {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}
