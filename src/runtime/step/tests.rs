use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::core::{ContactRecord, CoreConfig, Jitter, Me, PlainRequest, Policy, UnderWay};
use crate::mailbox::{ITEM_BYTES, Mailbox, ROOM};
use crate::model::key::KEY_BYTES;
use crate::model::message::{SendError, SendResult};
use crate::model::name::Name;
use crate::model::peer_id::PeerId;
use crate::model::session::Introduction;
use crate::net::Transport;
use crate::runtime::{EventSink, MachineConfig, StoreQueue};

const BOB: PublicKey = PublicKey::new([2; KEY_BYTES]);
const ALICE: PublicKey = PublicKey::new([1; KEY_BYTES]);
const OUR_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const BOBS_IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// The outputs of the steps, in order. Its store and its dialer accept nothing. The events also
/// fill an event queue that the user does not empty.
#[derive(Default)]
struct Full {
    commands: RefCell<Vec<SessionCommand>>,
    events: RefCell<Vec<Event>>,
    queue: Mailbox<Event>,
}

impl Transport for Full {
    fn session(&self, command: SessionCommand) {
        self.commands.borrow_mut().push(command);
    }

    fn plain(&self, request: PlainRequest, _: &Name) -> Result<(), PlainResult> {
        let PlainRequest { job, to, .. } = request;
        let result = SendResult::Failed(SendError::NoResources);
        Err(PlainResult { job, to, result, parts: (0, 1), capability: None })
    }

    fn resolve(&self, _: HostAddr) -> Result<(), LookupError> {
        Err(LookupError::Busy)
    }

    fn is_local(&self, addr: PeerAddr) -> bool {
        addr.ip() == OUR_IP
    }
}

impl StoreQueue for Full {
    fn put(&self, write: QueuedWrite) -> Put {
        match write.op {
            StoreOp::Incoming { .. } => Put::Full(write),
            _ => Put::Queued,
        }
    }
}

impl EventSink for Full {
    fn put(&self, event: Event, source: Option<SourcePrefix>) {
        self.events.borrow_mut().push(event.clone());
        self.queue.put_from(event, 0, source);
    }

    fn has_room(&self, source: SourcePrefix) -> bool {
        self.queue.has_room(source)
    }
}

impl Full {
    fn step<'a>(&'a self, machine: &'a mut Machine, seconds: u64) -> Step<'a> {
        machine.step(at(seconds), Ports { transport: self, store: self, events: self })
    }
}

fn at(seconds: u64) -> Time {
    Time::at(Duration::from_secs(seconds))
}

fn addr(ip: Ipv4Addr) -> PeerAddr {
    PeerAddr::new(ip, 5000).unwrap()
}

fn env() -> Env {
    Env { date: 1_800_000_000, jitter: Jitter(0) }
}

fn me() -> Me {
    Me { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None }
}

fn machine() -> Machine {
    let core = CoreConfig::new(me(), "Alice".parse().unwrap(), ALICE);
    Machine::new(MachineConfig { core, listens_v6: false, ips: vec![OUR_IP.into()] })
}

fn dials_us(
    machine: &mut Machine,
    out: &Full,
    key: PublicKey,
    name: &str,
    source: Source,
) -> Result<(), ByeReason> {
    let hello = Introduction { name: PeerName::new(name), port: 5000, also: Vec::new() };
    let (dialed, local) = (None, OUR_IP.into());
    let opened = Opened { key, hello: Some(hello), dialed, source, local, job: None };
    out.step(machine, 1).session_up(opened, env())
}

/// Bob dials us.
fn meets_bob(machine: &mut Machine, out: &Full) -> Source {
    let source = Source::from(BOBS_IP);
    assert_eq!(dials_us(machine, out, BOB, "Bob", source), Ok(()));
    source
}

/// Returns one of many keys.
fn invented(number: u32) -> PublicKey {
    let mut key = [9; KEY_BYTES];
    key[..4].copy_from_slice(&number.to_be_bytes());
    PublicKey::new(key)
}

