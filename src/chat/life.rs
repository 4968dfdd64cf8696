//! Whether a peer is there: a function of what was seen of it, and when.

use std::time::Duration;

use super::time::Time;

/// A peer that nothing was heard of for so long is probed. A quarter of a minute is how long a user may believe in
/// somebody who crashed, and few enough connections that nobody minds.
pub const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// A refusal has to be seen twice, this far apart: a listener that is just being restarted refuses too.
pub const REFUSAL_REPEAT: Duration = Duration::from_secs(1);

/// A peer without an answer is asked again after this long.
pub const QUIET_REPEAT: Duration = Duration::from_secs(2);

/// A peer that has not answered for this long is gone.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// The longest wait between two attempts to reach a peer that is not there; the first is one second, each is twice the last.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// What the user is shown of a peer's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It is there, and one of us has asked the other to be listed.
    Connected,
    /// It is there.
    Active,
    /// It does not answer at the moment.
    Quiet,
    /// It is not there.
    Gone,
}

/// Why a peer is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// Nothing was seen of it yet.
    NotYetThere,
    /// Nobody listens at its address any more.
    Refused,
    /// It has not answered for [`GONE_AFTER`].
    NoAnswer,
    /// It said goodbye.
    SaidExit,
    /// We said goodbye.
    Disconnected,
    /// Another peer has proven its key at its address.
    Replaced,
}

/// What shows that a peer is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evidence {
    /// It closed an empty connection.
    Probe,
    /// It took a text of ours.
    Text,
    /// It took our `connect`.
    Connect,
}

/// What an observation changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing that a user would notice.
    None,
    /// The peer was gone and is there.
    Came,
    /// The peer was there and is gone.
    Went(Why),
    /// It refused, and has to be asked again before that is believed.
    Doubtful,
}

/// How to look for a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// See whether anybody serves its address.
    Probe,
    /// Ask it to list us.
    Connect,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Alive,
    Quiet { since: Time },
    Gone { since: Time, why: Why },
}

/// The life of one peer.
#[derive(Clone, Debug)]
pub struct Life {
    phase: Phase,
    connected: bool,
    /// Dialled with `connect` when it is gone: a static peer, or one that was connected before it went.
    wanted: bool,
    is_static: bool,
    /// Something else than our `connect` found it back, so it does not list us yet.
    connect_due: bool,
    /// It answered something of ours at least once.
    proven: bool,
    /// Since it said goodbye, nobody was seen to listen at its address: its program has ended, so whoever listens there
    /// next has not said goodbye.
    ended: bool,
    checking: bool,
    /// The look that has just ended, at a peer that is gone, was before its time: the user asked.
    early: bool,
    refused_at: Option<Time>,
    /// The last sign of life.
    seen: Time,
    /// When to look next, unless a sign of life makes that needless.
    next: Time,
    not_before: Time,
    attempts: u32,
}

impl Life {
    /// A peer that is not there yet and shall be dialled at once and for ever.
    pub fn of_static(now: Time) -> Self {
        let phase = Phase::Gone { since: now, why: Why::NotYetThere };
        Self { phase, wanted: true, is_static: true, ..Self::of_heard(now) }
    }

    /// The user has configured it: it is dialled for ever from now on.
    pub fn configured(&mut self) {
        self.is_static = true;
        self.wanted = true;
    }

    /// Another peer is at the address that the user configured: this one is no longer probed.
    pub fn not_configured(&mut self) {
        self.is_static = false;
        self.wanted = false;
    }

    /// It is now dialed at another address, where it has not answered yet.
    pub fn moved(&mut self, now: Time) {
        self.proven = false;
        self.next = now;
    }

    /// A peer that has just spoken; whether anybody listens there is looked up at once.
    pub fn of_heard(now: Time) -> Self {
        Self {
            phase: Phase::Alive,
            connected: false,
            wanted: false,
            is_static: false,
            connect_due: false,
            proven: false,
            ended: false,
            checking: false,
            early: false,
            refused_at: None,
            seen: now,
            next: now,
            not_before: now,
            attempts: 0,
        }
    }

