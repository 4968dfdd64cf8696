//! A line for everything that happens. Pure.

use super::labels::{Labels, Renamed};
use super::list::peer_list;
use super::style::{Ink, Line, ink_of};
use crate::chat::{Deed, Event, GONE_AFTER, MAX_TEXTS_WAITING, Unsendable, Who, Why};
use crate::escape::{Text, harmless};
use crate::message::{Failure, Fate, Fault, LINE_MARK, MAX_RECEIVED_BYTES};
use crate::net::{CONNECT_TIMEOUT, EOF_TIMEOUT};
use crate::peer::Source;

/// Recipients of one command whose outcomes are all shown one by one; with more, only what went wrong and the sum.
const SHOWN_ONE_BY_ONE: usize = 10;

/// Rows that one message may take because it says so: a longer one stays on one line, with its marks. A pasted page has
/// some fifty, and whoever wants to fill a screen can do it with messages as well.
const MAX_ROWS_SHOWN: usize = 100;

/// How things are said: to whom, and when.
#[derive(Clone, Copy, Debug)]
pub struct Voice<'a> {
    /// What each peer is called.
    pub labels: &'a Labels,
    /// Names stand with their addresses everywhere, and everything is one line: for a pipe, a file, the log.
    pub full: bool,
    /// A text of several lines is shown as such.
    pub rows: bool,
    /// What stands before a line that tells of a moment: the time, or nothing.
    pub stamp: &'a str,
}

impl Voice<'_> {
    /// A peer as it is called in the middle of a sentence. An address in its header that is not where it was heard
    /// from is always named.
    pub fn named(&self, who: &Who) -> String {
        if self.full {
            return self.introduced(who);
        }
        let label = self.label(who);
        match who.claimed {
            Some(claimed) => format!("{label} (calls itself {claimed})"),
            None => label,
        }
    }

    /// A peer with its address.
    pub fn introduced(&self, who: &Who) -> String {
        let claim = who.claimed.map(|claimed| format!("calls itself {claimed}"));
        match (&who.name, claim) {
            (None, None) if self.labels.nickname(who.addr).is_none() => who.addr.to_string(),
            (None, Some(claim)) if self.labels.nickname(who.addr).is_none() => {
                format!("{} ({claim})", who.addr)
            }
            (_, None) => format!("{} ({})", self.label(who), who.addr),
            (_, Some(claim)) => format!("{} ({}, {claim})", self.label(who), who.addr),
        }
    }

    fn label(&self, who: &Who) -> String {
        match (&who.name, self.labels.nickname(who.addr)) {
            (_, Some(nickname)) => nickname.to_string(),
            // The address follows, so the name itself is enough.
            (Some(name), None) if self.full => name.to_string(),
            (name, None) => self.labels.label(who.addr, name.as_ref()),
        }
    }

    /// The colour of a peer's name.
    pub fn ink(&self, who: &Who) -> Ink {
        let name = self.labels.name(who.addr).or(who.name.as_ref().map(|name| name.as_str()));
        name.map_or(Ink::Plain, ink_of)
    }

    /// The lines that a text makes, the first behind `before`.
    pub fn text(&self, before: Line, text: &Text, end: &str) -> Vec<Line> {
        let rows: Vec<&str> = text.raw().split(LINE_MARK).collect();
        if !self.rows || rows.len() > MAX_ROWS_SHOWN {
            return vec![before.then(format!("{text}{end}"))];
        }
        let last = rows.len() - 1;
        let mut before = Some(before);
        let row = |(at, row): (usize, &str)| {
            let end = if at == last { end } else { "" };
            // Nobody can forge a message in a further line: those stand behind a bar.
            let before = before.take().unwrap_or_else(|| Line::of(Ink::Faint, "  │ "));
            before.then(format!("{}{end}", Text::new(row)))
        };
        rows.into_iter().enumerate().map(row).collect()
    }

    /// The lines that tell what somebody said.
    pub fn message(&self, from: &Who, text: &Text, cut: bool) -> Vec<Line> {
        let end = if cut {
            format!(" [cut: longer than {MAX_RECEIVED_BYTES} bytes, too slow, or broken off]")
        } else {
            String::new()
        };
        let stamp = Line::of(Ink::Faint, self.stamp);
        let (ink, name) = (self.ink(from), self.named(from));
        match action(text) {
            Some(action) => self.text(stamp.then("** ").and(ink, name).then(" "), &action, &end),
            None => self.text(stamp.and(ink, name).then(": "), text, &end),
        }
    }

    /// The line that says what somebody calls itself now.
    pub fn renamed(&self, who: &Who, renamed: &Renamed) -> Line {
        let now = format!(" is called {} now.", renamed.now);
        self.about(who, format!("{} ({})", renamed.before, who.addr), now)
    }

    fn notice(&self, text: impl Into<String>) -> Line {
        Line::of(Ink::Faint, self.stamp).and(Ink::Faint, "* ").and(Ink::Faint, text)
    }

    /// A notice about a peer, whose name keeps its colour.
    fn about(&self, who: &Who, named: String, rest: String) -> Line {
        Line::of(Ink::Faint, self.stamp).and(Ink::Faint, "* ").and(self.ink(who), named).and(Ink::Faint, rest)
    }
}

