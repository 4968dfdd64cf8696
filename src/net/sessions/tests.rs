//! Two or more pools on a network in memory.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::receipt_limiter::STRANGER_INTERVAL;
use super::*;
use crate::core::{SessionRequest, Time};
use crate::model::key::KEY_BYTES;
use crate::model::message::SendError;
use crate::model::name::PeerName;
use crate::model::session::Request;
use crate::protocol::session::{MAX_TEXT_BYTES, Record, Records};

/// What a handler was told.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Up(PublicKey),
    Messages(Vec<u8>),
    Receipts(Vec<u8>),
    Down(Option<ByeReason>),
    Ended(JobId, usize, RequestEnd),
    InUse(IpAddr),
    Renamed(PublicKey, PeerName),
    ListensAt(Vec<SocketAddr>),
    Refused(PublicKey, Option<JobId>),
}

/// Accepts every key and stores every message.
#[derive(Default)]
struct Recorder {
    port: u16,
    told: Vec<Told>,
    refuses: Option<ByeReason>,
    is_full: bool,
    keeps_receipts: bool,
    to_store: Vec<(LinkId, Vec<MessageId>)>,
    name: Option<PeerName>,
    addresses: Vec<SocketAddr>,
    own: Vec<PeerAddr>,
    contacts: Vec<PublicKey>,
    signs_of_life: usize,
}

impl SessionHandler for Recorder {
    fn hello(&mut self, _: IpAddr) -> Hello {
        let name = self.name.clone().unwrap_or_else(|| PeerName::new("Peer"));
        Hello { addresses: self.addresses.clone(), ..Hello::new(name, self.port) }
    }

    fn is_own(&mut self, addr: PeerAddr) -> bool {
        self.own.contains(&addr)
    }

    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason> {
        if let Some(reason) = self.refuses {
            self.told.push(Told::Refused(opened.key, opened.job));
            return Err(reason);
        }
        self.told.push(Told::Up(opened.key));
        Ok(())
    }

    fn messages(
        &mut self,
        link: LinkId,
        _: PublicKey,
        _: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        if self.is_full {
            return Err(messages);
        }
        self.told.push(Told::Messages(messages.iter().map(|message| message.id.as_bytes()[0]).collect()));
        self.to_store.push((link, messages.iter().map(|message| message.id).collect()));
        Ok(())
    }

    fn session_alive(&mut self, _: PublicKey) {
        self.signs_of_life += 1;
    }

    fn receipts(&mut self, _: PublicKey, ids: &[MessageId]) {
        self.told.push(Told::Receipts(ids.iter().map(|id| id.as_bytes()[0]).collect()));
    }

    fn session_down(&mut self, _: PublicKey, bye: Option<ByeReason>) {
        self.told.push(Told::Down(bye));
    }

    fn request_ended(&mut self, job: JobId, ended: RequestEnded) {
        self.told.push(Told::Ended(job, ended.written, ended.end));
    }

    fn renamed(&mut self, key: PublicKey, _: Source, name: PeerName, _: u16) {
        self.told.push(Told::Renamed(key, name));
    }

    fn listens_at(&mut self, _: PublicKey, addrs: &[SocketAddr]) {
        self.told.push(Told::ListensAt(addrs.to_vec()));
    }

    fn identity_in_use(&mut self, _: PublicKey, at: IpAddr) {
        self.told.push(Told::InUse(at));
    }

    fn is_contact(&mut self, key: PublicKey) -> bool {
        self.contacts.contains(&key)
    }
}

/// One program on the network.
struct Program {
    key: PublicKey,
    ip: Ipv4Addr,
    pool: Pool,
    handler: Recorder,
}

/// Something on its way.
enum Packet {
    Up,
    Bytes(Vec<u8>),
    End { clean: bool },
}

/// A network on which everything arrives at once and in order, unless a link is cut.
#[derive(Default)]
struct Net {
    programs: Vec<Program>,
    now: Duration,
    /// The two ends of each connection.
    ends: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    packets: VecDeque<((usize, LinkId), Packet)>,
    /// Addresses that never answer.
    silent: Vec<PeerAddr>,
    /// Connections on which nothing arrives any more.
    is_cut: bool,
    dials: Vec<(Duration, PeerAddr)>,
}

fn key(number: u8) -> PublicKey {
    PublicKey::new([number; KEY_BYTES])
}

fn id(number: u8) -> MessageId {
    MessageId::new([number; 16])
}

fn messages(numbers: impl IntoIterator<Item = u8>) -> Request {
    let message = |number| Message {
        id: id(number),
        time: 0,
        again: false,
        to_all: false,
        body: format!("message {number}").into(),
    };
    Request::Messages(numbers.into_iter().map(message).collect())
}

impl Net {
    /// Programs with the keys 1, 2, ...
    fn of(count: u8) -> Self {
        let mut net = Self::default();
        for number in 1..=count {
            net.add(number, u64::from(number));
        }
        net
    }

    /// Adds a program with the key of this number, and returns its index.
    fn add(&mut self, number: u8, run: u64) -> usize {
        self.add_key(key(number), run)
    }

    /// Adds a program with this key, and returns its index.
    fn add_key(&mut self, key: PublicKey, run: u64) -> usize {
        let at = self.programs.len();
        let ip = Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) + u32::try_from(at).unwrap());
        let handler = Recorder { port: 5000, ..Recorder::default() };
        self.programs.push(Program { key, ip, pool: Pool::new(key, run), handler });
        at
    }

    fn addr(&self, at: usize) -> PeerAddr {
        PeerAddr::new(self.programs[at].ip, 5000).unwrap()
    }

    fn time(&self) -> Time {
        Time::at(self.now)
    }

    fn request(&mut self, at: usize, job: u64, to: usize, say: Request) {
        let (addrs, expect) = (vec![self.addr(to)], Some(self.programs[to].key));
        self.request_at(at, SessionRequest { job: JobId(job), addrs, expect, say, deadline: None });
    }

    fn request_at(&mut self, at: usize, request: SessionRequest) {
        let now = self.time();
        let program = &mut self.programs[at];
        program.pool.request(request, now, &mut program.handler);
    }

    /// Delivers everything that is on its way.
    fn settle(&mut self) {
        loop {
            while (0..self.programs.len()).any(|at| self.apply(at)) {}
            let Some(((at, link), packet)) = self.packets.pop_front() else {
                let stored: Vec<(usize, LinkId, Vec<MessageId>)> = self
                    .programs
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, program)| !program.handler.keeps_receipts)
                    .flat_map(|(at, program)| {
                        program
                            .handler
                            .to_store
                            .drain(..)
                            .map(move |(link, ids)| (at, link, ids))
                            .collect::<Vec<_>>()
                    })
                    .collect();
                if stored.is_empty() {
                    return;
                }
                for (at, link, ids) in stored {
                    let now = self.time();
                    let Program { pool, handler, .. } = &mut self.programs[at];
                    pool.stored(link, &ids, &[], 0, now, handler);
                }
                continue;
            };
            let now = self.time();
            let peer = self.ends.get(&(at, link)).copied();
            let peer_key = peer.map(|(peer, _)| self.programs[peer].key);
            let Program { pool, handler, ip, .. } = &mut self.programs[at];
            pool.heard(link, now);
            match packet {
                Packet::Up => {
                    if let Some(key) = peer_key {
                        pool.link_up(link, key, (*ip).into(), now, handler);
                    }
                }
                Packet::Bytes(bytes) => pool.received(link, &bytes, now, handler),
                Packet::End { clean } => {
                    pool.link_ended(link, clean, now, handler);
                    self.ends.remove(&(at, link));
                }
            }
        }
    }

    /// Does what a pool wants. Returns whether that was anything.
    fn apply(&mut self, at: usize) -> bool {
        let outputs = self.programs[at].pool.take_outputs();
        let is_anything = !outputs.is_empty();
        for output in outputs {
            match output {
                LinkOutput::Dial(link, addr, expect) => self.dial(at, link, addr, expect),
                LinkOutput::Send(link, bytes) => {
                    let count = bytes.len();
                    self.carry(at, link, Packet::Bytes(bytes));
                    let (now, Program { pool, handler, .. }) = (self.time(), &mut self.programs[at]);
                    pool.sent(link, count, now, handler);
                }
                LinkOutput::Finish(link) => self.carry(at, link, Packet::End { clean: true }),
                LinkOutput::Drop(link) => {
                    self.carry(at, link, Packet::End { clean: false });
                    self.ends.remove(&(at, link));
                }
            }
        }
        is_anything
    }

    fn carry(&mut self, at: usize, link: LinkId, packet: Packet) {
        if let Some(end) = self.ends.get(&(at, link)).filter(|_| !self.is_cut) {
            self.packets.push_back((*end, packet));
        }
    }

    fn dial(&mut self, at: usize, link: LinkId, addr: PeerAddr, expect: Option<PublicKey>) {
        let now = self.time();
        self.dials.push((self.now, addr));
        if self.silent.contains(&addr) {
            return;
        }
        let to = self.programs.iter().position(|program| program.ip == addr.ip() && addr.port() == 5000);
        let own = self.programs[at].key;
        let end = match to {
            None => Some(RequestEnd::Unreachable(SendError::Refused)),
            Some(to) if self.programs[to].key == own => Some(RequestEnd::Ourselves),
            Some(to) => {
                let offered = self.programs[to].key;
                expect.filter(|expect| *expect != offered).map(|_| RequestEnd::WrongKey(offered))
            }
        };
        if let Some(end) = end {
            let Program { pool, handler, .. } = &mut self.programs[at];
            return pool.link_failed(link, end, now, handler);
        }
        let to = to.expect("a program");
        let (source, local) = (Source::from(self.programs[at].ip), self.programs[to].ip.into());
        let other = self.programs[to].pool.accepted(source, local, now);
        self.ends.insert((at, link), (to, other));
        self.ends.insert((to, other), (at, link));
        self.packets.push_back(((at, link), Packet::Up));
        self.packets.push_back(((to, other), Packet::Up));
    }

    /// Lets this much time pass.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.settle();
            let wakes = self.programs.iter().filter_map(|program| program.pool.next_wake()).min();
            match wakes.map(Time::since_start).filter(|wake| *wake <= until) {
                Some(wake) => self.now = self.now.max(wake),
                None => break,
            }
            let now = self.time();
            for program in &mut self.programs {
                program.pool.tick(now, &mut program.handler);
            }
        }
        self.now = until;
    }

    fn told(&mut self, at: usize) -> Vec<Told> {
        std::mem::take(&mut self.programs[at].handler.told)
    }

    fn sessions(&self) -> Vec<usize> {
        self.programs.iter().map(|program| program.pool.len()).collect()
    }
}

