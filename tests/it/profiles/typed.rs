//! Typed lines, which are available again after a restart.

use super::*;
use crate::support::{Peer, Terminal};

const UP: &[u8] = b"\x1b[A";
const CHOICE: &str = "Choice [0-6]: ";

/// Alice on a terminal, at the menu.
fn alice(data: &TempDir, args: &[&str]) -> Terminal {
    let builder = args.iter().fold(started("Alice", data), |builder, arg| builder.arg(arg));
    let terminal = Terminal::start(builder, 40, 100);
    stands(&terminal, "");
    terminal
}

/// Waits until the prompt of the menu shows this text.
fn stands(terminal: &Terminal, text: &str) {
    let row = format!("{CHOICE}{text}");
    terminal.waits_for_line(row.trim_end(), row.chars().count());
}

/// Enters a command without effects, and waits for its output.
fn enters(terminal: &Terminal, line: &str) {
    let said = match line {
        "/mute" => "No peers are muted. /mute WHOM mutes one.",
        "/alias" => "There are no aliases; /alias WHOM NAME gives one.",
        "/requests" => "No requests are waiting for your decision.",
        "/key" => "Others know you by this key:",
        other => panic!("{other} is none of the commands of these scenarios"),
    };
    terminal.enters(line);
    terminal.waits_for(said);
    stands(terminal, "");
}

fn leaves(mut terminal: Terminal) {
    terminal.enters("0");
    assert!(terminal.ends().success());
}

/// Presses Up until the oldest line, and checks the lines, newest first.
fn offered(terminal: &Terminal, expected: &[&str]) {
    for line in expected {
        terminal.key(UP);
        stands(terminal, line);
    }
    // There is no older line.
    terminal.key(UP);
    stands(terminal, expected.last().copied().unwrap_or(""));
    terminal.key(b"\x15");
    stands(terminal, "");
}

fn lines_of(data: &TempDir) -> Vec<String> {
    let text = fs::read_to_string(folder(data, "alice").join("typed_lines")).expect("a file");
    let lines = text.lines().skip(1);
    lines.map(|line| line.split_once(' ').expect("a time").1.to_owned()).collect()
}

/// Runs `p2p-chat history --forget --yes` for Alice.
fn forgets(data: &TempDir, args: &[&str]) -> String {
    let builder = started("Alice", data).without_port().arg("history").arg("--forget").arg("--yes");
    args.iter().fold(builder, |builder, arg| builder.arg(arg)).prints()
}

#[test]
fn typed_lines_survive_a_restart() {
    let data = data();
    let first = alice(&data, &[]);
    for line in ["/requests", "/mute", "/mute", "/key"] {
        enters(&first, line);
    }
    leaves(first);
    assert_eq!(mode(&folder(&data, "alice").join("typed_lines")), 0o600);
    assert_eq!(lines_of(&data), ["/requests", "/mute", "/key"]);
    let second = alice(&data, &[]);
    offered(&second, &["/key", "/mute", "/requests"]);
    enters(&second, "/alias");
    leaves(second);
    offered(&alice(&data, &[]), &["/alias", "/key", "/mute", "/requests"]);
}

#[test]
fn killed_program_loses_no_finished_line() {
    let data = data();
    let first = alice(&data, &[]);
    enters(&first, "/mute");
    // Dropping the terminal kills the program.
    drop(first);
    offered(&alice(&data, &[]), &["/mute"]);
}

#[test]
fn lines_from_a_pipe_are_not_remembered() {
    let data = data();
    run(started("Alice", &data), &["/mute", "/key"]);
    assert!(!folder(&data, "alice").join("typed_lines").exists());
}

#[test]
fn no_history_neither_reads_nor_writes_them() {
    let data = data();
    let first = alice(&data, &[]);
    enters(&first, "/mute");
    leaves(first);
    let quiet = alice(&data, &["--no-history"]);
    offered(&quiet, &[]);
    enters(&quiet, "/key");
    leaves(quiet);
    assert_eq!(lines_of(&data), ["/mute"]);
}

#[test]
fn forgetting_everything_erases_them() {
    let data = data();
    let first = alice(&data, &[]);
    for line in ["/mute", "/alias"] {
        enters(&first, line);
    }
    // Also while the program runs. It then writes to a new file.
    assert_eq!(forgets(&data, &[]), "This deletes 2 typed lines for good.\nDeleted 2 typed lines.\n");
    assert!(!folder(&data, "alice").join("typed_lines").exists());
    enters(&first, "/key");
    leaves(first);
    assert_eq!(lines_of(&data), ["/key"]);
    assert_eq!(forgets(&data, &[]), "This deletes 1 typed line for good.\nDeleted 1 typed line.\n");
    assert!(!folder(&data, "alice").join("typed_lines").exists());
}

#[test]
fn forgetting_one_peer_erases_all_lines_then() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let first = alice(&data, &["--peer", &bob.addr().to_string()]);
    bob.meets_at(&first.shown());
    first.enters("@Bob the xylophone");
    bob.sees("the xylophone");
    stands(&first, "");
    leaves(first);
    assert_eq!(forgets(&data, &["--older-than", "1d"]), "Deleted no messages.\n");
    assert_eq!(lines_of(&data), ["@Bob the xylophone"]);
    let said = "This deletes 1 message with Bob and 1 typed line for good.\n\
                Deleted 1 message and 1 typed line.\n";
    assert_eq!(forgets(&data, &["--with", "Bob"]), said);
    for entry in fs::read_dir(folder(&data, "alice")).expect("readable").flatten() {
        let bytes = fs::read(entry.path()).expect("readable");
        let has = bytes.windows(9).any(|window| window == b"xylophone");
        assert!(!has, "{}", entry.path().display());
    }
}
