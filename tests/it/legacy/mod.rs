//! Stand-ins for the five legacy programs of docs/LEGACY.md, inside the test process.
//!
//! Promised: real loopback sockets; a listener that reads once, 1,024 bytes at most, and closes;
//! the limits of each original, its deaths included. Left out: the static peers an original dials
//! at startup (see [`Legacy::know`]), its menus, and any traffic that leaves 127.0.0.0/8.

mod board;
mod crypto_knights;
mod form;
mod hashpa;
mod listener;
mod r3;
mod smart_cookies;
mod talk;
mod watch;
mod xyz;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use board::Board;

use crate::support::{listen, nobody};

/// How long a dropped stand-in waits for its threads; longer than one [`talk::DIAL_LIMIT`].
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Which of the legacy programs a stand-in plays, by team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Program {
    /// Four fields, no colon; one thread per connection.
    R3,
    /// Standard form; acknowledges on the same connection; one thread per connection.
    SmartCookies,
    /// Standard form; strictly sequential; dies of input it does not expect.
    Xyz,
    /// Standard form; strictly sequential; pings with the recipient's address as header.
    Hashpa,
    /// Standard form; `connect` and `connect_ack`; one thread per connection.
    CryptoKnights,
}

impl Program {
    /// Every program, for tests that loop over them.
    pub(crate) const ALL: [Program; 5] =
        [Program::R3, Program::SmartCookies, Program::Xyz, Program::Hashpa, Program::CryptoKnights];

    /// The team name the program writes into its messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::R3 => "R3",
            Program::SmartCookies => "SmartCookies",
            Program::Xyz => "XYZ",
            Program::Hashpa => "Hashpa",
            Program::CryptoKnights => "CryptoKnights",
        }
    }

    /// Whether each connection is handled in a thread of its own.
    pub(crate) fn is_concurrent(self) -> bool {
        !matches!(self, Program::Xyz | Program::Hashpa)
    }
}

/// One running stand-in. Dropping it ends its threads and closes its socket.
pub(crate) struct Legacy {
    board: Arc<Board>,
    listener: Option<JoinHandle<()>>,
}

impl Legacy {
    /// Starts a program on 127.0.0.1, at a port that nothing else takes when the program ends.
    ///
    /// # Panics
    /// When the port cannot be bound: no test can go on then.
    pub(crate) fn start(program: Program) -> Legacy {
        Legacy::start_at(program, nobody()).expect("a free loopback port")
    }

    /// Starts a program at `addr`; port 0 means any free port.
    ///
    /// # Errors
    /// `InvalidInput` outside 127.0.0.0/8, otherwise what binding says.
    pub(crate) fn start_at(program: Program, addr: SocketAddrV4) -> io::Result<Legacy> {
        talk::require_loopback(addr)?;
        let socket = listen(addr)?;
        let bound = SocketAddrV4::new(*addr.ip(), socket.local_addr()?.port());
        let board = Arc::new(Board::new(program, bound));
        let theirs = Arc::clone(&board);
        let listener = thread::Builder::new()
            .name(format!("legacy {}", program.name()))
            .spawn(move || listener::run(socket, &theirs))?;
        Ok(Legacy { board, listener: Some(listener) })
    }

    /// Claims another IP in every header it writes, as gethostbyname(hostname) may answer
    /// (127.0.1.1). The port stays the true one.
    pub(crate) fn claiming(self, ip: Ipv4Addr) -> Legacy {
        self.board.change(|record| record.claim = ip);
        self
    }

    /// Puts `peer` into the peer table, as a static peer or one typed by its user.
    pub(crate) fn know(&self, peer: SocketAddrV4) {
        self.board.change(|record| record.list(peer));
    }

    /// Which program this is.
    pub(crate) fn program(&self) -> Program {
        self.board.program
    }

    /// Where it really listens, whatever it claims.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        self.board.addr
    }

    /// Its team name.
    pub(crate) fn name(&self) -> &'static str {
        self.board.program.name()
    }
}

impl Drop for Legacy {
    fn drop(&mut self) {
        self.board.stop();
        let ended = self.board.wait(STOP_LIMIT, |record| record.is_over());
        if let (true, Some(listener)) = (ended, self.listener.take()) {
            // A panic in there has been printed already; a second one here would abort the tests.
            let _ = listener.join();
        }
    }
}
