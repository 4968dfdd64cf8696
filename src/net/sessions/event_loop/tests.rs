use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};

use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType, ProtocolVersion};
use socket2::SockRef;

use super::*;
use crate::core::{JobId, RequestEnded, SessionRequest};
use crate::model::key::KEY_BYTES;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::session::{ByeReason, Message, Request};
use crate::net::secure::OwnKey;
use crate::net::sessions::conn::TURN_BYTES;
use crate::net::sessions::{OPEN_WITHIN, OPENING_SILENCE, Opened};
use crate::protocol::session::Hello;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};

/// How long a test waits for something that should happen at once.
const WITHIN: Duration = Duration::from_secs(20);

/// What a handler was told.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Up(PublicKey),
    Messages(LinkId, Vec<Message>),
    Receipts(Vec<MessageId>),
    Down(Option<ByeReason>),
    Ended(JobId, RequestEnd),
}

/// Accepts every key, and tells a test what happens.
struct Teller(Sender<Told>, u16);

impl Teller {
    fn tell(&self, told: Told) {
        // The test may be over.
        let _ = self.0.send(told);
    }
}

impl SessionHandler for Teller {
    fn hello(&mut self, _: IpAddr) -> Hello {
        Hello::new(PeerName::new("Peer"), self.1)
    }

    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason> {
        self.tell(Told::Up(opened.key));
        Ok(())
    }

    fn messages(
        &mut self,
        link: LinkId,
        _: PublicKey,
        _: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        self.tell(Told::Messages(link, messages));
        Ok(())
    }

    fn receipts(&mut self, _: PublicKey, ids: &[MessageId]) {
        self.tell(Told::Receipts(ids.to_vec()));
    }

    fn session_down(&mut self, _: PublicKey, bye: Option<ByeReason>) {
        self.tell(Told::Down(bye));
    }

    fn request_ended(&mut self, job: JobId, ended: RequestEnded) {
        self.tell(Told::Ended(job, ended.end));
    }

    fn is_contact(&mut self, _: PublicKey) -> bool {
        true
    }
}

/// A program with sessions, and a socket at which it accepts them.
struct Program {
    key: PublicKey,
    addr: PeerAddr,
    sessions: Arc<Sessions>,
    told: Receiver<Told>,
}

impl Program {
    fn new(seed: u8) -> Self {
        Self::begun(seed, Instant::now())
    }

