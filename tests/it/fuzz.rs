//! The corpus, replayed on any toolchain.

#[path = "../../fuzz/harness/mod.rs"]
// The fuzz targets need them public.
#[allow(unreachable_pub)]
mod harness;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Runs a target with every file of its corpus.
fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut count = 0;
    for file in files {
        let path = file.expect("a file").path();
        let input = std::fs::read(&path).expect("readable");
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&input)));
        assert!(outcome.is_ok(), "{} does not hold any more", path.display());
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn what_the_fuzzer_found_for_the_decoder_holds() {
    replay("decoder", harness::decoder);
}

#[test]
fn what_the_fuzzer_found_for_the_whole_inbound_connection_holds() {
    replay("inbound", harness::inbound);
}

#[test]
fn what_the_fuzzer_found_for_what_is_said_in_encryption_holds() {
    replay("records", harness::records);
}

#[test]
fn what_the_fuzzer_found_for_the_typed_line_holds() {
    replay("keys", harness::keys);
}

#[test]
fn what_the_fuzzer_found_for_the_lists_of_peers_and_nicknames_holds() {
    replay("peers_toml", harness::peers_toml);
}

#[test]
fn what_the_fuzzer_found_for_the_settings_holds() {
    replay("config_toml", harness::config_toml);
}
