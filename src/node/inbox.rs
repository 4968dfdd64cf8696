//! Passes what the listeners receive to the core.

use std::net::IpAddr;
use std::sync::{Arc, Once};
use std::time::Instant;

use super::shared::{Shared, moment};
use crate::core::{PlainAnswer, PlainReceived, SessionUp};
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::message::{Decoded, MessageId};
use crate::model::session::{ByeReason, Message};
use crate::net::{self, Delivery, InboundHandler, Reply};
use crate::protocol::plain;
use crate::protocol::session::Hello;

/// The receiver of everything that the listeners accept.
pub(super) struct Inbox(pub(super) Arc<Shared>);

impl InboundHandler for Inbox {
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Reply {
        let shared = &self.0;
        let room = match wait_until {
            None => shared.events.has_room(delivery.source.share()) && shared.store_writer.has_room(),
            Some(deadline) => {
                shared.events.wait_for_room(delivery.source.share(), deadline)
                    && shared.store_writer.wait_for_room(deadline)
            }
        };
        if !room {
            return Reply::Full(delivery);
        }
        let Delivery { source, local, decoder } = delivery;
        let cut = decoder.is_cut();
        let decoded = decoder.finish();
        log::debug!("from {source}: {decoded:?}");
        #[cfg(debug_assertions)]
        panic_if_asked(&decoded);
        if source.ip().is_ipv6() && !decoded.is_empty() {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| log::warn!("refused an unencrypted message over IPv6 from {source}"));
        }
        for message in &decoded {
            if let Decoded::Message(message) = message
                && let Some(addr) = source.at(message.claimed.port)
            {
                shared.learn_if_own(addr);
            }
        }
        let answer = shared.with_state_for(Some(source.share()), |state, now| {
            state.learn_own_ip(local);
            state.plain_received(PlainReceived { source, decoded, cut }, now)
        });
        Reply::Answer(match answer {
            PlainAnswer::Nothing => Vec::new(),
            PlainAnswer::Receipt => plain::receipt(shared.port, None).into_bytes(),
            PlainAnswer::Capable => shared.receipt.as_bytes().to_vec(),
            PlainAnswer::Connected => plain::CONNECTED.as_bytes().to_vec(),
        })
    }

    fn refused(&self, source: Source) {
        self.0.with_state(|state, now| ((), state.refused(source, now)));
    }

    fn welcome(
        &self,
        key: PublicKey,
        hello: &Hello,
        source: Source,
        local: IpAddr,
    ) -> Result<Hello, ByeReason> {
        let shared = &self.0;
        let addr = source.at(hello.port).ok_or(ByeReason::NotUnderstood)?;
        shared.learn_if_own(addr);
        let up = SessionUp { key, hello: Some(net::introduction(hello)), addr, source };
        log::debug!("{key} says hello from {source}: {hello:?}");
        shared.with_state_for(Some(source.share()), |state, now| {
            state.learn_own_ip(local);
            state.session_up(None, up, moment(), now)
        })?;
        let name = shared.locked.lock().state.name().clone();
        Ok(shared.hello(&name, local))
    }

    fn messages(
        &self,
        key: PublicKey,
        source: Source,
        messages: Vec<Message>,
        wait_until: Instant,
    ) -> Vec<MessageId> {
        let shared = &self.0;
        if !shared.events.wait_for_room(source.share(), wait_until) {
            self.refused(source);
            return Vec::new();
        }
        log::debug!("{} messages of {key} at {source}", messages.len());
        let staged = shared
            .with_state_for(Some(source.share()), |state, now| state.messages_received(key, messages, now));
        staged.map_or_else(Vec::new, |staged| shared.take(key, source, staged))
    }

    fn heard(&self, key: PublicKey) {
        self.0.with_state(|state, now| ((), state.session_alive(key, now)));
    }

    fn ended(&self, key: PublicKey, bye: Option<ByeReason>) {
        self.0.with_state(|state, now| ((), state.session_down(key, bye, now)));
    }
}

/// Panics if a test asks for it, to show that a panic ends one connection only. Not in release builds.
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
