//! Owns the terminal, and prints lines above the line that the user types.
//!
//! The *footer* is below the printed lines: the status line, and the prompt with the typed text, on
//! as many rows as they need. One write replaces the footer with the new lines and draws it again
//! below them. Nothing else is overwritten, so everything stays in the scrollback. When the width
//! of the window changes, the last rows in sight are printed again for that width. A message of
//! which only the end is in sight is printed whole, so its beginning can appear twice in the
//! scrollback.

use std::io::{self, IsTerminal, Write};

use crossterm::cursor::{MoveTo, MoveToColumn, MoveUp};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};

use super::editor::Editor;
use super::footer::{Footer, broken_rows};
use super::layout::Further;
use super::printed::Printed;
use super::status::Status;
use super::style::{Line, Palette};
use super::terminal;

/// Where the output goes.
#[derive(Debug)]
pub struct Screen {
    kind: ScreenKind,
    terminal: bool,
    palette: Palette,
    prompt: Line,
    /// Whether lines are wrapped: the output is a terminal, even if the input is a pipe.
    wraps: bool,
    printed: Printed,
    /// The beginning of the further rows of a message on a terminal.
    further: Further,
}

#[derive(Debug)]
enum ScreenKind {
    /// A terminal on which this program edits the line.
    Raw { editor: Box<Editor>, status: Option<Box<Status>>, drawn: Option<Footer> },
    /// A terminal that edits lines itself, so the prompt stays on the line of the typed text.
    /// `again` says whether the prompt is repeated after new lines. The cursor is known to be at
    /// the `start` of a line only after the user has finished one.
    Cooked { prompted: bool, again: bool, start: bool },
    /// A pipe or a file: each prompt and each event is a line.
    Lines { prompted: bool },
}

impl Screen {
    /// Prints to a terminal that edits lines itself. `again` says whether the prompt is repeated
    /// after lines that interrupt it.
    pub fn cooked(palette: Palette, again: bool) -> Self {
        Self {
            kind: ScreenKind::Cooked { prompted: false, again, start: true },
            terminal: true,
            palette,
            prompt: Line::default(),
            wraps: true,
            printed: Printed::default(),
            further: Further::Bar,
        }
    }

    /// Prints to a pipe or a file.
    pub fn lines(palette: Palette) -> Self {
        Self {
            kind: ScreenKind::Lines { prompted: true },
            terminal: false,
            palette,
            prompt: Line::default(),
            wraps: io::stdout().is_terminal(),
            printed: Printed::default(),
            further: Further::Bar,
        }
    }

    /// Takes over a terminal that handles control sequences. With `tell_focus`, asks it to report
    /// whether its window has the focus.
    ///
    /// # Errors
    ///
    /// If the terminal cannot be put into raw mode.
    pub fn take_over(&mut self, tell_focus: bool) -> io::Result<()> {
        terminal::take_over(tell_focus)?;
        self.kind = ScreenKind::Raw { editor: Box::default(), status: None, drawn: None };
        self.further = Further::Blanks;
        Ok(())
    }

    /// Whether the output is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The colours of the output.
    pub fn palette(&self) -> Palette {
        self.palette
    }

    /// Whether this program edits the line.
    pub fn edits(&self) -> bool {
        matches!(self.kind, ScreenKind::Raw { .. })
    }

    /// The editor of the typed line, if this program edits it.
    pub fn editor(&mut self) -> Option<&mut Editor> {
        match &mut self.kind {
            ScreenKind::Raw { editor, .. } => Some(editor),
            ScreenKind::Cooked { .. } | ScreenKind::Lines { .. } => None,
        }
    }

    /// The lines of a long message, by the number that is shown where it is cut.
    pub fn long_message(&self, number: usize) -> Option<Vec<Line>> {
        let lines = self.printed.long(number)?;
        Some(lines.iter().cloned().map(Line::shown_whole).collect())
    }

    /// The current prompt.
    pub fn prompt(&self) -> &Line {
        &self.prompt
    }

    /// Changes the prompt. The next [`Screen::show`] prints it.
    pub fn ask(&mut self, prompt: Line) {
        self.prompt = prompt;
        match &mut self.kind {
            ScreenKind::Raw { .. } => {}
            ScreenKind::Cooked { prompted, .. } | ScreenKind::Lines { prompted } => *prompted = false,
        }
    }

    /// Changes the status line. The next [`Screen::show`] prints it.
    pub fn set_status(&mut self, new: Option<Status>) {
        if let ScreenKind::Raw { status, .. } = &mut self.kind {
            *status = new.map(Box::new);
        }
    }

