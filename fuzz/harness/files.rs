//! The files that the user writes: peers.toml, aliases.toml, config.toml.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Arg;
use clap::builder::Resettable;

use super::printed::is_harmless;
use p2p_chat::config::peers::peers_of;
use p2p_chat::config::{ConfigError, text_of};
use p2p_chat::core::{MAX_HINTS, MAX_STATIC_PEERS};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::{cli, data, settings};

/// Characters that a mistake may be told in: a few lines on a terminal, whatever the file holds.
const MAX_TOLD: usize = 600;

/// The first byte of an input that is a list of nicknames. Others begin a list of peers.
const ALIASES: u8 = b'=';

/// Reads the input as peers.toml, or as aliases.toml.
///
/// # Panics
/// Where what is accepted cannot be dialed or is too much, or what is refused is not told in a clear sentence.
pub fn peers_toml(input: &[u8]) {
    match input.split_first() {
        Some((&ALIASES, rest)) => aliases(rest),
        _ => peers(input),
    }
}

fn peers(bytes: &[u8]) {
    let path = Path::new("peers.toml");
    match text_of(path, bytes.to_vec()).and_then(|text| peers_of(path, &text)) {
        Err(error) => is_clear(&error, bytes),
        Ok(peers) => {
            assert!(peers.len() <= MAX_STATIC_PEERS);
            let addrs = || peers.iter().flat_map(|peer| peer.also.iter().chain([&peer.addr]));
            assert_eq!(addrs().collect::<BTreeSet<_>>().len(), addrs().count(), "an address is listed twice");
            addrs().for_each(|addr| can_be_dialed(*addr));
            let keys = || peers.iter().filter_map(|peer| peer.key);
            assert_eq!(keys().collect::<BTreeSet<_>>().len(), keys().count(), "a key is listed twice");
            for peer in &peers {
                assert!(peer.also.len() <= MAX_HINTS && (peer.also.is_empty() || peer.key.is_some()));
                peer.name.iter().for_each(|name| is_harmless(name.as_str()));
            }
        }
    }
}

fn aliases(bytes: &[u8]) {
    let path = Path::new("aliases.toml");
    match text_of(path, bytes.to_vec()).and_then(|text| data::aliases_of(path, &text)) {
        Err(error) => is_clear(&error, bytes),
        Ok(all) => {
            for (id, name) in &all {
                id.addr().into_iter().for_each(can_be_dialed);
                is_harmless(name.as_str());
            }
            let again = data::aliases_of(path, &data::text_of(&all));
            assert!(again.is_ok_and(|again| again == all), "what we write is not what we read");
        }
    }
}

/// Reads the input as config.toml.
///
/// # Panics
/// Where what is refused is not told in a clear sentence, or a value stands in no line.
pub fn config_toml(input: &[u8]) {
    let path = Path::new("config.toml");
    let command = cli::command();
    match text_of(path, input.to_vec()).and_then(|text| settings::entries_of(path, &text, &command)) {
        Err(error) => is_clear(&error, input),
        Ok(entries) => {
            for entry in entries.values() {
                assert!((1..=lines(input)).contains(&entry.line));
            }
            // Whatever variables whoever runs this has.
            let default = |arg: Arg| match entries.get(arg.get_id().as_str()) {
                Some(entry) => {
                    arg.default_values(entry.values.iter().map(String::from)).env(Resettable::Reset)
                }
                None => arg.env(Resettable::Reset),
            };
            let values = command.mut_args(default).try_get_matches_from(["p2p-chat"]);
            assert!(values.is_ok(), "what the file may say stops the program: {:?}", values.err());
        }
    }
}

fn can_be_dialed(addr: PeerAddr) {
    assert_eq!(PeerAddr::of(addr.socket()), Some(addr));
    assert_eq!(addr.to_string().parse().as_ref(), Ok(&addr));
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Asserts that an error is told in whole sentences on one line, and names a line that there is.
fn is_clear(error: &ConfigError, bytes: &[u8]) {
    let told = error.to_string();
    is_harmless(&told);
    assert!(told.ends_with(['.', '?']), "no sentence: {told}");
    let length = told.chars().count();
    assert!(length <= MAX_TOLD, "{length} characters: {told}");
    let ConfigError::Mistake { line, .. } = error else { panic!("no mistake: {told}") };
    assert!((1..=lines(bytes)).contains(line), "there is no line {line}");
}
