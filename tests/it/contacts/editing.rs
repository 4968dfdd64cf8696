//! Edits of contacts.toml by hand while the program runs.

use super::*;
use crate::support::nobody;

#[test]
fn blocking_by_hand_takes_effect_and_keeps_verification() {
    let data = data();
    let (mut alice, mut bob) = together(&data);
    alice.types(&["/verify bob", "yes"]);
    alice.sees("is verified");
    until("the date is saved", || toml(&data, "alice").contains("verified = 2"));
    let before = toml(&data, "alice");
    let blocked = before.clone() + "blocked = true\n";
    edits(&data, "alice", &blocked);
    lists_one(&mut alice, &["Bob", " (blocked): not dialed"]);
    bob.says(&alice.addr().to_string(), "are you there?");
    alice.still_answers();
    // All changes are saved.
    alice.leaves();
    assert_eq!(toml(&data, "alice"), blocked);
    let mut alice = started("Alice", &data).start();
    // Unblocked again.
    edits(&data, "alice", &before);
    lists_one(&mut alice, &["Bob (verified): "]);
    alice.types(&["@bob sorry"]);
    bob.sees(": sorry");
    alice.leaves();
    assert_eq!(toml(&data, "alice"), before);
}

#[test]
fn removed_entry_is_no_longer_a_contact() {
    let data = data();
    let (mut alice, bob) = together(&data);
    let without = toml(&data, "alice").split("\n[[contact]]").next().expect("a title").to_owned() + "\n";
    edits(&data, "alice", &without);
    until("Bob is no contact", || lists(&mut alice).is_empty());
    alice.leaves();
    assert_eq!(toml(&data, "alice"), without);
    assert!(!contacts_or_none(&data).contains(&bob.key()));
}

fn contacts_or_none(data: &TempDir) -> String {
    asked(started("Alice", data).arg("contacts").arg("--json")).printed
}

#[test]
fn added_entry_is_dialed() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let mut alice = started("Alice", &data).start();
    let addr = bob.addr();
    let text = entry(&bob.key(), &format!("name = \"Robert\"\naddresses = [\"{addr}\"]\n"));
    edits(&data, "alice", &text);
    bob.sees("* Alice (");
    lists_one(&mut alice, &[": online", &bob.key()[..8]]);
    // A legacy peer by its address.
    let carol = nobody();
    edits(&data, "alice", &format!("{text}\n[[contact]]\nlegacy = \"{carol}\"\nname = \"Carol\"\n"));
    lists_one(&mut alice, &["Carol", &carol.to_string()]);
    assert!(alice.lists(carol).expect("listed").contains("Carol"));
}

#[test]
fn damaged_file_keeps_the_last_good_version() {
    let data = data();
    let (mut alice, mut bob) = together(&data);
    alice.types(&["/alias bob Boss"]);
    alice.sees("is now called Boss");
    let good = toml(&data, "alice");
    let damaged = good.clone() + "blocked = perhaps\n";
    let line = damaged.lines().count();
    edits(&data, "alice", &damaged);
    let complaint = format!("contacts.toml, line {line}: ");
    until("it is told", || {
        lists(&mut alice);
        alice.printed().iter().any(|line| line.contains(&complaint))
    });
    // Bob still has his alias, and the file is not written.
    lists_one(&mut alice, &["Boss: online"]);
    alice.types(&["@boss still in force"]);
    bob.sees(": still in force");
    let told = |alice: &Peer| alice.printed().iter().filter(|line| line.contains(&complaint)).count();
    assert_eq!(told(&alice), 1, "once for each version of the file");
    let force = "The last good version stays in use, and nothing is saved until the line is corrected.";
    assert!(alice.printed().iter().any(|line| line.ends_with(force)));
    alice.types(&["/alias bob Bobby"]);
    alice.sees("is now called Bobby");
    alice.sees("Changes to contacts will be saved when contacts.toml can be read again.");
    lists_one(&mut alice, &["Bobby: online"]);
    assert_eq!(toml(&data, "alice"), damaged);
    // The corrected file is in force again.
    edits(&data, "alice", &(good + "muted = true\n"));
    alice.sees("contacts.toml can be read again.");
    lists_one(&mut alice, &["Bobby (muted): online"]);
    alice.types(&["/unmute bobby"]);
    alice.sees("Unmuted ");
    until("written", || !toml(&data, "alice").contains("muted"));
    assert!(toml(&data, "alice").contains("alias = \"Bobby\""));
    assert_eq!(told(&alice), 1, "once for each version of the file");
}

#[test]
fn lost_decisions_are_named_at_exit() {
    let data = data();
    let (mut alice, _bob) = together(&data);
    edits(&data, "alice", &(toml(&data, "alice") + "x = ["));
    alice.types(&["/block bob"]);
    alice.sees("Changes to contacts will be saved when contacts.toml can be read again.");
    alice.types(&["/quit"]);
    alice.sees("These changes could not be saved in contacts.toml and are lost: Bob is blocked.");
    assert!(alice.ends().success());
}

#[test]
fn each_edit_is_told_in_a_line() {
    let data = data();
    let (mut alice, _bob) = together(&data);
    let before = toml(&data, "alice");
    edits(&data, "alice", &(before.clone() + "muted = true\n"));
    alice.sees("contacts.toml: Bob is muted.");
    edits(&data, "alice", &(before.clone() + "alias = \"Bobby\"\n"));
    alice.sees("contacts.toml: Bob is no longer muted and is called Bobby.");
    edits(&data, "alice", &(before.clone() + "blocked = true\n"));
    alice.sees("contacts.toml: Bobby is blocked and no longer has an alias.");
    edits(&data, "alice", &before);
    alice.sees("contacts.toml: Bob is no longer blocked.");
    let many: String = (1..=6).map(|port| format!("[[contact]]\nlegacy = \"127.0.0.1:{port}\"\n")).collect();
    edits(&data, "alice", &format!("{before}\n{many}"));
    alice.sees("contacts.toml: 6 contacts have changed.");
    let printed = alice.printed();
    let is_twice = |line: &String| line.starts_with("Updated") || line.starts_with("Blocked");
    assert!(!printed.iter().any(is_twice), "{printed:?}");
}
