//! What was said in this run, kept to be read again. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use super::style::{Ink, Line};
use crate::chat::{OpId, Target};
use crate::peer::PeerAddr;

/// Messages that are kept, the oldest of which go first: a long day of talking.
const MAX_SEEN: usize = 10_000;

/// Bytes that they may take, for a message may have eight thousand of them.
const MAX_SEEN_BYTES: usize = 4 * 1024 * 1024;

/// Messages that are shown at once: two screens, which can still be looked through.
const SHOWN_AT_ONCE: usize = 50;

#[derive(Clone, Debug)]
struct Entry {
    with: Target,
    /// The command that sent it, if it is ours.
    op: Option<OpId>,
    day: Arc<str>,
    lines: Vec<Line>,
    /// What became of it as far as is known.
    fate: Line,
    bytes: usize,
}

/// The messages of this run, theirs and ours.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    entries: VecDeque<Entry>,
    bytes: usize,
    dropped: usize,
}

impl Seen {
    /// Keeps what a peer said, as it is shown, on a day that is shown like this.
    pub fn heard(&mut self, from: PeerAddr, day: &Arc<str>, lines: Vec<Line>) {
        self.keep(Entry {
            with: Target::These(vec![from]),
            op: None,
            day: Arc::clone(day),
            lines,
            fate: Line::default(),
            bytes: 0,
        });
    }

    /// Keeps what we said to these.
    pub fn said(&mut self, to: Target, op: OpId, day: &Arc<str>, lines: Vec<Line>) {
        self.keep(Entry {
            with: to,
            op: Some(op),
            day: Arc::clone(day),
            lines,
            fate: Line::default(),
            bytes: 0,
        });
    }

    /// Puts behind what we said what became of it, in the place of what was known of that before.
    pub fn became(&mut self, op: OpId, ink: Ink, words: &str) {
        // Commands end soon after they begin, so it stands near the end.
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.op == Some(op)) {
            entry.fate = Line::of(ink, format!(" ({words})"));
        }
    }

    fn keep(&mut self, mut entry: Entry) {
        entry.bytes =
            entry.lines.iter().flat_map(Line::parts).map(|(_, text)| text.len() + size_of::<String>()).sum();
        self.bytes += entry.bytes;
        self.entries.push_back(entry);
        while self.entries.len() > MAX_SEEN || self.bytes > MAX_SEEN_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.bytes;
            self.dropped += 1;
        }
    }

    /// The last that was said, with this peer or with all, and between two days the line that begins the second. `today`
    /// needs none.
    pub fn last(&self, with: Option<PeerAddr>, today: &str) -> Vec<Line> {
        let fits = |entry: &&Entry| match (&entry.with, with) {
            (Target::These(addrs), Some(addr)) => addrs.contains(&addr),
            (Target::All, _) | (_, None) => true,
        };
        let all = self.entries.iter().filter(fits).count();
        if all == 0 {
            return vec!["Nothing was said yet in this run.".into()];
        }
        let shown = all.min(SHOWN_AT_ONCE);
        let mut lines = Vec::new();
        if all > shown {
            lines.push(Line::of(Ink::Faint, format!("The last {shown} of {all} messages of this run:")));
        } else if self.dropped > 0 && with.is_none() {
            lines.push(Line::of(Ink::Faint, "Older messages of this run are not kept."));
        }
        let mut day: &str = today;
        for entry in self.entries.iter().filter(fits).skip(all - shown) {
            if &*entry.day != day {
                day = &entry.day;
                lines.push(day_line(day));
            }
            lines.extend(entry.lines.iter().cloned());
            if let Some(last) = lines.last_mut() {
                *last =
                    entry.fate.parts().fold(std::mem::take(last), |line, (ink, text)| line.and(ink, text));
            }
        }
        lines
    }
}

/// The line that begins a day.
pub fn day_line(day: &str) -> Line {
    Line::of(Ink::Faint, format!("--- {day} ---"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> PeerAddr {
        PeerAddr::new(std::net::Ipv4Addr::LOCALHOST, port).unwrap()
    }

    fn read(seen: &Seen, with: Option<u16>) -> Vec<String> {
        seen.last(with.map(addr), "today").iter().map(Line::to_string).collect()
    }

    #[test]
    fn what_was_said_is_read_again_by_peer_or_as_a_whole() {
        let (mut seen, day) = (Seen::default(), Arc::from("today"));
        seen.heard(addr(1), &day, vec!["Bob: hi".into()]);
        seen.heard(addr(2), &day, vec!["Carol: hi".into()]);
        seen.said(Target::These(vec![addr(1)]), OpId(1), &day, vec!["you to Bob: hello".into()]);
        seen.said(Target::All, OpId(2), &day, vec!["you to all: soup".into()]);
        seen.became(OpId(1), Ink::Faint, "queued");
        seen.became(OpId(1), Ink::Bad, "not sent");
        assert_eq!(read(&seen, Some(1)), ["Bob: hi", "you to Bob: hello (not sent)", "you to all: soup"]);
        assert_eq!(read(&seen, None).len(), 4);
        assert_eq!(read(&Seen::default(), None), ["Nothing was said yet in this run."]);
    }

    #[test]
    fn another_day_than_today_is_named() {
        let mut seen = Seen::default();
        seen.heard(addr(1), &Arc::from("Friday"), vec!["one".into()]);
        seen.heard(addr(1), &Arc::from("today"), vec!["two".into()]);
        assert_eq!(read(&seen, None), ["--- Friday ---", "one", "--- today ---", "two"]);
    }

    #[test]
    fn only_so_much_is_kept_and_only_so_much_shown() {
        let (mut seen, day) = (Seen::default(), Arc::from("today"));
        for n in 0..MAX_SEEN + 5 {
            seen.heard(addr(1), &day, vec![format!("{n}").into()]);
        }
        assert_eq!(seen.entries.len(), MAX_SEEN);
        let lines = read(&seen, None);
        assert_eq!(lines.len(), SHOWN_AT_ONCE + 1);
        assert_eq!(lines.last().unwrap(), &(MAX_SEEN + 4).to_string());
        for _ in 0..MAX_SEEN_BYTES / 8_000 + 10 {
            seen.heard(addr(1), &day, vec!["x".repeat(8_192).into()]);
        }
        assert!(seen.bytes <= MAX_SEEN_BYTES);
    }
}
