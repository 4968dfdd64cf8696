//! What the listener hands over, and to what.

use std::net::{IpAddr, TcpStream};
use std::time::Instant;

use super::listener::Permit;
use crate::model::address::Source;
use crate::protocol::plain::Decoder;

/// What one connection carried.
#[derive(Debug)]
pub struct Delivery {
    /// Where it came from.
    pub source: Source,
    /// The IP of ours that it came to.
    pub local: IpAddr,
    /// What came.
    pub decoder: Decoder,
}

/// What is made of a [`Delivery`].
#[derive(Debug)]
pub enum Reply {
    /// It was looked at; this is to be answered.
    Answer(Vec<u8>),
    /// There is no room for it at the moment.
    Full(Delivery),
}

/// Takes deliveries, at any time from several threads at once.
pub trait InboundHandler: Send + Sync + 'static {
    /// Takes one, waiting for room until the given time, or not at all.
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Reply;

    /// Takes note that a message of this source was not taken, and not answered.
    fn refused(&self, source: Source);

    /// Takes a connection that has brought the beginning of the opening line of a session. The
    /// permit is held until both sides have said hello.
    fn opens(&self, stream: TcpStream, source: Source, line: Vec<u8>, permit: Permit);
}
