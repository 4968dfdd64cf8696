//! Commands of the user.

use std::time::Duration;

use super::event::{CommandKind, Event, Output};
use super::ids::OpId;
use super::operations::Ended;
use super::outbox::status_of;
use super::presence::Probe;
use super::time::Time;
use super::trust::{As, BlockTarget, ContactRecord, Policy};
use super::{ANSWER_WITHIN, Purpose, State};
use crate::model::address::PeerAddr;
use crate::model::delivery::RejectReason;
use crate::model::host::HostAddr;
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, Outgoing, SendResult};
use crate::model::name::{Name, PeerName};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::session::{Message, Request};
use crate::protocol::session::ContactCard;

/// Time for one probe of a list: what is left of [`ANSWER_WITHIN`] after a refusal that had to be
/// confirmed a second later.
const LIST_PROBE_WITHIN: Duration = Duration::from_millis(1_800);

/// The recipients of a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// All peers that it makes sense for. A message goes to online contacts and, if the policy
    /// accepts new keys, to online strangers with a key.
    All,
    /// The same, and a message also goes to unencrypted strangers that are online.
    AllPlain,
    /// These, known or not.
    These(Vec<Recipient>),
}

/// A command of the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Send a message.
    Send {
        /// Its recipients.
        to: Target,
        /// The message.
        message: Message,
    },
    /// Probe the peers and list them.
    List,
    /// Ask to be listed; `All` are all known peers.
    Connect(Target),
    /// Resolve a host name, and ask to be listed at each of its addresses.
    ConnectToHost(HostAddr),
    /// Say goodbye; `All` are the peers that are online.
    Disconnect(Target),
    /// Accept a key that waits for the user's decision.
    Trust(PublicKey, As),
    /// Block a key, a legacy peer or a source.
    Block(BlockTarget),
    /// Accept messages of a blocked peer or source again.
    Unblock(BlockTarget),
    /// Add a contact, or change it. `date` is the clock, in seconds since 1970.
    SetContact {
        /// The contact.
        contact: ContactRecord,
        /// The clock.
        date: u64,
    },
    /// Forget a contact, or an address at which no peer has proven itself.
    Forget(Recipient),
    /// The user has compared a key with its owner.
    Verify {
        /// The key.
        key: PublicKey,
        /// The clock, in seconds since 1970.
        date: u64,
    },
    /// Open the conversation with these recipients; without recipients, close the open one.
    Open(Vec<Recipient>),
    /// Mark all messages of this peer as read.
    Read(Recipient),
    /// Hold back the messages of a peer (`true`), or show them again.
    SetMuted(Recipient, bool),
    /// Change our own name. Requests under way keep the former one.
    SetName(Name),
    /// Set the user's alias for a peer, or remove it.
    SetAlias(Recipient, Option<Name>),
    /// Tell the peer with a key that the user wants to compare safety numbers, if a session is
    /// open.
    AskToVerify(PublicKey),
    /// Introduce two contacts to each other. `date` is the clock, in seconds since 1970.
    Introduce {
        /// The contacts.
        pair: [PublicKey; 2],
        /// The clock.
        date: u64,
    },
    /// Accept an introduction. `date` is the clock, in seconds since 1970.
    AcceptIntroduction {
        /// The introducer.
        by: PublicKey,
        /// Our signed card for the introduced key.
        card: Box<ContactCard>,
        /// The clock.
        date: u64,
    },
    /// Ignore an introduced key.
    IgnoreIntroduction(PublicKey),
    /// Change the policy for strangers.
    SetPolicy(Policy),
    /// Cancel a message that waits.
    Cancel(Recipient, MessageId),
    /// Try a waiting message now, and with it the other messages for the recipient. If a legacy
    /// recipient has changed its name, this message may go to it all the same.
    TryNow(Recipient, MessageId),
    /// Send a message again whose status is final.
    SendAgain {
        /// The recipient.
        to: Recipient,
        /// The message, with the id that it had.
        message: Message,
        /// The recipient's name when the message was first entered, if known. A legacy peer of
        /// another name does not get it without a further word from the user.
        name: Option<PeerName>,
    },
    /// Say goodbye to all peers, because the program ends.
    Leave,
}

/// The address that the user typed for a recipient, if it is one.
fn typed_addr(id: Recipient) -> Option<PeerAddr> {
    match id {
        Recipient::Address(addr) => Some(addr),
        Recipient::Peer(_) => None,
    }
}

impl State {
    /// Handles a change of this machine's addresses: offline contacts are tried again.
    pub fn network_changed(&mut self, now: Time) -> Vec<Output> {
        self.own_addrs.forget();
        self.tell(Event::NetworkChanged);
        self.hosts.network_changed(now);
        self.peers.network_changed(now);
        self.outbox.hurry_all(now);
        self.serve_due(now);
        self.done()
    }

