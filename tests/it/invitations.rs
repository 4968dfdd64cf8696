//! Invitations: `p2p-chat id` and `/invite` show one, and `p2p-chat add`, `/add` or pasting it at
//! the menu adds the contact.

use tempfile::TempDir;

use crate::support::{Builder, Peer, SOON, nobody, refused, until};

#[cfg(unix)]
mod pasted;

pub(crate) fn data() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

/// A peer on loopback with the data directory `data`.
pub(crate) fn started(name: &str, data: &TempDir) -> Builder {
    Peer::named(name).arg("--bind=127.0.0.1").data_dir(data.path())
}

/// What a subcommand prints, after success without errors.
fn printed(builder: Builder) -> String {
    builder.without_port().prints()
}

/// The invitation of a peer on loopback.
fn invitation_of(peer: &Peer) -> String {
    format!("p2p-chat:{}?n={}&a={}", peer.key(), peer.name(), peer.addr())
}

/// The first two groups of a key.
pub(crate) fn short(key: &str) -> String {
    format!("{} {}", &key[..4], &key[4..8])
}

pub(crate) fn contacts(data: &TempDir, profile: &str) -> String {
    let file = data.path().join("profiles").join(profile).join("contacts.toml");
    std::fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn shown_invitation_connects_two_peers() {
    let (alices, bobs) = (data(), data());
    let mut alice = started("Alice", &alices).start();
    let mut bob = started("Bob", &bobs).start();
    alice.types(&["/invite"]);
    let invitation = invitation_of(&alice);
    alice.sees(&invitation);
    alice.sees(&format!("p2p-chat add '{invitation}'"));
    bob.types(&[&format!("/add {invitation}")]);
    bob.sees(&format!("The invitation is from Alice (key {}).", short(&alice.key())));
    bob.sees("Added Alice");
    alice.meets(&bob);
    let toml = contacts(&bobs, "bob");
    assert!(toml.contains(&alice.key()) && toml.contains(&alice.addr().to_string()), "{toml}");
    bob.says("Alice", "here I am");
    alice.sees("here I am");
    // Once more changes nothing.
    bob.types(&[&format!("/add {invitation}")]);
    bob.sees("is already a contact.");
}

#[test]
fn id_prints_the_invitation_with_the_known_port() {
    let alices = data();
    let id = || printed(started("Alice", &alices).arg("id"));
    let new = printed(started("Alice", &alices).arg("id").arg("--new"));
    assert!(new.contains("?n=Alice\n"), "{new}");
    assert!(
        new.ends_with(
            "The invitation has no address: the port of Alice is not known before its first start.\n"
        ),
        "{new}"
    );
    let mut alice = started("Alice", &alices).start();
    let running = id();
    let invitation = invitation_of(&alice);
    assert!(running.ends_with(&format!("\np2p-chat add '{invitation}'\n")), "{running}");
    alice.leaves();
    assert_eq!(id(), running, "the port of the last run");
    let other = printed(started("Alice", &alices).port(5123).arg("id"));
    assert!(other.contains("&a=127.0.0.1:5123\n"), "{other}");
}

#[test]
fn running_program_takes_the_added_invitation() {
    let (alices, bobs) = (data(), data());
    let mut alice = started("Alice", &alices).start();
    let mut bob = started("Bob", &bobs).start();
    let told = printed(started("Bob", &bobs).arg("add").arg(invitation_of(&alice)));
    let expected = format!(
        "Added Alice (key {}) to Bob's contacts; Bob is running (process {}).\n",
        short(&alice.key()),
        bob.pid()
    );
    assert_eq!(told, expected);
    bob.sees("Added Alice");
    alice.meets(&bob);
    until(SOON, "Alice is saved", || contacts(&bobs, "bob").contains(&alice.key()));
    let already = format!("Alice (key {}) is already a contact.", short(&alice.key()));
    let runs = format!("Bob is running (process {}).\n", bob.pid());
    let elsewhere = nobody();
    for (addrs, saved) in [("", ""), (&*format!("&a={elsewhere}"), " The new address is saved.")] {
        let invitation = invitation_of(&alice) + addrs;
        let told = printed(started("Bob", &bobs).arg("add").arg(invitation));
        assert_eq!(told, format!("{already}{saved} {runs}"));
    }
    until(SOON, "the address is saved", || contacts(&bobs, "bob").contains(&elsewhere.to_string()));
}

#[test]
fn contact_added_before_start_is_dialed() {
    let (alices, bobs) = (data(), data());
    let mut alice = started("Alice", &alices).start();
    printed(started("Bob", &bobs).arg("id").arg("--new"));
    let add = || printed(started("Bob", &bobs).arg("add").arg(invitation_of(&alice)));
    let key = short(&alice.key());
    let online = format!("They are online at {}. Start p2p-chat to chat with them.\n", alice.addr());
    assert_eq!(add(), format!("Added Alice (key {key}) to your contacts. {online}"));
    assert_eq!(add(), format!("Alice (key {key}) is already a contact. {online}"));
    let further = invitation_of(&alice) + &format!("&a={}&a={}", nobody(), nobody());
    let told = printed(started("Bob", &bobs).arg("add").arg(further));
    let saved = "The new addresses are saved.";
    assert_eq!(told, format!("Alice (key {key}) is already a contact. {saved} {online}"));
    assert!(!alice.printed().iter().any(|line| line.contains("Bob")), "{:?}", alice.printed());
    let away = printed(started("Carol", &bobs).arg("id").arg("--new"));
    assert!(away.contains("Name     Carol"), "{away}");
    let unreachable = invitation_of(&alice).replace(&alice.addr().to_string(), &nobody().to_string());
    let told = printed(started("Carol", &bobs).arg("add").arg(unreachable));
    assert!(told.ends_with("They did not answer. p2p-chat dials them when it starts.\n"), "{told}");
    let bob = started("Bob", &bobs).start();
    alice.meets(&bob);
}

#[test]
fn name_of_another_contact_gets_a_suffix() {
    let (bobs, alices) = (data(), [data(), data()]);
    let [one, other] = alices.each_ref().map(|data| started("Alice", data).start());
    let mut bob = started("Bob", &bobs).start();
    for alice in [&one, &other] {
        bob.types(&[&format!("/add {}", invitation_of(alice))]);
        bob.sees("Added Alice");
    }
    bob.leaves();
    let told = printed(started("Bob", &bobs).arg("add").arg(invitation_of(&other)));
    assert!(told.starts_with(&format!("Alice·{} (key ", &other.key()[..4])), "{told}");
}

#[test]
fn invitation_from_a_blocked_key_is_refused() {
    let bobs = data();
    let mut bob = started("Bob", &bobs).start();
    let key = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";
    bob.types(&[&format!("/add {key}"), &format!("/block {}", &key[..8])]);
    bob.sees("Blocked ");
    until(SOON, "the block is saved", || contacts(&bobs, "bob").contains("blocked = true"));
    let invitation = format!("p2p-chat:{key}?n=Eve");
    let sentence = "The invitation is from a blocked key.";
    // By the command, and pasted at the menu.
    bob.types(&[&format!("/add {invitation}"), &invitation]);
    for _ in 0..2 {
        let line = bob.sees(sentence);
        assert!(line.contains("/unblock aeaq"), "{line}");
    }
    let add = || refused(started("Bob", &bobs).arg("add").arg(&invitation));
    assert!(add().starts_with(&format!("p2p-chat: {sentence}")), "{}", add());
    bob.types(&["0"]);
    assert_eq!(bob.ends().code(), Some(1), "lines were refused");
    assert!(add().starts_with(&format!("p2p-chat: {sentence}")), "{}", add());
}
