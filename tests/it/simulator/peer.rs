//! A running program: ours around a real `Machine`, or a legacy one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use std::time::Duration;

use p2p_chat::core::{OpId, Pin, State, StaticPeer, Time};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::name::Name;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::runtime::Machine;

use super::dialer::Dialer;
use super::disk::Image;
use super::keyed::Keyed;
use super::legacy::Legacy;
use super::twin::Twin;

/// The number of a process. A restarted program is another process.
pub(super) type Pid = usize;

/// What runs in a process.
pub(super) enum Program {
    Ours(Box<Ours>),
    Legacy(Legacy),
}

/// What a program of ours starts with.
#[derive(Clone)]
pub(super) struct Past {
    pub(super) statics: Vec<StaticPeer>,
    pub(super) key: PublicKey,
    pub(super) name: Name,
    /// The keys of others that it has stored.
    pub(super) pins: BTreeMap<PublicKey, Pin>,
    /// Its disk.
    pub(super) image: Image,
}

/// A process, alive or not.
pub(super) struct Process {
    pub(super) host: usize,
    pub(super) port: u16,
    /// The IP that it listens at; unspecified for all.
    pub(super) bind: Ipv4Addr,
    pub(super) alive: bool,
    /// Since when it is stopped (SIGSTOP), if it is. The system accepts for it.
    pub(super) stopped: Option<Duration>,
    pub(super) program: Program,
}

/// A command that is not settled.
pub(super) struct Waiting {
    pub(super) since: Duration,
    pub(super) within: Duration,
    pub(super) what: &'static str,
    /// Outcomes that have to come before.
    pub(super) outcomes: usize,
    /// Outcomes that may be missing, if two recipients turn out to be one peer.
    pub(super) doubtful: usize,
}

/// A peer of ours, and what the checks know about it.
pub(super) struct Ours {
    pub(super) machine: Machine,
    pub(super) twin: Twin,
    pub(super) keyed: Keyed,
    pub(super) name: Name,
    /// The port that its hello claims, if that is not its own.
    pub(super) claims: Option<u16>,
    /// When its clock was at zero.
    pub(super) born: Duration,
    pub(super) dialer: Dialer,
    pub(super) statics: Vec<StaticPeer>,
    pub(super) wakes_at: Option<Duration>,
    pub(super) leaving: bool,
    /// Commands given.
    pub(super) ops: u64,
    /// The addresses that it may dial: its static peers, those that its user named, and those that
    /// were claimed from their own IP.
    pub(super) may_dial: BTreeSet<PeerAddr>,
    /// Commands that are not settled.
    pub(super) waiting: BTreeMap<OpId, Waiting>,
    /// When each peer got an acknowledgement, and how many it may still expect.
    pub(super) acked: BTreeMap<PeerAddr, Duration>,
    /// The message that just arrived is a `connect`.
    pub(super) is_asked: bool,
    pub(super) asked_us: BTreeMap<PeerAddr, usize>,
    /// When each peer was last asked for its protocol, for a message that waits.
    pub(super) asked_for_text: BTreeMap<PeerAddr, Vec<Duration>>,
    /// When each peer was probed without a request of the user, and whether a message waited.
    pub(super) probes: BTreeMap<PeerAddr, VecDeque<(Duration, bool)>>,
    /// When the last probe of a peer got no answer, unless something was heard or begun since.
    pub(super) missed: BTreeMap<PeerAddr, Duration>,
    /// When it could last not probe, because it was stopped or had no room for probes.
    pub(super) held_up: Duration,
    /// Addresses of legacy peers that the user disconnected or that said goodbye.
    pub(super) parted: BTreeSet<PeerAddr>,
    /// Addresses at which another key answered than a receipt had promised.
    pub(super) misled: BTreeSet<PeerAddr>,
    /// Addresses at which something of ours was read.
    pub(super) answered: BTreeSet<PeerAddr>,
    /// Addresses that sent a receipt.
    pub(super) receipts: BTreeSet<PeerAddr>,
    /// A recipient that its user chose some time ago.
    pub(super) chosen: Option<Recipient>,
    /// When it last ticked.
    pub(super) ticks: VecDeque<Duration>,
}

impl Ours {
    /// Returns what the next run starts with.
    pub(super) fn past(&self) -> Past {
        Past {
            statics: self.statics.clone(),
            key: self.keyed.key,
            name: self.name.clone(),
            pins: self.keyed.pins.clone(),
            image: self.keyed.disk.image.clone(),
        }
    }

    pub(super) fn state(&self) -> &State {
        self.machine.state()
    }

    /// Returns the time on its own clock.
    pub(super) fn time(&self, now: Duration) -> Time {
        Time::at(now - self.born)
    }
}
