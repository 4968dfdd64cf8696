//! The status line: our name and address, who is online, unread messages, delivery. Pure.

use unicode_width::UnicodeWidthStr;

use super::style::{Ink, Line};
use crate::core::{PresenceStatus, Verification};
use crate::model::name::shortened;
use crate::model::session::ByeReason;

/// The peer in the current conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partner {
    /// Its label.
    pub label: String,
    /// Whether it is online. `None` if nothing was sent to it or received from it yet.
    pub presence: Option<PresenceStatus>,
    /// How it is verified and encrypted.
    pub verification: Verification,
    /// Why it does not accept our messages, if it is online and said so.
    pub refuses: Option<ByeReason>,
    /// Whether the user has blocked it.
    pub is_blocked: bool,
    /// Whether the user has muted it.
    pub is_muted: bool,
}

impl Partner {
    /// Returns why a message to it would not arrive now; `None` if it is online.
    pub fn absence(&self) -> Option<&'static str> {
        match self.refuses {
            _ if self.is_blocked => return Some("blocked"),
            Some(ByeReason::NotAccepted) => return Some("does not accept you"),
            Some(ByeReason::NotDecided) => return Some("has not accepted you yet"),
            _ => {}
        }
        match self.presence? {
            PresenceStatus::Connected | PresenceStatus::Online => None,
            PresenceStatus::Unreachable => Some("unreachable"),
            PresenceStatus::Offline => Some("offline"),
        }
    }

    fn piece(&self) -> (Ink, String) {
        let is_refused = matches!(self.refuses, Some(ByeReason::NotAccepted | ByeReason::NotDecided));
        let presence = self.absence().unwrap_or(match self.presence {
            Some(_) => "online",
            None => "not met yet",
        });
        let muted = if self.is_muted { ", muted" } else { "" };
        let (ink, security) = match self.verification {
            _ if self.is_blocked || is_refused => (Ink::Strong, ""),
            Verification::Verified => (Ink::Faint, ", verified"),
            Verification::Encrypted => (Ink::Faint, ", encrypted"),
            Verification::Unknown => (Ink::Faint, ""),
            Verification::Plain | Verification::Claims(_) => (Ink::Strong, ", unencrypted"),
        };
        (ink, format!("{}: {presence}{security}{muted}", self.label))
    }
}

/// The content of the status line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// Our name.
    pub name: String,
    /// Our address.
    pub addr: String,
    /// How many peers are online.
    pub here: usize,
    /// The peer in the current conversation.
    pub with: Option<Partner>,
    /// The senders of unread messages, and how many each has sent.
    pub unread: Vec<(String, usize)>,
    /// The status of the last message.
    pub sending: Option<String>,
}

/// A narrower window has no status line, because its rows are needed for messages.
pub(super) const MIN_COLUMNS: usize = 30;

/// A lower window has no status line either.
pub(super) const MIN_ROWS: usize = 8;

/// The maximum number of senders of unread messages that are named.
const MAX_NAMED: usize = 3;

impl Status {
    /// Returns the line in at most this many columns. The least important parts are left out first.
    pub fn line(&self, columns: usize) -> Line {
        let me = (Ink::Faint, self.name.clone());
        let whole = (Ink::Faint, format!("{} {}", self.name, self.addr));
        let online = (Ink::Faint, format!("{} online", self.here));
        let with = self.with.as_ref().map(Partner::piece);
        let main = with.clone().or(Some(online.clone()));
        let sending = self.sending.clone().map(|words| (Ink::Faint, words));
        let is_unread = !self.unread.is_empty();
        let unread = is_unread.then(|| (Ink::Strong, unread(&self.unread)));
        let count: usize = self.unread.iter().map(|(_, count)| count).sum();
        let unread_count = is_unread.then(|| (Ink::Strong, format!("unread: {count}")));
        let choices = [
            vec![Some(whole), Some(online.clone()), with.clone(), unread.clone(), sending.clone()],
            vec![Some(me), Some(online.clone()), with.clone(), unread.clone(), sending.clone()],
            vec![Some(online), with, unread.clone(), sending.clone()],
            vec![main.clone(), unread, sending.clone()],
            vec![main.clone(), unread_count.clone(), sending],
            vec![main.clone(), unread_count],
            vec![main],
        ];
        let lines = choices.map(|pieces| joined(pieces.into_iter().flatten()));
        let fits = |line: &&Line| line.to_string().width() <= columns;
        lines.iter().find(fits).cloned().unwrap_or_else(|| {
            Line::of(Ink::Faint, shortened(&lines[lines.len() - 1].to_string(), columns.max(1)))
        })
    }
}

