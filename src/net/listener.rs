//! Accepting: one thread at a time accepts, and reads what is there at once; it hands the accepting on before it waits
//! for anything ("leader and followers").
//!
//! So a message that is whole when it is accepted is taken without a switch between threads, and one that is slow delays
//! nobody. There is always a follower: a new thread is made when there is none, up to [`MAX_HANDLERS`], and by then the
//! connections that wait are bounded below that.
//!
//! In a burst several threads accept and read at once; one alone would get too little of a busy machine, and the system's
//! queue would overflow, after which a connect takes a second and more. What a source sent is delivered in the order in
//! which places were taken for it all the same ([`Order`]); in a burst that may differ a little from the order of acceptance.

mod handler;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::STACK_BYTES;
use super::held::Held;
use super::inbound::{Delivery, InboundHandler, Reply};
use super::order::Order;
use super::turns::Turns;
use super::waiting::{MAX_WAITING, Waiting};
use handler::{Finished, Handler, Read};

/// Connections that the system keeps until we accept them. std asks for 128, at which bursts of connects were measured
/// to stall for a second and more; 4,096 is what Linux allows by default (somaxconn).
const BACKLOG: i32 = 4096;

/// Threads that handle connections at most: one for each that may wait for its sender, and some to accept, answer and
/// finish meanwhile.
pub const MAX_HANDLERS: usize = MAX_WAITING + 32;

/// A follower that has waited this long while another waits too ends.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// Time between two lines in the log that tell that accepting failed: where descriptors are short it may fail all the time.
const ACCEPT_WARNED: Duration = Duration::from_secs(10);

/// A listening socket and the threads that serve it.
pub struct Listener {
    shared: Arc<Shared>,
    addr: SocketAddr,
}

struct Shared {
    socket: TcpListener,
    recipient: Arc<dyn InboundHandler>,
    turns: Mutex<Turns>,
    /// It may be a follower's turn.
    free: Condvar,
    /// Messages that have to be there at once until leaders wait a moment again.
    in_vain: AtomicU32,
    order: Order<Read, Finished>,
    held: Held,
    /// Messages that are too long and read to their end, each with its thread.
    draining: Held,
    waiting: Waiting,
    /// When the log was told lately that accepting failed.
    warned: Mutex<Option<Instant>>,
    stopping: AtomicBool,
    threads: Mutex<usize>,
    ended: Condvar,
}

impl Listener {
    /// Listens at `addr`; port 0 takes any that is free.
    ///
    /// # Errors
    /// Those of the operating system: the port is in use or not permitted, the IP is not this machine's.
    pub fn bind(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        // Elsewhere than on Unix this option lets others take the port over.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            // What comes over IPv4 comes to a socket of its own, so no address has two ways to be written.
            socket.set_only_v6(true)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        let addr = socket.local_addr()?;
        Ok((socket, addr))
    }

    /// Serves a bound socket.
    ///
    /// # Errors
    /// Where not even one thread can be had.
    pub fn serve(socket: TcpListener, addr: SocketAddr, recipient: impl InboundHandler) -> io::Result<Self> {
        let recipient: Arc<dyn InboundHandler> = Arc::new(recipient);
        let shared = Arc::new(Shared {
            socket,
            recipient,
            turns: Mutex::new(Turns::new(Instant::now())),
            free: Condvar::new(),
            in_vain: AtomicU32::new(0),
            order: Order::default(),
            held: Held::default(),
            draining: Held::default(),
            waiting: Waiting::default(),
            warned: Mutex::new(None),
            stopping: AtomicBool::new(false),
            threads: Mutex::new(0),
            ended: Condvar::new(),
        });
        spawn(&shared)?;
        Ok(Self { shared, addr })
    }

    /// Accepts no more, closes what waits and what is kept, and waits for the threads until `deadline`.
    pub fn stop(&self, deadline: Instant) {
        self.close();
        let mut threads = self.shared.threads.lock();
        while *threads > 0 && !self.shared.ended.wait_until(&mut threads, deadline).timed_out() {}
    }

    /// Accepts no more and closes what waits, without waiting for the threads.
    pub fn close(&self) {
        if self.shared.stopping.swap(true, Ordering::SeqCst) {
            return;
        }
        self.shared.waiting.evict_all();
        let mut addr = self.addr;
        match addr.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        let leaders = self.shared.turns.lock().leaders();
        self.shared.free.notify_all();
        for _ in 0..leaders {
            // Whoever accepts now sees that it is over.
            match TcpStream::connect_timeout(&addr, Duration::from_millis(200)) {
                Ok(stream) => drop(stream.shutdown(Shutdown::Both)),
                Err(_) => {
                    // The address may have been taken from the machine meanwhile. On Linux this wakes them all.
                    drop(SockRef::from(&self.shared.socket).shutdown(Shutdown::Both));
                    break;
                }
            }
        }
    }
}

impl Shared {
    /// Tells the log that accepting failed, now and then.
    fn warn_of(&self, error: &io::Error) {
        let mut warned = self.warned.lock();
        if warned.is_none_or(|at| at.elapsed() >= ACCEPT_WARNED) {
            *warned = Some(Instant::now());
            log::warn!("cannot accept a connection: {error}; it is tried again and again");
        }
    }
}

/// Adds a thread, unless there are enough.
fn spawn(shared: &Arc<Shared>) -> io::Result<()> {
    let mut threads = shared.threads.lock();
    if *threads >= MAX_HANDLERS {
        return Ok(());
    }
    let own = Arc::clone(shared);
    thread::Builder::new().name(HANDLER.into()).stack_size(STACK_BYTES).spawn(move || {
        follow(&own);
        *own.threads.lock() -= 1;
        own.ended.notify_all();
    })?;
    *threads += 1;
    Ok(())
}

/// The name of the threads in which a panic ends one connection only.
pub(crate) const HANDLER: &str = "handler";

/// What each thread does: wait for the turn, accept until something has to be waited for, hand the turn on, wait.
fn follow(shared: &Arc<Shared>) {
    while take_turn(shared) {
        Handler::new(shared).lead();
    }
}

/// Waits until it is this thread's turn. There is always one that waits; of more, one ends after a while.
fn take_turn(shared: &Shared) -> bool {
    let mut turns = shared.turns.lock();
    turns.wait();
    while !turns.is_free() && !shared.stopping.load(Ordering::SeqCst) {
        if turns.followers() == 1 {
            // Without a time, so that nothing wakes up when nothing happens.
            shared.free.wait(&mut turns);
        } else if shared.free.wait_for(&mut turns, IDLE_FOR).timed_out() && turns.followers() > 1 {
            break;
        }
    }
    turns.take(!shared.stopping.load(Ordering::SeqCst))
}
