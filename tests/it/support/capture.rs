//! What may be seen of an encrypted talk by who sees each byte of it.

use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};

use super::meddler::Wire;

/// A record of TLS, as far as it can be told from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sealed {
    /// 20 change cipher spec, 21 alert, 22 handshake, 23 application data.
    pub(crate) content: u8,
    pub(crate) length: usize,
}

/// The records of TLS that these bytes are, all of them whole.
pub(crate) fn sealed(way: &str, mut bytes: &[u8]) -> Vec<Sealed> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let head = bytes.first_chunk::<5>().unwrap_or_else(|| panic!("{way}: half a record: {bytes:?}"));
        let [content, major, minor, high, low] = *head;
        let length = usize::from(u16::from_be_bytes([high, low]));
        assert!((20..=23).contains(&content), "{way}: {content} is no content of TLS");
        // The first one of a dialer may say 1.0 for the sake of old machines in the way (RFC 8446,
        // section 5.1).
        let version = if all.is_empty() { [1, 3].contains(&minor) } else { minor == 3 };
        assert!(major == 3 && version, "{way}: version {major}.{minor}");
        bytes = bytes[5..].get(length..).unwrap_or_else(|| panic!("{way}: half a record"));
        all.push(Sealed { content, length });
    }
    all
}

/// Asserts that of a talk nothing can be read but the two lines: behind them are records of TLS and
/// nothing else, and none of these words is anywhere, the keys of both sides included. How many
/// records there are, each way.
pub(crate) fn assert_sealed(wire: &Wire, secrets: &[&[u8]]) -> (usize, usize) {
    let up = wire.up.strip_prefix(DIAL_LINE).expect("the dialer's line");
    let down = wire.down.strip_prefix(OK_LINE).expect("the acceptor's line");
    let count = (sealed("up", up).len(), sealed("down", down).len());
    for (way, bytes) in [("up", &wire.up), ("down", &wire.down)] {
        for secret in secrets {
            let is_there = bytes.windows(secret.len()).any(|window| window == *secret);
            assert!(!is_there, "{way}: {:?} can be read", String::from_utf8_lossy(secret));
        }
    }
    count
}
