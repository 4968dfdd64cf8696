use std::ffi::OsStr;
use std::fs;
use std::thread;

use clap::Parser;
use tempfile::TempDir;

use super::*;
use crate::cli::Cli;
use crate::settings::NameSource;

fn settings(data: &Path) -> Settings {
    let args = ["p2p-chat", "--data-dir"].map(OsStr::new).into_iter().chain([data.as_os_str()]);
    Cli::parse_from(args).into_settings(NameSource::Flag)
}

fn profile(name: &str) -> Profile {
    name.parse().unwrap()
}

fn created(settings: &Settings, name: &str) -> PublicKey {
    create(settings, &profile(name), &name.parse().unwrap()).unwrap()
}

#[test]
fn each_profile_has_its_own_key() {
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path());
    let alice = Identity::open(&settings, &profile("Alice")).unwrap();
    let bob = Identity::open(&settings, &profile("Bob")).unwrap();
    assert_ne!(alice.key(), bob.key());
    assert_eq!(key_of(&settings, &profile("ALICE")).unwrap(), alice.key(), "also while she is running");
    let (key, seed) = (alice.key(), alice.seed().clone());
    drop(alice);
    let again = Identity::open(&settings, &profile("alice")).unwrap();
    assert_eq!((again.key(), again.seed()), (key, &seed));
}

#[test]
fn created_key_is_used_by_the_next_start() {
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path());
    let key = created(&settings, "Alice");
    let identity = Identity::open(&settings, &profile("Alice")).unwrap();
    assert_eq!((identity.key(), identity.is_new()), (key, false));
    assert!(Identity::open(&settings, &profile("Bob")).unwrap().is_new());
}

#[test]
fn asking_for_a_key_creates_none() {
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path());
    assert!(matches!(key_of(&settings, &profile("Alice")), Err(ProfileError::Io(..))));
    created(&settings, "Alice");
    let folder = dir.path().join("profiles").join("alice");
    fs::remove_file(folder.join("key")).unwrap();
    assert!(matches!(key_of(&settings, &profile("Alice")), Err(ProfileError::NoKey(..))));
    assert!(!folder.join("key").exists());
}

#[test]
fn concurrent_first_starts_agree_on_one_key() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("key");
    let keys: Vec<PublicKey> = thread::scope(|scope| {
        let makers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| read_or_make(&path, false).unwrap().0.public)).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn second_process_is_refused_with_name_and_port() {
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path());
    let _alice = Identity::open(&settings, &profile("Alice")).unwrap();
    // A lock belongs to the open file, so a second one in the same process is refused too.
    let refused = || Identity::open(&settings, &profile("alice")).unwrap_err().to_string();
    let help = "Use --name NAME to start another profile.";
    assert_eq!(refused(), format!("alice is already running. {help}"));
    let folder = dir.path().join("profiles").join("alice");
    save_name(&folder, &"Zoe".parse().unwrap()).unwrap();
    save_port(&folder, ListeningPort::Own(5000), None).unwrap();
    assert_eq!(refused(), format!("Zoe is already running (port 5000). {help}"));
}

#[test]
fn unusable_data_directory_is_reported() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let sentence = Identity::open(&settings(&file), &profile("Alice")).unwrap_err().to_string();
    assert!(sentence.starts_with("Cannot use ") && sentence.ends_with('.'), "{sentence}");
}

#[test]
#[cfg(unix)]
fn key_that_others_can_access_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let dir = TempDir::new().unwrap();
    let data = dir.path().join("it's here");
    let settings = settings(&data);
    let key = created(&settings, "Alice");
    let folder = data.join("profiles").join("alice");
    let file = folder.join("key");
    for (path, good) in [(&folder, 0o700), (&file, 0o600)] {
        for bits in [0o040, 0o020, 0o010, 0o004, 0o002, 0o001] {
            fs::set_permissions(path, fs::Permissions::from_mode(good | bits)).unwrap();
            for error in [
                key_of(&settings, &profile("Alice")).unwrap_err(),
                Identity::open(&settings, &profile("Alice")).unwrap_err(),
            ] {
                let shell = format!("'{}'", path.display().to_string().replace("it's", r"it'\''s"));
                assert!(
                    error.to_string().ends_with(&format!("; `chmod {good:o} {shell}` fixes that.")),
                    "{error}"
                );
            }
        }
        fs::set_permissions(path, fs::Permissions::from_mode(good)).unwrap();
    }
    assert_eq!(key_of(&settings, &profile("Alice")).unwrap(), key);
}

#[test]
fn damaged_key_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path());
    created(&settings, "Alice");
    let path = dir.path().join("profiles").join("alice").join("key");
    let whole = fs::read(&path).unwrap();
    for damaged in [&b""[..], b"p2p-chat key 1\n", &whole[1..], b"\xff\xfe"] {
        fs::write(&path, damaged).unwrap();
        let error = Identity::open(&settings, &profile("Alice")).unwrap_err();
        assert!(matches!(error, ProfileError::Damaged(..)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), damaged);
    }
}

#[test]
#[cfg(unix)]
fn dangling_link_to_a_key_is_reported() {
    let dir = TempDir::new().unwrap();
    let settings = settings(dir.path());
    created(&settings, "Alice");
    let path = dir.path().join("profiles").join("alice").join("key");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(dir.path().join("missing"), &path).unwrap();
    assert!(matches!(Identity::open(&settings, &profile("Alice")), Err(ProfileError::Io(..))));
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
}
