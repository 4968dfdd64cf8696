//! One encrypted connection: the lines, the handshake, then bytes both ways, all of it in time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, Connection, Error, ServerConnection};

use super::key::from_spki;
use super::refused::Refused;
use super::timed::Timed;
use super::tls::{ALPN, Tls};
use super::verifier::{Expectation, WrongKey};
use crate::model::key::PublicKey;
use crate::protocol::session::opening::{Answer, DIAL_LINE, First, OK_LINE, answer, first};

/// Time for the other side to say ok to our line (wire.md).
pub const OK_WITHIN: Duration = Duration::from_secs(1);

/// Time from the line to both hellos: two round trips, of which each may lose a packet, which is sent again after a second.
pub const HELLO_WITHIN: Duration = Duration::from_secs(3);

/// How long ending a connection may take: the last words, and reading away what still comes, so that closing does not reset the
/// connection and take those words along.
const DRAIN_FOR: Duration = Duration::from_millis(250);

/// How long the last words may take of who cannot wait: they fit an empty buffer, and who has filled that does not read them.
const PART_WITHIN: Duration = Duration::from_millis(1);

/// How many bytes are read away. A handshake has about a thousand.
const MAX_DRAINED: u64 = 64 * 1024;

/// Bytes in a row that bring nothing to read. One record of TLS has up to 16 KiB and 256 bytes, and may come in pieces; who sends more than
/// a few of that without a word inside (empty records, new keys) only wants us to work.
const MAX_VOID_BYTES: usize = 64 * 1024;

/// An encrypted connection to who has proven to hold a key. Reading and writing block until the deadline; what is written is sent at
/// once, so write a turn in one piece. Dropped without [`Channel::close`], it looks cut to the other side.
#[derive(Debug)]
pub struct Channel {
    pub(super) tls: Connection,
    io: Timed,
    peer: PublicKey,
    /// Bytes that came since there was something to read.
    void: usize,
}

/// Opens the exchange on a connection just made, as its dialer: at most [`OK_WITHIN`] for the ok, and all of it before `deadline`.
///
/// # Errors
/// Why there is none. Nothing but the line was sent to who did not say ok, and our key not to who has another than expected.
pub fn dial(
    tls: &Tls,
    stream: impl Into<Arc<TcpStream>>,
    expectation: Expectation,
    deadline: Instant,
) -> Result<Channel, Refused> {
    let mut io = Timed::new(stream.into(), deadline.min(Instant::now() + OK_WITHIN))?;
    io.write_all(DIAL_LINE)?;
    let mut said = [0; OK_LINE.len()];
    let mut count = 0;
    loop {
        match answer(&said[..count]) {
            Answer::Ok => break,
            Answer::Other => return Err(Refused::NoLine),
            // No more than what is missing: behind it begins TLS.
            Answer::NeedMore(missing) => match io.read(&mut said[count..count + missing]) {
                Ok(0) => return Err(Refused::NoLine),
                Ok(more) => count += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A reset, or silence: whatever it is, it does not say ok.
                Err(_) => return Err(Refused::NoLine),
            },
        }
    }
    io.deadline = deadline;
    // Of an IP no server name is sent. Whom we expect is the verifier's.
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
    let connection = ClientConnection::new(tls.client(expectation), nobody)?;
    shake_hands(tls, Connection::Client(connection), io, expectation)
}

