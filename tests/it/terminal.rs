//! What a person at a terminal sees: the line that they type, the window around it, the beginning and the end.

mod ending;
mod half_typed;
mod newcomer;
mod plain;
mod window;

use unicode_width::UnicodeWidthStr;

use crate::support::{Builder, Peer, Terminal, rows};

/// Rows enough for everything that a scenario shows.
const ROWS: u16 = 50;

const LEFT: &[u8] = b"\x1b[D";
const HOME: &[u8] = b"\x1b[H";
const BACKSPACE: &[u8] = b"\x7f";
const ESCAPE: &[u8] = b"\x1b";
const CONTROL_C: &[u8] = b"\x03";
const CONTROL_D: &[u8] = b"\x04";
const CONTROL_U: &[u8] = b"\x15";

const CHOICE: &str = "Choice [0-4]: ";

/// Alice on a terminal of this many columns, and Bob; each knows that the other is there.
fn alice_and_bob(columns: u16) -> (Terminal, Peer) {
    alice_like_and_bob(Peer::named("Alice"), columns)
}

/// The same with an Alice who is started in a certain way.
fn alice_like_and_bob(alice: Builder, columns: u16) -> (Terminal, Peer) {
    let mut bob = Peer::named("Bob").start();
    let alice = Terminal::start(alice.knows(bob.addr()), ROWS, columns);
    bob.sees(&format!("* {} is here.", alice.shown()));
    alice.waits_for(&format!("* {} is here.", bob.shown()));
    (alice, bob)
}

/// The prompt for a text to Bob.
fn to_bob(bob: &Peer) -> String {
    format!("Text to {}: ", bob.shown())
}

/// Goes to where a text to Bob is typed.
fn begins_text(alice: &Terminal, bob: &Peer) {
    line_stands(alice, CHOICE, "", "");
    alice.enters("1");
    line_stands(alice, "To: ", "", "");
    alice.enters("bob");
    line_stands(alice, &to_bob(bob), "", "");
}

/// Waits until the line is the last on the screen, holds `before` and `after` behind its prompt, and the cursor stands
/// between them.
fn line_stands(alice: &Terminal, prompt: &str, before: &str, after: &str) {
    let row = format!("{prompt}{before}{after}");
    alice.waits_for_line(row.trim_end(), prompt.width() + before.width());
}

/// Waits until `said` is on the screen and the line below it is as [`line_stands`] has it, both at once.
fn said_above_line(alice: &Terminal, said: &str, prompt: &str, before: &str, after: &str) {
    let line = format!("{prompt}{before}{after}");
    let column = prompt.width() + before.width();
    alice.shows(&format!("`{said}` above `{line}`"), |screen| {
        let (at, cursor) = screen.cursor_position();
        let rows = rows(screen);
        let (above, below) = rows.split_at(usize::from(at));
        above.iter().any(|row| row.ends_with(said))
            && below[0] == line.trim_end()
            && usize::from(cursor) == column
            && below[1..].iter().all(String::is_empty)
    });
}

/// Asserts that these stand on the screen in this order, each once, each at the end of a row, one directly below the
/// other, and that `last` is the row after them.
fn stand_in_order(alice: &Terminal, texts: &[String], last: &str) {
    let screen = alice.screen();
    let rows: Vec<&str> = screen.lines().collect();
    let first = rows.iter().position(|row| row.ends_with(&texts[0])).expect("the first is there");
    for (row, text) in rows[first..].iter().zip(texts) {
        assert!(row.ends_with(text.as_str()), "`{text}` is not where it should be:\n{screen}");
        assert_eq!(screen.matches(text.as_str()).count(), 1, "{text}:\n{screen}");
    }
    assert_eq!(rows[first + texts.len()..], [last.trim_end()], "\n{screen}");
}
