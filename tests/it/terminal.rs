//! What a person at a terminal sees: the line that they type, the window around it, the beginning
//! and the end.

mod attention;
mod completing;
mod editing;
mod ending;
mod half_typed;
mod idle;
mod newcomer;
mod pasting;
mod plain;
mod stopping;
mod talking;
mod window;
mod wrapping;

use unicode_width::UnicodeWidthStr;

use crate::support::{Builder, Peer, Terminal, rows, unwrapped};

/// Rows enough for everything that a scenario shows.
const ROWS: u16 = 50;

const UP: &[u8] = b"\x1b[A";
const LEFT: &[u8] = b"\x1b[D";
const HOME: &[u8] = b"\x1b[H";
const BACKSPACE: &[u8] = b"\x7f";
const ESCAPE: &[u8] = b"\x1b";
const CONTROL_C: &[u8] = b"\x03";
const CONTROL_D: &[u8] = b"\x04";
const CONTROL_L: &[u8] = b"\x0c";
const CONTROL_U: &[u8] = b"\x15";

const CHOICE: &str = "Choice [0-6]: ";

/// Alice on a terminal of this many columns, and Bob; each knows that the other is there.
fn alice_and_bob(columns: u16) -> (Terminal, Peer) {
    alice_like_and_bob(Peer::named("Alice"), columns)
}

/// The same with an Alice who is started in a certain way.
fn alice_like_and_bob(alice: Builder, columns: u16) -> (Terminal, Peer) {
    let mut bob = Peer::named("Bob").start();
    let alice = Terminal::start(alice.knows(bob.addr()), ROWS, columns);
    bob.meets_at(&alice.shown());
    meets(&alice, &bob.shown());
    // Until then Bob and his address can be two rows. Without a status line there is a sentence.
    alice.shows("that one peer is online", |screen| {
        let mut rows = rows(screen).into_iter();
        rows.any(|row| row.starts_with("── ") && row.contains("1 online"))
            || unwrapped(screen).replace('\n', " ").contains("The static peer is online.")
    });
    (alice, bob)
}

/// Waits until the user of a terminal was told that a peer is online, and that its key is new.
fn meets(terminal: &Terminal, shown: &str) {
    let name = shown.split(" (").next().expect("a name");
    let states = ["is online", "now uses encryption"].into_iter();
    let key: Vec<String> = states
        .flat_map(|state| ["new", "new contact"].map(|new| format!("* {name} {state} ({new}, key ")))
        .collect();
    terminal.shows(&format!("one of {key:?}"), |screen| {
        // It may stand on several rows, which the program has broken between words.
        let contents = unwrapped(screen).replace('\n', " ");
        key.iter().any(|line| contents.contains(line))
    });
}

/// Waits until Bob, on a pipe, reads exactly these lines as one text.
fn bob_reads<T: AsRef<str>>(bob: &mut Peer, lines: &[T]) {
    let (first, rest) = lines.split_first().expect("one at least");
    let line = bob.sees(" [encrypted]: ");
    assert!(line.ends_with(&format!(" [encrypted]: {}", first.as_ref())), "{line}");
    for expected in rest {
        assert_eq!(bob.sees("  │").trim_end(), format!("  │ {}", expected.as_ref()).trim_end());
    }
}

/// The prompt for a text to Bob.
const TO_BOB: &str = "Message to Bob: ";

/// Goes to where a text to Bob is typed.
fn begins_text(alice: &Terminal) {
    line_stands(alice, CHOICE, "", "");
    alice.enters("1");
    line_stands(alice, "To: ", "", "");
    alice.enters("bob");
    line_stands(alice, TO_BOB, "", "");
}

/// Waits until the line is the last on the screen, holds `before` and `after` behind its prompt,
/// and the cursor stands between them.
fn line_stands(alice: &Terminal, prompt: &str, before: &str, after: &str) {
    let row = format!("{prompt}{before}{after}");
    alice.waits_for_line(row.trim_end(), prompt.width() + before.width());
}

/// The rows that a prompt and a text take in a window of so many columns, the last of which stays
/// free. Written once more for the tests, so that the program is not its own judge.
fn wrapped(prompt: &str, text: &str, columns: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    for c in prompt.chars().chain(text.chars()) {
        let row = rows.last_mut().expect("one at least");
        if c == '\n' {
            rows.push(String::new());
        } else if row.width() + c.to_string().width() > columns - 1 {
            rows.push(c.into());
        } else {
            row.push(c);
        }
    }
    rows
}

/// Waits until the text stands wrapped behind its prompt in the last rows of the screen, below a
/// status line if there is room for one, with the cursor at its end.
fn wrapped_stands(alice: &Terminal, prompt: &str, text: &str, columns: usize) {
    let mut expected = wrapped(prompt, text, columns);
    let mut column = expected.last().expect("one at least").width();
    if column == columns - 1 {
        // The cursor of a full row stands where the next character will.
        column = 0;
        expected.push(String::new());
    }
    let expected: Vec<&str> = expected.iter().map(|row| row.trim_end()).collect();
    alice.shows(&format!("{expected:#?} last, with the cursor at column {column}"), |screen| {
        let (at, cursor) = screen.cursor_position();
        let rows = rows(screen);
        let (footer, below) = rows.split_at(usize::from(at) + 1);
        footer.ends_with(&expected.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>())
            && below.iter().all(String::is_empty)
            && usize::from(cursor) == column
    });
}

/// What stands on the screen, with times and ports made the same in every run.
fn steady(screen: &vt100::Screen) -> String {
    let mut text = rows(screen).join("\n").trim_end().to_owned();
    for (at, _) in text.clone().match_indices('[') {
        let time = text.get(at + 1..at + 10).filter(|time| time.ends_with(']') && time.as_bytes()[2] == b':');
        if time.is_some() {
            text.replace_range(at + 1..at + 9, "..:..:..");
        }
    }
    text
}

/// Waits until the whole screen is this; `ports` are what it has in place of `{0}`, `{1}` ...
fn screen_is(alice: &Terminal, ports: &[u16], expected: &str) {
    let mut expected = expected.trim_end().to_owned();
    for (at, port) in ports.iter().enumerate() {
        expected = expected.replace(&format!("{{{at}}}"), &port.to_string());
    }
    alice.shows(&format!("this whole screen:\n{expected}\n"), |screen| steady(screen) == expected);
}

/// Empties the screen, so that what follows is the whole of it.
fn begins_screen(alice: &Terminal) {
    alice.key(CONTROL_L);
    alice.shows("an empty screen", |screen| rows(screen).iter().filter(|row| !row.is_empty()).count() <= 2);
}

/// Waits until `said` is on the screen and the line below it is as [`line_stands`] has it, both at
/// once.
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

/// Asserts that these stand on the screen in this order, each once, each at the end of a row, one
/// directly below the other, and that the status line and `last` are the rows after them.
fn stand_in_order(alice: &Terminal, texts: &[String], last: &str) {
    let screen = alice.screen();
    let rows: Vec<&str> = screen.lines().collect();
    let first = rows.iter().position(|row| row.ends_with(&texts[0])).expect("the first is there");
    for (row, text) in rows[first..].iter().zip(texts) {
        assert!(row.ends_with(text.as_str()), "`{text}` is not where it should be:\n{screen}");
        assert_eq!(screen.matches(text.as_str()).count(), 1, "{text}:\n{screen}");
    }
    let below = &rows[first + texts.len()..];
    assert!(below.len() == 2 && below[0].starts_with("── Alice "), "\n{screen}");
    assert_eq!(below[1], last.trim_end(), "\n{screen}");
}
