//! `@all` to 500 encrypted peers, with open sessions and without, compared with bare loops over
//! TLS.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use p2p_chat::net::secure::Tls;
use p2p_chat::protocol::session::Record;
use tempfile::TempDir;

use super::bare::{BareTls, Client};
use super::door::Door;
use super::ours::{MARK, Ours};
use super::process::{memory, peak_resident_kilobytes, threads};
use super::{Findings, RUNS, SOON, own};
use crate::common::figures::milliseconds;
use crate::common::table::Compared;

/// Peers that never leave: nearly as many as the program keeps sessions (`MAX_SESSIONS`).
const PEERS: usize = 500;

/// Threads that accept for all of them, and that the bare loop dials and writes with: as many as
/// the bare loop of `load` has.
const ACCEPTING: usize = 8;
const BARE_THREADS: usize = 32;

/// What a peer's thread needs: it reads and answers.
const STACK_BYTES: usize = 128 * 1024;

/// What is said to all.
const TEXT: &str = "soup is ready #";

/// Measures with kept connections, and then, in the same program, right after all of them have been
/// closed.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let bare = format!("bare TLS loop, {BARE_THREADS} threads");
    let new = |what: &str, baseline: &str, unit| Compared::new(what, baseline, unit);
    let mut kept = new("@all, 500 open sessions: until the last has it", &bare, "ms");
    let mut kept_told = new("@all, 500 open sessions: until everything is told", &bare, "ms");
    let mut cold = new("@all, no session left: until the last has it", &bare, "ms");
    let mut cold_told = new("@all, no session left: until everything is told", &bare, "ms");
    let mut start = new("500 static peers found, from the start", &bare, "ms");
    let mut resident = new("resident memory with 500 open sessions", "idle, no peers", "MB");
    let mut peak = new("resident memory with 500 open sessions, peak", "idle, no peers", "MB");
    let mut held = new("threads with 500 open sessions at rest", "idle, no peers", "number");
    let mut opened = new("descriptors with 500 open sessions", "idle, no peers", "number");
    for _ in 0..RUNS {
        let alone = Ours::start(&["--no-static"])?;
        let crowd = Crowd::of_ours()?;
        let begun = Instant::now();
        let mut program = Ours::start(&["--peers", crowd.peers_file().as_str()])?;
        program.wait_for(&format!("All {PEERS} static peers are there."), SOON)?;
        let found = milliseconds(begun.elapsed());
        wait_until_idle(&program)?;
        let now = memory(program.pid())?;
        let none = memory(alone.pid())?.resident;
        resident.add(now.resident, none);
        held.add(threads(program.pid())? as f64, threads(alone.pid())? as f64);
        opened.add(descriptors(program.pid())? as f64, descriptors(alone.pid())? as f64);
        let with_kept = say_to_all(&mut program, &crowd, 1)?;
        crowd.hang_up();
        let with_none = say_to_all(&mut program, &crowd, 2)?;
        peak.add(peak_resident_kilobytes(program.pid())? as f64 / 1024.0, none);
        drop((program, alone));

        let (bare_cold, bare_kept) = bare_loops()?;
        start.add(found, bare_cold);
        kept.add(with_kept.last, bare_kept);
        kept_told.add(with_kept.told, bare_kept);
        cold.add(with_none.last, bare_cold);
        cold_told.add(with_none.told, bare_cold);
    }
    let rows = vec![kept, kept_told, cold, cold_told, start, resident, peak, held, opened];
    Ok(Findings { rows, ..Findings::default() })
}

/// What came of a text to all, in milliseconds.
struct Said {
    last: f64,
    told: f64,
}

fn say_to_all(program: &mut Ours, crowd: &Crowd, times: usize) -> anyhow::Result<Said> {
    let begun = Instant::now();
    program.line(&format!("@all {TEXT}"))?;
    let last = crowd.last_has_it()?;
    let told = format!("Sent to {PEERS} of {PEERS}.");
    let is_told = |text: &[u8], _| String::from_utf8_lossy(text).matches(&told).count() >= times;
    let output = program.output();
    if !output.wait(is_told, Instant::now() + SOON) {
        let text = output.text();
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        bail!("it did not say {told:?} {times} times, but ... {last:?}");
    }
    let all = begun.elapsed();
    ensure!(crowd.taken.try_recv().is_err(), "somebody has it twice");
    Ok(Said { last: milliseconds(last - begun), told: milliseconds(all) })
}

/// Waits until the threads that dialed have ended for want of work.
fn wait_until_idle(program: &Ours) -> anyhow::Result<()> {
    let deadline = Instant::now() + SOON;
    // The input, its wake-up, the ticker, two listeners with a follower each, who waits for the
    // kept ones, the one for signals.
    while threads(program.pid())? > 10 {
        ensure!(Instant::now() < deadline, "its threads do not end");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// How many descriptors a process has.
fn descriptors(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// The peers behind one port, one for each address, each with a key of its own, and a thread of the
/// benchmark for each connection.
struct Crowd {
    addrs: Vec<SocketAddrV4>,
    taken: Receiver<(IpAddr, Instant)>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    dir: TempDir,
    _door: Door,
}

/// The address of a peer; the port is one for all.
fn ip(peer: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 2, 0, 1)) + peer as u32)
}

