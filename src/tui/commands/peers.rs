//! `/peers`, `/connect` and `/disconnect`.

use super::{COMMAND, Spec};
use crate::core::Command;
use crate::tui::complete::Argument;
use crate::tui::menu::{AskKind, perform};

pub(super) static PEERS: Spec = Spec {
    name: "/peers",
    synonyms: &["/list", "/who"],
    short: "list the peers and check who is online",
    long: "p2p-chat asks every peer whether it is online, which takes at most two seconds. \
           Online peers come first, then offline contacts with the time they were last seen. \
           A peer's number in the list works wherever a name does.",
    read: |_, _| perform(Command::List),
    ..COMMAND
};

pub(super) static CONNECT: Spec = Spec {
    name: "/connect",
    arguments: "[WHOM]",
    short: "connect to a peer, or to all known peers",
    long: "WHOM may be an ip:port that is not in the list yet. Without WHOM, p2p-chat asks.",
    row: Some((&["/connect", "/disconnect"], "connect to or disconnect from a peer, or all")),
    completes: Argument::Connect,
    read: |menu, typed| menu.with_peer(AskKind::Connect, typed),
    ..COMMAND
};

pub(super) static DISCONNECT: Spec = Spec {
    name: "/disconnect",
    arguments: "[WHOM]",
    short: "disconnect from a peer, or from all",
    long: "p2p-chat says goodbye and does not dial the peer again until one of you sends a \
           message or connects. Without WHOM, p2p-chat asks.",
    completes: Argument::Peers(""),
    read: |menu, typed| menu.with_peer(AskKind::Disconnect, typed),
    ..COMMAND
};
