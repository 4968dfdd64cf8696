//! Replays the corpora of the fuzz targets, on any toolchain and without libFuzzer.

// The harness is public for the fuzz targets.
#[expect(unreachable_pub)]
#[path = "../../fuzz/harness/mod.rs"]
mod harness;

use std::fs;
use std::panic;
use std::path::Path;

use p2p_chat::model::untrusted::harmless;

/// Runs a target with every file of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        let input = fs::read(&path).expect("readable");
        let outcome = panic::catch_unwind(|| run(&input));
        assert!(outcome.is_ok(), "{} fails", path.display());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn decoder_passes_its_corpus() {
    replay("decoder", harness::decoder);
}

#[test]
fn inbound_passes_its_corpus() {
    replay("inbound", harness::inbound);
}

#[test]
fn records_pass_their_corpus() {
    replay("records", harness::records);
}

#[test]
fn sessions_pass_their_corpus() {
    replay("sessions", harness::sessions);
}

#[test]
fn keys_pass_their_corpus() {
    replay("keys", harness::keys);
}

#[test]
fn peers_toml_passes_its_corpus() {
    replay("peers_toml", harness::peers_toml);
}

#[test]
fn config_toml_passes_its_corpus() {
    replay("config_toml", harness::config_toml);
}

#[test]
fn invitation_passes_its_corpus() {
    replay("invitation", harness::invitation);
}

#[test]
fn every_character_is_escaped_to_harmless_text() {
    let harms: Vec<String> = ('\0'..=char::MAX)
        .filter(|c| harmless(&format!("a{c}")).chars().any(|c| harness::harm(c).is_some()))
        .map(|c| format!("U+{:04X}", u32::from(c)))
        .collect();
    assert!(harms.is_empty(), "{harms:?}");
}
