//! CONTRIBUTING.md shows code that is there.

use std::fs;
use std::path::Path;

use crate::support::Peer;

const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");

#[test]
fn reply_reaches_the_last_sender() {
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    bob.sees("Alice");
    bob.types(&["@alice Lunch?"]);
    alice.sees(": Lunch?");
    alice.types(&["/reply Gladly"]);
    bob.sees(": Gladly");
}

#[test]
fn quoted_code_is_in_the_named_files() {
    let pieces: Vec<&str> = CONTRIBUTING.split("```rust\n").collect();
    assert!(pieces.len() > 6, "{} quotes", pieces.len() - 1);
    for (before, quote) in pieces.iter().zip(&pieces[1..]) {
        // The file is the last one that the sentences before the quote name.
        let path = before.split('`').rfind(|code| code.ends_with(".rs")).expect("a file");
        let code = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut rest = &code[..];
        // A line of dots stands for any lines.
        for part in quote.split("```").next().expect("a first part").split("...\n") {
            let at = rest.find(part).unwrap_or_else(|| panic!("{path} does not contain:\n{part}"));
            rest = &rest[at + part.len()..];
        }
    }
}
