//! What is promised of texts to peers that have proven a key: shown once, delivered or told, in order, never in plain, never to another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use p2p_chat::chat::{OpId, Pin, State};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::{MessageId, Speech};
use p2p_chat::model::session::Letter;

use super::disk::{Disk, Kept};
use super::peer::Pid;
use super::talker::Talker;
use super::world::World;

/// What a process with a key has, and what is known of it that the rules must keep to.
pub(super) struct Keyed {
    pub(super) key: PublicKey,
    /// What it has written down of others' keys.
    pub(super) pins: BTreeMap<PublicKey, Pin>,
    pub(super) talker: Talker,
    /// Where it keeps what is said.
    pub(super) disk: Disk,
    /// The texts that its user has sent, by command.
    pub(super) letters: BTreeMap<OpId, Sent>,
    /// When each key last showed that it is there.
    pub(super) signs: BTreeMap<PublicKey, Duration>,
    /// When talks with each key failed lately.
    pub(super) failed: BTreeMap<PublicKey, VecDeque<Duration>>,
    /// The keys that receipts have promised, by the process that gave them.
    pub(super) promised: BTreeSet<(PeerAddr, Pid)>,
    /// Who has said goodbye in encryption, ever.
    pub(super) parted: BTreeSet<PublicKey>,
}

/// What has become of a text of a command.
pub(super) struct Sent {
    pub(super) id: MessageId,
    /// Those that were told to wait, and those of them of which the end was told.
    pub(super) waiting: usize,
    pub(super) ended: usize,
}

/// A text of somebody with a key.
pub(super) struct Penned {
    pub(super) by: Pid,
    pub(super) number: u64,
    /// Where it was sent to, if to one only.
    pub(super) to: Option<PeerAddr>,
    /// The only keys that it may go to; anybody where it was not known yet who that is.
    pub(super) meant: Option<BTreeSet<PublicKey>>,
    /// Who has given a receipt for it.
    pub(super) taken: BTreeSet<PublicKey>,
    /// Its sender was told that it waits or was delivered.
    pub(super) is_promised: bool,
    /// Its sender has had it sent again, which puts it behind what was typed later.
    pub(super) is_resent: bool,
    /// Its sender was told that it is not sent any more. What was on its way then may still arrive, behind what was typed later.
    pub(super) is_given_up: bool,
}

impl Keyed {
    pub(super) fn new(key: PublicKey, pins: BTreeMap<PublicKey, Pin>, kept: Kept) -> Self {
        Self {
            key,
            pins,
            talker: Talker::default(),
            disk: Disk::new(kept),
            letters: BTreeMap::new(),
            signs: BTreeMap::new(),
            failed: BTreeMap::new(),
            promised: BTreeSet::new(),
            parted: BTreeSet::new(),
        }
    }
}

fn only(addrs: &[PeerAddr]) -> Option<PeerAddr> {
    if let [addr] = addrs { Some(*addr) } else { None }
}

/// The key of a person of this number.
pub(super) fn key_of_person(person: usize) -> PublicKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&u64::try_from(person + 1).expect("64 bits").to_be_bytes());
    PublicKey::new(bytes)
}

impl World {
    pub(super) fn keyed_mut(&mut self, pid: Pid) -> Option<&mut Keyed> {
        self.ours_mut(pid).keyed.as_mut()
    }

    /// The letter of a text that is about to be sent, if the sender has a key.
    pub(super) fn pens(&mut self, pid: Pid, op: OpId, body: &str, to: &[PeerAddr]) -> Option<Letter> {
        let ours = self.ours(pid);
        ours.keyed.as_ref()?;
        let meant = |addr: &PeerAddr| ours.chat.pin_of(*addr).map(|pin| pin.key);
        let meant: Option<BTreeSet<PublicKey>> = to.iter().map(meant).collect();
        let number = self.texts;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let id = MessageId::new(bytes);
        let penned = Penned {
            by: pid,
            number,
            to: only(to),
            meant,
            taken: BTreeSet::new(),
            is_promised: false,
            is_resent: false,
            is_given_up: false,
        };
        self.penned.insert(id, penned);
        self.keyed_mut(pid)?.letters.insert(op, Sent { id, waiting: 0, ended: 0 });
        Some(Letter { id, time: self.clock(), again: false, body: body.into() })
    }

    /// A key has shown that it is there.
    pub(super) fn note_sign(&mut self, pid: Pid, key: PublicKey) {
        let now = self.now;
        if let Some(keyed) = self.keyed_mut(pid) {
            keyed.signs.insert(key, now);
        }
    }

    pub(super) fn note_parted(&mut self, pid: Pid, key: PublicKey) {
        self.keyed_mut(pid).map(|keyed| keyed.parted.insert(key));
    }

    /// A receipt has promised a key.
    pub(super) fn note_promise(&mut self, pid: Pid, to: PeerAddr, by: Pid) {
        self.keyed_mut(pid).map(|keyed| keyed.promised.insert((to, by)));
    }

    /// Rows of peers that prove keys: one for each key, none our own.
    pub(super) fn check_keyed_table(&self, pid: Pid) {
        let ours = self.ours(pid);
        let Some(keyed) = &ours.keyed else { return };
        let mut keys = BTreeSet::new();
        for row in ours.chat.rows(ours.time(self.now)) {
            let Speech::Secure(key) = row.speech else { continue };
            if key == keyed.key || !keys.insert(key) {
                self.fail(pid, format_args!("lists {key} twice, or itself, at {}", row.addr));
            }
        }
    }

    /// The rows of peers that prove keys, but for the time.
    pub(super) fn keyed_rows(&self, pid: Pid) -> Vec<p2p_chat::chat::Row> {
        let ours = self.ours(pid);
        if ours.keyed.is_none() {
            return Vec::new();
        }
        let mut rows = ours.chat.rows(ours.time(self.now));
        rows.retain(|row| matches!(row.speech, Speech::Secure(_)));
        rows.iter_mut().for_each(|row| row.last_heard = None);
        rows
    }

    /// Whether another is there, wherever it is listed by its key.
    pub(super) fn is_listed(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let there = |row: &p2p_chat::chat::Row| {
            matches!(row.speech, Speech::Secure(of) if Some(of) == key) && row.state == State::Connected
        };
        key.is_some() && self.keyed_rows(pid).iter().any(there)
    }

    /// Whether a process waits for its user's word about the key of another.
    pub(super) fn waits_for_a_word(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let (offers, more) = self.ours(pid).chat.offers();
        key.is_some() && (more > 0 || offers.iter().any(|offer| Some(offer.met.key) == key))
    }

    /// Whether the process with this key does not take that of `pid`.
    pub(super) fn is_refused(&self, pid: Pid, key: PublicKey) -> bool {
        let own = self.key_of(pid).expect("it has a key");
        (0..self.processes.len())
            .filter(|other| self.processes[*other].alive && self.key_of(*other) == Some(key))
            .any(|other| {
                let (offers, more) = self.ours(other).chat.offers();
                more > 0 || offers.iter().any(|offer| offer.met.key == own)
            })
    }

    pub(super) fn listener_at(&self, pid: Pid, addr: PeerAddr) -> Option<Pid> {
        let (host, _) = self.route(pid, addr.v4()?)?;
        self.listener(host, addr.plain()?.socket())
    }
}
