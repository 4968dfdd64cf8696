//! `/introduce` and `/ignore`.

use super::{COMMAND, Spec};
use crate::tui::complete::Argument;
use crate::tui::menu::introductions;

pub(super) static INTRODUCE: Spec = Spec {
    name: "/introduce",
    arguments: "[WHOM WHOM]",
    short: "introduce two contacts to each other",
    long: "p2p-chat asks each of them, now or when they are online in the next 7 days. When one \
           accepts, the other gets a contact card through you. Nothing is exchanged before that. \
           The same command again asks those who have not accepted. A contact gets at most 20 \
           introductions a day from you. Without names, it lists the introductions that wait: who \
           has accepted, and who has not.",
    row: Some((&["/introduce", "/ignore"], "introduce two contacts; ignore an introduction")),
    completes: Argument::Pair,
    read: |_, typed| match typed.rest {
        "" => typed.to_app(),
        words => introductions::introduce(words, typed.directory),
    },
    run: |app, _| app.list_introductions(),
    ..COMMAND
};

pub(super) static IGNORE: Spec = Spec {
    name: "/ignore",
    arguments: "WHOM",
    short: "ignore an introduction",
    long: "Nothing is sent, and no introduction of the same key is shown again.",
    completes: Argument::Introduced,
    read: |_, typed| typed.with_peer(introductions::ignore),
    ..COMMAND
};