    /// Carries out a command. Its results follow as events.
    pub fn command(&mut self, command: Command, now: Time) -> (OpId, Vec<Output>) {
        let op = match command {
            Command::Send { to, message } => self.send(to, message, now),
            Command::List => self.list(now),
            Command::Connect(to) => self.connect(to, now),
            Command::ConnectToHost(name) => self.connect_to_host(&name, now),
            Command::Disconnect(to) => self.disconnect(to, now),
            Command::Trust(key, whom) => self.decide(|state| state.trust(key, whom, now)),
            Command::Block(target) => self.decide(|state| state.block_target(target, now)),
            Command::Unblock(target) => self.decide(|state| state.unblock_target(target, now)),
            Command::SetContact { contact, date } => {
                let id = contact.id;
                let op = self.decide(|state| state.set_contact(contact, date, now));
                self.release(id.into(), now);
                op
            }
            Command::Forget(to) => self.decide(|state| state.forget(to, now)),
            Command::Verify { key, date } => self.decide(|state| state.verify(key, date)),
            Command::Open(with) => self.settle_at_once(|state| state.open(with)),
            Command::Read(id) => self.settle_at_once(|state| state.read(id)),
            Command::SetMuted(id, muted) => self.decide(|state| state.set_muted(id, muted)),
            Command::SetName(name) => self.settle_at_once(|state| state.name = name),
            Command::SetAlias(id, name) => self.settle_at_once(|state| state.set_alias(id, name.as_ref())),
            Command::AskToVerify(key) => self.settle_at_once(|state| _ = state.notices.compares(key, now)),
            Command::Introduce { pair, date } => self.settle_at_once(|state| state.introduce(pair, date)),
            Command::AcceptIntroduction { by, card, date } => {
                self.settle_at_once(|state| state.accept_introduction(by, card, date, now))
            }
            Command::IgnoreIntroduction(key) => self.settle_at_once(|state| state.ignore_introduction(key)),
            Command::SetPolicy(policy) => self.decide(|state| state.set_policy(policy)),
            Command::Cancel(to, id) => self.settle_at_once(|state| state.cancel(to, id, now)),
            Command::TryNow(to, id) => self.settle_at_once(|state| state.try_now(to, id, now)),
            Command::SendAgain { to, message, name } => self.send_again(to, message, name, now),
            Command::Leave => self.leave(now),
        };
        // The command may have made a discovered peer a contact, or changed the policy.
        self.dial_discovered(now);
        (op, self.done())
    }

    pub(super) fn targets(&self, target: Target, offline_too: bool) -> Vec<Recipient> {
        match target {
            Target::All | Target::AllPlain => self.peers.all(&self.claimed().collect(), offline_too),
            Target::These(ids) => {
                let mut meant = Vec::new();
                for id in ids.into_iter().map(|id| self.book().meant(id)) {
                    // Two addresses may belong to one peer.
                    if !meant.contains(&id) {
                        meant.push(id);
                    }
                }
                meant
            }
        }
    }

    /// Begins a command for these recipients. `to_all`: the user did not name them.
    pub(super) fn spread(&mut self, kind: CommandKind, to_all: bool, targets: &[Recipient]) -> OpId {
        let total = targets.len();
        if total == 0 {
            self.tell(Event::Nobody(kind));
        }
        self.operations.spread(kind, to_all, total)
    }

    pub(super) fn connect(&mut self, to: Target, now: Time) -> OpId {
        let to_all = !matches!(to, Target::These(_));
        let targets = match to {
            Target::These(ids) => {
                ids.iter().filter_map(|id| id.public_key()).for_each(|key| self.accept_waiting(key, now));
                ids
            }
            Target::All | Target::AllPlain => self.targets(Target::All, true),
        };
        let op = self.spread(CommandKind::Connect, to_all, &targets);
        self.connect_for(op, targets);
        op
    }

    /// Accepts a key that waits for the user's decision: the user asks to connect to it. A key
    /// change still waits.
    pub(super) fn accept_waiting(&mut self, key: PublicKey, now: Time) {
        let request = self.trust.request_of(PeerId::Key(key));
        if request.is_some_and(|request| request.against.is_empty())
            && let Ok(decision) = self.trust(key, As::Another, now)
        {
            self.tell(Event::Decided(decision));
        }
    }

