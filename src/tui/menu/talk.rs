//! Handles the lines that are no number of the menu: `@name message`, commands, and the lines of a
//! conversation.

use std::net::{IpAddr, SocketAddr};

use super::{
    Act, AskKind, Asking, Chosen, Directory, Lost, Menu, Named, Question, Turn, act, find, refused, say,
};
use crate::model::invitation::{is_meant, pasted};
use crate::tui::commands::{self, Spec, TypedCommand, unknown};
use crate::tui::people::did_you_mean;

const EXAMPLE_PORT: u16 = 5000;

impl Menu {
    pub(super) fn talk(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        let trimmed = line.trim();
        // `//` and `@@` begin messages that start with a slash or an at sign.
        let literal = ["//", "@@"].iter().any(|twice| trimmed.starts_with(twice));
        if !literal && trimmed.starts_with('@') {
            return self.direct(&trimmed[1..], directory);
        }
        if !literal && trimmed.starts_with('/') {
            let (word, rest) = first_word(trimmed);
            let command = commands::named(word);
            // A pasted block is a message, even if it begins like a command.
            let is_invitation = command.is_some_and(|command| command.name == "/add") && is_meant(rest);
            if !trimmed.contains('\n')
                || command.is_some_and(|command| command.takes_message)
                || is_invitation
            {
                return self.command(command, word, rest, directory);
            }
        }
        let text = if literal { &trimmed[1..] } else { line };
        match self.conversation.clone() {
            Some(with) if trimmed.is_empty() => {
                let with = &with.label;
                say([format!("Type a message for {with}, /back to leave, or /help.")])
            }
            Some(with) => act(Act::Send(with, text.to_owned())),
            None => match pasted(trimmed) {
                Some(invitation) => self.asks_to_add(invitation, directory),
                None => self.ask_to_whom(text),
            },
        }
    }

    /// Handles a message without a recipient. In a script it is refused, because the next line is
    /// not an answer.
    pub(in crate::tui) fn ask_to_whom(&mut self, text: &str) -> Turn {
        let meant = commands::named(&format!("/{}", text.trim()));
        if !self.asks_again {
            return refused(match meant {
                Some(command) => {
                    format!("Not sent: a message needs a recipient. Did you mean {}?", command.name)
                }
                None => "Not sent: a message needs a recipient, like @bob hello.".into(),
            });
        }
        let question = Question { kind: AskKind::Send, last: self.last.clone(), text: Some(text.to_owned()) };
        let mut turn = self.ask(Asking::Whom(question));
        if let Some(command) = meant {
            turn.say.push(format!("To run the command, type 0 and then {}.", command.name));
        }
        turn
    }

    /// `@bob see you at 5`. `words` is what follows the `@`.
    pub(in crate::tui) fn direct(&mut self, words: &str, directory: &dyn Directory) -> Turn {
        let (word, text) = first_word(words);
        if word.is_empty() {
            return refused("Type a recipient directly after the @, like @bob see you at 5.");
        }
        let (word, found) = match (find(word, directory), word.trim_end_matches([':', ','])) {
            (Err(Lost::Nobody(_) | Lost::NoAddress(_)), shorter)
                if shorter != word && !shorter.is_empty() =>
            {
                (shorter, find(shorter, directory))
            }
            (found, _) => (word, found),
        };
        match found {
            Ok(Named::Exactly(to)) if text.is_empty() => {
                self.remember(&to);
                self.ask(Asking::Text(to, ""))
            }
            Ok(Named::Exactly(to)) => self.say_to(to, text),
            Ok(Named::Perhaps(to)) => refused(did_you_mean(word, &to.label)),
            Ok(Named::NeedsPort(ip)) => refused(needs_port("@", ip)),
            Err(lost) => refused(lost.sentence(word)),
        }
    }

    pub(in crate::tui) fn say_to(&mut self, to: Chosen, text: &str) -> Turn {
        self.remember(&to);
        act(Act::Send(to, text.to_owned()))
    }

    /// `/reply`, with or without a text.
    pub(in crate::tui) fn reply(&mut self, text: &str) -> Turn {
        match self.reply_to.clone().unwrap_or_else(|| self.last_sender.clone()) {
            None => refused("There is no message to answer yet."),
            Some(to) if text.is_empty() => {
                self.remember(&to);
                self.ask(Asking::Text(to, ""))
            }
            Some(to) => self.say_to(to, text),
        }
    }

    fn command(
        &mut self,
        command: Option<&'static Spec>,
        word: &str,
        rest: &str,
        directory: &dyn Directory,
    ) -> Turn {
        match command {
            None => {
                unknown(word, "/help lists all commands; to send the line as a message, begin it with //.")
            }
            Some(command) if command.arguments.is_empty() && !rest.is_empty() => {
                refused(format!("{} takes nothing after it.", command.name))
            }
            Some(command) => (command.read)(self, &TypedCommand { command, rest, directory }),
        }
    }

    /// A command for the recipient that is typed after it. Without one, asks.
    pub(in crate::tui) fn with_peer(&mut self, kind: AskKind, typed: &TypedCommand<'_>) -> Turn {
        let (word, directory) = (typed.rest, typed.directory);
        let last = self.last.clone().filter(|_| kind == AskKind::Chat);
        let question = Question { kind, last, text: None };
        if word.is_empty() {
            return self.ask(Asking::Whom(question));
        }
        self.meant(question, word, directory).unwrap_or_else(|(_, sentence)| refused(sentence))
    }
}

/// The first word of a line, and the rest without the white space between.
pub(in crate::tui) fn first_word(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

/// Says that a command takes exactly one peer.
pub(in crate::tui) fn for_one_peer(command: &str) -> String {
    format!("{command} takes one peer.")
}

/// Says that an IP needs a port. `before` is what stands before the address in the example.
pub(in crate::tui) fn needs_port(before: &str, ip: IpAddr) -> String {
    format!("Type the port too, like {before}{}.", SocketAddr::new(ip, EXAMPLE_PORT))
}
