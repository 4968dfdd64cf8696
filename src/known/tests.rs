use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::key::KEY_BYTES;

fn key(byte: u8) -> PeerKey {
    PeerKey::new([byte; KEY_BYTES])
}

fn bob() -> Pin {
    Pin {
        key: key(1),
        name: Some(PeerName::new("Bob")),
        addrs: vec!["192.0.2.7:5000".parse().unwrap()],
        first_seen: 1_795_255_200,
        verified: Some(1_795_339_800),
        blocked: false,
    }
}

fn unwanted(byte: u8) -> Pin {
    Pin {
        key: key(byte),
        name: None,
        addrs: vec![],
        first_seen: 1_795_255_200,
        verified: None,
        blocked: true,
    }
}

fn remember(pin: &Pin) -> (PeerKey, Option<Pin>) {
    (pin.key, Some(pin.clone()))
}

fn kept(folder: &Path) -> Vec<Pin> {
    KnownPeers::open(Some(folder)).unwrap().pins().cloned().collect()
}

#[test]
fn the_example_of_the_documentation_is_read_and_written_so() {
    let document = include_str!("../../docs/IDENTITY.md");
    let (_, rest) = document.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let pins = parse(example).unwrap();
    assert_eq!(pins.values().cloned().collect::<Vec<_>>(), [bob(), unwanted(2)]);
    assert_eq!(text_of(pins.values()), format!("{TITLE}\n{example}"));
}

