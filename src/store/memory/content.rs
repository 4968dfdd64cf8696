//! What the store in memory holds, and what each write does to it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::{MAX_BYTES, MAX_MESSAGES};
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Letter;
use crate::model::stored::{Assurance, Condition, Entry, RowId, Selection, Way, Write, Written};
use crate::store::change::may_become;
use crate::store::sqlite::MAX_KNOWN;

#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) rows: BTreeMap<i64, Row>,
    /// The number of the last message, also where that one is gone.
    last: i64,
    pub(super) peers: HashMap<Recipient, Peer>,
    /// Where a text with an id is, and whether it is ours.
    ids: HashMap<(Recipient, MessageId, bool), i64>,
    /// What came and is gone, so that it is known when it comes again; the oldest first.
    known: VecDeque<(Recipient, MessageId)>,
    known_ids: HashSet<(Recipient, MessageId)>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) name: Option<PeerName>,
    pub(super) read_to: i64,
    /// Messages of it; who has none is let go of.
    pub(super) messages: usize,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) party: Recipient,
    pub(super) name: Option<PeerName>,
    /// The condition of a text of ours.
    pub(super) ours: Option<Condition>,
    pub(super) shown: bool,
    pub(super) again: bool,
    pub(super) id: Option<MessageId>,
    pub(super) time: u64,
    pub(super) sent: Option<u64>,
    pub(super) expires: u64,
    pub(super) assurance: Assurance,
    pub(super) body: Arc<str>,
}

impl Row {
    fn change(&mut self, condition: Condition, expires: Option<u64>) {
        if self.ours.is_none_or(|from| !may_become(from, condition)) {
            return;
        }
        self.ours = Some(condition);
        self.again |= condition == Condition::Sent;
        self.expires = expires.unwrap_or(self.expires);
    }

    fn is_open(&self) -> bool {
        self.ours.is_some_and(Condition::is_open)
    }

    pub(super) fn is_among(&self, selection: &Selection) -> bool {
        selection.with.as_ref().is_none_or(|with| with.contains(&self.party))
            && selection.since.is_none_or(|since| self.time >= since)
            && selection.until.is_none_or(|until| self.time < until)
    }
}

impl Content {
    pub(super) fn write(&mut self, write: &Write, clock: u64) -> Written {
        match write {
            Write::Said { to, name, letter, condition, assurance, expires } => {
                self.call(*to, name.as_ref());
                if let Some(row) = self.ours(*to, letter.id) {
                    row.change(*condition, Some(*expires));
                    return Written::Done;
                }
                self.add(Row {
                    party: *to,
                    name: name.clone(),
                    ours: Some(*condition),
                    shown: true,
                    again: letter.again || *condition == Condition::Sent,
                    id: Some(letter.id),
                    time: clock,
                    sent: Some(letter.time),
                    expires: *expires,
                    assurance: *assurance,
                    body: letter.body.clone(),
                });
            }
            Write::Became { to, id, condition } => {
                if let Some(row) = self.ours(*to, *id) {
                    row.change(*condition, None);
                }
            }
            Write::Moved { id, from, to } => self.move_text(*id, *from, *to),
            Write::Heard { from, name, assurance, body } => {
                self.hear(*from, name.as_ref(), *assurance, None, body.clone(), clock);
            }
            Write::Taken { from, name, assurance, letters } => {
                let mut rows = Vec::with_capacity(letters.len());
                for letter in letters {
                    let key = (Recipient::Peer(PeerId::Key(*from)), letter.id);
                    let double =
                        self.ids.contains_key(&(key.0, key.1, false)) || self.known_ids.contains(&key);
                    rows.push((!double).then(|| {
                        self.hear(key.0, name.as_ref(), *assurance, Some(letter), letter.body.clone(), clock)
                    }));
                }
                return Written::Taken(rows);
            }
            Write::Shown(rows) => {
                for row in rows {
                    if let Some(row) = self.rows.get_mut(&row.0) {
                        row.shown = true;
                    }
                }
            }
            Write::Read(party) => {
                if let Some(peer) = self.peers.get_mut(party) {
                    peer.read_to = self.last;
                }
            }
            Write::Forget(selection) => return self.forget(selection),
        }
        Written::Done
    }

    fn ours(&mut self, to: Recipient, id: MessageId) -> Option<&mut Row> {
        self.rows.get_mut(self.ids.get(&(to, id, true))?)
    }

    fn call(&mut self, party: Recipient, name: Option<&PeerName>) {
        let peer = self.peers.entry(party).or_default();
        if name.is_some() {
            peer.name = name.cloned();
        }
    }

