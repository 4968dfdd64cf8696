//! One step of the runtime: an input and the time go in, the core computes, and its outputs are
//! carried out in order.
//!
//! A step has no clock, thread or socket, and blocks on nothing. The threads of a [`Node`] take one
//! step at a time under the lock; the simulator takes them all from one thread.
//!
//! [`Node`]: super::Node

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::machine::Machine;
use super::ports::{Ports, Put, QueuedWrite, ReportTo};
use crate::core::{
    As, BlockTarget, Command, DiscoveryMode, Env, Event, Found, IntroductionPart, JobId, KnownContact, OpId,
    Output, PlainAnswer, PlainReceived, PlainResult, RequestEnded, Restored, SessionUp, Staged, State,
    StaticPeer, Target, Time,
};
use crate::model::address::{PeerAddr, Source, SourcePrefix};
use crate::model::delivery::DeliveryStatus;
use crate::model::host::{HostAddr, LookupError};
use crate::model::key::PublicKey;
use crate::model::message::{Decoded, MessageId, SendResult};
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::{ByeReason, Message, RequestEnd};
use crate::model::stored::{StoreOp, StoreResult, Stored};
use crate::net::sessions::{LinkId, Opened, RETRY_AFTER, SessionCommand};
use crate::store::StoreError;

/// A step that has begun. Each method handles one input.
pub struct Step<'a> {
    machine: &'a mut Machine,
    now: Time,
    ports: Ports<'a>,
}

impl<'a> Step<'a> {
    pub(super) fn new(machine: &'a mut Machine, now: Time, ports: Ports<'a>) -> Self {
        Self { machine, now, ports }
    }

    /// The machine, which answers questions.
    pub fn machine(&self) -> &Machine {
        self.machine
    }

    // ---- the user -------------------------------------------------------------------------------

    /// Dials the static peers, makes the contacts known, and sends what an earlier run left queued.
    pub fn start(
        &mut self,
        peers: Vec<StaticPeer>,
        contacts: Vec<KnownContact>,
        waiting: Vec<Restored>,
    ) -> OpId {
        // First, so that we never dial ourselves.
        let addrs = peers.iter().filter_map(|peer| peer.addr.addr());
        addrs.for_each(|addr| self.learn_if_own(addr));
        waiting.iter().filter_map(|message| message.to.addr()).for_each(|addr| self.learn_if_own(addr));
        let op = self.act(None, |state, now| state.start(peers, contacts, now));
        let skipped = self.act(None, |state, now| state.restore(waiting, now));
        if skipped > 0 {
            log::warn!(
                "the outbox is full: {skipped} queued messages stay in the history until the next run"
            );
        }
        op
    }

    /// Carries out a command. Its results follow as events.
    pub fn command(&mut self, command: Command) -> OpId {
        let named: &[Recipient] = match &command {
            Command::Send { to: Target::These(ids), .. } | Command::Connect(Target::These(ids)) => ids,
            Command::SendAgain { to, .. } => std::slice::from_ref(to),
            _ => &[],
        };
        named.iter().filter_map(|id| id.addr()).for_each(|addr| self.learn_if_own(addr));
        let parted: Vec<PublicKey> = match &command {
            Command::Block(BlockTarget::Source(source)) => {
                let strangers = self.machine.state.book().strangers_at(*source).into_iter();
                strangers.filter_map(Recipient::public_key).collect()
            }
            Command::Block(BlockTarget::Peer(id)) | Command::Forget(id) => {
                id.public_key().into_iter().collect()
            }
            Command::Trust(_, As::NewKeyOf(key)) => vec![*key],
            Command::SetContact { contact, .. } if contact.blocked => contact.id.key().into_iter().collect(),
            _ => Vec::new(),
        };
        // A session that is open was accepted when the key was trusted. The next one is judged
        // anew. A peer that is forgotten or blocked gets the goodbye of a disconnect, because it
        // gets none later. That it is blocked is not said, but its next message is not accepted.
        let reason = match &command {
            Command::Trust(..) => ByeReason::Idle,
            _ => ByeReason::Leaves,
        };
        let said = match &command {
            Command::SetName(_) => Some(SessionCommand::Rename),
            Command::AskToVerify(key) => Some(SessionCommand::AskToVerify(*key)),
            _ => None,
        };
        let op = self.act(None, |state, now| state.command(command, now));
        let parted = parted.into_iter().map(|key| SessionCommand::Part(key, reason));
        said.into_iter().chain(parted).for_each(|say| self.ports.transport.session(say));
        op
    }

