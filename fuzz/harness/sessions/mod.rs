//! The target `sessions`: the pool of sessions, with peers that say anything at any time.
//!
//! The input is a script of steps of three bytes each: what happens, on which connection or with
//! which key, and a detail. The pool gets what its event loop would give it, behind TLS: dialed and
//! accepted connections that prove keys, records and bytes that are no records, ends, and time.

mod peer;
mod user;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use p2p_chat::core::{JobId, SessionRequest, Time};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::message::{MessageId, SendError};
use p2p_chat::model::session::{ByeReason, Message, Request, RequestEnd};
use p2p_chat::net::sessions::{
    LinkId, LinkOutput, MAX_STRANGERS_OF_PREFIX, MAX_UNSENT, Pool, SessionCommand, SessionHandler,
};
use p2p_chat::protocol::session::MAX_TEXT_BYTES;

use peer::Link;
use user::User;

/// Steps of one input. Few steps keep the fuzzer quick.
const MAX_STEPS: usize = 48;

/// Times at which something becomes due in one step. A full event queue makes messages due every 20
/// ms.
const MAX_TICKS: usize = 32;

/// Sessions in one step of a flood: more than strangers of one source may have.
const FLOOD: u8 = 66;

/// Floods in one input: the second finds the sessions of the first.
const MAX_FLOODS: u8 = 2;

/// Keys of peers; ours is in the middle of them, because the smaller key decides which of two
/// connections stays.
const PEERS: u8 = 4;
const OURS: u8 = 2;

/// The address of this machine.
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// The source addresses of connections.
const SOURCES: [Ipv4Addr; 3] =
    [Ipv4Addr::new(10, 0, 0, 7), Ipv4Addr::new(10, 0, 0, 8), Ipv4Addr::new(127, 0, 0, 1)];

/// The lengths of messages.
const LENGTHS: [usize; 4] = [2, 1_024, 5_000, MAX_TEXT_BYTES];

/// Runs the script of an input. The first byte says who is a contact, and whether there are floods.
///
/// # Panics
/// If a key has two sessions, a limit is exceeded, a request does not end exactly once, a record
/// goes out that the protocol does not allow, or a message is taken that was not sent.
pub fn sessions(input: &[u8]) {
    let Some((&config, script)) = input.split_first() else { return };
    let mut world = World::new(config);
    let mut script = script;
    for _ in 0..MAX_STEPS {
        let Some((&[what, which, detail], rest)) = script.split_first_chunk() else { break };
        script = rest;
        if what % 16 == 5 {
            // Bytes follow that are no record, or not a whole one.
            let (bytes, rest) = script.split_at(script.len().min(detail.into()));
            script = rest;
            world.receives(which, bytes);
        } else {
            world.step(what % 16, which, detail);
        }
        world.check();
    }
    world.end();
}

/// The pool, its user and its network.
struct World {
    pool: Pool,
    user: User,
    now: Time,
    links: BTreeMap<LinkId, Link>,
    /// The number of the last request, and of the last message in either direction.
    last: u64,
    /// Floods that may still come. Few inputs have one, because a flood is slow.
    floods: u8,
}

fn peer_key(number: u8) -> PublicKey {
    let number = number % PEERS;
    key(if number < OURS { number } else { number + 1 })
}

fn key(number: u8) -> PublicKey {
    PublicKey::new([number; KEY_BYTES])
}

/// The key of a stranger in a flood.
fn flood_key(number: u8) -> PublicKey {
    let mut bytes = [0xff; KEY_BYTES];
    bytes[0] = number;
    PublicKey::new(bytes)
}

impl World {
    fn new(config: u8) -> Self {
        Self {
            pool: Pool::new(key(OURS), 1),
            user: User::new((0..PEERS).filter(|number| config >> number & 1 != 0).map(peer_key)),
            now: Time::default(),
            links: BTreeMap::new(),
            last: 0,
            floods: if config >= 0xf0 { MAX_FLOODS } else { 0 },
        }
    }

    fn step(&mut self, what: u8, which: u8, detail: u8) {
        match what {
            0 => drop(self.accepted(SOURCES[usize::from(which) % SOURCES.len()])),
            1 | 2 => self.request(which, detail),
            3 => self.proves(which, detail),
            4 => self.says_hello(which, detail),
            6 => self.ends(which, detail & 1 != 0),
            7 => self.fails(which, detail),
            8 => self.stored(which, detail),
            9 => self.pass(
                Duration::from_millis([10, 300, 2_000, 20_000][usize::from(which & 3)]) * detail.into(),
            ),
            10 => self.sent(which, detail),
            11 => self.command(SessionCommand::Part(peer_key(which), ByeReason::of(detail))),
            12 => self.changes(which, detail),
            13 => self.opens(SOURCES[usize::from(which) % SOURCES.len()], peer_key(detail), which),
            14 if self.floods > 0 => {
                self.floods -= 1;
                (0..FLOOD).for_each(|number| self.opens(SOURCES[0], flood_key(number), 0));
            }
            _ => self.says(which, detail),
        }
    }

