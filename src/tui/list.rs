//! The peer list: a table that is aligned for names of any width.

use std::time::Duration;

use unicode_width::UnicodeWidthStr;

use super::labels::{LOOKS_LIKE, Labels, MARK};
use super::message;
use super::render::request_line;
use super::style::{Ink, Line, ink_of};
use crate::core::{OfflineReason, PeerInfo, PeerOrigin, PeerRequest, Pin, PresenceStatus, Row, Verification};
use crate::model::name::{PeerName, folded, shortened};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;

/// Columns of a usual terminal but the last.
pub const USUAL_COLUMNS: usize = 79;

/// Columns that a shortened name has at least, without its suffix.
const MIN_NAME: usize = 7;

/// Pending requests below the list, at most: the list stays on the screen.
const MAX_REQUESTS: usize = 8;

const GAP: usize = 2;

/// What the peer list shows.
pub struct PeerList<'a> {
    /// The rows of the peer table.
    pub rows: &'a [Row],
    /// How many rows could not be probed in time.
    pub unasked: usize,
    /// The contacts without a known address, which have no row.
    pub unlisted: &'a [Pin],
    /// The blocked contacts, which have no row.
    pub blocked: &'a [Pin],
    /// The blocked legacy peers, which have no row.
    pub blocked_legacy: &'a [PeerInfo],
    /// The pending requests.
    pub requests: &'a [PeerRequest],
    /// Whether the user has muted a peer.
    pub is_muted: &'a dyn Fn(Recipient) -> bool,
    /// Columns of the window but the last. A wider table leaves out the column `Origin`, then
    /// shortens the names, and then leaves out `Last heard`.
    pub columns: usize,
}

/// The columns between the address and the last one.
enum Middle {
    /// The state, how the peer became known, and when it was last heard.
    Cells([String; 3]),
    /// One text instead of all three.
    Text(String),
    /// One text instead of all three and the last column.
    Rest(String),
}

struct ListEntry {
    number: String,
    name: String,
    addr: String,
    middle: Middle,
    security: String,
    ink: Ink,
}

/// Returns the lines of the peer list: online peers, offline contacts, other offline peers, blocked
/// contacts, pending requests.
pub fn peer_list(list: &PeerList<'_>, labels: &Labels) -> Vec<Line> {
    let PeerList { rows, unasked, unlisted, blocked, blocked_legacy, requests, is_muted, columns } = list;
    let blocked_count = blocked.len() + blocked_legacy.len();
    if rows.is_empty() && unlisted.is_empty() && blocked_count == 0 && requests.is_empty() {
        return vec!["No peers yet. Choose 3 to connect to an ip:port, or list peers in peers.toml.".into()];
    }
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| match (row.state, is_offline_contact(row)) {
        (PresenceStatus::Offline, false) => (2, false, None, row.number),
        (_, true) => (1, row.last_heard.is_none(), row.last_heard, row.number),
        _ if refuses_us(row) => (1, row.last_heard.is_none(), row.last_heard, row.number),
        _ => (0, false, None, row.number),
    });
    let (listed, others) = sorted.split_at(
        sorted.partition_point(|row| row.state != PresenceStatus::Offline || is_offline_contact(row)),
    );
    let of_row = |row: &&Row| entry_of_row(row, refused_key(row, list), labels, is_muted(row.id));
    let of_pin = |pin: &&Pin| entry_of_pin(pin, labels, is_muted(pin.key.into()));
    let entries: Vec<ListEntry> = std::iter::once(head())
        .chain(listed.iter().map(of_row))
        .chain(by_label(unlisted, labels).iter().map(of_pin))
        .chain(others.iter().map(of_row))
        .chain(by_label(blocked, labels).iter().map(of_pin))
        .chain(
            blocked_legacy.iter().map(|who| entry_without_row(who, "blocked", "-", labels, is_muted(who.id))),
        )
        .collect();
    let mut lines = table(&entries, *columns);
    let is_quiet = |row: &&Row| row.state == PresenceStatus::Unreachable && !refuses_us(row);
    let quiet = rows.iter().filter(is_quiet).count();
    let there = rows.iter().filter(|row| row.counts_as_online()).count();
    let ids = rows.iter().map(|row| row.id).chain(unlisted.iter().map(|pin| pin.key.into()));
    let muted = ids.filter(|id| is_muted(*id)).count();
    let counted = |count: usize, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    let others = [(quiet, "unreachable"), (muted, "muted"), (blocked_count, "blocked")];
    let others = others.map(|(count, what)| counted(count, what)).concat();
    let known = rows.len() + unlisted.len();
    lines.push(format!("{}, {there} online{others}.", message::counted(known, "peer")).into());
    if *unasked > 0 {
        let (peers, whose) = if *unasked == 1 { ("peer", "its") } else { ("peers", "their") };
        lines.push(format!("{unasked} {peers} did not answer; showing {whose} last known state.").into());
    }
    lines.extend(requests.iter().take(MAX_REQUESTS).map(|request| request_line(request, requests, labels)));
    if requests.len() > MAX_REQUESTS {
        let more = requests.len() - MAX_REQUESTS;
        lines.push(format!("{more} more wait for your decision. /requests lists them.").into());
    }
    lines.extend(rows.iter().filter(|row| row.is_one_way).map(|row| {
        let name = labels.label(row.id, row.name.as_ref());
        format!("{name} cannot be dialed from here; messages go over the session that {name} opened.").into()
    }));
    lines
}

