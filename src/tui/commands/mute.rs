//! `/mute` and `/unmute`.

use super::{COMMAND, Spec};
use crate::core::Command;
use crate::model::peer_id::Recipient;
use crate::tui::app::App;
use crate::tui::complete::Argument;
use crate::tui::menu::{for_one_peer, perform, refused};

pub(super) static MUTE: Spec = Spec {
    name: "/mute",
    arguments: "[WHOM]",
    short: "hide a peer's messages",
    long: "Notices about the peer are hidden too. Its messages are still received and \
           acknowledged, and are in the history. Without WHOM, it lists the muted peers. A \
           contact stays muted until /unmute, any other peer until p2p-chat ends.",
    row: Some((&["/mute", "/unmute"], "hide a peer's messages; show them again")),
    completes: Argument::Peer(""),
    read: |_, typed| match typed.for_one() {
        _ if typed.rest.is_empty() => typed.to_app(),
        Ok((_, id, "")) => perform(Command::SetMuted(id, true)),
        Ok(_) => refused(for_one_peer("/mute")),
        Err(sentence) => refused(sentence),
    },
    run: list_muted,
    ..COMMAND
};

pub(super) static UNMUTE: Spec = Spec {
    name: "/unmute",
    arguments: "WHOM",
    short: "show a peer's messages again",
    long: "/history shows the messages that arrived meanwhile.",
    completes: Argument::Peer(""),
    read: |_, typed| match typed.for_one() {
        Ok((_, id, "")) => perform(Command::SetMuted(id, false)),
        Ok(_) => refused(for_one_peer("/unmute")),
        Err(sentence) => refused(sentence),
    },
    ..COMMAND
};

fn list_muted(app: &mut App, _: &str) {
    let muted = app.node.muted();
    if muted.is_empty() {
        app.say("No peers are muted. /mute WHOM mutes one.");
    }
    let line = |id: &Recipient| {
        let label = app.labels.label(*id, None);
        format!("{label} ({}) is muted.", app.place_of(*id)).into()
    };
    app.list(muted.iter().map(line).collect());
}
