//! What an observation changes in the presence of a peer.

use std::time::Duration;

use super::{
    GONE_AFTER, Kept, LONGEST_BACKOFF, LONGEST_CONTACT_BACKOFF, OfflineReason, Phase, Presence, ProbeResult,
    QUIET_REPEAT, REDIAL_AFTER, REFUSAL_REPEAT, SessionState,
};
use crate::core::time::Time;

/// Returns how long to wait after this many attempts in vain before the next: 1, 2, 4 s and so on.
pub(in crate::core) fn backoff(attempts: u32, longest: Duration) -> Duration {
    Duration::from_secs(1 << attempts.min(10)).min(longest)
}

impl Presence {
    /// A message came from it, so it is online.
    pub(crate) fn heard(&mut self, now: Time) {
        self.comes_online(now);
    }

    /// It asked to be listed, or confirmed that we are.
    pub(crate) fn connected(&mut self) {
        self.connected = true;
        self.wanted = true;
        self.connect_due = false;
    }

    /// It took something that we sent.
    pub(crate) fn answered(&mut self, evidence: ProbeResult, now: Time) {
        self.proven = true;
        if let Phase::Offline {
            why: OfflineReason::SaidGoodbye | OfflineReason::Disconnected | OfflineReason::Replaced,
            ..
        } = self.phase
            && evidence == ProbeResult::Dialed
            && !self.ended
        {
            // One side has left the other, or another peer is there. An empty connection changes
            // neither.
            return self.back_off(now);
        }
        self.comes_online(now);
        if evidence == ProbeResult::TookConnect {
            self.connected();
        }
    }

    fn comes_online(&mut self, now: Time) {
        let was_offline = self.offline().is_some();
        // After a goodbye it is not asked to list us, unless the program that said it has ended.
        let left = matches!(
            self.phase,
            Phase::Offline { why: OfflineReason::SaidGoodbye | OfflineReason::Disconnected, .. }
        );
        self.connect_due |= was_offline && self.wanted && (!left || self.ended);
        self.phase = Phase::Online;
        if let Kept::Contact { dormant } = &mut self.kept {
            *dormant = false;
        }
        self.ended = false;
        self.refused_at = None;
        self.seen = now;
        self.attempts = 0;
        if was_offline {
            self.next = now;
        }
    }

    /// No program listens at its address. Returns whether it is offline now and was not before.
    pub(crate) fn refused(&mut self, now: Time) -> bool {
        if let Phase::Offline { why, .. } = self.phase {
            self.ended = why == OfflineReason::SaidGoodbye;
            self.back_off(now);
            return false;
        }
        let first = self.refused_at.unwrap_or(now);
        let is_confirmed = self.refused_at.is_some() && now.since(first) >= REFUSAL_REPEAT;
        if is_confirmed {
            self.goes_offline(OfflineReason::Refused, now);
        } else {
            self.refused_at = Some(first);
            self.next = first.plus(REFUSAL_REPEAT);
        }
        is_confirmed
    }

    /// It did not answer within the time allowed, or there was no way to it.
    /// Returns whether it is offline now and was not before.
    pub(crate) fn unanswered(&mut self, now: Time) -> bool {
        if self.refused_at.is_some_and(|first| now.since(first) < REFUSAL_REPEAT) {
            // Its program ended while this was under way. The second probe, which is due, tells.
            return false;
        }
        self.refused_at = None;
        match self.phase {
            Phase::Offline { .. } => {
                self.back_off(now);
                return false;
            }
            Phase::Unreachable { since } if now.since(since) >= GONE_AFTER => {
                self.goes_offline(OfflineReason::NoAnswer, now);
                return true;
            }
            Phase::Unreachable { .. } => {}
            Phase::Online => self.phase = Phase::Unreachable { since: now },
        }
        self.next = now.plus(QUIET_REPEAT);
        false
    }

    /// A session with it is open, which we dialed or accepted.
    pub(crate) fn session_opened(&mut self, dialed: bool) {
        self.session = SessionState::Open;
        self.dialed_session = dialed;
        self.connect_due = false;
    }

    /// Whether a session with it is open.
    pub(crate) fn has_session(&self) -> bool {
        self.session == SessionState::Open
    }

    /// Its session was closed by agreement, and it is as online as before. If the peer was left
    /// before that, nothing changes: a message that is still on its way here makes it online again,
    /// and it has to be probed like a peer without a session.
    pub(crate) fn session_closed(&mut self, now: Time) {
        if self.has_session() {
            self.session = SessionState::Idle;
            self.seen = now;
        }
    }

    /// Its session broke. The side that dialed it dials again at once, the other side a moment
    /// later.
    pub(crate) fn session_lost(&mut self, now: Time) {
        self.session = SessionState::None;
        if matches!(self.phase, Phase::Online) {
            self.phase = Phase::Unreachable { since: now };
            self.next = if self.dialed_session { now } else { now.plus(REDIAL_AFTER) };
        }
    }

    /// Only a key that we do not accept answers there: it is offline, and probed ever more rarely.
    pub(crate) fn is_taken(&mut self, now: Time) {
        if self.offline().is_some() {
            self.back_off(now);
        } else {
            self.goes_offline(OfflineReason::NotSeenYet, now);
        }
    }

    /// It said goodbye, or we did, or another peer has its address.
    pub(crate) fn left(&mut self, why: OfflineReason, now: Time) {
        self.wanted = self.kept != Kept::No;
        self.goes_offline(why, now);
    }

    fn goes_offline(&mut self, why: OfflineReason, now: Time) {
        self.phase = Phase::Offline { since: now, why };
        self.session = SessionState::None;
        self.connected = false;
        self.connect_due = false;
        self.early = false;
        self.ended = false;
        self.refused_at = None;
        self.attempts = 0;
        self.back_off(now);
    }

    fn back_off(&mut self, now: Time) {
        if std::mem::take(&mut self.early) {
            // A probe that the user asked for delays nothing.
            return;
        }
        let longest = match self.kept {
            Kept::Contact { .. } => LONGEST_CONTACT_BACKOFF,
            Kept::No | Kept::Configured => LONGEST_BACKOFF,
        };
        let wait = backoff(self.attempts, longest);
        self.attempts = self.attempts.saturating_add(1);
        self.next = now.plus(wait);
    }
}
