//! One socket of a session, which never blocks: the opening lines, TLS, then decrypted bytes.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{IpAddr, Shutdown};
use std::time::Instant;

use mio::net::TcpStream;

use super::MAX_UNSENT;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::SendError;
use crate::model::session::RequestEnd;
use crate::net::dial::failure;
use crate::net::secure::{Refused, Tls, TlsConnection};
use crate::protocol::session::opening::{Answer, DIAL_LINE, First, OK_LINE, answer, first};

/// Bytes that are read from one connection before the others have their turn.
pub(super) const TURN_BYTES: usize = 64 * 1024;

/// Bytes in a row that contain nothing to read. A TLS record has up to 16 KiB and 256 bytes; a peer
/// that sends more than a few without content only makes us work.
const MAX_VOID_BYTES: usize = 64 * 1024;

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum ConnEvent {
    /// The TCP connection is made.
    Connected,
    /// The peer has proven this key; the connection uses this IP of ours.
    Up(PublicKey, IpAddr),
    /// Decrypted bytes.
    Data(Vec<u8>),
    /// So many of the bytes to be sent have gone to the system.
    Sent(usize),
    /// It did not come to a session.
    Failed(RequestEnd),
    /// It ended, in good order or not.
    Ended(bool),
}

/// How far the opening has come.
#[derive(Debug)]
enum Stage {
    /// The TCP connection is being made.
    Connecting,
    /// The acceptor's line is being read.
    AwaitOk(Vec<u8>),
    /// The dialer's line is being read.
    AwaitLine(Vec<u8>),
    /// TLS, its handshake included.
    Encrypted,
}

/// How far our side has ended the connection.
#[derive(Debug)]
enum Closing {
    None,
    /// TLS has said that nothing follows.
    Said,
    /// TCP has, too.
    ShutDown,
}

/// One socket.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) stream: TcpStream,
    stage: Stage,
    /// The address that was dialed.
    dialed: Option<PeerAddr>,
    expect: Option<PublicKey>,
    tls: Option<TlsConnection>,
    /// Unencrypted bytes to be sent: our line.
    lines: Vec<u8>,
    /// Bytes to be encrypted and sent.
    unsent: Vec<u8>,
    /// How many bytes are encrypted and have not gone to the system.
    encrypted: usize,
    /// How many have gone to the system since the pool was told.
    sent: usize,
    /// Edge-triggered: there may be something to read, or room to write, until that would block.
    pub(super) is_readable: bool,
    pub(super) is_writable: bool,
    is_up: bool,
    /// Set when the connection is to end after everything has been sent: when it is dropped at
    /// last.
    pub(super) finish_by: Option<Instant>,
    closing: Closing,
    void_bytes: usize,
}

impl Conn {
    /// A connection that is being dialed.
    pub(super) fn dialed(stream: TcpStream, addr: PeerAddr, expect: Option<PublicKey>) -> Self {
        Self::new(stream, Stage::Connecting, Some(addr), expect)
    }

    /// An accepted connection that has brought `line` so far.
    pub(super) fn accepted(stream: TcpStream, line: Vec<u8>) -> Self {
        let conn = Self::new(stream, Stage::AwaitLine(line), None, None);
        Self { is_readable: true, is_writable: true, ..conn }
    }

    fn new(stream: TcpStream, stage: Stage, dialed: Option<PeerAddr>, expect: Option<PublicKey>) -> Self {
        Self {
            stream,
            stage,
            dialed,
            expect,
            tls: None,
            lines: Vec::new(),
            unsent: Vec::new(),
            encrypted: 0,
            sent: 0,
            is_readable: false,
            is_writable: false,
            is_up: false,
            finish_by: None,
            closing: Closing::None,
            void_bytes: 0,
        }
    }

