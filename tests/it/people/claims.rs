//! A port in a hello and a key in a receipt are claims. A peer gains nothing by a claim.

use p2p_chat::protocol::session::Hello;

use crate::legacy::{Legacy, Program};
use crate::support::{Capability, Peer, SOON, SecurePeer, Terminal};

use super::*;

const SECRET: &str = "for Dave alone";

/// Bob's hello with Dave's port in it: both are at 127.0.0.1, so it claims Dave's very address.
fn claiming_port_of(bob: &SecurePeer, dave: SocketAddrV4) -> Hello {
    Hello { port: dave.port(), ..bob.hello() }
}

#[test]
fn claimed_port_takes_over_no_row_or_message() {
    let dave = Peer::named("Dave").start();
    let bob = SecurePeer::named("Bob", b'B');
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &dave);
    befriends_secure(&mut carol, &bob);
    let number = row_number(&rows(&mut carol), "Dave");
    let hello = claiming_port_of(&bob, dave.addr());
    assert!(says_as(&bob, carol.addr(), hello, "I say that I am at Dave's"), "Bob is a contact");
    carol.has_seen(": I say that I am at Dave's");
    carol.types(&[&format!("@dave {SECRET}")]);
    reaches_only(&carol, SECRET, &dave, &[&bob]);
    carol.types(&["1", &number.to_string(), "and this is for Dave"]);
    reaches_only(&carol, "and this is for Dave", &dave, &[&bob]);
    let rows = rows(&mut carol);
    assert_eq!(row_number(&rows, "Dave"), number);
    let row = rows.iter().find(|row| number_of(row) == Some(number)).expect("just found");
    assert!(row.contains(&dave.addr().to_string()), "{row}");
    // Messages for Bob still go to his proven address.
    carol.types(&["@bob for Bob alone"]);
    reaches_only(&carol, "for Bob alone", &bob, &[&dave]);
}

#[test]
fn claimed_port_takes_over_no_open_conversation() {
    let dave = Peer::named("Dave").start();
    let bob = SecurePeer::named("Bob", b'B');
    let mut carol = Terminal::start(Peer::named("Carol"), 50, 120);
    befriends(&mut carol, &dave);
    carol.enters(&format!("@{} hello", bob.addr()));
    bob.hears("hello");
    carol.enters("/chat dave");
    carol.waits_for("to Dave");
    let hello = claiming_port_of(&bob, dave.addr());
    assert!(says_as(&bob, carol.addr(), hello, "I say that I am at Dave's"), "Bob is a contact");
    carol.waits_for(": I say that I am at Dave's");
    let prompt = carol.screen().lines().last().expect("a prompt").to_owned();
    carol.enters(SECRET);
    reaches_only(&carol, SECRET, &dave, &[&bob]);
    assert!(prompt.contains("to Dave"), "{prompt}");
}

#[test]
fn claimed_port_takes_over_no_queue() {
    let dave = Person::named("Dave");
    let dave_runs = dave.starts();
    let bob = SecurePeer::named("Bob", b'B');
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &dave_runs);
    befriends_secure(&mut carol, &bob);
    drop(dave_runs);
    let mark = sends(&mut carol, &[&format!("@dave {SECRET}")]);
    carol.says_it_waits(mark, "Dave");
    let hello = claiming_port_of(&bob, dave.home);
    assert!(says_as(&bob, carol.addr(), hello, "I say that I am at Dave's"), "Bob is a contact");
    carol.has_seen(": I say that I am at Dave's");
    carol.types(&["@bob for Bob alone"]);
    bob.hears("for Bob alone");
    never_got(&bob, SECRET);
    let dave_runs = dave.comes_to(dave.home, carol.addr());
    reaches_only(&carol, SECRET, &dave_runs, &[&bob]);
}

/// A legacy peer that Carol has written to, and Bob, whom she knows by his key and who was away; he
/// comes back and claims the legacy peer's port.
struct Claim {
    carol: Peer,
    bob: SecurePeer,
    knights: Option<Legacy>,
    home: SocketAddrV4,
}

