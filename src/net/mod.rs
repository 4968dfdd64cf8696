//! Sockets and the threads that block on them.
//!
//! In scope: accepting, reading one connection within its bounds, dialing, writing one message and
//! learning its result; TLS ([`secure`]), and the sessions between p2p-chat peers ([`sessions`]).
//! Out of scope: what a message means. All of them report through a callback.

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
pub use dial::{CONNECT_TIMEOUT, EOF_TIMEOUT, Identity, PROBE_TIMEOUT};
pub(crate) use dialer::DIALER;
pub use dialer::{Dialer, MAX_DIALERS, MAX_SEND_JOBS};
pub(crate) use discovery::MDNS;
pub use discovery::{Discovery, DiscoveryConfig, DiscoveryHandler, Listening, visible_networks};
pub use inbound::{Delivery, InboundHandler, Reply};
pub(crate) use listener::WORKER;
pub use listener::{Listener, MAX_WORKERS, Permit};
pub use resolver::{MAX_RESOLVERS, Resolver};
pub use send_job::{Report, SendJob};
pub use transport::{Tcp, Transport};

/// The stack of a thread that only moves a few kilobytes between a socket and the heap.
const STACK_BYTES: usize = 256 * 1024;