    /// Queues bytes. Returns whether there is room for them.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        self.unsent.extend_from_slice(bytes);
        self.unsent.len() + self.encrypted <= MAX_UNSENT
    }

    /// Returns whether it has a turn without a new event: the last one ended at its limit.
    pub(super) fn is_ready(&self) -> bool {
        self.is_readable
    }

    /// Does what is possible without blocking, and reads at most [`TURN_BYTES`]. The events are in
    /// the order in which things happened; after `Failed` or `Ended` the connection is over.
    pub(super) fn turn(&mut self, tls: &Tls) -> Vec<ConnEvent> {
        let mut events = Vec::new();
        let done = self.advance(tls, &mut events);
        match done {
            Ok(()) => match mem::take(&mut self.sent) {
                0 => {}
                sent => events.push(ConnEvent::Sent(sent)),
            },
            Err(over) => {
                // The peer may still read why.
                let _ = self.write();
                events.push(match (self.is_up, over) {
                    (true, Over::Clean) => ConnEvent::Ended(true),
                    (true, _) => ConnEvent::Ended(false),
                    (false, Over::Failed(end)) => ConnEvent::Failed(end),
                    (false, _) => ConnEvent::Failed(RequestEnd::Broken),
                });
            }
        }
        events
    }

    fn advance(&mut self, tls: &Tls, events: &mut Vec<ConnEvent>) -> Result<(), Over> {
        if matches!(self.stage, Stage::Connecting) {
            if !self.connected()? {
                return Ok(());
            }
            events.push(ConnEvent::Connected);
        }
        // What the peer sent before it closed the connection is read all the same.
        let written = self.write();
        let mut budget = TURN_BYTES;
        while self.is_readable && budget > 0 {
            let count = match self.stage {
                Stage::Connecting => break,
                Stage::AwaitOk(_) | Stage::AwaitLine(_) => self.read_line(tls)?,
                Stage::Encrypted => self.read_encrypted(tls, events)?,
            };
            budget = budget.saturating_sub(count);
        }
        written?;
        self.write()
    }

    /// Returns whether the TCP connection is made.
    fn connected(&mut self) -> Result<bool, Over> {
        if !self.is_writable {
            return Ok(false);
        }
        let unreachable = |error: &io::Error| Over::Failed(RequestEnd::Unreachable(failure(error)));
        if let Some(error) = self.stream.take_error().map_err(|error| unreachable(&error))? {
            return Err(unreachable(&error));
        }
        let peer = match self.stream.peer_addr() {
            Ok(peer) => peer,
            Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(unreachable(&error)),
        };
        // On one machine TCP connects a socket to itself if its own port is the one dialed.
        if self.stream.local_addr().is_ok_and(|local| local == peer) {
            return Err(Over::Failed(RequestEnd::Unreachable(SendError::Refused)));
        }
        let _ = self.stream.set_nodelay(true);
        self.lines.extend_from_slice(DIAL_LINE);
        self.stage = Stage::AwaitOk(Vec::new());
        self.is_readable = true;
        Ok(true)
    }

    /// Reads the line of the other side, and not a byte more: what follows belongs to TLS.
    fn read_line(&mut self, tls: &Tls) -> Result<usize, Over> {
        let no_session = || Over::Failed(RequestEnd::NoSession);
        let (missing, is_acceptor) = match &self.stage {
            Stage::AwaitOk(line) => match answer(line) {
                Answer::Ok => (0, false),
                Answer::NeedMore(missing) => (missing, false),
                Answer::Other => return Err(no_session()),
            },
            Stage::AwaitLine(line) => match first(line) {
                First::Opening => (0, true),
                First::NeedMore => (DIAL_LINE.len() - line.len(), true),
                First::TooMuch | First::Plain => return Err(no_session()),
            },
            Stage::Connecting | Stage::Encrypted => return Ok(0),
        };
        if missing == 0 {
            self.begin_tls(tls, is_acceptor)?;
            return Ok(0);
        }
        let mut buffer = [0; OK_LINE.len()];
        let room = buffer.len().min(missing);
        let count = match self.stream.read(&mut buffer[..room]) {
            Ok(0) => return Err(no_session()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_readable = false;
                return Ok(0);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(0),
            // A reset instead of the line: whatever it is, it is no session.
            Err(_) => return Err(no_session()),
        };
        if let Stage::AwaitOk(line) | Stage::AwaitLine(line) = &mut self.stage {
            line.extend_from_slice(&buffer[..count]);
        }
        Ok(count)
    }

    fn begin_tls(&mut self, tls: &Tls, is_acceptor: bool) -> Result<(), Over> {
        let connection = if is_acceptor {
            self.lines.extend_from_slice(OK_LINE);
            tls.accepting().map(TlsConnection::Server)
        } else {
            tls.dialing(self.expect).map(TlsConnection::Client)
        };
        let mut connection = connection.map_err(|_| Over::Failed(RequestEnd::NotSecure))?;
        // `MAX_UNSENT` bounds what is sent.
        connection.set_buffer_limit(None);
        self.tls = Some(connection);
        self.stage = Stage::Encrypted;
        self.write()
    }

    fn read_encrypted(&mut self, tls: &Tls, events: &mut Vec<ConnEvent>) -> Result<usize, Over> {
        let Some(connection) = &mut self.tls else { return Ok(0) };
        let count = match connection.read_tls(&mut self.stream) {
            Ok(0) => {
                self.is_readable = false;
                return Err(if connection.process_new_packets().is_ok_and(|state| state.peer_has_closed()) {
                    Over::Clean
                } else {
                    Over::Broken
                });
            }
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_readable = false;
                return Ok(0);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(0),
            Err(_) => return Err(Over::Broken),
        };
        self.void_bytes += count;
        let own = tls.own();
        let state =
            connection.process_new_packets().map_err(|error| refused(error.into(), &self.stream, own))?;
        let readable = state.plaintext_bytes_to_read();
        if readable == 0 && self.void_bytes > MAX_VOID_BYTES {
            return Err(Over::Broken);
        }
        if !self.is_up && !connection.is_handshaking() {
            let key = tls.proven(connection, self.expect).map_err(|why| refused(why, &self.stream, own))?;
            self.is_up = true;
            self.void_bytes = 0;
            let local = self.stream.local_addr().map_err(|_| Over::Broken)?;
            events.push(ConnEvent::Up(key, local.ip().to_canonical()));
        }
        if readable > 0 {
            self.void_bytes = 0;
            let mut bytes = vec![0; readable];
            connection.reader().read_exact(&mut bytes).map_err(|_| Over::Broken)?;
            events.push(ConnEvent::Data(bytes));
        }
        Ok(count)
    }

    /// Sends what is queued, as far as that is possible without blocking.
    fn write(&mut self) -> Result<(), Over> {
        while self.is_writable && !self.lines.is_empty() {
            match self.stream.write(&self.lines) {
                Ok(count) => drop(self.lines.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Over::Broken),
            }
        }
        let Some(connection) = &mut self.tls else { return Ok(()) };
        while self.is_writable && self.lines.is_empty() {
            if !connection.wants_write() {
                if self.unsent.is_empty() || connection.is_handshaking() {
                    break;
                }
                let count = self.unsent.len().min(TURN_BYTES);
                let count = connection.writer().write(&self.unsent[..count]).map_err(|_| Over::Broken)?;
                self.unsent.drain(..count);
                self.encrypted += count;
                if self.unsent.is_empty() {
                    // A session that sends little keeps no room for what it once had to send.
                    self.unsent = Vec::new();
                }
            }
            match connection.write_tls(&mut self.stream) {
                Ok(_) if connection.wants_write() => {}
                Ok(_) => self.sent += mem::take(&mut self.encrypted),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Over::Broken),
            }
        }
        let is_done = self.finish_by.is_some() && self.unsent.is_empty() && !connection.wants_write();
        match self.closing {
            Closing::None if is_done => {
                self.closing = Closing::Said;
                connection.send_close_notify();
                return self.write();
            }
            // Once only: each call is an event of this socket, and would lead to the next.
            Closing::Said if is_done => {
                self.closing = Closing::ShutDown;
                let _ = self.stream.shutdown(Shutdown::Write);
            }
            _ => {}
        }
        Ok(())
    }

    /// The address that was dialed, for the log.
    pub(super) fn addr(&self) -> Option<PeerAddr> {
        self.dialed
    }
}

/// Logs why TLS fails with the peer on `stream`, and returns what that means for the connection.
fn refused(why: Refused, stream: &TcpStream, own: PublicKey) -> Over {
    match stream.peer_addr() {
        Ok(peer) => log::info!("TLS with {peer} failed: {why}"),
        // The peer has closed the connection.
        Err(_) => log::info!("TLS failed: {why}"),
    }
    Over::Failed(why.end(own))
}

/// How a connection ended.
#[derive(Debug)]
enum Over {
    /// The peer has closed it in good order.
    Clean,
    Broken,
    Failed(RequestEnd),
}
