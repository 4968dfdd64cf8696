//! Shows our invitation, adds contacts by invitation, and answers introductions.

use super::terminal_caps::shows_blocks;
use super::{App, clock, greeting};
use crate::core::{
    Command, ContactRecord, Event, IntroducedPeer, IntroductionNews, MAX_HINTS, OpId, PeerInfo, Target,
};
use crate::model::address::PeerAddr;
use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::peer_id::{PeerId, Recipient};
use crate::profile;
use crate::tui::{self, Ink, Line};

impl App {
    /// Shows our invitation.
    pub(super) fn show_invitation(&mut self) {
        let invitation = greeting::invitation(&self.node, self.options.advertise);
        let shows_code = self.screen.is_terminal() && shows_blocks(self.options.plain);
        let code = shows_code.then(tui::columns);
        self.out.extend(tui::invitation_lines(&invitation, self.screen.palette(), code));
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
            let key = tui::beginning(*key);
            self.refuse(format!("The invitation is from a blocked key. /unblock {key} unblocks it."));
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
        let addrs = addrs.unwrap_or_else(|| greeting::invitation(&self.node, self.options.advertise).addrs);
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

    /// Ignores an introduced key, in later runs too.
    pub(super) fn ignore_introduction(&mut self, key: PublicKey) -> OpId {
        let op = self.node.command(Command::IgnoreIntroduction(key));
        if let Some(folder) = &self.own.folder
            && let Err(error) = profile::save_ignored(folder, &self.node.ignored())
        {
            self.refuse(format!("Cannot save the ignored key: {error}."));
        }
        op
    }

    /// Returns a line for each introduction that waits for the user's decision.
    pub(super) fn introduction_lines(&self) -> Vec<Line> {
        let line = |one: IntroducedPeer| {
            let id = Recipient::key(one.by);
            let by = PeerInfo {
                id,
                name: self.node.pin_of(id).and_then(|pin| pin.name),
                addr: self.node.dialed_at(id),
                claimed: None,
                verification: self.node.verification_of(id),
            };
            let news = IntroductionNews::Introduced { by, key: one.key, name: one.name };
            tui::lines(&Event::Introduction(Box::new(news)), &self.voice(""))
        };
        self.node.introductions().into_iter().flat_map(line).collect()
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
