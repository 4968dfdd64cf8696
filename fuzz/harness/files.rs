//! The targets `peers_toml` and `config_toml`: the files that the user writes.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Arg;
use clap::builder::Resettable;
use p2p_chat::cli;
use p2p_chat::cli::sources;
use p2p_chat::core::{MAX_HINTS, MAX_STATIC_PEERS, StaticPeer};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::host::Endpoint;
use p2p_chat::settings::ConfigError;
use p2p_chat::settings::file::text_of;
use p2p_chat::settings::peers::peers_of;

use super::printed::assert_harmless;

/// Characters of an error: a few lines on a terminal, whatever the file holds.
const MAX_ERROR_CHARS: usize = 600;

/// Reads the input as peers.toml.
///
/// # Panics
/// If an accepted file breaks a limit or lists an address that cannot be dialed, or the error of a
/// refused file is not a clear sentence.
pub fn peers_toml(input: &[u8]) {
    let path = Path::new("peers.toml");
    let peers = match text_of(path, input.to_vec()).and_then(|text| peers_of(path, &text)) {
        Ok(peers) => peers,
        Err(error) => return assert_clear(&error, input),
    };
    assert!(peers.len() <= MAX_STATIC_PEERS);
    let addrs = || peers.iter().flat_map(StaticPeer::endpoints);
    assert_eq!(addrs().collect::<BTreeSet<_>>().len(), addrs().count(), "an address is listed twice");
    addrs().filter_map(Endpoint::addr).for_each(assert_dialable);
    let keys = || peers.iter().filter_map(|peer| peer.key);
    assert_eq!(keys().collect::<BTreeSet<_>>().len(), keys().count(), "a key is listed twice");
    for peer in &peers {
        assert!(peer.also.len() <= MAX_HINTS && (peer.also.is_empty() || peer.key.is_some()));
        peer.name.iter().for_each(|name| assert_harmless(name.as_str()));
    }
}

/// Reads the input as config.toml.
///
/// # Panics
/// If the error of a refused file is not a clear sentence, an entry has a line that the file does
/// not have, or an accepted entry stops the program.
pub fn config_toml(input: &[u8]) {
    let path = Path::new("config.toml");
    let command = cli::command();
    let entries = text_of(path, input.to_vec()).and_then(|text| sources::entries_of(path, &text, &command));
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => return assert_clear(&error, input),
    };
    for entry in entries.values() {
        assert!((1..=lines(input)).contains(&entry.line));
    }
    // The environment of the fuzzer must not play a part.
    let with_defaults = |arg: Arg| match entries.get(arg.get_id().as_str()) {
        Some(entry) => arg.default_values(entry.values.iter().map(String::from)).env(Resettable::Reset),
        None => arg.env(Resettable::Reset),
    };
    let matches = command.mut_args(with_defaults).try_get_matches_from(["p2p-chat"]);
    assert!(matches.is_ok(), "an accepted entry stops the program: {:?}", matches.err());
}

fn assert_dialable(addr: PeerAddr) {
    assert_eq!(PeerAddr::of(addr.socket()), Some(addr));
    assert_eq!(addr.to_string().parse().as_ref(), Ok(&addr));
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Asserts that an error is a mistake in an existing line, told in one short line of whole
/// sentences.
fn assert_clear(error: &ConfigError, bytes: &[u8]) {
    let message = error.to_string();
    assert_harmless(&message);
    assert!(message.ends_with(['.', '?']), "not a sentence: {message}");
    let chars = message.chars().count();
    assert!(chars <= MAX_ERROR_CHARS, "{chars} characters: {message}");
    let ConfigError::Mistake { line, .. } = error else { panic!("not a mistake in the file: {message}") };
    assert!((1..=lines(bytes)).contains(line), "the file has no line {line}");
}
