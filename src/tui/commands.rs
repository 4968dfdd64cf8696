//! The commands of the prompt, one file for each or for a few that belong together. A file has the
//! name, the help, the completion, and what the command does. The help, the completion and the
//! manual page all use this table.

mod alias;
mod block;
mod chat;
mod contacts;
mod copy;
mod discover;
mod help;
mod history;
mod introduce;
mod invite;
mod key;
mod mute;
mod name;
mod outbox;
mod peers;
mod policy;
mod requests;
mod send;
mod show;

use std::borrow::Cow;
use std::fmt;

use super::app::App;
use super::complete::Argument;
use super::menu::trust::key_in_groups;
use super::menu::{Act, Menu, Turn, act, first_word, for_one_peer, needs_port, refused};
use super::people::{Chosen, Directory, Named, find, shown};
use crate::model::peer_id::Recipient;
pub(in crate::tui) use copy::Received;

/// A command of the prompt.
pub struct Spec {
    /// The name, with its slash.
    pub name: &'static str,
    /// Other names, some of them from other programs.
    synonyms: &'static [&'static str],
    /// The arguments, optional ones in brackets. A command without any is refused with words
    /// after it.
    pub arguments: &'static str,
    /// What the command does, in one line.
    pub short: &'static str,
    /// The details, in whole sentences.
    pub long: &'static str,
    /// The commands that share a row of the help with this one, which is the first of them, and
    /// what the row says. A command that is in no such list has a row of its own.
    row: Option<(&'static [&'static str], &'static str)>,
    /// What Tab completes after the name.
    pub(super) completes: Argument,
    /// Whether its last argument is a message, which may have several lines.
    pub(super) takes_message: bool,
    /// Turns the typed line into something to say or to do. Pure.
    pub(super) read: fn(&mut Menu, &TypedCommand<'_>) -> Turn,
    /// Does what is the command's own, after `read` has returned [`TypedCommand::to_app`]. Takes
    /// what stands after the name.
    pub(super) run: fn(&mut App, &str),
}

/// A command without arguments that does nothing, for the fields that a command does not set.
const COMMAND: Spec = Spec {
    name: "",
    synonyms: &[],
    arguments: "",
    short: "",
    long: "",
    row: None,
    completes: Argument::Nothing,
    takes_message: false,
    read: |_, typed| typed.to_app(),
    run: |_, _| {},
};

/// All commands, in the order of the manual page.
pub static COMMANDS: &[&Spec] = &[
    &help::HELP,
    &peers::PEERS,
    &peers::CONNECT,
    &peers::DISCONNECT,
    &send::MSG,
    &chat::CHAT,
    &chat::BACK,
    &send::REPLY,
    &history::HISTORY,
    &show::SHOW,
    &copy::COPY,
    &outbox::OUTBOX,
    &send::ME,
    &send::ALL_PLAIN,
    &name::NAME,
    &mute::MUTE,
    &mute::UNMUTE,
    &alias::ALIAS,
    &key::KEY,
    &invite::INVITE,
    &key::VERIFY,
    &requests::REQUESTS,
    &requests::TRUST,
    &requests::ACCEPT,
    &introduce::INTRODUCE,
    &introduce::IGNORE,
    &block::BLOCK,
    &block::BLOCKED,
    &block::UNBLOCK,
    &contacts::CONTACTS,
    &contacts::ADD,
    &contacts::FORGET,
    &policy::POLICY,
    &discover::DISCOVER,
    &help::QUIT,
];

impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

pub(super) struct TypedCommand<'a> {
    pub(super) command: &'static Spec,
    pub(super) rest: &'a str,
    pub(super) directory: &'a dyn Directory,
}

