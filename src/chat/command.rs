//! What the user wants.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::event::{Action, Deed, Event, OpId, Unsendable};
use super::life::{Check, Life, Why};
use super::table::{Known, Peer};
use super::time::Time;
use super::trust::{As, Policy};
use super::{ANSWER_WITHIN, Chat, Job, Op, Purpose, StaticPeer};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::{Form, MessageId, Outgoing, Speech};
use crate::model::session::{Letter, Say};
use crate::model::stored::Party;

/// Time for one probe of a list: what is left of the whole after a refusal that had to be repeated a second later.
const LIST_PROBE_WITHIN: Duration = Duration::from_millis(1_800);

/// How long leaving waits for attempts to reach somebody who was not there: whoever is there accepts within this.
const ATTEMPTS_WITHIN: Duration = Duration::from_millis(500);

/// Whom a command is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Everybody that it makes sense for.
    All,
    /// These, known or not.
    These(Vec<PeerAddr>),
}

/// What the user wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// Send a text, already divided into messages.
    Send {
        /// To whom; `All` are those that are there.
        to: Target,
        /// Its messages to plain peers, in order; none where it is too long for those.
        parts: Arc<[String]>,
        /// The same for those that are spoken to in encryption.
        letter: Option<Letter>,
        /// It may go out in plain to somebody who is known by a key, this once: the user said so.
        in_plain: bool,
    },
    /// See who is there, and list them.
    List,
    /// Ask to be listed; `All` are all known.
    Connect(Target),
    /// Say goodbye; `All` are those that are there.
    Disconnect(Target),
    /// Take a key that waits for the user's word.
    Trust(PublicKey, As),
    /// Want nothing of a key any more.
    Block(PublicKey),
    /// Forget a key.
    Unpin(PublicKey),
    /// The user has compared a key with its owner.
    Verify {
        /// The key.
        key: PublicKey,
        /// The clock, in seconds since 1970.
        date: u64,
    },
    /// Do this with unknown keys from now on.
    SetPolicy(Policy),
    /// Take back a text that waits.
    Cancel(Party, MessageId),
    /// Try at once what waits for somebody.
    TryNow(Party),
    /// Send a text again that is not sent any more.
    SendAgain {
        /// To whom.
        to: Party,
        /// Its messages to a plain peer.
        parts: Arc<[String]>,
        /// The text, with the id that it had.
        letter: Letter,
    },
    /// Say goodbye to everybody, for the program ends.
    Leave,
}

impl Chat {
    /// Makes the static peers known and dials them all.
    pub fn start(&mut self, peers: Vec<StaticPeer>, now: Time) -> (OpId, Vec<Action>) {
        let mut waiting = HashSet::new();
        for StaticPeer { addr, name, form, key, also: _ } in peers.into_iter().take(super::MAX_STATIC_PEERS) {
            if self.is_own(addr) || !self.table.add(addr, Known::Static, Life::of_static(now)) {
                continue;
            }
            self.table.update(addr, |peer| {
                peer.name = name;
                peer.form = form;
                peer.configured_form = form;
            });
            let pinned = self.secure.as_ref().and_then(|secure| secure.trusted.claimed(None, Some(addr)));
            if let Some(key) = key.or(pinned).filter(|_| self.secure.is_some()) {
                self.speaks_with(addr, key, now);
                self.table.update(addr, |peer| peer.last_heard = None);
            }
            waiting.insert(addr);
        }
        // In the order of their numbers.
        let addrs: Vec<PeerAddr> = self.table.rows().map(|peer| peer.addr).collect();
        for addr in addrs.into_iter().filter(|addr| waiting.contains(addr)) {
            self.check(addr, Check::Connect, None);
        }
        let op = self.new_op(Op::Start { waiting, deadline: now.plus(ANSWER_WITHIN) });
        self.settle_watches(now);
        (op, self.done())
    }

