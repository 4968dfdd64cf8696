//! Texts to peers that have proven a key, on their way: taken and shown once, in order, said to nobody else, and in plain only where no key was shown.

use std::collections::BTreeMap;
use std::time::Duration;

use p2p_chat::chat::{Event as Told, Intake, Proof, Talk, Transmit};
use p2p_chat::key::PeerKey;
use p2p_chat::ledger::RowId;
use p2p_chat::message::{MessageId, Speech};
use p2p_chat::talk::{Letter, Say, TalkEnd, Talked};

use super::ours::Cause;
use super::peer::Pid;
use super::world::World;

/// Talks with one key that were begun without success, within ten seconds: one text a second at most, one look a second, and the first
/// two at once when a refusal or a broken connection shows that something is wrong.
const FAILED_TALKS: usize = 24;
const FAILED_WITHIN: Duration = Duration::from_secs(10);

impl World {
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
}