impl TypedCommand<'_> {
    /// Has the app carry out the command with [`Spec::run`].
    fn to_app(&self) -> Turn {
        act(Act::Own(self.command, self.rest.to_owned()))
    }

    /// The word for a peer, which may be a key in groups, and what follows it.
    fn peer_and_rest(&self) -> (Cow<'_, str>, &str) {
        match key_in_groups(self.rest, self.directory) {
            Some(key) => (Cow::Owned(key), ""),
            None => {
                let (word, rest) = first_word(self.rest);
                (Cow::Borrowed(word), rest)
            }
        }
    }

    /// The only word, which is to mean a peer.
    ///
    /// # Errors
    /// If there is none, or more follows: the sentence.
    pub(super) fn peer(&self) -> Result<Cow<'_, str>, String> {
        match self.peer_and_rest() {
            (word, _) if word.is_empty() => Err(format!("Name a peer: {}.", usage(self.command))),
            (word, "") => Ok(word),
            _ => Err(for_one_peer(self.command.name)),
        }
    }

    /// Calls `then` with the only word.
    fn with_peer(&self, then: impl FnOnce(&str, &dyn Directory) -> Turn) -> Turn {
        match self.peer() {
            Ok(word) => then(&word, self.directory),
            Err(sentence) => refused(sentence),
        }
    }

    /// The peer that the first word means, with or without a key, and what follows it.
    ///
    /// # Errors
    /// If it means none, or several: the sentence.
    fn for_one(&self) -> Result<(Chosen, Recipient, &str), String> {
        let (word, rest) = first_word(self.rest);
        if word.is_empty() {
            return Err(format!("Name a peer: {}.", usage(self.command)));
        }
        let name = self.command.name;
        let chosen = match find(word, self.directory) {
            Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => chosen,
            Ok(Named::NeedsPort(ip)) => return Err(needs_port(&format!("{name} "), ip)),
            Err(lost) => return Err(lost.sentence_for_one(word)),
        };
        match chosen.peer() {
            Some(id) => Ok((chosen, id, rest)),
            None => Err(for_one_peer(name)),
        }
    }
}

/// The keys of the line editor, and what each does.
pub const KEYS: &[(&str, &str)] = &[
    ("Left, Right, Ctrl-B, Ctrl-F", "Move one character back or forward."),
    ("Ctrl-Left, Ctrl-Right, Alt-B, Alt-F", "Move one word back or forward."),
    (
        "Home, End, Ctrl-A, Ctrl-E",
        "Move to the start or the end of the line; pressed again, of the whole message.",
    ),
    ("Up, Down, Ctrl-P, Ctrl-N", "Move through the lines of the message, then through earlier input."),
    ("Ctrl-R, Ctrl-S", "Search earlier input, backward or forward; Ctrl-G cancels."),
    ("Backspace, Delete, Ctrl-H, Ctrl-D", "Delete a character. Ctrl-D on an empty line exits."),
    ("Ctrl-W, Alt-Backspace, Alt-D", "Delete back to a blank, the word before, the word after."),
    ("Ctrl-U, Ctrl-K", "Delete to the start or the end of the line."),
    ("Ctrl-Y, Ctrl-T, Ctrl-_", "Paste the deleted text, swap two characters, undo."),
    ("Tab", "Complete a command, a name or an address, or list the choices."),
    ("Alt-Enter", "Start a new line in the message."),
    ("Escape", "Clear the line, which Up brings back; on an empty line, go back."),
    ("Ctrl-C", "Clear the line, which Up brings back; twice on an empty line, exit."),
    ("Ctrl-L, Ctrl-Z", "Clear the screen; suspend p2p-chat until the shell resumes it."),
];

/// Returns the command with this name or alternative name, ignoring case.
pub(super) fn named(word: &str) -> Option<&'static Spec> {
    let word = word.to_lowercase();
    let is_it = |command: &&&Spec| command.name == word || command.synonyms.contains(&&*word);
    COMMANDS.iter().find(is_it).copied()
}

/// Whether a line is the command to leave, by any of its names. Every question accepts it.
pub(crate) fn is_quit(line: &str) -> bool {
    named(line.trim()) == Some(&help::QUIT)
}

/// Refuses a command that does not exist, with a suggestion or this `hint`.
pub(super) fn unknown(word: &str, hint: &str) -> Turn {
    let name = shown(word);
    let suggestion = nearest(word).map(|near| format!("Did you mean {}?", near.name));
    refused(format!("There is no command {name}. {}", suggestion.as_deref().unwrap_or(hint)))
}

/// How similar two words have to be (1 is equal) for a suggestion.
const ALIKE: f64 = 0.75;

/// Edits between a word and the suggested command, at most. In a short word, half as many as it has
/// characters after the slash: more make another word of it.
const MAX_EDITS: usize = 3;

/// Returns the command to suggest for an unknown one: one that begins with it, or a similar one.
fn nearest(word: &str) -> Option<&'static Spec> {
    if word.len() <= 1 {
        return None;
    }
    let word = word.to_lowercase();
    let by_beginning = COMMANDS.iter().copied().find(|command| command.name.starts_with(&word));
    by_beginning.or_else(|| {
        let alike = |command: &Spec| strsim::jaro_winkler(command.name, &word);
        let nearest = COMMANDS.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
        let edits = strsim::damerau_levenshtein(nearest.name, &word);
        (alike(nearest) >= ALIKE && edits <= MAX_EDITS.min((word.chars().count() - 1) / 2)).then_some(nearest)
    })
}

/// Lines that a list shows, at most. The others are counted.
pub(super) const MAX_LISTED: usize = 50;

