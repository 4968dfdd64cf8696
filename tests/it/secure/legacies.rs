//! A p2p-chat peer beside legacy programs: they notice nothing, and are never mistaken for p2p-chat
//! peers.

use super::times;
use crate::legacy::{Legacy, Program};
use crate::support::{Manner, Peer, SOON, SecurePeer, nobody};

/// What a program received that was not empty.
fn received(legacy: &Legacy) -> Vec<String> {
    let texts = legacy.raw().into_iter().filter(|bytes| !bytes.is_empty());
    texts.map(|bytes| String::from_utf8(bytes).expect("we send UTF-8")).collect()
}

/// Waits until one connection brought what ends like this.
fn gets(legacy: &Legacy, what: &str) {
    let got = legacy.wait_raw(|raw| raw.iter().any(|one| one.ends_with(what.as_bytes())), SOON);
    assert!(got, "{} never got `{what}`: {:?}", legacy.name(), received(legacy));
}

#[test]
fn legacy_programs_see_no_opening_line_or_key() {
    for program in Program::ALL {
        let legacy = Legacy::start(program);
        let mut alice = Peer::named("Alice").start();
        // R3's own form is only for who has shown it, so the program speaks first.
        let answer = legacy.connect(alice.addr()).expect("she listens").unwrap_or_default();
        assert!(!answer.contains("p2p-chat"), "{}: {answer}", legacy.name());
        // Some do not wait until she has read it.
        alice.sees(&format!("{}", legacy.addr()));
        alice.says(&legacy.addr().to_string(), "in plain, as ever");
        gets(&legacy, "Alice in plain, as ever");
        alice.types(&["0"]);
        alice.ends();
        for said in received(&legacy) {
            assert!(!said.to_lowercase().contains("p2p-chat"), "{}: {said}", legacy.name());
            // An empty connection is a probe.
            let is_plain = said.is_empty() || said.starts_with("127.0.0.1");
            assert!(is_plain && !said.contains('\n'), "{}: {said}", legacy.name());
        }
        assert!(!legacy.shown().iter().any(|line| line.contains("malformed")), "{:?}", legacy.shown());
        assert_eq!(times(&alice, "encrypt"), 0, "{:?}", alice.printed());
    }
}

#[test]
fn upgraded_legacy_address_is_soon_encrypted() {
    let home = nobody();
    let legacy = Legacy::start_at(Program::Hashpa, home).expect("the port is free");
    let mut alice = Peer::named("Alice").start();
    alice.says(&home.to_string(), "in plain, as ever");
    gets(&legacy, "Alice in plain, as ever");
    alice.sees(&format!("to {home}"));
    drop(legacy);
    let bob = SecurePeer::at("Bob", b'B', home);
    alice.says(&home.to_string(), "is it still you?");
    alice.sees(" (new, key ");
    alice.says(&home.to_string(), "what nobody else may read");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    assert!(bob.got().bodies().contains(&"what nobody else may read"));
    assert!(
        !bob.got().said_plainly().iter().any(|said| said.contains("nobody else")),
        "{:?}",
        bob.got().plain
    );
}

#[test]
fn required_encryption_sends_and_accepts_nothing_plain() {
    let bob = SecurePeer::named("Bob", b'B');
    let old = SecurePeer::named("Old", b'O');
    old.behaves(Manner::Says(Vec::new()));
    let mut alice = Peer::named("Alice").arg("--require-encryption").start();
    alice.says(&bob.addr().to_string(), "nobody is asked");
    alice.sees(&format!("Delivered to {}.", bob.name()));
    assert_eq!(bob.got().said_plainly(), [""; 0]);
    alice.says(&old.addr().to_string(), "not in plain");
    old.waits("the line", |got| got.opened > 0);
    assert_eq!(bob.says_plainly(alice.addr(), "can you hear me?"), "");
    bob.says(alice.addr(), &["this you can"]);
    alice.has_seen(&format!("{} [encrypted]: this you can", bob.shown()));
    assert_eq!(times(&alice, "can you hear me?"), 0);
    assert_eq!(old.got().said_plainly(), [""; 0]);
}
