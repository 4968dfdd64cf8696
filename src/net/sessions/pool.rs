//! The pool of sessions, and of connections that become sessions. I/O-free.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::net::{IpAddr, Ipv4Addr};

use smol_str::SmolStr;

use super::dialing::{DialId, KeyDial, Pending};
use super::link::{Challenge, Link, Phase, in_window};
use super::links::Links;
use super::receipt_limiter::ReceiptLimiter;
use super::{
    ASK_TO_VERIFY_EVERY, CONNECTS_WITHIN, DIAL_AGAIN_AFTER, LinkId, LinkOutput, MAX_DIALING, MAX_HANDSHAKES,
    MAX_HELD_BYTES, MAX_PARTING, MAX_SESSIONS, MAX_STRANGER_SESSIONS, MAX_STRANGERS_OF_PREFIX,
    MET_COUNTS_FOR, OFFER_AGAIN_AFTER, OLDER_ANSWERS_WITHIN, Opened, PART_WITHIN, PROBE_WITHIN, RETRY_AFTER,
    SILENCE, SIMULTANEOUS, STRANGER_VERSION, STRANGER_WINDOW_BYTES, SessionCommand, SessionHandler,
    WINDOW_BYTES,
};
use crate::core::{IntroductionPart, JobId, RequestEnded, SessionRequest, Time};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::{MessageId, SendError};
use crate::model::session::{ByeReason, Introduction, MAX_REQUEST_BYTES, Message, Request, RequestEnd};
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};
use crate::protocol::session::{Hello, MAX_IDS, Record};

/// The session with one key.
#[derive(Debug)]
struct Session {
    link: LinkId,
    /// Messages and a goodbye, in the order in which they were requested.
    queue: VecDeque<Pending>,
    /// Requests that wait for a pong.
    pings: VecDeque<Pending>,
    /// Where a dial last met the key, and when.
    met: Option<(PeerAddr, Time)>,
}

/// All sessions of this program.
#[derive(Debug)]
pub struct Pool {
    own: PublicKey,
    /// A random number that identifies this run.
    run: u64,
    links: Links,
    sessions: BTreeMap<PublicKey, Session>,
    dials: BTreeMap<DialId, KeyDial>,
    last_link: u64,
    last_ping: u64,
    outputs: Vec<LinkOutput>,
    /// When to offer messages again that the handler had no room for.
    offer_again_at: Option<Time>,
    receipt_limiter: ReceiptLimiter,
    /// When to send receipts that strangers wait for.
    receipts_at: Option<Time>,
    /// When to dial again after a limit was reached.
    dial_again_at: Option<Time>,
    /// The connections on which one side has said bye, the first first.
    parting: VecDeque<LinkId>,
    closing: bool,
}

impl Pool {
    /// Creates a pool without sessions. `run` is a random number.
    pub fn new(own: PublicKey, run: u64) -> Self {
        Self {
            own,
            run,
            links: Links::default(),
            sessions: BTreeMap::new(),
            dials: BTreeMap::new(),
            last_link: 0,
            last_ping: 0,
            outputs: Vec::new(),
            offer_again_at: None,
            receipt_limiter: ReceiptLimiter::default(),
            receipts_at: None,
            dial_again_at: None,
            parting: VecDeque::new(),
            closing: false,
        }
    }

    /// Returns the outputs for the connections, in their order, and removes them from the pool.
    pub fn take_outputs(&mut self) -> Vec<LinkOutput> {
        mem::take(&mut self.outputs)
    }

    /// Returns how many sessions are open.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Returns whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Returns whether no connection is left.
    pub fn is_idle(&self) -> bool {
        self.links.is_empty() && self.dials.is_empty()
    }

    // ---- requests -------------------------------------------------------------------------------

    /// Carries out a command.
    pub fn command(&mut self, command: SessionCommand, now: Time, handler: &mut dyn SessionHandler) {
        match command {
            SessionCommand::Request(request) => self.request(request, now, handler),
            SessionCommand::Stored { link, receipts, others, retry_after } => {
                self.stored(link, &receipts, &others, retry_after, now, handler);
            }
            SessionCommand::Part(key, reason) => self.part(key, reason, now, handler),
            SessionCommand::Rename => self.rename(handler),
            SessionCommand::AskToVerify(key) => self.ask_to_verify(key, now),
            SessionCommand::Introduce(key, part) => self.send_introduction(key, part),
            SessionCommand::Readdress(ips) => self.readdress(&ips, now, handler),
        }
    }

    /// Takes a request of the core.
    pub fn request(&mut self, request: SessionRequest, now: Time, handler: &mut dyn SessionHandler) {
        let pending = Pending::new(request);
        if self.closing {
            let end = RequestEnd::Unreachable(SendError::Cancelled);
            return end_request(pending, None, end, handler);
        }
        let Some(key) = pending.request.expect.filter(|key| self.sessions.contains_key(key)) else {
            return self.dial(pending, now, handler);
        };
        self.tell_addresses(key, handler);
        if self.wants_address(&pending, key, now) {
            return self.dial(pending, now, handler);
        }
        self.join(key, vec![pending], now, handler);
        self.pump(key, now, handler);
    }

    /// Returns whether a request wants the key to be proven at an address where it was not met
    /// recently.
    fn wants_address(&self, pending: &Pending, key: PublicKey, now: Time) -> bool {
        let SessionRequest { say, addrs, .. } = &pending.request;
        let Some(session) = self.sessions.get(&key) else { return false };
        let dialed = self.links.get(session.link).and_then(|link| link.dialed);
        let met = session.met.filter(|(_, at)| now.since(*at) < MET_COUNTS_FOR);
        let is_known = dialed.into_iter().chain(met.map(|(addr, _)| addr)).any(|addr| addrs.contains(&addr));
        *say == Request::Open && !addrs.is_empty() && !is_known
    }

    /// Adds requests to an open session.
    fn join(&mut self, key: PublicKey, requests: Vec<Pending>, now: Time, handler: &mut dyn SessionHandler) {
        for mut pending in requests {
            let transit = self.session_link(key).map(Link::transit).unwrap_or_default();
            let Some(session) = self.sessions.get_mut(&key) else {
                // It was closed to keep the limits.
                end_request(pending, None, RequestEnd::Bye(ByeReason::Idle), handler);
                continue;
            };
            match pending.request.say {
                // A ping shows whether the peer is still online.
                Request::Open | Request::Ping => {
                    pending.request.deadline.get_or_insert(now.plus(PROBE_WITHIN + transit));
                    session.pings.push_back(pending);
                }
                Request::Messages(_) | Request::Bye => session.queue.push_back(pending),
            }
        }
        self.send_pings(key, now);
    }