/// A text of the user's own as it is left standing, behind the prompt that it was typed at.
pub fn own_text(prompt: Line, text: &str) -> Vec<Line> {
    let mut prompt = Some(prompt);
    let before = |_| prompt.take().unwrap_or_else(|| Line::of(Ink::Faint, "  │ "));
    let befores: Vec<Line> = text.split('\n').map(before).collect();
    text.split('\n').zip(befores).map(|(row, before)| before.then(harmless(row))).collect()
}

/// What somebody does, if a text says it as `/me waves` does (the convention of XEP-0245: the command is sent as it was
/// typed, and shown by whoever knows it).
fn action(text: &Text) -> Option<Text> {
    text.raw().strip_prefix("/me ").filter(|action| !action.trim().is_empty()).map(Text::new)
}

/// The lines that tell `event`; none where the user need not be told. Everything in them that came from the network is
/// harmless by its type.
pub fn lines(event: &Event, voice: &Voice<'_>) -> Vec<Line> {
    match event {
        Event::Message { from, text, cut, .. } => voice.message(from, text, *cut),
        Event::Unreadable { source, what } => {
            let why = match what.fault {
                Fault::NoAddress => "does not begin with an address",
                Fault::NoText => "has no text",
            };
            vec![voice.notice(format!("Something from {source} is no message, it {why}: {}", what.text))]
        }
        Event::Impostor { source, claimed, text } => {
            vec![
                voice.notice(format!(
                    "Somebody at {source} claims our own address {claimed}; not taken: {text}"
                )),
            ]
        }
        Event::Refused { sources, others } => vec![voice.notice(refused(sources, *others))],
        Event::Came(who) => vec![voice.about(who, voice.introduced(who), " is here.".into())],
        Event::Went(who, why) => vec![voice.about(who, voice.named(who), format!(" {}.", gone_words(*why)))],
        Event::Done { deed, who, fate, parts, total, .. } => {
            let good = is_good(fate);
            if good && *total > SHOWN_ONE_BY_ONE {
                return Vec::new();
            }
            let ink = if good { Ink::Faint } else { Ink::Bad };
            vec![Line::of(ink, done(*deed, &voice.named(who), fate, *parts))]
        }
        Event::NotSent { who, why, .. } => vec![Line::of(Ink::Bad, not_sent(&voice.named(who), *why))],
        // Of one its own line has said it; a script counts on the sum.
        Event::Sum { total: 1, .. } if !voice.full => Vec::new(),
        Event::Sum { deed, total, done, failed } => vec![sum(*deed, *total, *done, failed).into()],
        Event::TakenAs(deed) => vec![
            match deed {
                Deed::Disconnect => "A text that is only `exit` means goodbye, so this disconnects.",
                _ => "A text that is only `connect` asks to be listed, so this connects.",
            }
            .into(),
        ],
        Event::Nobody(deed) => vec![
            match deed {
                Deed::Send => "Nobody is there to send to; choose 3 to connect, or give an ip:port.",
                Deed::Connect => "Nobody is known yet; give an ip:port, or list peers in peers.toml.",
                Deed::Disconnect => "Nobody is there to disconnect from.",
            }
            .into(),
        ],
        // TODO words
        Event::Unproven { .. }
        | Event::Pinned(..)
        | Event::Offered(_)
        | Event::MoreOffered(_)
        | Event::TakesName(..)
        | Event::Misled { .. }
        | Event::TurnedAway(..)
        | Event::Decided(_)
        | Event::Undecided(_)
        | Event::Later { .. }
        | Event::PlainRefused(..) => vec![format!("{event:?}").into()],
        Event::Listed { rows, unasked } => peer_list(rows, *unasked, voice.labels),
        Event::Dialled { total: 0, .. } | Event::Settled(_) | Event::PinsChanged => Vec::new(),
        Event::Dialled { total: 1, connected: 1 } => vec!["The static peer is there.".into()],
        Event::Dialled { total: 1, .. } => {
            vec!["The static peer is not there; it is tried again in the background.".into()]
        }
        Event::Dialled { total, connected } if total == connected => {
            vec![format!("All {total} static peers are there.").into()]
        }
        Event::Dialled { total, connected } => vec![
            format!(
                "{connected} of {total} static peers {} there; the rest is tried again in the background.",
                if *connected == 1 { "is" } else { "are" }
            )
            .into(),
        ],
    }
}

