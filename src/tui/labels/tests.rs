//! Who is called what.

use proptest::prelude::*;

use super::*;
use crate::model::peer_id::{LegacyId, PeerId};
use crate::tui::examples::{self, peer as who};

fn addr(text: &str) -> PeerAddr {
    text.parse().unwrap()
}

fn at(text: &str) -> Recipient {
    addr(text).into()
}

fn key(byte: u8) -> Recipient {
    examples::key(byte).into()
}

fn met_as(labels: &mut Labels, name: &str, id: Recipient, contacts: &[Recipient]) -> String {
    let standing = |id| if contacts.contains(&id) { Standing::Contact } else { Standing::Stranger };
    labels.meet(&who(name, id), standing);
    labels.label(id, Some(&PeerName::new(name)))
}

fn met(labels: &mut Labels, name: &str, id: &str) -> String {
    met_as(labels, name, at(id), &[])
}

#[test]
fn strangers_of_one_name_get_port_then_address() {
    let mut labels = Labels::default();
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5001"), "Bob");
    assert_eq!(met(&mut labels, "bob", "127.0.0.1:5003"), "bob·5003");
    assert_eq!(met(&mut labels, "Bob", "10.0.0.7:5003"), "Bob·10.0.0.7:5003");
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5001"), "Bob");
}

#[test]
fn key_strangers_of_one_name_get_key_beginning() {
    let mut labels = Labels::default();
    assert_eq!(met_as(&mut labels, "Bob", key(1), &[]), "Bob");
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[]), "Bob·aiba");
    // A peer that makes a key with the same beginning gets a longer suffix.
    let mut bytes = [2; 32];
    bytes[31] = 3;
    let forged = PublicKey::new(bytes);
    assert_eq!(met_as(&mut labels, "Bob", forged.into(), &[]), "Bob·aibaeaqc");
    bytes[31] = 4;
    let forged = PublicKey::new(bytes);
    assert_eq!(met_as(&mut labels, "Bob", forged.into(), &[]), format!("Bob·{forged}"));
    assert_eq!(labels.label(key(3), Some(&PeerName::new("Zoe"))), format!("Zoe·{}", key_start(3, 4)));
    assert_eq!(labels.label(key(3), None), key_start(3, 8));
}

fn key_start(byte: u8, chars: usize) -> String {
    examples::key(byte).to_string().chars().take(chars).collect()
}

#[test]
fn contact_takes_its_plain_name_from_a_stranger() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    let renamed = labels.meet(&who("bob", key(1)), |id| match id == key(1) {
        true => Standing::Contact,
        false => Standing::Stranger,
    });
    let stranger = Renamed { id: at("127.0.0.1:5001"), before: "Bob".into(), now: "Bob·5001".into() };
    assert_eq!(renamed, [stranger]);
    assert_eq!(labels.label(key(1), None), "bob");
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[key(1)]), "Bob·aiba");
}

#[test]
fn stranger_that_becomes_a_contact_loses_its_suffix() {
    let mut labels = Labels::default();
    met_as(&mut labels, "Bob", key(1), &[]);
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[]), "Bob·aiba");
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[key(2)]), "Bob");
    assert_eq!(labels.label(key(1), None), "Bob·aeaq");
}

#[test]
fn strangers_with_our_own_name_are_marked() {
    let mut labels = Labels::default();
    assert_eq!(met_as(&mut labels, "alice", key(1), &[]), "alice");
    labels.set_own_name(&"Alice".parse().unwrap());
    for (n, name) in [(1, "alice"), (2, "\u{410}lice"), (3, "You"), (4, "y\u{43e}u"), (5, "Alice(me)")] {
        let id = key(n);
        let label = met_as(&mut labels, name, id, &[]);
        assert_eq!(label, format!("{name}·{}", key_start(n, 4)));
        let shown = labels.shown(id, Some(&PeerName::new(name)));
        assert_eq!(shown, format!("{label} (looks like you)"));
    }
    // A contact is known, whatever it is called.
    assert_eq!(met_as(&mut labels, "Alice", key(6), &[key(6)]), "Alice");
    assert_eq!(labels.shown(key(6), None), "Alice");
    assert_eq!(met_as(&mut labels, "Younes", key(7), &[]), "Younes");
    labels.set_own_name(&"Younes".parse().unwrap());
    assert_eq!(met_as(&mut labels, "Younes", key(7), &[]), format!("Younes·{}", key_start(7, 4)));
}