    /// Sends the pings that requests wait for.
    fn send_pings(&mut self, key: PublicKey, now: Time) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let link = session.link;
        if !self.links.get(link).is_some_and(Link::is_open) {
            return;
        }
        let mut nonces = Vec::new();
        for pending in session.pings.iter_mut().filter(|pending| pending.ping.is_none()) {
            self.last_ping += 1;
            pending.ping = Some((self.last_ping, now));
            nonces.push(self.last_ping);
        }
        nonces.into_iter().for_each(|nonce| self.send(link, &Record::Ping(nonce)));
    }

    /// Returns the connection of the session with a key.
    fn session_link(&self, key: PublicKey) -> Option<&Link> {
        self.links.get(self.sessions.get(&key)?.link)
    }

    /// Returns the address of the peer of an open session: where it was dialed, or where it comes
    /// from.
    fn session_addr(&self, key: PublicKey) -> Option<PeerAddr> {
        self.session_link(key)?.addr()
    }

    /// Sends the messages that the window of the peer and [`SEND_BYTES`](super::SEND_BYTES) allow.
    fn pump(&mut self, key: PublicKey, now: Time, handler: &mut dyn SessionHandler) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let link_id = session.link;
        let Some(link) = self.links.get_mut(link_id).filter(|link| link.is_open()) else { return };
        let is_bye = |pending: &Pending| matches!(pending.request.say, Request::Bye);
        let mut records = Vec::new();
        for pending in &mut session.queue {
            if is_bye(pending) || !pending.write(link, &mut records) {
                break;
            }
        }
        // A goodbye waits for the receipts of the messages before it.
        let bye = session.queue.front().is_some_and(is_bye).then(|| session.queue.pop_front());
        if !records.is_empty() {
            self.send_records(link_id, records);
        }
        if let Some(pending) = bye.flatten() {
            let addr = self.session_addr(key);
            self.part_link(link_id, ByeReason::Leaves, now, handler);
            end_request(pending, addr, RequestEnd::Answered, handler);
            self.end_session(key, End::Ours(ByeReason::Leaves), now, handler);
        }
    }

    // ---- dials ----------------------------------------------------------------------------------

    /// Dials for a request, or adds it to the dials to the same peer.
    fn dial(&mut self, mut pending: Pending, now: Time, handler: &mut dyn SessionHandler) {
        pending.request.addrs.retain(|addr| !handler.is_own(*addr));
        let Some(first) = pending.request.addrs.first().copied() else {
            let end = RequestEnd::Unreachable(SendError::NoRoute);
            return end_request(pending, None, end, handler);
        };
        let expect = pending.request.expect;
        let id = match expect {
            None => DialId::Addr(first),
            Some(key) if self.sessions.contains_key(&key) => DialId::Probe(key, first),
            Some(key) => DialId::Key(key),
        };
        let dial = self.dials.entry(id).or_insert_with(|| KeyDial::new(expect, now));
        let dialed: Vec<PeerAddr> =
            dial.links.iter().filter_map(|link| self.links.get(*link)?.dialed).collect();
        dial.add(pending, &dialed);
        if id.is_probe() && self.dial_again_at.is_some() {
            // Others wait for room, and it comes after them.
            return;
        }
        self.advance(id, now, handler);
    }

    /// Dials the addresses that are due, and ends the requests if all have failed.
    fn advance(&mut self, id: DialId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(dial) = self.dials.get(&id) else { return };
        let for_messages = dial.is_due(now).then(|| dial.has_messages());
        let mut room = for_messages.map_or(0, |for_messages| self.dial_room(for_messages, now));
        let Some(dial) = self.dials.get_mut(&id) else { return };
        while dial.is_due(now) {
            if room == 0 {
                self.dial_again_at.get_or_insert(now.plus(DIAL_AGAIN_AFTER));
                break;
            }
            let Some(addr) = dial.take_addr(now) else { break };
            room -= 1;
            self.last_link += 1;
            let link = LinkId(self.last_link);
            dial.links.push(link);
            let local = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            self.links.insert(link, Link::new(Some(addr), Some(id), addr.source(), local, now));
            self.outputs.push(LinkOutput::Dial(link, addr, dial.expect));
        }
        if dial.is_over()
            && let Some(dial) = self.dials.remove(&id)
        {
            let (addr, end) = match dial.worst() {
                Some((addr, end)) => (Some(addr), end),
                None => (None, RequestEnd::Unreachable(SendError::NoRoute)),
            };
            for pending in dial.requests {
                end_request(pending, addr, end.clone(), handler);
            }
        }
    }

    /// Returns how many more connections may be dialed now, for messages or to find out which peers
    /// are online.
    fn dial_room(&mut self, for_messages: bool, now: Time) -> usize {
        let (mut connecting, mut in_handshake) = (0, 0);
        for link in self.links.opening() {
            connecting += usize::from(!link.is_connected);
            let is_likely = link.is_connected || now.since(link.begun) < CONNECTS_WITHIN;
            in_handshake += usize::from(is_likely);
        }
        let room = MAX_DIALING.saturating_sub(connecting);
        if for_messages { room } else { room.min(MAX_HANDSHAKES.saturating_sub(in_handshake)) }
    }

    /// Records that a dialed connection did not become a session. `dial` is the dial that it
    /// belongs to, and its address.
    fn dial_failed(
        &mut self,
        id: LinkId,
        dial: (Option<DialId>, Option<PeerAddr>),
        end: RequestEnd,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let (Some(dial_id), Some(addr)) = dial else { return };
        if let Some(dial) = self.dials.get_mut(&dial_id) {
            dial.failed(id, addr, end, now);
        }
        self.advance(dial_id, now, handler);
    }

    /// Ends the wait of a dial for the hello on this connection.
    fn gives_up_dial(&mut self, id: LinkId, end: RequestEnd, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        let dial = (link.dial.take(), link.dialed);
        self.dial_failed(id, dial, end, now, handler);
    }

    // ---- connections ----------------------------------------------------------------------------

    /// Takes a connection that was accepted at `at` and on which the opening line has arrived.
    pub fn accepted(&mut self, source: Source, local: IpAddr, at: Time) -> LinkId {
        self.last_link += 1;
        let id = LinkId(self.last_link);
        self.links.insert(id, Link::new(None, None, source, local, at));
        id
    }

    /// Returns whether this connection exists, and both sides have said hello on it but neither has
    /// said goodbye.
    pub fn is_open(&self, id: LinkId) -> bool {
        self.links.get(id).is_some_and(Link::is_open)
    }

    /// Records that a dialed connection is established. The opening lines follow.
    pub fn connected(&mut self, id: LinkId, now: Time) {
        if let Some(link) = self.links.get_mut(id) {
            (link.is_connected, link.heard) = (true, now);
        }
    }

    /// Records that bytes of any kind arrived on a connection.
    pub fn heard(&mut self, id: LinkId, now: Time) {
        if let Some(link) = self.links.get_mut(id) {
            link.heard = now;
        }
    }

    /// Records that the system has taken `count` of the bytes to be sent on a connection. Then
    /// sends more.
    pub fn sent(&mut self, id: LinkId, count: usize, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        link.unsent = link.unsent.saturating_sub(count);
        if let Some(key) = self.session_on(id) {
            self.pump(key, now, handler);
        }
    }

    /// Says hello on a dialed connection, or waits for the hello of the dialer. The connection is
    /// encrypted, and the peer has proven `key`. `local` is our IP in this connection.
    pub fn link_up(
        &mut self,
        id: LinkId,
        key: PublicKey,
        local: IpAddr,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let Some(link) = self.links.proves(id, key) else { return };
        (link.local, link.phase, link.heard) = (local, Phase::Greeting, now);
        if let (Some(addr), dial_id) = (link.dialed, link.dial) {
            // The first address where the key is proven wins.
            let others = match dial_id.and_then(|dial_id| self.dials.get_mut(&dial_id)) {
                Some(dial) => {
                    dial.addrs.clear();
                    let others: Vec<LinkId> =
                        dial.links.iter().copied().filter(|other| *other != id).collect();
                    dial.links.retain(|other| *other == id);
                    others
                }
                None => Vec::new(),
            };
            others.into_iter().for_each(|other| self.drop_link(other));
            let probe = matches!(dial_id, Some(DialId::Probe(..)));
            if probe {
                let requests = dial_id.and_then(|dial| self.dials.get(&dial)).map(|dial| &dial.requests);
                let jobs = requests.into_iter().flatten().map(|pending| pending.request.job).collect();
                self.met(id, key, jobs, now, handler);
            }
            let hello = Hello { probe, ..self.own_hello(addr.ip(), key, handler) };
            self.say_hello(id, hello);
        }
    }

    /// Tells these requests that a key that has a session was met at a dialed address.
    fn met(
        &mut self,
        id: LinkId,
        key: PublicKey,
        jobs: Vec<JobId>,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let Some(link) = self.links.get(id) else { return };
        let (Some(addr), source, local) = (link.dialed, link.source, link.local) else { return };
        for job in jobs {
            let job = Some(job);
            // Its session shows whether the handler accepts it.
            let _ = handler.session_up(Opened { key, hello: None, dialed: Some(addr), source, local, job });
        }
        if let Some(session) = self.sessions.get_mut(&key) {
            session.met = Some((addr, now));
        }
    }

    /// Removes a connection that was not established, or whose handshake failed.
    pub fn link_failed(&mut self, id: LinkId, end: RequestEnd, now: Time, handler: &mut dyn SessionHandler) {
        if let Some(link) = self.links.remove(id) {
            self.dial_failed(id, (link.dial, link.dialed), end, now, handler);
        }
    }

    /// Removes a connection that has ended: with close_notify if it is `clean`, otherwise it broke.
    pub fn link_ended(&mut self, id: LinkId, clean: bool, now: Time, handler: &mut dyn SessionHandler) {
        let current = self.session_on(id);
        let Some(link) = self.links.remove(id) else { return };
        let bye = link.bye.or(clean.then_some(ByeReason::Idle));
        // The connection of a session has a dial only if the session was to continue on it.
        let end = link.bye.map_or(RequestEnd::Broken, RequestEnd::Bye);
        self.dial_failed(id, (link.dial, link.dialed), end, now, handler);
        if let Some(key) = current {
            match self.spare(key) {
                Some(next) => self.goes_on(key, next, now, handler),
                None => self.end_session(key, End::Theirs(bye, link.addr()), now, handler),
            }
        }
    }

    /// Processes decrypted bytes that arrived on a connection.
    pub fn received(&mut self, id: LinkId, bytes: &[u8], now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id).filter(|link| !link.is_ignored) else { return };
        link.heard = now;
        link.records.push(bytes);
        let mut is_alive = false;
        loop {
            let Some(link) = self.links.get_mut(id) else { return };
            if link.is_ignored {
                break;
            }
            match link.next_record() {
                Ok(None) => break,
                Ok(Some(record)) => {
                    is_alive |= link.is_open() && matches!(record, Record::Ping(_) | Record::Pong(_));
                    if !matches!(record, Record::Receipt(_)) {
                        self.receipted(id, now, handler);
                    }
                    self.take(id, record, now, handler);
                }
                Err(()) => {
                    self.receipted(id, now, handler);
                    self.fault(id, RequestEnd::Broken, now, handler);
                    break;
                }
            }
        }
        self.receipted(id, now, handler);
        // A peer that says goodbye behind a pong is gone.
        let key = self.links.get(id).filter(|link| link.is_open()).and_then(|link| link.key);
        if is_alive && let Some(key) = key {
            handler.session_alive(key);
        }
        self.tell_name(id, now, handler);
        self.offer_held(id, now, handler);
    }

    /// Tells the handler the new name of a peer.
    fn tell_name(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        if let (Some(key), Some(name)) = (link.key, link.take_name(now)) {
            handler.renamed(key, link.source, name, link.port);
        }
    }

    /// Ends a connection whose peer has broken the protocol, and ignores everything after that.
    fn fault(&mut self, id: LinkId, end: RequestEnd, now: Time, handler: &mut dyn SessionHandler) {
        self.offer_held(id, now, handler);
        let Some(link) = self.links.get(id) else { return };
        let (key, addr) = (self.session_on(id), link.addr());
        self.gives_up_dial(id, end, now, handler);
        self.part_link(id, ByeReason::NotUnderstood, now, handler);
        if let Some(link) = self.links.get_mut(id) {
            link.is_ignored = true;
        }
        if let Some(key) = key {
            self.end_session(key, End::Theirs(None, addr), now, handler);
        }
    }

    /// Tells the handler the key that a peer has proven although it does not accept us.
    fn turned_away(&self, link: &Link, handler: &mut dyn SessionHandler) {
        // The key of a probe was reported when it was proven.
        let Some(dial_id @ (DialId::Key(_) | DialId::Addr(_))) = link.dial else { return };
        let (Some(addr), Some(key)) = (link.dialed, link.key) else { return };
        let Some(dial) = self.dials.get(&dial_id) else { return };
        let (source, local) = (link.source, link.local);
        // Each request learns which peer it has met.
        for job in dial.requests.iter().map(|pending| Some(pending.request.job)) {
            // It makes no difference whether the handler accepts it.
            let _ = handler.session_up(Opened { key, hello: None, dialed: Some(addr), source, local, job });
        }
    }

    /// Sends the first message to a peer that has not decided about us, if it is short enough. The
    /// peer gives no receipt for it, and may hold it until it accepts us.
    fn introduce(&mut self, id: LinkId) {
        let dial = self.links.get(id).and_then(|link| link.dial);
        let Some(dial) = dial.and_then(|dial| self.dials.get_mut(&dial)) else { return };
        let first = dial.requests.iter_mut().find_map(|pending| match &pending.request.say {
            Request::Messages(messages) => Some((messages.first()?.clone(), pending)),
            _ => None,
        });
        if let Some((message, pending)) = first.filter(|(message, _)| message.body.len() <= MAX_REQUEST_BYTES)
        {
            pending.next = 1;
            let Message { id: message_id, time, again, to_all, body } = message;
            self.send(id, &Record::Text { id: message_id, time, again, to_all, body });
        }
    }

    fn take(&mut self, id: LinkId, record: Record, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        let key = link.key;
        match (&link.phase, record) {
            (Phase::Greeting, Record::Hello(hello)) => self.greeted(id, hello, now, handler),
            (Phase::Greeting, Record::Bye(reason)) => {
                link.bye = Some(reason);
                if reason == ByeReason::NotDecided {
                    self.introduce(id);
                }
                self.outputs.push(LinkOutput::Finish(id));
                if self.session_on(id).is_some() {
                    // A session was to continue on this connection.
                    self.link_ended(id, false, now, handler);
                } else if let Some(link) = self.links.remove(id) {
                    let is_probed = matches!(link.dial, Some(DialId::Probe(..))) && reason == ByeReason::Idle;
                    let end = if is_probed { RequestEnd::Answered } else { RequestEnd::Bye(reason) };
                    self.turned_away(&link, handler);
                    self.dial_failed(id, (link.dial, link.dialed), end, now, handler);
                }
            }
            (Phase::Open | Phase::Parting(_), Record::Text { id: message, time, again, to_all, body }) => {
                link.hold(Message { id: message, time, again, to_all, body });
                if !link.keeps_window() {
                    self.fault(id, RequestEnd::Broken, now, handler);
                }
            }
            (Phase::Open | Phase::Parting(_), Record::Receipt(ids)) => link.receipts.extend(ids),
            (Phase::Open | Phase::Parting(_), Record::NotStored(ids, retry_after)) => {
                if let Some(key) = key {
                    self.not_stored(id, key, &ids, retry_after, now, handler);
                }
            }
            (Phase::Open | Phase::Parting(_), Record::Ping(nonce)) => {
                self.send(id, &Record::Pong(nonce));
            }
            (Phase::Open | Phase::Parting(_), Record::Pong(nonce)) => {
                if let Some(key) = key {
                    self.ponged(id, key, nonce, now, handler);
                }
            }
            (Phase::Open, Record::Bye(reason)) => {
                link.bye = Some(reason);
                self.outputs.push(LinkOutput::Finish(id));
                self.said_bye(id, reason, now, handler);
            }
            (Phase::Parting(_), Record::Bye(reason)) => link.bye = Some(reason),
            (Phase::Greeting | Phase::Open, Record::InUse(ip)) => {
                if let Some(key) = key {
                    handler.identity_in_use(key, ip);
                }
            }
            (Phase::Open, Record::Name(name)) => link.new_name = Some(name),
            (Phase::Open, Record::Verify) => {
                if let Some(key) = key {
                    handler.asks_to_verify(key);
                }
            }
            (Phase::Open, Record::Introduce(about, name)) => {
                if let Some(key) = key {
                    handler.introduced(key, IntroductionPart::Ask(about, name));
                }
            }
            (Phase::Open, Record::Card(card)) => {
                if let Some(key) = key {
                    handler.introduced(key, IntroductionPart::Card(card));
                }
            }
            (Phase::Open, Record::Addresses(addrs)) => {
                if let Some(key) = key {
                    handler.listens_at(key, &addrs);
                }
            }
            (Phase::Parting(_), _) => {}
            // A second hello, or something before the first.
            _ => self.fault(id, RequestEnd::Broken, now, handler),
        }
    }

    // ---- hellos ---------------------------------------------------------------------------------

    fn own_hello(&self, to: IpAddr, key: PublicKey, handler: &mut dyn SessionHandler) -> Hello {
        let hello = handler.hello(to);
        let hello = if handler.is_contact(key) {
            Hello { window: WINDOW_BYTES, ..hello }
        } else {
            let version = SmolStr::new_static(STRANGER_VERSION);
            Hello { window: STRANGER_WINDOW_BYTES, version, addresses: Vec::new(), ..hello }
        };
        Hello { dialed: DIAL_LINE.to_vec(), answered: OK_LINE.to_vec(), run: self.run, ..hello }
    }

    fn say_hello(&mut self, id: LinkId, hello: Hello) {
        if let Some(link) = self.links.get_mut(id) {
            link.granted = usize::try_from(hello.window).unwrap_or(usize::MAX);
            link.lacks_addresses = hello.version == STRANGER_VERSION;
            link.told = Some((hello.name.clone(), hello.addresses.clone()));
        }
        self.send(id, &Record::Hello(hello));
    }

    /// Processes the hello of the peer.
    fn greeted(&mut self, id: LinkId, hello: Hello, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        let Some(key) = link.key else { return };
        if hello.dialed != DIAL_LINE || hello.answered != OK_LINE {
            return self.fault(id, RequestEnd::NotSecure, now, handler);
        }
        if hello.probe {
            if link.dialed.is_some() {
                // Only a dialer probes.
                return self.fault(id, RequestEnd::Broken, now, handler);
            }
            return self.part_link(id, ByeReason::Idle, now, handler);
        }
        (link.run, link.port) = (hello.run, hello.port);
        // Even if the peer allows more, we send no more at a time.
        link.window = usize::try_from(hello.window.min(WINDOW_BYTES)).unwrap_or(usize::MAX);
        let old = self.sessions.get(&key).map(|session| session.link);
        let old_run = old.and_then(|old| self.links.get(old)).filter(|old| old.is_open()).map(|old| old.run);
        if let (Some(old), true) = (old, old_run.is_some_and(|run| run != hello.run)) {
            // There are two programs with one key, or the program was started again. If the older
            // one does not answer a ping, it has ended.
            self.last_ping += 1;
            self.send(old, &Record::Ping(self.last_ping));
            let (ping, until) = (self.last_ping, now.plus(OLDER_ANSWERS_WITHIN));
            if let Some(link) = self.links.get_mut(id) {
                link.phase = Phase::Challenging(Box::new(Challenge { hello, ping, until }));
            }
            return;
        }
        self.admit(id, key, &hello, now, handler);
    }

    /// Opens a session, unless the handler refuses it or an older session stays.
    fn admit(
        &mut self,
        id: LinkId,
        key: PublicKey,
        hello: &Hello,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let Some(link) = self.links.get_mut(id) else { return };
        let (dialed, source, local) = (link.dialed, link.source, link.local);
        let dial_id = link.dial.take();
        let dial = dial_id.and_then(|dial_id| self.dials.remove(&dial_id));
        let mut requests = dial.map_or_else(VecDeque::new, |dial| dial.requests);
        let job = requests.front().map(|pending| pending.request.job).filter(|_| dialed.is_some());
        let opened = Opened { key, hello: Some(introduction(hello)), dialed, source, local, job };
        if let Err(reason) = handler.session_up(opened.clone()) {
            if reason == ByeReason::NotDecided && dialed.is_none() {
                // The dialer may send one message before it closes the connection.
                self.say_bye(id, reason, now);
            } else {
                self.part_link(id, reason, now, handler);
            }
            for pending in requests {
                // Each request learns which peer it has met, and that nothing is sent to it.
                let own = Some(pending.request.job);
                if own != job {
                    let _ = handler.session_up(Opened { job: own, ..opened.clone() });
                }
                let end = match pending.request.say {
                    Request::Messages(_) => RequestEnd::Broken,
                    Request::Open | Request::Ping | Request::Bye => RequestEnd::Answered,
                };
                end_request(pending, dialed, end, handler);
            }
            return;
        }
        // A dial to the key that has not come as far is no longer needed.
        if dial_id != Some(DialId::Key(key)) {
            requests.extend(self.stop_dialing(key, now));
        }
        if dialed.is_none() {
            let hello = self.own_hello(source.ip(), key, handler);
            self.say_hello(id, hello);
        }
        if let Some(link) = self.links.get_mut(id) {
            link.phase = Phase::Open;
        }
        let old = self.sessions.get(&key).map(|session| session.link);
        match old {
            Some(old) if old != id && self.stays(old, id, key) => {
                self.part_link(id, ByeReason::Replaced, now, handler);
                // A message on this connection could get no receipt, but would count as one of
                // those that a stranger may have.
                if let Some(link) = self.links.get_mut(id) {
                    link.is_ignored = true;
                }
            }
            Some(old) => {
                // The side with the larger key keeps the older connection until it hears which of
                // them ends.
                if old != id && self.own < key {
                    self.part_link(old, ByeReason::Replaced, now, handler);
                }
                self.moves_to(key, id);
                self.send_pings(key, now);
                self.part_surplus(key, [old, id], now, handler);
                self.keep_limits(key, now, handler);
            }
            None => {
                let session = Session { link: id, queue: VecDeque::new(), pings: VecDeque::new(), met: None };
                self.sessions.insert(key, session);
                self.keep_limits(key, now, handler);
            }
        }
        if let (Some(addr), Some(session)) = (dialed, self.sessions.get_mut(&key)) {
            session.met = Some((addr, now));
        }
        let (opens, others): (Vec<Pending>, Vec<Pending>) = requests
            .into_iter()
            .partition(|pending| matches!(pending.request.say, Request::Open | Request::Ping));
        let is_greeting = |(_, link): &(LinkId, &Link)| link.phase == Phase::Greeting;
        let greeting = self.links.of(key).filter(is_greeting).find_map(|(id, link)| Some((id, link.dialed?)));
        if let Some((id, at)) = greeting.filter(|_| !opens.is_empty()) {
            // The key has proven itself there, and its session opened on another connection.
            let there = opens.iter().filter(|pending| pending.request.addrs.contains(&at));
            let jobs = there.map(|pending| pending.request.job).filter(|other| Some(*other) != job).collect();
            self.met(id, key, jobs, now, handler);
        }
        if dialed.is_some() {
            // Our name or addresses may have changed since our hello.
            self.tell_changes(key, handler);
        }
        let addr = self.session_addr(key);
        for pending in opens {
            if Some(pending.request.job) != job && self.wants_address(&pending, key, now) {
                self.dial(pending, now, handler);
                continue;
            }
            if dialed.is_none() {
                // The peer may still refuse us after our hello. Its pong shows that it does not.
                self.join(key, vec![pending], now, handler);
                continue;
            }
            // The hello has answered it.
            end_request(pending, addr, RequestEnd::Answered, handler);
        }
        self.join(key, others, now, handler);
        self.pump(key, now, handler);
    }

    /// Moves a session to another connection. Messages without a receipt are sent again there, in
    /// their order and with the same ids.
    fn moves_to(&mut self, key: PublicKey, link: LinkId) {
        if let Some(session) = self.sessions.get_mut(&key) {
            session.link = link;
            session.queue.iter_mut().chain(&mut session.pings).for_each(Pending::restart);
        }
    }

    /// Ends the open connections with a key, except the two of which the peer may keep either.
    fn part_surplus(
        &mut self,
        key: PublicKey,
        kept: [LinkId; 2],
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let surplus = self.links.of(key).filter(|(id, link)| link.is_open() && !kept.contains(id));
        let surplus: Vec<LinkId> = surplus.map(|(id, _)| id).collect();
        surplus.into_iter().for_each(|id| self.part_link(id, ByeReason::Replaced, now, handler));
    }

    /// Returns whether the older of two sessions of the same two programs stays. Only the side with
    /// the smaller key decides, because the two sides may disagree about when each connection
    /// began.
    fn stays(&self, old: LinkId, new: LinkId, key: PublicKey) -> bool {
        let (Some(old), Some(new)) = (self.links.get(old), self.links.get(new)) else { return false };
        let apart = new.begun.since(old.begun).max(old.begun.since(new.begun));
        let is_simultaneous = new.dialed.is_none() && apart < SIMULTANEOUS;
        self.own < key && old.dialed.is_some() && is_simultaneous
    }

    /// Continues a session that has lost its connection on another one.
    fn goes_on(&mut self, key: PublicKey, link: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        self.moves_to(key, link);
        self.tell_changes(key, handler);
        self.send_pings(key, now);
        self.keep_limits(key, now, handler);
        self.pump(key, now, handler);
    }

    /// Returns the key whose session uses this connection.
    fn session_on(&self, id: LinkId) -> Option<PublicKey> {
        let key = self.links.get(id)?.key?;
        (self.sessions.get(&key)?.link == id).then_some(key)
    }

    /// Returns another open connection with a key whose session has just lost its own.
    fn spare(&self, key: PublicKey) -> Option<LinkId> {
        self.links.of(key).rev().find(|(_, link)| link.is_open()).map(|(id, _)| id)
    }

    /// Stops the dials to a key that have not proven it yet, and returns their requests.
    /// Connections that have proven it continue, because the peer may have opened a session on
    /// them. A dial to an address where a request wants the key to be met becomes a probe.
    fn stop_dialing(&mut self, key: PublicKey, now: Time) -> VecDeque<Pending> {
        let id = DialId::Key(key);
        let Some(mut dial) = self.dials.remove(&id) else { return VecDeque::new() };
        let requests = mem::take(&mut dial.requests);
        dial.addrs.clear();
        let is_probed = |addr: PeerAddr| {
            let wants = |pending: &Pending| pending.request.say == Request::Open;
            requests.iter().any(|pending| wants(pending) && pending.request.addrs.first() == Some(&addr))
        };
        for link_id in mem::take(&mut dial.links) {
            let Some(link) = self.links.get_mut(link_id) else { continue };
            match link.dialed {
                _ if link.phase == Phase::Greeting => dial.links.push(link_id),
                Some(addr) if is_probed(addr) => {
                    let id = DialId::Probe(key, addr);
                    link.dial = Some(id);
                    self.dials.entry(id).or_insert_with(|| KeyDial::new(Some(key), now)).links.push(link_id);
                }
                _ => self.drop_link(link_id),
            }
        }
        if !dial.links.is_empty() {
            self.dials.insert(id, dial);
        }
        requests
    }

    /// Ends a session if there are too many. `newest` is the key of a session that is new or has
    /// moved to another source. The session that has been silent longest ends: a stranger's if
    /// there is one, otherwise that of a contact that can be dialed again, and otherwise any other
    /// one.
    fn keep_limits(&mut self, newest: PublicKey, now: Time, handler: &mut dyn SessionHandler) {
        let is_of_prefix = |source: Source| !source.ip().is_loopback() && !handler.is_contact(newest);
        let source =
            self.sessions.get(&newest).and_then(|session| Some(self.links.get(session.link)?.source));
        let limit =
            if source.is_some_and(is_of_prefix) { MAX_STRANGERS_OF_PREFIX } else { MAX_STRANGER_SESSIONS };
        if self.sessions.len() <= limit {
            return;
        }
        let mut all: Vec<(PublicKey, LinkId, Time, Source, bool)> = Vec::new();
        for (key, session) in &self.sessions {
            let Some(link) = self.links.get(session.link) else { continue };
            all.push((*key, session.link, link.heard, link.source, handler.is_contact(*key)));
        }
        let prefix = all.iter().find(|(key, ..)| *key == newest).map(|(_, _, _, source, _)| source.share());
        let strangers = all.iter().filter(|(.., is_contact)| !is_contact);
        let of_prefix = strangers
            .clone()
            .filter(|(_, _, _, source, _)| Some(source.share()) == prefix && !source.ip().is_loopback());
        let is_stranger = all.iter().any(|(key, .., is_contact)| *key == newest && !is_contact);
        let (of_prefix_count, strangers_count) = (of_prefix.clone().count(), strangers.clone().count());
        let idlest = if is_stranger && of_prefix_count > MAX_STRANGERS_OF_PREFIX {
            of_prefix.min_by_key(|(_, _, heard, ..)| *heard)
        } else if strangers_count > MAX_STRANGER_SESSIONS {
            strangers.min_by_key(|(_, _, heard, ..)| *heard)
        } else if all.len() > MAX_SESSIONS {
            let others = all.iter().filter(|(key, ..)| *key != newest);
            strangers
                .min_by_key(|(_, _, heard, ..)| *heard)
                .or_else(|| others.min_by_key(|(key, _, heard, ..)| (!self.was_met(*key), *heard)))
        } else {
            None
        };
        if let Some((key, link, ..)) = idlest.copied() {
            self.part_link(link, ByeReason::Idle, now, handler);
            self.end_session(key, End::Ours(ByeReason::Idle), now, handler);
        }
    }

    /// Returns whether a dial has met a key since its session opened. Such a peer can most likely
    /// be dialed again.
    fn was_met(&self, key: PublicKey) -> bool {
        self.sessions.get(&key).is_some_and(|session| session.met.is_some())
    }

    // ---- messages and receipts ------------------------------------------------------------------

    /// Offers the messages that arrived on a connection to the handler.
    fn offer_held(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        let (Some(key), source) = (link.key, link.source) else { return };
        let messages = link.take_held();
        if messages.is_empty() {
            return;
        }
        let is_stranger = !handler.is_contact(key);
        if is_stranger && self.receipt_limiter.is_exceeded(key, now) {
            let ids: Vec<MessageId> = messages.iter().map(|message| message.id).collect();
            return self.stored(id, &[], &ids, RETRY_AFTER, now, handler);
        }
        let mut due = || if is_stranger { self.receipt_limiter.take(key, now) } else { now };
        // This comes first, because the handler may have stored the messages when it returns.
        let count = messages.len();
        messages.iter().for_each(|message| link.staged.push(message.id, in_window(message), due()));
        if let Err(messages) = handler.messages(id, key, source, messages)
            && let Some(link) = self.links.get_mut(id)
        {
            link.staged.take_back(count);
            messages.into_iter().for_each(|message| link.hold(message));
            if is_stranger {
                self.receipt_limiter.give_back(key, u32::try_from(count).unwrap_or(u32::MAX), now);
            }
            self.offer_again_at.get_or_insert(now.plus(OFFER_AGAIN_AFTER));
            self.bound_held(id, now, handler);
        }
    }

    /// Drops the messages that a connection holds if all connections together hold too many. Their
    /// sender sends them again.
    fn bound_held(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        if self.links.iter().map(|(_, link)| link.held_bytes()).sum::<usize>() > MAX_HELD_BYTES
            && let Some(link) = self.links.get_mut(id)
        {
            let ids: Vec<MessageId> = link.take_held().iter().map(|message| message.id).collect();
            self.stored(id, &[], &ids, RETRY_AFTER, now, handler);
        }
    }

    /// Answers messages that the handler has processed. Those in `receipts` are stored. The
    /// `others` are not, and may be sent again after `retry_after` seconds.
    pub fn stored(
        &mut self,
        id: LinkId,
        receipts: &[MessageId],
        others: &[MessageId],
        retry_after: u32,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let Some(link) = self.links.get_mut(id) else { return };
        link.staged.remove(others);
        link.withheld.extend(receipts);
        self.give_receipts(id, now, handler);
        for ids in others.chunks(MAX_IDS) {
            self.send(id, &Record::NotStored(ids.to_vec(), retry_after));
        }
    }

    /// Sends the receipts that wait on a connection. A stranger gets as many as it may have now.
    fn give_receipts(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        let is_stranger = !link.withheld.is_empty() && !link.key.is_some_and(|key| handler.is_contact(key));
        let mut given = Vec::new();
        while let Some(next) = link.withheld.front().copied() {
            if is_stranger && let Some(at) = link.staged.get(next).copied().filter(|at| *at > now) {
                self.receipts_at = Some(self.receipts_at.map_or(at, |other| other.min(at)));
                break;
            }
            link.withheld.pop_front();
            given.push(next);
        }
        link.staged.remove(&given);
        for ids in given.chunks(MAX_IDS) {
            self.send(id, &Record::Receipt(ids.to_vec()));
        }
    }

    /// Processes the receipts that arrived on a connection.
    fn receipted(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        let ids = mem::take(&mut link.receipts);
        let Some(key) = link.key.filter(|_| !ids.is_empty()) else { return };
        link.in_flight.remove(&ids);
        handler.receipts(key, &ids);
        if let Some(session) = self.sessions.get_mut(&key) {
            for receipt in ids {
                let _ = session.queue.iter_mut().any(|pending| pending.receipt(receipt));
            }
        }
        self.end_receipted(key, handler);
        self.pump(key, now, handler);
    }

    /// Ends the requests whose messages all have receipts.
    fn end_receipted(&mut self, key: PublicKey, handler: &mut dyn SessionHandler) {
        let addr = self.session_addr(key);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let is_done =
            |pending: &Pending| matches!(pending.request.say, Request::Messages(_)) && pending.is_receipted();
        let mut done = Vec::new();
        let mut at = 0;
        while at < session.queue.len() {
            if is_done(&session.queue[at]) {
                done.extend(session.queue.remove(at));
            } else {
                at += 1;
            }
        }
        for pending in done {
            end_request(pending, addr, RequestEnd::Answered, handler);
        }
    }

    /// Ends the requests with messages that the peer could not store. The outbox tries again later.
    fn not_stored(
        &mut self,
        id: LinkId,
        key: PublicKey,
        ids: &[MessageId],
        retry_after: u32,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        if let Some(link) = self.links.get_mut(id) {
            link.in_flight.remove(ids);
        }
        let addr = self.session_addr(key);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let has_one = |pending: &Pending| match &pending.request.say {
            Request::Messages(messages) => messages.iter().any(|message| ids.contains(&message.id)),
            _ => false,
        };
        let queue = mem::take(&mut session.queue);
        let (ended, rest): (VecDeque<Pending>, VecDeque<Pending>) = queue.into_iter().partition(has_one);
        session.queue = rest;
        for pending in ended {
            end_request(pending, addr, RequestEnd::NotStored(retry_after), handler);
        }
        self.pump(key, now, handler);
    }

    fn ponged(
        &mut self,
        id: LinkId,
        key: PublicKey,
        nonce: u64,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let addr = self.session_addr(key);
        if let Some(session) = self.sessions.get_mut(&key) {
            let is_of = |pending: &Pending| pending.ping.is_some_and(|(ping, _)| ping == nonce);
            for pending in take_where(&mut session.pings, is_of) {
                end_request(pending, addr, RequestEnd::Answered, handler);
            }
        }
        // The older program with this key is still running, so the newer one is refused.
        if self.session_on(id).is_some() {
            self.refuse_challengers(id, key, nonce, now, handler);
        }
    }

    /// Refuses newer programs with this key, because the older one has answered the ping `nonce`.
    fn refuse_challengers(
        &mut self,
        old: LinkId,
        key: PublicKey,
        nonce: u64,
        now: Time,
        handler: &mut dyn SessionHandler,
    ) {
        let is_refused = |link: &Link| match &link.phase {
            Phase::Challenging(challenge) => challenge.ping <= nonce,
            _ => false,
        };
        let refused = self.links.of(key).filter(|(_, link)| is_refused(link));
        let challengers: Vec<(LinkId, Source)> = refused.map(|(id, link)| (id, link.source)).collect();
        for (id, source) in challengers {
            self.send(old, &Record::InUse(source.ip()));
            if let Some(ip) = self.links.get(old).map(|link| link.source.ip()) {
                self.send(id, &Record::InUse(ip));
            }
            self.send(id, &Record::Bye(ByeReason::InUse));
            let dial = self.links.get_mut(id).and_then(|link| link.dial.take());
            if let Some(dial) = dial.and_then(|dial| self.dials.remove(&dial)) {
                self.join(key, dial.requests.into(), now, handler);
            }
            self.finish(id);
        }
    }

    // ---- ends -----------------------------------------------------------------------------------

    /// Processes the goodbye of the peer of an open session.
    fn said_bye(&mut self, id: LinkId, reason: ByeReason, now: Time, handler: &mut dyn SessionHandler) {
        // Its messages came before its goodbye.
        self.offer_held(id, now, handler);
        let Some(link) = self.links.get_mut(id) else { return };
        link.phase = Phase::Parting(now.plus(PART_WITHIN));
        let addr = link.addr();
        self.parts_on(id);
        let Some(key) = self.session_on(id) else { return };
        // The peer keeps another connection, on which its hello may not have arrived yet.
        let is_greeting = |(_, link): &(LinkId, &Link)| link.phase == Phase::Greeting;
        let greeting = || self.links.of(key).find(is_greeting).map(|(id, _)| id);
        match self.spare(key).or_else(greeting).filter(|_| reason == ByeReason::Replaced) {
            Some(next) => self.goes_on(key, next, now, handler),
            // Without the connection that should replace this one, the session is lost.
            None => {
                let reason = Some(reason).filter(|reason| *reason != ByeReason::Replaced);
                self.end_session(key, End::Theirs(reason, addr), now, handler);
            }
        }
    }

    /// Ends a session. Its requests are tried once more in a new session, if that may help.
    fn end_session(&mut self, key: PublicKey, end: End, now: Time, handler: &mut dyn SessionHandler) {
        let Some(Session { queue, pings, .. }) = self.sessions.remove(&key) else { return };
        while let Some(spare) = self.spare(key) {
            match end {
                End::Ours(reason) => self.part_link(spare, reason, now, handler),
                End::Theirs(..) => self.drop_link(spare),
            }
        }
        let requests: Vec<Pending> = pings.into_iter().chain(queue).collect();
        let (bye, addr) = match end {
            End::Ours(_) => {
                // From now on we do not know whether the peer is still online.
                handler.session_down(key, Some(ByeReason::Idle));
                (Some(ByeReason::Idle), None)
            }
            End::Theirs(bye, addr) => {
                handler.session_down(key, bye);
                (bye, addr)
            }
        };
        let may_help = matches!(bye, None | Some(ByeReason::Idle | ByeReason::Replaced));
        for mut pending in requests {
            if may_help && !pending.is_retry && !pending.request.addrs.is_empty() && !self.closing {
                pending.restart();
                pending.is_retry = true;
                self.dial(pending, now, handler);
            } else {
                let end = bye.map_or(RequestEnd::Broken, RequestEnd::Bye);
                end_request(pending, addr, end, handler);
            }
        }
        if self.closing {
            return;
        }
        // A program that was started again waits for its former session to end.
        let of_key = self.links.of(key);
        let waiting = of_key.filter(|(_, link)| matches!(link.phase, Phase::Challenging(..)));
        let waiting: Vec<LinkId> = waiting.map(|(id, _)| id).collect();
        waiting.into_iter().for_each(|id| self.older_is_gone(id, now, handler));
    }

    fn older_is_gone(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        // It may be open or ending by now, because another connection was admitted before it.
        let (Some(key), Phase::Challenging(challenge)) = (link.key, &link.phase) else { return };
        let hello = challenge.hello.clone();
        link.phase = Phase::Greeting;
        self.admit(id, key, &hello, now, handler);
    }

    /// Sends our further addresses to a peer that has become a contact during its session.
    fn tell_addresses(&mut self, key: PublicKey, handler: &mut dyn SessionHandler) {
        let Some(id) = self.sessions.get(&key).map(|session| session.link) else { return };
        let Some(link) = self.links.get_mut(id) else { return };
        if !link.lacks_addresses || !handler.is_contact(key) {
            return;
        }
        link.lacks_addresses = false;
        self.tell_changes(key, handler);
    }

    /// Sends our name and our further addresses in the session with a key, if they differ from
    /// those that we last sent on its connection.
    fn tell_changes(&mut self, key: PublicKey, handler: &mut dyn SessionHandler) {
        let Some(id) = self.sessions.get(&key).map(|session| session.link) else { return };
        let Some(ip) = self.links.get(id).filter(|link| link.is_open()).map(|link| link.source.ip()) else {
            return;
        };
        let Hello { name, addresses, .. } = self.own_hello(ip, key, handler);
        let told =
            self.links.get_mut(id).and_then(|link| link.told.replace((name.clone(), addresses.clone())));
        let (told_name, told_addresses) = told.unzip();
        if told_name.as_ref() != Some(&name) {
            self.send(id, &Record::Name(name));
        }
        if !addresses.is_empty() && told_addresses.as_ref() != Some(&addresses) {
            self.send(id, &Record::Addresses(addresses));
        }
    }

    /// Tells all peers our new name.
    pub fn rename(&mut self, handler: &mut dyn SessionHandler) {
        let keys: Vec<PublicKey> = self.sessions.keys().copied().collect();
        keys.into_iter().for_each(|key| self.tell_changes(key, handler));
    }

    /// Says in the open session with a key that the user wants to compare safety numbers, unless we
    /// said so less than [`ASK_TO_VERIFY_EVERY`] ago.
    fn ask_to_verify(&mut self, key: PublicKey, now: Time) {
        let Some(id) = self.sessions.get(&key).map(|session| session.link) else { return };
        let Some(link) = self.links.get_mut(id).filter(|link| link.is_open()) else { return };
        if link.asked_to_verify.is_none_or(|at| now.since(at) >= ASK_TO_VERIFY_EVERY) {
            link.asked_to_verify = Some(now);
            self.send(id, &Record::Verify);
        }
    }

    /// Sends part of an introduction in the open session with a key. A ping follows, because
    /// earlier versions do not know the record and skip at most 16 unknown ones in a row.
    fn send_introduction(&mut self, key: PublicKey, part: IntroductionPart) {
        let Some(id) = self.sessions.get(&key).map(|session| session.link) else { return };
        if !self.is_open(id) {
            return;
        }
        let record = match part {
            IntroductionPart::Ask(about, name) => Record::Introduce(about, name),
            IntroductionPart::Card(card) => Record::Card(card),
        };
        self.send(id, &record);
        self.last_ping += 1;
        self.send(id, &Record::Ping(self.last_ping));
    }

    /// Tells all contacts our further addresses after the IPs of this machine have become `ips`. A
    /// session from an IP that this machine has lost ends at once. Any other session ends if
    /// nothing arrives on it within [`CHECKED_WITHIN`](super::CHECKED_WITHIN).
    pub fn readdress(&mut self, ips: &[IpAddr], now: Time, handler: &mut dyn SessionHandler) {
        for id in self.open_links() {
            let Some((key, local)) = self.links.get(id).and_then(|link| Some((link.key?, link.local))) else {
                continue;
            };
            if !local.is_loopback() && !ips.contains(&local) {
                self.outputs.push(LinkOutput::Drop(id));
                self.link_ended(id, false, now, handler);
                continue;
            }
            self.tell_changes(key, handler);
            self.last_ping += 1;
            self.send(id, &Record::Ping(self.last_ping));
            if let Some(link) = self.links.get_mut(id) {
                link.checked = Some(now);
            }
        }
    }

    fn open_links(&self) -> Vec<LinkId> {
        self.sessions.values().map(|session| session.link).filter(|id| self.is_open(*id)).collect()
    }

    /// Ends the session with a key, for this reason.
    pub fn part(&mut self, key: PublicKey, reason: ByeReason, now: Time, handler: &mut dyn SessionHandler) {
        if let Some(link) = self.sessions.get(&key).map(|session| session.link) {
            self.part_link(link, reason, now, handler);
            self.end_session(key, End::Ours(reason), now, handler);
        }
    }

    /// Ends all sessions because the program ends, and accepts no more requests. Says goodbye to
    /// the peers that have not had one yet.
    pub fn close(&mut self, now: Time, handler: &mut dyn SessionHandler) {
        self.closing = true;
        let keys: Vec<PublicKey> = self.sessions.keys().copied().collect();
        for key in keys {
            self.part(key, ByeReason::Leaves, now, handler);
        }
        for (_, dial) in mem::take(&mut self.dials) {
            for pending in dial.requests {
                end_request(pending, None, RequestEnd::Unreachable(SendError::Cancelled), handler);
            }
        }
        let opening: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.is_opening()).map(|(id, _)| id).collect();
        opening.into_iter().for_each(|id| self.drop_link(id));
    }

    /// Says bye on a connection, and ends it. Records that the peer sent before it reads the bye
    /// are still processed.
    fn part_link(&mut self, id: LinkId, reason: ByeReason, now: Time, handler: &mut dyn SessionHandler) {
        self.gives_up_dial(id, RequestEnd::Broken, now, handler);
        self.say_bye(id, reason, now);
        self.outputs.push(LinkOutput::Finish(id));
    }

    /// Says bye on a connection. The peer ends it, or we do after [`PART_WITHIN`].
    fn say_bye(&mut self, id: LinkId, reason: ByeReason, now: Time) {
        self.send(id, &Record::Bye(reason));
        if let Some(link) = self.links.get_mut(id) {
            link.phase = Phase::Parting(now.plus(PART_WITHIN));
            self.parts_on(id);
        }
    }

    /// Notes that one side has said bye on a connection. Ends the connections on which that was
    /// first, if there are more than [`MAX_PARTING`].
    fn parts_on(&mut self, id: LinkId) {
        // When the program ends, all its sessions say bye.
        if self.closing {
            return;
        }
        let is_parting = |link: &Link| matches!(link.phase, Phase::Parting(_));
        self.parting.retain(|other| *other != id && self.links.get(*other).is_some_and(is_parting));
        self.parting.push_back(id);
        if self.parting.len() > MAX_PARTING
            && let Some(first) = self.parting.pop_front()
        {
            self.drop_link(first);
        }
    }

    /// Ends a connection from which nothing more is read.
    fn finish(&mut self, id: LinkId) {
        self.outputs.push(LinkOutput::Finish(id));
        self.links.remove(id);
    }

    fn drop_link(&mut self, id: LinkId) {
        if self.links.remove(id).is_some() {
            self.outputs.push(LinkOutput::Drop(id));
        }
    }

    /// Sends a record, unless either side has said bye.
    fn send(&mut self, id: LinkId, record: &Record) {
        let Some(link) = self.links.get_mut(id) else { return };
        if matches!(link.phase, Phase::Parting(_)) {
            return;
        }
        let bytes = record.encode();
        link.unsent += bytes.len();
        self.send_records(id, bytes);
    }

    /// Sends encoded records, which are already counted in `unsent`.
    fn send_records(&mut self, id: LinkId, records: Vec<u8>) {
        match self.outputs.last_mut() {
            // Consecutive records go out together.
            Some(LinkOutput::Send(last, bytes)) if *last == id => bytes.extend(records),
            _ => self.outputs.push(LinkOutput::Send(id, records)),
        }
    }

    // ---- time -----------------------------------------------------------------------------------

    /// Returns when [`Pool::tick`] has something to do, if nothing else happens before. Visits
    /// every connection and request.
    pub fn next_wake(&self) -> Option<Time> {
        let links = self.links.iter().map(|(_, link)| link.due());
        let dialing = self.dials.values().flat_map(|dial| &dial.requests);
        let open = self.sessions.values().flat_map(|session| session.queue.iter().chain(&session.pings));
        let deadlines = dialing.chain(open).filter_map(|pending| pending.request.deadline);
        links.chain(deadlines).chain(self.next_soon()).min()
    }

    /// Returns when [`Pool::tick_soon`] has something to do.
    pub fn next_soon(&self) -> Option<Time> {
        let again_at = self.dial_again_at.unwrap_or_default();
        let mut dials: Option<Time> = None;
        for dial in self.dials.values().filter(|dial| !dial.addrs.is_empty()) {
            let at = dial.next.max(again_at);
            dials = Some(dials.map_or(at, |first| first.min(at)));
            // No dial is earlier. This runs whenever bytes arrive, so it stops here.
            if at == again_at {
                break;
            }
        }
        [dials, self.offer_again_at, self.receipts_at].into_iter().flatten().min()
    }

    /// Does all work that is due. Visits every connection and request.
    pub fn tick(&mut self, now: Time, handler: &mut dyn SessionHandler) {
        self.give_what_waits(now, handler);
        let due: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.due() <= now).map(|(id, _)| id).collect();
        for id in due {
            self.link_due(id, now, handler);
        }
        self.dial_due(now, handler);
        self.end_late(now, handler);
    }

    /// Does the due work that cannot wait for the next [`Pool::tick`]: dials, messages that are
    /// offered again, and receipts that strangers wait for.
    pub fn tick_soon(&mut self, now: Time, handler: &mut dyn SessionHandler) {
        self.give_what_waits(now, handler);
        self.dial_due(now, handler);
    }

    /// Offers messages to the handler again, and sends receipts that strangers wait for.
    fn give_what_waits(&mut self, now: Time, handler: &mut dyn SessionHandler) {
        if self.offer_again_at.is_some_and(|at| at <= now) {
            self.offer_again_at = None;
            let held = self.links.iter().filter(|(_, link)| link.held_bytes() > 0);
            let held: Vec<LinkId> = held.map(|(id, _)| id).collect();
            held.into_iter().for_each(|id| self.offer_held(id, now, handler));
        }
        if self.receipts_at.is_some_and(|at| at <= now) {
            self.receipts_at = None;
            let waiting = self.links.iter().filter(|(_, link)| !link.withheld.is_empty());
            let waiting: Vec<LinkId> = waiting.map(|(id, _)| id).collect();
            waiting.into_iter().for_each(|id| self.give_receipts(id, now, handler));
        }
    }

    /// Dials the addresses that are due, as long as there is room. Begins with the keys after our
    /// own, so that programs with the same contacts do not all dial the same ones first. Dials that
    /// open no session come last.
    fn dial_due(&mut self, now: Time, handler: &mut dyn SessionHandler) {
        if self.dial_again_at.is_some_and(|at| at > now) {
            return;
        }
        self.dial_again_at = None;
        let is_full = self.dial_room(false, now) == 0;
        if is_full {
            self.dial_again_at = Some(now.plus(DIAL_AGAIN_AFTER));
        }
        let own = DialId::Key(self.own);
        let in_turn = self.dials.range(own..).chain(self.dials.range(..own));
        // At the limit, only dials for messages continue.
        let is_next = |dial: &KeyDial| dial.is_due(now) && (!is_full || dial.has_messages());
        let mut next: Vec<DialId> = in_turn.filter(|(_, dial)| is_next(dial)).map(|(id, _)| *id).collect();
        next.sort_by_key(DialId::is_probe);
        for id in next {
            let is_at_limit = self.dial_again_at.is_some();
            if !is_at_limit || self.dials.get(&id).is_some_and(KeyDial::has_messages) {
                self.advance(id, now, handler);
            }
        }
    }

    fn link_due(&mut self, id: LinkId, now: Time, handler: &mut dyn SessionHandler) {
        let Some(link) = self.links.get_mut(id) else { return };
        match link.phase {
            Phase::Connecting | Phase::Greeting => {
                let end = match (&link.phase, link.is_connected) {
                    (Phase::Connecting, false) => RequestEnd::Unreachable(SendError::TimedOut),
                    // The program does not answer the opening line, or stops in the handshake.
                    (Phase::Connecting, true) => RequestEnd::NoSession,
                    _ => RequestEnd::Broken,
                };
                self.outputs.push(LinkOutput::Drop(id));
                if self.session_on(id).is_some() {
                    // A session was to continue on this connection.
                    self.link_ended(id, false, now, handler);
                } else if let Some(link) = self.links.remove(id) {
                    self.dial_failed(id, (link.dial, link.dialed), end, now, handler);
                }
            }
            Phase::Challenging(..) => {
                // The older program does not answer.
                let key = link.key;
                if let Some((key, old)) = key.and_then(|key| Some((key, self.sessions.get(&key)?.link))) {
                    self.gives_up_dial(old, RequestEnd::Broken, now, handler);
                    self.drop_link(old);
                    self.end_session(key, End::Theirs(None, None), now, handler);
                } else {
                    self.older_is_gone(id, now, handler);
                }
            }
            Phase::Parting(_) => self.drop_link(id),
            Phase::Open if now.since(link.heard) >= SILENCE || link.fails_check(now) => {
                self.outputs.push(LinkOutput::Drop(id));
                self.link_ended(id, false, now, handler);
            }
            Phase::Open if link.next_ping() > now => self.tell_name(id, now, handler),
            Phase::Open => {
                link.pinged = now;
                if let Some(key) = link.key {
                    self.tell_addresses(key, handler);
                }
                self.last_ping += 1;
                self.send(id, &Record::Ping(self.last_ping));
            }
        }
    }

    /// Ends the requests whose deadline has passed.
    fn end_late(&mut self, now: Time, handler: &mut dyn SessionHandler) {
        let mut late: Vec<(Pending, Option<PeerAddr>, RequestEnd)> = Vec::new();
        let is_late = |pending: &Pending| pending.is_late(now);
        for dial in self.dials.values_mut().filter(|dial| dial.requests.iter().any(is_late)) {
            let (addr, end) = match dial.worst() {
                Some((addr, end)) => (Some(addr), end),
                None => (None, RequestEnd::Unreachable(SendError::TimedOut)),
            };
            let over = take_where(&mut dial.requests, is_late);
            late.extend(over.into_iter().map(|pending| (pending, addr, end.clone())));
        }
        let has_late = |session: &Session| session.queue.iter().chain(&session.pings).any(is_late);
        for session in self.sessions.values_mut().filter(|session| has_late(session)) {
            let link = self.links.get(session.link);
            let (addr, heard) = (link.and_then(Link::addr), link.map(|link| link.heard));
            let over = take_where(&mut session.queue, is_late);
            late.extend(over.into_iter().map(|pending| (pending, addr, RequestEnd::Broken)));
            let unanswered = take_where(&mut session.pings, is_late);
            late.extend(unanswered.into_iter().map(|pending| {
                // Other bytes arrived after the ping, so the peer is online and its pong will
                // follow.
                let is_answered = pending.ping.is_some_and(|(_, sent)| heard > Some(sent));
                let end = if is_answered { RequestEnd::Answered } else { RequestEnd::Broken };
                (pending, addr, end)
            }));
        }
        // A dial without a request ends, unless a peer has already proven its key.
        for (pending, addr, end) in late {
            end_request(pending, addr, end, handler);
        }
        let idle: Vec<DialId> =
            self.dials.iter().filter(|(_, dial)| dial.requests.is_empty()).map(|(id, _)| *id).collect();
        for id in idle {
            let links = self.dials.get(&id).map_or_else(Vec::new, |dial| dial.links.clone());
            let is_connecting =
                |link: &LinkId| self.links.get(*link).is_some_and(|link| link.phase == Phase::Connecting);
            if links.iter().all(is_connecting) {
                self.dials.remove(&id);
                links.into_iter().for_each(|link| self.drop_link(link));
            }
        }
    }
}

/// Removes the requests for which `is_taken` returns true, and returns them in their order.
fn take_where(requests: &mut VecDeque<Pending>, is_taken: impl Fn(&Pending) -> bool) -> VecDeque<Pending> {
    let (taken, kept) = mem::take(requests).into_iter().partition(|pending| is_taken(pending));
    *requests = kept;
    taken
}

/// Returns what a peer says about itself in its hello.
fn introduction(hello: &Hello) -> Introduction {
    let also = hello.addresses.iter().filter_map(|addr| Source::from(*addr).at(addr.port())).collect();
    Introduction { name: hello.name.clone(), port: hello.port, also }
}

/// How a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    /// We ended it, for this reason.
    Ours(ByeReason),
    /// The peer ended it, for this reason, or it broke. The address is that of the peer.
    Theirs(Option<ByeReason>, Option<PeerAddr>),
}

fn end_request(pending: Pending, addr: Option<PeerAddr>, end: RequestEnd, handler: &mut dyn SessionHandler) {
    let written = pending.written();
    let job: JobId = pending.request.job;
    handler.request_ended(job, RequestEnded { addr, written, end });
}
