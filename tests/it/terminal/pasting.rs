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
