//! Whether a peer is online: a function of what was seen of it, and when.

mod observed;
mod types;

use std::time::Duration;

use super::time::Time;
pub(super) use observed::backoff;
pub(crate) use types::ProbeResult;
pub use types::{OfflineReason, PresenceStatus, Probe};

/// A peer that has been silent for this long is probed. The user believes in a crashed peer for a
/// quarter of a minute at most, and the probes are rare enough to disturb no program.
pub(crate) const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// A refusal counts if it is seen twice, this far apart: a listener that is being restarted
/// refuses, too.
pub(crate) const REFUSAL_REPEAT: Duration = Duration::from_secs(1);

/// How long after a session broke the side that accepted it dials. The other side, which could dial
/// before, has most often done so by then.
const REDIAL_AFTER: Duration = Duration::from_secs(1);

/// A peer that did not answer is probed again after this time.
pub(crate) const QUIET_REPEAT: Duration = Duration::from_secs(2);

/// A peer that has not answered for this long is offline.
pub const GONE_AFTER: Duration = Duration::from_secs(10);

/// The longest wait between two attempts to reach an offline peer. The first is one second, and
/// each is twice the last.
pub const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// The longest wait between two attempts to reach an offline contact that is not in peers.toml. A
/// contact that comes back dials its own contacts at once, so this only matters where one side can
/// dial the other.
pub(super) const LONGEST_CONTACT_BACKOFF: Duration = Duration::from_secs(600);

/// A peer whose session was closed to make room is probed after this time.
const IDLE_PROBE_INTERVAL: Duration = Duration::from_secs(600);

/// How the user knows a peer: for how long it is looked for while it is offline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kept {
    /// A stranger: as long as it is listed, if it answered once.
    No,
    /// A contact: for ever. `dormant`: it was not seen for long, so it is left alone until the
    /// network changes, or one side writes.
    Contact { dormant: bool },
    /// Configured: for ever.
    Configured,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Online,
    Unreachable { since: Time },
    Offline { since: Time, why: OfflineReason },
}

/// Whether there is a session with a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SessionState {
    None,
    Open,
    /// It was closed to make room for others, and the peer is as online as before.
    Idle,
}

/// The presence of one peer.
#[derive(Clone, Debug)]
pub(crate) struct Presence {
    phase: Phase,
    connected: bool,
    /// It is probed with `connect` while it is offline: the user configured it, or it was connected
    /// before.
    wanted: bool,
    kept: Kept,
    /// Something else than our `connect` found it again, so it does not list us yet.
    connect_due: bool,
    /// It answered something of ours at least once.
    proven: bool,
    /// No program was seen to listen at its address since it said goodbye. So its program has
    /// ended, and the next program there has not said goodbye.
    ended: bool,
    /// A probe is under way.
    probing: bool,
    /// The probe of an offline peer that has just ended was made early, because the user asked.
    early: bool,
    refused_at: Option<Time>,
    session: SessionState,
    /// Whether we dialed its last session.
    dialed_session: bool,
    /// The last sign of life.
    seen: Time,
    /// When to probe next, unless a sign of life makes that needless.
    next: Time,
    not_before: Time,
    attempts: u32,
}

impl Presence {
    /// A configured peer, which is dialed at once and for ever.
    pub(crate) fn of_static(now: Time) -> Self {
        let phase = Phase::Offline { since: now, why: OfflineReason::NotSeenYet };
        Self { phase, wanted: true, kept: Kept::Configured, ..Self::of_heard(now) }
    }

    /// A contact of an earlier run, which is dialed at `first` and for ever. A `dormant` one is
    /// left alone until [`Presence::network_changed`], or until one side writes.
    pub(crate) fn of_contact(now: Time, first: Time, dormant: bool) -> Self {
        let kept = Kept::Contact { dormant };
        let phase = Phase::Offline { since: now, why: OfflineReason::NotSeenYet };
        Self { phase, wanted: true, kept, next: first, ..Self::of_heard(now) }
    }

    /// The user treats it as a contact: it is dialed for ever from now on.
    pub(crate) fn contact(&mut self) {
        if self.kept == Kept::No {
            self.kept = Kept::Contact { dormant: false };
        }
    }

    /// The machine has other addresses than before: an offline peer is tried again at once.
    pub(crate) fn network_changed(&mut self, now: Time) {
        if let Kept::Contact { dormant } = &mut self.kept {
            *dormant = false;
        }
        if self.offline().is_some() {
            (self.next, self.attempts) = (now, 0);
        }
    }

    /// The user has configured it: it is dialed for ever from now on.
    pub(crate) fn configured(&mut self) {
        self.kept = Kept::Configured;
        self.wanted = true;
    }

    /// Another peer is at the address that the user configured: this one is no longer probed.
    pub(crate) fn not_configured(&mut self) {
        self.kept = Kept::No;
        self.wanted = false;
    }

