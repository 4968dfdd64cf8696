//! Builds scenarios: peers that are real processes, and what a person or a stranger on the network
//! does to them.

mod calendar;
mod capture;
mod descriptors;
mod faulty;
mod harmless;
mod load;
pub(crate) mod meddler;
mod outcome;
mod peer;
pub(crate) mod secure;
mod target;
#[cfg(unix)]
mod terminal;
mod unread;

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::ops::Range;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

pub(crate) use calendar::Calendar;
pub(crate) use capture::{assert_sealed, sealed};
pub(crate) use descriptors::allow_descriptors;
pub(crate) use faulty::{Fault, Faulty, Rng, Seed, number};
pub(crate) use harmless::assert_harmless;
pub(crate) use meddler::{Meddler, Way};
pub(crate) use outcome::{Outcome, outcomes, outcomes_at};
pub(crate) use peer::{Builder, Peer, grouped, is_sum};
pub(crate) use secure::{Capability, Manner, SecurePeer};
pub(crate) use target::{MALLORY, Target};
#[cfg(unix)]
pub(crate) use terminal::{Terminal, rows, unwrapped};
pub(crate) use unread::Unread;

/// How long a test waits for what should happen. The slowest thing that a peer does by itself takes
/// 22 s: a kept connection has 5 s to answer, then a new one has 12 s to open and 5 s to answer.
pub(crate) const SOON: Duration = Duration::from_secs(40);

/// How often to check a condition that no printed line shows.
const LOOK: Duration = Duration::from_millis(10);

/// Waits until a condition is true that no printed line shows.
pub(crate) fn until(within: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        thread::sleep(LOOK);
    }
}

/// Ports for the tests themselves, which the system gives to nobody who asks for any: the first
/// that it does give are 32,768 on Linux and 49,152 elsewhere.
struct Ports {
    range: Range<u16>,
    taken: AtomicU32,
}

impl Ports {
    const fn new(range: Range<u16>) -> Self {
        Self { range, taken: AtomicU32::new(0) }
    }

    /// The next one. Test processes that run at the same time begin at different ports.
    fn take(&self) -> u16 {
        let count = u32::from(self.range.end - self.range.start);
        let taken = self.taken.fetch_add(1, Ordering::Relaxed).wrapping_add(process::id().wrapping_mul(101));
        self.range.start + u16::try_from(taken % count).expect("less than the count")
    }
}

/// Returns an address at which nothing listens. It stays free for the program that the test starts
/// there later.
pub(crate) fn nobody() -> SocketAddrV4 {
    static NEXT: Ports = Ports::new(21_000..32_000);
    loop {
        let port = NEXT.take();
        if is_free(port) {
            return SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        }
    }
}

/// Whether a program can listen at a port.
fn is_free(port: u16) -> bool {
    // Not a listener: a copy of one could be in the way, see `listen`.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    // Elsewhere than on Unix this option takes ports that are in use.
    #[cfg(unix)]
    socket.set_reuse_address(true).expect("an option");
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into()).is_ok()
}

/// Closes a listener, and waits until another program can listen at its port; see [`listen`].
pub(crate) fn close(listener: TcpListener) {
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let deadline = Instant::now() + SOON;
    while !is_free(port) {
        assert!(Instant::now() < deadline, "port {port} stays in use");
        thread::yield_now();
    }
}

/// Copies a directory with its permissions.
pub(crate) fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    fs::set_permissions(to, fs::metadata(from).expect("there").permissions()).expect("changed");
    for entry in fs::read_dir(from).expect("readable") {
        let path = entry.expect("readable").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy_directory(&path, &to);
        } else {
            fs::copy(&path, &to).expect("copied");
        }
    }
}

/// Listens at an address where another listener of this process may just have been closed; port 0
/// means a free one, which stays free when the listener is closed.
///
/// A new process holds copies of all sockets of its parent until it runs its own program, so while
/// another test starts one, a closed port can stay in use for a moment.
///
/// # Errors
/// What binding says, `AddrInUse` only if that lasts.
pub(crate) fn listen(mut addr: SocketAddrV4) -> io::Result<TcpListener> {
    if addr.port() == 0 {
        addr.set_port(nobody().port());
    }
    let deadline = Instant::now() + SOON;
    loop {
        match TcpListener::bind(addr) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::yield_now();
            }
            bound => return bound,
        }
    }
}

