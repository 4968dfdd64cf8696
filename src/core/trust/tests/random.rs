//! What holds after any sequence of meetings and decisions.

use super::*;

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
                prop_assert_eq!(trusted.is_writable(key(n)), may_write.contains(&key(n)), "{}", n);
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
            prop_assert_eq!(again.is_writable(key), may_write.contains(&key));
        }
        prop_assert_eq!(again.take_changes(), []);
    }
}
