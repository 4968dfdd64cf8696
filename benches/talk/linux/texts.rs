//! Texts with their receipts on a connection that is kept.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
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
use p2p_chat::net::Listener;
use p2p_chat::net::secure::talk::{Dialed, Turn};
use p2p_chat::net::sessions::{LinkId, Opened, SessionCommand, SessionHandler, Sessions, SessionsConfig};
use p2p_chat::protocol::session::{Hello, Record};

use super::bare::{BareTls, Client};
use super::door::Door;
use super::process::cpu_time;
use super::{Findings, RUNS, SOON, own};
use crate::common::figures::percentile;
use crate::common::table::{Compared, Target};

/// Texts of a turn, and turns of a slice.
const TURNS: [(usize, usize); 3] = [(1, 400), (8, 200), (64, 75)];

/// Slices of a run, in which all that is compared takes turns: on which core the system has a thread, and what else it does, changes in
/// less than a second, and makes more of a difference than anything that is measured here.
const SLICES: usize = 20;

/// Bytes of a text.
const BODY: usize = 100;

/// When all of it was typed, by the sender's clock.
const TIME: u64 = 1_700_000_000_000;

/// Somebody to whom a turn of so many texts can be said.
trait Way {
    fn say(&mut self, texts: usize) -> anyhow::Result<()>;
}

/// Measures all by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let rate = |texts, baseline: &str| {
        Compared::new(format!("texts with receipts, turns of {texts}"), baseline, "1/s")
    };
    let tls = |texts| rate(texts, "bare TLS").with(Target::RatioAtLeast(0.7));
    let work = |texts| {
        let what = format!("CPU time of both sides for each text, turns of {texts}");
        Compared::new(what, "bare TLS", "us")
    };
    let mut rates = TURNS.map(|(texts, _)| (tls(texts), rate(texts, "plain TCP"), work(texts)));
    let trip = |which: &str, what: &str, baseline: &str| {
        Compared::new(format!("one text and its receipt, {what}{which}"), baseline, "us")
    };
    let mut trips = ["p50", "p99"].map(|which| {
        let of = |baseline| trip(which, "", baseline);
        (of("bare TLS"), of("plain TCP"), trip(which, "from errand to report, ", "bare TLS"))
    });
    let mut ways: [Box<dyn Way>; 4] =
        [Box::new(Ours::new()?), Box::new(Bare::new()?), Box::new(Plain::new()?), Box::new(Whole::new()?)];
    // What comes first is slower: memory, and the state of the connection.
    for way in &mut ways {
        say(&mut **way, 1, 2_000)?;
    }
    for _ in 0..RUNS {
        for ((texts, turns), (of_tls, of_tcp, of_work)) in TURNS.into_iter().zip(&mut rates) {
            let mut runs: [Run; 4] = Default::default();
            for _ in 0..SLICES {
                for (way, run) in ways.iter_mut().zip(&mut runs) {
                    run.add(say(&mut **way, texts, turns)?);
                }
            }
            let [our_rate, bare_rate, plain_rate, _] = runs.each_ref().map(|run| run.rate(texts));
            of_tls.add(our_rate, bare_rate);
            of_tcp.add(our_rate, plain_rate);
            let [our_work, bare_work, ..] = runs.each_ref().map(|run| run.work(texts));
            of_work.add(our_work, bare_work);
            if texts == 1 {
                for ((of_tls, of_tcp, of_whole), hundredths) in trips.iter_mut().zip([50, 99]) {
                    let at = |run: &Run| percentile(&run.times, hundredths) * 1_000.0;
                    let [ours, bare, plain, whole] = runs.each_ref().map(at);
                    of_tls.add(ours, bare);
                    of_tcp.add(ours, plain);
                    of_whole.add(whole, bare);
                }
            }
        }
    }
    let mut rows = Vec::new();
    rates.into_iter().for_each(|(tls, tcp, work)| rows.extend([tls, tcp, work]));
    trips.into_iter().for_each(|(tls, tcp, whole)| rows.extend([tls, tcp, whole]));
    Ok(Findings { rows, ..Findings::default() })
}

/// What one way took in a run.
#[derive(Default)]
struct Run {
    times: Vec<Duration>,
    /// What all threads had of the processors.
    work: Duration,
}

impl Run {
    fn add(&mut self, slice: Run) {
        self.times.extend(slice.times);
        self.work += slice.work;
    }

    /// Texts a second.
    fn rate(&self, texts: usize) -> f64 {
        (texts * self.times.len()) as f64 / self.times.iter().sum::<Duration>().as_secs_f64()
    }

