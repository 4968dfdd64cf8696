//! The keys of the line, as people who know a shell expect them.

use super::*;

const DOWN: &[u8] = b"\x1b[B";
const END: &[u8] = b"\x1b[F";
const ALT_B: &[u8] = b"\x1bb";
const ALT_F: &[u8] = b"\x1bf";
const ALT_D: &[u8] = b"\x1bd";
const ALT_ENTER: &[u8] = b"\x1b\r";
const CONTROL_A: &[u8] = b"\x01";
const CONTROL_E: &[u8] = b"\x05";
const CONTROL_G: &[u8] = b"\x07";
const CONTROL_K: &[u8] = b"\x0b";
const CONTROL_R: &[u8] = b"\x12";
const CONTROL_W: &[u8] = b"\x17";
const CONTROL_Y: &[u8] = b"\x19";
const UNDO: &[u8] = b"\x1f";

/// Alice alone, at the menu.
fn alice() -> Terminal {
    let alice = Terminal::start(Peer::named("Alice").arg("--bind=127.0.0.1"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    alice
}

/// Presses a key, and waits until the line stands like that.
fn press(alice: &Terminal, key: &[u8], before: &str, after: &str) {
    alice.key(key);
    line_stands(alice, CHOICE, before, after);
}

#[test]
fn words_are_moved_over_deleted_and_put_back() {
    let alice = alice();
    alice.keys("one two-three four");
    press(&alice, ALT_B, "one two-three ", "four");
    press(&alice, ALT_B, "one two-", "three four");
    press(&alice, CONTROL_W, "one ", "three four");
    press(&alice, ALT_D, "one ", " four");
    press(&alice, UNDO, "one ", "three four");
    press(&alice, ALT_F, "one three", " four");
    press(&alice, CONTROL_K, "one three", "");
    press(&alice, CONTROL_A, "", "one three");
    press(&alice, CONTROL_Y, " four", "one three");
    press(&alice, CONTROL_E, " fourone three", "");
    press(&alice, CONTROL_U, "", "");
    press(&alice, CONTROL_Y, " fourone three", "");
}

#[test]
fn arrows_find_earlier_and_half_typed_lines() {
    let alice = alice();
    for line in ["/help name", "/help mute", "2"] {
        alice.enters(line);
        line_stands(&alice, CHOICE, "", "");
    }
    alice.keys("half");
    press(&alice, UP, "/help mute", "");
    press(&alice, UP, "/help name", "");
    press(&alice, UP, "/help name", "");
    press(&alice, DOWN, "/help mute", "");
    press(&alice, DOWN, "half", "");
    press(&alice, HOME, "", "half");
    press(&alice, END, "half", "");
}

#[test]
fn a_line_typed_before_is_searched_for() {
    let alice = alice();
    for line in ["/help name", "/help mute", "/help history"] {
        alice.enters(line);
        alice.waits_for(&format!("{CHOICE}{line}"));
        line_stands(&alice, CHOICE, "", "");
    }
    begins_screen(&alice);
    let port = alice.addr().port();
    alice.key(CONTROL_R);
    alice.keys("P M");
    screen_is(&alice, &[port], "── Alice 127.0.0.1:{0} · 0 online\n(search)`P M': /help mute");
    // A message may come in the midst of it.
    let stranger = [127, 0, 0, 9].into();
    crate::support::send_raw_from(stranger, alice.addr(), b"127.0.0.9:9 Zoe hello");
    screen_is(
        &alice,
        &[port],
        "[..:..:..] Zoe (unencrypted, new): hello\n── Alice 127.0.0.1:{0} · 1 online\n(search)`P M': /help mute",
    );
    alice.keys("x");
    screen_is(
        &alice,
        &[port],
        "[..:..:..] Zoe (unencrypted, new): hello\n── Alice 127.0.0.1:{0} · 1 online\n(no match)`P Mx': /help mute",
    );
    press(&alice, CONTROL_G, "", "");
    alice.key(CONTROL_R);
    alice.keys("help");
    alice.waits_for("(search)`help': /help history");
    alice.key(CONTROL_R);
    alice.key(CONTROL_R);
    alice.waits_for("(search)`help': /help name");
    press(&alice, CONTROL_G, "", "");
    alice.key(CONTROL_R);
    alice.keys("mut");
    alice.waits_for("(search)`mut': /help mute");
    alice.enters("");
    alice.waits_for(&format!("{CHOICE}/help mute\n/mute [WHOM]: hide a peer's messages."));
    line_stands(&alice, CHOICE, "", "");
}

#[test]
fn message_may_have_several_lines() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys("first");
    alice.key(ALT_ENTER);
    alice.keys("second");
    wrapped_stands(&alice, TO_BOB, "first\nsecond", 80);
    alice.key(UP);
    alice.keys("!");
    alice.waits_for("Message to Bob: first!\nsecond");
    alice.enters("");
    bob_reads(&mut bob, &["first!", "second"]);
}

#[test]
fn control_l_clears_screen_and_keeps_the_line() {
    let alice = alice();
    alice.keys("kept");
    begins_screen(&alice);
    screen_is(&alice, &[alice.addr().port()], "── Alice 127.0.0.1:{0} · 0 online\nChoice [0-6]: kept");
    line_stands(&alice, CHOICE, "kept", "");
}
