//! A session of a peer of the tests' own that behaves well: it takes messages, answers pings, and
//! gets receipts for its own messages, all in any order.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use p2p_chat::protocol::session::{ByeReason, Hello, Record};

use super::channel::Channel;
use super::raw::{Ended, Raw};
use super::{SOON, Shared, now};

/// How often an accepted session looks whether its peer wants to end it.
const LOOK: Duration = Duration::from_millis(50);

/// A session in which both sides have said hello.
pub(crate) struct Session {
    talk: Raw,
    shared: Arc<Shared>,
    /// Which of our messages have receipts.
    receipted: Vec<MessageId>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a session with {}", self.talk.peer())
    }
}

impl Session {
    /// Says hello on a connection that `shared` has dialed, and returns the acceptor's hello.
    pub(super) fn dialed(
        shared: &Arc<Shared>,
        channel: Channel,
        hello: Hello,
    ) -> Result<(Self, Hello), Ended> {
        let mut session = Self::new(shared, channel);
        session.talk.waits_until(Instant::now() + shared.patience);
        session.talk.says_hello(hello).map_err(cut)?;
        let hello = session.hears_hello()?;
        Ok((session, hello))
    }

    /// Waits for the hello on a connection that `shared` has accepted, and answers it.
    pub(super) fn accepted(shared: &Arc<Shared>, channel: Channel) -> Result<(Self, Hello), Ended> {
        let mut session = Self::new(shared, channel);
        session.talk.waits_until(Instant::now() + shared.patience);
        let hello = session.hears_hello()?;
        if hello.probe {
            return Err(session.leaves(ByeReason::Idle));
        }
        session.talk.says_hello(shared.hello()).map_err(cut)?;
        Ok((session, hello))
    }

    fn new(shared: &Arc<Shared>, channel: Channel) -> Self {
        Self { talk: Raw::new(channel), shared: Arc::clone(shared), receipted: Vec::new() }
    }

    fn hears_hello(&mut self) -> Result<Hello, Ended> {
        match self.talk.hears()? {
            Record::Hello(hello) if hello.dialed == DIAL_LINE && hello.answered == OK_LINE => Ok(hello),
            other => panic!("not the hello of a session: {other:?}"),
        }
    }

    /// The key that the other side has proven.
    pub(super) fn peer(&self) -> PublicKey {
        self.talk.peer()
    }

    /// Says messages, and takes what comes until all have their receipts. Returns how the session
    /// ended if it did before that.
    pub(crate) fn says(&mut self, messages: &[(MessageId, &str)], again: bool) -> Option<Ended> {
        let deadline = Instant::now() + self.shared.patience;
        self.talk.waits_until(deadline);
        let mut bytes = Vec::new();
        for (id, body) in messages {
            Record::Text { id: *id, time: now(), again, to_all: false, body: (*body).into() }
                .encode_into(&mut bytes);
        }
        // The other side may have ended it before; what it has said by then is there all the same.
        let written = self.talk.says(&bytes);
        while !messages.iter().all(|(id, _)| self.has_receipt(*id)) {
            match self.takes_until(deadline) {
                Ok(true) => {}
                Ok(false) => return Some(Ended::Badly(io::ErrorKind::TimedOut)),
                Err(end) => return Some(end),
            }
        }
        written.err().map(cut)
    }

    /// Whether one of our messages has its receipt.
    pub(crate) fn has_receipt(&self, id: MessageId) -> bool {
        self.receipted.contains(&id)
    }

    /// Takes what comes until the session ends. It ends it itself when `shared` wants to.
    pub(super) fn serves(mut self, number: u64) -> Ended {
        loop {
            if self.shared.lock().stopping {
                self.talk.breaks_off();
                return Ended::Well;
            }
            if self.shared.wants_to_end(number) {
                return self.leaves(ByeReason::Idle);
            }
            if let Err(end) = self.takes_until(Instant::now() + LOOK) {
                self.talk.closes();
                return end;
            }
        }
    }

    /// Says bye, and waits until the other side has ended the session too.
    pub(crate) fn leaves(mut self, reason: ByeReason) -> Ended {
        self.talk.waits_until(Instant::now() + SOON);
        if let Err(error) = self.talk.says(&Record::Bye(reason).encode()) {
            return cut(error);
        }
        // Messages that were under way are not answered, so they come again.
        let (_, end) = self.talk.hears_all();
        self.talk.closes();
        end
    }

    /// Takes the next record that comes before `deadline`. Returns whether one did.
    fn takes_until(&mut self, deadline: Instant) -> Result<bool, Ended> {
        let Some(record) = self.talk.hears_until(deadline)? else { return Ok(false) };
        self.talk.waits_until(Instant::now() + self.shared.patience);
        match record {
            text @ Record::Text { .. } => {
                let ids = self.shared.takes(self.talk.peer(), vec![text]);
                self.talk.says(&Record::Receipt(ids).encode()).map_err(cut)?;
            }
            Record::Ping(nonce) => self.talk.says(&Record::Pong(nonce).encode()).map_err(cut)?,
            Record::Receipt(ids) => self.receipted.extend(ids),
            Record::Hello(hello) => panic!("a second hello: {hello:?}"),
            _ => {}
        }
        Ok(true)
    }
}

fn cut(error: io::Error) -> Ended {
    Ended::Badly(error.kind())
}
