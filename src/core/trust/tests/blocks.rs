//! Blocked keys, legacy peers and sources.

use super::*;

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
    assert!(!trusted.is_writable(key(1)));
    assert_eq!(trusted.claimed_name(&PeerName::new("Bob")), None);
    for blocked in [1, 2] {
        trusted.forget(key(blocked)).expect("blocked");
    }
    assert_eq!(trusted.meets(dialed(2, "Bob", 1)), Verdict::Pinned);
}
