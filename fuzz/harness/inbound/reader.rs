//! The user of the target `inbound`, who reads every printed line.

use p2p_chat::core::{Event, Time};
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::tui::{Attention, Labels, Line, Renderer, Standing, lines};

use super::super::printed::{assert_harmless, assert_lines_harmless};

/// Prints events as the app does, and checks the lines.
pub(super) struct Reader {
    pub(super) labels: Labels,
    pub(super) attention: Attention,
    /// The number of messages shown since the last reset.
    pub(super) messages: usize,
}

impl Reader {
    /// Prints an event for a pipe, for a terminal, and as a notification.
    pub(super) fn read(&mut self, event: &Event, knows: impl Fn(Recipient) -> bool, now: Time) {
        let stamp = "[12:00:00] ";
        let mut renamed = Vec::new();
        let labels = &mut self.labels;
        event.each_who(|who| {
            let standing = |id| if knows(id) { Standing::Stranger } else { Standing::Forgotten };
            renamed.extend(labels.meet(who, standing));
        });
        let renderer = |full, rows| Renderer {
            labels: &self.labels,
            full,
            rows,
            durable: true,
            is_new: true,
            late: "",
            stamp,
            date: |seconds| seconds.to_string(),
        };
        let on_pipe = lines(event, &renderer(true, false));
        let on_terminal = lines(event, &renderer(false, true));
        let renames: Vec<Line> =
            renamed.iter().map(|renamed| renderer(false, true).renamed(renamed, None)).collect();
        match event {
            Event::Message { .. } => {
                self.messages += 1;
                assert_eq!(on_pipe.len(), 1);
                assert!(!on_terminal.is_empty());
                for row in &on_terminal[1..] {
                    assert!(row.to_string().starts_with("  │ "), "a forged line: {row:?}");
                }
            }
            Event::Unreadable { .. } | Event::Impostor { .. } | Event::Online(_) | Event::Offline(..) => {
                assert_eq!((on_pipe.len(), on_terminal.len()), (1, 1));
            }
            Event::Listed { rows, .. } => assert!(on_pipe.len() <= rows.len() + 3),
            _ => assert!(on_pipe.len() <= 1 && on_terminal.len() <= 1),
        }
        assert_lines_harmless(&on_pipe);
        assert_lines_harmless(&on_terminal);
        assert_lines_harmless(&renames);
        if let (Event::Message { from, .. }, Some(line)) = (event, on_terminal.first()) {
            let label = self.labels.label(from.id, from.name.as_ref());
            self.attention.focus(false);
            if let Some(call) = self.attention.call(&label, line, now.since_start()) {
                let call = call.trim_end_matches('\x07');
                let text = call.strip_prefix("\x1b]777;notify;p2p-chat;");
                assert_harmless(text.unwrap_or(call));
            }
        }
    }
}
