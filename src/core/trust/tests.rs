mod blocks;
mod limits;
mod random;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::model::address::Source;
use crate::model::name::Name;
use crate::model::peer_id::PeerId;
use crate::protocol::plain;

const ME: PublicKey = PublicKey::new([99; 32]);
const NAMES: [&str; 5] = ["Alice", "Bob", "bOB", "\u{ff22}ob", "Carol"];

fn key(n: u8) -> PublicKey {
    PublicKey::new([n; 32])
}

fn addr(n: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::new(192, 0, 2, 1), 5_000 + n).expect("valid")
}

/// A meeting with a peer that dialed us and claims a port.
fn met(n: u8, name: &str, at: u16) -> Meeting {
    Meeting {
        id: PeerId::Key(key(n)),
        name: Some(PeerName::new(name)),
        addr: addr(at),
        dialed: false,
        source: Source::from(Ipv4Addr::new(192, 0, 2, n)),
        date: n.into(),
    }
}

/// A meeting with a peer that we dialed.
fn dialed(n: u8, name: &str, at: u16) -> Meeting {
    Meeting { dialed: true, ..met(n, name, at) }
}

/// The `n`th of many meetings, each with another key and name.
fn nth(n: usize, source: Ipv4Addr) -> Meeting {
    let mut bytes = [1; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Meeting {
        id: PeerId::Key(PublicKey::new(bytes)),
        name: Some(PeerName::new(&format!("peer-{n}"))),
        source: Source::from(source),
        date: 0,
        ..met(0, "", 0)
    }
}

/// The `n`th of many meetings, each with another source prefix.
fn nth_prefix(n: usize) -> Meeting {
    nth(n, Ipv4Addr::from_bits(0x0a00_0000 + n as u32))
}

impl Meeting {
    fn key(&self) -> PublicKey {
        self.id.key().expect("met with a key")
    }
}

impl Trusted {
    /// A meeting while no key has a live connection.
    fn meets(&mut self, meeting: Meeting) -> Verdict {
        self.met(meeting, &|_| false)
    }

    fn addrs(&self, n: u8) -> Vec<PeerAddr> {
        self.pin(key(n)).expect("pinned").addrs.clone()
    }
}

/// The contact Bob has key 1 and was dialed at address 1.
fn with_bob(policy: Policy) -> Trusted {
    let mut trusted = with_stranger("Bob");
    assert!(trusted.make_contact(key(1)));
    trusted.set_policy(policy);
    trusted
}

/// A stranger has key 1 and was dialed at address 1.
fn with_stranger(name: &str) -> Trusted {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    assert_eq!(trusted.meets(dialed(1, name, 1)), Verdict::Pinned);
    trusted
}

const UNDECIDED: Verdict = Verdict::Refused(Refused::Undecided);
const KNOWN: Verdict = Verdict::Known { takes_name_of: None };

#[test]
fn policy_decides_about_new_keys() {
    for (policy, trust) in [
        (Policy::AcceptNew, Trust::Pinned),
        (Policy::Ask, Trust::Unpinned),
        (Policy::Strict, Trust::Unpinned),
    ] {
        let mut trusted = with_bob(policy);
        let verdict = trusted.meets(met(2, "Alice", 2));
        match policy {
            Policy::AcceptNew => assert_eq!(verdict, Verdict::Pinned),
            Policy::Ask => {
                assert_eq!(
                    verdict,
                    Verdict::Requested(PeerRequest {
                        met: met(2, "Alice", 2),
                        against: vec![],
                        held: None,
                        is_old_key_online: false
                    })
                );
                assert_eq!(trusted.meets(met(2, "Alice", 2)), UNDECIDED, "told twice");
            }
            Policy::Strict => assert_eq!(verdict, Verdict::Refused(Refused::Strict)),
        }
        assert_eq!(trusted.trust(key(2)), trust);
        assert_eq!(trusted.is_writable(key(2)), trust == Trust::Pinned);
        assert_eq!(trusted.meets(met(1, "Bob", 3)), KNOWN, "{policy:?}");
    }
}

#[test]
fn contact_name_with_unknown_key_is_key_change() {
    for (name, at) in [("Bob", 1), ("bOB", 7), ("\u{ff22}ob", 7), ("Bob\u{fe0f}", 7)] {
        for policy in [Policy::AcceptNew, Policy::Ask, Policy::Strict] {
            let mut trusted = with_bob(policy);
            let bob = trusted.pin(key(1)).expect("pinned").clone();
            let request = PeerRequest {
                met: met(2, name, at),
                against: vec![bob.clone()],
                held: None,
                is_old_key_online: false,
            };
            assert_eq!(trusted.meets(met(2, name, at)), Verdict::Requested(request), "{name} {policy:?}");
            assert_eq!(trusted.meets(met(2, "Zoe", 9)), UNDECIDED, "by another name");
            assert!(!trusted.is_writable(key(2)));
            assert!(trusted.is_writable(key(1)), "messages for Bob keep flowing");
            assert_eq!(trusted.pin(key(1)), Some(&bob));
        }
    }
}

#[test]
fn other_name_at_contact_address_is_newcomer() {
    let mut trusted = with_bob(Policy::AcceptNew);
    assert_eq!(trusted.meets(dialed(2, "Alice", 1)), Verdict::Pinned);
    assert_eq!((trusted.addrs(1), trusted.addrs(2)), (vec![addr(1)], vec![addr(1)]));
    let mut trusted = with_bob(Policy::Strict);
    assert_eq!(trusted.meets(dialed(2, "Alice", 1)), Verdict::Refused(Refused::Strict));
}

#[test]
fn stranger_name_protects_nothing() {
    let mut trusted = with_stranger("Bob");
    assert_eq!(trusted.meets(met(2, "Bob", 2)), Verdict::Pinned);
    // A stranger that became a contact keeps its name from others.
    assert!(trusted.make_contact(key(2)));
    let Verdict::Requested(request) = trusted.meets(met(3, "Bob", 3)) else { panic!("not requested") };
    assert_eq!(request.against, [trusted.pin(key(2)).expect("pinned").clone()]);
    assert_eq!(trusted.meets(met(1, "Bob", 1)), KNOWN, "it had the name before");
}

#[test]
fn nameless_key_at_contact_address_is_refused() {
    let nameless = |at| Meeting { name: None, ..dialed(2, "", at) };
    for (policy, why) in [
        (Policy::AcceptNew, Refused::Undecided),
        (Policy::Ask, Refused::Undecided),
        (Policy::Strict, Refused::Strict),
    ] {
        let mut trusted = with_bob(policy);
        assert_eq!(trusted.meets(nameless(1)), Verdict::Refused(why));
        assert_eq!((trusted.trust(key(2)), trusted.requests().0.len()), (Trust::Unpinned, 0));
        assert_eq!(trusted.addrs(1), [addr(1)]);
    }
    let mut trusted = with_bob(Policy::AcceptNew);
    assert_eq!(trusted.meets(nameless(2)), Verdict::Pinned);
    let taken = Verdict::Known { takes_name_of: Some(key(1)) };
    assert_eq!(trusted.meets(dialed(2, "Bob", 2)), taken);
    assert_eq!(trusted.pin(key(2)).expect("pinned").name, None);
}

#[test]
fn alias_of_contact_is_protected() {
    let boss: Name = "Boss".parse().expect("valid");
    let mut trusted = with_stranger("Bob");
    trusted.set_alias(key(1), Some(&boss));
    assert!(trusted.pin(key(1)).expect("pinned").contact, "an alias makes a contact");
    assert!(matches!(trusted.meets(met(2, "boss", 2)), Verdict::Requested(_)));
    assert!(matches!(trusted.meets(met(3, "Bob", 3)), Verdict::Requested(_)), "the name is, too");
    assert_eq!(trusted.meets(met(4, "Carol", 4)), Verdict::Pinned);
    assert_eq!(trusted.meets(met(4, "BOSS", 4)), Verdict::Known { takes_name_of: Some(key(1)) });
    trusted.set_alias(key(1), None);
    assert_eq!(trusted.meets(met(5, "Boss", 5)), Verdict::Pinned);
    trusted.set_alias(key(9), Some(&boss));
    assert_eq!(trusted.meets(met(6, "Boss", 6)), Verdict::Pinned, "nobody has key 9");
}

#[test]
fn contact_flag_follows_user_actions() {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    for n in 1..=6 {
        trusted.meets(dialed(n, &format!("peer-{n}"), n.into()));
    }
    trusted.keep(key(1));
    assert!(trusted.make_contact(key(2)));
    trusted.verify(key(3), 7).expect("pinned");
    trusted.block(key(4)).expect("pinned");
    trusted.set_alias(key(5), Some(&"Boss".parse::<Name>().expect("valid")));
    trusted.meets(met(7, "Boss", 7));
    trusted.take(key(7), As::Another).expect("requested");
    trusted.meets(met(8, "Boss", 8));
    trusted.block(key(8)).expect("requested");
    let mut contacts: Vec<_> = trusted.contacts().map(|pin| pin.key).collect();
    contacts.sort();
    assert_eq!(contacts, [2, 3, 5, 7].map(key), "a block makes no contact");
    assert!(!trusted.make_contact(key(9)), "nobody has key 9");
    // All contacts and blocked keys are saved, but only the stranger that was kept.
    let saved = |change| match change {
        ContactChange::Key(pin) => pin.key,
        change => panic!("{change:?}"),
    };
    let saved: Vec<_> = trusted.take_changes().into_iter().map(saved).collect();
    assert_eq!(saved, [1, 2, 3, 4, 5, 7, 8].map(key));
}

#[test]
fn loaded_pin_is_contact_if_verified() {
    let stranger = Pin::of(key(1), &dialed(1, "Bob", 1));
    for (pin, is_contact) in [
        (stranger.clone(), false),
        (Pin { verified: Some(1), ..stranger.clone() }, true),
        (Pin { blocked: true, ..stranger.clone() }, false),
        (Pin { contact: true, ..stranger }, true),
    ] {
        let mut trusted = Trusted::new(ME, Policy::AcceptNew);
        assert!(trusted.load(pin.clone()));
        assert!(!trusted.load(pin), "twice");
        assert_eq!(trusted.contacts().count() == 1, is_contact);
        assert_eq!(trusted.take_changes(), []);
    }
    assert!(!Trusted::new(key(1), Policy::Ask).load(Pin::of(key(1), &dialed(1, "Me", 1))), "our own key");
}

#[test]
fn only_dialed_address_becomes_hint() {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    trusted.meets(met(1, "Bob", 1));
    assert_eq!(trusted.addrs(1), []);
    trusted.meets(dialed(1, "Bob", 2));
    trusted.meets(met(1, "Bob", 3));
    assert_eq!(trusted.addrs(1), [addr(2)]);
    for at in 10..20 {
        trusted.meets(dialed(1, "Bob", at));
    }
    assert_eq!(trusted.addrs(1), (12..20).rev().map(addr).collect::<Vec<_>>());
}

#[test]
fn hint_is_shared_and_taken_from_nobody() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.meets(dialed(2, "Alice", 1));
    assert_eq!(trusted.hinted_at(addr(1)).collect::<Vec<_>>(), [key(1)], "Alice is a stranger");
    trusted.make_contact(key(2));
    assert_eq!(trusted.hinted_at(addr(1)).collect::<Vec<_>>(), [key(1), key(2)]);
    trusted.meets(dialed(3, "Bob", 1));
    trusted.take(key(3), As::Another).expect("requested");
    trusted.meets(dialed(4, "Bob", 1));
    trusted.block(key(4)).expect("requested");
    for n in 1..=3 {
        assert_eq!(trusted.addrs(n), [addr(1)]);
    }
    assert_eq!(trusted.hinted_at(addr(1)).collect::<Vec<_>>(), [key(1), key(2), key(3)]);
}

