//! A block covers a peer, or a source, and no other contact.

use std::net::TcpListener;
use std::time::Duration;

use crate::legacy::{Legacy, Program};
use crate::support::{MALLORY, Peer, SecurePeer, send_raw_from};

use super::*;

const SECRET: &str = "for Bob alone";

#[test]
fn blocked_peer_is_no_default_recipient() {
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    alice.meets(&bob);
    bob.types(&["@alice hello"]);
    alice.sees("[encrypted]: hello");
    bob.types(&["/block alice", "1"]);
    bob.sees("To whom? Number, name, ip:port or all. 0: back.");
}

/// Carol has written to Bob, who left. An impostor at his address calls itself Bob and is blocked.
fn impostor_is_blocked(carol: &mut Peer, bob: &Person) {
    let bob_runs = bob.starts();
    befriends(carol, &bob_runs);
    drop(bob_runs);
    let impostor = SecurePeer::at("Bob", b'M', bob.home);
    says_as(&impostor, carol.addr(), impostor.hello(), "I am Bob");
    let beginning = impostor.key().to_string().chars().take(4).collect::<String>();
    carol.has_seen(&beginning);
    carol.types(&["/block bob"]);
    carol.sees("locked");
}

/// Checks that messages for Bob wait, and that nothing unencrypted goes to his address.
fn bob_is_still_known(carol: &mut Peer, bob: &Person) {
    // Only Carol connects to this listener.
    let listener = TcpListener::bind(is_free(bob.home)).expect("the port is free");
    carol.types(&[&format!("@bob {SECRET}"), &format!("@{} to his address", bob.home)]);
    let opening = first_bytes(&listener);
    assert!("P2P-CHAT/1\n".starts_with(&opening), "sent unencrypted: {opening}");
    drop(listener);
    let bob_runs = bob.comes_to(bob.home, carol.addr());
    reaches_only(carol, SECRET, &bob_runs, &[]);
    reaches_only(carol, "to his address", &bob_runs, &[]);
    never_got(carol, "I am Bob");
}

#[test]
fn blocking_an_impostor_keeps_the_contact_after_restart() {
    let (bob, carol) = (Person::named("Bob"), Person::named("Carol"));
    let mut carol_runs = carol.starts();
    impostor_is_blocked(&mut carol_runs, &bob);
    carol_runs.leaves();
    bob_is_still_known(&mut carol.starts(), &bob);
}

#[test]
fn blocking_a_newcomer_keeps_the_old_contact() {
    let (bob, mallory) = (Person::named("Bob"), Person::named("Mallory"));
    let mut carol = Peer::named("Carol").start();
    for person in [&bob, &mallory] {
        befriends(&mut carol, &person.starts());
    }
    let mallory_runs = mallory.comes_to(is_free(bob.home), carol.addr());
    mallory_runs.has_seen("* Carol");
    carol.types(&["@mallory where are you?"]);
    mallory_runs.has_seen(": where are you?");
    carol.types(&["/block mallory"]);
    carol.sees("locked");
    drop(mallory_runs);
    bob_is_still_known(&mut carol, &bob);
}

#[test]
fn blocked_peer_does_not_return_under_its_name() {
    let mallory = SecurePeer::named("Mallory", b'M');
    let mut carol = Peer::named("Carol").start();
    says_as(&mallory, carol.addr(), mallory.hello(), "buy my things");
    carol.sees(": buy my things");
    carol.types(&["/block mallory"]);
    carol.sees("Blocked Mallory");
    carol.types(&["/blocked"]);
    let line = carol.sees("Mallory (key ");
    assert!(line.ends_with("): blocked"), "{line}");
    let notices = |carol: &Peer| carol.printed().iter().filter(|line| line.contains("* ")).count();
    let before = notices(&carol);
    assert!(!says_as(&mallory, carol.addr(), mallory.hello(), "with the same key"), "it is blocked");
    // Unencrypted, from its address and under its name.
    assert_eq!(mallory.says_plainly(carol.addr(), "in plain"), "");
    // With a new key.
    let other = SecurePeer::named("Mallory", b'N');
    assert!(!says_as(&other, carol.addr(), other.hello(), "with another key"), "it waits");
    carol.sees(" wants to chat, key ");
    assert_eq!(notices(&carol), before + 1, "no other line: {:#?}", carol.printed());
    // Others are heard as before.
    let bob = Peer::named("Bob").knows(carol.addr()).start();
    carol.has_seen(&format!("* {} is online", bob.shown()));
    let told = carol.received();
    for words in ["with the same key", "in plain", "with another key"] {
        assert!(!told.iter().any(|line| line.contains(words)), "{words}: {told:#?}");
    }
}

