//! What is written down, and what waits for that.
//!
//! Before a text to a key is sent it is written down; before one in plain is sent it is written down that it is. A text that came is shown, and
//! gets its receipt, when it is written down. Where that fails, everything goes on as if there were no history: texts go out, and what comes
//! is shown, but gets no receipt, so that its sender goes on keeping it. Where nothing is kept at all ([`Chat::keep`] was not called) nobody waits.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Action, Event, OpId, Who};
use super::letters::Unsent;
use super::outbox::OutText;
use super::seen::Novelty;
use super::time::Time;
use super::{Chat, Purpose, who};
use crate::escape::Text;
use crate::key::PeerKey;
use crate::ledger::{Assurance, Condition, Party, RowId, Write};
use crate::message::{Fate, MessageId, Outgoing};
use crate::peer::{PeerAddr, PeerName};
use crate::talk::{Hold, Letter, Lost};

/// How long a text waits if nothing else is said.
const EXPIRES_AFTER: Duration = Duration::from_secs(7 * 24 * 3_600);

/// How often the user is told that something cannot be written down.
const TELL_SPACING: Duration = Duration::from_secs(60);

/// How long leaving waits until what was entered is written down; a disk that takes longer than this has stopped.
const WRITTEN_WITHIN: Duration = Duration::from_millis(900);

/// Texts that were shown and are not written down yet; beyond that what cannot be written down is not shown either. They come again.
const MAX_UNKEPT: usize = 4_096;

/// Something that is being written down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WriteId(pub u64);

/// What follows once something is written down.
#[derive(Debug)]
enum Then {
    /// This text may be sent.
    Letter(PeerKey, MessageId),
    /// The same in plain.
    Plain(PeerAddr, Unsent),
    /// The user may be told that this text for an address waits.
    Waits(PeerAddr, OpId, MessageId),
}

/// A goodbye that waits: to whom, because of which command, and until when it is of use.
#[derive(Debug)]
struct Goodbye {
    addr: PeerAddr,
    op: OpId,
    deadline: Option<Time>,
}

/// What is being written down.
#[derive(Debug)]
pub(super) struct Keeping {
    /// Somebody writes down what there is to be written.
    on: bool,
    /// It is there for the next run.
    pub(super) durable: bool,
    expire: Duration,
    last: u64,
    then: HashMap<WriteId, Then>,
    /// Texts to keys that could not be written down, and are not delivered yet.
    unkept: HashSet<(PeerKey, MessageId)>,
    told_at: Option<Time>,
    /// We leave, and goodbyes wait for what is being written down, until this moment at the latest.
    patient_until: Option<Time>,
    /// The command to leave, whose goodbyes all wait.
    leaving: Option<OpId>,
    /// Further goodbyes that wait.
    goodbyes: Vec<Goodbye>,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            on: false,
            durable: false,
            expire: EXPIRES_AFTER,
            last: 0,
            then: HashMap::new(),
            unkept: HashSet::new(),
            told_at: None,
            patient_until: None,
            leaving: None,
            goodbyes: Vec::new(),
        }
    }
}

impl Keeping {
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
    pub(super) fn postpones(&mut self, addr: PeerAddr, op: OpId, deadline: Option<Time>) -> bool {
        let waits = self.patient_until.is_some() && self.has_waiting();
        if waits {
            self.goodbyes.push(Goodbye { addr, op, deadline });
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
    pub(super) fn is_unkept(&self, key: PeerKey, id: MessageId) -> bool {
        self.unkept.contains(&(key, id))
    }

    /// Nothing more becomes of a text.
    pub(super) fn is_done(&mut self, key: PeerKey, id: MessageId) {
        self.unkept.remove(&(key, id));
    }

    /// The texts in plain that go out when that is written down.
    pub(super) fn plain_texts(&mut self) -> impl Iterator<Item = &mut Unsent> {
        self.then.values_mut().filter_map(|then| match then {
            Then::Plain(_, text) => Some(text),
            Then::Letter(..) | Then::Waits(..) => None,
        })
    }

    /// A peer has another address from now on.
    pub(super) fn follows(&mut self, from: PeerAddr, to: PeerAddr) {
        for then in self.then.values_mut() {
            if let Then::Plain(addr, _) | Then::Waits(addr, ..) = then
                && *addr == from
            {
                *addr = to;
            }
        }
    }
}

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

/// A text of an earlier run that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// To whom.
    pub to: Party,
    /// The text.
    pub letter: Letter,
    /// The same as messages to a plain peer; none where it is too long for that.
    pub parts: Arc<[String]>,
    /// It was being sent in plain when the run ended.
    pub cut_off: bool,
    /// How long it still waits.
    pub left: Duration,
    /// What its recipient was called.
    pub name: Option<PeerName>,
}

/// A text that waits, as the user sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingText {
    /// For whom, as it is named.
    pub who: Who,
    /// For whom.
    pub to: Party,
    /// The text.
    pub letter: Letter,
    /// It is on its way at the moment.
    pub under_way: bool,
    /// It was written before, and may have arrived.
    pub sent: bool,
    /// Why it waits.
    pub hold: Hold,
    /// How long it waits before it expires.
    pub left: Duration,
}

