//! Plain messages that came: which peer each is from, and what it changes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::event::{Event, Output, PeerInfo, PlainAnswer, Verification};
use super::peers::{Peer, PeerOrigin};
use super::presence::{OfflineReason, Presence};
use super::time::Time;
use super::{Purpose, State, announced, who};
use crate::model::address::{Claimed, PeerAddr, Source};
use crate::model::message::{Body, Decoded, Form, Outgoing, Plain};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::Assurance;
use crate::protocol;

/// Time between two acknowledgements to one peer: however often it asks, we do not dial it more often. A later
/// acknowledgement is not dropped but waits.
const ACK_SPACING: Duration = Duration::from_secs(2);

/// When an acknowledgement is thought of again before which another is still under way.
const ACK_LATER: Duration = Duration::from_millis(200);

/// Rows that are searched for whoever sent a `PING`; in a longer table it is not worth the time under the lock.
const MAX_SEARCHED: usize = 256;

/// What one connection carried.
#[derive(Clone, Debug)]
pub struct Received {
    /// Where it came from.
    pub source: Source,
    /// What came.
    pub decoded: Vec<Decoded>,
    /// The last message was longer than is read, or its sender too slow to finish it, or it broke off.
    pub cut: bool,
}

impl State {
    /// Takes what one connection carried.
    pub fn received(&mut self, received: Received, now: Time) -> (PlainAnswer, Vec<Output>) {
        // Plain messages are IPv4's: what they claim is, and whoever speaks IPv6 speaks encrypted.
        if self.closed || received.source.ip().is_ipv6() {
            return (PlainAnswer::Nothing, Vec::new());
        }
        let Received { source, decoded, cut } = received;
        if self.requires_encryption() && !decoded.is_empty() {
            // Who asks to be listed says nothing secret by it, and learns that there is another way.
            let asks = |piece: &Decoded| matches!(piece, Decoded::Message(Plain { body: Body::Connect, .. }));
            if !cut && decoded.iter().all(asks) {
                return (PlainAnswer::Capable, Vec::new());
            }
            self.refuse_plain(source, now);
            return (PlainAnswer::Nothing, self.done());
        }
        // Who writes in another program's form reads no key, and their user would have to.
        let capable =
            decoded.iter().all(|piece| matches!(piece, Decoded::Message(Plain { form: Form::Standard, .. })));
        let count = decoded.len();
        let mut connected = false;
        let mut all_taken = count > 0 && !cut;
        for (index, piece) in decoded.into_iter().enumerate() {
            match piece {
                Decoded::Message(message) => {
                    let cut = cut && index + 1 == count;
                    let answer = self.message(source, message, cut, now);
                    connected |= answer == PlainAnswer::Connected;
                    all_taken &= answer != PlainAnswer::Nothing;
                }
                Decoded::Unreadable(what) => {
                    all_taken = false;
                    self.tell(Event::Unreadable { source, what });
                }
            }
        }
        self.serve_due(now);
        self.settle_watches(now);
        let answer = match (connected, all_taken) {
            (true, _) => PlainAnswer::Connected,
            (false, true) if capable => PlainAnswer::Capable,
            (false, true) => PlainAnswer::Receipt,
            (false, false) => PlainAnswer::Nothing,
        };
        (answer, self.done())
    }

    /// A message of `source` found no room. The user learns the sum from [`State::tick`].
    pub fn refused(&mut self, source: Source, now: Time) -> Vec<Output> {
        self.refusals.count(source, now);
        self.done()
    }

