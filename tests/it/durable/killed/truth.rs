//! What was typed, told, written down and shown, and whether all of it is one story.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::time::Duration;

use p2p_chat::model::delivery::DeliveryStatus;

use crate::support::{Outcome, outcomes_at};

/// What stands behind a text that was perhaps shown in an earlier life.
const AGAIN: &str = " [may have been shown before]";

/// Messages that a life had shown when it was killed, and of which that was not written down yet,
/// at most: those of two turns, of which one was being written down as shown and one waited for
/// that.
const LAST_INSTANTS: usize = 128;

/// The number in `stream-NUMBER.`.
pub(super) fn number_of(text: &str) -> Option<usize> {
    text.strip_prefix("stream-")?.strip_suffix('.')?.parse().ok()
}

/// The number that a line shows, and whether with the remark.
fn shown_in(line: &str) -> Option<(usize, bool)> {
    let (line, again) = line.strip_suffix(AGAIN).map_or((line, false), |line| (line, true));
    Some((number_of(line.rsplit_once(": ")?.1)?, again))
}

/// A life of the sender.
pub(super) struct Life {
    pub(super) typed: Vec<usize>,
    pub(super) printed: Vec<String>,
}

/// What happened in a run, and what is wrong with it.
#[derive(Default)]
pub(super) struct Figures {
    pub(super) rounds: usize,
    pub(super) kills_of_sender: usize,
    pub(super) kills_of_receiver: usize,
    pub(super) kills_of_both: usize,
    pub(super) longest_settling: Duration,
    pub(super) sent: Vec<Life>,
    pub(super) received: Vec<Vec<String>>,
    typed: usize,
    kept: usize,
    queued_first: usize,
    delivered: usize,
    undelivered: usize,
    shown: usize,
    remarked: usize,
    remarked_again: usize,
    /// Sentences about what must not be.
    lost: Vec<String>,
    doubled: Vec<String>,
    disordered: Vec<String>,
    untrue: Vec<String>,
}

impl Figures {
    /// Compares what the sender was told and wrote down, and what the receiver wrote down and
    /// showed.
    pub(super) fn judge(&mut self, sent: &[(usize, DeliveryStatus)], taken: &[usize], addr: SocketAddrV4) {
        let kept: BTreeMap<usize, DeliveryStatus> = sent.iter().cloned().collect();
        self.kept = kept.len();
        if kept.len() != sent.len() {
            self.doubled.push("the sender has written a number down twice".into());
        }
        if !sent.is_sorted_by_key(|(number, _)| *number) {
            self.disordered.push("the sender's file has another order than it was typed in".into());
        }
        let told = self.told(&kept, addr);
        self.in_the_files(&kept, taken);
        let shown = self.on_the_screen();
        self.shown = shown.len();
        for number in &shown {
            if !kept.contains_key(number) {
                self.untrue.push(format!("{number} was shown, and never written down by its sender"));
            }
        }
        for (number, status) in &kept {
            match status {
                DeliveryStatus::Delivered if shown.contains(number) => self.delivered += 1,
                // What is not even in the receiver's file is counted there.
                DeliveryStatus::Delivered if !taken.contains(number) => {}
                DeliveryStatus::Delivered => self.lost.push(format!("{number}: delivered, and never shown")),
                _ => self.undelivered += 1,
            }
        }
        for number in told {
            if !kept.contains_key(&number) {
                self.lost.push(format!("{number}: the sender was told of it, and it is not in its file"));
            }
        }
    }