    /// Does what the user wants.
    pub fn command(&mut self, command: Command, now: Time) -> (OpId, Vec<Action>) {
        let op = match command {
            Command::Send { to, parts, letter, in_plain } => self.send(to, parts, letter, in_plain, now),
            Command::List => self.list(now),
            Command::Connect(to) => self.connect(to),
            Command::Disconnect(to) => self.disconnect(to, now),
            Command::Trust(key, whom) => self.decide(|chat| chat.trust(key, whom, now)),
            Command::Block(key) => self.decide(|chat| chat.block(key)),
            Command::Unpin(key) => self.decide(|chat| chat.unpin(key)),
            Command::Verify { key, date } => self.decide(|chat| chat.verify(key, date)),
            Command::SetPolicy(policy) => self.decide(|chat| chat.set_policy(policy)),
            Command::Cancel(to, id) => self.cancel(to, id),
            Command::TryNow(to) => self.try_now(to, now),
            Command::SendAgain { to, parts, letter } => self.send_again(to, parts, letter, now),
            Command::Leave => self.leave(now),
        };
        (op, self.done())
    }

    pub(super) fn targets(&self, target: Target, gone_too: bool) -> Vec<PeerAddr> {
        match target {
            Target::All => {
                self.table.rows().filter(|peer| gone_too || peer.is_there()).map(|peer| peer.addr).collect()
            }
            Target::These(addrs) => addrs.into_iter().map(|addr| self.table.listens_at(addr)).collect(),
        }
    }

    pub(super) fn spread(&mut self, deed: Deed, targets: &[PeerAddr]) -> OpId {
        let total = targets.len();
        if total == 0 {
            self.tell(Event::Nobody(deed));
        }
        self.new_op(Op::Spread { deed, total, pending: total, done: 0, failed: Vec::new() })
    }

    /// Why a text must not be sent to a peer.
    pub(super) fn unsendable(&self, addr: PeerAddr, parts: &[String]) -> Option<Unsendable> {
        if self.is_own(addr) {
            return Some(Unsendable::Ourselves);
        }
        if parts.is_empty() {
            return Some(Unsendable::TooLongForPlain);
        }
        if self.is_full_of_texts(addr) {
            return Some(Unsendable::TooManyWaiting);
        }
        let peer = self.table.peer(addr);
        // SmartCookies asks its user about any text that holds the word; only who showed to be another program is safe.
        let is_no_smart_cookies = peer.is_some_and(|peer| peer.form == Form::R3 || peer.shook_hands);
        for part in parts {
            if let Some(word) = COMMAND_WORDS.iter().find(|word| part.eq_ignore_ascii_case(word)) {
                return Some(Unsendable::CommandWord(word));
            }
            if part == "PING" {
                return Some(Unsendable::CommandWord("PING"));
            }
            if !is_no_smart_cookies && part.contains("CONNECT_REQUEST") {
                return Some(Unsendable::CommandWord("CONNECT_REQUEST"));
            }
        }
        None
    }

    pub(super) fn connect(&mut self, to: Target) -> OpId {
        let targets = self.targets(to, true);
        let op = self.spread(Deed::Connect, &targets);
        for addr in targets {
            if self.is_own(addr) {
                let who = self.who(addr);
                self.tell(Event::NotSent { op, who, why: Unsendable::Ourselves });
                self.not_sent(op);
                continue;
            }
            self.table.update(addr, |peer| peer.life.want());
            match self.speech_of(addr) {
                Speech::Secure(key) => self.talk(addr, Some(key), Purpose::Connect(op), Say::Greet, None),
                _ if self.is_only_encrypted(addr) => {
                    self.talk(addr, None, Purpose::Connect(op), Say::Greet, None);
                }
                _ => self.transmit(addr, Purpose::Connect(op), Outgoing::Connect, None),
            }
        }
        self.settle(op);
        op
    }

