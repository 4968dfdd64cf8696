//! Receiving who dials us in encryption, and keeping the talks until there is more to say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::guest::{Desk, Guest, guarded};
use super::keeper::{Keeper, Kept};
use super::room::most_kept;
use crate::model::key::PublicKey;
use crate::model::session::ByeReason;
use crate::net::connection::Connection;
use crate::net::inbound::InboundHandler;
use crate::net::listener::HANDLER;
use crate::net::secure::talk::{Accepted, End};
use crate::net::secure::{self, HELLO_WITHIN, Tls};
use crate::net::waiting::Place;

/// A turn that comes right after a silence may be noticed this much later, so that many that fall silent at once wake a thread but once.
const REST: Duration = Duration::from_millis(2);

/// Threads that attend to kept talks: more than may wait for room in the queue of events, so that there are always some for the others.
const MAX_ATTENDING: usize = 96;

/// Talks to who dials us in encryption, in the name of a key.
pub(in crate::net) struct Host {
    tls: Arc<Tls>,
    desk: Arc<Desk>,
    guests: Keeper<Guest>,
}

impl Host {
    pub(in crate::net) fn new(tls: Arc<Tls>, recipient: Arc<dyn InboundHandler>) -> Self {
        Self::with_most(most_kept(), tls, recipient)
    }

    pub(super) fn with_most(most: usize, tls: Arc<Tls>, recipient: Arc<dyn InboundHandler>) -> Self {
        let desk = Arc::new(Desk::new(recipient));
        let attending = Arc::clone(&desk);
        let attend = move |guest, why| attending.attend(guest, why);
        Self { tls, desk, guests: Keeper::new((most, REST), (HANDLER, MAX_ATTENDING), attend) }
    }

    /// Takes a connection that has brought the line, until both have said hello. So long it has to make room for others as whoever is silent.
    pub(in crate::net) fn receive(&self, connection: Connection, place: &Place<'_>) -> Option<Visitor> {
        let Connection { stream, source, local, decoder, .. } = connection;
        let deadline = Instant::now() + HELLO_WITHIN;
        let channel = match secure::accept(&self.tls, stream, decoder.bytes(), deadline) {
            Ok(channel) => channel,
            Err(refused) => {
                log::debug!("no encrypted exchange with {source}: {refused:?}");
                return None;
            }
        };
        place.heard();
        let key = channel.peer();
        let welcome = |key, hello: &_| {
            let answer = || self.desk.recipient.welcome(key, hello, source, local);
            guarded(answer).unwrap_or(Err(ByeReason::NoRoom))
        };
        match Accepted::greet(channel, welcome) {
            Ok((talk, _)) => Some(Visitor(Guest { talk, key, source })),
            Err(end) => {
                log::debug!("{key} at {source} is not talked to: {end:?}");
                None
            }
        }
    }

    /// Talks to who was received, on this thread as long as there is something to say and nobody else is due.
    pub(in crate::net) fn attend(&self, Visitor(guest): Visitor) {
        if let Err(guest) = self.guests.begin(guest) {
            let (key, source) = (guest.key, guest.source);
            guest.part(Some(ByeReason::NoRoom));
            self.desk.ended(key, source, &End::Said(ByeReason::NoRoom));
        }
    }

    /// Ends all idle talks with this key, for this reason.
    pub(in crate::net) fn part(&self, key: &PublicKey, bye: ByeReason) {
        self.guests.part(key, bye);
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> (usize, usize) {
        self.guests.count()
    }

    /// Ends all talks, until `deadline`.
    pub(in crate::net) fn stop(&self, deadline: Instant) {
        self.guests.stop(deadline).into_iter().for_each(|guest| guest.part(Some(ByeReason::Idle)));
    }
}

/// Who has just said hello.
pub(in crate::net) struct Visitor(Guest);
