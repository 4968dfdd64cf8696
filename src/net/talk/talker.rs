//! An encrypted errand, from its addresses to what became of it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use super::ends;
use super::opening::{Missed, OPEN_WITHIN, Opened, Opening};
use crate::message::MessageId;
use crate::net::errand::{Errand, How, Report};
use crate::net::secure::Tls;
use crate::net::secure::talk::{Dialled, End, Outcome, TURN_WITHIN, Turn};
use crate::talk::{ByeReason, Letter, Met, Say, TalkEnd, Talked};

/// Talks in encryption, in the name of a key.
pub(in crate::net) struct Talker {
    tls: Arc<Tls>,
    /// The IP to dial from; unspecified for whichever the system takes.
    from: IpAddr,
}

/// What was said so far of what is to be said, on whatever connection.
#[derive(Default)]
struct Said {
    /// Texts that may have gone out, counted from the first.
    written: usize,
    receipts: Vec<MessageId>,
}

impl Talker {
    pub(in crate::net) fn new(
        tls: Arc<Tls>,
        from: IpAddr,
        _report: Arc<dyn Fn(Report) + Send + Sync>,
    ) -> Self {
        Self { tls, from }
    }

    /// Does an encrypted errand; nothing where it is none, or has no address.
    pub(in crate::net) fn talk(&self, errand: &Errand) -> Option<Report> {
        let Errand { id, how: How::Talk { addrs, expect, hello, say }, deadline, .. } = errand else {
            return None;
        };
        let mut said = Said::default();
        let opening = Opening { tls: &self.tls, from: self.from, addrs, expect: *expect, hello };
        let open_by = Instant::now() + OPEN_WITHIN;
        let (addr, met, end) = match opening.open(deadline.map_or(open_by, |deadline| deadline.min(open_by)))
        {
            Ok(Opened { addr, talk, met }) => (addr, Some(met), self.say(talk, say, &mut said, *deadline)),
            Err(missed) => {
                let Missed { addr, key, end } = missed?;
                (addr, key.map(|key| Met { key, hello: None }), end)
            }
        };
        let Said { written, receipts } = said;
        Some(Report::Talked { id: *id, talked: Talked { addr, met, written, receipts, end } })
    }

    /// Says it on a new connection.
    fn say(&self, talk: Dialled, say: &Say, said: &mut Said, deadline: Option<Instant>) -> TalkEnd {
        let done = match say {
            Say::Greet => Ok(talk),
            Say::Ping => said.turn(talk, ping(), 0, deadline).0,
            Say::Texts(letters) => said.texts(talk, letters, deadline),
            Say::Bye => {
                talk.close(Some(ByeReason::Leaves));
                return TalkEnd::Answered;
            }
        };
        match done {
            Ok(talk) => {
                talk.close(None);
                TalkEnd::Answered
            }
            Err(end) => ends::talked(&end),
        }
    }
}

impl Said {
    /// Says the texts that have no receipt yet, in as many turns as they need.
    fn texts(
        &mut self,
        mut talk: Dialled,
        letters: &[Letter],
        deadline: Option<Instant>,
    ) -> Result<Dialled, End> {
        let mut next = 0;
        while next < letters.len() {
            let (turn, end) = self.next_turn(letters, next);
            if turn.is_empty() && end < letters.len() {
                log::error!("a text of {} bytes fits no turn; it is not sent", letters[end].body.len());
                break;
            }
            next = end;
            talk = self.turn(talk, turn, end, deadline).0?;
        }
        Ok(talk)
    }

    /// A turn of the texts from `begin` on that have no receipt, as far as they fit, and where the rest begins.
    fn next_turn(&self, letters: &[Letter], begin: usize) -> (Turn, usize) {
        let mut turn = Turn::new();
        for (index, letter) in letters.iter().enumerate().skip(begin) {
            if self.receipts.contains(&letter.id) {
                continue;
            }
            let again = letter.again || index < self.written;
            if !turn.text(letter.id, letter.time, again, &letter.body) {
                return (turn, index);
            }
        }
        (turn, letters.len())
    }

    /// Says a turn, whose texts end at `end`; and whether any of it may have gone out.
    fn turn(
        &mut self,
        talk: Dialled,
        turn: Turn,
        end: usize,
        deadline: Option<Instant>,
    ) -> (Result<Dialled, End>, bool) {
        let by = Instant::now() + TURN_WITHIN;
        let by = deadline.map_or(by, |deadline| deadline.min(by));
        let Outcome { receipted, sent, then, .. } = talk.turn_by(turn, by);
        if sent {
            self.written = self.written.max(end);
        }
        self.receipts.extend(receipted);
        (then, sent)
    }
}

/// A turn that asks whether somebody is there. Its number matters to nobody: it is asked once at a time.
fn ping() -> Turn {
    let mut turn = Turn::new();
    turn.ping(1);
    turn
}
