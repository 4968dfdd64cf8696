//! What a typed address means: the contact who is known there, or the first peer that proves
//! itself.

use crate::support::{Manner, Peer, SecurePeer};

use super::*;

#[test]
fn typed_address_binds_to_the_first_peer() {
    let home = nobody();
    let mut carol = Peer::named("Carol").start();
    carol.types(&[&format!("@{home} for the first peer")]);
    // Zed proves its key and gets the message, but sends no receipt.
    let zed = SecurePeer::at("Zed", b'Z', home);
    zed.behaves(Manner::CutsBehindTexts);
    zed.hears("for the first peer");
    drop(zed);
    let mallory = SecurePeer::at("Mallory", b'M', is_free(home));
    // This test does not check how Carol treats Mallory.
    says_as(&mallory, carol.addr(), mallory.hello(), "hello from Mallory");
    carol.types(&["/outbox again all"]);
    mallory.waits("a refused dial", |got| !got.ends.is_empty());
    never_got(&mallory, "for the first peer");
    let zed = SecurePeer::named("Zed", b'Z');
    assert!(says_as(&zed, carol.addr(), zed.hello(), "hello from Zed"), "Zed is no impostor");
    reaches_only(&carol, "for the first peer", &zed, &[&mallory]);
    carol.has_seen("Delivered to Zed");
}

#[test]
fn typed_address_names_the_peer_that_answers() {
    let bob = Person::named("Bob");
    let mut carol = Peer::named("Carol").start();
    carol.types(&[&format!("@{} for any peer", bob.home)]);
    carol.still_answers();
    let bob = bob.starts();
    reaches_only(&carol, "for any peer", &bob, &[]);
    carol.has_seen("Delivered to Bob");
}

#[test]
fn typed_address_of_a_contact_means_the_contact() {
    let (bob, dave) = (Person::named("Bob"), Person::named("Dave"));
    let (bob_runs, dave_runs) = (bob.starts(), dave.starts());
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    befriends(&mut carol, &dave_runs);
    drop((bob_runs, dave_runs));
    let mark = sends(&mut carol, &[&format!("@{} for Dave alone", dave.home)]);
    carol.says_it_waits(mark, "Dave");
    let mut bob = bob.comes_to(dave.home, carol.addr());
    bob.says(&carol.addr().to_string(), "Bob is at another address");
    carol.has_seen(": Bob is at another address");
    carol.types(&["@bob for Bob alone"]);
    bob.has_seen(": for Bob alone");
    never_got(&bob, "for Dave alone");
    let dave = dave.comes_to(nobody(), carol.addr());
    reaches_only(&carol, "for Dave alone", &dave, &[&bob]);
}

#[test]
fn typed_address_of_two_contacts_is_asked_about() {
    let (bob, dave) = (Person::named("Bob"), Person::named("Dave"));
    let (bob_runs, dave_runs) = (bob.starts(), dave.starts());
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    befriends(&mut carol, &dave_runs);
    drop((bob_runs, dave_runs));
    let mut bob = bob.comes_to(dave.home, carol.addr());
    bob.says(&carol.addr().to_string(), "Bob is at another address");
    carol.has_seen(": Bob is at another address");
    // Bob gets a message there, so he has proven the address, which is a hint of Dave, too.
    carol.types(&["@bob for Bob alone"]);
    bob.has_seen(": for Bob alone");
    carol.waits_for_delivery("Bob");
    carol.passes_all();
    carol.types(&[&format!("@{} for one of them", dave.home)]);
    carol.types(&["@bob again for Bob alone"]);
    bob.has_seen(": again for Bob alone");
    never_got(&bob, "for one of them");
    carol.sees_line("a question that names Dave", |line| line.contains("Dave"));
}
