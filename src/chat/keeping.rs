//! What is written down, and what waits for that.
//!
//! Before a text to a key is sent it is written down; before one in plain is sent it is written down that it is. A text that came is shown, and
//! gets its receipt, when it is written down. Where that fails, everything goes on as if there were no history: texts go out, and what comes
//! is shown, but gets no receipt, so that its sender goes on keeping it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Action, Event, OpId};
use super::plain::Unsent;
use super::time::Time;
use super::{Chat, Purpose};
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, Outgoing};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::Letter;
use crate::model::stored::{Assurance, Condition, Write};

/// How often the user is told that something cannot be written down.
const TELL_SPACING: Duration = Duration::from_secs(60);

/// How long leaving waits until what was entered is written down; a disk that takes longer than this has stopped.
const WRITTEN_WITHIN: Duration = Duration::from_millis(900);

/// Something that is being written down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriteId(pub u64);

/// What follows once something is written down.
#[derive(Debug)]
enum Then {
    /// This text may be sent.
    Letter(PublicKey, MessageId),
    /// The same in plain.
    Plain(Recipient, Unsent),
    /// The user may be told that this text for an address waits.
    Waits(Recipient, OpId, MessageId),
}

/// A goodbye that waits: to whom, because of which command, and until when it is of use.
#[derive(Debug)]
struct Goodbye {
    peer_id: Recipient,
    op: OpId,
    deadline: Option<Time>,
}

/// What is being written down.
#[derive(Debug)]
pub(super) struct Keeping {
    /// It is there for the next run.
    pub(super) durable: bool,
    expire: Duration,
    last: u64,
    then: BTreeMap<WriteId, Then>,
    /// Texts to keys that could not be written down, and are not delivered yet.
    unkept: HashSet<(PublicKey, MessageId)>,
    told_at: Option<Time>,
    /// We leave, and goodbyes wait for what is being written down, until this moment at the latest.
    patient_until: Option<Time>,
    /// The command to leave, whose goodbyes all wait.
    leaving: Option<OpId>,
    /// Further goodbyes that wait.
    goodbyes: Vec<Goodbye>,
}

impl Keeping {
    /// Nothing is being written yet. Messages wait for their recipients for as long as `expire`.
    pub(super) fn new(durable: bool, expire: Duration) -> Self {
        Self {
            durable,
            expire,
            last: 0,
            then: BTreeMap::new(),
            unkept: HashSet::new(),
            told_at: None,
            patient_until: None,
            leaving: None,
            goodbyes: Vec::new(),
        }
    }

    /// Has goodbyes wait from now on while something is being written down; says whether something is.
    pub(super) fn leaves(&mut self, now: Time) -> bool {
        self.patient_until = Some(now.plus(WRITTEN_WITHIN));
        self.has_waiting()
    }

    /// Has all goodbyes of leaving wait.
    pub(super) fn leave_once_written(&mut self, op: OpId) {
        self.leaving = Some(op);
    }

    /// Has a goodbye wait, if it has to go behind something that is being written down; says whether it does.
    pub(super) fn postpones(&mut self, peer_id: Recipient, op: OpId, deadline: Option<Time>) -> bool {
        let waits = self.patient_until.is_some() && self.has_waiting();
        if waits {
            self.goodbyes.push(Goodbye { peer_id, op, deadline });
        }
        waits
    }

    /// When goodbyes wait no longer.
    pub(super) fn leaves_by(&self) -> Option<Time> {
        let waits = self.leaving.is_some() || !self.goodbyes.is_empty();
        self.patient_until.filter(|_| waits)
    }

    /// The goodbyes that are to be said now, all of leaving and further ones.
    fn leaves_now(&mut self, now: Time) -> (Option<OpId>, Vec<Goodbye>) {
        if self.has_waiting() && self.patient_until.is_some_and(|by| by > now) {
            return (None, Vec::new());
        }
        if self.patient_until.is_some_and(|by| by <= now) {
            self.patient_until = None;
        }
        (self.leaving.take(), std::mem::take(&mut self.goodbyes))
    }

    /// Whether a text waits for being written down.
    pub(super) fn has_waiting(&self) -> bool {
        !self.then.is_empty()
    }

    /// Whether a text that waits would not be there at the next start.
    pub(super) fn is_unkept(&self, key: PublicKey, id: MessageId) -> bool {
        self.unkept.contains(&(key, id))
    }

    /// Nothing more becomes of a text.
    pub(super) fn is_done(&mut self, key: PublicKey, id: MessageId) {
        self.unkept.remove(&(key, id));
    }

    /// The texts in plain that go out when that is written down.
    pub(super) fn plain_texts(&mut self) -> impl Iterator<Item = &mut Unsent> {
        self.then.values_mut().filter_map(|then| match then {
            Then::Plain(_, text) => Some(text),
            Then::Letter(..) | Then::Waits(..) => None,
        })
    }

