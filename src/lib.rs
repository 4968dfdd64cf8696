//! Chat in a terminal between people who can reach each other, with no server in the middle.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod chat;
pub mod escape;
pub mod mailbox;
pub mod message;
pub mod net;
pub mod node;
pub mod peer;
pub mod wire;
