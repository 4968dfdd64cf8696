//! Passes what arrives in sessions to the machine, from the thread of the sessions.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use super::shared::{Shared, env};
use super::step::Step;
use super::store_writer;
use crate::core::{IntroductionPart, JobId, RequestEnded};
use crate::crypto;
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::{ByeReason, Message};
use crate::net::sessions::{LinkId, Opened, SessionHandler};
use crate::protocol::session::Hello;

/// Takes one step for each event of the sessions.
pub(super) struct ToMachine(pub(super) Weak<Shared>);

impl ToMachine {
    fn shared(&self) -> Option<Arc<Shared>> {
        self.0.upgrade()
    }

    /// Takes a step, unless the node has ended.
    fn step(&self, take: impl FnOnce(&mut Step<'_>)) {
        if let Some(shared) = self.shared() {
            shared.step(take);
        }
    }
}

impl SessionHandler for ToMachine {
    fn hello(&mut self, to: IpAddr) -> Hello {
        let hello = self.shared().map(|shared| shared.locked.lock().machine.hello(to));
        hello.unwrap_or_else(|| Hello::new(PeerName::new("?"), 1))
    }

    fn is_own(&mut self, addr: PeerAddr) -> bool {
        self.shared().is_some_and(|shared| shared.locked.lock().machine.is_own(addr))
    }

    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason> {
        let shared = self.shared().ok_or(ByeReason::NoRoom)?;
        log::debug!("{} says hello from {}: {:?}", opened.key, opened.source, opened.hello);
        let env = env();
        shared.step(|step| step.session_up(opened, env))
    }

    fn session_alive(&mut self, key: PublicKey) {
        self.step(|step| step.session_alive(key));
    }

    fn messages(
        &mut self,
        link: LinkId,
        key: PublicKey,
        source: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        let Some(shared) = self.shared() else { return Ok(()) };
        log::debug!("{} messages of {key} at {source}", messages.len());
        shared.step(|step| step.messages(link, key, source, messages))
    }

    fn receipts(&mut self, key: PublicKey, ids: &[MessageId]) {
        self.step(|step| step.receipts(key, ids));
    }

    fn session_down(&mut self, key: PublicKey, bye: Option<ByeReason>) {
        self.step(|step| step.session_down(key, bye));
    }

    fn request_ended(&mut self, job: JobId, ended: RequestEnded) {
        log::debug!("{job:?}: {ended:?}");
        let env = env();
        self.step(|step| step.request_ended(job, ended, env));
    }

    fn renamed(&mut self, key: PublicKey, source: Source, name: PeerName, port: u16) {
        log::debug!("{key} calls itself {name:?} now");
        let env = env();
        self.step(|step| step.renamed(key, source, name, port, env));
    }

    fn listens_at(&mut self, key: PublicKey, addrs: &[SocketAddr]) {
        self.step(|step| step.listens_at(key, addrs));
    }

    fn identity_in_use(&mut self, key: PublicKey, at: IpAddr) {
        self.step(|step| step.identity_in_use(key, at));
    }

    fn asks_to_verify(&mut self, key: PublicKey) {
        self.step(|step| step.asks_to_verify(key));
    }

    fn introduced(&mut self, key: PublicKey, part: IntroductionPart) {
        if let IntroductionPart::Card(card) = &part
            && !crypto::is_signed(card)
        {
            log::warn!("{key} sent a contact card that is not signed by {}", card.key);
            return;
        }
        self.step(|step| step.introduced(key, part, store_writer::clock()));
    }

    fn is_contact(&mut self, key: PublicKey) -> bool {
        let is_contact = |shared: &Shared| {
            let locked = shared.locked.lock();
            locked.machine.state().book().is_contact(Recipient::key(key))
        };
        self.shared().is_some_and(|shared| is_contact(&shared))
    }
}
