//! Edits of contacts.toml by hand while the program runs.

use p2p_chat::model::key::PublicKey;

use super::*;
use crate::support::nobody;

#[test]
fn blocking_by_hand_takes_effect() {
    let data = data();
    let (mut alice, mut bob) = together(&data);
    let before = toml(&data, "alice");
    edits(&data, "alice", &(before.clone() + "blocked = true\n"));
    lists_one(&mut alice, &["Bob", " (blocked): not dialed"]);
    bob.says(&alice.addr().to_string(), "are you there?");
    alice.still_answers();
    // Unblocked again.
    edits(&data, "alice", &before);
    until("Bob is not blocked", || !lists(&mut alice).iter().any(|line| line.contains("blocked")));
    alice.types(&["@bob sorry"]);
    bob.sees(": sorry");
    leaves(alice);
    assert_eq!(toml(&data, "alice"), before);
}

#[test]
fn block_by_hand_keeps_the_date_of_verification() {
    let data = data();
    let (mut alice, _bob) = together(&data);
    alice.types(&["/verify bob", "yes"]);
    alice.sees("is verified");
    until("the date is saved", || toml(&data, "alice").contains("verified = 2"));
    let before = toml(&data, "alice");
    edits(&data, "alice", &(before.clone() + "blocked = true\n"));
    lists_one(&mut alice, &["Bob", " (blocked): not dialed"]);
    // All changes are saved.
    leaves(alice);
    assert_eq!(toml(&data, "alice"), before.clone() + "blocked = true\n");
    let mut alice = started("Alice", &data).start();
    edits(&data, "alice", &before);
    lists_one(&mut alice, &["Bob (verified): "]);
    leaves(alice);
    assert_eq!(toml(&data, "alice"), before);
}

#[test]
fn alias_by_hand_takes_effect() {
    let data = data();
    let (mut alice, mut bob) = together(&data);
    let before = toml(&data, "alice");
    edits(&data, "alice", &(before.clone() + "alias = \"Boss\"\n"));
    lists_one(&mut alice, &["Boss: online"]);
    alice.types(&["@boss which name?"]);
    bob.sees(": which name?");
    bob.says("Alice", "both");
    alice.sees("] Boss (");
    edits(&data, "alice", &(before.clone() + "alias = \"Bobby\"\n"));
    lists_one(&mut alice, &["Bobby: online"]);
    edits(&data, "alice", &before);
    lists_one(&mut alice, &["Bob: online"]);
}

#[test]
fn mute_by_hand_takes_effect() {
    let data = data();
    let (mut alice, mut bob) = together(&data);
    let before = toml(&data, "alice");
    edits(&data, "alice", &(before + "muted = true\n"));
    lists_one(&mut alice, &["Bob (muted): "]);
    bob.says("Alice", "unheard");
    bob.sees("Delivered to Alice");
    alice.types(&["/unmute bob"]);
    alice.sees("Unmuted Bob. /history Bob shows earlier messages.");
    assert!(alice.printed().iter().all(|line| !line.contains("] Bob (") || !line.ends_with("unheard")));
}

#[test]
fn removed_entry_is_no_longer_a_contact() {
    let data = data();
    let (mut alice, bob) = together(&data);
    let without = toml(&data, "alice").split("\n[[contact]]").next().expect("a title").to_owned() + "\n";
    edits(&data, "alice", &without);
    until("Bob is no contact", || lists(&mut alice).is_empty());
    leaves(alice);
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
fn comments_and_unknown_keys_survive_a_write() {
    let data = data();
    let (mut alice, bob) = together(&data);
    let text = format!(
        "# my friends\n\n[[contact]] # the boss\nkey = \"{}\"\nname = \"Bob\" # from work\ncolour = \"blue\"\n\
         addresses = [\"{}\"]\n\n# the end\n",
        bob.key(),
        bob.addr()
    );
    edits(&data, "alice", &text);
    alice.types(&["/mute bob"]);
    alice.sees("Muted ");
    let expected = text.replace("\naddresses", "\nmuted = true\naddresses");
    let lines =
        |text: &str| -> std::collections::BTreeSet<String> { text.lines().map(str::to_owned).collect() };
    let written = toml(&data, "alice");
    assert_eq!(lines(&written), lines(&expected), "{written}");
    alice.types(&["/unmute bob"]);
    alice.sees("Unmuted ");
    until("as it was", || toml(&data, "alice") == text);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(file(data.path(), "alice")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
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
    alice.sees("It will be saved when the file can be written.");
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
fn block_is_saved_after_a_mistake_is_corrected() {
    let data = data();
    let (mut alice, _bob) = together(&data);
    alice.types(&["/alias bob Boss"]);
    alice.sees("is now called Boss");
    let good = toml(&data, "alice");
    edits(&data, "alice", &(good.clone() + "blocked = perhaps\n"));
    alice.types(&["/mute bob"]);
    alice.sees("Muted Boss.");
    alice.sees("It will be saved when the file can be written.");
    lists_one(&mut alice, &["Boss (muted): "]);
    alice.types(&["/block boss"]);
    alice.sees("Blocked Boss");
    alice.sees("It will be saved when the file can be written.");
    edits(&data, "alice", &good);
    until("written", || toml(&data, "alice").contains("blocked = true"));
    assert!(toml(&data, "alice").contains("muted = true"));
}

/// The entry of a contact that is not there.
fn carol() -> (String, String) {
    let key = PublicKey::new([7; 32]).to_string();
    let entry = format!("\n[[contact]]\nkey = \"{key}\"\nname = \"Carol\"\n");
    (key, entry)
}

#[test]
fn last_decision_during_a_mistake_is_saved() {
    let data = data();
    let (mut alice, bob) = together(&data);
    let (key, carol) = carol();
    let good = toml(&data, "alice") + &carol;
    edits(&data, "alice", &good);
    alice.sees("contacts.toml: Carol is a contact.");
    edits(&data, "alice", &(good.clone() + "x = ["));
    alice.types(&["/forget bob", "yes", "/block carol", "/unblock carol"]);
    alice.sees("Unblocked Carol");
    let listed = lists(&mut alice);
    assert!(listed.iter().all(|line| !line.contains("Bob")), "{listed:?}");
    alice.types(&["/forget carol", "yes"]);
    alice.sees("Removed Carol from your contacts");
    edits(&data, "alice", &good);
    alice.sees("contacts.toml can be read again.");
    until("nobody is left", || !toml(&data, "alice").contains("[[contact]]"));
    assert_eq!(lists(&mut alice), [""; 0]);
    leaves(alice);
    let written = toml(&data, "alice");
    assert!(!written.contains(&key) && !written.contains(&bob.key()), "{written}");
}

#[test]
fn lost_decisions_are_named_at_exit() {
    let data = data();
    let (mut alice, _bob) = together(&data);
    edits(&data, "alice", &(toml(&data, "alice") + "x = ["));
    alice.types(&["/block bob"]);
    alice.sees("It will be saved when the file can be written.");
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
