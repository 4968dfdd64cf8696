//! Passes what the listeners receive to the machine.

use std::net::TcpStream;
use std::sync::{Arc, Once};
use std::time::Instant;

use super::ports::StoreQueue;
use super::shared::Shared;
use crate::core::PlainReceived;
use crate::model::address::Source;
#[cfg(debug_assertions)]
use crate::model::message::Decoded;
use crate::model::message::LOG_TARGET;
use crate::net::{Delivery, InboundHandler, Permit};

/// The receiver of everything that the listeners accept.
pub(super) struct Inbox(pub(super) Arc<Shared>);

impl InboundHandler for Inbox {
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Result<Vec<u8>, Delivery> {
        let shared = &self.0;
        let room = match wait_until {
            None => {
                let source = delivery.source.share();
                shared.events.has_room(source) && shared.store_writer.has_room(source)
            }
            Some(deadline) => {
                shared.events.wait_for_room(delivery.source.share(), deadline)
                    && shared.store_writer.wait_for_room(delivery.source.share(), deadline)
            }
        };
        if !room {
            return Err(delivery);
        }
        let Delivery { source, local, decoder } = delivery;
        let cut = decoder.is_cut();
        let decoded = decoder.finish();
        log::debug!("from {source}: {} messages", decoded.len());
        log::debug!(target: LOG_TARGET, "from {source}: {decoded:?}");
        #[cfg(debug_assertions)]
        panic_if_asked(&decoded);
        if source.ip().is_ipv6() && !decoded.is_empty() {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| log::warn!("refused an unencrypted message over IPv6 from {source}"));
        }
        let received = PlainReceived { source, decoded, cut };
        Ok(shared.step(|step| {
            let answer = step.plain_received(received, local);
            step.machine().answer(answer)
        }))
    }

    fn refused(&self, source: Source) {
        self.0.step(|step| step.refused(source));
    }

    fn opens(&self, stream: TcpStream, source: Source, at: Instant, line: Vec<u8>, permit: Permit) {
        self.0.tcp.sessions.accepted(stream, source, at, line, permit);
    }
}

/// Panics if a test asks for it, to show that a panic ends one connection only. Not in release
/// builds.
#[cfg(debug_assertions)]
fn panic_if_asked(decoded: &[Decoded]) {
    use crate::model::message::{Body, Plain};

    let Ok(word) = std::env::var("P2P_CHAT_TEST_PANIC") else {
        return;
    };
    for message in decoded {
        if let Decoded::Message(Plain { body: Body::Text(text), .. }) = message {
            assert!(text.raw() != word, "asked to panic by a test");
        }
    }
}