    /// A program that has run since `began`.
    fn begun(seed: u8, began: Instant) -> Self {
        let own = OwnKey::from_seed(&[seed; KEY_BYTES]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = PeerAddr::of(listener.local_addr().unwrap()).unwrap();
        let (sender, told) = channel();
        let config = SessionsConfig {
            tls: Arc::new(Tls::new(&own).unwrap()),
            bind: Ipv4Addr::UNSPECIFIED.into(),
            run: u64::from(seed),
            began,
        };
        let sessions = Arc::new(Sessions::new(config).unwrap());
        sessions.start(Teller(sender, addr.port())).unwrap();
        let accepting = Arc::clone(&sessions);
        // It ends with the test process.
        thread::spawn(move || {
            while let Ok((stream, source)) = listener.accept() {
                accepting.accepted(stream, Source::from(source), Instant::now(), Vec::new(), ());
            }
        });
        Self { key: own.public(), addr, sessions, told }
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(WITHIN).expect("something happens")
    }

    fn request(&self, job: u64, addr: PeerAddr, expect: Option<PublicKey>, say: Request) {
        let request = SessionRequest { job: JobId(job), addrs: vec![addr], expect, say, deadline: None };
        self.sessions.command(SessionCommand::Request(request));
    }
}

fn message(number: u32, bytes: usize) -> Message {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    Message { id: MessageId::new(id), time: 0, again: false, to_all: false, body: "x".repeat(bytes).into() }
}

fn ids(messages: &[Message]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

#[test]
fn large_messages_flow_both_ways_over_tls() {
    let (alice, bob) = (Program::new(1), Program::new(2));
    alice.request(1, bob.addr, Some(bob.key), Request::Open);
    assert_eq!(alice.next(), Told::Up(bob.key));
    assert_eq!(alice.next(), Told::Ended(JobId(1), RequestEnd::Answered));
    assert_eq!(bob.next(), Told::Up(alice.key));
    let large: Vec<Message> = (0..40).map(|number| message(number, 64 * 1024)).collect();
    alice.request(2, bob.addr, Some(bob.key), Request::Messages(large.clone()));
    bob.request(1, alice.addr, Some(alice.key), Request::Messages(large.clone()));
    let exchange = |program: Program| {
        let (mut received, mut receipts, mut is_over) = (Vec::new(), Vec::new(), false);
        while received.len() < large.len() || receipts.len() < large.len() || !is_over {
            match program.next() {
                Told::Messages(link, messages) => {
                    received.extend(ids(&messages));
                    let (receipts, others) = (ids(&messages), Vec::new());
                    program.sessions.command(SessionCommand::Stored {
                        link,
                        receipts,
                        others,
                        retry_after: 0,
                    });
                }
                Told::Receipts(ids) => receipts.extend(ids),
                Told::Ended(_, end) => is_over = end == RequestEnd::Answered,
                told => panic!("{told:?}"),
            }
        }
        assert_eq!((received, receipts), (ids(&large), ids(&large)));
        program
    };
    let (alice, bob) = thread::scope(|scope| {
        let alice = scope.spawn(|| exchange(alice));
        let bob = exchange(bob);
        (alice.join().unwrap(), bob)
    });
    alice.sessions.stop(Instant::now() + WITHIN);
    assert_eq!(bob.next(), Told::Down(Some(ByeReason::Leaves)));
    bob.sessions.stop(Instant::now() + WITHIN);
}

#[test]
fn wrong_key_gets_nothing() {
    let (alice, bob) = (Program::new(1), Program::new(2));
    let expected = PublicKey::new([9; KEY_BYTES]);
    alice.request(1, bob.addr, Some(expected), Request::Open);
    assert_eq!(alice.next(), Told::Ended(JobId(1), RequestEnd::WrongKey(bob.key)));
    alice.request(2, alice.addr, None, Request::Open);
    assert_eq!(alice.next(), Told::Ended(JobId(2), RequestEnd::Ourselves));
    assert!(bob.told.try_recv().is_err());
}

#[test]
fn legacy_program_gets_the_line_and_nothing_more() {
    let alice = Program::new(1);
    let legacy = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = PeerAddr::of(legacy.local_addr().unwrap()).unwrap();
    alice.request(1, addr, None, Request::Open);
    let mut stream = legacy.accept().unwrap().0;
    let mut line = [0; DIAL_LINE.len()];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(line, DIAL_LINE);
    stream.write_all(b"[ACK] Message received from 5001").unwrap();
    assert_eq!(alice.next(), Told::Ended(JobId(1), RequestEnd::NoSession));
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

#[test]
fn opening_time_counts_from_accepting() {
    let bob = Program::begun(2, Instant::now().checked_sub(2 * OPEN_WITHIN).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut dialer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, source) = listener.accept().unwrap();
    // The listener has had it almost as long as it may take until both hellos.
    let at = Instant::now().checked_sub(OPEN_WITHIN - Duration::from_secs(1)).unwrap();
    bob.sessions.accepted(stream, Source::from(source), at, DIAL_LINE.to_vec(), ());
    dialer.set_read_timeout(Some(OPENING_SILENCE / 2)).unwrap();
    let mut answer = Vec::new();
    dialer.read_to_end(&mut answer).expect("it ends before it has been silent for long");
    assert_eq!(answer, OK_LINE);
}

#[test]
fn closed_port_is_unreachable_at_once() {
    let alice = Program::new(1);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = PeerAddr::of(closed.local_addr().unwrap()).unwrap();
    drop(closed);
    alice.request(1, addr, None, Request::Open);
    let end = RequestEnd::Unreachable(SendError::Refused);
    assert_eq!(alice.next(), Told::Ended(JobId(1), end));
}

/// Has `alice` dial `bob` through a proxy, which calls `passes_on` for each direction. Returns the
/// connection between `alice` and the proxy.
fn dials_through(alice: &Program, bob: &Program, passes_on: fn(TcpStream, TcpStream)) -> TcpStream {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = PeerAddr::of(proxy.local_addr().unwrap()).unwrap();
    alice.request(1, addr, Some(bob.key), Request::Open);
    let outer = proxy.accept().unwrap().0;
    let inner = TcpStream::connect(bob.addr.socket()).unwrap();
    for (from, to) in [(&outer, &inner), (&inner, &outer)] {
        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || passes_on(from, to));
    }
    outer
}

#[test]
fn killed_peer_is_noticed_at_once() {
    let (alice, bob) = (Program::new(1), Program::new(2));
    // The system ends the connection of a killed process.
    let outer = dials_through(&alice, &bob, |mut from, mut to| {
        let _ = std::io::copy(&mut from, &mut to);
    });
    assert_eq!(alice.next(), Told::Up(bob.key));
    assert_eq!(alice.next(), Told::Ended(JobId(1), RequestEnd::Answered));
    outer.shutdown(Shutdown::Both).unwrap();
    assert_eq!(alice.next(), Told::Down(None));
}

#[test]
fn handshake_in_single_bytes_opens_a_session() {
    let (alice, bob) = (Program::new(1), Program::new(2));
    dials_through(&alice, &bob, |mut from, mut to| {
        to.set_nodelay(true).unwrap();
        let mut byte = [0];
        while from.read_exact(&mut byte).is_ok() && to.write_all(&byte).is_ok() {}
    });
    assert_eq!(alice.next(), Told::Up(bob.key));
    assert_eq!(bob.next(), Told::Up(alice.key));
}

#[test]
fn line_in_pieces_opens_a_session() {
    let bob = Program::new(2);
    let mut stream = TcpStream::connect(bob.addr.socket()).unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in DIAL_LINE {
        stream.write_all(&[*byte]).unwrap();
    }
    let mut line = [0; OK_LINE.len()];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(line, OK_LINE);
    stream.write_all(b"no TLS at all, not even a record").unwrap();
    let mut alert = Vec::new();
    let _ = stream.read_to_end(&mut alert);
    assert!(bob.told.try_recv().is_err());
}

/// Shakes hands with the peer that listens at `addr`, and says no hello.
fn shakes_hands(addr: SocketAddr) -> (ClientConnection, TcpStream) {
    let tls = Tls::new(&OwnKey::from_seed(&[9; KEY_BYTES]).unwrap()).unwrap();
    let mut config = ClientConfig::clone(&tls.any);
    config.enable_secret_extraction = true;
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let mut connection = ClientConnection::new(config.into(), name).unwrap();
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(DIAL_LINE).unwrap();
    stream.read_exact(&mut [0; OK_LINE.len()]).unwrap();
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).unwrap();
    }
    (connection, stream)
}

