//! Who is there: our probes at the programs, and theirs at us.

use std::net::TcpStream;

use super::{all_five, from, is_listed, received, saw_no_noise, shown, they_connect};
use crate::legacy::{Legacy, Program};
use crate::support::{Peer, send_raw};

#[test]
fn listing_verifies_all_five_and_nobody_there_notices() {
    let five = all_five();
    let mut alice = Peer::named("Alice").start();
    they_connect(&five, &alice);
    for legacy in &five {
        is_listed(&mut alice, legacy, "connected");
    }
    for legacy in &five {
        match legacy.program() {
            // They asked to be answered so, and XYZ cannot be told from CryptoKnights by its
            // `connect`.
            Program::R3 | Program::CryptoKnights | Program::Xyz => {
                assert_eq!(received(legacy), [from(&alice, legacy, "connect_ack")]);
            }
            Program::SmartCookies => {
                assert_eq!((received(legacy), legacy.shown()), (Vec::new(), Vec::new()));
            }
            Program::Hashpa => {
                let ping = from(&alice, legacy, "PING");
                assert!(received(legacy).iter().all(|text| *text == ping), "{:?}", received(legacy));
                assert!(legacy.raw().iter().all(|bytes| !bytes.is_empty()), "an empty connection");
                assert_eq!(legacy.shown(), [""; 0]);
            }
        }
        saw_no_noise(legacy);
        assert!(legacy.listener_alive(), "{}: {:?}", legacy.name(), legacy.cause_of_death());
    }
}

#[test]
fn list_shows_connected_heard_stuck_and_gone_peers() {
    let [connected, spoke, stuck, ends] =
        [Program::CryptoKnights, Program::R3, Program::Xyz, Program::SmartCookies].map(Legacy::start);
    let mut alice = Peer::named("Alice").start();
    connected.connect(alice.addr()).expect("Alice listens");
    alice.sees(&format!("* {} is online", shown(&connected)));
    for legacy in [&spoke, &stuck, &ends] {
        legacy.send(alice.addr(), "hello").expect("Alice listens");
        alice.sees(&format!("] {}: hello", shown(legacy)));
        is_listed(&mut alice, legacy, "online");
    }
    // One idle connection keeps XYZ from serving anybody else.
    let idle = TcpStream::connect(stuck.addr()).expect("XYZ accepts");
    ends.quit();
    for (legacy, state) in
        [(&connected, "connected"), (&spoke, "online"), (&stuck, "unreachable"), (&ends, "offline")]
    {
        is_listed(&mut alice, legacy, state);
    }
    drop(idle);
    is_listed(&mut alice, &stuck, "online");
    assert!(stuck.listener_alive(), "{:?}", stuck.cause_of_death());
}

#[test]
fn legacy_probes_add_nobody_and_print_nothing() {
    let mut alice = Peer::named("Alice").start();
    alice.types(&["2"]);
    alice.sees("No peers yet");
    for legacy in all_five() {
        let probes = !matches!(legacy.program(), Program::Xyz | Program::SmartCookies);
        for _ in 0..3 {
            assert_eq!(legacy.probe(alice.addr()), probes, "{}", legacy.name());
        }
    }
    // The same once more, waiting until it is handled.
    let ping = format!("{} Hashpa PING", alice.addr());
    send_raw(alice.addr(), ping.as_bytes());
    assert_eq!(send_raw(alice.addr(), b""), b"");
    alice.types(&["2"]);
    alice.sees("No peers yet");
    let printed = alice.printed();
    let at_first = printed.iter().position(|line| line.contains("No peers yet")).expect("seen");
    assert_eq!(besides_prompts(&printed[at_first + 1..]), [printed[at_first].as_str()]);
}

fn besides_prompts(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).filter(|line| !line.starts_with("Choice [0-6]")).collect()
}