    /// It is now dialed at another address, where it has not answered yet.
    pub(crate) fn moved(&mut self, now: Time) {
        self.proven = false;
        self.next = now;
    }

    /// A peer that has just sent something. It is probed at once.
    pub(crate) fn of_heard(now: Time) -> Self {
        Self {
            phase: Phase::Online,
            connected: false,
            wanted: false,
            kept: Kept::No,
            connect_due: false,
            proven: false,
            ended: false,
            probing: false,
            early: false,
            refused_at: None,
            session: SessionState::None,
            dialed_session: false,
            seen: now,
            next: now,
            not_before: now,
            attempts: 0,
        }
    }

    /// What the user is shown.
    pub(crate) fn status(&self) -> PresenceStatus {
        match self.phase {
            Phase::Online if self.connected => PresenceStatus::Connected,
            Phase::Online => PresenceStatus::Online,
            Phase::Unreachable { .. } => PresenceStatus::Unreachable,
            Phase::Offline { .. } => PresenceStatus::Offline,
        }
    }

    /// Since when it is offline and why, if it is.
    pub(crate) fn offline(&self) -> Option<(Time, OfflineReason)> {
        match self.phase {
            Phase::Offline { since, why } => Some((since, why)),
            _ => None,
        }
    }

    /// Whether it answered something of ours at least once. If not, it is only a claim.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven
    }

    /// Whether one side said goodbye to the other, and the peer's program may still be running.
    pub(crate) fn has_left(&self) -> bool {
        let left = matches!(
            self.phase,
            Phase::Offline { why: OfflineReason::SaidGoodbye | OfflineReason::Disconnected, .. }
        );
        left && !self.ended
    }

    /// Whether a refusal waits to be confirmed.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.refused_at.is_some()
    }

    /// When and how to probe it next; `None` while a probe is under way, and for a peer that is
    /// left alone. An online peer is probed only if it was silent for `interval`.
    pub(crate) fn next_probe(&self, interval: Duration) -> Option<(Time, Probe)> {
        if self.probing || self.is_left_alone() {
            return None;
        }
        let (at, probe) = match self.phase {
            // The session itself shows that the peer is there.
            Phase::Online if self.session == SessionState::Open => return None,
            Phase::Online if self.session == SessionState::Idle => {
                (self.seen.plus(IDLE_PROBE_INTERVAL), Probe::Dial)
            }
            Phase::Online if self.connect_due => (self.next, Probe::Connect),
            Phase::Online if self.proven && !self.is_doubtful() => (self.seen.plus(interval), Probe::Dial),
            Phase::Online | Phase::Unreachable { .. } => (self.next, Probe::Dial),
            Phase::Offline { why: OfflineReason::SaidGoodbye, .. } if !self.ended => (self.next, Probe::Dial),
            Phase::Offline { .. } => (self.next, if self.wanted { Probe::Connect } else { Probe::Dial }),
        };
        Some((at.max(self.not_before), probe))
    }

    /// A probe is under way, whatever the next one had to wait for.
    pub(crate) fn probe_begins(&mut self) {
        self.probing = true;
        self.not_before = Time::default();
    }

    /// The probe is over. Other calls say what it showed. If it showed nothing, the next one is in
    /// a second.
    pub(crate) fn probe_ended(&mut self, now: Time) {
        self.probing = false;
        self.early = self.offline().is_some() && now < self.next;
        self.next = self.next.max(now.plus(REFUSAL_REPEAT));
    }

    /// The next observation does not come from a probe, but from something that was sent anyway. It
    /// delays no probe.
    pub(crate) fn unasked(&mut self) {
        self.early = self.offline().is_some();
    }

    /// The user writes to it or asks to be listed by it, even if they have disconnected from it
    /// before: it is dialed again while it is offline.
    pub(crate) fn want(&mut self) {
        if let Kept::Contact { dormant } = &mut self.kept {
            *dormant = false;
        }
        if let Phase::Offline { since, why: OfflineReason::Disconnected } = self.phase {
            self.phase = Phase::Offline { since, why: OfflineReason::NotSeenYet };
        }
    }

    /// There was no room for a probe that was due.
    pub(crate) fn probe_later(&mut self, at: Time) {
        self.not_before = at;
    }

    /// Whether it is offline and not probed: we left it, another peer has its address, or it left
    /// or never answered and is not configured.
    fn is_left_alone(&self) -> bool {
        match self.phase {
            Phase::Offline { why: OfflineReason::Disconnected | OfflineReason::Replaced, .. } => true,
            Phase::Offline { .. } if self.kept == (Kept::Contact { dormant: true }) => true,
            Phase::Offline { why: OfflineReason::SaidGoodbye, .. } => self.kept == Kept::No,
            Phase::Offline { .. } => !self.proven && self.kept == Kept::No,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
