//! A line that is being typed while other things happen.

use super::*;

fn messages() -> Vec<String> {
    (0..10).map(|number| format!(": message number {number}.")).collect()
}

#[test]
fn half_typed_line_survives_messages_above_it() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("half a line");
    line_stands(&alice, TO_BOB, "half a line", "");
    for text in messages() {
        bob.says("1", &text[2..]);
        said_above_line(&alice, &text, TO_BOB, "half a line", "");
    }
    stand_in_order(&alice, &messages(), &format!("{}half a line", TO_BOB));
    alice.enters(" and its end");
    bob.sees(": half a line and its end");
}

#[test]
fn typing_during_a_message_burst_loses_nothing() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    for text in messages() {
        bob.types(&["1", "1", &text[2..]]);
        alice.keys("abc");
    }
    let typed = "abc".repeat(10);
    said_above_line(&alice, messages().last().expect("ten"), TO_BOB, &typed, "");
    stand_in_order(&alice, &messages(), &format!("{}{typed}", TO_BOB));
    alice.enters("");
    bob.sees(&format!(": {typed}"));
}

#[test]
fn cursor_stays_where_it_was_moved() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("hello world");
    for _ in "world".chars() {
        alice.key(LEFT);
    }
    line_stands(&alice, TO_BOB, "hello ", "world");
    for text in messages() {
        bob.says("1", &text[2..]);
        said_above_line(&alice, &text, TO_BOB, "hello ", "world");
    }
    stand_in_order(&alice, &messages(), &format!("{}hello world", TO_BOB));
    alice.keys("wide ");
    line_stands(&alice, TO_BOB, "hello wide ", "world");
    alice.enters("");
    bob.sees(": hello wide world");
}

#[test]
fn wide_and_combining_characters_keep_their_places() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    let (before, after) = ("你好 ", "cafe\u{301} 王");
    alice.keys(&format!("{before}{after}"));
    line_stands(&alice, TO_BOB, &format!("{before}{after}"), "");
    for _ in 0..6 {
        alice.key(LEFT);
    }
    line_stands(&alice, TO_BOB, before, after);
    for text in [": 你好, Alice 王", ": e\u{301}a\u{308}", ": plain"] {
        bob.says("1", &text[2..]);
        said_above_line(&alice, text, TO_BOB, before, after);
    }
    alice.key(BACKSPACE);
    alice.key(BACKSPACE);
    line_stands(&alice, TO_BOB, "你", after);
    alice.enters("");
    bob.sees(": 你cafe\u{301} 王");
}

#[test]
fn messages_at_the_bottom_scroll_the_window() {
    let mut bob = Peer::named("Bob").start();
    let alice = Terminal::start(Peer::named("Alice").knows(bob.addr()), 12, 80);
    bob.meets_at(&alice.shown());
    super::meets(&alice, &bob.shown());
    begins_text(&alice);
    alice.keys("at the bottom");
    for text in messages() {
        bob.says("1", &text[2..]);
        said_above_line(&alice, &text, TO_BOB, "at the bottom", "");
    }
    stand_in_order(&alice, &messages(), &format!("{}at the bottom", TO_BOB));
}

#[test]
fn escape_clears_the_line_then_goes_back() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("never mind");
    line_stands(&alice, TO_BOB, "never mind", "");
    alice.key(ESCAPE);
    line_stands(&alice, TO_BOB, "", "");
    alice.key(UP);
    line_stands(&alice, TO_BOB, "never mind", "");
    alice.key(ESCAPE);
    line_stands(&alice, TO_BOB, "", "");
    alice.key(ESCAPE);
    line_stands(&alice, CHOICE, "", "");
    assert!(!alice.screen().contains("never mind"), "{}", alice.screen());
    alice.enters("3");
    line_stands(&alice, "Connect to: ", "", "");
    alice.key(ESCAPE);
    line_stands(&alice, CHOICE, "", "");
    begins_text(&alice);
    alice.enters("after all");
    bob.sees(": after all");
    assert!(!bob.printed().iter().any(|line| line.contains("never mind")));
}

#[test]
fn up_brings_back_a_refused_answer() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("1");
    line_stands(&alice, "To: ", "", "");
    alice.enters("bobby");
    alice.waits_for("No contact matches \"bobby\". Did you mean Bob?");
    line_stands(&alice, "To: ", "", "");
    alice.key(UP);
    line_stands(&alice, "To: ", "bobby", "");
    alice.key(BACKSPACE);
    alice.key(BACKSPACE);
    line_stands(&alice, "To: ", "bob", "");
    alice.enters("");
    line_stands(&alice, TO_BOB, "", "");
    alice.enters("corrected");
    bob.sees(": corrected");
}
