//! One accepted connection, from its first byte to its closing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::waiting::Place;
use crate::model::address::Source;
use crate::protocol::plain::{Decoder, Progress};
use crate::protocol::session::opening::{First, first};

/// A message is over this long after its last byte (wire.md): legacy peers write once and some never close.
const SILENCE: Duration = Duration::from_millis(250);

/// Every connection is over after this, whatever its sender does; SmartCookies, the slowest honest one, waits 5 s.
const LIFETIME: Duration = Duration::from_secs(5);

/// Bytes read away after a message that is too long, so that closing does not reset the connection under a sender that
/// is still writing.
const MAX_DRAINED: usize = 64 * 1024;

/// How long that may take, for all together that one thread closes.
pub(super) const DRAIN_FOR: Duration = Duration::from_millis(250);

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
    /// It is no message: what came is the line that opens the encrypted exchange.
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
    patience: Option<Duration>,
}

impl Connection {
    /// Takes over an accepted stream, which is not read from yet; [`Connection::read_ready`] waits for about as long as
    /// `patience`, or not at all.
    pub(super) fn new(stream: TcpStream, source: Source, patience: Option<Duration>) -> io::Result<Self> {
        let local = stream.local_addr()?.ip().to_canonical();
        match patience {
            Some(patience) => stream.set_read_timeout(Some(patience))?,
            None => stream.set_nonblocking(true)?,
        }
        let opened = Instant::now();
        Ok(Self { stream: Arc::new(stream), source, local, decoder: Decoder::new(), opened, patience })
    }

    /// Whether it opens the encrypted exchange. More behind the line than there may be does too: who reads it there refuses it.
    pub(super) fn opens(&self) -> bool {
        matches!(first(self.decoder.bytes()), First::Opening | First::TooMuch)
    }

    /// Reads what is there, or comes within a moment. `None` if the message may go on.
    pub(super) fn read_ready(&mut self) -> Option<End> {
        let mut buffer = [0; 1024];
        loop {
            match (&*self.stream).read(&mut buffer) {
                Ok(0) => return Some(End::Whole),
                Ok(count) if self.decoder.push(&buffer[..count]) == Progress::Full => return Some(End::Cut),
                Ok(_) if self.opens() => return Some(End::Opening),
                Ok(_) => {}
                Err(error) if is_silence(&error) => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(self.broken()),
            }
            // Who sends byte after byte would hold it up otherwise.
            if self.patience.is_some_and(|patience| self.opened.elapsed() >= patience) {
                return None;
            }
        }
    }

    /// Waits a moment for the rest of the message, about as long as `within`. `None` if the message may go on.
    pub(super) fn read_soon(&mut self, place: &Place<'_>, within: Duration) -> Option<End> {
        let stream = Arc::clone(&self.stream);
        if stream.set_nonblocking(false).is_err() || stream.set_read_timeout(Some(within)).is_err() {
            return Some(End::Lost);
        }
        let until = Instant::now() + within;
        let mut buffer = [0; 1024];
        loop {
            let read = (&*stream).read(&mut buffer);
            // Also of a connection that has to make room: what came and is not taken is counted.
            let progress = self.decoder.push(&buffer[..*read.as_ref().unwrap_or(&0)]);
            match read {
                _ if place.is_evicted() => return Some(End::Lost),
                Ok(0) => return Some(End::Whole),
                Ok(_) if progress == Progress::Full => return Some(End::Cut),
                Ok(_) if self.opens() => return Some(End::Opening),
                Ok(_) => place.heard(),
                Err(error) if is_silence(&error) => return None,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Some(self.broken()),
            }
            if Instant::now() >= until {
                return None;
            }
        }
    }

    /// Waits for the rest of the message, after [`Connection::read_soon`].
    pub(super) fn read_rest(&mut self, place: &Place<'_>) -> End {
        let end_of_life = self.opened + LIFETIME;
        let mut heard = Instant::now();
        let mut buffer = [0; 1024];
        loop {
            let silent_at = if self.decoder.is_empty() { end_of_life } else { heard + SILENCE };
            let left = silent_at.min(end_of_life).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return if silent_at <= end_of_life { End::Whole } else { End::Cut };
            }
            if self.stream.set_read_timeout(Some(left)).is_err() {
                return End::Lost;
            }
            let read = (&*self.stream).read(&mut buffer);
            let progress = self.decoder.push(&buffer[..*read.as_ref().unwrap_or(&0)]);
            match read {
                _ if place.is_evicted() => return End::Lost,
                Ok(0) => return End::Whole,
                Ok(_) if progress == Progress::Full => return End::Cut,
                Ok(_) if self.opens() => return End::Opening,
                Ok(_) => {
                    heard = Instant::now();
                    place.heard();
                }
                // The deadlines are looked at above, for a timeout may come a little early.
                Err(error) if is_silence(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return self.broken(),
            }
        }
    }

    /// What a reset leaves. It may be the beginning of anything: `exit strategy` that breaks off after its first word is no
    /// `exit`. Nobody's whole message is taken for that. All programs that were measured close in good order behind what they
    /// wrote (wire.md), and so do we; and a reset after that end, which who never reads our receipt causes, comes too late:
    /// Linux shows the end first. The end of a line is an end, too. Without any byte nothing is lost.
    fn broken(&self) -> End {
        if self.decoder.is_empty() {
            End::Lost
        } else if self.decoder.ends_a_line() {
            End::Whole
        } else {
            End::BrokenOff
        }
    }

    /// Answers and closes; what is too long is read away until `until`. The sender may be gone, or never read; that is its right.
    pub(super) fn close(self, answer: &[u8], end: End, until: Instant) {
        let mut stream = &*self.stream;
        if !answer.is_empty() {
            // An answer of some forty bytes always fits into the empty send buffer, so this does not block.
            let _ = stream.write_all(answer);
        }
        if end == End::Cut {
            self.drain(until);
        }
    }

    fn drain(&self, until: Instant) {
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

    /// What a connection leaves whose sender writes this and does that, all before anything is read of it.
    fn left_by(bytes: &[u8], does: impl FnOnce(TcpStream)) -> (End, Vec<Decoded>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let patience = Some(Duration::from_secs(10));
        let mut connection =
            Connection::new(accepted, std::net::Ipv4Addr::LOCALHOST.into(), patience).unwrap();
        sender.write_all(bytes).unwrap();
        does(sender);
        let end = connection.read_ready().expect("it ends");
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

    /// As the older programs do, some of which cause a reset by never reading what we answer. Elsewhere than on Linux the
    /// system may show the reset first, and then a command is shown instead of being obeyed.
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
