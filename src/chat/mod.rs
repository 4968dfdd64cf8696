//! The rules of the chat. Pure: what happened and the time go in, what is to be done comes out.
//!
//! In scope: who is known and believed, who is there, what is answered, what a command does and when it is done. Out of
//! scope: bytes, sockets, threads, the clock, the terminal.

mod checks;
mod command;
mod decide;
mod event;
mod intake;
mod keeping;
mod letters;
mod life;
mod outbox;
mod outboxes;
mod outcome;
mod plain;
mod receive;
mod refusals;
mod restore;
mod secure;
mod seen;
mod table;
mod talked;
#[cfg(test)]
mod tests;
mod texts;
mod tick;
mod time;
mod trust;
mod turns;
mod waiting;
mod wishes;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub use command::{Command, Target};
pub use event::{Action, Answer, Decision, Deed, Event, JobId, OpId, Proof, Talk, Transmit, Unsendable, Who};
pub use intake::Intake;
pub use keeping::WriteId;
pub use life::{
    Change, Check, Evidence, GONE_AFTER, LONGEST_BACKOFF, Life, PROBE_INTERVAL, QUIET_REPEAT, REFUSAL_REPEAT,
    State, Why,
};
pub use outbox::{
    FIRST_WAIT, Jitter, LONGEST_WAIT, MAX_NO_OK, MAX_OPEN_BYTES, MAX_OPEN_TEXTS, MAX_TURN_BYTES,
    MAX_TURN_TEXTS, NEARLY_FULL, NO_OK_WAIT, NotPut, OutText, Outbox, RECORD_BYTES, TextNews, TextState,
    TurnEnd, Waiting,
};
pub use outboxes::{MAX_ALL_BYTES, Outboxes};
pub use outcome::Sent;
pub use receive::Received;
pub use refusals::{REFUSALS_REPEAT, REFUSALS_SUMMED};
pub use restore::Restored;
pub use secure::{Keys, Moment};
pub use seen::{MAX_SEEN_IDS, MAX_SEEN_KEYS, Novelty, Seen};
pub use table::{GONE_SHOWN, Known, MAX_PEERS, MAX_PEERS_PER_IP, MAX_STATIC_PEERS, Row};
pub use texts::MAX_TEXTS_WAITING;
pub use time::Time;
pub use trust::{
    As, Change as PinChange, MAX_HINTS, MAX_OFFERS, MAX_OFFERS_OF_ONE, MAX_PINS, MAX_PINS_OF_ONE, Meeting,
    Offer, Pin, Policy, Refused, Trust, Trusted, Unknown, Verdict, Writable, code_input,
};
pub use wishes::WaitingText;

use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Fate, Form, Outgoing, Speech};
use crate::model::name::PeerName;
use checks::Checks;
use keeping::Keeping;
use refusals::Refusals;
use secure::Secure;
use table::{Peer, Table};
use texts::Texts;

/// How long the user waits at most for the verified list, for the first dialling of the static peers and for the
/// goodbyes: what people still feel as an answer to what they did.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1_900);

/// How long a peer that is there may stay unannounced because its name has not come yet.
const NAME_WITHIN: Duration = Duration::from_millis(300);

/// IPs of our own that are remembered; a machine has a handful.
const MAX_OWN_IPS: usize = 64;

/// Who we are to the others.
#[derive(Clone, Debug)]
pub struct Me {
    /// The IP we listen at; unspecified for all of them.
    pub bind: IpAddr,
    /// The port we listen at.
    pub port: u16,
    /// The IP that our headers say, if the user chose one.
    pub advertise: Option<Ipv4Addr>,
}

/// A peer that the user configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticPeer {
    /// Where it is dialled.
    pub addr: PeerAddr,
    /// What it is called until it says so itself.
    pub name: Option<PeerName>,
    /// The form it is written to in until it writes to us.
    pub form: Form,
    /// The key that it has to prove, if the user knows it; then nothing is ever said to it in plain.
    pub key: Option<PublicKey>,
    /// Where else it may be, if it proves that key there.
    pub also: Vec<PeerAddr>,
}