/// The line that sums up what could not be taken.
fn refused(sources: &[(Source, u64)], others: u64) -> String {
    let count = |count: u64| match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    };
    let mut from: Vec<String> =
        sources.iter().map(|(source, of)| format!("{} from {source}", count(*of))).collect();
    if others > 0 {
        from.push(format!("{} from others", count(others)));
    }
    let refused = if let ([(_, 1)], 0) = (sources, others) { "was refused" } else { "were refused" };
    format!(
        "{} {refused}: more came at once than can be taken. Nothing of it was acknowledged.",
        from.join(", ")
    )
}

/// Whether something arrived, as far as can be known.
pub fn is_good(fate: &Fate) -> bool {
    matches!(fate, Fate::Delivered | Fate::HandedOver)
}

fn gone_words(why: Why) -> String {
    match why {
        Why::SaidExit => "has left".into(),
        Why::Disconnected => "is disconnected".into(),
        Why::Refused | Why::NotYetThere => "is gone: nobody listens there any more".into(),
        Why::NoAnswer => format!("is gone: no answer for {} s", GONE_AFTER.as_secs()),
    }
}

/// What became of something, as the end of a sentence.
pub fn fate_words(fate: &Fate) -> String {
    match fate {
        Fate::Delivered => "delivered".into(),
        Fate::HandedOver => "handed over".into(),
        Fate::NoReceipt => "it closed the connection without the receipt that it usually gives".into(),
        Fate::Waits(_) => "queued".into(),
        Fate::Lost(_) => "not sent any more".into(),
        Fate::Unanswered => format!("no reaction within {} s", EOF_TIMEOUT.as_secs()),
        Fate::Broken => "the connection broke".into(),
        Fate::Astray(to) => format!("it went to {to} instead, where somebody else listens"),
        Fate::Failed(failure) => match failure {
            Failure::NoOk => "it does not speak encrypted at the moment".into(),
            Failure::WrongKey => "somebody with another key is there".into(),
            Failure::NotSecure => "the encrypted exchange failed".into(),
            Failure::TurnedAway(_) => "it does not take us".into(),
            Failure::NotTrusted => "its key waits for your word".into(),
            Failure::Refused => "refused, nobody listens there".into(),
            Failure::TimedOut => format!("timed out, no answer within {} s", CONNECT_TIMEOUT.as_secs()),
            Failure::NoRoute => "no route, the network knows no way there".into(),
            Failure::NoResources => "this machine has no free connections at the moment".into(),
            Failure::Cancelled => "there was no time left for it".into(),
            Failure::Other(words) => words.clone(),
        },
    }
}

