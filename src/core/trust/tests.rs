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
                    Verdict::Requested(PeerRequest { met: met(2, "Alice", 2), against: vec![], held: None })
                );
                assert_eq!(trusted.meets(met(2, "Alice", 2)), UNDECIDED, "told twice");
            }
            Policy::Strict => assert_eq!(verdict, Verdict::Refused(Refused::Strict)),
        }
        assert_eq!(trusted.trust(key(2)), trust);
        assert_eq!(trusted.writable(key(2)).is_some(), trust == Trust::Pinned);
        assert_eq!(trusted.meets(met(1, "Bob", 3)), KNOWN, "{policy:?}");
    }
}

#[test]
fn contact_name_with_unknown_key_is_key_change() {
    for (name, at) in [("Bob", 1), ("bOB", 7), ("\u{ff22}ob", 7), ("Bob\u{fe0f}", 7)] {
        for policy in [Policy::AcceptNew, Policy::Ask, Policy::Strict] {
            let mut trusted = with_bob(policy);
            let bob = trusted.pin(key(1)).expect("pinned").clone();
            let request = PeerRequest { met: met(2, name, at), against: vec![bob.clone()], held: None };
            assert_eq!(trusted.meets(met(2, name, at)), Verdict::Requested(request), "{name} {policy:?}");
            assert_eq!(trusted.meets(met(2, "Zoe", 9)), UNDECIDED, "by another name");
            assert!(trusted.writable(key(2)).is_none());
            assert!(trusted.writable(key(1)).is_some(), "messages for Bob keep flowing");
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
fn unknown_key_with_a_blocked_name_needs_accept() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.set_alias(key(1), Some(&"Boss".parse::<Name>().expect("valid")));
    trusted.block(key(1)).expect("pinned");
    for (n, name) in [(2, "Bob"), (3, "boss")] {
        let verdict = trusted.meets(met(n, name, n.into()));
        assert!(matches!(verdict, Verdict::Requested(request) if request.against.is_empty()), "{name}");
    }
    assert_eq!(trusted.hinted_at(addr(1)).count(), 0);
    // A stranger does not take the name later either.
    assert_eq!(trusted.meets(met(4, "Carol", 4)), Verdict::Pinned);
    assert_eq!(trusted.meets(met(4, "Bob", 4)), Verdict::Known { takes_name_of: Some(key(1)) });
    trusted.unblock(key(1)).expect("blocked");
    assert!(
        matches!(trusted.meets(met(5, "Bob", 5)), Verdict::Requested(request) if request.against.len() == 1)
    );
}

#[test]
fn unblocked_peer_is_what_it_was() {
    let mut trusted = with_stranger("Kim");
    trusted.meets(met(2, "Bob", 2));
    assert!(trusted.make_contact(key(2)));
    trusted.meets(met(3, "Bob", 3));
    for n in 1..=3 {
        trusted.block(key(n)).expect("known");
        assert!(trusted.unblock(key(n)).is_ok_and(|pin| pin.contact == (n == 2) && !pin.blocked));
        assert_eq!(trusted.unblock(key(n)), Err(Unknown::NotBlocked));
    }
    assert_eq!(trusted.contacts().map(|pin| pin.key).collect::<Vec<_>>(), [key(2)]);
    assert_eq!(trusted.meets(met(1, "Kim", 1)), KNOWN);
    assert!(matches!(trusted.meets(met(3, "Bob", 3)), Verdict::Requested(_)), "it waits again");
    // Also after a restart.
    trusted.block(key(1)).expect("a stranger");
    let blocked = trusted.pin(key(1)).expect("blocked").clone();
    let mut trusted = Trusted::new(ME, Policy::Ask);
    assert!(trusted.load(blocked));
    assert!(trusted.unblock(key(1)).is_ok_and(|pin| !pin.contact));
    assert!(matches!(trusted.meets(met(1, "Kim", 1)), Verdict::Requested(_)), "the policy has changed");
    // The user makes a contact.
    trusted.block(key(1)).expect("it waits");
    trusted.set_alias(key(1), Some(&"Kimmy".parse::<Name>().expect("valid")));
    assert!(trusted.unblock(key(1)).is_ok_and(|pin| pin.contact));
}

#[test]
fn block_covers_unencrypted_messages_but_no_contact() {
    let mut trusted = with_bob(Policy::AcceptNew);
    let name = |name| Some(PeerName::new(name));
    let is_blocked =
        |trusted: &Trusted, at, name: Option<PeerName>| trusted.is_blocked_plain(addr(at), name.as_ref());
    assert!(!is_blocked(&trusted, 1, name("Bob")));
    trusted.block(key(1)).expect("pinned");
    assert!(is_blocked(&trusted, 1, name("Zoe")) && is_blocked(&trusted, 9, name("BOB")));
    assert!(!is_blocked(&trusted, 9, name("Zoe")) && !is_blocked(&trusted, 9, None));
    // Another contact has the name and the address, too.
    let pin = trusted.pin(key(1)).expect("blocked").clone();
    assert!(trusted.load(Pin { key: key(2), contact: true, blocked: false, ..pin }));
    assert!(!is_blocked(&trusted, 1, name("Zoe")) && !is_blocked(&trusted, 9, name("Bob")));
}

#[test]
fn legacy_block_covers_namesakes_but_no_contact() {
    let mut trusted = with_bob(Policy::AcceptNew);
    let legacy = |at| plain::peer_at(addr(at).plain().expect("IPv4"));
    let name = |name| Some(PeerName::new(name));
    let is_blocked =
        |trusted: &Trusted, at, name: Option<PeerName>| trusted.is_blocked_plain(addr(at), name.as_ref());
    trusted.block_legacy(legacy(5), name("Hashpa"), false).expect("there is room");
    assert!(is_blocked(&trusted, 5, name("Zoe")) && is_blocked(&trusted, 9, name("HASHPA")));
    assert!(!is_blocked(&trusted, 9, name("Zoe")));
    // Neither the name nor the address of a contact with a key.
    trusted.block_legacy(legacy(1), name("Bob"), true).expect("there is room");
    assert!(!is_blocked(&trusted, 1, name("Zoe")) && !is_blocked(&trusted, 9, name("Bob")));
    assert!(matches!(trusted.meets(met(4, "Hashpa", 4)), Verdict::Requested(_)));
    // A stranger that is known does not get the name either.
    assert_eq!(trusted.meets(met(7, "Eve", 7)), Verdict::Pinned);
    assert_eq!(trusted.meets(met(7, "Hashpa", 7)), KNOWN);
    assert_eq!(trusted.pin(key(7)).and_then(|pin| pin.name.clone()), name("Eve"));
    trusted.take_changes();
    assert_eq!(trusted.unblock_legacy(legacy(5)), Ok((name("Hashpa"), false)));
    assert_eq!(trusted.take_changes(), [ContactChange::Forgotten(legacy(5))], "it is a stranger again");
    assert_eq!(trusted.unblock_legacy(legacy(1)), Ok((name("Bob"), true)));
    assert_eq!(trusted.take_changes(), [ContactChange::Legacy(legacy(1), name("Bob"))]);
    assert_eq!(trusted.unblock_legacy(legacy(5)), Err(Unknown::NotBlocked));
    assert!(!is_blocked(&trusted, 5, name("Hashpa")));
    assert_eq!(trusted.meets(met(6, "Hashpa", 6)), Verdict::Pinned);
}

#[test]
fn blocked_sources_are_bounded() {
    let mut trusted = with_bob(Policy::AcceptNew);
    let source = |n: u32| SourcePrefix::V4(Ipv4Addr::from_bits(n));
    for n in 0..MAX_BLOCKED_SOURCES {
        trusted.block_source(source(n as u32)).expect("there is room");
    }
    assert_eq!(trusted.block_source(source(u32::MAX)), Err(Unknown::TooManySources));
    assert_eq!(trusted.block_source(source(0)), Ok(()));
    assert!(trusted.is_blocked_source(Ipv4Addr::from_bits(7).into()));
    assert_eq!(trusted.unblock_source(source(7)), Ok(()));
    assert_eq!(trusted.unblock_source(source(7)), Err(Unknown::NotBlocked));
    assert!(!trusted.is_blocked_source(Ipv4Addr::from_bits(7).into()));
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
fn accept_makes_second_contact_of_same_name() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.meets(met(2, "Bob", 2));
    trusted.take(key(2), As::Another).expect("requested");
    assert_eq!((trusted.trust(key(1)), trusted.trust(key(2))), (Trust::Pinned, Trust::Pinned));
    assert_eq!(trusted.pins_for("bob").len(), 2);
    assert!(trusted.pins_for("bob").iter().all(|pin| pin.contact));
    assert_eq!(trusted.meets(met(2, "Bob", 2)), KNOWN);
}

#[test]
fn block_touches_no_other_pin() {
    let mut trusted = with_bob(Policy::AcceptNew);
    let bob = trusted.pin(key(1)).expect("pinned").clone();
    trusted.meets(dialed(2, "Bob", 1));
    trusted.block(key(2)).expect("requested");
    assert_eq!(trusted.pin(key(1)), Some(&bob));
    assert_eq!(trusted.meets(dialed(2, "Zoe", 9)), Verdict::Refused(Refused::Blocked));
    assert_eq!(trusted.verify(key(2), 1), Err(Unknown::Pin));
    assert_eq!(trusted.block(key(3)), Err(Unknown::Pin));
    assert_eq!(trusted.claimed_name(&PeerName::new("Bob")), Some(key(1)));
    trusted.block(key(1)).expect("pinned");
    assert!(trusted.writable(key(1)).is_none());
    assert_eq!(trusted.claimed_name(&PeerName::new("Bob")), None);
    for blocked in [1, 2] {
        trusted.forget(key(blocked)).expect("blocked");
    }
    assert_eq!(trusted.meets(dialed(2, "Bob", 1)), Verdict::Pinned);
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
fn stranger_that_only_connected_is_not_saved() {
    let mut trusted = with_stranger("Bob");
    assert_eq!(trusted.take_changes(), []);
    trusted.keep(key(1));
    let pin = trusted.pin(key(1)).expect("pinned").clone();
    assert_eq!(trusted.take_changes(), [ContactChange::Key(pin)]);
    trusted.meets(dialed(1, "Bob", 1));
    assert_eq!(trusted.take_changes(), [], "nothing has changed");
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
fn one_prefix_does_not_fill_the_requests() {
    let mut trusted = with_bob(Policy::AcceptNew);
    for n in 10..30 {
        trusted.meets(Meeting { source: Source::from(Ipv4Addr::new(192, 0, 2, 66)), ..met(n, "Bob", 2) });
    }
    assert_eq!(trusted.requests().0.len(), MAX_KEY_CHANGES_OF_ONE);
    assert_eq!(trusted.requests().1, 20 - MAX_KEY_CHANGES_OF_ONE);
    for n in 30..70 {
        trusted.meets(met(n, "Bob", 2));
    }
    assert_eq!(trusted.requests().0.len(), MAX_KEY_CHANGES_OF_CONTACT);
}

#[test]
fn all_150_processes_on_one_machine_are_writable() {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    for n in 0..150 {
        assert_eq!(trusted.meets(nth(n, Ipv4Addr::LOCALHOST)), Verdict::Pinned);
    }
    assert!((0..150).all(|n| trusted.writable(nth(n, Ipv4Addr::LOCALHOST).key()).is_some()));
}

#[test]
fn full_prefix_evicts_its_oldest_idle_stranger() {
    let (here, elsewhere) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(192, 0, 2, 1));
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    assert_eq!(trusted.meets(nth(50_000, elsewhere)), Verdict::Pinned);
    for n in 0..MAX_STRANGERS_PER_PREFIX {
        assert_eq!(trusted.meets(nth(n, here)), Verdict::Pinned);
    }
    let key = |n| nth(n, here).key();
    // A contact is no stranger, so the next stranger takes its place.
    trusted.make_contact(key(0));
    assert_eq!(trusted.meets(nth(2_000, here)), Verdict::Pinned);
    assert_eq!(trusted.len(), MAX_STRANGERS_PER_PREFIX + 2);
    trusted.keep(key(2));
    trusted.take_changes();
    // Key 1 is the oldest stranger, and connected.
    assert_eq!(trusted.met(nth(2_001, here), &|live| live == key(1)), Verdict::Pinned);
    assert_eq!((trusted.trust(key(1)), trusted.trust(key(2))), (Trust::Pinned, Trust::Unpinned));
    assert_eq!(trusted.take_changes(), [ContactChange::Forgotten(PeerId::Key(key(2)))]);
    assert_eq!(trusted.met(nth(2_002, here), &|_| true), Verdict::Refused(Refused::NoRoom));
    assert_eq!(trusted.met(nth(50_001, elsewhere), &|_| true), Verdict::Pinned, "another prefix");
    // The count includes only existing pins, not all pins ever made.
    trusted.forget(key(1)).expect("pinned");
    assert_eq!(trusted.met(nth(2_003, here), &|_| true), Verdict::Pinned);
    assert_eq!(trusted.trust(nth(50_000, elsewhere).key()), Trust::Pinned);
}

/// The `n`th of many keys that claim to be this contact, from the last byte of an address.
fn claims(name: &str, n: usize, from: u8) -> Meeting {
    let source = Ipv4Addr::new(198, 51, 100, from);
    Meeting { name: Some(PeerName::new(name)), ..nth(n, source) }
}

/// The keys that wait, each with the last byte of its source.
fn waiting(trusted: &Trusted) -> Vec<(PublicKey, u8)> {
    let last = |source: Source| match source.share() {
        SourcePrefix::V4(ip) => ip.octets()[3],
        other @ SourcePrefix::V6(_) => panic!("{other}"),
    };
    trusted.requests().0.iter().map(|request| (request.met.key(), last(request.met.source))).collect()
}

#[test]
fn invented_key_changes_hide_no_real_one() {
    let mut trusted = with_bob(Policy::AcceptNew);
    for n in 0..16 {
        trusted.meets(claims("Bob", n, (n / 4) as u8));
    }
    assert_eq!(waiting(&trusted).len(), MAX_KEY_CHANGES_OF_CONTACT);
    // The real one comes from a new address, and stays while the invented ones go on.
    let real = claims("Bob", 100, 77);
    assert_eq!(trusted.meets(real.clone()), Verdict::Replaced(request(&trusted, &real)));
    assert_eq!(waiting(&trusted)[0], (real.key(), 77), "the newest comes first");
    for n in 200..300 {
        let invented = claims("Bob", n, (n % 4) as u8);
        assert!(matches!(trusted.meets(invented.clone()), Verdict::Replaced(_)));
        assert_eq!(waiting(&trusted)[0], (invented.key(), (n % 4) as u8));
        assert!(waiting(&trusted).contains(&(real.key(), 77)), "hidden by {n}");
        assert_eq!(waiting(&trusted).len(), MAX_KEY_CHANGES_OF_CONTACT);
    }
    // One at the contact's own address comes before it.
    let own = trusted.pin(key(1)).expect("pinned").addrs.first().copied().expect("a hint");
    let at_own = Meeting { addr: own, source: own.source(), ..claims("Bob", 101, 0) };
    assert_eq!(trusted.meets(at_own.clone()), Verdict::Replaced(request(&trusted, &at_own)));
    let keys: Vec<_> = waiting(&trusted).into_iter().map(|(key, _)| key).collect();
    assert_eq!((keys.len(), keys[0]), (MAX_KEY_CHANGES_OF_CONTACT, at_own.key()));
    assert!(keys.contains(&real.key()));
    for n in 300..320 {
        trusted.meets(claims("Bob", n, n as u8));
    }
    assert_eq!(trusted.requests().0[0].met.key(), at_own.key(), "many sources do not hide it either");
}

/// The request that a key change of Bob makes.
fn request(trusted: &Trusted, met: &Meeting) -> PeerRequest {
    let bob = trusted.pin(key(1)).expect("pinned").clone();
    PeerRequest { met: met.clone(), against: vec![bob], held: None }
}

#[test]
fn key_changes_of_other_contacts_leave_room() {
    let mut trusted = with_bob(Policy::AcceptNew);
    let contact = |n: usize| format!("peer-{n}");
    for n in 0..MAX_KEY_CHANGES {
        assert!(trusted.load(Pin { contact: true, ..Pin::of(nth_prefix(n).key(), &nth_prefix(n)) }));
    }
    // Four addresses claim all that they may, each another contact.
    for n in 0..MAX_KEY_CHANGES {
        trusted.meets(claims(&contact(n), 1_000 + n, (n % 4) as u8));
    }
    assert_eq!(waiting(&trusted).len(), 4 * MAX_KEY_CHANGES_OF_ONE);
    let real = claims("Bob", 100, 77);
    assert_eq!(trusted.meets(real.clone()), Verdict::Requested(request(&trusted, &real)));
}

#[test]
fn key_change_displaces_none_of_a_small_group() {
    let mut trusted = with_bob(Policy::AcceptNew);
    assert!(trusted.load(Pin { contact: true, ..Pin::of(nth_prefix(0).key(), &nth_prefix(0)) }));
    let first = claims("Bob", 100, 1);
    trusted.meets(first.clone());
    for n in 1..MAX_KEY_CHANGES_OF_ONE {
        trusted.meets(claims("peer-0", 200 + n, 1));
    }
    // The source may have no more. Its only key for Bob stays, as the user has seen it; of the
    // three for another contact one goes.
    let second = claims("Bob", 101, 1);
    assert!(matches!(trusted.meets(second.clone()), Verdict::Replaced(_)));
    assert!(waiting(&trusted).contains(&(first.key(), 1)) && waiting(&trusted).contains(&(second.key(), 1)));
    // Two wait for each now, so none gives way.
    assert_eq!(trusted.meets(claims("Bob", 102, 1)), Verdict::Refused(Refused::NoRoom));
    assert_eq!(waiting(&trusted).len(), MAX_KEY_CHANGES_OF_ONE);
}

#[test]
fn message_requests_and_key_changes_have_separate_room() {
    let mut trusted = with_bob(Policy::Ask);
    for n in 0..2 * MAX_MESSAGE_REQUESTS {
        trusted.meets(claims(&format!("peer-{n}"), n, (n / 2) as u8));
    }
    let first = waiting(&trusted);
    assert_eq!(first.len(), MAX_MESSAGE_REQUESTS);
    let real = claims("Bob", 1_000, 0);
    assert_eq!(trusted.meets(real.clone()), Verdict::Requested(request(&trusted, &real)));
    assert_eq!(waiting(&trusted)[1..], first, "no message request gives way");
    // Nor does a message request take the place of a key change.
    trusted.meets(claims("Bob", 1_001, 0));
    trusted.meets(claims("Bob", 1_002, 0));
    let all = waiting(&trusted);
    assert_eq!(trusted.meets(claims("Zoe", 1_003, 0)), Verdict::Refused(Refused::NoRoom));
    assert_eq!(waiting(&trusted), all);
}

#[test]
fn fifty_strangers_behind_one_nat_all_wait() {
    let mut trusted = Trusted::new(ME, Policy::Ask);
    for n in 0..50 {
        assert!(matches!(trusted.meets(claims(&format!("peer-{n}"), n, 1)), Verdict::Requested(_)), "{n}");
    }
    // One source gets no more than its part, and any other still finds room.
    for n in 50..1_000 {
        trusted.meets(claims(&format!("peer-{n}"), n, 1));
    }
    assert_eq!(trusted.requests().0.len(), MAX_MESSAGE_REQUESTS_OF_ONE);
    for source in 2..=8 {
        for n in 0..MAX_MESSAGE_REQUESTS {
            trusted.meets(claims("Eve", 1_000 * usize::from(source) + n, source));
        }
        let newcomer = claims("Zoe", 10_000 + usize::from(source), 100 + source);
        assert!(matches!(trusted.meets(newcomer), Verdict::Requested(_)), "after {source} sources");
    }
}

#[test]
fn peers_without_room_are_counted_once() {
    let mut trusted = Trusted::new(ME, Policy::Ask);
    let nth = |n: usize| claims(&format!("peer-{n}"), n, 1);
    let all = MAX_MESSAGE_REQUESTS_OF_ONE + 17;
    for _ in 0..3 {
        for n in 0..all {
            trusted.meets(nth(n));
        }
        assert_eq!(trusted.requests().1, 17);
    }
    assert_eq!(trusted.meets(nth(all - 1)), Verdict::Refused(Refused::NoRoom));
    trusted.take(nth(0).key(), As::Another).expect("it waits");
    assert!(matches!(trusted.meets(nth(all - 1)), Verdict::Requested(_)), "there is room again");
    assert_eq!(trusted.requests().1, 16);
    for n in all..2 * MAX_NO_ROOM {
        trusted.meets(nth(n));
    }
    assert_eq!(trusted.requests().1, MAX_NO_ROOM);
}

#[test]
fn prefix_overfull_from_old_file_shrinks() {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    for n in 0..MAX_STRANGERS_PER_PREFIX + 5 {
        let loaded = Meeting { addr: addr(0), dialed: true, date: n as u64, ..nth_prefix(n) };
        assert!(trusted.load(Pin::of(loaded.key(), &loaded)));
    }
    let newcomer = Meeting { date: 9_999, ..nth(50_000, Ipv4Addr::new(192, 0, 2, 1)) };
    assert_eq!(trusted.meets(newcomer.clone()), Verdict::Pinned);
    assert_eq!(trusted.len(), MAX_STRANGERS_PER_PREFIX);
    assert_eq!(trusted.trust(nth_prefix(5).key()), Trust::Unpinned);
    assert_eq!(trusted.trust(nth_prefix(6).key()), Trust::Pinned);
    assert_eq!(trusted.trust(newcomer.key()), Trust::Pinned);
}

#[test]
fn too_many_strangers_evict_the_oldest_idle() {
    let mut trusted = with_bob(Policy::AcceptNew);
    for n in 0..MAX_STRANGERS {
        assert_eq!(trusted.meets(nth_prefix(n)), Verdict::Pinned);
    }
    let key = |n| nth_prefix(n).key();
    assert_eq!(trusted.met(nth_prefix(MAX_STRANGERS), &|live| live == key(0)), Verdict::Pinned);
    assert_eq!(trusted.len(), MAX_STRANGERS + 1, "and Bob");
    assert_eq!((trusted.trust(key(0)), trusted.trust(key(1))), (Trust::Pinned, Trust::Unpinned));
    let extra = nth_prefix(MAX_STRANGERS + 1);
    assert_eq!(trusted.met(extra, &|_| true), Verdict::Refused(Refused::NoRoom));
    assert!(!trusted.load(Pin { key: self::key(7), ..Pin::of(nth_prefix(0).key(), &nth_prefix(0)) }));
}

#[test]
fn full_contacts_refuse_more_and_keep_messages() {
    let mut trusted = with_stranger("Bob");
    for n in 0..MAX_CONTACTS {
        assert!(trusted.load(Pin { contact: true, ..Pin::of(nth_prefix(n).key(), &nth_prefix(n)) }));
    }
    assert!(
        !trusted.load(Pin {
            contact: true,
            ..Pin::of(nth_prefix(MAX_CONTACTS).key(), &nth_prefix(MAX_CONTACTS))
        })
    );
    assert!(trusted.make_contact(nth_prefix(0).key()), "it is one");
    assert!(!trusted.make_contact(key(1)));
    let bob = trusted.pin(key(1)).expect("pinned").clone();
    assert_eq!(trusted.take_changes(), [ContactChange::Key(bob)], "saved, and still a stranger");
    assert_eq!(trusted.verify(key(1), 1), Err(Unknown::NoRoom));
    assert_eq!(trusted.block(key(1)), Err(Unknown::NoRoom));
    trusted.meets(met(2, "peer-0", 2));
    assert_eq!(trusted.take(key(2), As::Another), Err(Unknown::NoRoom));
    assert_eq!(trusted.block(key(2)), Err(Unknown::NoRoom));
    assert_eq!(trusted.requests().0.len(), 1, "still waiting");
    trusted.take(key(2), As::NewKeyOf(nth_prefix(0).key())).expect("it needs no more room");
    assert_eq!(trusted.contacts().count(), MAX_CONTACTS);
}

#[test]
fn short_code_input_is_symmetric() {
    assert_eq!(code_input(key(1), key(2)), code_input(key(2), key(1)));
    assert_eq!(code_input(key(2), key(1)), *[[1; 32], [2; 32]].as_flattened());
}

#[derive(Clone, Debug)]
enum Step {
    Met { key: u8, name: usize, at: u16, dialed: bool },
    Take(u8, Option<u8>),
    Block(u8),
    Unblock(u8),
    Forget(u8),
    Verify(u8),
    Keep(u8),
    MakeContact(u8),
    Alias(u8, usize),
    Policy(u8),
    Save,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 1u8..8;
    prop_oneof![
        12 => (key(), 0..=NAMES.len(), 0u16..12, any::<bool>())
            .prop_map(|(key, name, at, dialed)| Step::Met { key, name, at, dialed }),
        2 => (key(), prop::option::of(key())).prop_map(|(key, old)| Step::Take(key, old)),
        1 => key().prop_map(Step::Block),
        1 => key().prop_map(Step::Unblock),
        1 => key().prop_map(Step::Forget),
        1 => key().prop_map(Step::Verify),
        1 => key().prop_map(Step::Keep),
        2 => key().prop_map(Step::MakeContact),
        1 => (key(), 0..=NAMES.len()).prop_map(|(key, name)| Step::Alias(key, name)),
        1 => (0u8..3).prop_map(Step::Policy),
        2 => Just(Step::Save),
    ]
}

/// The contacts with this name or alias that are not blocked, found without the index.
fn contacts_named(trusted: &Trusted, name: &PeerName) -> BTreeSet<PublicKey> {
    pins_named(trusted, name, false)
}

/// The contacts with this name or alias that are blocked, or are not, found without the index.
fn pins_named(trusted: &Trusted, name: &PeerName, blocked: bool) -> BTreeSet<PublicKey> {
    let name = folded(name.as_str());
    let is_called = |held: &&Held| {
        let own = held.pin.name.as_ref().map(|name| folded(name.as_str()));
        own.as_ref() == Some(&name) || held.alias.as_ref() == Some(&name)
    };
    let is_meant =
        |held: &&Held| if blocked { held.pin.blocked } else { held.pin.contact && !held.pin.blocked };
    let contacts = trusted.pins.values().filter(is_meant);
    contacts.filter(is_called).map(|held| held.pin.key).collect()
}

fn save(file: &mut BTreeMap<PublicKey, Pin>, changes: Vec<ContactChange>) {
    for change in changes {
        match change {
            ContactChange::Key(pin) => drop(file.insert(pin.key, pin)),
            ContactChange::Forgotten(PeerId::Key(key)) => drop(file.remove(&key)),
            other => panic!("no legacy peer here: {other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn only_the_user_gives_a_key_contact_names(
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut trusted = Trusted::new(ME, Policy::AcceptNew);
        let mut policy = Policy::AcceptNew;
        // The expected state, kept without the code under test.
        let (mut may_write, mut contacts) = (BTreeSet::new(), BTreeSet::new());
        let mut file = BTreeMap::new();
        for step in steps {
            match step {
                Step::Met { key: n, name, at, dialed } => {
                    let name = NAMES.get(name).map(|name| PeerName::new(name));
                    let meeting = Meeting { name: name.clone(), dialed, ..met(n, "", at) };
                    let claimed = name.iter().flat_map(|name| contacts_named(&trusted, name));
                    let claimed: BTreeSet<_> = claimed.filter(|other| *other != key(n)).collect();
                    let (before, pins) = (trusted.trust(key(n)), trusted.pins.clone());
                    let blocked = name.as_ref().map(|name| pins_named(&trusted, name, true)).unwrap_or_default();
                    match trusted.meets(meeting) {
                        Verdict::Pinned => {
                            prop_assert!(claimed.is_empty(), "pinned in a contact's place");
                            let contacts = pins.values().filter(|held| held.pin.contact && !held.pin.blocked);
                            let is_hint = contacts.flat_map(|held| &held.pin.addrs).any(|hint| *hint == addr(at));
                            prop_assert!(name.is_some() || !is_hint, "perhaps a key change");
                            prop_assert_eq!((before, policy), (Trust::Unpinned, Policy::AcceptNew));
                            may_write.insert(key(n));
                        }
                        Verdict::Known { takes_name_of } => {
                            prop_assert!(may_write.contains(&key(n)));
                            let is_taken = |other| claimed.contains(&other) || blocked.contains(&other);
                            prop_assert!(takes_name_of.is_none_or(is_taken));
                        }
                        Verdict::Requested(request) | Verdict::Replaced(request) => {
                            let against: BTreeSet<_> = request.against.iter().map(|pin| pin.key).collect();
                            prop_assert_eq!(&against, &claimed);
                            let is_blocked = !blocked.is_empty();
                            prop_assert!(!against.is_empty() || is_blocked || policy == Policy::Ask);
                        }
                        Verdict::Refused(why) => {
                            prop_assert_eq!(why == Refused::Blocked, before == Trust::Blocked);
                        }
                    }
                    for (other, held) in &trusted.pins {
                        let was = pins.get(other).map(|held| &held.pin);
                        if *other != key(n) {
                            prop_assert_eq!(was, Some(&held.pin), "a meeting changed another pin");
                            continue;
                        }
                        let was_called = was.and_then(|pin| pin.name.as_ref());
                        let fold = |name: Option<&PeerName>| name.map(|name| folded(name.as_str()));
                        if fold(held.pin.name.as_ref()) != fold(was_called) {
                            prop_assert!(claimed.is_empty(), "it got the name of a contact");
                        }
                        let had: &[PeerAddr] = was.map_or(&[], |pin| &pin.addrs);
                        let is_new = |at: &&PeerAddr| !had.contains(at);
                        let added: Vec<_> = held.pin.addrs.iter().filter(is_new).collect();
                        prop_assert!(added.is_empty() || (dialed && added == [&addr(at)]));
                    }
                }
                Step::Take(n, old) => {
                    let whom = old.map_or(As::Another, |old| As::NewKeyOf(key(old)));
                    if trusted.take(key(n), whom).is_ok() {
                        may_write.insert(key(n));
                        contacts.insert(key(n));
                        if let Some(old) = old {
                            may_write.remove(&key(old));
                            contacts.remove(&key(old));
                        }
                    }
                }
                Step::Block(n) => {
                    if trusted.block(key(n)).is_ok() {
                        may_write.remove(&key(n));
                    }
                }
                Step::Unblock(n) => {
                    if trusted.unblock(key(n)).is_ok() && trusted.pin(key(n)).is_some() {
                        may_write.insert(key(n));
                    }
                }
                Step::Forget(n) => {
                    if trusted.forget(key(n)).is_ok() {
                        may_write.remove(&key(n));
                        contacts.remove(&key(n));
                    }
                }
                Step::Verify(n) => {
                    let is_verified = trusted.verify(key(n), 1).is_ok();
                    prop_assert_eq!(is_verified, may_write.contains(&key(n)));
                    contacts.extend(is_verified.then_some(key(n)));
                }
                Step::Keep(n) => drop(trusted.keep(key(n))),
                Step::MakeContact(n) => {
                    contacts.extend(trusted.make_contact(key(n)).then_some(key(n)));
                }
                Step::Alias(n, name) => {
                    let alias: Option<Name> =
                        NAMES.get(name).map(|name| name.parse().expect("valid"));
                    trusted.set_alias(key(n), alias.as_ref());
                    let is_pinned = trusted.pin(key(n)).is_some();
                    contacts.extend((is_pinned && alias.is_some()).then_some(key(n)));
                }
                Step::Policy(n) => {
                    policy = [Policy::AcceptNew, Policy::Ask, Policy::Strict][usize::from(n)];
                    trusted.set_policy(policy);
                }
                Step::Save => save(&mut file, trusted.take_changes()),
            }
            for n in 1..8 {
                prop_assert_eq!(trusted.writable(key(n)).is_some(), may_write.contains(&key(n)), "{}", n);
            }
            let flagged: BTreeSet<_> = trusted.contacts().map(|pin| pin.key).collect();
            prop_assert_eq!(&flagged, &contacts);
            let (requests, _) = trusted.requests();
            let waits = |request: &PeerRequest| trusted.pin(request.met.key()).is_none();
            prop_assert!(requests.len() <= MAX_KEY_CHANGES + MAX_MESSAGE_REQUESTS && requests.iter().all(waits));
            let mut index = Index::default();
            for held in trusted.pins.values() {
                index.add(held);
                prop_assert!(held.pin.addrs.len() <= MAX_HINTS);
                prop_assert!(held.saved || !(held.pin.contact || held.pin.blocked), "not saved");
            }
            prop_assert_eq!(&index, &trusted.index, "the index is wrong");
        }
        save(&mut file, trusted.take_changes());
        let saved = trusted.pins.values().filter(|held| held.saved);
        let saved: BTreeMap<_, _> = saved.map(|held| (held.pin.key, held.pin.clone())).collect();
        prop_assert_eq!(saved, file.clone(), "the file is wrong");
        // Loaded again, the file says the same.
        let mut again = Trusted::new(ME, policy);
        for (key, pin) in file {
            prop_assert!(again.load(pin.clone()));
            prop_assert_eq!(again.pin(key), Some(&pin));
            prop_assert_eq!(again.writable(key).is_some(), may_write.contains(&key));
        }
        prop_assert_eq!(again.take_changes(), []);
    }
}
