//! The five programs as strangers under `--policy ask` and `--policy strict`.

use super::{all_five, row, shown, shows};
use crate::legacy::{Legacy, Program};
use crate::support::Peer;

/// The program connects in its own way, and then sends a text. Neither is answered with anything
/// that it shows.
fn writes(legacy: &Legacy, alice: &Peer, text: &str) {
    assert_eq!(legacy.connect(alice.addr()).expect("Alice listens"), None, "{}", legacy.name());
    assert_eq!(legacy.send(alice.addr(), text).expect("Alice listens"), None, "{}", legacy.name());
}

/// Asserts that Alice neither lists the program nor shows its text, and that nothing came to it
/// from her.
fn is_no_peer(alice: &mut Peer, legacy: &Legacy, text: &str) {
    assert_eq!(alice.lists(legacy.addr()), None, "{}", legacy.name());
    let (told, here) = (alice.printed(), format!("{} is online", shown(legacy)));
    assert!(!told.iter().any(|line| line.contains(text) || line.contains(&here)), "{told:#?}");
    assert_eq!((legacy.raw(), legacy.shown()), (Vec::new(), Vec::new()), "{}", legacy.name());
    assert!(legacy.listener_alive(), "{:?}", legacy.cause_of_death());
}

#[test]
fn strict_policy_refuses_programs_until_added() {
    let mut alice = Peer::named("Alice").arg("--policy").arg("strict").start();
    for legacy in all_five() {
        let text = format!("let {} in", legacy.name());
        writes(&legacy, &alice, &text);
        let who = match legacy.program() {
            // Its name comes with a text only.
            Program::SmartCookies => format!("the peer at {} (unencrypted, policy strict)", legacy.addr()),
            _ => format!("{} ({}, unencrypted, policy strict)", legacy.name(), legacy.addr()),
        };
        let word = match legacy.program() {
            Program::SmartCookies => legacy.addr().to_string(),
            _ => legacy.name().to_owned(),
        };
        let add = format!("/add {word}");
        alice.sees(&format!("* Refused {who}: {add}"));
        is_no_peer(&mut alice, &legacy, &text);
        alice.types(&[&format!("/accept {}", legacy.name())]);
        alice.sees(&format!("Refused {} (", legacy.name()));
        alice.types(&[&add]);
        alice.sees(&format!("Added {} to your contacts.", legacy.name()));
        legacy.send(alice.addr(), "thank you").expect("Alice listens");
        alice.sees(&format!("] {}: thank you", shown(&legacy)));
        alice.says(legacy.name(), "welcome");
        shows(&legacy, &format!("{}: welcome", alice.shown()));
    }
    let printed = alice.printed();
    assert_eq!(printed.iter().filter(|line| line.contains("* Refused ")).count(), 5, "{printed:#?}");
}

#[test]
fn ask_policy_holds_first_messages_of_all_programs() {
    let mut alice = Peer::named("Alice").arg("--policy").arg("ask").start();
    for legacy in all_five() {
        let text = format!("may {} come in?", legacy.name());
        writes(&legacy, &alice, &text);
        legacy.send(alice.addr(), "hello?").expect("Alice listens");
        let (addr, name) = (legacy.addr(), legacy.name());
        let line = match legacy.program() {
            Program::SmartCookies => {
                format!("* The peer at {addr} wants to chat, unencrypted. /accept {addr} or /block {addr}.")
            }
            _ => {
                format!("* {name} wants to chat, unencrypted, from {addr}. /accept {name} or /block {name}.")
            }
        };
        alice.sees(&line);
        is_no_peer(&mut alice, &legacy, &text);
        alice.types(&["/requests"]);
        alice.sees(&line);
        let (command, held) = match legacy.program() {
            Program::SmartCookies => (format!("/accept {addr}"), &text[..]),
            Program::Hashpa => (format!("/accept {name}"), "Hello, I am connecting!"),
            _ => (format!("/accept {name}"), &text[..]),
        };
        alice.types(&[&command]);
        alice.sees(" to your contacts.");
        alice.sees(&format!("] {}: {held}", shown(&legacy)));
        let row = row(&mut alice, &legacy);
        assert!(row.contains("  contact  ") && !row.ends_with("new"), "{row}");
        legacy.send(alice.addr(), "thank you").expect("Alice listens");
        alice.sees(&format!("] {}: thank you", shown(&legacy)));
        alice.types(&["/requests"]);
        alice.sees("No requests are waiting for your decision.");
    }
    let printed = alice.printed();
    assert!(!printed.iter().any(|line| line.contains("hello?")), "{printed:#?}");
}