    /// Microseconds of processors for each text.
    fn work(&self, texts: usize) -> f64 {
        self.work.as_secs_f64() * 1e6 / (texts * self.times.len()) as f64
    }
}

/// Says so many turns.
fn say(way: &mut dyn Way, texts: usize, turns: usize) -> anyhow::Result<Run> {
    // The size may change, which takes a turn.
    way.say(texts)?;
    let before = cpu_time(std::process::id())?;
    let mut times = Vec::with_capacity(turns);
    for _ in 0..turns {
        let begun = Instant::now();
        way.say(texts)?;
        times.push(begun.elapsed());
    }
    let work = cpu_time(std::process::id())?.saturating_sub(before);
    Ok(Run { times, work })
}

/// The same bytes as ours of a turn, and of its receipts.
fn bytes_of(texts: usize) -> (Vec<u8>, Vec<u8>) {
    let ids: Vec<MessageId> = (0..texts as u64).map(own::id).collect();
    let body: Arc<str> = "x".repeat(BODY).into();
    let text = |id: &MessageId| Record::Text { id: *id, time: TIME, again: false, body: Arc::clone(&body) };
    let turn = ids.iter().flat_map(|id| text(id).encode()).collect();
    (turn, Record::Receipt(ids).encode())
}

/// A talk as it is, without what the program has around it.
struct Ours {
    talk: Option<Dialed>,
    number: u64,
    body: Arc<str>,
    _door: Door,
}

impl Ours {
    fn new() -> anyhow::Result<Self> {
        let (ann, bob) = (own::tls(1)?, own::tls(2)?);
        let key = bob.own();
        let door = Door::open(1, move |stream| {
            own::accept(&bob, stream)?.serve(|texts| own::receipts(&texts));
            Ok(())
        })?;
        let talk = Some(own::dial(&ann, door.addr, key)?);
        Ok(Self { talk, number: 0, body: "x".repeat(BODY).into(), _door: door })
    }
}

impl Way for Ours {
    fn say(&mut self, texts: usize) -> anyhow::Result<()> {
        let mut turn = Turn::new();
        for _ in 0..texts {
            self.number += 1;
            ensure!(turn.text(own::id(self.number), TIME, false, &self.body), "the turn is full");
        }
        let outcome = self.talk.take().context("it has ended")?.turn(turn);
        ensure!(outcome.receipted.len() == texts, "{} receipts", outcome.receipted.len());
        match outcome.then {
            Ok(talk) => self.talk = Some(talk),
            Err(end) => bail!("it has ended: {end:?}"),
        }
        Ok(())
    }
}

/// Reads turns of the size that is told, and answers as many bytes as their receipts have.
fn echo(mut stream: impl Read + Write, sizes: &Receiver<usize>) -> anyhow::Result<()> {
    while let Ok(texts) = sizes.recv() {
        let (mut turn, receipts) = bytes_of(texts);
        // A turn without a byte of ones: the size is about to change.
        loop {
            stream.read_exact(&mut turn)?;
            stream.write_all(&receipts)?;
            if turn[0] == CHANGES {
                break;
            }
        }
    }
    Ok(())
}

/// The first byte of the last turn of a size.
const CHANGES: u8 = 0xff;

/// One connection that is echoed.
struct Echoed<S> {
    stream: S,
    texts: usize,
    turn: Vec<u8>,
    receipts: Vec<u8>,
    sizes: std::sync::mpsc::Sender<usize>,
    _door: Door,
}

impl<S: Read + Write> Echoed<S> {
    fn exchange(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.turn)?;
        Ok(self.stream.read_exact(&mut self.receipts)?)
    }
}

impl<S: Read + Write> Way for Echoed<S> {
    fn say(&mut self, texts: usize) -> anyhow::Result<()> {
        if texts != self.texts {
            if self.texts > 0 {
                self.turn[0] = CHANGES;
                self.exchange()?;
            }
            self.sizes.send(texts)?;
            (self.turn, self.receipts) = bytes_of(texts);
            self.texts = texts;
        }
        self.exchange()
    }
}

/// TLS alone.
struct Bare;

impl Bare {
    #[allow(clippy::new_ret_no_self)]
    fn new() -> anyhow::Result<Echoed<Client>> {
        let tls = BareTls::new()?;
        let accepting = tls.clone();
        echoed(move |stream, sizes| echo(accepting.accept(stream)?, sizes), |addr| tls.dial(addr))
    }
}

/// A stream alone.
struct Plain;

