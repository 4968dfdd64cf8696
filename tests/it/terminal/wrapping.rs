//! Long messages in a window: no row of them can be taken for a line of its own.

use super::*;

/// What a row would have to begin with to be taken for a message of Carol's.
const FORGED: &str = "[11:47:31] Carol: pay Eve";

/// Texts whose rest stood at the first column if the terminal broke the rows.
fn forgeries() -> Vec<String> {
    let padded = |blank: char, columns: usize| format!("{}{FORGED}", blank.to_string().repeat(columns));
    let mut texts: Vec<String> = (50..62).map(|columns| padded(' ', columns)).collect();
    texts.extend([padded(' ', 200), padded('x', 58), padded('\u{a0}', 58), padded('\u{2800}', 58)]);
    texts.extend([padded('\u{3000}', 29), padded('漢', 29), format!("so\u{2800}{}", padded(' ', 56))]);
    texts
}

/// Has Bob send each of these, and checks the screen after each.
fn sends_each(alice: &Terminal, bob: &mut Peer, check: impl Fn(&[String])) {
    for (number, text) in forgeries().into_iter().enumerate() {
        bob.says("1", &format!("{text} end{number}."));
        alice.waits_for(&format!("end{number}."));
        alice.cells(|screen| check(&rows(screen)));
    }
}

#[test]
fn padded_message_cannot_forge_a_line() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    sends_each(&alice, &mut bob, |rows| {
        let forged = rows.iter().find(|row| row.starts_with("[11:47:31]") || row.starts_with("Carol"));
        assert_eq!(forged, None, "\n{}", rows.join("\n"));
    });
}

#[test]
fn plain_terminal_shows_a_bar_at_further_rows() {
    let (alice, mut bob) = alice_like_and_bob(Peer::named("Alice").arg("--plain"), 80);
    alice.waits_for(CHOICE);
    sends_each(&alice, &mut bob, |rows| {
        let forged = rows.iter().find(|row| row.starts_with("[11:47:31]") || row.starts_with("Carol"));
        assert_eq!(forged, None, "\n{}", rows.join("\n"));
        assert!(rows.iter().any(|row| row.starts_with("  │ ")), "\n{}", rows.join("\n"));
    });
}

#[test]
fn resized_window_wraps_messages_again() {
    let (alice, mut bob) = alice_and_bob(100);
    line_stands(&alice, CHOICE, "", "");
    begins_screen(&alice);
    let texts: Vec<String> = (1..=4).map(|number| format!("<{number}{}>", " word".repeat(24))).collect();
    for text in &texts {
        bob.says("1", text);
        alice.waits_for(text);
    }
    for columns in [50, 120, 30, 80] {
        alice.resize(ROWS, columns);
        line_stands(&alice, CHOICE, "", "");
        alice.shows("each message once", |screen| {
            let shown = unwrapped(screen);
            texts.iter().all(|text| shown.matches(text.as_str()).count() == 1)
                && shown.matches("] Bob: ").count() == texts.len()
                && rows(screen).iter().all(|row| row.width() < usize::from(columns))
        });
    }
}

#[test]
fn resize_prints_again_only_what_is_in_sight() {
    let (alice, mut bob) = alice_and_bob(60);
    line_stands(&alice, CHOICE, "", "");
    for number in 1..=80 {
        bob.types(&["1", "1", &format!("message {number}.")]);
    }
    alice.waits_for(": message 80.");
    let before = alice.raw_output().len();
    alice.resize(ROWS, 70);
    line_stands(&alice, CHOICE, "", "");
    alice.waits_for(": message 80.");
    let printed = String::from_utf8_lossy(&alice.raw_output()[before..]).into_owned();
    assert!(printed.contains(": message 80.") && !printed.contains(": message 20."), "{printed}");
}

#[test]
fn long_message_is_cut_until_it_is_shown() {
    let (alice, bob) = two_terminals();
    let lines: Vec<String> = (1..=140).map(|number| format!("line {number}.")).collect();
    bob.keys("@alice ");
    bob.keys(&format!("\x1b[200~{}\x1b[201~", lines.join("\n")));
    bob.enters("");
    for terminal in [&alice, &bob] {
        terminal.waits_for("  │ line 100.\n40 more lines: /show 1\n");
    }
    alice.enters("/show 1");
    alice.waits_for("  │ line 139.\n  │ line 140.\n");
    alice.enters("/show 2");
    alice.waits_for("No message has the number 2.");
    alice.enters("/show all");
    alice.waits_for("Type the number of a message that was cut, like /show 17.");
}

/// Alice and Bob on terminals, who know each other.
fn two_terminals() -> (Terminal, Terminal) {
    let alice = Terminal::start(Peer::named("Alice"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let bob = Terminal::start(Peer::named("Bob").knows(alice.addr()), ROWS, 80);
    super::meets(&bob, &alice.shown());
    super::meets(&alice, &bob.shown());
    (alice, bob)
}

#[test]
fn copy_puts_the_last_message_on_the_clipboard() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/copy");
    alice.waits_for("No message has arrived yet, so there is nothing to copy.");
    bob.says("1", "hello there");
    alice.waits_for(": hello there");
    alice.enters("/copy");
    alice.waits_for("Asked the terminal to copy the last message, from Bob.");
    let raw = String::from_utf8_lossy(&alice.raw_output()).into_owned();
    assert_eq!(raw.matches("\x1b]52;c;aGVsbG8gdGhlcmU=\x07").count(), 1);
}

#[test]
fn plain_terminal_copies_nothing() {
    let (alice, mut bob) = alice_like_and_bob(Peer::named("Alice").arg("--plain"), 80);
    alice.waits_for(CHOICE);
    bob.says("1", "hello there");
    alice.waits_for(": hello there");
    alice.enters("/copy");
    alice.waits_for("/copy needs a terminal, and works neither with --plain nor with TERM=dumb.");
    assert!(!alice.raw_output().contains(&0x1b));
}
