//! One accepted connection, from its first byte to its closing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sessions::OPENING_SILENCE;
use crate::model::address::Source;
use crate::protocol::plain::{Decoder, Progress};
use crate::protocol::session::opening::{First, first};

/// A message is over this long after its last byte (wire.md): legacy peers write once and some
/// never close.
const SILENCE: Duration = Duration::from_millis(250);

/// A message is over this long after its first byte, whatever its sender does; SmartCookies, the
/// slowest honest one, waits 5 s.
const LIFETIME: Duration = Duration::from_secs(5);

/// Bytes read and dropped after a message that is too long, so that closing does not reset the
/// connection while its sender still writes.
const MAX_DRAINED: usize = 64 * 1024;

/// How long that may take.
const DRAIN_FOR: Duration = Duration::from_millis(250);

/// How a connection's message came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Its sender closed or fell silent.
    Whole,
    /// It was longer than is read, or not over when its time was.
    Cut,
    /// It was reset before it was over, so it may have been meant to go on.
    BrokenOff,
    /// It was closed to make room, or broke before anything came.
    Lost,
    /// It is no message: what came is the line that opens a session.
    Opening,
}

/// An accepted connection and what has been read of it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Arc<TcpStream>,
    pub(super) source: Source,
    pub(super) local: IpAddr,
    pub(super) decoder: Decoder,
    opened: Instant,
}

impl Connection {
    /// Takes over a non-blocking stream that was accepted at `opened` and is not read from yet.
    pub(super) fn new(stream: TcpStream, source: Source, opened: Instant) -> io::Result<Self> {
        let local = stream.local_addr()?.ip().to_canonical();
        Ok(Self { stream: Arc::new(stream), source, local, decoder: Decoder::new(), opened })
    }

    /// Reads what is there without waiting. Returns `None` if the message may go on.
    pub(super) fn read_ready(&mut self) -> Option<End> {
        loop {
            match self.read() {
                Ok(end) => {
                    if let Some(end) = end {
                        return Some(end);
                    }
                }
                Err(error) if is_silence(&error) => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(self.broken()),
            }
        }
    }

    /// Waits for the rest of the message. `heard` is called whenever something has come.
    pub(super) fn read_rest(&mut self, heard: impl Fn()) -> End {
        if self.stream.set_nonblocking(false).is_err() {
            return End::Lost;
        }
        let mut first_byte = (!self.decoder.is_empty()).then(Instant::now);
        let mut last_byte = first_byte;
        loop {
            let end_of_life = first_byte.map_or(self.opened + OPENING_SILENCE, |at| at + LIFETIME);
            let silent_at = match last_byte {
                Some(at) if !self.may_open() => at + SILENCE,
                _ => self.opened + OPENING_SILENCE,
            };
            let left = silent_at.min(end_of_life).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return if silent_at <= end_of_life { End::Whole } else { End::Cut };
            }
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return End::Lost;
            }
            match self.read() {
                Ok(Some(end)) => return end,
                Ok(None) => {
                    last_byte = Some(Instant::now());
                    first_byte = first_byte.or(last_byte);
                    heard();
                }
                // The deadlines are looked at above, for a timeout may come a little early.
                Err(error) if is_silence(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.broken(),
            }
        }
    }

    /// Reads once. Returns how the message ends, or `None` if it may go on.
    fn read(&mut self) -> io::Result<Option<End>> {
        let mut buffer = [0; 1024];
        let count = (&*self.stream).read(&mut buffer)?;
        if count == 0 {
            return Ok(Some(End::Whole));
        }
        let progress = self.decoder.push(&buffer[..count]);
        Ok(match first(self.decoder.bytes()) {
            // More behind the line than there may be opens a session too, which refuses it.
            First::Opening | First::TooMuch => Some(End::Opening),
            _ => (progress == Progress::Full).then_some(End::Cut),
        })
    }

    /// Whether what has come is the beginning of the line that opens a session.
    fn may_open(&self) -> bool {
        first(self.decoder.bytes()) == First::NeedMore
    }

    /// What a reset leaves. It may be the beginning of anything: `exit strategy` that breaks off
    /// after its first word is no `exit`. No whole message is taken for that: all programs that
    /// were measured close in good order after what they wrote (wire.md), and so do we. A reset
    /// after that end, which a sender causes that never reads our receipt, comes too late: Linux
    /// shows the end first. The end of a line is an end, too. Without any byte nothing is lost.
    fn broken(&self) -> End {
        if self.decoder.is_empty() {
            End::Lost
        } else if self.decoder.ends_a_line() {
            End::Whole
        } else {
            End::BrokenOff
        }
    }

    /// Answers. The sender may be gone, or never read.
    pub(super) fn answer(&self, answer: &[u8]) {
        if !answer.is_empty() {
            // An answer of some forty bytes always fits into the empty send buffer, so this does
            // not block.
            let _ = (&*self.stream).write_all(answer);
        }
    }

    /// Reads the rest of a message that is too long.
    pub(super) fn drain(&self) {
        let until = Instant::now() + DRAIN_FOR;
        let mut drained = 0;
        let mut buffer = [0; 4096];
        if self.stream.set_nonblocking(false).is_err() {
            return;
        }
        while drained < MAX_DRAINED {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.stream.set_read_timeout(Some(left)).is_err() {
                return;
            }
            match (&*self.stream).read(&mut buffer) {
                Ok(count) if count > 0 => drained += count,
                _ => return,
            }
        }
    }
}

