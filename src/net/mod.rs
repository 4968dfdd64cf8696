//! Sockets and the threads that block on them.
//!
//! In scope: accepting, reading one connection within its bounds, dialling, writing one message and learning its fate;
//! beside that, not used yet, the encrypted exchange ([`secure`]).
//! Out of scope: what a message means. Both halves report through a callback and know nothing of the chat.

mod connection;
mod dial;
mod dialler;
mod held;
mod listener;
mod order;
mod places;
pub mod secure;
mod turns;
mod waiting;

pub use dial::{CONNECT_TIMEOUT, EOF_TIMEOUT, Identity, PROBE_TIMEOUT};
pub(crate) use dialler::DIALLER;
pub use dialler::{Dialler, Errand, MAX_DIALLERS, MAX_ERRANDS, Report};
pub(crate) use listener::HANDLER;
pub use listener::{Delivery, Listener, MAX_HANDLERS, Recipient, Reply};
pub use places::{Bound, bind, is_local, parse_addr};
pub use waiting::{MAX_WAITING, MAX_WAITING_PER_SOURCE};

/// The stack of a thread that only moves a few kilobytes between a socket and the heap.
const STACK_BYTES: usize = 256 * 1024;
