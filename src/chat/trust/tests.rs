use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::model::address::Source;

const ME: PublicKey = PublicKey::new([99; 32]);
const NAMES: [&str; 4] = ["Alice", "Bob", "bOB", "Carol"];

fn key(n: u8) -> PublicKey {
    PublicKey::new([n; 32])
}

fn addr(n: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::new(192, 0, 2, 1), 5_000 + n).expect("valid")
}

fn met(n: u8, name: &str, at: u16) -> Meeting {
    Meeting {
        key: key(n),
        name: Some(PeerName::new(name)),
        addr: addr(at),
        dialled: false,
        source: Source::from(Ipv4Addr::new(192, 0, 2, n)),
        date: n.into(),
    }
}

/// Bob is pinned with key 1 at address 1.
fn with_bob(policy: Policy) -> Trusted {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    assert_eq!(trusted.met(met(1, "Bob", 1)), Verdict::Pinned);
    trusted.set_policy(policy);
    trusted
}

const UNDECIDED: Verdict = Verdict::Refused(Refused::Undecided);

#[test]
fn a_new_key_is_pinned_asked_for_or_refused_as_the_policy_says() {
    for (policy, trust) in [
        (Policy::AcceptNew, Trust::Pinned),
        (Policy::Ask, Trust::Unpinned),
        (Policy::Strict, Trust::Unpinned),
    ] {
        let mut trusted = with_bob(policy);
        let verdict = trusted.met(met(2, "Alice", 2));
        match policy {
            Policy::AcceptNew => assert_eq!(verdict, Verdict::Pinned),
            Policy::Ask => {
                assert_eq!(verdict, Verdict::Offered(Offer { met: met(2, "Alice", 2), against: vec![] }));
                assert_eq!(trusted.met(met(2, "Alice", 2)), UNDECIDED, "told twice");
            }
            Policy::Strict => assert_eq!(verdict, Verdict::Refused(Refused::Strict)),
        }
        assert_eq!(trusted.trust(key(2)), trust);
        assert_eq!(trusted.writable(key(2)).is_some(), trust == Trust::Pinned);
        assert_eq!(trusted.met(met(1, "Bob", 3)), Verdict::Known { takes_name_of: None }, "{policy:?}");
    }
}

#[test]
fn a_pinned_name_or_address_with_another_key_waits_for_the_users_word() {
    for (name, at) in [(Some("bob"), 7), (Some("Alice"), 1), (Some("Bob"), 1), (None, 1)] {
        for policy in [Policy::AcceptNew, Policy::Ask, Policy::Strict] {
            let mut trusted = with_bob(policy);
            let meeting = Meeting { name: name.map(PeerName::new), ..met(2, "", at) };
            let bob = trusted.pin(key(1)).expect("pinned").clone();
            let offer = Offer { met: meeting.clone(), against: vec![bob] };
            assert_eq!(trusted.met(meeting), Verdict::Offered(offer));
            assert_eq!(trusted.met(met(2, "Zoe", 9)), UNDECIDED, "by another name at another address");
            assert!(trusted.writable(key(2)).is_none());
            assert!(trusted.writable(key(1)).is_some(), "an impostor cuts Bob off");
        }
    }
}

#[test]
fn trusting_the_new_key_of_somebody_forgets_the_old_one_and_verifies_nothing() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.verify(key(1), 5).expect("pinned");
    trusted.take_changes();
    trusted.met(met(2, "Bob", 2));
    assert_eq!(trusted.take(key(2), As::NewKeyOf(key(3))), Err(Unknown::Pin));
    assert_eq!(trusted.take(key(3), As::Another), Err(Unknown::Offer));
    trusted.take(key(2), As::NewKeyOf(key(1))).expect("offered");
    let pin = trusted.pin(key(2)).expect("pinned").clone();
    assert_eq!((pin.trust(), &pin.addrs), (Trust::Pinned, &vec![addr(2), addr(1)]));
    assert_eq!(trusted.trust(key(1)), Trust::Unpinned);
    assert_eq!(trusted.take_changes(), [Change::Forget(key(1)), Change::Write(pin)]);
    assert!(trusted.offers().0.is_empty());
    assert!(matches!(trusted.met(met(1, "Bob", 1)), Verdict::Offered(_)), "the old key comes back unasked");
}

