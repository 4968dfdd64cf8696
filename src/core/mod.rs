//! The rules of the chat. Pure: events and the time go in, outputs come out.
//!
//! Peers are identified by [`Recipient`], never by address: rows, queues and conversations belong
//! to a key, to a legacy peer, or to an address where no peer has proven itself yet.
//!
//! In scope: which peers are known and trusted, which are online, what is answered, what a command
//! does and when it is done. Out of scope: bytes, sockets, threads, the clock, the terminal.

mod command;
mod conversations;
mod dedup;
mod discovery;
mod event;
mod hosts;
mod ids;
mod inbound;
mod introducing;
mod introductions;
mod jobs;
mod leaving;
mod meeting;
mod notices;
mod operations;
mod outbox;
mod outbox_commands;
mod outcome;
mod own_addrs;
mod peer_book;
mod peer_info;
mod peers;
mod plain_in;
mod plain_result;
mod presence;
mod probe_limiter;
mod refusals;
mod request_end;
mod requests;
mod restore;
mod sending;
mod sessions;
mod start;
mod storing;
#[cfg(test)]
mod tests;
mod tick;
mod time;
mod trust;
mod trust_commands;
mod view;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

pub use command::{Command, Target};
pub(crate) use conversations::Conversations;
pub use conversations::stored_conversations;
pub use discovery::{DiscoveryMode, Found};
pub(crate) use event::Decision;
pub use event::{
    CommandKind, Event, Forgotten, IntroductionNews, LeftOut, LeftOutContacts, Output, PlainAnswer,
    PlainRequest, SessionRequest,
};
pub use ids::{JobId, OpId};
pub(crate) use inbound::Staged;
pub use introductions::{
    IntroducedContact, IntroducedPeer, IntroductionPart, MadeIntroduction, SavedIntroductions,
};
pub(crate) use introductions::{MAX_IGNORED, MAX_INTRODUCTIONS};
pub use meeting::Env;
pub(crate) use outbox::WriteId;
pub use outbox::{Jitter, MAX_QUEUE_MESSAGES, WaitingMessage};
pub use peer_book::PeerBook;
pub use peer_info::{PeerInfo, Verification};
pub use peers::{GONE_SHOWN, MAX_PEERS, MAX_PEERS_PER_IP, MAX_STATIC_PEERS, PeerOrigin, Row};
pub use plain_in::PlainReceived;
pub use plain_result::PlainResult;
pub use presence::{GONE_AFTER, LONGEST_BACKOFF, OfflineReason, PresenceStatus, Probe};
pub use request_end::RequestEnded;
pub use restore::Restored;
pub(crate) use sessions::SessionUp;
pub(crate) use start::KnownContact;
pub use time::Time;
pub use trust::{
    As, ContactChange, MAX_CONTACTS, MAX_HINTS, Meeting, PeerRequest, Pin, Policy, Refused, Trust, Unknown,
};
pub(crate) use trust::{
    BlockTarget, ContactRecord, MAX_BLOCKED_SOURCES, MAX_NO_ROOM, MAX_STRANGERS, MAX_STRANGERS_PER_PREFIX,
    Trusted, code_input,
};

use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::host::{Endpoint, HostAddr};
use crate::model::key::PublicKey;
use crate::model::message::Form;
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::Recipient;
use discovery::Announcements;
use hosts::Hosts;
use inbound::Inbound;
use introductions::Introductions;
use jobs::{Jobs, Purpose};
use leaving::Goodbyes;
use notices::NoticeLimits;
use operations::Operations;
use outbox::Outbox;
use own_addrs::OwnAddrs;
use peers::{Peers, PresenceNews};
use probe_limiter::ProbeLimiter;
use refusals::Refusals;

/// How long the user waits at most for the verified list, the first dialing of the static peers and
/// the goodbyes: people still take that as an answer to what they did.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(1_900);

/// Where this program listens.
#[derive(Clone, Debug)]
pub struct Me {
    /// The IP we listen at; unspecified for all IPs of this machine.
    pub bind: IpAddr,
    /// The port we listen at.
    pub port: u16,
    /// The IP that our headers say, if the user chose one.
    pub advertise: Option<Ipv4Addr>,
}

