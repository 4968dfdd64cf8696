//! An encrypted connection that blocks: the opening lines, then rustls with the settings of the
//! program.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use p2p_chat::model::key::PublicKey;
use p2p_chat::net::secure::Tls;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use rustls::Connection;

/// How long a connection that ends reads away what still comes: closing it with unread bytes would
/// reset it, and take the last bytes sent along.
const DRAIN_FOR: Duration = Duration::from_millis(250);

/// An encrypted connection to a peer that has proven its key. Dropped without
/// [`Channel::closes`], it looks cut to the other side.
#[derive(Debug)]
pub(crate) struct Channel {
    tls: Connection,
    io: Timed,
    peer: PublicKey,
}

/// A socket at which no read and no write lasts longer than until one moment.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Channel {
    /// Opens a connection as its dialer; the peer has to prove this key, or any.
    pub(super) fn dial(
        tls: &Tls,
        stream: TcpStream,
        expect: Option<PublicKey>,
        deadline: Instant,
    ) -> io::Result<Self> {
        let mut io = Timed::new(stream, deadline)?;
        io.write_all(DIAL_LINE)?;
        let mut line = [0; OK_LINE.len()];
        io.read_exact(&mut line)?;
        if line != OK_LINE {
            return Err(io::Error::new(ErrorKind::InvalidData, "another line than ok"));
        }
        let connection = tls.dialing(expect).map_err(io::Error::other)?;
        Self::shakes_hands(tls, connection.into(), io, expect)
    }

    /// Takes a connection as its acceptor; `line` was read from it.
    pub(super) fn accept(tls: &Tls, stream: TcpStream, line: &[u8], deadline: Instant) -> io::Result<Self> {
        let mut io = Timed::new(stream, deadline)?;
        if line != DIAL_LINE {
            return Err(io::Error::new(ErrorKind::InvalidData, "more than the line"));
        }
        io.write_all(OK_LINE)?;
        let connection = tls.accepting().map_err(io::Error::other)?;
        Self::shakes_hands(tls, connection.into(), io, None)
    }

    fn shakes_hands(
        tls: &Tls,
        mut connection: Connection,
        mut io: Timed,
        expect: Option<PublicKey>,
    ) -> io::Result<Self> {
        while connection.is_handshaking() {
            if let Err(error) = connection.complete_io(&mut io) {
                io.drain();
                return Err(error);
            }
        }
        let peer = tls.proven(&connection, expect).map_err(io::Error::other)?;
        Ok(Self { tls: connection, io, peer })
    }

    /// The key that the peer has proven.
    pub(super) fn peer(&self) -> PublicKey {
        self.peer
    }

    /// Reading and writing end at this time.
    pub(super) fn waits_until(&mut self, deadline: Instant) {
        self.io.deadline = deadline;
    }

    /// Ends the connection in good order.
    pub(super) fn closes(mut self) {
        self.io.deadline = Instant::now() + DRAIN_FOR;
        self.tls.send_close_notify();
        // The other side may have ended it already.
        let _ = self.flush();
        self.io.drain();
    }

    /// Ends the connection without a word of TLS.
    pub(super) fn breaks_off(self) {
        let _ = self.io.stream.shutdown(Shutdown::Both);
    }
}

impl Read for Channel {
    /// 0 only after the other side has ended the connection in good order.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            self.flush()?;
            self.tls.read_tls(&mut self.io)?;
            if let Err(error) = self.tls.process_new_packets() {
                let _ = self.flush();
                self.io.drain();
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        let count = self.tls.writer().write(bytes)?;
        self.flush()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.io)?;
        }
        Ok(())
    }
}

impl Timed {
    fn new(stream: TcpStream, deadline: Instant) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, deadline })
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Ends our half, and reads away what still comes.
    fn drain(&mut self) {
        self.deadline = self.deadline.min(Instant::now() + DRAIN_FOR);
        let _ = self.stream.shutdown(Shutdown::Write);
        let _ = io::copy(self, &mut io::sink());
    }
}

/// The system reports a timeout of a socket as if the socket did not block.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    })
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        in_time(self.stream.read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// rustls writes an alert only once, together with the records that are queued before it.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        in_time(self.stream.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