    /// Whether there is a status line, and room for it.
    pub fn shows_status(&self) -> bool {
        let has_one = matches!(&self.kind, ScreenKind::Raw { status: Some(_), .. });
        has_one && Footer::has_room_for_status(terminal::size())
    }

    /// Prints lines, and the prompt with the typed text below them. `calls` are the bytes of a bell
    /// or a notification. It is one write, so nothing flickers.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn show(&mut self, lines: &[Line], calls: &str) -> io::Result<()> {
        let palette = self.palette;
        let mut out = Vec::new();
        match &mut self.kind {
            ScreenKind::Raw { editor, status, drawn } => {
                let size = terminal::size();
                let footer = Footer::of(&self.prompt, editor, status.as_deref(), size);
                out.extend_from_slice(calls.as_bytes());
                queue!(out, BeginSynchronizedUpdate)?;
                let again = go_to_top(&mut out, drawn.as_ref(), &mut self.printed, size)?;
                write_over(&mut out, &again, palette)?;
                // Only a footer at the same place is drawn over.
                let before = drawn.take().filter(|drawn| lines.is_empty() && drawn.size == size);
                if before.is_none() {
                    queue!(out, Clear(ClearType::FromCursorDown))?;
                }
                let rows = self.printed.take(lines, size.0, Further::Blanks);
                write_lines(&mut out, &rows, palette, RAW_LINE_END)?;
                footer.draw(&mut out, palette, before.as_ref())?;
                *drawn = Some(footer);
                queue!(out, EndSynchronizedUpdate)?;
            }
            ScreenKind::Cooked { prompted, again, start } => {
                if !lines.is_empty() {
                    if !*start {
                        out.push(b'\n');
                    }
                    *prompted &= !*again;
                }
                let rows = self.printed.take(lines, terminal::size().0, self.further);
                write_lines(&mut out, &rows, palette, LINE_END)?;
                if !*prompted {
                    out.extend_from_slice(self.prompt.paint(palette).as_bytes());
                }
                // The position of the cursor in a line that the terminal edits is unknown.
                *start = false;
                *prompted = true;
            }
            ScreenKind::Lines { prompted } => {
                let prompted = std::mem::replace(prompted, true);
                write_lines(&mut out, &self.rows_of(lines), palette, LINE_END)?;
                let prompt = self.prompt.to_string();
                if !prompted && !prompt.is_empty() {
                    writeln!(out, "{}", prompt.trim_end())?;
                }
            }
        }
        terminal::write_out(&out)
    }

    /// Returns the rows of lines on a terminal, or the lines themselves on a pipe.
    fn rows_of(&mut self, lines: &[Line]) -> Vec<Line> {
        if self.wraps { self.printed.take(lines, terminal::size().0, self.further) } else { lines.to_vec() }
    }

    /// Replaces the finished line with these lines, and goes to the next line.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn finish_line(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut out = Vec::new();
        match &mut self.kind {
            ScreenKind::Raw { drawn, .. } => {
                let size = terminal::size();
                if let Some(drawn) = drawn.take() {
                    let again = go_to_top(&mut out, Some(&drawn), &mut self.printed, size)?;
                    write_over(&mut out, &again, self.palette)?;
                    queue!(out, Clear(ClearType::FromCursorDown))?;
                }
                let rows = self.printed.take(lines, size.0, Further::Blanks);
                write_lines(&mut out, &rows, self.palette, RAW_LINE_END)?;
            }
            // The terminal has gone to the next line by itself.
            ScreenKind::Cooked { prompted, start, .. } => (*prompted, *start) = (false, true),
            ScreenKind::Lines { .. } => {}
        }
        terminal::write_out(&out)
    }

    /// Gives the terminal to a shell, with the cursor below everything.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn give_back(&mut self) -> io::Result<()> {
        if let ScreenKind::Raw { drawn, .. } = &mut self.kind {
            let mut out = Vec::new();
            if let Some(drawn) = drawn.take() {
                go_to_top_of_footer(&mut out, &drawn, terminal::size())?;
                queue!(out, Clear(ClearType::FromCursorDown))?;
            }
            terminal::write_out(&out)?;
            terminal::give_back()?;
        }
        Ok(())
    }

    /// Takes the terminal over again after the program was stopped and a shell had the terminal.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn resume(&mut self) -> io::Result<()> {
        let Some(mut out) = terminal::take_over_again()? else {
            return Ok(());
        };
        if let ScreenKind::Raw { drawn, .. } = &mut self.kind {
            self.printed.is_gone();
            // If the footer is still there, the shell may have moved it.
            if drawn.take().is_some() {
                queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
            }
        }
        terminal::write_out(&out)?;
        self.show(&[], "")
    }

    /// Clears the window and draws the footer at its top.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn clear(&mut self) -> io::Result<()> {
        if let ScreenKind::Raw { drawn, .. } = &mut self.kind {
            *drawn = None;
            self.printed.is_gone();
            let mut out = Vec::new();
            queue!(out, Clear(ClearType::All), MoveTo(0, 0))?;
            terminal::write_out(&out)?;
        }
        self.show(&[], "")
    }

    /// Prints the last lines without a prompt, and restores the terminal.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn close(&mut self, lines: &[Line]) -> io::Result<()> {
        let mut out = Vec::new();
        match &mut self.kind {
            ScreenKind::Raw { drawn: Some(drawn), .. } => {
                go_to_top_of_footer(&mut out, drawn, terminal::size())?;
                queue!(out, Clear(ClearType::FromCursorDown))?;
                // If this write fails, the writes below fail too.
                let _ = terminal::write_out(&out);
                out.clear();
            }
            ScreenKind::Cooked { start: false, .. } => out.push(b'\n'),
            ScreenKind::Raw { .. } | ScreenKind::Cooked { .. } | ScreenKind::Lines { .. } => {}
        }
        terminal::restore_terminal();
        self.kind = ScreenKind::Lines { prompted: true };
        write_lines(&mut out, &self.rows_of(lines), self.palette, LINE_END)?;
        terminal::write_out(&out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self.kind, ScreenKind::Raw { .. }) {
            terminal::restore_terminal();
        }
    }
}

