//! `introductions.toml`: the introductions that wait, how many were made today, and the keys whose
//! introductions the user ignores. Only the program writes it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::{
    IntroducedContact, IntroducedPeer, MAX_CONTACTS, MAX_IGNORED, MAX_INTRODUCTIONS, MadeIntroduction,
    SavedIntroductions,
};
use crate::crypto;
use crate::files;
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::protocol::session::ContactCard;
use crate::settings::file::{MAX_FILE_BYTES, Mistake, deserialized, parsed, read_if_present};

/// The file, in the directory of the profile.
const FILE: &str = "introductions.toml";

/// The name of a damaged file. An earlier one is replaced.
const DAMAGED_FILE: &str = "introductions.toml.damaged";

/// The beginning of the file.
const TITLE: &str = "# Pending introductions and ignored keys. p2p-chat writes this file.\n\n";

/// The end of a mistake in the file.
const FORMAT: &str = "Only p2p-chat writes this file.";

/// Seconds of a day.
const DAY: u64 = 24 * 3_600;

/// The content of the file. Keys are in base32, cards in hexadecimal, and dates in RFC 3339.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntroductionsFile {
    /// The day of the counts below.
    day: String,
    ignored: Vec<String>,
    sent: BTreeMap<String, usize>,
    taken: BTreeMap<String, usize>,
    #[serde(default)]
    made: Vec<Made>,
    #[serde(default)]
    received: Vec<Received>,
}

/// An introduction that the user made.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    since: String,
    one: Side,
    other: Side,
}

/// One of the two contacts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Side {
    key: String,
    asked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    card: Option<String>,
    passed: bool,
}

/// An introduction that the user received.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Received {
    since: String,
    by: String,
    key: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ours: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    theirs: Option<String>,
    complete: bool,
}

/// Reads the introductions. A file that cannot be read is set aside, and a sentence tells the user.
/// `now` is in seconds since 1970, or `None` while the clock is doubtful.
pub(crate) fn read_introductions(folder: &Path, now: Option<u64>) -> (SavedIntroductions, Option<String>) {
    let path = folder.join(FILE);
    let read = read_if_present(&path, MAX_FILE_BYTES).and_then(|text| match text {
        None => Ok(SavedIntroductions::default()),
        Some(text) => parsed(&path, &text, |text| parse(text, now)),
    });
    match read {
        Ok(saved) => (saved, None),
        Err(fault) => {
            let kept = match fs::rename(&path, folder.join(DAMAGED_FILE)) {
                Ok(()) => format!("It is now {DAMAGED_FILE}. "),
                Err(_) => String::new(),
            };
            let sentence = format!(
                "{fault} {kept}Pending introductions are lost, and ignored keys can be introduced again."
            );
            (SavedIntroductions::default(), Some(sentence))
        }
    }
}

pub(crate) fn save_introductions(folder: &Path, saved: &SavedIntroductions) -> io::Result<()> {
    let text = toml::to_string(&content(saved)).map_err(io::Error::other)?;
    files::replace(&folder.join(FILE), format!("{TITLE}{text}").as_bytes())
}

fn content(saved: &SavedIntroductions) -> IntroductionsFile {
    let side = |side: &IntroducedContact| Side {
        key: side.key.to_string(),
        asked: side.asked,
        card: side.card.as_deref().map(hex),
        passed: side.passed,
    };
    let counts =
        |counts: &BTreeMap<PublicKey, usize>| counts.iter().map(|(key, n)| (key.to_string(), *n)).collect();
    let made = saved.made.iter().map(|made| {
        let [one, other] = made.pair.each_ref().map(side);
        Made { since: rfc3339(made.since), one, other }
    });
    let received = saved.received.iter().map(|one| Received {
        since: rfc3339(one.since),
        by: one.by.to_string(),
        key: one.key.to_string(),
        name: one.name.as_str().to_owned(),
        ours: one.ours.as_deref().map(hex),
        theirs: one.theirs.as_deref().map(hex),
        complete: one.is_complete,
    });
    IntroductionsFile {
        day: rfc3339(saved.day.saturating_mul(DAY)),
        ignored: saved.ignored.iter().map(PublicKey::to_string).collect(),
        sent: counts(&saved.sent),
        taken: counts(&saved.taken),
        made: made.collect(),
        received: received.collect(),
    }
}

/// Parses the text of the file. Entries beyond the limits are left out. An introduction from the
/// future, which an earlier wrong clock has made, begins now, so that it expires.
fn parse(text: &str, now: Option<u64>) -> Result<SavedIntroductions, Mistake> {
    let content: IntroductionsFile = deserialized(text, FORMAT)?;
    saved(content, now).ok_or_else(|| (0, format!("A key, a card or a date is damaged. {FORMAT}")))
}

