//! Who is called what.

use proptest::prelude::*;

use super::*;
use crate::chat::Proof;

fn addr(text: &str) -> PeerAddr {
    text.parse().unwrap()
}

fn who(name: &str, at: &str) -> Who {
    Who { name: Some(PeerName::new(name)), addr: addr(at), claimed: None, proof: Proof::Plain }
}

fn met(labels: &mut Labels, name: &str, at: &str) -> String {
    labels.meet(&who(name, at), |_| true);
    labels.label(addr(at), Some(&PeerName::new(name)))
}

#[test]
fn two_peers_of_one_name_are_told_apart_by_port_or_else_by_address() {
    let mut labels = Labels::default();
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5001"), "Bob");
    assert_eq!(met(&mut labels, "bob", "127.0.0.1:5003"), "bob·5003");
    assert_eq!(met(&mut labels, "Bob", "10.0.0.7:5003"), "Bob·10.0.0.7:5003");
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5001"), "Bob");
}

#[test]
fn nobody_takes_the_label_of_another_by_calling_itself_like_it() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    met(&mut labels, "Bob", "127.0.0.1:5003");
    assert_eq!(met(&mut labels, "Bob·5003", "127.0.0.1:9"), "Bob·5003·9");
}

#[test]
fn a_name_that_reads_as_something_else_never_stands_alone() {
    let mut labels = Labels::default();
    for name in ["all", "ALL", "7", "127.0.0.1", "127.0.0.1:1", "*", "**", "/quit", "@bob", "[12:00:00]"] {
        assert!(met(&mut labels, name, "127.0.0.1:9").contains(MARK), "{name}");
    }
}

#[test]
fn a_second_spelling_of_a_name_never_looks_like_the_first() {
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

#[test]
fn a_label_is_free_again_when_its_peer_is_forgotten() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    labels.meet(&who("Bob", "127.0.0.1:5003"), |known| known.port() != 5001);
    assert_eq!(labels.label(addr("127.0.0.1:5003"), None), "Bob");
    assert_eq!(labels.label(addr("127.0.0.1:5001"), None), "127.0.0.1:5001");
}

#[test]
fn a_new_name_is_noticed() {
    let mut labels = Labels::default();
    met(&mut labels, "Bob", "127.0.0.1:5001");
    met(&mut labels, "Carol", "127.0.0.1:5002");
    let renamed = labels.meet(&who("Carol", "127.0.0.1:5001"), |_| true);
    assert_eq!(renamed, Some(Renamed { before: "Bob".into(), now: "Carol·5001".into() }));
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5004"), "Bob");
}

#[test]
fn a_nickname_wins_and_belongs_to_one_peer_only() {
    let nicknames = BTreeMap::from([(addr("127.0.0.1:5001"), "Boss".parse().unwrap())]);
    let mut labels = Labels::new(nicknames);
    assert_eq!(met(&mut labels, "Bob", "127.0.0.1:5001"), "Boss");
    assert_eq!(met(&mut labels, "boss", "127.0.0.1:5002"), "boss·5002");
    labels.set_nicknames(BTreeMap::new());
    assert_eq!(labels.label(addr("127.0.0.1:5001"), None), "Bob");
}

#[test]
fn labels_are_kept_for_a_bounded_number_of_peers() {
    let mut labels = Labels::default();
    for n in 0..MAX_LABELS + 10 {
        let n = u32::try_from(n).unwrap();
        let at = PeerAddr::new(std::net::Ipv4Addr::from(0x0a00_0000 + n), 5000).unwrap();
        labels.meet(
            &Who { name: Some(PeerName::new("Bob")), addr: at, claimed: None, proof: Proof::Plain },
            |_| false,
        );
    }
    assert!(labels.given.len() <= MAX_LABELS && labels.owners.len() <= MAX_LABELS);
}

#[derive(Clone, Debug)]
enum Step {
    /// Somebody is met under a name, and somebody else is known no longer.
    Meets {
        name: usize,
        at: usize,
        forgotten: Option<usize>,
    },
    Nicknames {
        name: Option<usize>,
        at: usize,
    },
}

/// Names of one another's making: of one spelling in other letters, labels of others, and what reads as something else.
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

fn step() -> impl Strategy<Value = Step> {
    let forgotten = prop::option::weighted(0.1, 0..ADDRS.len());
    prop_oneof![
        10 => (0..NAMES.len(), 0..ADDRS.len(), forgotten)
            .prop_map(|(name, at, forgotten)| Step::Meets { name, at, forgotten }),
        1 => (prop::option::of(0..NAMES.len()), 0..ADDRS.len())
            .prop_map(|(name, at)| Step::Nicknames { name, at }),
    ]
}

proptest! {
    #[test]
    fn no_two_peers_that_are_known_are_ever_called_the_same(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut labels = Labels::default();
        let mut known: BTreeMap<PeerAddr, PeerName> = BTreeMap::new();
        let mut nicknames: BTreeMap<PeerAddr, Name> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Meets { name, at, forgotten } => {
                    if let Some(forgotten) = forgotten {
                        known.remove(&addr(ADDRS[forgotten]));
                    }
                    let who = who(NAMES[name], ADDRS[at]);
                    known.insert(who.addr, PeerName::new(NAMES[name]));
                    labels.meet(&who, |addr| known.contains_key(&addr));
                }
                Step::Nicknames { name, at } => {
                    nicknames.remove(&addr(ADDRS[at]));
                    // A user who gives somebody the label of another by hand wants it so.
                    let name = name.map(|name| NAMES[name]).filter(|name| !name.contains(MARK));
                    let name = name.and_then(|name| name.parse::<Name>().ok());
                    // Two peers of one nickname are refused where nicknames are given.
                    if let Some(name) = name
                        && !nicknames.values().any(|other| same(other.as_str(), name.as_str()))
                    {
                        nicknames.insert(addr(ADDRS[at]), name);
                    }
                    labels.set_nicknames(nicknames.clone());
                }
            }
            let mut called: BTreeMap<String, PeerAddr> = BTreeMap::new();
            for (addr, name) in &known {
                let label = labels.label(*addr, Some(name));
                let seen = label.to_lowercase().replace('\u{fe0f}', "");
                let other = called.insert(seen, *addr);
                prop_assert_eq!(other, None, "both {} and another are called {}", addr, label);
            }
        }
    }
}
