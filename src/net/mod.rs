//! Sockets and the threads that block on them.
//!
//! In scope: accepting connections, reading one within its bounds, dialing, writing one message and
//! learning its result, TLS ([`secure`]), and the sessions between p2p-chat peers ([`sessions`]).
//! All of these report through a callback. Out of scope: what a message means.

mod bind;
mod connection;
mod dial;
mod dialer;
mod discovery;
mod inbound;
mod listener;
mod resolver;
pub mod secure;
mod send_job;
pub mod sessions;
mod transport;

pub use bind::{Bound, bind, is_local};
pub use dial::{CONNECT_TIMEOUT, DialSource, EOF_TIMEOUT, PROBE_TIMEOUT};
pub(crate) use dialer::DIALER;
pub use dialer::{Dialer, MAX_DIALERS, MAX_SEND_JOBS};
pub(crate) use discovery::MDNS;
pub use discovery::{Discovery, DiscoveryConfig, DiscoveryHandler, Listening};
pub use inbound::Delivery;
pub(crate) use inbound::InboundHandler;
pub(crate) use listener::WORKER;
pub(crate) use listener::{Listener, Permit};
pub(crate) use resolver::Resolver;
pub(crate) use send_job::SendJob;
pub(crate) use transport::Tcp;
pub use transport::Transport;

/// The stack size of a thread that only moves a few kilobytes between a socket and the heap.
const STACK_BYTES: usize = 256 * 1024;
