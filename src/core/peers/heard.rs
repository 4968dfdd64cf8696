//! What a peer sends changes in its row: its name, its form, that it is online, that it leaves.

use std::net::Ipv4Addr;

use super::Peers;
use super::announce::PresenceNews;
use super::peer::Peer;
use crate::core::ids::JobId;
use crate::core::peer_info::{PeerInfo, Verification};
use crate::core::presence::OfflineReason;
use crate::core::time::Time;
use crate::model::address::{Claimed, PeerAddr, Source};
use crate::model::message::{Body, Form};
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};
use crate::protocol;

/// Rows that are searched for the sender of a `PING`; a longer table is not worth the time under
/// the lock.
const MAX_SEARCHED: usize = 256;

/// An unencrypted message, as far as the row of its sender is concerned.
#[derive(Clone, Debug)]
pub(in crate::core) struct PlainMessage<'a> {
    pub(in crate::core) source: Source,
    /// The address that the sender is known at.
    pub(in crate::core) addr: PeerAddr,
    pub(in crate::core) claimed: Claimed,
    pub(in crate::core) form: Form,
    pub(in crate::core) name: Option<PeerName>,
    pub(in crate::core) body: &'a Body,
}

impl PlainMessage<'_> {
    /// Whether the user reads it.
    fn is_shown(&self) -> bool {
        matches!(self.body, Body::Text(_) | Body::Greeting(_))
    }

    /// Whether a p2p-chat peer may have sent it: those introduce themselves like this, too.
    fn may_have_a_key(&self) -> bool {
        self.form == Form::STANDARD && matches!(self.body, Body::Connect | Body::ConnectAck)
    }
}

/// What follows from an unencrypted message.
#[derive(Clone, Debug)]
pub(in crate::core) struct HeardPlain {
    /// What the user is told before they read the message.
    pub(in crate::core) news: Option<PresenceNews>,
    /// Returns the sender for the line of the message: as unencrypted, even if it can encrypt.
    pub(in crate::core) from: PeerInfo,
}

/// How a peer said goodbye.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::core) enum Goodbye {
    /// Unencrypted, in this form.
    Plain(Form),
    /// In a session, so it was the peer.
    Session,
}

impl Peers {
    /// A peer has sent an unencrypted message other than a goodbye. `is_claimed` says that a peer
    /// with a key claims this address, which is announced instead.
    pub(in crate::core) fn heard_plain(
        &mut self,
        id: Recipient,
        message: PlainMessage<'_>,
        is_claimed: bool,
        now: Time,
    ) -> Option<HeardPlain> {
        // All in one go: in a long table, finding the row is what takes the time.
        self.update(id, |peer| {
            let is_shown = message.is_shown();
            peer.takes_message(message, now);
            let news = if is_claimed { None } else { peer.announce(is_shown, now) };
            if is_shown {
                peer.announcement.tell();
            }
            HeardPlain { news, from: PeerInfo { verification: Verification::Plain, ..peer.info() } }
        })
    }

    /// A program at `source` has sent Hashpa's probe. Its header is our own address, so it makes no
    /// peer known. But a peer that is known there by that name wants to be probed in the same way.
    pub(in crate::core) fn pinged(&mut self, source: Source, name: Option<&PeerName>) {
        if name.is_none() || self.len() > MAX_SEARCHED {
            return;
        }
        let is_it = |peer: &&Peer| peer.addr.source() == source && peer.name.as_ref() == name;
        let pinging: Vec<Recipient> = self.rows.values().filter(is_it).map(|peer| peer.id).collect();
        for id in pinging {
            self.update(id, |peer| peer.program.wants_ping = true);
        }
    }

    /// The address that the sender of an unencrypted message is known at: the source IP of its
    /// connection with the port that it claims. But all of 127.0.0.0/8 is one machine, which dials
    /// from 127.0.0.1: from there a peer that is known by its claim is recognised, though not to
    /// say goodbye before it was seen to dial from there.
    pub(in crate::core) fn sender_addr(
        &self,
        source: Source,
        claimed: Claimed,
        is_exit: bool,
    ) -> Option<PeerAddr> {
        let as_claimed = PeerAddr::new(claimed.ip, claimed.port);
        if claimed.ip == source.ip() {
            return as_claimed;
        }
        let proven = as_claimed.filter(|addr| {
            let peer = self.legacy_row_at(*addr).filter(|peer| peer.addr == *addr);
            let same_machine = source.ip() == Ipv4Addr::LOCALHOST && claimed.ip.is_loopback() && !is_exit;
            peer.is_some_and(|peer| peer.speaks_from == Some(source) || same_machine)
        });
        proven.or_else(|| protocol::plain::sender_addr(source, claimed))
    }

    /// Something came from a peer in a session.
    pub(in crate::core) fn heard_session(&mut self, id: Recipient, now: Time) -> Option<PresenceNews> {
        self.update(id, |peer| {
            peer.last_heard = Some(now);
            peer.program.shook_hands = true;
            peer.presence.heard(now);
            peer.presence.connected();
            peer.announce(false, now)
        })?
    }