    // ---- what the program does
    // --------------------------------------------------------------------

    /// Makes a request: to a key, or to any peer at an address.
    fn request(&mut self, which: u8, detail: u8) {
        let say = match detail & 7 {
            0 | 1 => Request::Open,
            2 => Request::Ping,
            3 => Request::Bye,
            _ => Request::Messages((0..=detail & 3).map(|at| self.message(detail >> 3 & 3, at)).collect()),
        };
        self.last += 1;
        let job = JobId(self.last);
        let messages = if let Request::Messages(messages) = &say { messages.len() } else { 0 };
        self.user.jobs.insert(job, messages);
        let addr = |last| PeerAddr::new(Ipv4Addr::new(10, 0, 1, last), 5000).expect("an address");
        let addrs = (0..which >> 4 & 3).map(|more| addr(which % PEERS + more * PEERS)).collect();
        let expect = (which & 8 == 0).then(|| peer_key(which));
        let deadline = (detail & 0x40 != 0).then(|| self.now.plus(Duration::from_secs(2)));
        let request = SessionRequest { job, addrs, expect, say, deadline };
        self.command(SessionCommand::Request(request));
    }

    fn message(&mut self, length: u8, at: u8) -> Message {
        let length = if at == 0 { LENGTHS[usize::from(length)] } else { LENGTHS[usize::from(at)] };
        Message { id: self.new_id(), time: 0, again: false, to_all: false, body: "x".repeat(length).into() }
    }

    fn new_id(&mut self) -> MessageId {
        self.last += 1;
        MessageId::new(u128::from(self.last).to_be_bytes())
    }

    fn command(&mut self, command: SessionCommand) {
        self.act(|pool, now, user| pool.command(command, now, user));
    }

    /// Some of the messages that were taken are stored, and the others are not.
    fn stored(&mut self, which: u8, detail: u8) {
        let links: Vec<LinkId> = self.user.to_store.keys().copied().collect();
        let Some(link) = links.get(usize::from(which) % links.len().max(1)).copied() else { return };
        let mut ids = self.user.to_store.remove(&link).unwrap_or_default();
        let others = ids.split_off(ids.len().saturating_sub((detail & 3).into()));
        let retry_after = u32::from(detail >> 2);
        self.command(SessionCommand::Stored { link, receipts: ids, others, retry_after });
    }

    fn changes(&mut self, which: u8, detail: u8) {
        match which % 4 {
            0 => {
                self.user.name = format!("Alice{detail}");
                self.command(SessionCommand::Rename);
            }
            1 => {
                self.user.ip = [10, 0, 0, detail.max(1)];
                let ips = if detail & 1 == 0 { vec![LOCAL] } else { Vec::new() };
                self.command(SessionCommand::Readdress(ips));
            }
            2 => self.user.is_full = detail & 1 != 0,
            _ => {
                self.user.refuses =
                    [None, Some(ByeReason::NotDecided), Some(ByeReason::NotAccepted)][usize::from(detail % 3)]
            }
        }
    }

    // ---- the network
    // ------------------------------------------------------------------------------

    /// The newest connections come first, so that a script is as short as can be.
    fn link(&self, which: u8) -> Option<LinkId> {
        let count = self.links.len();
        self.links.keys().rev().nth(usize::from(which) % count.max(1)).copied()
    }

    fn accepted(&mut self, source: Ipv4Addr) -> LinkId {
        let link = self.pool.accepted(Source::from(source), LOCAL, self.now);
        self.links.insert(link, Link::new(None));
        link
    }

    /// The peer of a connection proves its key.
    fn proves(&mut self, which: u8, detail: u8) {
        let Some(id) = self.link(which) else { return };
        let link = self.links.get_mut(&id).expect("it is there");
        if link.key.is_some() {
            return;
        }
        let key = link.dialed.flatten().unwrap_or_else(|| peer_key(detail));
        link.key = Some(key);
        self.act(|pool, now, user| pool.link_up(id, key, LOCAL, now, user));
    }

    /// A peer dials, proves its key and says hello.
    fn opens(&mut self, source: Ipv4Addr, key: PublicKey, detail: u8) {
        let id = self.accepted(source);
        self.links.get_mut(&id).expect("it is there").key = Some(key);
        self.act(|pool, now, user| pool.link_up(id, key, LOCAL, now, user));
        self.says_hello(0, detail);
    }

    fn ends(&mut self, which: u8, clean: bool) {
        let Some(id) = self.link(which) else { return };
        if self.links[&id].key.is_none() {
            return self.fails(which, 0);
        }
        self.links.remove(&id);
        self.act(|pool, now, user| pool.link_ended(id, clean, now, user));
    }

