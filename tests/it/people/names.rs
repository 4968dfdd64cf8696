//! A contact's exact name means the contact, even while it is offline.

use crate::support::{Peer, SecurePeer};

use super::*;

const SECRET: &str = "for Bob alone";

/// Checks that messages to `bob` reach only Bob. The sender has written to Bob, who left. The
/// stranger bobby is online.
fn is_for_bob(sender: &mut Peer, bob: &Person) {
    let bobby = SecurePeer::named("bobby", b'Y');
    assert!(says_as(&bobby, sender.addr(), bobby.hello(), "hello from bobby"), "bobby is a newcomer");
    sender.has_seen(": hello from bobby");
    let mark = sends(sender, &["/chat bob", &format!("{SECRET}, in a conversation")]);
    sender.types(&["/back", &format!("@bob {SECRET}, by name"), "1", "bob", &format!("{SECRET}, by menu")]);
    // A message for bobby reaches bobby.
    sender.types(&["@bobby for bobby alone"]);
    bobby.hears("for bobby alone");
    never_got(&bobby, SECRET);
    sender.says_it_waits(mark, "Bob");
    let bob = bob.comes_to(nobody(), sender.addr());
    for how in ["in a conversation", "by name", "by menu"] {
        reaches_only(sender, &format!("{SECRET}, {how}"), &bob, &[&bobby]);
    }
    never_got(&bob, "for bobby alone");
}

#[test]
fn offline_contact_wins_over_a_longer_name() {
    let bob = Person::named("Bob");
    let bob_runs = bob.starts();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    drop(bob_runs);
    is_for_bob(&mut carol, &bob);
}

#[test]
fn offline_contact_wins_after_a_restart() {
    let (bob, carol) = (Person::named("Bob"), Person::named("Carol"));
    let (bob_runs, mut carol_runs) = (bob.starts(), carol.starts());
    befriends(&mut carol_runs, &bob_runs);
    drop(bob_runs);
    carol_runs.leaves();
    is_for_bob(&mut carol.starts(), &bob);
}

#[test]
fn stranger_is_not_meant_by_a_beginning() {
    let bobby = SecurePeer::named("bobby", b'Y');
    let bob = Peer::named("Bobine").start();
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob);
    assert!(says_as(&bobby, carol.addr(), bobby.hello(), "hello from bobby"), "bobby is a newcomer");
    carol.has_seen(": hello from bobby");
    // The word matches a contact and a stranger, so it is refused on a pipe.
    carol.types(&["@bob for one of them"]);
    carol.types(&["@bobine for the contact", "@bobby for the stranger"]);
    bob.has_seen(": for the contact");
    bobby.hears("for the stranger");
    never_got(&bobby, "for one of them");
    never_got(&bob, "for one of them");
}
