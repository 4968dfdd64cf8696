//! Talking without the menu: by name, in conversations, with commands.

use super::*;

/// Alice on a terminal, Bob and Carol on pipes; everybody knows Alice, and she knows both.
fn alice_bob_and_carol() -> (Terminal, Peer, Peer) {
    let alice = Terminal::start(Peer::named("Alice").arg("--bind=127.0.0.1"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let mut peers = ["Bob", "Carol"].map(|name| {
        let mut peer = Peer::named(name).knows(alice.addr()).lasting_port().start();
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
fn status_line_shows_a_blocked_or_muted_partner() {
    let (alice, bob) = alice_and_bob(80);
    alice.enters("/chat bob");
    alice.waits_for("Bob: online, encrypted");
    alice.enters("/mute bob");
    alice.waits_for("Bob: online, encrypted, muted");
    alice.enters("/unmute bob");
    alice.shows("no muted partner", |screen| {
        let status = rows(screen).into_iter().find(|row| row.starts_with("──")).unwrap_or_default();
        status.ends_with("Bob: online, encrypted")
    });
    alice.enters("/block bob");
    alice.waits_for("0 online · Bob: blocked");
    line_stands(&alice, "to Bob (blocked)> ", "", "");
    alice.key(ESCAPE);
    alice.shows("no partner", |screen| {
        let rows = rows(screen);
        rows.iter().any(|row| row.starts_with("──") && row.ends_with("0 online"))
    });
    line_stands(&alice, CHOICE, "", "");
    drop(bob);
}

#[test]
fn status_line_tells_that_a_partner_refuses_us() {
    let (alice, mut bob) = alice_and_bob(80);
    bob.types(&["/block alice"]);
    bob.sees("locked");
    alice.enters("/chat bob");
    alice.enters("hello?");
    alice.waits_for("0 online · Bob: does not accept you");
    let prompt = "to Bob (does not accept you)> ";
    line_stands(&alice, prompt, "", "");
    // The next message stays as it was typed, and is refused.
    alice.enters("are you there?");
    alice.shows("the refusal", |screen| {
        let rows = rows(screen);
        let at = rows.iter().position(|row| *row == format!("{prompt}are you there?"));
        at.is_some_and(|at| rows[at + 1].starts_with("Not sent to Bob: they do not accept messages"))
    });
    // Her program may find it out before she writes. Then it has said so, and says it no more.
    let said = alice.screen().matches("* Bob does not accept").count();
    assert!(said <= 1, "{}", alice.screen());
}

#[test]
fn error_never_changes_the_next_line() {
    let (alice, mut bob, _carol) = alice_bob_and_carol();
    // The beginning of a name means a contact only.
    alice.enters("@bo secret");
    alice.waits_for("No contact matches \"bo\". Did you mean Bob?");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("@bob hello");
    bob.sees(": hello");
    alice.waits_for("✓ delivered to Bob");
    begins_screen(&alice);
    alice.enters("@bo secret");
    screen_is(
        &alice,
        &[alice.addr().port()],
        "\
Choice [0-6]: @bo secret
No contact matches \"bo\". Did you mean Bob?
── Alice 127.0.0.1:{0} · 2 online · ✓ delivered to Bob
Choice [0-6]:",
    );
    alice.enters("/char bob");
    alice.waits_for("There is no command /char. Did you mean /chat?");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("@bob in the clear");
    bob.sees(": in the clear");
    assert!(!bob.printed().iter().any(|line| line.contains("secret")), "{:?}", bob.printed());
    for line in ["@bob in the clear", "/char bob", "@bo secret"] {
        alice.key(UP);
        line_stands(&alice, CHOICE, line, "");
    }
}

#[test]
fn msg_and_dm_send_like_at() {
    let (alice, mut bob, mut carol) = alice_bob_and_carol();
    alice.enters("/msg bob see you at 5");
    bob.sees("[encrypted]: see you at 5");
    alice.enters("/dm carol see you at 6");
    carol.sees("[encrypted]: see you at 6");
    alice.waits_for("→ Carol: see you at 6");
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
fn escape_on_an_empty_line_ends_a_conversation() {
    let (alice, bob, _carol) = alice_bob_and_carol();
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    alice.keys("half");
    line_stands(&alice, "to Bob> ", "half", "");
    alice.key(ESCAPE);
    line_stands(&alice, "to Bob> ", "", "");
    alice.key(UP);
    line_stands(&alice, "to Bob> ", "half", "");
    alice.key(ESCAPE);
    line_stands(&alice, "to Bob> ", "", "");
    alice.key(ESCAPE);
    line_stands(&alice, CHOICE, "", "");
    assert!(!bob.printed().iter().any(|line| line.contains("half")), "{:?}", bob.printed());
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
fn reply_goes_to_last_sender_when_begun() {
    let (alice, mut bob, mut carol) = alice_bob_and_carol();
    alice.enters("/reply too early");
    alice.waits_for("There is no message to answer yet.");
    line_stands(&alice, CHOICE, "", "");
    bob.says("1", "a question");
    alice.waits_for(": a question");
    alice.keys("/reply the answer");
    line_stands(&alice, CHOICE, "/reply the answer", "");
    carol.says("1", "in between");
    alice.waits_for(": in between");
    alice.enters("");
    bob.sees(": the answer");
    alice.enters("/reply and for you");
    carol.sees(": and for you");
    assert!(!carol.printed().iter().any(|line| line.contains("the answer")), "{:?}", carol.printed());
}

#[test]
fn menu_message_waits_for_a_recipient() {
    let (alice, mut bob, mut carol) = alice_bob_and_carol();
    alice.enters("hello everybody");
    screen_is(
        &alice,
        &[alice.addr().port()],
        "\
Choice [0-6]: hello everybody
To whom? Number, name, ip:port or all. 0: back.
── Alice 127.0.0.1:{0} · 2 online
To:",
    );
    alice.enters("0");
    line_stands(&alice, CHOICE, "", "");
    alice.key(UP);
    line_stands(&alice, CHOICE, "hello everybody", "");
    alice.enters("");
    line_stands(&alice, "To: ", "", "");
    alice.enters("carol");
    carol.sees(": hello everybody");
    bob.says("1", "what was that?");
    alice.waits_for(": what was that?");
    assert!(!bob.printed().iter().any(|line| line.contains("hello everybody")), "{:?}", bob.printed());
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
fn muted_messages_are_hidden_but_readable_later() {
    let (alice, mut bob, _carol) = alice_bob_and_carol();
    alice.enters("/mute bob");
    alice.waits_for("Muted Bob.");
    bob.says("1", "one");
    bob.sees("Delivered to Alice");
    bob.says("1", "two");
    bob.sees("Delivered to Alice");
    begins_screen(&alice);
    alice.enters("/history bob");
    alice.waits_for("Bob: one");
    alice.waits_for("Bob: two");
    alice.enters("/mute");
    alice.waits_for(&format!("{} is muted.", bob.shown()));
    alice.enters("/unmute bob");
    alice.waits_for("Unmuted Bob. /history Bob shows earlier messages.");
    bob.says("1", "three");
    alice.waits_for("] Bob (new): three");
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
fn unknown_command_gets_a_suggestion() {
    let (alice, _bob, _carol) = alice_bob_and_carol();
    alice.enters("/pers");
    screen_is(
        &alice,
        &[alice.addr().port()],
        "\
Choice [0-6]: /pers
There is no command /pers. Did you mean /peers?
── Alice 127.0.0.1:{0} · 2 online
Choice [0-6]:",
    );
    alice.enters("/peers");
    alice.waits_for("2 peers, 2 online.");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/help chat");
    alice.waits_for("/chat [WHOM]: start a conversation: every line goes to that peer until /back.");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/quit");
    alice.waits_for("Disconnecting from 2 peers.");
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

#[test]
fn peer_of_a_typed_address_is_a_contact() {
    for policy in ["--policy=ask", "--policy=strict"] {
        let bob = Peer::named("Bob").start();
        let alice = Terminal::start(Peer::named("Alice").arg(policy), 24, 100);
        alice.waits_for("Choice [0-6]: ");
        alice.enters(&format!("/connect {}", bob.addr()));
        alice.waits_for("* Bob is online (new contact, key ");
        alice.enters("/add bob");
        alice.waits_for("Bob is already a contact.");
    }
}