const ANSWERED: RequestEnd = RequestEnd::Answered;

#[test]
fn messages_flow_both_ways_in_one_session() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, messages([1, 2]));
    net.settle();
    assert_eq!(
        net.told(0),
        [Told::Up(key(2)), Told::Receipts(vec![1, 2]), Told::Ended(JobId(1), 0, ANSWERED)]
    );
    assert_eq!(net.told(1), [Told::Up(key(1)), Told::Messages(vec![1, 2])]);
    net.request(1, 1, 0, messages([3]));
    net.settle();
    assert_eq!(net.told(0), [Told::Messages(vec![3])]);
    assert_eq!(net.dials.len(), 1, "the answer takes the session that stands");
    assert_eq!(net.sessions(), [1, 1]);
}

/// The hello on a connection that this program has dialed to the key 2.
fn hello_from(mut handler: Recorder) -> Hello {
    let mut pool = Pool::new(key(1), 1);
    let addrs = vec![PeerAddr::new(Ipv4Addr::new(10, 0, 0, 2), 5000).unwrap()];
    let request =
        SessionRequest { job: JobId(1), addrs, expect: Some(key(2)), say: Request::Open, deadline: None };
    let now = Time::at(Duration::ZERO);
    pool.request(request, now, &mut handler);
    let [LinkOutput::Dial(link, ..)] = pool.take_outputs()[..] else { panic!("no dial") };
    pool.link_up(link, key(2), Ipv4Addr::new(10, 0, 0, 1).into(), now, &mut handler);
    let [LinkOutput::Send(_, bytes)] = &pool.take_outputs()[..] else { panic!("no hello") };
    let mut records = Records::new();
    records.push(bytes);
    let Ok(Some(Record::Hello(hello))) = records.next_record() else { panic!("no hello") };
    hello
}

#[test]
fn stranger_learns_neither_addresses_nor_version() {
    let addresses = vec![SocketAddr::from(([10, 1, 0, 1], 5000))];
    let handler =
        |contacts| Recorder { port: 5000, addresses: addresses.clone(), contacts, ..Recorder::default() };
    let (to_stranger, to_contact) = (hello_from(handler(Vec::new())), hello_from(handler(vec![key(2)])));
    assert_eq!((&to_stranger.version[..], &to_stranger.addresses[..]), (STRANGER_VERSION, &[][..]));
    assert_eq!((&to_contact.version[..], to_contact.addresses), (env!("CARGO_PKG_VERSION"), addresses));
}

#[test]
fn new_contact_learns_addresses_in_its_session() {
    let mut net = Net::of(2);
    let addresses = vec![SocketAddr::from(([10, 1, 0, 1], 5000))];
    net.programs[0].handler.addresses = addresses.clone();
    net.request(0, 1, 1, messages([1]));
    net.settle();
    assert_eq!(net.told(1), [Told::Up(key(1)), Told::Messages(vec![1])]);
    net.programs[0].handler.contacts.push(key(2));
    for number in [2, 3] {
        net.request(0, number.into(), 1, messages([number]));
        net.settle();
    }
    let told = [Told::ListensAt(addresses), Told::Messages(vec![2]), Told::Messages(vec![3])];
    assert_eq!(net.told(1), told, "once");
}

#[test]
fn own_address_is_never_dialed() {
    let mut net = Net::of(2);
    let shared = PeerAddr::new(Ipv4Addr::new(172, 17, 0, 1), 5000).unwrap();
    net.programs[0].handler.own = vec![shared];
    net.silent.push(net.addr(1));
    let request = |job, addrs| SessionRequest {
        job: JobId(job),
        addrs,
        expect: Some(key(2)),
        say: Request::Open,
        deadline: None,
    };
    net.request_at(0, request(1, vec![shared, net.addr(1)]));
    net.pass(DIAL_SPACING * 4);
    assert_eq!(net.dials, [(Duration::ZERO, net.addr(1))]);
    net.request_at(0, request(2, vec![shared]));
    net.settle();
    assert_eq!(net.dials.len(), 1);
}

#[test]
fn new_name_goes_out_on_every_session() {
    let mut net = Net::of(3);
    // One session that the peer dialed, and one that we dialed.
    net.request(1, 1, 0, Request::Open);
    net.request(0, 1, 2, Request::Open);
    net.settle();
    (1..3).for_each(|at| drop(net.told(at)));
    let name = PeerName::new("Zoe");
    let Program { pool, handler, .. } = &mut net.programs[0];
    handler.name = Some(name.clone());
    pool.rename(handler);
    net.settle();
    for at in 1..3 {
        assert_eq!(net.told(at), [Told::Renamed(key(1), name.clone())]);
    }
}

/// The records that a pool sends.
fn records(pool: &mut Pool) -> Vec<(LinkId, Record)> {
    let mut sent = Vec::new();
    for output in pool.take_outputs() {
        let LinkOutput::Send(link, bytes) = output else { continue };
        let mut records = Records::new();
        records.push(&bytes);
        while let Ok(Some(record)) = records.next_record() {
            sent.push((link, record));
        }
    }
    sent
}

#[test]
fn changes_are_repeated_in_the_session_that_stays() {
    let (mut pool, mut handler) = (Pool::new(key(9), 1), Recorder { port: 5000, ..Recorder::default() });
    handler.contacts.push(key(1));
    let hello = hello_of(5, false);
    let [first, second] =
        [0, 1].map(|_| says_hello(&mut pool, &mut handler, key(1), &hello, Time::default()));
    pool.take_outputs();
    let (name, addresses) = (PeerName::new("Zoe"), vec![SocketAddr::from(([10, 1, 0, 1], 5000))]);
    (handler.name, handler.addresses) = (Some(name.clone()), addresses.clone());
    pool.command(SessionCommand::Rename, Time::default(), &mut handler);
    let on = |link| [(link, Record::Name(name.clone())), (link, Record::Addresses(addresses.clone()))];
    assert_eq!(records(&mut pool), on(second));
    // The peer may have ignored that, because it keeps the first session.
    let bye = Record::Bye(ByeReason::Replaced).encode();
    pool.received(second, &bye, Time::default(), &mut handler);
    assert_eq!(records(&mut pool), on(first));
    pool.command(SessionCommand::Rename, Time::default(), &mut handler);
    assert_eq!(records(&mut pool), []);
}

#[test]
fn wish_to_verify_is_sent_once_a_minute() {
    let (mut pool, mut handler) = (Pool::new(key(9), 1), Recorder { port: 5000, ..Recorder::default() });
    let mut asks = |pool: &mut Pool, now| {
        pool.command(SessionCommand::AskToVerify(key(1)), now, &mut handler);
        records(pool)
    };
    assert_eq!(asks(&mut pool, Time::default()), [], "no session is open");
    let link = says_hello(&mut pool, &mut Recorder::default(), key(1), &hello_of(5, false), Time::default());
    pool.take_outputs();
    let after = |seconds| Time::default().plus(Duration::from_secs(seconds));
    assert_eq!(asks(&mut pool, after(1)), [(link, Record::Verify)]);
    assert_eq!(asks(&mut pool, after(60)), []);
    assert_eq!(asks(&mut pool, after(61)), [(link, Record::Verify)]);
}

