//! Unencrypted messages that arrive: which peer each is from, and what it changes.

use super::event::{Event, Output, PlainAnswer};
use super::jobs::Job;
use super::peers::{AckDecision, Goodbye, HeardPlain, PeerOrigin, PlainMessage};
use super::time::Time;
use super::trust::{Meeting, Policy};
use super::{Purpose, State};
use crate::model::address::{PeerAddr, Source};
use crate::model::message::{Body, Decoded, Form, Outgoing, Plain};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::Assurance;
use crate::protocol;

/// The content of one unencrypted connection.
#[derive(Clone, Debug)]
pub struct PlainReceived {
    /// Where it came from.
    pub source: Source,
    /// Its messages.
    pub decoded: Vec<Decoded>,
    /// The last message was too long, or did not end in time, or broke off.
    pub cut: bool,
}

impl State {
    /// Takes the content of one unencrypted connection.
    pub fn plain_received(&mut self, received: PlainReceived, now: Time) -> (PlainAnswer, Vec<Output>) {
        // Unencrypted messages claim IPv4 addresses; peers on IPv6 use sessions.
        if self.closed || received.source.ip().is_ipv6() {
            return (PlainAnswer::Nothing, Vec::new());
        }
        let PlainReceived { source, decoded, cut } = received;
        let is_blocked = self.trust.is_blocked_source(source);
        if self.trust.requires_encryption() && !decoded.is_empty() {
            // `connect` contains nothing secret, and the receipt shows that there are sessions.
            let asks = |piece: &Decoded| matches!(piece, Decoded::Message(Plain { body: Body::Connect, .. }));
            if !cut && decoded.iter().all(asks) && (!is_blocked || self.book().has_contact_at(source)) {
                return (PlainAnswer::Capable, Vec::new());
            }
            if !is_blocked && let Some(count) = self.notices.refused_plain(now) {
                self.tell(Event::PlainRefused(source, count));
            }
            return (PlainAnswer::Nothing, self.done());
        }
        // A program that writes in another form does not understand the key in a receipt, and shows
        // it to its user.
        let capable =
            decoded.iter().all(|piece| matches!(piece, Decoded::Message(Plain { form: Form::STANDARD, .. })));
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
                    let is_stranger =
                        self.trust.policy() != Policy::AcceptNew && !self.book().has_contact_at(source);
                    if !is_blocked && !is_stranger {
                        self.tell(Event::Unreadable { source, what });
                    }
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
        if !self.trust.is_blocked_source(source) {
            self.refusals.count(source, now);
        }
        self.done()
    }

    /// Handles an unencrypted message, unless its sender is blocked, has our own address, is a
    /// stranger that the policy decides about, or claims to be a peer with a key.
    pub(super) fn message(&mut self, source: Source, message: Plain, cut: bool, now: Time) -> PlainAnswer {
        let Plain { claimed, ref name, ref body, .. } = message;
        if *body == Body::Ping {
            if self.trust.is_blocked_source(source) && !self.book().has_contact_at(source) {
                return PlainAnswer::Nothing;
            }
            self.peers.pinged(source, name.as_ref());
            return PlainAnswer::Receipt;
        }
        let Some(addr) = self.peers.sender_addr(source, claimed, *body == Body::Exit) else {
            return PlainAnswer::Nothing;
        };
        if let Some(answer) = self.answer_to_blocked(source, addr, name.as_ref(), body) {
            return answer;
        }
        if self.own_addrs.contains(addr) {
            if let Body::Text(text) | Body::Greeting(text) = message.body {
                // Under the other policies no text of a stranger is shown.
                let text = (self.trust.policy() == Policy::AcceptNew).then_some(text);
                self.tell(Event::Impostor { source, claimed, text });
            }
            return PlainAnswer::Nothing;
        }
        if let Some(id) = self.unlisted_stranger(addr) {
            return self.meets_unlisted(id, source, addr, message, cut, now);
        }
        // Perhaps the user has named it meanwhile.
        self.release(self.peers.plain_id(addr), now);
        if self.is_unproven(source, addr, name.as_ref(), body, cut) {
            return PlainAnswer::Receipt;
        }
        self.message_from(source, addr, message, cut, now)
    }

    /// Handles an unencrypted message from the legacy peer at an address, or from a peer there that
    /// is not known yet.
    fn message_from(
        &mut self,
        source: Source,
        addr: PeerAddr,
        message: Plain,
        cut: bool,
        now: Time,
    ) -> PlainAnswer {
        let Plain { claimed, form, name, body } = message;
        let said = matches!(body, Body::Text(_) | Body::Greeting(_));
        let peer_id = self.sender(addr, said, now);
        if body == Body::Exit {
            // A peer that is not known is not made known by its goodbye.
            let last_job = self.jobs.last();
            let news = self.peers.said_goodbye(peer_id, Goodbye::Plain(form), last_job, now);
            self.tell_presence(news);
            return PlainAnswer::Receipt;
        }
        if !self.add_peer(peer_id, addr, PeerOrigin::Heard, now) {
            return PlainAnswer::Nothing;
        }
        if body == Body::ConnectAck && self.peers.is_disconnected(peer_id) {
            // It answers a `connect` from before we said goodbye. If we have sent another, the
            // result of that one brings the peer back.
            return PlainAnswer::Receipt;
        }
        let is_claimed = self.is_claimed(peer_id);
        let message = PlainMessage { source, addr, claimed, form, name, body: &body };
        let Some(HeardPlain { news, from }) = self.peers.heard_plain(peer_id, message, is_claimed, now)
        else {
            return PlainAnswer::Nothing;
        };
        self.tell_presence(news);
        self.operations.heard_from(peer_id);
        self.outbox.spoke(peer_id, from.name.as_ref(), now);
        match body {
            Body::Text(text) | Body::Greeting(text) => {
                self.heard_in_plain(peer_id, from.name.clone(), Assurance::Plain, source, &text);
                self.tell_message(Event::Message {
                    from,
                    text,
                    cut,
                    sent: None,
                    again: false,
                    to_all: false,
                    row: None,
                });
            }
            Body::Connect => self.acknowledge(peer_id, now),
            Body::ConnectRequest => return PlainAnswer::Connected,
            Body::ConnectAck | Body::Exit | Body::Ping => {}
        }
        PlainAnswer::Receipt
    }

