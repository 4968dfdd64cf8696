//! `/introduce` and `/ignore`.

use super::{COMMAND, Spec};
use crate::tui::complete::Argument;
use crate::tui::menu::introductions;

pub(super) static INTRODUCE: Spec = Spec {
    name: "/introduce",
    arguments: "WHOM WHOM",
    short: "introduce two contacts to each other",
    long: "p2p-chat asks each of them. When one accepts, the other gets a contact card through \
           you. Nothing is exchanged before that. A contact gets at most 20 introductions a \
           day from you.",
    row: Some((&["/introduce", "/ignore"], "introduce two contacts; ignore an introduction")),
    completes: Argument::Peer(" "),
    read: |_, typed| introductions::introduce(typed.rest, typed.directory),
    ..COMMAND
};

pub(super) static IGNORE: Spec = Spec {
    name: "/ignore",
    arguments: "WHOM",
    short: "ignore an introduction",
    long: "Nothing is sent, and no introduction of the same key is shown again.",
    read: |_, typed| typed.with_peer(introductions::ignore),
    ..COMMAND
};
