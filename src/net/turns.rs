//! Whose turn it is to accept: one thread's where that is enough, and several threads' in a burst.
//!
//! A burst begins when connections come quickly and none has to be waited for, which means that one thread lags behind.
//! Then all are called at once, for on a busy machine each takes a while to begin. Those that find themselves waiting leave
//! again, and those that never wait call another; so a single quick sender keeps one or two threads, not a dozen that
//! wake each other. Pure but for the time, which is passed in.

use std::time::{Duration, Instant};

/// That many connections within [`BURST_WITHIN`] may be a burst: four thousand a second come from programs only, and leave
/// one thread less than ten times what it needs for each.
const BURST: u32 = 16;

/// See [`BURST`].
const BURST_WITHIN: Duration = Duration::from_millis(4);

/// It is one if no more than so many of them had to be waited for. Whoever sends as quickly as one thread takes, and no
/// quicker, is waited for more often.
const BURST_WAITED: u32 = BURST / 4;

/// Accepting that took longer than this had to wait for a connection; taking one that is there needs a fifth of it.
const WAITED: Duration = Duration::from_micros(10);

/// In a burst a leader looks after so many connections whether it is still needed; each look takes a lock that all share.
const LOOKS_EVERY: u32 = 4;

/// Threads that serve a burst, besides those that wait for something. Each gets its share of a busy machine as each sender does:
/// with twelve, eight senders on two cores are mostly served as quickly as they send; with eight, half as often.
pub(super) const BURST_HANDLERS: usize = 12;

/// Who accepts.
#[derive(Debug)]
pub(super) struct Turns {
    /// Threads that accept, or serve what they accepted without waiting.
    leaders: usize,
    /// Threads that wait for their turn.
    followers: usize,
    /// Leaders that there should be.
    wanted: usize,
    bursting: bool,
    /// When the last [`BURST`] connections began.
    since: Instant,
    seen: Seen,
}

/// What was accepted since the last look.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Seen {
    accepted: u32,
    waited: u32,
}

/// What a leader has to do after a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Advice {
    /// Go on.
    Stay,
    /// Go on, and call a follower.
    Call,
    /// Go on, call all followers, and add so many threads.
    CallAll(usize),
    /// It leads no longer.
    Leave,
}

impl Seen {
    /// Counts a connection that accepting took so long for.
    pub(super) fn accepted(&mut self, took: Duration) {
        self.accepted += 1;
        self.waited += u32::from(took > WAITED);
    }

    /// Whether it is time to look around.
    pub(super) fn is_due(self, in_burst: bool) -> bool {
        !in_burst || self.accepted >= LOOKS_EVERY
    }
}

impl Turns {
    pub(super) fn new(now: Instant) -> Self {
        Self { leaders: 0, followers: 0, wanted: 1, bursting: false, since: now, seen: Seen::default() }
    }

    pub(super) fn leaders(&self) -> usize {
        self.leaders
    }

    pub(super) fn followers(&self) -> usize {
        self.followers
    }

    pub(super) fn is_bursting(&self) -> bool {
        self.bursting
    }

    /// Whether one more may lead.
    pub(super) fn is_free(&self) -> bool {
        self.leaders < self.wanted
    }

    /// Somebody waits for the turn.
    pub(super) fn wait(&mut self) {
        self.followers += 1;
    }

    /// They wait no longer; they lead if there is a turn and they want it.
    pub(super) fn take(&mut self, wants: bool) -> bool {
        self.followers -= 1;
        let leads = wants && self.is_free();
        self.leaders += usize::from(leads);
        leads
    }

    /// A leader ends, or has something to wait for.
    pub(super) fn leave(&mut self) {
        self.leaders -= 1;
    }

