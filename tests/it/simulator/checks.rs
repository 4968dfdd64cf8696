//! What always has to hold of the table, the commands, and what is dialed.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use p2p_chat::core::{
    Command, Event as Told, MAX_PEERS, MAX_PEERS_PER_IP, PeerOrigin, PlainRequest, PresenceStatus, Row,
    Target,
};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::message::Outgoing;
use p2p_chat::model::peer_id::Recipient;

use super::ours::{Cause, is_liveness_check};
use super::peer::Pid;
use super::world::{Said, World};

/// The time between two `connect_ack` to a peer (PROTOCOL.md, Liveness).
const ACK_SPACING: Duration = Duration::from_secs(2);

/// Probes of one peer that the user did not request: one a second, and the first two at once when a
/// refusal shows that something is wrong.
const PROBES: usize = 12;
const PROBES_WITHIN: Duration = Duration::from_secs(10);

/// How often a peer is asked for its protocol, for a message that waits.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// The longest time between two probes of an offline static peer (PROTOCOL.md, Liveness) ...
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// ... and the ticker's millisecond and a probe or two that found no room.
const LATE: Duration = Duration::from_secs(1);

/// With fewer probes under way than this there is room for another to any address.
const ROOMY: usize = 32;

/// Ticks in one second: every peer may have something due, and 64 probes may find no room five
/// times.
const TICKS: usize = 50;
const TICKS_PER_PEER: usize = 8;

/// A long table is checked at only one of so many steps, because that takes long.
const ROWS_CHECKED_AT_ONCE: u64 = 16;

impl World {
    /// Checks a process after a step.
    pub(super) fn check(&mut self, pid: Pid) {
        let now = self.now;
        let ours = self.ours(pid);
        let under_way = ours.state().under_way();
        let requests = ours.keyed.sessions.asked.len();
        let (jobs, waiting) = (ours.dialer.jobs + requests, ours.waiting.len());
        if under_way.jobs != jobs || under_way.commands != waiting || under_way.unasked > jobs {
            self.fail(pid, format_args!("has {jobs} jobs and {waiting} commands, but {under_way:?}"));
        }
        for (op, waiting) in &ours.waiting {
            if now > waiting.since + waiting.within {
                self.fail(pid, format_args!("{op:?}, {}, is not settled", waiting.what));
            }
        }
        if under_way.unasked >= ROOMY {
            self.ours_mut(pid).held_up = now;
        }
        if self.is_checked(pid) {
            self.check_table(pid);
            self.check_keyed_table(pid);
            self.check_dead(pid);
        }
        self.check_silence(pid);
    }

    pub(super) fn is_checked(&self, pid: Pid) -> bool {
        let length = u64::try_from(self.ours(pid).may_dial.len()).expect("64 bits");
        self.step.is_multiple_of(1 + length / ROWS_CHECKED_AT_ONCE)
    }

    pub(super) fn check_table(&self, pid: Pid) {
        let ours = self.ours(pid);
        let rows = self.rows(pid);
        let is_there = |row: &&Row| row.counts_as_online();
        // An address that a key claims counts once while the claim is checked.
        let claims = |addr| rows.iter().any(|row| row.id.public_key().is_some() && row.addr == addr);
        let is_claimed = |row: &&Row| matches!(row.id, Recipient::Address(_)) && claims(row.addr);
        let there = rows.iter().filter(is_there).count();
        let claimed = rows.iter().filter(is_there).filter(is_claimed).count();
        if !(there - claimed..=there).contains(&ours.state().online_count()) || rows.len() > MAX_PEERS {
            self.fail(
                pid,
                format_args!("counts {} of {} rows as there", ours.state().online_count(), rows.len()),
            );
        }
        let own = (self.hosts[self.processes[pid].host].0, self.processes[pid].port);
        let everywhere = self.processes[pid].bind.is_unspecified();
        let mut at_ip = HashMap::new();
        for row in &rows {
            let addr = row.addr.expect("an address");
            if addr.port() == own.1 && (addr.ip() == own.0 || (everywhere && addr.ip().is_loopback())) {
                self.fail(pid, format_args!("lists itself at {addr}"));
            }
            let at_ip = at_ip.entry(addr.ip()).or_insert(0);
            *at_ip += 1;
            if *at_ip > MAX_PEERS_PER_IP && !addr.ip().is_loopback() {
                self.fail(pid, format_args!("lists too many at {}", addr.ip()));
            }
        }
        for fixed in ours.statics.iter().filter_map(|peer| peer.addr.addr()) {
            // A peer may answer at another loopback address that it claims.
            let stays = |row: &Row| {
                // A peer with a key may be dialed elsewhere by now, and be at two of these
                // addresses.
                let addr = row.addr.expect("an address");
                let pin = ours.state().trusted().pin_of(row.id);
                row.origin == PeerOrigin::Static
                    && (pin.is_some_and(|pin| pin.addrs.contains(&fixed))
                        || addr.port() == fixed.port() && (addr == fixed || fixed.ip().is_loopback()))
            };
            if !ours.state().book().is_own(fixed) && !rows.iter().any(stays) {
                self.fail(pid, format_args!("{fixed} is no static peer any more"));
            }
        }
    }