#[test]
fn two_contacts_of_one_name_have_suffixes() {
    let mut labels = Labels::default();
    let contacts = [key(1), key(2), key(3)];
    assert_eq!(met_as(&mut labels, "Bob", key(1), &contacts), "Bob");
    assert_eq!(met_as(&mut labels, "bob", key(2), &contacts), "bob·aiba");
    assert_eq!(labels.label(key(1), None), "Bob·aeaq");
    assert_eq!(met_as(&mut labels, "Bob", key(3), &contacts), format!("Bob·{}", key_start(3, 4)));
    assert_eq!(met_as(&mut labels, "Bob", key(4), &contacts), format!("Bob·{}", key_start(4, 4)));
    // When only one of them is left, the plain name is free.
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[key(2)]), "Bob");
}

#[test]
fn contact_suffixes_do_not_depend_on_order() {
    let mut bytes = [2; 32];
    bytes[3] = 3;
    // The last two keys begin with the same four characters.
    let contacts: [Recipient; 4] = [at("127.0.0.1:5001"), key(1), key(2), PublicKey::new(bytes).into()];
    let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]];
    let labels = orders.map(|order| {
        let mut labels = Labels::default();
        // A stranger has a suffix that one of them needs.
        met_as(&mut labels, "Bob", key(9), &[]);
        met_as(&mut labels, "Bob·aeaq", key(8), &[]);
        for at in order {
            met_as(&mut labels, "Bob", contacts[at], &contacts);
        }
        contacts.map(|id| labels.label(id, None))
    });
    let [long, other] = [2, 3].map(|at: usize| labels[0][at].clone());
    assert_eq!(labels[0][..2], ["Bob·5001", "Bob·aeaq"]);
    assert_eq!(long, format!("Bob·{}", key_start(2, 8)));
    assert!(other.starts_with("Bob·aiba") && other != long, "{other}");
    for others in &labels[1..] {
        assert_eq!(*others, labels[0]);
    }
}

#[test]
fn stranger_yields_its_suffix_to_a_contact() {
    let mut bytes = [1; 32];
    bytes[31] = 3;
    let forged: Recipient = PublicKey::new(bytes).into();
    let contacts = [key(1), key(2)];
    let mut labels = Labels::default();
    met_as(&mut labels, "Bob", key(2), &contacts);
    assert_eq!(met_as(&mut labels, "Bob", forged, &contacts), "Bob·aeaq");
    assert_eq!(met_as(&mut labels, "Bob", key(1), &contacts), "Bob·aeaq");
    assert_eq!(labels.label(forged, None), format!("Bob·{}", key_start(1, 8)));
}

#[test]
fn stranger_meets_again_without_suffix_once_alone() {
    let mut labels = Labels::default();
    assert_eq!(met_as(&mut labels, "Bob", key(1), &[key(1)]), "Bob");
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[key(1)]), "Bob·aiba");
    labels.forget(key(1));
    // What it says changes nothing; when the user forgets the other, it does.
    assert_eq!(met_as(&mut labels, "Bob", key(2), &[]), "Bob·aiba");
    let renamed = labels.meet_again(&who("Bob", key(2)), |_| Standing::Stranger);
    assert_eq!(renamed, [Renamed { id: key(2), before: "Bob·aiba".into(), now: "Bob".into() }]);
}

#[test]
fn label_is_free_after_its_contact_was_forgotten() {
    let mut labels = Labels::default();
    let contacts = [key(1), key(2)];
    for id in contacts {
        met_as(&mut labels, "Bob", id, &contacts);
    }
    labels.forget(key(2));
    assert_eq!(met_as(&mut labels, "Bob", key(1), &contacts), "Bob");
}

#[test]
fn contacts_alone_have_the_labels_of_the_chat() {
    let name = |name: &str| Some(PeerName::new(name));
    let labels = Labels::of_contacts(
        BTreeMap::new(),
        [(key(1), "Bob"), (key(2), "bob"), (key(3), "Zoe")]
            .map(|(id, called)| (id, name(called), Standing::Contact)),
    );
    let suffixed = [1, 2, 3].map(|n| labels.suffixed_label(key(n)));
    assert_eq!(suffixed, [Some("Bob·aeaq".into()), Some("bob·aiba".into()), None]);
}

#[test]
fn blocked_key_leaves_the_contact_its_name() {
    let name = || Some(PeerName::new("Bob"));
    let (blocked, contact) = ((key(1), name(), Standing::Stranger), (key(2), name(), Standing::Contact));
    for contacts in [[blocked.clone(), contact.clone()], [contact, blocked]] {
        let labels = Labels::of_contacts(BTreeMap::new(), contacts);
        assert_eq!(labels.label(key(1), None), "Bob·aeaq");
        assert_eq!(labels.label(key(2), None), "Bob");
    }
}

