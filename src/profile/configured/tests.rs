use std::slice::from_ref;

use super::*;
use crate::model::host::Endpoint;
use crate::model::key::KEY_BYTES;
use crate::model::name::PeerName;

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

/// A pin that is older than `NOW`.
fn pin(number: u8, name: &str, ports: &[u16]) -> Pin {
    let name = Some(PeerName::new(name));
    Pin {
        key: key(number),
        name,
        contact: true,
        addrs: addrs(ports),
        given: addrs(ports),
        first_seen: 1,
        verified: None,
        blocked: false,
    }
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
        name: Some(PeerName::new(name)),
        key: Some(key(number)),
        also: addrs(&ports[1..]).into_iter().map(Endpoint::from).collect(),
        ..StaticPeer::at(at(ports[0]))
    }
}

/// Returns the pins, the entry, and the warnings after the entry is applied.
fn configured(pins: &[Pin], entry: StaticPeer) -> (Vec<Pin>, StaticPeer, Vec<String>) {
    let mut pins: BTreeMap<PublicKey, Pin> = pins.iter().cloned().map(|pin| (pin.key, pin)).collect();
    let mut peers = vec![entry];
    let told = configure(&mut pins, &mut peers, ME, NOW);
    for sentence in &told {
        assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
    }
    let entry = peers.pop().expect("still listed");
    (pins.into_values().collect(), entry, told)
}

#[test]
fn new_key_is_saved_with_addresses_and_name() {
    let entry = listed(1, "Bob", &[5000, 5001]);
    let bob = Pin { first_seen: NOW, ..pin(1, "Bob", &[5000, 5001]) };
    assert_eq!(configured(&[], entry.clone()), (vec![bob.clone()], entry.clone(), vec![]));
    // The next time nothing changes.
    assert_eq!(configured(from_ref(&bob), entry.clone()), (vec![bob], entry, vec![]));
}

