//! A real p2p-chat and stand-ins for the five legacy programs, each way.
//!
//! Compares the bytes that a program receives and the words that our user reads. docs/LEGACY.md
//! says what the legacy programs cannot read.

mod addresses;
mod connecting;
mod leaving;
mod listing;
mod policies;
mod survival;
mod texts;

use std::net::SocketAddrV4;
use std::time::Instant;

use crate::legacy::{Legacy, Program};
use crate::support::{Peer, SOON};

/// The name and address by which our user sees a program.
fn shown(legacy: &Legacy) -> String {
    format!("{} ({})", legacy.name(), legacy.addr())
}

/// The bytes of `text` from `peer`, in the one form that the program reads.
fn from(peer: &Peer, legacy: &Legacy, text: &str) -> String {
    match legacy.program() {
        Program::R3 => format!("127.0.0.1 {} Alice {text}", peer.addr().port()),
        _ => format!("127.0.0.1:{} Alice {text}", peer.addr().port()),
    }
}

/// What the program received that was not empty, one entry for each connection.
fn received(legacy: &Legacy) -> Vec<String> {
    let texts = legacy.raw().into_iter().filter(|bytes| !bytes.is_empty());
    texts.map(|bytes| String::from_utf8(bytes).expect("we send UTF-8")).collect()
}

/// Waits until one connection brought exactly these bytes to the program.
fn gets(legacy: &Legacy, bytes: &str) {
    let got = legacy.wait_raw(|raw| raw.iter().any(|one| one == bytes.as_bytes()), SOON);
    assert!(got, "{} never got `{bytes}`: {:?}", legacy.name(), received(legacy));
}

/// Waits until the program's user has seen a line that holds `words`.
fn shows(legacy: &Legacy, words: &str) {
    assert!(legacy.wait_shown(words, SOON), "{} never showed `{words}`: {:?}", legacy.name(), legacy.shown());
}

/// Waits until the program lists exactly `peers`.
fn knows(legacy: &Legacy, peers: &[SocketAddrV4]) {
    let known = legacy.wait_peers(|known| known == peers, SOON);
    assert!(known, "{} lists {:?}, not {peers:?}", legacy.name(), legacy.peers());
}

/// Asserts that nobody at the program was shown a line about something that it could not read.
fn saw_no_noise(legacy: &Legacy) {
    let shown = legacy.shown();
    assert!(!shown.iter().any(|line| line.contains("malformed")), "{}: {shown:?}", legacy.name());
}

/// Starts a program at this address, where another may just have ended.
fn starts_at(program: Program, addr: SocketAddrV4) -> Legacy {
    Legacy::start_at(program, addr).expect("a port of our own")
}

/// One of each program.
fn all_five() -> Vec<Legacy> {
    Program::ALL.into_iter().map(Legacy::start).collect()
}

/// A peers.toml that lists these programs, R3 with its form.
fn peers_toml<'a>(programs: impl IntoIterator<Item = &'a Legacy>) -> String {
    let entry = |legacy: &Legacy| {
        let form = if legacy.program() == Program::R3 { "form = \"r3\"\n" } else { "" };
        format!("[[peer]]\naddress = \"{}\"\nname = \"{}\"\n{form}", legacy.addr(), legacy.name())
    };
    programs.into_iter().map(entry).collect()
}

/// Alice, who has all these programs as static peers and is connected to them.
fn alice_who_knows<'a>(programs: impl IntoIterator<Item = &'a Legacy>) -> Peer {
    let list = peers_toml(programs);
    let mut alice = Peer::named("Alice").peers_toml(&list).start();
    match list.matches("[[peer]]").count() {
        1 => alice.sees("The static peer is online."),
        2 => alice.sees("Both static peers are online."),
        count => alice.sees(&format!("All {count} static peers are online.")),
    };
    alice
}

/// Each program connects in its own way, and our user is told of each.
fn they_connect(programs: &[Legacy], alice: &Peer) {
    for legacy in programs {
        let answer = legacy.connect(alice.addr()).expect("Alice listens");
        let expected = (legacy.program() == Program::SmartCookies).then(|| "CONNECTED".to_owned());
        assert_eq!(answer, expected, "{}", legacy.name());
        match legacy.program() {
            Program::Hashpa => alice.has_seen(&format!("] {}: Hello, I am connecting!", shown(legacy))),
            // The two-field form holds no name.
            Program::SmartCookies => alice.has_seen(&format!("* {} is online", legacy.addr())),
            _ => alice.has_seen(&format!("* {} is online", shown(legacy))),
        };
    }
}

/// The row of a program, which has to be there.
fn row(alice: &mut Peer, legacy: &Legacy) -> String {
    alice.lists(legacy.addr()).unwrap_or_else(|| panic!("{} is not listed", legacy.name()))
}

/// Asserts that a program is listed in this state.
fn is_listed(alice: &mut Peer, legacy: &Legacy, state: &str) {
    let row = row(alice, legacy);
    assert!(row.contains(&format!("  {state}  ")), "{} is not {state}: {row}", legacy.name());
}

/// Asserts that a program is listed as an offline contact.
fn was_last_seen(alice: &mut Peer, legacy: &Legacy, how: &str) {
    let row = row(alice, legacy);
    let words = format!("  {how}last seen ");
    assert!(row.contains(&words) && row.contains(" ago "), "{} is not{words}: {row}", legacy.name());
}

/// Waits until a program is listed in this state, which something under way brings about.
fn becomes(alice: &mut Peer, legacy: &Legacy, state: &str) {
    let deadline = Instant::now() + SOON;
    loop {
        // Until it was dialed it may be listed elsewhere.
        let row = alice.lists(legacy.addr());
        if row.as_ref().is_some_and(|row| row.contains(&format!("  {state}  "))) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} is not {state}:\n{}",
            legacy.name(),
            alice.printed().join("\n")
        );
    }
}

/// Lists until our user was told of these programs, by the names that they are shown with, that
/// they are gone. One list may not do: a probe that was under way when a program ended can still
/// vouch for it.
fn go(alice: &mut Peer, names: &[String]) {
    let deadline = Instant::now() + SOON;
    let told = |alice: &Peer, name: &String| {
        let line = format!("* {name} is offline");
        alice.printed().iter().any(|printed| printed.contains(&line))
    };
    while !names.iter().all(|name| told(alice, name)) {
        assert!(Instant::now() < deadline, "not all gone: {names:?}");
        alice.types(&["2"]);
        alice.sees_sum();
    }
}

/// Waits until Alice has heard a program, such as its `connect_ack`.
fn is_heard(alice: &mut Peer, legacy: &Legacy) {
    let deadline = Instant::now() + SOON;
    while row(alice, legacy).contains("never") {
        assert!(Instant::now() < deadline, "nothing came from {}", legacy.name());
    }
}
