//! What is promised of texts to peers that have proven a key: shown once, delivered or told, in order, never in plain, never to another.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use p2p_chat::chat::{
    Event as Told, GONE_AFTER, Intake, OpId, Pin, PinChange, Proof, State, Talk, Transmit, Why,
};
use p2p_chat::key::PeerKey;
use p2p_chat::ledger::RowId;
use p2p_chat::message::{Fate, MessageId, Speech};
use p2p_chat::peer::PeerAddr;
use p2p_chat::talk::{Letter, Say, TalkEnd, Talked};

use super::ours::Cause;
use super::peer::Pid;
use super::talker::Talker;
use super::world::World;

/// Talks with one key that were begun without success, within ten seconds: one text a second at most, one look a second, and the first
/// two at once when a refusal or a broken connection shows that something is wrong.
const FAILED_TALKS: usize = 24;
const FAILED_WITHIN: Duration = Duration::from_secs(10);

/// What a process with a key has, and what is known of it that the rules must keep to.
pub(super) struct Keyed {
    pub(super) key: PeerKey,
    /// What it has written down of others' keys.
    pub(super) pins: BTreeMap<PeerKey, Pin>,
    pub(super) talker: Talker,
    /// The texts that its user has sent, by command.
    pub(super) letters: BTreeMap<OpId, Sent>,
    /// When each key last showed that it is there.
    pub(super) signs: BTreeMap<PeerKey, Duration>,
    /// When talks with each key failed lately.
    pub(super) failed: BTreeMap<PeerKey, VecDeque<Duration>>,
    /// The keys that receipts have promised, by the process that gave them.
    pub(super) promised: BTreeSet<(PeerAddr, Pid)>,
    /// Who has said goodbye in encryption, ever.
    pub(super) parted: BTreeSet<PeerKey>,
}

/// What has become of a text of a command.
pub(super) struct Sent {
    id: MessageId,
    /// Those that were told to wait, and those of them of which the end was told.
    waiting: usize,
    ended: usize,
}

/// A text of somebody with a key.
pub(super) struct Penned {
    by: Pid,
    number: u64,
    /// Where it was sent to, if to one only.
    to: Option<PeerAddr>,
    /// The only keys that it may go to; anybody where it was not known yet who that is.
    meant: Option<BTreeSet<PeerKey>>,
    /// Whom it was written to in vain or not.
    tried: BTreeSet<PeerKey>,
    /// Who has taken it, and in which processes it was shown encrypted.
    taken: BTreeSet<PeerKey>,
    shown: BTreeSet<Pid>,
}

impl Keyed {
    pub(super) fn new(key: PeerKey, pins: BTreeMap<PeerKey, Pin>) -> Self {
        Self {
            key,
            pins,
            talker: Talker::default(),
            letters: BTreeMap::new(),
            signs: BTreeMap::new(),
            failed: BTreeMap::new(),
            promised: BTreeSet::new(),
            parted: BTreeSet::new(),
        }
    }
}

fn only(addrs: &[PeerAddr]) -> Option<PeerAddr> {
    if let [addr] = addrs { Some(*addr) } else { None }
}

/// The key of a person of this number.
pub(super) fn key_of_person(person: usize) -> PeerKey {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&u64::try_from(person + 1).expect("64 bits").to_be_bytes());
    PeerKey::new(bytes)
}

impl World {
    fn keyed_mut(&mut self, pid: Pid) -> Option<&mut Keyed> {
        self.ours_mut(pid).keyed.as_mut()
    }

    /// The letter of a text that is about to be sent, if the sender has a key.
    pub(super) fn pens(&mut self, pid: Pid, op: OpId, body: &str, to: &[PeerAddr]) -> Option<Letter> {
        let ours = self.ours(pid);
        ours.keyed.as_ref()?;
        let meant = |addr: &PeerAddr| ours.chat.pin_of(*addr).map(|pin| pin.key);
        let meant: Option<BTreeSet<PeerKey>> = to.iter().map(meant).collect();
        let number = self.texts;
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let id = MessageId::new(bytes);
        let penned = Penned {
            by: pid,
            number,
            to: only(to),
            meant,
            tried: BTreeSet::new(),
            taken: BTreeSet::new(),
            shown: BTreeSet::new(),
        };
        self.penned.insert(id, penned);
        self.keyed_mut(pid)?.letters.insert(op, Sent { id, waiting: 0, ended: 0 });
        Some(Letter { id, time: 0, again: false, body: body.into() })
    }