#[test]
fn a_key_is_not_taken_for_the_new_one_of_somebody_blocked_or_of_somebody_it_has_nothing_to_do_with() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.met(met(3, "Alice", 3));
    trusted.met(met(2, "Bob", 2));
    assert_eq!(trusted.take(key(2), As::NewKeyOf(key(3))), Err(Unknown::Pin));
    trusted.block(key(1)).expect("pinned");
    assert_eq!(trusted.take(key(2), As::NewKeyOf(key(1))), Err(Unknown::Pin));
    assert_eq!((trusted.trust(key(1)), trusted.trust(key(2))), (Trust::Blocked, Trust::Unpinned));
}

#[test]
fn another_person_of_the_same_name_is_pinned_beside_the_first() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.met(met(2, "Bob", 2));
    trusted.take(key(2), As::Another).expect("offered");
    assert_eq!((trusted.trust(key(1)), trusted.trust(key(2))), (Trust::Pinned, Trust::Pinned));
    assert_eq!(trusted.met(met(2, "Bob", 2)), Verdict::Known { takes_name_of: None });
}

#[test]
fn a_blocked_key_stays_so_and_takes_nobodys_address() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.met(met(2, "Bob", 1));
    trusted.block(key(2)).expect("offered");
    assert_eq!(trusted.met(met(2, "Zoe", 9)), Verdict::Refused(Refused::Blocked));
    assert!(
        trusted.pin(key(1)).expect("pinned").addrs.is_empty(),
        "still looked for where the blocked one is"
    );
    assert_eq!(trusted.verify(key(2), 1), Err(Unknown::Pin));
    assert_eq!(trusted.claimed(None, Some(addr(1))), None);
    trusted.block(key(1)).expect("pinned");
    assert!(trusted.writable(key(1)).is_none());
    trusted.unpin(key(2)).expect("blocked");
    assert_eq!(trusted.met(met(2, "Bob", 1)), Verdict::Pinned);
}

#[test]
fn a_known_key_gets_neither_the_name_nor_by_its_word_alone_the_address_of_another() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.met(met(2, "Mallory", 2));
    assert_eq!(trusted.met(met(2, "bob", 1)), Verdict::Known { takes_name_of: Some(key(1)) });
    assert_eq!(trusted.met(met(2, "bob", 1)), Verdict::Known { takes_name_of: None }, "told twice");
    let pin = trusted.pin(key(2)).expect("pinned");
    assert_eq!((pin.name.clone(), &pin.addrs), (Some(PeerName::new("Mallory")), &vec![addr(2)]));
    trusted.met(Meeting { dialled: true, ..met(2, "Mallory", 1) });
    assert_eq!(trusted.pin(key(2)).expect("pinned").addrs, [addr(1), addr(2)]);
    assert_eq!(trusted.pin(key(1)).expect("pinned").addrs, [addr(1)], "Bob is not looked for any more");
}

#[test]
fn our_own_key_is_nobody_else() {
    let mut trusted = with_bob(Policy::AcceptNew);
    assert_eq!(trusted.met(Meeting { key: ME, ..met(5, "Me", 5) }), Verdict::Refused(Refused::Ourselves));
}

#[test]
fn what_is_said_in_plain_in_the_name_or_from_the_address_of_a_pin_is_recognised() {
    let trusted = with_bob(Policy::AcceptNew);
    assert_eq!(trusted.claimed(Some(&PeerName::new("BOB")), Some(addr(9))), Some(key(1)));
    assert_eq!(trusted.claimed(None, Some(addr(1))), Some(key(1)));
    assert_eq!(trusted.claimed(Some(&PeerName::new("Alice")), Some(addr(9))), None);
}

#[test]
fn a_mere_knock_is_not_written_down() {
    let mut trusted = with_bob(Policy::AcceptNew);
    assert_eq!(trusted.take_changes(), []);
    trusted.keep(key(1));
    let pin = trusted.pin(key(1)).expect("pinned").clone();
    assert_eq!(trusted.take_changes(), [Change::Write(pin)]);
    trusted.met(met(1, "Bob", 1));
    assert_eq!(trusted.take_changes(), [], "nothing has changed");
}

#[test]
fn an_offer_is_found_by_either_name_or_the_first_group_of_its_key() {
    let mut trusted = with_bob(Policy::AcceptNew);
    trusted.met(met(2, "Zoe", 1));
    let group = key(2).to_string()[..4].to_uppercase();
    for word in ["zoe", "BOB", &group] {
        assert_eq!(trusted.offers_for(word).len(), 1, "{word}");
    }
    assert!(trusted.offers_for("Alice").is_empty() && trusted.offers_for("").is_empty());
}

