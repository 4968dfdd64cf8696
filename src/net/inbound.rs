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

/// Handles accepted connections. Several threads call it at the same time.
pub(crate) trait InboundHandler: Send + Sync + 'static {
    /// Handles a delivery. If there is no room, waits for it until `wait_until`, or not at all.
    /// Returns the bytes that go back to the sender.
    ///
    /// # Errors
    /// The delivery, if there is no room for it.
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Result<Vec<u8>, Delivery>;

    /// Records that a message from this source was dropped without an answer.
    fn refused(&self, source: Source);

    /// Takes over a connection, accepted at `at`, whose first bytes, `line`, are the opening line
    /// of a session. `permit` is held until both sides have sent their hello.
    fn opens(&self, stream: TcpStream, source: Source, at: Instant, line: Vec<u8>, permit: Permit);
}
