//! The unencrypted way in: an accept loop for each address family, and a pool of workers that each
//! read one connection at a time.
//!
//! One worker at a time handles the messages that can be read at once, in the order in which they
//! were accepted. A worker that has to wait, for a sender or for room, lets another one go on. So a
//! sender that waits for the receipt or the close before its next connection keeps its order; more
//! is not promised.
//!
//! What waits for a place ([`ConnectionLimiter`]) is accepted and not read. A worker that has
//! nothing to do ends.

mod limiter;
mod worker;

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::{Condvar, Mutex, MutexGuard};
use socket2::{Domain, Protocol, Socket, Type};

use super::STACK_BYTES;
use super::bind::Bound;
use super::dial::is_out_of_descriptors;
use super::inbound::InboundHandler;
use super::sessions::{MAX_OPENING, MAX_OPENING_OF_PREFIX};
use crate::model::address::{Source, SourcePrefix};
use crate::model::fair_share::FairShare;
use limiter::{ConnectionLimiter, PATIENCE};

/// Connections that the system keeps until we accept them. std asks for 128, at which bursts of
/// connects were measured to stall for a second and more; 4,096 is what Linux allows by default
/// (somaxconn).
const BACKLOG: i32 = 4096;

/// Workers at most: one for each connection that may be read.
pub(crate) const MAX_WORKERS: usize = MAX_OPENING;

/// Workers that read and deliver at a time, besides those that wait. One keeps the order, and all
/// of them need the lock of the core.
const MAX_RUNNING: usize = 1;

/// Accepted connections that wait for a worker. Each holds a descriptor, of which a process often
/// has 1,024; further ones wait in the queue of the system, where they are in everybody's way.
const MAX_QUEUE: usize = 192;

/// Messages that may wait for room in the mailbox, each with its worker; the sources share them
/// fairly. The other half of the workers goes on reading.
const MAX_HELD: usize = MAX_WORKERS / 2;

/// A worker without work ends after this long.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// The first and the longest pause after accepting failed.
const RETRY: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The pause after a connection was closed to free its descriptor: its worker gives it back within
/// this. A longer one would let the queue of the system fill up, in which all others wait.
const FREED_WITHIN: Duration = Duration::from_millis(1);

/// Time between two lines in the log that say that something failed: it may fail all the time.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// The name of the workers. A panic in one ends one connection only.
pub(crate) const WORKER: &str = "inbound";

/// The name of the threads that accept.
const ACCEPTOR: &str = "listener";

const SOCKET: Token = Token(0);
const WAKER: Token = Token(1);

/// The listening sockets and the threads that serve them.
pub(crate) struct Listener {
    shared: Arc<Shared>,
    wakers: Vec<Waker>,
}

struct Shared {
    handler: Box<dyn InboundHandler>,
    state: Mutex<State>,
    /// Wakes a worker.
    work: Condvar,
    /// Wakes what waits for room in the queue.
    room: Condvar,
    /// Wakes what waits for the end of the threads.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Accepted>,
    limiter: ConnectionLimiter<TcpStream>,
    /// One place for each message that waits for room in the mailbox.
    held: FairShare,
    workers: usize,
    /// Workers that wait for work, without those that were told to go on.
    idle: usize,
    /// Workers that were told to go on and have not done so yet.
    wakes: usize,
    /// Workers that read or deliver, or were told to.
    running: usize,
    acceptors: usize,
    is_stopping: bool,
    /// When the log was last told that something failed.
    warned: Option<Instant>,
}

/// An accepted connection that is not read from yet.
#[derive(Debug)]
struct Accepted {
    stream: TcpStream,
    source: Source,
    at: Instant,
    /// Another connection was closed for it.
    is_next: bool,
}

