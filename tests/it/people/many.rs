//! Many people on one machine.

use crate::support::{Peer, SecurePeer, allow_descriptors};

/// More than the 100 keys that were once remembered for one IP address.
const PEOPLE: u8 = 150;

#[test]
fn all_of_many_on_one_machine_are_reached() {
    allow_descriptors();
    let mut carol = Peer::named("Carol").start();
    let people: Vec<SecurePeer> =
        (1..=PEOPLE).map(|number| SecurePeer::named(&format!("P{number:03}"), number)).collect();
    for (number, person) in people.iter().enumerate() {
        let words = format!("hello to {number:03}.");
        carol.types(&[&format!("@{} {words}", person.addr())]);
        person.hears(&words);
        carol.sees("Delivered");
    }
    // All of them are contacts now, so their names work.
    for (number, person) in people.iter().enumerate() {
        let words = format!("by name to {number:03}.");
        carol.types(&[&format!("@p{:03} {words}", number + 1)]);
        person.hears(&words);
    }
}
