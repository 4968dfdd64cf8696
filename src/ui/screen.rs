//! The one owner of the terminal: prints lines above the one that is being typed, and leaves that
//! as it is.
//!
//! At the bottom of what is printed stands the *dock*: the status line, and below it the prompt
//! with the typed text, over as many rows as it takes. What is new is written where the dock stood,
//! and the dock anew below it, in one write. Nothing else is ever written over, so everything can
//! be read again by scrolling back.

use std::io::{self, Write};

use crossterm::cursor::{MoveTo, MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};

use super::dock::{Dock, Drawn};
use super::editor::Editor;
use super::status::Status;
use super::style::{Line, Palette};
use super::terminal;

/// Where the user reads.
#[derive(Debug)]
pub struct Screen {
    kind: Kind,
    /// Whether a person reads it.
    terminal: bool,
    palette: Palette,
    prompt: Line,
}

#[derive(Debug)]
enum Kind {
    /// A terminal whose line we edit ourselves.
    Raw { editor: Box<Editor>, status: Option<Box<Status>>, drawn: Option<Drawn> },
    /// A terminal that edits lines itself: the prompt stays on the line of what is typed. After
    /// news it is asked `again`, or not. The cursor surely stands at the `start` of a line only
    /// after the user has finished one.
    Cooked { prompted: bool, again: bool, start: bool },
    /// No terminal: every prompt and every event is a line.
    Lines { prompted: bool },
}

impl Screen {
    /// Prints to a terminal that edits lines itself. `again` says whether the prompt is repeated
    /// below what comes while it stands there.
    pub fn cooked(palette: Palette, again: bool) -> Self {
        Self {
            kind: Kind::Cooked { prompted: false, again, start: true },
            terminal: true,
            palette,
            prompt: Line::default(),
        }
    }

    /// Prints to a pipe or a file.
    pub fn lines(palette: Palette) -> Self {
        Self { kind: Kind::Lines { prompted: true }, terminal: false, palette, prompt: Line::default() }
    }

    /// Takes over a terminal that obeys control sequences. `tell_focus` asks it to tell whether its
    /// window is looked at.
    ///
    /// # Errors
    /// Where the terminal cannot be put into raw mode.
    pub fn take_over(&mut self, tell_focus: bool) -> io::Result<()> {
        terminal::take_over(tell_focus)?;
        self.kind = Kind::Raw { editor: Box::default(), status: None, drawn: None };
        Ok(())
    }

    /// Whether a person reads it.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Whether the line is edited here.
    pub fn edits(&self) -> bool {
        matches!(self.kind, Kind::Raw { .. })
    }

    /// The line being typed, on a terminal that we edit it on.
    pub fn editor(&mut self) -> Option<&mut Editor> {
        match &mut self.kind {
            Kind::Raw { editor, .. } => Some(editor),
            Kind::Cooked { .. } | Kind::Lines { .. } => None,
        }
    }

    /// Columns of the window.
    pub fn columns(&self) -> usize {
        terminal::size().0
    }

    /// What is asked now.
    pub fn prompt(&self) -> &Line {
        &self.prompt
    }

    /// Changes the prompt, and asks it at the next [`Screen::show`].
    pub fn ask(&mut self, prompt: Line) {
        self.prompt = prompt;
        match &mut self.kind {
            Kind::Raw { .. } => {}
            Kind::Cooked { prompted, .. } | Kind::Lines { prompted } => *prompted = false,
        }
    }

    /// Changes the status line, which is shown from the next [`Screen::show`] on.
    pub fn set_status(&mut self, new: Option<Status>) {
        if let Kind::Raw { status, .. } = &mut self.kind {
            *status = new.map(Box::new);
        }
    }

    /// Whether there is a status line, and room for it.
    pub fn shows_status(&self) -> bool {
        let has_one = matches!(&self.kind, Kind::Raw { status: Some(_), .. });
        has_one && Dock::has_room_for_status(terminal::size())
    }

