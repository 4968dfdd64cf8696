//! The whole program when things go wrong around it: killed, stopped, out of descriptors, without its log, its clock or
//! its terminal; and for so long that whatever it does not give back would show.
//!
//! The long forms are ignored unless asked for: `cargo test --release --test it -- --ignored whole`.

#[cfg(unix)]
mod closed;
mod descriptors;
mod killed;
mod log;
mod stopped;
