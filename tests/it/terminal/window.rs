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

/// Alice in a window of 100 columns, with a half-typed line longer than that below three messages of Bob's.
fn long_line_below_three_messages() -> (Terminal, Peer, String) {
    let (alice, mut bob) = alice_and_bob(100);
    begins_text(&alice, &bob);
    let text = long_text();
    alice.keys(&text);
    line_stands(&alice, &to_bob(&bob), &text[text.len() - (99 - to_bob(&bob).width())..], "");
    for number in 1..=3 {
        bob.says("1", &format!("message {number}."));
        alice.waits_for(&format!(": message {number}."));
        bob.sees("Delivered to");
    }
    (alice, bob, text)
}

#[test]
fn a_line_longer_than_the_window_scrolls_and_is_sent_whole() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice, &bob);
    let text = long_text();
    alice.keys(&text);
    let room = 79 - to_bob(&bob).width();
    line_stands(&alice, &to_bob(&bob), &text[text.len() - room..], "");
    bob.says("1", "in between");
    said_above_line(&alice, ": in between", &to_bob(&bob), &text[text.len() - room..], "");
    alice.key(HOME);
    line_stands(&alice, &to_bob(&bob), "", &text[..room]);
    bob.says("1", "once more");
    said_above_line(&alice, ": once more", &to_bob(&bob), "", &text[..room]);
    alice.enters("");
    assert!(bob.sees(": w10 ").ends_with(&text), "not whole: {:?}", bob.printed());
    alice.waits_for(&format!("Delivered to {}.", bob.shown()));
    alice.waits_for(&format!("{}{text}", to_bob(&bob)));
}

#[test]
fn a_line_that_fits_is_drawn_once_in_a_narrower_and_in_a_wider_window() {
    let (alice, mut bob) = alice_and_bob(100);
    begins_text(&alice, &bob);
    bob.says("1", "before");
    alice.keys("half typed");
    said_above_line(&alice, ": before", &to_bob(&bob), "half typed", "");
    let mut typed = "half typed".to_owned();
    for columns in [60, 120, 50, 80] {
        alice.resize(ROWS, columns);
        line_stands(&alice, &to_bob(&bob), &typed, "");
        alice.keys("!");
        typed.push('!');
        line_stands(&alice, &to_bob(&bob), &typed, "");
        assert_eq!(count(&alice, "half typed"), 1, "{columns} columns:\n{}", alice.screen());
        assert_eq!(count(&alice, "Text to"), 1, "{columns} columns:\n{}", alice.screen());
    }
    bob.says("1", "after");
    said_above_line(&alice, ": after", &to_bob(&bob), &typed, "");
    alice.enters("");
    bob.sees(&format!(": {typed}"));
}

#[test]
fn a_long_line_is_drawn_once_in_a_narrower_and_in_a_wider_window() {
    let (alice, mut bob) = alice_and_bob(100);
    begins_text(&alice, &bob);
    let mut text = long_text();
    alice.keys(&text);
    line_stands(&alice, &to_bob(&bob), &text[text.len() - (99 - to_bob(&bob).width())..], "");
    for columns in [60, 120, 44, 80] {
        alice.resize(ROWS, columns);
        let room = usize::from(columns) - 1 - to_bob(&bob).width();
        line_stands(&alice, &to_bob(&bob), &text[text.len() - room..], "");
        alice.keys("!");
        text.push('!');
        line_stands(&alice, &to_bob(&bob), &text[text.len() - room..], "");
        assert_eq!(count(&alice, "end!"), 1, "{columns} columns:\n{}", alice.screen());
        assert_eq!(count(&alice, "Text to"), 1, "{columns} columns:\n{}", alice.screen());
    }
    alice.enters("");
    assert!(bob.sees(": w10 ").ends_with(&text), "not whole: {:?}", bob.printed());
}

#[test]
fn a_long_line_in_a_narrower_window_covers_nothing_of_what_stands_above() {
    let (alice, bob, text) = long_line_below_three_messages();
    alice.resize(ROWS, 50);
    let room = 49 - to_bob(&bob).width();
    line_stands(&alice, &to_bob(&bob), &text[text.len() - room..], "");
    for number in 1..=3 {
        assert_eq!(count(&alice, &format!(": message {number}.")), 1, "{number}:\n{}", alice.screen());
    }
}

#[test]
fn a_window_made_narrower_column_by_column_covers_nothing_of_what_stands_above() {
    let (alice, bob, text) = long_line_below_three_messages();
    for columns in [99, 98, 97] {
        alice.resize(ROWS, columns);
        let room = usize::from(columns) - 1 - to_bob(&bob).width();
        // The line is as long as the window is now wide, so that no terminal breaks it.
        line_stands(&alice, &to_bob(&bob), &text[text.len() - room..], "");
    }
    for number in 1..=3 {
        assert_eq!(count(&alice, &format!(": message {number}.")), 1, "{number}:\n{}", alice.screen());
    }
}

#[test]
fn keys_pressed_while_the_window_changes_its_size_are_taken_at_once() {
    let (alice, _bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    // Whether the two meet is a matter of luck.
    for _ in 0..6 {
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
    line_ends(&alice, "[0-4]: ");
    alice.enters("1");
    line_ends(&alice, "To: ");
    alice.enters("1");
    line_ends(&alice, "): ");
    alice.keys("abcdefghijklmnopqrstuvwxyz");
    line_ends(&alice, "): rstuvwxyz");
    bob.says("1", "a message that takes several rows");
    alice.waits_for(": a message that takes several rows");
    line_ends(&alice, "): rstuvwxyz");
    assert_eq!(count(&alice, "rstuvwxyz"), 1, "{}", alice.screen());
    alice.enters("");
    bob.sees(": abcdefghijklmnopqrstuvwxyz");
    alice.waits_for(&format!("Delivered to {}.", bob.shown()));
    line_ends(&alice, "[0-4]: ");
    alice.enters("2");
    alice.waits_for("1 peer known, 1 there.");
    line_ends(&alice, "[0-4]: ");
}

#[test]
fn a_prompt_that_fits_a_narrow_window_is_not_cut() {
    let (alice, _bob) = alice_and_bob(20);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("4");
    line_stands(&alice, "Disconnect from: ", "", "");
}

#[test]
fn a_window_of_one_column_harms_nobody() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice, &bob);
    alice.keys("very 窄");
    line_stands(&alice, &to_bob(&bob), "very 窄", "");
    alice.resize(ROWS, 1);
    bob.says("1", "x");
    alice.resize(ROWS, 80);
    line_stands(&alice, &to_bob(&bob), "very 窄", "");
    alice.enters("");
    bob.sees(": very 窄");
}
