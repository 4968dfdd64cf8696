//! Ctrl-Z and `fg`, with a shell that has job control, as a user has it.

use std::process::{Command, Stdio};

use super::*;

const CONTROL_Z: &[u8] = b"\x1a";

/// Alice, started by a shell, and Bob. The shell is `bash` where there is one, which says what it stops.
fn alice_in_a_shell() -> (Terminal, Peer) {
    let bob = Peer::named("Bob").start();
    let builder = Peer::named("Alice").arg("--bind=127.0.0.1").knows(bob.addr());
    let alice = Terminal::start_in_shell(builder, ROWS, 80);
    alice.waits_for(&format!("* {} is here.", bob.shown()));
    line_stands(&alice, CHOICE, "", "");
    (alice, bob)
}

#[test]
fn control_z_stops_the_program_and_fg_brings_the_screen_back() {
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
fn where_nobody_could_continue_it_control_z_does_nothing() {
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
