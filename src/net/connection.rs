//! Reads one accepted connection until its message ends, and answers it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::sessions::OPENING_SILENCE;
use crate::model::address::Source;
use crate::protocol::plain::{Decoder, Progress};
use crate::protocol::session::opening::{First, first};

/// The silence that ends a message (docs/PROTOCOL.md, "Receiving"): legacy peers write once, and
/// some never close the connection.
const SILENCE: Duration = Duration::from_millis(250);

/// The maximum time from the first byte of a message to its end. SmartCookies, the slowest
/// legitimate sender, takes 5 s.
const LIFETIME: Duration = Duration::from_secs(5);

/// The maximum number of bytes to read and drop after a message that is too long, so that closing
/// does not reset the connection while the sender still writes.
const MAX_DRAINED: usize = 64 * 1024;

/// The maximum time to spend on that.
const DRAIN_FOR: Duration = Duration::from_millis(250);

/// How the message of a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum MessageEnd {
    /// The sender closed the connection or stopped writing.
    Whole,
    /// It was too long or took too long.
    Cut,
    /// The connection was reset, so the message may be incomplete.
    BrokenOff,
    /// We closed the connection to make room, or it broke before its first byte.
    Lost,
    /// Not a message: the bytes are the line that opens a session.
    Opening,
}

/// An accepted connection and the bytes read from it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Arc<TcpStream>,
    pub(super) source: Source,
    pub(super) local: IpAddr,
    pub(super) decoder: Decoder,
    opened: Instant,
}

impl Connection {
    /// Takes over a non-blocking stream that was accepted at `opened`, before anything is read.
    pub(super) fn new(stream: TcpStream, source: Source, opened: Instant) -> io::Result<Self> {
        let local = stream.local_addr()?.ip().to_canonical();
        Ok(Self { stream: Arc::new(stream), source, local, decoder: Decoder::new(), opened })
    }

    /// Reads the available bytes without blocking. Returns `None` if the message may continue.
    pub(super) fn read_ready(&mut self) -> Option<MessageEnd> {
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

    /// Blocks until the message ends. Calls `heard` after each read that brought bytes.
    pub(super) fn read_rest(&mut self, heard: impl Fn()) -> MessageEnd {
        if self.stream.set_nonblocking(false).is_err() {
            return MessageEnd::Lost;
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
                return if silent_at <= end_of_life { MessageEnd::Whole } else { MessageEnd::Cut };
            }
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return MessageEnd::Lost;
            }
            match self.read() {
                Ok(Some(end)) => return end,
                Ok(None) => {
                    last_byte = Some(Instant::now());
                    first_byte = first_byte.or(last_byte);
                    heard();
                }
                // The loop checks the deadlines, because a timeout can come a little early.
                Err(error) if is_silence(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.broken(),
            }
        }
    }

    /// Reads once. Returns how the message ended, or `None` if it may continue.
    fn read(&mut self) -> io::Result<Option<MessageEnd>> {
        let mut buffer = [0; 1024];
        let count = (&*self.stream).read(&mut buffer)?;
        if count == 0 {
            return Ok(Some(MessageEnd::Whole));
        }
        let progress = self.decoder.push(&buffer[..count]);
        Ok(match first(self.decoder.bytes()) {
            // Too many bytes behind the line also open a session, which then refuses them.
            First::Opening | First::TooMuch => Some(MessageEnd::Opening),
            _ => (progress == Progress::Full).then_some(MessageEnd::Cut),
        })
    }

    /// Returns whether the bytes so far can become the line that opens a session.
    fn may_open(&self) -> bool {
        first(self.decoder.bytes()) == First::NeedMore
    }

    /// Returns how a message ended whose connection was reset. Its bytes may be the beginning of a
    /// longer message: `exit strategy` that stops after its first word is not `exit`. This harms no
    /// complete message. All measured programs, and ours, close the connection in order after they
    /// have written (docs/PROTOCOL.md, "Receiving"). A sender that never reads our receipt causes a
    /// reset after that, but Linux reports the end of the stream first. The end of a line also ends
    /// a message.
    fn broken(&self) -> MessageEnd {
        if self.decoder.is_empty() {
            MessageEnd::Lost
        } else if self.decoder.ends_a_line() {
            MessageEnd::Whole
        } else {
            MessageEnd::BrokenOff
        }
    }

    /// Writes the answer. Ignores errors: the sender may have gone, or never read it.
    pub(super) fn answer(&self, answer: &[u8]) {
        if !answer.is_empty() {
            // An answer has about 40 bytes and fits into the empty send buffer, so this does not
            // block.
            let _ = (&*self.stream).write_all(answer);
        }
    }

    /// Reads and drops the rest of a message that is too long, within [`MAX_DRAINED`].
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

/// Returns whether a read ended because no bytes came in time.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use socket2::SockRef;

    use super::*;
    use crate::model::message::{Body, Decoded, Plain};

    /// Returns how a message ends and what is decoded of it if the sender writes `bytes` and calls
    /// `then` before the first read.
    fn read_after(bytes: &[u8], then: impl FnOnce(TcpStream)) -> (MessageEnd, Vec<Decoded>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let source = std::net::Ipv4Addr::LOCALHOST.into();
        let mut connection = Connection::new(accepted, source, Instant::now()).unwrap();
        sender.write_all(bytes).unwrap();
        then(sender);
        let end = connection.read_rest(|| ());
        if end == MessageEnd::BrokenOff {
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
    fn command_cut_by_reset_is_text() {
        for word in ["exit", "connect", "connect_ack", "PING", "CONNECT_REQUEST", "[PEER_QUIT]"] {
            let (end, decoded) = read_after(format!("127.0.0.1:5000 Bob {word}").as_bytes(), resets);
            assert_eq!(end, MessageEnd::BrokenOff);
            assert!(matches!(&bodies(&decoded)[..], [Body::Text(text)] if text.raw() == word), "{decoded:?}");
        }
    }

    #[test]
    fn reset_leaves_finished_lines_whole() {
        let (end, decoded) = read_after(b"127.0.0.1:5000 Bob exit\r\n", resets);
        assert_eq!((end, bodies(&decoded)), (MessageEnd::Whole, vec![&Body::Exit]));
        let (end, decoded) = read_after(b"127.0.0.1:5000 Bob connect\n127.0.0.1:5000 Bob exit", resets);
        assert_eq!(end, MessageEnd::BrokenOff);
        assert!(matches!(bodies(&decoded)[..], [Body::Connect, Body::Text(_)]), "{decoded:?}");
    }

    #[test]
    fn reset_without_bytes_is_no_message() {
        assert_eq!(read_after(b"", resets), (MessageEnd::Lost, Vec::new()));
    }

    /// Legacy programs do this; some cause a reset because they never read our answer. Other
    /// systems than Linux may report the reset first, and then a command is shown instead of
    /// executed.
    #[cfg(target_os = "linux")]
    #[test]
    fn message_closed_before_a_reset_is_whole() {
        let closes_and_resets = |sender: TcpStream| {
            sender.shutdown(std::net::Shutdown::Write).unwrap();
            resets(sender);
        };
        let (end, decoded) = read_after(b"127.0.0.1:5000 Bob exit", closes_and_resets);
        assert_eq!((end, bodies(&decoded)), (MessageEnd::Whole, vec![&Body::Exit]));
    }
}