#[test]
fn peer_with_a_blocked_name_writes_only_encrypted() {
    let mut bob = Peer::named("Bob").arg("--policy=ask").start();
    let blocked = Peer::named("Dave").knows(bob.addr()).start();
    bob.sees(" wants to chat, key ");
    bob.types(&["/block dave"]);
    bob.sees("Blocked Dave");
    drop(blocked);
    let mut dave = Peer::named("Dave").start();
    dave.types(&[&format!("@{} {SECRET}", bob.addr())]);
    dave.has_seen("has not accepted you yet; your message waits.");
    bob.sees(" wants to chat, key ");
    never_got(&bob, SECRET);
    bob.types(&["/accept dave"]);
    reaches_only(&dave, SECRET, &bob, &[]);
    let told = bob.received();
    assert!(!told.iter().any(|line| line.contains("plain") || line.contains("unencrypted")), "{told:#?}");
}

/// A peer at the source that is blocked.
fn at_source(name: &str, message: u8) -> SecurePeer {
    SecurePeer::at(name, message, SocketAddrV4::new(MALLORY, 0))
}

/// What is answered to this message of an unencrypted peer at that source.
fn plain_from_source(carol: &Peer, name: &str, words: &str) -> String {
    let message = format!("{MALLORY}:9 {name} {words}");
    String::from_utf8(send_raw_from(MALLORY, carol.addr(), message.as_bytes())).expect("UTF-8")
}

/// Checks that strangers at the blocked source are neither heard nor answered, and that Bob there
/// is.
fn hears_only_bob(carol: &mut Peer, eve: &SecurePeer, bob: &SecurePeer, word: &str) {
    let unheard = format!("{word} spam");
    assert!(!says_as(eve, carol.addr(), eve.hello(), &unheard), "the known stranger");
    let fresh = at_source("Zoe", b'Z');
    assert!(!says_as(&fresh, carol.addr(), fresh.hello(), &unheard), "a stranger with a new key");
    assert_eq!(plain_from_source(carol, "Hashpa", &unheard), "");
    assert_eq!(plain_from_source(carol, "Bob", &unheard), "", "who says this has not proven to be Bob");
    assert_eq!(send_raw_from(MALLORY, carol.addr(), unheard.as_bytes()), b"", "no message");
    let heard = format!("{word} from a contact");
    bob.says(carol.addr(), &[&heard]);
    carol.has_seen(&format!(": {heard}"));
    carol.types(&[&format!("@bob {word} to a contact")]);
    bob.hears(&format!("{word} to a contact"));
    carol.still_answers();
    never_got(carol, &unheard);
}

#[test]
fn blocked_source_hides_no_contact_behind_it() {
    let carol = Person::named("Carol");
    let mut carol_runs = carol.starts();
    let (bob, eve) = (at_source("Bob", b'B'), at_source("Eve", b'E'));
    befriends_secure(&mut carol_runs, &bob);
    eve.says(carol_runs.addr(), &["buy my things"]);
    carol_runs.sees(": buy my things");
    carol_runs.types(&[&format!("/block {MALLORY}")]);
    carol_runs.sees(&format!("Blocked {MALLORY}. "));
    hears_only_bob(&mut carol_runs, &eve, &bob, "first");
    // Nothing goes there either.
    carol_runs.types(&[&format!("@{} hello", eve.addr()), "/blocked"]);
    carol_runs.sees(&format!("{MALLORY} is blocked. /unblock {MALLORY} unblocks them."));
    carol_runs.sees(&format!("{MALLORY}: blocked, except for your contacts there"));
    carol_runs.types(&["0"]);
    assert_eq!(carol_runs.ends().code(), Some(1), "the refused line");
    let mut carol_runs = carol.starts();
    hears_only_bob(&mut carol_runs, &eve, &bob, "second");
    carol_runs.types(&[&format!("/unblock {MALLORY}"), "/blocked"]);
    carol_runs.sees(&format!("Unblocked {MALLORY}."));
    carol_runs.sees("No peers are blocked");
    eve.says(carol_runs.addr(), &["am I heard?"]);
    carol_runs.has_seen(": am I heard?");
}

