//! The status line: who I am, who is there, what I have not answered. Pure.

use unicode_width::UnicodeWidthStr;

use super::style::{Ink, Line};
use crate::core::Verification;
use crate::model::name::shortened;

/// What the status line tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// Our name.
    pub name: String,
    /// Where others reach us.
    pub addr: String,
    /// How many peers are there.
    pub here: usize,
    /// With whom a conversation is going on, and how they are spoken to.
    pub with: Option<(String, Verification)>,
    /// Messages of others that came during a conversation: from whom, how many.
    pub unread: Vec<(String, usize)>,
    /// What becomes of what was sent.
    pub sending: Option<String>,
}

/// Windows narrower than this have no status line: what they show is worth more.
pub(super) const MIN_COLUMNS: usize = 30;

/// Windows lower than this have none either.
pub(super) const MIN_ROWS: usize = 8;

/// Those of whom something is unread that are named one by one.
const MAX_NAMED: usize = 3;

impl Status {
    /// The line, at most this many columns wide; what matters least is left out first.
    pub fn line(&self, columns: usize) -> Line {
        let unread = (!self.unread.is_empty()).then(|| unread(&self.unread));
        let here = format!("{} here", self.here);
        let me = (Ink::Faint, self.name.clone());
        let whole = (Ink::Faint, format!("{} {}", self.name, self.addr));
        let here = (Ink::Faint, here);
        let with = self.with.as_ref().map(|(label, verification)| match verification {
            Verification::Verified => (Ink::Faint, format!("{label}: verified")),
            Verification::Encrypted => (Ink::Faint, format!("{label}: encrypted")),
            Verification::Unknown => (Ink::Faint, format!("{label}: not met yet")),
            Verification::Plain | Verification::Claims(_) => (Ink::Strong, format!("{label}: plain")),
        });
        let sending = self.sending.clone().map(|words| (Ink::Faint, words));
        let unread = unread.map(|words| (Ink::Strong, words));
        let choices = [
            vec![Some(whole.clone()), Some(here.clone()), with.clone(), unread.clone(), sending.clone()],
            vec![Some(whole), Some(here.clone()), with.clone(), unread.clone()],
            vec![Some(me.clone()), Some(here.clone()), with.clone(), unread.clone()],
            vec![Some(here.clone()), with.clone(), unread.clone()],
            vec![with.clone().or(Some(here.clone())), unread],
            vec![with.or(Some(here))],
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
            sending: Some("delivered".into()),
        };
        let line = |columns| status.line(columns).to_string();
        assert_eq!(line(80), "── Alice 192.168.1.20:5000 · 3 here · unread: Carol 2 · delivered");
        assert_eq!(line(60), "── Alice 192.168.1.20:5000 · 3 here · unread: Carol 2");
        assert_eq!(line(40), "── Alice · 3 here · unread: Carol 2");
        assert_eq!(line(30), "── 3 here · unread: Carol 2");
        assert_eq!(line(12), "── 3 here");
        assert_eq!(line(5), "── 3…");
    }

    #[test]
    fn status_line_shows_security_first() {
        for (verification, word) in [
            (Verification::Verified, "verified"),
            (Verification::Encrypted, "encrypted"),
            (Verification::Plain, "plain"),
        ] {
            let status = Status {
                name: "Alice".into(),
                addr: "192.168.1.20:5000".into(),
                here: 3,
                with: Some(("Bob".into(), verification)),
                unread: vec![("Carol".into(), 2)],
                sending: None,
            };
            let line = |columns| status.line(columns).to_string();
            assert_eq!(
                line(80),
                format!("── Alice 192.168.1.20:5000 · 3 here · Bob: {word} · unread: Carol 2")
            );
            assert_eq!(line(55), format!("── Alice · 3 here · Bob: {word} · unread: Carol 2"));
            assert_eq!(line(38), format!("── Bob: {word} · unread: Carol 2"));
            assert_eq!(line(20), format!("── Bob: {word}"));
        }
    }
}
