//! What follows from the fate of something sent, and when a command is done.

use super::event::{Action, Deed, Event, JobId, OpId, Proof, Who};
use super::life::{Change, Check, Evidence, Life, REFUSAL_REPEAT};
use super::table::{Known, Peer};
use super::time::Time;
use super::{Chat, Job, Op, Purpose};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Failure, Fate, Outgoing, Speech};
use crate::model::session::Say;

/// Failures that a sum names one by one; more than these are counted.
const MAX_FAILED_NAMED: usize = 20;

/// What became of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Which one.
    pub job: JobId,
    /// The address that was dialled in the end: the one asked for, or the fallback.
    pub to: PeerAddr,
    /// What became of it; of a text in parts, the worst.
    pub fate: Fate,
    /// How many parts were sent, and how many there are.
    pub parts: (usize, usize),
    /// The key that its receipt promised: it can be spoken to in encryption.
    pub capability: Option<PublicKey>,
}

impl Chat {
    /// Takes note of what became of something sent.
    pub fn sent(&mut self, sent: Sent, now: Time) -> Vec<Action> {
        let Sent { job, to, mut fate, parts, capability } = sent;
        let Some(Job { addr, dialled, purpose, .. }) = self.jobs.remove(&job) else {
            return Vec::new();
        };
        let taken = matches!(fate, Fate::Delivered | Fate::HandedOver);
        if let Purpose::Text(_) = purpose {
            self.text_ends(addr);
        }
        let nothing_sent = matches!(fate, Fate::Failed(_)) && parts.0 == 0;
        let mut addr = addr;
        let mut seen = fate.clone();
        if to != addr && !nothing_sent {
            let is_anothers = self.table.peer(to).is_some();
            if is_anothers {
                self.observe(to, &fate, Evidence::Probe, now);
            }
            if to == dialled || is_anothers {
                // Either the peer was found elsewhere since, so whoever is here is another, and this shows nothing of it; or
                // nobody listens at its first address, and whoever is at the second has got a row of their own meanwhile.
                seen = Fate::Failed(if to == dialled { Failure::Cancelled } else { Failure::Refused });
                fate = Fate::Astray(to);
            } else if taken {
                self.found_at(addr, to);
                addr = to;
            }
        }
        let is_question =
            matches!(purpose, Purpose::Check(Check::Connect) | Purpose::Connect(_) | Purpose::Ask);
        if let Some(key) = capability.filter(|_| taken && self.secure.is_some()) {
            if !self.leaving {
                self.table.add(addr, Known::SentTo, Life::of_heard(now));
                self.note_texts(addr);
            }
            self.table.update(addr, |peer| peer.promised = Some(key));
        }
        // A full queue gives no receipt, which takes nothing back.
        let before = self.table.peer(addr).and_then(|peer| peer.promised).filter(|_| is_question);
        // What was on its way when one of us said goodbye shows no more than a probe, and nothing follows from it.
        let parted_since = self.table.peer(addr).is_some_and(|peer| job.0 <= peer.parted_after);
        let may_greet =
            !parted_since || !matches!(purpose, Purpose::Check(_) | Purpose::Ack | Purpose::Text(_));
        let promised =
            capability.or(before).filter(|_| taken && may_greet && self.can_speak_otherwise(addr, purpose));
        if let Some(key) = promised.filter(|_| is_question) {
            // It was only the question; the same is said again in encryption, and what follows from that follows.
            self.promised(addr, key, purpose);
            self.goes_on(job);
            return self.done();
        }
        let evidence = match purpose {
            Purpose::Exit(_) => None,
            // An acknowledgement that was taken shows that somebody serves the address, as any text does.
            Purpose::Text(_) | Purpose::Ack => Some(Evidence::Text),
            Purpose::Connect(_) | Purpose::Check(Check::Connect) | Purpose::Ask => Some(Evidence::Connect),
            Purpose::Check(Check::Probe) | Purpose::Greet | Purpose::Turn(_) => Some(Evidence::Probe),
        };
        if matches!(purpose, Purpose::Check(_) | Purpose::Ack) {
            // Where this machine had nothing to dial with, the next would fare no better at once.
            let had_none = seen == Fate::Failed(Failure::NoResources);
            self.checks.end(dialled.share(), if had_none { now.plus(REFUSAL_REPEAT) } else { now });
        }
        self.over(addr, purpose, &seen, now);
        if let Some(evidence) = evidence {
            self.observe(addr, &seen, if parted_since { Evidence::Probe } else { evidence }, now);
        }
        if let Purpose::Check(_) = purpose {
            self.checked(addr, job, &seen);
        }
        // Who got it instead lists us now as well as anybody.
        let reached = if matches!(fate, Fate::Astray(_)) { to } else { addr };
        let gives_receipts = self.table.peer(addr).is_some_and(|peer| peer.gives_receipts);
        let fate = match (purpose, fate) {
            (Purpose::Text(_), Fate::HandedOver) if gives_receipts => Fate::NoReceipt,
            (_, fate) => fate,
        };
        let says_something = matches!(
            purpose,
            Purpose::Text(_)
                | Purpose::Ack
                | Purpose::Connect(_)
                | Purpose::Check(Check::Connect)
                | Purpose::Ask
        );
        if let Some(key) = promised {
            // Texts may wait behind the one that has shown it.
            let purpose = if self.waits_for(addr) { Purpose::Ask } else { Purpose::Greet };
            self.promised(addr, key, purpose);
        } else if taken && capability.is_none() && says_something && self.speech_of(addr) == Speech::Unknown {
            self.table.speak(addr, Speech::Plain, false);
            self.announce(addr, now);
        }
        match purpose {
            Purpose::Text(op) => {
                // What has shown its key meanwhile has got the text in plain all the same.
                let who = Who { proof: Proof::Plain, ..self.who(addr) };
                match self.secure.as_mut().and_then(|secure| secure.plain.remove(&job)) {
                    Some(text) => self.plain_text_over(addr, text, (who, fate), parts, now),
                    None => self.finished_with(op, who, fate, parts),
                }
                self.said_in_plain(addr, now);
            }
            Purpose::Connect(op) | Purpose::Exit(op) => self.finished(op, addr, fate, parts),
            Purpose::Ask => {
                let answer = if taken { Ok(self.speech_of(addr)) } else { Err(&fate) };
                self.asked(addr, answer, now);
            }
            _ => {}
        }
        // The goodbye goes behind the texts that have waited for this.
        self.attempted(job, reached, taken);
        self.settle_watches(now);
        self.done()
    }

