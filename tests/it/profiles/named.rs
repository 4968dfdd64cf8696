//! The name of a profile: how it is stored and renamed, and what `--name` and `--profile` select.

use super::*;
use crate::support::refused;

#[test]
fn name_key_and_history_survive_a_rename() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let mut alice = started("Alice", &data).knows(bob.addr()).start();
    alice.meets(&bob);
    let before = alice.key();
    bob.says(&alice.addr().to_string(), "hello Alice");
    alice.sees("hello Alice");
    alice.types(&["/name Zoe"]);
    alice.sees("You are now Zoe");
    alice.leaves();

    let mut zoe = started("", &data).start();
    zoe.has_seen("Zoe, listening on ");
    assert_eq!(zoe.key(), before);
    zoe.types(&["/list"]);
    zoe.leaves();
    let printed = run(started("Zoe", &data), &[]);
    assert!(printed.iter().any(|line| line.starts_with("Zoe, listening on ")), "{printed:?}");
    assert_eq!(directories(&data), ["alice"]);
    assert_eq!(key(&data, "alice"), before);
    let history = started("Zoe", &data).without_port().arg("history").prints();
    assert!(history.contains("hello Alice"), "{history}");
    let names = profile_toml(&data, "alice");
    assert_eq!(names["name"].as_str(), Some("Zoe"));
    assert_eq!(names["former_names"], toml::Value::from(vec!["Alice"]));
}

/// Bob with a Cyrillic letter, and the sentence that refuses it.
const MIXED: &str = "B\u{43e}b";
const MIXED_WHY: &str = "A name cannot mix scripts, such as Latin and Cyrillic, because their letters look \
                         alike. Try Bob.";

#[test]
fn new_name_of_two_scripts_is_refused() {
    let data = data();
    assert_eq!(refused(started(MIXED, &data)), format!("p2p-chat: {MIXED_WHY}"));
    let mut alice = started("Alice", &data).start();
    alice.types(&[&format!("/name {MIXED}"), "0"]);
    assert_eq!(alice.ends().code(), Some(1));
    alice.has_seen(MIXED_WHY);
    assert_eq!(refused(started(MIXED, &data).arg("--profile=alice")), format!("p2p-chat: {MIXED_WHY}"));
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("Alice"));
}

#[test]
fn existing_name_of_two_scripts_gets_one_warning() {
    let data = data();
    run(started("Alice", &data), &[]);
    fs::write(folder(&data, "alice").join("profile.toml"), format!("name = \"{MIXED}\"\n"))
        .expect("writable");
    let printed = run(started(MIXED, &data), &[]);
    let warnings = printed.iter().filter(|line| line.contains(MIXED_WHY)).count();
    assert_eq!(warnings, 1, "{printed:?}");
}

#[test]
#[cfg(unix)]
fn profile_file_is_private_and_alone() {
    let data = data();
    run(started("Alice", &data).after("umask 000"), &["/name Zoe"]);
    let alice = folder(&data, "alice");
    assert_eq!(mode(&alice.join("profile.toml")), 0o600);
    let leftover = fs::read_dir(&alice)
        .expect("readable")
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("profile.toml."));
    assert!(leftover.is_none(), "{leftover:?}");
}

#[test]
fn former_name_is_refused_with_the_current_one() {
    let data = data();
    run(started("Alice", &data), &["/name Zoe"]);
    for name in ["Alice", "ALICE"] {
        let errors = refused(started(name, &data));
        assert_eq!(
            errors,
            format!("p2p-chat: {name} is now Zoe. Use --name Zoe, or --profile NEW for another identity.")
        );
    }
    assert_eq!(directories(&data), ["alice"]);
    // The start that the error suggests.
    run(started("Zoe", &data), &[]);
    run(started("Alice", &data).arg("--profile=NEW"), &[]);
    assert_eq!(directories(&data), ["alice", "new"]);
    assert_ne!(key(&data, "alice"), key(&data, "new"));
    // `--name` selects the new profile now.
    let printed = run(started("Alice", &data), &[]);
    assert!(printed.iter().any(|line| line.starts_with("Alice, listening on ")), "{printed:?}");
    assert_eq!(directories(&data), ["alice", "new"]);
}

