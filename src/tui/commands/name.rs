//! `/name`. `app/act.rs` carries it out, for the menu too.

use super::{COMMAND, Spec};
use crate::model::name::new_name;
use crate::tui::menu::{Act, Asking, act, refused};

pub(super) static NAME: Spec = Spec {
    name: "/name",
    synonyms: &["/nick"],
    arguments: "[NEW]",
    short: "change your name",
    long: "Encrypted peers see the new name at once, others with your next message. Your key, \
           contacts and history stay, and later runs use the new name.",
    read: |menu, typed| match typed.rest {
        "" => menu.ask(Asking::Name),
        new => match new_name(new) {
            Ok(name) => act(Act::Rename(name)),
            Err(error) => refused(error.to_string()),
        },
    },
    ..COMMAND
};