    /// Something is no longer under way: tells the peer's life whether it was looked for.
    pub(super) fn over(&mut self, addr: PeerAddr, purpose: Purpose, seen: &Fate, now: Time) {
        let showed_nothing = matches!(seen, Fate::Failed(Failure::NoResources | Failure::Cancelled));
        self.table.update(addr, |peer| match purpose {
            Purpose::Check(_) => {
                peer.life.checked(now);
                if showed_nothing {
                    peer.life.look_later(now.plus(REFUSAL_REPEAT));
                }
            }
            Purpose::Ack => {
                peer.acking = false;
                peer.life.aside();
            }
            Purpose::Text(_) | Purpose::Connect(_) | Purpose::Ask | Purpose::Greet | Purpose::Turn(_) => {
                peer.life.aside();
            }
            Purpose::Exit(_) => {}
        });
    }

    /// Whether somebody may be spoken to in another way than now: in encryption. Who leaves does so only for a text, which must not go out
    /// in plain because of that.
    fn can_speak_otherwise(&self, addr: PeerAddr, purpose: Purpose) -> bool {
        let is_wanted = !self.leaving || matches!(purpose, Purpose::Ask);
        self.secure.is_some() && is_wanted && !matches!(self.speech_of(addr), Speech::Secure(_))
    }

    /// It listens where it claims to, and speaks from elsewhere on this machine.
    fn found_at(&mut self, addr: PeerAddr, to: PeerAddr) {
        self.follows(addr, to);
        self.table.update(to, |peer| peer.speaks_from = Some(addr.source()));
    }

    /// A peer has another address from now on. Everything under way follows it.
    pub(super) fn follows(&mut self, addr: PeerAddr, to: PeerAddr) {
        self.table.rekey(addr, to);
        if let Some(secure) = &mut self.secure
            && let Some(waiting) = secure.asked.remove(&addr)
        {
            secure.asked.entry(to).or_default().extend(waiting);
        }
        if let Some(secure) = &mut self.secure
            && secure.in_plain.remove(&addr)
        {
            secure.in_plain.insert(to);
        }
        for job in self.jobs.values_mut().filter(|job| job.addr == addr) {
            job.addr = to;
        }
        self.texts_follow(addr, to);
        self.held_follows(addr, to);
        self.keeping.follows(addr, to);
        for op in self.ops.values_mut() {
            if let Op::List { waiting, .. } | Op::Start { waiting, .. } = op
                && waiting.remove(&addr)
            {
                waiting.insert(to);
            }
        }
    }