#[test]
fn one_source_neither_fills_the_offers_nor_the_pins() {
    let mut trusted = with_bob(Policy::AcceptNew);
    for n in 10..30 {
        trusted.met(Meeting { source: Source::from(Ipv4Addr::new(192, 0, 2, 66)), ..met(n, "Bob", 2) });
    }
    assert_eq!(trusted.offers().0.len(), MAX_OFFERS_OF_ONE);
    assert_eq!(trusted.offers().1, 20 - MAX_OFFERS_OF_ONE as u64);
    for n in 30..70 {
        trusted.met(met(n, "Bob", 2));
    }
    assert_eq!(trusted.offers().0.len(), MAX_OFFERS);
    let mut pinned = 0;
    for n in 0..150 {
        let meeting = met(70, &format!("name-{n}"), 100 + n);
        let mut bytes = [7; 32];
        bytes[0] = n as u8;
        pinned +=
            usize::from(trusted.met(Meeting { key: PublicKey::new(bytes), ..meeting }) == Verdict::Pinned);
    }
    assert_eq!(pinned, MAX_PINS_OF_ONE);
}

#[test]
fn when_there_are_too_many_the_oldest_that_we_never_wrote_to_goes() {
    let mut trusted = Trusted::new(ME, Policy::AcceptNew);
    let nth = |n: usize| {
        let mut bytes = [1; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        Meeting {
            key: PublicKey::new(bytes),
            name: Some(PeerName::new(&format!("peer-{n}"))),
            addr: PeerAddr::new(Ipv4Addr::from_bits(0x0a00_0000 + n as u32), 5000).expect("valid"),
            source: Source::from(Ipv4Addr::from_bits(0x0a00_0000 + n as u32)),
            ..met(0, "", 0)
        }
    };
    for n in 0..MAX_PINS {
        assert_eq!(trusted.met(nth(n)), Verdict::Pinned);
    }
    trusted.keep(nth(0).key);
    trusted.verify(nth(1).key, 0).expect("pinned");
    trusted.block(nth(2).key).expect("pinned");
    assert_eq!(trusted.met(nth(MAX_PINS)), Verdict::Pinned);
    assert_eq!((trusted.len(), trusted.trust(nth(3).key)), (MAX_PINS, Trust::Unpinned));
    for n in 0..=MAX_PINS {
        trusted.keep(nth(n).key);
    }
    assert_eq!(trusted.met(nth(3)), Verdict::Refused(Refused::NoRoom));
    assert_eq!(trusted.len(), MAX_PINS);
}

#[test]
fn both_sides_compute_the_short_code_from_the_same_bytes() {
    assert_eq!(code_input(key(1), key(2)), code_input(key(2), key(1)));
    assert_eq!(code_input(key(2), key(1)), *[[1; 32], [2; 32]].as_flattened());
}

#[derive(Clone, Debug)]
enum Step {
    Met { key: u8, name: usize, at: u16, dialled: bool },
    Take(u8, Option<u8>),
    Block(u8),
    Unpin(u8),
    Verify(u8),
    Keep(u8),
    Policy(u8),
    Save,
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 1u8..8;
    prop_oneof![
        12 => (key(), 0..=NAMES.len(), 0u16..12, any::<bool>())
            .prop_map(|(key, name, at, dialled)| Step::Met { key, name, at, dialled }),
        2 => (key(), prop::option::of(key())).prop_map(|(key, old)| Step::Take(key, old)),
        1 => key().prop_map(Step::Block),
        1 => key().prop_map(Step::Unpin),
        1 => key().prop_map(Step::Verify),
        2 => key().prop_map(Step::Keep),
        1 => (0u8..3).prop_map(Step::Policy),
        2 => Just(Step::Save),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_written_to_under_anothers_name_without_the_users_word(steps in prop::collection::vec(step(), 0..80)) {
        let mut trusted = Trusted::new(ME, Policy::AcceptNew);
        let mut policy = Policy::AcceptNew;
        // What should be, kept without the code that is tested.
        let mut may_write = BTreeSet::new();
        let mut file = BTreeMap::new();
        let mut namesakes = false;
        for step in steps {
            match step {
                Step::Met { key: n, name, at, dialled } => {
                    let name = NAMES.get(name).map(|name| PeerName::new(name));
                    let meeting = Meeting { name: name.clone(), dialled, ..met(n, "", at) };
                    let hints_at = |pin: &Pin| {
                        let named = pin.name.as_ref().zip(name.as_ref());
                        let is_named = named.is_some_and(|(a, b)| a.as_str().eq_ignore_ascii_case(b.as_str()));
                        pin.key != key(n) && !pin.blocked && (is_named || pin.addrs.contains(&addr(at)))
                    };
                    let contradicts = trusted.pins.values().any(|held| hints_at(&held.pin));
                    let before = trusted.trust(key(n));
                    match trusted.met(meeting) {
                        Verdict::Pinned => {
                            prop_assert!(!contradicts, "pinned in another's place");
                            prop_assert_eq!((before, policy), (Trust::Unpinned, Policy::AcceptNew));
                            may_write.insert(key(n));
                        }
                        Verdict::Known { .. } => prop_assert!(may_write.contains(&key(n))),
                        Verdict::Offered(offer) => prop_assert_eq!(contradicts, !offer.against.is_empty()),
                        Verdict::Refused(why) => prop_assert_eq!(why == Refused::Blocked, before == Trust::Blocked),
                    }
                }
                Step::Take(n, old) => {
                    let whom = old.map_or(As::Another, |old| As::NewKeyOf(key(old)));
                    if trusted.take(key(n), whom).is_ok() {
                        may_write.insert(key(n));
                        old.map(|old| may_write.remove(&key(old)));
                        namesakes |= old.is_none();
                    }
                }
                Step::Block(n) => drop(trusted.block(key(n)).map(|()| may_write.remove(&key(n)))),
                Step::Unpin(n) => drop(trusted.unpin(key(n)).map(|_| may_write.remove(&key(n)))),
                Step::Verify(n) => prop_assert_eq!(trusted.verify(key(n), 1).is_ok(), may_write.contains(&key(n))),
                Step::Keep(n) => trusted.keep(key(n)),
                Step::Policy(n) => {
                    policy = [Policy::AcceptNew, Policy::Ask, Policy::Strict][usize::from(n)];
                    trusted.set_policy(policy);
                }
                Step::Save => for change in trusted.take_changes() {
                    match change {
                        Change::Write(pin) => drop(file.insert(pin.key, pin)),
                        Change::Forget(key) => drop(file.remove(&key)),
                    }
                    },
            }
            for n in 1..8 {
                prop_assert_eq!(trusted.writable(key(n)).is_some(), may_write.contains(&key(n)), "{}", n);
            }
            let (offers, _) = trusted.offers();
            prop_assert!(offers.len() <= MAX_OFFERS && offers.iter().all(|offer| !may_write.contains(&offer.met.key)));
            let mut hints = Hints::default();
            let mut names = BTreeSet::new();
            for held in trusted.pins.values() {
                hints.add(&held.pin);
                let name = held.pin.name.as_ref().filter(|_| !held.pin.blocked);
                let is_alone = name.is_none_or(|name| names.insert(name.as_str().to_lowercase()));
                prop_assert!(is_alone || namesakes, "two of one name without the user's word");
                prop_assert!(held.pin.addrs.len() <= MAX_HINTS);
            }
            prop_assert_eq!(hints.sizes(), trusted.hints.sizes(), "an index is not true");
            let may_go = trusted.pins.values().filter(|held| held.may_go());
            let may_go: BTreeMap<_, _> = may_go.map(|held| (held.turn, held.pin.key)).collect();
            prop_assert_eq!(&may_go, &trusted.may_go);
        }
        for change in trusted.take_changes() {
            match change {
                Change::Write(pin) => drop(file.insert(pin.key, pin)),
                Change::Forget(key) => drop(file.remove(&key)),
            }
        }
        let kept = trusted.pins.values().filter(|held| held.kept).map(|held| (held.pin.key, held.pin.clone()));
        prop_assert_eq!(kept.collect::<BTreeMap<_, _>>(), file.clone(), "the file does not say what is known");
        // What was written down is all that is needed: loaded again, it says the same.
        let mut again = Trusted::new(ME, policy);
        for (key, pin) in file {
            prop_assert!(again.load(pin.clone()));
            prop_assert_eq!(again.pin(key), Some(&pin));
            prop_assert_eq!(again.writable(key).is_some(), may_write.contains(&key));
        }
        prop_assert_eq!(again.take_changes(), []);
    }
}
