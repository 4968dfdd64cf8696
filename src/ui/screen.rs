//! The one owner of the terminal: prints events above the line that is being typed, and leaves that line as it is.

use std::env;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{MoveToColumn, MoveUp};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::queue;
use crossterm::terminal::{self, Clear, ClearType};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::editor::Editor;

/// Columns kept for the typed text however long the prompt is.
const MIN_TEXT_COLUMNS: usize = 10;

/// The width taken where the terminal does not tell.
const USUAL_COLUMNS: usize = 80;

/// Whether the terminal is in raw mode because of us, and so has to be restored, by whoever ends the program.
static RAW: AtomicBool = AtomicBool::new(false);

/// Gives the terminal back as it was found. May be called at any time, also twice, also in a panic.
pub fn restore_terminal() {
    if RAW.swap(false, Ordering::SeqCst) && is_in_foreground() {
        // If the terminal is gone there is nothing to restore.
        let mut out = Vec::new();
        let _ = queue!(out, DisableBracketedPaste, MoveToColumn(0), Clear(ClearType::UntilNewLine));
        let _ = write_out(&out);
        let _ = terminal::disable_raw_mode();
    }
}

/// The same without writing to the terminal, for when whoever writes to it is stuck.
pub fn abandon_terminal() {
    if RAW.swap(false, Ordering::SeqCst) && is_in_foreground() {
        let _ = terminal::disable_raw_mode();
    }
}

/// Whether the terminal is ours to change. A program in the background that tries is stopped for it, and could not even
/// be ended any more.
#[cfg(unix)]
pub fn is_in_foreground() -> bool {
    match rustix::termios::tcgetpgrp(io::stdin()) {
        Ok(group) => group == rustix::process::getpgrp(),
        // It is not the terminal that controls us, so nobody stops us.
        Err(_) => true,
    }
}

/// Whether the terminal is ours to change: elsewhere always.
#[cfg(not(unix))]
pub fn is_in_foreground() -> bool {
    true
}

/// Where the user reads.
#[derive(Debug)]
pub struct Screen {
    kind: Kind,
    prompt: String,
}

/// Where the row of the prompt ends, and where the cursor stands in it.
#[derive(Clone, Copy, Debug)]
struct Drawn {
    end: usize,
    cursor: usize,
}

#[derive(Debug)]
enum Kind {
    /// A terminal whose line we edit ourselves.
    Raw { editor: Editor, drawn: Option<Drawn> },
    /// A terminal that edits lines itself: the prompt stays on the line of what is typed.
    Cooked { prompted: bool },
    /// No terminal: every prompt and every event is a line.
    Lines { prompted: bool },
}

