//! One dialed connection through the network: delayed, lost, refused, broken, or read and answered.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use p2p_chat::core::JobId;
use p2p_chat::model::message::{Outgoing, SendError, SendResult};
use p2p_chat::net::EOF_TIMEOUT;
use p2p_chat::protocol::plain::Receipt;

use super::peer::{Pid, Process, Program};
use super::world::{Event, Exchange, World};

/// How often lost bytes are sent again, a second apart.
const MAX_TRIES: usize = 30;

impl World {
    /// Returns the machine that `from` reaches at `ip`, and the IP that it dials from.
    pub(super) fn route(&self, from: Pid, ip: Ipv4Addr) -> Option<(usize, Ipv4Addr)> {
        let Process { host, bind, ref program, .. } = self.processes[from];
        // Legacy programs dial from any IP.
        let bound = matches!(program, Program::Ours(_)) && !bind.is_unspecified();
        let source = |usual| if bound { bind } else { usual };
        if ip.is_loopback() {
            return Some((host, source(Ipv4Addr::LOCALHOST)));
        }
        let there = self.hosts.iter().position(|(at, _)| *at == ip)?;
        Some((there, source(self.hosts[host].0)))
    }

    pub(super) fn separated(&self, one: usize, other: usize) -> bool {
        one != other && self.hosts[one].1 != self.hosts[other].1
    }

    /// Whether a machine drops what dials it from another.
    pub(super) fn is_shut(&self, from: usize, to: usize) -> bool {
        from != to && self.shut.contains(&to)
    }

    /// Returns the process that accepts a connection to this address.
    pub(super) fn listener(&self, host: usize, to: SocketAddrV4) -> Option<Pid> {
        let pid = *self.listening.get(&(host, to.port()))?;
        let bind = self.processes[pid].bind;
        (bind.is_unspecified() || bind == *to.ip()).then_some(pid)
    }

    pub(super) fn latency(&mut self) -> Duration {
        let slow = self.random.in_thousand(self.plan.slow);
        let (low, high) = if slow { (300, 2_500) } else { self.plan.latency };
        self.random.ms(low, high)
    }

    /// Dials, and writes the bytes once connected.
    pub(super) fn dial(
        &mut self,
        from: Pid,
        job: Option<JobId>,
        to: SocketAddrV4,
        bytes: impl FnOnce(Ipv4Addr) -> Vec<u8>,
        (connect_by, end): (Duration, Duration),
    ) {
        self.last += 1;
        let id = self.last;
        let route = self.route(from, *to.ip());
        let source = route.map_or(Ipv4Addr::UNSPECIFIED, |(_, source)| source);
        let bytes = bytes(source);
        let exchange = Exchange {
            from,
            job,
            to,
            source,
            bytes,
            connect_by,
            end,
            target: None,
            dialing: true,
            promise: None,
            tries: 0,
        };
        self.exchanges.insert(id, exchange);
        let there = route.filter(|(host, _)| !self.separated(self.processes[from].host, *host));
        if there.is_none() && self.random.in_thousand(500) {
            let after = self.random.ms(0, 50);
            self.later(after, Event::Over(id, SendResult::Failed(SendError::NoRoute)));
        } else if there.is_none_or(|(host, _)| self.is_shut(self.processes[from].host, host))
            || self.random.in_thousand(self.plan.lost)
        {
            self.at(connect_by, Event::Over(id, SendResult::Failed(SendError::TimedOut)));
        } else {
            let latency = self.latency();
            self.later(latency, Event::Arrives(id));
        }
    }

    pub(super) fn arrives(&mut self, id: u64) {
        let latency = self.latency();
        let Exchange { from, to, connect_by, end, .. } = self.exchanges[&id];
        let target = self.route(from, *to.ip()).and_then(|(host, _)| self.listener(host, to));
        if self.now + latency >= connect_by {
            return self.at(connect_by, Event::Over(id, SendResult::Failed(SendError::TimedOut)));
        }
        let Some(target) = target else {
            return self.later(latency, Event::Over(id, SendResult::Failed(SendError::Refused)));
        };
        let deadline = end.min(self.now + latency + EOF_TIMEOUT);
        self.exchange(id, |exchange| exchange.target = Some(target));
        self.note_connected(id);
        self.at(deadline, Event::Over(id, SendResult::Unanswered));
        if self.random.in_thousand(self.plan.broken) {
            // Before the bytes are read.
            return self.later(latency, Event::Over(id, SendResult::Broken));
        }
        self.later(latency * 2, Event::Bytes(id));
    }

    /// From here on a message may be read, whatever its sender learns of it.
    fn note_connected(&mut self, id: u64) {
        let Exchange { from, job, .. } = self.exchanges[&id];
        let Some(job) = job.filter(|_| self.processes[from].alive) else { return };
        let Some(running) = self.ours_mut(from).dialer.running(job) else { return };
        let Outgoing::Text(parts) = &running.request.message else { return };
        let (part, to) = (parts[running.part].clone(), running.request.to);
        if let Some(said) = self.said.get_mut(&part) {
            said.connected.insert(to);
        }
    }

    fn exchange<T>(&mut self, id: u64, change: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
        self.exchanges.get_mut(&id).map(change)
    }

    pub(super) fn bytes_arrive(&mut self, id: u64) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let (from, Some(target)) = (exchange.from, exchange.target) else { return };
        if !self.processes[target].alive {
            let latency = self.latency();
            return self.later(latency, Event::Over(id, SendResult::Broken));
        }
        if self.processes[target].stopped.is_some() {
            self.backlog.entry(target).or_default().push(id);
            return;
        }
        if self.separated(self.processes[from].host, self.processes[target].host) {
            let tries = self.exchange(id, |exchange| {
                exchange.tries += 1;
                exchange.tries
            });
            if tries < Some(MAX_TRIES) {
                self.later(Duration::from_secs(1), Event::Bytes(id));
            } else if !self.exchanges[&id].dialing {
                self.exchanges.remove(&id);
            }
            return;
        }
        let answer = self.takes(target, id);
        let receipt = Receipt::parse(&answer);
        self.exchange(id, |exchange| exchange.target = None);
        if !self.exchanges[&id].dialing {
            self.exchanges.remove(&id);
            return;
        }
        let latency = self.latency();
        let result = match receipt {
            // After the bytes were read: the receipt is lost.
            _ if self.random.in_thousand(self.plan.broken) => SendResult::Broken,
            Receipt::Acknowledged { capability } => {
                self.exchange(id, |exchange| {
                    exchange.promise = capability.map(|capability| (capability, target))
                });
                SendResult::Delivered
            }
            Receipt::None => SendResult::HandedOver,
        };
        self.later(latency, Event::Over(id, result));
    }

    pub(super) fn over(&mut self, id: u64, result: SendResult) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        if self.processes[exchange.from].stopped.is_some() {
            // The program learns it when it goes on.
            self.unlearned.entry(exchange.from).or_default().push((id, result));
            return;
        }
        if !std::mem::replace(&mut exchange.dialing, false) {
            return;
        }
        let (from, job, is_read) = (exchange.from, exchange.job, exchange.target.is_none());
        let promise = exchange.promise.filter(|_| result == SendResult::Delivered);
        // Its bytes may still arrive, unless the connection broke before.
        if is_read || result == SendResult::Broken {
            self.exchanges.remove(&id);
        }
        if let Some(job) = job.filter(|_| self.processes[from].alive) {
            self.exchanged(from, job, result, promise);
        }
    }
}