#[test]
fn known_pin_stays_and_gets_listed_addresses() {
    let known = verified(pin(1, "Bobby", &[1, 2, 3, 4, 5, 6, 7, 8]));
    let (pins, _, told) = configured(from_ref(&known), listed(1, "Bob", &[5000, 2]));
    let with_listed = addrs(&[1, 2, 3, 4, 5, 6, 7, 5000]);
    assert_eq!(pins, [Pin { addrs: with_listed.clone(), given: with_listed, ..known }]);
    assert_eq!(told, [""; 0]);
    // A listed address never replaces another listed one.
    let known = pin(1, "Bob", &[1, 2, 3, 4, 5, 6, 7, 8]);
    let (pins, _, _) = configured(from_ref(&known), listed(1, "Bob", &[8, 9, 10]));
    assert_eq!(pins[0].addrs, addrs(&[1, 2, 3, 4, 5, 8, 9, 10]));
    let nine = listed(1, "Bob", &[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let (pins, entry, _) = configured(&[], nine.clone());
    assert_eq!((pins[0].addrs.len(), entry), (MAX_HINTS, nine));
}

#[test]
fn stranger_becomes_contact_by_its_key() {
    let stranger = Pin { contact: false, ..pin(1, "Bob", &[5000]) };
    let (pins, _, told) = configured(from_ref(&stranger), listed(1, "Bob", &[5000]));
    assert_eq!((pins, told), (vec![Pin { contact: true, ..stranger }], vec![]));
}

#[test]
fn address_of_another_contact_is_shared() {
    let old = pin(2, "Bob", &[1, 5000, 2]);
    let (pins, entry, told) = configured(from_ref(&old), listed(1, "Zoe", &[5000]));
    assert_eq!(pins, [Pin { first_seen: NOW, ..pin(1, "Zoe", &[5000]) }, old]);
    assert_eq!((entry, told), (listed(1, "Zoe", &[5000]), vec![]));
}

#[test]
fn address_of_verified_contact_is_shared_with_warning() {
    let old = verified(pin(2, "Bob", &[5000]));
    for ports in [[5000, 5001], [5001, 5000]] {
        let (pins, entry, told) = configured(from_ref(&old), listed(1, "Zoe", &ports));
        assert_eq!(pins, [Pin { first_seen: NOW, ..pin(1, "Zoe", &ports) }, old.clone()]);
        assert_eq!(entry, listed(1, "Zoe", &ports));
        let [line] = &told[..] else { panic!("{told:?}") };
        assert!(line.contains("has for 127.0.0.1:5000 is not the verified key of Bob"), "{line}");
        assert!(line.contains(&key(2).grouped().to_string()), "{line}");
    }
    // The user has verified both.
    let both = [verified(pin(1, "Zoe", &[1])), old];
    let (_, _, told) = configured(&both, listed(1, "Zoe", &[5000]));
    assert_eq!(told, [""; 0]);
}

#[test]
fn listed_key_gets_no_contact_name() {
    let bob = pin(2, "Bob", &[1]);
    let (pins, _, _) = configured(from_ref(&bob), listed(1, "\u{ff22}OB", &[5000]));
    assert_eq!(pins, [Pin { first_seen: NOW, name: None, ..pin(1, "", &[5000]) }, bob.clone()]);
    // A stranger's name protects nothing.
    let stranger = Pin { contact: false, ..bob };
    let (pins, _, _) = configured(from_ref(&stranger), listed(1, "bob", &[5000]));
    assert_eq!(pins, [Pin { first_seen: NOW, ..pin(1, "bob", &[5000]) }, stranger]);
}

#[test]
fn blocked_key_stays_blocked_and_holds_no_name() {
    let mallory = blocked(pin(1, "Mallory", &[5000]));
    let (pins, _, told) = configured(from_ref(&mallory), listed(1, "Bob", &[5001]));
    assert_eq!(pins, from_ref(&mallory));
    assert!(told[0].contains("is blocked and stays blocked"), "{told:?}");
    let (pins, _, told) = configured(from_ref(&mallory), listed(2, "Mallory", &[5000]));
    let new = Pin { first_seen: NOW, ..pin(2, "Mallory", &[5000]) };
    assert_eq!((pins, told), (vec![mallory, new], vec![]));
}

#[test]
fn entry_for_this_run_changes_no_pin() {
    let stranger = Pin { contact: false, ..pin(1, "Bob", &[5000]) };
    let entry = StaticPeer { for_run: true, ..listed(1, "Bob", &[5001, 5002]) };
    for pins in [&[][..], from_ref(&stranger), &[pin(1, "Bob", &[5000])]] {
        assert_eq!(configured(pins, entry.clone()), (pins.to_vec(), entry.clone(), vec![]));
    }
    // Warnings are the same as for an entry that is saved.
    let old = verified(pin(2, "Zoe", &[5001]));
    let (pins, _, told) = configured(from_ref(&old), entry.clone());
    assert!(
        pins == [old] && told[0].contains("has for 127.0.0.1:5001 is not the verified key of Zoe"),
        "{told:?}"
    );
    let (_, _, told) = configured(&[blocked(pin(1, "Bob", &[]))], entry);
    assert!(told[0].contains("is blocked and stays blocked"), "{told:?}");
}

#[test]
fn only_unknown_keys_of_this_run_are_undecided() {
    let for_run = |number| StaticPeer { for_run: true, ..listed(number, "Bob", &[5000]) };
    let stranger = Pin { contact: false, ..pin(3, "Bob", &[]) };
    let pins = [pin(1, "Bob", &[]), blocked(pin(2, "Bob", &[])), stranger];
    let pins: BTreeMap<PublicKey, Pin> = pins.into_iter().map(|pin| (pin.key, pin)).collect();
    let own = StaticPeer { key: Some(ME), ..for_run(1) };
    let keyless = StaticPeer { key: None, ..for_run(1) };
    let saved = listed(5, "Bob", &[5000]);
    let peers = [for_run(1), for_run(2), for_run(3), for_run(4), saved, own, keyless];
    let found: Vec<PublicKey> = undecided(&pins, &peers, ME).map(|(_, key)| key).collect();
    assert_eq!(found, [key(3), key(4)]);
}

#[test]
fn own_entry_is_dropped() {
    let mut pins = BTreeMap::new();
    let mut peers =
        vec![StaticPeer { key: Some(ME), ..listed(1, "Me", &[5000, 5001]) }, listed(2, "Bob", &[1])];
    assert_eq!(configure(&mut pins, &mut peers, ME, NOW), [""; 0]);
    assert_eq!((pins.len(), peers), (1, vec![listed(2, "Bob", &[1])]));
}

#[test]
fn first_of_two_listed_keys_gets_the_name() {
    let mut pins = BTreeMap::new();
    configure(&mut pins, &mut vec![listed(1, "Bob", &[1]), listed(2, "BOB", &[2])], ME, NOW);
    let names: Vec<_> = pins.values().map(|pin| pin.name.clone()).collect();
    assert_eq!(names, [Some(PeerName::new("Bob")), None]);
}

#[test]
fn full_list_of_contacts_is_reported() {
    let numbered = |number: usize| {
        let mut bytes = [7; KEY_BYTES];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let key = PublicKey::new(bytes);
        (key, Pin { key, ..pin(1, "Bob", &[]) })
    };
    let mut pins: BTreeMap<_, _> = (0..MAX_CONTACTS).map(numbered).collect();
    let told = configure(&mut pins, &mut vec![listed(1, "Bob", &[5000])], ME, NOW);
    assert!(matches!(&told[..], [line] if line.starts_with("There are already 10000 contacts")));
    assert_eq!(pins.len(), MAX_CONTACTS);
}
