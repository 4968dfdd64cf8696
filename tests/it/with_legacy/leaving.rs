//! Goodbyes, both ways.

use super::{
    alice_who_knows, all_five, from, gets, go, is_heard, is_listed, knows, shown, they_connect, was_last_seen,
};
use crate::legacy::{Legacy, Program};
use crate::support::Peer;

/// The bytes of Alice's goodbye to a program that has shown what it is.
fn goodbye(alice: &Peer, legacy: &Legacy) -> String {
    match legacy.program() {
        Program::SmartCookies => format!("127.0.0.1:{} DISCONNECTED", alice.addr().port()),
        _ => from(alice, legacy, "exit"),
    }
}

/// Waits until a program has taken Alice off its list. Hashpa takes `exit` for chat and keeps her.
fn forgets(legacy: &Legacy, alice: &Peer) {
    match legacy.program() {
        Program::Hashpa => knows(legacy, &[alice.addr()]),
        _ => knows(legacy, &[]),
    }
}

#[test]
fn disconnecting_tells_every_program_in_its_own_words() {
    let five = all_five();
    let mut alice = Peer::named("Alice").start();
    they_connect(&five, &alice);
    for legacy in &five {
        legacy.know(alice.addr());
        alice.types(&["4", &legacy.addr().to_string()]);
        let line = alice.sees("Disconnected from ");
        assert!(line.contains(&legacy.addr().to_string()) && line.ends_with('.'), "{line}");
        assert!(!line.contains("could not be told"), "{line}");
        gets(legacy, &goodbye(&alice, legacy));
        forgets(legacy, &alice);
        is_listed(&mut alice, legacy, "disconnected");
    }
}

#[test]
fn leaving_tells_every_program_in_its_own_words() {
    let five = all_five();
    let mut alice = Peer::named("Alice").start();
    they_connect(&five, &alice);
    for legacy in &five {
        legacy.know(alice.addr());
    }
    alice.types(&["0"]);
    alice.sees("Disconnecting from 5 peers.");
    assert!(alice.ends().success());
    for legacy in &five {
        gets(legacy, &goodbye(&alice, legacy));
        forgets(legacy, &alice);
        assert!(legacy.listener_alive(), "{}: {:?}", legacy.name(), legacy.cause_of_death());
    }
}

#[test]
fn unrecognized_smart_cookies_is_told_exit() {
    let cookies = Legacy::start(Program::SmartCookies);
    let mut alice = alice_who_knows([&cookies]);
    cookies.send(alice.addr(), "just a text").expect("Alice listens");
    alice.sees(": just a text");
    alice.types(&["4", "smart"]);
    alice.sees(&format!("Disconnected from {}.", shown(&cookies)));
    gets(&cookies, &from(&alice, &cookies, "exit"));
}

#[test]
fn exit_marks_a_program_gone_until_it_writes() {
    for legacy in all_five() {
        let mut alice = Peer::named("Alice").start();
        legacy.send(alice.addr(), "hello").expect("Alice listens");
        alice.sees(&format!("] {}: hello", shown(&legacy)));
        is_listed(&mut alice, &legacy, "online");
        legacy.exit_to(alice.addr()).expect("Alice listens");
        alice.sees(&format!("* {} left", shown(&legacy)));
        // Its program runs on and accepts, and still it left
        is_listed(&mut alice, &legacy, "left");
        legacy.send(alice.addr(), "I am back").expect("Alice listens");
        alice.sees(&format!("* {} is online", shown(&legacy)));
        alice.sees(&format!("] {}: I am back", shown(&legacy)));
        is_listed(&mut alice, &legacy, "online");
    }
}

#[test]
fn xyz_says_exit_when_its_user_quits() {
    let xyz = Legacy::start(Program::Xyz);
    let mut alice = alice_who_knows([&xyz]);
    knows(&xyz, &[alice.addr()]);
    xyz.quit();
    alice.sees(&format!("* {} left", shown(&xyz)));
    was_last_seen(&mut alice, &xyz, "left, ");
}

#[test]
fn program_that_quits_silently_is_found_offline() {
    let programs = [Program::R3, Program::SmartCookies, Program::Hashpa, Program::CryptoKnights];
    let four = programs.map(Legacy::start);
    let mut alice = alice_who_knows(&four);
    // Their `connect_ack` is not to come after they have quit.
    is_heard(&mut alice, &four[0]);
    is_heard(&mut alice, &four[3]);
    for legacy in &four {
        legacy.quit();
    }
    go(&mut alice, &four.each_ref().map(shown));
    for legacy in &four {
        was_last_seen(&mut alice, legacy, "");
    }
}

#[test]
fn smart_cookies_that_disconnects_is_gone() {
    let cookies = Legacy::start(Program::SmartCookies);
    let mut alice = Peer::named("Alice").start();
    cookies.connect(alice.addr()).expect("Alice listens");
    alice.sees(&format!("* {} is online", cookies.addr()));
    cookies.disconnect(alice.addr()).expect("Alice listens");
    alice.sees(&format!("* {} left", cookies.addr()));
    is_listed(&mut alice, &cookies, "left");
}
