//! A queued message for a legacy peer goes neither to a key nor to another name at its address.

use crate::legacy::{Legacy, Program};
use crate::support::{Peer, SOON, SecurePeer};

use super::*;

const SECRET: &str = "for the legacy peer alone";

/// Carol has written to a legacy peer at `home`, which left; another message waits for it.
fn waiting_for_legacy(home: SocketAddrV4) -> Peer {
    let mut carol = Peer::named("Carol").start();
    let knights = Legacy::start_at(Program::CryptoKnights, home).expect("the port is free");
    knights.connect(carol.addr()).expect("Carol listens");
    carol.has_seen("CryptoKnights");
    carol.types(&["@cryptoknights hello"]);
    assert!(knights.wait_shown(": hello", SOON), "{:?}", knights.shown());
    drop(knights);
    let mark = sends(&mut carol, &[&format!("@cryptoknights {SECRET}")]);
    carol.says_it_waits(mark, "CryptoKnights");
    carol
}

/// Asserts that the message is still in the outbox.
fn still_waits(carol: &mut Peer) {
    carol.passes_all();
    carol.types(&["/outbox"]);
    // A row of the outbox, not a line about the message.
    carol.sees_line("the message in the outbox", |line| line.contains(SECRET) && number_of(line).is_some());
}

#[test]
fn legacy_message_does_not_go_to_a_key() {
    let home = nobody();
    let mut carol = waiting_for_legacy(home);
    let zed = SecurePeer::at("Zed", b'Z', home);
    // It does not matter whether Zed is accepted at once.
    says_as(&zed, carol.addr(), zed.hello(), "hello from Zed");
    // Carol has met Zed by now, and may not dial again for a message that is not for Zed.
    carol.types(&["/outbox again all", "@zed for Zed alone"]);
    zed.hears("for Zed alone");
    never_got(&zed, SECRET);
    still_waits(&mut carol);
    never_got(&zed, SECRET);
}

#[test]
fn legacy_message_stays_when_a_key_is_found() {
    let home = nobody();
    let mut carol = waiting_for_legacy(home);
    // Zed sends nothing: Carol's dial finds the key.
    let zed = SecurePeer::at("CryptoKnights", b'Z', home);
    zed.waits("a question", |got| !got.plain.is_empty() || got.opened > 0);
    carol.types(&["/outbox again all"]);
    zed.waits("a proof of its key", |got| !got.met.is_empty());
    still_waits(&mut carol);
    never_got(&zed, SECRET);
}

#[test]
fn legacy_message_does_not_go_to_another_name() {
    let home = nobody();
    let mut carol = waiting_for_legacy(home);
    let xyz = Legacy::start_at(Program::Xyz, home).expect("the port is free");
    xyz.send(carol.addr(), "hello from another program").expect("Carol listens");
    carol.has_seen(": hello from another program");
    carol.types(&["@xyz for XYZ alone"]);
    assert!(xyz.wait_shown(": for XYZ alone", SOON), "{:?}", xyz.shown());
    never_got(&xyz, SECRET);
    still_waits(&mut carol);
    never_got(&xyz, SECRET);
}

#[test]
fn legacy_message_reaches_its_peer_again() {
    let home = nobody();
    let carol = waiting_for_legacy(home);
    let knights = Legacy::start_at(Program::CryptoKnights, home).expect("the port is free");
    knights.connect(carol.addr()).expect("Carol listens");
    assert!(knights.wait_shown(SECRET, SOON), "{:?}", knights.shown());
}
