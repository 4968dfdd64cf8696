//! Our own addresses: whether dialing an address would reach this program itself.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Me;
use crate::model::address::PeerAddr;

/// IPs of our own that are remembered; a machine has a handful.
const MAX_OWN_IPS: usize = 64;

/// The addresses at which this program listens.
#[derive(Debug)]
pub(super) struct OwnAddrs {
    me: Me,
    ips: BTreeSet<IpAddr>,
}

impl OwnAddrs {
    pub(super) fn new(me: Me) -> Self {
        Self { me, ips: BTreeSet::new() }
    }

    /// Records that an IP is one of this machine's. Those of the loopback network are known anyway.
    pub(super) fn learn(&mut self, ip: IpAddr) {
        if self.ips.len() < MAX_OWN_IPS && !ip.is_loopback() && !ip.is_unspecified() {
            self.ips.insert(ip);
        }
    }

    /// Forgets all IPs: this machine has others now, and another machine may get them.
    pub(super) fn forget(&mut self) {
        self.ips.clear();
    }

    /// Whether dialing `addr` reaches this program itself, as far as is known.
    pub(super) fn contains(&self, addr: PeerAddr) -> bool {
        let ip = addr.ip();
        let is_ours = match self.me.bind.is_unspecified() {
            true => ip.is_loopback() || self.ips.contains(&ip),
            false => ip == self.me.bind,
        };
        let is_advertised = self.me.advertise.is_some_and(|advertised| advertised == ip);
        addr.port() == self.me.port && (is_ours || is_advertised)
    }

    /// Whether an address would be our own if its IP were one of this machine's, which is not
    /// known.
    pub(super) fn may_contain(&self, ip: IpAddr, port: u16) -> bool {
        port == self.me.port && self.me.bind.is_unspecified() && !ip.is_loopback() && !self.ips.contains(&ip)
    }
}
