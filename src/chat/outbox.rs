//! The texts to one proven key: each is delivered once its receipt is there and not before, and until then it is sent again.
//!
//! One turn is under way at a time, and begins with the oldest text that has no receipt; what is typed meanwhile is the next turn. So the
//! order stays, and a text whose receipt came is in no further turn. Nothing is in a turn before it is written down. It ends in one of two
//! ways, and in one only: delivered, or failed with the reason. Out of scope: which key may be written to, how much all outboxes hold
//! together, and how texts are written down.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::event::OpId;
use super::time::Time;
use crate::model::message::MessageId;
use crate::model::session::{Hold, Letter, Lost};

/// Texts to one key that have no receipt yet: more than anybody types to somebody who is away for a week.
pub const MAX_OPEN_TEXTS: usize = 1_000;

/// Bytes of them: sixty-four texts of the longest kind.
pub const MAX_OPEN_BYTES: usize = 4 * 1024 * 1024;

/// How many of them, in percent, the user is told of while there is still room.
pub const NEARLY_FULL: usize = 90;

/// Texts of one turn (docs/PROTOCOL.md): no more than the other side takes.
pub const MAX_TURN_TEXTS: usize = 64;

/// Bytes of one turn (docs/PROTOCOL.md), heads included.
pub const MAX_TURN_BYTES: usize = 256 * 1024;

/// What a record adds to the bytes of a text at most: its head, the id, the time, and the heads of its fields.
pub const RECORD_BYTES: usize = 64;

/// The wait after the first turn that did not succeed; each further one is twice as long.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest of these waits: who is back is written to within a minute, even if nothing shows that it is back.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Turns in a row that nobody who speaks encrypted answered before it is believed that another program listens there now.
pub const MAX_NO_OK: u32 = 3;

/// The wait when that is believed: an old program shows each try to its user as an error.
pub const NO_OK_WAIT: Duration = Duration::from_secs(600);

/// A random number that shortens a wait by up to a quarter, so that those who lost the same peer do not come back all at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Jitter(pub u8);

/// A text on its way to a key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutText {
    /// The command that it belongs to.
    pub op: OpId,
    /// The text itself.
    pub letter: Letter,
    /// When it is given up.
    pub expires: Time,
    /// It is known that it was written. One of an earlier run may have been without that being known, so it is marked as sent before all the same.
    pub sent: bool,
}

impl OutText {
    /// What is known of it now.
    pub(super) fn news(&self, state: TextState) -> TextNews {
        let Letter { id, ref body, .. } = self.letter;
        TextNews { id, op: self.op, state, written: self.sent, body: Arc::clone(body) }
    }

    fn bytes(&self) -> usize {
        self.letter.body.len() + RECORD_BYTES
    }
}

/// What is known of a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextState {
    /// It waits.
    Queued(Hold),
    /// Its receipt is there.
    Delivered,
    /// It is not sent any more.
    Failed(Lost),
}

/// What the user is told of a text: only what changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextNews {
    /// Which text.
    pub id: MessageId,
    /// The command that it belongs to.
    pub op: OpId,
    /// What is known of it now.
    pub state: TextState,
    /// It was written before, so the peer may have it without our knowing.
    pub written: bool,
    /// What it says.
    pub body: Arc<str>,
}

/// How a turn ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TurnEnd {
    /// The peer answered in the way it should.
    Answered,
    /// It did not, and the texts without a receipt wait.
    Held(Hold),
    /// It never will.
    Refused(Lost),
}

/// Why a text was not taken into an outbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotPut {
    /// As many texts, or bytes of texts, wait as may.
    Full,
    /// It is longer than any turn.
    TooLong,
    /// It is there already.
    Doubled,
}

#[derive(Clone, Debug)]
struct Entry {
    text: OutText,
    /// It is written down, and may be sent.
    stored: bool,
    told: Option<TextState>,
    /// It is given up, but on its way: what becomes of it is known when the turn ends.
    lost: Option<Lost>,
}

impl Entry {
    fn news(&mut self, state: TextState) -> Option<TextNews> {
        let is_news = self.told.replace(state) != Some(state);
        is_news.then(|| self.text.news(state))
    }
}

/// The texts to one key that have no receipt.
#[derive(Default, Debug)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    /// How many of the first are on their way.
    turn: usize,
    bytes: usize,
    /// Before this nothing is tried.
    not_before: Time,
    /// Turns in a row that did not succeed.
    failures: u32,
    no_ok: u32,
    last_end: Option<Time>,
    /// Why the last turn did not succeed.
    held: Option<Hold>,
    /// What was done with since this was asked last.
    removed: Vec<MessageId>,
}

/// A text that waits, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// The text.
    pub text: &'a OutText,
    /// It is on its way at the moment.
    pub under_way: bool,
    /// Why it waits.
    pub hold: Hold,
}