    /// Whether dialing `addr` reaches this program itself.
    pub fn is_own(&mut self, addr: PeerAddr) -> bool {
        self.learn_if_own(addr);
        self.machine.state.book().is_own(addr)
    }

    // ---- unencrypted messages -------------------------------------------------------------------

    /// Takes the content of one unencrypted connection, which came to our IP `local`.
    pub fn plain_received(&mut self, received: PlainReceived, local: IpAddr) -> PlainAnswer {
        let source = received.source;
        for decoded in &received.decoded {
            if let Decoded::Message(message) = decoded
                && let Some(addr) = source.at(message.claimed.port)
            {
                self.learn_if_own(addr);
            }
        }
        self.machine.state.learn_own_ip(local);
        self.act(Some(source), |state, now| state.plain_received(received, now))
    }

    /// Records that an unencrypted message of this source was not accepted.
    pub fn refused(&mut self, source: Source) {
        self.act(None, |state, now| ((), state.refused(source, now)));
    }

    /// Takes the result of an unencrypted request.
    pub fn plain_sent(&mut self, result: PlainResult) {
        if matches!(result.result, SendResult::Failed(_)) {
            self.machine.read_ips_soon(self.now);
        }
        self.act(None, |state, now| ((), state.plain_sent(result, now)));
    }

    /// Takes what a host name resolves to.
    pub fn resolved(&mut self, host: HostAddr, found: Result<Vec<PeerAddr>, LookupError>) {
        // First, so that we never dial ourselves.
        found.iter().flatten().for_each(|addr| self.learn_if_own(*addr));
        self.act(None, |state, now| ((), state.resolved(host, found, now)));
    }

    // ---- sessions -------------------------------------------------------------------------------

    /// Handles a session that is open, or a peer that has only proven its key.
    ///
    /// # Errors
    /// Why the peer is not welcome.
    pub fn session_up(&mut self, opened: Opened, env: Env) -> Result<(), ByeReason> {
        let Opened { key, hello, dialed, source, local, job } = opened;
        let claimed = hello.as_ref().and_then(|hello| source.at(hello.port));
        let addr = dialed.or(claimed).ok_or(ByeReason::NotUnderstood)?;
        // We dial only peers that the user or the core chose. Anyone can dial us, with any number
        // of keys.
        if dialed.is_none() && !self.has_room_for(key, source) {
            return Err(ByeReason::NoRoom);
        }
        if dialed.is_none() {
            self.learn_if_own(addr);
            self.machine.state.learn_own_ip(local);
        }
        let up = SessionUp { key, hello, addr, source, dialed: dialed.is_some() };
        self.act(Some(source), |state, now| state.session_up(job, up, env, now))
    }

    /// Handles a ping or the answer to one.
    pub fn session_alive(&mut self, key: PublicKey) {
        self.act(None, |state, now| ((), state.session_alive(key, now)));
    }

