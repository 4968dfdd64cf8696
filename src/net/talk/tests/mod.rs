//! A dialer and a listener over real sockets, and each against a hand-made other side.

mod accepting;
mod dialing;
mod keeping;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::session::{ByeReason, Message, Request, RequestEnd, SessionReport};
use crate::net::secure::{OwnKey, Tls};
use crate::net::{Delivery, Dialer, Errand, How, Identity, InboundHandler, Listener, Reply, Report};
use crate::protocol::session::Hello;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};

/// More than anything takes on a busy machine; no test waits for it to be over.
const IN_TIME: Duration = Duration::from_secs(30);

/// Everybody's key is made of one letter here.
fn own_key(message: u8) -> OwnKey {
    OwnKey::from_seed(&[message; 32]).unwrap()
}

fn key(message: u8) -> PublicKey {
    own_key(message).public()
}

fn tls(message: u8) -> Arc<Tls> {
    Arc::new(Tls::new(&own_key(message)).unwrap())
}

fn hello(message: u8) -> Hello {
    Hello {
        dialed: Vec::new(),
        answered: Vec::new(),
        name: name(message),
        port: 5000,
        version: "0.2.0".into(),
        features: Vec::new(),
        addresses: vec!["192.0.2.7:5000".parse().unwrap(), "[2001:db8::1]:5000".parse().unwrap()],
        run: 1,
        window: 262_144,
        probe: false,
    }
}

fn name(message: u8) -> PeerName {
    PeerName::new(&format!("P{message}"))
}

