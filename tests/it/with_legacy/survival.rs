//! XYZ, whose listener dies for good of what the others bear.

use super::{Legacy, alice_who_knows, from, gets, go, is_listed, received, shown, shows, starts_at};
use crate::legacy::Program;
use crate::support::{Peer, nobody};

fn lives(xyz: &Legacy) {
    assert!(xyz.listener_alive(), "XYZ died: {:?}; it had got {:?}", xyz.cause_of_death(), xyz.raw());
}

#[test]
fn nothing_that_our_user_does_kills_xyz() {
    let xyz = Legacy::start(Program::Xyz);
    let r3 = Legacy::start(Program::R3);
    let mut alice = alice_who_knows([&xyz, &r3]);
    xyz.send(alice.addr(), "hello").expect("Alice listens");
    r3.connect(alice.addr()).expect("Alice listens");
    alice.sees(": hello");
    is_listed(&mut alice, &xyz, "connected");

    alice.says("all", "for both of you");
    alice.sees("Sent to 2 of 2.");
    for (number, text) in odd_texts().iter().enumerate() {
        alice.says("xyz", text);
        alice.sees("Sent to XYZ");
        lives(&xyz);
        alice.says("xyz", &format!("that was number {number}"));
        shows(&xyz, &format!("that was number {number}"));
    }
    for line in received(&xyz) {
        assert!(line.starts_with(&from(&alice, &xyz, "")) && line.len() <= 1024, "{line:?}");
        assert!(!line.contains(|c: char| c.is_control()), "{line:?}");
    }

    for _ in 0..2 {
        alice.types(&["4", "xyz"]);
        alice.sees(&format!("Disconnected from {}.", shown(&xyz)));
        alice.types(&["3", "xyz"]);
        alice.sees(&format!("Connected to {}.", shown(&xyz)));
        is_listed(&mut alice, &xyz, "connected");
    }
    alice.types(&["3", ""]);
    alice.sees("Connected to 2 of 2.");
    alice.leaves();
    shows(&xyz, "left");
    lives(&xyz);
    // It still serves the next peer.
    let mut next = Peer::named("Next").start();
    next.says(&xyz.addr().to_string(), "do you live?");
    shows(&xyz, &format!("{}: do you live?", next.shown()));
    lives(&xyz);
}

/// Texts that a person may type or paste, and a program may stumble over.
fn odd_texts() -> Vec<String> {
    // Texts of every length around the limit, so that some cut would go through a character if it
    // could.
    let around =
        (980..1030).step_by(7).map(|bytes| format!("{}{}", "x".repeat(bytes % 4), "é漢🙂".repeat(bytes / 9)));
    let odd = [
        "a\tb\u{7}c\u{1b}[31md\u{0}e",
        "\u{a0}no-break \u{3000} ideographic \u{2003} em",
        "\u{200b}zero \u{202e}width \u{feff}and bidi\u{2066}",
        "one\u{2028}two\u{85}three\u{b}four\rfive",
        "127.0.0.1 5000 Mallory hello",
        "127.0.0.1:99999 Mallory hello",
        "[::1]:5000 Mallory hello",
        "e\u{301}\u{301}\u{301} \u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{10ffff}",
        "exit now, please; connect me, PING",
        "%s {} \\ ' \" ` $HOME",
    ];
    odd.map(str::to_owned).into_iter().chain(around).collect()
}

#[test]
fn xyz_lives_through_our_crash() {
    let xyz = Legacy::start(Program::Xyz);
    let mut alice = alice_who_knows([&xyz]);
    xyz.send(alice.addr(), "hello").expect("Alice listens");
    alice.sees(": hello");
    alice.says("xyz", &"漢".repeat(4_000));
    gets_the_first_part(&xyz);
    alice.crashes();
    let mut next = Peer::named("Next").start();
    next.says(&xyz.addr().to_string(), "do you live?");
    shows(&xyz, &format!("{}: do you live?", next.shown()));
    lives(&xyz);
}

fn gets_the_first_part(xyz: &Legacy) {
    shows(xyz, ": (1/");
}

#[test]
fn xyz_survives_at_a_port_r3_had_before() {
    let home = nobody();
    let r3 = starts_at(Program::R3, home);
    let mut alice = Peer::named("Alice").start();
    r3.connect(alice.addr()).expect("Alice listens");
    alice.sees(&format!("* {} is online", shown(&r3)));
    is_listed(&mut alice, &r3, "connected");
    let name = shown(&r3);
    drop(r3);
    go(&mut alice, &[name]);
    // Another program starts at that port, and Alice probes the peer that was connected.
    let xyz = starts_at(Program::Xyz, home);
    alice.sees(" is online");
    lives(&xyz);
    gets(&xyz, &from(&alice, &xyz, "connect"));
}
