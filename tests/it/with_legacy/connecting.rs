//! Asking to be listed, both ways, and finding a program again.

use super::{
    alice_who_knows, all_five, from, gets, go, is_heard, is_listed, knows, received, saw_no_noise, shown,
    shows,
};
use super::{becomes, peers_toml, reserved, they_connect};
use crate::legacy::{Legacy, Program};
use crate::support::{Peer, SOON};

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
fn every_legacy_connect_is_listed_as_connected() {
    let five = all_five();
    let mut alice = Peer::named("Alice").start();
    they_connect(&five, &alice);
    for legacy in &five {
        is_listed(&mut alice, legacy, "connected");
        alice.has_seen(&legacy.addr().to_string());
    }
}

#[test]
fn connect_is_answered_in_the_form_it_had() {
    for program in [Program::R3, Program::CryptoKnights] {
        let legacy = Legacy::start(program);
        let alice = Peer::named("Alice").start();
        legacy.connect(alice.addr()).expect("Alice listens");
        gets(&legacy, &from(&alice, &legacy, "connect_ack"));
        let alice_is_connected = |peers: &[_]| peers == [alice.addr()];
        assert!(legacy.wait_connected(alice_is_connected, SOON), "{:?}", legacy.connected());
        shows(&legacy, &format!("{} is connected", alice.shown()));
        assert_eq!(received(&legacy).len(), 1, "{:?}", received(&legacy));
        saw_no_noise(&legacy);
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
    let ports: Vec<_> = Program::ALL.into_iter().map(|program| (program, reserved())).collect();
    let five: Vec<_> = ports.iter().map(|(program, port)| port.start(*program)).collect();
    let mut alice = alice_who_knows(&five);
    for legacy in five.iter().filter(|legacy| acknowledges(legacy)) {
        is_heard(&mut alice, legacy);
    }
    let names: Vec<_> = five.iter().map(shown).collect();
    drop(five);
    go(&mut alice, &names);
    let five: Vec<_> = ports.iter().map(|(program, port)| port.start(*program)).collect();
    for legacy in &five {
        gets(legacy, &from(&alice, legacy, "connect"));
        knows(legacy, &[alice.addr()]);
        saw_no_noise(legacy);
    }
    for legacy in &five {
        becomes(&mut alice, legacy, "connected");
    }
}

#[test]
fn connected_program_is_found_after_its_restart() {
    let port = reserved();
    let knights = port.start(Program::CryptoKnights);
    let mut alice = Peer::named("Alice").start();
    knights.connect(alice.addr()).expect("Alice listens");
    let shown = shown(&knights);
    alice.sees(&format!("* {shown} is online"));
    is_listed(&mut alice, &knights, "connected");
    drop(knights);
    go(&mut alice, std::slice::from_ref(&shown));
    let knights = port.start(Program::CryptoKnights);
    alice.sees(&format!("* {shown} is online"));
    knows(&knights, &[alice.addr()]);
    alice.says("CryptoKnights", "welcome back");
    shows(&knights, ": welcome back");
}

#[test]
fn late_static_program_is_connected_despite_the_list() {
    for program in [Program::R3, Program::CryptoKnights, Program::Xyz] {
        let port = reserved();
        let text = peers_toml([&port.start(program)]);
        let mut alice = Peer::named("Alice").peers_toml(&text).start();
        alice.sees("The static peer is offline");
        let legacy = port.start(program);
        assert!(alice.lists(port.addr).is_some());
        gets(&legacy, &from(&alice, &legacy, "connect"));
        knows(&legacy, &[alice.addr()]);
        becomes(&mut alice, &legacy, "connected");
    }
}

#[test]
fn listing_does_not_delay_finding_a_static_program() {
    let port = reserved();
    let text = peers_toml([&port.start(Program::CryptoKnights)]);
    let mut alice = Peer::named("Alice").peers_toml(&text).start();
    alice.sees("The static peer is offline");
    for _ in 0..6 {
        let row = alice.lists(port.addr).expect("static peers are listed");
        assert!(row.contains("  offline  "), "{row}");
    }
    // Alone, Alice would dial again one second after the start, and two and four seconds after
    // that.
    let knights = port.start(Program::CryptoKnights);
    alice.sees(&format!("* {} is online", shown(&knights)));
    knows(&knights, &[alice.addr()]);
}
