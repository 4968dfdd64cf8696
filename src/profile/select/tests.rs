use tempfile::TempDir;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Creates the directory of a profile. `text` is that of its profile.toml.
fn made(folder: &Path, profile: &str, text: Option<&str>) {
    let folder = folder.join(profile);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(KEY_FILE), "").unwrap();
    if let Some(text) = text {
        fs::write(folder.join(file::PROFILE_FILE), text).unwrap();
    }
}

fn directory(named: Named) -> Option<String> {
    match named {
        Named::Known(found) => Some(found.profile.directory().to_owned()),
        Named::Unknown(_) => None,
    }
}

#[test]
fn history_file_is_that_of_the_store() {
    assert_eq!(HISTORY_FILE, crate::store::HISTORY_FILE);
}

#[test]
fn profile_without_file_is_called_after_its_directory() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", None);
    made(dir.path(), "at%20work", None);
    fs::create_dir(dir.path().join("no-profile")).unwrap();
    let profiles = Profiles::in_folder(dir.path()).unwrap();
    let labels: Vec<String> = profiles.all().iter().map(StoredProfile::label).collect();
    assert_eq!(labels, ["alice", "at_work (profile at work)"]);
    assert_eq!(
        directory(profiles.named(&name("ALICE"), &NameSource::Flag).unwrap()).as_deref(),
        Some("alice")
    );
}

#[test]
fn refused_former_name_names_its_source() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", Some("name = \"Zoe\""));
    let profiles = Profiles::in_folder(dir.path()).unwrap();
    for (source, words) in [
        (NameSource::Flag, "Use --name Zoe, or"),
        (NameSource::Variable, "Set P2P_CHAT_NAME to Zoe, or use"),
        (NameSource::File("config.toml".into()), "Change `name` in config.toml to Zoe, or use"),
    ] {
        let sentence = profiles.named(&name("Alice"), &source).unwrap_err().to_string();
        assert_eq!(sentence, format!("Alice is now Zoe. {words} --profile NEW for another identity."));
    }
}

#[test]
fn current_name_wins_over_a_former_one() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", Some("name = \"Zoe\"\nformer_names = [\"Alice\", \"Ann\"]"));
    let named = |wanted| Profiles::in_folder(dir.path()).unwrap().named(&name(wanted), &NameSource::Flag);
    for former in ["Alice", "ann"] {
        assert_eq!(
            named(former).unwrap_err().to_string(),
            format!("{former} is now Zoe. Use --name Zoe, or --profile NEW for another identity.")
        );
    }
    made(dir.path(), "other", Some("name = \"Ann\""));
    assert_eq!(directory(named("ann").unwrap()).as_deref(), Some("other"));
}

#[test]
fn directory_counts_as_a_former_name() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", Some("name = \"Zoe\""));
    let profiles = Profiles::in_folder(dir.path()).unwrap();
    assert!(profiles.named(&name("Alice"), &NameSource::Flag).is_err());
    assert!(profiles.named(&name("\u{ff21}LICE"), &NameSource::Flag).is_err());
}

#[test]
fn similar_name_is_suggested() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", Some("name = \"Alice\""));
    let profiles = Profiles::in_folder(dir.path()).unwrap();
    assert_eq!(
        profiles.named(&name("Alcie"), &NameSource::Flag).unwrap(),
        Named::Unknown(Some(name("Alice")))
    );
    assert_eq!(profiles.named(&name("Bob"), &NameSource::Flag).unwrap(), Named::Unknown(None));
}

#[test]
fn name_of_several_profiles_is_ambiguous() {
    let dir = TempDir::new().unwrap();
    for (profile, called) in [("work", "Alice"), ("home", "ALICE"), ("alice", "\u{ff21}lice")] {
        made(dir.path(), profile, Some(&format!("name = \"{called}\"")));
    }
    let sentence = Profiles::in_folder(dir.path())
        .unwrap()
        .named(&name("Alice"), &NameSource::Flag)
        .unwrap_err()
        .to_string();
    assert_eq!(
        sentence,
        "Several profiles are called Alice: alice, home, work. Choose one with --profile PROFILE."
    );
}

#[test]
fn damaged_profile_prevents_a_new_one() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", Some("name = "));
    made(dir.path(), "bob", None);
    let profiles = Profiles::in_folder(dir.path()).unwrap();
    assert_eq!(directory(profiles.named(&name("Bob"), &NameSource::Flag).unwrap()).as_deref(), Some("bob"));
    // It may be the name of the damaged one.
    let sentence = profiles.named(&name("Zoe"), &NameSource::Flag).unwrap_err().to_string();
    assert!(sentence.contains("profile.toml, line 1:"), "{sentence}");
    assert!(profiles.at(&Profile::in_directory("alice"), Some(&name("Alice"))).is_err());
    assert!(profiles.only().unwrap().is_none());
    assert!(profiles.several().to_string().contains("bob, profile alice (damaged)"));
}

#[test]
fn profile_whose_directory_gives_no_name_needs_one() {
    let dir = TempDir::new().unwrap();
    let profile: Profile = "x".repeat(101).parse().unwrap();
    made(dir.path(), profile.directory(), None);
    let profiles = Profiles::in_folder(dir.path()).unwrap();
    assert!(profiles.only().is_err() && profiles.at(&profile, None).is_err());
    let found = profiles.at(&profile, Some(&name("Bob"))).unwrap();
    assert_eq!(found.map(|found| found.name), Some(name("Bob")));
}

#[test]
fn rename_refuses_only_the_name_of_another_profile() {
    let dir = TempDir::new().unwrap();
    made(dir.path(), "alice", Some("name = \"Alice\""));
    made(dir.path(), "bob", Some("name = \"Bob\"\nformer_names = [\"Rob\"]"));
    let alice = dir.path().join("alice");
    assert!(matches!(rename(&alice, &name("BOB")), Err(ProfileError::Taken(_))));
    for free in ["ALICE", "Rob", "Alice"] {
        rename(&alice, &name(free)).unwrap();
    }
    // The user gave another profile the same name by hand. Each can keep it.
    made(dir.path(), "carol", Some("name = \"Alice\""));
    rename(&alice, &name("alice")).unwrap();
    rename(&alice, &name("Alice")).unwrap();
    assert_eq!(file::read(&alice).unwrap().name, Some(name("Alice")));
}

#[test]
fn long_list_is_cut() {
    let labels = (0..MAX_LISTED + 2).map(|number| number.to_string());
    assert!(listed(labels).ends_with(", 19 and 2 more"));
}
