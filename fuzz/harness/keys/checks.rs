//! The checks of the target `keys`: the line, the footer, and undoing.

use unicode_segmentation::GraphemeCursor;
use unicode_width::UnicodeWidthStr;

use p2p_chat::core::{PresenceStatus, Verification};
use p2p_chat::tui::{Footer, Ink, Key, Line, MAX_LINE_BYTES, Palette, Partner, Status, lay_out};

use super::super::printed::{FOOTER, assert_harmless, without_sequences};
use super::{LONG, User};

/// Steps that the editor can undo (`MAX_STEPS` in `tui::editor`).
const UNDONE: usize = 100;

/// Bytes by which the menu may lengthen a line that it returns for correction, as `@Bob` for `@b`.
const ADDED: usize = 32;

impl User {
    /// Checks what must hold after every stroke.
    pub(super) fn check(&self) {
        let (text, cursor) = (self.editor.text(), self.editor.cursor());
        assert!(text.len() <= MAX_LINE_BYTES + ADDED, "{} bytes", text.len());
        assert!(text.is_char_boundary(cursor), "the cursor is at {cursor} of {text:?}");
        let is_between = GraphemeCursor::new(cursor, text.len(), true).is_boundary(text, 0);
        assert_eq!(is_between, Ok(true), "the cursor is inside a character, at {cursor} of {text:?}");
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        if let Some(plain) = &self.plain {
            assert_eq!(text, plain, "the line is not what was typed");
        }
    }

    /// Draws the footer and checks its rows.
    pub(super) fn draw(&self) {
        let (columns, rows) = self.size;
        if self.editor.text().len() > LONG {
            return;
        }
        let prompt = self.menu.prompt();
        let shown = self.editor.search_prompt().unwrap_or_else(|| prompt.clone());
        let layout = lay_out(&shown, self.editor.text(), self.editor.cursor(), columns, rows);
        let room = columns.saturating_sub(1).max(1);
        assert!((1..=rows.max(1)).contains(&layout.rows.len()), "{} rows of {rows}", layout.rows.len());
        for row in &layout.rows {
            let width = row.prompt.width() + row.text.width();
            assert!(width <= room, "{width} columns of {room} are written: {row:?}");
            assert_harmless(&row.prompt);
            assert_harmless(&row.text);
        }
        let (row, column) = layout.cursor;
        assert!(row < layout.rows.len() && column < room.max(2), "the cursor is at {:?}", layout.cursor);
        if columns == 0 || rows == 0 {
            return;
        }
        let presence = Some(PresenceStatus::Offline);
        let status = Status {
            name: self.people.name.to_string(),
            addr: "10.0.0.1:5000".into(),
            here: 3,
            with: Some(Partner {
                label: "Bob".into(),
                presence,
                verification: Verification::Plain,
                refuses: None,
                is_blocked: false,
                is_muted: false,
            }),
            unread: vec![("Carol".into(), 2)],
            sending: None,
        };
        let footer = Footer::of(&Line::of(Ink::Strong, prompt), &self.editor, Some(&status), self.size);
        let mut out = Vec::new();
        // Writing to a vector does not fail.
        let _ = footer.draw(&mut out, Palette::Many, None);
        let out = String::from_utf8_lossy(&out);
        out.split("\r\n").for_each(|row| assert_harmless(&without_sequences(row, FOOTER)));
    }

    /// Undoes every stroke of the line.
    pub(super) fn undo_all(mut self) {
        if self.strokes > UNDONE {
            return;
        }
        // One more, because the first ends a search.
        for _ in 0..=UNDONE {
            self.editor.key(Key::Undo);
        }
        assert_eq!(self.editor.text(), self.first, "undoing does not restore the first line");
    }
}
