//! The next run: contacts are listed and dialed, also on another machine, with all settings.

use super::*;
use crate::legacy::{Legacy, Program};
use crate::support::copy_directory;

#[test]
fn contacts_are_listed_and_dialed_after_a_restart() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    let mut alice = started("Alice", &data).start();
    for peer in [&bob, &carol] {
        alice.types(&[&format!("@{} hello", peer.addr())]);
        alice.sees("Delivered to ");
    }
    alice.leaves();
    carol.crashes();
    bob.passes_all();
    // Alice has no peers.toml, and no peer dials her.
    let mut alice = started("Alice", &data).start();
    alice.has_seen(&format!("* {} is online", bob.shown()));
    bob.sees("* Alice (");
    lists_one(&mut alice, &["Bob", ": online"]);
    let offline = lists_one(&mut alice, &["Carol", "last seen "]);
    assert!(offline.contains(" ago, key "), "{offline}");
    // The contact is in the list, at its last address.
    let row = alice.lists(carol.addr()).expect("listed");
    assert!(row.contains("Carol"), "{row}");
    // Its name means it as soon as it is back.
    alice.types(&["@carol welcome back"]);
    let mut carol = carol.goes_on_as(Peer::named("Carol"));
    carol.sees(": welcome back");
}

#[test]
fn last_seen_is_the_end_of_the_run() {
    let data = data();
    let bob = Peer::named("Bob").start();
    let mut alice = started("Alice", &data).start();
    alice.types(&[&format!("@{} hello", bob.addr())]);
    alice.sees("Delivered to Bob");
    alice.still_answers();
    let before_the_end = format!("{:.3}", jiff::Timestamp::now());
    alice.leaves();
    let printed = asked(started("Alice", &data).arg("contacts").arg("--json")).well();
    let (_, seen) = printed.split_once("\"last_seen\":\"").expect("it was seen");
    assert!(seen > &*before_the_end, "{before_the_end}: {printed}");
}

#[test]
fn legacy_contact_is_dialed_after_restart() {
    let data = data();
    let knights = Legacy::start(Program::CryptoKnights);
    let addr = knights.addr();
    let mut alice = started("Alice", &data).start();
    knights.connect(alice.addr()).expect("she listens");
    alice.sees("is online");
    alice.types(&[&format!("@{addr} hello")]);
    assert!(knights.wait_shown("hello", SOON));
    until("a contact", || toml(&data, "alice").contains(&format!("legacy = \"{addr}\"\n")));
    alice.leaves();
    let printed = contacts("Alice", &data);
    assert!(printed.len() == 1 && printed[0].ends_with(&format!(" ago, {addr}, unencrypted")), "{printed:?}");
    let mut alice = started("Alice", &data).start();
    lists_one(&mut alice, &[&addr.to_string(), ": online"]);
    alice.types(&[&format!("@{} again", knights.name())]);
    assert!(knights.wait_shown("again", SOON));
}

#[test]
fn copied_profile_keeps_its_contacts() {
    let (old, new) = (data(), data());
    let mut bob = Peer::named("Bob").start();
    let mut alice = started("Alice", &old).start();
    alice.types(&[&format!("@{} hello", bob.addr())]);
    bob.sees(": hello");
    alice.sees("Delivered to Bob");
    alice.types(&["/alias bob Boss"]);
    alice.sees("is now called Boss");
    alice.leaves();
    let before = contacts("Alice", &old);
    copy_directory(old.path(), new.path());
    drop(old);
    bob.passes_all();
    // On another machine, Alice has another address.
    let mut alice = started("Alice", &new).arg("--bind=127.0.0.2").start();
    alice.types(&["@boss from my new machine"]);
    bob.sees("] Alice (127.0.0.2:");
    bob.has_seen("from my new machine");
    let without_time = |line: &String| line.split(": last seen ").next().map(str::to_owned);
    let after = contacts("Alice", &new);
    assert_eq!(
        after.iter().map(without_time).collect::<Vec<_>>(),
        before.iter().map(without_time).collect::<Vec<_>>()
    );
    assert!(bob.printed().iter().all(|line| !line.contains("key has changed")), "{:?}", bob.printed());
}