    fn message(&mut self, source: Source, message: Plain, cut: bool, now: Time) -> PlainAnswer {
        let Plain { claimed, form, name, body } = message;
        if body == Body::Ping {
            self.pinged(source, name.as_ref());
            return PlainAnswer::Receipt;
        }
        let Some(addr) = self.address_of(source, claimed, body == Body::Exit) else {
            return PlainAnswer::Nothing;
        };
        if self.is_own(addr) {
            if let Body::Text(text) | Body::Greeting(text) = body {
                self.tell(Event::Impostor { source, claimed, text });
            }
            return PlainAnswer::Nothing;
        }
        if self.is_unproven(source, addr, name.as_ref(), &body, cut) {
            return PlainAnswer::Receipt;
        }
        let said = matches!(body, Body::Text(_) | Body::Greeting(_));
        let peer_id = self.sender(addr, said);
        if body == Body::Exit {
            return self.said_exit(peer_id, form, now);
        }
        if !self.peers.add(peer_id, addr, PeerOrigin::Heard, Presence::of_heard(now)) {
            return PlainAnswer::Nothing;
        }
        self.note_queued(peer_id);
        // A p2p-chat peer introduces itself like this, too.
        let may_have_a_key = form == Form::Standard && matches!(body, Body::Connect | Body::ConnectAck);
        let disconnected =
            |peer: &Peer| peer.presence.offline().is_some_and(|(_, why)| why == OfflineReason::Disconnected);
        if body == Body::ConnectAck && self.peers.peer(peer_id).is_some_and(disconnected) {
            // It answers a `connect` from before we said goodbye. If we have sent another, its fate brings the peer back.
            return PlainAnswer::Receipt;
        }
        let is_claimed = self.is_claimed(peer_id);
        // All in one go: in a long table, finding the row is what takes the time.
        let heard = self.peers.update(peer_id, |peer| {
            if claimed.ip == source.ip() && peer.addr != addr && peer.id.addr() == Some(addr) {
                // The peer that was found at another loopback address claims that address.
                peer.moves_to(addr);
                peer.presence.moved(now);
                peer.speaks_from = None;
            }
            peer.claimed = (claimed.ip != peer.addr.ip()).then_some(claimed);
            takes_name(peer, name, may_have_a_key);
            peer.last_heard = Some(now);
            if source != peer.addr.source() && peer.presence.is_proven() {
                peer.speaks_from = Some(source);
            }
            learn_form(peer, form, &body);
            peer.presence.heard(now);
            if matches!(body, Body::Connect | Body::ConnectAck | Body::ConnectRequest | Body::Greeting(_)) {
                peer.shook_hands |= matches!(body, Body::Connect | Body::ConnectAck);
                peer.presence.connected();
            }
            if said {
                // The text that follows tells of it, so nothing is waited for.
                peer.tell_at = Some(now);
            }
            let came = if is_claimed { None } else { announced(peer, now) };
            if said {
                peer.tell_at = None;
            }
            peer.told |= said;
            // Whatever it can do, this came in plain.
            (came, said.then(|| PeerInfo { verification: Verification::Plain, ..who(peer) }))
        });
        let Some((came, from)) = heard else {
            return PlainAnswer::Nothing;
        };
        if let Some(who) = came {
            self.came(who);
        }
        self.operations.heard_from(peer_id);
        let name = self.who(peer_id).name;
        self.outbox.spoke(peer_id, name.as_ref(), now);
        match (body, from) {
            (Body::Text(text) | Body::Greeting(text), Some(from)) => {
                self.heard_in_plain(peer_id, from.name.clone(), Assurance::Plain, &text);
                self.tell(Event::Message { from, text, cut, again: false, row: None });
            }
            (Body::Connect, _) => self.acknowledge(peer_id, now),
            (Body::ConnectRequest, _) => return PlainAnswer::Connected,
            _ => {}
        }
        PlainAnswer::Receipt
    }

    /// Hashpa's probe. Its header is our own address, so it makes nobody known; but who is known by that name there wants
    /// to be probed in the same way.
    fn pinged(&mut self, source: Source, name: Option<&PeerName>) {
        if name.is_none() || self.peers.len() > MAX_SEARCHED {
            return;
        }
        let is_it =
            |peer: &&Peer| peer.addr.source() == source && peer.name.as_ref() == name && !peer.wants_ping;
        let pinging: Vec<Recipient> = self.peers.rows().filter(is_it).map(|peer| peer.id).collect();
        for peer_id in pinging {
            self.peers.update(peer_id, |peer| peer.wants_ping = true);
        }
    }

    /// The recipient behind the sender of an unencrypted message. A sender that says anything
    /// unencrypted is a legacy peer from then on; a mere `connect` may come from a p2p-chat peer.
    fn sender(&mut self, addr: PeerAddr, said: bool) -> Recipient {
        let known = self.plain_id(addr);
        match (known, addr.plain()) {
            (Recipient::Address(_), Some(plain)) if said => {
                let legacy = protocol::plain::peer_at(plain).into();
                self.becomes(known, legacy);
                legacy
            }
            _ => known,
        }
    }