#[test]
fn name_changed_during_the_dial_follows_the_hello() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let link = dials(&mut pool, &mut handler);
    pool.take_outputs();
    let name = PeerName::new("Zoe");
    handler.name = Some(name.clone());
    pool.command(SessionCommand::Rename, Time::default(), &mut handler);
    assert_eq!(records(&mut pool), []);
    pool.received(link, &hello_of(5, false), Time::default(), &mut handler);
    assert_eq!(records(&mut pool), [(link, Record::Name(name))]);
}

#[test]
fn simultaneous_dials_keep_session_of_smaller_key() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, messages([1]));
    net.request(1, 1, 0, messages([2]));
    net.settle();
    assert_eq!((net.dials.len(), net.sessions()), (2, vec![1, 1]));
    for (at, received) in [(0, 2), (1, 1)] {
        let told = net.told(at);
        assert!(told.contains(&Told::Messages(vec![received])), "{told:?}");
        assert!(told.contains(&Told::Ended(JobId(1), 0, ANSWERED)), "{told:?}");
        assert!(!told.iter().any(|told| matches!(told, Told::Down(_))), "{told:?}");
    }
    net.pass(Duration::from_secs(60));
    assert_eq!(net.ends.len(), 2, "one connection is left");
}

#[test]
fn both_sides_keep_the_same_of_two_sessions() {
    let mut net = Net::of(2);
    // The second program dialed long ago, but the first one was suspended and has only just read
    // that.
    net.request(1, 1, 0, messages([2]));
    let early = net.programs[1].pool.take_outputs();
    net.now = SIMULTANEOUS + Duration::from_secs(2);
    net.request(0, 1, 1, messages([1]));
    for output in early {
        let LinkOutput::Dial(link, addr, expect) = output else { panic!("{output:?} is no dial") };
        net.dial(1, link, addr, expect);
    }
    net.pass(Duration::from_secs(10));
    assert_eq!((net.ends.len(), net.sessions()), (2, vec![1, 1]));
    for (at, received) in [(0, 2), (1, 1)] {
        let told = net.told(at);
        assert!(told.contains(&Told::Messages(vec![received])), "{told:?}");
        assert!(!told.iter().any(|told| matches!(told, Told::Down(_))), "{told:?}");
    }
}

#[test]
fn newer_session_of_same_run_replaces_older() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    net.told(0);
    net.pass(Duration::from_secs(11));
    let addrs = vec![net.addr(1)];
    let request = SessionRequest { job: JobId(2), addrs, expect: None, say: Request::Open, deadline: None };
    net.request_at(0, request);
    net.settle();
    assert_eq!(net.told(0), [Told::Up(key(2)), Told::Ended(JobId(2), 0, ANSWERED)]);
    assert_eq!(net.sessions(), [1, 1]);
    net.pass(Duration::from_secs(10));
    assert_eq!(net.ends.len(), 2);
    assert!(!net.told(1).iter().any(|told| matches!(told, Told::Down(_))));
}

#[test]
fn unreceipted_messages_are_resent_in_new_session() {
    let mut net = Net::of(2);
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 1, 1, messages([1, 2, 3]));
    net.settle();
    assert_eq!(net.told(1), [Told::Up(key(1)), Told::Messages(vec![1, 2, 3])]);
    net.pass(Duration::from_secs(11));
    let addrs = vec![net.addr(1)];
    let request = SessionRequest { job: JobId(2), addrs, expect: None, say: Request::Open, deadline: None };
    net.request_at(0, request);
    net.settle();
    assert!(net.told(1).contains(&Told::Messages(vec![1, 2, 3])), "in their order, with the same ids");
}

#[test]
fn second_program_with_same_key_is_refused() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    let twin = net.add(1, 77);
    net.told(0);
    net.request(twin, 1, 1, messages([9]));
    net.pass(Duration::from_secs(1));
    let told = net.told(twin);
    assert!(told.contains(&Told::InUse(net.programs[0].ip.into())), "{told:?}");
    assert!(told.contains(&Told::Ended(JobId(1), 0, RequestEnd::Bye(ByeReason::InUse))), "{told:?}");
    assert_eq!(net.told(0), [Told::InUse(net.programs[twin].ip.into())]);
    assert_eq!(net.sessions(), [1, 1, 0]);
}

#[test]
fn restarted_program_replaces_its_silent_session() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    // The first program is gone without a word.
    let old = net.ends.keys().filter(|(at, _)| *at == 0).copied().collect::<Vec<_>>();
    for end in old {
        let other = net.ends.remove(&end).expect("an end");
        net.ends.remove(&other);
    }
    let again = net.add(1, 78);
    net.request(again, 1, 1, messages([9]));
    net.told(1);
    net.pass(Duration::from_secs(4));
    assert!(!net.told(1).contains(&Told::Messages(vec![9])));
    net.pass(Duration::from_secs(2));
    let told = net.told(1);
    assert_eq!(told, [Told::Down(None), Told::Up(key(1)), Told::Messages(vec![9])]);
}

#[test]
fn late_pong_does_not_refuse_restarted_program() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    // The first program is gone, and only its answer to an earlier ping is still on its way.
    let (end, other) =
        net.ends.iter().find(|((at, _), _)| *at == 0).map(|(end, other)| (*end, *other)).unwrap();
    net.ends.remove(&end);
    net.ends.remove(&other);
    let again = net.add(1, 78);
    net.request(again, 1, 1, messages([9]));
    net.settle();
    let now = net.time();
    let Program { pool, handler, .. } = &mut net.programs[1];
    pool.received(other.1, &Record::Pong(0).encode(), now, handler);
    net.pass(OLDER_ANSWERS_WITHIN + Duration::from_secs(1));
    assert!(net.told(1).contains(&Told::Messages(vec![9])));
    assert!(!net.told(again).iter().any(|told| matches!(told, Told::InUse(_))));
}

#[test]
fn ending_program_says_goodbye_in_all_sessions() {
    let mut net = Net::of(3);
    net.request(0, 1, 1, Request::Open);
    net.request(2, 1, 0, Request::Open);
    net.settle();
    let (now, Program { pool, handler, .. }) = (net.time(), &mut net.programs[0]);
    pool.close(now, handler);
    net.settle();
    for at in [1, 2] {
        assert!(net.told(at).contains(&Told::Down(Some(ByeReason::Leaves))));
    }
    assert_eq!(net.sessions(), [0, 0, 0]);
}

#[test]
fn ending_program_lets_no_challenger_in() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    for run in [5, 6] {
        says_hello(&mut pool, &mut handler, key(2), &hello_of(run, false), Time::default());
    }
    pool.close(Time::default(), &mut handler);
    assert!(pool.is_empty());
    assert_eq!(handler.told, [Told::Up(key(2)), Told::Down(Some(ByeReason::Idle))]);
}

#[test]
fn silent_session_is_over_after_three_pings() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    net.pass(Duration::from_secs(600));
    assert_eq!(net.sessions(), [1, 1], "pings keep it alive");
    net.told(0);
    net.is_cut = true;
    net.pass(SILENCE - Duration::from_secs(16));
    assert_eq!(net.sessions(), [1, 1]);
    net.pass(Duration::from_secs(17));
    assert_eq!(net.sessions(), [0, 0]);
    assert_eq!(net.told(0), [Told::Down(None)]);
}

#[test]
fn probe_behind_own_messages_has_time_for_them() {
    // 40 KB, which take 10 s on the slowest line.
    let message =
        Message { id: id(1), time: 0, again: false, to_all: false, body: "x".repeat(40_000).into() };
    for answers in [true, false] {
        let mut net = Net::of(2);
        net.programs[1].handler.contacts.push(key(1));
        net.request(0, 1, 1, Request::Open);
        net.settle();
        net.is_cut = true;
        net.request(0, 2, 1, Request::Messages(vec![message.clone()]));
        net.request(0, 3, 1, Request::Open);
        net.told(0);
        net.pass(PROBE_WITHIN + Duration::from_secs(9));
        assert_eq!(net.told(0), [], "it is still on its way");
        if answers {
            let (_, link) = *net.ends.keys().find(|(at, _)| *at == 0).expect("a connection");
            net.packets.push_back(((0, link), Packet::Bytes(Record::Receipt(vec![id(1)]).encode())));
        }
        net.pass(Duration::from_secs(1));
        let told = net.told(0);
        let expected = if answers { ANSWERED } else { RequestEnd::Broken };
        assert_eq!(told.last(), Some(&Told::Ended(JobId(3), 0, expected)), "{told:?}");
    }
}