    /// Assigns the messages for an address to the peer that proved itself there. Returns how many
    /// of them were to be sent unencrypted.
    pub(super) fn follows(&mut self, from: Recipient, to: Recipient) -> usize {
        let mut moved = 0;
        for then in self.then.values_mut() {
            match then {
                Then::Plain(peer_id, _) if *peer_id == from => {
                    *peer_id = to;
                    moved += 1;
                }
                // A message that a key gets is stored anew for it; one that it must not get stays
                // with the address.
                Then::Waits(peer_id, ..) if *peer_id == from && to.public_key().is_none() => *peer_id = to,
                _ => {}
            }
        }
        moved
    }
}

impl Chat {
    /// When a text that is entered now is given up.
    pub(super) fn expiry(&self, now: Time) -> Time {
        now.plus(self.keeping.expire)
    }

    /// Has something written down.
    pub(super) fn write(&mut self, write: Write) {
        self.act(Action::Write(None, write));
    }

    /// Has a text that goes to a key written down, which may be sent after that.
    pub(super) fn write_letter(&mut self, key: PublicKey, id: MessageId, write: Write) {
        self.write_then(write, Then::Letter(key, id));
    }

    /// Has it written down that a text goes out in plain, and then lets it go out.
    pub(super) fn write_plain(&mut self, peer_id: Recipient, text: Unsent, write: Option<Write>, now: Time) {
        match write {
            Some(write) => self.write_then(write, Then::Plain(peer_id, text)),
            None => self.follow_up(Then::Plain(peer_id, text), now),
        }
    }

    /// Stores a message for an address as queued.
    pub(super) fn write_waiting(&mut self, peer_id: Recipient, op: OpId, id: MessageId, write: Write) {
        self.write_then(write, Then::Waits(peer_id, op, id));
    }

    fn write_then(&mut self, write: Write, then: Then) {
        self.keeping.last += 1;
        let id = WriteId(self.keeping.last);
        self.keeping.then.insert(id, then);
        self.act(Action::Write(Some(id), write));
    }

    /// Something is written down, or cannot be, for this reason.
    pub fn written(&mut self, id: WriteId, result: Result<(), Arc<str>>, now: Time) -> Vec<Action> {
        let mut then = self.keeping.then.remove(&id);
        if let Err(why) = result {
            then = match then {
                Some(Then::Letter(key, text)) => {
                    self.keeping.unkept.insert((key, text));
                    Some(Then::Letter(key, text))
                }
                Some(Then::Plain(peer_id, text)) => {
                    self.not_written(peer_id, text, now).map(|text| Then::Plain(peer_id, text))
                }
                Some(Then::Waits(peer_id, op, id)) => {
                    self.wait_is_written(peer_id, op, id, false);
                    None
                }
                None => None,
            };
            self.not_kept(why, now);
        }
        if let Some(then) = then {
            self.follow_up(then, now);
        }
        self.next_turns(now);
        self.leaves_on(now);
        self.settle_watches(now);
        self.done()
    }

    /// What was entered is written down, or that takes too long: the goodbyes go behind it.
    pub(super) fn leaves_on(&mut self, now: Time) {
        let (leaving, goodbyes) = self.keeping.leaves_now(now);
        if let Some(op) = leaving {
            self.next_turns(now);
            self.say_goodbyes(op, now);
        }
        for Goodbye { peer_id, op, deadline } in goodbyes {
            self.say_goodbye(peer_id, op, deadline);
        }
    }

    /// Something that nobody waits for could not be written down.
    pub fn failed_to_write(&mut self, why: Arc<str>, now: Time) -> Vec<Action> {
        self.not_kept(why, now);
        self.done()
    }

    pub(super) fn not_kept(&mut self, why: Arc<str>, now: Time) {
        if self.keeping.told_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            self.keeping.told_at = Some(now);
            self.tell(Event::NotKept(why));
        }
    }

    fn follow_up(&mut self, then: Then, now: Time) {
        match then {
            Then::Letter(key, id) => {
                let secure = &mut self.secure;
                let news = secure.outboxes.stored(key, id, now);
                self.tell_news(key, news.into_iter().collect());
            }
            Then::Waits(peer_id, op, id) => self.wait_is_written(peer_id, op, id, true),
            Then::Plain(peer_id, text) if self.has_shown_a_key_since(peer_id, &text) => {
                self.goes_otherwise(peer_id, text, now);
            }
            Then::Plain(peer_id, mut text) => {
                text.unwritten = false;
                let parts = Arc::clone(&text.parts);
                self.transmit(peer_id, Purpose::Text(text.op), Outgoing::Text(parts), None);
                let job = super::JobId(self.last_job);
                self.secure.plain.insert(job, text);
            }
        }
    }

    /// What is to be written down of a text of ours that is new.
    pub(super) fn said(
        &self,
        to: Recipient,
        name: Option<PeerName>,
        letter: &Letter,
        condition: Condition,
    ) -> Write {
        let assurance = if matches!(to, Recipient::Peer(PeerId::Key(_))) {
            Assurance::Encrypted
        } else {
            Assurance::Plain
        };
        let expire = u64::try_from(self.keeping.expire.as_millis()).unwrap_or(u64::MAX);
        let expires = letter.time.saturating_add(expire);
        Write::Said { to, name, letter: letter.clone(), condition, assurance, expires }
    }
}
