//! Whom the listener hands things over to.

use std::net::IpAddr;
use std::time::Instant;

use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::session::{ByeReason, Message};
use crate::protocol::plain::Decoder;
use crate::protocol::session::Hello;

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

    /// Somebody who has proven this key has said hello, from `source` to our IP `local`. The answer is our hello, in which the lines are filled
    /// in, or why it is not talked to.
    ///
    /// # Errors
    /// That reason.
    fn welcome(
        &self,
        _key: PublicKey,
        _hello: &Hello,
        _source: Source,
        _local: IpAddr,
    ) -> Result<Hello, ByeReason> {
        Err(ByeReason::NotAccepted)
    }

    /// Takes texts of who was welcomed, waiting for room until the given time. Returned are those that were taken, which get their receipts
    /// only now; for want of the others the talk is ended with [`ByeReason::NoRoom`].
    fn messages(
        &self,
        _key: PublicKey,
        _source: Source,
        _letters: Vec<Message>,
        _wait_until: Instant,
    ) -> Vec<MessageId> {
        Vec::new()
    }

    /// Who was welcomed has asked whether we are there, and was answered.
    fn heard(&self, _key: PublicKey) {}

    /// A talk with who was welcomed has ended: for the reason that it gave, or [`ByeReason::Idle`] where either side ended it in good order
    /// without one of the other's. `None` where it broke.
    fn ended(&self, _key: PublicKey, _bye: Option<ByeReason>) {}
}
