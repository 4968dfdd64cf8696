//! A line in a window that is too narrow for it, or becomes so.

use super::*;

/// Words that can be told apart, together longer than any window here.
fn long_text() -> String {
    (10..60).map(|number| format!("w{number} ")).collect::<String>() + "end"
}

/// How often `text` stands on the screen of `alice`.
fn count(alice: &Terminal, text: &str) -> usize {
    alice.screen().matches(text).count()
}

#[test]
fn long_line_is_wrapped_and_sent_whole() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    let text = long_text();
    alice.keys(&text);
    wrapped_stands(&alice, TO_BOB, &text, 80);
    bob.says("1", "in between");
    alice.waits_for(": in between");
    wrapped_stands(&alice, TO_BOB, &text, 80);
    assert_eq!(count(&alice, "w10"), 1, "{}", alice.screen());
    alice.key(HOME);
    bob.says("1", "once more");
    alice.waits_for(": once more");
    alice.shows("the cursor at the beginning of the text", |screen| {
        let (row, column) = row_and_column(screen);
        row.starts_with(&format!("{TO_BOB}w10 w11")) && column == TO_BOB.width()
    });
    alice.enters("");
    assert!(bob.sees(": w10 ").ends_with(&text), "not whole: {:?}", bob.printed());
    alice.waits_for("✓ delivered to Bob");
    // What was sent stands there as a message.
    alice.waits_for(&format!("] → Bob: {text}"));
}

#[test]
fn wide_wrapped_line_survives_incoming_messages() {
    let (alice, mut bob) = alice_and_bob(40);
    begins_text(&alice);
    let text = "漢字 and cafe\u{301}, 漢字 and cafe\u{301}, ".repeat(3);
    alice.keys(&text);
    for number in 0..300 {
        bob.types(&["1", "1", &format!("pour {number}.")]);
    }
    alice.waits_for(": pour 299.");
    let shown = wrapped(TO_BOB, &text.replace('\u{301}', ""), 40);
    let expected = shown.last().expect("rows").trim_end().to_owned();
    alice.shows("the line as it was typed", |screen| {
        let footer: Vec<String> =
            rows(screen).into_iter().rev().skip_while(String::is_empty).take(shown.len()).collect();
        let footer: Vec<String> = footer.into_iter().rev().map(|row| row.replace('\u{301}', "")).collect();
        footer.iter().zip(&shown).all(|(row, shown)| row == shown.trim_end())
            && footer.last() == Some(&expected)
    });
    alice.enters("");
    bob.sees(&format!(": {}", text.trim_end()));
    let raw = String::from_utf8_lossy(&alice.raw_output()).into_owned();
    for number in 0..300 {
        assert_eq!(raw.matches(&format!("pour {number}.")).count(), 1, "{number}");
    }
}

#[test]
fn long_line_is_drawn_once_after_resizing() {
    let (alice, mut bob) = alice_and_bob(100);
    begins_text(&alice);
    let mut text = long_text();
    alice.keys(&text);
    wrapped_stands(&alice, TO_BOB, &text, 100);
    for columns in [60, 120, 44, 80] {
        alice.resize(ROWS, columns);
        wrapped_stands(&alice, TO_BOB, &text, columns.into());
        alice.keys("!");
        text.push('!');
        wrapped_stands(&alice, TO_BOB, &text, columns.into());
        assert_eq!(count(&alice, "w10"), 1, "{columns} columns:\n{}", alice.screen());
        assert_eq!(count(&alice, "Message to"), 1, "{columns} columns:\n{}", alice.screen());
        assert_eq!(count(&alice, "── Alice"), 1, "{columns} columns:\n{}", alice.screen());
    }
    alice.enters("");
    assert!(bob.sees(": w10 ").ends_with(&text), "not whole: {:?}", bob.printed());
}

