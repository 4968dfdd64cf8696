//! Reads the answer to a question at startup, which is edited like a line of the prompt.

use std::io::{self, BufRead, Write};
#[cfg(unix)]
use std::sync::Once;

use super::signals;
use crate::settings::Settings;
use crate::tui::{self, Input, Line, Palette, Screen, Typed};

/// How questions at startup are answered.
#[derive(Clone, Copy)]
pub(super) struct Answers {
    /// Whether the line editor of the prompt is used. Otherwise the terminal edits the line.
    edits: bool,
}

impl Answers {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { edits: !settings.plain && !tui::is_dumb() }
    }

    /// Asks once. Returns `None` at the end of the input or if the user leaves.
    ///
    /// # Errors
    /// If the terminal cannot be used.
    pub(super) fn ask(self, prompt: &str) -> io::Result<Option<String>> {
        // In the background, reading a line stops the program until it is in the foreground again.
        if !self.edits || !tui::is_in_foreground() {
            return read_line(prompt);
        }
        watch_for_hangup()?;
        let mut screen = Screen::cooked(Palette::default(), true);
        screen.take_over(false)?;
        screen.ask(Line::from(prompt));
        let answer = edit(&mut screen)?;
        let line = answer.as_deref().unwrap_or_default();
        screen.finish_line(&tui::typed_lines(Line::from(prompt), line))?;
        screen.close(&[])?;
        Ok(answer)
    }
}

/// Prints a sentence between two questions, broken between words.
pub(super) fn tell(sentence: &str) -> io::Result<()> {
    let rows = tui::rows_of(&Line::from(sentence), tui::columns(), tui::Further::Blanks);
    let mut out = Vec::new();
    tui::write_lines(&mut out, &rows, Palette::None, tui::LINE_END)?;
    io::stdout().write_all(&out)
}

/// Reads a line that the terminal edits.
fn read_line(prompt: &str) -> io::Result<Option<String>> {
    let mut stdout = io::stdout().lock();
    write!(stdout, "{prompt}")?;
    stdout.flush()?;
    let mut line = String::new();
    if io::stdin().lock().read_line(&mut line)? == 0 {
        writeln!(stdout)?;
        return Ok(None);
    }
    Ok(Some(line))
}

/// Handles keys until the line is entered.
fn edit(screen: &mut Screen) -> io::Result<Option<String>> {
    loop {
        screen.show(&[], "")?;
        let input = tui::next_input();
        let Some(editor) = screen.editor() else { return Ok(None) };
        let typed = match input {
            Input::Key(key) => editor.key(key),
            // A line that is too long is not an answer.
            Input::Paste(text) => editor.paste(&text).map_or(Typed::Full, |()| Typed::Edited),
            Input::End | Input::HangUp => Typed::Leave,
            // Whole lines come only from input that is not a terminal.
            Input::Line(_) | Input::Dropped(_) => Typed::Edited,
            Input::Resized | Input::Focus(_) => Typed::Edited,
        };
        match typed {
            Typed::Line(line) => return Ok(Some(line)),
            Typed::Leave => return Ok(None),
            Typed::Interrupt => signals::interrupt(),
            Typed::Suspend => {
                screen.give_back()?;
                signals::suspend();
                screen.resume()?;
            }
            Typed::ClearScreen => screen.clear()?,
            Typed::Edited | Typed::Full | Typed::TooLong(_) | Typed::Complete | Typed::Escape => {}
        }
    }
}

/// Ends the program when the terminal vanishes during a question.
#[cfg(unix)]
fn watch_for_hangup() -> io::Result<()> {
    static WATCHED: Once = Once::new();

    let mut result = Ok(());
    WATCHED.call_once(|| {
        result = tui::watch_for_hangup(|_| {
            if !signals::has_started() {
                std::process::exit(1);
            }
        });
    });
    result
}

#[cfg(not(unix))]
fn watch_for_hangup() -> io::Result<()> {
    Ok(())
}
