//! The interface through which the listener passes on what it receives.

use std::net::{IpAddr, TcpStream};
use std::time::Instant;

use super::listener::Permit;
use crate::model::address::Source;
use crate::protocol::plain::Decoder;

/// What one unencrypted connection carried.
#[derive(Debug)]
pub struct Delivery {
    /// The IP address of the sender.
    pub source: Source,
    /// Our IP address on this connection.
    pub local: IpAddr,
    /// The bytes received.
    pub decoder: Decoder,
}

/// The handler's response to a [`Delivery`].
#[derive(Debug)]
pub enum Reply {
    /// It was handled. These bytes go back to the sender.
    Answer(Vec<u8>),
    /// There is no room for it now. The handler returns it.
    Full(Delivery),
}

/// Handles accepted connections. Several threads call it at the same time.
pub(crate) trait InboundHandler: Send + Sync + 'static {
    /// Handles a delivery. If there is no room, waits for it until `wait_until`, or not at all.
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Reply;

    /// Records that a message from this source was dropped without an answer.
    fn refused(&self, source: Source);

    /// Takes over a connection, accepted at `at`, whose first bytes, `line`, are the opening line
    /// of a session. `permit` is held until both sides have sent their hello.
    fn opens(&self, stream: TcpStream, source: Source, at: Instant, line: Vec<u8>, permit: Permit);
}