#[test]
fn peer_takes_the_name_of_its_own_address() {
    let mut labels = Labels::default();
    let unproven = at("127.0.0.1:5001");
    let contacts = [unproven];
    assert_eq!(met_as(&mut labels, "Bob", unproven, &contacts), "Bob");
    let peer = PeerInfo { addr: unproven.addr(), ..who("Bob", key(1)) };
    let standing = |id| if id == unproven { Standing::Contact } else { Standing::Stranger };
    assert_eq!(labels.meet(&peer, standing), []);
    assert_eq!(labels.label(key(1), None), "Bob");
    assert_eq!(labels.label(unproven, Some(&PeerName::new("Bob"))), "Bob");
    assert_eq!(met_as(&mut labels, "Bob", unproven, &contacts), "Bob");
    assert_eq!(labels.label(key(1), None), "Bob");
}

#[test]
fn bound_address_hands_its_label_on() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    labels.replace(at("127.0.0.1:5001"), key(1));
    assert_eq!(labels.known(key(1)), Some("Bob".into()));
    assert_eq!(labels.known(at("127.0.0.1:5001")), None);
}

#[test]
fn name_like_a_label_does_not_take_it() {
    let mut labels = Labels::default();
    assert_eq!(met_as(&mut labels, "Eve·aiba", key(1), &[key(1)]), "Eve·aiba·aeaq");
    met(&mut labels, "Bob", "127.0.0.1:5001");
    met(&mut labels, "Bob", "127.0.0.1:5003");
    assert_eq!(met(&mut labels, "Bob·5003", "127.0.0.1:9"), "Bob·5003·9");
}

#[test]
fn misleading_name_always_has_a_suffix() {
    let mut labels = Labels::default();
    for name in ["all", "ALL", "7", "127.0.0.1", "127.0.0.1:1", "*", "**", "/quit", "@bob", "[12:00:00]"] {
        assert!(met(&mut labels, name, "127.0.0.1:9").contains(MARK), "{name}");
    }
}

#[test]
fn a_name_that_looks_verified_never_stands_alone() {
    let mut labels = Labels::default();
    for name in ["Bob✓", "Bob\u{2714}", "Bob(verified)", "Bob[verified]"] {
        assert_eq!(met(&mut labels, name, "127.0.0.1:9"), format!("{name}·9"));
    }
}

#[test]
fn other_spelling_of_a_name_gets_a_suffix() {
    let mut labels = Labels::default();
    for (name, spelt) in [("Andr\u{e9}", "Andre\u{301}"), ("\u{d55c}", "\u{1112}\u{1161}\u{11ab}")] {
        assert_eq!(met(&mut labels, name, "127.0.0.1:5001"), name);
        assert_eq!(met(&mut labels, spelt, "127.0.0.1:9"), format!("{name}·9"));
    }
    for dot in LIKE_THE_MARK {
        for number in ["5001", "\u{ff15}001"] {
            let name = format!("Bob{dot}{number}");
            let shown = PeerName::new(&name);
            assert_eq!(met(&mut labels, &name, "127.0.0.1:7"), format!("{shown}·7"));
        }
    }
}

/// Names that look like Bob, and what is shown of a stranger with this name and of its label.
const LIKE_BOB: [(&str, &str); 7] = [
    ("B\u{43e}b", "B\u{43e}b·aiba (looks like Bob)"),
    ("\u{412}\u{43e}b", "\u{412}\u{43e}b·aiba (looks like Bob)"),
    ("b0b", "b0b·aiba (looks like Bob)"),
    ("Bob\u{16fe4}", r"Bob\u{16fe4}·aiba (looks like Bob)"),
    ("Bob\u{2d7f}", r"Bob\u{2d7f}·aiba (looks like Bob)"),
    ("Bob\u{ff08}verified\u{ff09}", "Bob\u{ff08}verified\u{ff09}·aiba (looks like Bob)"),
    ("Bob\u{e000}", r"Bob\u{e000}·aiba (looks like Bob)"),
];

