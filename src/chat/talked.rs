//! What follows from the fate of something said in encryption.

use super::event::{Action, Event, JobId, OpId};
use super::life::{Check, Evidence, REFUSAL_REPEAT, Why};
use super::outbox::{OutText, TextNews, TextState, TurnEnd};
use super::secure::Moment;
use super::time::Time;
use super::trust::Meeting;
use super::{Chat, Job, Purpose};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Failure, Fate, Speech};
use crate::model::session::{ByeReason, Hold, Lost, Met, Say, TalkEnd, Talked};
use crate::model::stored::{Party, Write};

/// What nobody asked for: commands are numbered from 1.
const NOBODYS: OpId = OpId(0);

impl Chat {
    /// Takes note of what became of something said in encryption.
    pub fn talked(&mut self, job: JobId, talked: Talked, moment: Moment, now: Time) -> Vec<Action> {
        let Some(Job { addr, dialled, purpose, expect }) = self.jobs.remove(&job) else {
            return Vec::new();
        };
        let Talked { addr: reached, met, written, receipts, end } = talked;
        let was_met = met.is_some();
        if let (TalkEnd::WrongKey(_), Some(_)) = (&end, expect) {
            // That nobody says ok may be silence, which takes nothing back.
            self.table.update(addr, |peer| peer.promised = None);
        }
        if end == TalkEnd::Answered {
            self.table.update(addr, |peer| peer.turned_away = None);
        }
        let welcome = met.map(|met| self.met_at(reached, met, moment, now));
        let mut addr = addr;
        if let (TalkEnd::WrongKey(offered), Some(expected)) = (&end, expect) {
            let was_here = self.table.row_of(expected) == Some(addr);
            self.wrong_key(expected, *offered, reached, moment, now);
            // Its row may have made way for the other, and it is that row which was looked at.
            addr = self.table.row_of(expected).filter(|_| was_here).unwrap_or(addr);
        }
        // Whoever was met may have been known under another address before.
        let looked_at = addr;
        let addr = match welcome {
            Some(Ok(row)) => row,
            _ => addr,
        };
        // A row that has moved there is the one that was looked for.
        let is_elsewhere = addr != looked_at && self.table.peer(looked_at).is_some();
        if is_elsewhere {
            self.met_elsewhere(looked_at, job, purpose, now);
        }
        let leaves = end == TalkEnd::Bye(ByeReason::Leaves);
        let fate = match welcome {
            Some(Err(_)) => Fate::Failed(Failure::NotTrusted),
            _ => fate_of(&end),
        };
        if let Purpose::Turn(key) = purpose {
            self.turn_over(key, &end, written, &receipts, moment, now);
        }
        if matches!(purpose, Purpose::Check(_) | Purpose::Ack) {
            let had_none = end == TalkEnd::Unreachable(Failure::NoResources);
            self.checks.end(dialled.share(), if had_none { now.plus(REFUSAL_REPEAT) } else { now });
        }
        let seen = seen_of(&end, was_met);
        self.over(addr, if is_elsewhere { Purpose::Greet } else { purpose }, &seen, now);
        if let TalkEnd::Bye(reason @ (ByeReason::NotAccepted | ByeReason::NotDecided)) = end {
            self.turned_away(addr, reason);
        }
        if leaves {
            self.parts(addr, now);
        } else if !matches!(purpose, Purpose::Exit(_))
            && !matches!(welcome, Some(Err(_)))
            && expect.is_none_or(|key| self.is_for(addr, key))
        {
            let parted_since = self.table.peer(addr).is_some_and(|peer| job.0 <= peer.parted_after);
            let says_hello = was_met && !matches!(purpose, Purpose::Check(Check::Probe));
            let evidence = if says_hello && !parted_since { Evidence::Connect } else { Evidence::Probe };
            self.observe(addr, &seen, evidence, now);
            if says_hello && parted_since {
                self.disconnects_again(addr, expect);
            }
        }
        if let Purpose::Check(_) = purpose {
            self.checked(addr, job, &seen);
        }
        match purpose {
            Purpose::Ask => {
                // Whoever was met may have a row elsewhere. The texts are for its key all the same, and never leave in plain.
                let answer = match self.speech_of(addr) {
                    speech @ Speech::Secure(_) if was_met => Ok(speech),
                    _ => Err(&fate),
                };
                self.asked(addr, answer, now);
                if addr != dialled {
                    self.asked(dialled, answer, now);
                }
            }
            Purpose::Connect(op) | Purpose::Exit(op) => self.finished(op, addr, fate, (1, 1)),
            _ => {}
        }
        if self.leaving {
            self.attempted(job, addr, was_met);
        }
        if was_met
            && !leaves
            && let Speech::Secure(key) = self.speech_of(addr)
        {
            self.here_again(key, now);
        } else {
            self.next_turns(now);
        }
        // The goodbye goes behind the texts that have waited for this.
        self.attempted(job, addr, was_met);
        self.settle_watches(now);
        self.done()
    }

