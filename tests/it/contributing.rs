//! CONTRIBUTING.md shows code that is there.

use std::fs;
use std::path::Path;

use crate::documents::files;
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

/// The source files, without unit tests, that contain `words`; below `src`.
fn files_with(words: &str) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = files(&src, true);
    paths.retain(|path| {
        !path.ends_with("tests.rs") && !path.components().any(|part| part.as_os_str() == "tests")
    });
    paths.retain(|path| {
        let text = fs::read_to_string(path).expect("UTF-8");
        text.split("#[cfg(test)]\nmod tests").next().is_some_and(|code| code.contains(words))
    });
    let mut names: Vec<String> =
        paths.iter().map(|path| path.strip_prefix(&src).expect("below it").display().to_string()).collect();
    names.sort();
    names
}

#[test]
fn slash_command_is_one_file() {
    assert_eq!(files_with("\"/policy\""), ["tui/commands/policy.rs"]);
    assert_eq!(files_with("POLICY:"), ["tui/commands/policy.rs"]);
    assert_eq!(files_with("::POLICY"), ["tui/commands.rs"]);
}

#[test]
fn legacy_dialect_is_one_file() {
    assert_eq!(files_with("\"r3\""), ["protocol/plain/r3.rs"]);
    assert_eq!(files_with("r3::"), ["protocol/plain/mod.rs"]);
}

#[test]
fn subcommand_is_one_file() {
    assert_eq!(files_with("Print your contacts, one per line"), ["cli/contacts.rs"]);
    assert_eq!(files_with("contacts::Asked"), ["cli/mod.rs"]);
    assert_eq!(files_with("Subcommand::Contacts"), [""; 0]);
}

#[test]
fn words_of_a_screen_line_are_one_file() {
    assert_eq!(files_with("Event::IdentityInUse("), ["core/sessions.rs", "tui/render.rs"]);
    assert_eq!(files_with("Your identity is also in use"), ["tui/render.rs"]);
}