#[test]
fn name_like_a_contact_has_suffix_and_remark() {
    for (name, shown) in LIKE_BOB {
        let mut labels = Labels::default();
        met_as(&mut labels, "Bob", key(1), &[key(1)]);
        met_as(&mut labels, name, key(2), &[key(1)]);
        assert_eq!(labels.shown(key(2), None), shown);
        assert_eq!(labels.shown(key(1), None), "Bob");
        // Neither the remark nor the suffix depends on who was met first.
        let mut labels = Labels::default();
        assert_eq!(labels.looks_like(key(2), Some(&PeerName::new(name))), None);
        met_as(&mut labels, name, key(2), &[]);
        assert!(!labels.shown(key(2), None).contains("looks like"));
        met_as(&mut labels, "Bob", key(1), &[key(1)]);
        assert_eq!(labels.shown(key(2), None), shown);
        assert_eq!(labels.shown(key(1), None), "Bob");
    }
}

#[test]
fn compatible_spelling_is_the_same_name() {
    for name in ["\u{ff22}ob", "\u{1d401}ob", "Bob\u{fe0f}"] {
        let mut labels = Labels::default();
        met_as(&mut labels, "Bob", key(1), &[key(1)]);
        let shown = format!("{}·aiba", PeerName::new(name));
        assert_eq!(met_as(&mut labels, name, key(2), &[key(1)]), shown);
        assert_eq!(labels.shown(key(2), None), shown);
    }
}

#[test]
fn contact_that_turns_up_renames_its_look_alike() {
    let mut labels = Labels::default();
    assert_eq!(met_as(&mut labels, "B\u{43e}b", key(2), &[]), "B\u{43e}b");
    met_as(&mut labels, "Bob", key(1), &[]);
    let renamed = labels.meet(&who("Bob", key(1)), |_| Standing::Contact);
    let before = "B\u{43e}b".to_owned();
    assert_eq!(renamed, [Renamed { id: key(2), before, now: "B\u{43e}b·aiba".into() }]);
    labels.forget(key(1));
    assert_eq!(labels.looks_like(key(2), None), None);
}

#[test]
fn name_like_an_alias_has_suffix_and_remark() {
    let mut labels = Labels::new(BTreeMap::from([(key(1), "Boss".parse().unwrap())]));
    met_as(&mut labels, "Bob", key(1), &[key(1)]);
    met_as(&mut labels, "B\u{43e}ss", key(2), &[key(1)]);
    assert_eq!(labels.shown(key(2), None), "B\u{43e}ss·aiba (looks like Boss)");
    met_as(&mut labels, "B\u{43e}b", key(3), &[key(1)]);
    assert_eq!(labels.shown(key(3), None), format!("B\u{43e}b·{} (looks like Boss)", key_start(3, 4)));
    labels.set_aliases(BTreeMap::from([(key(2), "Eve".parse().unwrap())]));
    assert_eq!(labels.shown(key(2), None), "Eve");
}

#[test]
fn contacts_that_look_alike_both_say_so() {
    let contacts = [key(1), key(2)];
    for order in [[0, 1], [1, 0]] {
        let mut labels = Labels::default();
        for at in order {
            met_as(&mut labels, ["Bob", "B\u{43e}b"][at], contacts[at], &contacts);
        }
        let shown = contacts.map(|id| labels.shown(id, None));
        assert_eq!(shown, ["Bob·aeaq (looks like B\u{43e}b)", "B\u{43e}b·aiba (looks like Bob)"]);
    }
}

#[test]
fn forgotten_peer_frees_its_label() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    let forgotten = at("127.0.0.1:5001");
    labels.meet(&who("Bob", at("127.0.0.1:5003")), |id| match id == forgotten {
        true => Standing::Forgotten,
        false => Standing::Stranger,
    });
    assert_eq!(labels.label(at("127.0.0.1:5003"), None), "Bob");
    assert_eq!(labels.label(forgotten, None), "127.0.0.1:5001");
}

#[test]
fn a_new_name_is_noticed() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    met(&mut labels, "Carol", "127.0.0.1:5002");
    let id = at("127.0.0.1:5001");
    let renamed = labels.meet(&who("Carol", id), |_| Standing::Stranger);
    assert_eq!(renamed, [Renamed { id, before: "Bob".into(), now: "Carol·5001".into() }]);
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5004"), "Bob");
}

#[test]
fn alias_wins_and_belongs_to_one_peer() {
    let aliases = BTreeMap::from([(at("127.0.0.1:5001"), "Boss".parse().unwrap())]);
    let mut labels = Labels::new(aliases);
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5001"), "Boss");
    assert_eq!(met(&mut labels, "boss", "127.0.0.1:5002"), "boss·5002");
    labels.set_aliases(BTreeMap::new());
    assert_eq!(labels.label(at("127.0.0.1:5001"), None), "Bob");
}

