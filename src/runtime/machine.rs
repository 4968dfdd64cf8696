//! The state of the runtime: the core, and the addresses of this machine.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::ports::Ports;
use super::step::Step;
use crate::core::{ContactChange, CoreConfig, Me, PlainAnswer, Policy, SavedIntroductions, State, Time};
use crate::interfaces::reachable_ips;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::Capability;
use crate::model::name::PeerName;
use crate::protocol::plain;
use crate::protocol::session::{Hello, MAX_ADDRESSES};

/// How far two readings of the addresses of this machine are apart after dials that failed.
const NETWORK_SPACING: Duration = Duration::from_secs(5);

/// How often the addresses of this machine are read.
const NETWORK_INTERVAL: Duration = Duration::from_secs(60);

/// What a [`Machine`] starts with.
pub struct MachineConfig {
    /// What the core starts with.
    pub core: CoreConfig,
    /// Whether we listen over IPv6 too.
    pub listens_v6: bool,
    /// The IPs of this machine.
    pub ips: Vec<IpAddr>,
}

/// The I/O-free part of a running peer. Each input is one [`Step`].
pub struct Machine {
    pub(super) state: State,
    me: Me,
    listens_v6: bool,
    key: PublicKey,
    /// The IPs of this machine when they were last read.
    pub(super) ips: Vec<IpAddr>,
    /// When to read them again.
    pub(super) read_ips_at: Time,
    pub(super) ips_read_at: Time,
}

impl Machine {
    /// A peer that knows no other yet.
    pub fn new(config: MachineConfig) -> Self {
        let MachineConfig { core, listens_v6, ips } = config;
        Self {
            me: core.me.clone(),
            key: core.key,
            state: State::new(core),
            listens_v6,
            ips,
            read_ips_at: Time::at(NETWORK_INTERVAL),
            ips_read_at: Time::default(),
        }
    }

    /// Begins a step at the time `now`. Its outputs go to `ports`.
    pub fn step<'a>(&'a mut self, now: Time, ports: Ports<'a>) -> Step<'a> {
        Step::new(self, now, ports)
    }

    /// The core, which answers questions.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the changes of contacts since the last call, which have to be saved.
    pub fn take_contact_changes(&mut self) -> Vec<ContactChange> {
        self.state.take_contact_changes()
    }

    /// Returns what is to be saved of the introductions. `date` is the clock, in seconds since
    /// 1970.
    pub fn take_introductions(&mut self, date: u64) -> SavedIntroductions {
        self.state.take_introductions(date)
    }

    /// Accepts nothing more from the network: the user can no longer be told of it.
    pub fn close(&mut self) {
        self.state.close();
    }

    /// Returns our hello to a peer at this IP. A peer on this machine needs no further addresses.
    pub fn hello(&self, to: IpAddr) -> Hello {
        Hello {
            addresses: if to.is_loopback() { Vec::new() } else { self.addresses() },
            ..Hello::new(PeerName::new(self.state.name().as_str()), self.me.port)
        }
    }

    /// Whether dialing `addr` reaches this program itself, as far as is known.
    pub fn is_own(&self, addr: PeerAddr) -> bool {
        let is_ours = self.me.bind.is_unspecified() && self.ips.contains(&addr.ip());
        is_ours && addr.port() == self.me.port || self.state.book().is_own(addr)
    }

    /// Returns the bytes of an answer.
    pub fn answer(&self, answer: PlainAnswer) -> Vec<u8> {
        match answer {
            PlainAnswer::Nothing => Vec::new(),
            PlainAnswer::Receipt => plain::receipt(self.me.port, None).into_bytes(),
            PlainAnswer::Capable => plain::receipt(self.me.port, Some(self.capability())).into_bytes(),
            PlainAnswer::Connected => plain::CONNECTED.as_bytes().to_vec(),
        }
    }

    /// Returns what our receipts say about sessions. A user who accepts no new keys by default does
    /// not show everyone their own.
    fn capability(&self) -> Capability {
        match self.state.trusted().policy() {
            Policy::AcceptNew => Capability::Key(self.key),
            Policy::Ask | Policy::Strict => Capability::AnyKey,
        }
    }

    /// When [`Step::tick`] is due next, or the addresses of this machine are to be read.
    pub fn next_wake(&self) -> Time {
        self.state.next_wake().map_or(self.read_ips_at, |due| due.min(self.read_ips_at))
    }

    /// Whether the addresses of this machine are to be read, for [`Step::ips_read`].
    pub fn wants_ips(&self, now: Time) -> bool {
        self.read_ips_at <= now
    }

    /// Has the addresses of this machine read soon: a dial has failed or a message did not arrive,
    /// so they may have changed.
    pub(super) fn read_ips_soon(&mut self, now: Time) {
        let soon = self.ips_read_at.plus(NETWORK_SPACING).max(now);
        self.read_ips_at = self.read_ips_at.min(soon);
    }

    /// Takes the IPs of this machine. Returns whether they have changed.
    pub(super) fn set_ips(&mut self, ips: Vec<IpAddr>, now: Time) -> bool {
        self.read_ips_at = now.plus(NETWORK_INTERVAL);
        self.ips_read_at = now;
        let has_changed = self.ips != ips;
        self.ips = ips;
        has_changed
    }

    /// Where others may dial us, if we listen at all IPs of this machine.
    fn addresses(&self) -> Vec<SocketAddr> {
        if !self.me.bind.is_unspecified() {
            return Vec::new();
        }
        let ips = reachable_ips(&self.ips, self.listens_v6).into_iter().take(MAX_ADDRESSES);
        ips.map(|ip| SocketAddr::new(ip, self.me.port)).collect()
    }
}
