//! The thread that owns the sockets of all sessions: an event loop that never blocks on any of
//! them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use parking_lot::{Condvar, Mutex};

use super::conn::{Conn, ConnEvent};
use super::{LinkId, LinkOutput, PART_WITHIN, Pool, SessionCommand, SessionHandler};
use crate::core::Time;
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::SendError;
use crate::model::session::RequestEnd;
use crate::net::dial::{failure, socket_from};
use crate::net::secure::Tls;

/// The name of the session thread.
const THREAD: &str = "sessions";

/// The token of the waker. Connections count from 1 and never reach it.
const WAKER: Token = Token(usize::MAX);

/// The maximum number of events that one poll returns. The next poll returns the rest.
const MAX_EVENTS: usize = 1024;

/// The minimum time between two checks for due work, each of which visits every connection. While
/// bytes arrive, a ping or a timeout may be this late. All of them are several seconds long.
const TICK_SPACING: Duration = Duration::from_secs(1);

/// The minimum time between two such checks if work is due. With many sessions, some work is always
/// due.
const DUE_SPACING: Duration = Duration::from_millis(250);

/// The minimum time between two checks for dials, strangers' receipts, and messages that are
/// offered to the handler again.
const SOON_SPACING: Duration = Duration::from_millis(50);

/// A permit that an accepted connection holds until both sides have sent their hello.
type Permit = Box<dyn Send>;

/// A task for the thread.
enum LoopCommand {
    Pool(SessionCommand),
    Accepted(TcpStream, Source, Instant, Vec<u8>, Permit),
    Close,
}

/// The tasks that wait for the thread.
#[derive(Default)]
struct Commands {
    waiting: Vec<LoopCommand>,
    /// Whether the thread checks for commands before it next waits for events, so that it does not
    /// need to be woken.
    is_looking: bool,
}

/// All sessions of this program, which run in their own thread.
pub struct Sessions {
    shared: Arc<Shared>,
    /// What the thread needs. `None` once it has started.
    waiting: Mutex<Option<(SessionsConfig, Poll)>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    commands: Mutex<Commands>,
    waker: Waker,
    /// Whether the thread has ended.
    ended: Mutex<bool>,
    has_ended: Condvar,
}

/// The inputs of the session thread.
pub struct SessionsConfig {
    /// Our key and the settings of TLS.
    pub tls: Arc<Tls>,
    /// The IP to dial from. If it is unspecified, the system chooses one.
    pub bind: IpAddr,
    /// A random number that identifies this run.
    pub run: u64,
    /// When the program started, which is the zero of its clock.
    pub began: Instant,
}

impl Sessions {
    /// Returns sessions without a running thread. Commands wait for [`Sessions::start`].
    ///
    /// # Errors
    /// If the system cannot create a poll or its waker.
    pub fn new(config: SessionsConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let shared = Arc::new(Shared {
            commands: Mutex::default(),
            waker,
            ended: Mutex::new(true),
            has_ended: Condvar::new(),
        });
        let waiting = Mutex::new(Some((config, poll)));
        Ok(Self { shared, waiting, thread: Mutex::new(None) })
    }

    /// Starts the thread, which calls `handler`. The handler must not block.
    ///
    /// # Errors
    /// If the system cannot start a thread.
    pub fn start(&self, handler: impl SessionHandler + Send + 'static) -> io::Result<()> {
        let Some((SessionsConfig { tls, bind, run, began }, poll)) = self.waiting.lock().take() else {
            return Ok(());
        };
        let mut event_loop = EventLoop {
            shared: Arc::clone(&self.shared),
            poll,
            pool: Pool::new(tls.own(), run),
            conns: HashMap::new(),
            permits: HashMap::new(),
            ready: HashSet::new(),
            tls,
            bind,
            began,
            handler: Box::new(handler),
            is_closing: false,
            has_changed: true,
            last_tick: Instant::now(),
            due: None,
            last_soon: Instant::now(),
        };
        *self.shared.ended.lock() = false;
        let thread = thread::Builder::new().name(THREAD.into()).spawn(move || event_loop.run());
        *self.thread.lock() = Some(thread?);
        Ok(())
    }