    /// A key has shown that it is there.
    pub(super) fn note_sign(&mut self, pid: Pid, key: PeerKey) {
        let now = self.now;
        if let Some(keyed) = self.keyed_mut(pid) {
            keyed.signs.insert(key, now);
        }
    }

    pub(super) fn note_parted(&mut self, pid: Pid, key: PeerKey) {
        self.keyed_mut(pid).map(|keyed| keyed.parted.insert(key));
    }

    /// A receipt has promised a key.
    pub(super) fn note_promise(&mut self, pid: Pid, to: PeerAddr, by: Pid) {
        self.keyed_mut(pid).map(|keyed| keyed.promised.insert((to, by)));
    }

    /// Texts reach a process that has welcomed their sender.
    pub(super) fn takes_letters(
        &mut self,
        from: Pid,
        pid: Pid,
        key: PeerKey,
        letters: Vec<Letter>,
    ) -> Vec<MessageId> {
        let (intake, mut told) =
            self.with_chat(pid, Cause::Met, |chat, now| chat.letters(key, letters.clone(), now));
        let mut taken = Vec::new();
        if let Some(Intake { receipts, letters, .. }) = intake {
            let rows = letters.iter().map(|_| Some(RowId(1))).collect();
            let (more, shown) =
                self.with_chat(pid, Cause::Met, |chat, now| chat.taken(key, letters, Ok(rows), now));
            taken = receipts;
            taken.extend(more);
            told.extend(shown);
        }
        if !taken.is_empty() {
            self.note_sign(pid, key);
        }
        let own = self.key_of(pid).expect("who takes them has a key");
        for Letter { id, .. } in &letters {
            let penned = self.penned.get_mut(id).expect("somebody has written it");
            if taken.contains(id) {
                penned.taken.insert(own);
            }
        }
        for event in &told {
            let Told::Message { from: who, text, again, .. } = event else { continue };
            let Some(letter) = letters.iter().find(|letter| &*letter.body == text.raw()) else {
                self.fail(pid, format_args!("shows what did not come: {event:?}"));
            };
            if self.ours(pid).chat.pin_of(who.addr).map(|pin| pin.key) != Some(key)
                || who.proof == Proof::Plain
            {
                self.fail(pid, format_args!("shows what {key} said as if it were of {who:?}"));
            }
            self.shown_encrypted(from, pid, letter.id, *again);
        }
        if let Some(id) = taken.iter().find(|id| !self.penned[id].shown.contains(&pid)) {
            self.fail(pid, format_args!("has taken {id:?} and never showed it"));
        }
        self.turn_over(pid);
        taken
    }

    fn shown_encrypted(&mut self, from: Pid, pid: Pid, id: MessageId, again: bool) {
        let own = self.key_of(pid);
        let before: Vec<Pid> = self.penned[&id].shown.iter().copied().collect();
        let in_other_life = before.iter().any(|other| *other != pid && self.key_of(*other) == own);
        let penned = self.penned.get_mut(&id).expect("somebody has written it");
        let (by, number, to) = (penned.by, penned.number, penned.to);
        if !penned.shown.insert(pid) {
            self.fail(pid, format_args!("shows {id:?} twice"));
        }
        if by != from {
            self.fail(pid, format_args!("shows {id:?}, written by {by}, as {from}'s"));
        }
        if in_other_life && !again {
            self.fail(pid, format_args!("does not say that {id:?} may have been shown before its start"));
        }
        if in_other_life {
            self.count("letter: shown again in another life");
        }
        // Of somebody's two addresses only one may be known to be theirs yet, and it takes time to see how the other is spoken to.
        let last = self.last_shown.insert((from, pid, to), number);
        if last.is_some_and(|last| last > number) {
            self.fail(pid, format_args!("shows text {number} of process {from} after {last:?}"));
        }
        self.count(if again { "letter: perhaps again" } else { "letter: shown" });
    }

