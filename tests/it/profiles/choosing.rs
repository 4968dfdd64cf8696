//! The questions of a start on a terminal that names no profile.

use super::*;
use crate::support::Terminal;

/// Starts p2p-chat without flags in a terminal.
fn opened(data: &TempDir) -> Terminal {
    let builder = started("", data).arg("--bind").arg("127.0.0.1").env("USER", "dan");
    Terminal::start(builder, 30, 100)
}

/// Waits until the last line is this question.
fn asks(terminal: &Terminal, question: &str) {
    terminal.waits_for_line(question.trim_end(), question.chars().count());
}

/// Waits until p2p-chat runs with this name, and leaves.
fn runs_as(mut terminal: Terminal, name: &str) {
    terminal.waits_for(&format!("{name}, listening on "));
    asks(&terminal, "Choice [0-6]: ");
    terminal.enters("0");
    assert!(terminal.ends().success());
}

fn alice_and_bob() -> TempDir {
    let data = data();
    for args in [["Alice", "--profile=alice"], ["Bob", "--profile=work"]] {
        run(started(args[0], &data).arg(args[1]), &[]);
    }
    data
}

#[test]
fn only_profile_is_used_without_a_question() {
    let data = data();
    let port = started("Alice", &data).start().addr().port();
    let alice = opened(&data);
    alice.waits_for("Alice, listening on ");
    assert_eq!(alice.addr().port(), port);
}

#[test]
fn profile_is_chosen_by_number_or_name() {
    let data = alice_and_bob();
    for (answer, name) in [("1", "Alice"), ("2", "Bob"), ("alice", "Alice"), ("BOB", "Bob")] {
        let terminal = opened(&data);
        terminal.waits_for("1  Alice");
        terminal.waits_for("2  Bob (profile work)");
        terminal.waits_for("3  a new profile");
        asks(&terminal, "Number or name: ");
        terminal.enters(answer);
        runs_as(terminal, name);
    }
    assert_eq!(directories(&data), ["alice", "work"]);
}

#[test]
fn wrong_choice_is_asked_again() {
    let data = alice_and_bob();
    let terminal = opened(&data);
    for (answer, said) in [
        ("4", "Choose a number from 1 to 3."),
        ("0", "Choose a number from 1 to 3."),
        ("Zoe", "No profile is called Zoe. Choose 3 for a new profile."),
        ("Alcie", "No profile is called Alcie. Did you mean Alice? Choose 3 for a new profile."),
        ("work", "work is now Bob. Choose 3 for a new profile."),
        ("", "A name needs at least one character."),
    ] {
        asks(&terminal, "Number or name: ");
        terminal.enters(answer);
        terminal.waits_for(said);
    }
    asks(&terminal, "Number or name: ");
    terminal.enters("1");
    terminal.waits_for("Alice, listening on ");
}

#[test]
fn similar_name_is_confirmed_before_a_new_profile() {
    let data = data();
    run(started("Alice", &data).arg("--profile=alice"), &[]);
    for (answer, name, profiles) in [("yes", "Alice", &["alice"][..]), ("no", "Alcie", &["alcie", "alice"])] {
        let terminal = Terminal::start(started("Alcie", &data), 30, 100);
        terminal.waits_for("No profile is called Alcie; answer no to create it.");
        asks(&terminal, "Did you mean Alice? yes/no: ");
        terminal.enters("perhaps");
        terminal.waits_for("Type yes or no.");
        asks(&terminal, "Did you mean Alice? yes/no: ");
        terminal.enters(answer);
        runs_as(terminal, name);
        assert_eq!(directories(&data), profiles);
    }
}

#[test]
fn new_profile_can_be_chosen() {
    let data = alice_and_bob();
    let terminal = opened(&data);
    asks(&terminal, "Number or name: ");
    terminal.enters("3");
    asks(&terminal, "Enter your name [dan]: ");
    terminal.enters("Zoe");
    terminal.waits_for("Enter your port number [");
    terminal.enters("0");
    terminal.waits_for("Zoe, listening on ");
    terminal.waits_for("Created the profile Zoe. Others know it by this key:");
    assert_eq!(directories(&data), ["alice", "work", "zoe"]);
}

#[test]
fn new_profile_gets_an_unused_name() {
    let data = alice_and_bob();
    let builder = started("", &data).arg("--bind").arg("127.0.0.1").env("USER", "alice");
    let terminal = Terminal::start(builder, 30, 100);
    asks(&terminal, "Number or name: ");
    terminal.enters("3");
    // The login name is not offered, because a profile has it.
    asks(&terminal, "Enter your name: ");
    terminal.enters("BOB");
    terminal.waits_for("Another profile is called BOB already; choose another name.");
    asks(&terminal, "Enter your name: ");
    terminal.enters("work");
    terminal.waits_for("work is now Bob. Use --name Bob, or --profile NEW for another identity.");
    asks(&terminal, "Enter your name: ");
    terminal.enters("Zoe");
    terminal.waits_for("Enter your port number [");
    terminal.enters("0");
    terminal.waits_for("Zoe, listening on ");
    assert_eq!(directories(&data), ["alice", "work", "zoe"]);
}

#[test]
fn quit_leaves_at_every_question() {
    let data = alice_and_bob();
    let begins: [&[(&str, &str)]; 3] = [
        &[("Number or name: ", "/quit")],
        &[("Number or name: ", "3"), ("Enter your name [dan]: ", " /EXIT ")],
        &[("Number or name: ", "3"), ("Enter your name [dan]: ", "Zoe"), ("", "/bye")],
    ];
    for answers in begins {
        let mut terminal = opened(&data);
        for (question, answer) in answers {
            match *question {
                "" => terminal.waits_for("Enter your port number ["),
                question => asks(&terminal, question),
            }
            terminal.enters(answer);
        }
        assert_eq!(terminal.ends().code(), Some(1));
        assert_eq!(directories(&data), ["alice", "work"]);
        assert!(terminal.screen().contains("You left before the program started."), "{}", terminal.screen());
    }
}

#[test]
fn profile_of_earlier_version_asks_for_a_port() {
    let data = data();
    made_by_an_earlier_version(&data, "Alice");
    let terminal = opened(&data);
    terminal.waits_for("Enter your port number [");
    terminal.enters("0");
    terminal.waits_for("alice, listening on ");
}
