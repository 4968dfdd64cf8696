use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::key::KEY_BYTES;

/// The entry of a verified contact.
const BOB: &str = "[[peer]]
key = \"aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq\"
name = \"Bob\"
addresses = [\"192.0.2.7:5000\"]
contact = true
first_seen = \"2026-11-21T10:00:00Z\"
verified = \"2026-11-22T09:30:00Z\"
";

fn bob() -> Pin {
    Pin {
        key: PublicKey::new([1; KEY_BYTES]),
        name: Some(PeerName::new("Bob")),
        contact: true,
        addrs: vec!["192.0.2.7:5000".parse().unwrap()],
        given: vec![],
        first_seen: 1_795_255_200,
        verified: Some(1_795_339_800),
        blocked: false,
    }
}

#[test]
fn file_is_read_once_and_set_aside() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(KNOWN_FILE), BOB).unwrap();
    assert_eq!(read(dir.path()).unwrap().into_values().collect::<Vec<_>>(), [bob()]);
    set_aside(dir.path());
    assert!(read(dir.path()).unwrap().is_empty());
    assert_eq!(fs::read_to_string(dir.path().join(SET_ASIDE)).unwrap(), BOB);
    // Without a file it does nothing.
    set_aside(dir.path());
}

#[test]
fn old_pin_is_contact_only_with_proof() {
    let old = |more: &str| {
        let bob = bob();
        let text = format!("[[peer]]\nkey = \"{}\"\nfirst_seen = \"2026-11-21T10:00:00Z\"\n{more}", bob.key);
        parse(&text).unwrap()[&bob.key].contact
    };
    assert!(!old(""));
    assert!(old("verified = \"2026-11-22T09:30:00Z\"\n") && old("blocked = true\n"));
}

#[test]
fn each_mistake_is_found_at_its_line() {
    let good = BOB.to_owned();
    assert_eq!(parse(&good).unwrap().len(), 1);
    for (old, new, line, words) in [
        ("[[peer]]", "[[peers]]", 1, "unknown field `peers`"),
        ("key = \"aeaq", "key = \"aea1", 2, "Character 4 of the key is invalid"),
        ("key = \"aeaq", "key = \"", 2, "A key has 52 characters; this one has 48."),
        ("key = ", "cle = ", 2, "unknown field `cle`"),
        ("\"Bob\"", "\" \"", 3, "a name is not empty"),
        ("192.0.2.7:5000", "192.0.2.7", 4, "write IP:PORT"),
        ("[\"192.0.2.7:5000\"]", "\"192.0.2.7:5000\"", 4, "expected a list in square brackets"),
        ("\"192.0.2.7:5000\"", &["\"192.0.2.7:5000\""; 9].join(","), 4, "more than 8 addresses"),
        ("\"2026-11-21T", "\"21.11.2026T", 6, "is not a date; write one like"),
        ("\"2026-11-21T", "\"1969-11-21T", 6, "is not a date"),
        ("first_seen = \"2026-11-21T10:00:00Z\"\n", "", 1, "missing field `first_seen`"),
        ("contact = true", "contact = 1", 5, "expected true or false instead of `1`"),
        ("verified = \"", "verified = \"yes", 7, "is not a date"),
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
fn error_is_short_even_for_long_values() {
    let long = "x".repeat(100_000);
    for field in ["key", "name", "first_seen", "verified", "addresses", "blocked", &long] {
        let text = BOB.to_owned() + &format!("{field} = \"{long}\"\n");
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
    fn no_text_makes_the_reader_panic(text: String) {
        let _ = parse(&text);
    }
}
