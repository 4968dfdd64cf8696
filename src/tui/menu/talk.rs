//! What can be typed beside the numbers of the menu: `@name text`, commands, and the lines of a
//! conversation.

use std::net::{IpAddr, SocketAddr};

use super::{
    Act, AskKind, Asking, Chosen, Directory, HistoryOf, Lost, Menu, Named, Outbox, Question, Turn, act, find,
    find_to_connect, host_meant, introductions, refused, say, shown,
};
use crate::core::DiscoveryMode;
use crate::model::invitation::{is_meant, pasted};
use crate::model::name::{alias, new_name};
use crate::tui::commands::{self, CommandHelp};
use crate::tui::people::did_you_mean;

/// The port in examples of an address.
const EXAMPLE_PORT: u16 = 5000;

impl Menu {
    /// Takes a line that is no number of the menu.
    pub(super) fn talk(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        let trimmed = line.trim();
        // `//` and `@@` are for texts that begin so.
        let literal = ["//", "@@"].iter().any(|twice| trimmed.starts_with(twice));
        if !literal && trimmed.starts_with('@') {
            return self.direct(&trimmed[1..], directory);
        }
        if !literal && trimmed.starts_with('/') {
            let (word, rest) = first_word(trimmed);
            let command = commands::named(word);
            // A pasted block is a text, whatever it begins with.
            let is_invitation = command.is_some_and(|command| command.name == "/add") && is_meant(rest);
            if !trimmed.contains('\n') || command.is_some_and(takes_text) || is_invitation {
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

    /// A text was typed without a recipient. In a script it is refused, because the next line is
    /// not an answer.
    fn ask_to_whom(&mut self, text: &str) -> Turn {
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
            turn.say.push(format!("For the command, type 0 and then {}.", command.name));
        }
        turn
    }

    /// `@bob see you at 5`. `words` is what follows the `@`.
    fn direct(&mut self, words: &str, directory: &dyn Directory) -> Turn {
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

    fn say_to(&mut self, to: Chosen, text: &str) -> Turn {
        self.remember(&to);
        act(Act::Send(to, text.to_owned()))
    }

    /// `/reply`, with or without a text.
    pub(super) fn reply(&mut self, text: &str) -> Turn {
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
        command: Option<&'static CommandHelp>,
        word: &str,
        rest: &str,
        directory: &dyn Directory,
    ) -> Turn {
        let Some(command) = command else {
            return unknown(word);
        };
        match (command.name, rest) {
            ("/help", "") => say(commands::overview()),
            ("/help", word) => help(word),
            ("/connect", "") => self.ask_whom(AskKind::Connect, None),
            ("/disconnect", "") => self.ask_whom(AskKind::Disconnect, None),
            ("/chat", "") => self.ask_whom(AskKind::Chat, self.last.clone()),
            ("/history", "") => act(Act::History(HistoryOf::All, None)),
            ("/history", words) => history(words, directory),
            ("/outbox", what) => outbox(what),
            ("/show", number) => match number.parse() {
                Ok(number) => act(Act::ShowLong(number)),
                Err(_) => refused("Type the number of a message that was cut, like /show 17."),
            },
            ("/mute", "") => act(Act::ListMuted),
            ("/alias", "") => act(Act::ListNicknames),
            ("/discover", how) => discover(how),
            ("/connect", word) => self.with_peer(AskKind::Connect, word, directory),
            ("/disconnect", word) => self.with_peer(AskKind::Disconnect, word, directory),
            ("/chat", word) => self.with_peer(AskKind::Chat, word, directory),
            ("/mute" | "/unmute" | "/alias", _) => self.for_one(command, rest, directory),
            (
                "/key" | "/verify" | "/trust" | "/accept" | "/block" | "/unblock" | "/add" | "/forget"
                | "/policy" | "/ignore",
                _,
            ) => self.about_keys(command, rest, directory),
            ("/introduce", words) => introductions::introduce(words, directory),
            ("/reply", text) => self.reply(text),
            ("/msg", words) if words.starts_with('@') => self.direct(&words[1..], directory),
            ("/msg", "") => refused("Type a recipient and a message, like /msg bob see you at 5."),
            ("/msg", words) => self.direct(words, directory),
            ("/me", "") => refused("Type what you do after it, like /me waves."),
            ("/me", text) => {
                let text = format!("/me {text}");
                match self.conversation.clone() {
                    Some(with) => self.say_to(with, &text),
                    None => self.ask_to_whom(&text),
                }
            }
            ("/all-plain", "") => refused("Type a message after it, like /all-plain soup is ready."),
            ("/all-plain", text) => {
                let to = Chosen::all_plain();
                // It is no default for the next text: the user decides each time.
                act(Act::Send(to, text.to_owned()))
            }
            ("/name", "") => self.ask(Asking::Name),
            ("/name", new) => match new_name(new) {
                Ok(name) => act(Act::Rename(name)),
                Err(error) => refused(error.to_string()),
            },
            (name, rest) if !rest.is_empty() => refused(format!("{name} takes nothing after it.")),
            ("/peers", _) => act(Act::List),
            ("/requests", _) => act(Act::ListRequests),
            ("/contacts", _) => act(Act::ListContacts),
            ("/blocked", _) => act(Act::ListBlocked),
            ("/copy", _) => act(Act::Copy),
            ("/invite", _) => act(Act::ShowInvitation),
            ("/back", _) => match self.end_conversation() {
                Some(line) => say([line]),
                None => refused("There is no conversation to end. /quit ends the program."),
            },
            ("/quit", _) => act(Act::Exit),
            (name, _) => unknown(name),
        }
    }

    /// A command for the recipient that `word` names.
    fn with_peer(&mut self, kind: AskKind, word: &str, directory: &dyn Directory) -> Turn {
        if let Some(host) = host_meant(word, directory).filter(|_| kind == AskKind::Connect) {
            return act(Act::ConnectToHost(host));
        }
        let question = Question { kind, last: None, text: None };
        let find = if kind == AskKind::Connect { find_to_connect } else { find };
        match find(word, directory) {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => self.chosen(question, chosen),
            Ok(Named::NeedsPort(ip)) => self.ask(Asking::Port(question, ip)),
            Err(lost) => refused(lost.sentence(word)),
        }
    }

    /// `/mute`, `/unmute` and `/alias`, which go for one peer.
    fn for_one(&mut self, command: &CommandHelp, rest: &str, directory: &dyn Directory) -> Turn {
        let (word, new) = first_word(rest);
        if word.is_empty() {
            return refused(format!("Type a recipient: {}.", commands::usage(command)));
        }
        let chosen = match find(word, directory) {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => chosen,
            Ok(Named::NeedsPort(ip)) => {
                return refused(needs_port(&format!("{} ", command.name), ip));
            }
            Err(lost) => return refused(lost.sentence_for_one(word)),
        };
        let Some(id) = chosen.peer() else {
            return refused(for_one_peer(command.name));
        };
        match (command.name, new) {
            ("/mute", "") => act(Act::Mute(id)),
            ("/unmute", "") => act(Act::Unmute(id)),
            ("/alias", "") => self.ask(Asking::Nickname(id, chosen.label)),
            ("/alias", "-") => act(Act::Nickname(id, chosen.label, None)),
            ("/alias", new) => match alias(new) {
                Ok(name) => act(Act::Nickname(id, chosen.label, Some(name))),
                Err(error) => refused(error.to_string()),
            },
            (name, _) => refused(for_one_peer(name)),
        }
    }
}

/// `/history bob lunch`: the peer, if the first word names one, and the words to search for.
fn history(words: &str, directory: &dyn Directory) -> Turn {
    let (word, rest) = first_word(words);
    let text = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
    let of = match find(word, directory) {
        Ok(Named::Exactly(all)) if all.peer().is_none() => HistoryOf::All,
        Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => HistoryOf::One(chosen),
        // It may be a peer that is only in the history, or a word to search for.
        Ok(Named::NeedsPort(_))
        | Err(Lost::Nobody(_) | Lost::Blocked(..) | Lost::Waits(_) | Lost::NoAddress(_)) => {
            HistoryOf::Named(word.to_owned())
        }
        Err(lost) => return refused(lost.sentence(word)),
    };
    act(Act::History(of, text))
}

/// Handles `/discover` and `/discover off`.
fn discover(how: &str) -> Turn {
    match how {
        "" => act(Act::ShowDiscovery),
        "on" => act(Act::SetDiscovery(DiscoveryMode::On)),
        "contacts" => act(Act::SetDiscovery(DiscoveryMode::Contacts)),
        "off" => act(Act::SetDiscovery(DiscoveryMode::Off)),
        _ => refused("Type on, contacts or off after /discover."),
    }
}

/// `/outbox`, `/outbox cancel 2`, `/outbox again all`.
fn outbox(what: &str) -> Turn {
    let usage = "Type /outbox, or an action and a number from its list (or all), like /outbox cancel 2.";
    let (word, number) = first_word(what);
    let which = match number {
        "all" => Ok(None),
        number => number.parse().map(Some).map_err(|_| refused(usage)),
    };
    match (word, which) {
        ("", _) => act(Act::Outbox(Outbox::Show)),
        ("cancel", Ok(which)) => act(Act::Outbox(Outbox::Cancel(which))),
        ("again", Ok(which)) => act(Act::Outbox(Outbox::Again(which))),
        ("cancel" | "again", Err(turn)) => turn,
        _ => refused(usage),
    }
}

/// Whether what stands behind a command is a text, which may have several lines.
fn takes_text(command: &CommandHelp) -> bool {
    matches!(command.name, "/me" | "/reply" | "/all-plain" | "/msg")
}

/// The first word of a line, and the rest without the white space between.
pub(super) fn first_word(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

fn help(word: &str) -> Turn {
    let name = format!("/{}", word.trim_start_matches('/'));
    match commands::named(&name) {
        Some(command) => say(commands::explained(command)),
        None => unknown(&name),
    }
}

/// Refuses a command that does not exist, with a suggestion.
fn unknown(word: &str) -> Turn {
    let name = shown(word);
    refused(match commands::nearest(word) {
        Some(near) => format!("There is no command {name}. Did you mean {}?", near.name),
        None => format!(
            "There is no command {name}. /help lists all commands; to send the line as a message, begin it with //."
        ),
    })
}

/// Says that a command takes exactly one peer.
pub(super) fn for_one_peer(command: &str) -> String {
    format!("{command} takes one peer.")
}

/// Says that an IP needs a port. `before` is what stands before the address in the example.
pub(super) fn needs_port(before: &str, ip: IpAddr) -> String {
    format!("Type the port too, like {before}{}.", SocketAddr::new(ip, EXAMPLE_PORT))
}