#[test]
fn full_store_queue_leaves_messages_unreceipted() {
    let (mut machine, out) = (machine(), Full::default());
    let source = meets_bob(&mut machine, &out);
    let id = MessageId::new([7; 16]);
    let message = Message { id, time: 0, again: false, to_all: false, body: "hello".into() };
    let link = LinkId(1);
    assert_eq!(out.step(&mut machine, 2).messages(link, BOB, source, vec![message]), Ok(()));
    let (receipts, others, retry_after) = (Vec::new(), vec![id], RETRY_AFTER);
    let expected = SessionCommand::Stored { link, receipts, others, retry_after };
    assert_eq!(out.commands.borrow().last(), Some(&expected));
}

#[test]
fn refused_request_ends_its_command_at_once() {
    let (mut machine, out) = (machine(), Full::default());
    let to = addr(Ipv4Addr::new(10, 0, 0, 3)).into();
    let op = out.step(&mut machine, 1).command(Command::Connect(Target::These(vec![to])));
    assert!(out.events.borrow().contains(&Event::Settled(op)), "{:?}", out.events);
    assert_eq!(machine.state().under_way(), UnderWay::default());
}

#[test]
fn own_address_is_recognized_when_typed() {
    let (mut machine, out) = (machine(), Full::default());
    assert!(out.step(&mut machine, 1).is_own(addr(OUR_IP)));
    assert!(!out.step(&mut machine, 1).is_own(addr(Ipv4Addr::new(10, 0, 0, 3))));
}

#[test]
fn blocked_key_loses_its_session() {
    let (mut machine, out) = (machine(), Full::default());
    meets_bob(&mut machine, &out);
    out.step(&mut machine, 2).command(Command::Block(BOB.into()));
    assert!(out.commands.borrow().contains(&SessionCommand::Part(BOB, ByeReason::Leaves)));
}

#[test]
fn changed_addresses_reach_the_sessions() {
    let (mut machine, out) = (machine(), Full::default());
    assert!(!machine.wants_ips(at(59)) && machine.wants_ips(at(60)));
    out.step(&mut machine, 60).ips_read(vec![OUR_IP.into()]);
    assert_eq!(*out.commands.borrow(), []);
    // A dial fails.
    let (addr, end) = (None, RequestEnd::Unreachable(SendError::NoRoute));
    let ended = RequestEnded { addr, written: 0, end };
    out.step(&mut machine, 61).request_ended(JobId(1), ended, env());
    assert!(!machine.wants_ips(at(64)) && machine.wants_ips(at(65)));
    let ips = vec![IpAddr::from([10, 0, 0, 9])];
    out.step(&mut machine, 65).ips_read(ips.clone());
    assert_eq!(*out.commands.borrow(), [SessionCommand::Readdress(ips)]);
    assert_eq!(machine.hello(BOBS_IP.into()).addresses, [SocketAddr::from(([10, 0, 0, 9], 5000))]);
}

#[test]
fn failed_plain_dial_has_addresses_read() {
    let (mut machine, out) = (machine(), Full::default());
    let (job, to) = (JobId(1), addr(BOBS_IP));
    let sent = |result| PlainResult { job, to, result, parts: (0, 1), capability: None };
    out.step(&mut machine, 10).plain_sent(sent(SendResult::Delivered));
    assert!(!machine.wants_ips(at(59)));
    out.step(&mut machine, 10).plain_sent(sent(SendResult::Failed(SendError::TimedOut)));
    assert!(machine.wants_ips(at(10)));
}

