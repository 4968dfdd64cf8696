//! A man in the middle: a proxy that knows the encrypted exchange from outside, records everything
//! that passes, and changes what a test wants.
//!
//! It can do what anyone on the path can: it has no key. A connection that begins with the opening
//! line is divided into the line and the TLS records. Each of them is passed on, changed, repeated
//! or dropped, or is the last that passes. Any other connection is carried unchanged, with its
//! answer, the receipt, as one piece.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use p2p_chat::protocol::session::opening::{DIAL_LINE, First, OK_LINE, first};
use socket2::SockRef;

use super::{Builder, SOON, dial_from, nobody, try_dial_from, v4};

/// The length of the header of a TLS record.
const TLS_HEAD: usize = 5;

/// The address of peers that can be dialed only past a man in the middle: a loopback address that
/// no other test uses.
const BEHIND: Ipv4Addr = Ipv4Addr::new(127, 0, 77, 2);

/// The direction of a piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// From the dialer to the listener.
    Up,
    /// Back.
    Down,
}

/// Something that passes in one piece.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    /// Whether its connection began with the line; then piece 0 is a line, and each further one a
    /// record of TLS.
    pub(crate) opened: bool,
    pub(crate) way: Way,
    /// Which one of its way it is.
    pub(crate) number: usize,
    /// Where its first byte stands among those of its way.
    pub(crate) at: usize,
    pub(crate) bytes: &'a [u8],
}

/// What is done with a piece.
#[derive(Debug)]
pub(crate) enum CommandKind {
    /// It passes.
    Pass,
    /// This passes in its place; nothing, where it is empty.
    Instead(Vec<u8>),
    /// This passes in its place, and then the connection is cut: no word of TLS says so.
    Cut(Vec<u8>),
}

/// What has passed on one connection, as its two sides have written it.
#[derive(Clone, Default, Debug)]
pub(crate) struct Wire {
    pub(crate) opened: bool,
    pub(crate) up: Vec<u8>,
    pub(crate) down: Vec<u8>,
    /// How many of its ways have come to their end.
    ends: u8,
}

impl Wire {
    /// Whether nothing passes any more.
    pub(crate) fn is_over(&self) -> bool {
        self.ends == 2
    }

    /// The bytes of one way.
    pub(crate) fn of(&self, way: Way) -> &[u8] {
        match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        }
    }
}

type Plan = Arc<dyn Fn(&Piece<'_>) -> CommandKind + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// The listener that it stands before.
    listener: SocketAddrV4,
    target: SocketAddrV4,
    plan: Plan,
    wires: Vec<Wire>,
    /// Both ends of each connection that is being carried, by the number of its wire.
    carried: Vec<(usize, [TcpStream; 2])>,
    /// New connections wait for the next [`Meddler::redirects_to`].
    holding: bool,
    stopping: bool,
}

/// Who stands in the way to one listener.
pub(crate) struct Meddler {
    addr: SocketAddrV4,
    shared: Arc<Shared>,
}

