//! How many pins and requests there are at most, and which give way.

use super::*;

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
    assert_eq!(trusted.pins.len(), MAX_STRANGERS_PER_PREFIX + 2);
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
    PeerRequest { met: met.clone(), against: vec![bob], held: None, is_old_key_online: false }
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
    assert_eq!(trusted.pins.len(), MAX_STRANGERS_PER_PREFIX);
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
    assert_eq!(trusted.pins.len(), MAX_STRANGERS + 1, "and Bob");
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
