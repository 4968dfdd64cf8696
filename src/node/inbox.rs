//! What comes from the network, taken to the rules.

use std::sync::Arc;
use std::time::Instant;

use super::shared::Shared;
use crate::chat::{Answer, Received};
use crate::message::Decoded;
use crate::net::{Delivery, Recipient, Reply};
use crate::peer::Source;
use crate::wire;

/// What the listener delivers to.
pub(super) struct Inbox(pub(super) Arc<Shared>);

impl Recipient for Inbox {
    fn deliver(&self, delivery: Delivery, wait_until: Option<Instant>) -> Reply {
        let shared = &self.0;
        let room = match wait_until {
            None => shared.outlet.has_room(delivery.source.share()),
            Some(deadline) => shared.outlet.wait_for_room(delivery.source.share(), deadline),
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
        for message in &decoded {
            if let Decoded::Message(message) = message {
                shared.learn_if_own(source.ip(), message.claimed.port);
            }
        }
        let answer = shared.with_chat_for(Some(source.share()), |chat, now| {
            chat.learn_own_ip(local);
            chat.received(Received { source, decoded, cut }, now)
        });
        Reply::Answer(match answer {
            Answer::Nothing => Vec::new(),
            Answer::Receipt => wire::receipt(shared.port, None).into_bytes(),
            Answer::Capable => wire::receipt(shared.port, Some(&shared.own)).into_bytes(),
            Answer::Connected => wire::CONNECTED.as_bytes().to_vec(),
        })
    }

    fn refused(&self, source: Source) {
        self.0.with_chat(|chat, now| ((), chat.refused(source, now)));
    }
}

/// Lets the tests see that a panic in the handling of one connection ends that connection only. Not in release builds.
#[cfg(debug_assertions)]
fn panic_if_asked(decoded: &[Decoded]) {
    use crate::message::{Body, Plain};

    let Ok(word) = std::env::var("P2P_CHAT_TEST_PANIC") else {
        return;
    };
    for message in decoded {
        if let Decoded::Message(Plain { body: Body::Text(text), .. }) = message {
            assert!(text.raw() != word, "asked to panic by a test");
        }
    }
}