#[test]
fn probe_is_answered_by_whatever_comes() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    net.is_cut = true;
    net.request(0, 2, 1, Request::Open);
    net.told(0);
    net.pass(Duration::from_secs(1));
    // The beginning of a long message, behind which the pong has to wait.
    let text =
        Record::Text { id: id(1), time: 0, again: false, to_all: false, body: "x".repeat(60_000).into() }
            .encode();
    let (_, link) = *net.ends.keys().find(|(at, _)| *at == 0).expect("a connection");
    net.packets.push_back(((0, link), Packet::Bytes(text[..1_400].to_vec())));
    net.pass(PROBE_WITHIN);
    assert_eq!(net.told(0), [Told::Ended(JobId(2), 0, ANSWERED)]);
    net.request(0, 3, 1, Request::Open);
    net.pass(PROBE_WITHIN);
    assert_eq!(net.told(0), [Told::Ended(JobId(3), 0, RequestEnd::Broken)], "that came before");
}

#[test]
fn checked_session_has_time_for_own_messages() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    net.is_cut = true;
    let message =
        Message { id: id(1), time: 0, again: false, to_all: false, body: "x".repeat(40_000).into() };
    net.request(0, 2, 1, Request::Messages(vec![message]));
    let (now, Program { pool, handler, ip, .. }) = (net.time(), &mut net.programs[0]);
    pool.readdress(&[(*ip).into()], now, handler);
    net.pass(CHECKED_WITHIN + Duration::from_secs(9));
    assert_eq!(net.sessions()[0], 1);
    net.pass(Duration::from_secs(1));
    assert_eq!(net.sessions()[0], 0);
}

#[test]
fn addresses_are_dialed_250_ms_apart() {
    let mut net = Net::of(2);
    let good = net.addr(1);
    let silent: Vec<PeerAddr> =
        (0..3).map(|n| PeerAddr::new(Ipv4Addr::new(127, 0, 1, n + 1), 5000).unwrap()).collect();
    net.silent.clone_from(&silent);
    let addrs: Vec<PeerAddr> = silent.iter().copied().chain([good]).collect();
    let request = SessionRequest {
        job: JobId(1),
        addrs: addrs.clone(),
        expect: Some(key(2)),
        say: Request::Open,
        deadline: None,
    };
    net.request_at(0, request);
    net.pass(Duration::from_secs(2));
    let times: Vec<u128> = net.dials.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(times, [0, 250, 500, 750]);
    assert_eq!(net.told(0), [Told::Up(key(2)), Told::Ended(JobId(1), 0, ANSWERED)]);
    assert!(!net.programs[0].pool.is_idle() && net.programs[0].pool.len() == 1);
}

#[test]
fn most_telling_end_of_several_addresses_is_told() {
    let mut net = Net::of(3);
    let unused = PeerAddr::new(Ipv4Addr::new(127, 0, 2, 1), 5000).unwrap();
    let addrs = vec![unused, net.addr(2), unused];
    let request =
        SessionRequest { job: JobId(1), addrs, expect: Some(key(2)), say: Request::Open, deadline: None };
    net.request_at(0, request);
    net.settle();
    assert_eq!(net.told(0), [Told::Ended(JobId(1), 0, RequestEnd::WrongKey(key(3)))]);
    assert!(net.programs[0].pool.is_idle());
}

#[test]
fn peer_that_does_not_answer_ends_the_request() {
    let mut net = Net::of(1);
    let unused = PeerAddr::new(Ipv4Addr::new(127, 0, 2, 1), 5000).unwrap();
    net.silent.push(unused);
    let request = SessionRequest {
        job: JobId(1),
        addrs: vec![unused],
        expect: Some(key(2)),
        say: Request::Open,
        deadline: None,
    };
    net.request_at(0, request);
    net.pass(OPENING_SILENCE);
    assert_eq!(net.told(0), [Told::Ended(JobId(1), 0, RequestEnd::Unreachable(SendError::TimedOut))]);
}

#[test]
fn silence_before_both_hellos_ends_the_dial() {
    // Behind our line, and behind the handshake.
    for (is_encrypted, expected) in [(false, RequestEnd::NoSession), (true, RequestEnd::Broken)] {
        let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
        let addr = PeerAddr::new(Ipv4Addr::new(127, 0, 2, 1), 5000).unwrap();
        let request = SessionRequest {
            job: JobId(1),
            addrs: vec![addr],
            expect: Some(key(2)),
            say: messages([1]),
            deadline: None,
        };
        let begin = Time::at(Duration::ZERO);
        pool.request(request, begin, &mut handler);
        let [LinkOutput::Dial(link, ..)] = pool.take_outputs()[..] else { panic!("one dial") };
        pool.connected(link, begin);
        if is_encrypted {
            pool.link_up(link, key(2), Ipv4Addr::LOCALHOST.into(), begin, &mut handler);
            let mut sent = Records::new();
            for output in pool.take_outputs() {
                let LinkOutput::Send(_, bytes) = output else { panic!("{output:?}") };
                sent.push(&bytes);
            }
            assert!(matches!(sent.next_record(), Ok(Some(Record::Hello(_)))));
            assert_eq!(sent.next_record(), Ok(None), "no message before the peer's hello");
        }
        assert_eq!(pool.next_wake(), Some(begin.plus(OPENING_SILENCE)));
        pool.tick(begin.plus(OPENING_SILENCE), &mut handler);
        assert_eq!(handler.told, [Told::Ended(JobId(1), 0, expected)]);
        assert_eq!(pool.take_outputs(), [LinkOutput::Drop(link)]);
        assert!(pool.is_idle());
    }
}

#[test]
fn late_request_ends_and_its_dial_with_it() {
    let mut net = Net::of(1);
    let unused = PeerAddr::new(Ipv4Addr::new(127, 0, 2, 1), 5000).unwrap();
    net.silent.push(unused);
    let deadline = Some(Time::at(Duration::from_secs(2)));
    let request =
        SessionRequest { job: JobId(1), addrs: vec![unused], expect: None, say: Request::Ping, deadline };
    net.request_at(0, request);
    net.pass(Duration::from_secs(2));
    assert_eq!(net.told(0), [Told::Ended(JobId(1), 0, RequestEnd::Unreachable(SendError::TimedOut))]);
    assert!(net.programs[0].pool.is_idle());
}

#[test]
fn refused_peer_hears_why() {
    let mut net = Net::of(2);
    net.programs[1].handler.refuses = Some(ByeReason::NotAccepted);
    net.request(0, 1, 1, messages([1]));
    net.settle();
    let ended = Told::Ended(JobId(1), 0, RequestEnd::Bye(ByeReason::NotAccepted));
    // The handler hears the key that the peer has proven.
    assert_eq!(net.told(0), [Told::Up(key(2)), ended]);
    assert_eq!(net.told(1), [Told::Refused(key(1), None)]);
    net.pass(PART_WITHIN);
    assert!(net.programs.iter().all(|program| program.pool.is_idle()));
}

#[test]
fn all_requests_learn_which_key_refuses() {
    let mut net = Net::of(2);
    net.programs[1].handler.refuses = Some(ByeReason::NotDecided);
    net.request(0, 1, 1, Request::Open);
    net.request(0, 2, 1, messages([1]));
    net.settle();
    let told = net.told(0);
    // The first message goes out all the same, for the peer to hold.
    let ended = |job, written| Told::Ended(JobId(job), written, RequestEnd::Bye(ByeReason::NotDecided));
    assert_eq!(told, [Told::Up(key(2)), Told::Up(key(2)), ended(1, 0), ended(2, 1)]);
}

#[test]
fn dial_continues_after_its_key_was_refused() {
    let mut net = Net::of(2);
    net.programs[0].handler.refuses = Some(ByeReason::NotDecided);
    net.request(0, 1, 1, Request::Open);
    net.request(1, 1, 0, Request::Open);
    net.settle();
    let told = net.told(0);
    // The key is refused at the address that was dialed, too, which nothing else shows.
    for expected in [Told::Refused(key(2), None), Told::Refused(key(2), Some(JobId(1)))] {
        assert!(told.contains(&expected), "{told:?}");
    }
    assert_eq!(told.last(), Some(&Told::Ended(JobId(1), 0, ANSWERED)));
    net.pass(PART_WITHIN);
    assert!(net.programs.iter().all(|program| program.pool.is_idle()));
}

#[test]
fn handler_hears_that_our_bye_ended_the_session() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.request(0, 2, 1, Request::Bye);
    net.settle();
    let told = net.told(0);
    assert_eq!(told.last(), Some(&Told::Down(Some(ByeReason::Idle))), "{told:?}");
    assert_eq!(net.told(1).last(), Some(&Told::Down(Some(ByeReason::Leaves))));
}

#[test]
fn ping_before_a_bye_does_not_undo_it() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    let (_, link) = *net.ends.keys().find(|(at, _)| *at == 1).expect("a connection");
    let Program { pool, handler, .. } = &mut net.programs[1];
    pool.received(link, &Record::Ping(1).encode(), Time::at(Duration::ZERO), handler);
    let signs_of_life = handler.signs_of_life;
    assert!(signs_of_life > 0);
    // On a slow machine both arrive at once.
    let both = [Record::Ping(2).encode(), Record::Bye(ByeReason::Leaves).encode()].concat();
    pool.received(link, &both, Time::at(Duration::ZERO), handler);
    assert_eq!(handler.told.last(), Some(&Told::Down(Some(ByeReason::Leaves))));
    assert_eq!(handler.signs_of_life, signs_of_life);
}