    /// Something is about to be said in encryption.
    pub(super) fn check_talk(&mut self, pid: Pid, talk: &Talk) {
        let Talk { addrs, expect, say, .. } = talk;
        let ours = self.ours(pid);
        for addr in addrs {
            if ours.chat.is_own(*addr) || !ours.may_dial.contains(addr) {
                self.fail(pid, format_args!("dials {addr} for {say:?}"));
            }
        }
        let Say::Texts(letters) = say else { return };
        let Some(key) = *expect else {
            self.fail(pid, format_args!("says {letters:?} to whoever is there"));
        };
        // Of those for one address.
        let mut last = BTreeMap::new();
        for letter in letters {
            let penned = self.penned.get_mut(&letter.id).expect("somebody has written it");
            penned.tried.insert(key);
            let penned = &self.penned[&letter.id];
            if penned.by != pid || penned.meant.as_ref().is_some_and(|meant| !meant.contains(&key)) {
                self.fail(pid, format_args!("says to {key} what is for {:?}", penned.meant));
            }
            let before = last.insert(penned.to, penned.number);
            if before.is_some_and(|before| before >= penned.number) {
                self.fail(pid, format_args!("says {} after {before:?}", penned.number));
            }
        }
    }

    /// A talk is about to be reported.
    pub(super) fn check_talk_ended(&mut self, pid: Pid, talk: &Talk, talked: &Talked) {
        let (now, stopped) = (self.now, self.ours(pid).held_up);
        let Some(key) = talk.expect else { return };
        let met = talked.met.is_some();
        if met {
            let addr = talked.addr;
            self.ours_mut(pid).answered.insert(addr);
        }
        if talked.end == TalkEnd::Answered {
            self.note_sign(pid, key);
            return;
        }
        let Some(keyed) = self.keyed_mut(pid) else { return };
        if let TalkEnd::NoOk | TalkEnd::WrongKey(_) = talked.end {
            // Whoever is there does not keep the promise, and may be another program by now.
            keyed.promised.retain(|(addr, _)| !talk.addrs.contains(addr));
        }
        let failed = keyed.failed.entry(key).or_default();
        failed.push_back(now);
        while failed.front().is_some_and(|at| *at + FAILED_WITHIN < now) {
            failed.pop_front();
        }
        // Whoever asks for it may dial as often as they like, and who was stopped learns all at once.
        let count = failed.len();
        if count > FAILED_TALKS && stopped + FAILED_WITHIN < now && self.plan.deeds == 0 {
            self.fail(pid, format_args!("has failed to talk with {key} {count} times in {FAILED_WITHIN:?}"));
        }
    }

    /// A text is about to leave in plain.
    pub(super) fn check_plain_text(&mut self, pid: Pid, transmit: &Transmit) {
        let to = transmit.to;
        let Some(listener) = self.listener_at(pid, to) else { return };
        let (Some(key), Some(keyed)) = (self.key_of(listener), &self.ours(pid).keyed) else { return };
        let promised = keyed.promised.contains(&(to, listener));
        let is_pinned = self.ours(pid).chat.pins_for(&key.to_string()).iter().any(|pin| !pin.blocked);
        let rows = self.ours(pid).chat.rows(self.ours(pid).time(self.now));
        let speech = rows.iter().find(|row| row.addr == to).map(|row| row.speech);
        if promised || matches!(speech, Some(Speech::Secure(_))) {
            self.fail(
                pid,
                format_args!(
                    "says a text in plain to {key}, which has shown its key at {to}: {promised}, {speech:?}"
                ),
            );
        }
        self.count(if is_pinned { "plain: to a key known elsewhere" } else { "plain: to an unknown key" });
    }

