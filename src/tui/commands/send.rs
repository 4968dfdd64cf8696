//! `/msg`, `/reply`, `/me` and `/all-plain`, which send a message.

use super::{COMMAND, Spec};
use crate::core::Target;
use crate::tui::complete::Argument;
use crate::tui::menu::{Act, act, refused};
use crate::tui::people::Chosen;

pub(super) static MSG: Spec = Spec {
    name: "/msg",
    synonyms: &["/dm"],
    arguments: "WHOM MESSAGE",
    short: "the same as @WHOM MESSAGE; so is /dm",
    long: "Without MESSAGE you are asked for it.",
    row: Some((&["@WHOM MESSAGE", "/msg"], "send a message; @all skips unencrypted strangers")),
    completes: Argument::Peers(" "),
    takes_message: true,
    read: |menu, typed| match typed.rest {
        "" => refused("Type a recipient and a message, like /msg bob see you at 5."),
        words => menu.direct(words.strip_prefix('@').unwrap_or(words), typed.directory),
    },
    ..COMMAND
};

pub(super) static REPLY: Spec = Spec {
    name: "/reply",
    synonyms: &["/r"],
    arguments: "[MESSAGE]",
    short: "answer the last message",
    long: "The reply goes to the peer that had written last when you started to type, even if \
           another message arrives meanwhile. Without MESSAGE, p2p-chat asks for it.",
    row: Some((&["/reply", "/me"], "answer the last message; send an action")),
    takes_message: true,
    read: |menu, typed| menu.reply(typed.rest),
    ..COMMAND
};

pub(super) static ME: Spec = Spec {
    name: "/me",
    arguments: "ACTION",
    short: "send an action: /me waves is shown as ** Alice waves",
    long: "In a conversation it goes to that peer; otherwise p2p-chat asks for the recipient. \
           Programs without this command show the line as you typed it.",
    takes_message: true,
    read: |menu, typed| match (typed.rest, menu.conversation().cloned()) {
        ("", _) => refused("Type what you do after it, like /me waves."),
        (text, Some(with)) => menu.say_to(with, &format!("/me {text}")),
        (text, None) => menu.ask_to_whom(&format!("/me {text}")),
    },
    ..COMMAND
};

pub(super) static ALL_PLAIN: Spec = Spec {
    name: "/all-plain",
    arguments: "MESSAGE",
    short: "send to all, including unencrypted strangers",
    long: "`@all` reaches online contacts and, with the policy accept-new, online strangers \
           that have proven a key. It leaves out unencrypted strangers, because others on the \
           network can read what they get. /all-plain reaches them too.",
    takes_message: true,
    read: |_, typed| match typed.rest {
        "" => refused("Type a message after it, like /all-plain soup is ready."),
        // It is no default for the next text: the user decides each time.
        text => act(Act::Send(Chosen { target: Target::AllPlain, ..Chosen::all() }, text.to_owned())),
    },
    ..COMMAND
};
