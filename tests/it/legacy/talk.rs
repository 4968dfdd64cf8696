//! What a stand-in sends: its user's messages, its connects, probes and farewells.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::time::Duration;

use super::board::Board;
use super::listener::RECEIVE_LIMIT;
use super::smart_cookies::{CONNECTED, DISCONNECTED, REQUEST};
use super::{Legacy, Program, STOP_LIMIT, crypto_knights, form, hashpa};

/// Loopback answers at once or never; a full backlog must not hang a test.
pub(super) const DIAL_LIMIT: Duration = Duration::from_secs(2);
/// SmartCookies' wait for a reply to a message.
const REPLY_LIMIT: Duration = Duration::from_secs(5);
/// SmartCookies' wait for an answer to CONNECT_REQUEST; unlimited in the original.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

impl Legacy {
    /// Sends `text` as it is, in the program's own form: one connection, one write, no newline,
    /// full close. SmartCookies first waits up to 5 s for a reply or a close, and returns the
    /// reply.
    ///
    /// # Errors
    /// What dialing or writing says; `InvalidInput` outside 127.0.0.0/8; at SmartCookies also a
    /// reset while it waits. A wait that ends without a reply is `Ok(None)`.
    pub(crate) fn send(&self, to: SocketAddrV4, text: &str) -> io::Result<Option<String>> {
        let stream = post(to, &self.written(text))?;
        if self.program() != Program::SmartCookies {
            return Ok(None);
        }
        match reply(stream, REPLY_LIMIT) {
            Err(error) if error.kind() == ErrorKind::TimedOut => Ok(None),
            answer => answer,
        }
    }

    /// Sends what the program writes to connect. CryptoKnights and R3 probe first; SmartCookies
    /// waits up to 10 s, returns the answer, and lists the peer if it is `CONNECTED`.
    ///
    /// # Errors
    /// As [`Legacy::send`], and `TimedOut` when nobody answers SmartCookies.
    pub(crate) fn connect(&self, to: SocketAddrV4) -> io::Result<Option<String>> {
        match self.program() {
            Program::SmartCookies => self.request(to),
            Program::Hashpa => self.send(to, hashpa::GREETING),
            Program::Xyz => self.send(to, crypto_knights::CONNECT),
            Program::R3 | Program::CryptoKnights => {
                dial(to)?;
                self.send(to, crypto_knights::CONNECT)
            }
        }
    }

    /// The program's own liveness probe: true when it finds `to` alive. Hashpa writes `PING` under
    /// the target's address; CryptoKnights and R3 connect and close; XYZ and SmartCookies have
    /// none.
    pub(crate) fn probe(&self, to: SocketAddrV4) -> bool {
        match self.program() {
            Program::Hashpa => post(to, &form::written(Program::Hashpa, to, hashpa::PING)).is_ok(),
            Program::R3 | Program::CryptoKnights => dial(to).is_ok(),
            Program::Xyz | Program::SmartCookies => false,
        }
    }

    /// What the program's menu sends to leave one peer: `ip:port DISCONNECTED` at SmartCookies,
    /// which also forgets the peer; nothing at the others.
    ///
    /// # Errors
    /// What dialing or writing says.
    pub(crate) fn disconnect(&self, to: SocketAddrV4) -> io::Result<()> {
        if self.program() == Program::SmartCookies {
            post(to, &format!("{} {DISCONNECTED}", self.board.claimed()))?;
            self.board.change(|record| record.unlist(to));
        }
        Ok(())
    }

    /// Its user quits: XYZ sends `exit` to every known peer, whether it is there or not, the others
    /// send nothing; then the program ends. Its port is closed when this returns (after 3 s at
    /// the latest).
    pub(crate) fn quit(&self) {
        if self.program() == Program::Xyz {
            for peer in self.peers() {
                // A peer that is gone need not be told.
                let _ = self.exit_to(peer);
            }
        }
        self.board.change(|record| {
            let cause = record.cause.take();
            record.cause = cause.or(Some("its user quit".to_owned()));
        });
        self.board.stop();
        self.wait_dead(STOP_LIMIT);
    }

    /// Its user types `exit` as a text to one peer.
    ///
    /// # Errors
    /// As [`Legacy::send`].
    pub(crate) fn exit_to(&self, to: SocketAddrV4) -> io::Result<()> {
        self.send(to, "exit").map(drop)
    }

    fn request(&self, to: SocketAddrV4) -> io::Result<Option<String>> {
        let stream = post(to, &format!("{} {REQUEST}", self.board.claimed()))?;
        let answer = reply(stream, ANSWER_LIMIT)?;
        if answer.as_deref().map(str::trim) == Some(CONNECTED) {
            self.board.change(|record| record.list(to));
        }
        Ok(answer)
    }

    fn written(&self, text: &str) -> String {
        form::written(self.program(), self.board.claimed(), text)
    }
}

/// Sends `text` on a new connection, for a listener that answers a command.
pub(super) fn tell(board: &Board, to: SocketAddrV4, text: &str) -> io::Result<()> {
    post(to, &form::written(board.program, board.claimed(), text)).map(drop)
}

/// Connects, to loopback only.
pub(super) fn dial(to: SocketAddrV4) -> io::Result<TcpStream> {
    require_loopback(to)?;
    TcpStream::connect_timeout(&to.into(), DIAL_LIMIT)
}

/// Refuses whatever would leave the machine: a header may name any address.
pub(super) fn require_loopback(addr: SocketAddrV4) -> io::Result<()> {
    if addr.ip().is_loopback() {
        return Ok(());
    }
    Err(io::Error::new(ErrorKind::InvalidInput, format!("{addr} is not loopback")))
}

/// One connection, one write. Dropping the stream is the full close.
fn post(to: SocketAddrV4, line: &str) -> io::Result<TcpStream> {
    let mut stream = dial(to)?;
    stream.write_all(line.as_bytes())?;
    Ok(stream)
}

/// One receive of a reply; `None` is a close without one, `TimedOut` that nothing came in time.
fn reply(mut stream: TcpStream, within: Duration) -> io::Result<Option<String>> {
    stream.set_read_timeout(Some(within))?;
    let mut buffer = [0; RECEIVE_LIMIT];
    match stream.read(&mut buffer) {
        Ok(0) => Ok(None),
        Ok(count) => Ok(Some(String::from_utf8_lossy(&buffer[..count]).into_owned())),
        // Unix says WouldBlock where Windows says TimedOut.
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
        Err(error) => Err(error),
    }
}
