//! The behaviour of p2p-chat, shown with real processes and real sockets.
//!
//! Every scenario builds its peers with [`support`], on ports that the system chooses, in a directory of its own, and
//! waits for what shall happen with a deadline. The programs of old are played by [`legacy`].

mod configuring;
mod ending;
mod faults;
mod flood;
mod harmless_output;
mod hostile;
mod house;
mod legacy;
mod legacy_selftest;
mod namespaces;
mod receipts;
mod shares;
mod simulator;
mod starting;
mod static_peers;
mod support;
mod talking;
#[cfg(unix)]
mod terminal;
mod vectors;
mod whole;
mod with_legacy;