impl Outbox {
    /// The texts without a receipt, oldest first.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &OutText> {
        self.entries.iter().map(|entry| &entry.text)
    }

    /// Whether every text is done with.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of its texts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a turn is under way.
    pub fn is_under_way(&self) -> bool {
        self.turn > 0
    }

    /// The same with why each of them waits.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting<'_>> {
        self.entries.iter().enumerate().map(|(index, entry)| Waiting {
            text: &entry.text,
            under_way: index < self.turn,
            hold: match (entry.told, self.held) {
                (Some(TextState::Queued(hold)), _) => hold,
                (_, held) => held.unwrap_or(Hold::Turn),
            },
        })
    }

    /// Whether the user should know that there is room for a few more only.
    pub fn is_nearly_full(&self) -> bool {
        self.entries.len() * 100 >= MAX_OPEN_TEXTS * NEARLY_FULL
            || self.bytes * 100 >= MAX_OPEN_BYTES * NEARLY_FULL
    }

    /// The texts that were done with since this was asked last.
    pub fn take_removed(&mut self) -> Vec<MessageId> {
        std::mem::take(&mut self.removed)
    }

    /// Adds a text behind the others, which is not sent before it is [`Outbox::stored`].
    ///
    /// # Errors
    /// Where it does not fit, or is there already: one person may have been chosen twice.
    pub fn put(&mut self, text: OutText) -> Result<(), NotPut> {
        if self.entries.iter().any(|entry| entry.text.letter.id == text.letter.id) {
            return Err(NotPut::Doubled);
        }
        if text.bytes() > MAX_TURN_BYTES {
            return Err(NotPut::TooLong);
        }
        if self.entries.len() >= MAX_OPEN_TEXTS || self.bytes + text.bytes() > MAX_OPEN_BYTES {
            return Err(NotPut::Full);
        }
        self.bytes += text.bytes();
        self.entries.push_back(Entry { text, stored: false, told: None, lost: None });
        Ok(())
    }

    /// A text is written down, and may be sent. What is known of it at once: that it waits, where the turn before did not succeed and the
    /// next is not yet.
    pub fn stored(&mut self, id: MessageId, now: Time) -> Option<TextNews> {
        let at = self.entries.iter().position(|entry| entry.text.letter.id == id)?;
        self.entries[at].stored = true;
        let hold = self.held.filter(|_| self.due().is_some_and(|at| at > now))?;
        self.entries[at].news(TextState::Queued(hold))
    }

    /// When the next turn may begin; `None` while one is under way, or where there is nothing to send.
    pub fn due(&self) -> Option<Time> {
        let can = self.turn == 0 && self.entries.front().is_some_and(|entry| entry.stored);
        can.then_some(self.not_before)
    }

    /// When the next text expires, of those that are not given up yet.
    pub fn next_expiry(&self) -> Option<Time> {
        self.entries.iter().filter(|entry| entry.lost.is_none()).map(|entry| entry.text.expires).min()
    }

    /// Gives up what has expired. What is on its way at the moment may still arrive, so it is told of when the turn ends.
    pub fn expire(&mut self, now: Time) -> Vec<TextNews> {
        self.give_up_those(Lost::Expired, |entry| entry.text.expires <= now)
    }

    /// Gives up a text because the user takes it back; the same of one on its way. Whether it was there.
    pub fn cancel(&mut self, id: MessageId) -> (bool, Vec<TextNews>) {
        let is_there = self.entries.iter().any(|entry| entry.text.letter.id == id);
        (is_there, self.give_up_those(Lost::Cancelled, |entry| entry.text.letter.id == id))
    }

    fn give_up_those(&mut self, lost: Lost, which: impl Fn(&Entry) -> bool) -> Vec<TextNews> {
        for entry in self.entries.iter_mut().take(self.turn).filter(|entry| which(entry)) {
            entry.lost.get_or_insert(lost);
        }
        let rest = self.entries.split_off(self.turn);
        let (gone, stays): (Vec<Entry>, Vec<Entry>) = rest.into_iter().partition(which);
        self.entries.extend(stays);
        self.fail(gone, lost)
    }

    /// Begins a turn with the oldest texts, if it is time.
    pub fn begin_turn(&mut self, now: Time) -> Vec<OutText> {
        if self.due().is_none_or(|at| at > now) {
            return Vec::new();
        }
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += entry.text.bytes();
            bytes <= MAX_TURN_BYTES
        };
        let turn: Vec<OutText> = self
            .entries
            .iter()
            .take(MAX_TURN_TEXTS)
            .take_while(|entry| entry.stored)
            .take_while(fits)
            .map(|entry| entry.text.clone())
            .collect();
        self.turn = turn.len();
        turn
    }

    /// The turn is over: the first `written` texts may have reached the peer, and these receipts came back. A receipt counts for what was
    /// written only; nobody can take what was not sent.
    pub fn turn_ended(
        &mut self,
        written: usize,
        receipts: &[MessageId],
        end: TurnEnd,
        now: Time,
        jitter: Jitter,
    ) -> Vec<TextNews> {
        let turn = std::mem::take(&mut self.turn);
        let mut news = Vec::new();
        let mut kept = VecDeque::with_capacity(self.entries.len());
        let mut delivered = 0;
        for (index, mut entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            entry.text.sent |= index < turn.min(written);
            entry.text.letter.again |= entry.text.sent;
            let state = if entry.text.sent && receipts.contains(&entry.text.letter.id) {
                TextState::Delivered
            } else if let Some(lost) = entry.lost {
                TextState::Failed(lost)
            } else {
                match end {
                    TurnEnd::Refused(lost) => TextState::Failed(lost),
                    // Somebody may have taken it, and only the receipt is missing.
                    TurnEnd::Held(Hold::Unreachable) if entry.text.sent => TextState::Queued(Hold::NoReceipt),
                    TurnEnd::Held(hold) => TextState::Queued(hold),
                    TurnEnd::Answered if index < turn => TextState::Queued(Hold::NoReceipt),
                    TurnEnd::Answered => {
                        kept.push_back(entry);
                        continue;
                    }
                }
            };
            delivered += usize::from(state == TextState::Delivered && index < turn);
            // Before it is written down, nothing is known of it.
            if entry.stored || state.is_final() {
                news.extend(entry.news(state));
            }
            match state {
                TextState::Delivered | TextState::Failed(_) => self.remove(&entry),
                TextState::Queued(_) => kept.push_back(entry),
            }
        }
        self.entries = kept;
        self.wait(end, delivered, turn, now, jitter);
        news
    }

    fn wait(&mut self, end: TurnEnd, delivered: usize, turn: usize, now: Time, jitter: Jitter) {
        self.last_end = Some(now);
        self.held = match end {
            TurnEnd::Held(hold) => Some(hold),
            TurnEnd::Answered | TurnEnd::Refused(_) => None,
        };
        self.no_ok = if end == TurnEnd::Held(Hold::NoOk) { self.no_ok.saturating_add(1) } else { 0 };
        if end == TurnEnd::Answered && delivered >= turn {
            self.failures = 0;
            self.not_before = now;
            return;
        }
        if delivered > 0 {
            self.failures = 0;
        }
        let wait = if self.no_ok >= MAX_NO_OK { NO_OK_WAIT } else { backoff(self.failures) };
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus(wait - wait / 4 * u32::from(jitter.0) / 255);
    }

    /// The peer has shown that it is there: it is tried at once, but not within a second of the last turn, or two that are both full
    /// would dial each other without end.
    pub fn met(&mut self, now: Time) {
        self.failures = 0;
        self.no_ok = 0;
        self.hurry(now);
    }

    /// The user wants it to be tried: at once, but not within a second of the last turn either.
    pub fn hurry(&mut self, now: Time) {
        let earliest = self.last_end.map_or(now, |end| end.plus(FIRST_WAIT).max(now));
        self.not_before = self.not_before.min(earliest);
    }

    /// Gives all up. What is on its way at the moment may still arrive, so it is told of when the turn ends.
    pub fn give_up(&mut self, lost: Lost) -> Vec<TextNews> {
        self.give_up_those(lost, |_| true)
    }

    /// Takes out the texts that are not on their way, for another key to get them; those on their way are given up.
    pub fn leave_to_another(&mut self) -> Vec<OutText> {
        for entry in self.entries.iter_mut().take(self.turn) {
            entry.lost.get_or_insert(Lost::Replaced);
        }
        let rest = self.entries.split_off(self.turn);
        rest.iter().for_each(|entry| self.remove(entry));
        rest.into_iter().map(|entry| entry.text).collect()
    }

    /// An entry that is taken out is counted no more.
    fn remove(&mut self, entry: &Entry) {
        self.bytes -= entry.text.bytes();
        self.removed.push(entry.text.letter.id);
    }

    fn fail(&mut self, entries: impl IntoIterator<Item = Entry>, lost: Lost) -> Vec<TextNews> {
        let fail = |mut entry: Entry| {
            self.remove(&entry);
            entry.news(TextState::Failed(lost))
        };
        entries.into_iter().filter_map(fail).collect()
    }
}

/// The wait after so many failures in a row, and one more.
pub(super) fn backoff(failures: u32) -> Duration {
    LONGEST_WAIT.min(FIRST_WAIT.saturating_mul(1 << failures.min(6)))
}

#[cfg(test)]
mod tests;