    /// A tick has done what was due.
    pub(super) fn check_ticked(&mut self, pid: Pid) {
        let now = self.now;
        let ours = self.ours_mut(pid);
        let (due, time) = (ours.state().next_wake(), ours.time(now));
        ours.ticks.push_back(now);
        while ours.ticks.front().is_some_and(|at| *at + Duration::from_secs(1) < now) {
            ours.ticks.pop_front();
        }
        let (ticks, most) = (ours.ticks.len(), TICKS + TICKS_PER_PEER * ours.may_dial.len());
        if due.is_some_and(|due| due <= time) {
            self.fail(pid, format_args!("after a tick something is due at {due:?}, which is past"));
        }
        if ticks > most {
            self.fail(pid, format_args!("ticked {ticks} times within a second"));
        }
    }

    /// Something unencrypted is about to be sent.
    pub(super) fn check_transmit(&mut self, pid: Pid, transmit: &PlainRequest, cause: Cause) {
        let now = self.now;
        let PlainRequest { job, to, fallback, ref message, .. } = *transmit;
        let ours = self.ours_mut(pid);
        for addr in std::iter::once(to).chain(fallback) {
            if !ours.may_dial.contains(&addr) {
                self.fail(pid, format_args!("dials {addr}, from where no peer has written: {message:?}"));
            }
        }
        let is_listed = |addr| self.rows(pid).iter().any(|row| row.addr == Some(addr));
        if fallback.is_some_and(is_listed) {
            self.fail(pid, format_args!("tries what is for {to} at another peer's address: {fallback:?}"));
        }
        if is_liveness_check(message) {
            self.check_probe(pid, to, cause);
        }
        let waiting = self.asking_for_text(pid, to);
        let ours = self.ours_mut(pid);
        let what = match (cause, message) {
            (Cause::Received, Outgoing::ConnectAck) if !ours.is_asked => {
                Some("answers no `connect`".to_owned())
            }
            (Cause::Received, Outgoing::ConnectAck) | (_, Outgoing::Exit) => None,
            // Messages wait until the protocol of the peer at this address is known. Those for a
            // legacy peer and those for its address ask separately.
            (Cause::Received, Outgoing::Connect) if waiting > 0 => {
                let asked = ours.asked_for_text.entry(to).or_default();
                asked.retain(|before| now < *before + ASKED_AGAIN);
                asked.push(now);
                (asked.len() > waiting).then(|| format!("follows {:?} before", now - asked[0]))
            }
            (Cause::Received, _) => Some("is sent because of what came".to_owned()),
            (
                Cause::Tick | Cause::Sent | Cause::Written,
                Outgoing::Connect | Outgoing::Probe | Outgoing::Ping,
            ) => {
                let probes = ours.probes.entry(to).or_default();
                probes.push_back((now, waiting > 0));
                while probes.front().is_some_and(|(at, _)| *at + PROBES_WITHIN < now) {
                    probes.pop_front();
                }
                // A peer that a message waits for is asked as often again.
                let most = if probes.iter().any(|(_, waits)| *waits) { 2 * PROBES } else { PROBES };
                (probes.len() > most).then(|| format!("is probe {} within {PROBES_WITHIN:?}", probes.len()))
            }
            _ => None,
        };
        let what = what.or_else(|| {
            if *message != Outgoing::ConnectAck {
                return None;
            }
            let asked = ours.asked_us.get_mut(&to);
            let asked = asked.is_some_and(|count| {
                let some = *count > 0;
                *count = count.saturating_sub(1);
                some
            });
            let before = ours.acked.insert(to, now);
            if before.is_some_and(|before| now < before + ACK_SPACING) {
                return Some(format!("follows one of {:?} before", now.saturating_sub(before?)));
            }
            (!asked).then(|| "was not asked for".to_owned())
        });
        if let Some(what) = what {
            self.fail(pid, format_args!("{job:?} to {to} {what} ({cause:?}): {message:?}"));
        }
        if let Outgoing::Text(parts) = message {
            self.check_plain_text(pid, transmit);
            let message_of = |world: &Self| parts.first().and_then(|part| world.said.get(part)?.message);
            if let Some(message) = message_of(self) {
                self.check_leaves_unencrypted(pid, to, message);
            }
            let is_unwritten = message_of(self).is_some_and(|message| self.is_unwritten(pid, message));
            for part in parts.iter() {
                // A message is sent again only if no connection was made for it before, or the disk
                // could not note that.
                let is_first =
                    |said: &mut Said| said.to.insert(to) || is_unwritten || !said.connected.contains(&to);
                if !self.said.get_mut(part).is_some_and(is_first) {
                    self.fail(pid, format_args!("sends `{part}` to {to} twice, or it is unknown"));
                }
            }
        }
    }