    pub(super) fn disconnect(&mut self, to: Target, now: Time) -> OpId {
        let targets = self.targets(to, false);
        let op = self.spread(Deed::Disconnect, &targets);
        for addr in targets {
            if !self.table.peer(addr).is_some_and(Peer::is_there) {
                let who = self.who(addr);
                self.tell(Event::NotSent { op, who, why: Unsendable::NotThere });
                self.not_sent(op);
                continue;
            }
            self.say_goodbye(addr, op, None);
            let before = self.last_job;
            self.table.update(addr, |peer| {
                peer.life.parted(Why::Disconnected, now);
                peer.parted_after = before;
                // The user wanted it, so it is no news.
                peer.told = false;
                peer.tell_at = None;
                peer.ack_due = None;
            });
        }
        self.settle(op);
        op
    }

    fn leave(&mut self, now: Time) -> OpId {
        self.leaving = true;
        // What waits for a key gets one more chance; the goodbye goes behind it.
        self.last_turns(now);
        self.wait_no_more(now);
        let op = self.new_op(Op::Leave { pending: 1, attempts: HashSet::new(), patience: now });
        if self.keeping.leaves(now) {
            self.keeping.leave_once_written(op);
        } else {
            self.say_goodbyes(op, now);
        }
        op
    }

    pub(super) fn say_goodbyes(&mut self, op: OpId, now: Time) {
        let mut targets: HashSet<PeerAddr> = self.targets(Target::All, false).into_iter().collect();
        let mut attempts = HashSet::new();
        let mut asked = HashMap::new();
        for (id, Job { addr, purpose, .. }) in &self.jobs {
            match purpose {
                // Goodbyes wait behind texts, so the fate of each text is known before.
                Purpose::Text(_) | Purpose::Turn(_) => {
                    targets.insert(*addr);
                }
                Purpose::Connect(_) | Purpose::Check(Check::Connect) | Purpose::Ack | Purpose::Greet => {
                    attempts.insert(*id);
                }
                Purpose::Ask => {
                    asked.insert(*id, *addr);
                }
                Purpose::Check(Check::Probe) | Purpose::Exit(_) => {}
            }
        }
        // Where texts wait for the answer to a question, the goodbye waits for them.
        targets.retain(|addr| !asked.values().any(|asked| asked == addr));
        attempts.retain(|id| {
            self.jobs.get(id).is_some_and(|job| {
                // Whoever gets to know us by our key meanwhile believes no goodbye in plain.
                let is_introduced =
                    job.expect.is_some() && !matches!(self.speech_of(job.addr), Speech::Secure(_));
                let is_attempt = is_introduced || !targets.contains(&job.addr);
                is_attempt && !asked.values().any(|asked| *asked == job.addr)
            })
        });
        // A text that was entered is worth more time than an attempt to reach somebody.
        let patience = now.plus(if asked.is_empty() { ATTEMPTS_WITHIN } else { ANSWER_WITHIN });
        attempts.extend(asked.into_keys());
        self.ops.insert(op, Op::Leave { pending: targets.len(), attempts, patience });
        // If the time is not enough for all, those go without who only ever claimed to be there.
        let mut targets: Vec<PeerAddr> = targets.into_iter().collect();
        targets.sort_by_key(|addr| {
            let peer = self.table.peer(*addr);
            let certain = peer.is_some_and(|peer| peer.known == Known::Static || peer.life.is_proven());
            (!certain, peer.map(|peer| peer.number), *addr)
        });
        for addr in targets {
            self.say_goodbye(addr, op, Some(now.plus(ANSWER_WITHIN)));
        }
        self.settle_watches(now);
    }

    fn list(&mut self, now: Time) -> OpId {
        let addrs: Vec<PeerAddr> = self.table.rows().map(|peer| peer.addr).collect();
        let after = self.last_job;
        let deadline = now.plus(LIST_PROBE_WITHIN);
        for &addr in &addrs {
            self.check(addr, Check::Probe, Some(deadline));
        }
        let waiting = addrs.into_iter().collect();
        let op = self.new_op(Op::List { waiting, after, deadline: now.plus(ANSWER_WITHIN) });
        self.settle_watches(now);
        op
    }
}

/// Texts that other programs take for commands and show to nobody, in any case.
const COMMAND_WORDS: [&str; 4] = ["exit", "connect", "connect_ack", "[PEER_QUIT]"];
