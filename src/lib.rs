//! Chat in a terminal between people who can reach each other, with no server in the middle.
//!
//! # The map
//! Two pure rooms, two rims, and one place that ties them:
//!
//! - [`protocol`] turns bytes into messages and back; [`core`] holds the rules: who is known, who is there, what follows
//!   from what. Neither has a clock, a thread, a socket or a terminal.
//! - [`net`] is the rim towards the network: accepting and dialing, with bounded threads. [`ui`] is the rim towards the
//!   person: the menu, the edited line, the words, the screen.
//! - [`runtime`] owns the one lock around the core and carries out its outputs; [`app`] connects
//!   runtime and ui with one loop over one queue, the [`mailbox`].
//! - [`model`] is the vocabulary; [`cli`], [`settings`], [`config`] and [`logging`] are the way in,
//!   [`exit`] the way out; [`data`] and [`profile`] are what is kept, with [`store`], which has what was said; [`manual`] and [`history`] are what is
//!   printed instead of chatting; [`memory`] keeps core dumps and debuggers out.
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
pub mod config;
pub mod core;
pub mod crypto;
pub mod data;
pub mod exit;
mod files;
pub mod history;
pub mod logging;
pub mod mailbox;
pub mod manual;
pub mod memory;
pub mod model;
pub mod net;

pub mod profile;
pub mod protocol;
pub mod runtime;
pub mod settings;
pub mod store;
pub mod ui;
