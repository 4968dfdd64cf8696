//! Many peers that do what the older programs do: accept, read once, close. They are threads of the
//! benchmark, some hundred peers for each: one socket listens at one port of all loopback
//! addresses, and each address is a peer.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, bail, ensure};
use socket2::SockRef;
use tempfile::TempDir;

use super::SOON;
use super::bare::{BACKLOG, listen};
use super::ours::MARK;

/// Peers of one thread.
const GROUP: usize = 300;

/// Within this a connection to this machine is made if it ever will be.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Peers that live, and some that will do something else when they are told to.
pub(super) struct Crowd {
    live: Vec<Group>,
    others: Option<Group>,
    taken: Receiver<(Ipv4Addr, Instant)>,
    silent: Option<(TcpListener, Vec<TcpStream>)>,
    dir: TempDir,
}

struct Group {
    addrs: Vec<SocketAddrV4>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<TcpListener>>,
}

impl Crowd {
    /// As many peers of both kinds, all of which live.
    pub(super) fn new(live: usize, others: usize) -> anyhow::Result<Self> {
        let (tell, taken) = channel();
        let mut groups = Vec::new();
        for begin in (0..live).step_by(GROUP) {
            groups.push(Group::new(groups.len() + 1, GROUP.min(live - begin), tell.clone())?);
        }
        let others = Group::new(groups.len() + 1, others, tell)?;
        let dir = TempDir::new()?;
        let crowd = Self { live: groups, others: Some(others), taken, silent: None, dir };
        let entries: Vec<String> =
            crowd.addrs().iter().map(|addr| format!("[[peer]]\naddress = \"{addr}\"\n")).collect();
        fs::write(crowd.peers_file(), entries.concat())?;
        Ok(crowd)
    }

    /// A peers.toml that lists all of them.
    pub(super) fn peers_file(&self) -> PathBuf {
        self.dir.path().join("peers.toml")
    }

    /// All of them, the others first: whoever dials them one after the other meets those before it
    /// meets anybody else.
    pub(super) fn addrs(&self) -> Vec<SocketAddrV4> {
        let groups = self.others.iter().chain(&self.live);
        groups.flat_map(|group| group.addrs.iter().copied()).collect()
    }

    /// When the last of so many has a message with the mark, which each has to get once.
    pub(super) fn last_has_it(&self, count: usize) -> anyhow::Result<Instant> {
        let mut who = HashSet::new();
        let mut last = None;
        while who.len() < count {
            let got = self.taken.recv_timeout(SOON);
            let (ip, at) = got.with_context(|| format!("only {} of {count} have it", who.len()))?;
            ensure!(who.insert(ip), "{ip} has it twice");
            last = last.max(Some(at));
        }
        last.context("nobody was asked to have it")
    }

    /// Nobody may have anything more.
    pub(super) fn nobody_has_more(&self) -> anyhow::Result<()> {
        ensure!(self.taken.try_recv().is_err(), "somebody has more than was sent");
        Ok(())
    }

    /// The others end: whoever dials them is refused.
    pub(super) fn refuse(&mut self) -> anyhow::Result<()> {
        self.others.take().context("they have ended before")?.stop().map(drop)
    }

    /// The others hang: whoever dials them gets no answer at all.
    pub(super) fn fall_silent(&mut self) -> anyhow::Result<()> {
        let others = self.others.take().context("they have ended before")?;
        let addr = others.addrs[0];
        let listener = others.stop()?;
        SockRef::from(&listener).listen(0)?;
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&addr.into(), AT_ONCE) {
            held.push(stream);
            ensure!(held.len() < 10, "the queue is never full");
        }
        self.silent = Some((listener, held));
        Ok(())
    }
}

impl Group {
    fn new(number: usize, count: usize, tell: Sender<(Ipv4Addr, Instant)>) -> anyhow::Result<Self> {
        let listener = listen(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), BACKLOG)?;
        let port = listener.local_addr()?.port();
        let addr = |peer: usize| {
            let [second, third, fourth] = [number, peer / 250, peer % 250 + 1].map(u8::try_from);
            anyhow::Ok(SocketAddrV4::new(Ipv4Addr::new(127, second?, third?, fourth?), port))
        };
        let addrs = (0..count).map(addr).collect::<Result<_, _>>()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let own = Arc::clone(&stopping);
        Ok(Self { addrs, stopping, thread: thread::spawn(move || serve(listener, &own, &tell)) })
    }

    /// Ends it, and gives the socket that still listens.
    fn stop(self) -> anyhow::Result<TcpListener> {
        self.stopping.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.addrs[0])?);
        let Ok(listener) = self.thread.join() else { bail!("a peer panicked") };
        Ok(listener?)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for group in self.live.drain(..).chain(self.others.take()) {
            // It ends with the benchmark in any case.
            let _ = group.stop();
        }
    }
}

fn serve(
    listener: TcpListener,
    stopping: &AtomicBool,
    tell: &Sender<(Ipv4Addr, Instant)>,
) -> io::Result<TcpListener> {
    let mut buffer = [0; 1024];
    loop {
        let (mut stream, _) = listener.accept()?;
        if stopping.load(Ordering::SeqCst) {
            return Ok(listener);
        }
        let count = stream.read(&mut buffer).unwrap_or(0);
        if let IpAddr::V4(ip) = stream.local_addr()?.ip()
            && buffer[..count].contains(&MARK)
        {
            // Nobody may want to know it any more.
            let _ = tell.send((ip, Instant::now()));
        }
    }
}

/// The minimal fan-out: so many threads dial, write and close until everybody has been dialed.
pub(super) fn bare_fan_out(to: &[SocketAddrV4], threads: usize, bytes: &[u8]) -> anyhow::Result<()> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        let dialing: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(addr) = to.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut stream = TcpStream::connect(addr)?;
                        stream.write_all(bytes)?;
                        stream.shutdown(Shutdown::Both)?;
                    }
                    io::Result::Ok(())
                })
            })
            .collect();
        for thread in dialing {
            let Ok(dialed) = thread.join() else { bail!("a dialing thread panicked") };
            dialed?;
        }
        Ok(())
    })
}
