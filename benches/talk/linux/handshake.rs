//! From nothing to both hellos.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::session::Request;
use p2p_chat::protocol::session::Record;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use parking_lot::Mutex;

use super::bare::{BareTls, Client, Server};
use super::door::Door;
use super::own::Program;
use super::process::cpu_time;
use super::{Findings, RUNS, own};
use crate::common::figures::percentile;
use crate::common::table::Compared;

/// Handshakes of one run, one after the other.
const ONE_BY_ONE: usize = 500;

/// Who dials at once, and how often each.
const DIALERS: usize = 8;
const EACH: usize = 150;

/// One way to open a connection.
trait Way: Sync {
    /// Opens a connection as the dialer of this number, and ends it in good order without waiting
    /// for the other side. Returns the time until the acceptor's hello was read.
    fn dial(&self, dialer: usize) -> anyhow::Result<Duration>;
}

/// Measures all by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let new = |what: &str, baseline: &str, unit| Compared::new(what, baseline, unit);
    let (tls, lined) = ("bare TLS and as large hellos", "the same behind the two lines");
    let mut middle = new("connect to hello, p50", tls, "ms");
    let mut behind_lines = new("connect to hello, p50", lined, "ms");
    let mut late = new("connect to hello, p99", tls, "ms");
    let mut work = new("CPU time of both sides together", tls, "ms");
    let mut work_behind_lines = new("CPU time of both sides together", lined, "ms");
    let mut rate = new("handshakes by 8 dialers at once", tls, "1/s");
    let (ours, bare, bare_lined) = (Ours::new()?, Bare::new(false)?, Bare::new(true)?);
    one_by_one(&ours, ONE_BY_ONE / 5)?;
    one_by_one(&bare, ONE_BY_ONE / 5)?;
    for _ in 0..RUNS {
        let (our_times, our_work) = one_by_one(&ours, ONE_BY_ONE)?;
        let (bare_times, bare_work) = one_by_one(&bare, ONE_BY_ONE)?;
        let (lined_times, lined_work) = one_by_one(&bare_lined, ONE_BY_ONE)?;
        middle.add(percentile(&our_times, 50), percentile(&bare_times, 50));
        behind_lines.add(percentile(&our_times, 50), percentile(&lined_times, 50));
        late.add(percentile(&our_times, 99), percentile(&bare_times, 99));
        work.add(our_work, bare_work);
        work_behind_lines.add(our_work, lined_work);
        rate.add(at_once(&ours)?, at_once(&bare)?);
    }
    let rows = vec![middle, behind_lines, late, work, work_behind_lines, rate];
    Ok(Findings { rows, ..Findings::default() })
}

/// Returns the time of each of so many, and the CPU time of one of them in milliseconds.
fn one_by_one<W: Way>(way: &W, count: usize) -> anyhow::Result<(Vec<Duration>, f64)> {
    let before = cpu_time(std::process::id())?;
    let times = (0..count).map(|_| way.dial(0)).collect::<Result<_, _>>()?;
    let spent = cpu_time(std::process::id())?.saturating_sub(before);
    Ok((times, spent.as_secs_f64() * 1_000.0 / count as f64))
}

/// Returns how many a second there are of several dialers.
fn at_once<W: Way>(way: &W) -> anyhow::Result<f64> {
    let begun = Instant::now();
    thread::scope(|scope| {
        let dial = |dialer| move || (0..EACH).try_for_each(|_| way.dial(dialer).map(drop));
        let dialers: Vec<_> = (0..DIALERS).map(|dialer| scope.spawn(dial(dialer))).collect();
        dialers.into_iter().try_for_each(|dialer| match dialer.join() {
            Ok(done) => done,
            Err(_) => bail!("a dialer panicked"),
        })
    })?;
    Ok((DIALERS * EACH) as f64 / begun.elapsed().as_secs_f64())
}

/// The sessions of the program: one thread that accepts all, and one for each dialer.
struct Ours {
    dialers: Vec<Mutex<Program>>,
    acceptor: (PeerAddr, PublicKey),
    /// It accepts until it is dropped.
    _accepting: Mutex<Program>,
}

impl Ours {
    fn new() -> anyhow::Result<Self> {
        let accepting = Program::start(0)?;
        let dialers = (1..=DIALERS as u32).map(|number| Program::start(number).map(Mutex::new));
        let dialers = dialers.collect::<Result<_, _>>()?;
        Ok(Self { dialers, acceptor: (accepting.addr, accepting.key), _accepting: Mutex::new(accepting) })
    }
}

impl Way for Ours {
    fn dial(&self, dialer: usize) -> anyhow::Result<Duration> {
        let mut dialer = self.dialers[dialer].lock();
        let begun = Instant::now();
        dialer.request(self.acceptor, Request::Open)?;
        let time = begun.elapsed();
        dialer.part(self.acceptor.1);
        Ok(time)
    }
}

struct Bare {
    tls: BareTls,
    lined: bool,
    hellos: (Vec<u8>, Vec<u8>),
    door: Door,
}

impl Bare {
    fn new(lined: bool) -> anyhow::Result<Self> {
        let tls = BareTls::new()?;
        let of = |name, port| Record::Hello(own::hello(name, port)).encode();
        let hellos = (of("Ann", 5000), of("Bob", 5001));
        let (accepting, (heard, said)) = (tls.clone(), hellos.clone());
        let door = Door::open(DIALERS, move |mut stream| {
            if lined {
                stream.set_nodelay(true)?;
                stream.read_exact(&mut [0; DIAL_LINE.len()])?;
                stream.write_all(OK_LINE)?;
            }
            let mut tls: Server = accepting.accept(stream)?;
            tls.read_exact(&mut vec![0; heard.len()])?;
            tls.write_all(&said)?;
            // To its end, as ours.
            let _ = tls.read(&mut [0; 64])?;
            Ok(())
        })?;
        Ok(Self { tls, lined, hellos, door })
    }

    fn connect(&self) -> anyhow::Result<Client> {
        let mut stream = TcpStream::connect(self.door.addr)?;
        if self.lined {
            stream.set_nodelay(true)?;
            stream.write_all(DIAL_LINE)?;
            stream.read_exact(&mut [0; OK_LINE.len()])?;
        }
        self.tls.greet(stream)
    }
}

impl Way for Bare {
    fn dial(&self, _: usize) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut tls = self.connect()?;
        tls.write_all(&self.hellos.0)?;
        tls.read_exact(&mut vec![0; self.hellos.1.len()])?;
        let time = begun.elapsed();
        tls.conn.send_close_notify();
        // The other side reads to the end; that it is there was seen.
        let _ = tls.flush();
        Ok(time)
    }
}
