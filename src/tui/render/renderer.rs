//! The names of peers with their verification sign, and the layout of their messages. Pure.

use crate::core::{PeerInfo, Verification};
use crate::model::address::PeerAddr;
use crate::model::message::{LINE_MARK, MAX_RECEIVED_BYTES};
use crate::model::peer_id::Recipient;
use crate::model::untrusted::Text;
use crate::tui::labels::{Labels, MARK, Renamed};
use crate::tui::message::{ALL, IN_DOUBT, Shown, sent_mark};
use crate::tui::style::{Ink, Line, ink_of};

/// The sign after the name of a verified peer, where signs are shown.
pub(crate) const VERIFIED: char = '✓';

/// How lines are worded: for which output, and at what time.
#[derive(Clone, Copy, Debug)]
pub struct Renderer<'a> {
    /// What each peer is called.
    pub labels: &'a Labels,
    /// Names have their addresses, and an unencrypted message is one line: for a pipe, a file or
    /// the log.
    pub full: bool,
    /// A message of several lines is shown as such, and signs replace words.
    pub rows: bool,
    /// Queued messages survive the end of the program.
    pub durable: bool,
    /// The sender of the message is a stranger.
    pub is_new: bool,
    /// When the message was sent, in words, if it arrived much later; otherwise empty.
    pub late: &'a str,
    /// The beginning of a line about an event: the time, or nothing.
    pub stamp: &'a str,
    /// Returns a day, such as `3 March 2026`, for seconds since 1970.
    pub date: fn(u64) -> String,
}

