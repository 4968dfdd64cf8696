//! The encrypted talks that others have dialled to us.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::ends;
use crate::key::PeerKey;
use crate::net::connection::Connection;
use crate::net::held::Held;
use crate::net::recipient::Recipient;
use crate::net::secure::talk::{Accepted, End, Reply, Step};
use crate::net::secure::{self, HELLO_WITHIN, Tls};
use crate::net::waiting::Place;
use crate::peer::Source;
use crate::talk::{ByeReason, Letter};
use crate::wire::Record;

/// How long texts may wait for room in the queue of events before they are refused.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// Talks to who dials us in encryption, in the name of a key.
pub(in crate::net) struct Host {
    tls: Arc<Tls>,
    recipient: Arc<dyn Recipient>,
    /// Those whose texts wait for room, each with its thread.
    held: Held,
}

/// A talk with who was welcomed.
struct Guest {
    talk: Accepted,
    key: PeerKey,
    source: Source,
}

impl Host {
    pub(in crate::net) fn new(tls: Arc<Tls>, recipient: Arc<dyn Recipient>) -> Self {
        Self { tls, recipient, held: Held::default() }
    }

    /// Takes a connection that has brought the line, and talks on it. Until both have said hello it has to make room for others as whoever is
    /// silent.
    pub(in crate::net) fn receive(&self, connection: Connection, place: &Place<'_>) {
        let Connection { stream, source, local, decoder, .. } = connection;
        let deadline = Instant::now() + HELLO_WITHIN;
        let channel = match secure::accept(&self.tls, stream, decoder.bytes(), deadline) {
            Ok(channel) => channel,
            Err(refused) => return log::debug!("no encrypted exchange with {source}: {refused:?}"),
        };
        place.heard();
        let key = channel.peer();
        let welcome = |key, hello: &_| {
            let answer = || self.recipient.welcome(key, hello, source, local);
            guarded(answer).unwrap_or(Err(ByeReason::NoRoom))
        };
        match Accepted::greet(channel, welcome) {
            Ok((talk, _)) => self.talk(Guest { talk, key, source }, place),
            Err(end) => log::debug!("{key} at {source} is not talked to: {end:?}"),
        }
    }

    /// Talks to the end.
    fn talk(&self, mut guest: Guest, place: &Place<'_>) {
        loop {
            place.heard();
            let until = guest.talk.ends_at();
            guest = match self.turn(guest, until) {
                Ok((guest, _)) => guest,
                Err(()) => return,
            };
        }
    }

    /// One turn, if it begins until then. Whether there was one; or it has ended, and that was told.
    fn turn(&self, guest: Guest, until: Instant) -> Result<(Guest, bool), ()> {
        let Guest { talk, key, source } = guest;
        let mut has_texts = false;
        let step = talk.turn(until, |texts| {
            has_texts = true;
            self.take(key, source, texts)
        });
        match step {
            Ok(Step::Answered(talk)) => match has_texts || guarded(|| self.recipient.heard(key)).is_some() {
                true => Ok((Guest { talk, key, source }, true)),
                false => {
                    self.ended(key, source, &talk.close(ByeReason::NoRoom));
                    Err(())
                }
            },
            Ok(Step::Silent(talk)) => Ok((Guest { talk, key, source }, false)),
            Err(end) => {
                self.ended(key, source, &end);
                Err(())
            }
        }
    }

    /// Hands texts over, and receipts those that were taken.
    fn take(&self, key: PeerKey, source: Source, texts: Vec<Record>) -> Reply {
        let letters: Vec<Letter> = texts.into_iter().filter_map(letter).collect();
        let all = letters.len();
        let now = Instant::now();
        // Whoever has its share of those that wait hears at once that there is no room.
        let hold = self.held.hold(source.share());
        let wait_until = if hold.is_some() { now + ROOM_WITHIN } else { now };
        let taken = guarded(|| self.recipient.letters(key, source, letters, wait_until)).unwrap_or_default();
        if taken.len() >= all { Reply::Receipts(taken) } else { Reply::Bye(taken, ByeReason::NoRoom) }
    }

    fn ended(&self, key: PeerKey, source: Source, end: &End) {
        log::debug!("the talk with {key} at {source} has ended: {end:?}");
        guarded(|| self.recipient.ended(key, ends::bye(end)));
    }
}

/// Asks the recipient. Where it panics, this talk ends and nothing else.
fn guarded<T>(ask: impl FnOnce() -> T) -> Option<T> {
    let answer = catch_unwind(AssertUnwindSafe(ask));
    if answer.is_err() {
        log::error!("the handling of an encrypted talk failed; its connection is closed");
    }
    answer.ok()
}

fn letter(record: Record) -> Option<Letter> {
    match record {
        Record::Text { id, time, again, body } => Some(Letter { id, time, again, body }),
        _ => None,
    }
}