#[test]
fn nothing_is_sent_behind_a_bye() {
    let mut net = Net::of(2);
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 1, 1, messages([1]));
    net.settle();
    let (_, link) = *net.ends.keys().find(|(at, _)| *at == 1).expect("a connection");
    let Program { pool, handler, .. } = &mut net.programs[1];
    pool.part(key(1), ByeReason::Idle, Time::at(Duration::ZERO), handler);
    assert_eq!(pool.take_outputs().len(), 2, "the bye, and the end");
    pool.stored(link, &[id(1)], &[], 0, Time::at(Duration::ZERO), handler);
    pool.received(link, &Record::Ping(1).encode(), Time::at(Duration::ZERO), handler);
    assert_eq!(pool.take_outputs(), []);
}

#[test]
fn goodbye_follows_the_receipts_of_earlier_messages() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, messages([1]));
    net.request(0, 2, 1, Request::Bye);
    net.settle();
    let told = net.told(0);
    let ended: Vec<&Told> = told.iter().filter(|told| matches!(told, Told::Ended(..))).collect();
    assert_eq!(ended, [&Told::Ended(JobId(1), 0, ANSWERED), &Told::Ended(JobId(2), 0, ANSWERED)]);
    let told = net.told(1);
    assert_eq!(told, [Told::Up(key(1)), Told::Messages(vec![1]), Told::Down(Some(ByeReason::Leaves))]);
    assert_eq!(net.sessions(), [0, 0]);
}

/// The messages that a program was given.
fn received(told: Vec<Told>) -> Vec<u8> {
    let ids = told.into_iter().filter_map(|told| match told {
        Told::Messages(ids) => Some(ids),
        _ => None,
    });
    ids.flatten().collect()
}

#[test]
fn contact_has_sixty_four_short_messages_in_flight() {
    let mut net = Net::of(2);
    net.programs[1].handler.contacts.push(key(1));
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 1, 1, messages(1..=100));
    net.settle();
    assert_eq!(received(net.told(1)), (1..=64).collect::<Vec<u8>>());
}

#[test]
fn stranger_is_slowed_until_it_is_a_contact() {
    let mut net = Net::of(2);
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 1, 1, messages(1..=100));
    net.settle();
    assert_eq!(received(net.told(1)), [1, 2, 3, 4], "without a receipt");
    net.programs[1].handler.keeps_receipts = false;
    net.settle();
    assert_eq!(received(net.told(1)), (5..=24).collect::<Vec<u8>>(), "the window is full again");
    net.pass(3 * STRANGER_INTERVAL);
    assert_eq!(received(net.told(1)), [25, 26, 27]);
    net.programs[1].handler.contacts.push(key(1));
    net.pass(STRANGER_INTERVAL);
    assert_eq!(received(net.told(1)), (28..=100).collect::<Vec<u8>>());
    assert!(net.told(0).contains(&Told::Ended(JobId(1), 0, ANSWERED)));
}

/// Opens a session in which this key has dialed a pool.
fn accept(pool: &mut Pool, key: PublicKey, now: Time, handler: &mut Recorder) -> LinkId {
    let link = pool.accepted(Source::from(Ipv4Addr::LOCALHOST), Ipv4Addr::LOCALHOST.into(), now);
    pool.link_up(link, key, Ipv4Addr::LOCALHOST.into(), now, handler);
    pool.received(link, &hello_of(0, false), now, handler);
    link
}

#[test]
fn stranger_that_reconnects_sends_no_faster() {
    let (mut handler, mut pool) = (Recorder::default(), Pool::new(key(1), 1));
    let mut numbers = 0..;
    // Each session ends when its window is full.
    let mut sends = |handler: &mut Recorder, now: Time| {
        for _ in 0..12 {
            let link = accept(&mut pool, key(2), now, handler);
            for number in numbers.by_ref().take(4) {
                let text =
                    Record::Text { id: id(number), time: 0, again: false, to_all: false, body: "hi".into() };
                pool.received(link, &text.encode(), now, handler);
            }
            pool.link_ended(link, false, now, handler);
        }
        received(std::mem::take(&mut handler.told)).len()
    };
    // The burst, and what may be ahead of the receipts.
    assert_eq!(sends(&mut handler, Time::at(Duration::ZERO)), 25);
    assert_eq!(sends(&mut handler, Time::at(3 * STRANGER_INTERVAL)), 3);
    handler.contacts.push(key(2));
    assert_eq!(sends(&mut handler, Time::at(3 * STRANGER_INTERVAL)), 48, "a contact may");
}

#[test]
fn held_messages_of_all_sessions_are_bounded() {
    let mut handler = Recorder { is_full: true, ..Recorder::default() };
    let mut pool = Pool::new(key(1), 1);
    let now = Time::at(Duration::ZERO);
    let links: Vec<LinkId> = (2..72)
        .map(|number| {
            handler.contacts.push(key(number));
            accept(&mut pool, key(number), now, &mut handler)
        })
        .collect();
    pool.take_outputs();
    let text =
        Record::Text { id: id(1), time: 0, again: false, to_all: false, body: "x".repeat(65_536).into() }
            .encode();
    for link in &links {
        pool.received(*link, &text, now, &mut handler);
    }
    let room = MAX_HELD_BYTES / 65_536;
    let not_stored = Record::NotStored(vec![id(1)], RETRY_AFTER).encode();
    let expected: Vec<LinkOutput> =
        links[room..].iter().map(|link| LinkOutput::Send(*link, not_stored.clone())).collect();
    assert_eq!(pool.take_outputs(), expected);
    handler.is_full = false;
    pool.tick(now.plus(OFFER_AGAIN_AFTER), &mut handler);
    assert_eq!(received(handler.told).len(), room);
}

#[test]
fn window_holds_messages_back_until_receipts_come() {
    let mut net = Net::of(2);
    net.programs[1].handler.contacts.push(key(1));
    net.programs[1].handler.keeps_receipts = true;
    let body: std::sync::Arc<str> = "x".repeat(60_000).into();
    let message =
        |number| Message { id: id(number), time: 0, again: false, to_all: false, body: body.clone() };
    net.request(0, 1, 1, Request::Messages((1..=9).map(message).collect()));
    net.settle();
    assert_eq!(received(net.told(1)), [1, 2, 3, 4], "256 KiB");
    net.programs[1].handler.keeps_receipts = false;
    net.settle();
    assert_eq!(received(net.told(1)), [5, 6, 7, 8, 9]);
}

/// Requests messages of 64 KiB with these numbers for a key.
fn requests_long_messages(pool: &mut Pool, key: PublicKey, numbers: &[u8], handler: &mut Recorder) {
    let body: std::sync::Arc<str> = "x".repeat(MAX_TEXT_BYTES).into();
    let message =
        |number: &u8| Message { id: id(*number), time: 0, again: false, to_all: false, body: body.clone() };
    let say = Request::Messages(numbers.iter().map(message).collect());
    let request = SessionRequest { job: JobId(1), addrs: Vec::new(), expect: Some(key), say, deadline: None };
    pool.request(request, Time::default(), handler);
}

/// What a pool sends on each connection: how many bytes, and the numbers of the messages.
fn sends(pool: &mut Pool) -> BTreeMap<LinkId, (usize, Vec<u8>)> {
    let mut sent: BTreeMap<LinkId, (usize, Vec<u8>)> = BTreeMap::new();
    for output in pool.take_outputs() {
        let LinkOutput::Send(link, bytes) = output else { continue };
        let (count, numbers) = sent.entry(link).or_default();
        *count += bytes.len();
        let mut records = Records::new();
        records.push(&bytes);
        while let Some(record) = records.next_record().expect("they are records") {
            if let Record::Text { id, .. } = record {
                numbers.push(id.as_bytes()[0]);
            }
        }
    }
    sent
}

#[test]
fn messages_wait_until_earlier_ones_are_sent() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let now = Time::default();
    let link = says_hello(&mut pool, &mut handler, key(2), &hello_with(5, WINDOW_BYTES), now);
    let hello = sends(&mut pool)[&link].0;
    pool.sent(link, hello, now, &mut handler);
    requests_long_messages(&mut pool, key(2), &[1, 2, 3], &mut handler);
    let first = sends(&mut pool);
    assert_eq!(first[&link].1, [1]);
    // A part of it has gone, and the rest has not.
    pool.sent(link, first[&link].0 - 1, now, &mut handler);
    assert_eq!(sends(&mut pool), BTreeMap::new());
    // Other records do not wait.
    pool.received(link, &Record::Ping(1).encode(), now, &mut handler);
    assert_eq!(pool.take_outputs(), [LinkOutput::Send(link, Record::Pong(1).encode())]);
    pool.sent(link, 1 + Record::Pong(1).encode().len(), now, &mut handler);
    assert_eq!(sends(&mut pool)[&link].1, [2]);
}