/// Returns the state of an address where an unaccepted key has proven itself.
fn refused_key(row: &Row, list: &PeerList<'_>) -> Option<&'static str> {
    let key = row.refused_key?;
    Some(if list.requests.iter().any(|request| request.met.id == PeerId::Key(key)) {
        "waits for your decision"
    } else if list.blocked.iter().any(|pin| pin.key == key) {
        "is blocked"
    } else {
        "is not accepted"
    })
}

/// Whether a peer does not accept messages from us, or has not accepted us yet. It is not counted
/// as online.
fn refuses_us(row: &Row) -> bool {
    refusal(row.refuses).is_some()
}

/// Whether a row is that of an offline contact. An address from which nothing came yet belongs to
/// no contact.
fn is_offline_contact(row: &Row) -> bool {
    let is_known_peer = matches!(row.id, Recipient::Peer(_)) || row.last_heard.is_some();
    row.state == PresenceStatus::Offline && row.contact && is_known_peer
}

fn by_label<'a>(pins: &'a [Pin], labels: &Labels) -> Vec<&'a Pin> {
    let mut sorted: Vec<&Pin> = pins.iter().collect();
    sorted.sort_by_cached_key(|pin| folded(&labels.label(pin.key.into(), pin.name.as_ref())));
    sorted
}

fn head() -> ListEntry {
    ListEntry {
        number: "No".into(),
        name: "Name".into(),
        addr: "Address".into(),
        middle: Middle::Cells(["State", "Origin", "Last heard"].map(str::to_owned)),
        security: "Security".into(),
        ink: Ink::Plain,
    }
}

fn entry_of_row(row: &Row, refused_key: Option<&str>, labels: &Labels, is_muted: bool) -> ListEntry {
    ListEntry {
        number: row.number.to_string(),
        name: match (&row.name, labels.alias(row.id)) {
            (None, None) => "-".to_owned(),
            (name, _) => labels.shown(row.id, name.as_ref()),
        },
        addr: row.addr.map_or_else(|| "-".to_owned(), |addr| addr.to_string()),
        middle: refused_key.map_or_else(|| middle(row, is_muted), |words| Middle::Text(words.into())),
        security: security(row, is_muted),
        ink: ink(row.id, row.name.as_ref(), labels),
    }
}

/// Returns the entry of a peer without a row.
fn entry_without_row(who: &PeerInfo, state: &str, security: &str, labels: &Labels, muted: bool) -> ListEntry {
    ListEntry {
        number: "-".into(),
        name: labels.shown(who.id, who.name.as_ref()),
        addr: who.addr.map_or_else(|| "-".to_owned(), |addr| addr.to_string()),
        middle: Middle::Text(state.into()),
        security: words(&[(security != "-", security), (muted, "muted")]),
        ink: ink(who.id, who.name.as_ref(), labels),
    }
}