/// Sends `bytes` as a legacy program does, one connection, one write, and returns what was answered
/// before the other side closed. A reset counts as closing.
pub(crate) fn send_raw(to: SocketAddrV4, bytes: &[u8]) -> Vec<u8> {
    send_raw_from(Ipv4Addr::LOCALHOST, to, bytes)
}

/// The same from another address of the loopback network, which to the receiver is another machine.
pub(crate) fn send_raw_from(source: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) -> Vec<u8> {
    let mut stream = dial_from(source, to);
    // A refused sender may be reset while it is writing.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A connection from `source`, with bounded reads and writes.
pub(crate) fn dial_from(source: Ipv4Addr, to: SocketAddrV4) -> TcpStream {
    try_dial_from(source, to).expect("the peer accepts")
}

/// The same where the peer may be gone. It is made from ports of our own: ten thousand that the
/// system chose would be in the way of peers that come back to the port they had, for a minute
/// after they are closed.
pub(crate) fn try_dial_from(source: Ipv4Addr, to: SocketAddrV4) -> io::Result<TcpStream> {
    static NEXT: Ports = Ports::new(10_000..20_000);
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        let dialed = socket
            .bind(&SocketAddrV4::new(source, NEXT.take()).into())
            .and_then(|()| socket.connect_timeout(&to.into(), SOON));
        match dialed {
            Ok(()) => {
                let stream = TcpStream::from(socket);
                stream.set_read_timeout(Some(SOON))?;
                stream.set_write_timeout(Some(SOON))?;
                return Ok(stream);
            }
            // The port is taken, or was used for the same connection before.
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable) => {}
            Err(error) => return Err(error),
        }
    }
}

/// The first connection to `listener` that says anything, and where it came from.
pub(crate) fn hear(listener: &TcpListener) -> (String, Ipv4Addr) {
    SockRef::from(listener).set_read_timeout(Some(SOON)).expect("a timeout");
    loop {
        let (mut stream, source) = listener.accept().expect("a peer dials");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        let mut said = String::new();
        // An empty connection only probes whether a program listens.
        if stream.read_to_string(&mut said).expect("UTF-8, and then the end") > 0 {
            return (said, *v4(source).ip());
        }
    }
}

/// Starts a peer whose arguments or files will not do, and returns what it says about that: nothing
/// but an error.
pub(crate) fn refused(peer: Builder) -> String {
    ends_at_once(peer, 2)
}

/// Starts a peer at a port that is in use, and returns what it says about that: nothing but an
/// error.
pub(crate) fn cannot_start(peer: Builder) -> String {
    ends_at_once(peer, 3)
}

/// The same for a peer that must not listen where it is to, or cannot.
pub(crate) fn cannot_listen(peer: Builder) -> String {
    ends_at_once(peer, 4)
}

/// The same for a peer whose profile is another process already.
pub(crate) fn is_running_already(peer: Builder) -> String {
    ends_at_once(peer, 6)
}

fn ends_at_once(peer: Builder, expected: i32) -> String {
    let mut peer = peer.start_without_waiting();
    // If it starts after all, it ends as well.
    peer.ends_input();
    let status = peer.ends();
    assert_eq!(peer.printed(), [""; 0]);
    let errors = peer.errors();
    assert_eq!(status.code(), Some(expected), "{errors}");
    assert_harmless(errors.lines());
    errors
}

/// The IPv4 address that `addr` is.
pub(crate) fn v4(addr: SocketAddr) -> SocketAddrV4 {
    match addr.ip() {
        IpAddr::V4(ip) => SocketAddrV4::new(ip, addr.port()),
        IpAddr::V6(ip) => panic!("{ip} is no IPv4 address"),
    }
}

/// Whether a line is the first about a message that is queued.
pub(crate) fn is_queued(line: &str) -> bool {
    let is_offline = line.contains(" is offline; will deliver when they are back");
    is_offline || line.starts_with("Queued for ") || line.starts_with("No encrypted session with ")
}
