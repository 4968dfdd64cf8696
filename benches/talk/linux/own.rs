//! Peers that speak as the program does: its sessions without the core around them, and peers that
//! block, with rustls and the program's settings of TLS.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use p2p_chat::core::{JobId, RequestEnded, SessionRequest};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::session::{ByeReason, Message, Request, RequestEnd};
use p2p_chat::net::secure::{OwnKey, Tls};
use p2p_chat::net::sessions::{LinkId, Opened, SessionCommand, SessionHandler, Sessions, SessionsConfig};
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use p2p_chat::protocol::session::{Hello, Record, Records};
use parking_lot::Mutex;

use super::SOON;
use super::bare::{self, Client, Server};
use super::door::Door;

/// Returns the TLS of the program whose key has this number.
pub(super) fn tls(number: u32) -> anyhow::Result<Arc<Tls>> {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let key = OwnKey::from_seed(&seed).context("no key of this seed")?;
    Ok(Arc::new(Tls::new(&key)?))
}

/// Returns the hello of a program with this name.
pub(super) fn hello(name: &str, port: u16) -> Hello {
    Hello {
        dialed: DIAL_LINE.to_vec(),
        answered: OK_LINE.to_vec(),
        run: 1,
        window: 262_144,
        ..Hello::new(PeerName::new(name), port)
    }
}

/// Returns the id of the message of this number.
pub(super) fn id(number: u64) -> MessageId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    MessageId::new(bytes)
}

/// A session of a peer that blocks.
pub(super) struct Blocking<S> {
    stream: S,
    records: Records,
}

/// Opens a session as its dialer with whichever key answers, until both sides have said hello.
pub(super) fn dial(name: &str, tls: &Tls, mut stream: TcpStream) -> anyhow::Result<Blocking<Client>> {
    stream.set_nodelay(true)?;
    stream.write_all(DIAL_LINE)?;
    stream.read_exact(&mut [0; OK_LINE.len()])?;
    let stream = bare::client(tls.dialing(None)?, stream)?;
    let mut session = Blocking { stream, records: Records::new() };
    session.send(&Record::Hello(hello(name, 5000)))?;
    session.hears_hello()?;
    Ok(session)
}

/// Opens a session as its acceptor, until both sides have said hello.
pub(super) fn accept(name: &str, tls: &Tls, mut stream: TcpStream) -> anyhow::Result<Blocking<Server>> {
    stream.set_nodelay(true)?;
    let port = stream.local_addr()?.port();
    stream.read_exact(&mut [0; DIAL_LINE.len()])?;
    stream.write_all(OK_LINE)?;
    let stream = bare::server(tls.accepting()?, stream)?;
    let mut session = Blocking { stream, records: Records::new() };
    session.hears_hello()?;
    session.send(&Record::Hello(hello(name, port)))?;
    Ok(session)
}