    /// What a fate shows about the peer.
    pub(super) fn observe(&mut self, addr: PeerAddr, fate: &Fate, evidence: Evidence, now: Time) {
        let taken = matches!(fate, Fate::Delivered | Fate::HandedOver);
        if taken && evidence != Evidence::Probe && !self.leaving {
            self.table.add(addr, Known::SentTo, Life::of_heard(now));
            self.note_texts(addr);
        }
        let change = self.table.update(addr, |peer| match fate {
            Fate::Delivered | Fate::HandedOver | Fate::NoReceipt => {
                peer.gives_receipts |= *fate == Fate::Delivered;
                let change = peer.life.answered(evidence, now);
                if peer.is_there() {
                    peer.last_heard = Some(now);
                }
                change
            }
            Fate::Failed(Failure::Refused) => peer.life.refused(now),
            Fate::Failed(Failure::NoResources | Failure::Cancelled) => Change::None,
            Fate::Unanswered | Fate::Broken | Fate::Astray(_) | Fate::Failed(_) => peer.life.unanswered(now),
            Fate::Waits(_) | Fate::Lost(_) => Change::None,
        });
        match change {
            Some(Change::Went(why)) => self.went(addr, why),
            Some(_) => self.announce(addr, now),
            None => {}
        }
        if taken && evidence != Evidence::Probe {
            self.somebody_is_at(addr, now);
        }
        if *fate == Fate::Failed(Failure::Refused) {
            // Whoever listens there next may be another program, and what one taught us is deadly to another.
            self.table.update(addr, |peer| {
                if !peer.is_there() {
                    peer.form = peer.configured_form;
                    peer.wants_ping = false;
                    peer.gives_receipts = false;
                    peer.shook_hands = false;
                    peer.promised = None;
                }
            });
        }
    }

    /// Takes a peer off the lists that wait for it, unless it refused and has to be asked again, or the look was begun
    /// before the list.
    pub(super) fn checked(&mut self, addr: PeerAddr, job: JobId, fate: &Fate) {
        let unasked = matches!(fate, Fate::Failed(Failure::NoResources | Failure::Cancelled));
        let peer = self.table.peer(addr);
        let doubtful = peer.is_some_and(|peer| peer.life.is_doubtful());
        // One that is there is met when its name is known, for whoever comes next may use it.
        let to_be_met = peer.is_some_and(|peer| peer.is_there() && !peer.told);
        for op in self.ops.values_mut() {
            match op {
                Op::List { waiting, after, .. } if !doubtful && !unasked && job.0 > *after => {
                    waiting.remove(&addr);
                }
                Op::Start { waiting, .. } if !to_be_met => {
                    waiting.remove(&addr);
                }
                _ => {}
            }
        }
    }

    /// The user was told that a peer is there: the first dialling need not wait for it.
    pub(super) fn met(&mut self, addr: PeerAddr) {
        for op in self.ops.values_mut() {
            if let Op::Start { waiting, .. } = op {
                waiting.remove(&addr);
            }
        }
    }

    /// A peer has just spoken: no list need wait for it.
    pub(super) fn seen(&mut self, addr: PeerAddr) {
        for op in self.ops.values_mut() {
            if let Op::List { waiting, .. } = op {
                waiting.remove(&addr);
            }
        }
    }

    /// The job that was made last says what this one was to say. Whoever leaves waits for it in its place.
    fn goes_on(&mut self, job: JobId) {
        let next = JobId(self.last_job);
        for op in self.ops.values_mut() {
            if let Op::Leave { attempts, .. } = op
                && attempts.remove(&job)
            {
                attempts.insert(next);
            }
        }
    }

    /// Whoever was reached while we leave is told goodbye after that.
    pub(super) fn attempted(&mut self, job: JobId, addr: PeerAddr, taken: bool) {
        if !self.leaving {
            return;
        }
        let mut reached = None;
        for (id, op) in &mut self.ops {
            if let Op::Leave { pending, attempts, patience } = op
                && attempts.remove(&job)
                && taken
            {
                *pending += 1;
                reached = Some((*id, *patience));
            }
        }
        if let Some((op, deadline)) = reached {
            self.say_goodbye(addr, op, Some(deadline));
        }
    }