fn saved(content: IntroductionsFile, now: Option<u64>) -> Option<SavedIntroductions> {
    let key = |text: &String| text.parse::<PublicKey>().ok();
    let since = |text: &str| seconds(text).map(|since| now.map_or(since, |now| since.min(now)));
    let side = |side: Side| {
        let Side { key: text, asked, card: written, passed } = side;
        Some(IntroducedContact { key: key(&text)?, asked, card: card(written)?, passed })
    };
    let counts = |counts: &BTreeMap<String, usize>| -> Option<BTreeMap<PublicKey, usize>> {
        counts.iter().take(MAX_CONTACTS).map(|(text, n)| Some((key(text)?, *n))).collect()
    };
    let made = content.made.into_iter().take(MAX_INTRODUCTIONS).map(|made| {
        let pair = [side(made.one)?, side(made.other)?];
        Some(MadeIntroduction { pair, since: since(&made.since)? })
    });
    let received = content.received.into_iter().take(MAX_INTRODUCTIONS).map(|one| {
        Some(IntroducedPeer {
            by: key(&one.by)?,
            key: key(&one.key)?,
            name: PeerName::new(&one.name),
            since: since(&one.since)?,
            ours: card(one.ours)?,
            theirs: card(one.theirs)?,
            is_complete: one.complete,
        })
    });
    Some(SavedIntroductions {
        made: made.collect::<Option<_>>()?,
        received: received.collect::<Option<_>>()?,
        ignored: content.ignored.iter().take(MAX_IGNORED).map(key).collect::<Option<_>>()?,
        day: seconds(&content.day)? / DAY,
        sent: counts(&content.sent)?,
        taken: counts(&content.taken)?,
    })
}

fn hex(card: &ContactCard) -> String {
    crypto::hex(&card.to_bytes())
}

/// Returns the card in a field that may be missing. `None` if it is damaged.
fn card(hex: Option<String>) -> Option<Option<Box<ContactCard>>> {
    let Some(hex) = hex else { return Some(None) };
    let card = ContactCard::from_bytes(&crypto::from_hex(&hex)?).filter(crypto::is_signed)?;
    Some(Some(Box::new(card)))
}

fn rfc3339(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

fn seconds(date: &str) -> Option<u64> {
    u64::try_from(date.parse::<Timestamp>().ok()?.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use tempfile::TempDir;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn key(n: u8) -> PublicKey {
        PublicKey::new([n; 32])
    }

    fn signed_card() -> Box<ContactCard> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a key");
        let owner = PublicKey::new(pair.public_key().as_ref().try_into().expect("32 bytes"));
        let addrs = ["192.0.2.7:5000".parse().unwrap(), "[2001:db8::1]:5000".parse().unwrap()];
        let card = ContactCard::unsigned(key(2), owner, &PeerName::new("Bob"), NOW * 1_000, &addrs);
        let signature = pair.sign(&card.signed_bytes()).as_ref().try_into().expect("64 bytes");
        Box::new(card.signed(signature))
    }

    fn example() -> SavedIntroductions {
        let card = signed_card();
        let side = |n, card| IntroducedContact { key: key(n), asked: n == 1, card, passed: n == 2 };
        let received = |n, ours, theirs, is_complete| IntroducedPeer {
            by: key(n),
            key: key(n + 1),
            name: PeerName::new("Zoë"),
            since: NOW - u64::from(n),
            ours,
            theirs,
            is_complete,
        };
        SavedIntroductions {
            made: vec![MadeIntroduction {
                pair: [side(1, None), side(2, Some(card.clone()))],
                since: NOW - 5,
            }],
            received: vec![
                received(3, None, None, false),
                received(4, None, Some(card.clone()), false),
                received(5, Some(card), None, true),
            ],
            ignored: vec![key(9), key(8)],
            day: NOW / DAY,
            sent: BTreeMap::from([(key(1), 3)]),
            taken: BTreeMap::from([(key(3), 1), (key(4), 20)]),
        }
    }

    #[test]
    fn introductions_are_read_as_they_were_saved() {
        let folder = TempDir::new().unwrap();
        assert_eq!(read_introductions(folder.path(), Some(NOW)), (SavedIntroductions::default(), None));
        for saved in [SavedIntroductions::default(), example()] {
            save_introductions(folder.path(), &saved).unwrap();
            assert_eq!(read_introductions(folder.path(), Some(NOW)), (saved, None));
        }
    }

    #[test]
    fn introduction_from_the_future_begins_now() {
        let folder = TempDir::new().unwrap();
        save_introductions(folder.path(), &example()).unwrap();
        let since = |now| {
            let (saved, _) = read_introductions(folder.path(), now);
            [saved.made[0].since, saved.received[0].since]
        };
        assert_eq!(since(Some(NOW - 100)), [NOW - 100; 2]);
        assert_eq!(since(None), [NOW - 5, NOW - 3], "the clock is doubtful");
    }

    #[test]
    fn damaged_file_is_set_aside() {
        let folder = TempDir::new().unwrap();
        save_introductions(folder.path(), &example()).unwrap();
        let path = folder.path().join(FILE);
        let good = fs::read_to_string(&path).unwrap();
        for bad in [
            good[..good.len() / 2].to_owned(),
            good.replacen(&key(3).to_string(), "abc", 1),
            good.replacen("card = \"01", "card = \"02", 1),
            good.replacen(&hex(&signed_card())[300..], "", 1),
            good.replacen("2027-", "2027 ", 1),
            format!("{good}x = 1\n"),
        ] {
            assert_ne!(bad, good);
            fs::write(&path, &bad).unwrap();
            let (saved, sentence) = read_introductions(folder.path(), Some(NOW));
            assert_eq!(saved, SavedIntroductions::default());
            let sentence = sentence.expect("a sentence");
            assert!(sentence.contains("introductions.toml, line "), "{sentence}");
            assert!(sentence.contains(" It is now introductions.toml.damaged. "), "{sentence}");
            assert!(!path.exists());
            assert_eq!(fs::read_to_string(folder.path().join(DAMAGED_FILE)).unwrap(), bad);
        }
    }
}