fn joined(pieces: impl Iterator<Item = (Ink, String)>) -> Line {
    let mut line = Line::of(Ink::Faint, "──");
    for (at, (ink, words)) in pieces.enumerate() {
        line = line.and(Ink::Faint, if at == 0 { " " } else { " · " }).and(ink, words);
    }
    line
}

fn unread(of: &[(String, usize)]) -> String {
    let mut named: Vec<String> =
        of.iter().take(MAX_NAMED).map(|(label, count)| format!("{label} {count}")).collect();
    if of.len() > MAX_NAMED {
        named.push(format!("{} more", of.len() - MAX_NAMED));
    }
    format!("unread: {}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_status_line_drops_the_least_important() {
        let status = Status {
            name: "Alice".into(),
            addr: "192.168.1.20:5000".into(),
            here: 3,
            with: None,
            unread: vec![("Carol".into(), 2)],
            sending: Some("✓ delivered".into()),
        };
        let line = |columns| status.line(columns).to_string();
        assert_eq!(line(80), "── Alice 192.168.1.20:5000 · 3 online · unread: Carol 2 · ✓ delivered");
        assert_eq!(line(60), "── Alice · 3 online · unread: Carol 2 · ✓ delivered");
        assert_eq!(line(45), "── 3 online · unread: Carol 2 · ✓ delivered");
        assert_eq!(line(40), "── 3 online · unread: 2 · ✓ delivered");
        assert_eq!(line(30), "── 3 online · unread: 2");
        assert_eq!(line(12), "── 3 online");
        assert_eq!(line(5), "── 3…");
    }

    fn bob(verification: Verification, presence: Option<PresenceStatus>) -> Partner {
        Partner {
            label: "Bob".into(),
            presence,
            verification,
            refuses: None,
            is_blocked: false,
            is_muted: false,
        }
    }

    #[test]
    fn partner_is_blocked_refusing_or_muted() {
        let online = || bob(Verification::Encrypted, Some(PresenceStatus::Connected));
        let refusing = |reason| Partner { refuses: Some(reason), ..online() };
        for (partner, words, state) in [
            (Partner { is_blocked: true, ..online() }, "blocked", Some("blocked")),
            (
                Partner { is_blocked: true, is_muted: true, presence: None, ..online() },
                "blocked, muted",
                Some("blocked"),
            ),
            (refusing(ByeReason::NotAccepted), "does not accept you", Some("does not accept you")),
            (refusing(ByeReason::NotDecided), "has not accepted you yet", Some("has not accepted you yet")),
            (Partner { is_muted: true, ..online() }, "online, encrypted, muted", None),
            (bob(Verification::Encrypted, None), "not met yet, encrypted", None),
        ] {
            assert_eq!(partner.piece().1, format!("Bob: {words}"));
            assert_eq!(partner.absence(), state);
        }
    }

    #[test]
    fn status_line_keeps_partner_unread_and_delivery() {
        for (verification, presence, words) in [
            (Verification::Verified, PresenceStatus::Connected, "online, verified"),
            (Verification::Encrypted, PresenceStatus::Online, "online, encrypted"),
            (Verification::Encrypted, PresenceStatus::Offline, "offline, encrypted"),
            (Verification::Plain, PresenceStatus::Unreachable, "unreachable, unencrypted"),
            (Verification::Unknown, PresenceStatus::Offline, "offline"),
        ] {
            let partner = bob(verification, Some(presence));
            let status = Status {
                name: "Alice".into(),
                addr: "192.168.100.200:50000".into(),
                here: 3,
                with: Some(partner),
                unread: vec![("Carol".into(), 2)],
                sending: Some("✓ delivered 14:03:07".into()),
            };
            let line = |columns| status.line(columns).to_string();
            let rest = format!("Bob: {words} · unread: Carol 2 · ✓ delivered 14:03:07");
            let whole = format!("── Alice 192.168.100.200:50000 · 3 online · {rest}");
            assert_eq!(line(120), whole);
            assert!(line(79).ends_with(&rest), "{}", line(79));
            assert_eq!(line(20 + words.len()), format!("── Bob: {words} · unread: 2"));
            assert_eq!(line(9 + words.len()), format!("── Bob: {words}"));
        }
    }
}