/// Sends what `next` returns until the other side closes the connection, as rustls has it do after
/// some dozens.
fn sends_until_closed(mut stream: &TcpStream, mut next: impl FnMut() -> Vec<u8>) {
    stream.set_write_timeout(Some(WITHIN)).unwrap();
    let closed = (0..1_000_000).find_map(|_| stream.write_all(&next()).err()).expect("it is closed");
    assert!(!matches!(closed.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "{closed}");
}

#[test]
fn empty_records_without_end_close_the_connection() {
    let bob = Program::new(2);
    let (connection, stream) = shakes_hands(bob.addr.socket());
    let (sequence, secrets) = connection.dangerous_extract_secrets().unwrap().tx;
    let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { panic!("not the first suite") };
    let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    let mut sealer: Box<dyn MessageEncrypter> = suite.aead_alg.encrypter(key, iv);
    // rustls itself never sends a record without content.
    let mut seal = |sequence: u64| {
        let empty = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(&[]),
        };
        sealer.encrypt(empty, sequence).unwrap().encode()
    };
    // aws-lc refuses to seal if it was not asked to from the first record on.
    (0..sequence).for_each(|earlier| drop(seal(earlier)));
    let mut sequences = sequence..;
    sends_until_closed(&stream, || seal(sequences.next().unwrap()));
    assert!(bob.told.try_recv().is_err());
}

#[test]
fn new_traffic_keys_without_end_close_the_connection() {
    let bob = Program::new(2);
    let (mut connection, stream) = shakes_hands(bob.addr.socket());
    sends_until_closed(&stream, || {
        let mut bytes = Vec::new();
        connection.refresh_traffic_keys().unwrap();
        while connection.wants_write() {
            connection.write_tls(&mut bytes).unwrap();
        }
        bytes
    });
    assert!(bob.told.try_recv().is_err());
}