    /// The user of somebody with a key is told something.
    pub(super) fn check_told_keyed(&mut self, pid: Pid, event: &Told) {
        let now = self.now;
        let ours = self.ours(pid);
        let Some(keyed) = &ours.keyed else { return };
        let key_at = |addr: PeerAddr| ours.chat.pin_of(addr).map(|pin| pin.key);
        match event {
            Told::Done { op, fate, who, .. } => {
                let Some(sent) = keyed.letters.get(op) else { return };
                let id = sent.id;
                match fate {
                    Fate::Delivered if who.proof != Proof::Plain => {
                        self.check_taken(pid, id, key_at(who.addr))
                    }
                    Fate::Waits(hold) => {
                        let what = format!("letter: waits: {hold:?}");
                        self.count(what);
                        self.letter_mut(pid, *op).waiting += 1;
                    }
                    Fate::Lost(lost) => {
                        let what = format!("letter: lost at once: {lost:?}");
                        self.count(what);
                    }
                    _ => {}
                }
            }
            Told::Later { op, who, fate, .. } => {
                let Some(sent) = keyed.letters.get(op) else {
                    self.fail(pid, format_args!("is told of what was never sent: {event:?}"));
                };
                let id = sent.id;
                let is_told = sent.ended < sent.waiting;
                if !is_told {
                    self.fail(pid, format_args!("is told of the end of what does not wait: {event:?}"));
                }
                if *fate == Fate::Delivered && who.proof != Proof::Plain {
                    self.check_taken(pid, id, key_at(who.addr));
                    self.count("letter: delivered later");
                }
                if !matches!(fate, Fate::Waits(_)) {
                    self.letter_mut(pid, *op).ended += 1;
                    let what = format!("letter: later {fate:?}");
                    self.count(what);
                }
            }
            Told::Went(who, why) => {
                let sign = key_at(who.addr)
                    .filter(|_| matches!(who.proof, Proof::Encrypted | Proof::Verified))
                    .and_then(|key| keyed.signs.get(&key))
                    .copied();
                let since = sign.map(|sign| now.saturating_sub(sign));
                if *why == Why::NoAnswer && since.is_some_and(|since| since < GONE_AFTER) {
                    self.fail(pid, format_args!("{who:?} went, {since:?} after it was there"));
                }
                let what = format!("went: {why:?}");
                self.count(what);
            }
            Told::PinsChanged => {
                let changes = self.ours_mut(pid).chat.take_pin_changes();
                let keyed = self.keyed_mut(pid).expect("it has a key");
                for change in changes {
                    match change {
                        PinChange::Write(pin) => drop(keyed.pins.insert(pin.key, pin)),
                        PinChange::Forget(key) => drop(keyed.pins.remove(&key)),
                    }
                }
            }
            Told::Unproven { .. } => self.count("told: unproven"),
            Told::Offered(_) => self.count("told: offered"),
            Told::Misled { .. } => self.count("told: misled"),
            Told::Pinned(..) => self.count("told: pinned"),
            Told::TurnedAway(..) => self.count("told: turned away"),
            _ => {}
        }
    }

    /// Whether a command sends this text.
    pub(super) fn is_of(&self, pid: Pid, op: OpId, letter: MessageId) -> bool {
        let keyed = self.ours(pid).keyed.as_ref();
        keyed.and_then(|keyed| keyed.letters.get(&op)).is_some_and(|sent| sent.id == letter)
    }

    /// Whether the user was told of a text that it waits, and of its end not yet.
    pub(super) fn is_known_to_wait(&self, pid: Pid, letter: MessageId) -> bool {
        let keyed = self.ours(pid).keyed.as_ref();
        let mut sent = keyed.into_iter().flat_map(|keyed| keyed.letters.values());
        sent.any(|sent| sent.id == letter && sent.ended < sent.waiting)
    }

    fn letter_mut(&mut self, pid: Pid, op: OpId) -> &mut Sent {
        self.keyed_mut(pid).and_then(|keyed| keyed.letters.get_mut(&op)).expect("it was sent")
    }

