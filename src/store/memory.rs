//! What is said, kept in memory for this run: the twin of the file, for `--no-history` and for the simulator.
//!
//! All clones of a [`Memory`] share one content, so one may write and another read. It is bounded: the oldest messages go first, but never
//! a text of ours that waits.

mod content;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;

use self::content::{Content, Row};
use super::sqlite::matching;
use super::{Store, StoreError};
use crate::model::key::PublicKey;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Letter;
use crate::model::stored::{Entry, Open, Query, Write, Written};

/// Messages that are kept: more than anybody reads again of one run.
pub(super) const MAX_MESSAGES: usize = 10_000;

/// Bytes of their texts, so that strangers cannot fill the memory.
pub(super) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What is said, for as long as the program runs.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Content>>);

impl Store for Memory {
    fn apply(&mut self, writes: &[Write], clock: u64) -> Result<Vec<Written>, StoreError> {
        let mut content = self.0.lock();
        let written = writes.iter().map(|write| content.write(write, clock)).collect();
        content.keep_within_bounds();
        Ok(written)
    }

    fn entries(&mut self, query: &Query) -> Result<Vec<Entry>, StoreError> {
        let before = query.before.map_or(i64::MAX, |row| row.0);
        let fits = |row: &Row| row.is_among(&query.which);
        let Some(words) = &query.words else { return Ok(self.0.lock().last(query.limit, before, fits)) };
        // Searched outside the lock, for that takes a while.
        let mut entries = self.0.lock().last(usize::MAX, before, fits);
        let found = matching(&entries, words)?;
        entries.retain(|entry| found.contains(&entry.row.0));
        entries.drain(..entries.len().saturating_sub(query.limit));
        Ok(entries)
    }

    fn parties(&mut self) -> Result<Vec<(Recipient, Option<PeerName>)>, StoreError> {
        let content = self.0.lock();
        let (mut seen, mut parties) = (HashSet::new(), Vec::new());
        for row in content.rows.values().rev().filter(|row| seen.insert(row.party)) {
            let name = content.peers.get(&row.party).and_then(|peer| peer.name.clone());
            parties.push((row.party, name));
        }
        Ok(parties)
    }

    fn written_to(&mut self) -> Result<Vec<PublicKey>, StoreError> {
        let key = |row: &Row| match row.party {
            Recipient::Peer(PeerId::Key(key)) if row.ours.is_some() => Some(key),
            _ => None,
        };
        let keys: BTreeSet<PublicKey> = self.0.lock().rows.values().filter_map(key).collect();
        Ok(keys.into_iter().collect())
    }

    fn open(&mut self) -> Result<Vec<Open>, StoreError> {
        let open = |row: &Row| {
            Some(Open {
                to: row.party,
                name: row.name.clone(),
                letter: Letter { id: row.id?, time: row.sent?, again: row.again, body: row.body.clone() },
                condition: row.ours.filter(|condition| condition.is_open())?,
                expires: row.expires,
            })
        };
        Ok(self.0.lock().rows.values().filter_map(open).collect())
    }

    fn unshown(&mut self, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(self.0.lock().last(limit, i64::MAX, |row| row.ours.is_none() && !row.shown))
    }
}