#[test]
fn connection_waiting_for_its_end_takes_no_turns() {
    let tls = Tls::new(&OwnKey::from_seed(&[1; KEY_BYTES]).unwrap()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let client = thread::spawn(move || shakes_hands(addr));
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut conn = Conn::accepted(mio::net::TcpStream::from_std(stream), Vec::new());
    let mut poll = Poll::new().unwrap();
    let both = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(&mut conn.stream, Token(1), both).unwrap();
    let mut turn = |conn: &mut Conn, within: Duration| {
        let mut events = Events::with_capacity(8);
        poll.poll(&mut events, Some(within)).unwrap();
        conn.is_readable |= events.iter().any(mio::event::Event::is_readable);
        conn.is_writable |= events.iter().any(mio::event::Event::is_writable);
        (!events.is_empty(), conn.turn(&tls))
    };
    while !turn(&mut conn, WITHIN).1.iter().any(|event| matches!(event, ConnEvent::Up(..))) {}
    let _open = client.join().unwrap();
    conn.finish_by = Some(Instant::now() + WITHIN);
    conn.turn(&tls);
    // What it sends last, and that it sends nothing more, are events of its own socket.
    let turns = (0..100).take_while(|_| turn(&mut conn, Duration::from_millis(200)).0).count();
    assert!(turns < 10, "{turns} turns while the peer does nothing");
}

/// What the system takes on each side of a connection without it being read.
const SYSTEM_BYTES: usize = 4 * TURN_BYTES;

fn tls(seed: u8) -> Tls {
    Tls::new(&OwnKey::from_seed(&[seed; KEY_BYTES]).unwrap()).unwrap()
}

/// Two ends of a connection on which both keys are proven. No events reach them.
fn encrypted_pair(tls: &[Tls; 2]) -> [Conn; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    SockRef::from(&listener).set_recv_buffer_size(SYSTEM_BYTES).unwrap();
    let addr = listener.local_addr().unwrap();
    let dialing = TcpStream::connect(addr).unwrap();
    let accepted = listener.accept().unwrap().0;
    let [dialing, accepted] = [dialing, accepted].map(|stream| {
        SockRef::from(&stream).set_send_buffer_size(SYSTEM_BYTES).unwrap();
        stream.set_nonblocking(true).unwrap();
        mio::net::TcpStream::from_std(stream)
    });
    let dialed = Conn::dialed(dialing, PeerAddr::of(addr).unwrap(), None);
    let mut pair = [dialed, Conn::accepted(accepted, Vec::new())];
    let (begun, mut up) = (Instant::now(), 0);
    while up < 2 {
        assert!(begun.elapsed() < WITHIN, "{pair:?}");
        for (conn, tls) in pair.iter_mut().zip(tls) {
            (conn.is_readable, conn.is_writable) = (true, true);
            up += conn.turn(tls).iter().filter(|event| matches!(event, ConnEvent::Up(..))).count();
        }
    }
    pair
}

/// Has a connection send until the system takes nothing more. Returns how many bytes it was given.
fn fill(conn: &mut Conn, tls: &Tls) -> usize {
    let mut given = 0;
    conn.is_writable = true;
    while conn.is_writable {
        conn.send(&[0; 1024]);
        given += 1024;
        conn.turn(tls);
    }
    given
}

/// The bytes that a turn has brought.
fn brought(conn: &mut Conn, tls: &Tls) -> usize {
    let length = |event: ConnEvent| match event {
        ConnEvent::Data(bytes) => bytes.len(),
        _ => 0,
    };
    conn.turn(tls).into_iter().map(length).sum()
}

#[test]
fn paused_connection_goes_on_without_an_event() {
    let tls = [1, 2].map(tls);
    let [mut from, mut to] = encrypted_pair(&tls);
    (from.is_readable, to.is_readable) = (false, false);
    let given = fill(&mut from, &tls[0]);
    assert!(given > 2 * TURN_BYTES, "the system took only {given} bytes");
    // One event, and so many turns as it takes.
    to.is_readable = true;
    let mut turns = Vec::new();
    while to.is_ready() {
        turns.push(brought(&mut to, &tls[1]));
    }
    let all: usize = turns.iter().sum();
    assert!(all > TURN_BYTES && turns.len() > 1, "{turns:?}");
    // A turn ends with the read that reaches the limit.
    assert!(turns.iter().all(|bytes| *bytes < 2 * TURN_BYTES), "{turns:?}");
}

#[test]
fn blocked_writes_do_not_stop_reading() {
    let tls = [1, 2].map(tls);
    let [mut blocked, mut other] = encrypted_pair(&tls);
    (blocked.is_readable, other.is_readable) = (false, false);
    fill(&mut blocked, &tls[0]);
    other.send(b"x");
    other.is_writable = true;
    other.turn(&tls[1]);
    let (begun, mut bytes) = (Instant::now(), 0);
    while bytes == 0 {
        assert!(begun.elapsed() < WITHIN, "{blocked:?}");
        blocked.is_readable = true;
        bytes = brought(&mut blocked, &tls[0]);
    }
    assert_eq!(bytes, 1);
    assert!(!blocked.is_writable, "it still cannot write");
}
