//! Contacts: which peers become contacts, what contacts.toml stores, and what the next run does
//! with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use crate::support::{self, Builder, Peer, SOON, assert_harmless, grouped};

mod becoming;
mod configured;
mod editing;
mod forgetting;
mod listed;
mod moving;
mod restarting;
mod seen;

fn data() -> TempDir {
    TempDir::new().expect("a temporary directory")
}

/// A peer with the data directory `data`.
fn started(name: &str, data: &TempDir) -> Builder {
    Peer::named(name).data_dir(data.path())
}

/// The path of the contacts.toml of a profile.
fn file(data: &Path, profile: &str) -> PathBuf {
    data.join("profiles").join(profile).join("contacts.toml")
}

/// The text of the contacts.toml of a profile; empty if there is none.
fn toml(data: &TempDir, profile: &str) -> String {
    fs::read_to_string(file(data.path(), profile)).unwrap_or_default()
}

/// Replaces the file as an editor does: with a complete new file.
fn edits(data: &TempDir, profile: &str, text: &str) {
    let path = file(data.path(), profile);
    let draft = path.with_extension("draft");
    fs::write(&draft, text).expect("written");
    fs::rename(&draft, &path).expect("renamed");
}

/// Creates a profile with this contacts.toml.
fn profile(name: &str, data: &TempDir, text: &str) {
    asked(started(name, data).arg("id").arg("--new")).well();
    fs::write(file(data.path(), &name.to_lowercase()), text).expect("written");
}

/// Alice and Bob, who is her contact and is online.
fn together(data: &TempDir) -> (Peer, Peer) {
    let mut bob = Peer::named("Bob").start();
    let mut alice = started("Alice", data).start();
    alice.types(&[&format!("@{} hello", bob.addr())]);
    bob.sees(": hello");
    alice.sees("Delivered to Bob");
    until("Bob is saved", || toml(data, "alice").contains(&bob.key()));
    (alice, bob)
}

/// Waits until a condition is true.
fn until(what: &str, is_so: impl FnMut() -> bool) {
    support::until(SOON, what, is_so);
}

/// The lines of `/contacts`.
fn lists(peer: &mut Peer) -> Vec<String> {
    const END: &str = "/policy accept-new, ask or strict changes it.";
    let before = peer.printed().len();
    peer.types(&["/contacts", "/policy"]);
    peer.sees(END);
    let lines = peer.printed().into_iter().skip(before);
    lines.filter(|line| line.contains(", key ") || line.ends_with(", unencrypted")).collect()
}

/// Waits until a line of `/contacts` contains all these words, and returns it.
fn lists_one(peer: &mut Peer, words: &[&str]) -> String {
    let is_it = |line: &String| words.iter().all(|word| line.contains(word));
    let mut found = None;
    until(&format!("{words:?} is in /contacts"), || {
        found = lists(peer).into_iter().find(is_it);
        found.is_some()
    });
    found.expect("it was found")
}

/// The output of a subcommand.
struct Answer {
    printed: String,
    errors: String,
    status: Option<i32>,
}

impl Answer {
    /// Returns standard output, after success without notes.
    fn well(self) -> String {
        assert_eq!((&*self.errors, self.status), ("", Some(0)));
        self.printed
    }

    /// Returns the notes, after success without output.
    fn remark(self) -> String {
        assert_eq!((&*self.printed, self.status), ("", Some(0)), "{}", self.errors);
        self.errors
    }
}

fn asked(builder: Builder) -> Answer {
    let (mut command, _dir) = builder.without_port().command();
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let printed = String::from_utf8(stdout).expect("UTF-8");
    let errors = String::from_utf8(stderr).expect("UTF-8");
    assert_harmless(printed.lines().chain(errors.lines()));
    Answer { printed, errors, status: status.code() }
}

/// The lines of `p2p-chat contacts`.
fn contacts(name: &str, data: &TempDir) -> Vec<String> {
    asked(started(name, data).arg("contacts")).well().lines().map(str::to_owned).collect()
}

/// An entry for a key, with further lines.
fn entry(key: &str, more: &str) -> String {
    format!("[[contact]]\nkey = \"{key}\"\n{more}")
}
