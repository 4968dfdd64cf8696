//! Handles the answers to questions.

use std::net::{IpAddr, SocketAddr};

use super::asking::{AskKind, Asking, Question};
use super::{Act, HistoryOf, Lost, Menu, Turn, act, first_word, perform, refused, say};
use crate::core::{Command, Target};
use crate::model::address::parse_port;
use crate::model::name::{alias, new_name};
use crate::model::peer_id::Recipient;
use crate::tui::people::{Chosen, Directory, Named, WHOM, find, find_to_connect, host_meant, shown};

impl Menu {
    pub(super) fn whom(&mut self, question: Question, line: &str, directory: &dyn Directory) -> Turn {
        if line == "0" {
            return Turn::default();
        }
        let (word, text) = first_word(line);
        let is_message = match &question.text {
            Some(asked_for) => asked_for.trim() == text,
            None => !text.is_empty(),
        };
        if question.kind == AskKind::Send
            && self.asks_again
            && is_message
            && find(line, directory).is_err()
            && let Ok(Named::Exactly(to)) = find(word, directory)
        {
            return self.say_to(to, text);
        }
        let chosen = match (line, question.kind, &question.last) {
            ("", AskKind::Connect, _) => Chosen::all(),
            ("", AskKind::Send | AskKind::Me | AskKind::Chat, Some(last)) => last.clone(),
            ("", AskKind::History, _) => return act(Act::History(HistoryOf::All, None)),
            ("", ..) => return self.refuse(Asking::Whom(question), format!("Type {WHOM}.")),
            (name, AskKind::History, _)
                if matches!(
                    find(name, directory),
                    Err(Lost::Nobody(_) | Lost::Blocked(..) | Lost::Waits(_))
                ) =>
            {
                return act(Act::History(HistoryOf::Named(name.to_owned()), None));
            }
            _ => {
                let meant = self.meant(question, line, directory);
                return meant
                    .unwrap_or_else(|(question, sentence)| self.refuse(Asking::Whom(question), sentence));
            }
        };
        self.chosen(question, chosen)
    }

    /// Carries out a question for the recipient that a word means, or asks for its port.
    ///
    /// # Errors
    /// If the word means none, or several: the question, and the sentence.
    pub(super) fn meant(
        &mut self,
        question: Question,
        word: &str,
        directory: &dyn Directory,
    ) -> Result<Turn, (Question, String)> {
        let connects = question.kind == AskKind::Connect;
        if let Some(host) = host_meant(word, directory).filter(|_| connects) {
            return Ok(perform(Command::ConnectToHost(host)));
        }
        match if connects { find_to_connect(word, directory) } else { find(word, directory) } {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => Ok(self.chosen(question, chosen)),
            Ok(Named::NeedsPort(ip)) => Ok(self.ask(Asking::Port(question, ip))),
            Err(lost) => Err((question, lost.sentence(word))),
        }
    }

    pub(super) fn port(
        &mut self,
        question: Question,
        ip: IpAddr,
        line: &str,
        directory: &dyn Directory,
    ) -> Turn {
        if line == "0" {
            return Turn::default();
        }
        let meant = match parse_port(line) {
            Ok(port) => self.meant(question, &SocketAddr::new(ip, port).to_string(), directory),
            Err(_) => {
                let sentence = format!("\"{}\" is not a port. Type a number from 1 to 65535.", shown(line));
                Err((question, sentence))
            }
        };
        meant.unwrap_or_else(|(question, sentence)| self.refuse(Asking::Port(question, ip), sentence))
    }

    pub(super) fn chosen(&mut self, question: Question, chosen: Chosen) -> Turn {
        match question.kind {
            AskKind::Send => {
                self.remember(&chosen);
                match question.text {
                    Some(text) => act(Act::Send(chosen, text)),
                    None => self.ask(Asking::Text(chosen, "")),
                }
            }
            AskKind::Me => {
                self.remember(&chosen);
                self.ask(Asking::Text(chosen, "/me "))
            }
            AskKind::Connect => perform(Command::Connect(chosen.target)),
            AskKind::Disconnect => perform(Command::Disconnect(chosen.target)),
            AskKind::Chat => self.begin_conversation(chosen),
            AskKind::History if chosen.target == Target::All => act(Act::History(HistoryOf::All, None)),
            AskKind::History => act(Act::History(HistoryOf::One(chosen), None)),
            AskKind::Mute | AskKind::Alias => match (chosen.peer(), question.kind) {
                (Some(id), AskKind::Mute) => act(Act::ToggleMute(id)),
                (Some(id), _) => self.ask(Asking::Alias(id, chosen.label)),
                (None, _) => self.refuse(Asking::Whom(question), "Type one peer, not all.".into()),
            },
        }
    }

    /// Remembers a peer as the recipient that Enter chooses. A message to all is no default for the
    /// next one.
    pub(super) fn remember(&mut self, to: &Chosen) {
        if to.peer().is_some() {
            self.last = Some(to.clone());
        }
    }

    pub(super) fn begin_conversation(&mut self, with: Chosen) -> Turn {
        let line = format!("Chatting with {}. /back or Escape returns to the menu.", with.label);
        self.remember(&with);
        self.conversation = Some(with);
        say([line])
    }

    pub(in crate::tui) fn end_conversation(&mut self) -> Option<String> {
        let with = self.conversation.take()?;
        Some(format!("The conversation with {} has ended. Enter shows the menu.", with.label))
    }

    pub(super) fn text(&self, to: Chosen, beginning: &str, line: &str) -> Turn {
        if line.trim().is_empty() {
            return refused("An empty message is not sent.");
        }
        // A user types `//` before a message that begins with a slash.
        let literal = line.strip_prefix('/').filter(|rest| self.asks_again && rest.starts_with('/'));
        act(Act::Send(to, format!("{beginning}{}", literal.unwrap_or(line))))
    }

    pub(super) fn name(&mut self, line: &str) -> Turn {
        match new_name(line) {
            Ok(name) => act(Act::Rename(name)),
            Err(_) if line.is_empty() || line == "0" => Turn::default(),
            Err(error) => self.refuse(Asking::Name, error.to_string()),
        }
    }

    pub(super) fn alias(&mut self, id: Recipient, label: String, line: &str) -> Turn {
        match alias(line) {
            Ok(name) => act(Act::Alias(id, label, Some(name))),
            Err(_) if line.is_empty() => act(Act::Alias(id, label, None)),
            Err(_) if line == "0" => Turn::default(),
            Err(error) => self.refuse(Asking::Alias(id, label), error.to_string()),
        }
    }
}