impl Listener {
    /// Listens at `addr`; port 0 takes any that is free.
    ///
    /// # Errors
    /// Those of the operating system: the port is in use or not permitted, the IP is not this
    /// machine's.
    pub(crate) fn bind(addr: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        // Elsewhere than on Unix this option lets others take the port over.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if addr.is_ipv6() {
            // IPv4 has a socket of its own, so no address has two spellings.
            socket.set_only_v6(true)?;
        }
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from(socket);
        let addr = socket.local_addr()?;
        Ok((socket, addr))
    }

    /// Prepares to serve bound sockets, so that `Prepared::serve` needs no further descriptors.
    pub(crate) fn prepare(sockets: Bound) -> io::Result<Prepared> {
        let prepare = |(socket, _): (TcpListener, SocketAddr)| {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            socket.set_nonblocking(true)?;
            let mut socket = mio::net::TcpListener::from_std(socket);
            poll.registry().register(&mut socket, SOCKET, Interest::READABLE)?;
            Ok((socket, poll, waker))
        };
        Ok(Prepared { sockets: sockets.into_iter().map(prepare).collect::<io::Result<_>>()? })
    }

    fn accept_from(&self, socket: mio::net::TcpListener, poll: Poll) -> io::Result<()> {
        let mut acceptor = Acceptor { shared: Arc::clone(&self.shared), socket, poll };
        self.shared.state.lock().acceptors += 1;
        let thread = thread::Builder::new().name(ACCEPTOR.into()).stack_size(STACK_BYTES);
        let spawned = thread.spawn(move || {
            acceptor.run();
            acceptor.shared.acceptor_ended();
        });
        spawned.map(drop).inspect_err(|_| self.shared.acceptor_ended())
    }

    /// Accepts nothing more, closes all connections whose senders are waited for, and waits for the
    /// threads until `deadline`.
    pub(crate) fn stop(&self, deadline: Instant) {
        self.close();
        let mut state = self.shared.state.lock();
        while state.workers + state.acceptors > 0
            && !self.shared.ended.wait_until(&mut state, deadline).timed_out()
        {}
    }

    /// Does the same without waiting for the threads.
    pub(crate) fn close(&self) {
        let mut state = self.shared.state.lock();
        state.is_stopping = true;
        let unread = std::mem::take(&mut state.queue);
        let waiting = state.limiter.displace_all();
        drop(state);
        drop(unread);
        waiting.iter().for_each(|stream| shut(stream));
        self.shared.work.notify_all();
        self.shared.room.notify_all();
        for waker in &self.wakers {
            if let Err(error) = waker.wake() {
                log::error!("the listener cannot be woken: {error}");
            }
        }
    }
}

/// Listening sockets that are not served yet; connections wait in the queue of the system.
pub(crate) struct Prepared {
    sockets: Vec<(mio::net::TcpListener, Poll, Waker)>,
}

impl Prepared {
    /// Serves the sockets.
    pub(crate) fn serve(self, handler: impl InboundHandler) -> io::Result<Listener> {
        let state = State {
            queue: VecDeque::new(),
            limiter: ConnectionLimiter::default(),
            held: FairShare::new(MAX_HELD),
            workers: 0,
            idle: 0,
            wakes: 0,
            running: 0,
            acceptors: 0,
            is_stopping: false,
            warned: None,
        };
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            state: Mutex::new(state),
            work: Condvar::new(),
            room: Condvar::new(),
            ended: Condvar::new(),
        });
        let mut listener = Listener { shared, wakers: Vec::new() };
        for (socket, poll, waker) in self.sockets {
            listener.wakers.push(waker);
            listener.accept_from(socket, poll)?;
        }
        Ok(listener)
    }
}

/// Closes a connection under the thread that reads it.
fn shut(stream: &TcpStream) {
    // It may be closed already; then its thread is about to notice.
    let _ = stream.shutdown(Shutdown::Both);
}

/// The accept loop of one socket.
struct Acceptor {
    shared: Arc<Shared>,
    socket: mio::net::TcpListener,
    poll: Poll,
}

impl Acceptor {
    fn run(&mut self) {
        let mut events = Events::with_capacity(2);
        let mut pause = RETRY.0;
        loop {
            let accepted = self.accept_all();
            if self.shared.state.lock().is_stopping {
                return;
            }
            let mut timeout = self.shared.look_after_queue();
            match accepted {
                Ok(()) => pause = RETRY.0,
                Err(error) => {
                    self.warn_of(&error);
                    if is_out_of_descriptors(&error) && self.shared.free_descriptor() {
                        pause = FREED_WITHIN;
                    }
                    timeout = Some(timeout.map_or(pause, |timeout| timeout.min(pause)));
                    pause = (pause * 2).clamp(RETRY.0, RETRY.1);
                }
            }
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != ErrorKind::Interrupted
            {
                self.warn_of(&error);
            }
        }
    }

