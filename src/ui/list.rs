//! The peer list as a table whose columns stay straight with any names.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::labels::Labels;
use super::style::{Ink, Line, ink_of};
use crate::core::{OfflineReason, PeerOrigin, PresenceStatus, Row, Verification};

/// The lines of the list; `unasked` of the rows could not be verified in time.
pub fn peer_list(rows: &[Row], unasked: usize, labels: &Labels) -> Vec<Line> {
    if rows.is_empty() {
        return vec![
            "Nobody is known yet; choose 3 to connect to an ip:port, or list peers in peers.toml.".into(),
        ];
    }
    let head = ["No", "Name", "Address", "State", "Known", "Last heard", "Security"].map(str::to_owned);
    let cells: Vec<[String; 7]> =
        std::iter::once(head).chain(rows.iter().map(|row| cells(row, labels))).collect();
    let mut widths = [0; 7];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.width());
        }
    }
    let inks = std::iter::once(Ink::Plain).chain(rows.iter().map(|row| {
        let name = labels.name(row.id).or(row.name.as_ref().map(|name| name.as_str()));
        name.map_or(Ink::Plain, ink_of)
    }));
    let mut lines: Vec<Line> = cells.iter().zip(inks).map(|(row, ink)| line(row, &widths, ink)).collect();
    let quiet = rows.iter().filter(|row| row.state == PresenceStatus::Unreachable).count();
    let there = rows.iter().filter(|row| row.state != PresenceStatus::Offline).count() - quiet;
    let quiet = if quiet > 0 { format!(", {quiet} quiet") } else { String::new() };
    let peers = if rows.len() == 1 { "peer" } else { "peers" };
    lines.push(format!("{} {peers} known, {there} there{quiet}.", rows.len()).into());
    if unasked > 0 {
        let words =
            format!("{unasked} of them could not be asked in time; their state is what was last known.");
        lines.push(words.into());
    }
    lines
}

fn line(row: &[String; 7], widths: &[usize; 7], ink: Ink) -> Line {
    let mut line = Line::default();
    let mut gap = String::new();
    for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
        let space = " ".repeat(width - cell.width());
        let ink = if column == 1 { ink } else { Ink::Plain };
        // The gap before a cell is written with it, so that no line ends with blanks.
        line = match column {
            0 => line.then(space).then(cell.clone()),
            _ => line.then(std::mem::take(&mut gap)).and(ink, cell.clone()),
        };
        gap = match column {
            0 => "  ".into(),
            _ => " ".repeat(width - cell.width()) + "  ",
        };
    }
    line
}

fn cells(row: &Row, labels: &Labels) -> [String; 7] {
    let state = match (row.state, row.why) {
        (PresenceStatus::Connected, _) => "connected",
        (PresenceStatus::Online, _) => "active",
        (PresenceStatus::Unreachable, _) => "quiet",
        (PresenceStatus::Offline, Some(OfflineReason::SaidGoodbye)) => "gone (left)",
        (PresenceStatus::Offline, Some(OfflineReason::Disconnected)) => "gone (by us)",
        (PresenceStatus::Offline, _) => "gone",
    };
    let known = match row.origin {
        PeerOrigin::Static => "static",
        PeerOrigin::Contact => "contact",
        PeerOrigin::Heard => "heard",
        PeerOrigin::SentTo => "sent to",
    };
    [
        row.number.to_string(),
        match (&row.name, labels.nickname(row.id)) {
            (None, None) => "-".to_owned(),
            (name, _) => labels.label(row.id, name.as_ref()),
        },
        row.addr.map_or_else(|| "-".to_owned(), |addr| addr.to_string()),
        state.to_owned(),
        known.to_owned(),
        row.last_heard.map_or_else(|| "never".to_owned(), ago),
        security(row).to_owned(),
    ]
}

/// How a peer is spoken to; nothing where nobody has asked it yet.
fn security(row: &Row) -> &'static str {
    match (&row.verification, row.speech) {
        (Verification::Verified, _) => "verified",
        (Verification::Encrypted, _) => "encrypted",
        (Verification::Claims(_), _) => "unproven",
        (Verification::Unknown, _) => "-",
        (Verification::Plain, _) => "plain",
    }
}

/// How long ago something was, as exactly as somebody wants to know it.
pub fn ago(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{seconds} s ago"),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::PeerInfo;
    use crate::model::address::PeerAddr;
    use crate::model::key::PublicKey;
    use crate::model::message::PeerProtocol;
    use crate::model::name::PeerName;
    use crate::ui::labels::Standing;

    fn row(number: u32, name: &str, state: PresenceStatus, last_heard: Option<u64>) -> Row {
        let addr: PeerAddr = format!("127.0.0.1:{}", 5000 + number).parse().unwrap();
        Row {
            number,
            id: addr.into(),
            contact: false,
            name: (!name.is_empty()).then(|| PeerName::new(name)),
            addr: Some(addr),
            claimed: None,
            speech: PeerProtocol::Unknown,
            verification: Verification::Unknown,
            state,
            why: None,
            origin: PeerOrigin::Heard,
            last_heard: last_heard.map(Duration::from_secs),
            refuses: None,
        }
    }

    fn listed(rows: &[Row], unasked: usize) -> Vec<String> {
        let mut labels = Labels::default();
        for row in rows {
            let (id, name, addr) = (row.id, row.name.clone(), row.addr);
            let who = PeerInfo { id, name, addr, claimed: None, verification: Verification::Plain };
            labels.meet(&who, |_| Standing::Stranger);
        }
        peer_list(rows, unasked, &labels).iter().map(Line::to_string).collect()
    }

    #[test]
    fn columns_are_straight_with_wide_and_combining_characters() {
        let rows = [
            row(1, "Bob", PresenceStatus::Connected, Some(3)),
            row(2, "王小明", PresenceStatus::Online, Some(61)),
            row(10, "Zox\u{301}", PresenceStatus::Offline, Some(7_300)),
            row(11, "", PresenceStatus::Unreachable, None),
        ];
        let expected = "\
No  Name    Address         State      Known  Last heard  Security
 1  Bob     127.0.0.1:5001  connected  heard  3 s ago     -
 2  王小明  127.0.0.1:5002  active     heard  1 min ago   -
10  Zox\u{301}     127.0.0.1:5010  gone       heard  2 h ago     -
11  -       127.0.0.1:5011  quiet      heard  never       -
4 peers known, 2 there, 1 quiet.";
        assert_eq!(listed(&rows, 0).join("\n"), expected);
    }

    #[test]
    fn how_each_is_spoken_to_stands_in_the_last_column_in_words() {
        let key = PeerProtocol::Session(PublicKey::new([1; 32]));
        for (speech, verification, word) in [
            (PeerProtocol::Unknown, Verification::Unknown, "-"),
            (PeerProtocol::Plain, Verification::Plain, "plain"),
            (key, Verification::Encrypted, "encrypted"),
            (key, Verification::Verified, "verified"),
        ] {
            let lines =
                listed(&[Row { speech, verification, ..row(1, "Bob", PresenceStatus::Online, Some(3)) }], 0);
            assert!(lines[0].ends_with("  Last heard  Security"), "{lines:?}");
            assert!(lines[1].ends_with(&format!("  3 s ago     {word}")), "{lines:?}");
        }
    }

    #[test]
    fn what_could_not_be_verified_is_said() {
        let lines = listed(&[row(1, "Bob", PresenceStatus::Online, None)], 1);
        assert!(lines[3].starts_with("1 of them could not be asked"), "{lines:?}");
    }
}
