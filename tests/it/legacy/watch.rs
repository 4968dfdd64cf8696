//! What a test sees of a stand-in, and how it waits for it: on a condition, with a deadline.
//!
//! Predicates run under the stand-in's lock, so they must not call the same stand-in.

use std::net::SocketAddrV4;
use std::time::Duration;

use super::Legacy;

impl Legacy {
    /// Every line its user has seen, such as "Bob (127.0.0.1:5000): hello".
    pub(crate) fn shown(&self) -> Vec<String> {
        self.board.read(|record| record.shown.clone())
    }

    /// Waits until a shown line contains `needle`; false when `within` has passed first.
    pub(crate) fn wait_shown(&self, needle: &str, within: Duration) -> bool {
        self.board.wait(within, |record| record.shown.iter().any(|line| line.contains(needle)))
    }

    /// Its peer table now, in order of arrival.
    pub(crate) fn peers(&self) -> Vec<SocketAddrV4> {
        self.board.read(|record| record.peers.clone())
    }

    /// Waits until the peer table fits `pred`; false when `within` has passed first.
    pub(crate) fn wait_peers(&self, pred: impl Fn(&[SocketAddrV4]) -> bool, within: Duration) -> bool {
        self.board.wait(within, |record| pred(&record.peers))
    }

    /// The peers whose `connect_ack` has come in the program's own form (R3, CryptoKnights).
    pub(crate) fn connected(&self) -> Vec<SocketAddrV4> {
        self.board.read(|record| record.connected.clone())
    }

    /// Waits until the connected peers fit `pred`; false when `within` has passed first.
    pub(crate) fn wait_connected(&self, pred: impl Fn(&[SocketAddrV4]) -> bool, within: Duration) -> bool {
        self.board.wait(within, |record| pred(&record.connected))
    }

    /// The bytes each recv(1024) returned, in order; an empty connection is an empty entry.
    pub(crate) fn raw(&self) -> Vec<Vec<u8>> {
        self.board.read(|record| record.raw.clone())
    }

    /// Waits until the received bytes fit `pred`; false when `within` has passed first. What they
    /// cause (a shown line, a death) may come a moment later.
    pub(crate) fn wait_raw(&self, pred: impl Fn(&[Vec<u8>]) -> bool, within: Duration) -> bool {
        self.board.wait(within, |record| pred(&record.raw))
    }

    /// Whether it still listens.
    pub(crate) fn listener_alive(&self) -> bool {
        self.board.read(|record| record.alive)
    }

    /// Why it no longer listens; `None` while it does.
    pub(crate) fn cause_of_death(&self) -> Option<String> {
        self.board.read(|record| record.cause.clone().filter(|_| !record.alive))
    }

    /// Waits until the listening socket is closed; false when `within` has passed first.
    pub(crate) fn wait_dead(&self, within: Duration) -> bool {
        self.board.wait(within, |record| !record.alive)
    }

    /// What SmartCookies' user answers to CONNECT_REQUEST, waiting and future ones alike. Until
    /// this is called the user has not answered, and the requests wait.
    pub(crate) fn answer_requests(&self, accept: bool) {
        self.board.change(|record| record.answer = Some(accept));
    }
}
