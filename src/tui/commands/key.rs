//! `/key` and `/verify`.

use super::{COMMAND, Spec};
use crate::tui::app::App;
use crate::tui::complete::Argument;
use crate::tui::menu::trust::pins_meant;
use crate::tui::menu::{Act, act, refused};
use crate::tui::{Ink, Line};

pub(super) static KEY: Spec = Spec {
    name: "/key",
    arguments: "[WHOM]",
    short: "show your key, or what is known about a peer",
    long: "Peers recognize each other by key, whatever their name and address. `p2p-chat id` \
           shows your key too.",
    row: Some((&["/key", "/invite", "/verify"], "show a key or your invitation; compare keys")),
    completes: Argument::Known,
    read: |_, typed| match typed.peer() {
        _ if typed.rest.is_empty() => typed.to_app(),
        Ok(word) => match pins_meant("/key", &word, typed.directory) {
            Ok(pins) => act(Act::ShowPins(pins)),
            Err(sentence) => refused(sentence),
        },
        Err(sentence) => refused(sentence),
    },
    run: show_own_key,
    ..COMMAND
};

pub(super) static VERIFY: Spec = Spec {
    name: "/verify",
    arguments: "WHOM",
    short: "compare safety numbers with a peer",
    long: "Both of you type this command and see the same 30 digits, unless someone \
           intercepts the connection. Compare them in person or on the phone, not in this \
           chat. After a yes, a ✓ follows the peer's name.",
    completes: Argument::Peer(""),
    read: |menu, typed| typed.with_peer(|word, directory| menu.asks_to_verify(word, directory)),
    ..COMMAND
};

fn show_own_key(app: &mut App, _: &str) {
    app.say("Others know you by this key:");
    let key = app.node.own_key().grouped().to_string();
    app.say(Line::default().then("  ").and(Ink::Strong, key));
}