    /// Queues a command for the pool. Never blocks.
    pub fn command(&self, command: SessionCommand) {
        self.shared.put(LoopCommand::Pool(command));
    }

    /// Queues a connection that was accepted at `at`. `line` is what it has sent of the opening
    /// line. `permit` is dropped when both sides have sent their hello, or when the connection ends
    /// before that.
    pub fn accepted(
        &self,
        stream: TcpStream,
        source: Source,
        at: Instant,
        line: Vec<u8>,
        permit: impl Send + 'static,
    ) {
        self.shared.put(LoopCommand::Accepted(stream, source, at, line, Box::new(permit)));
    }

    /// Ends all sessions and the thread, and waits for the thread until `deadline`.
    pub fn stop(&self, deadline: Instant) {
        self.shared.put(LoopCommand::Close);
        let mut ended = self.shared.ended.lock();
        while !*ended && !self.shared.has_ended.wait_until(&mut ended, deadline).timed_out() {}
        if *ended
            && let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            log::error!("the session thread failed");
        }
    }
}

impl Shared {
    fn put(&self, command: LoopCommand) {
        let mut commands = self.commands.lock();
        commands.waiting.push(command);
        if commands.is_looking {
            return;
        }
        commands.is_looking = true;
        drop(commands);
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the session thread: {error}");
        }
    }
}

struct EventLoop {
    shared: Arc<Shared>,
    poll: Poll,
    pool: Pool,
    conns: HashMap<LinkId, Conn>,
    /// The permits of accepted connections that have not become sessions.
    permits: HashMap<LinkId, Permit>,
    /// Connections that are ready to be served.
    ready: HashSet<LinkId>,
    tls: Arc<Tls>,
    bind: IpAddr,
    began: Instant,
    handler: Box<dyn SessionHandler + Send>,
    is_closing: bool,
    /// Whether anything has happened since the last check for due work.
    has_changed: bool,
    last_tick: Instant,
    /// When work is next due if nothing happens before. The last check for due work found it.
    due: Option<Instant>,
    /// When `tick_soon` or `tick` last ran.
    last_soon: Instant,
}

impl Drop for EventLoop {
    /// Wakes a waiting [`Sessions::stop`], even if the thread panics.
    fn drop(&mut self) {
        *self.shared.ended.lock() = true;
        self.shared.has_ended.notify_all();
    }
}

