//! What a stand-in remembers: one lock, one condition variable, and the waits upon it.

use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Program, talk};

/// Shared by the handle, the listener thread and the connection threads.
pub(super) struct Board {
    pub(super) program: Program,
    pub(super) addr: SocketAddrV4,
    record: Mutex<Record>,
    changed: Condvar,
}

/// Everything that changes while the program runs.
pub(super) struct Record {
    /// The IP it writes into its headers.
    pub(super) claim: Ipv4Addr,
    /// Lines its user has seen.
    pub(super) shown: Vec<String>,
    /// The peer table, in order of arrival, each peer once.
    pub(super) peers: Vec<SocketAddrV4>,
    /// Peers whose `connect_ack` has come (R3, CryptoKnights).
    pub(super) connected: Vec<SocketAddrV4>,
    /// What each receive returned, empty ones included.
    pub(super) raw: Vec<Vec<u8>>,
    /// What its user answers to CONNECT_REQUEST; `None` while they have not.
    pub(super) answer: Option<bool>,
    /// Why the listener ended, if it did so before its stand-in was dropped.
    pub(super) cause: Option<String>,
    /// Whether the listener thread still holds its socket.
    pub(super) alive: bool,
    /// Set once; every thread ends as soon as it sees it.
    pub(super) stopping: bool,
    /// Connections being read or answered, so that stopping can wake their threads.
    open: Vec<Arc<TcpStream>>,
    /// Connections not yet fully handled, the dials they cause included.
    handling: usize,
}

impl Record {
    /// Adds a peer to the table, once.
    pub(super) fn list(&mut self, peer: SocketAddrV4) {
        if !self.peers.contains(&peer) {
            self.peers.push(peer);
        }
    }

    /// Forgets a peer, and that it was connected.
    pub(super) fn unlist(&mut self, peer: SocketAddrV4) {
        self.peers.retain(|known| *known != peer);
        self.connected.retain(|known| *known != peer);
    }

    /// Adds a peer to the table and marks it connected.
    pub(super) fn mark_connected(&mut self, peer: SocketAddrV4) {
        self.list(peer);
        if !self.connected.contains(&peer) {
            self.connected.push(peer);
        }
    }

    /// Whether no thread of this stand-in is at work any more.
    pub(super) fn is_over(&self) -> bool {
        !self.alive && self.handling == 0
    }
}

impl Board {
    /// The state of a program that has just bound `addr` and met nobody.
    pub(super) fn new(program: Program, addr: SocketAddrV4) -> Board {
        let record = Record {
            claim: *addr.ip(),
            shown: Vec::new(),
            peers: Vec::new(),
            connected: Vec::new(),
            raw: Vec::new(),
            answer: None,
            cause: None,
            alive: true,
            stopping: false,
            open: Vec::new(),
            handling: 0,
        };
        Board { program, addr, record: Mutex::new(record), changed: Condvar::new() }
    }

    /// Reads the state.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Record) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes all who wait for a change.
    pub(super) fn change<T>(&self, act: impl FnOnce(&mut Record) -> T) -> T {
        let result = act(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `pred` holds; false when `within` has passed first.
    pub(super) fn wait(&self, within: Duration, pred: impl Fn(&Record) -> bool) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), within, |record| !pred(record));
        let (record, _) = waited.unwrap_or_else(PoisonError::into_inner);
        pred(&record)
    }

    /// Records one line on its user's screen.
    pub(super) fn show(&self, line: String) {
        self.change(|record| record.shown.push(line));
    }

    /// The address it writes into its headers: the claimed IP, the true port.
    pub(super) fn claimed(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.read(|record| record.claim), self.addr.port())
    }

    /// Takes note of an accepted connection; false when the stand-in is stopping.
    pub(super) fn opened(&self, stream: &Arc<TcpStream>) -> bool {
        self.change(|record| {
            if !record.stopping {
                record.open.push(Arc::clone(stream));
                record.handling += 1;
            }
            !record.stopping
        })
    }

    /// Lets go of a connection, so that dropping the caller's handle closes it.
    pub(super) fn closing(&self, stream: &Arc<TcpStream>) {
        self.change(|record| record.open.retain(|held| !Arc::ptr_eq(held, stream)));
    }

    /// Takes note that a connection has been handled to the end.
    pub(super) fn handled(&self) {
        self.change(|record| record.handling -= 1);
    }

    /// Takes note that the listening socket is closed; the first cause stands.
    pub(super) fn ended(&self, cause: Option<String>) {
        self.change(|record| {
            record.alive = false;
            record.cause = record.cause.take().or(cause);
        });
    }

    /// Tells every thread to end and wakes those that are blocked. Does not wait for them.
    pub(super) fn stop(&self) {
        let alive = self.change(|record| {
            record.stopping = true;
            for stream in &record.open {
                // Fails only where the peer is gone already, which wakes the reader as well.
                let _ = stream.shutdown(Shutdown::Both);
            }
            record.alive
        });
        if alive {
            // accept() has no other way to be woken; a refusal means it has ended meanwhile.
            let _ = talk::dial(self.addr);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        // A test's predicate may panic under the lock; the record itself is whole at all times.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