#[test]
fn trust_moves_contact_to_new_key() {
    let boss: Name = "Boss".parse().expect("valid");
    for is_dialed in [true, false] {
        let mut trusted = with_bob(Policy::AcceptNew);
        trusted.verify(key(1), 5).expect("pinned");
        trusted.set_alias(key(1), Some(&boss));
        trusted.take_changes();
        trusted.meets(Meeting { dialed: is_dialed, ..met(2, "bob", 2) });
        trusted.meets(met(4, "Boss", 4));
        assert_eq!(trusted.take(key(2), As::NewKeyOf(key(3))), Err(Unknown::Pin));
        assert_eq!(trusted.take(key(3), As::Another), Err(Unknown::Request));
        trusted.take(key(2), As::NewKeyOf(key(1))).expect("requested");
        let pin = trusted.pin(key(2)).expect("pinned").clone();
        assert_eq!((pin.trust(), pin.contact), (Trust::Pinned, true));
        assert_eq!(pin.name, Some(PeerName::new("Bob")));
        let proven = if is_dialed { vec![addr(2), addr(1)] } else { vec![addr(1)] };
        assert_eq!(pin.addrs, proven);
        assert_eq!(trusted.pins_for("boss"), [&pin], "the alias has moved");
        assert_eq!(trusted.trust(key(1)), Trust::Unpinned);
        assert_eq!(
            trusted.take_changes(),
            [ContactChange::Forgotten(PeerId::Key(key(1))), ContactChange::Key(pin.clone())]
        );
        assert!(matches!(trusted.meets(met(1, "Bob", 1)), Verdict::Requested(_)), "the old key comes back");
        // A key that waited against the old key waits against the new one.
        assert_eq!(trusted.requests_for("boss").len(), 2);
        trusted.take(key(4), As::NewKeyOf(key(2))).expect("requested");
        assert_eq!(trusted.pin(key(4)).map(|pin| pin.name.clone()), Some(pin.name));
    }
}

