#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| p2p_chat::fuzzing::records(input));