impl Crowd {
    /// Peers that speak as the program does.
    fn of_ours() -> anyhow::Result<Self> {
        let keys: Vec<Arc<Tls>> =
            (0..PEERS).map(|peer| own::tls(peer as u32 + 1)).collect::<Result<_, _>>()?;
        let written: Vec<_> = keys.iter().map(|tls| tls.own().to_string()).collect();
        let crowd = Self::new(move |stream, tell| {
            let IpAddr::V4(at) = stream.local_addr()?.ip() else { bail!("not over IPv4") };
            let peer = (u32::from(at) - u32::from(ip(0))) as usize;
            let tls = keys.get(peer).context("nobody's address")?;
            let mut session = own::accept(&format!("P{peer}"), tls, stream)?;
            session.serve(|body| {
                if body.contains(char::from(MARK)) {
                    tell(at.into());
                }
            })
        })?;
        let entries = crowd.addrs.iter().zip(written);
        let entries: String =
            entries.map(|(addr, key)| format!("[[peer]]\naddress = \"{addr}\"\nkey = \"{key}\"\n")).collect();
        fs::write(crowd.peers_file(), entries)?;
        Ok(crowd)
    }

    fn new(
        talk: impl Fn(TcpStream, &dyn Fn(IpAddr)) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let (tell, taken) = channel();
        let open = Arc::new(Mutex::new(Vec::new()));
        let (talk, own_open) = (Arc::new(talk), Arc::clone(&open));
        let tell = Mutex::new(tell);
        let door = Door::open(ACCEPTING, move |stream| {
            own_open.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
            let talk = Arc::clone(&talk);
            let tell: Sender<(IpAddr, Instant)> = tell.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let talking = move || {
                let has_it = |ip| {
                    // At the end of a run nobody wants to know any more.
                    let _ = tell.send((ip, Instant::now()));
                };
                // How it ends is not what is measured: whether everybody has it is.
                let _ = talk(stream, &has_it);
            };
            thread::Builder::new().stack_size(STACK_BYTES).spawn(talking)?;
            Ok(())
        })?;
        let addrs = (0..PEERS).map(|peer| SocketAddrV4::new(ip(peer), door.addr.port())).collect();
        Ok(Self { addrs, taken, open, dir: TempDir::new()?, _door: door })
    }

    /// A peers.toml that lists all of them.
    fn peers_file(&self) -> String {
        self.dir.path().join("peers.toml").display().to_string()
    }

    /// When the last has the text, which each has to get once.
    fn last_has_it(&self) -> anyhow::Result<Instant> {
        let mut who = HashSet::new();
        let mut last = None;
        while who.len() < PEERS {
            let got = self.taken.recv_timeout(SOON);
            let (ip, at) = got.with_context(|| format!("only {} of {PEERS} have it", who.len()))?;
            ensure!(who.insert(ip), "{ip} has it twice");
            last = last.max(Some(at));
        }
        last.context("nobody was asked to have it")
    }

    /// Ends all connections: by the time that this returns, the program's system knows.
    fn hang_up(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It may have been ended from the other side.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.hang_up();
    }
}

/// The same with nothing but TLS: 32 threads dial everybody, say as much and wait for as large an
/// answer; then they say it once more on the connections that they have by then. Until the last has
/// it, in milliseconds.
fn bare_loops() -> anyhow::Result<(f64, f64)> {
    let text = Record::Text { id: own::id(1), time: 1, again: false, body: TEXT.into() }.encode();
    let receipt = Record::Receipt(vec![own::id(1)]).encode();
    let tls = BareTls::new()?;
    let (accepting, length, answer) = (tls.clone(), text.len(), receipt.clone());
    let crowd = Crowd::new(move |stream, tell| {
        let at = stream.local_addr()?.ip();
        let mut tls = accepting.accept(stream)?;
        let mut heard = vec![0; length];
        while tls.read_exact(&mut heard).is_ok() {
            tell(at);
            tls.write_all(&answer)?;
        }
        Ok(())
    })?;
    let lines: Vec<Mutex<Option<Client>>> = (0..PEERS).map(|_| Mutex::new(None)).collect();
    let addrs = &crowd.addrs;
    let round = || -> anyhow::Result<f64> {
        let next = AtomicUsize::new(0);
        let begun = Instant::now();
        thread::scope(|scope| {
            let work = || -> anyhow::Result<()> {
                loop {
                    let peer = next.fetch_add(1, Ordering::Relaxed);
                    let Some(line) = lines.get(peer) else { return Ok(()) };
                    let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
                    let stream = match &mut *line {
                        Some(stream) => stream,
                        none => none.insert(tls.dial(SocketAddr::V4(addrs[peer]))?),
                    };
                    stream.write_all(&text)?;
                    stream.read_exact(&mut vec![0; receipt.len()])?;
                }
            };
            let threads: Vec<_> = (0..BARE_THREADS).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(done) => done,
                Err(_) => bail!("a dialing thread panicked"),
            })
        })?;
        Ok(milliseconds(crowd.last_has_it()? - begun))
    };
    Ok((round()?, round()?))
}
