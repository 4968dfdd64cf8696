//! `/help` and `/quit`.

use super::{COMMAND, Spec, explained, named, overview, unknown};
use crate::tui::complete::Argument;
use crate::tui::menu::{Act, act, say};

pub(super) static HELP: Spec = Spec {
    name: "/help",
    synonyms: &["/?", "/h"],
    arguments: "[COMMAND]",
    short: "list the commands, or explain one",
    long: "`/help chat` and `/help /chat` are the same.",
    row: Some((&["/help", "/quit"], "list the commands or explain one; exit")),
    completes: Argument::Command,
    read: |_, typed| match typed.rest {
        "" => say(overview()),
        word => {
            let name = format!("/{}", word.trim_start_matches('/'));
            let no = || unknown(&name, "/help lists all commands.");
            named(&name).map_or_else(no, |command| say(explained(command)))
        }
    },
    ..COMMAND
};

pub(super) static QUIT: Spec = Spec {
    name: "/quit",
    synonyms: &["/q", "/exit", "/bye"],
    short: "say goodbye to all peers and exit",
    long: "It also works at every question, and is never taken as an answer. Ctrl-D on an empty \
           line and 0 in the menu do the same.",
    read: |_, _| act(Act::Exit),
    ..COMMAND
};