    fn check_taken(&self, pid: Pid, id: MessageId, key: Option<PeerKey>) {
        let taken = &self.penned[&id].taken;
        if taken.is_empty() || key.is_some_and(|key| !taken.contains(&key)) {
            self.fail(
                pid,
                format_args!("{id:?} is said to be delivered to {key:?}, and only {taken:?} have it"),
            );
        }
    }

    /// Rows of peers that prove keys: one for each key, none our own.
    pub(super) fn check_keyed_table(&self, pid: Pid) {
        let ours = self.ours(pid);
        let Some(keyed) = &ours.keyed else { return };
        let mut keys = BTreeSet::new();
        for row in ours.chat.rows(ours.time(self.now)) {
            let Speech::Secure(key) = row.speech else { continue };
            if key == keyed.key || !keys.insert(key) {
                self.fail(pid, format_args!("lists {key} twice, or itself, at {}", row.addr));
            }
        }
    }

    /// The rows of peers that prove keys, but for the time.
    pub(super) fn keyed_rows(&self, pid: Pid) -> Vec<p2p_chat::chat::Row> {
        let ours = self.ours(pid);
        if ours.keyed.is_none() {
            return Vec::new();
        }
        let mut rows = ours.chat.rows(ours.time(self.now));
        rows.retain(|row| matches!(row.speech, Speech::Secure(_)));
        rows.iter_mut().for_each(|row| row.last_heard = None);
        rows
    }

    /// After all is healed: what still waits is for somebody who is not there, and after leaving nothing waits.
    pub(super) fn check_letters(&mut self, pid: Pid, after_leaving: bool) {
        let Some(keyed) = &self.ours(pid).keyed else { return };
        let open: Vec<(OpId, MessageId)> = keyed
            .letters
            .iter()
            .filter(|(_, sent)| sent.ended < sent.waiting)
            .map(|(op, sent)| (*op, sent.id))
            .collect();
        if after_leaving && !open.is_empty() {
            self.fail(pid, format_args!("has left, and nobody knows what became of {open:?}"));
        }
        for (op, id) in open {
            self.count("letter: still waits at the end");
            let tried = self.penned[&id].tried.clone();
            for key in tried {
                let pins = self.ours(pid).chat.pins_for(&key.to_string());
                let addrs: Vec<PeerAddr> = pins.iter().flat_map(|pin| pin.addrs.clone()).collect();
                let there = addrs.into_iter().find(|addr| {
                    self.listener_at(pid, *addr).is_some_and(|other| self.key_of(other) == Some(key))
                });
                let is_over = self.penned[&id].taken.contains(&key);
                if let Some(addr) = there.filter(|_| !is_over && !self.is_refused(pid, key)) {
                    self.fail(pid, format_args!("{op:?} waits for {key}, who is at {addr}"));
                }
            }
        }
    }

    /// Whether another is there, wherever it is listed by its key.
    pub(super) fn is_listed(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let there = |row: &p2p_chat::chat::Row| {
            matches!(row.speech, Speech::Secure(of) if Some(of) == key) && row.state == State::Connected
        };
        key.is_some() && self.keyed_rows(pid).iter().any(there)
    }

    /// Whether a process waits for its user's word about the key of another.
    pub(super) fn waits_for_a_word(&self, pid: Pid, other: Pid) -> bool {
        let key = self.key_of(other);
        let (offers, more) = self.ours(pid).chat.offers();
        key.is_some() && (more > 0 || offers.iter().any(|offer| Some(offer.met.key) == key))
    }

    /// Whether the process with this key does not take that of `pid`.
    fn is_refused(&self, pid: Pid, key: PeerKey) -> bool {
        let own = self.key_of(pid).expect("it has a key");
        (0..self.processes.len())
            .filter(|other| self.processes[*other].alive && self.key_of(*other) == Some(key))
            .any(|other| {
                let (offers, more) = self.ours(other).chat.offers();
                more > 0 || offers.iter().any(|offer| offer.met.key == own)
            })
    }

    pub(super) fn listener_at(&self, pid: Pid, addr: PeerAddr) -> Option<Pid> {
        let (host, _) = self.route(pid, addr.v4()?)?;
        self.listener(host, addr.plain()?.socket())
    }
}
