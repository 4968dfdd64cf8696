//! An encrypted errand, from its addresses to what became of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::ends;
use super::keeper::Kept as _;
use super::line::{Line, Lines, Tell};
use super::opening::{Missed, OPEN_WITHIN, Opened, Opening};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::session::{ByeReason, Message, Met, Request, RequestEnd, SessionReport};
use crate::net::dial::PROBE_TIMEOUT;
use crate::net::errand::{Errand, How, Report};
use crate::net::secure::Tls;
use crate::net::secure::talk::{Dialed, End, Outcome, TURN_WITHIN, Turn};
use crate::protocol::session::Hello;

/// Talks in encryption, in the name of a key.
pub(in crate::net) struct Talker {
    tls: Arc<Tls>,
    /// The IP to dial from; unspecified for whichever the system takes.
    from: IpAddr,
    lines: Lines,
}

/// What was said so far of what is to be said, on whatever connection.
#[derive(Default)]
struct Said {
    /// Texts that may have gone out, counted from the first.
    written: usize,
    receipts: Vec<MessageId>,
}

impl Talker {
    pub(in crate::net) fn new(tls: Arc<Tls>, from: IpAddr, tell: Arc<Tell>) -> Self {
        Self { tls, from, lines: Lines::new(tell) }
    }

    /// Does an encrypted errand; nothing where it is none, or has no address.
    pub(in crate::net) fn talk(&self, errand: &Errand) -> Option<Report> {
        let Errand { id, how: How::Talk { addrs, expect, hello, say }, deadline, .. } = errand else {
            return None;
        };
        let mut said = Said::default();
        let kept = expect.and_then(|key| self.say_on_kept(key, addrs, (hello, say), &mut said, *deadline));
        let (addr, met, end) = match kept {
            Some((addr, key, end)) => (addr, Some(Met { key, hello: None }), end),
            None => {
                let opening = Opening { tls: &self.tls, from: self.from, addrs, expect: *expect, hello };
                let open_by = Instant::now() + OPEN_WITHIN;
                match opening.open(deadline.map_or(open_by, |deadline| deadline.min(open_by))) {
                    Ok(Opened { addr, talk, met }) => {
                        let line = Line { talk, addr, name: hello.name.clone() };
                        (addr, Some(met), self.say(line, say, &mut said, *deadline))
                    }
                    Err(missed) => {
                        let Missed { addr, key, end } = missed?;
                        (addr, key.map(|key| Met { key, hello: None }), end)
                    }
                }
            }
        };
        let Said { written, receipts } = said;
        Some(Report::SessionReport { id: *id, talked: SessionReport { addr, met, written, receipts, end } })
    }

    /// Ends the connection that is kept to this key, for this reason.
    pub(in crate::net) fn part(&self, key: &PublicKey, bye: ByeReason) {
        self.lines.part(key, bye);
    }

    /// Ends what is kept, until `deadline`.
    pub(in crate::net) fn stop(&self, deadline: Instant) {
        self.lines.stop(deadline);
    }

    /// Says it on a new connection, which is kept.
    fn say(&self, line: Line, say: &Request, said: &mut Said, deadline: Option<Instant>) -> RequestEnd {
        let Line { talk, addr, name } = line;
        let done = match say {
            Request::Open => Ok(talk),
            Request::Ping => said.turn(talk, ping(), 0, deadline),
            Request::Messages(messages) => said.texts(talk, messages, deadline),
            Request::Bye => {
                talk.close(Some(ByeReason::Leaves));
                return RequestEnd::Answered;
            }
        };
        match done {
            Ok(talk) => {
                self.lines.keep(Line { talk, addr, name });
                RequestEnd::Answered
            }
            Err(end) => ends::talked(&end),
        }
    }