    /// A peer has said goodbye after the job `last_job`.
    pub(in crate::core) fn said_goodbye(
        &mut self,
        id: Recipient,
        goodbye: Goodbye,
        last_job: JobId,
        now: Time,
    ) -> Option<PresenceNews> {
        self.update(id, |peer| {
            peer.last_heard = Some(now);
            if let Goodbye::Plain(form) = goodbye {
                peer.program.wrote(form, &Body::Exit);
                // It is not probed any more, so a new program there would stay unnoticed.
                peer.program.gives_receipts = false;
            }
            peer.leaves(OfflineReason::SaidGoodbye, last_job, now)
        })?
    }

    /// We have said goodbye to a peer with the job `last_job` at the latest, because the user
    /// disconnected from it. They wanted it, so it is no news.
    pub(in crate::core) fn disconnected(&mut self, id: Recipient, last_job: JobId, now: Time) {
        self.update(id, |peer| peer.leaves(OfflineReason::Disconnected, last_job, now));
    }

    /// The user disconnects from a peer that is offline. If it is a contact, it is not dialed again
    /// until one side writes.
    pub(in crate::core) fn not_redialed(&mut self, id: Recipient, last_job: JobId, now: Time) {
        let replaced =
            |peer: &Peer| peer.presence.offline().is_some_and(|(_, why)| why == OfflineReason::Replaced);
        self.update(id, |peer| {
            if peer.is_contact() && !peer.is_online() && !replaced(peer) {
                peer.leaves(OfflineReason::Disconnected, last_job, now);
            }
        });
    }

    /// The user writes to a peer or asks to be listed by it, even if they have disconnected from it
    /// before.
    pub(in crate::core) fn want(&mut self, id: Recipient) {
        self.update(id, |peer| peer.presence.want());
    }

    pub(in crate::core) fn has_session(&self, id: Recipient) -> bool {
        self.peer(id).is_some_and(|peer| peer.presence.has_session())
    }

    /// A peer was dialed at its address, and proved its key or did not.
    pub(in crate::core) fn was_dialed(&mut self, id: Recipient, did_prove: bool) {
        self.update(id, |peer| peer.is_dialable = Some(did_prove));
    }

    /// The address at which a peer with a session was not dialed yet.
    pub(in crate::core) fn undialed_addr(&self, id: Recipient) -> Option<PeerAddr> {
        let peer = self.peer(id).filter(|peer| peer.presence.has_session())?;
        peer.is_dialable.is_none().then_some(peer.addr)
    }

    /// A peer has opened a session from the IP of this address. If it was at another IP before, it
    /// has moved.
    pub(in crate::core) fn is_seen_at(&mut self, id: Recipient, addr: PeerAddr) {
        self.update(id, |peer| {
            if peer.addr.ip() != addr.ip() {
                peer.moves_to(addr);
            }
        });
    }

    /// A session with a peer is open, which we dialed or accepted.
    pub(in crate::core) fn session_opened(&mut self, id: Recipient, dialed: bool) {
        self.update(id, |peer| peer.presence.session_opened(dialed));
    }

    /// A session with a peer was closed by agreement.
    pub(in crate::core) fn session_closed(&mut self, id: Recipient, now: Time) {
        self.update(id, |peer| peer.presence.session_closed(now));
    }

    /// A session with a peer broke.
    pub(in crate::core) fn session_lost(&mut self, id: Recipient, now: Time) {
        self.update(id, |peer| peer.presence.session_lost(now));
    }
}

impl Peer {
    fn takes_message(&mut self, message: PlainMessage<'_>, now: Time) {
        let may_have_a_key = message.may_have_a_key();
        let PlainMessage { source, addr, claimed, form, name, body } = message;
        if claimed.ip == source.ip() && self.addr != addr && self.id.addr() == Some(addr) {
            // The peer that was found at another loopback address claims that address.
            self.moves_to(addr);
            self.presence.moved(now);
            self.speaks_from = None;
        }
        self.claimed = (claimed.ip != self.addr.ip()).then_some(claimed);
        self.takes_name(name, may_have_a_key);
        self.last_heard = Some(now);
        if source != self.addr.source() && self.presence.is_proven() {
            self.speaks_from = Some(source);
        }
        self.program.wrote(form, body);
        self.presence.heard(now);
        if matches!(body, Body::Connect | Body::ConnectAck | Body::ConnectRequest | Body::Greeting(_)) {
            self.presence.connected();
        }
    }

    /// Records the name that a peer gives itself. A peer with a key may introduce itself at the
    /// address of a legacy peer. It gets neither that row nor its messages: it has to be asked
    /// first.
    fn takes_name(&mut self, name: Option<PeerName>, may_have_a_key: bool) {
        let Some(name) = name else { return };
        let is_known = self.name.as_ref() == Some(&name);
        let is_legacy = matches!(self.id, Recipient::Peer(PeerId::Legacy(_)));
        if !is_known && is_legacy && may_have_a_key && self.name.is_some() {
            self.program.introduced_as = Some(name);
            self.program.took_plain = false;
            return;
        }
        self.program.introduced_as = None;
        self.name = Some(name);
    }

    /// One side has left the other after the job `last_job`, or another peer has its address.
    pub(super) fn leaves(&mut self, why: OfflineReason, last_job: JobId, now: Time) -> Option<PresenceNews> {
        self.left_after = Some(last_job);
        self.presence.left(why, now);
        self.goes_offline(why, now)
    }
}
