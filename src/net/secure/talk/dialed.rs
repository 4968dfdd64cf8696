//! A talk as its dialer.

use std::io::Write;
use std::time::Instant;

use super::{DIALLED_IDLE, End, Fault, TURN_WITHIN, Talk, Turn};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::net::secure::Channel;
use crate::protocol::session::{ByeReason, Hello, Record};

/// A talk that we have dialed, with both hellos said, kept for turns.
#[derive(Debug)]
pub struct Dialed {
    pub(super) talk: Talk,
    pub(super) idle_at: Instant,
}

/// What became of a turn.
#[derive(Debug)]
pub struct Outcome {
    /// The texts that the other side has taken. Of the others nothing is known if anything was `sent`.
    pub receipted: Vec<MessageId>,
    /// The pings that were answered.
    pub answered: Vec<u64>,
    /// Whether any byte of the turn may have gone out.
    pub sent: bool,
    /// The talk, for the next turn: everything was answered. Or why it ended.
    pub then: Result<Dialed, End>,
}

impl Dialed {
    /// Says our hello, in which the lines are filled in, and hears the other side's, until the channel's deadline. The first content goes out
    /// with [`Dialed::turn`] only, so that it is up to the caller whether who is met shall have any.
    ///
    /// # Errors
    /// Why it ended instead; [`End::Bye`] where we are not welcome.
    pub fn greet(channel: Channel, own: Hello) -> Result<(Self, Hello), End> {
        let mut talk = Talk::new(channel, Default::default());
        let heard = match talk.say_hello(own) {
            Ok(()) => talk.hear_hello(),
            Err(end) => Err(talk.told_before(end)),
        };
        match heard {
            Ok(hello) => Ok((Self { talk, idle_at: Instant::now() + DIALLED_IDLE }, hello)),
            Err(end) => Err(talk.end(end)),
        }
    }

    /// The key that the other side has proven to hold.
    pub fn peer(&self) -> PublicKey {
        self.talk.channel.peer()
    }

    /// The channel: after [`Dialed::look`], its connection is readable when the other side says bye or ends.
    pub fn channel(&self) -> &Channel {
        &self.talk.channel
    }

    /// When it has been kept for long enough and is to be closed. A text puts it off, a ping does not.
    pub fn idle_at(&self) -> Instant {
        self.idle_at.min(self.talk.worn_at)
    }

    /// Whether it can be kept on: looks, without waiting, whether the other side has said bye or ended. All that has come is read by then,
    /// so that the connection tells of what comes next.
    ///
    /// # Errors
    /// Why it ended.
    pub fn look(mut self) -> Result<Self, End> {
        match self.look_around(Instant::now() + TURN_WITHIN) {
            Ok(()) => Ok(self),
            Err(end) => Err(self.talk.end(end)),
        }
    }

    /// Says a turn and waits for its answers, in all no longer than [`TURN_WITHIN`].
    pub fn turn(self, turn: Turn) -> Outcome {
        self.turn_by(turn, Instant::now() + TURN_WITHIN)
    }

    /// The same until this moment.
    pub fn turn_by(mut self, turn: Turn, deadline: Instant) -> Outcome {
        let mut open =
            Open { ids: turn.ids, nonces: turn.nonces, receipted: Vec::new(), answered: Vec::new() };
        let says_text = !open.ids.is_empty();
        let mut sent = false;
        let said = self.look_around(deadline).and_then(|()| {
            sent = !open.is_answered();
            self.say(&turn.bytes, &mut open)
        });
        let then = match said {
            Ok(()) => {
                if says_text {
                    self.idle_at = Instant::now() + DIALLED_IDLE;
                }
                Ok(self)
            }
            Err(end) => Err(self.talk.end(end)),
        };
        Outcome { receipted: open.receipted, answered: open.answered, sent, then }
    }

    /// Says bye, or just ends it in good order; a moment at most.
    pub fn close(self, bye: Option<ByeReason>) -> End {
        self.talk.end(bye.map_or(End::Over, End::Said))
    }

    /// The same without waiting.
    pub fn part(self, bye: Option<ByeReason>) {
        self.talk.part(bye);
    }

    /// Whether something has come that its connection does not tell of any more, so that [`Dialed::look`] has to come first where that is
    /// waited on.
    pub fn has_more(&mut self) -> bool {
        !self.talk.records.is_empty() || self.talk.channel.has_more()
    }

    /// As if it had been idle for as long as it may be by then.
    #[cfg(test)]
    pub fn idles_until(&mut self, moment: Instant) {
        self.idle_at = moment;
    }

    fn look_around(&mut self, deadline: Instant) -> Result<(), End> {
        if Instant::now() >= self.idle_at || self.talk.is_worn() {
            return Err(End::Over);
        }
        self.talk.channel.set_deadline(deadline);
        self.talk.records.begin_turn();
        match self.talk.next_ready()? {
            None => Ok(()),
            Some(Record::Bye(reason)) => Err(End::Bye(reason)),
            Some(_) => Err(End::NotUnderstood(Fault::Unasked)),
        }
    }

    fn say(&mut self, bytes: &[u8], open: &mut Open) -> Result<(), End> {
        self.talk.count = self.talk.count.saturating_add((open.ids.len() + open.nonces.len()) as u32);
        let written = self.talk.channel.write_all(bytes).map_err(End::from);
        while !open.is_answered() {
            let record = match &written {
                Ok(()) => self.talk.next()?,
                // What it has said before it ended is there all the same: receipts, and why.
                Err(end) => match self.talk.next_ready() {
                    Ok(Some(record)) => record,
                    Err(end @ End::NotUnderstood(_)) => return Err(end),
                    _ => return Err(end.clone()),
                },
            };
            open.take(record)?;
        }
        written
    }
}

impl Talk {
    /// After a write that failed: the bye that may have come before, or what the write says.
    fn told_before(&mut self, end: End) -> End {
        match self.next_ready() {
            Ok(Some(Record::Bye(reason))) => End::Bye(reason),
            Err(tls @ End::Tls(_)) => tls,
            _ => end,
        }
    }
}

/// What has no answer yet in a turn, and what has one.
struct Open {
    ids: Vec<MessageId>,
    nonces: Vec<u64>,
    receipted: Vec<MessageId>,
    answered: Vec<u64>,
}

impl Open {
    fn is_answered(&self) -> bool {
        self.ids.is_empty() && self.nonces.is_empty()
    }

    fn take(&mut self, record: Record) -> Result<(), End> {
        const UNASKED: End = End::NotUnderstood(Fault::Unasked);
        match record {
            Record::Receipt(ids) => {
                for id in ids {
                    let at = self.ids.iter().position(|open| *open == id).ok_or(UNASKED)?;
                    self.receipted.push(self.ids.swap_remove(at));
                }
            }
            Record::Pong(nonce) => {
                let at = self.nonces.iter().position(|open| *open == nonce).ok_or(UNASKED)?;
                self.answered.push(self.nonces.swap_remove(at));
            }
            Record::Bye(reason) => return Err(End::Bye(reason)),
            Record::Hello(_)
            | Record::Text { .. }
            | Record::Ping(_)
            | Record::Addresses(_)
            | Record::NotStored(..)
            | Record::InUse(_)
            | Record::Name(_) => return Err(UNASKED),
        }
        Ok(())
    }
}
