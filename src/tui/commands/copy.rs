//! `/copy`.

use super::{COMMAND, Spec};
use crate::core::{PeerInfo, Verification};
use crate::model::message::LINE_MARK;
use crate::model::peer_id::Recipient;
use crate::model::untrusted::{Text, harmless};
use crate::tui::app::App;
use crate::tui::{MAX_COPIED_BYTES, to_clipboard};

pub(super) static COPY: Spec = Spec {
    name: "/copy",
    short: "copy the last received message to the clipboard",
    long: "p2p-chat asks the terminal to do it (OSC 52). Some terminals refuse, or need a setting. \
           It does not work on a pipe, with --plain or with TERM=dumb.",
    run: copy,
    ..COMMAND
};

/// The message that was received and shown last.
pub(in crate::tui) struct Received {
    from: Recipient,
    text: Text,
    /// Whether it has line ends. An unencrypted message has marks for them.
    has_lines: bool,
}

impl Received {
    pub(in crate::tui) fn new(from: &PeerInfo, text: &Text) -> Self {
        let has_lines = matches!(from.verification, Verification::Verified | Verification::Encrypted);
        Self { from: from.id, text: text.clone(), has_lines }
    }

    /// The text as it was shown, so that nothing in it acts where it is pasted.
    fn copy(&self) -> String {
        let lines = self.text.raw().split(if self.has_lines { "\n" } else { LINE_MARK });
        lines.map(harmless).collect::<Vec<_>>().join("\n")
    }
}

/// Asks the terminal to put the last received message on the clipboard.
fn copy(app: &mut App, _: &str) {
    if !app.screen.edits() {
        app.say("/copy needs a terminal, and works neither with --plain nor with TERM=dumb.");
        return;
    }
    let Some(received) = &app.received else {
        app.say("No message has arrived yet, so there is nothing to copy.");
        return;
    };
    let label = app.labels.label(received.from, None);
    match to_clipboard(&received.copy()) {
        Some(sequence) => {
            app.calls.push_str(&sequence);
            app.say(format!("Asked the terminal to copy the last message, from {label}."));
        }
        None => app.refuse(format!(
            "The last message, from {label}, is longer than {MAX_COPIED_BYTES} bytes, and is not copied."
        )),
    }
}