#[test]
fn trust_needs_contact_that_is_claimed() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.meets(met(3, "Alice", 3));
    trusted.make_contact(key(3));
    trusted.meets(met(2, "Bob", 2));
    assert_eq!(trusted.take(key(2), As::NewKeyOf(key(3))), Err(Unknown::Pin));
    trusted.block(key(1)).expect("pinned");
    assert_eq!(trusted.take(key(2), As::NewKeyOf(key(1))), Err(Unknown::Pin));
    assert_eq!((trusted.trust(key(1)), trusted.trust(key(2))), (Trust::Blocked, Trust::Unpinned));
}

#[test]
fn known_key_gets_no_name_of_contact() {
    for is_contact in [false, true] {
        let mut trusted = with_bob(Policy::AcceptNew);
        trusted.meets(dialed(2, "Mallory", 2));
        if is_contact {
            assert!(trusted.make_contact(key(2)));
        }
        let taken = Verdict::Known { takes_name_of: Some(key(1)) };
        assert_eq!(trusted.meets(met(2, "bob", 1)), taken);
        assert_eq!(trusted.meets(met(2, "bob", 1)), KNOWN, "told twice");
        assert_eq!(trusted.pin(key(2)).expect("pinned").name, Some(PeerName::new("Mallory")));
        // A key may take a new name, also that of a stranger.
        assert_eq!(trusted.meets(met(3, "Zoe", 3)), Verdict::Pinned);
        assert_eq!(trusted.meets(met(2, "Zoe", 2)), KNOWN);
        assert_eq!(trusted.pin(key(2)).expect("pinned").name, Some(PeerName::new("Zoe")));
        assert_eq!(trusted.meets(met(2, "Bob", 2)), taken, "told again after another name");
    }
}