    /// We leave, and somebody has got to know us by our key just now, who believes no goodbye in plain.
    pub(super) fn leaves_again(&mut self, addr: PeerAddr) {
        if self.secure.as_ref().is_some_and(|secure| secure.asked.contains_key(&addr)) {
            // The goodbye waits for a text.
            return;
        }
        let leaving = self.ops.iter_mut().find_map(|(id, op)| match op {
            Op::Leave { pending, patience, .. } => {
                *pending += 1;
                Some((*id, *patience))
            }
            _ => None,
        });
        if let Some((op, deadline)) = leaving {
            self.say_goodbye(addr, op, Some(deadline));
        }
    }

    /// Says goodbye to a peer in the way that it is spoken to. To somebody who was never asked, in plain, as they spoke to us.
    pub(super) fn say_goodbye(&mut self, addr: PeerAddr, op: OpId, deadline: Option<Time>) {
        if self.keeping.postpones(addr, op, deadline) {
            return;
        }
        let purpose = Purpose::Exit(op);
        match self.speech_of(addr) {
            Speech::Secure(key) => self.talk(addr, Some(key), purpose, Say::Bye, deadline),
            _ if self.is_only_encrypted(addr) => self.talk(addr, None, purpose, Say::Bye, deadline),
            _ => self.transmit(addr, purpose, Outgoing::Exit, deadline),
        }
    }

    /// One recipient of a command is done with.
    pub(super) fn finished(&mut self, id: OpId, addr: PeerAddr, fate: Fate, parts: (usize, usize)) {
        let who = self.who(addr);
        self.finished_with(id, who, fate, parts);
    }

    pub(super) fn finished_with(&mut self, id: OpId, who: Who, fate: Fate, parts: (usize, usize)) {
        match self.ops.get_mut(&id) {
            Some(Op::Spread { deed, total, pending, done, failed }) => {
                *pending -= 1;
                if matches!(fate, Fate::Delivered | Fate::HandedOver) {
                    *done += 1;
                } else if failed.len() < MAX_FAILED_NAMED {
                    failed.push((who.clone(), fate.clone()));
                }
                let (deed, total) = (*deed, *total);
                self.tell(Event::Done { op: id, deed, who, fate, parts, total });
            }
            Some(Op::Leave { pending, .. }) => *pending -= 1,
            _ => {}
        }
        self.settle(id);
    }

    /// One recipient of a command is not even tried.
    pub(super) fn not_sent(&mut self, id: OpId) {
        if let Some(Op::Spread { pending, .. }) = self.ops.get_mut(&id) {
            *pending -= 1;
        }
    }

    /// Ends a command that waits for nobody any more.
    pub(super) fn settle(&mut self, id: OpId) {
        let over = match self.ops.get(&id) {
            Some(Op::Spread { pending, .. }) => *pending == 0,
            _ => false,
        };
        if !over {
            return;
        }
        if let Some(Op::Spread { deed, total, done, failed, .. }) = self.ops.remove(&id)
            && (total > 1 || (deed == Deed::Connect && total > 0))
        {
            self.tell(Event::Sum { deed, total, done, failed });
        }
        self.tell(Event::Settled(id));
    }

    /// Ends what waits for nobody any more, or for longer than the user should.
    pub(super) fn settle_watches(&mut self, now: Time) {
        let over = |op: &Op| match op {
            Op::List { waiting, deadline, .. } | Op::Start { waiting, deadline } => {
                waiting.is_empty() || *deadline <= now
            }
            Op::Leave { pending, attempts, patience } => {
                *pending == 0 && (attempts.is_empty() || *patience <= now)
            }
            Op::Spread { .. } => false,
        };
        let ids: Vec<OpId> = self.ops.iter().filter(|(_, op)| over(op)).map(|(id, _)| *id).collect();
        for id in ids {
            match self.ops.remove(&id) {
                Some(Op::List { waiting, .. }) => {
                    let rows = self.rows(now);
                    self.tell(Event::Listed { rows, unasked: waiting.len() });
                }
                Some(Op::Start { .. }) => {
                    let is_static = |peer: &&Peer| peer.known == Known::Static;
                    let total = self.table.rows().filter(is_static).count();
                    let connected =
                        self.table.rows().filter(is_static).filter(|peer| peer.is_there()).count();
                    self.tell(Event::Dialled { total, connected });
                }
                Some(Op::Leave { .. }) => self.abandon_texts(),
                _ => {}
            }
            self.tell(Event::Settled(id));
        }
    }
}