impl Chat {
    /// Has everything written down from now on, for the next run if it is `durable`. Texts wait for their recipients for as long as `expire`.
    pub fn keep(&mut self, durable: bool, expire: Duration) {
        self.keeping.on = true;
        self.keeping.durable = durable;
        self.keeping.expire = expire;
    }

    /// When a text that is entered now is given up.
    pub(super) fn expiry(&self, now: Time) -> Time {
        now.plus(self.keeping.expire)
    }

    /// Has something written down.
    pub(super) fn write(&mut self, write: Write) {
        if self.keeping.on {
            self.act(Action::Write(None, write));
        }
    }

    /// Has a text that goes to a key written down, which may be sent after that.
    pub(super) fn write_letter(&mut self, key: PeerKey, id: MessageId, write: Write, now: Time) {
        self.write_then(write, Then::Letter(key, id), now);
    }

    /// Has it written down that a text goes out in plain, and then lets it go out.
    pub(super) fn write_plain(&mut self, addr: PeerAddr, text: Unsent, write: Option<Write>, now: Time) {
        match write {
            Some(write) => self.write_then(write, Then::Plain(addr, text), now),
            None => self.follow_up(Then::Plain(addr, text), now),
        }
    }

    /// Has a text for an address written down as one that waits; says whether that is still to be done.
    pub(super) fn write_waiting(
        &mut self,
        addr: PeerAddr,
        op: OpId,
        id: MessageId,
        write: Write,
        now: Time,
    ) -> bool {
        self.write_then(write, Then::Waits(addr, op, id), now);
        self.keeping.on
    }

    fn write_then(&mut self, write: Write, then: Then, now: Time) {
        if !self.keeping.on {
            self.follow_up(then, now);
            return;
        }
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
                Some(Then::Plain(addr, text)) => {
                    self.not_written(addr, text, now).map(|text| Then::Plain(addr, text))
                }
                Some(Then::Waits(addr, op, id)) => {
                    self.wait_is_written(addr, op, id, false);
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
        for Goodbye { addr, op, deadline } in goodbyes {
            self.say_goodbye(addr, op, deadline);
        }
    }

    /// Something that nobody waits for could not be written down.
    pub fn failed_to_write(&mut self, why: Arc<str>, now: Time) -> Vec<Action> {
        self.not_kept(why, now);
        self.done()
    }

    fn not_kept(&mut self, why: Arc<str>, now: Time) {
        if self.keeping.told_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            self.keeping.told_at = Some(now);
            self.tell(Event::NotKept(why));
        }
    }

    fn follow_up(&mut self, then: Then, now: Time) {
        match then {
            Then::Letter(key, id) => {
                let Some(secure) = &mut self.secure else { return };
                let news = secure.outboxes.stored(key, id, now);
                self.tell_news(key, news.into_iter().collect());
            }
            Then::Waits(addr, op, id) => self.wait_is_written(addr, op, id, true),
            Then::Plain(addr, mut text) => {
                text.unwritten = false;
                let parts = Arc::clone(&text.parts);
                self.transmit(addr, Purpose::Text(text.op), Outgoing::Text(parts), None);
                let job = super::JobId(self.last_job);
                if let Some(secure) = &mut self.secure {
                    secure.plain.insert(job, text);
                }
            }
        }
    }

    /// What is to be written down of a text of ours that is new.
    pub(super) fn said(
        &self,
        to: Party,
        name: Option<PeerName>,
        letter: &Letter,
        condition: Condition,
    ) -> Write {
        let assurance = if matches!(to, Party::Key(_)) { Assurance::Encrypted } else { Assurance::Plain };
        let expire = u64::try_from(self.keeping.expire.as_millis()).unwrap_or(u64::MAX);
        let expires = letter.time.saturating_add(expire);
        Write::Said { to, name, letter: letter.clone(), condition, assurance, expires }
    }

    /// A text came in plain. It gets its receipt whether or not it is written down: there is nothing in that which its sender could rely on.
    pub(super) fn heard_in_plain(
        &mut self,
        from: Party,
        name: Option<PeerName>,
        assurance: Assurance,
        text: &Text,
    ) {
        if self.keeping.on {
            self.write(Write::Heard { from, name, assurance, body: text.raw().into() });
        }
    }