    /// Whoever was looked for at an address was met where they have their row, over a connection that is kept perhaps: of whoever is at that
    /// address it shows nothing, and they are looked for again later.
    fn met_elsewhere(&mut self, looked_at: PeerAddr, job: JobId, purpose: Purpose, now: Time) {
        let seen = Fate::Unanswered;
        self.over(looked_at, purpose, &seen, now);
        if !matches!(purpose, Purpose::Exit(_)) {
            self.observe(looked_at, &seen, Evidence::Probe, now);
        }
        if let Purpose::Check(_) = purpose {
            self.checked(looked_at, job, &seen);
        }
    }

    /// Says goodbye in encryption to a peer that the user disconnected from during our introduction:
    /// it knows our key by now, so it ignores a goodbye in plain. A goodbye in encryption that was
    /// queued behind the introduction is enough: a second one would need a connection of its own, and
    /// the hello on that would list us at the peer as online again.
    fn disconnects_again(&mut self, addr: PeerAddr, introduced_to: Option<PublicKey>) {
        let why = self.table.peer(addr).and_then(|peer| peer.life.gone()).map(|(_, why)| why);
        let is_queued = introduced_to.is_some()
            && self
                .jobs
                .values()
                .any(|job| job.expect == introduced_to && matches!(job.purpose, Purpose::Exit(_)));
        if why == Some(Why::Disconnected) && !is_queued {
            self.say_goodbye(addr, NOBODYS, None);
        }
    }

    /// Somebody has proven a key where we dialled. On a connection that was kept, it had said hello before.
    fn met_at(
        &mut self,
        reached: PeerAddr,
        met: Met,
        moment: Moment,
        now: Time,
    ) -> Result<PeerAddr, ByeReason> {
        let Met { key, hello } = met;
        if hello.is_none()
            && let Some(row) = self.table.row_of(key)
        {
            return Ok(row);
        }
        let (name, also) = hello.map_or((None, Vec::new()), |hello| (Some(hello.name), hello.also));
        let source = reached.source();
        let row =
            self.meets(Meeting { key, name, addr: reached, dialled: true, source, date: moment.date }, now)?;
        if let Some(secure) = &mut self.secure {
            secure.trusted.keep(key);
        }
        self.listens_also(row, also);
        Ok(row)
    }

    /// Another key than the one expected was proven.
    fn wrong_key(
        &mut self,
        promised: PublicKey,
        offered: PublicKey,
        reached: PeerAddr,
        moment: Moment,
        now: Time,
    ) {
        let Some(secure) = &self.secure else { return };
        let is_anothers = secure.trusted.claimed(None, Some(reached)).is_some();
        if is_anothers || secure.trusted.writable(offered).is_some() {
            let source = reached.source();
            let meeting =
                Meeting { key: offered, name: None, addr: reached, dialled: true, source, date: moment.date };
            // What follows for the offered key is told there; for the expected one nothing does but that it is not here.
            let _ = self.meets(meeting, now);
        } else {
            self.tell(Event::Misled { addr: reached, promised, offered });
        }
    }

    /// Whether a row is not that of another key by now.
    fn is_for(&self, addr: PeerAddr, key: PublicKey) -> bool {
        match self.table.peer(addr).map(|peer| peer.speech) {
            Some(Speech::Secure(other)) => other == key,
            _ => true,
        }
    }

