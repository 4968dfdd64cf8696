//! A row number belongs to its peer for the whole run.

use crate::support::{Peer, SecurePeer};

use super::*;

#[test]
fn row_number_stays_with_its_peer() {
    let (bob, dave) = (Person::named("Bob"), Person::named("Dave"));
    let mut carol = Peer::named("Carol").start();
    let (bob_runs, dave_runs) = (bob.starts(), dave.starts());
    befriends(&mut carol, &dave_runs);
    befriends(&mut carol, &bob_runs);
    let first = rows(&mut carol);
    let numbers = [row_number(&first, "Bob"), row_number(&first, "Dave")];
    let stay = |carol: &mut Peer, when: &str| {
        let rows = rows(carol);
        assert_eq!([row_number(&rows, "Bob"), row_number(&rows, "Dave")], numbers, "{when}: {rows:#?}");
    };
    // Other peers come, with names and addresses that sort before and after theirs.
    let others = [("Aaron", [127, 0, 0, 1]), ("Zoe", [127, 0, 77, 9]), ("carl", [127, 0, 0, 1])];
    let others: Vec<SecurePeer> = others
        .into_iter()
        .zip(b'p'..)
        .map(|((name, ip), message)| SecurePeer::at(name, message, SocketAddrV4::new(ip.into(), 0)))
        .collect();
    for other in &others {
        assert!(says_as(other, carol.addr(), other.hello(), "I am new"), "it is a newcomer");
        befriends_secure(&mut carol, other);
    }
    stay(&mut carol, "newcomers");
    drop(dave_runs);
    drop(bob_runs);
    stay(&mut carol, "both have gone");
    // Both come back, each at the other's address.
    let mut bob = bob.comes_to(dave.home, carol.addr());
    bob.says(&carol.addr().to_string(), "Bob has moved");
    carol.has_seen(": Bob has moved");
    stay(&mut carol, "Bob has moved");
    let mark = sends(&mut carol, &["1", &numbers[1].to_string(), "for Dave alone"]);
    carol.says_it_waits(mark, "Dave");
    let mut dave = dave.comes_to(nobody(), carol.addr());
    dave.says(&carol.addr().to_string(), "Dave has moved");
    carol.has_seen(": Dave has moved");
    reaches_only(&carol, "for Dave alone", &dave, &[&bob]);
    stay(&mut carol, "Dave has moved");
    carol.types(&["1", &numbers[0].to_string(), "for Bob alone"]);
    reaches_only(&carol, "for Bob alone", &bob, &[&dave]);
}

#[test]
fn row_number_of_a_forgotten_peer_stays_unused() {
    let mut carol = Peer::named("Carol").start();
    let ann = Peer::named("Ann").start();
    befriends(&mut carol, &ann);
    let number = row_number(&rows(&mut carol), "Ann");
    carol.types(&["/forget ann", "yes"]);
    let home = ann.addr();
    drop(ann);
    let ben = SecurePeer::at("Ben", b'N', is_free(home));
    befriends_secure(&mut carol, &ben);
    let rows = rows(&mut carol);
    assert_ne!(row_number(&rows, "Ben"), number, "{rows:#?}");
    carol.types(&["1", &number.to_string(), "for Ann alone"]);
    carol.types(&["@ben for Ben alone"]);
    ben.hears("for Ben alone");
    never_got(&ben, "for Ann alone");
}
