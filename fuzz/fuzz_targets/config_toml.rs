#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| harness::config_toml(input));
