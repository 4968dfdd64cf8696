//! `/chat` and `/back`.

use super::{COMMAND, Spec};
use crate::tui::complete::Argument;
use crate::tui::menu::{AskKind, refused, say};

pub(super) static CHAT: Spec = Spec {
    name: "/chat",
    arguments: "[WHOM]",
    short: "start a conversation: every line goes to that peer until /back",
    long: "The prompt shows who gets the lines. Commands and @WHOM still work. To send a line \
           that starts with / or @, type // or @@. Without WHOM, p2p-chat asks.",
    row: Some((&["/chat", "/back"], "send every line to a peer; return to the menu")),
    completes: Argument::Peers(""),
    read: |menu, typed| menu.with_peer(AskKind::Chat, typed),
    ..COMMAND
};

pub(super) static BACK: Spec = Spec {
    name: "/back",
    short: "end the conversation and return to the menu",
    long: "Escape on an empty line does the same.",
    read: |menu, _| match menu.end_conversation() {
        Some(line) => say([line]),
        None => refused("There is no conversation to end. /quit ends the program."),
    },
    ..COMMAND
};
