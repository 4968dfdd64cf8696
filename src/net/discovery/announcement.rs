//! What an announcement says: its instance name and its TXT record. Pure.

use crate::crypto::{self, NONCE_BYTES};
use crate::model::key::PublicKey;
use crate::model::name::{MAX_NAME_BYTES, PeerName};

/// Characters of the key in the instance name of an announcement with a name.
const INSTANCE_CHARS: usize = 16;

/// The version of the TXT record.
const VERSION: &str = "1";

/// An announcement that was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Announcement {
    /// Everyone can read the key and the name.
    Open {
        key: PublicKey,
        /// The name, if it is valid.
        name: Option<PeerName>,
    },
    /// Only those who know the key recognize it.
    Contacts {
        /// The result of [`crypto::discovery_token`] for the key.
        token: String,
        /// The random number that the token was made with.
        nonce: [u8; NONCE_BYTES],
    },
}

/// An announcement of our own: the instance name and the TXT record.
pub(super) type Own = (String, Vec<(&'static str, String)>);

/// Returns the announcement that everyone can read.
pub(super) fn open(key: PublicKey, name: &str) -> Own {
    let key = key.to_string();
    let instance = key.chars().take(INSTANCE_CHARS).collect();
    (instance, vec![("txtvers", VERSION.into()), ("k", key), ("n", name.into())])
}

/// Returns the announcement that only those who know the key can recognize.
pub(super) fn for_contacts(key: PublicKey, hour: u64, nonce: &[u8; NONCE_BYTES]) -> Own {
    let token = crypto::discovery_token(key, hour, nonce);
    (token, vec![("txtvers", VERSION.into()), ("nonce", crypto::hex(nonce))])
}

impl Announcement {
    /// Parses the instance name and the TXT record of an announcement. `value` looks up a key of
    /// the record. `None` if it is invalid, or of another version.
    pub(super) fn parse<'a>(instance: &str, value: impl Fn(&str) -> Option<&'a [u8]>) -> Option<Self> {
        let text = |key: &str| std::str::from_utf8(value(key)?).ok();
        if text("txtvers") != Some(VERSION) {
            return None;
        }
        if let Some(key) = text("k") {
            let name = text("n").filter(|name| !name.is_empty() && name.len() <= 2 * MAX_NAME_BYTES);
            let name = name.filter(|name| !name.contains(char::is_whitespace)).map(PeerName::new);
            return Some(Self::Open { key: key.parse().ok()?, name });
        }
        let nonce = crypto::from_hex(text("nonce")?)?.try_into().ok()?;
        // If two announcements have one name, mDNS changes the second to `name (2)`.
        let token = instance.split(' ').next().unwrap_or_default().to_ascii_lowercase();
        Some(Self::Contacts { token, nonce })
    }

    /// Returns the announced key, if the announcement contains it or it is one of `contacts`.
    pub(super) fn key(&self, contacts: &[PublicKey], hour: u64) -> Option<PublicKey> {
        match self {
            Self::Open { key, .. } => Some(*key),
            Self::Contacts { token, nonce } => {
                // Clocks differ, and an announcement may be from just before the hour began.
                let hours = [hour, hour.saturating_sub(1), hour.saturating_add(1)];
                let is_its = |key: &PublicKey, hour| crypto::discovery_token(*key, hour, nonce) == *token;
                contacts.iter().copied().find(|key| hours.iter().any(|hour| is_its(key, *hour)))
            }
        }
    }

    /// Returns the announced name.
    pub(super) fn name(&self) -> Option<&PeerName> {
        match self {
            Self::Open { name, .. } => name.as_ref(),
            Self::Contacts { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: u64 = 500_000;

    fn parsed(instance: &str, txt: &[(&str, &[u8])]) -> Option<Announcement> {
        Announcement::parse(instance, |key| {
            txt.iter().find(|(known, _)| *known == key).map(|(_, value)| *value)
        })
    }

    fn received((instance, txt): &Own) -> Option<Announcement> {
        let txt: Vec<(&str, &[u8])> = txt.iter().map(|(key, value)| (*key, value.as_bytes())).collect();
        parsed(instance, &txt)
    }

    #[test]
    fn open_announcement_says_key_and_name() {
        let key = PublicKey::new([7; 32]);
        let own = open(key, "Alice");
        assert_eq!((own.0.len(), own.1.len()), (16, 3));
        assert!(key.to_string().starts_with(&own.0));
        let name = Some(PeerName::new("Alice"));
        assert_eq!(received(&own), Some(Announcement::Open { key, name }));
    }

    #[test]
    fn only_those_who_know_the_key_recognize_contacts() {
        let key = PublicKey::new([7; 32]);
        let others: Vec<PublicKey> = (0..7).map(|n| PublicKey::new([n; 32])).collect();
        let own = for_contacts(key, HOUR, &[9; NONCE_BYTES]);
        let text = format!("{own:?}");
        assert!(!text.contains(&key.to_string()) && !text.contains("\"k\"") && own.0.len() == 16, "{text}");
        let announcement = received(&own).unwrap();
        assert_eq!(announcement.key(&others, HOUR), None);
        let known = [&others[..], &[key]].concat();
        for (hour, recognized) in [(HOUR - 2, false), (HOUR - 1, true), (HOUR, true), (HOUR + 1, true)] {
            assert_eq!(announcement.key(&known, hour), recognized.then_some(key), "{hour}");
        }
        assert_eq!(announcement.key(&known, HOUR + 2), None);
        let renamed = received(&(format!("{} (2)", own.0), own.1)).unwrap();
        assert_eq!(renamed.key(&known, HOUR), Some(key));
    }

    #[test]
    fn invalid_announcement_is_ignored() {
        let key = PublicKey::new([7; 32]).to_string();
        let key = key.as_bytes();
        assert!(parsed("a", &[("txtvers", b"1"), ("k", key)]).is_some(), "a peer without a name");
        let cases: [&[(&str, &[u8])]; 8] = [
            &[],
            &[("k", key)],
            &[("txtvers", b"2"), ("k", key)],
            &[("txtvers", b"1")],
            &[("txtvers", b"1"), ("k", b"short")],
            &[("txtvers", b"1"), ("k", &[0xff; 52])],
            &[("txtvers", b"1"), ("nonce", b"00")],
            &[("txtvers", b"1"), ("nonce", "éééééééééééééééé".as_bytes())],
        ];
        for txt in cases {
            assert_eq!(parsed("a", txt), None, "{txt:?}");
        }
        for name in ["", "a b", "a\nb", &"x".repeat(500)] {
            let found = parsed("a", &[("txtvers", b"1"), ("k", key), ("n", name.as_bytes())]).unwrap();
            assert_eq!(found.name(), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn no_record_is_too_hostile(
            instance in "\\PC{0,40}",
            k in proptest::collection::vec(any::<u8>(), 0..80),
            n in proptest::collection::vec(any::<u8>(), 0..80),
            nonce in "[0-9a-f]{0,40}",
        ) {
            let txt: [(&str, &[u8]); 4] =
                [("txtvers", b"1"), ("k", &k), ("n", &n), ("nonce", nonce.as_bytes())];
            for txt in [&txt[..], &txt[..3], &[txt[0], txt[3]]] {
                if let Some(found) = parsed(&instance, txt) {
                    found.key(&[PublicKey::new([7; 32])], HOUR);
                }
            }
        }
    }
}
