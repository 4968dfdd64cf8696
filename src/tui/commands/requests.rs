//! `/requests`, `/trust` and `/accept`.

use super::{COMMAND, Spec};
use crate::tui::app::App;
use crate::tui::complete::Argument;
use crate::tui::menu::{introductions, trust};
use crate::tui::requests_lines;

pub(super) static REQUESTS: Spec = Spec {
    name: "/requests",
    short: "list key changes and message requests",
    long: "A new key with the name of a contact or of a blocked peer waits for your decision, \
           and so does each stranger with `/policy ask`. Until /trust or /accept, nothing is \
           sent to it and its messages are not shown. Messages for the contact still go to \
           the old key. /requests also lists the introductions that wait for your decision.",
    row: Some((&["/requests", "/trust", "/accept"], "list or accept changed and new keys")),
    run: list_requests,
    ..COMMAND
};

pub(super) static TRUST: Spec = Spec {
    name: "/trust",
    arguments: "WHOM",
    short: "move a contact to its new key",
    long: "WHOM is the name of the contact, or at least the first four characters of the new \
           key. Use it if the contact has a new device. The contact is not verified then; \
           compare keys again with /verify.",
    completes: Argument::Peer(""),
    read: |_, typed| typed.with_peer(trust::trust),
    ..COMMAND
};

pub(super) static ACCEPT: Spec = Spec {
    name: "/accept",
    arguments: "WHOM",
    short: "accept a message request, or a namesake as another contact",
    long: "WHOM is the name of the new peer, at least the first four characters of its key, \
           or its ip:port if it has no key. Use it to answer a message request, or if two \
           people have the same name. p2p-chat then shows the first characters of the key \
           after each of the two names. It also accepts an introduction: the other side gets \
           a signed contact card with your key, your name and your addresses, or those that you type \
           after WHOM (`-` for none).",
    completes: Argument::Waiting,
    read: |_, typed| {
        let (word, addrs) = typed.peer_and_rest();
        let introduced = introductions::accept(&word, addrs, typed.directory);
        introduced.unwrap_or_else(|| typed.with_peer(trust::accept))
    },
    ..COMMAND
};

fn list_requests(app: &mut App, _: &str) {
    let (requests, more) = app.node.requests();
    let introductions = app.introduction_lines();
    if introductions.is_empty() || !requests.is_empty() {
        let lines = requests_lines(&requests, more, &app.renderer(""));
        app.out.extend(lines);
    }
    app.out.extend(introductions);
}
