//! What a profile keeps on disk besides its key and the messages.

pub mod contacts;