fn entry_of_pin(pin: &Pin, labels: &Labels, is_muted: bool) -> ListEntry {
    let (state, security) = match (pin.blocked, pin.verified) {
        (true, _) => ("blocked", "-"),
        (false, Some(_)) => ("no known address", "verified"),
        (false, None) => ("no known address", "encrypted"),
    };
    let (id, verification) = (pin.key.into(), Verification::Unknown);
    let who = PeerInfo { id, name: pin.name.clone(), addr: None, claimed: None, verification };
    entry_without_row(&who, state, security, labels, is_muted)
}

fn ink(id: Recipient, name: Option<&PeerName>, labels: &Labels) -> Ink {
    labels.name(id).or(name.map(PeerName::as_str)).map_or(Ink::Plain, ink_of)
}

/// Returns those of the words that hold, or a dash.
fn words(all: &[(bool, &str)]) -> String {
    let shown: Vec<&str> = all.iter().filter(|(is_so, _)| *is_so).map(|(_, word)| *word).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(", ") }
}

fn middle(row: &Row, is_muted: bool) -> Middle {
    if is_offline_contact(row) {
        return Middle::Text(offline_contact(row));
    }
    let is_here = matches!(row.state, PresenceStatus::Connected | PresenceStatus::Online);
    if let Some(refusal) = refusal(row.refuses).filter(|_| is_here) {
        let is_verified = row.verification == Verification::Verified;
        return Middle::Rest(words(&[(true, refusal), (is_verified, "verified"), (is_muted, "muted")]));
    }
    let state = match (row.state, row.why) {
        (PresenceStatus::Connected, _) => "connected",
        (PresenceStatus::Online, _) => "online",
        (PresenceStatus::Unreachable, _) => "unreachable",
        (PresenceStatus::Offline, Some(OfflineReason::SaidGoodbye)) => "left",
        (PresenceStatus::Offline, Some(OfflineReason::Disconnected)) => "disconnected",
        (PresenceStatus::Offline, _) => "offline",
    };
    let origin = match row.origin {
        PeerOrigin::Static => "static",
        PeerOrigin::Contact => "contact",
        PeerOrigin::Heard => "them",
        PeerOrigin::SentTo => "you",
        PeerOrigin::Lan => "lan",
    };
    let heard = row.last_heard.map_or_else(|| "never".to_owned(), ago);
    Middle::Cells([state.into(), origin.into(), heard])
}

/// Returns the state of a peer that told us that it does not accept our messages.
pub fn refusal(refuses: Option<ByeReason>) -> Option<&'static str> {
    match refuses {
        Some(ByeReason::NotAccepted) => Some("does not accept messages from you"),
        Some(ByeReason::NotDecided) => Some("has not accepted you yet"),
        _ => None,
    }
}

fn offline_contact(row: &Row) -> String {
    match (row.why, row.last_heard.map(ago)) {
        (Some(OfflineReason::SaidGoodbye), Some(ago)) => format!("left, last seen {ago}"),
        (Some(OfflineReason::SaidGoodbye), None) => "left".into(),
        (Some(OfflineReason::Disconnected), Some(ago)) => format!("disconnected, seen {ago}"),
        (Some(OfflineReason::Disconnected), None) => "disconnected".into(),
        (_, Some(ago)) => format!("last seen {ago}"),
        (_, None) => "not seen yet".into(),
    }
}

/// Returns how a peer is verified and encrypted, and whether it is a stranger or muted. `-` if it
/// was not probed yet.
fn security(row: &Row, is_muted: bool) -> String {
    let security = match row.verification {
        Verification::Verified => "verified",
        Verification::Encrypted => "encrypted",
        Verification::Claims(_) => "unproven",
        Verification::Unknown => "-",
        Verification::Plain => "unencrypted",
    };
    let is_new = matches!(row.id, Recipient::Peer(_)) && !row.contact;
    words(&[(security != "-", security), (is_new, "new"), (is_muted, "muted")])
}

