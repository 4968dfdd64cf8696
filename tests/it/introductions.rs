//! Introductions: `/introduce` asks two contacts, and a contact that accepts sends a signed contact
//! card.

use tempfile::TempDir;

use crate::invitations::{contacts, data, short, started};
use crate::support::{Peer, SOON, until};

/// Makes two peers contacts of each other.
fn become_contacts(one: &mut Peer, other: &mut Peer) {
    one.says(&other.addr().to_string(), "hello");
    other.sees(": hello");
    other.types(&[&format!("@{} hello too", one.name())]);
    one.sees(": hello too");
}

/// Alice, and her contacts Bob and Carol, who do not know each other.
fn three(data: &[TempDir; 3]) -> [Peer; 3] {
    let [mut alice, mut bob, mut carol] =
        [("Alice", 0), ("Bob", 1), ("Carol", 2)].map(|(name, at)| started(name, &data[at]).start());
    become_contacts(&mut alice, &mut bob);
    become_contacts(&mut alice, &mut carol);
    [alice, bob, carol]
}

/// The line that Bob reads when Alice introduces Carol.
fn introduces(whom: &Peer) -> String {
    let (name, word) = (whom.name(), whom.name().to_lowercase());
    format!(" introduces {name} (key {}): /accept {word} or /ignore {word}", short(&whom.key()))
}

/// The same after `/introduce bob carol`, which both read.
fn introduced(data: &[TempDir; 3]) -> [Peer; 3] {
    let [mut alice, mut bob, mut carol] = three(data);
    alice.types(&["/introduce bob carol"]);
    alice.sees("Asked Bob and Carol. Each sees it only if you are their contact.");
    bob.sees(&introduces(&carol));
    carol.sees(&introduces(&bob));
    [alice, bob, carol]
}

/// Ends a peer and starts it again, with the same data at the same port.
fn restarted(mut peer: Peer, data: &TempDir) -> Peer {
    peer.leaves();
    started(peer.name(), data).port(peer.addr().port()).start()
}

fn has_contact(data: &TempDir, profile: &str, other: &Peer) {
    until(SOON, "a contact", || contacts(data, profile).contains(&other.key()));
}

#[test]
fn introduced_contacts_who_both_accept_meet() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, mut carol] = introduced(&data);
    bob.types(&["/accept carol"]);
    bob.sees(&format!("Your contact card for Carol has {}.", bob.addr()));
    bob.sees("Alice passes your contact card on to Carol. Carol becomes a contact when they accept too.");
    alice.sees("Bob accepted the introduction; Carol gets their contact card.");
    assert!(!contacts(&data[2], "carol").contains(&bob.key()), "she has not accepted");
    carol.types(&["/accept bob"]);
    carol.sees("Added Bob to your contacts, introduced by Alice. Compare keys with /verify Bob.");
    bob.sees("Added Carol to your contacts, introduced by Alice. Compare keys with /verify Carol.");
    bob.types(&["@carol we are introduced"]);
    carol.sees(": we are introduced");
    // Carol held Bob's card. Bob may have met her before he got hers.
    let addr = bob.addr().to_string();
    until(SOON, "the address of the card", || contacts(&data[2], "carol").contains(&addr));
    for (data, profile, other) in [(&data[1], "bob", &carol), (&data[2], "carol", &bob)] {
        has_contact(data, profile, other);
        let toml = contacts(data, profile);
        assert!(!toml.contains("verified"), "{toml}");
    }
}

#[test]
fn introduction_survives_a_restart_of_each_peer() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, carol] = introduced(&data);
    alice.leaves();
    bob.sees(") left");
    bob.types(&["/accept carol"]);
    bob.sees("Alice is offline. When they are back, they get your contact card for Carol. Carol becomes");
    let mut bob = restarted(bob, &data[1]);
    let mut alice = started("Alice", &data[0]).port(alice.addr().port()).start();
    alice.sees("Bob accepted the introduction; Carol gets their contact card.");
    let _alice = restarted(alice, &data[0]);
    let mut carol = restarted(carol, &data[2]);
    carol.sees(&introduces(&bob));
    carol.types(&["/accept bob"]);
    carol.sees("Added Bob to your contacts, introduced by Alice.");
    bob.sees("Added Carol to your contacts, introduced by Alice.");
}

#[test]
fn ignored_introduction_sends_nothing_and_is_remembered() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, mut carol] = introduced(&data);
    bob.types(&["/requests"]);
    bob.sees(&introduces(&carol));
    bob.types(&["/ignore carol"]);
    bob.sees("Ignored Carol.");
    carol.types(&["/accept bob"]);
    alice.sees("Carol accepted the introduction; Bob gets their contact card.");
    let mut bob = restarted(bob, &data[1]);
    bob.sees("* Alice");
    alice.types(&["/introduce bob carol"]);
    // What comes after it is there.
    alice.types(&["@bob did you see it?"]);
    bob.sees(": did you see it?");
    assert!(!bob.printed().iter().any(|line| line.contains("introduces")), "{:?}", bob.printed());
    assert!(!contacts(&data[1], "bob").contains(&carol.key()));
}

