//! Accepting: one thread at a time accepts, and reads what is there at once; it hands the accepting on before it waits
//! for anything ("leader and followers").
//!
//! So messages that are whole when they are accepted are taken in the order of their acceptance and without a switch
//! between threads, and one that is slow delays nobody. There is always a follower: a new thread is made when there is
//! none, up to [`MAX_HANDLERS`], and by then the connections that wait are bounded below that.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use socket2::{Domain, Protocol, Socket, Type};

use super::STACK_BYTES;
use super::connection::{Connection, End};
use super::dial::is_out_of_descriptors;
use super::waiting::{MAX_WAITING, Waiting};
use crate::wire::Decoder;

/// Connections that the system keeps until we accept them. std asks for 128, at which bursts of connects were measured
/// to stall for a second and more; 4,096 is what Linux allows by default (somaxconn).
const BACKLOG: i32 = 4096;

/// Threads that handle connections at most: one for each that may wait for its sender, and some to accept, answer and
/// finish meanwhile.
pub const MAX_HANDLERS: usize = MAX_WAITING + 32;

/// A follower that has waited this long while another waits too ends.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// How long a message may wait for room in the queue of events before it is refused.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// The first and the longest pause after accepting failed.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What one connection carried.
#[derive(Debug)]
pub struct Delivery {
    /// Where it came from.
    pub source: Ipv4Addr,
    /// The IP of ours that it came to.
    pub local: Ipv4Addr,
    /// What came.
    pub decoder: Decoder,
}

/// What is made of a [`Delivery`].
#[derive(Debug)]
pub enum Reply {
    /// It was looked at; this is to be answered.
    Answer(Vec<u8>),
    /// There is no room for it at the moment.
    Full(Delivery),
}

/// Takes deliveries, at any time from several threads at once.
pub trait Recipient: Send + Sync + 'static {
    /// Takes one, waiting for room until the given time, or not at all.
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Reply;
}

/// A listening socket and the threads that serve it.
pub struct Listener {
    shared: Arc<Shared>,
    addr: SocketAddrV4,
}

struct Shared {
    socket: TcpListener,
    recipient: Box<dyn Recipient>,
    /// Whoever holds this accepts.
    turn: Mutex<()>,
    followers: AtomicUsize,
    waiting: Waiting,
    stopping: AtomicBool,
    threads: Mutex<usize>,
    ended: Condvar,
}

impl Listener {
    /// Listens at `addr`; port 0 takes any that is free.
    ///
    /// # Errors
    /// Those of the operating system: the port is in use or not permitted, the IP is not this machine's.
    pub fn bind(addr: SocketAddrV4) -> io::Result<(TcpListener, SocketAddrV4)> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        // Elsewhere than on Unix this option lets others take the port over.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        match socket.local_addr()? {
            SocketAddr::V4(addr) => Ok((socket, addr)),
            SocketAddr::V6(_) => Err(ErrorKind::AddrNotAvailable.into()),
        }
    }

    /// Serves a bound socket.
    ///
    /// # Errors
    /// Where not even one thread can be had.
    pub fn serve(socket: TcpListener, addr: SocketAddrV4, recipient: impl Recipient) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            socket,
            recipient: Box::new(recipient),
            turn: Mutex::new(()),
            followers: AtomicUsize::new(0),
            waiting: Waiting::default(),
            stopping: AtomicBool::new(false),
            threads: Mutex::new(0),
            ended: Condvar::new(),
        });
        spawn(&shared)?;
        Ok(Self { shared, addr })
    }

    /// Accepts no more, closes what waits, and waits for the threads until `deadline`.
    pub fn stop(&self, deadline: Instant) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.waiting.evict_all();
        let ip = if self.addr.ip().is_unspecified() { Ipv4Addr::LOCALHOST } else { *self.addr.ip() };
        // Whoever accepts now sees that it is over; if this cannot connect, nobody is blocked in accepting.
        if let Ok(stream) =
            TcpStream::connect_timeout(&(ip, self.addr.port()).into(), Duration::from_millis(200))
        {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let mut threads = self.shared.threads.lock();
        while *threads > 0 && !self.shared.ended.wait_until(&mut threads, deadline).timed_out() {}
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
    loop {
        shared.followers.fetch_add(1, Ordering::SeqCst);
        let turn = loop {
            // The last follower waits without a time, so that nothing wakes up when nothing happens.
            if shared.followers.load(Ordering::SeqCst) <= 1 {
                break Some(shared.turn.lock());
            }
            if let Some(turn) = shared.turn.try_lock_for(IDLE_FOR) {
                break Some(turn);
            }
            let others = shared.followers.fetch_sub(1, Ordering::SeqCst) - 1;
            if others > 0 {
                break None;
            }
            shared.followers.fetch_add(1, Ordering::SeqCst);
        };
        let Some(turn) = turn else { return };
        shared.followers.fetch_sub(1, Ordering::SeqCst);
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let handled = catch_unwind(AssertUnwindSafe(|| lead(shared, turn)));
        if handled.is_err() {
            log::error!("the handling of a connection failed; the connection was closed");
        }
    }
}

