//! Texts that came: written down first, and then shown and acknowledged.

use std::sync::Arc;

use super::event::{Action, Event};
use super::seen::Novelty;
use super::time::Time;
use super::{Chat, who};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::Letter;
use crate::model::stored::{Assurance, RowId, Write};
use crate::model::untrusted::Text;
/// Texts that were shown and are not written down yet; beyond that what cannot be written down is not shown either. They come again.
const MAX_UNKEPT: usize = 4_096;

/// Texts that came, to be written down before anything else is done about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Intake {
    /// Those that need not be, for they are: they get their receipts.
    pub receipts: Vec<MessageId>,
    /// What their sender is called.
    pub name: Option<PeerName>,
    /// How sure it is that they are of who proved the key.
    pub assurance: Assurance,
    /// The others.
    pub letters: Vec<Letter>,
}

impl Chat {
    /// A text came in plain. It gets its receipt whether or not it is written down: there is nothing in that which its sender could rely on.
    pub(super) fn heard_in_plain(
        &mut self,
        from: Recipient,
        name: Option<PeerName>,
        assurance: Assurance,
        text: &Text,
    ) {
        self.write(Write::Heard { from, name, assurance, body: text.raw().into() });
    }

    /// Texts of a proven key came. What is returned is to be written down, and then [`Chat::taken`]; nothing where they are not welcome.
    pub fn letters(
        &mut self,
        key: PublicKey,
        letters: Vec<Letter>,
        now: Time,
    ) -> (Option<Intake>, Vec<Action>) {
        let is_welcome = self.secure.trusted.writable(key).is_some();
        let id = Recipient::key(key);
        let row = Some(id).filter(|_| is_welcome && !self.closed && self.knows(id));
        let Some(peer_id) = row else { return (None, Vec::new()) };
        let secure = &self.secure;
        let is_kept = |letter: &Letter| {
            let novelty = secure.seen.look(key, letter.id, letter.again);
            novelty == Novelty::Double && !secure.unkept.contains(&(key, letter.id))
        };
        let (doubles, letters): (Vec<Letter>, Vec<Letter>) = letters.into_iter().partition(is_kept);
        let receipts = doubles.into_iter().map(|letter| letter.id).collect();
        let who = self.who(peer_id);
        let verified = who.proof == super::Proof::Verified;
        let assurance = if verified { Assurance::Verified } else { Assurance::Encrypted };
        self.hears(peer_id, now);
        self.settle_watches(now);
        (Some(Intake { receipts, name: who.name, assurance, letters }), self.done())
    }

    /// Texts of a proven key are written down, or cannot be, for this reason. Those that are get receipts, and are shown if they are no doubles;
    /// the others are shown and come again.
    pub fn taken(
        &mut self,
        key: PublicKey,
        letters: Vec<Letter>,
        result: Result<Vec<Option<RowId>>, Arc<str>>,
        now: Time,
    ) -> (Vec<MessageId>, Vec<Action>) {
        let durable = self.keeping.durable;
        if self.closed && !durable {
            return (Vec::new(), Vec::new());
        }
        let mut receipts = Vec::new();
        match result {
            Ok(rows) => {
                for (letter, row) in letters.into_iter().zip(rows) {
                    receipts.push(letter.id);
                    self.took(key, letter, row);
                }
            }
            Err(why) => {
                for letter in letters {
                    self.took_unkept(key, letter);
                }
                self.not_kept(why, now);
            }
        }
        (receipts, self.done())
    }

    pub(super) fn took(&mut self, key: PublicKey, letter: Letter, row: Option<RowId>) {
        let durable = self.keeping.durable;
        let secure = &mut self.secure;
        let was_shown = secure.unkept.remove(&(key, letter.id));
        let novelty = secure.seen.look(key, letter.id, letter.again);
        secure.seen.note(key, letter.id, letter.again);
        secure.trusted.keep(key);
        match row {
            Some(row) if was_shown || novelty == Novelty::Double => self.write(Write::Shown(vec![row])),
            Some(row) => {
                let again = novelty == Novelty::PerhapsAgain && !durable;
                self.shows(key, &letter, again, Some(row));
            }
            None => {}
        }
    }

    /// A text that cannot be written down is shown once, and gets no receipt.
    pub(super) fn took_unkept(&mut self, key: PublicKey, letter: Letter) {
        let secure = &mut self.secure;
        if secure.seen.look(key, letter.id, letter.again) == Novelty::Double
            || secure.unkept.len() >= MAX_UNKEPT
        {
            return;
        }
        secure.seen.note(key, letter.id, letter.again);
        secure.unkept.insert((key, letter.id));
        self.shows(key, &letter, false, None);
    }

    pub(super) fn shows(&mut self, key: PublicKey, letter: &Letter, again: bool, row: Option<RowId>) {
        if self.closed {
            // It is written down as not shown, and is at the next start.
            return;
        }
        let peer_id = Recipient::key(key);
        let from = self.table.update(peer_id, |peer| {
            peer.told = true;
            who(peer)
        });
        if let Some(from) = from {
            self.tell(Event::Message { from, text: Text::new(&*letter.body), cut: false, again, row });
        }
    }
}