impl<S: Read + Write> Blocking<S> {
    fn send(&mut self, record: &Record) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&record.encode())?)
    }

    fn hears_hello(&mut self) -> anyhow::Result<()> {
        let first = self.next_record()?;
        ensure!(matches!(first, Some(Record::Hello(_))), "no hello but {first:?}");
        Ok(())
    }

    /// Sends receipts and pongs until the session ends, and shows each message to `take`.
    pub(super) fn serve(&mut self, mut take: impl FnMut(&str)) -> anyhow::Result<()> {
        while let Some(record) = self.next_record()? {
            match record {
                Record::Text { id, body, .. } => {
                    take(&body);
                    self.send(&Record::Receipt(vec![id]))?;
                }
                Record::Ping(nonce) => self.send(&Record::Pong(nonce))?,
                Record::Bye(_) => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Fails if the other side does not answer a ping.
    pub(super) fn is_open(&mut self) -> anyhow::Result<()> {
        const NONCE: u64 = 7;
        self.send(&Record::Ping(NONCE))?;
        loop {
            match self.next_record()? {
                Some(Record::Pong(NONCE)) => return Ok(()),
                None | Some(Record::Bye(_)) => bail!("the session has ended"),
                Some(_) => {}
            }
        }
    }

    /// Reads the next record; `None` if the session has ended in good order.
    fn next_record(&mut self) -> anyhow::Result<Option<Record>> {
        loop {
            let record = self.records.next_record().map_err(|fault| anyhow::anyhow!("{fault:?}"))?;
            if record.is_some() {
                return Ok(record);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer)? {
                0 => return Ok(None),
                count => self.records.push(&buffer[..count]),
            }
        }
    }
}

/// The sessions of a program without its core, which take every message at once.
pub(super) struct Program {
    sessions: Arc<Sessions>,
    pub(super) key: PublicKey,
    pub(super) addr: PeerAddr,
    series: Arc<Mutex<Series>>,
    over: Receiver<Result<Vec<Duration>, RequestEnd>>,
    _door: Door,
}

/// What the request of a job says.
type Say = Box<dyn Fn(JobId) -> Request + Send>;

/// Requests that are made one after the other.
#[derive(Default)]
struct Series {
    /// Whom they go to.
    to: Option<(PeerAddr, PublicKey)>,
    /// What each says.
    say: Option<Say>,
    /// Requests that are still to be made.
    left: usize,
    /// The number of the last one.
    last: u64,
    begun: Option<Instant>,
    times: Vec<Duration>,
}

impl Series {
    /// Makes the next request; none if there is no other.
    fn next(&mut self) -> Option<SessionRequest> {
        self.left = self.left.checked_sub(1)?;
        let ((addr, key), say) = (self.to?, self.say.as_ref()?);
        self.last += 1;
        let job = JobId(self.last);
        let say = say(job);
        self.begun = Some(Instant::now());
        Some(SessionRequest { job, addrs: vec![addr], expect: Some(key), say, deadline: None })
    }
}

impl Program {
    /// Starts the program whose key has this number, at any port.
    pub(super) fn start(number: u32) -> anyhow::Result<Self> {
        let tls = tls(number)?;
        let key = tls.own();
        let (bind, run, began) = (Ipv4Addr::UNSPECIFIED.into(), u64::from(number), Instant::now());
        let sessions = Arc::new(Sessions::new(SessionsConfig { tls, bind, run, began })?);
        let (tell, over) = channel();
        let series = Arc::default();
        let taker = Taker { sessions: Arc::downgrade(&sessions), series: Arc::clone(&series), tell };
        sessions.start(taker)?;
        let accepting = Arc::clone(&sessions);
        let door = Door::open(1, move |stream| {
            let source = Source::from(stream.peer_addr()?);
            accepting.accepted(stream, source, Instant::now(), Vec::new(), ());
            Ok(())
        })?;
        let addr = PeerAddr::of(door.addr).context("no address of a peer")?;
        Ok(Self { sessions, key, addr, series, over, _door: door })
    }

    /// Requests something of another program, and waits until it has answered.
    pub(super) fn request(&mut self, of: (PeerAddr, PublicKey), say: Request) -> anyhow::Result<()> {
        self.requests(of, 1, move |_| say.clone()).map(drop)
    }

    /// Makes so many requests of another program, each from the thread of the sessions when it has
    /// answered the one before. Returns how long each took.
    pub(super) fn requests(
        &mut self,
        of: (PeerAddr, PublicKey),
        count: usize,
        say: impl Fn(JobId) -> Request + Send + 'static,
    ) -> anyhow::Result<Vec<Duration>> {
        let first = {
            let mut series = self.series.lock();
            series.to = Some(of);
            series.say = Some(Box::new(say));
            series.left = count;
            series.times = Vec::with_capacity(count);
            series.next()
        };
        self.sessions.command(SessionCommand::Request(first.context("nothing to request")?));
        let times = self.over.recv_timeout(SOON)?;
        times.map_err(|end| anyhow::anyhow!("{end:?}"))
    }

    /// Ends the session with a key by agreement.
    pub(super) fn part(&self, key: PublicKey) {
        self.sessions.command(SessionCommand::Part(key, ByeReason::Idle));
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.sessions.stop(Instant::now() + Duration::from_secs(1));
    }
}

/// Stores every message at once, in memory.
struct Taker {
    sessions: Weak<Sessions>,
    series: Arc<Mutex<Series>>,
    tell: Sender<Result<Vec<Duration>, RequestEnd>>,
}

impl SessionHandler for Taker {
    fn hello(&mut self, _: IpAddr) -> Hello {
        hello("Bob", 5001)
    }

    fn is_own(&mut self, _: PeerAddr) -> bool {
        false
    }

    fn session_up(&mut self, _: Opened) -> Result<(), ByeReason> {
        Ok(())
    }

    fn session_alive(&mut self, _: PublicKey) {}

    fn messages(
        &mut self,
        link: LinkId,
        _: PublicKey,
        _: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        if let Some(sessions) = self.sessions.upgrade() {
            let ids = messages.into_iter().map(|message| message.id).collect();
            sessions.command(SessionCommand::Stored {
                link,
                receipts: ids,
                others: Vec::new(),
                retry_after: 0,
            });
        }
        Ok(())
    }

    fn receipts(&mut self, _: PublicKey, _: &[MessageId]) {}

    fn session_down(&mut self, _: PublicKey, _: Option<ByeReason>) {}

    fn request_ended(&mut self, _: JobId, ended: RequestEnded) {
        let mut series = self.series.lock();
        let took = series.begun.take().map(|begun| begun.elapsed());
        series.times.extend(took);
        let over = match ended.end {
            RequestEnd::Answered => match series.next() {
                Some(next) => {
                    if let Some(sessions) = self.sessions.upgrade() {
                        sessions.command(SessionCommand::Request(next));
                    }
                    return;
                }
                None => Ok(std::mem::take(&mut series.times)),
            },
            end => Err(end),
        };
        // Nobody waits if a request ends after the measurement.
        let _ = self.tell.send(over);
    }

    fn renamed(&mut self, _: PublicKey, _: Source, _: PeerName, _: u16) {}

    fn listens_at(&mut self, _: PublicKey, _: &[SocketAddr]) {}

    fn asks_to_verify(&mut self, _: PublicKey) {}

    fn identity_in_use(&mut self, _: PublicKey, _: IpAddr) {}

    fn is_contact(&mut self, _: PublicKey) -> bool {
        true
    }
}