impl Meddler {
    /// Stands before this listener, and passes on everything.
    pub(crate) fn before(target: SocketAddrV4) -> Self {
        Self::at(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"), target)
    }

    /// Stands in the only way to a peer that is still to be started, so that nobody who hears where
    /// it listens can dial it past this: it listens at the same port of another address of the
    /// loopback network.
    pub(crate) fn in_the_only_way_to(peer: Builder) -> (Self, Builder) {
        let (listener, addr) = loop {
            let addr = nobody();
            // Another test process may take the port between the look and the binding.
            if let Ok(listener) = TcpListener::bind(addr) {
                break (listener, addr);
            }
        };
        let peer = peer.port(addr.port()).arg("--bind").arg(BEHIND).arg("--advertise").arg(addr.ip());
        (Self::at(listener, SocketAddrV4::new(BEHIND, addr.port())), peer)
    }

    fn at(listener: TcpListener, target: SocketAddrV4) -> Self {
        let addr = v4(listener.local_addr().expect("bound"));
        let state = State {
            listener: target,
            target,
            plan: Arc::new(|_| CommandKind::Pass),
            wires: Vec::new(),
            carried: Vec::new(),
            holding: false,
            stopping: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self { addr, shared }
    }

    /// Where it is dialed in the listener's place.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        self.addr
    }

    /// Does this with all that passes from now on.
    pub(crate) fn does(&self, plan: impl Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static) {
        self.shared.lock().plan = Arc::new(plan);
    }

    /// Breaks the open connections and carries new ones to `target`, as ARP spoofing does.
    pub(crate) fn redirects_to(&self, target: SocketAddrV4) {
        let mut state = self.shared.lock();
        state.target = target;
        state.holding = false;
        for stream in state.carried.iter().flat_map(|(_, ends)| ends) {
            // It may be over already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
    }

    /// The same to the listener that it stands before.
    pub(crate) fn restores(&self) {
        let listener = self.shared.lock().listener;
        self.redirects_to(listener);
    }

    /// Accepts new connections, reads how they begin, and carries them no further until
    /// [`Meddler::redirects_to`].
    pub(crate) fn holds(&self) {
        self.shared.lock().holding = true;
    }

    /// What has passed, one entry for each connection in the order in which they came.
    pub(crate) fn wires(&self) -> Vec<Wire> {
        self.shared.lock().wires.clone()
    }

    /// The same of those only that began with the line.
    pub(crate) fn opened(&self) -> Vec<Wire> {
        self.wires().into_iter().filter(|wire| wire.opened).collect()
    }

    /// Waits until this holds for what has passed.
    pub(crate) fn waits(&self, what: &str, holds: impl Fn(&[Wire]) -> bool) -> Vec<Wire> {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, SOON, |state| !holds(&state.wires))
            .expect("not poisoned");
        assert!(holds(&state.wires), "never {what}: {:?}", state.wires);
        state.wires.clone()
    }

    /// Waits until this many connections that began with the line are over, and returns those.
    pub(crate) fn has_carried(&self, count: usize) -> Vec<Wire> {
        let done = |wires: &[Wire]| {
            wires.iter().filter(|wire| wire.opened && wire.is_over()).cloned().collect::<Vec<_>>()
        };
        let what = format!("{count} talks carried to their end");
        done(&self.waits(&what, |wires| done(wires).len() >= count))
    }

    /// Dials the listener, and says once more all that a dialer has said: what it answers.
    pub(crate) fn replays(&self, wire: &Wire) -> Vec<u8> {
        let target = self.shared.lock().target;
        let mut stream = dial_from(Ipv4Addr::LOCALHOST, target);
        let rest = wire.up.strip_prefix(DIAL_LINE).expect("it began with the line");
        stream.write_all(DIAL_LINE).expect("it accepts");
        let mut answer = vec![0; OK_LINE.len()];
        stream.read_exact(&mut answer).expect("an ok");
        // It may have had enough amid this.
        let _ = stream.write_all(rest);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
        drop(TcpStream::connect(self.addr));
    }
}

/// Cuts a talk when this many bytes have passed this way.
pub(crate) fn cut_at(way: Way, at: usize) -> impl Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static {
    move |piece| match at.checked_sub(piece.at) {
        Some(left) if piece.opened && piece.way == way && left < piece.bytes.len() => {
            CommandKind::Cut(piece.bytes[..left].to_vec())
        }
        _ => CommandKind::Pass,
    }
}

/// Changes one bit of a talk.
pub(crate) fn flip_at(
    way: Way,
    at: usize,
    bit: u8,
) -> impl Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static {
    move |piece| match at.checked_sub(piece.at) {
        Some(at) if piece.opened && piece.way == way && at < piece.bytes.len() => {
            let mut bytes = piece.bytes.to_vec();
            bytes[at] ^= 1 << bit;
            CommandKind::Instead(bytes)
        }
        _ => CommandKind::Pass,
    }
}

/// Drops the answer to the opening line, so the dialer waits in vain for its ok.
pub(crate) fn without_ok(piece: &Piece<'_>) -> CommandKind {
    if piece.opened && piece.way == Way::Down { CommandKind::Instead(Vec::new()) } else { CommandKind::Pass }
}

/// Lets another receipt come back than was written.
pub(crate) fn receipt(
    change: impl Fn(&str) -> String + Send + Sync + 'static,
) -> impl Fn(&Piece<'_>) -> CommandKind + Send + Sync + 'static {
    move |piece| {
        if piece.opened || piece.way == Way::Up {
            return CommandKind::Pass;
        }
        CommandKind::Instead(change(&String::from_utf8_lossy(piece.bytes)).into_bytes())
    }
}

/// Takes from a receipt what tells that its writer speaks encrypted.
pub(crate) fn stripped(receipt: &str) -> String {
    receipt.split(" p2p-chat/").next().expect("a first part").to_owned()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    /// Where a connection is carried, once connections are not held.
    fn target(&self) -> SocketAddrV4 {
        let state = self.lock();
        let waits = |state: &mut State| state.holding && !state.stopping;
        self.changed.wait_while(state, waits).expect("not poisoned").target
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if self.lock().stopping {
                return;
            }
            let (dialer, _) = accepted.expect("this process has a descriptor left");
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // Broken by one side, it is broken for the other: that is all there is to do.
                let _ = shared.carry_both(dialer);
            });
        }
    }

    fn carry_both(self: &Arc<Self>, mut dialer: TcpStream) -> io::Result<()> {
        limit(&dialer)?;
        let mut begun = Vec::new();
        while first(&begun) == First::NeedMore && read_more(&mut dialer, &mut begun)? > 0 {}
        let opened = matches!(first(&begun), First::Opening | First::TooMuch);
        let number = {
            let mut state = self.lock();
            state.wires.push(Wire { opened, ..Wire::default() });
            state.wires.len() - 1
        };
        self.changed.notify_all();
        let target = self.target();
        let peer = try_dial_from(Ipv4Addr::LOCALHOST, target)
            .inspect_err(|_| drop(SockRef::from(&dialer).set_linger(Some(Duration::ZERO))))?;
        limit(&peer)?;
        let ends = [dialer.try_clone()?, peer.try_clone()?];
        self.lock().carried.push((number, ends));
        let carry = |way, from: &TcpStream, to: &TcpStream| {
            let (shared, from, to) = (Arc::clone(self), from.try_clone()?, to.try_clone()?);
            io::Result::Ok(Carry { shared, number, opened, way, from, to, pieces: 0, at: 0 })
        };
        let (mut up, mut down) = (carry(Way::Up, &dialer, &peer)?, carry(Way::Down, &peer, &dialer)?);
        let back = thread::spawn(move || down.run(Vec::new()));
        up.run(begun);
        let _ = back.join();
        self.lock().carried.retain(|(carried, _)| *carried != number);
        Ok(())
    }
}