    /// A leader tells what it has seen, and hears what to do.
    pub(super) fn look(&mut self, seen: Seen, now: Instant) -> Advice {
        self.seen.accepted += seen.accepted;
        self.seen.waited += seen.waited;
        if self.seen.accepted >= BURST {
            let are_quick = now.duration_since(self.since) < BURST_WITHIN;
            let lags = std::mem::take(&mut self.seen).waited <= BURST_WAITED;
            self.since = now;
            if !are_quick {
                self.bursting = false;
                self.wanted = 1;
            } else if !self.bursting && lags {
                self.bursting = true;
                self.wanted = BURST_HANDLERS;
                return Advice::CallAll(BURST_HANDLERS.saturating_sub(self.leaders + self.followers));
            }
        }
        if self.leaders > self.wanted {
            self.leave();
            return Advice::Leave;
        }
        if !self.bursting {
            return Advice::Stay;
        }
        if seen.waited == seen.accepted && self.leaders > 1 {
            self.leave();
            self.wanted = self.leaders;
            return Advice::Leave;
        }
        if seen.waited == 0 && self.leaders == self.wanted {
            self.wanted = (self.wanted + 1).min(BURST_HANDLERS);
        }
        if self.is_free() && self.followers > 0 { Advice::Call } else { Advice::Stay }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_micros(2);
    const AFTER_A_WHILE: Duration = Duration::from_micros(30);

    /// What somebody has seen who accepted so many, each of which took so long.
    fn seen(count: u32, took: Duration) -> Seen {
        let mut seen = Seen::default();
        (0..count).for_each(|_| seen.accepted(took));
        seen
    }

    /// One leader and so many followers.
    fn turns(now: Instant, followers: usize) -> Turns {
        let mut turns = Turns::new(now);
        (0..=followers).for_each(|_| turns.wait());
        assert!(turns.take(true));
        turns
    }

    /// The same in a burst, with all leading.
    fn burst(now: Instant) -> Turns {
        let mut turns = turns(now, BURST_HANDLERS - 1);
        assert_eq!(turns.look(seen(BURST, AT_ONCE), now + Duration::from_millis(1)), Advice::CallAll(0));
        while turns.followers() > 0 {
            assert!(turns.take(true));
        }
        turns
    }

    #[test]
    fn connections_that_come_faster_than_one_thread_takes_them_call_all_at_once() {
        let now = Instant::now();
        let mut turns = turns(now, 1);
        assert!(!turns.is_free());
        let soon = now + Duration::from_millis(1);
        assert_eq!(turns.look(seen(BURST - 1, AT_ONCE), soon), Advice::Stay);
        assert_eq!(turns.look(seen(1, AT_ONCE), soon), Advice::CallAll(BURST_HANDLERS - 2));
        assert!(turns.is_free() && turns.is_bursting());
    }

    #[test]
    fn as_many_that_come_slowly_or_are_waited_for_are_no_burst() {
        let now = Instant::now();
        let mut slow = turns(now, 1);
        assert_eq!(slow.look(seen(BURST, AT_ONCE), now + BURST_WITHIN), Advice::Stay);
        let mut keeps_up = turns(now, 1);
        assert_eq!(keeps_up.look(seen(BURST, AFTER_A_WHILE), now), Advice::Stay);
        assert!(!slow.is_bursting() && !keeps_up.is_bursting());
    }

    #[test]
    fn in_a_burst_whoever_only_waits_leaves_but_for_the_last() {
        let now = Instant::now();
        let mut turns = burst(now);
        for left in (1..BURST_HANDLERS).rev() {
            assert_eq!(turns.look(seen(LOOKS_EVERY, AFTER_A_WHILE), now), Advice::Leave);
            assert_eq!(turns.leaders(), left);
            assert!(!turns.is_free(), "whoever left is not needed");
        }
        assert_eq!(turns.look(seen(LOOKS_EVERY, AFTER_A_WHILE), now), Advice::Stay);
    }

    #[test]
    fn in_a_burst_whoever_never_waits_calls_another_while_there_is_one() {
        let now = Instant::now();
        let mut turns = burst(now);
        turns.look(seen(LOOKS_EVERY, AFTER_A_WHILE), now);
        turns.wait();
        assert_eq!(turns.look(seen(LOOKS_EVERY, AT_ONCE), now), Advice::Call);
        assert!(turns.take(true));
        assert_eq!(turns.look(seen(LOOKS_EVERY, AT_ONCE), now), Advice::Stay);
        assert_eq!(turns.leaders(), BURST_HANDLERS);
    }

    #[test]
    fn after_a_burst_all_leave_but_one() {
        let now = Instant::now();
        let mut turns = burst(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(turns.look(seen(BURST, AT_ONCE), later), Advice::Leave);
        for _ in 2..BURST_HANDLERS {
            assert_eq!(turns.look(seen(1, AT_ONCE), later), Advice::Leave);
        }
        assert_eq!(turns.look(seen(1, AT_ONCE), later), Advice::Stay);
        assert_eq!(turns.leaders(), 1);
    }

    #[test]
    fn a_leader_that_has_something_to_wait_for_makes_room_for_another() {
        let mut turns = turns(Instant::now(), 1);
        turns.leave();
        assert!(turns.is_free());
        assert!(turns.take(true) && !turns.is_free());
    }
}
