//! A talk as its acceptor.

use std::io::Write;
use std::time::Instant;

use super::{ACCEPTED_IDLE, End, Fault, LENIENCE, TURN_WITHIN, Talk};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::net::secure::Channel;
use crate::protocol::session::{ByeReason, Hello, MAX_IDS, Record};

/// A talk that somebody has dialed to us, with both hellos said.
#[derive(Debug)]
pub struct Accepted {
    pub(super) talk: Talk,
    pub(super) idle_at: Instant,
    /// When the turn whose records are not whole yet has to be.
    whole_by: Option<Instant>,
}

/// What is made of the texts of a turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// These were taken, all of them as a rule: for another one its sender waits in vain.
    Receipts(Vec<MessageId>),
    /// These were taken, and it is over. Where there is no room, [`ByeReason::NoRoom`]: what has no receipt comes again.
    Bye(Vec<MessageId>, ByeReason),
}

/// How far a talk has come.
#[derive(Debug)]
pub enum Step {
    /// Something was said, and answered.
    Answered(Accepted),
    /// Nothing whole has come.
    Silent(Accepted),
}

impl Accepted {
    /// Hears the dialer's hello until the channel's deadline, asks `welcome` whether it shall be talked to, and says our hello, in which the
    /// lines are filled in, or bye.
    ///
    /// # Errors
    /// Why it ended instead; [`End::Said`] where it was not welcome.
    pub fn greet(
        channel: Channel,
        welcome: impl FnOnce(PublicKey, &Hello) -> Result<Hello, ByeReason>,
    ) -> Result<(Self, Hello), End> {
        let mut talk = Talk::new(channel, LENIENCE);
        match talk.be_met(welcome) {
            Ok(hello) => {
                let idle_at = Instant::now() + ACCEPTED_IDLE;
                Ok((Self { talk, idle_at, whole_by: None }, hello))
            }
            Err(end) => Err(talk.end(end)),
        }
    }

    /// The key that the other side has proven to hold.
    pub fn peer(&self) -> PublicKey {
        self.talk.channel.peer()
    }

    /// The channel: to wait on its connection for more, after [`Step::Silent`].
    pub fn channel(&self) -> &Channel {
        &self.talk.channel
    }

    /// When it ends unless something is said, or what was begun is whole. [`Accepted::turn`] at that moment ends it.
    pub fn ends_at(&self) -> Instant {
        self.whole_by.map_or(self.idle_at, |whole_by| whole_by.min(self.idle_at))
    }

    /// Waits until `until` for something to be said, hands the texts to `take`, and answers; pings are answered without it. `take` is called
    /// with at least one text, and may be called for a part of what the dialer takes for its turn.
    ///
    /// # Errors
    /// Why it ended, at [`Accepted::ends_at`] at the latest, plus the time for `take` and [`TURN_WITHIN`] for the answers.
    pub fn turn(mut self, until: Instant, take: impl FnOnce(Vec<Record>) -> Reply) -> Result<Step, End> {
        match self.hear_and_answer(until, take) {
            Ok(true) => Ok(Step::Answered(self)),
            Ok(false) => Ok(Step::Silent(self)),
            Err(end) => Err(self.talk.end(end)),
        }
    }

    /// Talks to its end, on this thread.
    pub fn serve(self, mut take: impl FnMut(Vec<Record>) -> Reply) -> End {
        let mut talk = self;
        loop {
            let until = talk.ends_at();
            match talk.turn(until, &mut take) {
                Ok(Step::Answered(next) | Step::Silent(next)) => talk = next,
                Err(end) => return end,
            }
        }
    }

    /// Says bye and ends it; a moment at most.
    pub fn close(self, reason: ByeReason) -> End {
        self.talk.end(End::Said(reason))
    }

    /// The same without waiting.
    pub fn part(self, bye: Option<ByeReason>) {
        self.talk.part(bye);
    }

    /// Whether something was said and answered.
    fn hear_and_answer(
        &mut self,
        until: Instant,
        take: impl FnOnce(Vec<Record>) -> Reply,
    ) -> Result<bool, End> {
        loop {
            let heard = self.hear()?;
            if heard.is_something() {
                self.answer(heard, take)?;
                return Ok(true);
            }
            let ends_at = self.ends_at();
            self.talk.channel.set_deadline(until.min(ends_at));
            match self.talk.read() {
                Err(End::TimedOut) if Instant::now() < ends_at => return Ok(false),
                Err(End::TimedOut) if self.whole_by.is_none() => return Err(End::Said(ByeReason::Idle)),
                done => done?,
            }
        }
    }