    fn hear(
        &mut self,
        from: Recipient,
        name: Option<&PeerName>,
        assurance: Assurance,
        letter: Option<&Letter>,
        body: Arc<str>,
        clock: u64,
    ) -> RowId {
        self.call(from, name);
        self.add(Row {
            party: from,
            name: name.cloned(),
            ours: None,
            shown: letter.is_none(),
            again: false,
            id: letter.map(|letter| letter.id),
            time: clock,
            sent: letter.map(|letter| letter.time),
            expires: 0,
            assurance,
            body,
        })
    }

    fn add(&mut self, row: Row) -> RowId {
        self.last += 1;
        self.bytes += row.body.len();
        self.peers.entry(row.party).or_default().messages += 1;
        if let Some(id) = row.id {
            self.ids.insert((row.party, id, row.ours.is_some()), self.last);
        }
        self.rows.insert(self.last, row);
        RowId(self.last)
    }

    fn move_text(&mut self, id: MessageId, from: Recipient, to: Recipient) {
        let Some(number) = self.ids.get(&(from, id, true)).copied() else { return };
        if from == to {
            return;
        }
        if self.ids.contains_key(&(to, id, true)) {
            self.remove(number);
            return;
        }
        let Some(row) = self.rows.get_mut(&number) else { return };
        row.party = to;
        if let (Recipient::Peer(PeerId::Key(_)), Assurance::Plain) = (to, row.assurance) {
            row.assurance = Assurance::Encrypted;
        }
        let name = row.name.clone();
        self.ids.remove(&(from, id, true));
        self.ids.insert((to, id, true), number);
        let peer = self.peers.entry(to).or_default();
        peer.messages += 1;
        // What they were called when it was typed is older than what they are called, if that is known.
        peer.name = peer.name.take().or(name);
        self.let_go(from);
    }

    /// There is one message less of somebody.
    fn let_go(&mut self, party: Recipient) {
        let Some(peer) = self.peers.get_mut(&party) else { return };
        peer.messages = peer.messages.saturating_sub(1);
        if peer.messages == 0 {
            self.peers.remove(&party);
        }
    }

    fn remove(&mut self, number: i64) {
        let Some(row) = self.rows.remove(&number) else { return };
        self.bytes -= row.body.len();
        self.let_go(row.party);
        let Some(id) = row.id else { return };
        self.ids.remove(&(row.party, id, row.ours.is_some()));
        if row.ours.is_none() && self.known_ids.insert((row.party, id)) {
            self.known.push_back((row.party, id));
        }
        while self.known.len() > MAX_KNOWN {
            if let Some(oldest) = self.known.pop_front() {
                self.known_ids.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, selection: &Selection) -> Written {
        let chosen = self.rows.iter().filter(|(_, row)| row.is_among(selection));
        let (stay, gone): (Vec<_>, Vec<_>) =
            chosen.map(|(number, row)| (*number, row.is_open())).partition(|(_, open)| *open);
        gone.iter().for_each(|(number, _)| self.remove(*number));
        Written::Forgotten(gone.len() as u64, stay.len() as u64)
    }

    pub(super) fn keep_within_bounds(&mut self) {
        let (mut many, mut bytes) = (self.rows.len(), self.bytes);
        let mut gone = Vec::new();
        for (number, row) in self.rows.iter().filter(|(_, row)| !row.is_open()) {
            if many <= MAX_MESSAGES && bytes <= MAX_BYTES {
                break;
            }
            many -= 1;
            bytes -= row.body.len();
            gone.push(*number);
        }
        gone.into_iter().for_each(|number| self.remove(number));
    }

    fn entry(&self, number: i64, row: &Row) -> Entry {
        let read_to = self.peers.get(&row.party).map_or(0, |peer| peer.read_to);
        Entry {
            row: RowId(number),
            party: row.party,
            name: row.name.clone(),
            way: row.ours.map_or(Way::In { unshown: !row.shown, new: number > read_to }, Way::Out),
            id: row.id,
            time: row.time,
            sent: row.sent,
            assurance: row.assurance,
            body: row.body.clone(),
        }
    }

    /// The last of those that fit, the oldest first.
    pub(super) fn last(&self, limit: usize, before: i64, fits: impl Fn(&Row) -> bool) -> Vec<Entry> {
        let rows = self.rows.range(..before).rev().filter(|(_, row)| fits(row)).take(limit);
        let mut entries: Vec<_> = rows.map(|(number, row)| self.entry(*number, row)).collect();
        entries.reverse();
        entries
    }
}