    /// The numbers of whose outcome the sender was told.
    fn told(&mut self, kept: &BTreeMap<usize, DeliveryStatus>, addr: SocketAddrV4) -> BTreeSet<usize> {
        let mut told = BTreeSet::new();
        for life in &self.sent {
            let outcomes = outcomes_at(&life.printed, addr);
            self.typed += life.typed.len();
            if outcomes.len() > life.typed.len() {
                self.untrue.push(format!("{} outcomes of {} texts", outcomes.len(), life.typed.len()));
            }
            for (number, outcome) in life.typed.iter().zip(&outcomes) {
                told.insert(*number);
                self.queued_first += usize::from(*outcome == Outcome::Queued);
                let is_delivered = kept.get(number) == Some(&DeliveryStatus::Delivered);
                if *outcome == Outcome::Delivered && !is_delivered
                    || !matches!(outcome, Outcome::Delivered | Outcome::Queued)
                {
                    self.untrue.push(format!("{number}: told {outcome:?}, kept {:?}", kept.get(number)));
                }
            }
        }
        told
    }

    fn in_the_files(&mut self, kept: &BTreeMap<usize, DeliveryStatus>, taken: &[usize]) {
        let once: BTreeSet<usize> = taken.iter().copied().collect();
        if once.len() != taken.len() {
            self.doubled.push("the receiver has written a number down twice".into());
        }
        if !taken.is_sorted() {
            self.disordered.push("the receiver's file has another order than it was typed in".into());
        }
        for (number, status) in kept {
            if *status == DeliveryStatus::Delivered && !once.contains(number) {
                self.lost.push(format!("{number}: delivered, and not in the receiver's file"));
            }
        }
    }

    /// The numbers that were shown over all lives of the receiver: each once without the remark,
    /// with it only what is in doubt.
    fn on_the_screen(&mut self) -> BTreeSet<usize> {
        let mut shown: BTreeSet<usize> = BTreeSet::new();
        // What came in the last instants of lives that were killed.
        let mut in_doubt: BTreeSet<usize> = BTreeSet::new();
        for (life, printed) in self.received.iter().enumerate() {
            let numbers: Vec<(usize, bool)> = printed.iter().filter_map(|line| shown_in(line)).collect();
            for &(number, remarked) in &numbers {
                let is_first = shown.last().is_none_or(|last| *last < number);
                let again = !shown.insert(number);
                if !again && !is_first {
                    self.disordered.push(format!("{number} is shown for the first time behind later ones"));
                }
                self.remarked += usize::from(remarked);
                self.remarked_again += usize::from(remarked && again);
                if again && !(remarked && in_doubt.contains(&number)) {
                    self.doubled.push(format!("{number} is shown again in life {life} ({remarked})"));
                }
            }
            let last = numbers.iter().rev().take(LAST_INSTANTS).map(|(number, _)| *number);
            in_doubt = last.collect();
        }
        shown
    }

    /// Prints the table of the run.
    #[allow(clippy::print_stderr, reason = "a person reads the table of a long run")]
    pub(super) fn print(&self, seed: u64) {
        let lines = [
            ("rounds", self.rounds),
            ("kills of the sender", self.kills_of_sender),
            ("kills of the receiver", self.kills_of_receiver),
            ("kills of both", self.kills_of_both),
            ("typed", self.typed),
            ("never taken from the pipe by the life they were typed to", self.typed - self.kept),
            ("messages", self.kept),
            ("told \"Queued\" first", self.queued_first),
            ("delivered and shown", self.delivered),
            ("undelivered, and said so", self.undelivered),
            ("shown at a start with the remark", self.remarked),
            ("of these, shown before", self.remarked_again),
            ("lost", self.lost.len()),
            ("doubled", self.doubled.len()),
            ("out of order", self.disordered.len()),
            ("told otherwise than it was", self.untrue.len()),
        ];
        eprintln!("seed {seed}; longest wait until nothing waits any more: {:?}", self.longest_settling);
        for (what, count) in lines {
            eprintln!("| {what} | {count} |");
        }
    }

    /// Asserts that nothing is wrong, and that there was something to judge.
    pub(super) fn hold(&self) {
        let wrong: Vec<&String> =
            [&self.lost, &self.doubled, &self.disordered, &self.untrue].into_iter().flatten().collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(self.undelivered, 0, "everybody was there at the end");
        assert!(self.delivered >= self.rounds, "hardly anything was said");
    }
}