/// What a [`State`] starts with.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Where we listen.
    pub me: Me,
    /// Our own name.
    pub name: Name,
    /// Our own public key.
    pub key: PublicKey,
    /// The keys of earlier runs and of peers.toml.
    pub pins: Vec<Pin>,
    /// The policy for strangers.
    pub policy: Policy,
    /// The blocked sources.
    pub blocked_sources: Vec<SourcePrefix>,
    /// Whether unencrypted messages are neither sent nor accepted.
    pub require_encryption: bool,
    /// Who can discover us on the local network.
    pub discovery: DiscoveryMode,
    /// Whether stored messages survive the program.
    pub durable: bool,
    /// How long a message waits for its recipient.
    pub expire: Duration,
    /// The introductions of earlier runs.
    pub introductions: SavedIntroductions,
}

impl CoreConfig {
    /// How long a message waits for its recipient if the user does not say otherwise.
    pub const EXPIRE: Duration = Duration::from_secs(7 * 24 * 3_600);

    /// The defaults for a key: no other keys known, unencrypted messages allowed, and a store that
    /// ends with the program.
    pub fn new(me: Me, name: Name, key: PublicKey) -> Self {
        Self {
            me,
            name,
            key,
            pins: Vec::new(),
            policy: Policy::default(),
            blocked_sources: Vec::new(),
            require_encryption: false,
            discovery: DiscoveryMode::Off,
            durable: false,
            expire: Self::EXPIRE,
            introductions: SavedIntroductions::default(),
        }
    }
}

/// A peer that the user configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StaticPeer {
    /// Where it is dialed.
    pub addr: Endpoint,
    /// The name to show until the peer says its own.
    pub name: Option<PeerName>,
    /// The form to write to it in until it writes to us.
    pub form: Form,
    /// The key that it has to prove, if the user knows it. Then nothing is sent to it unencrypted.
    pub key: Option<PublicKey>,
    /// Where else it may be, if it proves that key there.
    pub also: Vec<Endpoint>,
    /// The entry is for this run: the peer is a contact, but nothing of that is saved until the
    /// user writes to it or makes it a contact in another way.
    pub for_run: bool,
}

impl StaticPeer {
    /// A peer at this address, of which nothing else is known.
    pub fn at(addr: impl Into<Endpoint>) -> Self {
        let addr = addr.into();
        Self { addr, name: None, form: Form::STANDARD, key: None, also: Vec::new(), for_run: false }
    }

    /// All its addresses and host names.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        [&self.addr].into_iter().chain(&self.also)
    }

    /// The addresses that are given as such.
    pub fn addrs(&self) -> impl Iterator<Item = PeerAddr> {
        self.endpoints().filter_map(Endpoint::addr)
    }

    /// Its host names.
    pub fn hosts(&self) -> impl Iterator<Item = &HostAddr> {
        self.endpoints().filter_map(Endpoint::host)
    }
}

/// How many things are under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnderWay {
    /// Requests to the network.
    pub jobs: usize,
    /// Those of them that the user did not ask for, and whose number is limited.
    pub unasked: usize,
    /// Commands that are not done.
    pub commands: usize,
}

/// The state of the chat: coordinates the sub-machines. Methods that change it take the time and
/// return what is to be done.
#[derive(Debug)]
pub struct State {
    own_addrs: OwnAddrs,
    hosts: Hosts,
    peers: Peers,
    operations: Operations,
    jobs: Jobs,
    probe_limiter: ProbeLimiter,
    discovery: Announcements,
    outbox: Outbox,
    /// What is stored is there in the next run.
    durable: bool,
    /// Our own name.
    name: Name,
    refusals: Refusals,
    trust: Trusted,
    notices: NoticeLimits,
    conversations: Conversations,
    /// The addresses of the static peers that are for this run.
    for_run: BTreeSet<PeerAddr>,
    inbound: Inbound,
    goodbyes: Goodbyes,
    /// When the store was last told of all peers that are online, or the start of the run.
    seen_at: Time,
    /// When the user was last told that something cannot be stored.
    not_stored_told_at: Option<Time>,
    introductions: Introductions,
    leaving: bool,
    closed: bool,
    /// What the current step wants done.
    outputs: Vec<Output>,
}

