//! A message as one line of JSON.

use std::io;

use serde::Serialize;

use super::calendar::rfc3339;
use crate::cli::json;
use crate::model::stored::{Assurance, Direction, StoredMessage};
use crate::tui::history_view::state;

/// The object. docs/HISTORY.md describes its members.
#[derive(Serialize)]
struct Line<'a> {
    row: i64,
    time: String,
    sent: Option<String>,
    direction: &'static str,
    to_all: bool,
    peer: Peer<'a>,
    id: Option<String>,
    text: &'a str,
    state: &'static str,
    assurance: &'static str,
}

#[derive(Serialize)]
struct Peer<'a> {
    key: Option<String>,
    address: Option<String>,
    name: Option<&'a str>,
}

/// Returns the object of a message, with the end of its line.
pub(super) fn line(entry: &StoredMessage) -> io::Result<String> {
    let (direction, state) = match &entry.direction {
        Direction::Outgoing { status, attempted, .. } => ("out", state(status, *attempted)),
        Direction::Incoming { unshown: true, .. } => ("in", "not shown"),
        Direction::Incoming { new: true, .. } => ("in", "new"),
        Direction::Incoming { .. } => ("in", "read"),
    };
    let assurance = match entry.assurance {
        Assurance::Plain => "unencrypted",
        Assurance::Encrypted => "encrypted",
        Assurance::Verified => "verified",
        Assurance::Claimed => "claimed",
    };
    json::line(&Line {
        row: entry.row.0,
        time: rfc3339(entry.time),
        sent: entry.sent.map(rfc3339),
        direction,
        to_all: entry.to_all,
        peer: Peer {
            key: entry.peer.public_key().map(|key| key.to_string()),
            address: entry.peer.addr().map(|addr| addr.to_string()),
            name: entry.name.as_ref().map(|name| name.as_str()),
        },
        id: entry.id.map(|id| format!("{id:?}")),
        text: &entry.body,
        state,
        assurance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::DeliveryStatus;
    use crate::tui::history_view::examples::{from_bob, to};

    #[test]
    fn row_is_an_object_with_stable_names() {
        assert_eq!(
            line(&from_bob(1, "say \"hi\"")).unwrap(),
            "{\"row\":1,\"time\":\"2026-11-21T16:04:03.120Z\",\"sent\":null,\"direction\":\"in\",\"to_all\":false,\
             \"peer\":{\"key\":\"aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq\",\"address\":null,\"name\":\"Bob\"},\
             \"id\":null,\"text\":\"say \\\"hi\\\"\",\"state\":\"read\",\"assurance\":\"encrypted\"}\n"
        );
        assert_eq!(
            line(&to(2, 10, DeliveryStatus::Sent)).unwrap(),
            "{\"row\":2,\"time\":\"2026-11-21T16:04:04.120Z\",\"sent\":\"2026-11-21T16:04:02.120Z\",\"direction\":\"out\",\"to_all\":false,\
             \"peer\":{\"key\":null,\"address\":\"127.0.0.1:5002\",\"name\":\"N2\"},\
             \"id\":\"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\",\"text\":\"hello\",\"state\":\"sent\",\"assurance\":\"unencrypted\"}\n"
        );
        for (unshown, new, state) in [(true, true, "not shown"), (false, true, "new")] {
            let entry = StoredMessage { direction: Direction::Incoming { unshown, new }, ..from_bob(1, "") };
            assert!(line(&entry).unwrap().contains(&format!("\"state\":\"{state}\"")));
        }
    }
}
