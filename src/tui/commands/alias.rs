//! `/alias`. `app/contacts.rs` gives the alias, for the menu too.

use super::{COMMAND, Spec, TypedCommand};
use crate::model::name::alias;
use crate::model::peer_id::Recipient;
use crate::tui::app::App;
use crate::tui::complete::Argument;
use crate::tui::menu::{Act, Asking, Menu, Turn, act, refused};

pub(super) static ALIAS: Spec = Spec {
    name: "/alias",
    arguments: "[WHOM] [NAME]",
    short: "give a peer an alias that only you see",
    long: "The alias belongs to the peer's key, or to the address of a legacy peer, and is \
           saved in contacts.toml. It makes the peer a contact. An alias cannot be your own \
           name or that of another contact. `/alias WHOM -` removes it. Without arguments, it \
           lists the aliases.",
    completes: Argument::Peer(" "),
    read: set_alias,
    run: list_aliases,
    ..COMMAND
};

fn set_alias(menu: &mut Menu, typed: &TypedCommand<'_>) -> Turn {
    if typed.rest.is_empty() {
        return typed.to_app();
    }
    match typed.for_one() {
        Ok((chosen, id, "")) => menu.ask(Asking::Alias(id, chosen.label)),
        Ok((chosen, id, "-")) => act(Act::Alias(id, chosen.label, None)),
        Ok((chosen, id, new)) => match alias(new) {
            Ok(name) => act(Act::Alias(id, chosen.label, Some(name))),
            Err(error) => refused(error.to_string()),
        },
        Err(sentence) => refused(sentence),
    }
}

fn list_aliases(app: &mut App, _: &str) {
    let all = app.contacts.aliases();
    if all.is_empty() {
        app.say("There are no aliases; /alias WHOM NAME gives one.");
        return;
    }
    let whose = |id: Recipient| match app.node.pin_of(id).and_then(|pin| pin.name) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    };
    let lines = all.iter().map(|(id, name)| format!("{name} is {}.", whose(*id)).into()).collect();
    app.list(lines);
}
