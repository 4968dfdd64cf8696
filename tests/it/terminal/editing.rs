//! The keys of the line, as people who know a shell expect them.

use super::*;

const ALT_ENTER: &[u8] = b"\x1b\r";
const CONTROL_G: &[u8] = b"\x07";
const CONTROL_R: &[u8] = b"\x12";

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