impl Renderer<'_> {
    /// Returns a peer for the middle of a sentence. It names a claimed address that is not the
    /// source, and on a terminal an unencrypted peer.
    pub fn named(&self, who: &PeerInfo) -> String {
        if self.full {
            return self.introduced(who);
        }
        format!("{}{}{}", self.label(who), self.sign(who), self.remarks(who, None))
    }

    /// Returns a peer with its address.
    pub fn introduced(&self, who: &PeerInfo) -> String {
        let is_called = who.name.is_some() || self.labels.alias(who.id).is_some();
        let at = place(who.id, who.addr);
        let (name, addr) = if is_called { (self.label(who), Some(at)) } else { (at, None) };
        format!("{name}{}{}", self.sign(who), self.remarks(who, addr))
    }

    /// Returns a peer for the outcome of a message. The label is enough, even on a pipe, if the
    /// peer has a key and its name no suffix.
    pub(super) fn recipient(&self, who: &PeerInfo) -> String {
        let label = self.labels.label(who.id, who.name.as_ref());
        let has_own_name = self.labels.alias(who.id).is_some()
            || who.name.as_ref().is_some_and(|name| name.as_str() == label);
        if self.full && !(has_own_name && who.id.public_key().is_some()) {
            return self.introduced(who);
        }
        format!("{}{}{}", self.label(who), self.sign(who), self.remarks(who, None))
    }

    /// Returns a peer for a line about its presence. A pipe has the address.
    pub(super) fn present(&self, who: &PeerInfo) -> String {
        if self.full {
            return self.introduced(who);
        }
        let unproven = PeerInfo { verification: Verification::Unknown, ..who.clone() };
        format!("{}{}{}", self.label(who), self.sign(who), self.remarks(&unproven, None))
    }

    /// Returns the line that a peer is online. A terminal names the address of a peer without a
    /// key, which nothing else tells apart.
    pub(super) fn online(&self, who: &PeerInfo) -> Line {
        if self.full {
            return self.about(who, self.introduced(who), " is online".into());
        }
        let is_named = who.name.is_some() || self.labels.alias(who.id).is_some();
        let at = match who.addr {
            Some(addr) if is_named && who.id.public_key().is_none() => format!(" at {addr}"),
            _ => String::new(),
        };
        let unencrypted = match who.verification {
            Verification::Plain | Verification::Claims(_) => " (unencrypted)",
            Verification::Verified | Verification::Encrypted | Verification::Unknown => "",
        };
        self.about(who, self.present(who), format!(" is online{at}{unencrypted}"))
    }

    /// Returns the remark after the sender of a message where names have their addresses. A line of
    /// an unencrypted peer stays as scripts know it.
    fn proof_word(&self, who: &PeerInfo) -> &'static str {
        match (self.full, &who.verification) {
            (false, _) | (true, Verification::Plain | Verification::Unknown) => "",
            (true, Verification::Verified) => " [verified]",
            (true, Verification::Encrypted) => " [encrypted]",
            (true, Verification::Claims(_)) => " [unproven]",
        }
    }

    pub(super) fn has_signs(&self) -> bool {
        self.rows && !self.full
    }

    /// Returns the sign after the name of a verified peer, where signs are shown.
    fn sign(&self, who: &PeerInfo) -> String {
        if self.has_signs() && who.verification == Verification::Verified {
            format!(" {VERIFIED}")
        } else {
            String::new()
        }
    }

    fn remarks(&self, who: &PeerInfo, addr: Option<String>) -> String {
        let proof = match &who.verification {
            _ if self.full => None,
            Verification::Verified if !self.rows => Some("verified"),
            Verification::Verified | Verification::Encrypted | Verification::Unknown => None,
            Verification::Plain => Some("unencrypted"),
            Verification::Claims(_) => Some("unencrypted, unproven"),
        };
        let claim = who.claimed.map(|claimed| format!("claims to be {claimed}"));
        let like = self.labels.looks_like(who.id, who.name.as_ref());
        let like = like.map(|other| format!("looks like {other}"));
        // A pipe shows what scripts know.
        let new = (self.is_new && !self.full).then(|| "new".to_owned());
        let proof = proof.map(str::to_owned);
        let remarks: Vec<String> =
            addr.into_iter().chain(proof).chain(new).chain(claim).chain(like).collect();
        if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) }
    }

    pub(super) fn label(&self, who: &PeerInfo) -> String {
        match (&who.name, self.labels.alias(who.id)) {
            (_, Some(alias)) => alias.to_string(),
            // The address follows, so the name itself is enough.
            (Some(name), None) if self.full && self.labels.looks_like(who.id, Some(name)).is_none() => {
                name.to_string()
            }
            (Some(name), None) => self.labels.label(who.id, Some(name)),
            (None, None) => self.labels.known(who.id).unwrap_or_else(|| place(who.id, who.addr)),
        }
    }

    /// Returns the word that the user types to name a peer.
    pub(super) fn word_for(&self, who: &PeerInfo) -> String {
        self.labels.label(who.id, who.name.as_ref())
    }

    /// Returns the colour of a peer's name.
    pub fn ink(&self, who: &PeerInfo) -> Ink {
        let name = self.labels.name(who.id).or(who.name.as_ref().map(|name| name.as_str()));
        name.map_or(Ink::Plain, ink_of)
    }

    /// Divides a message into its lines. An unencrypted message has marks for its line ends, which
    /// count only if `rows` is set; an encrypted one has the line ends themselves.
    pub(super) fn split<'t>(&self, text: &'t Text, has_lines: bool) -> Vec<&'t str> {
        match (has_lines, self.rows) {
            (true, _) => text.raw().split('\n').collect(),
            (false, true) => text.raw().split(LINE_MARK).collect(),
            (false, false) => vec![text.raw()],
        }
    }

    /// Returns the lines of a message.
    pub fn message(&self, from: &PeerInfo, text: &Text, to_all: bool, cut: bool, again: bool) -> Vec<Line> {
        let mut marks = if cut { cut_words() } else { String::new() };
        if again {
            marks.push_str(IN_DOUBT);
        }
        marks.push_str(&sent_mark((!self.late.is_empty()).then(|| self.late.to_owned())));
        let has_lines = matches!(from.verification, Verification::Verified | Verification::Encrypted);
        let from = Some((self.ink(from), self.named(from) + self.proof_word(from)));
        let to = to_all.then(|| (Ink::Plain, ALL.to_owned()));
        let text = self.split(text, has_lines);
        Shown { stamp: self.stamp, from, to, text, marks, ..Shown::default() }.lines()
    }

    /// Returns the line about the new label of a peer that is dialed at `addr`. A label that only
    /// gets or loses its suffix is no new name.
    pub fn renamed(&self, renamed: &Renamed, addr: Option<PeerAddr>) -> Line {
        let Renamed { id, before, now } = renamed;
        let ink = self.labels.name(*id).map_or(Ink::Plain, ink_of);
        let is_suffixed =
            |long: &str, short: &str| long.strip_prefix(short).is_some_and(|end| end.starts_with(MARK));
        let rest = if is_suffixed(now, before) {
            format!(" is shown as {now}, to tell two peers apart.")
        } else if is_suffixed(before, now) {
            format!(" is shown as {now} again.")
        } else {
            format!(" is now called {now}.")
        };
        self.notice_of(ink, format!("{before} ({})", place(*id, addr)), rest)
    }

    pub(super) fn notice(&self, text: impl Into<String>) -> Line {
        Line::at(self.stamp).and(Ink::Faint, "* ").and(Ink::Faint, text)
    }

    /// Returns a line that must not be overlooked. No label begins with an exclamation mark.
    pub(super) fn warning(&self, text: impl Into<String>) -> Line {
        Line::at(self.stamp).and(Ink::Bad, "! ").and(Ink::Bad, text)
    }

    /// Returns a notice about a peer, whose name keeps its colour.
    pub(super) fn about(&self, who: &PeerInfo, named: String, rest: String) -> Line {
        self.notice_of(self.ink(who), named, rest)
    }

    fn notice_of(&self, ink: Ink, named: String, rest: String) -> Line {
        Line::at(self.stamp).and(Ink::Faint, "* ").and(ink, named).and(Ink::Faint, rest)
    }
}

/// Returns where a peer is dialed, or its key if it has no known address.
pub(crate) fn place(id: Recipient, addr: Option<PeerAddr>) -> String {
    addr.map_or_else(|| id.to_string(), |addr| addr.to_string())
}

/// Returns the remark after a message of which only the beginning arrived.
pub(super) fn cut_words() -> String {
    format!(" [cut: longer than {MAX_RECEIVED_BYTES} bytes, too slow, or broken off]")
}