    /// What the user is shown.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Alive if self.connected => State::Connected,
            Phase::Alive => State::Active,
            Phase::Quiet { .. } => State::Quiet,
            Phase::Gone { .. } => State::Gone,
        }
    }

    /// Since when it is gone and why, if it is.
    pub fn gone(&self) -> Option<(Time, Why)> {
        match self.phase {
            Phase::Gone { since, why } => Some((since, why)),
            _ => None,
        }
    }

    /// Whether it answered something of ours at least once, so that it is more than a claim.
    pub fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether one of us said goodbye to the other, and its program runs on for all that is known.
    pub fn is_parted(&self) -> bool {
        let parted = matches!(self.phase, Phase::Gone { why: Why::SaidExit | Why::Disconnected, .. });
        parted && !self.ended
    }

    /// Whether a refusal waits to be confirmed.
    pub fn is_doubtful(&self) -> bool {
        self.refused_at.is_some()
    }

    /// When and how to look for it next; `None` while a look is under way, and for a peer that is left alone. A peer
    /// that is well is looked for only when nothing was seen of it for `interval`.
    pub fn next_check(&self, interval: Duration) -> Option<(Time, Check)> {
        if self.checking || self.is_left_alone() {
            return None;
        }
        let (at, check) = match self.phase {
            Phase::Alive if self.connect_due => (self.next, Check::Connect),
            Phase::Alive if self.proven && !self.is_doubtful() => (self.seen.plus(interval), Check::Probe),
            Phase::Alive | Phase::Quiet { .. } => (self.next, Check::Probe),
            Phase::Gone { why: Why::SaidExit, .. } if !self.ended => (self.next, Check::Probe),
            Phase::Gone { .. } => (self.next, if self.wanted { Check::Connect } else { Check::Probe }),
        };
        Some((at.max(self.not_before), check))
    }

    /// A look is under way.
    pub fn checking(&mut self) {
        self.checking = true;
    }

    /// The look is over. What it showed is said by the other calls; if it showed nothing, the next is in a second.
    pub fn checked(&mut self, now: Time) {
        self.checking = false;
        self.early = self.gone().is_some() && now < self.next;
        self.next = self.next.max(now.plus(REFUSAL_REPEAT));
    }

    /// What is seen next was not looked for: the user, or an acknowledgement, happened to show it. It puts no look off.
    pub fn aside(&mut self) {
        self.early = self.gone().is_some();
    }

    /// The user asks to be listed by it, whatever was between them.
    pub fn want(&mut self) {
        if let Phase::Gone { since, why: Why::Disconnected } = self.phase {
            self.phase = Phase::Gone { since, why: Why::NotYetThere };
        }
    }

    /// There was no room for a look that was due.
    pub fn look_later(&mut self, at: Time) {
        self.not_before = at;
    }

    /// A message came from it, so it is there whatever was believed before.
    pub fn heard(&mut self, now: Time) -> Change {
        self.alive(now)
    }

    /// It asked to be listed, or confirmed that we are.
    pub fn connected(&mut self) {
        self.connected = true;
        self.wanted = true;
        self.connect_due = false;
    }

    /// It took something that we sent.
    pub fn answered(&mut self, evidence: Evidence, now: Time) -> Change {
        self.proven = true;
        if let Phase::Gone { why: Why::SaidExit | Why::Disconnected | Why::Replaced, .. } = self.phase
            && evidence == Evidence::Probe
            && !self.ended
        {
            // It runs and refuses to talk, or we refuse, or another peer is there: an empty
            // connection changes none of these.
            self.back_off(now);
            return Change::None;
        }
        let change = self.alive(now);
        if evidence == Evidence::Connect {
            self.connected();
        }
        change
    }

    fn alive(&mut self, now: Time) -> Change {
        let was_gone = self.gone().is_some();
        // After a goodbye it is not asked, unless that was said by a program that has ended.
        let parted = matches!(self.phase, Phase::Gone { why: Why::SaidExit | Why::Disconnected, .. });
        self.connect_due |= was_gone && self.wanted && (!parted || self.ended);
        self.phase = Phase::Alive;
        self.ended = false;
        self.refused_at = None;
        self.seen = now;
        self.attempts = 0;
        if was_gone {
            self.next = now;
            Change::Came
        } else {
            Change::None
        }
    }

    /// Nobody listens at its address.
    pub fn refused(&mut self, now: Time) -> Change {
        if let Phase::Gone { why, .. } = self.phase {
            self.ended = why == Why::SaidExit;
            self.back_off(now);
            return Change::None;
        }
        match self.refused_at {
            Some(first) if now.since(first) >= REFUSAL_REPEAT => self.goes(Why::Refused, now),
            first => {
                let first = first.unwrap_or(now);
                self.refused_at = Some(first);
                self.next = first.plus(REFUSAL_REPEAT);
                Change::Doubtful
            }
        }
    }

    /// It did not answer within the time allowed, or there was no way to it.
    pub fn unanswered(&mut self, now: Time) -> Change {
        if self.refused_at.is_some_and(|first| now.since(first) < REFUSAL_REPEAT) {
            // Its program ended while this was under way; the second look, which is due, tells.
            return Change::None;
        }
        self.refused_at = None;
        match self.phase {
            Phase::Gone { .. } => {
                self.back_off(now);
                return Change::None;
            }
            Phase::Quiet { since } if now.since(since) >= GONE_AFTER => return self.goes(Why::NoAnswer, now),
            Phase::Quiet { .. } => {}
            Phase::Alive => self.phase = Phase::Quiet { since: now },
        }
        self.next = now.plus(QUIET_REPEAT);
        Change::None
    }

    /// A connection that was kept to it broke: it is looked at soon.
    pub fn lost(&mut self, now: Time) {
        if matches!(self.phase, Phase::Alive) {
            self.phase = Phase::Quiet { since: now };
            self.next = now;
        }
    }

    /// It said goodbye, or we did.
    pub fn parted(&mut self, why: Why, now: Time) -> Change {
        let was_gone = self.gone().is_some();
        self.wanted = self.is_static;
        self.goes(why, now);
        if was_gone { Change::None } else { Change::Went(why) }
    }

    fn goes(&mut self, why: Why, now: Time) -> Change {
        self.phase = Phase::Gone { since: now, why };
        self.connected = false;
        self.connect_due = false;
        self.early = false;
        self.ended = false;
        self.refused_at = None;
        self.attempts = 0;
        self.back_off(now);
        Change::Went(why)
    }

    /// A peer that is gone and not probed: we left it, another peer has its address, or it left or
    /// was never proven and is not static.
    fn is_left_alone(&self) -> bool {
        match self.phase {
            Phase::Gone { why: Why::Disconnected | Why::Replaced, .. } => true,
            Phase::Gone { why: Why::SaidExit, .. } => !self.is_static,
            Phase::Gone { .. } => !self.proven && !self.is_static,
            _ => false,
        }
    }

    fn back_off(&mut self, now: Time) {
        if std::mem::take(&mut self.early) {
            // A look that the user asked for puts off nothing.
            return;
        }
        let wait = Duration::from_secs(1 << self.attempts.min(6)).min(LONGEST_BACKOFF);
        self.attempts = self.attempts.saturating_add(1);
        self.next = now.plus(wait);
    }
}

#[cfg(test)]
mod tests;
