//! Shows our invitation, adds contacts by invitation, and answers introductions.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::terminal_caps::shows_blocks;
use super::{App, clock, greeting};
use crate::core::{
    Command, ContactRecord, Event, IntroducedPeer, IntroductionNews, MAX_HINTS, OpId, PeerInfo,
    SavedIntroductions, Target,
};
use crate::model::address::PeerAddr;
use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::peer_id::{PeerId, Recipient};
use crate::profile;
use crate::tui::menu::trust::blocked_invitation;
use crate::tui::{self, Ink, Line};

/// Time between two writes of the introductions: a contact can change them often by sending cards.
const SAVE_PAUSE: Duration = Duration::from_secs(1);

/// Undecided introductions that the start shows, at most. The others are counted.
const MAX_AT_START: usize = 3;

/// What is to be saved of the introductions, and when it was done last.
#[derive(Default)]
pub(super) struct SavingIntroductions {
    /// Whether something has changed since the last write.
    pub(super) is_unsaved: bool,
    saved_at: Option<Instant>,
    /// Whether the last write failed, which the user was told.
    is_told: bool,
    writing: Option<IntroductionsWrite>,
}

/// A write on the thread of the store writer.
struct IntroductionsWrite {
    /// What is to be saved, until the thread has saved it. It is locked meanwhile.
    waits: Arc<Mutex<Option<SavedIntroductions>>>,
    /// Where the thread reports the result.
    done: Receiver<io::Result<()>>,
}

impl SavingIntroductions {
    /// Returns the write for the thread.
    fn begin(&mut self, folder: PathBuf, saved: SavedIntroductions) -> impl FnOnce() + Send + 'static {
        let ((report, done), waits) = (channel(), Arc::new(Mutex::new(Some(saved))));
        (self.is_unsaved, self.saved_at) = (false, Some(Instant::now()));
        self.writing = Some(IntroductionsWrite { waits: Arc::clone(&waits), done });
        move || {
            let mut waits = waits.lock();
            if let Some(saved) = waits.take() {
                // If the program has ended meanwhile, the result does not matter.
                let _ = report.send(profile::save_introductions(&folder, &saved));
            }
        }
    }

    /// Cancels the write, or waits for its result if the thread has begun it.
    fn cancel(&mut self) -> Option<io::Result<()>> {
        let IntroductionsWrite { waits, done } = self.writing.take()?;
        waits.lock().take();
        let result = done.try_recv().ok();
        self.is_unsaved |= result.is_none();
        result
    }
}

impl App {
    pub(in crate::tui) fn show_invitation(&mut self) {
        let invitation = greeting::invitation(&self.node, self.advertise);
        let shows_code = self.screen.is_terminal() && shows_blocks(self.plain);
        let code = shows_code.then(tui::columns);
        self.out.extend(tui::invitation_lines(&invitation, self.screen.palette(), code));
        if invitation.addrs.is_empty() {
            self.say(tui::NO_ADDRESS);
        }
    }

    /// Adds the contact of an invitation, and dials it.
    pub(super) fn add_invited(&mut self, invitation: &Invitation) -> Option<OpId> {
        let Invitation { key, name, addrs } = invitation;
        let known = self.node.pin_of((*key).into());
        if *key == self.node.own_key() {
            self.refuse("That is your own invitation.");
            return None;
        }
        if known.as_ref().is_some_and(|pin| pin.blocked) {
            self.refuse(blocked_invitation(*key));
            return None;
        }
        let id = PeerId::Key(*key);
        let given = known.as_ref().map(|pin| pin.given.clone()).unwrap_or_default();
        let addrs = with_given(addrs, &given);
        let is_known = self.is_saved_contact(id);
        if is_known && addrs == given {
            let label = self.labels.label(id.into(), known.and_then(|pin| pin.name).as_ref());
            self.say(format!("{label} is already a contact."));
        } else {
            self.say(format!("The invitation is from {}.", tui::inviter(invitation)));
            let verified = known.as_ref().and_then(|pin| pin.verified);
            let name = known.and_then(|pin| pin.name).or_else(|| name.clone());
            let contact = ContactRecord { id, name, verified, blocked: false, stranger: false, addrs };
            self.node.command(Command::SetContact { contact, date: clock::seconds() });
        }
        if self.node.dialed_at(id.into()).is_none() {
            self.say("No address is known, so p2p-chat waits until they connect.");
            return None;
        }
        Some(self.node.command(Command::Connect(Target::These(vec![id.into()]))))
    }

