//! What is answered on the connection that a message came on.

use crate::model::key::{KEY_CHARS, PublicKey};
use crate::model::message::Capability;

/// The answer to `CONNECT_REQUEST`: SmartCookies waits for exactly this word.
pub const CONNECTED: &str = "CONNECTED";

/// Returns the receipt for a message, as SmartCookies words it; `port` is our listening port.
pub fn receipt(port: u16, capability: Option<Capability>) -> String {
    match capability {
        Some(Capability::Key(key)) => format!("{PREFIX} from {port} {CAPABILITY} {key}"),
        Some(Capability::AnyKey) => format!("{PREFIX} from {port} {CAPABILITY}"),
        None => format!("{PREFIX} from {port}"),
    }
}

const PREFIX: &str = "[ACK] Message received";

/// The word for this version of the session protocol, which a key may follow.
const CAPABILITY: &str = "p2p-chat/1";

/// What a peer answered on the connection that we sent a message on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// It acknowledged the message.
    Acknowledged {
        /// What it says about sessions, if anything.
        capability: Option<Capability>,
    },
    /// Nothing, or nothing that we know as a receipt.
    None,
}

impl Receipt {
    /// Reads an answer. Besides our own wording, `ACK from <port>` of the siblings counts.
    pub fn parse(answer: &[u8]) -> Self {
        let answer = answer.trim_ascii();
        if let Some(more) = answer.strip_prefix(PREFIX.as_bytes()) {
            Self::Acknowledged { capability: capability(more) }
        } else if answer.starts_with(b"ACK from ") {
            Self::Acknowledged { capability: None }
        } else {
            Self::None
        }
    }
}

/// Reads what follows the first words of a receipt: ` from <port> p2p-chat/1`, and a key or none.
/// Anything else after that is of a later version, and is ignored.
fn capability(words: &[u8]) -> Option<Capability> {
    let mut words = words.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if words.next()? != b"from" || !words.next()?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if words.next()? != CAPABILITY.as_bytes() {
        return None;
    }
    let key = words.next().filter(|key| key.len() == KEY_CHARS).and_then(|key| str::from_utf8(key).ok());
    let key: Option<PublicKey> = key.and_then(|key| key.parse().ok());
    Some(key.map_or(Capability::AnyKey, Capability::Key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;

    fn key() -> PublicKey {
        PublicKey::new([7; KEY_BYTES])
    }

    const WITHOUT: Receipt = Receipt::Acknowledged { capability: None };

    #[test]
    fn our_own_receipt_and_the_siblings_are_known() {
        assert_eq!(receipt(5000, None), "[ACK] Message received from 5000");
        assert_eq!(Receipt::parse(receipt(5000, None).as_bytes()), WITHOUT);
        assert_eq!(Receipt::parse(b"ACK from 5000\n"), WITHOUT);
    }

    #[test]
    fn word_and_key_are_read_back_whatever_follows() {
        let key = Capability::Key(key());
        let words = |capability| receipt(65535, Some(capability));
        assert_eq!(words(Capability::AnyKey), "[ACK] Message received from 65535 p2p-chat/1");
        assert_eq!(words(key), format!("{} {}", words(Capability::AnyKey), self::key()));
        assert!(words(key).len() <= 100, "as short as one that a user of an older program may see");
        for capability in [key, Capability::AnyKey] {
            for more in ["", "\r\n", " and more", " p2p-chat/2 x", "\n[ACK] Message received from 1"] {
                let parsed = Receipt::parse(format!("{}{more}", words(capability)).as_bytes());
                assert_eq!(parsed, Receipt::Acknowledged { capability: Some(capability) }, "{more:?}");
            }
        }
    }

    #[test]
    fn receipt_without_a_valid_key_matches_any() {
        let key = key();
        for more in [
            String::new(),
            " ab".into(),
            format!(" {key}a"),
            format!(" {}", key.grouped()),
            format!(" {}1", &key.to_string()[1..]),
        ] {
            let parsed = Receipt::parse(format!("{PREFIX} from 5000 p2p-chat/1{more}").as_bytes());
            assert_eq!(parsed, Receipt::Acknowledged { capability: Some(Capability::AnyKey) }, "{more:?}");
        }
        let not_text = [b"[ACK] Message received from 1 p2p-chat/1 ".as_slice(), &[0xff; KEY_CHARS]].concat();
        let any = Receipt::Acknowledged { capability: Some(Capability::AnyKey) };
        assert_eq!(Receipt::parse(&not_text), any);
    }

    #[test]
    fn key_without_the_word_is_ignored() {
        let key = key();
        for more in [
            String::new(),
            format!(" from 5000 p2p-chat/2 {key}"),
            format!(" from 5000 p2p-chat/12 {key}"),
            format!(" from 5000 {key}"),
            format!(" from x p2p-chat/1 {key}"),
            format!(" p2p-chat/1 {key}"),
        ] {
            assert_eq!(Receipt::parse(format!("{PREFIX}{more}").as_bytes()), WITHOUT, "{more:?}");
        }
        assert_eq!(Receipt::parse(format!("ACK from 5000 p2p-chat/1 {key}").as_bytes()), WITHOUT);
    }

    #[test]
    fn anything_else_is_no_receipt() {
        for answer in ["", "[ACK", "CONNECTED", "HTTP/1.1 400 Bad Request"] {
            assert_eq!(Receipt::parse(answer.as_bytes()), Receipt::None, "{answer}");
        }
    }
}
