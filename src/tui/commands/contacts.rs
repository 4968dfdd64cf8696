//! `/contacts`, `/add` and `/forget`. `app/contacts.rs` lists the contacts.

use super::{COMMAND, Spec};
use crate::model::invitation::{InvitationError, is_meant};
use crate::tui::complete::Argument;
use crate::tui::menu::{Act, act, refused, trust};

pub(super) static CONTACTS: Spec = Spec {
    name: "/contacts",
    short: "list your contacts",
    long: "It shows which contacts are verified, muted or blocked, and when each was last \
           seen. They are saved in contacts.toml in the directory of your profile, which you \
           can edit while p2p-chat runs.",
    row: Some((&["/contacts", "/add", "/forget"], "list, add or remove contacts")),
    run: |app, _| app.list_contacts(),
    ..COMMAND
};

pub(super) static ADD: Spec = Spec {
    name: "/add",
    arguments: "WHOM",
    short: "add a contact",
    long: "WHOM is a name or a number in the list, an ip:port, a whole key, the beginning of a \
           known key, or an invitation, which /invite shows. p2p-chat dials contacts at each \
           start, and no other peer can take their names. A peer that you write to becomes a contact automatically.",
    completes: Argument::Peer(""),
    read: |_, typed| match typed.rest {
        invitation if is_meant(invitation) => match invitation.parse() {
            Ok(invitation) => act(Act::AddInvited(invitation)),
            Err(error) => refused(InvitationError::to_string(&error)),
        },
        _ => typed.with_peer(trust::add),
    },
    ..COMMAND
};

pub(super) static FORGET: Spec = Spec {
    name: "/forget",
    arguments: "WHOM",
    short: "remove a contact",
    long: "Queued messages for the contact are not sent. The next key with the same name is \
           new to you, unless another contact has that name. A blocked contact is no longer \
           blocked. WHOM may also be an ip:port where no peer has answered. Messages stay in \
           the history. You are asked to confirm.",
    completes: Argument::Known,
    read: |menu, typed| typed.with_peer(|word, directory| menu.asks_to_forget(word, directory)),
    ..COMMAND
};
