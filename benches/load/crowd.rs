//! Many peers that do what the legacy programs do: accept, read once, close. They are threads of
//! the benchmark, each for a group of peers: one socket listens at one port of all loopback
//! addresses, and each address is a peer.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use anyhow::{Context, bail, ensure};
use socket2::SockRef;
use tempfile::TempDir;

use crate::common::SOON;
use crate::common::program::{MARK, listen};

/// Peers of one thread.
const GROUP: usize = 300;

/// A connection to this machine is made within this time, or never.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Peers that stay, and some that fall silent when they are told to.
pub(super) struct Crowd {
    live: Vec<Group>,
    others: Option<Group>,
    taken: Receiver<(IpAddr, Instant)>,
    silent: Option<(TcpListener, Vec<TcpStream>)>,
    dir: TempDir,
}

struct Group {
    addrs: Vec<SocketAddrV4>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<TcpListener>>,
}

impl Crowd {
    pub(super) fn new(live: usize, others: usize) -> anyhow::Result<Self> {
        let (tell, taken) = channel();
        let mut groups = Vec::new();
        for begin in (0..live).step_by(GROUP) {
            groups.push(Group::new(groups.len() + 1, GROUP.min(live - begin), tell.clone())?);
        }
        let others = Group::new(groups.len() + 1, others, tell)?;
        let crowd = Self { live: groups, others: Some(others), taken, silent: None, dir: TempDir::new()? };
        let entry = |addr: &SocketAddrV4| format!("[[peer]]\naddress = \"{addr}\"\n");
        fs::write(crowd.peers_file(), crowd.addrs().iter().map(entry).collect::<String>())?;
        Ok(crowd)
    }

    /// Returns the path of a peers.toml that lists all of them.
    pub(super) fn peers_file(&self) -> PathBuf {
        self.dir.path().join("peers.toml")
    }

    /// Returns all addresses, first those of the others, so that a program that dials them in order
    /// meets the silent ones first.
    pub(super) fn addrs(&self) -> Vec<SocketAddrV4> {
        let groups = self.others.iter().chain(&self.live);
        groups.flat_map(|group| group.addrs.iter().copied()).collect()
    }

    /// Returns when the last of so many peers got a message with the mark. Each has to get it once.
    pub(super) fn last_has_it(&self, count: usize) -> anyhow::Result<Instant> {
        let mut peers = HashSet::new();
        let mut last = None;
        while peers.len() < count {
            let got = self.taken.recv_timeout(SOON);
            let (ip, at) = got.with_context(|| format!("only {} of {count} have it", peers.len()))?;
            ensure!(peers.insert(ip), "{ip} has it twice");
            last = last.max(Some(at));
        }
        last.context("no peer was expected to have it")
    }

    pub(super) fn nobody_has_more(&self) -> anyhow::Result<()> {
        ensure!(self.taken.try_recv().is_err(), "a peer has more than was sent");
        Ok(())
    }

    /// Has the others hang: their queue is full, and a dialer gets no answer.
    pub(super) fn fall_silent(&mut self) -> anyhow::Result<()> {
        let others = self.others.take().context("they are silent already")?;
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
    fn new(number: usize, count: usize, tell: Sender<(IpAddr, Instant)>) -> anyhow::Result<Self> {
        let listener = listen()?;
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

    /// Ends the thread. Returns the socket, which still listens.
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
            // Otherwise it ends with the benchmark.
            let _ = group.stop();
        }
    }
}

fn serve(
    listener: TcpListener,
    stopping: &AtomicBool,
    tell: &Sender<(IpAddr, Instant)>,
) -> io::Result<TcpListener> {
    let mut buffer = [0; 1024];
    loop {
        let (mut stream, _) = listener.accept()?;
        if stopping.load(Ordering::SeqCst) {
            return Ok(listener);
        }
        let count = stream.read(&mut buffer).unwrap_or(0);
        if buffer[..count].contains(&MARK) {
            // At the end of a run the receiver is gone.
            let _ = tell.send((stream.local_addr()?.ip(), Instant::now()));
        }
    }
}

/// Has so many threads dial, write and close until all were dialed.
pub(super) fn dial_all(to: &[SocketAddrV4], threads: usize, bytes: &[u8]) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let dial = || {
        while let Some(addr) = to.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut stream = TcpStream::connect(addr)?;
            stream.write_all(bytes)?;
            stream.shutdown(Shutdown::Both)?;
        }
        io::Result::Ok(())
    };
    thread::scope(|scope| {
        let dialing: Vec<_> = (0..threads).map(|_| scope.spawn(dial)).collect();
        for thread in dialing {
            let Ok(dialed) = thread.join() else { bail!("a dialing thread panicked") };
            dialed?;
        }
        Ok(())
    })
}
