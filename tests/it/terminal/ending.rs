//! The end, in whatever way it comes: the terminal is as it was found, and the others know.

use std::process::ExitStatus;

use rustix::process::Signal;

use super::*;
use crate::support::send_raw_from;

/// Waits for the end, and asserts that a shell could go on in this terminal as if nothing had been.
fn ends_restored(alice: &mut Terminal) -> ExitStatus {
    let status = alice.ends();
    assert!(alice.modes().are_usual(), "{:?}", alice.modes());
    assert_eq!(alice.modes(), alice.modes_found());
    let screen = alice.screen();
    let (row, column) = alice.cursor();
    assert_eq!(column, 0, "the cursor is in the midst of row {row}:\n{screen}");
    assert!(screen.lines().count() <= usize::from(row), "something stands in or below row {row}:\n{screen}");
    alice.shows("a visible cursor on the usual screen in usual colours", |screen| {
        !screen.hide_cursor()
            && !screen.alternate_screen()
            && !screen.bracketed_paste()
            && screen.fgcolor() == vt100::Color::Default
            && !screen.bold()
    });
    status
}

/// Alice with a half-typed line, and Bob.
fn half_typed() -> (Terminal, Peer) {
    let (alice, bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("never sent");
    line_stands(&alice, TO_BOB, "never sent", "");
    (alice, bob)
}

#[test]
fn these_tests_notice_an_unrestored_terminal() {
    let (mut alice, _bob) = half_typed();
    alice.gets(Signal::KILL);
    assert!(!alice.ends().success());
    assert!(!alice.modes().are_usual());
    assert_ne!(alice.modes(), alice.modes_found());
}

#[test]
fn exit_restores_the_terminal_with_goodbyes() {
    let (mut alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("0");
    assert_eq!(ends_restored(&mut alice).code(), Some(0));
    bob.sees("left");
    assert!(alice.screen().contains("Choice [0-6]: 0\n"), "{}", alice.screen());
}

#[test]
fn control_c_clears_then_asks_then_ends() {
    let (mut alice, mut bob) = half_typed();
    alice.key(CONTROL_C);
    line_stands(&alice, TO_BOB, "", "");
    assert!(!alice.screen().contains("Press Ctrl-C"), "{}", alice.screen());
    alice.key(CONTROL_C);
    alice.waits_for("Press Ctrl-C once more to leave.");
    // Typing on cancels the question.
    alice.key(UP);
    line_stands(&alice, TO_BOB, "never sent", "");
    alice.key(CONTROL_C);
    line_stands(&alice, TO_BOB, "", "");
    alice.key(CONTROL_C);
    alice
        .shows("the question a second time", |screen| screen.contents().matches("Press Ctrl-C").count() == 2);
    alice.key(CONTROL_C);
    assert_eq!(ends_restored(&mut alice).code(), Some(130));
    bob.sees("left");
    assert!(!alice.screen().contains("never sent"), "{}", alice.screen());
    assert!(!alice.screen().contains("Message to"), "{}", alice.screen());
}

#[test]
fn control_d_leaves_from_an_empty_line_only() {
    let (mut alice, mut bob) = half_typed();
    alice.key(CONTROL_D);
    alice.keys("!");
    line_stands(&alice, TO_BOB, "never sent!", "");
    alice.key(ESCAPE);
    line_stands(&alice, TO_BOB, "", "");
    alice.key(ESCAPE);
    line_stands(&alice, CHOICE, "", "");
    alice.key(CONTROL_D);
    let status = ends_restored(&mut alice);
    bob.sees("left");
    // The end of input is the end, on a terminal as in a script; nobody interrupted anything.
    assert_eq!(status.code(), Some(0));
}

#[test]
fn signals_that_ask_to_end_end_in_order() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let (mut alice, mut bob) = half_typed();
        alice.gets(signal);
        assert_eq!(ends_restored(&mut alice).code(), Some(128 + signal.as_raw()));
        bob.sees("left");
        assert!(!alice.screen().contains("never sent"), "{}", alice.screen());
    }
}

#[test]
fn closed_window_says_goodbye() {
    let (mut alice, mut bob) = half_typed();
    alice.hangs_up();
    let status = alice.ends();
    bob.sees("left");
    assert_eq!(status.code(), Some(128 + Signal::HUP.as_raw()));
}

#[test]
fn vanished_terminal_ends_the_program_without_signal() {
    // Nobody is known and so nothing can happen that would be shown, and would fail to be.
    let mut alice = Terminal::start_without_control(Peer::named("Alice"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    alice.keys("idle");
    line_stands(&alice, CHOICE, "idle", "");
    alice.hangs_up();
    alice.ends();
}

#[test]
fn message_before_exit_is_sent_and_reported() {
    for _ in 0..5 {
        let mut bob = Peer::named("Bob").start();
        let mut alice = Terminal::start(Peer::named("Alice"), ROWS, 80);
        line_stands(&alice, CHOICE, "", "");
        alice.keys(&format!("1\r{}\rparting words\r0\r", bob.addr()));
        assert!(alice.ends().success());
        bob.sees(": parting words");
        assert!(alice.screen().contains("Delivered to"), "{}", alice.screen());
        bob.sees("left");
    }
}

#[test]
fn panic_restores_the_terminal_before_its_report() {
    let (mut alice, _bob) =
        alice_like_and_bob(Peer::named("Alice").env("P2P_CHAT_TEST_PANIC", "tremble"), 80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("tremble");
    assert_eq!(ends_restored(&mut alice).code(), Some(101));
    let screen = alice.screen();
    assert!(screen.contains("\nthread 'main'"), "{screen}");
    assert!(screen.contains("\nasked to panic by a test"), "{screen}");
}

#[test]
fn panic_in_a_connection_is_not_shown() {
    let (mut alice, mut bob) =
        alice_like_and_bob(Peer::named("Alice").env("P2P_CHAT_TEST_PANIC", "tremble"), 80);
    begins_text(&alice);
    alice.keys("undisturbed");
    line_stands(&alice, TO_BOB, "undisturbed", "");
    let before = alice.screen();
    for _ in 0..3 {
        let answer = send_raw_from([127, 0, 0, 9].into(), alice.addr(), b"127.0.0.9:9999 Stranger tremble");
        assert!(answer.is_empty(), "{answer:?}");
    }
    bob.says("1", "after it");
    said_above_line(&alice, ": after it", TO_BOB, "undisturbed", "");
    let rows_before: Vec<_> = before.lines().collect();
    let screen = alice.screen();
    let rows_after: Vec<_> = screen.lines().collect();
    // All but the status line and the line being typed, which stand one row lower now.
    let above = rows_before.len() - 2;
    assert_eq!(rows_after[..above], rows_before[..above]);
    assert_eq!(rows_after.len(), rows_before.len() + 1, "{screen}");
    alice.enters("");
    bob.sees(": undisturbed");
    alice.waits_for("✓ delivered to Bob");
    alice.key(CONTROL_C);
    alice.waits_for("Press Ctrl-C once more to leave.");
    alice.key(CONTROL_C);
    assert_eq!(ends_restored(&mut alice).code(), Some(130));
}
