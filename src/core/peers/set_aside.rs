//! Contacts that are blocked have no row. One that is unblocked gets the number of its row back,
//! and when it was last seen.

use std::time::Duration;

use super::Peers;
use crate::core::time::Time;
use crate::model::peer_id::Recipient;

/// What the row of a blocked contact had. There are as many as blocked contacts, at most.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct SetAside {
    /// The number of its row, if it had one in this run.
    pub(super) number: Option<u32>,
    pub(super) last_heard: Option<Time>,
    /// How long before the start of this run it was seen last, if it was.
    pub(super) last_seen: Option<Duration>,
}

impl Peers {
    /// The user has blocked a peer. Removes its row, and gives a later one the same number.
    pub(in crate::core) fn block(&mut self, id: Recipient) {
        if let Some(peer) = self.take(id) {
            let (last_heard, last_seen) = (peer.last_heard, peer.last_seen);
            self.set_aside.insert(id, SetAside { number: Some(peer.number), last_heard, last_seen });
        }
    }

    /// A contact of an earlier run is blocked. It was seen this long before the start of this run.
    pub(in crate::core) fn remember_blocked(&mut self, id: Recipient, last_seen: Option<Duration>) {
        self.set_aside.insert(id, SetAside { last_seen, ..SetAside::default() });
    }
}
