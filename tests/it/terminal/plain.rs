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
fn dumb_terminal_works_without_control_sequences() {
    let (mut alice, mut bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 80);
    line_stands(&alice, CHOICE, "", "");
    assert!(alice.modes().are_usual());
    alice.enters("1");
    line_stands(&alice, "To: ", "", "");
    alice.enters("1");
    line_stands(&alice, TO_BOB, "", "");
    bob.says("1", "hello there");
    said_above_line(&alice, ": hello there", TO_BOB, "", "");
    alice.enters("hello yourself");
    bob.sees(": hello yourself");
    alice.waits_for("Delivered to Bob");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("2");
    alice.waits_for("1 peer, 1 online.");
    alice.enters("0");
    assert!(alice.ends().success());
    bob.sees("left");
    assert_eq!(alice.modes(), alice.modes_found());
    is_plain(&alice.raw_output());
}

#[test]
fn control_c_or_d_leaves_a_dumb_terminal() {
    for (key, code) in [(CONTROL_C, 130), (CONTROL_D, 0)] {
        let (mut alice, mut bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 80);
        line_stands(&alice, CHOICE, "", "");
        alice.key(key);
        assert_eq!(alice.ends().code(), Some(code));
        bob.sees("left");
        assert_eq!(alice.modes(), alice.modes_found());
        let (row, column) = alice.cursor();
        assert_eq!(column, 0, "the cursor is in the midst of row {row}:\n{}", alice.screen());
        is_plain(&alice.raw_output());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn line_that_the_terminal_has_cut_is_refused() {
    let (alice, mut bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 100);
    begins_text(&alice);
    alice.enters(&"y".repeat(4_200));
    alice.waits_for("The line was dropped: it has 4095 bytes or more, and the terminal cuts such lines.");
    alice.enters("short");
    assert!(bob.sees("[encrypted]: ").ends_with("[encrypted]: short"), "{:?}", bob.printed());
}

#[test]
fn exit_from_dumb_terminal_leaves_no_empty_row() {
    let (mut alice, _bob) = alice_like_and_bob(Peer::named("Alice").env("TERM", "dumb"), 80);
    // What comes between the keys of such a terminal and their being read is not what this is
    // about.
    alice.waits_for("The static peer is online.");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("0");
    assert!(alice.ends().success());
    let screen = alice.screen();
    assert!(screen.ends_with("Choice [0-6]: 0\nDisconnecting from 1 peer."), "{screen}");
}

#[test]
fn file_output_has_no_control_sequences() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("output");
    let mut bob = Peer::named("Bob").start();
    let file = File::create(&path).expect("a file");
    let mut alice = Terminal::start_printing_to(file, Peer::named("Alice").knows(bob.addr()), ROWS, 80);
    bob.sees("is online");
    for line in ["1", "1", "from a terminal into a file"] {
        alice.enters(line);
    }
    bob.sees(": from a terminal into a file");
    alice.enters("0");
    assert!(alice.ends().success());
    bob.sees("left");
    let printed = fs::read(&path).expect("written");
    is_plain(&printed);
    is_plain(&alice.raw_output());
    let printed = String::from_utf8(printed).expect("UTF-8");
    for words in ["Choice [0-6]:\n", "\nDelivered to ", ": from a terminal"] {
        assert_eq!(printed.contains(words), !words.starts_with(':'), "`{words}`:\n{printed}");
    }
    assert_eq!(alice.modes(), alice.modes_found());
}

#[test]
fn plain_output_gives_each_event_a_line() {
    let (mut alice, mut bob) = alice_like_and_bob(Peer::named("Alice").arg("--plain"), 80);
    alice.waits_for(CHOICE);
    assert!(alice.modes().are_usual());
    bob.says("1", "one");
    alice.waits_for("] Bob: one");
    bob.says("1", "two");
    alice.waits_for("] Bob: two");
    // The prompt is asked once for each line of the user's, not after each event.
    assert_eq!(alice.screen().matches(CHOICE.trim_end()).count(), 1, "{}", alice.screen());
    alice.keys("@bob half ");
    alice.waits_for("@bob half");
    bob.says("1", "three");
    alice.shows("the message on a line of its own", |screen| {
        rows(screen).iter().any(|row| row.starts_with('[') && row.ends_with("] Bob: three"))
    });
    alice.enters("and half");
    bob.sees(": half and half");
    alice.waits_for("Delivered to Bob.");
    alice.enters("0");
    assert!(alice.ends().success());
    is_plain(&alice.raw_output());
    assert_eq!(alice.modes(), alice.modes_found());
}

/// The colours in which `name` stands on the screen, one for each time.
fn colours_of(alice: &Terminal, name: &str) -> Vec<vt100::Color> {
    alice.cells(|screen| {
        let (count, columns) = screen.size();
        let mut colours = Vec::new();
        for row in 0..count {
            let text: Vec<char> = rows(screen)[usize::from(row)].chars().collect();
            let name: Vec<char> = name.chars().collect();
            for at in 0..usize::from(columns) {
                if text.get(at..at + name.len()) == Some(&name) {
                    let cell = screen.cell(row, u16::try_from(at).expect("a column")).expect("within");
                    colours.push(cell.fgcolor());
                }
            }
        }
        colours
    })
}

#[test]
fn each_peer_has_one_colour_everywhere() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    begins_screen(&alice);
    bob.says("1", "hello");
    alice.waits_for("] Bob: hello");
    crate::support::send_raw_from([127, 0, 0, 9].into(), alice.addr(), b"127.0.0.9:9 Carol hello too");
    alice.waits_for("] Carol (unencrypted, new): hello too");
    bob.types(&["0"]);
    alice.waits_for("* Bob left");
    let (of_bob, of_carol) = (colours_of(&alice, "Bob"), colours_of(&alice, "Carol"));
    assert!(of_bob.len() >= 2 && !of_carol.is_empty());
    assert!(of_bob.iter().all(|colour| *colour == of_bob[0]), "{of_bob:?}");
    assert!(matches!(of_bob[0], vt100::Color::Idx(16..)), "{of_bob:?}");
    assert_ne!(of_bob[0], of_carol[0]);
}

