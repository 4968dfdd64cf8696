//! Rows of peers that prove keys.

use std::time::Duration;

use super::announce::{PendingNews, PresenceNews};
use super::peer::Peer;
use super::program::Promise;
use super::{PeerOrigin, Peers};
use crate::core::ids::JobId;
use crate::core::presence::{OfflineReason, Presence, PresenceStatus};
use crate::core::time::Time;
use crate::core::trust::MAX_HINTS;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::SendError;
use crate::model::name::PeerName;
use crate::model::peer_id::Recipient;
use crate::model::session::RequestEnd;

/// How long a greeting may be on its way: connecting, the handshake and both hellos take no longer.
const GREETING_WITHIN: Duration = Duration::from_secs(3);

/// What the pin of a key says.
#[derive(Clone, Debug)]
pub(in crate::core) struct KeyFacts {
    pub(in crate::core) name: Option<PeerName>,
    /// The user has compared the key.
    pub(in crate::core) verified: bool,
    pub(in crate::core) contact: bool,
}

/// Where a key was proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::core) enum ProvenAt {
    /// At this address, which we dialed.
    Dialed(PeerAddr),
    /// On a connection that the peer dialed; its hello claims this address. `is_free` says that no
    /// messages wait for the address.
    Claimed { addr: PeerAddr, is_free: bool },
}

impl Peers {
    /// A peer proves a key: it gets a row. The peer dialed at the address, or seen to speak from it
    /// just now, is this peer. Returns whether its row was that of the address, and keeps its
    /// number; `None` if the table has no room.
    ///
    /// An address that the peer only claims becomes the one that it is dialed at first if it did
    /// not answer elsewhere until now.
    pub(in crate::core) fn met(&mut self, key: PublicKey, at: ProvenAt, now: Time) -> Option<bool> {
        let id = Recipient::key(key);
        let (addr, is_dialed, origin) = match at {
            ProvenAt::Dialed(addr) => (addr, true, PeerOrigin::SentTo),
            ProvenAt::Claimed { addr, .. } => (addr, false, PeerOrigin::Heard),
        };
        let is_free = matches!(at, ProvenAt::Claimed { is_free: true, .. });
        let at_addr = Recipient::Address(addr);
        let is_this = is_dialed || is_free && self.is_only_claimed(at_addr);
        let took_address = is_this && self.rekey(at_addr, id);
        let is_new = !self.knows(id) && !self.set_aside.contains_key(&id);
        if !self.add(id, addr, origin, now) {
            return None;
        }
        if is_new && !is_dialed {
            self.give_number(at_addr, id);
        }
        self.update(id, |peer| {
            if took_address && !is_dialed {
                // The result of a job for the address shows nothing of this peer.
                peer.presence.probe_ended(now);
                peer.acks.is_under_way = false;
            }
            peer.added = peer.added.or(Some(now));
            let answers = matches!(peer.status(), PresenceStatus::Connected | PresenceStatus::Online);
            if is_dialed || !answers {
                peer.moves_to(addr);
            }
        });
        Some(took_address)
    }

    /// A new key claims an address whose row the user was not told of: most likely both are one
    /// peer, which is about to be dialed there. The row of the key, which is announced, gets the
    /// number of the address now, so that it keeps its number when it proves itself there. A number
    /// that the user has read keeps its meaning until then.
    fn give_number(&mut self, at_addr: Recipient, id: Recipient) {
        let is_untold = |peer: &&Peer| peer.origin == PeerOrigin::Heard && self.is_unannounced(peer.id);
        let Some(given) = self.peer(at_addr).filter(is_untold).map(|peer| peer.number) else { return };
        let Some(fresh) = self.update(id, |peer| std::mem::replace(&mut peer.number, given)) else { return };
        self.update(at_addr, |peer| peer.number = fresh);
    }

    /// Whether the row of an address only belongs to a peer that spoke to us from there: not
    /// configured, and never seen to listen there.
    fn is_only_claimed(&self, id: Recipient) -> bool {
        let is_heard = |peer: &Peer| peer.origin == PeerOrigin::Heard && !peer.presence.is_proven();
        self.peer(id).is_some_and(is_heard)
    }

    /// A peer has proven its key at an address that we dialed: it takes over the row of that
    /// address, if there is one still.
    pub(in crate::core) fn proved_itself_at(&mut self, key: PublicKey, addr: PeerAddr, now: Time) {
        let (id, at_addr) = (Recipient::key(key), Recipient::Address(addr));
        self.inherit(at_addr, id);
        self.was_dialed(id, true);
        let Some(before) = self.take(at_addr) else { return };
        self.update(id, |peer| {
            if peer.added.is_some_and(|added| now.since(added) < GREETING_WITHIN) {
                // It was introduced a few seconds ago and keeps the number of its address.
                peer.number = peer.number.min(before.number);
            }
            peer.acks.sent_at = peer.acks.sent_at.max(before.acks.sent_at);
        });
    }

    /// A key has proven itself where a legacy peer was, which is therefore offline.
    pub(in crate::core) fn replaced(
        &mut self,
        legacy: Recipient,
        by: PublicKey,
        last_job: JobId,
        now: Time,
    ) -> Option<PresenceNews> {
        self.inherit(legacy, Recipient::key(by));
        self.update(legacy, |peer| {
            peer.program.forget();
            peer.program.took_plain = false;
            peer.leaves(OfflineReason::Replaced, last_job, now)
        })?
    }

