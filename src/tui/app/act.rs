//! Carries out what the user asks for.

use std::io;

use std::sync::Arc;

use super::{App, Ending, People, Sent, clock, greeting};
use crate::core::{Command, OpId, Target};
use crate::crypto;
use crate::model::host::Endpoint;
use crate::model::name::Name;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{ByeReason, Message};
use crate::profile;
use crate::protocol::plain;
use crate::protocol::plain::EncodeError;
use crate::protocol::session::MAX_TEXT_BYTES;
use crate::tui::{self, Act, Chosen, Ink, Line, Shown, Turn};

/// Peers or aliases that a list names, at most. The others are counted.
const MAX_LISTED: usize = 50;

impl App {
    /// Passes a finished line to the menu and carries out the result.
    pub(super) fn line(&mut self, line: &str) -> io::Result<Option<Ending>> {
        #[cfg(debug_assertions)]
        if std::env::var("P2P_CHAT_TEST_PANIC").is_ok_and(|word| word == line) {
            panic!("asked to panic by a test");
        }
        let before = self.menu.conversation().cloned();
        let Turn { say, act, refused } =
            self.menu.line(line, &People { node: &self.node, labels: &self.labels });
        self.echo(line, act.as_ref())?;
        if refused && let Some(reason) = say.first() {
            self.fails(reason);
        }
        self.out.extend(say.into_iter().map(Line::from));
        if refused && let Some(editor) = self.screen.editor() {
            editor.remember(line);
        }
        self.stale = true;
        if self.menu.conversation() != before.as_ref() {
            if let Some(with) = self.menu.conversation().cloned() {
                self.recall(&with);
            }
            self.conversation_changed();
        }
        let op = match act {
            None => None,
            Some(Act::Exit) => return Ok(Some(Ending::Exit)),
            Some(Act::Send(to, text)) => self.send(to, text),
            Some(Act::List) => Some(self.node.command(Command::List)),
            Some(Act::Connect(to)) => Some(self.node.command(Command::Connect(to))),
            Some(Act::ConnectToHost(host)) => Some(self.node.command(Command::ConnectToHost(host))),
            Some(Act::AddAt(at)) => {
                let op = self.node.command(match at {
                    Endpoint::Addr(addr) => Command::Connect(Target::These(vec![addr.into()])),
                    Endpoint::Host(host) => Command::ConnectToHost(host),
                });
                self.adding.insert(op);
                Some(op)
            }
            Some(Act::Disconnect(to)) => Some(self.node.command(Command::Disconnect(to))),
            Some(Act::Trust(key, whom)) => Some(self.node.command(Command::Trust(key, whom))),
            Some(Act::Block(target)) => Some(self.node.command(Command::Block(target))),
            Some(Act::Unblock(target)) => Some(self.node.command(Command::Unblock(target))),
            Some(Act::Forget(id)) => Some(self.node.command(Command::Forget(id))),
            Some(Act::Add(contact)) if self.is_saved_contact(contact.id) && !self.waits(contact.id) => {
                let name = self.contacts.get(contact.id).and_then(|contact| contact.name);
                let label = self.labels.label(contact.id.into(), name.as_ref());
                self.say(format!("{label} is already a contact."));
                None
            }
            Some(Act::Add(contact)) => {
                Some(self.node.command(Command::SetContact { contact, date: clock::seconds() }))
            }
            Some(Act::AddInvited(invitation)) => self.add_invited(&invitation),
            Some(Act::Verify(key)) => {
                Some(self.node.command(Command::Verify { key, date: clock::seconds() }))
            }
            Some(Act::Mute(id)) => Some(self.node.command(Command::SetMuted(id, true))),
            Some(Act::Unmute(id)) => Some(self.node.command(Command::SetMuted(id, false))),
            Some(Act::ToggleMute(id)) => {
                Some(self.node.command(Command::SetMuted(id, !self.node.is_muted(id))))
            }
            Some(Act::Introduce(pair)) => {
                Some(self.node.command(Command::Introduce { pair, date: clock::seconds() }))
            }
            Some(Act::AcceptIntroduction { introduction, addrs }) => {
                self.accept_introduction(&introduction, addrs)
            }
            Some(Act::IgnoreIntroduction(key)) => Some(self.ignore_introduction(key)),
            Some(Act::SetPolicy(policy)) => Some(self.node.command(Command::SetPolicy(policy))),
            Some(Act::Outbox(what)) => self.outbox(what),
            Some(local) => {
                self.local(local);
                None
            }
        };
        if self.reads_script() {
            self.busy = op;
        }
        // For a script the prompt is printed when its line is read, so that a transcript is in
        // order.
        if self.busy.is_none() {
            self.ask();
            self.want_line();
        }
        Ok(None)
    }

    /// Whether a peer waits for the user's decision.
    fn waits(&self, id: PeerId) -> bool {
        self.node.requests().0.iter().any(|request| request.met.id == id)
    }