    /// Accepts an introduction. The contact card has these addresses, or by default those at which
    /// we can be reached.
    pub(super) fn accept_introduction(
        &mut self,
        introduction: &IntroducedPeer,
        addrs: Option<Vec<PeerAddr>>,
    ) -> Option<OpId> {
        let addrs = addrs.unwrap_or_else(|| greeting::invitation(&self.node, self.advertise).addrs);
        let Some(card) = self.node.card_for(introduction.key, &addrs) else {
            self.refuse("The contact card cannot be signed.");
            return None;
        };
        let addrs: Vec<String> = card.addrs().iter().map(PeerAddr::to_string).collect();
        let addrs = if addrs.is_empty() { "no address".to_owned() } else { addrs.join(", ") };
        self.say(format!("Your contact card for {} has {addrs}.", introduction.name));
        let (by, card, date) = (introduction.by, Box::new(card), clock::seconds());
        Some(self.node.command(Command::AcceptIntroduction { by, card, date }))
    }

    /// Returns a contact for the screen.
    fn contact_info(&self, key: PublicKey) -> PeerInfo {
        let id = Recipient::key(key);
        self.info(id, self.node.pin_of(id).and_then(|pin| pin.name))
    }

    /// Returns a line for each introduction that waits for the user's decision.
    pub(in crate::tui) fn introduction_lines(&self) -> Vec<Line> {
        self.node.introductions().into_iter().flat_map(|one| self.introduction_line(one)).collect()
    }

    fn introduction_line(&self, one: IntroducedPeer) -> Vec<Line> {
        let IntroducedPeer { by, key, name, .. } = one;
        let news = IntroductionNews::Introduced { by: self.contact_info(by), key, name };
        tui::lines(&Event::Introduction(Box::new(news)), &self.renderer(""))
    }

    /// Returns the lines at the start about introductions of earlier runs that wait for the user's
    /// decision, except those by muted contacts.
    pub(super) fn undecided_at_start(&self) -> Vec<Line> {
        let mut undecided = self.node.introductions();
        undecided.retain(|one| !self.node.is_muted(Recipient::key(one.by)));
        let more = undecided.len().saturating_sub(MAX_AT_START);
        let mut lines: Vec<Line> =
            undecided.into_iter().take(MAX_AT_START).flat_map(|one| self.introduction_line(one)).collect();
        match more {
            0 => {}
            1 => lines.push("1 more introduction is waiting; /introduce lists all.".into()),
            more => {
                lines.push(format!("{more} more introductions are waiting; /introduce lists all.").into())
            }
        }
        lines
    }

    /// Lists the introductions that wait for someone: those that the user made, and those that the
    /// user received.
    pub(in crate::tui) fn list_introductions(&mut self) {
        let (made, awaited) = self.node.waiting_introductions();
        let renderer = self.renderer("");
        let mut lines: Vec<Line> = Vec::new();
        for one in &made {
            let who = one.pair.each_ref().map(|side| self.contact_info(side.key));
            lines.push(tui::made_line(one, &who, &renderer));
        }
        for one in &awaited {
            lines.push(tui::awaited_line(&one.name, &self.contact_info(one.by), &renderer));
        }
        lines.extend(self.introduction_lines());
        if lines.is_empty() {
            lines.push("No introductions are waiting. /introduce bob carol introduces two contacts.".into());
        }
        self.list(lines);
    }

