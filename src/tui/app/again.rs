//! What the user does with messages that were shown: `/show` and `/copy`.

use super::App;
use crate::core::{PeerInfo, Verification};
use crate::model::message::LINE_MARK;
use crate::model::peer_id::Recipient;
use crate::model::untrusted::{Text, harmless};
use crate::tui;

/// The message that was received and shown last.
pub(super) struct Received {
    from: Recipient,
    text: Text,
    /// Whether it has line ends. An unencrypted message has marks for them.
    has_lines: bool,
}

impl Received {
    pub(super) fn new(from: &PeerInfo, text: &Text) -> Self {
        let has_lines = matches!(from.verification, Verification::Verified | Verification::Encrypted);
        Self { from: from.id, text: text.clone(), has_lines }
    }

    /// The text as it was shown, so that nothing in it acts where it is pasted.
    fn copy(&self) -> String {
        let lines = self.text.raw().split(if self.has_lines { "\n" } else { LINE_MARK });
        lines.map(harmless).collect::<Vec<_>>().join("\n")
    }
}

impl App {
    /// Shows a long message whole.
    pub(super) fn show_long(&mut self, number: usize) {
        match self.screen.long_message(number) {
            Some(lines) => self.out.extend(lines),
            None if !self.screen.is_terminal() => self.say("Here every message is shown whole."),
            None => self.say(format!("There is no cut message {number}. p2p-chat keeps the last 20.")),
        }
    }

    /// Asks the terminal to put the last received message on the clipboard.
    pub(super) fn copy(&mut self) {
        if !self.screen.edits() {
            self.say("/copy needs a terminal, and works neither with --plain nor with TERM=dumb.");
            return;
        }
        let Some(received) = &self.received else {
            self.say("No message has come yet, so there is nothing to copy.");
            return;
        };
        let label = self.labels.label(received.from, None);
        match tui::to_clipboard(&received.copy()) {
            Some(sequence) => {
                self.calls.push_str(&sequence);
                self.say(format!("Asked the terminal to copy the last message, from {label}."));
            }
            None => {
                let limit = tui::MAX_COPIED_BYTES;
                self.refuse(format!(
                    "The last message, from {label}, is longer than {limit} bytes, and is not copied."
                ));
            }
        }
    }
}
