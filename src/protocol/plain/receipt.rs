//! What is answered on the connection that a message came on.

use crate::model::key::{KEY_CHARS, PublicKey};

/// The answer to `CONNECT_REQUEST`: SmartCookies waits for exactly this word.
pub const CONNECTED: &str = "CONNECTED";

/// The receipt for a message taken, as SmartCookies words it; `port` is our listening port. Whoever
/// also speaks encrypted may say so here, with the key that it will prove.
pub fn receipt(port: u16, capability: Option<&PublicKey>) -> String {
    match capability {
        Some(key) => format!("{PREFIX} from {port} {CAPABILITY} {key}"),
        None => format!("{PREFIX} from {port}"),
    }
}

const PREFIX: &str = "[ACK] Message received";

/// The word before the key: this version of the encrypted exchange.
const CAPABILITY: &str = "p2p-chat/1";

/// What a peer answered on the connection that we sent a message on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Receipt {
    /// It acknowledged the message.
    Acknowledged {
        /// The key that it says it will prove if it is dialed in encryption. Anybody on the way can
        /// write one here, or take it away.
        capability: Option<PublicKey>,
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

/// The key in what follows the first words of a receipt: ` from <port> p2p-chat/1 <key>`. Whatever
/// a later version says behind it is passed over; whatever else is there instead is a receipt
/// without one.
fn capability(words: &[u8]) -> Option<PublicKey> {
    let mut words = words.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if words.next()? != b"from" || !words.next()?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if words.next()? != CAPABILITY.as_bytes() {
        return None;
    }
    let key = words.next().filter(|key| key.len() == KEY_CHARS)?;
    str::from_utf8(key).ok()?.parse().ok()
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
    fn receipt_with_key_is_parsed_despite_trailing_bytes() {
        let with = receipt(65535, Some(&key()));
        assert_eq!(with, format!("[ACK] Message received from 65535 p2p-chat/1 {}", key()));
        assert!(with.len() <= 100, "as short as one that a user of an older program may see");
        for more in ["", "\r\n", " and more", " p2p-chat/2 x", "\n[ACK] Message received from 1"] {
            let parsed = Receipt::parse(format!("{with}{more}").as_bytes());
            assert_eq!(parsed, Receipt::Acknowledged { capability: Some(key()) }, "{more:?}");
        }
    }

    #[test]
    fn malformed_key_leaves_receipt_without_key() {
        let key = key();
        for more in [
            String::new(),
            " from 5000 p2p-chat/1".into(),
            " from 5000 p2p-chat/1 ab".into(),
            format!(" from 5000 p2p-chat/1 {key}a"),
            format!(" from 5000 p2p-chat/1 {}", key.grouped()),
            format!(" from 5000 p2p-chat/1 {}1", &key.to_string()[1..]),
            format!(" from 5000 p2p-chat/2 {key}"),
            format!(" from 5000 {key}"),
            format!(" from x p2p-chat/1 {key}"),
            format!(" p2p-chat/1 {key}"),
        ] {
            assert_eq!(Receipt::parse(format!("{PREFIX}{more}").as_bytes()), WITHOUT, "{more:?}");
        }
        let not_text = [b"[ACK] Message received from 1 p2p-chat/1 ".as_slice(), &[0xff; KEY_CHARS]].concat();
        assert_eq!(Receipt::parse(&not_text), WITHOUT);
        assert_eq!(Receipt::parse(format!("ACK from 5000 p2p-chat/1 {key}").as_bytes()), WITHOUT);
    }

    #[test]
    fn anything_else_is_no_receipt() {
        for answer in ["", "[ACK", "CONNECTED", "HTTP/1.1 400 Bad Request"] {
            assert_eq!(Receipt::parse(answer.as_bytes()), Receipt::None, "{answer}");
        }
    }
}
