//! Terminals and outputs that obey no control sequences.

use std::fs::{self, File};

use tempfile::TempDir;

use super::*;

/// Asserts that a terminal that only knows how to begin a new row can show these bytes.
fn is_plain(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
}

#[test]
fn a_dumb_terminal_gets_no_control_sequences_and_works() {
    let (mut alice, mut bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 80);
    line_stands(&alice, CHOICE, "", "");
    assert!(alice.modes().are_usual());
    alice.enters("1");
    line_stands(&alice, "To: ", "", "");
    alice.enters("1");
    line_stands(&alice, &to_bob(&bob), "", "");
    bob.says("1", "hello there");
    said_above_line(&alice, ": hello there", &to_bob(&bob), "", "");
    alice.enters("hello yourself");
    bob.sees(": hello yourself");
    alice.waits_for("Delivered to Bob");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("2");
    alice.waits_for("1 peer known, 1 there.");
    alice.enters("0");
    assert!(alice.ends().success());
    bob.sees("has left.");
    assert_eq!(alice.modes(), alice.modes_found());
    is_plain(&alice.raw_output());
}

#[test]
fn a_dumb_terminal_is_left_with_control_c_and_control_d() {
    for (key, code) in [(CONTROL_C, 130), (CONTROL_D, 0)] {
        let (mut alice, mut bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 80);
        line_stands(&alice, CHOICE, "", "");
        alice.key(key);
        assert_eq!(alice.ends().code(), Some(code));
        bob.sees("has left.");
        assert_eq!(alice.modes(), alice.modes_found());
        let (row, column) = alice.cursor();
        assert_eq!(column, 0, "the cursor is in the midst of row {row}:\n{}", alice.screen());
        is_plain(&alice.raw_output());
    }
}

#[test]
fn exit_from_a_dumb_terminal_leaves_no_empty_row() {
    let (mut alice, _bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 80);
    // What comes between the keys of such a terminal and their being read is not what this is about.
    alice.waits_for("The static peer is there.");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("0");
    assert!(alice.ends().success());
    let screen = alice.screen();
    assert!(screen.ends_with("Choice [0-4]: 0\nSaying goodbye to 1 peer."), "{screen}");
}

#[test]
fn output_to_a_file_is_lines_without_control_sequences() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("output");
    let mut bob = Peer::named("Bob").start();
    let file = File::create(&path).expect("a file");
    let mut alice = Terminal::start_printing_to(file, Peer::named("Alice").knows(bob.addr()), ROWS, 80);
    bob.sees("is here.");
    for line in ["1", "1", "from a terminal into a file"] {
        alice.enters(line);
    }
    bob.sees(": from a terminal into a file");
    alice.enters("0");
    assert!(alice.ends().success());
    bob.sees("has left.");
    let printed = fs::read(&path).expect("written");
    is_plain(&printed);
    is_plain(&alice.raw_output());
    let printed = String::from_utf8(printed).expect("UTF-8");
    for words in ["Choice [0-4]:\n", "\nDelivered to ", ": from a terminal"] {
        assert_eq!(printed.contains(words), !words.starts_with(':'), "`{words}`:\n{printed}");
    }
    assert_eq!(alice.modes(), alice.modes_found());
}
