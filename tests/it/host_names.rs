//! Peers that are given by host name: `localhost`, and a name that nobody has.

use crate::legacy::{Legacy, Program};
use crate::support::Peer;

/// The top-level domain `invalid` has no names.
const UNKNOWN: &str = "nosuchhost.invalid:5000";

/// What is said of it.
const NOT_FOUND: &str = "Cannot find nosuchhost.invalid";

fn localhost(peer: &Peer) -> String {
    format!("localhost:{}", peer.addr().port())
}

#[test]
fn static_host_name_is_dialed_at_start() {
    let bob = Peer::named("Bob").start();
    let listed = format!("[[peer]]\naddress = \"{}\"\n", localhost(&bob));
    for alice in [
        Peer::named("Alice").peers_toml(&listed),
        Peer::named("Alice").saved_peers(&listed),
        Peer::named("Alice").arg("--peer").arg(localhost(&bob)),
        Peer::named("Alice").env("P2P_CHAT_PEER", &localhost(&bob)),
    ] {
        let mut alice = alice.start();
        alice.meets(&bob);
        alice.types(&["@bob by name"]);
        alice.sees("Delivered to Bob");
    }
}

#[test]
fn connect_by_name_connects_at_its_addresses() {
    let bob = Peer::named("Bob").start();
    let legacy = Legacy::start(Program::Hashpa);
    let mut alice = Peer::named("Alice").start();
    alice.types(&[&format!("/connect {}", localhost(&bob)), "@bob now by name"]);
    alice.sees("Connected to Bob");
    alice.sees("Delivered to Bob");
    // It listens over IPv4 only, which is no failure.
    alice.types(&["3", &format!("LOCALHOST:{}", legacy.addr().port()), "/name Alicia"]);
    alice.sees("Connected to ");
    alice.sees("You are now Alicia.");
    assert!(!alice.printed().iter().any(|line| line.contains("Not connected")), "{:?}", alice.printed());
}

#[test]
fn peer_is_added_by_name() {
    let bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").start();
    alice.types(&[&format!("/add {}", localhost(&bob)), "/contacts"]);
    alice.sees("Connected to Bob");
    alice.sees("Bob");
    alice.types(&[&format!("/add {UNKNOWN}")]);
    alice.sees(NOT_FOUND);
    alice.sees("No contact was added.");
}

#[test]
fn unknown_name_is_reported_in_one_line() {
    let mut alice = Peer::named("Alice").arg("--peer").arg(UNKNOWN).start();
    alice.sees(NOT_FOUND);
    alice.types(&[&format!("/connect {UNKNOWN}"), "/name Alicia"]);
    alice.sees(NOT_FOUND);
    alice.sees("You are now Alicia.");
    alice.ends_input();
    assert_eq!(alice.ends().code(), Some(1), "the refused line");
    let about: Vec<String> = alice
        .printed()
        .into_iter()
        .filter(|line| line.contains("nosuchhost") && !line.contains("/connect"))
        .collect();
    assert_eq!(about.len(), 2, "{about:?}");
}
