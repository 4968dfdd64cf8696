//! The numbered menu: a line goes in, the next prompt, a sentence or something to do comes out. Pure.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::people::{Chosen, Directory, Named, everybody, find, shown};
use crate::chat::Target;
use crate::peer::parse_port;

/// The menu as it is shown.
pub(super) const MENU: [&str; 5] =
    ["1  Send a message", "2  Show peers", "3  Connect", "4  Disconnect", "0  Exit"];

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Send this text.
    Send(Target, String),
    /// Verify and show the peers.
    List,
    /// Ask to be listed.
    Connect(Target),
    /// Say goodbye.
    Disconnect(Target),
    /// Leave.
    Exit,
}

/// What comes of a line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Turn {
    /// What to tell the user first.
    pub say: Vec<String>,
    /// What to do then.
    pub act: Option<Act>,
    /// What to put into the line for the user to correct: what they typed is not lost.
    pub refill: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Send,
    Connect,
    Disconnect,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Asking {
    #[default]
    Choice,
    /// With whom Enter alone means, as the question said.
    Whom(Deed, Option<Chosen>),
    Port(Deed, Ipv4Addr),
    Text(Chosen),
}

/// Where the user is in the menu, and what they need not type again.
#[derive(Clone, Debug, Default)]
pub struct Menu {
    asking: Asking,
    last: Option<Chosen>,
    kept: VecDeque<Kept>,
}

/// A text that was not sent; one that was typed at the menu was meant for nobody in particular yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    to: Option<Target>,
    text: String,
}

/// Texts that are kept at most. Whoever has more than that lying about has forgotten the oldest.
const MAX_KEPT: usize = 16;

impl Menu {
    /// A menu at its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines of the menu itself.
    pub fn lines() -> Vec<String> {
        MENU.map(str::to_owned).to_vec()
    }

    /// What to ask now.
    pub fn prompt(&self) -> String {
        match &self.asking {
            Asking::Choice => "Choice [0-4]: ".into(),
            Asking::Whom(Deed::Send, _) => "To: ".into(),
            Asking::Whom(Deed::Connect, _) => "Connect to: ".into(),
            Asking::Whom(Deed::Disconnect, _) => "Disconnect from: ".into(),
            Asking::Port(_, ip) => format!("Port of {ip}: "),
            Asking::Text(to) => format!("Text to {}: ", to.label),
        }
    }

    /// What can be answered to the prompt, where that needs saying.
    fn hint(&self) -> Option<String> {
        let names = "Number, name, ip:port";
        Some(match &self.asking {
            Asking::Whom(Deed::Send, last) => match last {
                Some(last) => format!("To whom? {names} or all. Enter: {}. 0: back.", last.label),
                None => format!("To whom? {names} or all. 0: back."),
            },
            Asking::Whom(Deed::Connect, _) => format!("Connect to whom? {names}. Enter: all known. 0: back."),
            Asking::Whom(Deed::Disconnect, _) => format!("Disconnect from whom? {names} or all. 0: back."),
            Asking::Text(to) => {
                let kept = self.kept.get(self.kept_for(to)?)?;
                format!("Enter alone sends the kept text: {}", shown(&kept.text))
            }
            Asking::Choice | Asking::Port(..) => return None,
        })
    }

    /// Whether the menu itself is asking.
    pub fn is_at_choice(&self) -> bool {
        self.asking == Asking::Choice
    }

    /// Keeps a text that was not sent, for the user to send with two strokes of Enter; returns what to say of that.
    pub fn keep(&mut self, to: Target, label: String, text: String) -> Vec<String> {
        self.last = Some(Chosen { target: to.clone(), label });
        let mut say = vec!["The text is kept: choose 1 and press Enter twice to send it again.".to_owned()];
        say.extend(self.keep_for(Some(to), text));
        say
    }

    /// Gives up what is being asked, and keeps what was typed if it was a text; returns what to say of that.
    pub fn escape(&mut self, typed: String) -> Vec<String> {
        match std::mem::take(&mut self.asking) {
            Asking::Text(to) if !typed.trim().is_empty() => self.keep(to.target, to.label, typed),
            _ => Vec::new(),
        }
    }

    /// Asks for the text to the last recipient again, for what was typed has to be changed.
    pub fn ask_text_again(&mut self) {
        if let Some(last) = self.last.clone() {
            self.asking = Asking::Text(last);
        }
    }

    /// Keeps a text; if there are too many, the oldest goes, and that is said.
    fn keep_for(&mut self, to: Option<Target>, text: String) -> Option<String> {
        self.kept.push_back(Kept { to, text });
        let dropped = if self.kept.len() > MAX_KEPT { self.kept.pop_front() } else { None };
        dropped.map(|oldest| {
            format!("More than {MAX_KEPT} texts are kept, so the oldest is dropped: {}", oldest.text)
        })
    }

