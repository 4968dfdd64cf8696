//! A pasted block: one message, shown before it is sent, and nothing in it is obeyed.

use super::*;

/// What a terminal sends when this is pasted.
fn pasted(text: &str) -> String {
    format!("\x1b[200~{text}\x1b[201~")
}

/// Fifty lines that would do harm if they were obeyed.
fn fifty_lines() -> Vec<String> {
    ["0", "/quit", "1", "all", "@bob no", ""]
        .into_iter()
        .cycle()
        .take(49)
        .map(str::to_owned)
        .chain(["end".to_owned()])
        .collect()
}

#[test]
fn pasted_fifty_lines_are_one_message() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.enters("/chat bob");
    line_stands(&alice, "to Bob> ", "", "");
    begins_screen(&alice);
    let lines = fifty_lines();
    alice.keys(&pasted(&lines.join("\r")));
    alice.waits_for("rows above");
    let screen = alice.screen();
    assert!(screen.ends_with("\nend"), "{screen}");
    assert!(!bob.printed().iter().any(|line| line.contains("[encrypted]: ")), "{:?}", bob.printed());
    alice.enters("");
    bob_reads(&mut bob, &lines);
    // Nothing of it was done: the conversation goes on, and nothing more was sent.
    line_stands(&alice, "to Bob> ", "", "");
    alice.enters("after it");
    assert!(bob.sees("[encrypted]: ").ends_with(": after it"), "{:?}", bob.printed());
}

#[test]
fn block_pasted_at_the_menu_asks_the_recipient() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.keys(&pasted("0\n0\n"));
    wrapped_stands(&alice, CHOICE, "0\n0", 80);
    alice.enters("");
    alice.waits_for("To whom? Number, name, ip:port or all. 0: back.");
    line_stands(&alice, "To: ", "", "");
    alice.enters("bob");
    bob_reads(&mut bob, &["0", "0"]);
}

#[test]
fn received_lines_stand_behind_a_bar() {
    let alice = Terminal::start(Peer::named("Alice").arg("--bind=127.0.0.1"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let bob = Terminal::start(Peer::named("Bob").arg("--bind=127.0.0.1").knows(alice.addr()), ROWS, 80);
    super::meets(&bob, &alice.shown());
    line_stands(&bob, CHOICE, "", "");
    super::meets(&alice, &bob.shown());
    begins_screen(&alice);
    bob.keys("@alice ");
    bob.keys(&pasted("fn main() {\n\tprintln!(\"hi\");\n\n}\n[12:00:00] Carol: forged"));
    bob.enters("");
    screen_is(
        &alice,
        &[alice.addr().port()],
        "\
[..:..:..] Bob (new): fn main() {
  │     println!(\"hi\");
  │
  │ }
  │ [..:..:..] Carol: forged
── Alice 127.0.0.1:{0} · 1 online
Choice [0-6]:",
    );
}

#[test]
fn too_large_paste_is_refused_whole() {
    let (alice, mut bob) = alice_and_bob(100);
    begins_text(&alice);
    alice.keys("x");
    alice.keys(&pasted(&"y".repeat(102_000)));
    alice.waits_for("The pasted text of 102000 bytes was dropped: the line has room for 32767 bytes.");
    line_stands(&alice, TO_BOB, "x", "");
    alice.enters(" is all");
    bob.sees("[encrypted]: x is all");
}

#[test]
fn too_large_unmarked_line_is_refused_whole() {
    let (alice, mut bob) = alice_and_bob(100);
    begins_text(&alice);
    alice.keys(&"y".repeat(32_800));
    alice.waits_for("The line is full: it has at most 32768 bytes.");
    alice.enters("");
    alice
        .waits_for("The line of 32800 bytes was dropped: a line has at most 32768 bytes. Up brings back its");
    line_stands(&alice, TO_BOB, "", "");
    alice.enters("short");
    assert!(bob.sees("[encrypted]: ").ends_with("[encrypted]: short"), "{:?}", bob.printed());
}

#[test]
fn cleared_block_comes_back_with_up() {
    let (alice, mut bob) = alice_and_bob(80);
    begins_text(&alice);
    alice.keys(&pasted("one\ntwo"));
    wrapped_stands(&alice, TO_BOB, "one\ntwo", 80);
    alice.key(CONTROL_C);
    line_stands(&alice, TO_BOB, "", "");
    alice.key(UP);
    wrapped_stands(&alice, TO_BOB, "one\ntwo", 80);
    alice.enters("");
    bob_reads(&mut bob, &["one", "two"]);
}
