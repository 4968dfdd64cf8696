//! `/show`.

use super::{COMMAND, Spec};
use crate::tui::menu::refused;

pub(super) static SHOW: Spec = Spec {
    name: "/show",
    arguments: "NUMBER",
    short: "show a long message in full",
    long: "A terminal shows the first 100 lines of a longer message, and the number to type here. \
           p2p-chat keeps the last 20 of them until it ends.",
    row: Some((&["/show", "/copy"], "show a cut message whole; copy the last message")),
    read: |_, typed| match typed.rest.parse::<usize>() {
        Ok(_) => typed.to_app(),
        Err(_) => refused("Type the number of a message that was cut, like /show 17."),
    },
    run: |app, number| {
        let number = number.parse().unwrap_or_default();
        match app.screen.long_message(number) {
            Some(lines) => app.out.extend(lines),
            None if !app.screen.is_terminal() => app.say("Here every message is shown in full."),
            None => {
                app.say(format!("No message has the number {number}. /show knows the last 20 long ones."))
            }
        }
    },
    ..COMMAND
};
