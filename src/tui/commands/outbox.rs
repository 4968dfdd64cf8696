//! `/outbox`. `app/outbox.rs` carries it out.

use super::{COMMAND, Spec, TypedCommand};
use crate::tui::complete::Argument;
use crate::tui::menu::{Act, Outbox, Turn, act, first_word, refused};

pub(super) static OUTBOX: Spec = Spec {
    name: "/outbox",
    arguments: "[cancel|again N]",
    short: "list queued messages, cancel them or try again",
    long: "A message stays queued until it is delivered or expires (--expire), even while \
           p2p-chat is not running. `/outbox cancel 2` cancels the second message of the list, \
           and `/outbox again 2` tries it again at once. `all` instead of a number means all \
           of them.",
    completes: Argument::Words(&[&["cancel", "again"], &["all"]]),
    read: |_, typed| outbox(typed),
    ..COMMAND
};

/// `/outbox`, `/outbox cancel 2`, `/outbox again all`.
fn outbox(typed: &TypedCommand<'_>) -> Turn {
    let usage = "Type /outbox, or an action and a number from its list (or all), like /outbox cancel 2.";
    let (word, number) = first_word(typed.rest);
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