    /// The answer to a message from a blocked source or address, or under a blocked name; `None` if
    /// it has none of these, or comes from a contact.
    fn answer_to_blocked(
        &self,
        source: Source,
        addr: PeerAddr,
        name: Option<&PeerName>,
        body: &Body,
    ) -> Option<PlainAnswer> {
        let may_have_sessions = if self.trust.is_blocked_source(source) {
            // A contact there has to learn that there are sessions, and how it introduces itself is
            // no proof of who it is.
            self.book().has_contact_at(source)
        } else if self.trust.is_blocked_plain(addr, name) {
            // Another peer may have the name of a blocked one. Unless it learns that there are
            // sessions, it takes us for a legacy program and sends its messages unencrypted.
            !self.trust.is_blocked_at(addr)
        } else {
            return None;
        };
        let is_let_in = *body == Body::Connect && may_have_sessions;
        let answer = if is_let_in { PlainAnswer::Receipt } else { PlainAnswer::Nothing };
        (!self.book().is_contact(self.peers.plain_id(addr))).then_some(answer)
    }

    /// Returns the legacy peer that may be at an address if the policy decides about it: it is no
    /// contact, it is not listed, and the user does not wait for it.
    fn unlisted_stranger(&self, addr: PeerAddr) -> Option<PeerId> {
        let id = protocol::plain::peer_at(addr.plain()?);
        if self.trust.policy() == Policy::AcceptNew && !self.trust.is_requested(id) {
            return None;
        }
        let is_met =
            |id: Recipient| self.peers.knows(id) || self.book().is_contact(id) || self.outbox.count(id) > 0;
        let is_connecting =
            |(_, job): (_, &Job)| job.dialed == Some(addr) && matches!(job.purpose, Purpose::Connect(_));
        let is_known = [self.peers.plain_id(addr), id.into()].into_iter().any(is_met)
            || self.jobs.iter().any(is_connecting);
        (!is_known).then_some(id)
    }

    /// Handles an unencrypted message of a stranger that the policy decides about. A mere `connect`
    /// may come from a p2p-chat peer, which learns from the receipt that there are sessions. A
    /// message gets no receipt, as in a session.
    fn meets_unlisted(
        &mut self,
        id: PeerId,
        source: Source,
        addr: PeerAddr,
        message: Plain,
        cut: bool,
        now: Time,
    ) -> PlainAnswer {
        match message.body {
            Body::Text(_) | Body::Greeting(_) | Body::ConnectRequest => {}
            Body::Connect | Body::ConnectAck | Body::Exit | Body::Ping => return PlainAnswer::Receipt,
        }
        let name = message.name.clone();
        self.judge(Meeting { id, name, addr, dialed: false, source, date: 0 }, now);
        self.trust.hold_plain(id, message, cut);
        PlainAnswer::Nothing
    }

    /// The recipient behind the sender of an unencrypted message. A sender that says anything
    /// unencrypted is a legacy peer from then on; a mere `connect` may come from a p2p-chat peer.
    fn sender(&mut self, addr: PeerAddr, said: bool, now: Time) -> Recipient {
        let known = self.peers.plain_id(addr);
        match (known, addr.plain()) {
            (Recipient::Address(_), Some(plain)) if said => {
                let legacy = protocol::plain::peer_at(plain).into();
                self.becomes(known, legacy, now);
                legacy
            }
            _ => known,
        }
    }

    /// Sends `connect_ack` to a peer, or lets the peer wait until the last one is long enough ago
    /// and there is room. Acknowledgements share the room of probes: both are dialed because of
    /// what others sent.
    pub(super) fn acknowledge(&mut self, peer_id: Recipient, now: Time) {
        let Some(addr) = self.peers.addr(peer_id) else { return };
        // A peer that has promised sessions is dialed for one, which says as much.
        if self.leaving || self.trust.is_only_encrypted(peer_id) || self.peers.promised(peer_id).is_some() {
            return;
        }
        let has_room = self.probe_limiter.has_room(addr.share());
        let keys = self.trust.proven_at(addr);
        match self.peers.acknowledge(peer_id, keys, has_room, now) {
            Some(AckDecision::Send) => {
                if let Some(job) = self.send_plain(peer_id, Purpose::Ack, Outgoing::ConnectAck, None) {
                    self.probe_limiter.begin(job, addr.share());
                }
            }
            Some(AckDecision::NoRoom) => self.wait_for_room(peer_id),
            Some(AckDecision::Later) | None => {}
        }
    }
}