#[test]
fn unsent_bytes_of_all_sessions_are_bounded() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let now = Time::default();
    let keys: Vec<PublicKey> = (0..MAX_SESSIONS).map(numbered_key).collect();
    handler.contacts = keys[..MAX_SESSIONS - MAX_STRANGER_SESSIONS].to_vec();
    let mut links = Vec::new();
    for key in &keys {
        // Strangers of one source prefix have fewer sessions, but for loopback.
        let local = Ipv4Addr::LOCALHOST;
        let link = pool.accepted(Source::from(local), local.into(), now);
        pool.link_up(link, *key, local.into(), now, &mut handler);
        pool.received(link, &hello_with(5, WINDOW_BYTES), now, &mut handler);
        links.push(link);
    }
    // No peer reads anything but our hello.
    for (link, (hello, _)) in sends(&mut pool) {
        pool.sent(link, hello, now, &mut handler);
    }
    keys.iter().for_each(|key| requests_long_messages(&mut pool, *key, &[1, 2, 3, 4], &mut handler));
    links.iter().for_each(|link| pool.received(*link, &Record::Ping(1).encode(), now, &mut handler));
    let unsent = sends(&mut pool);
    assert_eq!((pool.len(), unsent.len()), (MAX_SESSIONS, MAX_SESSIONS));
    for (count, numbers) in unsent.values() {
        assert!(numbers == &[1] && *count <= MAX_UNSENT, "{count} bytes, {numbers:?}");
    }
    let all: usize = unsent.values().map(|(count, _)| count).sum();
    assert!(all <= MAX_SESSIONS * MAX_UNSENT && MAX_SESSIONS * MAX_UNSENT < MAX_UNSENT_OF_ALL, "{all}");
    // A contact that reads is not affected.
    let (link, (count, _)) = unsent.first_key_value().expect("a session");
    pool.sent(*link, *count, now, &mut handler);
    assert_eq!(sends(&mut pool)[link].1, [2]);
}

#[test]
fn full_receiver_is_offered_the_messages_again() {
    let mut net = Net::of(2);
    net.programs[1].handler.is_full = true;
    net.request(0, 1, 1, messages([1]));
    net.settle();
    assert_eq!(net.told(0), [Told::Up(key(2))]);
    let again_at = net.time().plus(OFFER_AGAIN_AFTER);
    assert_eq!(net.programs[1].pool.next_wake(), Some(again_at));
    net.programs[1].handler.is_full = false;
    net.pass(OFFER_AGAIN_AFTER);
    assert!(net.told(0).contains(&Told::Ended(JobId(1), 0, ANSWERED)));
}

#[test]
fn message_that_is_not_stored_ends_its_request() {
    let mut net = Net::of(2);
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 1, 1, messages([1, 2]));
    net.settle();
    let (link, _) = net.programs[1].handler.to_store.remove(0);
    let now = net.time();
    let Program { pool, handler, .. } = &mut net.programs[1];
    pool.stored(link, &[id(1)], &[id(2)], 30, now, handler);
    net.settle();
    let told = net.told(0);
    assert!(told.contains(&Told::Ended(JobId(1), 1, RequestEnd::NotStored(30))), "{told:?}");
    assert_eq!(net.sessions(), [1, 1], "the session stays");
}

#[test]
fn receipts_of_one_read_are_told_together() {
    let mut net = Net::of(2);
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 1, 1, messages([1, 2, 3]));
    net.settle();
    net.told(0);
    let (_, link) = *net.ends.keys().find(|(at, _)| *at == 0).expect("a connection");
    let receipt = |number| Record::Receipt(vec![id(number)]).encode();
    let not_stored = Record::NotStored(vec![id(3)], 30).encode();
    let bytes = [receipt(1), receipt(2), not_stored, Record::Ping(1).encode()].concat();
    let now = net.time();
    let Program { pool, handler, .. } = &mut net.programs[0];
    pool.received(link, &bytes, now, handler);
    let ended = Told::Ended(JobId(1), 1, RequestEnd::NotStored(30));
    assert_eq!(net.told(0), [Told::Receipts(vec![1, 2]), ended]);
}

#[test]
fn broken_session_is_tried_once_more() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    net.told(0);
    net.programs[1].handler.keeps_receipts = true;
    net.request(0, 2, 1, messages([1]));
    net.settle();
    let (at, link) = *net.ends.keys().find(|(at, _)| *at == 0).expect("an end");
    net.packets.push_back(((at, link), Packet::End { clean: false }));
    net.programs[1].handler.keeps_receipts = false;
    net.settle();
    assert_eq!(net.dials.len(), 2);
    let told = net.told(0);
    assert!(told.contains(&Told::Ended(JobId(2), 0, ANSWERED)), "{told:?}");
}

#[test]
fn bytes_that_are_no_records_end_the_connection() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    let (at, link) = *net.ends.keys().find(|(at, _)| *at == 1).expect("an end");
    net.packets.push_back(((at, link), Packet::Bytes(vec![0xff; 64])));
    net.settle();
    assert_eq!(net.told(1).last(), Some(&Told::Down(None)));
    assert_eq!(net.told(0).last(), Some(&Told::Down(Some(ByeReason::NotUnderstood))));
}

#[test]
fn nothing_is_taken_behind_a_fault() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, messages([1]));
    net.settle();
    net.told(1);
    let (_, link) = *net.ends.keys().find(|(at, _)| *at == 1).expect("a connection");
    let text = |number| {
        let message = format!("message {number}").into();
        Record::Text { id: id(number), time: 0, again: false, to_all: false, body: message }.encode()
    };
    // A second hello, for which only its kind counts.
    let second = Record::Hello(net.programs[0].handler.hello(Ipv4Addr::LOCALHOST.into())).encode();
    let Program { pool, handler, .. } = &mut net.programs[1];
    for bytes in [[text(2), second, text(3)].concat(), text(4)] {
        pool.received(link, &bytes, Time::at(Duration::ZERO), handler);
    }
    assert_eq!(net.told(1), [Told::Messages(vec![2]), Told::Down(None)]);
}

#[test]
fn connection_that_says_nothing_is_dropped() {
    let mut pool = Pool::new(key(1), 1);
    let mut handler = Recorder::default();
    let now = Time::default();
    let source = Source::from(Ipv4Addr::new(192, 0, 2, 1));
    let link = pool.accepted(source, Ipv4Addr::LOCALHOST.into(), now);
    assert!(!pool.is_open(link) && !pool.is_idle());
    pool.tick(now.plus(OPENING_SILENCE), &mut handler);
    assert_eq!(pool.take_outputs(), [LinkOutput::Drop(link)]);
    assert!(pool.is_idle());
}

#[test]
fn opening_that_trickles_ends_after_a_minute() {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Stage {
        Accepted,
        Dialed,
        Encrypted,
    }
    for stage in [Stage::Accepted, Stage::Dialed, Stage::Encrypted] {
        let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
        let link = match stage {
            Stage::Accepted => {
                pool.accepted(Source::from(Ipv4Addr::LOCALHOST), Ipv4Addr::LOCALHOST.into(), Time::default())
            }
            Stage::Dialed => dialed_link(&mut pool, &mut handler),
            Stage::Encrypted => dials(&mut pool, &mut handler),
        };
        pool.take_outputs();
        // A byte comes before each silence would be too long.
        let pause = OPENING_SILENCE - Duration::from_secs(1);
        let mut now = Duration::ZERO;
        while now < OPEN_WITHIN {
            pool.heard(link, Time::at(now));
            pool.tick(Time::at(now), &mut handler);
            assert_eq!(
                (pool.take_outputs(), &handler.told[..]),
                (Vec::new(), &[][..]),
                "{stage:?} at {now:?}"
            );
            now += pause;
        }
        assert_eq!(pool.next_wake(), Some(Time::at(OPEN_WITHIN)));
        pool.tick(Time::at(OPEN_WITHIN), &mut handler);
        assert_eq!(pool.take_outputs(), [LinkOutput::Drop(link)]);
        let ended = |end| vec![Told::Ended(JobId(1), 0, end)];
        let expected = match stage {
            Stage::Accepted => Vec::new(),
            Stage::Dialed => ended(RequestEnd::NoSession),
            Stage::Encrypted => ended(RequestEnd::Broken),
        };
        assert_eq!(handler.told, expected);
        assert!(pool.is_idle());
    }
}

