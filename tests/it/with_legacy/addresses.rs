//! Honest programs that claim an IP which is not where they can be reached.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{all_five, becomes, from, gets, is_listed, knows, row, shown, shows, starts_at};
use crate::legacy::{Legacy, Program};
use crate::support::{Peer, is_sum, nobody};

/// What gethostbyname(hostname) says on many machines.
const HOSTNAME: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);

/// A program that listens at 127.0.1.1 only, says so, and dials from 127.0.0.1.
fn at_hostname(program: Program) -> Legacy {
    starts_at(program, SocketAddrV4::new(HOSTNAME, nobody().port()))
}

#[test]
fn program_with_a_wrong_ip_is_listed_reachably() {
    for legacy in all_five() {
        let legacy = legacy.claiming(HOSTNAME);
        let mut alice = Peer::named("Alice").start();
        legacy.send(alice.addr(), "guess where I am").expect("Alice listens");
        let claimed = SocketAddrV4::new(HOSTNAME, legacy.addr().port());
        let named = format!("{} ({}, claims to be {claimed})", legacy.name(), legacy.addr());
        alice.sees(&format!("] {named}: guess where I am"));
        is_listed(&mut alice, &legacy, "online");
        assert_eq!(alice.lists(claimed), None);
        alice.says(&legacy.name().to_lowercase(), "found you");
        alice.sees(&format!(" to {named}"));
        gets(&legacy, &from(&alice, &legacy, "found you"));
        shows(&legacy, &format!("{}: found you", alice.shown()));
        legacy.exit_to(alice.addr()).expect("Alice listens");
        alice.sees(&format!("* {named} left"));
        super::was_last_seen(&mut alice, &legacy, "left, ");
    }
}

#[test]
fn program_that_dials_from_elsewhere_is_reached() {
    for program in Program::ALL {
        let legacy = at_hostname(program);
        let mut alice = Peer::named("Alice").start();
        legacy.send(alice.addr(), "guess where I am").expect("Alice listens");
        alice.sees(": guess where I am");
        becomes(&mut alice, &legacy, "online");
        alice.says(&legacy.name().to_lowercase(), "found you");
        gets(&legacy, &from(&alice, &legacy, "found you"));
        alice.sees(&format!(" to {}", shown(&legacy)));
        legacy.send(alice.addr(), "once more").expect("Alice listens");
        alice.sees(&format!("] {}: once more", shown(&legacy)));
        is_one_row(&mut alice, &legacy);
        legacy.exit_to(alice.addr()).expect("Alice listens");
        alice.sees(&format!("* {} left", shown(&legacy)));
    }
}

#[test]
fn static_program_dialing_from_elsewhere_stays_one_peer() {
    let knights = at_hostname(Program::CryptoKnights);
    let mut alice = Peer::named("Alice").knows(knights.addr()).start();
    alice.sees("The static peer is online.");
    knows(&knights, &[alice.addr()]);
    knights.send(alice.addr(), "guess where I am").expect("Alice listens");
    alice.sees(": guess where I am");
    is_listed(&mut alice, &knights, "connected");
    alice.says("crypto", "found you");
    alice.sees(&format!("Sent to {}", shown(&knights)));
    gets(&knights, &from(&alice, &knights, "found you"));
    is_one_row(&mut alice, &knights);
}

/// Asserts that Alice knows one peer, at the address where it listens.
fn is_one_row(alice: &mut Peer, legacy: &Legacy) {
    let elsewhere = SocketAddrV4::new(Ipv4Addr::LOCALHOST, legacy.addr().port());
    assert_eq!(alice.lists(elsewhere), None, "nobody listens there; {} is {}", legacy.name(), legacy.addr());
    let row = row(alice, legacy);
    assert!(row.contains(legacy.name()), "{row}");
    let printed = alice.printed();
    let sum = printed.iter().rfind(|line| is_sum(line)).expect("a list");
    assert!(sum.starts_with("1 peer, "), "{sum}");
}
