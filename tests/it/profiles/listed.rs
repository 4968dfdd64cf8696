//! `p2p-chat id` and `p2p-chat history`: which profile they use, and the list of all profiles.

use super::*;
use crate::support::refused;

/// `p2p-chat id` with these arguments.
fn id(name: &str, data: &TempDir, args: &[&str]) -> Builder {
    let builder = started(name, data).without_port().arg("id");
    args.iter().fold(builder, |builder, arg| builder.arg(arg))
}

#[test]
fn only_new_creates_a_profile() {
    let data = data();
    for (name, start, named) in [("", "p2p-chat", "NAME"), ("Alice", "`p2p-chat --name Alice`", "Alice")] {
        let none = format!(
            "p2p-chat: There is no profile yet; start {start}, or create one with `p2p-chat id --new --name {named}`."
        );
        assert_eq!(refused(id(name, &data, &[])), none);
    }
    assert!(!data.path().join("profiles").exists());
    let printed = id("Alice", &data, &["--new"]).prints();
    assert!(printed.starts_with("Name     Alice\nKey      "), "{printed}");
    assert_eq!(id("Alice", &data, &[]).prints(), printed);
    assert_eq!(profile_toml(&data, "alice")["name"].as_str(), Some("Alice"));
    let errors = refused(id("ALICE", &data, &["--new"]));
    assert!(
        errors.contains("The profile Alice already exists; leave out --new to print its key."),
        "{errors}"
    );
    assert!(refused(id("", &data, &["--new"])).contains("A new profile needs a name; add --name NAME."));
    // The chat uses the created profile.
    let printed = run(started("Alice", &data), &[]);
    assert!(!printed.iter().any(|line| line.contains("Created")), "{printed:?}");
}

#[test]
fn mistyped_name_is_refused_with_the_profiles() {
    let data = data();
    id("Alice", &data, &["--new"]).prints();
    id("Bob", &data, &["--new", "--profile=work"]).prints();
    let expected = "The profiles are: Alice, Bob (profile work).";
    let errors = refused(id("Alcie", &data, &[]));
    assert_eq!(errors, format!("p2p-chat: No profile is called Alcie. Did you mean Alice? {expected}"));
    let errors = refused(started("Zoe", &data).without_port().arg("history"));
    assert_eq!(errors, format!("p2p-chat: No profile is called Zoe. {expected}"));
    let errors = refused(id("", &data, &["--profile=wrok"]));
    assert_eq!(errors, format!("p2p-chat: There is no profile wrok. {expected}"));
    assert_eq!(directories(&data), ["alice", "work"]);
}

#[test]
fn former_name_is_refused_by_every_command() {
    let data = data();
    run(started("Alice", &data), &["/name Zoe"]);
    for command in [&["id"][..], &["id", "--new"], &["history"]] {
        let builder = started("Alice", &data).without_port();
        let errors = refused(command.iter().fold(builder, |builder, arg| builder.arg(arg)));
        assert!(errors.starts_with("p2p-chat: Alice is now Zoe. Use --name Zoe, "), "{errors}");
    }
}

#[test]
fn list_has_name_directory_and_key() {
    let data = data();
    assert_eq!(id("", &data, &["--list"]).prints(), "");
    let of = |name, args: &[&str]| {
        let printed = id(name, &data, args).prints();
        printed.lines().find_map(|line| line.strip_prefix("Key      ")).expect("a key").to_owned()
    };
    let alice = of("Alice", &["--new"]);
    let bob = of("Bob", &["--new", "--profile=At work"]);
    let expected = format!("Alice                  {alice}\nBob (profile at work)  {bob}\n");
    assert_eq!(id("", &data, &["--list"]).prints(), expected);
    // `--name` makes no difference, and neither does a running profile.
    let _alice = started("Alice", &data).start();
    assert_eq!(id("Nobody", &data, &["--list"]).prints(), expected);
    // --profile accepts the listed directories.
    assert_eq!(of("", &["--profile=at work"]), bob);
    refused(id("", &data, &["--list", "--new"]));
}

#[test]
fn damaged_profile_is_listed_too() {
    let data = data();
    id("Alice", &data, &["--new"]).prints();
    id("Bob", &data, &["--new"]).prints();
    id("Carol", &data, &["--new"]).prints();
    let whole = id("", &data, &["--list"]).prints();
    let carol = whole.lines().last().expect("a list").split_once("  ").expect("a key").1.trim_start();
    let path = folder(&data, "alice").join("profile.toml");
    fs::write(&path, "\nname = ").expect("written");
    fs::write(folder(&data, "bob").join("key"), "no key").expect("written");
    let (mut command, _dir) = id("", &data, &["--list"]).command();
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let printed = String::from_utf8(stdout).expect("UTF-8");
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("Bob              damaged: /"), "{printed}");
    assert!(lines[0].contains("/key is not a valid key: "), "{printed}");
    assert_eq!(lines[1], format!("Carol            {carol}"));
    assert!(lines[2].starts_with(&format!("(profile alice)  damaged: {}, line 2: ", path.display())));
    assert_eq!(lines.len(), 3, "{printed}");
    // The status of every command that reads a file with a mistake.
    assert_eq!(status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&stderr), "p2p-chat: 2 of 3 profiles cannot be used.\n");
}

#[test]
fn only_profile_is_used_without_flags() {
    let data = data();
    let printed = id("Alice", &data, &["--new"]).prints();
    assert_eq!(id("", &data, &[]).prints(), printed);
    let (mut history, _dir) = started("", &data).arg("history").command();
    let output = history.output().expect("it runs");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "Alice has no stored messages.\n");
    let alice = started("", &data).arg("--port").arg(0).start();
    alice.has_seen("Alice, listening on ");
}

#[test]
fn several_profiles_have_to_be_chosen_from() {
    let data = data();
    id("Alice", &data, &["--new"]).prints();
    id("Bob", &data, &["--new"]).prints();
    let expected = "p2p-chat: The profiles are: Alice, Bob. Choose one with --name NAME.";
    for command in [None, Some("id"), Some("history")] {
        let errors = refused(command.into_iter().fold(started("", &data), Builder::arg));
        assert_eq!(errors, expected, "{command:?}");
    }
}