    /// The newest kept text that was meant for these, or for nobody in particular.
    fn kept_for(&self, to: &Chosen) -> Option<usize> {
        self.kept.iter().rposition(|kept| kept.to.as_ref().is_none_or(|target| *target == to.target))
    }

    /// Takes a line that the user finished.
    pub fn line(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        match std::mem::take(&mut self.asking) {
            Asking::Choice => self.choice(line.trim()),
            Asking::Whom(deed, last) => self.whom(deed, last, line.trim(), directory),
            Asking::Port(deed, ip) => self.port(deed, ip, line.trim(), directory),
            Asking::Text(to) => self.text(to, line),
        }
    }

    fn choice(&mut self, line: &str) -> Turn {
        match line {
            "1" => self.ask(Asking::Whom(Deed::Send, self.last.clone())),
            "2" => act(Act::List),
            "3" => self.ask(Asking::Whom(Deed::Connect, None)),
            "4" => self.ask(Asking::Whom(Deed::Disconnect, None)),
            "0" => act(Act::Exit),
            "" => Turn { say: Self::lines(), ..Turn::default() },
            other => {
                let mut say = vec![format!("`{}` is no choice; type a number from the menu.", shown(other))];
                if other.chars().count() > 2 && other.contains(|c: char| !c.is_ascii_digit()) {
                    // Somebody began to talk.
                    say.push("The text is kept: choose 1 to send it.".into());
                    say.extend(self.keep_for(None, other.to_owned()));
                }
                say.extend(Self::lines());
                Turn { say, ..Turn::default() }
            }
        }
    }

    fn ask(&mut self, asking: Asking) -> Turn {
        self.asking = asking;
        Turn { say: self.hint().into_iter().collect(), ..Turn::default() }
    }

    fn whom(&mut self, deed: Deed, last: Option<Chosen>, line: &str, directory: &dyn Directory) -> Turn {
        if line == "0" {
            return Turn::default();
        }
        let named = match (line, deed, &last) {
            ("", Deed::Send, Some(last)) => Ok(Named::Chosen(last.clone())),
            ("", Deed::Connect, _) => Ok(everybody()),
            ("", ..) => {
                Err("Nobody was named; give a number, a name, an ip:port or `all`, or 0 to go back.".into())
            }
            _ => find(line, directory),
        };
        match named {
            Ok(Named::Chosen(chosen)) => self.chosen(deed, chosen),
            Ok(Named::NeedsPort(ip)) => self.ask(Asking::Port(deed, ip)),
            Err(sentence) => {
                self.asking = Asking::Whom(deed, last);
                again(sentence, line)
            }
        }
    }

    fn port(&mut self, deed: Deed, ip: Ipv4Addr, line: &str, directory: &dyn Directory) -> Turn {
        if line == "0" {
            return Turn::default();
        }
        let found = parse_port(line)
            .map_err(|_| {
                format!("`{}` is no port; give a number from 1 to 65535, or 0 to go back.", shown(line))
            })
            .and_then(|port| find(&format!("{ip}:{port}"), directory));
        match found {
            Ok(Named::Chosen(chosen)) => self.chosen(deed, chosen),
            Ok(Named::NeedsPort(_)) => Turn::default(),
            Err(sentence) => {
                self.asking = Asking::Port(deed, ip);
                again(sentence, line)
            }
        }
    }

    fn chosen(&mut self, deed: Deed, chosen: Chosen) -> Turn {
        match deed {
            Deed::Send => {
                self.last = Some(chosen.clone());
                self.ask(Asking::Text(chosen))
            }
            Deed::Connect => act(Act::Connect(chosen.target)),
            Deed::Disconnect => act(Act::Disconnect(chosen.target)),
        }
    }

    fn text(&mut self, to: Chosen, line: &str) -> Turn {
        if !line.trim().is_empty() {
            return act(Act::Send(to.target, line.to_owned()));
        }
        match self.kept_for(&to).and_then(|at| self.kept.remove(at)) {
            Some(kept) => act(Act::Send(to.target, kept.text)),
            None => {
                let sentence = "There is no text to send; choose 1 again and type at least one character.";
                Turn { say: vec![sentence.into()], ..Turn::default() }
            }
        }
    }
}

fn act(act: Act) -> Turn {
    Turn { act: Some(act), ..Turn::default() }
}

/// Asks the same again, with what was typed to be corrected.
fn again(sentence: String, line: &str) -> Turn {
    Turn { say: vec![sentence], act: None, refill: Some(line.to_owned()) }
}

#[cfg(test)]
mod tests;
