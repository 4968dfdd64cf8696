//! Peers that speak as the program does: its sessions without the core, and peers that block.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
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

use super::acceptor::Acceptor;
use super::bare::{self, Client};
use crate::common::SOON;

/// Returns the program's TLS with the key of this number.
pub(super) fn tls(number: u32) -> anyhow::Result<Arc<Tls>> {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let key = OwnKey::from_seed(&seed).context("no key of this seed")?;
    Ok(Arc::new(Tls::new(&key)?))
}

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
pub(super) struct Blocking {
    stream: Client,
    records: Records,
}

impl Blocking {
    /// Opens a session with any key, and returns when both sides have said hello.
    pub(super) fn dial(name: &str, tls: &Tls, mut stream: TcpStream) -> anyhow::Result<Self> {
        stream.set_nodelay(true)?;
        stream.write_all(DIAL_LINE)?;
        stream.read_exact(&mut [0; OK_LINE.len()])?;
        let stream = bare::client(tls, stream)?;
        let mut session = Self { stream, records: Records::new() };
        session.send(&Record::Hello(hello(name, 5000)))?;
        let first = session.next_record()?;
        ensure!(matches!(first, Some(Record::Hello(_))), "no hello but {first:?}");
        Ok(session)
    }

    fn send(&mut self, record: &Record) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&record.encode())?)
    }

    /// Fails if the other side does not answer a ping.
    pub(super) fn check_open(&mut self) -> anyhow::Result<()> {
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

    /// Reads the next record; `None` if the session was closed.
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

/// The sessions of a program without its core. They acknowledge every message at once.
pub(super) struct Node {
    sessions: Arc<Sessions>,
    pub(super) key: PublicKey,
    pub(super) addr: PeerAddr,
    series: Arc<Mutex<Series>>,
    over: Receiver<Result<Vec<Duration>, RequestEnd>>,
    _acceptor: Acceptor,
}

/// Returns the request of a job.
type Say = Box<dyn Fn(JobId) -> Request + Send>;

/// Requests that are made one after the other.
#[derive(Default)]
struct Series {
    to: Option<(PeerAddr, PublicKey)>,
    say: Option<Say>,
    /// Requests to come.
    left: usize,
    /// The number of the last one.
    last: u64,
    begun: Option<Instant>,
    times: Vec<Duration>,
}

impl Series {
    /// Returns the next request, if there is one.
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

impl Node {
    /// Starts a node whose key has this number, at any port.
    pub(super) fn start(number: u32) -> anyhow::Result<Self> {
        let tls = tls(number)?;
        let key = tls.own();
        let (bind, run, began) = (Ipv4Addr::UNSPECIFIED.into(), u64::from(number), Instant::now());
        let sessions = Arc::new(Sessions::new(SessionsConfig { tls, bind, run, began })?);
        let (tell, over) = channel();
        let series = Arc::default();
        let taker = Handler { sessions: Arc::downgrade(&sessions), series: Arc::clone(&series), tell };
        sessions.start(taker)?;
        let accepting = Arc::clone(&sessions);
        let acceptor = Acceptor::start(1, move |stream| {
            let source = Source::from(stream.peer_addr()?);
            accepting.accepted(stream, source, Instant::now(), Vec::new(), ());
            Ok(())
        })?;
        let addr = PeerAddr::of(acceptor.addr).context("no address of a peer")?;
        Ok(Self { sessions, key, addr, series, over, _acceptor: acceptor })
    }

    /// Makes so many requests of another node, each from the thread of the sessions when the one
    /// before is answered. Returns the time of each.
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

    /// Ends the session with a key.
    pub(super) fn part(&self, key: PublicKey) {
        self.sessions.command(SessionCommand::Part(key, ByeReason::Idle));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.sessions.stop(Instant::now() + Duration::from_secs(1));
    }
}

/// Acknowledges every message at once.
struct Handler {
    sessions: Weak<Sessions>,
    series: Arc<Mutex<Series>>,
    tell: Sender<Result<Vec<Duration>, RequestEnd>>,
}

impl SessionHandler for Handler {
    fn hello(&mut self, _: IpAddr) -> Hello {
        hello("Bob", 5001)
    }

    fn session_up(&mut self, _: Opened) -> Result<(), ByeReason> {
        Ok(())
    }

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
        // After the measurement no thread waits.
        let _ = self.tell.send(over);
    }

    fn is_contact(&mut self, _: PublicKey) -> bool {
        true
    }
}
