//! What two p2p-chat peers say on a [`Channel`]: the hellos, then turns of records, each answered, then a good end.
//!
//! It is half-duplex: the dialer speaks, the acceptor answers, and speaks unasked only to say bye, which is the last it says. Everything
//! blocks, within deadlines that no bytes of the other side put off. A talk that has ended cannot be used: what would go on with it takes
//! it, and gives it back only if it goes on.
//!
//! In scope: that the hellos come first and repeat the lines, that each answer was asked for, bounds and times, why a talk ended. Out of
//! scope: who is welcome, what follows from a text, and how long a talk is worth being kept within its limits; that is asked or told.

mod accepted;
mod dialed;
mod end;
mod turn;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

pub use accepted::{Accepted, Reply, Step};
pub use dialed::{Dialed, Outcome};
pub use end::{End, Fault};
pub use turn::Turn;

use super::channel::Channel;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};
use crate::protocol::session::{ByeReason, Hello, Record, Records};

/// Time for a turn: until all its answers are back, and until a record that has begun is whole. A text may be waiting for room at the
/// other side for two seconds of it.
pub const TURN_WITHIN: Duration = Duration::from_secs(5);

/// How long a dialer keeps a connection on which nothing is said.
pub const DIALLED_IDLE: Duration = Duration::from_secs(30);

/// How long an acceptor does: longer, so that it is the dialer who ends it, and none of its texts meets a connection just closed.
pub const ACCEPTED_IDLE: Duration = Duration::from_secs(45);

/// How long a dialer uses one connection in all. Then a new handshake makes new keys, and asks the verifier anew.
pub const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Records both ways on one connection: as many as fit an hour at the highest rate that was measured for turns of one.
pub const MAX_RECORDS: u32 = 1 << 24;

/// What an acceptor allows beyond both, so that here, too, it is the dialer who ends it.
const LENIENCE: (Duration, u32) = (Duration::from_secs(60), 1 << 16);

/// What both sides have: the channel, the reader of its records, and how worn it is.
#[derive(Debug)]
struct Talk {
    channel: Channel,
    records: Records,
    /// Records both ways.
    count: u32,
    most: u32,
    worn_at: Instant,
}

impl Talk {
    fn new(channel: Channel, lenience: (Duration, u32)) -> Self {
        let worn_at = Instant::now() + MAX_AGE + lenience.0;
        Self { channel, records: Records::new(), count: 0, most: MAX_RECORDS + lenience.1, worn_at }
    }

    fn is_worn(&self) -> bool {
        self.count >= self.most || Instant::now() >= self.worn_at
    }

    /// The next record of what was read.
    fn next_read(&mut self) -> Result<Option<Record>, End> {
        let record = self.records.next_record().map_err(|fault| End::NotUnderstood(Fault::Record(fault)))?;
        self.count = self.count.saturating_add(u32::from(record.is_some()));
        Ok(record)
    }

    /// The next record; waits for it until the channel's deadline.
    fn next(&mut self) -> Result<Record, End> {
        loop {
            if let Some(record) = self.next_read()? {
                return Ok(record);
            }
            self.read()?;
        }
    }

    /// The next record of what has come already.
    fn next_ready(&mut self) -> Result<Option<Record>, End> {
        loop {
            if let Some(record) = self.next_read()? {
                return Ok(Some(record));
            }
            if !self.read_ready()? {
                return Ok(None);
            }
        }
    }

    /// Waits for bytes.
    fn read(&mut self) -> Result<(), End> {
        let mut buffer = [0; 4096];
        let count = self.channel.read(&mut buffer)?;
        self.push(&buffer[..count])
    }

    /// Reads bytes that are there. Whether there were any.
    fn read_ready(&mut self) -> Result<bool, End> {
        let mut buffer = [0; 4096];
        match self.channel.read_ready(&mut buffer)? {
            Some(count) => self.push(&buffer[..count]).map(|()| true),
            None => Ok(false),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), End> {
        match bytes {
            [] if self.records.is_empty() => Err(End::Closed),
            [] => Err(End::NotUnderstood(Fault::HalfRecord)),
            _ => {
                self.records.push(bytes);
                Ok(())
            }
        }
    }

    /// Says our hello, with the lines that were said on this channel: there are no others that it would have come from.
    fn say_hello(&mut self, hello: Hello) -> Result<(), End> {
        let hello = Hello { dialed: DIAL_LINE.to_vec(), answered: OK_LINE.to_vec(), ..hello };
        self.count += 1;
        Ok(self.channel.write_all(&Record::Hello(hello).encode())?)
    }

    /// The other side's hello.
    fn hear_hello(&mut self) -> Result<Hello, End> {
        match self.next()? {
            Record::Hello(hello) if hello.dialed != DIAL_LINE || hello.answered != OK_LINE => {
                Err(End::NotUnderstood(Fault::Lines))
            }
            Record::Hello(hello) => {
                self.records.begin_turn();
                Ok(hello)
            }
            Record::Bye(reason) => Err(End::Bye(reason)),
            _ => Err(End::NotUnderstood(Fault::NoHello)),
        }
    }

    /// Says bye, if there is a reason, and ends it without waiting.
    fn part(self, bye: Option<ByeReason>) {
        self.channel.part(&bye.map_or_else(Vec::new, |reason| Record::Bye(reason).encode()));
    }

    /// Ends it as it has to be ended for this reason, and passes the reason on.
    fn end(self, end: End) -> End {
        let last = match &end {
            // There is nobody, or rustls has said what there was to say.
            End::Broken(_) | End::Tls(_) => return end,
            End::Said(reason) => Record::Bye(*reason).encode(),
            End::NotUnderstood(_) => Record::Bye(ByeReason::NotUnderstood).encode(),
            End::Bye(_) | End::Closed | End::TimedOut | End::Over => Vec::new(),
        };
        self.channel.close(&last);
        end
    }
}

#[cfg(test)]
mod tests;