/// Whether something was written in a colour, or bold.
fn is_coloured(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).into_owned();
    text.split("\x1b[").skip(1).any(|rest| {
        let parameters: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == ';').collect();
        rest[parameters.len()..].starts_with('m')
    })
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    for (args, env, coloured) in [
        (&[][..], &[][..], true),
        (&["--color=never"], &[], false),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("NO_COLOR", "")], true),
        (&["--color=always"], &[("NO_COLOR", "1")], true),
        (&[], &[("P2P_CHAT_COLOR", "never")], false),
        (&[], &[("TERM", "dumb")], false),
        (&[], &[("TERM", "")], false),
        (&[], &[("TERM", "xterm")], true),
        (&["--plain"], &[], false),
        (&["--plain", "--color=always"], &[], true),
    ] {
        let alice = args.iter().fold(Peer::named("Alice"), |alice, arg| alice.arg(arg));
        let alice = env.iter().fold(alice, |alice, (name, value)| alice.env(name, value));
        let (alice, mut bob) = alice_like_and_bob(alice, 80);
        bob.says("1", "hello");
        alice.waits_for("] Bob: hello");
        assert_eq!(is_coloured(&alice.raw_output()), coloured, "{args:?} {env:?}");
    }
}

#[test]
fn pipe_gets_colours_only_on_request() {
    for (args, coloured) in [(&[][..], false), (&["--color=always"], true)] {
        let alice = args.iter().fold(Peer::named("Alice"), |alice, arg| alice.arg(arg));
        let mut alice = alice.start();
        crate::support::send_raw_from([127, 0, 0, 9].into(), alice.addr(), b"127.0.0.9:9 Bob hello");
        let line = alice.sees("hello");
        assert_eq!(is_coloured(line.as_bytes()), coloured, "{line}");
    }
}