/// The line end on a pipe, and on a terminal that is not in raw mode.
pub const LINE_END: &str = "\n";

/// The line end on a terminal in raw mode.
pub const RAW_LINE_END: &str = "\r\n";

/// Writes lines with their colours, each with this line end.
pub fn write_lines(out: &mut Vec<u8>, lines: &[Line], palette: Palette, end: &str) -> io::Result<()> {
    lines.iter().try_for_each(|line| write!(out, "{}{end}", line.paint(palette)))
}

/// Writes lines over existing rows. They are not all cleared first: when a window is cleared from
/// its first row, tmux moves its rows into the scrollback. A row that is cleared from its first
/// column is no longer joined with the next one.
fn write_over(out: &mut Vec<u8>, lines: &[Line], palette: Palette) -> io::Result<()> {
    for line in lines {
        queue!(out, Clear(ClearType::UntilNewLine))?;
        write_lines(out, std::slice::from_ref(line), palette, RAW_LINE_END)?;
    }
    Ok(())
}

/// Goes to the first column of the footer, if one is drawn. If the window had another width then,
/// goes further up to the first printed row in sight, and returns the lines to print
/// again from there.
fn go_to_top(
    out: &mut Vec<u8>,
    drawn: Option<&Footer>,
    printed: &mut Printed,
    size: (usize, usize),
) -> io::Result<Vec<Line>> {
    let Some(drawn) = drawn else { return Ok(Vec::new()) };
    let before = drawn.size;
    go_to_top_of_footer(out, drawn, size)?;
    if before.0 == size.0 {
        return Ok(Vec::new());
    }
    // A window that is higher now may have got rows back from the scrollback, or not.
    let above = size.1.min(before.1).saturating_sub(drawn.rows(broken_at(before, size)));
    let height = |row: &Line| broken_at(before, size).map_or(1, |columns| broken_rows(row, columns));
    let (up, again) = printed.in_sight(above, before.0, size.0, height);
    if let Ok(up @ 1..) = u16::try_from(up) {
        queue!(out, MoveUp(up))?;
    }
    Ok(again)
}

/// Goes to the first column of a drawn footer from the position of the cursor in it. `size` is the
/// current size of the window.
fn go_to_top_of_footer(out: &mut Vec<u8>, drawn: &Footer, size: (usize, usize)) -> io::Result<()> {
    let rows = drawn.rows_above_cursor(broken_at(drawn.size, size));
    if let Ok(rows @ 1..) = u16::try_from(rows) {
        queue!(out, MoveUp(rows))?;
    }
    queue!(out, MoveToColumn(0))
}

/// Returns the width for which the terminal has wrapped its rows again, if it has.
fn broken_at(before: (usize, usize), size: (usize, usize)) -> Option<usize> {
    (before.0 != size.0 && terminal::breaks_lines_anew()).then_some(size.0)
}