/// Whether a read ended because nothing came in its time.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;
    use crate::model::message::{Body, Decoded, Plain};

    /// What a connection leaves whose sender writes this and does that, all before anything is read
    /// of it.
    fn left_by(bytes: &[u8], does: impl FnOnce(TcpStream)) -> (End, Vec<Decoded>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let source = std::net::Ipv4Addr::LOCALHOST.into();
        let mut connection = Connection::new(accepted, source, Instant::now()).unwrap();
        sender.write_all(bytes).unwrap();
        does(sender);
        let end = connection.read_rest(|| ());
        if end == End::BrokenOff {
            connection.decoder.mark_cut();
        }
        (end, connection.decoder.finish())
    }

    fn resets(sender: TcpStream) {
        SockRef::from(&sender).set_linger(Some(Duration::ZERO)).unwrap();
    }

    fn bodies(decoded: &[Decoded]) -> Vec<&Body> {
        let body = |piece| match piece {
            &Decoded::Message(Plain { ref body, .. }) => body,
            Decoded::Unreadable(what) => panic!("{what:?}"),
        };
        decoded.iter().map(body).collect()
    }

    #[test]
    fn what_a_reset_broke_off_is_a_text_and_no_command() {
        for word in ["exit", "connect", "connect_ack", "PING", "CONNECT_REQUEST", "[PEER_QUIT]"] {
            let (end, decoded) = left_by(format!("127.0.0.1:5000 Bob {word}").as_bytes(), resets);
            assert_eq!(end, End::BrokenOff);
            assert!(matches!(&bodies(&decoded)[..], [Body::Text(text)] if text.raw() == word), "{decoded:?}");
        }
    }

    #[test]
    fn a_line_that_has_ended_is_whole_and_so_is_what_a_reset_left_of_it() {
        let (end, decoded) = left_by(b"127.0.0.1:5000 Bob exit\r\n", resets);
        assert_eq!((end, bodies(&decoded)), (End::Whole, vec![&Body::Exit]));
        let (end, decoded) = left_by(b"127.0.0.1:5000 Bob connect\n127.0.0.1:5000 Bob exit", resets);
        assert_eq!(end, End::BrokenOff);
        assert!(matches!(bodies(&decoded)[..], [Body::Connect, Body::Text(_)]), "{decoded:?}");
    }

    #[test]
    fn a_reset_without_any_byte_leaves_nothing() {
        assert_eq!(left_by(b"", resets), (End::Lost, Vec::new()));
    }

    /// As the older programs do, some of which cause a reset by never reading what we answer.
    /// Elsewhere than on Linux the system may show the reset first, and then a command is shown
    /// instead of being obeyed.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_message_that_was_closed_in_good_order_is_whole_whatever_comes_after_it() {
        let closes_and_resets = |sender: TcpStream| {
            sender.shutdown(std::net::Shutdown::Write).unwrap();
            resets(sender);
        };
        let (end, decoded) = left_by(b"127.0.0.1:5000 Bob exit", closes_and_resets);
        assert_eq!((end, bodies(&decoded)), (End::Whole, vec![&Body::Exit]));
    }
}