#[test]
fn session_beyond_the_limit_closes_an_idle_one() {
    let mut net = Net::of(1);
    let others: Vec<usize> =
        (0..=MAX_SESSIONS).map(|number| net.add_key(numbered_key(number), 2 + number as u64)).collect();
    for at in others.clone() {
        let key = net.programs[at].key;
        net.programs[0].handler.contacts.push(key);
        net.request(0, at as u64, at, Request::Open);
        net.settle();
        net.now += Duration::from_millis(1);
    }
    let without = |net: &Net| -> Vec<usize> {
        others.iter().copied().filter(|at| net.programs[*at].pool.is_empty()).collect()
    };
    assert_eq!((net.sessions()[0], without(&net)), (MAX_SESSIONS, vec![1]), "the first was idle longest");
    let by_agreement = Told::Down(Some(ByeReason::Idle));
    assert_eq!(net.told(1), [Told::Up(key(1)), by_agreement.clone()]);
    assert_eq!(net.told(0).iter().filter(|told| **told == by_agreement).count(), 1);
    // A message opens it again, and the next one is closed.
    net.request(0, 1_000, 1, messages([1]));
    net.settle();
    assert_eq!(net.told(1), [Told::Up(key(1)), Told::Messages(vec![1])]);
    assert!(net.told(0).contains(&Told::Ended(JobId(1_000), 0, ANSWERED)));
    assert_eq!((net.sessions()[0], without(&net)), (MAX_SESSIONS, vec![2]));
}

/// Fills a pool with sessions of contacts that were accepted, and returns the first of them.
fn fill_with_accepted(pool: &mut Pool, handler: &mut Recorder, count: usize) -> LinkId {
    handler.contacts = (0..MAX_SESSIONS + 5).map(numbered_key).chain([key(2)]).collect();
    let links: Vec<LinkId> = (0..count)
        .map(|number| {
            let now = Time::at(Duration::from_secs(if number == 0 { 0 } else { 1 }));
            accept(pool, numbered_key(number), now, handler)
        })
        .collect();
    links[0]
}

#[test]
fn strangers_and_reopenable_sessions_are_closed_first() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let first = fill_with_accepted(&mut pool, &mut handler, MAX_SESSIONS - 3);
    let dialed = dials(&mut pool, &mut handler);
    pool.received(dialed, &hello_of(5, false), Time::at(Duration::from_secs(2)), &mut handler);
    // It dialed us, and a probe has met it where it says that it listens.
    let probed_key = numbered_key(MAX_SESSIONS);
    let probed = accept(&mut pool, probed_key, Time::at(Duration::from_secs(3)), &mut handler);
    let addrs = vec![PeerAddr::new(Ipv4Addr::LOCALHOST, 5000).unwrap()];
    let (expect, say) = (Some(probed_key), Request::Open);
    let now = Time::at(Duration::from_secs(3));
    pool.take_outputs();
    pool.request(SessionRequest { job: JobId(2), addrs, expect, say, deadline: None }, now, &mut handler);
    let probe = pool.take_outputs().into_iter().find_map(|output| match output {
        LinkOutput::Dial(link, ..) => Some(link),
        _ => None,
    });
    let probe = probe.expect("it is probed");
    pool.link_up(probe, probed_key, Ipv4Addr::LOCALHOST.into(), now, &mut handler);
    pool.received(probe, &Record::Bye(ByeReason::Idle).encode(), now, &mut handler);
    let stranger = accept(&mut pool, key(3), Time::at(Duration::from_secs(4)), &mut handler);
    assert_eq!(pool.len(), MAX_SESSIONS);
    pool.take_outputs();
    // Long after the probe.
    let now = Time::at(MET_COUNTS_FOR * 2);
    for (number, closed) in [stranger, dialed, probed, first].into_iter().enumerate() {
        accept(&mut pool, numbered_key(MAX_SESSIONS + 1 + number), now, &mut handler);
        let finishes =
            pool.take_outputs().into_iter().filter(|output| matches!(output, LinkOutput::Finish(_)));
        assert_eq!(finishes.collect::<Vec<_>>(), [LinkOutput::Finish(closed)]);
        assert_eq!(pool.len(), MAX_SESSIONS);
    }
}

#[test]
fn new_session_is_not_closed_for_being_reopenable() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let first = fill_with_accepted(&mut pool, &mut handler, MAX_SESSIONS);
    let dialed = dials(&mut pool, &mut handler);
    pool.received(dialed, &hello_of(5, false), Time::at(Duration::from_secs(2)), &mut handler);
    assert!(pool.is_open(dialed) && !pool.is_open(first));
    assert_eq!(pool.len(), MAX_SESSIONS);
}

#[test]
fn idlest_stranger_makes_room_for_another_session() {
    let mut handler = Recorder::default();
    let wire = hello_of(5, false);
    let mut pool = Pool::new(key(1), 1);
    for n in 0..=MAX_STRANGERS_OF_PREFIX {
        let now = Time::at(Duration::from_secs(n as u64));
        says_hello(&mut pool, &mut handler, numbered_key(n), &wire, now);
    }
    assert_eq!(pool.len(), MAX_STRANGERS_OF_PREFIX);
    let byes = pool.take_outputs().into_iter().filter(|output| matches!(output, LinkOutput::Finish(_)));
    assert_eq!(byes.count(), 1);
}

#[test]
fn stranger_that_moves_counts_at_its_new_source() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let wire = hello_of(5, false);
    // It comes from loopback first.
    accept(&mut pool, numbered_key(MAX_STRANGERS_OF_PREFIX), Time::default(), &mut handler);
    for n in 0..MAX_STRANGERS_OF_PREFIX {
        says_hello(&mut pool, &mut handler, numbered_key(n), &wire, Time::default());
    }
    assert_eq!(pool.len(), MAX_STRANGERS_OF_PREFIX + 1);
    let now = Time::at(Duration::from_secs(1));
    says_hello(&mut pool, &mut handler, numbered_key(MAX_STRANGERS_OF_PREFIX), &hello_of(0, false), now);
    assert_eq!(pool.len(), MAX_STRANGERS_OF_PREFIX);
}

/// A key that is none of [`key`].
fn numbered_key(number: usize) -> PublicKey {
    let mut bytes = [7; KEY_BYTES];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    PublicKey::new(bytes)
}

/// The hello of a program with this run.
fn plain_hello(run: u64) -> Hello {
    Hello {
        dialed: crate::protocol::session::opening::DIAL_LINE.to_vec(),
        answered: crate::protocol::session::opening::OK_LINE.to_vec(),
        run,
        window: 1000,
        port: 5000,
        ..Recorder::default().hello(Ipv4Addr::LOCALHOST.into())
    }
}

/// The bytes of such a hello, which may be that of a probe.
fn hello_of(run: u64, probe: bool) -> Vec<u8> {
    Record::Hello(Hello { probe, ..plain_hello(run) }).encode()
}

/// The bytes of such a hello, which grants this window.
fn hello_with(run: u64, window: u32) -> Vec<u8> {
    Record::Hello(Hello { window, ..plain_hello(run) }).encode()
}

/// A peer dials, proves its key and says hello.
fn says_hello(pool: &mut Pool, handler: &mut Recorder, key: PublicKey, hello: &[u8], now: Time) -> LinkId {
    let link = pool.accepted(Source::from(Ipv4Addr::new(192, 0, 2, 1)), Ipv4Addr::LOCALHOST.into(), now);
    pool.link_up(link, key, Ipv4Addr::LOCALHOST.into(), now, handler);
    pool.received(link, hello, now, handler);
    link
}

#[test]
fn key_that_dials_repeatedly_keeps_two_connections() {
    // The side with the larger key does not decide which connection stays.
    let (mut pool, mut handler) = (Pool::new(key(9), 1), Recorder::default());
    let wire = hello_of(5, false);
    let links: Vec<LinkId> =
        (0..100).map(|_| says_hello(&mut pool, &mut handler, key(1), &wire, Time::default())).collect();
    assert_eq!(links.iter().filter(|link| pool.is_open(**link)).count(), 2);
    assert_eq!(pool.len(), 1);
}

#[test]
fn connections_that_part_are_bounded() {
    let (mut pool, mut handler) = (Pool::new(key(9), 1), Recorder::default());
    let probe = hello_of(5, true);
    for _ in 0..3 * MAX_PARTING {
        says_hello(&mut pool, &mut handler, key(1), &probe, Time::default());
    }
    let drops = pool.take_outputs().into_iter().filter(|output| matches!(output, LinkOutput::Drop(_)));
    assert_eq!(drops.count(), 2 * MAX_PARTING);
}

/// Dials a peer with the key 2 for the job 1, and is connected.
fn dialed_link(pool: &mut Pool, handler: &mut Recorder) -> LinkId {
    let addr = PeerAddr::new(Ipv4Addr::new(192, 0, 2, 2), 5000).unwrap();
    let (addrs, expect, say) = (vec![addr], Some(key(2)), Request::Open);
    pool.request(
        SessionRequest { job: JobId(1), addrs, expect, say, deadline: None },
        Time::default(),
        handler,
    );
    let dialed = pool.take_outputs().into_iter().find_map(|output| match output {
        LinkOutput::Dial(link, ..) => Some(link),
        _ => None,
    });
    let link = dialed.expect("it is dialed");
    pool.connected(link, Time::default());
    link
}

/// Dials a peer with the key 2 for the job 1, which has then proven its key.
fn dials(pool: &mut Pool, handler: &mut Recorder) -> LinkId {
    let link = dialed_link(pool, handler);
    pool.link_up(link, key(2), Ipv4Addr::LOCALHOST.into(), Time::default(), handler);
    link
}