#[test]
fn user_is_not_asked_about_a_contact() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, mut carol] = three(&data);
    bob.types(&[&format!("/add {}", carol.key())]);
    has_contact(&data[1], "bob", &carol);
    alice.types(&["/introduce bob carol"]);
    carol.sees(&introduces(&bob));
    carol.types(&["/accept bob"]);
    carol.sees("Bob becomes a contact when they accept too.");
    alice.sees("Carol accepted the introduction; Bob gets their contact card.");
    alice.types(&["@bob ready"]);
    bob.sees(": ready");
    assert!(!bob.printed().iter().any(|line| line.contains("introduces")), "{:?}", bob.printed());
    assert!(!alice.printed().iter().any(|line| line.contains("Bob accepted")), "{:?}", alice.printed());
    // Bob needs no card to connect to his contact, and Carol has accepted his key.
    bob.types(&[&format!("/connect {}", carol.addr())]);
    carol.sees("Added Bob");
    has_contact(&data[2], "carol", &bob);
    carol.types(&["/introduce"]);
    carol.sees("No introductions are waiting.");
}

#[test]
fn introduction_ends_with_a_forgotten_contact() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, _carol] = introduced(&data);
    bob.types(&["/block alice", "/introduce"]);
    bob.sees("No introductions are waiting.");
    alice.types(&["/forget carol", "yes", "/introduce"]);
    alice.sees("No introductions are waiting.");
}

#[test]
fn early_introduction_is_shown_once_introducer_is_accepted() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, mut carol] =
        [("Alice", 0), ("Bob", 1), ("Carol", 2)].map(|(name, at)| started(name, &data[at]).start());
    become_contacts(&mut alice, &mut bob);
    alice.says(&carol.addr().to_string(), "hello");
    carol.sees(": hello");
    alice.types(&["/introduce bob carol"]);
    bob.sees(&introduces(&carol));
    // Bob's card comes early, too.
    bob.types(&["/accept carol"]);
    alice.sees("Bob accepted the introduction; Carol gets their contact card.");
    // What follows is there, so the introduction is.
    alice.types(&["@carol please accept me"]);
    carol.sees(": please accept me");
    carol.types(&["/requests"]);
    carol.sees("No requests are waiting for your decision.");
    carol.types(&["/accept alice"]);
    carol.sees("Added Alice to your contacts.");
    carol.sees(&introduces(&bob));
    carol.types(&["/accept bob"]);
    carol.sees("Added Bob to your contacts, introduced by Alice.");
    bob.sees("Added Carol to your contacts, introduced by Alice.");
}

#[test]
fn user_chooses_the_addresses_of_the_card() {
    let data = [data(), data(), data()];
    let [_alice, mut bob, mut carol] = introduced(&data);
    carol.types(&["/accept bob"]);
    bob.types(&["/accept carol 192.0.2.7:5000 bob.example"]);
    bob.sees("`bob.example` is not an address");
    bob.types(&["/accept carol -"]);
    bob.sees("Your contact card for Carol has no address.");
    carol.sees("Added Bob");
    assert!(!contacts(&data[2], "carol").contains(&bob.addr().to_string()));
}

#[test]
fn only_two_contacts_with_keys_are_introduced() {
    let data = data();
    let mut alice = started("Alice", &data).start();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    bob.meets(&alice);
    alice.meets(&bob);
    for (line, sentence) in [
        ("/introduce bob", "Type two contacts, like /introduce bob carol."),
        ("/introduce bob carol", "Bob is not a contact yet: /add bob"),
        ("/ignore bob", "No introduction matches \"bob\". /requests lists all."),
    ] {
        alice.types(&[line]);
        alice.sees(sentence);
    }
    alice.types(&["/add bob", "/introduce bob bob"]);
    alice.sees("Type two different contacts.");
}

#[test]
fn introduced_namesake_of_a_contact_is_called_another() {
    let data = [data(), data(), data()];
    let [mut alice, mut bob, carol] = three(&data);
    let others = self::data();
    let mut other = started("Carol", &others).start();
    become_contacts(&mut bob, &mut other);
    alice.types(&["/introduce bob carol"]);
    let key = carol.key();
    let word = &key[..8];
    bob.sees(&format!(" introduces another Carol (key {}): /accept {word} or /ignore {word}", short(&key)));
    bob.types(&[&format!("/accept {word}")]);
    bob.sees("Alice passes your contact card on to Carol.");
}