    /// Has the introductions saved if they have changed, at most once a second. The thread of the
    /// store writer does it, so that nothing waits for the disk.
    pub(super) fn tend_introductions(&mut self) {
        if let Some(writing) = &self.introductions.writing {
            let Ok(result) = writing.done.try_recv() else { return };
            self.introductions.writing = None;
            self.introductions_saved(&result);
        }
        let SavingIntroductions { is_unsaved, saved_at, .. } = self.introductions;
        if !is_unsaved || saved_at.is_some_and(|at| at.elapsed() < SAVE_PAUSE) {
            return;
        }
        let Some(folder) = self.own.folder.clone() else { return };
        let write = self.introductions.begin(folder, self.node.take_introductions());
        self.node.write_file(Box::new(write));
    }

    /// Takes the result of a write. If it has failed, says so once and tries again later.
    fn introductions_saved(&mut self, result: &io::Result<()>) {
        let was_told = std::mem::replace(&mut self.introductions.is_told, result.is_err());
        if let Err(error) = result {
            self.introductions.is_unsaved = true;
            if !was_told {
                self.say(Line::of(Ink::Bad, format!("Cannot save the introductions: {error}.")));
            }
        }
    }

    /// Saves the introductions for the last time, if they have changed.
    pub(super) fn save_introductions_at_last(&mut self) {
        if let Some(result) = self.introductions.cancel() {
            self.introductions_saved(&result);
        }
        if let Some(folder) = self.own.folder.as_ref().filter(|_| self.introductions.is_unsaved) {
            let result = profile::save_introductions(folder, &self.node.take_introductions());
            self.introductions_saved(&result);
        }
    }

    /// Takes the invitation that `p2p-chat add` has left.
    pub(super) fn take_left_invitation(&mut self) {
        let Some(folder) = &self.own.folder else { return };
        match profile::take_invitation(folder) {
            None => {}
            Some(Ok(invitation)) => {
                self.contacts.is_decided = true;
                self.add_invited(&invitation);
            }
            Some(Err(error)) => self.say(Line::of(Ink::Bad, error.to_string())),
        }
    }
}

/// Returns the addresses of an invitation, followed by those that the contact already has.
fn with_given(invited: &[PeerAddr], given: &[PeerAddr]) -> Vec<PeerAddr> {
    if invited.iter().all(|addr| given.contains(addr)) {
        return given.to_vec();
    }
    let others = given.iter().filter(|addr| !invited.contains(addr));
    invited.iter().chain(others).take(MAX_HINTS).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::key::KEY_BYTES;

    #[test]
    fn last_introductions_are_not_replaced_by_queued_ones() {
        let folder = tempfile::TempDir::new().unwrap();
        let saved = |byte| SavedIntroductions {
            ignored: vec![PublicKey::new([byte; KEY_BYTES])],
            ..SavedIntroductions::default()
        };
        let in_file = || profile::read_introductions(folder.path(), None).0.ignored;
        let mut saving = SavingIntroductions::default();
        saving.begin(folder.path().to_owned(), saved(1))();
        assert!(saving.cancel().is_some_and(|result| result.is_ok()) && !saving.is_unsaved);
        assert_eq!(in_file(), saved(1).ignored);
        let queued = saving.begin(folder.path().to_owned(), saved(2));
        assert!(saving.cancel().is_none() && saving.is_unsaved);
        profile::save_introductions(folder.path(), &saved(3)).unwrap();
        queued();
        assert_eq!(in_file(), saved(3).ignored);
    }

    #[test]
    fn invited_addresses_come_before_those_of_the_contact() {
        let addr = |n: u16| -> PeerAddr { format!("192.0.2.7:{n}").parse().unwrap() };
        let addrs = |ports: &[u16]| ports.iter().map(|port| addr(*port)).collect::<Vec<_>>();
        assert_eq!(with_given(&addrs(&[3, 1]), &addrs(&[1, 2])), addrs(&[3, 1, 2]));
        assert_eq!(with_given(&addrs(&[2]), &addrs(&[1, 2])), addrs(&[1, 2]));
        assert_eq!(with_given(&[], &addrs(&[1, 2])), addrs(&[1, 2]));
        let many: Vec<u16> = (1..=8).collect();
        assert_eq!(with_given(&addrs(&[9]), &addrs(&many)), addrs(&[9, 1, 2, 3, 4, 5, 6, 7]));
    }
}
