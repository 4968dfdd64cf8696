//! Chat in the terminal without a server.
//!
//! # The map
//! Two I/O-free modules, two I/O layers, and a runtime that connects them:
//!
//! - [`protocol`] turns bytes into messages and back. [`core`] holds the rules: which peers are
//!   known and online, and what follows from an event. Neither has a clock, a thread, a socket or a
//!   terminal.
//! - [`net`] is the I/O layer of the network: accepting and dialing, with bounded threads. [`ui`] is
//!   that of the terminal: the menu, the edited line, the words, the screen.
//! - [`runtime`] owns the one lock around the core and carries out its outputs. [`app`] connects
//!   runtime and ui with one loop over one queue, the [`mailbox`].
//! - [`model`] is the vocabulary. [`cli`] reads the command line and runs its subcommands,
//!   [`settings`] are what it reads, and [`exit`] has the exit statuses. [`profile`] and [`store`]
//!   are what is stored. [`memory`] keeps core dumps and debuggers out.
//!
//! # In scope
//! The plain network that five legacy programs speak, without a server, on IPv4; and between p2p-chat peers, over IPv4 or IPv6, proven keys, secrecy
//! and delivery that is certain whenever both programs run at the same time, within the days that a text waits; a history of what was said.
//!
//! # Out of scope
//! The same for the plain network, which has none of them; hiding who talks to whom; secrecy of the history on one's own disk.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod app;
pub mod cli;
pub mod core;
pub mod crypto;
pub mod exit;
mod files;
pub mod logging;
pub mod mailbox;
pub mod memory;
pub mod model;
pub mod net;

pub mod profile;
pub mod protocol;
pub mod runtime;
pub mod settings;
pub mod store;
pub mod ui;
