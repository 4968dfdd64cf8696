//! Texts with their receipts on a connection that is kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use p2p_chat::core::JobId;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::session::{Message, Request};
use p2p_chat::protocol::session::Record;

use super::bare::{BareTls, Client};
use super::door::Door;
use super::own::Program;
use super::process::cpu_time;
use super::{Findings, RUNS, own};
use crate::common::figures::percentile;
use crate::common::table::{Compared, Target};

/// Texts of a turn, and turns of a slice.
const TURNS: [(usize, usize); 3] = [(1, 400), (8, 200), (64, 75)];

/// Slices of a run, in which all that is compared takes turns: on which core the system has a
/// thread, and what else it does, changes in less than a second, and makes more of a difference
/// than anything that is measured here.
const SLICES: usize = 20;

/// Bytes of a text.
const BODY: usize = 100;

/// When all of it was typed, by the sender's clock.
const TIME: u64 = 1_700_000_000_000;

/// Somebody to whom turns of so many texts can be said.
trait Way {
    /// Says so many turns, each when the one before is answered. Returns how long each took.
    fn say(&mut self, texts: usize, turns: usize) -> anyhow::Result<Vec<Duration>>;
}

/// Measures all by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let rate = |texts, baseline: &str| {
        Compared::new(format!("texts with receipts, turns of {texts}"), baseline, "1/s")
    };
    let tls = |texts| rate(texts, "bare TLS").with(Target::RatioAtLeast(0.4));
    let work = |texts| {
        let what = format!("CPU time of both sides for each text, turns of {texts}");
        Compared::new(what, "bare TLS", "us")
    };
    let mut rates = TURNS.map(|(texts, _)| (tls(texts), rate(texts, "plain TCP"), work(texts)));
    let trip = |which: &str, baseline: &str| {
        Compared::new(format!("one text and its receipt, {which}"), baseline, "us")
    };
    let mut trips = ["p50", "p99"].map(|which| (trip(which, "bare TLS"), trip(which, "plain TCP")));
    let mut ways: [Box<dyn Way>; 3] =
        [Box::new(Ours::new()?), Box::new(Bare::new()?), Box::new(Plain::new()?)];
    // What comes first is slower: memory, and the state of the connection.
    for way in &mut ways {
        say(&mut **way, 1, 2_000)?;
    }
    for _ in 0..RUNS {
        for ((texts, turns), (of_tls, of_tcp, of_work)) in TURNS.into_iter().zip(&mut rates) {
            let mut runs: [Run; 3] = Default::default();
            for _ in 0..SLICES {
                for (way, run) in ways.iter_mut().zip(&mut runs) {
                    run.add(say(&mut **way, texts, turns)?);
                }
            }
            let [our_rate, bare_rate, plain_rate] = runs.each_ref().map(|run| run.rate(texts));
            of_tls.add(our_rate, bare_rate);
            of_tcp.add(our_rate, plain_rate);
            let [our_work, bare_work, ..] = runs.each_ref().map(|run| run.work(texts));
            of_work.add(our_work, bare_work);
            if texts == 1 {
                for ((of_tls, of_tcp), hundredths) in trips.iter_mut().zip([50, 99]) {
                    let at = |run: &Run| percentile(&run.times, hundredths) * 1_000.0;
                    let [ours, bare, plain] = runs.each_ref().map(at);
                    of_tls.add(ours, bare);
                    of_tcp.add(ours, plain);
                }
            }
        }
    }
    let mut rows = Vec::new();
    rates.into_iter().for_each(|(tls, tcp, work)| rows.extend([tls, tcp, work]));
    trips.into_iter().for_each(|(tls, tcp)| rows.extend([tls, tcp]));
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
    way.say(texts, 1)?;
    let before = cpu_time(std::process::id())?;
    let times = way.say(texts, turns)?;
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

/// Two programs with a session, without the core: from a request until the thread of the sessions
/// learns that it has ended, and makes the next one, as the outbox does.
struct Ours {
    ann: Program,
    bob: Program,
    body: Arc<str>,
}

impl Ours {
    fn new() -> anyhow::Result<Self> {
        let (ann, bob) = (Program::start(1)?, Program::start(2)?);
        Ok(Self { ann, bob, body: "x".repeat(BODY).into() })
    }
}

impl Way for Ours {
    fn say(&mut self, texts: usize, turns: usize) -> anyhow::Result<Vec<Duration>> {
        let body = Arc::clone(&self.body);
        let turn = move |job: JobId| {
            let first = job.0 * texts as u64;
            let message =
                |number| Message { id: own::id(number), time: TIME, again: false, body: Arc::clone(&body) };
            Request::Messages((first..first + texts as u64).map(message).collect())
        };
        self.ann.requests((self.bob.addr, self.bob.key), turns, turn)
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
    fn say(&mut self, texts: usize, turns: usize) -> anyhow::Result<Vec<Duration>> {
        if texts != self.texts {
            if self.texts > 0 {
                self.turn[0] = CHANGES;
                self.exchange()?;
            }
            self.sizes.send(texts)?;
            (self.turn, self.receipts) = bytes_of(texts);
            self.texts = texts;
        }
        let mut times = Vec::with_capacity(turns);
        for _ in 0..turns {
            let begun = Instant::now();
            self.exchange()?;
            times.push(begun.elapsed());
        }
        Ok(times)
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
