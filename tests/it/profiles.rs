//! Profiles: an identity with a name, a last port and typed lines that survive a restart.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::support::{Builder, Peer};

#[cfg(unix)]
mod choosing;
mod listed;
mod named;
mod port;
#[cfg(unix)]
mod typed;

/// Returns a peer with the data directory `data`, and without a name and a port if `name` is empty.
fn started(name: &str, data: &TempDir) -> Builder {
    let builder = Peer::named(name).data_dir(data.path());
    if name.is_empty() { builder.without_port() } else { builder }
}

fn data() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

/// Starts a peer, enters these lines, and returns its output until it ends.
fn run(peer: Builder, lines: &[&str]) -> Vec<String> {
    let mut peer = peer.start();
    peer.types(lines);
    peer.leaves();
    peer.printed()
}

/// Returns the public key in the key file of a profile.
fn key(data: &TempDir, profile: &str) -> String {
    let text = fs::read_to_string(folder(data, profile).join("key")).expect("a key");
    text.lines().find_map(|line| line.strip_prefix("public ")).expect("a public key").to_owned()
}

fn folder(data: &TempDir, profile: &str) -> std::path::PathBuf {
    data.path().join("profiles").join(profile)
}

/// Returns the directory names of the profiles.
fn directories(data: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(data.path().join("profiles")).expect("readable");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

/// Returns the contents of a profile's profile.toml.
fn profile_toml(data: &TempDir, profile: &str) -> toml::Table {
    let path = folder(data, profile).join("profile.toml");
    fs::read_to_string(path).expect("a profile.toml").parse().expect("TOML")
}

/// Creates a profile like those of earlier versions, with a key and no profile.toml.
fn made_by_an_earlier_version(data: &TempDir, name: &str) {
    run(started(name, data), &[]);
    let directory = name.to_lowercase();
    fs::remove_file(folder(data, &directory).join("profile.toml")).expect("removed");
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}
