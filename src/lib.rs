//! Chat in the terminal without a server.
//!
//! # The map
//! Two I/O-free modules, two I/O layers, and a runtime that connects them:
//!
//! - [`protocol`] turns bytes into messages and back. [`core`] holds the rules: which peers are
//!   known and online, and what follows from an event. Neither has a clock, a thread, a socket or a
//!   terminal.
//! - [`net`] is the I/O layer of the network: it accepts and dials, with bounded threads. [`tui`]
//!   is the I/O layer of the terminal: the menu, the line editor, the screen, and the loop of the
//!   main thread over one queue, the [`mailbox`].
//! - [`runtime`] owns the one lock around the core and carries out its outputs.
//! - [`model`] is the vocabulary. [`cli`] reads the command line and runs its subcommands,
//!   [`settings`] are what it reads, and [`exit`] has the exit statuses. [`profile`] and [`store`]
//!   are what is stored. `interfaces` has the addresses of this machine. [`memory`] prevents core
//!   dumps and keeps debuggers out.
//!
//! # In scope
//! - The unencrypted network of five legacy programs, on IPv4.
//! - Between p2p-chat peers, over IPv4 or IPv6: proven keys, encryption, and messages that are
//!   delivered once, whenever both programs run at the same time before the message expires.
//! - A history of messages on disk.
//!
//! # Out of scope
//! - Encryption and proven identities on the unencrypted network, which has neither.
//! - Hiding who talks to whom.
//! - Encrypting the history on the user's own disk.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod core;
pub mod crypto;
pub mod exit;
mod files;
mod interfaces;
mod logging;
pub mod mailbox;
pub mod memory;
pub mod model;
pub mod net;

pub mod profile;
pub mod protocol;
pub mod runtime;
pub mod settings;
pub mod store;
pub mod tui;