impl EventLoop {
    fn run(&mut self) {
        let mut events = Events::with_capacity(MAX_EVENTS);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                log::error!("polling the session sockets failed: {error}");
                return;
            }
            self.shared.commands.lock().is_looking = true;
            self.has_changed |= !events.is_empty() || !self.ready.is_empty();
            for event in &events {
                let id = LinkId(event.token().0 as u64);
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.is_readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                    conn.is_writable |= event.is_writable() || event.is_write_closed() || event.is_error();
                    self.ready.insert(id);
                }
            }
            self.take_commands();
            self.serve_ready();
            // By now, the received messages may have led to new commands.
            self.take_commands();
            // A refused connection holds its permit until it is closed.
            self.permits.retain(|id, _| self.conns.contains_key(id) && !self.pool.is_open(*id));
            let now = Instant::now();
            if self.next_tick().is_some_and(|at| at <= now) {
                self.tick();
            } else if self.last_soon + SOON_SPACING <= now && self.next_soon().is_some_and(|at| at <= now) {
                self.tick_soon();
            }
            if self.is_closing && self.conns.is_empty() {
                return;
            }
        }
    }

    /// Carries out the commands that have arrived.
    fn take_commands(&mut self) {
        let commands = std::mem::take(&mut self.shared.commands.lock().waiting);
        self.has_changed |= !commands.is_empty();
        commands.into_iter().for_each(|command| self.command(command));
    }

    fn now(&self) -> Time {
        Time::at(self.began.elapsed())
    }

    /// Returns when to call `tick`.
    fn next_tick(&self) -> Option<Instant> {
        let changed = self.has_changed.then(|| self.last_tick + TICK_SPACING);
        let due = self.due.map(|due| due.max(self.last_tick + DUE_SPACING));
        [changed, due].into_iter().flatten().min()
    }

    /// Returns when to call `tick_soon`.
    fn next_soon(&self) -> Option<Instant> {
        // One extra millisecond ensures that the work is due by then.
        let due = self.began + self.pool.next_soon()?.since_start() + Duration::from_millis(1);
        Some(due.max(self.last_soon + SOON_SPACING))
    }

    /// Does all work that is due.
    fn tick(&mut self) {
        let now = self.now();
        self.pool.tick(now, &mut *self.handler);
        self.apply();
        let finish = self.drop_late();
        self.has_changed = false;
        self.last_tick = Instant::now();
        self.last_soon = self.last_tick;
        // One extra millisecond ensures that the work is overdue by then.
        let wait = self.pool.next_wake().map(|due| due.since(self.now()) + Duration::from_millis(1));
        let due = wait.map(|wait| self.last_tick + wait);
        self.due = [finish, due].into_iter().flatten().min();
    }

    /// Does the due work that cannot wait for the next `tick`.
    fn tick_soon(&mut self) {
        let now = self.now();
        self.pool.tick_soon(now, &mut *self.handler);
        self.apply();
        (self.last_soon, self.has_changed) = (Instant::now(), true);
    }

    /// Returns how long to wait for an event. After this call, a command wakes the thread.
    fn timeout(&self) -> Option<Duration> {
        let mut commands = self.shared.commands.lock();
        if !self.ready.is_empty() || !commands.waiting.is_empty() {
            return Some(Duration::ZERO);
        }
        commands.is_looking = false;
        drop(commands);
        let next = [self.next_tick(), self.next_soon()].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn command(&mut self, command: LoopCommand) {
        let now = self.now();
        let handler = &mut *self.handler;
        match command {
            LoopCommand::Pool(command) => self.pool.command(command, now, handler),
            LoopCommand::Accepted(stream, source, at, line, permit) => {
                self.accept(stream, source, at, line, permit);
            }
            LoopCommand::Close => {
                self.is_closing = true;
                self.pool.close(now, handler);
            }
        }
        self.apply();
    }

    fn accept(&mut self, stream: TcpStream, source: Source, at: Instant, line: Vec<u8>, permit: Permit) {
        if self.is_closing {
            return;
        }
        let made = stream.set_nonblocking(true).and_then(|()| {
            let _ = stream.set_nodelay(true);
            let local = stream.local_addr()?;
            Ok((mio::net::TcpStream::from_std(stream), local.ip().to_canonical()))
        });
        match made {
            Ok((stream, local)) => {
                let id =
                    self.pool.accepted(source, local, Time::at(at.saturating_duration_since(self.began)));
                self.pool.heard(id, self.now());
                self.permits.insert(id, permit);
                self.add(id, Conn::accepted(stream, line));
            }
            Err(error) => log::debug!("an accepted connection from {source} cannot be used: {error}"),
        }
    }

    /// Registers a connection and marks it as ready.
    fn add(&mut self, id: LinkId, mut conn: Conn) {
        let token = Token(usize::try_from(id.0).unwrap_or(usize::MAX - 1));
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut conn.stream, token, interest) {
            log::error!("cannot register a connection: {error}");
            let end = RequestEnd::Unreachable(SendError::NoResources);
            return self.pool.link_failed(id, end, self.now(), &mut *self.handler);
        }
        self.conns.insert(id, conn);
        self.ready.insert(id);
    }

    /// Serves each ready connection once.
    fn serve_ready(&mut self) {
        let mut ready: Vec<LinkId> = self.ready.drain().collect();
        ready.sort_unstable();
        for id in ready {
            self.serve(id);
            self.apply();
        }
    }

    fn serve(&mut self, id: LinkId) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let had_bytes = conn.is_readable;
        let events = conn.turn(&self.tls);
        if conn.is_ready() {
            self.ready.insert(id);
        }
        let addr = conn.addr();
        let now = self.now();
        if had_bytes {
            self.pool.heard(id, now);
        }
        for event in events {
            let handler = &mut *self.handler;
            match event {
                ConnEvent::Connected => self.pool.connected(id, now),
                ConnEvent::Up(key, local) => self.pool.link_up(id, key, local, now, handler),
                ConnEvent::Data(bytes) => self.pool.received(id, &bytes, now, handler),
                ConnEvent::Sent(count) => self.pool.sent(id, count, now, handler),
                ConnEvent::Failed(end) => {
                    log::debug!("no session at {addr:?}: {end:?}");
                    self.remove(id);
                    self.pool.link_failed(id, end, now, &mut *self.handler);
                }
                ConnEvent::Ended(clean) => {
                    self.remove(id);
                    self.pool.link_ended(id, clean, now, &mut *self.handler);
                }
            }
        }
    }

    fn remove(&mut self, id: LinkId) {
        self.ready.remove(&id);
        if let Some(mut conn) = self.conns.remove(&id) {
            let _ = self.poll.registry().deregister(&mut conn.stream);
        }
    }

    /// Drops connections that should have ended by now. Returns when the next one should.
    fn drop_late(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let ends = self.conns.iter().filter_map(|(id, conn)| Some((*id, conn.finish_by?)));
        let (late, ending): (Vec<_>, Vec<_>) = ends.partition(|(_, at)| *at <= now);
        for (id, _) in late {
            self.remove(id);
            let now = self.now();
            self.pool.link_ended(id, false, now, &mut *self.handler);
            self.apply();
        }
        ending.into_iter().map(|(_, at)| at).min()
    }

    /// Carries out the outputs of the pool until there are no more.
    fn apply(&mut self) {
        loop {
            let outputs = self.pool.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                match output {
                    LinkOutput::Dial(id, addr, expect) => self.dial(id, addr, expect),
                    LinkOutput::Send(id, bytes) => {
                        let Some(conn) = self.conns.get_mut(&id) else { continue };
                        if conn.send(&bytes) {
                            self.ready.insert(id);
                        } else {
                            log::debug!("closing a connection: the peer does not read");
                            self.remove(id);
                            let now = self.now();
                            self.pool.link_ended(id, false, now, &mut *self.handler);
                        }
                    }
                    LinkOutput::Finish(id) => {
                        if let Some(conn) = self.conns.get_mut(&id) {
                            conn.finish_by.get_or_insert(Instant::now() + PART_WITHIN);
                            self.ready.insert(id);
                        }
                    }
                    LinkOutput::Drop(id) => self.remove(id),
                }
            }
        }
    }

    fn dial(&mut self, id: LinkId, addr: PeerAddr, expect: Option<PublicKey>) {
        match connect(self.bind, addr.socket()) {
            Ok(stream) => self.add(id, Conn::dialed(stream, addr, expect)),
            Err(error) => {
                let end = RequestEnd::Unreachable(failure(&error));
                self.pool.link_failed(id, end, self.now(), &mut *self.handler);
            }
        }
    }
}

/// Begins to connect from `from`. If that is unspecified, the system chooses the IP.
fn connect(from: IpAddr, to: SocketAddr) -> io::Result<mio::net::TcpStream> {
    let socket = socket_from(from, to)?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Ok(()) => {}
        Err(error) if is_in_progress(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(mio::net::TcpStream::from_std(socket.into()))
}

/// Returns whether the connect continues in the background.
fn is_in_progress(error: &io::Error) -> bool {
    // EINPROGRESS on Linux and macOS; std has no stable name for it. On Windows it is WouldBlock.
    error.kind() == io::ErrorKind::WouldBlock || matches!(error.raw_os_error(), Some(115 | 36)) && cfg!(unix)
}

#[cfg(test)]
mod tests;