    /// Prints lines, and the prompt with what is typed below them. `calls` are the bytes of a bell
    /// or a notification. One write, so nothing flickers.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn show(&mut self, lines: &[Line], calls: &str) -> io::Result<()> {
        let palette = self.palette;
        let mut out = Vec::new();
        match &mut self.kind {
            Kind::Raw { editor, status, drawn } => {
                let size = terminal::size();
                let dock = Dock::of(&self.prompt, editor, status.as_deref(), size);
                out.extend_from_slice(calls.as_bytes());
                queue!(out, BeginSynchronizedUpdate)?;
                if let Some(drawn) = drawn.as_ref() {
                    go_to_top(&mut out, drawn, size)?;
                }
                // Only a dock that stands where the new one will is drawn over.
                let before = drawn.take().filter(|drawn| lines.is_empty() && drawn.size == size);
                if before.is_none() {
                    queue!(out, Clear(ClearType::FromCursorDown))?;
                }
                write_lines(&mut out, lines, palette, RAW_LINE_END)?;
                *drawn = Some(dock.draw(&mut out, palette, before.as_ref())?);
                queue!(out, EndSynchronizedUpdate)?;
            }
            Kind::Cooked { prompted, again, start } => {
                if !lines.is_empty() {
                    if !*start {
                        out.push(b'\n');
                    }
                    *prompted &= !*again;
                }
                write_lines(&mut out, lines, palette, LINE_END)?;
                if !*prompted {
                    out.extend_from_slice(self.prompt.paint(palette).as_bytes());
                }
                // The cursor position in a line that the terminal edits is unknown.
                *start = false;
                *prompted = true;
            }
            Kind::Lines { prompted } => {
                write_lines(&mut out, lines, palette, LINE_END)?;
                let prompt = self.prompt.to_string();
                if !std::mem::replace(prompted, true) && !prompt.is_empty() {
                    writeln!(out, "{}", prompt.trim_end())?;
                }
            }
        }
        terminal::write_out(&out)
    }

    /// Leaves the finished line standing as these lines, and goes to the next.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn finish_line(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut out = Vec::new();
        match &mut self.kind {
            Kind::Raw { drawn, .. } => {
                if let Some(drawn) = drawn.take() {
                    go_to_top(&mut out, &drawn, terminal::size())?;
                    queue!(out, Clear(ClearType::FromCursorDown))?;
                }
                write_lines(&mut out, lines, self.palette, RAW_LINE_END)?;
            }
            // The terminal has gone to the next line by itself.
            Kind::Cooked { prompted, start, .. } => (*prompted, *start) = (false, true),
            Kind::Lines { .. } => {}
        }
        terminal::write_out(&out)
    }

    /// Gives the terminal to a shell for a while, below everything.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn give_back(&mut self) -> io::Result<()> {
        if let Kind::Raw { drawn, .. } = &mut self.kind {
            let mut out = Vec::new();
            if let Some(drawn) = drawn.take() {
                go_to_top(&mut out, &drawn, terminal::size())?;
                queue!(out, Clear(ClearType::FromCursorDown))?;
            }
            terminal::write_out(&out)?;
            terminal::give_back()?;
        }
        Ok(())
    }

    /// The program was stopped and goes on, and a shell has had the terminal meanwhile: takes it
    /// over again.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        let Some(mut out) = terminal::take_over_again()? else {
            return Ok(());
        };
        if let Kind::Raw { drawn, .. } = &mut self.kind {
            // A dock that is still there stands wherever the shell has left it.
            if drawn.take().is_some() {
                queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
            }
        }
        terminal::write_out(&out)?;
        self.show(&[], "")
    }

    /// Empties the window and draws the dock at its top.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        if let Kind::Raw { drawn, .. } = &mut self.kind {
            *drawn = None;
            let mut out = Vec::new();
            queue!(out, Clear(ClearType::All), MoveTo(0, 0))?;
            terminal::write_out(&out)?;
        }
        self.show(&[], "")
    }

    /// Prints last lines without a prompt, and gives the terminal back.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn close(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut out = Vec::new();
        match &mut self.kind {
            Kind::Raw { drawn: Some(drawn), .. } => {
                go_to_top(&mut out, drawn, terminal::size())?;
                queue!(out, Clear(ClearType::FromCursorDown))?;
                // Who cannot write here cannot write below either.
                let _ = terminal::write_out(&out);
                out.clear();
            }
            Kind::Cooked { start: false, .. } => out.push(b'\n'),
            Kind::Raw { .. } | Kind::Cooked { .. } | Kind::Lines { .. } => {}
        }
        terminal::restore_terminal();
        write_lines(&mut out, lines, self.palette, LINE_END)?;
        self.kind = Kind::Lines { prompted: true };
        terminal::write_out(&out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self.kind, Kind::Raw { .. }) {
            terminal::restore_terminal();
        }
    }
}

/// The line end on a pipe, and on a terminal that is not in raw mode.
pub const LINE_END: &str = "\n";

/// The line end on a terminal in raw mode.
pub const RAW_LINE_END: &str = "\r\n";

/// Writes lines with their colours, each with this line end.
///
/// # Errors
/// None in practice: writing to a vector does not fail.
pub fn write_lines(out: &mut Vec<u8>, lines: &[Line], palette: Palette, end: &str) -> io::Result<()> {
    lines.iter().try_for_each(|line| write!(out, "{}{end}", line.paint(palette)))
}

/// Goes from where the cursor stands in a dock to the dock's first column, in a window of this size
/// now.
fn go_to_top(out: &mut Vec<u8>, drawn: &Drawn, size: (usize, usize)) -> io::Result<()> {
    let breaks = drawn.size.0 != size.0 && terminal::breaks_lines_anew();
    let rows = drawn.rows_above_cursor(breaks.then_some(size.0));
    if let Ok(rows @ 1..) = u16::try_from(rows) {
        queue!(out, MoveUp(rows))?;
    }
    queue!(out, MoveToColumn(0))
}
