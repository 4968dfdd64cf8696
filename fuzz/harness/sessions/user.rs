//! The user of the pool in the target `sessions`, who is told everything and checks it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use p2p_chat::core::{IntroductionPart, JobId, RequestEnded};
use p2p_chat::model::address::{PeerAddr, Source};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::model::session::{ByeReason, Message};
use p2p_chat::net::sessions::{LinkId, MIN_WINDOW_BYTES, Opened, SessionHandler};
use p2p_chat::protocol::session::Hello;

/// What we have granted the peer of a connection, and what it has used of that.
#[derive(Debug, Default)]
pub(super) struct Granted {
    /// The bytes of messages without a receipt that our hello allows.
    pub(super) window: usize,
    /// The messages that were taken and have no receipt yet, each with the bytes that it counts.
    pub(super) taken: BTreeMap<MessageId, usize>,
}

/// What the user has been told.
#[derive(Debug)]
pub(super) struct User {
    contacts: BTreeSet<PublicKey>,
    /// The keys with a session.
    pub(super) open: BTreeSet<PublicKey>,
    /// The requests that have not ended, and how many messages each sends.
    pub(super) jobs: BTreeMap<JobId, usize>,
    /// There is no room for messages.
    pub(super) is_full: bool,
    /// No peer is welcome, for this reason.
    pub(super) refuses: Option<ByeReason>,
    /// The messages that each peer has sent and that were not taken yet, in their order.
    pub(super) said: BTreeMap<LinkId, VecDeque<MessageId>>,
    /// Those that were taken, and wait to be stored.
    pub(super) to_store: BTreeMap<LinkId, Vec<MessageId>>,
    pub(super) granted: BTreeMap<LinkId, Granted>,
    /// What we call ourselves, and where else we listen.
    pub(super) name: String,
    pub(super) ip: [u8; 4],
}

impl User {
    pub(super) fn new(contacts: impl Iterator<Item = PublicKey>) -> Self {
        Self {
            contacts: contacts.collect(),
            open: BTreeSet::new(),
            jobs: BTreeMap::new(),
            is_full: false,
            refuses: None,
            said: BTreeMap::new(),
            to_store: BTreeMap::new(),
            granted: BTreeMap::new(),
            name: "Alice".into(),
            ip: [10, 0, 1, 3],
        }
    }

    /// Checks that the peer of a connection has no more messages without a receipt than we have
    /// granted.
    pub(super) fn check_window(&self, link: LinkId) {
        let Some(Granted { window, taken }) = self.granted.get(&link) else { return };
        let bytes: usize = taken.values().sum();
        assert!(taken.len() <= 1 || bytes <= *window, "{bytes} bytes of {link:?} have no receipt");
    }
}

impl SessionHandler for User {
    fn hello(&mut self, _: IpAddr) -> Hello {
        let addresses = vec![SocketAddr::from((self.ip, 5000))];
        Hello { addresses, ..Hello::new(PeerName::new(&self.name), 5000) }
    }

    fn is_own(&mut self, _: PeerAddr) -> bool {
        false
    }

    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason> {
        if let Some(reason) = self.refuses {
            return Err(reason);
        }
        if opened.hello.is_some() {
            self.open.insert(opened.key);
        }
        Ok(())
    }

    fn session_alive(&mut self, _: PublicKey) {}

    fn messages(
        &mut self,
        link: LinkId,
        _: PublicKey,
        _: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        if self.is_full {
            return Err(messages);
        }
        let said = self.said.entry(link).or_default();
        for message in messages {
            // Those before it were refused.
            let is_it = |id: MessageId| id == message.id;
            assert!(
                std::iter::from_fn(|| said.pop_front()).any(is_it),
                "{link:?} has not sent it, or before"
            );
            let bytes = message.body.len().max(MIN_WINDOW_BYTES);
            self.granted.entry(link).or_default().taken.insert(message.id, bytes);
            self.to_store.entry(link).or_default().push(message.id);
        }
        Ok(())
    }

    fn receipts(&mut self, _: PublicKey, ids: &[MessageId]) {
        assert!(!ids.is_empty(), "no receipts");
    }

    fn session_down(&mut self, key: PublicKey, _: Option<ByeReason>) {
        assert!(self.open.remove(&key), "a session with {key} ends that was not open");
    }

    fn request_ended(&mut self, job: JobId, ended: RequestEnded) {
        let messages = self.jobs.remove(&job);
        assert!(messages.is_some_and(|count| ended.written <= count), "{job:?} of {messages:?}: {ended:?}");
    }

    fn renamed(&mut self, _: PublicKey, _: Source, name: PeerName, port: u16) {
        assert!(port != 0, "{name:?} is told before the hello");
    }

    fn listens_at(&mut self, _: PublicKey, _: &[SocketAddr]) {}

    fn asks_to_verify(&mut self, _: PublicKey) {}

    fn introduced(&mut self, _: PublicKey, _: IntroductionPart) {}

    fn identity_in_use(&mut self, _: PublicKey, _: IpAddr) {}

    fn is_contact(&mut self, key: PublicKey) -> bool {
        self.contacts.contains(&key)
    }
}
