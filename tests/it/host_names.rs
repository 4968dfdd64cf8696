//! Peers that are given by host name: `localhost`, and a name that nobody has.

use std::net::TcpListener;

use crate::legacy::{Legacy, Program};
use crate::support::{Peer, hear, v4};

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
fn host_name_with_a_key_expects_that_key() {
    let mut bob = Peer::named("Bob").start();
    let entry = |key: &str| format!("[[peer]]\naddress = \"{}\"\nkey = \"{key}\"\n", localhost(&bob));
    let text = entry(&bob.key());
    let mut alice = Peer::named("Alice").saved_peers(&text).start();
    alice.sees("is online");
    alice.types(&["@bob for this key"]);
    alice.sees("Delivered to Bob");
    bob.sees("for this key");
}

#[test]
fn legacy_peer_by_name_gets_connect() {
    let program = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = v4(program.local_addr().expect("bound"));
    let alice = Peer::named("Alice").arg("--peer").arg(format!("localhost:{}", at.port())).start();
    let connect = format!("127.0.0.1:{} Alice connect", alice.addr().port());
    assert_eq!(hear(&program).0, connect);
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

#[test]
fn only_known_peers_are_written_to_by_name() {
    let mut alice = Peer::named("Alice").start();
    alice.types(&["@bobs-laptop:5000 hello"]);
    alice.sees("No peer is known at bobs-laptop:5000 yet. Type /connect bobs-laptop:5000 first.");
}
