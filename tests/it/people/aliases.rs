//! An alias and a mute belong to a person, not to an address.

use crate::support::Peer;

use super::*;

/// Carol, who has written to Bob and to Dave.
fn contacts() -> (Peer, [Person; 2], [Peer; 2]) {
    let people = [Person::named("Bob"), Person::named("Dave")];
    let running = [people[0].starts(), people[1].starts()];
    let mut carol = Peer::named("Carol").start();
    for peer in &running {
        befriends(&mut carol, peer);
    }
    (carol, people, running)
}

/// Bob and Dave come back, each at the address of the other.
fn swap(carol: &mut Peer, people: &[Person; 2], running: [Peer; 2]) -> [Peer; 2] {
    drop(running);
    let [bob, dave] = people;
    let running = [bob.comes_to(dave.home, carol.addr()), dave.comes_to(bob.home, carol.addr())];
    for peer in &running {
        peer.has_seen("* Carol");
    }
    // The list asks who is online.
    rows(carol);
    running
}

#[test]
fn alias_follows_its_person_across_a_restart() {
    let (bob, dave, carol) = (Person::named("Bob"), Person::named("Dave"), Person::named("Carol"));
    let (bob_runs, dave_runs) = (bob.starts(), dave.starts());
    let mut carol_runs = carol.starts();
    befriends(&mut carol_runs, &bob_runs);
    befriends(&mut carol_runs, &dave_runs);
    carol_runs.types(&["/alias bob Boss"]);
    carol_runs.has_seen("Boss");
    carol_runs.leaves();
    drop((bob_runs, dave_runs));
    let mut carol = carol.starts();
    let mut dave = dave.comes_to(bob.home, carol.addr());
    dave.has_seen("* Carol");
    let mark = sends(&mut carol, &["@Boss for Bob alone"]);
    dave.says(&carol.addr().to_string(), "Dave is at another address");
    carol.has_seen(": Dave is at another address");
    never_got(&dave, "for Bob alone");
    carol.says_it_waits(mark, "Boss");
    let bob = bob.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Bob alone", &bob, &[&dave]);
    carol.types(&["@dave for Dave alone"]);
    reaches_only(&carol, "for Dave alone", &dave, &[&bob]);
}

#[test]
fn mute_follows_its_person() {
    let (mut carol, people, running) = contacts();
    carol.types(&["/mute dave"]);
    carol.has_seen("Dave");
    let [mut bob, mut dave] = swap(&mut carol, &people, running);
    dave.says(&carol.addr().to_string(), "muted words");
    dave.sees("Delivered to Carol");
    bob.says(&carol.addr().to_string(), "words to be shown");
    carol.has_seen(": words to be shown");
    never_got(&carol, "muted words");
    carol.types(&["/unmute dave"]);
    carol.has_seen("Unmuted Dave.");
    dave.says("Carol", "no longer muted");
    carol.has_seen(": no longer muted");
}
