//! What follows from time passing.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::event::Action;
use super::life::Check;
use super::time::Time;
use super::{Chat, Op, Purpose};
use crate::message::Outgoing;
use crate::peer::PeerAddr;

/// Looks and acknowledgements under way at a time that the user did not ask for. Sixty-four unanswered ones a second
/// still ask a full table anew within three minutes, and an attacker who invents peers cannot make us dial faster.
pub(super) const MAX_CHECKS_UNDER_WAY: usize = 64;

/// Looks and acknowledgements under way, counted by the IP they go to: each may have as many as are free, so that whoever
/// invents peers does not keep others from being looked for (see the mailbox for the rule).
#[derive(Debug, Default)]
pub(super) struct Checks {
    all: usize,
    of: HashMap<Ipv4Addr, usize>,
}

impl Checks {
    /// Whether one that the user did not ask for may be made to `ip`.
    pub(super) fn has_room(&self, ip: Ipv4Addr) -> bool {
        self.of.get(&ip).copied().unwrap_or(0) < MAX_CHECKS_UNDER_WAY.saturating_sub(self.all)
    }

    /// How many there are.
    pub(super) fn under_way(&self) -> usize {
        self.all
    }

    /// Whether none is under way.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.all == 0 && self.of.is_empty()
    }

    pub(super) fn begin(&mut self, ip: Ipv4Addr) {
        self.all += 1;
        *self.of.entry(ip).or_default() += 1;
    }

    pub(super) fn end(&mut self, ip: Ipv4Addr) {
        self.all -= 1;
        if let Some(count) = self.of.get_mut(&ip) {
            *count -= 1;
            if *count == 0 {
                self.of.remove(&ip);
            }
        }
    }
}

/// When a look is tried again for which there was no room.
pub(super) const CHECK_LATER: Duration = Duration::from_millis(200);

impl Chat {
    /// When [`Chat::tick`] has something to do next, if nothing else happens before.
    pub fn next_wake(&self) -> Option<Time> {
        let deadlines = self.ops.values().filter_map(|op| match op {
            Op::List { deadline, .. } | Op::Start { deadline, .. } => Some(*deadline),
            Op::Leave { pending, patience, .. } => (*pending == 0).then_some(*patience),
            Op::Spread { .. } => None,
        });
        let table = if self.leaving { None } else { self.table.next_wake() };
        deadlines.chain(table).chain(self.refusals.next_wake()).min()
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Time) -> Vec<Action> {
        while !self.leaving
            && let Some(addr) = self.table.take_due(now)
        {
            self.due(addr, now);
        }
        self.tell_refusals(now);
        self.settle_watches(now);
        self.done()
    }

    fn due(&mut self, addr: PeerAddr, now: Time) {
        if self.table.is_outlived(addr, now) {
            self.table.remove(addr);
            return;
        }
        let interval = self.table.interval();
        let Some(peer) = self.table.peer(addr) else { return };
        let ack = peer.ack_due.is_some_and(|at| at <= now);
        let tell = peer.tell_at.is_some_and(|at| at <= now);
        let check = peer.next_check(interval).filter(|(at, _)| *at <= now);
        if ack {
            self.acknowledge(addr, now);
        }
        if tell {
            self.announce(addr, now);
        }
        if let Some((_, check)) = check {
            if self.checks.has_room(addr.ip()) {
                self.check(addr, check, None);
            } else {
                self.table.update(addr, |peer| peer.life.look_later(now.plus(CHECK_LATER)));
            }
        }
        // Puts it back on the schedule, with nothing left on it that is past.
        self.table.update(addr, |peer| {
            peer.ack_due = peer.ack_due.filter(|at| *at > now);
            peer.tell_at = peer.tell_at.filter(|at| *at > now);
        });
    }

    /// Looks for a peer, now.
    pub(super) fn check(&mut self, addr: PeerAddr, check: Check, deadline: Option<Time>) {
        let Some(wants_ping) = self.table.update(addr, |peer| {
            peer.life.checking();
            peer.wants_ping
        }) else {
            return;
        };
        let message = match check {
            Check::Connect => Outgoing::Connect,
            Check::Probe if wants_ping => Outgoing::Ping,
            Check::Probe => Outgoing::Probe,
        };
        self.checks.begin(addr.ip());
        self.transmit(addr, Purpose::Check(check), message, deadline);
    }
}