    /// Connects to recipients for a command that has begun.
    pub(super) fn connect_for(&mut self, op: OpId, targets: Vec<Recipient>) {
        // An address that the user types is dialed, even if another peer was there before, unless a
        // peer is online there now: `connect` says nothing that only one peer may read.
        let dialed = |id: Recipient| match id {
            Recipient::Address(addr) if self.trust.proven_at(addr).next().is_none() => {
                self.peers.plain_id(addr)
            }
            Recipient::Address(addr) => {
                let known = Some(self.book().meant(id)).filter(|id| self.peers.is_proven_at(*id, addr));
                known.unwrap_or(id)
            }
            Recipient::Peer(_) => id,
        };
        let is_direct = self.operations.is_direct(op);
        let meant = |id| if is_direct { (dialed(id), typed_addr(id)) } else { (id, None) };
        let (targets, typed): (Vec<Recipient>, Vec<Option<PeerAddr>>) =
            targets.into_iter().map(meant).unzip();
        self.operations.dials(op, typed.iter().copied().flatten().collect());
        for (peer_id, typed) in targets.into_iter().zip(typed) {
            if self.book().is_ours(peer_id) {
                let who = self.book().who(peer_id);
                self.tell(Event::NotSent { op, who, why: RejectReason::Ourselves });
                self.operations.skipped(op);
                continue;
            }
            self.peers.want(peer_id);
            let purpose = Purpose::Connect(op);
            let has_key = |addr| self.trust.proven_at(addr).next().is_some();
            if let (Some(key), Some(addr)) = (peer_id.public_key(), typed) {
                self.request_at(peer_id, vec![addr], Some(key), purpose, Request::Open, None);
            } else if self.peers.has_session(peer_id) {
                // It may not be possible to dial the peer, and this need not be known yet.
                self.request(peer_id, purpose, Request::Ping, None);
            } else if self.trust.is_only_encrypted(peer_id) || peer_id.addr().is_some_and(has_key) {
                self.request(peer_id, purpose, Request::Open, None);
            } else {
                self.send_plain(peer_id, purpose, Outgoing::Connect, None);
            }
        }
        self.settle(op);
    }

    pub(super) fn disconnect(&mut self, to: Target, now: Time) -> OpId {
        let to_all = !matches!(to, Target::These(_));
        let targets = self.targets(to, false);
        let op = self.spread(CommandKind::Disconnect, to_all, &targets);
        for peer_id in targets {
            if !self.peers.is_online(peer_id) {
                self.peers.not_redialed(peer_id, self.jobs.last(), now);
                let who = self.book().who(peer_id);
                self.tell(Event::NotSent { op, who, why: RejectReason::Offline });
                self.operations.skipped(op);
                continue;
            }
            self.say_goodbye(peer_id, op, None);
            self.peers.disconnected(peer_id, self.jobs.last(), now);
        }
        self.settle(op);
        op
    }

    fn list(&mut self, now: Time) -> OpId {
        let ids = self.peers.to_verify();
        let after = self.jobs.last().0;
        let deadline = now.plus(LIST_PROBE_WITHIN);
        for &peer_id in &ids {
            self.probe(peer_id, Probe::Dial, Some(deadline), now);
        }
        let waiting = ids.into_iter().collect();
        let op = self.operations.list(waiting, after, now.plus(ANSWER_WITHIN));
        self.settle_watches(now);
        op
    }

    /// Records and tells the result of a `connect` or a goodbye for one recipient.
    pub(super) fn finished(&mut self, op: OpId, id: Recipient, result: SendResult) {
        let who = self.book().who(id);
        let is_told = self.operations.is_told(op, &who, &result);
        let finished = self.operations.finished(op, &who, &status_of(&result));
        if let Some((kind, total)) = finished.filter(|_| is_told) {
            self.tell(Event::Done { op, kind, who, result, total });
        }
        self.settle(op);
    }

    /// Ends a command to recipients if all of them have their results.
    pub(super) fn settle(&mut self, op: OpId) {
        self.operations.settle(op).into_iter().for_each(|event| self.tell(event));
    }

    /// Carries out a command and settles it at once.
    pub(super) fn settle_at_once(&mut self, act: impl FnOnce(&mut Self)) -> OpId {
        act(self);
        let op = self.operations.next_id();
        self.tell(Event::Settled(op));
        op
    }

    /// Ends the commands that wait for no peer any more, or that have waited long enough.
    pub(super) fn settle_watches(&mut self, now: Time) {
        for (op, ended) in self.operations.end_watches(now) {
            match ended {
                Ended::List { unasked } => {
                    let rows = self.rows(now);
                    self.tell(Event::Listed { rows, unasked });
                }
                Ended::Start => {
                    let (total, connected) = self.peers.count_static();
                    self.tell(Event::Dialed { total, connected });
                }
                Ended::Leave => {
                    self.outbox.abandon();
                    self.carry_out(now);
                }
            }
            self.tell(Event::Settled(op));
        }
    }
}
