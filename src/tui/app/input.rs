//! Handles typed input, by key or by line.

use std::io;

use super::{App, Ending, HANG_UP, INTERRUPT, NodeDirectory, clock, signals};
use crate::tui::{self, Ink, Input, Key, Line, Typed};

impl App {
    pub(super) fn input(&mut self, input: Input) -> io::Result<Option<Ending>> {
        match input {
            Input::Key(key) => return self.key(key),
            Input::Paste(text) => self.paste(&text),
            Input::Resized => {}
            Input::Focus(focused) => self.attention.focus(focused),
            Input::Line(line) => {
                return self.line(&line);
            }
            Input::Dropped(sentence) => self.drop_line(sentence),
            Input::End => {
                if self.reads_script() && !self.menu.is_at_choice() {
                    self.refuse("The input ended at a question, so nothing was done.");
                }
                return Ok(Some(Ending::Exit));
            }
            Input::HangUp => return Ok(Some(Ending::Signal(HANG_UP))),
        }
        Ok(None)
    }

    fn drop_line(&mut self, sentence: String) {
        self.menu.give_up_question();
        self.refuse(sentence);
        self.ask();
        self.want_line();
    }

    fn key(&mut self, key: Key) -> io::Result<Option<Ending>> {
        let Some(editor) = self.screen.editor() else {
            return Ok(None);
        };
        let asked_to_leave = std::mem::take(&mut self.asked_to_leave);
        let was_empty = editor.is_empty();
        let typed = editor.key(key);
        if was_empty && !editor.is_empty() {
            self.menu.begins_line();
        }
        match typed {
            Typed::Edited => {}
            Typed::Full => {
                let limit = tui::MAX_LINE_BYTES;
                self.say(Line::of(Ink::Bad, format!("The line is full: it has at most {limit} bytes.")));
            }
            Typed::TooLong(bytes) => {
                let limit = tui::MAX_LINE_BYTES;
                let sentence = format!(
                    "The line of {bytes} bytes was dropped: a line has at most {limit} bytes. Up brings back its \
                     beginning."
                );
                self.say(Line::of(Ink::Bad, sentence));
            }
            Typed::Complete => self.complete(),
            Typed::Line(line) => {
                if self.menu.remembers(&line) && editor.remember(&line) {
                    self.store_typed(&line);
                }
                self.show()?;
                return self.line(&line);
            }
            Typed::Escape => {
                let talked = self.menu.conversation().is_some();
                let say = self.menu.escape();
                self.out.extend(say.map(Line::from));
                if talked && self.menu.conversation().is_none() {
                    self.conversation_changed();
                }
                self.ask();
            }
            Typed::Leave => return Ok(Some(Ending::Exit)),
            Typed::Interrupt if asked_to_leave => return Ok(Some(Ending::Signal(INTERRUPT))),
            Typed::Interrupt => {
                self.asked_to_leave = true;
                self.say("Press Ctrl-C once more to leave.");
            }
            Typed::Suspend => {
                self.show()?;
                self.screen.give_back()?;
                self.away = true;
                self.continued = signals::suspend();
                self.resume()?;
            }
            Typed::ClearScreen => self.screen.clear()?,
        }
        Ok(None)
    }

    /// Stores a typed line for the next runs.
    fn store_typed(&mut self, line: &str) {
        let Some(typed) = &mut self.own.typed else { return };
        if let Err(error) = typed.add(line, clock::millis()) {
            self.own.typed = None;
            let sentence = format!("Cannot store typed lines ({error}); the next run will not have them.");
            self.say(Line::of(Ink::Bad, sentence));
        }
    }

    fn paste(&mut self, text: &str) {
        self.asked_to_leave = false;
        let Some(editor) = self.screen.editor() else { return };
        let was_empty = editor.is_empty();
        let pasted = editor.paste(text);
        if was_empty && !editor.is_empty() {
            self.menu.begins_line();
        }
        if let Err(too_long) = pasted {
            let tui::TooLong { bytes, room } = too_long;
            let sentence =
                format!("The pasted text of {bytes} bytes was dropped: the line has room for {room} bytes.");
            self.say(Line::of(Ink::Bad, sentence));
        }
    }

    /// Completes the word before the cursor, or shows the candidates.
    fn complete(&mut self) {
        let place = self.menu.place();
        let columns = tui::columns();
        let Some(editor) = self.screen.editor() else { return };
        let people = NodeDirectory { node: &self.node, labels: &self.labels, verifying: &self.verifying };
        let completed = tui::complete(editor.text(), editor.cursor(), place, &people);
        if let Some((range, with)) = completed.replace {
            editor.replace(range, &with);
        }
        let lines = tui::in_columns(&completed.candidates, columns);
        self.out.extend(lines.into_iter().map(|line| Line::of(Ink::Faint, line)));
    }
}
