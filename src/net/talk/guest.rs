//! A talk that somebody has dialed to us: its turns, handed to the chat and answered.

use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::ends;
use super::keeper::{Kept, Then, Why};
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::session::{ByeReason, Message};
use crate::net::held::Held;
use crate::net::inbound::InboundHandler;
use crate::net::secure::talk::{Accepted, End, Reply, Step};
use crate::protocol::session::Record;

/// How long texts may wait for room in the queue of events before they are refused.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// How long a thread waits for the next turn after one: whoever says one thing after the other does within this, on a network as far away as
/// can be.
const LINGER: Duration = Duration::from_millis(50);

/// Threads that may wait so at once. Further talks are put aside at once; that costs them a switch of threads.
const MAX_LINGERING: usize = 16;

/// After this a thread attends to others that are due. Who never stops talking gets its turn again behind them.
const SLICE: Duration = Duration::from_millis(50);

/// A talk with who was welcomed.
pub(super) struct Guest {
    pub(super) talk: Accepted,
    pub(super) key: PublicKey,
    pub(super) source: Source,
}

/// What all guests are attended to with.
pub(super) struct Desk {
    pub(super) recipient: Arc<dyn InboundHandler>,
    /// Those whose texts wait for room, each with its thread.
    held: Held,
    lingering: AtomicUsize,
}

impl Desk {
    pub(super) fn new(recipient: Arc<dyn InboundHandler>) -> Self {
        Self { recipient, held: Held::default(), lingering: AtomicUsize::new(0) }
    }

    /// Answers what comes, until nothing comes for a moment, or for so long that it is others' turn.
    pub(super) fn attend(&self, mut guest: Guest, why: Why) -> Then<Guest> {
        if why != Why::Due {
            self.ended(guest.key, guest.source, &End::Said(ByeReason::Idle));
            guest.part(Some(ByeReason::Idle));
            return Then::Ended;
        }
        let slice = Instant::now() + SLICE;
        loop {
            guest = match self.linger(|wait| self.turn(guest, Instant::now() + wait)) {
                Some((guest, true)) if Instant::now() >= slice => return Then::Again(guest),
                Some((guest, true)) => guest,
                Some((guest, false)) => return Then::Keep(guest),
                None => return Then::Ended,
            }
        }
    }

    /// Does this with as long as it may wait.
    fn linger<T>(&self, act: impl FnOnce(Duration) -> T) -> T {
        let before = self.lingering.fetch_add(1, Ordering::Relaxed);
        let _given_back = Lingering(&self.lingering);
        act(if before < MAX_LINGERING { LINGER } else { Duration::ZERO })
    }

    /// One turn, if it begins until then, and whether there was one; nothing if the talk has ended, which was told.
    fn turn(&self, guest: Guest, until: Instant) -> Option<(Guest, bool)> {
        let Guest { talk, key, source } = guest;
        let mut has_texts = false;
        let step = talk.turn(until, |texts| {
            has_texts = true;
            self.take(key, source, texts)
        });
        let end = match step {
            Ok(Step::Silent(talk)) => return Some((Guest { talk, key, source }, false)),
            Ok(Step::Answered(talk)) => match has_texts || guarded(|| self.recipient.heard(key)).is_some() {
                true => return Some((Guest { talk, key, source }, true)),
                false => talk.close(ByeReason::NoRoom),
            },
            Err(end) => end,
        };
        self.ended(key, source, &end);
        None
    }

    /// Hands texts over, and receipts those that were taken.
    fn take(&self, key: PublicKey, source: Source, texts: Vec<Record>) -> Reply {
        let messages: Vec<Message> = texts.into_iter().filter_map(message).collect();
        let all = messages.len();
        let now = Instant::now();
        // Whoever has its share of those that wait hears at once that there is no room.
        let hold = self.held.hold(source.share());
        let wait_until = if hold.is_some() { now + ROOM_WITHIN } else { now };
        let taken =
            guarded(|| self.recipient.messages(key, source, messages, wait_until)).unwrap_or_default();
        if taken.len() >= all { Reply::Receipts(taken) } else { Reply::Bye(taken, ByeReason::NoRoom) }
    }

    pub(super) fn ended(&self, key: PublicKey, source: Source, end: &End) {
        log::debug!("the talk with {key} at {source} has ended: {end:?}");
        guarded(|| self.recipient.ended(key, ends::bye(end)));
    }
}

/// Counts a thread that may wait.
struct Lingering<'a>(&'a AtomicUsize);

impl Drop for Lingering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Kept for Guest {
    fn key(&self) -> PublicKey {
        self.key
    }

    fn stream(&self) -> &Arc<TcpStream> {
        self.talk.channel().stream()
    }

    fn until(&self) -> Instant {
        self.talk.ends_at()
    }

    fn source(&self) -> Option<Source> {
        Some(self.source)
    }

    fn part(self, bye: Option<ByeReason>) {
        self.talk.part(bye);
    }
}

/// Asks the recipient. Where it panics, this talk ends and nothing else.
pub(super) fn guarded<T>(ask: impl FnOnce() -> T) -> Option<T> {
    let answer = catch_unwind(AssertUnwindSafe(ask));
    if answer.is_err() {
        log::error!("the handling of an encrypted talk failed; its connection is closed");
    }
    answer.ok()
}

fn message(record: Record) -> Option<Message> {
    match record {
        Record::Text { id, time, again, body } => Some(Message { id, time, again, body }),
        _ => None,
    }
}
