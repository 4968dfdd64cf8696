//! Several people can share an address, and one person can have several addresses.

use p2p_chat::protocol::session::Hello;

use crate::support::{Peer, SecurePeer};

use super::*;

#[test]
fn two_people_behind_one_address_raise_no_alarm() {
    let (ann, ben) = (SecurePeer::named("Ann", b'A'), SecurePeer::named("Ben", b'N'));
    let mut carol = Peer::named("Carol").start();
    // Behind one router, both have its address, and listen on the same port.
    let shared = nobody().port();
    for (peer, words) in [(&ann, "hello from Ann"), (&ben, "hello from Ben"), (&ann, "Ann again")] {
        let hello = Hello { port: shared, ..peer.hello() };
        let taken = says_as(peer, carol.addr(), hello, words);
        assert!(taken, "`{words}` was refused:\n{}", carol.received().join("\n"));
        carol.has_seen(&format!(": {words}"));
    }
    let rows = rows(&mut carol);
    assert_ne!(row_number(&rows, "Ann"), row_number(&rows, "Ben"));
    for alarm in ["has changed", "WARNING", "/trust"] {
        never_got(&carol, alarm);
    }
}

#[test]
fn two_verified_people_behind_one_address_stay_apart() {
    let (ann, ben) = (SecurePeer::named("Ann", b'A'), SecurePeer::named("Ben", b'N'));
    let mut carol = Peer::named("Carol").start();
    befriends_secure(&mut carol, &ann);
    befriends_secure(&mut carol, &ben);
    verifies(&mut carol, "Ann");
    verifies(&mut carol, "Ben");
    let shared = nobody().port();
    for (peer, words) in [(&ann, "Ann is behind a router"), (&ben, "Ben is behind a router")] {
        let hello = Hello { port: shared, ..peer.hello() };
        assert!(says_as(peer, carol.addr(), hello, words), "`{words}` was refused");
        carol.has_seen(&format!(": {words}"));
    }
    carol.types(&["@ann for Ann alone", "@ben for Ben alone"]);
    reaches_only(&carol, "for Ann alone", &ann, &[&ben]);
    reaches_only(&carol, "for Ben alone", &ben, &[&ann]);
    let rows = rows(&mut carol);
    assert_ne!(row_number(&rows, "Ann"), row_number(&rows, "Ben"));
    never_got(&carol, "has changed");
}

#[test]
fn person_dialed_at_two_addresses_is_one_row() {
    let mut bob = Peer::named("Bob").start();
    let other = SocketAddrV4::new([127, 0, 77, 3].into(), bob.addr().port());
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob);
    for (number, addr) in [other, bob.addr(), other].into_iter().enumerate() {
        carol.types(&[&format!("@{addr} number {number} for Bob")]);
        bob.sees(&format!(": number {number} for Bob"));
        let rows = rows(&mut carol);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        row_number(&rows, "Bob");
    }
    carol.types(&["@all to everyone"]);
    bob.sees(": to everyone");
    bob.still_answers();
    let count = bob.received().iter().filter(|line| line.contains(": to everyone")).count();
    assert_eq!(count, 1, "one person gets it once");
}

#[test]
fn one_person_at_two_addresses_is_one_row() {
    let here = SecurePeer::named("Bob", b'B');
    let there = SecurePeer::at("Bob", b'B', SocketAddrV4::new([127, 0, 77, 3].into(), 0));
    let mut carol = Peer::named("Carol").start();
    for (bob, words) in [(&here, "from here"), (&there, "from there"), (&here, "from here again")] {
        assert!(says_as(bob, carol.addr(), bob.hello(), words), "`{words}` was refused");
        carol.has_seen(&format!(": {words}"));
        let rows = rows(&mut carol);
        assert_eq!(rows.len(), 1, "{rows:#?}");
        row_number(&rows, "Bob");
    }
    // One message arrives once, at either address.
    carol.types(&["@bob for Bob"]);
    carol.sees("Delivered to Bob");
    let count = [here.got(), there.got()]
        .iter()
        .flat_map(|got| &got.texts)
        .filter(|text| text.body == "for Bob")
        .count();
    assert_eq!(count, 1);
}