    /// Returns the number of recipients dialed at `to` whose messages wait until its protocol is
    /// known.
    fn asking_for_text(&self, pid: Pid, to: PeerAddr) -> usize {
        let ours = self.ours(pid);
        let is_at =
            |id: &Recipient| id.public_key().is_none() && ours.state().book().dialed_at(*id) == Some(to);
        let waiting = ours.state().waiting(ours.time(self.now));
        let in_flight = waiting.iter().filter(|text| text.in_flight).map(|text| text.to);
        in_flight.filter(is_at).collect::<BTreeSet<_>>().len()
    }

    /// A peer is about to be probed. If it is an offline static peer, that is not too late.
    fn check_probe(&mut self, pid: Pid, to: PeerAddr, cause: Cause) {
        let now = self.now;
        // A peer that the user disconnected is left alone until there is a message for it.
        let is_for_text = self.asking_for_text(pid, to) > 0;
        let ours = self.ours_mut(pid);
        let Some(missed) = ours.missed.remove(&to).filter(|_| !is_for_text) else { return };
        let due = missed.max(ours.held_up) + LONGEST_BACKOFF + LATE;
        let is_static = ours.statics.iter().any(|peer| peer.addrs().any(|addr| addr == to));
        let is_gone = |row: &Row| {
            row.addr == Some(to) && row.origin == PeerOrigin::Static && row.state == PresenceStatus::Offline
        };
        if cause == Cause::Tick && is_static && now > due && self.rows(pid).iter().any(is_gone) {
            self.fail(pid, format_args!("{to} was left alone since {missed:?}, {:?}", now - missed));
        }
    }

    /// The user is told something.
    pub(super) fn check_told(&mut self, pid: Pid, event: &Told) {
        match event {
            Told::Settled(op) => self.settled(pid, *op),
            Told::Delivery { is_first: false, .. } => {}
            Told::Delivery { op, .. } | Told::Done { op, .. } | Told::NotSent { op, .. } => {
                let waiting = self.ours_mut(pid).waiting.get_mut(op);
                let counted = waiting.is_some_and(|waiting| {
                    let expected = waiting.outcomes > 0;
                    waiting.outcomes = waiting.outcomes.saturating_sub(1);
                    expected
                });
                if !counted {
                    self.fail(pid, format_args!("one outcome too many: {event:?}"));
                }
            }
            _ => {}
        }
    }

    /// Returns how many recipients of a command may turn out to be the same peer as another.
    pub(super) fn may_be_one(&self, pid: Pid, command: &Command) -> usize {
        let is_unproven = |id: &Recipient| matches!(id, Recipient::Address(_));
        match command {
            Command::Send { to: to @ Target::These(ids), .. } if ids.len() > 1 => {
                self.targets(pid, to).iter().filter(|id| is_unproven(id)).count()
            }
            // A peer with a key that is being dialed at an address is not a second one.
            Command::Send { to: Target::AllPlain, .. }
            | Command::Disconnect(Target::AllPlain)
            | Command::Connect(Target::AllPlain) => {
                self.rows(pid).iter().filter(|row| is_unproven(&row.id)).count()
            }
            // The key may have been forgotten, or the message is queued already.
            Command::SendAgain { .. } => 1,
            _ => 0,
        }
    }

    /// Returns the number of outcomes of a command: one for each recipient.
    pub(super) fn expected_outcomes(&self, pid: Pid, command: &Command) -> usize {
        match command {
            Command::Send { to, .. } | Command::Disconnect(to) => self.targets(pid, to).len(),
            // Each address that the user types is dialed.
            Command::Connect(Target::These(ids)) => ids.len(),
            Command::Connect(Target::All | Target::AllPlain) => self.rows(pid).len(),
            Command::SendAgain { .. } => 1,
            _ => 0,
        }
    }

    /// Returns the recipients of a message, each once.
    pub(super) fn targets(&self, pid: Pid, to: &Target) -> Vec<Recipient> {
        let mut targets = Vec::new();
        match to {
            Target::These(ids) => targets.extend(ids.iter().map(|id| self.means(pid, *id))),
            Target::All | Target::AllPlain => {
                let rows = self.rows(pid);
                targets
                    .extend(rows.iter().filter(|row| row.state != PresenceStatus::Offline).map(|row| row.id));
            }
        }
        let mut seen = BTreeSet::new();
        targets.retain(|id| seen.insert(*id));
        targets
    }

    /// Returns whom a recipient means now.
    pub(super) fn means(&self, pid: Pid, id: Recipient) -> Recipient {
        match id {
            Recipient::Address(addr) => match self.ours(pid).state().book().at(addr)[..] {
                [one] => one,
                _ => id,
            },
            Recipient::Peer(_) => id,
        }
    }
}
