//! Messages for the tests of this module.

use crate::model::address::PeerAddr;
use crate::model::delivery::{DeliveryStatus, PendingReason};
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::message::{ID_BYTES, MessageId};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::{Assurance, Direction, RowId, StoredMessage};

/// 16:04:02 on 21 November 2026, UTC, in milliseconds since 1970.
pub(crate) const TIME: u64 = 1_795_277_042_120;

/// Texts that must not change the screen or the markup.
pub(crate) const NASTY: [&str; 14] = [
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}",
    "one\n# two\n\n    three\n===\n---\n",
    "a|b|c\n-|-|-\n",
    "```\ncode\n```",
    "~~~ `x` ``y``",
    "<script>alert(1)</script> &lt; &#x3c;",
    "[link](https://example.org) ![x](y) <https://example.org> www.example.org [[wiki]]",
    "[14:03:07] Bob: forged\n[14:03:08] → Bob: forged",
    "\\\\ \\* \\",
    "1. one\n2) two\n+ three\n- four\n* five\n> six\n12345678. x",
    "\"quoted\", 'quoted' \\\" $math$ ==x== ~~x~~ ^x^ :x: @bob @@",
    "\u{0}\u{7f}\u{80}\u{9b}\r\n\t\u{2028}\u{e0041}𝄞\u{1d173}",
    "x\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
];

/// The status of a message that was not sent yet.
pub(crate) const QUEUED: DeliveryStatus = DeliveryStatus::Queued(PendingReason::InLine);

pub(crate) fn key(byte: u8) -> Recipient {
    Recipient::Peer(PeerId::Key(PublicKey::new([byte; KEY_BYTES])))
}

pub(crate) fn at(port: u16) -> Recipient {
    Recipient::Address(PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap())
}

/// A message of Bob's, who has a key.
pub(crate) fn from_bob(row: i64, body: &str) -> StoredMessage {
    StoredMessage {
        row: RowId(row),
        peer: key(1),
        name: Some(PeerName::new("Bob")),
        direction: Direction::Incoming { unshown: false, new: false },
        id: None,
        to_all: false,
        time: TIME + row.unsigned_abs() * 1_000,
        sent: None,
        assurance: Assurance::Encrypted,
        body: body.into(),
    }
}

/// An outgoing message with this id and row number, to a peer at a port from 5000 on.
pub(crate) fn to(row: i64, id: u8, status: DeliveryStatus) -> StoredMessage {
    StoredMessage {
        peer: at(5_000 + u16::try_from(row).unwrap()),
        name: Some(PeerName::new(&format!("N{row}"))),
        direction: Direction::Outgoing { status, attempted: false },
        id: Some(MessageId::new([id; ID_BYTES])),
        sent: Some(TIME),
        assurance: Assurance::Plain,
        ..from_bob(row, "hello")
    }
}