    /// The address that a sender is known at: the source IP of its connection with the port that it
    /// claims. But all of 127.0.0.0/8 is one machine, which dials from 127.0.0.1: from there a peer
    /// that is known by its claim is recognised, though not to say goodbye before it was seen to
    /// dial from there.
    fn address_of(&self, source: Source, claimed: Claimed, is_exit: bool) -> Option<PeerAddr> {
        let as_claimed = PeerAddr::new(claimed.ip, claimed.port);
        if claimed.ip == source.ip() {
            return as_claimed;
        }
        let proven = as_claimed.filter(|addr| {
            let peer = self.peers.legacy_at(*addr).filter(|peer| peer.addr == *addr);
            let same_machine = source.ip() == Ipv4Addr::LOCALHOST && claimed.ip.is_loopback() && !is_exit;
            peer.is_some_and(|peer| peer.speaks_from == Some(source) || same_machine)
        });
        proven.or_else(|| protocol::plain::sender_addr(source, claimed))
    }

    fn said_exit(&mut self, peer_id: Recipient, form: Form, now: Time) -> PlainAnswer {
        // Who is not known is not made known by leaving.
        let before = self.last_job;
        self.peers.update(peer_id, |peer| {
            peer.last_heard = Some(now);
            learn_form(peer, form, &Body::Exit);
            // It is not looked for any more, so nobody would see that another program listens there.
            peer.gives_receipts = false;
            peer.parted_after = before;
            peer.presence.left(OfflineReason::SaidGoodbye, now)
        });
        self.went(peer_id, OfflineReason::SaidGoodbye);
        PlainAnswer::Receipt
    }

    /// Sends `connect_ack`, or has it sent when the last one is long enough ago and there is room. Acknowledgements share
    /// the room of looks: both are dialed because of what others sent.
    pub(super) fn acknowledge(&mut self, peer_id: Recipient, now: Time) {
        let Some(prefix) = self.peers.peer(peer_id).map(Peer::prefix) else { return };
        if self.is_only_encrypted(peer_id) {
            return;
        }
        let has_room = self.probe_limiter.has_room(prefix);
        let last = self.acknowledged_at(peer_id);
        let is_time = self.peers.update(peer_id, |peer| {
            let spaced = last.map_or(now, |last| last.plus(ACK_SPACING));
            let due = if peer.acking { spaced.max(now.plus(ACK_LATER)) } else { spaced };
            if due > now || !has_room {
                peer.ack_due = Some(due);
                return due <= now;
            }
            peer.acking = true;
            peer.acked_at = Some(now);
            peer.ack_due = None;
            true
        });
        if is_time != Some(true) || self.leaving {
            return;
        }
        if !has_room {
            self.wait_for_room(peer_id);
        } else {
            self.probe_limiter.begin(prefix);
            self.transmit(peer_id, Purpose::Ack, Outgoing::ConnectAck, None);
        }
    }

    /// When the last acknowledgement went to this address, whichever peer was there.
    fn acknowledged_at(&self, id: Recipient) -> Option<Time> {
        let row = self.peers.peer(id)?;
        let keys = self.proven_at(row.addr).into_iter().map(Recipient::key);
        let of_keys = keys.filter_map(|key| self.peers.peer(key)?.acked_at);
        row.acked_at.into_iter().chain(of_keys).max()
    }

    /// Whether `claimed` would be our own address if `ip` were one of this machine's.
    pub fn may_be_own(&self, ip: IpAddr, port: u16) -> bool {
        port == self.me.port
            && self.me.bind.is_unspecified()
            && !ip.is_loopback()
            && !self.own_ips.contains(&ip)
    }
}

/// Records the name that a peer gives itself. A peer with a key may introduce itself at the address
/// of a legacy peer. It gets neither that row nor its messages: it has to be asked first.
fn takes_name(peer: &mut Peer, name: Option<PeerName>, may_have_a_key: bool) {
    let is_legacy = matches!(peer.id, Recipient::Peer(PeerId::Legacy(_)));
    match name {
        Some(name) if peer.name.as_ref() == Some(&name) => peer.introduced_as = None,
        Some(name) if is_legacy && may_have_a_key && peer.name.is_some() => {
            peer.introduced_as = Some(name);
            peer.is_plain = false;
        }
        Some(name) => (peer.name, peer.introduced_as) = (Some(name), None),
        None => {}
    }
}

/// Remembers how a peer writes, so that it is written to in the same way.
fn learn_form(peer: &mut Peer, form: Form, body: &Body) {
    let is_handshake = matches!(body, Body::Connect | Body::ConnectAck);
    // SmartCookies writes its texts in the standard form; they do not show that it has become another program.
    if form != Form::Standard || peer.form == Form::R3 || is_handshake {
        peer.form = form;
    }
    if matches!(body, Body::Greeting(_)) {
        peer.wants_ping = true;
    } else if is_handshake || form != Form::Standard {
        peer.wants_ping = false;
    }
}
