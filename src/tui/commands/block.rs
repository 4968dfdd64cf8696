//! `/block`, `/blocked` and `/unblock`.

use super::{COMMAND, Spec};
use crate::tui::Line;
use crate::tui::app::App;
use crate::tui::complete::Argument;
use crate::tui::menu::trust::{block, unblock};

pub(super) static BLOCK: Spec = Spec {
    name: "/block",
    arguments: "WHOM",
    short: "block a contact, a new key or an IP",
    long: "Nothing is sent to a blocked peer, and nothing from it is shown. If a new key has \
           the name of a contact, /block with that name blocks the new key and not the \
           contact. WHOM may also be an IP without a port: then strangers at that IP get no \
           answer and are not shown. An IPv6 address stands for its /64 network. /unblock \
           undoes it.",
    row: Some((&["/block", "/unblock", "/blocked"], "block a contact, a key or an IP; list them")),
    completes: Argument::Peer(""),
    read: |_, typed| typed.with_peer(block),
    ..COMMAND
};

pub(super) static BLOCKED: Spec = Spec {
    name: "/blocked",
    short: "list blocked peers and IPs",
    long: "A block covers a peer, and unencrypted messages under its name or from its \
           address. A blocked IP covers all strangers there. An unknown key with a blocked \
           name waits for /accept. A block never covers another contact.",
    run: list_blocked,
    ..COMMAND
};

pub(super) static UNBLOCK: Spec = Spec {
    name: "/unblock",
    arguments: "WHOM",
    short: "unblock a peer or an IP",
    long: "A contact is a contact again, but not verified; compare keys again with /verify. A \
           stranger stays a stranger. Blocked contacts are at the end of the peer list.",
    completes: Argument::Blocked,
    read: |_, typed| typed.with_peer(unblock),
    ..COMMAND
};

fn list_blocked(app: &mut App, _: &str) {
    let (pins, legacy) = (app.node.blocked_contacts(), app.node.blocked_legacy());
    let sources = app.node.blocked_sources();
    let of_pins = pins.iter().map(|pin| {
        let label = app.labels.label(pin.key.into(), pin.name.as_ref());
        format!("{label} (key {}): blocked", pin.key.short())
    });
    let of_legacy = legacy.iter().map(|who| {
        let label = app.labels.label(who.id, who.name.as_ref());
        format!("{label} ({}, unencrypted): blocked", app.place_of(who.id))
    });
    let of_sources =
        sources.iter().map(|source| format!("{source}: blocked, except for your contacts there"));
    let lines: Vec<Line> = of_pins.chain(of_legacy).chain(of_sources).map(Line::from).collect();
    if lines.is_empty() {
        app.say("No peers are blocked. /block WHOM blocks one.");
    }
    app.list(lines);
}