/// Columns of the help: those of the narrowest usual terminal.
const COLUMNS: usize = 80;

/// Columns for the commands of a row in the help, with the space after them.
const NAME_COLUMNS: usize = 29;

/// Returns the help: everything that can be typed at the prompt. It fits a terminal of 80 columns
/// and 24 rows, with the prompt and the status line.
pub(super) fn overview() -> Vec<String> {
    let row = |left: &str, right: &str| format!("  {left:NAME_COLUMNS$}{right}");
    let mut lines =
        vec!["Type the number of a menu entry, or one of these (/help COMMAND explains one):".to_owned()];
    // How to send a message comes first.
    for command in [&send::MSG].into_iter().chain(COMMANDS.iter().copied()) {
        let has_row =
            COMMANDS.iter().any(|of| of.row.is_some_and(|(names, _)| names.contains(&command.name)));
        match command.row {
            Some((names, words)) if command != &send::MSG || lines.len() == 1 => {
                lines.push(row(&names.join(", "), words));
            }
            None if !has_row => lines.push(row(&usage(command), command.short)),
            _ => {}
        }
    }
    lines.push("WHOM is a name, a number in the peer list, an ip:port, or all. Tab completes.".into());
    lines
}

/// Returns the full description of a command, in lines that leave the last column free.
pub(super) fn explained(command: &Spec) -> Vec<String> {
    let mut lines = vec![format!("{}: {}.", usage(command), command.short), String::new()];
    for word in command.long.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() < COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns a command with its arguments.
pub(super) fn usage(command: &Spec) -> String {
    format!("{} {}", command.name, command.arguments).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_is_found_by_any_of_its_names() {
        for (word, name) in [("/quit", "/quit"), ("/QUIT", "/quit"), ("/exit", "/quit"), ("/?", "/help")] {
            assert_eq!(named(word).map(|command| command.name), Some(name), "{word}");
        }
        assert!(named("/qu").is_none() && named("quit").is_none() && named("/").is_none());
    }

    #[test]
    fn leaving_has_several_words() {
        for word in ["/quit", " /QUIT ", "/q", "/exit", "/bye\n"] {
            assert!(is_quit(word), "{word:?}");
        }
        for word in ["quit", "/quit now", "//quit", "/quti", "/", "", "/back"] {
            assert!(!is_quit(word), "{word:?}");
        }
    }

    #[test]
    fn similar_command_is_suggested() {
        for (word, name) in
            [("/pers", "/peers"), ("/conect", "/connect"), ("/his", "/history"), ("/quti", "/quit")]
        {
            assert_eq!(nearest(word).map(|command| command.name), Some(name), "{word}");
        }
        for word in ["/", "/more", "/clear", "/xyzzy", "/etc/hosts", "/usr/bin/env"] {
            assert!(nearest(word).is_none(), "{word}");
        }
    }

    /// Rows of a terminal without the prompt, the status line and the command `/help` itself.
    const ROWS: usize = 24 - 3;

    #[test]
    fn help_fits_24_rows_and_80_columns() {
        let lines = overview();
        assert!(lines.len() <= ROWS, "{} rows", lines.len());
        for line in &lines {
            // The last column stays free.
            assert!(line.chars().count() < COLUMNS, "{line}");
        }
        for line in &lines[1..lines.len() - 1] {
            let (left, right) = line.split_at(2 + NAME_COLUMNS);
            assert!(left.ends_with(' ') && !right.starts_with(' '), "not aligned: {line}");
        }
    }

    #[test]
    fn explanation_wraps_between_words() {
        for command in COMMANDS {
            let lines = explained(command);
            assert!(lines.iter().all(|line| line.chars().count() < COLUMNS), "{lines:?}");
            assert_eq!(lines[1..].join(" "), command.long);
        }
    }

    #[test]
    fn help_names_every_command_once() {
        let lines = overview();
        for command in COMMANDS {
            let names = |line: &&String| {
                let left = line.get(2..2 + NAME_COLUMNS).unwrap_or_default();
                left.split([' ', ',']).any(|word| word == command.name)
            };
            assert_eq!(lines[1..].iter().filter(names).count(), 1, "{}", command.name);
        }
    }

    #[test]
    fn names_are_unique_and_shared_rows_name_commands() {
        let names: Vec<&str> = COMMANDS
            .iter()
            .flat_map(|command| [command.name].into_iter().chain(command.synonyms.to_vec()))
            .collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
        }
        for (shared, _) in COMMANDS.iter().filter_map(|command| command.row) {
            assert!(shared.iter().all(|name| names.contains(name) || *name == "@WHOM MESSAGE"), "{shared:?}");
        }
    }
}