fn widest<'a>(cells: impl Iterator<Item = &'a String>) -> usize {
    cells.map(|cell| cell.width()).max().unwrap_or(0)
}

/// Lays out the lines, in at most `room` columns if they fit.
fn table(entries: &[ListEntry], room: usize) -> Vec<Line> {
    let number = widest(entries.iter().map(|entry| &entry.number));
    let name = widest(entries.iter().map(|entry| &entry.name));
    let addr = widest(entries.iter().map(|entry| &entry.addr));
    let security = widest(entries.iter().map(|entry| &entry.security));
    let column = |at: usize| {
        widest(entries.iter().filter_map(|entry| match &entry.middle {
            Middle::Cells(cells) => cells.get(at),
            Middle::Text(_) | Middle::Rest(_) => None,
        }))
    };
    let text = widest(entries.iter().filter_map(|entry| match &entry.middle {
        Middle::Cells(_) | Middle::Rest(_) => None,
        Middle::Text(text) => Some(text),
    }));
    let columns = [column(0), column(1), column(2)];
    let middle = |shown: &[usize]| {
        let cells: usize = shown.iter().map(|at| columns[*at]).sum();
        text.max(cells + GAP * (shown.len() - 1))
    };
    let least = |entry: &ListEntry| {
        let (name, suffix) = split_label(&entry.name);
        name.width().min(MIN_NAME) + suffix.width()
    };
    let least = entries.iter().map(least).max().unwrap_or(0);
    let total = |name: usize, shown: &[usize]| number + name + addr + middle(shown) + security + 4 * GAP;
    let shown: &[usize] = if total(name, &[0, 1, 2]) <= room {
        &[0, 1, 2]
    } else if total(least, &[0, 2]) <= room {
        &[0, 2]
    } else {
        &[0]
    };
    let width = middle(shown);
    let rest = entries.iter().map(|entry| match &entry.middle {
        Middle::Rest(text) => text.width(),
        Middle::Cells(_) | Middle::Text(_) => width + GAP + security,
    });
    let others = number + addr + rest.max().unwrap_or(0) + 3 * GAP;
    let name = name.min(room.saturating_sub(others).max(least));
    let line = |entry: &ListEntry| {
        let rest = match &entry.middle {
            Middle::Rest(text) => text.clone(),
            Middle::Text(text) => format!("{}  {}", padded(text, width), entry.security),
            Middle::Cells(cells) => {
                let padded: Vec<String> = shown.iter().map(|at| padded(&cells[*at], columns[*at])).collect();
                format!("{}  {}", self::padded(&padded.join("  "), width), entry.security)
            }
        };
        let called = shortened_label(&entry.name, name);
        Line::default()
            .then(" ".repeat(number - entry.number.width()))
            .then(format!("{}  ", entry.number))
            .and(entry.ink, called.clone())
            .then(" ".repeat(name.saturating_sub(called.width()) + GAP))
            .then(format!("{}  {rest}", padded(&entry.addr, addr)))
    };
    entries.iter().map(line).collect()
}

/// Splits a label before its suffix and what it looks like. Both tell peers apart.
fn split_label(label: &str) -> (&str, &str) {
    let end = label.find(LOOKS_LIKE).unwrap_or(label.len());
    label.split_at(label[..end].rfind(MARK).unwrap_or(end))
}

/// Shortens the name in a label, so that the label has so many columns.
fn shortened_label(label: &str, columns: usize) -> String {
    if label.width() <= columns {
        return label.to_owned();
    }
    let (name, suffix) = split_label(label);
    format!("{}{suffix}", shortened(name, columns.saturating_sub(suffix.width())))
}

fn padded(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
}

