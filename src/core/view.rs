//! Questions that depend on what waits or is under way. Those about the peers themselves are asked
//! of the [`PeerBook`](super::PeerBook).

use std::collections::BTreeSet;

use super::jobs::Job;
use super::peers::Row;
use super::presence::PresenceStatus;
use super::time::Time;
use super::trust::PeerRequest;
use super::{PeerOrigin, State, UnderWay};
use crate::model::address::PeerAddr;
use crate::model::peer_id::Recipient;

impl State {
    /// The table as it is believed to be, unverified, in the order of the numbers. An address that
    /// an online peer claims, and where its key is being checked, is left out unless the user
    /// configured it.
    pub fn rows(&self, now: Time) -> Vec<Row> {
        let book = self.book();
        let with_contact = |row: Row| Row { contact: book.is_contact(row.id), ..row };
        let claimed: BTreeSet<PeerAddr> = self.claimed().collect();
        let is_claimed = |row: &Row| matches!(row.id, Recipient::Address(addr) if claimed.contains(&addr));
        self.peers
            .list(now)
            .into_iter()
            .filter(|row| row.origin == PeerOrigin::Static || !is_claimed(row))
            .map(with_contact)
            .collect()
    }

    /// Returns how many peers are online.
    pub fn online_count(&self) -> usize {
        self.peers.online(&self.claimed().collect())
    }

    /// The addresses that a peer with a key claims, while the peer is online and is being dialed
    /// there.
    pub(super) fn claimed(&self) -> impl Iterator<Item = PeerAddr> {
        let claims = |job: &&Job| {
            let is_there = |addr| job.expect.is_some_and(|key| self.peers.is_online_at(key.into(), addr));
            job.dialed.is_some_and(is_there)
        };
        self.jobs.iter().map(|(_, job)| job).filter(claims).filter_map(|job| job.dialed)
    }

    /// Whether a recipient is an address that a peer with a key claims.
    pub(super) fn is_claimed(&self, id: Recipient) -> bool {
        matches!(id, Recipient::Address(addr) if self.claimed().any(|claimed| claimed == addr))
    }

    /// Returns the peers that wait for the user's decision, and how many more found no room.
    pub fn requests(&self) -> (Vec<PeerRequest>, usize) {
        let (requests, more) = self.trust.requests();
        (requests.iter().map(|request| self.request_now(request)).collect(), more)
    }

    /// Returns the requests that a word of the user may mean.
    pub fn requests_for(&self, word: &str) -> Vec<PeerRequest> {
        self.trust.requests_for(word).into_iter().map(|request| self.request_now(request)).collect()
    }

    /// Returns a request with what is known now of the contacts whose name it claims.
    pub(super) fn request_now(&self, request: &PeerRequest) -> PeerRequest {
        request.clone().with_presence(|key| {
            let id = Recipient::key(key);
            self.peers.has_session(id) && self.peers.presence_of(id) != Some(PresenceStatus::Unreachable)
        })
    }

    /// Returns how many messages wait for a recipient.
    pub fn queued(&self, id: Recipient) -> usize {
        self.outbox.count(id)
    }

    /// How much is under way. Nothing is kept of what is over.
    pub fn under_way(&self) -> UnderWay {
        UnderWay {
            jobs: self.jobs.len(),
            unasked: self.probe_limiter.under_way(),
            commands: self.operations.len(),
        }
    }
}
