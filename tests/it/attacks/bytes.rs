//! A session that is cut or changed at each of its bytes; of the key exchange, at every thirteenth.
//!
//! Both sides are the sessions of the program, without its core and in this process. A meddler
//! stands between them.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::core::{JobId, RequestEnded, SessionRequest, Time};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::session::{ByeReason, Message, Request, RequestEnd};
use p2p_chat::net::secure::Tls;
use p2p_chat::net::sessions::{LinkId, Opened, SessionCommand, SessionHandler, Sessions, SessionsConfig};
use p2p_chat::protocol::session::Hello;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};

use crate::support::meddler::{CommandKind, Piece, Wire, cut_at, flip_at};
use crate::support::secure::{key_of, new_id};
use crate::support::{Meddler, SOON, Way, allow_descriptors, assert_sealed, sealed, v4};

/// The message.
const SECRET: &str = "what nobody else may read";

/// Pairs that are busy at the same time. Most of the time they wait for bytes that do not come.
const AT_ONCE: usize = 96;

/// Which bytes of the first TLS records are tried: nearly all of them are the 1,200 of a key
/// exchange. It is no multiple of 8, so that the changed bits differ.
const KEY_EXCHANGE_STEP: usize = 13;

/// How long a message may wait for its receipt.
const WITHIN: Duration = Duration::from_secs(3);

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Came {
    taken: bool,
    receipted: bool,
}

/// Something that happened to a program.
enum Told {
    Taken(PublicKey, Message),
    Ended(RequestEnd),
}

/// The sessions of one program.
struct Program {
    sessions: Arc<Sessions>,
    told: Receiver<Told>,
    began: Instant,
}

impl Program {
    fn start(seed: u8) -> Self {
        let (tell, told) = channel();
        let tls = Arc::new(Tls::new(&key_of(seed)).expect("settings that fit"));
        let (bind, run, began) = (Ipv4Addr::UNSPECIFIED.into(), u64::from(seed), Instant::now());
        let sessions = Sessions::new(SessionsConfig { tls, bind, run, began });
        let sessions = Arc::new(sessions.expect("something to wait with"));
        let taker = Taker { sessions: Arc::downgrade(&sessions), tell };
        sessions.start(taker).expect("a thread");
        Self { sessions, told, began }
    }

    /// Requests that the peer with this key at this address gets a message.
    fn says(&self, id: MessageId, to: SocketAddrV4, key: PublicKey) {
        let message = Message { id, time: 0, again: false, to_all: false, body: SECRET.into() };
        self.sessions.command(SessionCommand::Request(SessionRequest {
            job: JobId(1),
            addrs: vec![PeerAddr::of(to.into()).expect("an address of a peer")],
            expect: Some(key),
            say: Request::Messages(vec![message]),
            deadline: Some(Time::at(self.began.elapsed() + WITHIN)),
        }));
    }

    fn stops(&self) {
        self.sessions.stop(Instant::now() + SOON);
    }
}

/// Takes every message at once, and tells what happens.
struct Taker {
    sessions: Weak<Sessions>,
    tell: Sender<Told>,
}

impl Taker {
    fn tell(&self, told: Told) {
        // The test may have ended.
        let _ = self.tell.send(told);
    }
}

impl SessionHandler for Taker {
    fn hello(&mut self, _: IpAddr) -> Hello {
        Hello::new(PeerName::new("Peer"), 9)
    }

    fn session_up(&mut self, _: Opened) -> Result<(), ByeReason> {
        Ok(())
    }

    fn messages(
        &mut self,
        link: LinkId,
        key: PublicKey,
        _: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        let ids = messages.iter().map(|message| message.id).collect();
        messages.into_iter().for_each(|message| self.tell(Told::Taken(key, message)));
        if let Some(sessions) = self.sessions.upgrade() {
            sessions.command(SessionCommand::Stored {
                link,
                receipts: ids,
                others: Vec::new(),
                retry_after: 0,
            });
        }
        Ok(())
    }

    fn request_ended(&mut self, _: JobId, ended: RequestEnded) {
        self.tell(Told::Ended(ended.end));
    }

    fn is_contact(&mut self, _: PublicKey) -> bool {
        true
    }
}