fn limit(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Kept connections are idle for longer than anything else.
    stream.set_read_timeout(Some(4 * SOON))?;
    stream.set_write_timeout(Some(SOON))
}

fn read_more(from: &mut TcpStream, to: &mut Vec<u8>) -> io::Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let count = from.read(&mut buffer)?;
    to.extend_from_slice(&buffer[..count]);
    Ok(count)
}

/// One way of one connection.
struct Carry {
    shared: Arc<Shared>,
    number: usize,
    opened: bool,
    way: Way,
    from: TcpStream,
    to: TcpStream,
    pieces: usize,
    at: usize,
}

impl Carry {
    fn run(&mut self, mut held: Vec<u8>) {
        self.keep(&held);
        let whole = loop {
            while let Some(length) = self.whole(&held) {
                let piece: Vec<u8> = held.drain(..length).collect();
                if !self.pass(&piece) {
                    return self.ends();
                }
            }
            let before = held.len();
            match read_more(&mut self.from, &mut held) {
                Ok(0) => break true,
                Ok(_) => self.keep(&held[before..]),
                Err(_) => break false,
            }
        };
        if !held.is_empty() && !self.pass(&held) {
            return self.ends();
        }
        let how = if whole { Shutdown::Write } else { Shutdown::Both };
        let _ = self.to.shutdown(how);
        self.ends();
    }

    /// Tells what came.
    fn keep(&self, bytes: &[u8]) {
        let mut state = self.shared.lock();
        let wire = &mut state.wires[self.number];
        let kept = if self.way == Way::Up { &mut wire.up } else { &mut wire.down };
        kept.extend_from_slice(bytes);
        drop(state);
        self.shared.changed.notify_all();
    }

    fn ends(&self) {
        self.shared.lock().wires[self.number].ends += 1;
        self.shared.changed.notify_all();
    }

    /// The length of the next piece, if it is whole.
    fn whole(&self, held: &[u8]) -> Option<usize> {
        if held.is_empty() {
            return None;
        }
        match (self.opened, self.way, self.pieces) {
            (true, _, 0) => held.iter().position(|byte| *byte == b'\n').map(|at| at + 1),
            (true, ..) => {
                let head = held.first_chunk::<TLS_HEAD>()?;
                let length = TLS_HEAD + usize::from(u16::from_be_bytes([head[3], head[4]]));
                (length <= held.len()).then_some(length)
            }
            (false, Way::Up, _) => Some(held.len()),
            (false, Way::Down, _) => None,
        }
    }

    /// Whether the connection goes on.
    fn pass(&mut self, bytes: &[u8]) -> bool {
        let piece = Piece { opened: self.opened, way: self.way, number: self.pieces, at: self.at, bytes };
        // The plan may take its time, and others go on meanwhile.
        let plan = Arc::clone(&self.shared.lock().plan);
        let action = plan(&piece);
        self.pieces += 1;
        self.at += bytes.len();
        match action {
            CommandKind::Pass => self.to.write_all(bytes).is_ok(),
            CommandKind::Instead(other) => self.to.write_all(&other).is_ok(),
            CommandKind::Cut(last) => {
                let _ = self.to.write_all(&last);
                let _ = self.to.shutdown(Shutdown::Both);
                let _ = self.from.shutdown(Shutdown::Both);
                false
            }
        }
    }
}