    /// The peer `to` is at an address that the user configured without a key: it is the configured
    /// one.
    fn inherit(&mut self, from: Recipient, to: Recipient) {
        let Some(configured) = self.peer(from).filter(|peer| peer.origin == PeerOrigin::Static) else {
            return;
        };
        let form = configured.program.configured_form;
        self.update(from, |peer| {
            peer.origin = PeerOrigin::SentTo;
            peer.presence.not_configured();
        });
        self.update(to, |peer| {
            peer.origin = PeerOrigin::Static;
            peer.program.configured_form = form;
            peer.presence.configured();
        });
    }

    /// Records what the pin of a key says. `heard_at` is given if the peer was heard of now.
    pub(in crate::core) fn learn_key(&mut self, key: PublicKey, facts: KeyFacts, heard_at: Option<Time>) {
        let KeyFacts { name, verified, contact } = facts;
        self.update(Recipient::key(key), |peer| {
            peer.name = name.or(peer.name.take());
            peer.verified = verified;
            if contact {
                peer.becomes_contact();
            }
            peer.claimed = None;
            peer.acks.due = None;
            peer.program.promise = Promise::None;
            peer.last_heard = heard_at.or(peer.last_heard);
        });
    }

    /// A key that we do not accept has proven itself at an address that we dialed.
    /// [`Peers::has_refused_key`] follows.
    pub(in crate::core) fn refuses(&mut self, key: PublicKey, addr: PeerAddr) {
        self.update(Recipient::Address(addr), |peer| {
            peer.refused_key = Some(key);
            peer.announcement = PendingNews::default();
            peer.acks.due = None;
        });
    }

    /// A key that we do not accept has dialed us and claims an address. If the address has a row
    /// because something spoke to us from there, it is most likely the same peer, until another one
    /// proves itself there.
    pub(in crate::core) fn refuses_claim(&mut self, key: PublicKey, addr: PeerAddr) {
        self.update(Recipient::Address(addr), |peer| {
            if peer.origin == PeerOrigin::Heard {
                peer.refused_key = Some(key);
            }
        });
    }

    /// The session with a key that we do not accept is over. The peer that the row of the address
    /// stands for is not there.
    pub(in crate::core) fn has_refused_key(&mut self, addr: PeerAddr, now: Time) {
        self.update(Recipient::Address(addr), |peer| {
            if peer.refused_key.is_some() {
                peer.presence.is_taken(now);
            }
        });
    }

    /// The user accepts a key that was met at `addr`, where it is dialed first. If the
    /// address has a row because of this key, the row is the key's from now on.
    pub(in crate::core) fn accept(&mut self, key: PublicKey, addr: PeerAddr, now: Time) {
        let (id, at_addr) = (Recipient::key(key), Recipient::Address(addr));
        let is_its = self.peer(at_addr).is_some_and(|peer| peer.refused_key == Some(key));
        if is_its && self.rekey(at_addr, id) {
            self.update(id, |peer| {
                peer.presence = Presence::of_heard(now);
                if peer.origin == PeerOrigin::Static {
                    peer.presence.configured();
                }
            });
        }
        self.add(id, addr, PeerOrigin::SentTo, now);
        self.update(id, |peer| peer.moves_to(addr));
    }

    /// The user says that a key is the new one of a peer. The row goes to the new key, and keeps
    /// the number that the user knows it by.
    pub(in crate::core) fn change_key(&mut self, old: PublicKey, new: PublicKey) {
        self.remove(Recipient::key(new));
        self.rekey(Recipient::key(old), Recipient::key(new));
    }

    /// The user has compared a key.
    pub(in crate::core) fn verify(&mut self, key: PublicKey) {
        self.update(Recipient::key(key), |peer| {
            peer.verified = true;
            peer.becomes_contact();
        });
    }

    /// A peer has said where else it listens.
    pub(in crate::core) fn listens_also(&mut self, id: Recipient, mut also: Vec<PeerAddr>) {
        also.truncate(MAX_HINTS + 1);
        self.update(id, |peer| peer.also = also.into());
    }

    /// Where else a peer says that it listens.
    pub(in crate::core) fn also(&self, id: Recipient) -> &[PeerAddr] {
        self.peer(id).map_or(&[], |peer| &peer.also)
    }

    /// A session with a key was asked for at an address, and ended like this. Notes whether the
    /// peer is there, if that is where it is dialed first.
    pub(in crate::core) fn looked_for(
        &mut self,
        key: PublicKey,
        at: PeerAddr,
        was_met: bool,
        end: &RequestEnd,
    ) {
        let is_another = matches!(
            end,
            RequestEnd::NoSession
                | RequestEnd::WrongKey(_)
                | RequestEnd::Ourselves
                | RequestEnd::Incompatible
                | RequestEnd::NotSecure
                | RequestEnd::Unreachable(SendError::Refused)
        );
        if was_met || is_another {
            self.update(Recipient::key(key), |peer| {
                if peer.addr == at {
                    peer.is_elsewhere = !was_met;
                }
            });
        }
    }

    /// Whether the user has disconnected from a peer.
    pub(in crate::core) fn is_disconnected(&self, id: Recipient) -> bool {
        self.disconnected_at(id).is_some()
    }

    /// Whether the user disconnected from a peer so recently that its greeting may have been on
    /// its way. Such a greeting does not bring the peer back.
    pub(in crate::core) fn is_just_disconnected(&self, id: Recipient, now: Time) -> bool {
        self.disconnected_at(id).is_some_and(|since| now.since(since) < GREETING_WITHIN)
    }

    fn disconnected_at(&self, id: Recipient) -> Option<Time> {
        let (since, why) = self.peer(id)?.presence.offline()?;
        (why == OfflineReason::Disconnected).then_some(since)
    }
}
