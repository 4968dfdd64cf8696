//! The vocabulary that every layer shares. Pure: no clock, thread, socket, file or terminal.

pub mod address;
pub mod delivery;
pub(crate) mod fair_share;
pub mod host;
pub mod invitation;
pub mod key;
pub mod message;
pub mod name;
pub mod peer_id;
pub mod session;
pub mod stored;
pub mod untrusted;