#[test]
fn own_key_is_refused() {
    let mut trusted = with_bob(Policy::AcceptNew);
    let own = Meeting { id: PeerId::Key(ME), ..met(5, "Me", 5) };
    assert_eq!(trusted.meets(own), Verdict::Refused(Refused::Ourselves));
}

#[test]
fn claimed_name_prefers_contact_over_stranger() {
    let mut trusted = with_stranger("Bob");
    assert_eq!(trusted.claimed_name(&PeerName::new("BOB")), Some(key(1)));
    trusted.meets(met(2, "Bob", 2));
    trusted.make_contact(key(2));
    assert_eq!(trusted.claimed_name(&PeerName::new("BOB")), Some(key(2)));
    assert_eq!(trusted.claimed_name(&PeerName::new("Alice")), None);
    assert_eq!(Trusted::new(ME, Policy::Ask).claimed_name(&PeerName::new("Bob")), None);
}

#[test]
fn word_finds_pins_and_requests() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.set_alias(key(1), Some(&"Boss".parse::<Name>().expect("valid")));
    trusted.meets(met(2, "boss", 1));
    let start = |n: u8| key(n).to_string()[..4].to_uppercase();
    for word in ["BOB", "\u{ff22}oss", &start(2)] {
        assert_eq!(trusted.requests_for(word).len(), 1, "{word}");
    }
    for word in ["BOB", "\u{ff22}oss", &start(1)] {
        assert_eq!(trusted.pins_for(word).len(), 1, "{word}");
    }
    for word in ["Alice", "", &start(1)[..3]] {
        assert!(trusted.requests_for(word).is_empty() && trusted.pins_for(word).is_empty(), "{word}");
    }
}

#[test]
fn short_code_input_is_symmetric() {
    assert_eq!(code_input(key(1), key(2)), code_input(key(2), key(1)));
    assert_eq!(code_input(key(2), key(1)), *[[1; 32], [2; 32]].as_flattened());
}
