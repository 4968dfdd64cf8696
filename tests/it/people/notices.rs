//! Notices about peers do not fill the screen, and hide nothing that the user has to know.

use std::time::Instant;

use p2p_chat::model::name::PeerName;
use p2p_chat::protocol::session::ByeReason;

use crate::support::{MALLORY, Peer, SecurePeer, send_raw_from};

use super::*;

/// How often the stranger comes under another name and leaves: more than a screen has lines.
const RECONNECTS: usize = 50;

/// Kinds of notices that a peer causes that comes and leaves: it is online with a new key, has
/// left, is online again, and has another name.
const KINDS: usize = 4;

/// Comes under this name, and leaves.
fn drops_by(eve: &SecurePeer, to: SocketAddrV4, name: &str) {
    let mut hello = eve.hello();
    hello.name = PeerName::new(name);
    let (session, _) = eve.greets_as(to, hello).expect("a stranger is welcome");
    session.leaves(ByeReason::Leaves);
}

/// The notices about a peer at this address.
fn notices_about(carol: &Peer, addr: SocketAddrV4) -> Vec<String> {
    let (stars, addr) = ("* ", format!("({addr})"));
    carol.printed().into_iter().filter(|line| line.contains(stars) && line.contains(&addr)).collect()
}

#[test]
fn renaming_stranger_prints_few_lines() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut carol = Peer::named("Carol").start();
    befriends_secure(&mut carol, &bob);
    let eve = SecurePeer::named("Eve", b'E');
    let began = Instant::now();
    for number in 0..RECONNECTS {
        drops_by(&eve, carol.addr(), &format!("Eve{number}"));
        if number == RECONNECTS / 2 {
            // A contact is heard meanwhile, and so is that its key seems to have changed.
            bob.says(carol.addr(), &["can you hear me?"]);
            carol.has_seen(": can you hear me?");
            let impostor = SecurePeer::named("Bob", b'M');
            assert!(!says_as(&impostor, carol.addr(), impostor.hello(), "I am Bob"), "it waits");
            carol.has_seen("WARNING: Bob");
        }
    }
    carol.still_answers();
    let minutes = usize::try_from(began.elapsed().as_secs() / 60).expect("few");
    let told = notices_about(&carol, eve.addr());
    assert!(!told.is_empty() && told.len() <= KINDS * (1 + minutes), "{told:#?}");
    bob.says(carol.addr(), &["and now?"]);
    carol.has_seen(": and now?");
}

#[test]
fn muted_peer_causes_no_notices() {
    let bob = SecurePeer::named("Bob", b'B');
    let eve = SecurePeer::named("Eve", b'E');
    let mut carol = Peer::named("Carol").start();
    befriends_secure(&mut carol, &eve);
    carol.types(&["/mute eve"]);
    carol.sees("Muted Eve.");
    let before = notices_about(&carol, eve.addr());
    for name in ["Eve", "Evi", "Eva"] {
        drops_by(&eve, carol.addr(), name);
    }
    // Another machine writes unencrypted in her name.
    send_raw_from(MALLORY, carol.addr(), format!("{MALLORY}:9 Eva hear me").as_bytes());
    // The notices about others are shown as before.
    bob.says(carol.addr(), &["here I am"]);
    carol.has_seen(&format!("* {} is online", bob.shown()));
    carol.has_seen(": here I am");
    assert_eq!(notices_about(&carol, eve.addr()), before);
    never_got(&carol, "hear me");
    carol.types(&["/unmute eva"]);
    carol.sees("Unmuted Eva.");
    drops_by(&eve, carol.addr(), "Eva");
    carol.sees(&format!("* Eva ({}) left", eve.addr()));
}
