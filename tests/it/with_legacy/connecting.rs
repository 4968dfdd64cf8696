//! Asking to be listed, both ways, and finding a program again.

use super::{
    alice_who_knows, all_five, from, gets, go, is_heard, is_listed, knows, received, saw_no_noise, shown,
    shows,
};
use super::{becomes, peers_toml, starts_at};
use crate::legacy::{Legacy, Program};
use crate::support::{Peer, nobody};

/// Whether a program answers `connect` with `connect_ack`.
fn acknowledges(legacy: &Legacy) -> bool {
    matches!(legacy.program(), Program::R3 | Program::CryptoKnights)
}

/// What a program shows when Alice has sent it `connect`.
fn shown_connect(legacy: &Legacy, alice: &Peer) -> String {
    match legacy.program() {
        Program::R3 | Program::CryptoKnights => format!("{} asks to connect", alice.shown()),
        Program::Xyz => format!("{} connected", alice.shown()),
        Program::SmartCookies | Program::Hashpa => format!("{}: connect", alice.shown()),
    }
}

#[test]
fn connecting_lists_us_at_every_program() {
    for legacy in all_five() {
        let mut alice = Peer::named("Alice").start();
        let by = if legacy.program() == Program::R3 {
            // Its form is not known before it has written.
            legacy.send(alice.addr(), "hello").expect("Alice listens");
            alice.sees(": hello");
            "R3".to_owned()
        } else {
            legacy.addr().to_string()
        };
        alice.types(&["3", &by]);
        alice.sees("Connected to ");
        shows(&legacy, &shown_connect(&legacy, &alice));
        assert_eq!(received(&legacy), [from(&alice, &legacy, "connect")]);
        knows(&legacy, &[alice.addr()]);
        is_listed(&mut alice, &legacy, "connected");
        // R3 and CryptoKnights have answered with `connect_ack`, which is not answered in turn.
        assert_eq!(received(&legacy).len(), 1, "{:?}", received(&legacy));
    }
}

#[test]
fn static_programs_are_connected_at_the_start() {
    let five = all_five();
    let mut alice = Peer::named("Alice").peers_toml(&peers_toml(&five)).start();
    alice.sees("All 5 static peers are online.");
    for legacy in &five {
        alice.has_seen(&format!("* {} is online", shown(legacy)));
        shows(legacy, &shown_connect(legacy, &alice));
        assert_eq!(legacy.raw(), [from(&alice, legacy, "connect").as_bytes()]);
        knows(legacy, &[alice.addr()]);
        saw_no_noise(legacy);
    }
    for legacy in &five {
        is_listed(&mut alice, legacy, "connected");
    }
}

#[test]
fn connect_request_is_answered_on_its_own_connection() {
    let cookies = Legacy::start(Program::SmartCookies);
    let mut alice = Peer::named("Alice").start();
    let answer = cookies.connect(alice.addr()).expect("Alice listens");
    assert_eq!(answer.as_deref(), Some("CONNECTED"));
    assert_eq!(cookies.peers(), [alice.addr()]);
    is_listed(&mut alice, &cookies, "connected");
    assert_eq!(received(&cookies), [""; 0]);
}

#[test]
fn mutual_connects_do_not_echo_for_ever() {
    for program in [Program::R3, Program::CryptoKnights] {
        let legacy = Legacy::start(program);
        let mut alice = alice_who_knows([&legacy]);
        legacy.connect(alice.addr()).expect("Alice listens");
        gets(&legacy, &from(&alice, &legacy, "connect_ack"));
        alice.types(&["3", legacy.name()]);
        alice.sees("Connected to ");
        is_listed(&mut alice, &legacy, "connected");
        let expected = ["connect", "connect_ack", "connect"].map(|text| from(&alice, &legacy, text));
        assert_eq!(received(&legacy), expected);
    }
}

#[test]
fn restarted_static_programs_are_found_again() {
    let ports: Vec<_> = Program::ALL.into_iter().map(|program| (program, nobody())).collect();
    let five: Vec<_> = ports.iter().map(|(program, addr)| starts_at(*program, *addr)).collect();
    let mut alice = alice_who_knows(&five);
    for legacy in five.iter().filter(|legacy| acknowledges(legacy)) {
        is_heard(&mut alice, legacy);
    }
    let names: Vec<_> = five.iter().map(shown).collect();
    drop(five);
    go(&mut alice, &names);
    let five: Vec<_> = ports.iter().map(|(program, addr)| starts_at(*program, *addr)).collect();
    for legacy in &five {
        gets(legacy, &from(&alice, legacy, "connect"));
        knows(legacy, &[alice.addr()]);
        saw_no_noise(legacy);
    }
    for legacy in &five {
        becomes(&mut alice, legacy, "connected");
    }
}