    /// All that is there, without waiting; the bounds of a turn are those of all that is said before it is answered.
    fn hear(&mut self) -> Result<Heard, End> {
        // Nobody is listened to for longer because the next byte is always there.
        self.talk.channel.set_deadline(Instant::now() + TURN_WITHIN);
        let mut heard = Heard::default();
        loop {
            while let Some(record) = self.talk.next_read()? {
                heard.add(record)?;
                if heard.bye.is_some() {
                    return Ok(heard);
                }
            }
            match self.talk.read_ready() {
                Ok(true) => {}
                Ok(false) => break,
                // It may hear its receipts all the same; the next step finds the end again.
                Err(End::Closed) if heard.is_something() => break,
                Err(end) => return Err(end),
            }
        }
        let begun = self.whole_by.filter(|_| !heard.is_something());
        let whole_by = begun.unwrap_or_else(|| Instant::now() + TURN_WITHIN);
        self.whole_by = (!self.talk.records.is_empty()).then_some(whole_by);
        Ok(heard)
    }

    fn answer(&mut self, heard: Heard, take: impl FnOnce(Vec<Record>) -> Reply) -> Result<(), End> {
        let (receipts, said) = match heard.texts {
            none if none.is_empty() => (Vec::new(), None),
            texts => match take(texts) {
                Reply::Receipts(ids) => (ids, None),
                Reply::Bye(ids, reason) => (ids, Some(reason)),
            },
        };
        let mut bytes = Vec::new();
        for ids in receipts.chunks(MAX_IDS) {
            Record::Receipt(ids.to_vec()).encode_into(&mut bytes);
            self.talk.count += 1;
        }
        for nonce in heard.nonces {
            Record::Pong(nonce).encode_into(&mut bytes);
            self.talk.count += 1;
        }
        self.talk.channel.set_deadline(Instant::now() + TURN_WITHIN);
        self.talk.channel.write_all(&bytes)?;
        self.talk.records.begin_turn();
        self.idle_at = Instant::now() + ACCEPTED_IDLE;
        match (heard.bye, said) {
            (Some(reason), _) => Err(End::Bye(reason)),
            (None, Some(reason)) => Err(End::Said(reason)),
            (None, None) if self.talk.is_worn() => Err(End::Said(ByeReason::Idle)),
            (None, None) => Ok(()),
        }
    }
}

/// What was said at once.
#[derive(Default)]
struct Heard {
    texts: Vec<Record>,
    nonces: Vec<u64>,
    bye: Option<ByeReason>,
}

impl Heard {
    fn is_something(&self) -> bool {
        !self.texts.is_empty() || !self.nonces.is_empty() || self.bye.is_some()
    }

    fn add(&mut self, record: Record) -> Result<(), End> {
        match record {
            text @ Record::Text { .. } => self.texts.push(text),
            Record::Ping(nonce) => self.nonces.push(nonce),
            Record::Bye(reason) => self.bye = Some(reason),
            Record::Hello(_)
            | Record::Receipt(_)
            | Record::Pong(_)
            | Record::Addresses(_)
            | Record::NotStored(..)
            | Record::InUse(_)
            | Record::Name(_) => {
                return Err(End::NotUnderstood(Fault::Unasked));
            }
        }
        Ok(())
    }
}

impl Talk {
    /// Hears the dialer's hello, and says ours to who is welcome.
    fn be_met(
        &mut self,
        welcome: impl FnOnce(PublicKey, &Hello) -> Result<Hello, ByeReason>,
    ) -> Result<Hello, End> {
        let hello = self.hear_hello()?;
        // What it says before it has our hello is meant for whomever.
        match self.next_ready()? {
            None if self.records.is_empty() => {}
            Some(Record::Bye(reason)) => return Err(End::Bye(reason)),
            _ => return Err(End::NotUnderstood(Fault::TooEarly)),
        }
        let own = welcome(self.channel.peer(), &hello).map_err(End::Said)?;
        self.say_hello(own)?;
        Ok(hello)
    }
}
