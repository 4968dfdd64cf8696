//! What has to hold when the network is calm again.

use p2p_chat::core::{OfflineReason, PeerOrigin, PresenceStatus, UnderWay};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::PeerProtocol;

use super::peer::{Pid, Program};
use super::world::World;

impl World {
    /// After a calm time, every peer that is known for certain is listed as online.
    pub(super) fn check_converged(&self) -> usize {
        let mut links = 0;
        for (pid, process) in self.processes.iter().enumerate() {
            let Program::Ours(ours) = &process.program else { continue };
            if !process.alive || ours.leaving {
                continue;
            }
            let rows = ours.state().rows(ours.time(self.now));
            for row in &rows {
                let addr = row.addr.expect("an address");
                let other = self.reached_at(pid, addr);
                let state = (row.state, row.why);
                let expected = row.id.public_key();
                let parted = &ours.keyed.parted;
                let has_parted = expected.is_some_and(|key| parted.contains(&key));
                let is_another = expected.is_some() && other.and_then(|other| self.key_of(other)) != expected;
                let sessions = expected.map_or(0, |key| self.wires_between(pid, key));
                if sessions > 1 {
                    self.fail(pid, format_args!("has {sessions} sessions with {expected:?}"));
                }
                let wrong = match other {
                    // A session is the presence, whichever side dialed.
                    _ if sessions == 1 => !has_parted && row.state != PresenceStatus::Connected,
                    // Another peer listens there now, and this one is elsewhere or gone.
                    _ if expected.is_some_and(|key| !self.runs(key)) => row.state != PresenceStatus::Offline,
                    Some(_) if is_another => false,
                    Some(other) if self.awaits_decision(pid, other) => false,
                    // A person has one row, and is met in its session, or has parted with us in
                    // one.
                    Some(other)
                        if !matches!(row.protocol, PeerProtocol::Session(_))
                            && (self.is_listed(pid, other)
                                || self.key_of(other).is_some_and(|key| parted.contains(&key))) =>
                    {
                        false
                    }
                    None => row.state != PresenceStatus::Offline,
                    // A goodbye lasts while its program runs. Whether it still runs is unknown when
                    // another started at once.
                    Some(_) if has_parted || (expected.is_none() && ours.parted.contains(&addr)) => {
                        row.state == PresenceStatus::Unreachable
                    }
                    // A key replaced this legacy peer, and it has not written since. An empty
                    // connection does not bring it back.
                    Some(_) if row.why == Some(OfflineReason::Replaced) => false,
                    Some(_) if row.origin == PeerOrigin::Static => row.state != PresenceStatus::Connected,
                    // No promised key has proven itself there, so nobody known is.
                    Some(_) if expected.is_none() && ours.misled.contains(&addr) => false,
                    // A peer that never answered there is a mere claim, which is not probed.
                    Some(_) if ours.answered.contains(&addr) => {
                        matches!(row.state, PresenceStatus::Offline | PresenceStatus::Unreachable)
                    }
                    Some(_) => false,
                };
                if wrong {
                    let what = format!(
                        "{} is process {other:?}, but {state:?}, {:?}, {:?}",
                        addr, row.origin, row.id
                    );
                    self.fail(pid, format_args!("{what}"));
                }
                links += usize::from(matches!(row.state, PresenceStatus::Connected));
            }
        }
        links
    }

    /// Whether a program with this key runs.
    fn runs(&self, key: PublicKey) -> bool {
        (0..self.processes.len()).any(|pid| self.processes[pid].alive && self.key_of(pid) == Some(key))
    }

    /// Nothing is left under way.
    pub(super) fn check_at_rest(&self, pid: Pid) {
        let under_way = self.ours(pid).state().under_way();
        if under_way != UnderWay::default() {
            self.fail(pid, format_args!("when all is over there is {under_way:?}"));
        }
    }
}