#[test]
fn every_ip_of_the_machine_is_its_own() {
    // These are more addresses than a hello names, with a second IPv6 address.
    let ips: Vec<IpAddr> = (1..=20).map(|last| [172, 17, last, 1].into()).collect();
    let six = ["2001:db8::1", "2001:db8::2"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let of_config = |bind| {
        let core = CoreConfig::new(Me { bind, ..me() }, "Alice".parse().unwrap(), ALICE);
        Machine::new(MachineConfig { core, listens_v6: true, ips: [&ips[..], &six].concat() })
    };
    let machine = of_config(Ipv4Addr::UNSPECIFIED.into());
    for ip in ips.iter().chain(&six) {
        let at_port = |port| PeerAddr::of(SocketAddr::new(*ip, port)).unwrap();
        assert!(machine.is_own(at_port(5000)) && !machine.is_own(at_port(5001)), "{ip}");
    }
    assert!(!machine.is_own(addr(BOBS_IP)));
    // With --bind, another program may use the port at the other IPs.
    let machine = of_config(ips[0]);
    let is_own = |ip: IpAddr| machine.is_own(PeerAddr::of(SocketAddr::new(ip, 5000)).unwrap());
    assert!(is_own(ips[0]) && !is_own(ips[1]));
}

/// How many keys a stranger invents. One event for each exceeds the fair share of one source.
const CHURN: u32 = 8_000;

#[test]
fn invented_keys_do_not_fill_the_event_queue() {
    // Under `ask`, the number of requests from one source is limited anyway.
    for policy in [Policy::AcceptNew, Policy::Strict] {
        let (mut machine, out) = (machine(), Full::default());
        let bobs = meets_bob(&mut machine, &out);
        let contact = ContactRecord {
            id: PeerId::Key(BOB),
            name: Some(PeerName::new("Bob")),
            verified: None,
            blocked: false,
            stranger: false,
            addrs: Vec::new(),
        };
        out.step(&mut machine, 1).command(Command::SetContact { contact, date: 1_000 });
        out.step(&mut machine, 1).command(Command::SetPolicy(policy));
        let mallorys = Source::from(Ipv4Addr::new(10, 0, 0, 66));
        let mut refused = 0;
        for number in 0..CHURN {
            let key = invented(number);
            let welcome = dials_us(&mut machine, &out, key, "Mallory", mallorys);
            refused += u32::from(welcome == Err(ByeReason::NoRoom));
            out.step(&mut machine, 1).session_down(key, Some(ByeReason::Leaves));
        }
        let events = out.events.borrow().len();
        assert!(refused > 0, "{policy:?}: all were told to the user");
        assert!(events * ITEM_BYTES < ROOM, "{policy:?}: {events} events");
        // A contact can connect again from its own source and from that of the strangers. Its
        // messages are accepted from its own.
        for source in [mallorys, bobs] {
            out.step(&mut machine, 2).session_down(BOB, None);
            assert_eq!(dials_us(&mut machine, &out, BOB, "Bob", source), Ok(()), "{policy:?}");
        }
        let message = Message {
            id: MessageId::new([7; 16]),
            time: 0,
            again: false,
            to_all: false,
            body: "hello".into(),
        };
        assert_eq!(out.step(&mut machine, 2).messages(LinkId(1), BOB, bobs, vec![message]), Ok(()));
        // There is room again once the user has read the events.
        out.queue.take(None);
        let welcome = dials_us(&mut machine, &out, invented(CHURN), "Mallory", mallorys);
        assert_ne!(welcome, Err(ByeReason::NoRoom), "{policy:?}");
    }
}

#[test]
fn stranger_without_room_for_events_is_not_renamed() {
    let (mut machine, out) = (machine(), Full::default());
    let source = meets_bob(&mut machine, &out);
    while out.queue.has_room(source.share()) {
        out.queue.put_from(Event::NetworkChanged, 0, Some(source.share()));
    }
    let events = out.events.borrow().len();
    out.step(&mut machine, 2).renamed(BOB, source, PeerName::new("Robert"), 5000, env());
    assert_eq!(out.events.borrow().len(), events);
    assert_eq!(out.commands.borrow().last(), Some(&SessionCommand::Part(BOB, ByeReason::NoRoom)));
}
