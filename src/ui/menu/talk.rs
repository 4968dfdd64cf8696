//! What can be typed beside the numbers of the menu: `@name text`, commands, and the lines of a
//! conversation.

use super::{
    Act, AskKind, Asking, Chosen, Directory, HistoryOf, Lost, Menu, Named, Outbox, Question, Refill, Turn,
    act, find, find_to_connect, say, shown,
};
use crate::model::name::{alias, new_name};
use crate::ui::commands::{self, CommandHelp};

impl Menu {
    /// Takes a line that is no number of the menu.
    pub(super) fn talk(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        let trimmed = line.trim();
        // `//` and `@@` are for texts that begin so.
        let literal = ["//", "@@"].iter().any(|twice| trimmed.starts_with(twice));
        if !literal && trimmed.starts_with('@') {
            return self.direct(trimmed, directory);
        }
        if !literal && trimmed.starts_with('/') {
            let (word, rest) = first_word(trimmed);
            let command = commands::named(word);
            // A pasted block is a text, whatever it begins with.
            if !trimmed.contains('\n') || command.is_some_and(takes_text) {
                return self.command(command, word, rest, directory);
            }
        }
        let text = if literal { &trimmed[1..] } else { line };
        match self.conversation.clone() {
            Some(with) if trimmed.is_empty() => {
                let with = &with.label;
                say([format!(
                    "Type a text for {with}; /back ends the conversation, /help shows what else there is."
                )])
            }
            Some(with) => act(Act::Send(with, text.to_owned())),
            None => self.ask_to_whom(text),
        }
    }

    /// A text was typed without a recipient.
    fn ask_to_whom(&mut self, text: &str) -> Turn {
        let meant = commands::named(&format!("/{}", text.trim()));
        let question = Question { kind: AskKind::Send, last: self.last.clone(), text: Some(text.to_owned()) };
        let mut turn = self.ask(Asking::Whom(question));
        if let Some(command) = meant {
            turn.say.push(format!("If you meant the command: 0, and then {}.", command.name));
        }
        turn
    }

    /// `@bob see you at 5`.
    fn direct(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        let (word, text) = first_word(&line[1..]);
        if word.is_empty() {
            let sentence = "Name somebody directly behind the @, like `@bob see you at 5`, or `@all`.";
            return self.not_sent(sentence.into(), line, text);
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
                self.last = Some(to.clone());
                self.ask(Asking::Text(to))
            }
            Ok(Named::Exactly(to)) => self.say_to(to, text),
            Ok(Named::Perhaps(to)) => {
                let sentence =
                    format!("Nobody is called `{}`; with Enter it goes to {}.", shown(word), to.label);
                let line = format!("@{} {text}", to.label);
                self.not_sent(sentence, &line, text)
            }
            Ok(Named::NeedsPort(ip)) => {
                self.not_sent(format!("Write the port too, like `@{ip}:5000 {}`.", shown(text)), line, text)
            }
            Err(lost) => self.not_sent(lost.sentence(word, ""), line, text),
        }
    }

    /// Gives the line back, or keeps the text where no line can be edited.
    fn not_sent(&mut self, sentence: String, line: &str, text: &str) -> Turn {
        let mut turn = say([sentence]);
        if self.can_edit {
            turn.refill = Some(Refill::Edit(line.to_owned()));
        } else if !text.is_empty() {
            turn.say.extend(self.keep_for_later(text.to_owned()));
        }
        turn
    }

    fn say_to(&mut self, to: Chosen, text: &str) -> Turn {
        self.last = Some(to.clone());
        act(Act::Send(to, text.to_owned()))
    }

    /// `/reply`, with or without a text.
    pub(super) fn reply(&mut self, text: &str) -> Turn {
        match self.reply_to.clone().unwrap_or_else(|| self.last_sender.clone()) {
            None if text.is_empty() => say(["Nobody has written yet, so there is nobody to answer.".into()]),
            None => self.not_sent(
                "Nobody has written yet; name somebody, like `@bob see you at 5`.".into(),
                &format!("/reply {text}"),
                text,
            ),
            Some(to) if text.is_empty() => {
                self.last = Some(to.clone());
                self.ask(Asking::Text(to))
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
            return unknown(word, rest);
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
                Err(_) => wrong("Write the number where a message was cut, like `/show 17`.", "/show "),
            },
            ("/mute", "") => act(Act::ListMuted),
            ("/alias", "") => act(Act::ListNicknames),
            ("/connect", word) => self.with_peer(AskKind::Connect, word, rest, command, directory),
            ("/disconnect", word) => self.with_peer(AskKind::Disconnect, word, rest, command, directory),
            ("/chat", word) => self.with_peer(AskKind::Chat, word, rest, command, directory),
            ("/mute" | "/unmute" | "/alias", _) => self.for_one(command, rest, directory),
            (
                "/key" | "/verify" | "/trust" | "/accept" | "/block" | "/unblock" | "/add" | "/forget"
                | "/policy",
                _,
            ) => self.about_keys(command, rest, directory),
            ("/reply", text) => self.reply(text),
            ("/me", "") => wrong("Write what you do behind it, like `/me waves`.", "/me "),
            ("/me", text) => {
                let text = format!("/me {text}");
                match self.conversation.clone() {
                    Some(with) => self.say_to(with, &text),
                    None => self.ask_to_whom(&text),
                }
            }
            ("/all-plain", "") => {
                wrong("Write a text behind it, like `/all-plain soup is ready`.", "/all-plain ")
            }
            ("/all-plain", text) => {
                let to = Chosen::all_plain();
                // It is no default for the next text: the user decides each time.
                act(Act::Send(to, text.to_owned()))
            }
            ("/name", "") => self.ask(Asking::Name),
            ("/name", new) => match new_name(new) {
                Ok(name) => act(Act::Rename(name)),
                Err(error) => wrong(&error.to_string(), &format!("/name {new}")),
            },
            (name, rest) if !rest.is_empty() => {
                wrong(&format!("{name} stands alone; `{}` is too much.", shown(rest)), name)
            }
            ("/peers", _) => act(Act::List),
            ("/requests", _) => act(Act::ListRequests),
            ("/contacts", _) => act(Act::ListContacts),
            ("/blocked", _) => act(Act::ListBlocked),
            ("/copy", _) => act(Act::Copy),
            ("/back", _) => match self.end_conversation() {
                Some(line) => say([line]),
                None => {
                    say(["There is no conversation to end; /chat begins one, /quit ends the program.".into()])
                }
            },
            ("/quit", _) => act(Act::Exit),
            (name, _) => unknown(name, rest),
        }
    }

    /// A command for the recipient that `word` names.
    fn with_peer(
        &mut self,
        kind: AskKind,
        word: &str,
        rest: &str,
        command: &CommandHelp,
        directory: &dyn Directory,
    ) -> Turn {
        let question = Question { kind, last: None, text: None };
        let find = if kind == AskKind::Connect { find_to_connect } else { find };
        match find(word, directory) {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => self.chosen(question, chosen),
            Ok(Named::NeedsPort(ip)) => self.ask(Asking::Port(question, ip)),
            Err(lost) => wrong(&lost.sentence(word, ""), &format!("{} {rest}", command.name)),
        }
    }

    /// `/mute`, `/unmute` and `/alias`, which go for one peer.
    fn for_one(&mut self, command: &CommandHelp, rest: &str, directory: &dyn Directory) -> Turn {
        let line = format!("{} {rest}", command.name);
        let (word, new) = first_word(rest);
        if word.is_empty() {
            return wrong(&format!("Name somebody: {}.", commands::usage(command)), &format!("{line} "));
        }
        let chosen = match find(word, directory) {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => chosen,
            Ok(Named::NeedsPort(ip)) => {
                return wrong(&format!("Write the port too, like {} {ip}:5000.", command.name), &line);
            }
            Err(lost) => return wrong(&lost.sentence_for_one(word), &line),
        };
        let Some(id) = chosen.peer() else {
            return wrong(&format!("{} goes for one peer at a time; name one.", command.name), &line);
        };
        match (command.name, new) {
            ("/mute", "") => act(Act::Mute(id, chosen.label)),
            ("/unmute", "") => act(Act::Unmute(id, chosen.label)),
            ("/alias", "") => self.ask(Asking::Nickname(id, chosen.label)),
            ("/alias", "-") => act(Act::Nickname(id, chosen.label, None)),
            ("/alias", new) => match alias(new) {
                Ok(name) => act(Act::Nickname(id, chosen.label, Some(name))),
                Err(error) => wrong(&error.to_string(), &line),
            },
            (name, new) => wrong(&format!("{name} goes for one peer; `{}` is too much.", shown(new)), &line),
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
        Err(lost) => return wrong(&lost.sentence(word, ""), &format!("/history {words}")),
    };
    act(Act::History(of, text))
}