impl State {
    /// Returns a state that knows no peer yet, only the keys of `config`.
    pub fn new(config: CoreConfig) -> Self {
        let CoreConfig { me, name, key, pins, policy, blocked_sources, .. } = config;
        let CoreConfig { require_encryption, discovery, durable, expire, introductions, .. } = config;
        let mut trust = Trusted::new(key, policy).with_required_encryption(require_encryption);
        for pin in pins {
            trust.load(pin);
        }
        for source in blocked_sources {
            if trust.load_blocked_source(source).is_err() {
                // The file has no more than fit.
                break;
            }
        }
        Self {
            own_addrs: OwnAddrs::new(me),
            hosts: Hosts::default(),
            peers: Peers::default(),
            operations: Operations::default(),
            jobs: Jobs::default(),
            probe_limiter: ProbeLimiter::default(),
            discovery: Announcements::new(discovery),
            outbox: Outbox::new(expire, durable),
            durable,
            name,
            refusals: Refusals::default(),
            trust,
            notices: NoticeLimits::default(),
            conversations: Conversations::default(),
            for_run: BTreeSet::new(),
            inbound: Inbound::new(durable),
            goodbyes: Goodbyes::default(),
            seen_at: Time::default(),
            not_stored_told_at: None,
            introductions: Introductions::new(introductions),
            leaving: false,
            closed: false,
            outputs: Vec::new(),
        }
    }

    /// Records that an IP is one of this machine's.
    pub fn learn_own_ip(&mut self, ip: impl Into<IpAddr>) {
        self.own_addrs.learn(ip.into());
    }

    /// Our own name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The pins, and the keys that wait for the user's decision.
    pub fn trusted(&self) -> &Trusted {
        &self.trust
    }

    /// Accepts nothing more from the network: the user can no longer be told of it.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Records the user's alias for a peer, or removes it.
    fn set_alias(&mut self, id: Recipient, name: Option<&Name>) {
        if let Some(key) = id.public_key().filter(|_| name.is_some()) {
            self.make_key_contact(key);
        }
        self.trust.set_alias_of(id, name);
    }

    fn tell(&mut self, event: Event) {
        self.act(Output::Tell(event));
    }

    fn act(&mut self, output: Output) {
        self.outputs.push(output);
    }

    fn done(&mut self) -> Vec<Output> {
        if self.trust.has_changes() {
            self.prune_introductions();
            self.receive_early_introductions();
        }
        if self.trust.has_changes() && self.notices.has_changes() {
            self.tell(Event::ContactsChanged);
        }
        if self.introductions.has_untold_changes() {
            self.tell(Event::IntroductionsChanged);
        }
        std::mem::take(&mut self.outputs)
    }

    /// Adds a row for a recipient, unless it has one or the table has no room. Returns whether it
    /// has one.
    fn add_peer(&mut self, id: Recipient, addr: PeerAddr, origin: PeerOrigin, now: Time) -> bool {
        let is_listed = self.peers.add(id, addr, origin, now);
        self.peers.messages_wait(id, self.outbox.count(id));
        is_listed
    }

    /// Tells the user that a peer is online, if that is due.
    fn announce(&mut self, peer_id: Recipient, now: Time) {
        let is_claimed = self.is_claimed(peer_id);
        let news = self.peers.announce(peer_id, is_claimed, now);
        self.tell_presence(news);
    }

    /// Tells the user what is new about a peer's presence.
    fn tell_presence(&mut self, news: Option<PresenceNews>) {
        match news {
            Some(PresenceNews::Online(who)) => {
                let id = who.id;
                match id.public_key().filter(|_| self.peers.take_untold_key(id)) {
                    Some(key) => self.tell_pinned(key, true),
                    None => self.tell(Event::Online(who)),
                }
                self.operations.announced(id);
                if id.public_key().is_none() {
                    self.seen(id);
                }
            }
            Some(PresenceNews::Offline(who, why)) => {
                let id = who.id;
                self.tell(Event::Offline(who, why));
                if !matches!(why, OfflineReason::NoAnswer | OfflineReason::Refused) {
                    self.seen(id);
                }
            }
            None => {}
        }
    }
}