impl Plain {
    #[allow(clippy::new_ret_no_self)]
    fn new() -> anyhow::Result<Echoed<TcpStream>> {
        let nodelay = |stream: TcpStream| stream.set_nodelay(true).map(|()| stream);
        echoed(
            move |stream, sizes| echo(nodelay(stream)?, sizes),
            |addr| Ok(nodelay(TcpStream::connect(addr)?)?),
        )
    }
}

fn echoed<S>(
    accept: impl Fn(TcpStream, &Receiver<usize>) -> anyhow::Result<()> + Send + Sync + 'static,
    dial: impl FnOnce(SocketAddr) -> anyhow::Result<S>,
) -> anyhow::Result<Echoed<S>> {
    let (sizes, told) = channel();
    let told = parking_lot::Mutex::new(told);
    let door = Door::open(1, move |stream| {
        // Who has dialed ends it by going.
        let _ = accept(stream, &told.lock());
        Ok(())
    })?;
    let stream = dial(door.addr)?;
    Ok(Echoed { stream, texts: 0, turn: Vec::new(), receipts: Vec::new(), sizes, _door: door })
}

/// Two programs with a session, from request to the end of the request.
struct Whole {
    ann: Arc<Sessions>,
    bob: Arc<Sessions>,
    ended: Receiver<RequestEnded>,
    to: PeerAddr,
    key: PublicKey,
    number: u64,
    body: Arc<str>,
}

impl Whole {
    fn new() -> anyhow::Result<Self> {
        let (ann, bob) = (own::tls(1)?, own::tls(2)?);
        let key = bob.own();
        let (socket, addr) = Listener::bind("127.0.0.1:0".parse()?)?;
        let start = |tls, run| -> anyhow::Result<(Arc<Sessions>, Receiver<RequestEnded>)> {
            let bind = std::net::Ipv4Addr::UNSPECIFIED.into();
            let sessions = Arc::new(Sessions::new(SessionsConfig { tls, bind, run, began: Instant::now() })?);
            let (tell, ended) = channel();
            sessions.start(Taker { sessions: Arc::downgrade(&sessions), tell })?;
            Ok((sessions, ended))
        };
        let ((ann, ended), (bob, _)) = (start(ann, 1)?, start(bob, 2)?);
        let accepting = Arc::clone(&bob);
        // It ends after one connection, which is all that is dialed.
        std::thread::spawn(move || {
            if let Ok((stream, source)) = socket.accept() {
                accepting.accepted(stream, Source::from(source), Vec::new(), ());
            }
        });
        let to = Source::from(addr).at(addr.port()).context("no address of a peer")?;
        Ok(Self { ann, bob, ended, to, key, number: 0, body: "x".repeat(BODY).into() })
    }
}

impl Way for Whole {
    fn say(&mut self, texts: usize) -> anyhow::Result<()> {
        let message =
            |number| Message { id: own::id(number), time: TIME, again: false, body: Arc::clone(&self.body) };
        let messages = (self.number + 1..=self.number + texts as u64).map(message).collect();
        self.number += texts as u64;
        self.ann.command(SessionCommand::Request(SessionRequest {
            job: JobId(self.number),
            addrs: vec![self.to],
            expect: Some(self.key),
            say: Request::Messages(messages),
            deadline: None,
        }));
        let ended = self.ended.recv_timeout(SOON)?;
        ensure!(ended.end == RequestEnd::Answered, "{ended:?}");
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        self.ann.stop(deadline);
        self.bob.stop(deadline);
    }
}

/// Stores every message at once, in memory.
struct Taker {
    sessions: Weak<Sessions>,
    tell: Sender<RequestEnded>,
}

impl SessionHandler for Taker {
    fn hello(&mut self, _: IpAddr) -> Hello {
        own::hello("Bob", 5001)
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
            let receipts = messages.into_iter().map(|message| message.id).collect();
            let others = Vec::new();
            sessions.command(SessionCommand::Stored { link, receipts, others, retry_after: 0 });
        }
        Ok(())
    }

    fn receipts(&mut self, _: PublicKey, _: &[MessageId]) {}

    fn session_down(&mut self, _: PublicKey, _: Option<ByeReason>) {}

    fn request_ended(&mut self, _: JobId, ended: RequestEnded) {
        // The last ends come when the measurement is over.
        let _ = self.tell.send(ended);
    }

    fn renamed(&mut self, _: PublicKey, _: Source, _: PeerName, _: u16) {}

    fn listens_at(&mut self, _: PublicKey, _: &[SocketAddr]) {}

    fn identity_in_use(&mut self, _: IpAddr) {}

    fn is_contact(&mut self, _: PublicKey) -> bool {
        true
    }
}