#[test]
fn blocked_source_edited_by_hand_takes_effect() {
    let mut carol = Peer::named("Carol").start();
    carol.types(&[&format!("/block {MALLORY}")]);
    carol.sees("Blocked ");
    let file = carol.data_dir().join("profiles/carol/contacts.toml");
    let entry = format!("[[blocked]]\nip = \"{MALLORY}\"\n");
    let text = std::fs::read_to_string(&file).expect("saved");
    assert!(text.contains(&entry), "{text}");
    std::fs::write(&file, text.replace(&entry, "# nobody\n")).expect("written");
    carol.sees(&format!("contacts.toml: {MALLORY} is no longer blocked."));
    at_source("Eve", b'E').says(carol.addr(), &["am I heard?"]);
    carol.has_seen(": am I heard?");
}

/// Checks that a blocked legacy peer is not heard under its name or from its address, and that
/// others are.
fn does_not_hear(carol: &mut Peer, hashpa: &Legacy, word: &str) {
    let unheard = format!("{word} spam");
    hashpa.send(carol.addr(), &unheard).expect("Carol listens");
    assert_eq!(plain_from_source(carol, "Hashpa", &unheard), "", "under its name");
    let under_another = format!("{} Zoe {unheard}", hashpa.addr());
    assert_eq!(send_raw_from(*hashpa.addr().ip(), carol.addr(), under_another.as_bytes()), b"");
    let heard = format!("{word} of another");
    assert_ne!(plain_from_source(carol, "Yan", &heard), "");
    carol.has_seen(&format!(": {heard}"));
    never_got(carol, &unheard);
}

#[test]
fn blocked_legacy_peer_is_not_heard_until_unblocked() {
    let carol = Person::named("Carol");
    let mut carol_runs = carol.starts();
    let hashpa = Legacy::start(Program::Hashpa);
    hashpa.send(carol_runs.addr(), "buy my things").expect("Carol listens");
    carol_runs.sees(": buy my things");
    carol_runs.types(&["/block hashpa"]);
    carol_runs.sees(&format!("Blocked Hashpa ({}, unencrypted).", hashpa.addr()));
    does_not_hear(&mut carol_runs, &hashpa, "first");
    carol_runs.types(&["/blocked", "@hashpa hello", &format!("@{} hello", hashpa.addr())]);
    carol_runs.sees(&format!("Hashpa ({}, unencrypted): blocked", hashpa.addr()));
    carol_runs.sees("Hashpa is blocked. /unblock hashpa unblocks them.");
    carol_runs.sees(&format!("Hashpa is blocked. /unblock {} unblocks them.", hashpa.addr()));
    // A key that takes its name waits.
    let eve = SecurePeer::named("Hashpa", b'E');
    assert!(!says_as(&eve, carol_runs.addr(), eve.hello(), "with a key"), "it waits");
    carol_runs.has_seen(" wants to chat, key ");
    carol_runs.types(&["0"]);
    assert_eq!(carol_runs.ends().code(), Some(1), "the refused lines");
    let mut carol_runs = carol.starts();
    let before = hashpa.raw().len();
    does_not_hear(&mut carol_runs, &hashpa, "second");
    assert_eq!(hashpa.raw().len(), before, "nothing is sent to it: {:?}", hashpa.received());
    carol_runs.types(&["/unblock hashpa", "/blocked"]);
    carol_runs.sees("Unblocked Hashpa");
    carol_runs.sees("No peers are blocked");
    hashpa.send(carol_runs.addr(), "am I heard?").expect("Carol listens");
    carol_runs.sees(": am I heard?");
    carol_runs.types(&["@hashpa yes, you are"]);
    assert!(hashpa.wait_raw(|raw| raw.iter().any(|bytes| bytes.ends_with(b"yes, you are")), SOON));
}

/// Returns the first bytes of the first connection that sends any.
fn first_bytes(listener: &TcpListener) -> String {
    use std::io::Read;

    socket2::SockRef::from(listener).set_read_timeout(Some(SOON)).expect("a timeout");
    loop {
        let (mut stream, _) = listener.accept().expect("Carol dials");
        stream.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        let mut bytes = Vec::new();
        // After the opening line the peer waits for an answer; a plain message ends at once.
        let _ = stream.read_to_end(&mut bytes);
        if !bytes.is_empty() {
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
}
