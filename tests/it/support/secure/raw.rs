//! An encrypted connection without manners: any bytes, whenever they are wanted.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Instant;

use p2p_chat::model::key::PublicKey;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use p2p_chat::protocol::session::{ByeReason, Hello, Record, Records};

use super::channel::Channel;

/// An encrypted connection on which a test says what it likes.
pub(crate) struct Raw {
    channel: Channel,
    records: Records,
}

/// How a connection ended, as it is seen by who only listens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The other side said bye.
    Bye(ByeReason),
    /// It ended in good order.
    Well,
    /// It was cut, or refused by TLS.
    Badly(ErrorKind),
}

impl Raw {
    pub(crate) fn new(channel: Channel) -> Self {
        Self { channel, records: Records::new() }
    }

    /// Who has proven to be there.
    pub(crate) fn peer(&self) -> PublicKey {
        self.channel.peer()
    }

    /// Says any bytes.
    pub(crate) fn says(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.write_all(bytes)
    }

    /// Says a hello with the lines that were said.
    pub(crate) fn says_hello(&mut self, hello: Hello) -> io::Result<()> {
        self.says(&with_lines(hello, DIAL_LINE, OK_LINE))
    }

    /// Reading and writing end at this time.
    pub(super) fn waits_until(&mut self, deadline: Instant) {
        self.channel.waits_until(deadline);
    }

    /// The next record that comes before `deadline`, or how it ended.
    pub(crate) fn hears_until(&mut self, deadline: Instant) -> Result<Option<Record>, Ended> {
        self.waits_until(deadline);
        match self.hears() {
            Err(Ended::Badly(ErrorKind::TimedOut)) => Ok(None),
            heard => heard.map(Some),
        }
    }

    /// The next record, or how it ended.
    pub(crate) fn hears(&mut self) -> Result<Record, Ended> {
        loop {
            match self.records.next_record().expect("the real one says no nonsense") {
                Some(Record::Bye(reason)) => return Err(Ended::Bye(reason)),
                Some(record) => return Ok(record),
                None => {}
            }
            let mut buffer = [0; 4096];
            match self.channel.read(&mut buffer) {
                Ok(0) => return Err(Ended::Well),
                Ok(count) => self.records.push(&buffer[..count]),
                Err(error) => return Err(Ended::Badly(error.kind())),
            }
        }
    }

    /// Hears the other side to its end: what it said, and how it ended.
    pub(crate) fn hears_all(&mut self) -> (Vec<Record>, Ended) {
        let mut all = Vec::new();
        loop {
            match self.hears() {
                Ok(record) => all.push(record),
                Err(end) => return (all, end),
            }
        }
    }

    /// Ends it in good order.
    pub(crate) fn closes(self) {
        self.channel.closes();
    }

    /// Ends it without a word of TLS.
    pub(crate) fn breaks_off(self) {
        self.channel.breaks_off();
    }
}

/// The bytes of a hello that repeats these lines.
pub(crate) fn with_lines(hello: Hello, dialed: &[u8], answered: &[u8]) -> Vec<u8> {
    Record::Hello(Hello { dialed: dialed.to_vec(), answered: answered.to_vec(), ..hello }).encode()
}