/// What something under way was sent for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    Text(OpId),
    Connect(OpId),
    Exit(OpId),
    Ack,
    Check(Check),
    /// See how it is spoken to, for texts that wait for that.
    Ask,
    /// It has shown that it can speak in encryption.
    Greet,
    /// Texts to a key.
    Turn(PublicKey),
}

#[derive(Clone, Copy, Debug)]
struct Job {
    /// Whom it is for; follows a peer that is found elsewhere.
    addr: PeerAddr,
    /// What is dialled first.
    dialled: PeerAddr,
    purpose: Purpose,
    /// The key that has to be proven.
    expect: Option<PublicKey>,
}

/// A command under way.
#[derive(Debug)]
enum Op {
    Spread {
        deed: Deed,
        total: usize,
        pending: usize,
        done: usize,
        failed: Vec<(Who, Fate)>,
    },
    /// `after` is the last job before it: what an earlier look shows is too old.
    List {
        waiting: HashSet<PeerAddr>,
        after: u64,
        deadline: Time,
    },
    Start {
        waiting: HashSet<PeerAddr>,
        deadline: Time,
    },
    /// Goodbyes under way, and the attempts to reach somebody who was not there, which are waited for a little: whoever
    /// is reached has to be told goodbye, too.
    Leave {
        pending: usize,
        attempts: HashSet<JobId>,
        patience: Time,
    },
}

/// How much is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnderWay {
    /// Things on their way to peers.
    pub jobs: usize,
    /// Those among them that count against what may be dialled at once without the user's having asked.
    pub unasked: usize,
    /// Commands that are not settled.
    pub commands: usize,
}

/// The state of the chat. Every method takes the time, and returns what is to be done because of it.
#[derive(Debug)]
pub struct Chat {
    me: Me,
    own_ips: BTreeSet<IpAddr>,
    table: Table,
    ops: BTreeMap<OpId, Op>,
    jobs: HashMap<JobId, Job>,
    last_op: u64,
    last_job: u64,
    checks: Checks,
    texts: Texts,
    refusals: Refusals,
    /// None where we have no key, and everybody is spoken to in plain.
    secure: Option<Box<Secure>>,
    keeping: Keeping,
    leaving: bool,
    closed: bool,
    actions: Vec<Action>,
}

impl Chat {
    /// A chat in which nobody is known.
    pub fn new(me: Me) -> Self {
        Self {
            me,
            own_ips: BTreeSet::new(),
            table: Table::default(),
            ops: BTreeMap::new(),
            jobs: HashMap::new(),
            last_op: 0,
            last_job: 0,
            checks: Checks::default(),
            texts: Texts::default(),
            refusals: Refusals::default(),
            secure: None,
            keeping: Keeping::default(),
            leaving: false,
            closed: false,
            actions: Vec::new(),
        }
    }

    /// Takes note that `ip` is one of this machine's.
    pub fn learn_own_ip(&mut self, ip: impl Into<IpAddr>) {
        let ip = ip.into();
        // Those of the loopback network are known to be ours anyway.
        if self.own_ips.len() < MAX_OWN_IPS && !ip.is_loopback() && !ip.is_unspecified() {
            self.own_ips.insert(ip);
        }
    }

    /// Takes nothing more that comes: nobody is there any more to be told of it.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Whether somebody who dials `addr` reaches us.
    pub fn is_own(&self, addr: PeerAddr) -> bool {
        let ip = addr.ip();
        let ours = if self.me.bind.is_unspecified() {
            ip.is_loopback() || self.own_ips.contains(&ip)
        } else {
            ip == self.me.bind
        };
        addr.port() == self.me.port && (ours || self.me.advertise.is_some_and(|advertised| advertised == ip))
    }

    /// The table as it is believed to be, unverified, in the order of the numbers.
    pub fn rows(&self, now: Time) -> Vec<Row> {
        self.table.rows().map(|peer| Row::of(peer, now)).collect()
    }

    /// How many are there.
    pub fn here(&self) -> usize {
        self.table.here()
    }

    /// Whether a peer is in the table.
    pub fn knows(&self, addr: PeerAddr) -> bool {
        self.table.peer(addr).is_some()
    }

