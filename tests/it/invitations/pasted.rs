//! An invitation that is pasted on a terminal.

use super::*;
use crate::support::Terminal;

/// What a terminal sends when this is pasted.
fn pasted(text: &str) -> String {
    format!("\x1b[200~{text}\x1b[201~")
}

#[test]
fn invitation_pasted_at_the_menu_is_asked_about() {
    let (alices, bobs) = (data(), data());
    let mut alice = started("Alice", &alices).start();
    let bob = Terminal::start(started("Bob", &bobs), 30, 120);
    bob.waits_for("Choice [0-6]: ");
    let invitation = invitation_of(&alice);
    // As a narrow terminal would break it.
    let broken = format!("{}\r{}", &invitation[..60], &invitation[60..]);
    let question = format!("Add Alice (key {})? yes/no: ", short(&alice.key()));
    bob.keys(&pasted(&broken));
    bob.enters("");
    bob.waits_for(question.trim_end());
    bob.enters("n");
    bob.waits_for("Nothing changed.");
    // As the other side shows it.
    bob.keys(&pasted(&format!("p2p-chat add '{invitation}'")));
    bob.enters("");
    bob.waits_for(question.trim_end());
    bob.enters("y");
    bob.waits_for("Added Alice");
    alice.sees("* Bob");
}

#[test]
fn own_invitation_is_not_asked_about() {
    let bobs = data();
    let bob = Terminal::start(started("Bob", &bobs), 30, 120);
    bob.waits_for("Choice [0-6]: ");
    let told = printed(Peer::named("Bob").data_dir(bobs.path()).arg("id"));
    let own = told.lines().find_map(|line| line.trim().strip_prefix("p2p-chat:"));
    let own = own.unwrap_or_else(|| panic!("{told}"));
    // The process listens at no other IP.
    assert_eq!((own.matches("a=").count(), own.matches("&a=127.0.0.1:").count()), (1, 1), "{own}");
    bob.keys(&pasted(&format!("p2p-chat:{own}")));
    bob.enters("");
    bob.waits_for("That is your own invitation.");
    assert!(!bob.screen().contains("y/n"), "{}", bob.screen());
}

#[test]
fn invitation_pasted_in_a_conversation_is_a_message() {
    let (alices, bobs) = (data(), data());
    let mut alice = started("Alice", &alices).start();
    let bob = Terminal::start(started("Bob", &bobs).knows(alice.addr()), 30, 120);
    bob.waits_for("Alice is online");
    bob.enters("/chat alice");
    bob.waits_for("to Alice> ");
    let invitation = "p2p-chat:aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq?n=Carol";
    bob.keys(&pasted(invitation));
    bob.enters("");
    alice.sees(invitation);
    assert!(!contacts(&bobs, "bob").contains("aeaqcaib"));
}

#[test]
fn invite_shows_a_code_on_a_wide_terminal() {
    let alices = data();
    let alice = Terminal::start(started("Alice", &alices), 50, 120);
    alice.waits_for("Choice [0-6]: ");
    alice.enters("/invite");
    alice.waits_for("p2p-chat add 'p2p-chat:");
    assert!(alice.screen().contains('█'), "{}", alice.screen());
}

#[test]
fn lines_to_copy_are_below_the_code() {
    let (alices, bobs) = (data(), data());
    let alice = Terminal::start(started("Alice", &alices), 24, 80);
    alice.waits_for("Choice [0-6]: ");
    alice.enters("/invite");
    alice.waits_for("&a=127.0.0.1:");
    let rows = alice.cells(crate::support::rows);
    let last = |words: &str| {
        rows.iter().rposition(|row| row.starts_with(words)).unwrap_or_else(|| panic!("{rows:#?}"))
    };
    let (text, command) = (last("p2p-chat:"), last("p2p-chat add 'p2p-chat:"));
    assert_eq!(rows[text - 1], "Your invitation:");
    // The row is broken after the key.
    assert!(rows[command + 1].starts_with("  ?n=Alice&a=127.0.0.1:"), "{rows:#?}");
    // What is copied from the screen adds the contact.
    let bob = Terminal::start(started("Bob", &bobs), 30, 120);
    bob.waits_for("Choice [0-6]: ");
    bob.keys(&pasted(&format!("{}\r{}", rows[command], rows[command + 1])));
    bob.enters("");
    bob.waits_for("Add Alice (key ");
}