#[test]
fn alias_of_an_address_is_never_a_keys() {
    let legacy = PeerId::Legacy(LegacyId::saved_as(addr("127.0.0.1:5001").plain().unwrap()));
    let labels = Labels::new(BTreeMap::from([(legacy.into(), "Boss".parse().unwrap())]));
    for (id, alias) in [(legacy.into(), true), (at("127.0.0.1:5001"), true), (key(1), false)] {
        assert_eq!(labels.alias(id).is_some(), alias, "{id}");
    }
}

#[test]
fn number_of_labels_is_bounded() {
    let mut labels = Labels::default();
    for n in 0..MAX_LABELS + 10 {
        let n = u32::try_from(n).unwrap();
        let at = PeerAddr::new(std::net::Ipv4Addr::from(0x0a00_0000 + n), 5000).unwrap();
        labels.meet(&who("Bob", at.into()), |_| Standing::Forgotten);
    }
    assert!(labels.given.len() <= MAX_LABELS && labels.owners.len() <= MAX_LABELS);
}

#[derive(Clone, Debug)]
enum Step {
    /// A peer is met under a name, and another one is forgotten.
    Meets {
        name: usize,
        at: usize,
        forgotten: Option<usize>,
        contact: bool,
    },
    Aliases {
        name: Option<usize>,
        at: usize,
    },
}

/// Names of one another's making: of one spelling in other letters, labels of others, and what
/// reads as something else.
const NAMES: [&str; 16] = [
    "Bob",
    "bob",
    "BOB",
    "Bob·5001",
    "Bob·5002",
    "bob·127.0.0.1:5001",
    "Bob·127.0.0.1:5002",
    "Bob·10.0.0.7:5001",
    "Bob·10.0.0.7:5001·5002",
    "Bob\u{fe0f}",
    "all",
    "all·5001",
    "7",
    "127.0.0.1:5001",
    "*",
    "İ",
];

const ADDRS: [&str; 6] =
    ["127.0.0.1:5001", "127.0.0.1:5002", "10.0.0.7:5001", "10.0.0.7:5002", "10.0.0.8:5001", "10.0.0.8:15001"];

/// Peers at the addresses, and as many keys.
const IDS: usize = 2 * ADDRS.len();

fn id(number: usize) -> Recipient {
    match ADDRS.get(number) {
        Some(addr) => at(addr),
        None => key(u8::try_from(number).unwrap()),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let forgotten = prop::option::weighted(0.1, 0..IDS);
    prop_oneof![
        10 => (0..NAMES.len(), 0..IDS, forgotten, any::<bool>())
            .prop_map(|(name, at, forgotten, contact)| Step::Meets { name, at, forgotten, contact }),
        1 => (prop::option::of(0..NAMES.len()), 0..IDS)
            .prop_map(|(name, at)| Step::Aliases { name, at }),
    ]
}

proptest! {
    #[test]
    fn no_two_known_peers_have_one_label(steps in prop::collection::vec(step(), 0..60)) {
        let mut labels = Labels::default();
        let mut known: BTreeMap<Recipient, (PeerName, bool)> = BTreeMap::new();
        let mut aliases: BTreeMap<Recipient, Name> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Meets { name, at, forgotten, contact } => {
                    if let Some(forgotten) = forgotten {
                        known.remove(&id(forgotten));
                    }
                    let who = who(NAMES[name], id(at));
                    known.insert(who.id, (PeerName::new(NAMES[name]), contact));
                    labels.meet(&who, |id| match known.get(&id) {
                        None => Standing::Forgotten,
                        Some((_, true)) => Standing::Contact,
                        Some((_, false)) => Standing::Stranger,
                    });
                }
                Step::Aliases { name, at } => {
                    aliases.remove(&id(at));
                    // An alias may be the label of another peer: the user chose it.
                    let name = name.map(|name| NAMES[name]).filter(|name| !name.contains(MARK));
                    let name = name.and_then(|name| name.parse::<Name>().ok());
                    // Two peers of one alias are refused where aliases are given.
                    if let Some(name) = name
                        && !aliases.values().any(|other| folded(other.as_str()) == folded(name.as_str()))
                    {
                        aliases.insert(id(at), name);
                    }
                    labels.set_aliases(aliases.clone());
                }
            }
            let mut called: BTreeMap<String, Recipient> = BTreeMap::new();
            for (id, (name, _)) in &known {
                let label = labels.label(*id, Some(name));
                let other = called.insert(folded(&label), *id);
                prop_assert_eq!(other, None, "both {} and another are called {}", id, label);
            }
        }
    }
}