    /// Prints the finished line. A message that is sent or queued is printed as such, however it
    /// was typed.
    fn echo(&mut self, line: &str, act: Option<&Act>) -> io::Result<()> {
        let lines = match act {
            Some(Act::Send(to, text)) if self.accepts(to, text) => {
                let (stamp, text) = (self.clock.now().stamp, body_of(text));
                let ink = to.peer().and_then(|id| self.labels.name(id)).map_or(Ink::Strong, tui::ink_of);
                let to = Some((ink, to.label.clone()));
                Shown { stamp: &stamp, to, text: text.split('\n').collect(), ..Shown::default() }.lines()
            }
            _ => tui::typed_lines(self.screen.prompt().clone(), line),
        };
        self.screen.finish_line(&lines)
    }

    fn accepts(&self, to: &Chosen, text: &str) -> bool {
        let body = body_of(text);
        // A peer that has refused the last message will refuse this one too.
        let is_refused = to.peer().is_some_and(|id| self.node.refusal_of(id) == Some(ByeReason::NotAccepted));
        !is_refused
            && can_be_sent(text, &body, &self.node.name()).is_ok()
            && self.node.takes_message(&to.target, &body)
    }

    fn send(&mut self, to: Chosen, text: String) -> Option<OpId> {
        let body = body_of(&text);
        let id = can_be_sent(&text, &body, &self.node.name()).and_then(|()| {
            crypto::message_id().ok_or_else(|| {
                "The system gives no random numbers, and nothing can be sent without one.".to_owned()
            })
        });
        match id {
            Ok(id) => {
                let message = Message { id, time: clock::millis(), again: false, body };
                let op = self.node.command(Command::Send { to: to.target.clone(), message });
                self.have_read(&to);
                // Success is shown only in the status line.
                let quiet = self.screen.shows_status();
                self.outcome = None;
                self.texts.insert(op, Sent { to, waiting: 0, settled: false, quiet });
                Some(op)
            }
            Err(sentence) => {
                self.refuse(sentence);
                self.menu.ask_text_again(to);
                None
            }
        }
    }

    /// Carries out an act that needs no other peer.
    fn local(&mut self, act: Act) {
        match act {
            Act::History(of, words) => self.history(of, words),
            Act::ShowLong(number) => self.show_long(number),
            Act::Copy => self.copy(),
            Act::Rename(name) => self.rename(name),
            Act::ListMuted => self.list_muted(),
            Act::Nickname(id, label, name) => self.set_alias(id, &label, name),
            Act::ListNicknames => self.list_nicknames(),
            Act::ListContacts => self.list_contacts(),
            Act::ShowOwnKey => {
                self.say("Your key, which others know you by:");
                let key = self.node.own_key().grouped().to_string();
                self.say(Line::default().then("  ").and(Ink::Strong, key));
            }
            Act::ShowPins(pins) => {
                let lines = |pin| tui::pin_lines(pin, &self.labels, clock::date);
                self.out.extend(pins.iter().take(MAX_LISTED).flat_map(lines));
            }
            Act::ShowInvitation => self.show_invitation(),
            Act::AskToVerify(key) => self.node.ask_to_verify(key),
            Act::ListBlocked => self.list_blocked(),
            Act::ShowPolicy => {
                let words = tui::policy_words(self.node.policy());
                self.say(format!("{words} /policy accept-new, ask or strict changes it."));
            }
            Act::ShowDiscovery => {
                self.node.follow_networks();
                let words = self.who_discovers();
                self.say(format!("{words}. /discover on, contacts or off changes it."));
            }
            Act::SetDiscovery(mode) => {
                self.node.set_discovery_mode(mode);
                let words = self.who_discovers();
                self.say(format!("{words}."));
            }
            Act::ListRequests => {
                let (requests, more) = self.node.requests();
                let introductions = self.introduction_lines();
                if introductions.is_empty() || !requests.is_empty() {
                    let lines = tui::requests_lines(&requests, more, &self.voice(""));
                    self.out.extend(lines);
                }
                self.out.extend(introductions);
            }
            Act::Send(..)
            | Act::List
            | Act::Connect(_)
            | Act::ConnectToHost(_)
            | Act::Disconnect(_)
            | Act::Trust(..)
            | Act::Block(_)
            | Act::Unblock(_)
            | Act::Forget(_)
            | Act::Add(_)
            | Act::AddAt(_)
            | Act::AddInvited(_)
            | Act::Introduce(_)
            | Act::AcceptIntroduction { .. }
            | Act::IgnoreIntroduction(_)
            | Act::Verify(_)
            | Act::Mute(_)
            | Act::Unmute(_)
            | Act::ToggleMute(_)
            | Act::SetPolicy(_)
            | Act::Outbox(_)
            | Act::Exit => {}
        }
    }

    /// Returns who can discover us, as a sentence without its full stop.
    fn who_discovers(&mut self) -> String {
        self.visible = greeting::visible(&self.node);
        match &self.visible {
            Some(Ok(words) | Err(words)) => words.clone(),
            None => greeting::NOT_VISIBLE.into(),
        }
    }

