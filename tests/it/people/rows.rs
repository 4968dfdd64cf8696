//! A row number belongs to its peer for the whole run.

use crate::support::{Peer, SecurePeer};

use super::*;

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