/// `/outbox`, `/outbox cancel 2`, `/outbox again all`.
fn outbox(what: &str) -> Turn {
    let usage = "Type /outbox alone, or with `cancel` or `again` and a number of its list, or all, like /outbox cancel 2.";
    let (word, number) = first_word(what);
    let which = match number {
        "all" => Ok(None),
        number => number.parse().map(Some).map_err(|_| wrong(usage, &format!("/outbox {what}"))),
    };
    match (word, which) {
        ("", _) => act(Act::Outbox(Outbox::Show)),
        ("cancel", Ok(which)) => act(Act::Outbox(Outbox::Cancel(which))),
        ("again", Ok(which)) => act(Act::Outbox(Outbox::Again(which))),
        ("cancel" | "again", Err(turn)) => turn,
        _ => wrong(usage, &format!("/outbox {what}")),
    }
}

/// Whether what stands behind a command is a text, which may have several lines.
fn takes_text(command: &CommandHelp) -> bool {
    matches!(command.name, "/me" | "/reply" | "/all-plain")
}

/// The first word of a line, and the rest without the white space between.
pub(super) fn first_word(line: &str) -> (&str, &str) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    (word, rest.trim())
}

fn help(word: &str) -> Turn {
    let name = format!("/{}", word.trim_start_matches('/'));
    match (commands::named(&name), commands::nearest(&name)) {
        (Some(command), _) => say(commands::explained(command)),
        (None, Some(near)) => wrong(
            &format!("`{}` is no command; did you mean {}?", shown(&name), near.name),
            &format!("/help {}", near.name),
        ),
        (None, None) => say([format!("`{}` is no command; /help lists them all.", shown(&name))]),
    }
}

/// Offers the nearest command in place of one that there is not.
fn unknown(word: &str, rest: &str) -> Turn {
    match commands::nearest(word) {
        Some(near) => {
            let line = format!("{} {rest}", near.name);
            wrong(&format!("`{}` is no command; did you mean {}?", shown(word), near.name), line.trim_end())
        }
        None => {
            let line = format!("{word} {rest}");
            wrong(
                &format!(
                    "`{}` is no command; /help lists them. A text that begins with / begins with //.",
                    shown(word)
                ),
                line.trim_end(),
            )
        }
    }
}

/// Says what is wrong, and gives the line back, corrected as far as that goes.
pub(super) fn wrong(sentence: &str, line: &str) -> Turn {
    Turn { refill: Some(Refill::Edit(line.to_owned())), ..say([sentence.to_owned()]) }
}