/// Returns how long ago something was, in the largest sensible unit.
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
    use crate::model::message::PeerProtocol;
    use crate::tui::examples::{self, addr, key, meeting, peer, request};
    use crate::tui::labels::Standing;

    fn row(number: u32, name: &str, state: PresenceStatus, last_heard: Option<u64>) -> Row {
        let row = examples::row(number, name, 5000 + u16::try_from(number).unwrap(), state);
        Row {
            name: row.name.filter(|_| !name.is_empty()),
            verification: Verification::Unknown,
            last_heard: last_heard.map(Duration::from_secs),
            ..row
        }
    }

    fn list_of<'a>(rows: &'a [Row], is_muted: &'a dyn Fn(Recipient) -> bool) -> PeerList<'a> {
        let columns = USUAL_COLUMNS;
        let (unlisted, blocked, blocked_legacy, requests) = (&[], &[], &[], &[]);
        PeerList { rows, unasked: 0, unlisted, blocked, blocked_legacy, requests, is_muted, columns }
    }

    fn listed(rows: &[Row], unasked: usize) -> Vec<String> {
        listed_with(rows, unasked, &[], &[], &|_| false)
    }

    /// Returns the list in a window of 79 columns.
    fn listed_with(
        rows: &[Row],
        unasked: usize,
        unlisted: &[Pin],
        blocked: &[Pin],
        is_muted: &dyn Fn(Recipient) -> bool,
    ) -> Vec<String> {
        let mut labels = Labels::default();
        for row in rows {
            let name = row.name.clone();
            labels.meet(&PeerInfo { name, addr: row.addr, ..peer("", row.id) }, |_| Standing::Stranger);
        }
        let list = PeerList { unasked, unlisted, blocked, ..list_of(rows, is_muted) };
        peer_list(&list, &labels).iter().map(Line::to_string).collect()
    }

    #[test]
    fn wide_window_keeps_the_origin() {
        let addr = "[fe80::aabb:ccff:fedd:eeff%2]:5055".parse().ok();
        let found = Row { addr, origin: PeerOrigin::Lan, ..row(1, "Bob", PresenceStatus::Online, Some(3)) };
        let head = |columns| {
            let list = PeerList { columns, ..list_of(std::slice::from_ref(&found), &|_| false) };
            peer_list(&list, &Labels::default()).iter().map(Line::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(!head(79).contains("Origin") && !head(79).contains("lan"), "{}", head(79));
        let wide = head(120);
        assert!(wide.contains("  Origin  ") && wide.contains("  lan     "), "{wide}");
    }

    const DAY: u64 = 24 * 3_600;

    /// A contact with a key and an encrypted session.
    fn contact(number: u32, name: &str, state: PresenceStatus, last_heard: Option<u64>) -> Row {
        let key = key(u8::try_from(number).unwrap());
        Row {
            id: key.into(),
            contact: true,
            protocol: PeerProtocol::Session(key),
            verification: Verification::Encrypted,
            ..row(number, name, state, last_heard)
        }
    }

    fn pin(name: &str, byte: u8, verified: Option<u64>, blocked: bool) -> Pin {
        Pin { verified, blocked, ..examples::pin(name, byte) }
    }

    #[test]
    fn online_peers_come_first_and_blocked_contacts_last() {
        let offline = PresenceStatus::Offline;
        let left = Some(OfflineReason::SaidGoodbye);
        let rows = [
            contact(1, "Bob", offline, Some(3 * DAY)),
            row(2, "Eve", offline, Some(61)),
            contact(3, "Carol", offline, None),
            Row { why: left, ..contact(4, "Dave", offline, Some(120)) },
            row(5, "Fred", PresenceStatus::Online, Some(2)),
            Row {
                verification: Verification::Verified,
                ..contact(6, "Gina", PresenceStatus::Connected, Some(1))
            },
        ];
        let unlisted = [pin("Zoe", 20, Some(1), false), pin("Anna", 21, None, false)];
        let blocked = [pin("Trudy", 22, None, true)];
        let muted = [rows[0].id, rows[5].id];
        let lines = listed_with(&rows, 0, &unlisted, &blocked, &|id| muted.contains(&id));
        let expected = "\
No  Name        Address         State      Origin  Last heard  Security
 5  Fred        127.0.0.1:5005  online     them    2 s ago     -
 6  Gina        127.0.0.1:5006  connected  them    1 s ago     verified, muted
 4  Dave        127.0.0.1:5004  left, last seen 2 min ago      encrypted
 1  Bob         127.0.0.1:5001  last seen 3 days ago           encrypted, muted
 3  Carol       127.0.0.1:5003  not seen yet                   encrypted
 -  Anna·cukr   -               no known address               encrypted
 -  Zoe·cqkb    -               no known address               verified
 2  Eve         127.0.0.1:5002  offline    them    1 min ago   -
 -  Trudy·cylb  -               blocked                        -
8 peers, 2 online, 2 muted, 1 blocked.";
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn waiting_key_is_listed_with_what_to_type() {
        let refused = |number, byte| Row {
            refused_key: Some(key(byte)),
            ..row(number, "", PresenceStatus::Offline, None)
        };
        let rows = [contact(1, "Bob", PresenceStatus::Connected, Some(1)), refused(2, 2), refused(3, 3)];
        let rows = [&rows[..], &[refused(4, 4)]].concat();
        let bob = pin("Bob", 1, None, false);
        let bobs = |byte| meeting("Bob", byte, addr(5007));
        let requests = [request(bobs(2), &[bob]), request(bobs(5), &[])];
        let blocked = [pin("Eve", 3, None, true)];
        let list = PeerList { blocked: &blocked, requests: &requests, ..list_of(&rows, &|_| false) };
        let lines: Vec<String> = peer_list(&list, &Labels::default()).iter().map(Line::to_string).collect();
        for (number, words) in [(2, "waits for your decision"), (3, "is blocked"), (4, "is not accepted")] {
            assert!(lines[number].contains(&format!("  {words}  ")), "{lines:#?}");
            assert!(lines[number].ends_with("  -"), "{lines:#?}");
        }
        assert_eq!(
            lines[6..],
            [
                "4 peers, 1 online, 1 blocked.",
                "A new key for Bob waits for your decision: /trust Bob, /accept aibaeaqc or /block aibaeaqc.",
                "Bob (127.0.0.1:5007) wants to chat: /accept aucqkbif or /block aucqkbif.",
            ]
        );
    }

    #[test]
    fn refusing_peer_is_not_listed_as_connected() {
        for (reason, words) in [
            (ByeReason::NotAccepted, "does not accept messages from you"),
            (ByeReason::NotDecided, "has not accepted you yet"),
        ] {
            let row = contact(1, "Bob", PresenceStatus::Connected, Some(3));
            let lines = listed(&[Row { refuses: Some(reason), ..row }], 0);
            assert!(lines[1].contains(words) && !lines[1].contains("connected"), "{lines:?}");
            assert!(lines[1].ends_with(words), "{lines:?}");
            assert_eq!(lines[2], "1 peer, 0 online.");
        }
    }

    #[test]
    fn undecided_peer_is_listed_after_online_ones() {
        let rows = [
            Row {
                refuses: Some(ByeReason::NotDecided),
                ..contact(1, "Bob", PresenceStatus::Connected, Some(3))
            },
            contact(2, "Carol", PresenceStatus::Connected, Some(3)),
            row(3, "Dan", PresenceStatus::Offline, Some(3)),
        ];
        let lines = listed(&rows, 0);
        let order = ["Carol", "Bob", "Dan"];
        assert!(lines[1..].iter().zip(order).all(|(line, name)| line.contains(name)), "{lines:#?}");
        assert_eq!(lines[4], "3 peers, 1 online.");
    }

    #[test]
    fn usual_names_and_addresses_fit_eighty_columns() {
        let refused = Row {
            refuses: Some(ByeReason::NotAccepted),
            ..contact(1, "Bartholomew", PresenceStatus::Connected, Some(3))
        };
        let mut rows = [refused, contact(12, "Christopher", PresenceStatus::Offline, Some(13 * DAY))];
        for row in &mut rows {
            row.addr = Some("192.168.100.200:5000".parse().unwrap());
        }
        let lines = listed(&rows, 0);
        for line in &lines {
            assert!(line.width() <= USUAL_COLUMNS, "{line}");
        }
        // With a longer name there is no room to say how a peer came to be known.
        let plain = [row(1, "a-name-of-many-columns-12345", PresenceStatus::Offline, Some(13 * DAY))];
        let lines = listed(&plain, 0);
        assert!(!lines[0].contains("Origin") && lines[1].width() <= USUAL_COLUMNS, "{lines:?}");
        // A suffix is never shortened, so the time makes room for it.
        let unreachable = row(1, "Christopher", PresenceStatus::Unreachable, Some(13 * DAY));
        let addr = Some("192.168.100.200:50000".parse().unwrap());
        let stranger = Row { verification: Verification::Plain, addr, id: key(7).into(), ..unreachable };
        let lines = listed_with(&[stranger], 0, &[], &[], &|_| true);
        assert!(!lines[0].contains("Last heard") && lines[1].width() <= USUAL_COLUMNS, "{lines:?}");
        assert!(lines[1].ends_with("unreachable  unencrypted, new, muted"), "{lines:?}");
    }

    #[test]
    fn long_name_is_shortened_to_fit_79_columns() {
        let name = "a-name-of-thirty-columns-12345";
        let verified = |number| Row {
            verification: Verification::Verified,
            addr: Some("192.168.100.200:50000".parse().unwrap()),
            ..contact(number, name, PresenceStatus::Offline, Some(13 * DAY))
        };
        let rows = [verified(1), verified(2), row(3, "Bob", PresenceStatus::Online, Some(2))];
        let lines = listed_with(&rows, 0, &[], &[], &|_| true);
        assert!(lines.iter().all(|line| line.width() <= USUAL_COLUMNS), "{lines:#?}");
        assert!(lines[2].starts_with(" 1  a-name-of") && lines[2].contains("…"), "{lines:#?}");
        assert!(lines[3].contains("…·"), "the suffix stays: {lines:#?}");
        assert_eq!(shortened_label("Bob", 3), "Bob");
        assert_eq!(shortened_label("Bartholomew·aiba", 12), "Bartho…·aiba");
        let looks_like = "Bartholomew·aiba (looks like Bart·holomew)";
        assert_eq!(shortened_label(looks_like, 39), "Barthol…·aiba (looks like Bart·holomew)");
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
No  Name    Address         State        Origin  Last heard  Security
 1  Bob     127.0.0.1:5001  connected    them    3 s ago     -
 2  王小明  127.0.0.1:5002  online       them    1 min ago   -
11  -       127.0.0.1:5011  unreachable  them    never       -
10  Zox\u{301}     127.0.0.1:5010  offline      them    2 h ago     -
4 peers, 2 online, 1 unreachable.";
        assert_eq!(listed(&rows, 0).join("\n"), expected);
    }

    #[test]
    fn last_column_shows_security_in_words() {
        let key = PeerProtocol::Session(key(1));
        for (protocol, verification, word) in [
            (PeerProtocol::Unknown, Verification::Unknown, "-"),
            (PeerProtocol::Plain, Verification::Plain, "unencrypted"),
            (key, Verification::Encrypted, "encrypted"),
            (key, Verification::Verified, "verified"),
        ] {
            let lines = listed(
                &[Row { protocol, verification, ..row(1, "Bob", PresenceStatus::Online, Some(3)) }],
                0,
            );
            assert!(lines[0].ends_with("  Last heard  Security"), "{lines:?}");
            assert!(lines[1].ends_with(&format!("  3 s ago     {word}")), "{lines:?}");
        }
    }

    #[test]
    fn unprobed_rows_are_counted() {
        let lines = listed(&[row(1, "Bob", PresenceStatus::Online, None)], 1);
        assert!(lines[3].starts_with("1 peer did not answer; showing its last known state."), "{lines:?}");
    }
}