    fn turn_over(
        &mut self,
        key: PublicKey,
        end: &TalkEnd,
        written: usize,
        receipts: &[crate::model::message::MessageId],
        moment: Moment,
        now: Time,
    ) {
        let Some(secure) = &mut self.secure else { return };
        let end = match end {
            TalkEnd::Answered => TurnEnd::Answered,
            TalkEnd::NoOk => TurnEnd::Held(Hold::NoOk),
            TalkEnd::WrongKey(_) | TalkEnd::Ourselves => TurnEnd::Held(Hold::WrongKey),
            TalkEnd::Bye(ByeReason::NotAccepted) => TurnEnd::Refused(Lost::NotAccepted),
            TalkEnd::Bye(ByeReason::NotDecided) => TurnEnd::Held(Hold::NotDecided),
            TalkEnd::Bye(ByeReason::NoRoom) => TurnEnd::Held(Hold::NoRoom),
            TalkEnd::NotSecure => TurnEnd::Held(Hold::NotSecure),
            TalkEnd::Unreachable(_) | TalkEnd::Bye(_) | TalkEnd::Broken => TurnEnd::Held(Hold::Unreachable),
        };
        let open: Vec<OutText> = secure.outboxes.open(key).cloned().collect();
        let mut news = secure.outboxes.turn_ended(key, written, receipts, end, now, moment.jitter);
        let gone = secure.gone.get(&key).copied();
        if let Some((_, Some(heir))) = gone {
            // What was never written goes to the key that the user trusts in the place of this one.
            let (to_heir, rest): (Vec<TextNews>, Vec<TextNews>) = news.into_iter().partition(|news| {
                written == 0 && !news.written && news.state == TextState::Failed(Lost::Replaced)
            });
            news = rest;
            let lost = to_heir.into_iter().filter_map(|lost| {
                let text = open.iter().find(|text| text.letter.id == lost.id)?;
                (!self.goes_to_heir(key, heir, text.clone(), now)).then_some(lost)
            });
            news.extend(lost.collect::<Vec<_>>());
        }
        self.tell_news(key, news);
        if gone.is_some()
            && let Some(secure) = &mut self.secure
        {
            secure.gone.remove(&key);
        }
    }

    /// A text that was never sent goes to the key that the user trusts in the place of the one it was for; says whether it does.
    fn goes_to_heir(&mut self, key: PublicKey, heir: PublicKey, text: OutText, now: Time) -> bool {
        let Some(secure) = &mut self.secure else { return false };
        let Some(to) = secure.trusted.writable(heir) else { return false };
        let (op, id) = (text.op, text.letter.id);
        if secure.outboxes.put(to, text).is_err() {
            return false;
        }
        if secure.told_of.remove(&(op, key)) {
            secure.told_of.insert((op, heir));
        }
        let moved = Write::Moved { id, from: Party::Key(key), to: Party::Key(heir) };
        self.write_letter(heir, id, moved, now);
        true
    }

    /// Tells once that a peer does not take us, until it is met again.
    fn turned_away(&mut self, addr: PeerAddr, reason: ByeReason) {
        let is_news = self.table.update(addr, |peer| peer.turned_away.replace(reason) != Some(reason));
        if is_news != Some(false) {
            let who = self.who(addr);
            self.tell(Event::TurnedAway(who, reason));
        }
    }

    /// A receipt has promised that a peer can speak in encryption: the same is said so, or it is seen whether it is true.
    pub(super) fn promised(&mut self, addr: PeerAddr, key: PublicKey, purpose: Purpose) -> JobId {
        self.talk(addr, Some(key), purpose, Say::Greet, None);
        JobId(self.last_job)
    }
}

/// What the user is told of it.
fn fate_of(end: &TalkEnd) -> Fate {
    Fate::Failed(match end {
        TalkEnd::Answered => return Fate::Delivered,
        TalkEnd::Broken => return Fate::Unanswered,
        TalkEnd::Unreachable(failure) => failure.clone(),
        TalkEnd::NoOk => Failure::NoOk,
        TalkEnd::WrongKey(_) | TalkEnd::Ourselves => Failure::WrongKey,
        TalkEnd::NotSecure => Failure::NotSecure,
        TalkEnd::Bye(reason) => Failure::TurnedAway(*reason),
    })
}

/// What it shows of the peer's life: only who has proven its key is there, whatever serves the address.
fn seen_of(end: &TalkEnd, was_met: bool) -> Fate {
    match end {
        TalkEnd::Answered | TalkEnd::Bye(_) => Fate::Delivered,
        TalkEnd::Unreachable(failure) => Fate::Failed(failure.clone()),
        TalkEnd::Broken if was_met => Fate::Delivered,
        _ => Fate::Unanswered,
    }
}

impl TextState {
    /// Whether nothing follows any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Failed(_))
    }
}
