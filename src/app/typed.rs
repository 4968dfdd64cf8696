//! Handles typed input, by key or by line.

use std::io;

use super::{App, Ending, HANG_UP, INTERRUPT, People, clock, signals};
use crate::ui::{self, Ink, Input, Key, Line, Place, Typed};

impl App {
    /// Handles input from the user.
    pub(super) fn input(&mut self, input: Input) -> io::Result<Option<Ending>> {
        match input {
            Input::Key(key) => return self.key(key),
            Input::Paste(text) => self.paste(&text),
            Input::Resized => {}
            Input::Focus(focused) => self.attention.focus(focused),
            Input::Line(line) => {
                return self.line(&line);
            }
            Input::LineTooLong => {
                let limit = ui::MAX_LINE_BYTES;
                self.say(format!("That line has more than {limit} bytes and was passed over; divide it."));
                self.want_line();
            }
            Input::End => return Ok(Some(Ending::Exit)),
            Input::HangUp => return Ok(Some(Ending::Signal(HANG_UP))),
        }
        Ok(None)
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
                let limit = ui::MAX_LINE_BYTES;
                self.say(Line::of(
                    Ink::Bad,
                    format!("A line has at most {limit} bytes; send it, or shorten it."),
                ));
            }
            Typed::Complete => self.complete(),
            Typed::Line(line) => {
                // Answers to questions and numbers of the menu are not remembered.
                let is_number = line.trim().bytes().all(|byte| byte.is_ascii_digit());
                if self.menu.takes_text() && !is_number && editor.remember(&line) {
                    self.store_typed(&line);
                }
                self.show()?;
                return self.line(&line);
            }
            Typed::Escape => {
                let typed = editor.take();
                if self.menu.takes_text() && editor.remember(&typed) {
                    self.store_typed(&typed);
                }
                let talked = self.menu.conversation().is_some();
                let say = self.menu.escape(typed);
                self.out.extend(say.into_iter().map(Line::from));
                if talked && self.menu.conversation().is_none() {
                    self.unread.clear();
                    self.outcome = None;
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
            let (limit, left_out) = (ui::MAX_LINE_BYTES, too_long.left_out);
            self.say(Line::of(
                Ink::Bad,
                format!("A line has at most {limit} bytes, so the last {left_out} bytes of what was pasted are left out."),
            ));
        }
    }

    /// Completes the word before the cursor, or shows the candidates.
    fn complete(&mut self) {
        let place = match (self.menu.takes_commands(), self.menu.takes_peer()) {
            (true, _) => Place::Line,
            (_, true) => Place::Peer,
            _ => Place::Other,
        };
        let columns = self.screen.columns();
        let Some(editor) = self.screen.editor() else { return };
        let people = People { node: &self.node, labels: &self.labels };
        let completed = ui::complete(editor.text(), editor.cursor(), place, &people);
        if let Some((range, with)) = completed.replace {
            editor.replace(range, &with);
        }
        let lines = ui::in_columns(&completed.candidates, columns);
        self.out.extend(lines.into_iter().map(|line| Line::of(Ink::Faint, line)));
    }
}
