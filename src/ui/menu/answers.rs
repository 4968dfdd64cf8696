//! What follows from the answer to a question.

use std::net::{IpAddr, SocketAddr};

use super::asking::{AskKind, Asking, Question};
use super::{Act, HistoryOf, Lost, Menu, Refill, Turn, act, again, say};
use crate::core::Target;
use crate::model::address::parse_port;
use crate::model::name::{alias, new_name};
use crate::model::peer_id::Recipient;
use crate::ui::people::{Chosen, Directory, Named, find, find_to_connect, host_meant, shown};

impl Menu {
    pub(super) fn whom(&mut self, question: Question, line: &str, directory: &dyn Directory) -> Turn {
        if line == "0" {
            return question.text.map_or_else(Turn::default, |text| say(self.keep_for_later(text)));
        }
        if let Some(host) = host_meant(line, directory).filter(|_| question.kind == AskKind::Connect) {
            return act(Act::ConnectToHost(host));
        }
        let or = if question.text.is_some() { ", or 0 to keep it for later" } else { ", or 0 to go back" };
        let found = match (line, question.kind, &question.last) {
            ("", AskKind::Connect, _) => Ok(Named::Exactly(Chosen::all())),
            ("", AskKind::History, _) => return act(Act::History(HistoryOf::All, None)),
            (name, AskKind::History, _)
                if matches!(
                    find(name, directory),
                    Err(Lost::Nobody(_) | Lost::Blocked(..) | Lost::Waits(_))
                ) =>
            {
                return act(Act::History(HistoryOf::Named(name.to_owned()), None));
            }
            ("", AskKind::Send | AskKind::Me | AskKind::Chat, Some(last)) => Ok(Named::Exactly(last.clone())),
            ("", ..) => Err(format!("Nobody was named; give a number, a name, an ip:port or `all`{or}.")),
            (_, AskKind::Connect, _) => {
                find_to_connect(line, directory).map_err(|lost| lost.sentence(line, or))
            }
            _ => find(line, directory).map_err(|lost| lost.sentence(line, or)),
        };
        match found {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => self.chosen(question, chosen),
            Ok(Named::NeedsPort(ip)) => self.ask(Asking::Port(question, ip)),
            Err(sentence) => {
                self.asking = Asking::Whom(question);
                again(sentence, line)
            }
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
            return question.text.map_or_else(Turn::default, |text| say(self.keep_for_later(text)));
        }
        let found = parse_port(line)
            .map_err(|_| {
                format!("`{}` is no port; give a number from 1 to 65535, or 0 to go back.", shown(line))
            })
            .and_then(|port| {
                let addr = SocketAddr::new(ip, port).to_string();
                let find = if question.kind == AskKind::Connect { find_to_connect } else { find };
                find(&addr, directory).map_err(|lost| lost.sentence(&addr, ""))
            });
        match found {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => self.chosen(question, chosen),
            Ok(Named::NeedsPort(_)) => Turn::default(),
            Err(sentence) => {
                self.asking = Asking::Port(question, ip);
                again(sentence, line)
            }
        }
    }

    /// Carries out a question for the chosen recipient.
    pub(super) fn chosen(&mut self, question: Question, chosen: Chosen) -> Turn {
        match question.kind {
            AskKind::Send => {
                self.last = Some(chosen.clone());
                match question.text {
                    Some(text) => act(Act::Send(chosen, text)),
                    None => self.ask(Asking::Text(chosen)),
                }
            }
            AskKind::Me => {
                self.last = Some(chosen.clone());
                self.asking = Asking::Text(chosen);
                Turn { refill: Some(Refill::Edit("/me ".into())), ..Turn::default() }
            }
            AskKind::Connect => act(Act::Connect(chosen.target)),
            AskKind::Disconnect => act(Act::Disconnect(chosen.target)),
            AskKind::Chat => self.begin_conversation(chosen),
            AskKind::History if chosen.target == Target::All => act(Act::History(HistoryOf::All, None)),
            AskKind::History => act(Act::History(HistoryOf::One(chosen), None)),
            AskKind::Mute | AskKind::Nickname => match (chosen.peer(), question.kind) {
                (Some(id), AskKind::Mute) => act(Act::ToggleMute(id, chosen.label)),
                (Some(id), _) => self.ask(Asking::Nickname(id, chosen.label)),
                (None, _) => {
                    self.asking = Asking::Whom(question);
                    again("That goes for one peer at a time; name one, or 0 to go back.".into(), "all")
                }
            },
        }
    }

    pub(super) fn begin_conversation(&mut self, with: Chosen) -> Turn {
        let line = format!("Every line goes to {} now; /back or Escape ends that.", with.label);
        self.last = Some(with.clone());
        self.conversation = Some(with);
        say([line])
    }

    pub(super) fn end_conversation(&mut self) -> Option<String> {
        let with = self.conversation.take()?;
        Some(format!("Lines go to {} no more; Enter alone shows the menu.", with.label))
    }

    pub(super) fn text(&mut self, to: Chosen, line: &str) -> Turn {
        if !line.trim().is_empty() {
            return act(Act::Send(to, line.to_owned()));
        }
        match self.kept.take_newest_for(&to.target) {
            Some(text) => act(Act::Send(to, text)),
            None => {
                say(["There is no text to send; choose 1 again and type at least one character.".to_owned()])
            }
        }
    }

    pub(super) fn name(&mut self, line: &str) -> Turn {
        match new_name(line) {
            Ok(name) => act(Act::Rename(name)),
            Err(_) if line.is_empty() || line == "0" => Turn::default(),
            Err(error) => {
                self.asking = Asking::Name;
                again(error.to_string(), line)
            }
        }
    }

    pub(super) fn nickname(&mut self, id: Recipient, label: String, line: &str) -> Turn {
        match alias(line) {
            Ok(name) => act(Act::Nickname(id, label, Some(name))),
            Err(_) if line.is_empty() => act(Act::Nickname(id, label, None)),
            Err(_) if line == "0" => Turn::default(),
            Err(error) => {
                self.asking = Asking::Nickname(id, label);
                again(error.to_string(), line)
            }
        }
    }
}
