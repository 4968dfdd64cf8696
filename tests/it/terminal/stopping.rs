//! Ctrl-Z and `fg`, with a shell that has job control, as a user has it.

use std::cell::Cell;
use std::process::{Command, Stdio};

use super::*;

const CONTROL_Z: &[u8] = b"\x1a";

/// Alice, started by a shell, and Bob. The shell is `bash` where there is one, which says what it
/// stops.
fn alice_in_a_shell() -> (Terminal, Peer) {
    let bob = Peer::named("Bob").start();
    let builder = Peer::named("Alice").arg("--bind=127.0.0.1").knows(bob.addr());
    let alice = Terminal::start_in_shell(builder, ROWS, 80);
    super::meets(&alice, &bob.shown());
    line_stands(&alice, CHOICE, "", "");
    // Bob writes to number 1 of his list.
    bob.has_seen("is online");
    (alice, bob)
}

#[test]
fn control_z_stops_and_fg_restores_the_screen() {
    let (alice, mut bob) = alice_in_a_shell();
    alice.keys("half a line");
    line_stands(&alice, CHOICE, "half a line", "");
    alice.key(CONTROL_Z);
    alice.waits_for("Stopped");
    alice.shows("the shell's prompt below what was there", |screen| {
        let (at, _) = screen.cursor_position();
        rows(screen)[usize::from(at)].starts_with("sh$")
    });
    assert!(!alice.screen().contains("half a line"), "{}", alice.screen());
    // What is typed now is the shell's.
    alice.enters("echo shell $((40 + 2))");
    alice.waits_for("shell 42");
    bob.types(&["1", "1", "while you were away"]);
    alice.enters("fg");
    alice.waits_for(": while you were away");
    line_stands(&alice, CHOICE, "half a line", "");
    assert_eq!(alice.screen().matches("── Alice").count(), 1, "{}", alice.screen());
    alice.keys("!");
    line_stands(&alice, CHOICE, "half a line!", "");
    alice.key(CONTROL_U);
    alice.enters("@bob back again");
    bob.sees(": back again");
}

#[test]
fn control_z_without_a_shell_does_nothing() {
    // The program leads its session here, so no shell waits for it.
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("still");
    alice.key(CONTROL_Z);
    alice.keys(" here");
    line_stands(&alice, TO_BOB, "still here", "");
    alice.enters("");
    bob.sees(": still here");
}

#[test]
fn bash_is_there_for_these_tests() {
    let bash = Command::new("bash").arg("--version").stdout(Stdio::null()).status();
    assert!(bash.is_ok_and(|status| status.success()), "these tests need bash");
}

/// Has the shell wait until it has a stopped job, and say so.
const UNTIL_STOPPED: &str = "until [ \"$(jobs -s)\" ]; do sleep 0.02; done; echo stopped $((40 + 2))";

#[test]
fn background_program_leaves_the_terminal_until_fg() {
    let (alice, mut bob) = alice_in_a_shell();
    alice.keys("half a line");
    line_stands(&alice, CHOICE, "half a line", "");
    alice.key(CONTROL_Z);
    alice.waits_for("Stopped");
    for text in ["message 0", "message 1", "message 2"] {
        alice.enters("clear");
        alice.shows("an empty screen", |screen| {
            rows(screen).iter().filter(|row| !row.is_empty()).count() == 1
        });
        bob.types(&["1", "1", text]);
        // It stops again by itself, as a program would that reads from the terminal.
        alice.enters(&format!("bg; {UNTIL_STOPPED}"));
        alice.waits_for("stopped 42");
        let screen = alice.screen();
        assert!(!screen.contains("half a line") && !screen.contains("── Alice"), "{screen}");
    }
    alice.enters("fg");
    alice.waits_for(": message 2");
    line_stands(&alice, CHOICE, "half a line", "");
    let screen = alice.screen();
    for once in ["── Alice", ": message 0", ": message 1", ": message 2"] {
        assert_eq!(screen.matches(once).count(), 1, "{once}:\n{screen}");
    }
    alice.key(CONTROL_U);
    alice.enters("@bob back again");
    bob.sees(": back again");
}

#[test]
fn program_ended_in_background_says_goodbye() {
    let (alice, mut bob) = alice_in_a_shell();
    alice.key(CONTROL_Z);
    alice.waits_for("Stopped");
    alice.enters(&format!("bg; {UNTIL_STOPPED}"));
    alice.waits_for("stopped 42");
    // A shell continues what it has stopped, so that the signal comes.
    alice.enters("kill %1; until [ ! \"$(jobs -r)$(jobs -s)\" ]; do sleep 0.02; done; echo over $((40 + 2))");
    bob.sees("left");
    alice.waits_for("over 42");
    assert!(alice.screen().contains("Disconnecting from 1 peer."), "{}", alice.screen());
}

#[test]
fn background_start_takes_the_terminal_when_foregrounded() {
    let (alice, _bob) = alice_in_a_shell();
    // Whenever it is that it looks whether it is in the foreground.
    for delay in (0..60).step_by(5) {
        alice.key(CONTROL_D);
        alice.shows("the shell's prompt", |screen| {
            let (at, _) = screen.cursor_position();
            rows(screen)[usize::from(at)] == "sh$"
        });
        alice.enters(&format!("clear; echo round {delay}; chat & sleep 0.0{delay:02}; fg"));
        // The status line shows that it has taken the terminal over. Between its last look and its
        // stopping the shell may have brought it forward; no system call does both at once and can
        // still be interrupted. Then the shell asks again.
        let asked_again = Cell::new(false);
        alice.shows("the status line, or the shell", |screen| {
            let (at, _) = screen.cursor_position();
            let rows = rows(screen);
            let begun = rows.contains(&format!("round {delay}"));
            asked_again.set(begun && rows[usize::from(at)] == "sh$");
            begun && (asked_again.get() || rows.iter().any(|row| row.contains("── Alice")))
        });
        if asked_again.get() {
            alice.enters("fg");
            alice.waits_for("── Alice");
        }
        alice.keys("works");
        line_stands(&alice, CHOICE, "works", "");
        alice.key(CONTROL_U);
        line_stands(&alice, CHOICE, "", "");
    }
}