impl Screen {
    /// Takes over a terminal that obeys control sequences.
    ///
    /// # Errors
    /// Where the terminal cannot be put into raw mode.
    pub fn raw() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        RAW.store(true, Ordering::SeqCst);
        let mut out = Vec::new();
        queue!(out, EnableBracketedPaste)?;
        write_out(&out)?;
        Ok(Self::of(Kind::Raw { editor: Editor::default(), drawn: None }))
    }

    /// Prints to a terminal that does not obey control sequences.
    pub fn cooked() -> Self {
        Self::of(Kind::Cooked { prompted: false })
    }

    /// Prints to a pipe or a file.
    pub fn lines() -> Self {
        Self::of(Kind::Lines { prompted: true })
    }

    fn of(kind: Kind) -> Self {
        Self { kind, prompt: String::new() }
    }

    /// Whether a person reads it.
    pub fn is_terminal(&self) -> bool {
        !matches!(self.kind, Kind::Lines { .. })
    }

    /// The line being typed, on a terminal that we edit it on.
    pub fn editor(&mut self) -> Option<&mut Editor> {
        match &mut self.kind {
            Kind::Raw { editor, .. } => Some(editor),
            Kind::Cooked { .. } | Kind::Lines { .. } => None,
        }
    }

    /// Changes the prompt, and asks it at the next [`Screen::show`].
    pub fn ask(&mut self, prompt: String) {
        self.prompt = prompt;
        match &mut self.kind {
            Kind::Raw { .. } => {}
            Kind::Cooked { prompted } | Kind::Lines { prompted } => *prompted = false,
        }
    }

    /// Prints lines, and the prompt with what is typed below them. One write, so nothing flickers.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let mut out = Vec::new();
        match &mut self.kind {
            Kind::Raw { editor, drawn } => {
                if drawn.is_some() {
                    queue!(out, MoveToColumn(0), Clear(ClearType::UntilNewLine))?;
                }
                for line in lines {
                    write!(out, "{line}\r\n")?;
                }
                *drawn = Some(draw_line(&mut out, &self.prompt, editor)?);
            }
            Kind::Cooked { prompted } => {
                if *prompted && !lines.is_empty() {
                    out.push(b'\n');
                }
                write_lines(&mut out, lines)?;
                if !*prompted || !lines.is_empty() {
                    out.extend_from_slice(self.prompt.as_bytes());
                }
                *prompted = true;
            }
            Kind::Lines { prompted } => {
                write_lines(&mut out, lines)?;
                if !std::mem::replace(prompted, true) && !self.prompt.is_empty() {
                    writeln!(out, "{}", self.prompt.trim_end())?;
                }
            }
        }
        write_out(&out)
    }

    /// Leaves the finished line standing and goes to the next.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn finish_line(&mut self, line: &str) -> io::Result<()> {
        let mut out = Vec::new();
        match &mut self.kind {
            Kind::Raw { drawn, .. } => {
                if drawn.take().is_some() {
                    queue!(out, MoveToColumn(0), Clear(ClearType::UntilNewLine))?;
                }
                write!(out, "{}{line}\r\n", self.prompt)?;
            }
            // The terminal has gone to the next line by itself.
            Kind::Cooked { prompted } => *prompted = false,
            Kind::Lines { .. } => {}
        }
        write_out(&out)
    }

    /// The program was stopped and goes on, and a shell has had the terminal meanwhile: takes it over again.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn resume(&mut self) -> io::Result<()> {
        if !RAW.load(Ordering::SeqCst) || !is_in_foreground() {
            return Ok(());
        }
        // crossterm believes that it is still raw.
        terminal::disable_raw_mode()?;
        terminal::enable_raw_mode()?;
        if let Kind::Raw { drawn, .. } = &mut self.kind {
            *drawn = None;
        }
        let mut out = Vec::new();
        queue!(out, EnableBracketedPaste, MoveToColumn(0), Clear(ClearType::UntilNewLine))?;
        write_out(&out)?;
        self.show(&[])
    }

    /// The window has another size: draws the line anew. Most terminals have broken the old one anew.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn resized(&mut self) -> io::Result<()> {
        let mut out = Vec::new();
        if let Kind::Raw { drawn: Some(Drawn { end, cursor }), .. } = self.kind {
            // At the end of a full row the cursor still stands in that row.
            let cursor = if cursor == end { cursor.saturating_sub(1) } else { cursor };
            let rows = if breaks_lines_anew() { cursor / columns().max(1) } else { 0 };
            if let Ok(rows @ 1..) = u16::try_from(rows) {
                queue!(out, MoveUp(rows))?;
            }
            queue!(out, MoveToColumn(0), Clear(ClearType::FromCursorDown))?;
        }
        write_out(&out)?;
        self.show(&[])
    }

    /// Prints last lines without a prompt, and gives the terminal back.
    ///
    /// # Errors
    /// Where standard output is gone.
    pub fn close(&mut self, lines: &[String]) -> io::Result<()> {
        restore_terminal();
        let mut out = Vec::new();
        if matches!(self.kind, Kind::Cooked { prompted: true }) {
            out.push(b'\n');
        }
        write_lines(&mut out, lines)?;
        self.kind = Kind::Lines { prompted: true };
        write_out(&out)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self.kind, Kind::Raw { .. }) {
            restore_terminal();
        }
    }
}

fn columns() -> usize {
    terminal::size().map_or(USUAL_COLUMNS, |(columns, _)| usize::from(columns))
}

fn write_lines(out: &mut Vec<u8>, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Whether the terminal breaks lines anew when its window gets narrower. Those in use do, but for xterm, which tells by
/// a variable that it is one, and GNU screen; inside tmux, tmux does it.
fn breaks_lines_anew() -> bool {
    let has = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    has("TMUX") || !(has("XTERM_VERSION") || has("STY"))
}

/// Draws the prompt and what of the typed text fits on one row.
fn draw_line(out: &mut Vec<u8>, prompt: &str, editor: &Editor) -> io::Result<Drawn> {
    // The last column stays free: what is written there makes some terminals go to the next row.
    let room = columns().saturating_sub(1);
    let wanted = (editor.text().width() + 1).min(MIN_TEXT_COLUMNS).min(room / 2);
    let prompt = end_of(prompt, room.saturating_sub(wanted));
    let view = editor.view(room.saturating_sub(prompt.width()));
    write!(out, "{prompt}{}", view.text)?;
    let cursor = prompt.width() + view.cursor;
    queue!(out, MoveToColumn(u16::try_from(cursor).unwrap_or(u16::MAX)))?;
    Ok(Drawn { end: prompt.width() + view.text.width(), cursor })
}

/// The end of `text` that takes at most `columns`: in a narrow window, the words next to the cursor matter most.
fn end_of(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    let mut begin = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        taken += grapheme.width();
        if taken > columns {
            break;
        }
        begin = at;
    }
    &text[begin..]
}
