use std::slice::from_ref;

use super::*;
use crate::model::message::Form;

const ME: PublicKey = PublicKey::new([99; KEY_BYTES]);

const NOW: u64 = 1_795_255_200;

fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; KEY_BYTES])
}

fn at(port: u16) -> PeerAddr {
    PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap()
}

fn addrs(ports: &[u16]) -> Vec<PeerAddr> {
    ports.iter().map(|port| at(*port)).collect()
}

/// A pin of long ago.
fn pin(number: u8, name: &str, ports: &[u16]) -> Pin {
    let name = Some(PeerName::new(name));
    Pin { key: key(number), name, addrs: addrs(ports), first_seen: 1, verified: None, blocked: false }
}

fn verified(pin: Pin) -> Pin {
    Pin { verified: Some(2), ..pin }
}

fn blocked(pin: Pin) -> Pin {
    Pin { blocked: true, ..pin }
}

/// An entry of peers.toml.
fn listed(number: u8, name: &str, ports: &[u16]) -> StaticPeer {
    StaticPeer {
        addr: at(ports[0]),
        name: Some(PeerName::new(name)),
        form: Form::Standard,
        key: Some(key(number)),
        also: addrs(&ports[1..]),
    }
}

/// What is known and listed after that, and what is told.
fn configured(pins: &[Pin], entry: StaticPeer) -> (Vec<Pin>, StaticPeer, Vec<String>) {
    let mut known = KnownPeers::open(None).unwrap();
    known.note(pins.iter().cloned().map(PinChange::Write)).unwrap();
    let mut peers = vec![entry];
    let told = known.configure(&mut peers, ME, NOW);
    for sentence in &told {
        assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
    }
    let entry = peers.pop().expect("still listed");
    (known.pins().cloned().collect(), entry, told)
}

#[test]
fn a_new_key_is_remembered_with_its_addresses_and_name() {
    let entry = listed(1, "Bob", &[5000, 5001]);
    let bob = Pin { first_seen: NOW, ..pin(1, "Bob", &[5000, 5001]) };
    assert_eq!(configured(&[], entry.clone()), (vec![bob.clone()], entry.clone(), vec![]));
    // The next time nothing changes.
    assert_eq!(configured(from_ref(&bob), entry.clone()), (vec![bob], entry, vec![]));
}

