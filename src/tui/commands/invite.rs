//! `/invite`. `app/invitations.rs` carries it out.

use super::{COMMAND, Spec};

pub(super) static INVITE: Spec = Spec {
    name: "/invite",
    short: "show your invitation, for another p2p-chat",
    long: "An invitation is a line with your key, your name and the addresses at which you can \
           be reached. The other side passes it to `p2p-chat add` or /add, or pastes it at the \
           menu. `p2p-chat id` shows it too.",
    run: |app, _| app.show_invitation(),
    ..COMMAND
};