    /// Texts of a proven key came. What is returned is to be written down, and then [`Chat::taken`]; nothing where they are not welcome.
    pub fn letters(
        &mut self,
        key: PeerKey,
        letters: Vec<Letter>,
        now: Time,
    ) -> (Option<Intake>, Vec<Action>) {
        let is_welcome = self.secure.as_ref().is_some_and(|secure| secure.trusted.writable(key).is_some());
        let row = self.table.row_of(key).filter(|_| is_welcome && !self.closed);
        let (Some(addr), Some(secure)) = (row, &self.secure) else { return (None, Vec::new()) };
        let is_kept = |letter: &Letter| {
            let novelty = secure.seen.look(key, letter.id, letter.again);
            novelty == Novelty::Double && !secure.unkept.contains(&(key, letter.id))
        };
        let (doubles, letters): (Vec<Letter>, Vec<Letter>) = letters.into_iter().partition(is_kept);
        let receipts = doubles.into_iter().map(|letter| letter.id).collect();
        let who = self.who(addr);
        let verified = who.proof == super::Proof::Verified;
        let assurance = if verified { Assurance::Verified } else { Assurance::Encrypted };
        self.hears(addr, now);
        self.settle_watches(now);
        (Some(Intake { receipts, name: who.name, assurance, letters }), self.done())
    }

    /// Texts of a proven key are written down, or cannot be, for this reason. Those that are get receipts, and are shown if they are no doubles;
    /// the others are shown and come again.
    pub fn taken(
        &mut self,
        key: PeerKey,
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

    fn took(&mut self, key: PeerKey, letter: Letter, row: Option<RowId>) {
        let durable = self.keeping.durable;
        let Some(secure) = &mut self.secure else { return };
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
    fn took_unkept(&mut self, key: PeerKey, letter: Letter) {
        let Some(secure) = &mut self.secure else { return };
        if secure.seen.look(key, letter.id, letter.again) == Novelty::Double
            || secure.unkept.len() >= MAX_UNKEPT
        {
            return;
        }
        secure.seen.note(key, letter.id, letter.again);
        secure.unkept.insert((key, letter.id));
        self.shows(key, &letter, false, None);
    }

    fn shows(&mut self, key: PeerKey, letter: &Letter, again: bool, row: Option<RowId>) {
        if self.closed {
            // It is written down as not shown, and is at the next start.
            return;
        }
        let Some(addr) = self.table.row_of(key) else { return };
        let from = self.table.update(addr, |peer| {
            peer.told = true;
            who(peer)
        });
        if let Some(from) = from {
            self.tell(Event::Message { from, text: Text::new(&*letter.body), cut: false, again, row });
        }
    }

    /// Takes on the texts of an earlier run that wait, in the order in which they were typed; before [`Chat::start`], and after the keys.
    pub fn restore(&mut self, texts: Vec<Restored>, now: Time) -> Vec<Action> {
        for Restored { to, letter, parts, cut_off, left, name } in texts {
            self.last_op += 1;
            let op = OpId(self.last_op);
            let (id, expires) = (letter.id, now.plus(left));
            match to {
                Party::Key(key) => self.restore_letter(key, op, letter, expires, now),
                Party::Addr(addr) if cut_off => {
                    self.write(Write::Became { to, id, condition: Condition::Uncertain });
                    let who = self.who(addr);
                    let fate = Fate::Lost(Lost::CutOff);
                    self.tell(Event::Later { op, who, fate, text: letter.body });
                }
                Party::Addr(addr) => {
                    let text = self.new_text(addr, op, &parts, Some(&letter), now);
                    let text = Unsent { expires, said: true, told: true, name, ..text };
                    self.hold_back(addr, text, Hold::Turn, now);
                }
            }
        }
        self.hurry_all(now);
        self.done()
    }

    fn restore_letter(&mut self, key: PeerKey, op: OpId, letter: Letter, expires: Time, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        let (sent, letter) = (letter.again, Letter { again: true, ..letter });
        let text = OutText { op, letter, expires, sent };
        let id = text.letter.id;
        if let Some(to) = secure.trusted.writable(key) {
            // What there is no room for stays written down for the next time.
            if secure.outboxes.put(to, text).is_ok() {
                secure.told_of.insert((op, key));
                secure.outboxes.stored(key, id, Time::default());
            }
        } else if secure.trusted.pin(key).is_some() {
            // The key was blocked, and whoever did that knows.
            self.write(Write::Became { to: Party::Key(key), id, condition: Condition::Withdrawn });
        } else if expires <= now {
            // Nobody is left to be named.
            self.write(Write::Became { to: Party::Key(key), id, condition: Condition::Expired });
        } else {
            // It was to be remembered, and the program was ended before it was, or that cannot be written down. Whoever forgets a key has
            // its texts withdrawn.
            secure.unremembered.entry(key).or_default().push(text);
        }
    }

    /// A key is met that texts of an earlier run wait for, though it was not remembered.
    pub(super) fn remembers(&mut self, key: PeerKey, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        if secure.trusted.writable(key).is_none() {
            return;
        }
        for OutText { op, letter, expires, sent } in secure.unremembered.remove(&key).into_iter().flatten() {
            self.restore_letter(key, op, Letter { again: sent, ..letter }, expires, now);
        }
    }
}