#[test]
fn name_of_another_profile_is_refused() {
    let data = data();
    run(started("Zoe", &data), &[]);
    let mut alice = started("Alice", &data).start();
    for taken in ["Zoe", "ZOE", "zoe"] {
        alice.types(&[&format!("/name {taken}")]);
        alice.sees(&format!("Another profile is called {taken} already; choose another name."));
    }
    // A profile may take another spelling of its name, or a former name of another profile.
    alice.types(&["/name ALICE"]);
    alice.sees("You are now ALICE");
    alice.types(&["0"]);
    assert_eq!(alice.ends().code(), Some(1), "the refused lines");
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("ALICE"));
    assert_eq!(profile_toml(&data, "zoe")["name"].as_str(), Some("Zoe"));
}

#[test]
fn start_refuses_the_name_of_another_profile() {
    let data = data();
    run(started("Alice", &data), &[]);
    run(started("Bob", &data), &[]);
    for taken in ["Alice", "ALICE", "\u{ff21}lice"] {
        let expected = format!("p2p-chat: Another profile is called {taken} already; choose another name.");
        for profile in ["new", "bob"] {
            let flag = format!("--profile={profile}");
            assert_eq!(refused(started(taken, &data).arg(&flag)), expected, "{profile}");
        }
        let id = started(taken, &data).without_port().arg("id").arg("--new").arg("--profile=new");
        assert_eq!(refused(id), expected);
    }
    assert_eq!(directories(&data), ["alice", "bob"]);
    assert_eq!(profile_toml(&data, "bob")["name"].as_str(), Some("Bob"));
    // A profile keeps its own name, in any spelling.
    run(started("alice", &data).arg("--profile=alice"), &[]);
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("alice"));
}

#[test]
fn alias_is_refused_as_own_name() {
    let data = data();
    let contacts = || fs::read_to_string(folder(&data, "alice").join("contacts.toml")).unwrap_or_default();
    let mut bob = Peer::named("Bob").start();
    let mut alice = started("Alice", &data).knows(bob.addr()).start();
    alice.meets(&bob);
    bob.meets(&alice);
    for own in ["Alice", "ALICE"] {
        alice.types(&[&format!("/alias bob {own}")]);
        alice.sees(&format!("{own} is your own name; choose another alias."));
    }
    for (wrong, right) in [("/boss", "boss"), ("@boss", "boss")] {
        alice.types(&[&format!("/alias bob {wrong}")]);
        alice.sees(&format!(
            "An alias cannot begin with / or @, which start a command or a recipient. Try {right}."
        ));
    }
    alice.types(&["/alias bob Boss"]);
    alice.sees("is now called Boss");
    alice.types(&["/name boss"]);
    alice.sees("boss is your alias for a contact (");
    alice.types(&["0"]);
    assert_eq!(alice.ends().code(), Some(1), "the refused lines");
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("Alice"));
    // Also at a start, and in an edit by hand.
    let line = contacts().lines().position(|line| line == "alias = \"Boss\"").expect("an alias") + 1;
    let refusals = |peer: Builder| {
        let errors = refused(peer);
        assert!(errors.contains(&format!("contacts.toml, line {line}: ")), "{errors}");
        errors
    };
    let errors = refused(started("BOSS", &data).arg("--profile=alice"));
    assert!(errors.starts_with("p2p-chat: BOSS is your alias for a contact ("), "{errors}");
    assert!(errors.ends_with("); choose another name."), "{errors}");
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("Alice"));
    for (alias, words) in [
        ("aLiCe", "aLiCe is your own name; choose another alias."),
        ("@boss", "An alias cannot begin with / or @"),
        ("/boss", "An alias cannot begin with / or @"),
    ] {
        let text = contacts();
        let edited = text.replace("\"Boss\"", &format!("\"{alias}\""));
        fs::write(folder(&data, "alice").join("contacts.toml"), edited).expect("written");
        for peer in [started("Alice", &data), started("Alice", &data).without_port().arg("contacts")] {
            let errors = refusals(peer);
            assert!(errors.contains(words), "{errors}");
        }
        fs::write(folder(&data, "alice").join("contacts.toml"), text).expect("written");
    }
    run(started("Alice", &data), &[]);
}

