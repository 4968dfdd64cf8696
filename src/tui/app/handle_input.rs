//! Carries out what the user asks for.

use std::io;

use super::{App, Ending, NodeDirectory, Sent, clock};
use crate::core::{Command, OpId, Target};
use crate::model::host::Endpoint;
use crate::model::name::Name;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::ByeReason;
use crate::runtime::body_of;
use crate::tui::commands::MAX_LISTED;
use crate::tui::{self, Act, Chosen, Ink, Line, Shown, Turn};

impl App {
    /// Passes a finished line to the menu and carries out the result.
    pub(super) fn line(&mut self, line: &str) -> io::Result<Option<Ending>> {
        #[cfg(debug_assertions)]
        if std::env::var("P2P_CHAT_TEST_PANIC").is_ok_and(|word| word == line) {
            panic!("asked to panic by a test");
        }
        let before = self.menu.conversation().cloned();
        let Turn { say, act, refused } = self.menu.line(
            line,
            &NodeDirectory { node: &self.node, labels: &self.labels, verifying: &self.verifying },
        );
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
            Some(act) => self.act(act),
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

    /// Carries out an act. Returns the operation that a script waits for.
    fn act(&mut self, act: Act) -> Option<OpId> {
        let command = match act {
            Act::Exit => return None,
            Act::Send(to, text) => return self.send(to, text),
            Act::Own(command, rest) => {
                (command.run)(self, &rest);
                return None;
            }
            Act::Outbox(what) => return self.outbox(what),
            Act::AddInvited(invitation) => return self.add_invited(&invitation),
            Act::AcceptIntroduction { introduction, addrs } => {
                return self.accept_introduction(&introduction, addrs);
            }
            Act::History(of, words) => {
                self.history(of, words);
                return None;
            }
            Act::Rename(name) => {
                self.rename(name);
                return None;
            }
            Act::Alias(id, label, name) => {
                self.set_alias(id, &label, name);
                return None;
            }
            Act::ShowPins(pins) => {
                let lines = |pin| tui::pin_lines(pin, &self.labels, clock::date);
                self.out.extend(pins.iter().take(MAX_LISTED).flat_map(lines));
                return None;
            }
            Act::AddAt(at) => {
                let op = self.node.command(match at {
                    Endpoint::Addr(addr) => Command::Connect(Target::These(vec![addr.into()])),
                    Endpoint::Host(host) => Command::ConnectToHost(host),
                });
                self.adding.insert(op);
                return Some(op);
            }
            Act::Add(contact) if self.is_saved_contact(contact.id) && !self.waits(contact.id) => {
                let name = self.contacts.get(contact.id).and_then(|contact| contact.name);
                let label = self.labels.label(contact.id.into(), name.as_ref());
                self.say(format!("{label} is already a contact."));
                return None;
            }
            Act::Core(command) => command,
            Act::Add(contact) => Command::SetContact { contact, date: clock::seconds() },
            Act::Verify(key) => Command::Verify { key, date: clock::seconds() },
            Act::ToggleMute(id) => Command::SetMuted(id, !self.node.is_muted(id)),
            Act::Introduce(pair) => Command::Introduce { pair, date: clock::seconds() },
        };
        Some(self.node.command(command))
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
                let (own_name, text) = (&*self.node.name().to_string(), text.split('\n').collect());
                Shown { stamp: &stamp, to, own_name, text, ..Shown::default() }.lines()
            }
            _ => tui::typed_lines(self.screen.prompt().clone(), line),
        };
        self.screen.finish_line(&lines)
    }

    fn accepts(&self, to: &Chosen, text: &str) -> bool {
        // A peer that has refused the last message will refuse this one too.
        let is_refused = to.peer().is_some_and(|id| self.node.refusal_of(id) == Some(ByeReason::NotAccepted));
        !is_refused && self.node.takes_text(&to.target, text)
    }

    fn send(&mut self, to: Chosen, text: String) -> Option<OpId> {
        match self.node.draft(&text) {
            Ok(message) => {
                let op = self.node.command(Command::Send { to: to.target.clone(), message });
                self.have_read(&to);
                // Success is shown only in the status line.
                let quiet = self.screen.shows_status();
                self.outcome = None;
                self.texts.insert(op, Sent { to, waiting: 0, settled: false, quiet });
                Some(op)
            }
            Err(error) => {
                self.refuse(error.to_string());
                self.menu.ask_text_again(to);
                None
            }
        }
    }

    /// Changes the user's name and stores it in the profile.
    fn rename(&mut self, name: Name) {
        if let Some(contact) = self.contacts.with_alias(&name) {
            let at = self.place_of(contact);
            self.refuse(format!("{name} is your alias for a contact ({at}); choose another name."));
            return;
        }
        if let Err(error) = self.contacts.rename(self.own.folder.as_deref(), &name) {
            self.refuse(error.to_string());
            return;
        }
        self.say(format!("You are now {name}. Unencrypted peers see it with your next message."));
        self.labels.set_own_name(&name);
        self.node.command(Command::SetName(name));
    }

    /// Returns where a peer is dialed, or its key if it has no known address.
    pub(in crate::tui) fn place_of(&self, id: Recipient) -> String {
        tui::place(id, self.node.dialed_at(id))
    }
}
