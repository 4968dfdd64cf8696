//! The sessions as the core sees them: what arrives in them goes to the core, under the lock.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use super::shared::{Shared, moment};
use crate::core::{JobId, RequestEnded, SessionUp};
use crate::model::address::Source;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::{ByeReason, Message, RequestEnd};
use crate::net::sessions::{LinkId, Opened, SessionHandler};
use crate::protocol::session::Hello;

/// How long a peer waits before it sends messages again that could not be stored, in seconds.
pub(super) const RETRY_AFTER: u32 = 30;

/// Hands over to the core.
pub(super) struct ToCore(pub(super) Weak<Shared>);

impl ToCore {
    fn shared(&self) -> Option<Arc<Shared>> {
        self.0.upgrade()
    }
}

impl SessionHandler for ToCore {
    fn hello(&mut self, to: IpAddr) -> Hello {
        match self.shared() {
            Some(shared) => {
                let name = shared.locked.lock().state.name().clone();
                shared.hello(&name, to)
            }
            None => Hello::new(PeerName::new("?"), 1),
        }
    }

    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason> {
        let shared = self.shared().ok_or(ByeReason::NoRoom)?;
        let Opened { key, hello, dialed, source, local, job } = opened;
        let claimed = hello.as_ref().and_then(|hello| source.at(hello.port));
        let addr = dialed.or(claimed).ok_or(ByeReason::NotUnderstood)?;
        log::debug!("{key} says hello from {source}: {hello:?}");
        if dialed.is_none() {
            shared.learn_if_own(addr);
        }
        let up = SessionUp { key, hello, addr, source, dialed: dialed.is_some() };
        shared.with_state_for(Some(source.share()), |state, now| {
            if dialed.is_none() {
                state.learn_own_ip(local);
            }
            state.session_up(job, up, moment(), now)
        })
    }

    fn session_alive(&mut self, key: PublicKey) {
        if let Some(shared) = self.shared() {
            shared.with_state(|state, now| ((), state.session_alive(key, now)));
        }
    }

    fn messages(
        &mut self,
        link: LinkId,
        key: PublicKey,
        source: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        let Some(shared) = self.shared() else { return Ok(()) };
        if !shared.events.has_room(source.share()) {
            return Err(messages);
        }
        log::debug!("{} messages of {key} at {source}", messages.len());
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        let staged = shared
            .with_state_for(Some(source.share()), |state, now| state.messages_received(key, messages, now));
        match staged {
            Some(staged) => shared.store(link, source, key, staged),
            None => shared.answer(link, Vec::new(), ids),
        }
        Ok(())
    }

    fn receipts(&mut self, key: PublicKey, ids: &[MessageId]) {
        if let Some(shared) = self.shared() {
            shared.with_state(|state, now| ((), state.receipts(key, ids, now)));
        }
    }

    fn session_down(&mut self, key: PublicKey, bye: Option<ByeReason>) {
        if let Some(shared) = self.shared() {
            shared.with_state(|state, now| ((), state.session_down(key, bye, now)));
        }
    }

    fn request_ended(&mut self, job: JobId, ended: RequestEnded) {
        if let Some(shared) = self.shared() {
            log::debug!("{job:?}: {ended:?}");
            if matches!(ended.end, RequestEnd::Unreachable(_)) {
                shared.look_at_ips_soon();
            }
            shared.with_state(|state, now| ((), state.request_ended(job, ended, moment(), now)));
        }
    }

    fn renamed(&mut self, key: PublicKey, source: Source, name: PeerName, port: u16) {
        let (Some(shared), Some(addr)) = (self.shared(), source.at(port)) else { return };
        log::debug!("{key} calls itself {name:?} now");
        shared.with_state_for(Some(source.share()), |state, now| {
            ((), state.peer_renamed(key, name, addr, source, moment(), now))
        });
    }

    fn listens_at(&mut self, key: PublicKey, addrs: &[SocketAddr]) {
        let addrs = addrs.iter().filter_map(|addr| Source::from(*addr).at(addr.port())).collect();
        if let Some(shared) = self.shared() {
            shared.with_state(|state, now| ((), state.peer_listens_at(key, addrs, now)));
        }
    }

    fn identity_in_use(&mut self, at: IpAddr) {
        if let Some(shared) = self.shared() {
            shared.with_state(|state, _| ((), state.identity_in_use(at)));
        }
    }

    fn is_contact(&mut self, key: PublicKey) -> bool {
        self.shared().is_some_and(|shared| shared.locked.lock().state.is_contact(Recipient::key(key)))
    }
}
