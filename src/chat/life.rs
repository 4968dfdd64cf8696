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
    /// It answered something of ours at least once.
    proven: bool,
    checking: bool,
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

    /// A peer that has just spoken; whether anybody listens there is looked up at once.
    pub fn of_heard(now: Time) -> Self {
        Self {
            phase: Phase::Alive,
            connected: false,
            wanted: false,
            is_static: false,
            proven: false,
            checking: false,
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
            Phase::Alive if self.proven && !self.is_doubtful() => (self.seen.plus(interval), Check::Probe),
            Phase::Alive | Phase::Quiet { .. } | Phase::Gone { why: Why::SaidExit, .. } => {
                (self.next, Check::Probe)
            }
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
        self.next = self.next.max(now.plus(REFUSAL_REPEAT));
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
    }

    /// It took something that we sent.
    pub fn answered(&mut self, evidence: Evidence, now: Time) -> Change {
        self.proven = true;
        if let Phase::Gone { why: Why::SaidExit | Why::Disconnected, .. } = self.phase
            && evidence == Evidence::Probe
        {
            // It still runs and does not want to be talked to, or we do not: an empty connection changes neither.
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
        self.phase = Phase::Alive;
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
        if let Phase::Gone { since, why } = self.phase {
            if why == Why::SaidExit {
                // Its program has really ended, so whoever listens there next has not said goodbye.
                self.phase = Phase::Gone { since, why: Why::Refused };
            }
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
        self.refused_at = None;
        self.attempts = 0;
        self.back_off(now);
        Change::Went(why)
    }

    /// A peer that is gone and nobody looks for: we left it, or it left or was never proven and is not static.
    fn is_left_alone(&self) -> bool {
        match self.phase {
            Phase::Gone { why: Why::Disconnected, .. } => true,
            Phase::Gone { why: Why::SaidExit, .. } => !self.is_static,
            Phase::Gone { .. } => !self.proven && !self.is_static,
            _ => false,
        }
    }

    fn back_off(&mut self, now: Time) {
        let wait = Duration::from_secs(1 << self.attempts.min(6)).min(LONGEST_BACKOFF);
        self.attempts = self.attempts.saturating_add(1);
        self.next = now.plus(wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time(Duration::from_millis(millis))
    }

    /// What happens at a time, and the state and the next look after it.
    type Step = (u64, fn(&mut Life, Time) -> Change, Change, State, Option<(u64, Check)>);

    fn answers(life: &mut Life, now: Time) -> Change {
        life.answered(Evidence::Probe, now)
    }
    fn takes_connect(life: &mut Life, now: Time) -> Change {
        life.answered(Evidence::Connect, now)
    }
    fn exits(life: &mut Life, now: Time) -> Change {
        life.parted(Why::SaidExit, now)
    }
    fn is_left(life: &mut Life, now: Time) -> Change {
        life.parted(Why::Disconnected, now)
    }

    fn play(mut life: Life, steps: &[Step]) {
        for (number, (millis, what, change, state, next)) in steps.iter().enumerate() {
            assert_eq!(what(&mut life, at(*millis)), *change, "change of step {number}");
            assert_eq!(life.state(), *state, "state after step {number}");
            let next = next.map(|(millis, check)| (at(millis), check));
            assert_eq!(life.next_check(PROBE_INTERVAL), next, "next look after step {number}");
        }
    }

    #[test]
    fn a_peer_that_answers_is_left_in_peace_for_the_interval() {
        play(
            Life::of_heard(at(0)),
            &[
                (0, answers, Change::None, State::Active, Some((15_000, Check::Probe))),
                (9_000, Life::heard, Change::None, State::Active, Some((24_000, Check::Probe))),
                (9_500, takes_connect, Change::None, State::Connected, Some((24_500, Check::Probe))),
            ],
        );
    }

    #[test]
    fn a_refusal_counts_when_it_is_repeated_a_second_later() {
        play(
            Life::of_heard(at(0)),
            &[
                (0, takes_connect, Change::None, State::Connected, Some((15_000, Check::Probe))),
                (20_000, Life::refused, Change::Doubtful, State::Connected, Some((21_000, Check::Probe))),
                (20_500, Life::refused, Change::Doubtful, State::Connected, Some((21_000, Check::Probe))),
                (
                    21_000,
                    Life::refused,
                    Change::Went(Why::Refused),
                    State::Gone,
                    Some((22_000, Check::Connect)),
                ),
            ],
        );
    }

    #[test]
    fn a_refusal_is_forgotten_when_the_peer_answers_after_all() {
        play(
            Life::of_heard(at(0)),
            &[
                (0, Life::refused, Change::Doubtful, State::Active, Some((1_000, Check::Probe))),
                (900, answers, Change::None, State::Active, Some((15_900, Check::Probe))),
                (2_000, Life::refused, Change::Doubtful, State::Active, Some((3_000, Check::Probe))),
            ],
        );
    }

    #[test]
    fn a_peer_without_an_answer_is_quiet_and_gone_only_after_ten_seconds() {
        play(
            Life::of_heard(at(0)),
            &[
                (0, answers, Change::None, State::Active, Some((15_000, Check::Probe))),
                (16_000, Life::unanswered, Change::None, State::Quiet, Some((18_000, Check::Probe))),
                (19_000, Life::unanswered, Change::None, State::Quiet, Some((21_000, Check::Probe))),
                (25_999, Life::unanswered, Change::None, State::Quiet, Some((27_999, Check::Probe))),
                (
                    26_000,
                    Life::unanswered,
                    Change::Went(Why::NoAnswer),
                    State::Gone,
                    Some((27_000, Check::Probe)),
                ),
                (26_500, Life::heard, Change::Came, State::Active, Some((41_500, Check::Probe))),
            ],
        );
    }

    #[test]
    fn a_static_peer_is_dialled_at_once_and_then_ever_more_rarely() {
        let mut life = Life::of_static(at(0));
        assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(0), Check::Connect)));
        let mut now = 0;
        for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            assert_eq!(life.refused(at(now)), Change::None);
            now += wait * 1_000;
            assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(now), Check::Connect)));
        }
        assert_eq!(life.answered(Evidence::Connect, at(now)), Change::Came);
        assert_eq!(life.state(), State::Connected);
    }

    #[test]
    fn a_static_peer_that_said_exit_is_not_connected_again_until_it_was_seen_to_be_down() {
        play(
            Life::of_static(at(0)),
            &[
                (0, takes_connect, Change::Came, State::Connected, Some((15_000, Check::Probe))),
                (5_000, exits, Change::Went(Why::SaidExit), State::Gone, Some((6_000, Check::Probe))),
                (6_000, answers, Change::None, State::Gone, Some((8_000, Check::Probe))),
                (8_000, Life::refused, Change::None, State::Gone, Some((12_000, Check::Connect))),
            ],
        );
    }

    #[test]
    fn a_peer_that_left_or_was_left_is_not_looked_for() {
        let mut life = Life::of_heard(at(0));
        life.answered(Evidence::Connect, at(0));
        play(life.clone(), &[(1_000, exits, Change::Went(Why::SaidExit), State::Gone, None)]);
        play(
            life,
            &[
                (1_000, is_left, Change::Went(Why::Disconnected), State::Gone, None),
                (2_000, answers, Change::None, State::Gone, None),
                (3_000, Life::heard, Change::Came, State::Active, Some((18_000, Check::Probe))),
            ],
        );
    }

    #[test]
    fn a_peer_that_was_only_ever_claimed_is_not_looked_for_once_it_is_gone() {
        play(
            Life::of_heard(at(0)),
            &[
                (0, Life::refused, Change::Doubtful, State::Active, Some((1_000, Check::Probe))),
                (1_000, Life::refused, Change::Went(Why::Refused), State::Gone, None),
            ],
        );
    }

    #[test]
    fn no_second_look_is_begun_while_one_is_under_way() {
        let mut life = Life::of_heard(at(0));
        life.checking();
        life.heard(at(10));
        assert_eq!(life.next_check(PROBE_INTERVAL), None);
        life.checked(at(20));
        assert_eq!(life.next_check(PROBE_INTERVAL), Some((at(1_020), Check::Probe)));
    }
}