#[test]
fn probe_in_an_answer_ends_the_request() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder::default());
    let link = dials(&mut pool, &mut handler);
    pool.received(link, &hello_of(5, true), Time::default(), &mut handler);
    assert_eq!(handler.told, [Told::Ended(JobId(1), 0, RequestEnd::Broken)]);
    pool.tick(Time::at(PART_WITHIN), &mut handler);
    assert!(pool.is_idle());
}

#[test]
fn session_ends_if_its_replacement_fails() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder::default());
    // Both dial. The peer keeps our connection, of which we have not heard yet.
    let ours = dials(&mut pool, &mut handler);
    let theirs = says_hello(&mut pool, &mut handler, key(2), &hello_of(5, false), Time::default());
    pool.received(theirs, &Record::Bye(ByeReason::Replaced).encode(), Time::default(), &mut handler);
    assert_eq!(
        (pool.len(), handler.told.iter().filter(|told| matches!(told, Told::Down(_))).count()),
        (1, 0)
    );
    pool.tick(Time::at(OPENING_SILENCE), &mut handler);
    assert!(pool.is_empty() && !pool.is_open(ours));
    assert!(handler.told.contains(&Told::Down(None)), "{:?}", handler.told);
}

#[test]
fn request_ends_if_its_replacement_fails() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder { port: 5000, ..Recorder::default() });
    let theirs = says_hello(&mut pool, &mut handler, key(2), &hello_of(5, false), Time::default());
    // The address is dialed for any key. The peer keeps this connection, but its hello
    // does not arrive.
    let addrs = vec![PeerAddr::new(Ipv4Addr::new(192, 0, 2, 2), 5000).unwrap()];
    let request = SessionRequest { job: JobId(1), addrs, expect: None, say: Request::Open, deadline: None };
    pool.request(request, Time::default(), &mut handler);
    let dialed = pool.take_outputs().into_iter().find_map(|output| match output {
        LinkOutput::Dial(link, ..) => Some(link),
        _ => None,
    });
    let ours = dialed.expect("it is dialed");
    pool.link_up(ours, key(2), Ipv4Addr::LOCALHOST.into(), Time::default(), &mut handler);
    pool.received(theirs, &Record::Bye(ByeReason::Replaced).encode(), Time::default(), &mut handler);
    handler.told.clear();
    pool.tick(Time::at(OPENING_SILENCE), &mut handler);
    assert_eq!(handler.told, [Told::Ended(JobId(1), 0, RequestEnd::Broken), Told::Down(None)]);
}

#[test]
fn last_name_of_many_is_told() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder::default());
    let link = says_hello(&mut pool, &mut handler, key(2), &hello_of(5, false), Time::default());
    let mut told = 0;
    for n in 0..1_000 {
        let now = Time::at(Duration::from_millis(n));
        pool.received(link, &Record::Name(PeerName::new(&format!("Bob{n}"))).encode(), now, &mut handler);
        pool.tick(now, &mut handler);
        told = handler.told.iter().filter(|told| matches!(told, Told::Renamed(..))).count();
    }
    assert_eq!(told, 1, "{:?}", handler.told);
    pool.tick(Time::at(NAME_SPACING), &mut handler);
    assert_eq!(handler.told.last(), Some(&Told::Renamed(key(2), PeerName::new("Bob999"))));
}

#[test]
fn key_is_proven_beside_an_existing_session() {
    let mut net = Net::of(2);
    net.request(0, 1, 1, Request::Open);
    net.settle();
    net.told(1);
    // The session was dialed by the other side, so nothing is proven at its address yet.
    net.request(1, 1, 0, Request::Open);
    net.settle();
    assert_eq!(net.dials.len(), 2);
    assert_eq!(net.told(1), [Told::Up(key(1)), Told::Ended(JobId(1), 0, ANSWERED)]);
    net.pass(Duration::from_secs(60));
    assert_eq!((net.ends.len(), net.sessions()), (2, vec![1, 1]), "the session stays");
}

#[test]
fn all_requests_learn_that_their_peer_is_refused() {
    let mut net = Net::of(2);
    net.programs[0].handler.refuses = Some(ByeReason::NotDecided);
    net.request(0, 1, 1, Request::Open);
    net.request(0, 2, 1, Request::Open);
    net.settle();
    let told = net.told(0);
    for job in [1, 2] {
        assert!(told.contains(&Told::Refused(key(2), Some(JobId(job)))), "{told:?}");
        assert!(told.contains(&Told::Ended(JobId(job), 0, ANSWERED)), "{told:?}");
    }
}

#[test]
fn few_handshakes_are_under_way_at_once() {
    let (mut pool, mut handler) = (Pool::new(key(1), 1), Recorder::default());
    let request = |n: u16, say: Request| SessionRequest {
        job: JobId(n.into()),
        addrs: vec![PeerAddr::new(Ipv4Addr::new(192, 0, 2, 2), n).unwrap()],
        expect: None,
        say,
        deadline: None,
    };
    let dialed = |pool: &mut Pool| -> Vec<LinkId> {
        let dials = pool.take_outputs().into_iter().filter_map(|output| match output {
            LinkOutput::Dial(link, ..) => Some(link),
            _ => None,
        });
        dials.collect()
    };
    let now = Time::default();
    (1..=300).for_each(|n| pool.request(request(n, Request::Open), now, &mut handler));
    let first = dialed(&mut pool);
    assert_eq!(first.len(), MAX_HANDSHAKES);
    // A message does not wait for them.
    pool.request(request(301, messages([1])), now, &mut handler);
    assert_eq!(dialed(&mut pool).len(), 1);
    // A peer that does not answer makes room for others.
    let wake = pool.next_wake().expect("something is due");
    assert!(wake > now, "{wake:?}");
    let late = now.plus(CONNECTS_WITHIN);
    pool.tick(late, &mut handler);
    assert_eq!(dialed(&mut pool).len(), MAX_HANDSHAKES);
    // So does one that has failed.
    pool.link_failed(first[0], RequestEnd::NoSession, late, &mut handler);
    pool.tick(late.plus(DIAL_AGAIN_AFTER), &mut handler);
    assert_eq!(dialed(&mut pool).len(), 0, "those that were dialed last are under way");
    pool.tick(late.plus(CONNECTS_WITHIN), &mut handler);
    assert_eq!(dialed(&mut pool).len(), MAX_HANDSHAKES);
}

/// Two programs dial each other to meet, and the session that the first dials opens while the
/// connection that the second dials has come so far. Returns how many dials there were in all.
fn dials_of_two_that_meet(second_has_proven_keys: bool) -> usize {
    let (mut pool, mut handler) = (Pool::new(key(2), 1), Recorder::default());
    let addr = PeerAddr::new(Ipv4Addr::new(192, 0, 2, 1), 5000).unwrap();
    let now = Time::default();
    let request = |job| SessionRequest {
        job: JobId(job),
        addrs: vec![addr],
        expect: Some(key(1)),
        say: Request::Open,
        deadline: None,
    };
    let links = |pool: &mut Pool| -> Vec<LinkId> {
        let links = pool.take_outputs().into_iter().filter_map(|output| match output {
            LinkOutput::Dial(link, ..) => Some(link),
            LinkOutput::Drop(link) => panic!("{link:?} is dropped"),
            _ => None,
        });
        links.collect()
    };
    pool.request(request(1), now, &mut handler);
    let mut dialed = links(&mut pool);
    let ours = dialed[0];
    pool.connected(ours, now);
    let local = Ipv4Addr::LOCALHOST.into();
    if second_has_proven_keys {
        pool.link_up(ours, key(1), local, now, &mut handler);
    }
    let theirs = says_hello(&mut pool, &mut handler, key(1), &hello_of(5, false), now);
    dialed.extend(links(&mut pool));
    if second_has_proven_keys {
        // Both keep the connection that the smaller key dialed.
        pool.received(ours, &hello_of(5, false), now, &mut handler);
    } else {
        pool.link_up(ours, key(1), local, now, &mut handler);
        pool.received(ours, &Record::Bye(ByeReason::Idle).encode(), now, &mut handler);
    }
    pool.received(theirs, &[Record::Pong(1).encode(), Record::Pong(2).encode()].concat(), now, &mut handler);
    // A later request for the same finds it met.
    pool.request(request(2), now, &mut handler);
    dialed.extend(links(&mut pool));
    let ended = handler.told.iter().find(|told| matches!(told, Told::Ended(JobId(1), ..)));
    assert_eq!(ended, Some(&Told::Ended(JobId(1), 0, ANSWERED)), "{:?}", handler.told);
    assert!(pool.len() == 1 && pool.is_open(theirs));
    dialed.len()
}

#[test]
fn dial_under_way_goes_on_as_a_probe() {
    assert_eq!(dials_of_two_that_meet(false), 1);
}

#[test]
fn dial_with_a_proven_key_needs_no_probe() {
    assert_eq!(dials_of_two_that_meet(true), 1);
}