    /// A connection is made but for its handshake, or it fails before its key is proven.
    fn fails(&mut self, which: u8, detail: u8) {
        let Some(id) = self.link(which).filter(|id| self.links[id].key.is_none()) else { return };
        let end = match detail % 6 {
            0 => RequestEnd::Broken,
            1 => RequestEnd::NoSession,
            2 => RequestEnd::Unreachable(SendError::Refused),
            3 => RequestEnd::WrongKey(peer_key(detail)),
            4 => RequestEnd::Ourselves,
            _ => return self.act(|pool, now, _| pool.connected(id, now)),
        };
        self.links.remove(&id);
        self.act(|pool, now, user| pool.link_failed(id, end, now, user));
    }

    /// Some of what waits to be sent on a connection goes to the system.
    fn sent(&mut self, which: u8, detail: u8) {
        let Some(id) = self.link(which) else { return };
        let link = self.links.get_mut(&id).expect("it is there");
        let count = if detail == 0 { link.unsent } else { link.unsent * usize::from(detail) / 256 };
        link.unsent -= count;
        self.act(|pool, now, user| pool.sent(id, count, now, user));
    }

    /// Gives the pool bytes of a peer.
    fn receives(&mut self, which: u8, bytes: &[u8]) {
        let Some(id) = self.link(which).filter(|id| self.links[id].key.is_some()) else { return };
        self.act(|pool, now, user| {
            pool.heard(id, now);
            pool.received(id, bytes, now, user);
        });
    }

    /// Advances the time, with a tick whenever one is due.
    fn pass(&mut self, by: Duration) {
        let end = self.now.plus(by);
        for _ in 0..MAX_TICKS {
            let Some(due) = self.pool.next_wake().filter(|due| *due <= end) else { break };
            self.now = self.now.max(due);
            self.tick();
        }
        self.now = end;
        self.tick();
    }

    /// Does what is due. If much time has passed, that may make something else due.
    fn tick(&mut self) {
        let is_due = |world: &Self| world.pool.next_wake().is_some_and(|due| due <= world.now);
        for _ in 0..MAX_TICKS {
            self.act(|pool, now, user| pool.tick(now, user));
            if !is_due(self) {
                return;
            }
        }
        panic!("ticks leave work that is due");
    }

    /// Calls the pool, and does what it wants.
    fn act(&mut self, act: impl FnOnce(&mut Pool, Time, &mut dyn SessionHandler)) {
        act(&mut self.pool, self.now, &mut self.user);
        let mut outputs = self.pool.take_outputs();
        while !outputs.is_empty() {
            for output in outputs {
                self.perform(output);
            }
            outputs = self.pool.take_outputs();
        }
    }

    fn perform(&mut self, output: LinkOutput) {
        match output {
            LinkOutput::Dial(id, _, expect) => {
                assert!(self.links.insert(id, Link::new(Some(expect))).is_none(), "{id:?} is dialed twice");
            }
            LinkOutput::Send(id, bytes) => {
                // It may have been closed because its peer does not read.
                let Some(link) = self.links.get_mut(&id) else { return };
                link.sends(&bytes, self.user.granted.entry(id).or_default());
                if link.unsent > MAX_UNSENT {
                    self.links.remove(&id);
                    self.pool.link_ended(id, false, self.now, &mut self.user);
                }
            }
            LinkOutput::Finish(id) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.finishes = true;
                }
            }
            LinkOutput::Drop(id) => drop(self.links.remove(&id)),
        }
    }

    // ---- what must hold
    // ---------------------------------------------------------------------------

    /// Checks what must hold after every step.
    fn check(&self) {
        assert_eq!(self.pool.len(), self.user.open.len(), "the sessions are not those that were reported");
        let mut open: BTreeMap<PublicKey, usize> = BTreeMap::new();
        for (id, link) in &self.links {
            // Where our side has said bye, no receipts follow.
            if let Some(key) = link.key.filter(|_| self.pool.is_open(*id)) {
                *open.entry(key).or_default() += 1;
                self.user.check_window(*id);
            }
        }
        for (key, count) in open {
            assert!(count <= 2, "{count} connections with {key} are open");
            assert!(self.user.open.contains(&key), "a connection with {key} is open, but no session");
        }
        let flood = (0..FLOOD).filter(|number| self.user.open.contains(&flood_key(*number)));
        assert!(flood.count() <= MAX_STRANGERS_OF_PREFIX, "too many strangers of one source");
    }

    /// Ends the program, then all connections. Nothing must be left.
    fn end(mut self) {
        self.act(|pool, now, user| pool.close(now, user));
        self.check();
        while let Some(id) = self.link(0) {
            self.links.remove(&id);
            self.act(|pool, now, user| pool.link_ended(id, false, now, user));
        }
        assert!(self.pool.is_empty() && self.pool.is_idle(), "{:?}", self.pool);
        assert!(
            self.user.open.is_empty() && self.user.jobs.is_empty(),
            "{:?} have not ended",
            self.user.jobs
        );
    }
}