#[test]
fn what_is_remembered_is_there_the_next_time_and_what_is_forgotten_is_not() {
    let dir = TempDir::new().unwrap();
    let mut known = KnownPeers::open(Some(dir.path())).unwrap();
    known.change([remember(&bob()), remember(&unwanted(2))]).unwrap();
    assert_eq!(kept(dir.path()), [bob(), unwanted(2)]);
    let renamed = Pin { name: Some(PeerName::new("\"B\\b")), ..bob() };
    known.change([remember(&renamed), (key(2), None), (key(9), None)]).unwrap();
    assert_eq!(kept(dir.path()), [renamed]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn what_changes_nothing_is_not_written() {
    let dir = TempDir::new().unwrap();
    let mut known = KnownPeers::open(Some(dir.path())).unwrap();
    known.change([(key(1), None)]).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    known.change([remember(&bob())]).unwrap();
    // As an editor of the user's would.
    fs::remove_file(dir.path().join(KNOWN_FILE)).unwrap();
    known.change([remember(&bob())]).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_written_is_told_and_written_with_the_next_change() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("not there yet");
    let mut known = KnownPeers::open(Some(&folder)).unwrap();
    let sentence = known.change([remember(&bob())]).unwrap_err().to_string();
    assert!(sentence.starts_with("Cannot write ") && sentence.ends_with('.'), "{sentence}");
    fs::create_dir(&folder).unwrap();
    known.change([remember(&unwanted(2))]).unwrap();
    assert_eq!(kept(&folder), [bob(), unwanted(2)]);
    let mut nowhere = KnownPeers::open(None).unwrap();
    nowhere.change([remember(&bob())]).unwrap();
    assert_eq!(nowhere.pins().count(), 1);
}

#[test]
fn as_many_as_are_kept_can_be_read_again_and_no_more_are_kept() {
    let longest = Pin {
        name: Some(PeerName::new(&"\\".repeat(32))),
        // What an address with a scope takes, were there one: [ffff:...%fifteen_letters]:65535.
        addrs: vec!["255.255.255.254:65535".parse().unwrap(); MAX_HINTS],
        blocked: true,
        ..bob()
    };
    let more = MAX_HINTS * ("[]%".len() + 39 + 15 + ":65535".len() - "255.255.255.254:65535".len());
    assert!(((entry_of(&longest).len() + more) as u64) < MAX_ENTRY_BYTES);
    let mut known = KnownPeers::open(None).unwrap();
    let numbered = |number: usize| {
        let mut bytes = [0; KEY_BYTES];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let key = PeerKey::new(bytes);
        (key, Some(Pin { key, ..bob() }))
    };
    known.change((0..MAX_PINS).map(numbered)).unwrap();
    assert!(matches!(known.change([numbered(MAX_PINS)]), Err(KnownError::TooMany)));
    assert_eq!(known.pins().count(), MAX_PINS);
    let text = text_of(known.pins());
    assert_eq!(parse(&text).unwrap().len(), MAX_PINS);
    let (_, extra) = numbered(MAX_PINS);
    let (_, what) = parse(&(text + &entry_of(&extra.unwrap()))).unwrap_err();
    assert!(what.starts_with("more than 10000 keys"), "{what}");
}

#[test]
fn each_mistake_is_found_at_its_line() {
    let good = entry_of(&bob()).trim_start().to_owned();
    assert_eq!(parse(&good).unwrap().len(), 1);
    for (old, new, line, words) in [
        ("[[peer]]", "[[peers]]", 1, "unknown field `peers`"),
        ("key = \"aeaq", "key = \"aea1", 2, "Character 4 of the key cannot be in one"),
        ("key = \"aeaq", "key = \"", 2, "A key has 52 characters, and this has 48."),
        ("key = ", "cle = ", 2, "unknown field `cle`"),
        ("\"Bob\"", "\" \"", 3, "a name is not empty"),
        ("192.0.2.7:5000", "192.0.2.7", 4, "write IP:PORT"),
        ("[\"192.0.2.7:5000\"]", "\"192.0.2.7:5000\"", 4, "expected a sequence"),
        ("\"192.0.2.7:5000\"", &["\"192.0.2.7:5000\""; 9].join(","), 4, "more than 8 addresses"),
        ("\"2026-11-21T", "\"21.11.2026T", 5, "is no date; write one like"),
        ("\"2026-11-21T", "\"1969-11-21T", 5, "is no date"),
        ("first_seen = \"2026-11-21T10:00:00Z\"\n", "", 1, "missing field `first_seen`"),
        ("verified = \"", "verified = \"yes", 6, "is no date"),
        ("verified = \"", "blokced = true\nverified = \"", 6, "unknown field `blokced`"),
    ] {
        let text = good.replace(old, new);
        assert_ne!(text, good, "{old}");
        let (at, what) = parse(&text).unwrap_err();
        assert_eq!(text[..at].matches('\n').count() + 1, line, "{text}: {what}");
        assert!(what.contains(words) && what.ends_with('.'), "{text}: {what}");
    }
    let twice = format!("{good}{}", good.replace("aeaqcaib", "AEAQ CAIB"));
    let (at, what) = parse(&twice).unwrap_err();
    assert!(at > good.len() && what.contains("is listed twice"), "{what}");
}

#[test]
fn a_mistake_is_told_in_a_few_lines_whatever_the_file_holds() {
    let long = "x".repeat(100_000);
    for field in ["key", "name", "first_seen", "verified", "addresses", "blocked", &long] {
        let text = entry_of(&bob()) + &format!("{field} = \"{long}\"\n");
        let (_, what) = parse(&text).unwrap_err();
        assert!(what.len() < 600 && what.ends_with('.'), "{what}");
        let text = text.replace("\nverified", "\n#").replace("\nfirst_seen", "\n#").replace("\nname", "\n#");
        if let Err((_, what)) = parse(&text) {
            assert!(what.len() < 600 && what.ends_with('.'), "{what}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        bytes: [u8; KEY_BYTES],
        name: Option<String>,
        first_seen in 0..253_402_300_799u64,
        verified in proptest::option::of(0..253_402_300_799u64),
        blocked: bool,
        ports in proptest::collection::vec(1u16.., 0..=MAX_HINTS),
    ) {
        let name = name.filter(|name| !name.trim().is_empty()).map(|name| PeerName::new(&name));
        let addr = |port| PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap();
        let addrs = ports.into_iter().map(addr).collect();
        let pin = Pin { key: PeerKey::new(bytes), name, addrs, first_seen, verified, blocked };
        let text = text_of([&pin].into_iter());
        let read = parse(&text);
        prop_assert_eq!(read.map(|pins| pins.into_values().collect::<Vec<_>>()), Ok(vec![pin]));
    }

    #[test]
    fn no_date_makes_it_panic(first_seen: u64) {
        let text = text_of([&Pin { first_seen, ..bob() }].into_iter());
        prop_assert!(parse(&text).is_ok());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text: String) {
        let _ = parse(&text);
    }
}