/// Takes the exchange on an accepted connection of which `said` was read so far; all of it before `deadline`.
///
/// # Errors
/// Why there is none. Nothing was sent where the line did not come, or came with more behind it.
pub fn accept(
    tls: &Tls,
    stream: impl Into<Arc<TcpStream>>,
    said: &[u8],
    deadline: Instant,
) -> Result<Channel, Refused> {
    let mut io = Timed::new(stream.into(), deadline)?;
    let mut said = said.to_vec();
    loop {
        match first(&said) {
            First::Opening => break,
            First::TooMuch => return Err(Refused::TooEarly),
            First::Plain => return Err(Refused::NoLine),
            First::NeedMore => {
                let mut buffer = [0; 64];
                match io.read(&mut buffer) {
                    Ok(0) => return Err(Refused::NoLine),
                    Ok(count) => said.extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    io.write_all(OK_LINE)?;
    let connection = ServerConnection::new(Arc::clone(&tls.server))?;
    shake_hands(tls, Connection::Server(connection), io, Expectation::Any)
}

fn shake_hands(
    tls: &Tls,
    connection: Connection,
    io: Timed,
    expectation: Expectation,
) -> Result<Channel, Refused> {
    // Nobody is taken for who we are ourselves, should anything below forget to look.
    let mut channel = Channel { tls: connection, io, peer: tls.own(), void: 0 };
    while channel.tls.is_handshaking() {
        if let Err(error) = channel.tls.complete_io(&mut channel.io) {
            // Where the connection broke or the time is over, there is nobody to be told.
            if error.kind() == ErrorKind::InvalidData {
                channel.give_up();
            }
            return Err(error.into());
        }
    }
    // rustls ends a handshake whose protocols do not fit, but not one in which the other side names none.
    if channel.tls.alpn_protocol() != Some(ALPN) {
        return Err(Error::NoApplicationProtocol.into());
    }
    let shown = channel.tls.peer_certificates().and_then(|shown| from_spki(shown.first()?));
    channel.peer = shown.ok_or(Error::NoCertificatesPresented)?;
    match expectation {
        // The verifier has refused it; nothing shall depend on its being asked.
        Expectation::Key(expected) if expected != channel.peer => {
            Err(Refused::WrongKey(WrongKey { expected, offered: channel.peer }))
        }
        _ if channel.peer == tls.own() => Err(Refused::Ourselves),
        _ => Ok(channel),
    }
}

impl Channel {
    /// The key that the other side has proven to hold.
    pub fn peer(&self) -> PublicKey {
        self.peer
    }

    /// The moment at which reading and writing end with [`ErrorKind::TimedOut`].
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.io.deadline = deadline;
    }

    /// The connection below: to wait for bytes on it, or to end it from elsewhere.
    pub fn stream(&self) -> &Arc<TcpStream> {
        &self.io.stream
    }

    /// Whether something may be read without a byte from the connection, for which waiting on [`Channel::stream`] would be in vain.
    pub fn has_more(&mut self) -> bool {
        match self.tls.process_new_packets() {
            Ok(state) => state.plaintext_bytes_to_read() > 0 || state.peer_has_closed(),
            // Reading tells which.
            Err(_) => true,
        }
    }

    /// Says `last` and ends in good order, which the other side can tell from a cut, in a moment whatever that side does. What it sends
    /// meanwhile is read away.
    pub fn close(mut self, last: &[u8]) {
        self.io.deadline = Instant::now() + DRAIN_FOR;
        // The other side may have closed the connection already; that is its right.
        if self.write_all(last).is_ok() {
            self.tls.send_close_notify();
        }
        self.give_up();
    }

    /// The same for who cannot wait even for a moment: what the other side sends meanwhile may cost it the last words.
    pub fn part(mut self, last: &[u8]) {
        self.io.deadline = Instant::now() + PART_WITHIN;
        if self.write_all(last).is_ok() {
            self.tls.send_close_notify();
        }
        let _ = self.send();
        let _ = self.io.stream.shutdown(Shutdown::Write);
    }

    /// Reads what has come already, without waiting: `None` where that is nothing. Otherwise as [`Channel::read`].
    ///
    /// # Errors
    /// As [`Channel::read`].
    pub fn read_ready(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.take(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done.map(Some),
            }
            let tls = &mut self.tls;
            match self.io.without_waiting(|stream| tls.read_tls(stream)) {
                Ok(count) => self.came(count)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What is decrypted already.
    fn take(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let done = self.tls.reader().read(buffer);
        if done.is_ok() {
            self.void = 0;
        }
        done
    }

    /// Takes note of bytes that rustls has read.
    fn came(&mut self, count: usize) -> io::Result<()> {
        self.void += count;
        let processed = match self.tls.process_new_packets() {
            Ok(state) if state.plaintext_bytes_to_read() == 0 && self.void > MAX_VOID_BYTES => {
                Err(Error::General("too much without a word inside".into()))
            }
            done => done.map(drop),
        };
        // What was whole before a fault in the same read is dropped with it. It gets no receipt, so it comes again.
        processed.map_err(|error| {
            self.give_up();
            io::Error::new(ErrorKind::InvalidData, error)
        })
    }

    /// Sends all that rustls has to send.
    fn send(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.io) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Lets the other side have what is to be sent, an alert after an error.
    fn give_up(&mut self) {
        self.io.deadline = self.io.deadline.min(Instant::now() + DRAIN_FOR);
        let _ = self.send();
        let _ = self.io.stream.shutdown(Shutdown::Write);
        let _ = io::copy(&mut (&mut self.io).take(MAX_DRAINED), &mut io::sink());
    }
}

impl Read for Channel {
    /// 0 only after the other side ended in good order; [`ErrorKind::UnexpectedEof`] where the connection was cut, and
    /// [`ErrorKind::InvalidData`] where its bytes are not what the other side sent. After an error nothing more is to be read.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.send()?;
            match self.take(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            match self.tls.read_tls(&mut self.io) {
                Ok(count) => self.came(count)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send()?;
        let count = self.tls.writer().write(bytes)?;
        self.send()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
