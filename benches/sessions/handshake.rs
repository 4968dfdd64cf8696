//! From the dial to both hellos.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::session::Request;
use p2p_chat::protocol::session::Record;
use parking_lot::Mutex;

use super::acceptor::Acceptor;
use super::bare::BareTls;
use super::node::{Node, hello};
use crate::RUNS;
use crate::common::figures::percentile;
use crate::common::table::Compared;

/// Handshakes of one run, one after the other.
const ONE_BY_ONE: usize = 500;

/// Dialers at once, and the handshakes of each.
const DIALERS: usize = 8;
const EACH: usize = 150;

/// A way to open a connection.
trait Way: Sync {
    /// Opens a connection as the dialer of this number, and closes it without waiting for the other
    /// side. Returns the time until the acceptor's hello was read.
    fn dial(&self, dialer: usize) -> anyhow::Result<Duration>;
}

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let row = |what: &str, unit| Compared::new(what, "bare TLS and as large hellos", unit);
    let mut middle = row("connect to hello, p50", "ms");
    let mut rate = row("handshakes by 8 dialers at once", "1/s");
    let (ours, bare) = (Ours::new()?, Bare::new()?);
    one_by_one(&ours, ONE_BY_ONE / 5)?;
    one_by_one(&bare, ONE_BY_ONE / 5)?;
    for _ in 0..RUNS {
        let (our_times, bare_times) = (one_by_one(&ours, ONE_BY_ONE)?, one_by_one(&bare, ONE_BY_ONE)?);
        middle.add(percentile(&our_times, 50), percentile(&bare_times, 50));
        rate.add(at_once(&ours)?, at_once(&bare)?);
    }
    Ok(vec![middle, rate])
}

/// Returns the time of each handshake.
fn one_by_one(way: &dyn Way, count: usize) -> anyhow::Result<Vec<Duration>> {
    (0..count).map(|_| way.dial(0)).collect()
}

/// Returns the handshakes a second of several dialers.
fn at_once(way: &dyn Way) -> anyhow::Result<f64> {
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

/// Our sessions: one node that accepts, and one for each dialer.
struct Ours {
    dialers: Vec<Mutex<Node>>,
    acceptor: (PeerAddr, PublicKey),
    /// It accepts until it is dropped.
    _accepting: Mutex<Node>,
}

impl Ours {
    fn new() -> anyhow::Result<Self> {
        let accepting = Node::start(0)?;
        let dialers = (1..=DIALERS as u32).map(|number| Node::start(number).map(Mutex::new));
        let dialers = dialers.collect::<Result<_, _>>()?;
        Ok(Self { dialers, acceptor: (accepting.addr, accepting.key), _accepting: Mutex::new(accepting) })
    }
}

impl Way for Ours {
    fn dial(&self, dialer: usize) -> anyhow::Result<Duration> {
        let mut dialer = self.dialers[dialer].lock();
        let begun = Instant::now();
        dialer.requests(self.acceptor, 1, |_| Request::Open)?;
        let time = begun.elapsed();
        dialer.part(self.acceptor.1);
        Ok(time)
    }
}

struct Bare {
    tls: BareTls,
    hellos: (Vec<u8>, Vec<u8>),
    acceptor: Acceptor,
}

impl Bare {
    fn new() -> anyhow::Result<Self> {
        let tls = BareTls::new()?;
        let of = |name, port| Record::Hello(hello(name, port)).encode();
        let hellos = (of("Ann", 5000), of("Bob", 5001));
        let (accepting, (heard, said)) = (tls.clone(), hellos.clone());
        let acceptor = Acceptor::start(DIALERS, move |stream| {
            let mut tls = accepting.accept(stream)?;
            tls.read_exact(&mut vec![0; heard.len()])?;
            tls.write_all(&said)?;
            // Until it is closed, as ours.
            let _ = tls.read(&mut [0; 64])?;
            Ok(())
        })?;
        Ok(Self { tls, hellos, acceptor })
    }
}

impl Way for Bare {
    fn dial(&self, _: usize) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let mut tls = self.tls.dial(self.acceptor.addr)?;
        tls.write_all(&self.hellos.0)?;
        tls.read_exact(&mut vec![0; self.hellos.1.len()])?;
        let time = begun.elapsed();
        tls.conn.send_close_notify();
        // The other side may have closed already.
        let _ = tls.flush();
        Ok(time)
    }
}