    /// Changes the user's name and stores it in the profile.
    fn rename(&mut self, name: Name) {
        if let Some(contact) = self.contacts.with_alias(&name) {
            let at = self.place_of(contact);
            self.refuse(format!("{name} is your alias for a contact ({at}); choose another name."));
            return;
        }
        if let Some(folder) = &self.own.folder
            && let Err(error) = profile::rename(folder, &name)
        {
            self.refuse(error.to_string());
            return;
        }
        self.say(format!(
            "You are now {name}. Encrypted peers see it at once, others with your next message."
        ));
        self.contacts.file.set_own_name(name.clone());
        self.labels.set_own_name(&name);
        self.node.set_name(name);
    }

    fn list_blocked(&mut self) {
        let (pins, legacy) = (self.node.blocked_contacts(), self.node.blocked_legacy());
        let sources = self.node.blocked_sources();
        let of_pins = pins.iter().map(|pin| {
            let label = self.labels.label(pin.key.into(), pin.name.as_ref());
            format!("{label} (key {}): blocked", pin.key.short())
        });
        let of_legacy = legacy.iter().map(|who| {
            let label = self.labels.label(who.id, who.name.as_ref());
            format!("{label} ({}, unencrypted): blocked", self.place_of(who.id))
        });
        let of_sources =
            sources.iter().map(|source| format!("{source}: blocked, except for your contacts there"));
        let lines: Vec<String> = of_pins.chain(of_legacy).chain(of_sources).collect();
        if lines.is_empty() {
            self.say("No peers are blocked. /block WHOM blocks one.");
        }
        let more = lines.len().saturating_sub(MAX_LISTED);
        self.out.extend(lines.into_iter().take(MAX_LISTED).map(Line::from));
        if more > 0 {
            self.say("contacts.toml has all of them.");
        }
    }

    fn list_muted(&mut self) {
        let muted = self.node.muted();
        if muted.is_empty() {
            self.say("No peers are muted. /mute WHOM mutes one.");
        }
        let lines: Vec<String> = muted
            .iter()
            .take(MAX_LISTED)
            .map(|id| {
                let label = self.labels.label(*id, None);
                format!("{label} ({}) is muted.", self.place_of(*id))
            })
            .collect();
        lines.into_iter().for_each(|line| self.say(line));
        let more = muted.len().saturating_sub(MAX_LISTED);
        if more > 0 {
            self.say(format!("And {more} more."));
        }
    }

    /// Returns where a peer is dialed, or its key if it has no known address.
    pub(super) fn place_of(&self, id: Recipient) -> String {
        tui::place(id, self.node.dialed_at(id))
    }

    fn list_nicknames(&mut self) {
        let all = self.contacts.aliases();
        if all.is_empty() {
            self.say("There are no aliases; /alias WHOM NAME gives one.");
            return;
        }
        let whose = |id: Recipient| match self.node.pin_of(id).and_then(|pin| pin.name) {
            Some(name) => format!("{name} ({id})"),
            None => id.to_string(),
        };
        let mut lines: Vec<String> =
            all.iter().take(MAX_LISTED).map(|(id, name)| format!("{name} is {}.", whose(*id))).collect();
        if all.len() > MAX_LISTED {
            lines.push(format!("And {} more.", all.len() - MAX_LISTED));
        }
        lines.into_iter().for_each(|line| self.say(line));
    }
}

/// Returns the body of an encrypted message: the text without blank lines around it.
fn body_of(text: &str) -> Arc<str> {
    text.replace("\r\n", "\n").trim_start_matches('\n').trim_end().into()
}

/// Checks that a text can be sent. One that is too long for a legacy peer can go to a key.
fn can_be_sent(text: &str, body: &str, name: &Name) -> Result<(), String> {
    match plain::messages_for(text, name) {
        Ok(_) => Ok(()),
        Err(EncodeError::TooLong { .. }) if body.len() <= MAX_TEXT_BYTES => Ok(()),
        Err(EncodeError::TooLong { limit, .. }) => Err(format!(
            "The message has {} bytes. The limit is {MAX_TEXT_BYTES} encrypted and {limit} unencrypted. Shorten or divide it.",
            body.len()
        )),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), String> {
        can_be_sent(text, &body_of(text), &"Alice".parse().unwrap())
    }

    #[test]
    fn body_keeps_line_ends_without_outer_blank_lines() {
        assert_eq!(&*body_of("\n\n  one\r\n\r\n\ttwo  \n\n"), "  one\n\n\ttwo");
        assert_eq!(&*body_of(" \n "), "");
    }

    #[test]
    fn long_text_is_sent_only_to_keys() {
        for fits in [5, 2_000, 20_000, MAX_TEXT_BYTES] {
            assert_eq!(checked(&"x".repeat(fits)), Ok(()));
        }
        let sentence = checked(&"x".repeat(MAX_TEXT_BYTES + 1)).expect_err("too long");
        assert!(
            sentence.starts_with("The message has 65537 bytes. The limit is 65536 encrypted and 15"),
            "{sentence}"
        );
        assert!(checked(" \n ").is_err());
    }
}