#[test]
fn too_high_message_shows_rows_around_the_cursor() {
    let mut bob = Peer::named("Bob").start();
    let alice = Terminal::start(Peer::named("Alice").knows(bob.addr()), 12, 60);
    super::meets(&alice, &bob.shown());
    begins_text(&alice);
    let lines: Vec<String> = (1..=50).map(|number| format!("line {number}.")).collect();
    alice.keys(&format!("\x1b[200~{}\x1b[201~", lines.join("\n")));
    alice.waits_for("line 50.");
    let screen = alice.screen();
    assert!(screen.contains("rows above") && !screen.contains("line 40."), "{screen}");
    assert!(screen.contains("── Alice"), "{screen}");
    bob.says("1", "in between");
    alice.waits_for(": in between");
    alice.key(HOME);
    alice.key(HOME);
    alice.waits_for("Message to Bob: line 1.");
    assert!(alice.screen().contains("rows below"), "{}", alice.screen());
    alice.enters("");
    bob_reads(&mut bob, &lines);
}

#[test]
fn keys_during_a_resize_are_taken_at_once() {
    let (alice, _bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    // Whether the two meet is a matter of luck.
    for _ in 0..2 {
        let mut typed = String::new();
        for (columns, key) in (100..180).zip(('a'..='z').cycle()) {
            alice.begins_resize(ROWS, columns);
            alice.keys(&key.to_string());
            typed.push(key);
            line_stands(&alice, CHOICE, &typed, "");
        }
        alice.key(CONTROL_U);
        line_stands(&alice, CHOICE, "", "");
    }
}

/// The row that the cursor is in, and its column.
fn row_and_column(screen: &vt100::Screen) -> (String, usize) {
    let (at, column) = screen.cursor_position();
    (rows(screen)[usize::from(at)].clone(), column.into())
}

/// Waits until the cursor is at the end of the last row, and this is the end of that row.
fn line_ends(alice: &Terminal, end: &str) {
    alice.shows(&format!("`{end}` at the end of the last row"), |screen| {
        let (row, column) = row_and_column(screen);
        let last = rows(screen).into_iter().rfind(|row| !row.is_empty());
        row.ends_with(end.trim_end())
            && column == row.width() + end.len() - end.trim_end().len()
            && last == Some(row)
    });
}

#[test]
fn a_window_of_twenty_columns_is_usable() {
    let (alice, mut bob) = alice_and_bob(20);
    line_ends(&alice, "[0-6]: ");
    alice.enters("1");
    line_ends(&alice, "To: ");
    alice.enters("1");
    wrapped_stands(&alice, TO_BOB, "", 20);
    let text = "abcdefghijklmnopqrstuvwxyz";
    alice.keys(text);
    wrapped_stands(&alice, TO_BOB, text, 20);
    assert!(!alice.screen().contains("──"), "no room for a status line:\n{}", alice.screen());
    bob.says("1", "a message that takes several rows");
    alice.waits_for(": a message that takes several rows");
    wrapped_stands(&alice, TO_BOB, text, 20);
    alice.enters("");
    bob.sees(&format!(": {text}"));
    alice.waits_for("Delivered to Bob.");
    line_ends(&alice, "[0-6]: ");
    alice.enters("2");
    alice.waits_for("1 peer, 1 online.");
    line_ends(&alice, "[0-6]: ");
}

#[test]
fn low_window_has_no_status_line() {
    let alice = Terminal::start(Peer::named("Alice"), 7, 80);
    line_stands(&alice, CHOICE, "", "");
    alice.keys("x");
    line_stands(&alice, CHOICE, "x", "");
    assert!(!alice.screen().contains("── Alice"), "{}", alice.screen());
    alice.resize(20, 80);
    alice.waits_for("── Alice");
    line_stands(&alice, CHOICE, "x", "");
}

#[test]
fn a_window_of_one_column_harms_nobody() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("very 窄");
    line_stands(&alice, TO_BOB, "very 窄", "");
    alice.resize(ROWS, 1);
    bob.says("1", "x");
    alice.resize(ROWS, 80);
    line_stands(&alice, TO_BOB, "very 窄", "");
    alice.enters("");
    bob.sees(": very 窄");
}
