use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::address::PeerAddr;
use crate::model::key::KEY_BYTES;

fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; KEY_BYTES])
}

fn bob() -> Pin {
    Pin {
        key: key(1),
        name: Some(PeerName::new("Bob")),
        contact: true,
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
        contact: true,
        addrs: vec![],
        first_seen: 1_795_255_200,
        verified: None,
        blocked: true,
    }
}

fn remember(pin: &Pin) -> PinChange {
    PinChange::Write(pin.clone())
}

/// Takes changes and saves them.
fn change<const N: usize>(known: &mut KnownPeers, changes: [PinChange; N]) -> Result<(), KnownError> {
    known.note(changes).and_then(|()| known.save())
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
    change(&mut known, [remember(&bob()), remember(&unwanted(2))]).unwrap();
    assert_eq!(kept(dir.path()), [bob(), unwanted(2)]);
    let renamed = Pin { name: Some(PeerName::new("\"B\\b")), ..bob() };
    change(&mut known, [remember(&renamed), PinChange::Forget(key(2)), PinChange::Forget(key(9))]).unwrap();
    assert_eq!(kept(dir.path()), [renamed]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn old_pin_is_contact_only_with_proof() {
    let old = |more: &str| {
        let text = format!("[[peer]]\nkey = \"{}\"\nfirst_seen = \"2026-11-21T10:00:00Z\"\n{more}", key(1));
        parse(&text).unwrap()[&key(1)].contact
    };
    assert!(!old(""));
    assert!(old("verified = \"2026-11-22T09:30:00Z\"\n") && old("blocked = true\n"));
}

#[test]
fn contacts_are_marked_and_saved() {
    let stranger = |byte| Pin { contact: false, verified: None, key: key(byte), ..bob() };
    let dir = TempDir::new().unwrap();
    let mut known = KnownPeers::open(Some(dir.path())).unwrap();
    change(&mut known, [remember(&stranger(1)), remember(&stranger(2))]).unwrap();
    known.mark_contacts([key(9)]);
    assert_eq!(known.save_due(), None, "an unknown key changes nothing");
    known.mark_contacts([key(2), key(9)]);
    known.save().unwrap();
    assert_eq!(kept(dir.path()), [stranger(1), Pin { contact: true, ..stranger(2) }]);
    known.mark_contacts([key(2)]);
    assert_eq!(known.save_due(), None, "it is a contact already");
}

#[test]
fn what_changes_nothing_is_not_written() {
    let dir = TempDir::new().unwrap();
    let mut known = KnownPeers::open(Some(dir.path())).unwrap();
    change(&mut known, [PinChange::Forget(key(1))]).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    change(&mut known, [remember(&bob())]).unwrap();
    // As an editor of the user's would.
    fs::remove_file(dir.path().join(KNOWN_FILE)).unwrap();
    change(&mut known, [remember(&bob())]).unwrap();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_written_is_told_and_written_with_the_next_change() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("not there yet");
    let mut known = KnownPeers::open(Some(&folder)).unwrap();
    let sentence = change(&mut known, [remember(&bob())]).unwrap_err().to_string();
    assert!(sentence.starts_with("Cannot write ") && sentence.ends_with('.'), "{sentence}");
    fs::create_dir(&folder).unwrap();
    change(&mut known, [remember(&unwanted(2))]).unwrap();
    assert_eq!(kept(&folder), [bob(), unwanted(2)]);
    let mut nowhere = KnownPeers::open(None).unwrap();
    change(&mut nowhere, [remember(&bob())]).unwrap();
    assert_eq!(nowhere.pins().count(), 1);
}

#[test]
fn a_change_is_due_at_once_and_then_once_in_a_pause() {
    let dir = TempDir::new().unwrap();
    let mut known = KnownPeers::open(Some(dir.path())).unwrap();
    assert_eq!(known.save_due(), None);
    known.note([remember(&bob())]).unwrap();
    assert!(known.save_due().unwrap() <= Instant::now());
    assert_eq!(kept(dir.path()), []);
    let before = Instant::now();
    known.save().unwrap();
    assert_eq!((known.save_due(), kept(dir.path())), (None, vec![bob()]));
    known.note([remember(&bob()), PinChange::Forget(key(3))]).unwrap();
    assert_eq!(known.save_due(), None, "that changes nothing");
    known.note([PinChange::Forget(key(1)), remember(&unwanted(2)), remember(&unwanted(1))]).unwrap();
    let due = known.save_due().unwrap();
    assert!((before + SAVE_PAUSE..=Instant::now() + SAVE_PAUSE).contains(&due));
    assert_eq!(kept(dir.path()), [bob()]);
    // Whoever leaves does not wait for that.
    known.save().unwrap();
    assert_eq!(kept(dir.path()), [unwanted(1), unwanted(2)]);
}

#[test]
fn of_several_changes_of_a_key_the_last_counts() {
    let dir = TempDir::new().unwrap();
    let mut known = KnownPeers::open(Some(dir.path())).unwrap();
    change(&mut known, [remember(&bob())]).unwrap();
    known.note([PinChange::Forget(key(1)), remember(&bob())]).unwrap();
    assert_eq!((known.pins().count(), known.save_due()), (1, None));
    change(&mut known, [remember(&unwanted(1)), PinChange::Forget(key(1))]).unwrap();
    assert_eq!(kept(dir.path()), []);
}

#[test]
fn what_could_not_be_written_is_tried_again_at_the_end() {
    let dir = TempDir::new().unwrap();
    let folder = dir.path().join("not there yet");
    let mut known = KnownPeers::open(Some(&folder)).unwrap();
    assert!(matches!(change(&mut known, [remember(&bob())]), Err(KnownError::Unwritable(..))));
    assert_eq!(known.save_due(), None, "it would fail again and again");
    fs::create_dir(&folder).unwrap();
    known.save().unwrap();
    assert_eq!(kept(&folder), [bob()]);
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
        let key = PublicKey::new(bytes);
        Pin { key, ..bob() }
    };
    let stranger = |number| Pin { contact: false, verified: None, ..numbered(MAX_PINS + number) };
    known.note((0..MAX_CONTACTS).map(|number| remember(&numbered(number)))).unwrap();
    known.note((0..MAX_STRANGERS).map(|number| remember(&stranger(number)))).unwrap();
    for extra in [numbered(MAX_CONTACTS), stranger(MAX_STRANGERS)] {
        assert!(matches!(known.note([remember(&extra)]), Err(KnownError::TooMany)));
    }
    assert_eq!(known.pins().count(), MAX_PINS);
    known.mark_contacts([stranger(0).key]);
    assert_eq!(known.pins().filter(|pin| pin.contact).count(), MAX_CONTACTS);
    // Room may come after what needs it.
    let extra = numbered(MAX_CONTACTS);
    known.note([remember(&extra), PinChange::Forget(numbered(0).key)]).unwrap();
    known.note([remember(&numbered(0)), PinChange::Forget(extra.key)]).unwrap();
    let text = text_of(known.pins());
    assert_eq!(parse(&text).unwrap().len(), MAX_PINS);
    for (extra, what) in [(extra, "contacts"), (stranger(MAX_STRANGERS), "keys of strangers")] {
        let (_, mistake) = parse(&(text.clone() + &entry_of(&extra))).unwrap_err();
        assert!(mistake.starts_with(&format!("more than 10000 {what}")), "{mistake}");
    }
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
        ("\"2026-11-21T", "\"21.11.2026T", 6, "is no date; write one like"),
        ("\"2026-11-21T", "\"1969-11-21T", 6, "is no date"),
        ("first_seen = \"2026-11-21T10:00:00Z\"\n", "", 1, "missing field `first_seen`"),
        ("contact = true", "contact = 1", 5, "expected a boolean"),
        ("verified = \"", "verified = \"yes", 7, "is no date"),
        ("verified = \"", "blokced = true\nverified = \"", 7, "unknown field `blokced`"),
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
        stranger: bool,
        ports in proptest::collection::vec(1u16.., 0..=MAX_HINTS),
    ) {
        let name = name.filter(|name| !name.trim().is_empty()).map(|name| PeerName::new(&name));
        let addr = |port| PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap();
        let addrs = ports.into_iter().map(addr).collect();
        let contact = !stranger || verified.is_some() || blocked;
        let pin = Pin { key: PublicKey::new(bytes), name, contact, addrs, first_seen, verified, blocked };
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