    /// Accepts everything that is there.
    fn accept_all(&self) -> io::Result<()> {
        loop {
            match self.socket.accept() {
                Ok((stream, source)) => {
                    let (stream, source) = (stream.into(), Source::from(source));
                    self.shared.put(Accepted { stream, source, at: Instant::now(), is_next: false });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn warn_of(&self, error: &io::Error) {
        self.shared.state.lock().warn(format_args!("cannot accept a connection: {error}; retrying"));
    }
}

impl State {
    /// Writes a line to the log, unless one was written recently.
    fn warn(&mut self, line: fmt::Arguments<'_>) {
        if self.warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            self.warned = Some(Instant::now());
            log::warn!("{line}");
        }
    }

    /// Whether a limit may be near, so that order and speed count less than places.
    fn is_crowded(&self) -> bool {
        self.limiter.len() >= MAX_OPENING_OF_PREFIX
    }

    /// The connection that is read next, if there is a place for it: the first one of the source
    /// prefix that has fewest.
    fn next(&self) -> Option<usize> {
        if !self.is_crowded() {
            return (!self.queue.is_empty()).then_some(0);
        }
        let queue = self.queue.iter().enumerate();
        let queue = queue.filter(|(_, accepted)| self.limiter.has_room(accepted.source));
        queue.min_by_key(|(_, accepted)| self.rank(accepted)).map(|(index, _)| index)
    }

    fn rank(&self, accepted: &Accepted) -> (bool, usize) {
        (!accepted.is_next, self.limiter.count(accepted.source.share()))
    }

    /// Closes a connection that is being read for one of the queue that cannot have a place
    /// otherwise, if it is time for that.
    fn make_room(&mut self, is_urgent: bool) {
        let queue = self.queue.iter().enumerate().filter(|(_, accepted)| !accepted.is_next);
        let first = queue.min_by_key(|(_, accepted)| self.rank(accepted)).map(|(index, _)| index);
        let Some(accepted) = first.and_then(|index| self.queue.get_mut(index)) else { return };
        let &mut Accepted { source, at, .. } = accepted;
        if let Some(id) = self.limiter.displaced_by(source, at, is_urgent, Instant::now()) {
            accepted.is_next = true;
            self.limiter.displace(id).iter().for_each(|stream| shut(stream));
        }
    }

    /// Closes the oldest connection of the queue that has brought nothing yet, of the source prefix
    /// that has most places. Returns whether there was one. No worker is woken for that, so
    /// thousands of silent connections cost little.
    fn close_silent(&mut self) -> bool {
        let now = Instant::now();
        let queue = self.queue.iter().enumerate();
        let silent = queue.filter(|(_, accepted)| accepted.at + PATIENCE <= now);
        let mut silent: Vec<(Reverse<usize>, usize)> = silent
            .map(|(index, accepted)| (Reverse(self.limiter.count(accepted.source.share())), index))
            .collect();
        silent.sort_unstable();
        let is_silent = |index: usize| {
            let peeked = self.queue.get(index).map(|accepted| accepted.stream.peek(&mut [0]));
            matches!(peeked, Some(Err(error)) if error.kind() == ErrorKind::WouldBlock)
        };
        let first = silent.into_iter().map(|(_, index)| index).find(|index| is_silent(*index));
        first.and_then(|index| self.queue.remove(index)).is_some()
    }
}

impl Shared {
    /// Queues an accepted connection, and waits for room in the queue.
    fn put(self: &Arc<Self>, accepted: Accepted) {
        let mut state = self.state.lock();
        while state.queue.len() >= MAX_QUEUE && !state.is_stopping {
            if state.is_crowded() && state.close_silent() {
                break;
            }
            self.staff(&mut state, true);
            self.room.wait_for(&mut state, PATIENCE);
        }
        if !state.is_stopping {
            state.queue.push_back(accepted);
            self.staff(&mut state, false);
        }
    }

    /// Looks after the queue. Returns how long the acceptors may sleep: without end if it is empty.
    fn look_after_queue(self: &Arc<Self>) -> Option<Duration> {
        let mut state = self.state.lock();
        self.staff(&mut state, false);
        (!state.queue.is_empty()).then_some(PATIENCE)
    }

    /// Has a worker read what is next, or makes room for it.
    fn staff(self: &Arc<Self>, state: &mut MutexGuard<'_, State>, is_urgent: bool) {
        if state.next().is_none() {
            state.make_room(is_urgent);
        } else if state.running >= MAX_RUNNING {
            // It takes the next one when it is done.
        } else if state.idle > 0 {
            state.idle -= 1;
            state.wakes += 1;
            state.running += 1;
            self.work.notify_one();
        } else if state.workers < MAX_WORKERS {
            self.start_worker(state);
        }
    }

    fn start_worker(self: &Arc<Self>, state: &mut State) {
        let shared = Arc::clone(self);
        let thread = thread::Builder::new().name(WORKER.into()).stack_size(STACK_BYTES);
        match thread.spawn(move || worker::run(&shared)) {
            Ok(_) => {
                state.workers += 1;
                state.running += 1;
            }
            Err(error) => state.warn(format_args!("no thread to read a connection with: {error}")),
        }
    }

    /// Returns the next connection for a worker that is running, or `None` if the worker is to end.
    fn take(self: &Arc<Self>) -> Option<(Accepted, Permit)> {
        let mut state = self.state.lock();
        while !state.is_stopping {
            if (state.running <= MAX_RUNNING || state.is_crowded())
                && let Some(index) = state.next()
                && let Some(accepted) = state.queue.remove(index)
            {
                let id = state.limiter.open(accepted.source, accepted.at);
                // In a burst the acceptors go on when half of the queue is empty, not with each
                // place.
                if state.queue.len() <= MAX_QUEUE / 2 || state.is_crowded() {
                    self.room.notify_all();
                }
                return Some((accepted, Permit { shared: Arc::clone(self), id }));
            }
            state.running -= 1;
            state.idle += 1;
            // It may be the last one that was running.
            self.staff(&mut state, false);
            while state.wakes == 0 && !state.is_stopping {
                if self.work.wait_for(&mut state, IDLE_FOR).timed_out() && state.wakes == 0 {
                    state.idle -= 1;
                    return self.end(state);
                }
            }
            if state.wakes == 0 {
                state.idle -= 1;
                return self.end(state);
            }
            state.wakes -= 1;
        }
        state.running -= 1;
        self.end(state)
    }

    /// Counts a worker no longer.
    fn end<T>(&self, mut state: MutexGuard<'_, State>) -> Option<T> {
        state.workers -= 1;
        self.ended.notify_all();
        None
    }

    fn acceptor_ended(&self) {
        self.state.lock().acceptors -= 1;
        self.ended.notify_all();
    }

    /// Closes the connection that has been silent longest, because the process is out of
    /// descriptors. Returns whether there was one.
    fn free_descriptor(&self) -> bool {
        let mut state = self.state.lock();
        let closed = state.limiter.longest_silent().and_then(|id| state.limiter.displace(id));
        closed.iter().for_each(|stream| shut(stream));
        closed.is_some()
    }

    /// Whether no message waits for room in the mailbox.
    fn is_nothing_held(&self) -> bool {
        self.state.lock().held.is_empty()
    }
}

/// The place of a connection that has not proven who it is: see `ConnectionLimiter`. Dropping it
/// gives the place back.
pub(crate) struct Permit {
    shared: Arc<Shared>,
    id: u64,
}

impl Permit {
    /// The sender, silent since `heard`, is waited for: others go on meanwhile, and the connection
    /// may be closed for another one.
    fn waits(&self, stream: &Arc<TcpStream>, heard: Instant) -> Pause<'_> {
        let mut state = self.shared.state.lock();
        state.limiter.waits(self.id, Arc::clone(stream), heard);
        if state.is_stopping {
            state.limiter.displace_all().iter().for_each(|stream| shut(stream));
        }
        self.pause(&mut state, None)
    }

    /// The message waits for room in the mailbox, if its source has a place for that: others go on
    /// meanwhile.
    fn hold(&self, prefix: SourcePrefix) -> Option<Pause<'_>> {
        let mut state = self.shared.state.lock();
        state.held.try_take(prefix).then(|| self.pause(&mut state, Some(prefix)))
    }

    fn pause(&self, state: &mut MutexGuard<'_, State>, held: Option<SourcePrefix>) -> Pause<'_> {
        state.running -= 1;
        self.shared.staff(state, false);
        Pause { permit: self, held }
    }

    /// Something came on the connection.
    fn heard(&self) {
        self.shared.state.lock().limiter.heard(self.id, Instant::now());
    }

    /// Whether the connection was closed for another one.
    fn is_closing(&self) -> bool {
        self.shared.state.lock().limiter.is_closing(self.id)
    }

    /// The connection opens a session.
    fn opens(&self, stream: &Arc<TcpStream>) {
        self.shared.state.lock().limiter.waits(self.id, Arc::clone(stream), Instant::now());
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.limiter.remove(self.id);
        self.shared.staff(&mut state, false);
    }
}

/// The time in which a worker waits. It goes on when this is dropped.
struct Pause<'a> {
    permit: &'a Permit,
    /// The source whose message waits for room.
    held: Option<SourcePrefix>,
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let mut state = self.permit.shared.state.lock();
        state.running += 1;
        state.limiter.resumes(self.permit.id);
        if let Some(prefix) = self.held {
            state.held.release(prefix);
        }
    }
}

#[cfg(test)]
mod tests;
