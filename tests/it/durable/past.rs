//! What was said is there after a restart.

use super::Home;

#[test]
fn restarted_conversation_begins_with_its_history() {
    let (alice, bob) = (Home::of("Alice"), Home::of("Bob"));
    let (mut her, mut him) = (alice.start(), bob.builder().knows(alice.addr).start());
    her.meets(&him);
    her.says(&bob.addr.to_string(), "shall we meet?");
    her.sees("Delivered to Bob");
    him.says("Alice", "gladly");
    her.sees(": gladly");
    // She has to do with him, so what he said until now is read.
    her.types(&["/chat bob"]);
    her.types(&["at the lake"]);
    her.sees("Delivered to Bob");
    her.types(&["/back"]);
    // What comes from now on is new.
    her.sees("The conversation with Bob has ended");
    him.says("Alice", "bring the boat");
    her.sees(": bring the boat");
    // The program that prints the history runs beside the chat.
    let expected = [
        "→ Bob: shall we meet? (delivered)",
        "Bob: gladly",
        "→ Bob: at the lake (delivered)",
        "Bob: bring the boat",
    ];
    let history = alice.history(&[]);
    let lines: Vec<&str> = history.lines().collect();
    assert_eq!(lines, expected);
    her.crashes();
    let mut her = alice.start();
    her.types(&["/history"]);
    for line in expected {
        assert!(her.sees(line).ends_with(line));
    }
    her.types(&["/history boat"]);
    her.sees("Bob: bring the boat");
    her.types(&[&format!("/chat {}", bob.addr)]);
    her.sees("--- history: the last messages with ");
    for line in &expected[..3] {
        her.sees(line);
    }
    her.sees("--- new since you last talked ---");
    her.sees(expected[3]);
    her.sees("--- end of the history ---");
    her.types(&["/back"]);
    her.leaves();
    assert_eq!(alice.history(&["--grep", "lake"]).lines().collect::<Vec<_>>(), [expected[2]]);
}