    /// How much is under way. Nothing is kept of what is over.
    pub fn under_way(&self) -> UnderWay {
        UnderWay { jobs: self.jobs.len(), unasked: self.checks.under_way(), commands: self.ops.len() }
    }

    fn new_op(&mut self, op: Op) -> OpId {
        self.last_op += 1;
        let id = OpId(self.last_op);
        self.ops.insert(id, op);
        id
    }

    fn tell(&mut self, event: Event) {
        self.act(Action::Tell(event));
    }

    fn act(&mut self, action: Action) {
        if self.actions.is_empty() {
            // What happens has one consequence nearly always, and room for more would be most of what it costs.
            self.actions.reserve_exact(1);
        }
        self.actions.push(action);
    }

    fn done(&mut self) -> Vec<Action> {
        self.tell_of_pins();
        std::mem::take(&mut self.actions)
    }

    fn who(&self, addr: PeerAddr) -> Who {
        if let Some(peer) = self.table.peer(addr) {
            return who(peer);
        }
        // Somebody known may be away, and not listed because of that.
        let name = self.pin_of(addr).and_then(|pin| pin.name.clone());
        Who { name, addr, claimed: None, proof: self.proof_of(addr) }
    }

    fn transmit(&mut self, addr: PeerAddr, purpose: Purpose, message: Outgoing, deadline: Option<Time>) {
        self.last_job += 1;
        let job = JobId(self.last_job);
        self.jobs.insert(job, Job { addr, dialled: addr, purpose, expect: None });
        let peer = self.table.peer(addr);
        let transmit = Transmit {
            job,
            to: addr,
            fallback: peer.and_then(other_loopback).filter(|addr| !self.is_own(*addr) && !self.knows(*addr)),
            form: peer.map_or(Form::default(), |peer| peer.form),
            message,
            deadline,
        };
        self.act(Action::Transmit(transmit));
    }

    /// Tells the user that a peer is there, once it is certain and its name known or overdue.
    fn announce(&mut self, addr: PeerAddr, now: Time) {
        if let Some(Some(who)) = self.table.update(addr, |peer| announced(peer, now)) {
            self.came(who);
        }
    }

    fn came(&mut self, who: Who) {
        let addr = who.addr;
        self.tell(Event::Came(who));
        self.met(addr);
    }

    /// Tells the user that a peer is gone, if they knew that it was there.
    fn went(&mut self, addr: PeerAddr, why: Why) {
        let news = self.table.update(addr, |peer| {
            peer.tell_at = None;
            peer.ack_due = None;
            let told = std::mem::take(&mut peer.told);
            // Of somebody who only ever claimed to be there it is no news that nobody is, but their own goodbye is.
            (told && (peer.life.is_proven() || peer.shook_hands || why == Why::SaidExit)).then(|| who(peer))
        });
        if let Some(Some(who)) = news {
            self.tell(Event::Went(who, why));
        }
    }
}

/// Who it is that the user is now to be told of, once it is certain that it is there, and its name known or overdue.
fn announced(peer: &mut Peer, now: Time) -> Option<Who> {
    let certain = peer.life.is_proven() || peer.shook_hands;
    if peer.told || !peer.is_there() || !certain {
        return None;
    }
    let overdue = *peer.tell_at.get_or_insert(now.plus(NAME_WITHIN)) <= now;
    // Nor is anybody called plain of whom it is about to be known that they are not.
    if (peer.name.is_none() || peer.speech == Speech::Unknown) && !overdue {
        return None;
    }
    peer.told = true;
    peer.tell_at = None;
    Some(who(peer))
}

fn who(peer: &Peer) -> Who {
    Who { name: peer.name.clone(), addr: peer.addr, claimed: peer.claimed, proof: peer.proof() }
}

/// The address that a peer claims on the loopback network, where it differs from the one its connection came from. Both
/// are on this machine, so only trying tells which one it listens at. It is not tried where it is the address of another row,
/// for what is sent there is for somebody else.
fn other_loopback(peer: &Peer) -> Option<PeerAddr> {
    let claimed = peer.claimed?;
    let both = claimed.ip.is_loopback() && peer.addr.ip().is_loopback() && !peer.life.is_proven();
    both.then(|| PeerAddr::new(claimed.ip, claimed.port)).flatten()
}