/// Waits until this is so, of something that nobody tells of.
fn until(is_so: impl Fn() -> bool) {
    let late = Instant::now() + IN_TIME;
    while !is_so() {
        assert!(Instant::now() < late, "it never came to that");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn messages(numbers: impl IntoIterator<Item = u8>) -> Vec<Message> {
    let message =
        |number| Message { id: id(number), time: u64::from(number), again: false, body: "hi".into() };
    numbers.into_iter().map(message).collect()
}

fn id(number: u8) -> MessageId {
    MessageId::new([number; 16])
}

/// What a chat has been told, and how it answers.
#[derive(Default)]
struct Story {
    welcomed: Vec<(PublicKey, Hello)>,
    plain: usize,
    turns: Vec<Vec<Message>>,
    heard: usize,
    ended: Vec<(PublicKey, Option<ByeReason>)>,
    /// Refuse whoever comes.
    unwelcome: Option<ByeReason>,
    /// Take only so many texts of the next turn.
    room: Option<usize>,
    /// Panic at the next turn.
    panics: bool,
    /// Take nothing until this is over.
    shut: bool,
}

/// Somebody who is dialed.
#[derive(Clone, Default)]
struct Chat(Arc<(Mutex<Story>, Condvar)>);

impl Chat {
    fn change<T>(&self, change: impl FnOnce(&mut Story) -> T) -> T {
        let result = change(&mut self.0.0.lock());
        self.0.1.notify_all();
        result
    }

    /// Waits until this can be told.
    fn wait<T>(&self, mut tell: impl FnMut(&mut Story) -> Option<T>) -> T {
        let until = Instant::now() + IN_TIME;
        let mut story = self.0.0.lock();
        loop {
            if let Some(told) = tell(&mut story) {
                return told;
            }
            assert!(!self.0.1.wait_until(&mut story, until).timed_out(), "it never came to that");
        }
    }
}

impl InboundHandler for Chat {
    fn deliver(&self, _: Delivery, _: Option<Instant>) -> Reply {
        self.change(|story| story.plain += 1);
        Reply::Answer(Vec::new())
    }

    fn refused(&self, _: Source) {}

    fn welcome(&self, key: PublicKey, hello: &Hello, _: Source, local: IpAddr) -> Result<Hello, ByeReason> {
        assert_eq!(local, Ipv4Addr::LOCALHOST);
        self.change(|story| {
            story.welcomed.push((key, hello.clone()));
            story.unwelcome.map_or_else(|| Ok(super::tests::hello(b'B')), Err)
        })
    }

    fn messages(&self, _: PublicKey, _: Source, messages: Vec<Message>, _: Instant) -> Vec<MessageId> {
        let mut ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        self.change(|story| {
            story.turns.push(messages);
            assert!(!std::mem::take(&mut story.panics), "as the test wants");
            if let Some(room) = story.room.take() {
                ids.truncate(room);
            }
        });
        self.wait(|story| (!story.shut).then_some(()));
        ids
    }

    fn heard(&self, _: PublicKey) {
        self.change(|story| story.heard += 1);
    }

    fn ended(&self, key: PublicKey, bye: Option<ByeReason>) {
        self.change(|story| story.ended.push((key, bye)));
    }
}

/// Somebody who listens, stopped when dropped.
struct House {
    chat: Chat,
    listener: Listener,
    addr: PeerAddr,
}

impl House {
    fn new(tls: Arc<Tls>) -> Self {
        let chat = Chat::default();
        let (socket, addr) = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = Listener::serve(socket, addr, chat.clone(), tls).unwrap();
        Self { chat, listener, addr: addr.to_string().parse().unwrap() }
    }

    /// Bob's.
    fn of_bob() -> Self {
        Self::new(tls(b'B'))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.listener.stop(Instant::now() + IN_TIME);
    }
}

/// Alice, who dials.
struct Alice {
    dialer: Dialer,
    told: Receiver<Report>,
    last_id: u64,
}

impl Alice {
    fn new() -> Self {
        let (tell, told) = mpsc::channel();
        let identity = Identity { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None };
        let dialer = Dialer::new(identity, tls(b'A'), move |report| drop(tell.send(report)));
        Self { dialer, told, last_id: 0 }
    }

    fn begin(&mut self, addrs: &[PeerAddr], expect: Option<PublicKey>, say: Request) -> u64 {
        self.last_id += 1;
        let how = How::Talk { addrs: addrs.to_vec(), expect, hello: hello(b'A'), say };
        let errand = Errand { id: self.last_id, name: "Alice".parse().unwrap(), how, deadline: None };
        self.dialer.push(errand).unwrap();
        self.dialer.staff();
        self.last_id
    }

    fn report(&self) -> Report {
        self.told.recv_timeout(IN_TIME).expect("a report in time")
    }

    /// Says it, and what became of it.
    fn talks(&mut self, addrs: &[PeerAddr], expect: Option<PublicKey>, say: Request) -> SessionReport {
        let begun = self.begin(addrs, expect, say);
        match self.report() {
            Report::SessionReport { id, talked } if id == begun => talked,
            other => panic!("{other:?}"),
        }
    }

    /// To Bob.
    fn says(&mut self, house: &House, say: Request) -> SessionReport {
        self.talks(&[house.addr], Some(key(b'B')), say)
    }
}

impl Drop for Alice {
    fn drop(&mut self) {
        self.dialer.stop(Instant::now() + IN_TIME);
    }
}

fn addr_of(listener: &TcpListener) -> PeerAddr {
    listener.local_addr().unwrap().to_string().parse().unwrap()
}

/// An address at which nobody listens.
fn closed() -> PeerAddr {
    addr_of(&TcpListener::bind("127.0.0.1:0").unwrap())
}

/// A connection that has brought the line and heard the ok.
fn half_open(to: PeerAddr) -> TcpStream {
    let mut stream = TcpStream::connect(to.socket()).unwrap();
    stream.set_read_timeout(Some(IN_TIME)).unwrap();
    stream.write_all(DIAL_LINE).unwrap();
    let mut ok = [0; OK_LINE.len()];
    stream.read_exact(&mut ok).unwrap();
    assert_eq!(ok, OK_LINE);
    stream
}