    /// Says it on the pooled connection to this key. Returns `None` if there is none, if it leads
    /// to an address not listed here, if it had ended, or if our name has changed since, which only
    /// the hello of a new connection tells.
    fn say_on_kept(
        &self,
        key: PublicKey,
        addrs: &[PeerAddr],
        (hello, say): (&Hello, &Request),
        said: &mut Said,
        deadline: Option<Instant>,
    ) -> Option<(PeerAddr, PublicKey, RequestEnd)> {
        let line = self.lines.take(&key)?;
        if !addrs.contains(&line.addr) {
            self.lines.keep(line);
            return None;
        }
        if line.name != hello.name && *say != Request::Bye {
            line.part(None);
            return None;
        }
        let Line { talk, addr, name } = line;
        let done = match say {
            // There was a hello on it; whether it still leads to somebody is what can be asked.
            Request::Open | Request::Ping => said.turn(talk, ping(), 0, Some(half_of(deadline))),
            Request::Messages(messages) => said.texts(talk, messages, deadline),
            Request::Bye => match talk.look() {
                Ok(talk) => {
                    talk.close(Some(ByeReason::Leaves));
                    return Some((addr, key, RequestEnd::Answered));
                }
                Err(end) => Err(end),
            },
        };
        let end = match done {
            Ok(talk) => {
                self.lines.keep(Line { talk, addr, name });
                return Some((addr, key, RequestEnd::Answered));
            }
            Err(end) => end,
        };
        log::debug!("the kept connection with {key} was of no use any more: {end:?}");
        let is_over = deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_over || said.written > 0 && is_answer(&end) {
            return Some((addr, key, ends::talked(&end)));
        }
        if matches!(end, End::Bye(_)) {
            self.lines.tell_of(key, &end);
        }
        None
    }
}

/// Whether an end is what the other side had to say to the texts, so that they would hear the same on another connection.
fn is_answer(end: &End) -> bool {
    match end {
        End::Bye(reason) => *reason != ByeReason::Idle,
        End::NotUnderstood(_) | End::Said(_) => true,
        End::Closed | End::Over | End::Broken(_) | End::TimedOut | End::Tls(_) => false,
    }
}

/// Until when to ask on a connection that is kept: who is there answers at once, and if nobody does, a new connection needs time, too.
fn half_of(deadline: Option<Instant>) -> Instant {
    let now = Instant::now();
    let half = deadline.map(|deadline| deadline.saturating_duration_since(now) / 2);
    now + half.map_or(PROBE_TIMEOUT, |half| half.min(PROBE_TIMEOUT))
}

impl Said {
    /// Says the texts that have no receipt yet, in as many turns as they need.
    fn texts(
        &mut self,
        mut talk: Dialed,
        messages: &[Message],
        deadline: Option<Instant>,
    ) -> Result<Dialed, End> {
        let mut next = 0;
        while next < messages.len() {
            let (turn, end) = self.next_turn(messages, next);
            if turn.is_empty() && end < messages.len() {
                log::error!("a text of {} bytes fits no turn; it is not sent", messages[end].body.len());
                break;
            }
            next = end;
            talk = self.turn(talk, turn, end, deadline)?;
        }
        Ok(talk)
    }

    /// A turn of the texts from `begin` on that have no receipt, as far as they fit, and where the rest begins.
    fn next_turn(&self, messages: &[Message], begin: usize) -> (Turn, usize) {
        let mut turn = Turn::new();
        for (index, message) in messages.iter().enumerate().skip(begin) {
            if self.receipts.contains(&message.id) {
                continue;
            }
            let again = message.again || index < self.written;
            if !turn.text(message.id, message.time, again, &message.body) {
                return (turn, index);
            }
        }
        (turn, messages.len())
    }

    /// Says a turn, whose texts end at `end`.
    fn turn(
        &mut self,
        talk: Dialed,
        turn: Turn,
        end: usize,
        deadline: Option<Instant>,
    ) -> Result<Dialed, End> {
        let by = Instant::now() + TURN_WITHIN;
        let by = deadline.map_or(by, |deadline| deadline.min(by));
        let Outcome { receipted, sent, then, .. } = talk.turn_by(turn, by);
        if sent {
            self.written = self.written.max(end);
        }
        self.receipts.extend(receipted);
        then
    }
}

/// A turn that asks whether somebody is there. Its number matters to nobody: it is asked once at a time.
fn ping() -> Turn {
    let mut turn = Turn::new();
    turn.ping(1);
    turn
}