#[test]
fn profile_of_an_earlier_version_keeps_its_key() {
    let data = data();
    made_by_an_earlier_version(&data, "Alice");
    let before = key(&data, "alice");
    // Without a name it is named after its directory.
    let printed = run(started("", &data).arg("--port").arg(0), &[]);
    assert!(printed.iter().any(|line| line.starts_with("alice, listening on ")), "{printed:?}");
    fs::remove_file(folder(&data, "alice").join("profile.toml")).expect("removed");
    // With a name, the first start stores it.
    run(started("Alice", &data).arg("--profile=alice"), &[]);
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("Alice"));
    assert_eq!((directories(&data), key(&data, "alice")), (vec!["alice".to_owned()], before));
}

#[test]
fn profile_with_another_name_is_renamed() {
    let data = data();
    run(started("Alice", &data), &[]);
    let printed = run(started("Zoe", &data).arg("--profile=alice"), &[]);
    assert!(printed.iter().any(|line| line.starts_with("Zoe, listening on ")), "{printed:?}");
    assert_eq!(directories(&data), ["alice"]);
    assert!(refused(started("Alice", &data)).contains("Alice is now Zoe."));
    let printed = run(started("", &data).arg("--profile=alice"), &[]);
    assert!(printed.iter().any(|line| line.starts_with("Zoe, listening on ")), "{printed:?}");
}

#[test]
fn first_start_shows_the_new_key() {
    let data = data();
    let printed = run(started("Alice", &data), &[]);
    let at = printed
        .iter()
        .position(|line| line == "Created the profile Alice. Others know it by this key:")
        .expect("announced");
    let id = started("Alice", &data).without_port().arg("id").prints();
    assert!(id.contains(&format!("Key      {}\n", printed[at + 1].trim_start())), "{id}");
    assert!(!printed.iter().any(|line| line.contains("Did you mean")), "{printed:?}");
    let printed = run(started("Alice", &data), &[]);
    assert!(!printed.iter().any(|line| line.contains("Created")), "{printed:?}");
    let printed = run(started("Alcie", &data), &[]);
    assert!(printed.contains(&"If you meant Alice, leave and start with --name Alice.".to_owned()));
    let printed = run(started("Bob", &data), &[]);
    assert!(!printed.iter().any(|line| line.contains("Did you mean")), "{printed:?}");
}

#[test]
fn rename_without_home_is_for_one_run() {
    let nowhere = Peer::named("Alice").env("XDG_DATA_HOME", "/dev/null/x").env("HOME", "/dev/null");
    let mut alice = nowhere.start();
    alice.types(&["/name Zoe"]);
    alice.sees("You are now Zoe");
}

#[test]
fn former_name_of_a_setting_is_refused() {
    let data = data();
    run(started("Alice", &data), &["/name Zoe"]);
    let rest = "--profile NEW for another identity.";
    let errors = refused(started("", &data).env("P2P_CHAT_NAME", "Alice"));
    assert_eq!(errors, format!("p2p-chat: Alice is now Zoe. Set P2P_CHAT_NAME to Zoe, or use {rest}"));
    let config = data.path().join("config.toml");
    fs::write(&config, "name = \"Alice\"\n").expect("written");
    let errors = refused(started("", &data).arg(format!("--config={}", config.display())));
    let place = config.display();
    assert_eq!(errors, format!("p2p-chat: Alice is now Zoe. Change `name` in {place} to Zoe, or use {rest}"));
}