fn done(deed: Deed, who: &str, fate: &Fate, parts: (usize, usize)) -> String {
    let why = fate_words(fate);
    match (deed, fate) {
        (Deed::Send, Fate::Delivered | Fate::HandedOver) => {
            let how = if *fate == Fate::Delivered {
                format!("Delivered to {who}")
            } else {
                format!("Handed over to {who}, which gives no receipts")
            };
            if parts.1 > 1 { format!("{how}, in {} messages.", parts.1) } else { format!("{how}.") }
        }
        (Deed::Send, Fate::NoReceipt | Fate::Unanswered | Fate::Broken) => {
            format!(
                "Sent{} to {who}, but {why}: whether it was read is unknown, and it is not sent again.",
                part_words(parts, 1)
            )
        }
        (Deed::Send, Fate::Astray(_)) => format!("Not delivered to {who}: {why}."),
        (Deed::Send, _) if parts.0 > 0 => format!("Sent only{} to {who}: {why}.", part_words(parts, 0)),
        (Deed::Send, _) => format!("Not sent to {who}: {why}."),
        (Deed::Connect, Fate::Delivered | Fate::HandedOver) => format!("Connected to {who}."),
        (Deed::Connect, _) => format!("Not connected to {who}: {why}."),
        (Deed::Disconnect, Fate::Delivered | Fate::HandedOver) => format!("Disconnected from {who}."),
        (Deed::Disconnect, _) => format!("Disconnected from {who}, which could not be told: {why}."),
    }
}

/// How much of a text in parts was sent, `more` of them perhaps.
fn part_words(parts: (usize, usize), more: usize) -> String {
    if parts.1 > 1 { format!(" {} of {} messages", parts.0 + more, parts.1) } else { String::new() }
}

fn not_sent(who: &str, why: Unsendable) -> String {
    match why {
        Unsendable::TooLongForPlain | Unsendable::OnlyEncrypted | Unsendable::NotTrusted => {
            format!("Not sent to {who}.")
        }
        Unsendable::NotThere => format!("{who} is not there, so there is nobody to disconnect from."),
        Unsendable::Ourselves => format!("{who} is our own address; choose somebody else."),
        Unsendable::TooManyWaiting => {
            format!(
                "Not sent to {who}: {MAX_TEXTS_WAITING} texts wait for it already; try again when some are gone."
            )
        }
        Unsendable::CommandWord(word) => format!(
            "Not sent to {who}: programs there take `{word}` for a command and show it to nobody; put it in other words."
        ),
    }
}

fn sum(deed: Deed, total: usize, done: usize, failed: &[(Who, Fate)]) -> String {
    let verb = match deed {
        Deed::Send => "Sent to",
        Deed::Connect => "Connected",
        Deed::Disconnect => "Told goodbye to",
    };
    let mut line = format!("{verb} {done} of {total}");
    for (who, fate) in failed {
        let why = match fate {
            Fate::Failed(Failure::Refused) => "refused".to_owned(),
            Fate::Failed(Failure::TimedOut) => "timed out".to_owned(),
            Fate::Failed(Failure::NoRoute) => "no route".to_owned(),
            other => fate_words(other),
        };
        line.push_str(&format!("; {} {why}", who.addr));
    }
    let unnamed = (total - done).saturating_sub(failed.len());
    if !failed.is_empty() && unnamed > 0 {
        line.push_str(&format!("; and {unnamed} more"));
    }
    line.push('.');
    line
}

#[cfg(test)]
mod tests;
