//! Connections that are kept when what there was to say is said: they end when nobody needs them, break, or die with a process.

use std::time::Duration;

use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::session::ByeReason;

use super::ours::Cause;
use super::peer::{Pid, Program};
use super::talker::Kept;
use super::talks::{Content, Packet};
use super::world::{Event, World};

/// How long a connection that was dialed is kept with nothing to say on it; a time of src/net/secure, which nobody outside can name.
const DIALLED_IDLE: Duration = Duration::from_secs(30);

impl World {
    /// Keeps a connection until it breaks or nobody needs it.
    pub(super) fn keeps(&mut self, pid: Pid, key: PublicKey, target: Pid, addr: PeerAddr) {
        self.last += 1;
        let stamp = self.last;
        let breaks = self.random.in_thousand(self.plan.broken);
        let after = if breaks { self.random.ms(0, 30_000) } else { DIALLED_IDLE };
        self.keyed_mut(pid).talker.kept.insert(key, Kept { target, addr, stamp, broken: false });
        let bye = if breaks { None } else { Some(ByeReason::Idle) };
        self.later(after, Event::KeptEnds(pid, key, stamp, bye));
    }

    /// A connection that is kept breaks, or is not needed any more; a broken one may be noticed by neither side.
    pub(super) fn kept_ends(&mut self, pid: Pid, key: PublicKey, stamp: u64, bye: Option<ByeReason>) {
        if !self.processes[pid].alive {
            return;
        }
        if self.processes[pid].stopped.is_some() {
            return self.later(Duration::from_millis(500), Event::KeptEnds(pid, key, stamp, bye));
        }
        let unnoticed = bye.is_none() && self.random.in_thousand(500);
        let keyed = self.keyed_mut(pid);
        let own = keyed.key;
        let Some(kept) = keyed.talker.kept.get_mut(&key).filter(|kept| kept.stamp == stamp) else { return };
        let target = kept.target;
        if unnoticed {
            kept.broken = true;
            return;
        }
        keyed.talker.kept.remove(&key);
        self.count(format!("kept: {}", if bye.is_some() { "idle" } else { "broken" }));
        self.talk_is_over(pid, key, bye);
        let what = Content::End(bye);
        let latency = self.latency();
        let packet = Packet { talk: (0, u64::MAX), from: pid, to: target, key: own, what, tries: 0 };
        self.later(latency, Event::Packet(packet));
    }

    /// What was connected with a process that has ended breaks.
    pub(super) fn connections_break(&mut self, dead: Pid) {
        let Some(own) = self.key_of(dead) else { return };
        for kept in std::mem::take(&mut self.keyed_mut(dead).talker.kept).into_values() {
            let packet = Packet {
                talk: (0, u64::MAX),
                from: dead,
                to: kept.target,
                key: own,
                what: Content::End(None),
                tries: 0,
            };
            self.later(Duration::from_millis(1), Event::Packet(packet));
        }
        for pid in 0..self.processes.len() {
            let near = !self.separated(self.processes[pid].host, self.processes[dead].host);
            let Program::Ours(ours) = &self.processes[pid].program else { continue };
            let keyed = &ours.keyed;
            let Some(kept) = keyed.talker.kept.get(&own).filter(|kept| kept.target == dead) else { continue };
            if near {
                self.later(Duration::from_millis(1), Event::KeptEnds(pid, own, kept.stamp, None));
            }
        }
    }

    pub(super) fn talk_is_over(&mut self, pid: Pid, key: PublicKey, bye: Option<ByeReason>) {
        if !self.processes[pid].alive {
            return;
        }
        if bye == Some(ByeReason::Leaves) {
            self.note_parted(pid, key);
        }
        self.with_state(pid, Cause::Met, |state, now| ((), state.session_down(key, bye, now)));
        self.turn_over(pid);
    }
}
