//! What a dialer says at once, within the limits of a turn.

use std::sync::Arc;

use crate::model::message::MessageId;
use crate::protocol::session::{MAX_TEXT_BYTES, MAX_TURN_BYTES, MAX_TURN_RECORDS, Record};

/// Texts and pings to be said at once; it is written in one piece.
#[derive(Clone, Default, Debug)]
pub struct Turn {
    pub(super) bytes: Vec<u8>,
    pub(super) ids: Vec<MessageId>,
    pub(super) nonces: Vec<u64>,
}

impl Turn {
    /// A turn in which nothing is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text: its id, the sender's time, whether it was sent before, and its body. `false`, and not added, where the turn has no room
    /// for it; an empty turn has room for any text of 1 to [`MAX_TEXT_BYTES`] bytes.
    pub fn text(&mut self, id: MessageId, time: u64, again: bool, body: &Arc<str>) -> bool {
        let fits = (1..=MAX_TEXT_BYTES).contains(&body.len()) && !self.ids.contains(&id);
        let added = fits && self.add(&Record::Text { id, time, again, body: Arc::clone(body) });
        if added {
            self.ids.push(id);
        }
        added
    }

    /// Adds a ping. `false`, and not added, where the turn has no room for it.
    pub fn ping(&mut self, nonce: u64) -> bool {
        let added = self.add(&Record::Ping(nonce));
        if added {
            self.nonces.push(nonce);
        }
        added
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.ids.len() + self.nonces.len()
    }

    /// Whether nothing is said in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, record: &Record) -> bool {
        let before = self.bytes.len();
        if self.len() >= MAX_TURN_RECORDS {
            return false;
        }
        record.encode_into(&mut self.bytes);
        let fits = self.bytes.len() <= MAX_TURN_BYTES;
        if !fits {
            self.bytes.truncate(before);
        }
        fits
    }
}
