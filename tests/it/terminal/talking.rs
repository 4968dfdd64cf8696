//! Talking without the menu: by name, in conversations, with commands.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::support::{SOON, until};

/// Alice on a terminal, Bob and Carol on pipes; everybody knows Alice, and she knows both.
fn alice_bob_and_carol() -> (Terminal, Peer, Peer) {
    let alice = Terminal::start(Peer::named("Alice").arg("--bind=127.0.0.1"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let mut peers = ["Bob", "Carol"].map(|name| {
        let mut peer = Peer::named(name).knows(alice.addr()).start();
        peer.sees("* Alice (");
        super::meets(&alice, &peer.shown());
        peer
    });
    line_stands(&alice, CHOICE, "", "");
    begins_screen(&alice);
    let [bob, carol] = &mut peers;
    assert!(bob.addr() != carol.addr());
    let [bob, carol] = peers;
    (alice, bob, carol)
}

#[test]
fn at_name_and_at_all_send_at_once() {
    let (alice, mut bob, mut carol) = alice_bob_and_carol();
    alice.enters("@bob see you at 5");
    bob.sees("[encrypted]: see you at 5");
    alice.waits_for("✓ delivered to Bob");
    alice.enters("@all soup is ready");
    for peer in [&mut bob, &mut carol] {
        peer.sees("[encrypted] → all: soup is ready");
    }
    let port = alice.addr().port();
    alice.shows("who has what", |screen| {
        let text = steady(screen);
        text == format!(
            "[..:..:..] → Bob: see you at 5\n[..:..:..] → all: soup is ready\nSent to 2 of 2.\n\
             ── Alice 127.0.0.1:{port} · 2 online\nChoice [0-6]:"
        )
    });
}

#[test]
fn message_that_is_not_sent_has_no_arrow() {
    let (alice, bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    alice.enters("/block bob");
    alice.waits_for("Blocked Bob");
    alice.waits_for("0 online");
    alice.enters("@all hi");
    alice.waits_for("No peer is online.");
    alice.enters("hello?");
    alice.waits_for("Not sent to Bob: ");
    let screen = alice.screen();
    assert!(screen.contains("@all hi") && screen.contains("> hello?"), "{screen}");
    assert!(!screen.contains('→'), "{screen}");
    drop(bob);
}

#[test]
fn conversation_takes_every_line_and_counts_other_messages() {
    let (alice, mut bob, mut carol) = alice_bob_and_carol();
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    for line in ["hello", "1", "0", "//etc/hosts", "@@home"] {
        alice.enters(line);
        bob.sees(&format!("[encrypted]: {}", line.replace("//", "/").replace("@@", "@")));
    }
    alice.waits_for("· ✓ delivered");
    begins_screen(&alice);
    carol.says("1", "psst");
    carol.says("1", "hey");
    alice.waits_for("unread: Carol 2");
    bob.says("1", "back to you");
    alice.waits_for(": back to you");
    assert!(alice.screen().contains("unread: Carol 2"), "{}", alice.screen());
    alice.enters("/history carol");
    alice.shows("nothing unread", |screen| !screen.contents().contains("unread"));
    carol.says("1", "third");
    alice.waits_for("unread: Carol 1");
    alice.enters("@carol later");
    carol.sees(": later");
    alice.shows("nothing unread", |screen| !screen.contents().contains("unread"));
    carol.says("1", "fourth");
    alice.waits_for("unread: Carol 1");
    alice.enters("/back");
    alice.shows("nothing unread", |screen| !screen.contents().contains("unread"));
    line_stands(&alice, CHOICE, "", "");
}

#[test]
fn undelivered_conversation_message_waits() {
    let (alice, mut bob, _carol) = alice_bob_and_carol();
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    bob.crashes();
    alice.enters("anybody there?");
    alice.waits_for("Bob is offline; will deliver");
    line_stands(&alice, "to Bob (offline)> ", "", "");
    alice.enters("hello?");
    alice.waits_for("· queued");
    let times = alice.screen().matches("Bob is offline; will deliver").count();
    assert_eq!(times, 1, "told once in an outage:\n{}", alice.screen());
    // The same where nobody has been yet.
    alice.enters("/back");
    line_stands(&alice, CHOICE, "", "");
    let nobody = crate::support::nobody();
    alice.enters(&format!("/chat {nobody}"));
    let prompt = format!("to {nobody}> ");
    line_stands(&alice, &prompt, "", "");
    alice.enters("and there?");
    alice.waits_for(&format!("{nobody} is offline; will deliver when they are back."));
    line_stands(&alice, &prompt, "", "");
    let mut other = Peer::named("Zoe").port(nobody.port()).start();
    other.sees(": and there?");
    // As soon as Bob is back he has it, without anybody doing anything.
    let mut bob = bob.goes_on_as(Peer::named("Bob"));
    bob.sees(": anybody there?");
    bob.sees(": hello?");
    alice.waits_for("✓ delivered to Bob");
}

#[test]
fn outage_has_one_line_on_a_terminal() {
    let dir = TempDir::new().expect("a directory");
    let log = dir.path().join("log");
    let alice = Peer::named("Alice").arg("--bind=127.0.0.1").arg("-v").arg("--log-file").arg(log.display());
    let alice = Terminal::start(alice, ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    super::meets(&alice, &bob.shown());
    bob.crashes();
    alice.enters("@bob anybody there?");
    alice.waits_for("Bob is offline; will deliver");
    let noticed = format!("* {} is offline", bob.shown());
    until(SOON, "the notice is due", || fs::read_to_string(&log).is_ok_and(|log| log.contains(&noticed)));
    alice.enters("/peers");
    alice.waits_for(", 0 online.");
    assert!(!alice.screen().contains("* Bob is offline"), "{}", alice.screen());
    let mut bob = bob.goes_on_as(Peer::named("Bob"));
    bob.sees(": anybody there?");
    alice.waits_for("* Bob is online");
}

#[test]
fn action_is_shown_as_one_on_both_sides() {
    let (alice, mut bob, _carol) = alice_bob_and_carol();
    bob.says("1", "/me waves");
    alice.waits_for("] ** Bob (new) waves");
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    alice.enters("/me waves back");
    bob.sees("] ** Alice (");
    alice.waits_for("→ Bob: ** Alice waves back");
}

#[test]
fn new_name_is_seen_in_open_sessions() {
    let alice = Terminal::start(Peer::named("Alice").arg("--bind=127.0.0.1"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let bob = Terminal::start(Peer::named("Bob").arg("--bind=127.0.0.1").knows(alice.addr()), ROWS, 80);
    super::meets(&bob, &alice.shown());
    super::meets(&alice, &bob.shown());
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/name Zoe");
    alice.waits_for("You are now Zoe. Unencrypted peers see it with your next message.");
    alice.waits_for("── Zoe 127.0.0.1");
    bob.waits_for(&format!("* {} is now called Zoe.", alice.shown()));
    alice.enters("@bob it is me");
    bob.waits_for("] Zoe: it is me");
    alice.enters("/name two words");
    alice.waits_for("Try two_words.");
    line_stands(&alice, CHOICE, "", "");
}

#[test]
fn every_command_has_its_place_in_the_menu() {
    let (alice, mut bob, _carol) = alice_bob_and_carol();
    alice.enters("6");
    screen_is(
        &alice,
        &[alice.addr().port()],
        "\
Choice [0-6]: 6
1  Start a conversation               /chat
2  Answer the last message            /reply
3  Send an action                     /me
4  Change your name                   /name
5  Mute or unmute a peer              /mute
6  Give a peer an alias               /alias
7  Show queued messages               /outbox
8  Help                               /help
0  Back
── Alice 127.0.0.1:{0} · 2 online
More [0-8]:",
    );
    alice.enters("1");
    line_stands(&alice, "Chat with: ", "", "");
    alice.enters("bob");
    line_stands(&alice, "to Bob> ", "", "");
    alice.enters("by the menu");
    bob.sees(": by the menu");
    alice.enters("/back");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("6");
    alice.enters("3");
    line_stands(&alice, "To: ", "", "");
    alice.enters("bob");
    line_stands(&alice, &format!("{TO_BOB}/me "), "", "");
    alice.enters("dances");
    bob.sees("] ** Alice (");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("6");
    alice.enters("6");
    line_stands(&alice, "Alias for: ", "", "");
    alice.enters("bob");
    line_stands(&alice, "What to call Bob: ", "", "");
    alice.enters("Boss");
    alice.waits_for("is now called Boss");
    alice.enters("@boss hello");
    bob.sees(": hello");
    alice.waits_for("✓ delivered to Boss");
    alice.enters("5");
    line_stands(&alice, "History of: ", "", "");
    alice.enters("boss");
    alice.waits_for("→ Boss: hello");
    alice.enters("6");
    alice.enters("7");
    alice.waits_for("No messages are queued.");
    alice.enters("6");
    alice.enters("8");
    alice.waits_for("@WHOM MESSAGE");
}

#[test]
fn read_messages_are_not_new_in_next_conversation() {
    let (alice, mut bob, _carol) = alice_bob_and_carol();
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    bob.says("1", "while we talk");
    alice.waits_for(": while we talk");
    alice.enters("/back");
    line_stands(&alice, CHOICE, "", "");
    bob.says("1", "behind her back");
    alice.waits_for(": behind her back");
    alice.enters("/chat bob");
    alice.waits_for("--- end of the history ---");
    let screen = alice.screen();
    let last = |words: &str| screen.rfind(words);
    let new = last("--- new since you last talked ---");
    let order = [last(": while we talk"), new, last(": behind her back")];
    assert!(new.is_some() && order.is_sorted(), "{screen}");
}