/// Alice says one message to Bob past a meddler that does this. Nothing else is ever taken. Returns
/// what became of it, and what the meddler has seen.
fn meddled_with(plan: impl Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static) -> (Came, Vec<Wire>) {
    let (alice, bob) = (Program::start(b'A'), Program::start(b'B'));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let addr = v4(listener.local_addr().expect("bound"));
    let accepting = Arc::clone(&bob.sessions);
    let (over, is_over) = channel::<()>();
    let acceptor = thread::spawn(move || {
        while let Ok((stream, source)) = listener.accept() {
            if is_over.try_recv().is_ok() {
                return;
            }
            accepting.accepted(stream, Source::from(source), Instant::now(), Vec::new(), ());
        }
    });
    let meddler = Meddler::before(addr);
    meddler.does(plan);
    let id = new_id();
    alice.says(id, meddler.addr(), key_of(b'B').public());
    let Ok(Told::Ended(end)) = alice.told.recv_timeout(SOON) else { panic!("the request does not end") };
    alice.stops();
    bob.stops();
    over.send(()).expect("it accepts");
    drop(std::net::TcpStream::connect(addr));
    acceptor.join().expect("it ends");
    let mut taken = false;
    for told in bob.told.try_iter() {
        let Told::Taken(from, message) = told else { panic!("Bob has requested nothing") };
        // In a second session the same message comes again.
        assert_eq!((from, message.id, &*message.body), (key_of(b'A').public(), id, SECRET));
        assert!(!taken || message.again, "twice");
        taken = true;
    }
    (Came { taken, receipted: end == RequestEnd::Answered }, meddler.wires())
}

/// A session that nobody disturbs.
fn undisturbed() -> Wire {
    let (came, mut wires) = meddled_with(|_| CommandKind::Pass);
    assert_eq!((came, wires.len()), (Came { taken: true, receipted: true }, 1));
    wires.remove(0)
}

/// Returns the places at which bytes are tried: all but most of the key exchange.
fn places(wire: &Wire) -> Vec<(Way, usize)> {
    let of = |way, line: &[u8]| {
        let bytes = wire.of(way);
        let first = sealed("the first record", &bytes[line.len()..])[0];
        let hello = line.len()..line.len() + first.length;
        let is_tried = move |at: &usize| !hello.contains(at) || at.is_multiple_of(KEY_EXCHANGE_STEP);
        (0..bytes.len()).filter(is_tried).map(move |at| (way, at))
    };
    of(Way::Up, DIAL_LINE).chain(of(Way::Down, OK_LINE)).collect()
}

/// Disturbs a session at each of these places. Returns what became of each.
fn at_each_byte<P>(plan: impl Fn(Way, usize) -> P + Sync) -> Vec<(Way, usize, Came)>
where
    P: Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static,
{
    allow_descriptors();
    let places = places(&undisturbed());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut came = Vec::new();
        while let Some((way, at)) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            came.push((*way, *at, meddled_with(plan(*way, *at)).0));
        }
        came
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("it holds")).collect()
    })
}

#[test]
fn only_opening_lines_of_a_session_are_readable() {
    let wire = undisturbed();
    let keys = [key_of(b'A').public(), key_of(b'B').public()];
    let texts = keys.map(|key| key.to_string());
    let secrets = [SECRET.as_bytes(), b"Peer", keys[0].as_bytes(), keys[1].as_bytes()];
    let secrets = [&secrets[..], &texts.each_ref().map(|text| text.as_bytes())].concat();
    let (up, down) = assert_sealed(&wire, &secrets);
    assert!(up > 3 && down > 3, "{up} up, {down} down");
}

#[test]
fn cut_message_has_no_receipt_unless_taken() {
    let came = at_each_byte(cut_at);
    for (way, at, came) in &came {
        assert!(came.taken || !came.receipted, "{way:?} at {at}: a receipt for a message that was not taken");
    }
    // All three happen: cut before the message, before the receipt, and after it.
    for (taken, receipted) in [(false, false), (true, false), (true, true)] {
        assert!(came.iter().any(|(.., came)| *came == Came { taken, receipted }), "{taken}, {receipted}");
    }
}

#[test]
fn changed_session_says_nothing_else() {
    let came = at_each_byte(|way, at| flip_at(way, at, (at % 8) as u8));
    for (way, at, came) in &came {
        assert!(came.taken || !came.receipted, "{way:?} at {at}: a receipt for a message that was not taken");
    }
    // Only a change after the message leaves it whole.
    let taken = came.iter().filter(|(.., came)| came.taken).count();
    assert!(taken > 0 && taken < came.len() / 2, "{taken} of {}", came.len());
}