#[test]
fn what_is_known_of_a_key_stays_and_its_addresses_are_added() {
    let known = verified(pin(1, "Bobby", &[1, 2, 3, 4, 5, 6, 7, 8]));
    let (pins, _, told) = configured(from_ref(&known), listed(1, "Bob", &[5000, 2]));
    assert_eq!(pins, [Pin { addrs: addrs(&[1, 2, 3, 4, 5, 6, 7, 5000]), ..known }]);
    assert_eq!(told, [""; 0]);
    // None that is listed goes for another one that is.
    let known = pin(1, "Bob", &[1, 2, 3, 4, 5, 6, 7, 8]);
    let (pins, _, _) = configured(from_ref(&known), listed(1, "Bob", &[8, 9, 10]));
    assert_eq!(pins[0].addrs, addrs(&[1, 2, 3, 4, 5, 8, 9, 10]));
    let nine = listed(1, "Bob", &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let (pins, entry, _) = configured(&[], nine.clone());
    assert_eq!((pins[0].addrs.len(), entry), (MAX_HINTS, nine));
}

#[test]
fn a_key_that_was_only_met_at_the_address_has_to_go_and_that_is_told() {
    let old = pin(2, "Bob", &[1, 5000, 2]);
    let (pins, entry, told) = configured(from_ref(&old), listed(1, "Bob", &[5000]));
    // The name stays with whom it was.
    let new = Pin { first_seen: NOW, name: None, ..pin(1, "Bob", &[5000]) };
    assert_eq!(pins, [new, Pin { addrs: addrs(&[1, 2]), ..old }]);
    assert_eq!(entry, listed(1, "Bob", &[5000]));
    assert!(
        matches!(&told[..], [line] if line.starts_with("Bob is not expected at 127.0.0.1:5000 any more"))
    );
    assert!(told[0].contains(&key(2).grouped().to_string()));
}

#[test]
fn a_key_that_was_compared_keeps_its_address_and_the_other_one_is_not_taken() {
    let old = verified(pin(2, "Bob", &[5000]));
    let (pins, entry, told) = configured(from_ref(&old), listed(1, "bob", &[5000, 5001]));
    assert_eq!(pins, from_ref(&old));
    assert_eq!((entry.key, entry.also), (Some(key(2)), vec![]));
    assert!(matches!(&told[..], [line] if line.contains("another key for 127.0.0.1:5000 than that of Bob")));
    // Where it is a further address, only that is left out.
    let (pins, entry, told) = configured(from_ref(&old), listed(1, "Zoe", &[5001, 5000, 5002]));
    let zoe = Pin { first_seen: NOW, ..pin(1, "Zoe", &[5001, 5002]) };
    assert_eq!(pins, [zoe, old]);
    assert_eq!(entry, listed(1, "Zoe", &[5001, 5002]));
    assert_eq!(told.len(), 1);
}

#[test]
fn of_two_keys_that_were_compared_the_listed_one_has_the_address() {
    let (one, other) = (verified(pin(1, "Bob", &[1])), verified(pin(2, "Zoe", &[5000])));
    let (pins, entry, told) = configured(&[one.clone(), other.clone()], listed(1, "Bob", &[5000]));
    assert_eq!(pins, [Pin { addrs: addrs(&[1, 5000]), ..one }, Pin { addrs: vec![], ..other }]);
    assert_eq!((entry.key, told.len()), (Some(key(1)), 1));
}

#[test]
fn whoever_is_blocked_stays_blocked_and_has_neither_address_nor_name_from_others() {
    let mallory = blocked(verified(pin(1, "Mallory", &[5000])));
    let (pins, _, told) = configured(from_ref(&mallory), listed(1, "Bob", &[5001]));
    assert_eq!(pins, from_ref(&mallory));
    assert!(told[0].contains("is blocked and stays so"), "{told:?}");
    let (pins, _, told) = configured(from_ref(&mallory), listed(2, "Mallory", &[5000]));
    let new = Pin { first_seen: NOW, ..pin(2, "Mallory", &[5000]) };
    assert_eq!((pins, told), (vec![mallory, new], vec![]));
}

#[test]
fn our_own_entry_is_dropped_so_that_nobody_else_at_its_address_is_taken_for_a_plain_peer() {
    let mut known = KnownPeers::open(None).unwrap();
    let mut peers =
        vec![StaticPeer { key: Some(ME), ..listed(1, "Me", &[5000, 5001]) }, listed(2, "Bob", &[1])];
    assert_eq!(known.configure(&mut peers, ME, NOW), [""; 0]);
    assert_eq!((known.pins().count(), peers), (1, vec![listed(2, "Bob", &[1])]));
}

#[test]
fn of_two_new_keys_of_one_name_the_first_has_it() {
    let mut known = KnownPeers::open(None).unwrap();
    known.configure(&mut vec![listed(1, "Bob", &[1]), listed(2, "BOB", &[2])], ME, NOW);
    let names: Vec<_> = known.pins().map(|pin| pin.name.clone()).collect();
    assert_eq!(names, [Some(PeerName::new("Bob")), None]);
}

#[test]
fn a_full_list_is_told_once_it_matters() {
    let mut known = KnownPeers::open(None).unwrap();
    let numbered = |number: usize| {
        let mut bytes = [7; KEY_BYTES];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        PinChange::Write(Pin { key: PublicKey::new(bytes), ..pin(1, "Bob", &[]) })
    };
    known.note((0..crate::chat::MAX_PINS).map(numbered)).unwrap();
    let told = known.configure(&mut vec![listed(1, "Bob", &[5000])], ME, NOW);
    assert!(matches!(&told[..], [line] if line.starts_with("More than 10000 keys cannot be remembered.")));
}