    /// Takes messages of a session and has them stored. They are shown and get their receipts
    /// afterwards.
    ///
    /// # Errors
    /// The messages, if there is no room for them now.
    pub fn messages(
        &mut self,
        link: LinkId,
        key: PublicKey,
        source: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>> {
        if !self.ports.events.has_room(source.share()) || !self.ports.store.has_room(source.share()) {
            return Err(messages);
        }
        let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
        let staged = self.act(Some(source), |state, now| state.messages_received(key, messages, now));
        let Some(Staged { receipts, name, assurance, stranger, messages }) = staged else {
            self.answer(link, Vec::new(), ids);
            return Ok(());
        };
        if !receipts.is_empty() {
            self.answer(link, receipts, Vec::new());
        }
        if !messages.is_empty() {
            let stranger = stranger.then(|| source.share());
            let op = StoreOp::Incoming { from: key, name, assurance, stranger, messages };
            let (report_to, source) = (ReportTo::Session(source, link), Some(source.share()));
            self.put(QueuedWrite { op, report_to, source });
        }
        Ok(())
    }

    /// Handles receipts.
    pub fn receipts(&mut self, key: PublicKey, ids: &[MessageId]) {
        self.act(None, |state, now| ((), state.receipts(key, ids, now)));
    }

    /// Handles the end of a session: the peer's reason, or `None` if it broke.
    pub fn session_down(&mut self, key: PublicKey, bye: Option<ByeReason>) {
        let at = self.machine.state.book().dialed_at(Recipient::key(key));
        let source = at.map(|addr| Source::from(addr.ip()));
        self.act(source, |state, now| ((), state.session_down(key, bye, now)));
    }

    /// Returns whether the event queue has room for what a peer of this source causes. Contacts are
    /// few, so there is always room for them.
    fn has_room_for(&self, key: PublicKey, source: Source) -> bool {
        self.machine.state.book().is_contact(Recipient::key(key))
            || self.ports.events.has_room(source.share())
    }

    /// Handles the end of a request.
    pub fn request_ended(&mut self, job: JobId, ended: RequestEnded, env: Env) {
        if matches!(ended.end, RequestEnd::Unreachable(_)) {
            self.machine.read_ips_soon(self.now);
        }
        self.act(None, |state, now| ((), state.request_ended(job, ended, env, now)));
    }

    /// The peer calls itself this from now on; its hello said that it listens at `port`.
    pub fn renamed(&mut self, key: PublicKey, source: Source, name: PeerName, port: u16, env: Env) {
        let Some(addr) = source.at(port) else { return };
        if !self.has_room_for(key, source) {
            // It says its name again when it comes back.
            self.ports.transport.session(SessionCommand::Part(key, ByeReason::NoRoom));
            return;
        }
        self.act(Some(source), |state, now| ((), state.peer_renamed(key, name, addr, source, env, now)));
    }

    /// The peer listens at these addresses from now on.
    pub fn listens_at(&mut self, key: PublicKey, addrs: &[SocketAddr]) {
        let addrs = addrs.iter().filter_map(|addr| Source::from(*addr).at(addr.port())).collect();
        self.act(None, |state, now| ((), state.peer_listens_at(key, addrs, now)));
    }

    /// This peer says that our key is also used by a program at this IP.
    pub fn identity_in_use(&mut self, key: PublicKey, at: IpAddr) {
        self.act(None, |state, _| ((), state.identity_in_use(key, at)));
    }

    /// The user of this peer wants to compare safety numbers.
    pub fn asks_to_verify(&mut self, key: PublicKey) {
        self.act(None, |state, now| ((), state.asks_to_verify(key, now)));
    }

    /// A peer sent part of an introduction. The caller has checked the signature of a card. `clock`
    /// is the time in milliseconds since 1970.
    pub fn introduced(&mut self, key: PublicKey, part: IntroductionPart, clock: u64) {
        self.act(None, |state, now| ((), state.introduced(key, part, clock, now)));
    }

    // ---- discovery ------------------------------------------------------------------------------

    /// Handles a peer that announces itself on the local network.
    pub fn discovered(&mut self, found: Found) {
        // First, so that we never dial ourselves.
        found.addrs.iter().for_each(|addr| self.learn_if_own(*addr));
        self.act(None, |state, now| ((), state.discovered(found, now)));
    }

    /// Handles a peer that no longer announces itself.
    pub fn undiscovered(&mut self, key: PublicKey) {
        self.act(None, |state, now| ((), state.undiscovered(key, now)));
    }

    /// Changes who can discover us.
    pub fn set_discovery_mode(&mut self, mode: DiscoveryMode) {
        self.machine.state.set_discovery_mode(mode);
    }

    // ---- the store ------------------------------------------------------------------------------

    /// Stores something that only the user cares about.
    pub fn store(&mut self, op: StoreOp) {
        self.put(QueuedWrite::new(None, op));
    }

    /// Takes the result of a queued write.
    pub fn wrote(&mut self, write: QueuedWrite, result: Result<StoreResult, StoreError>) {
        let QueuedWrite { op, report_to, .. } = write;
        match (report_to, op) {
            (ReportTo::Session(source, link), StoreOp::Incoming { from, messages, .. }) => {
                let mut others: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
                let stored = each(result);
                let receipts =
                    self.act(Some(source), |state, now| state.messages_stored(from, messages, stored, now));
                others.retain(|id| !receipts.contains(id));
                self.answer(link, receipts, others);
            }
            // The sender still has the message, sends it again, and gets its receipt then.
            (ReportTo::Accepted(source), StoreOp::Incoming { from, messages, .. }) => {
                let stored = each(result);
                self.act(Some(source), |state, now| state.messages_stored(from, messages, stored, now));
            }
            (report_to, _) => {
                let state = &mut self.machine.state;
                let outputs = match (report_to, result) {
                    (ReportTo::Core(id), result) => state.stored(id, result.map(drop), self.now),
                    (_, Err(error)) => state.storing_failed(error, self.now),
                    (_, Ok(_)) => Vec::new(),
                };
                self.carry_out(outputs, None);
            }
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    /// Does what is due.
    pub fn tick(&mut self) {
        self.act(None, |state, now| ((), state.tick(now)));
    }

    /// Handles a clock of this machine that is far from the recorded one. Both are in milliseconds
    /// since 1970.
    pub fn clock_doubted(&mut self, clock: u64, noted: u64) {
        self.act(None, |state, _| ((), state.clock_doubted(clock, noted)));
    }

    /// Takes the IPs of this machine. If they have changed, the peers are told, and those that are
    /// offline are tried again.
    pub fn ips_read(&mut self, ips: Vec<IpAddr>) {
        if self.machine.set_ips(ips, self.now) {
            self.ports.transport.session(SessionCommand::Readdress(self.machine.ips.clone()));
            self.act(None, |state, now| ((), state.network_changed(now)));
        }
    }

    // ---- carrying out ---------------------------------------------------------------------------

    /// Calls the core and carries out its outputs. Events count against the source of the network
    /// that caused them.
    fn act<T>(
        &mut self,
        source: Option<Source>,
        act: impl FnOnce(&mut State, Time) -> (T, Vec<Output>),
    ) -> T {
        let (result, outputs) = act(&mut self.machine.state, self.now);
        self.carry_out(outputs, source.map(Source::share));
        result
    }

    /// Carries out the outputs of the core, so that the user and each peer get them in the order of
    /// the core.
    fn carry_out(&mut self, outputs: Vec<Output>, source: Option<SourcePrefix>) {
        let mut events = Vec::new();
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Tell(event) => {
                    if matches!(event, Event::Delivery { status: DeliveryStatus::Queued(_), .. }) {
                        self.machine.read_ips_soon(self.now);
                    }
                    events.push(event);
                }
                Output::Store(id, op) => {
                    self.put(QueuedWrite { source, ..QueuedWrite::new(id, op) });
                }
                Output::Accepted(source, op) => {
                    let report_to = ReportTo::Accepted(source);
                    self.put(QueuedWrite { report_to, ..QueuedWrite::new(None, op) });
                }
                Output::Session(request) => {
                    self.ports.transport.session(SessionCommand::Request(request));
                }
                Output::Introduce(key, part) => {
                    self.ports.transport.session(SessionCommand::Introduce(key, part));
                }
                Output::Resolve(host) => {
                    if let Err(busy) = self.ports.transport.resolve(host.clone()) {
                        outputs.extend(self.machine.state.resolved(host, Err(busy), self.now));
                    }
                }
                Output::Plain(request) => {
                    if let Err(refused) = self.ports.transport.plain(request, self.machine.state.name()) {
                        outputs.extend(self.machine.state.plain_sent(refused, self.now));
                    }
                }
            }
        }
        // Requests are queued before events: on a busy machine the thread woken first runs first,
        // and the user can wait.
        events.into_iter().for_each(|event| self.ports.events.put(event, source));
    }

    fn put(&mut self, write: QueuedWrite) {
        if let Put::Full(QueuedWrite { op, report_to, .. }) = self.ports.store.put(write)
            && let (StoreOp::Incoming { messages, .. }, ReportTo::Session(_, link)) = (op, report_to)
        {
            self.answer(link, Vec::new(), messages.iter().map(|message| message.id).collect());
        }
    }

    /// Tells a session which messages are stored and which are not.
    fn answer(&self, link: LinkId, receipts: Vec<MessageId>, others: Vec<MessageId>) {
        let retry_after = RETRY_AFTER;
        self.ports.transport.session(SessionCommand::Stored { link, receipts, others, retry_after });
    }

    /// Learns whether an address with our port is ours.
    fn learn_if_own(&mut self, addr: PeerAddr) {
        let state = &mut self.machine.state;
        if state.book().may_be_own(addr.ip(), addr.port()) && self.ports.transport.is_local(addr) {
            state.learn_own_ip(addr.ip());
        }
    }
}

/// What the store did with each message.
fn each(result: Result<StoreResult, StoreError>) -> Result<Vec<Stored>, StoreError> {
    match result? {
        StoreResult::Incoming(stored) => Ok(stored),
        _ => Err(StoreError::Other("the store gave no answer".into())),
    }
}

#[cfg(test)]
mod tests;