impl Claim {
    fn new() -> Self {
        let knights = Legacy::start(Program::CryptoKnights);
        let bob_runs = Peer::named("Bob").start();
        let mut carol = Peer::named("Carol").start();
        knights.connect(carol.addr()).expect("Carol listens");
        carol.has_seen("CryptoKnights");
        carol.types(&["@cryptoknights hello"]);
        assert!(knights.wait_shown(": hello", SOON), "{:?}", knights.shown());
        befriends(&mut carol, &bob_runs);
        let bob = SecurePeer::with_key_of(&bob_runs, "Bob");
        drop(bob_runs);
        Self { carol, bob, home: knights.addr(), knights: Some(knights) }
    }

    fn bob_claims(&mut self) {
        // Bob is away, or he would be known to be where he was. The list asks who is online.
        let mark = sends(&mut self.carol, &["@bob where are you?"]);
        self.carol.says_it_waits(mark, "Bob");
        rows(&mut self.carol);
        let hello = claiming_port_of(&self.bob, self.home);
        let claimed = says_as(&self.bob, self.carol.addr(), hello, "I say that I am elsewhere");
        assert!(claimed, "Bob is a contact");
        self.carol.has_seen(": I say that I am elsewhere");
    }
}

#[test]
fn claimed_legacy_port_takes_over_no_conversation() {
    let mut scene = Claim::new();
    let row = row_number(&rows(&mut scene.carol), "CryptoKnights").to_string();
    scene.carol.types(&["/chat cryptoknights"]);
    scene.carol.has_seen("to CryptoKnights>");
    scene.bob_claims();
    scene.carol.types(&["in the conversation", "/back", "1", &row, "by its row"]);
    let knights = scene.knights.as_ref().expect("it runs");
    reaches_only(&scene.carol, "in the conversation", knights, &[&scene.bob]);
    reaches_only(&scene.carol, "by its row", knights, &[&scene.bob]);
    never_got(&scene.carol, "to Bob>");
}

#[test]
fn claimed_legacy_port_takes_over_no_queue() {
    let mut scene = Claim::new();
    scene.knights = None;
    is_free(scene.home);
    let mark = sends(&mut scene.carol, &["@cryptoknights for the legacy peer"]);
    scene.carol.says_it_waits(mark, "CryptoKnights");
    scene.bob_claims();
    scene.carol.types(&["/outbox again all"]);
    let knights = Legacy::start_at(Program::CryptoKnights, is_free(scene.home)).expect("the port is free");
    knights.connect(scene.carol.addr()).expect("Carol listens");
    reaches_only(&scene.carol, "for the legacy peer", &knights, &[&scene.bob]);
}

#[test]
fn promised_key_of_another_brings_them_no_message() {
    let bob = SecurePeer::named("Bob", b'B');
    let mallory = SecurePeer::named("Mallory", b'M');
    let mut carol = Peer::named("Carol").start();
    befriends_secure(&mut carol, &bob);
    // Her receipts claim Bob's key.
    mallory.says_it_is(Capability::Key(bob.key()));
    carol.types(&[&format!("@{} for Mallory alone", mallory.addr())]);
    mallory.waits("a question", |got| !got.plain.is_empty());
    carol.types(&["@bob for Bob alone"]);
    reaches_only(&carol, "for Bob alone", &bob, &[&mallory]);
    never_got(&bob, "for Mallory alone");
    mallory.waits("a check of the promise at her address", |got| got.opened > 0);
    // A peer that proves another key than it promised gets nothing either.
    never_got(&mallory, "for Mallory alone");
}

#[test]
fn promised_key_of_another_is_not_believed_later() {
    let bob = SecurePeer::named("Bob", b'B');
    let mallory = SecurePeer::named("Mallory", b'M');
    mallory.says_it_is(Capability::None);
    let mut carol = Peer::named("Carol").start();
    befriends_secure(&mut carol, &bob);
    // She is known as a legacy peer before she promises Bob's key.
    assert!(mallory.says_plainly(carol.addr(), "hello from Mallory").starts_with("[ACK]"));
    carol.has_seen(": hello from Mallory");
    mallory.says_it_is(Capability::Key(bob.key()));
    for number in 1..=3 {
        carol.types(&[&format!("@mallory number {number} for Mallory")]);
    }
    mallory.waits("a message or a question", |got| !got.said_plainly().is_empty() || got.opened > 0);
    carol.types(&["@bob for Bob alone"]);
    bob.hears("for Bob alone");
    never_got(&bob, "for Mallory");
}