/// Accepts, and serves what needs no waiting, until a connection has to be waited for.
fn lead(shared: &Arc<Shared>, turn: MutexGuard<'_, ()>) {
    let mut pause = ACCEPT_PAUSE.0;
    loop {
        let accepted = shared.socket.accept();
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let (stream, source) = match accepted {
            Ok((stream, SocketAddr::V4(source))) => (stream, *source.ip()),
            Ok(_) => continue,
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {
                continue;
            }
            Err(error) => {
                if is_out_of_descriptors(&error) {
                    shared.waiting.evict_one();
                }
                log::warn!("cannot accept a connection: {error}; trying again in {pause:?}");
                // The turn is kept: another thread would fail in the same way.
                let mut threads = shared.threads.lock();
                shared.ended.wait_for(&mut threads, pause);
                pause = (pause * 2).min(ACCEPT_PAUSE.1);
                continue;
            }
        };
        pause = ACCEPT_PAUSE.0;
        let Ok(mut connection) = Connection::new(stream, source) else {
            continue;
        };
        let undelivered = match connection.read_ready() {
            // Reading the rest of a message that is too long takes time.
            end @ (None | Some(End::Cut)) => Some((connection, end)),
            Some(end) => deliver(shared, connection, end, None),
        };
        let Some((connection, end)) = undelivered else {
            continue;
        };
        // Something has to be waited for: whoever comes next is another thread's.
        if shared.followers.load(Ordering::SeqCst) == 0
            && let Err(error) = spawn(shared)
        {
            log::warn!("no further thread to accept with: {error}");
        }
        drop(turn);
        wait_for(shared, connection, end);
        return;
    }
}

/// Waits for a connection's sender, or for room for what it has sent.
fn wait_for(shared: &Shared, mut connection: Connection, end: Option<End>) {
    let end = end.unwrap_or_else(|| {
        let stream = Arc::clone(&connection.stream);
        let place = shared.waiting.admit(&stream, connection.source);
        connection.read_rest(&place)
    });
    deliver(shared, connection, end, Some(Instant::now() + ROOM_WITHIN));
}

/// Delivers what a connection carried, answers and closes; gives it back if there is no room for it.
fn deliver(
    shared: &Shared,
    mut connection: Connection,
    end: End,
    wait_until: Option<Instant>,
) -> Option<(Connection, Option<End>)> {
    if end == End::Lost || connection.decoder.is_empty() {
        connection.close(&[], end);
        return None;
    }
    if end == End::Cut {
        connection.decoder.mark_cut();
    }
    let delivery = Delivery {
        source: connection.source,
        local: connection.local,
        decoder: std::mem::take(&mut connection.decoder),
    };
    match shared.recipient.deliver(delivery, wait_until) {
        Reply::Answer(answer) => {
            connection.close(&answer, end);
            None
        }
        Reply::Full(delivery) if wait_until.is_none() => {
            connection.decoder = delivery.decoder;
            Some((connection, Some(end)))
        }
        Reply::Full(_) => {
            log::warn!("a message was refused: the queue of events is full");
            connection.close(&[], end);
            None
        }
    }
}
