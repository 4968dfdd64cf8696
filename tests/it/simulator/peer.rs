//! One running program: ours around a real machine of the runtime, or one of old.

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
use super::disk::Kept;
use super::keyed::Keyed;
use super::legacy::Legacy;
use super::twin::Twin;

/// A program, which has this number for ever: one that is started anew is another.
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
    /// What was written down of others' keys.
    pub(super) pins: BTreeMap<PublicKey, Pin>,
    /// Its disk.
    pub(super) kept: Kept,
}

/// A process, alive or not.
pub(super) struct Process {
    pub(super) host: usize,
    pub(super) port: u16,
    /// The IP that it listens at; unspecified for all.
    pub(super) bind: Ipv4Addr,
    pub(super) alive: bool,
    /// Since when it is stopped (SIGSTOP), if it is: the system accepts for it, and it does not
    /// read.
    pub(super) stopped: Option<Duration>,
    pub(super) program: Program,
}

/// A command that is not settled.
pub(super) struct Waiting {
    pub(super) since: Duration,
    pub(super) within: Duration,
    pub(super) what: &'static str,
    /// Outcomes that have to come first.
    pub(super) outcomes: usize,
    /// So many of them may fall away, if recipients turn out to be the same peer.
    pub(super) doubtful: usize,
}

/// A peer of ours, and what is known about it that the rules must keep to.
pub(super) struct Ours {
    pub(super) machine: Machine,
    pub(super) twin: Twin,
    pub(super) keyed: Keyed,
    pub(super) name: Name,
    /// The port that its hello claims, if that is not its own.
    pub(super) claims: Option<u16>,
    /// When its clock was zero.
    pub(super) born: Duration,
    pub(super) dialer: Dialer,
    pub(super) statics: Vec<StaticPeer>,
    pub(super) wakes_at: Option<Duration>,
    pub(super) leaving: bool,
    /// Commands given.
    pub(super) ops: u64,
    /// Where it may dial: its static peers, what its user asked for, and what was claimed from the
    /// IP it is at.
    pub(super) may_dial: BTreeSet<PeerAddr>,
    /// Commands that are not settled.
    pub(super) waiting: BTreeMap<OpId, Waiting>,
    /// When an acknowledgement went to each peer, and how many it may still expect.
    pub(super) acked: BTreeMap<PeerAddr, Duration>,
    /// What is being taken holds a `connect`.
    pub(super) is_asked: bool,
    pub(super) asked_us: BTreeMap<PeerAddr, usize>,
    /// When each peer was last asked how it is spoken to, for a text that waits.
    pub(super) asked_for_text: BTreeMap<PeerAddr, Vec<Duration>>,
    /// When each peer was last looked for without the user's having asked.
    pub(super) looks: BTreeMap<PeerAddr, VecDeque<Duration>>,
    /// When the last look for a peer ended in vain, unless something was seen or begun since.
    pub(super) missed: BTreeMap<PeerAddr, Duration>,
    /// When something last kept it from looking: it was stopped, or there was no room for looks.
    pub(super) held_up: Duration,
    /// Where peers without a key were that the user sent away, or that said goodbye.
    pub(super) parted: BTreeSet<PeerAddr>,
    /// Where something of ours was taken.
    pub(super) answered: BTreeSet<PeerAddr>,
    /// Where a receipt came from.
    pub(super) receipts: BTreeSet<PeerAddr>,
    /// A recipient that its user chose some time ago, and means whatever happens meanwhile.
    pub(super) chosen: Option<Recipient>,
    /// When it was ticked lately.
    pub(super) ticks: VecDeque<Duration>,
}

impl Ours {
    /// What is left of it when its process ends.
    pub(super) fn past(&self) -> Past {
        Past {
            statics: self.statics.clone(),
            key: self.keyed.key,
            name: self.name.clone(),
            pins: self.keyed.pins.clone(),
            kept: self.keyed.disk.kept.clone(),
        }
    }

    /// The core, which answers questions.
    pub(super) fn state(&self) -> &State {
        self.machine.state()
    }

    /// The time on its own clock.
    pub(super) fn time(&self, now: Duration) -> Time {
        Time::at(now - self.born)
    }
}
