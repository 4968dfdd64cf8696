//! Dials: from the addresses of a peer to the first session that proves its key.

use std::collections::VecDeque;
use std::sync::Arc;

use super::link::{Link, in_window};
use super::{DIAL_SPACING, LinkId, weight};
use crate::core::{SessionRequest, Time};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::session::{Request, RequestEnd};
use crate::protocol::session::Record;

/// The peer that is dialed: a key, or an address at which any key may answer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum DialId {
    Key(PublicKey),
    Addr(PeerAddr),
    /// A key that has a session already: the dial only shows that the key is at this address.
    Probe(PublicKey, PeerAddr),
}

impl DialId {
    /// Returns whether the dial opens no session.
    pub(super) fn is_probe(&self) -> bool {
        matches!(self, Self::Probe(..))
    }
}

/// The dials to one peer that are under way, and the requests that wait for them.
#[derive(Debug)]
pub(super) struct KeyDial {
    pub(super) expect: Option<PublicKey>,
    /// Addresses that are not dialed yet.
    pub(super) addrs: VecDeque<PeerAddr>,
    pub(super) links: Vec<LinkId>,
    pub(super) requests: VecDeque<Pending>,
    /// When the next address is dialed, if none of those before has failed by then.
    pub(super) next: Time,
    /// The most telling end of those that failed.
    worst: Option<(PeerAddr, RequestEnd)>,
}

impl KeyDial {
    pub(super) fn new(expect: Option<PublicKey>, now: Time) -> Self {
        Self {
            expect,
            addrs: VecDeque::new(),
            links: Vec::new(),
            requests: VecDeque::new(),
            next: now,
            worst: None,
        }
    }

    /// Adds a request, and the addresses that it knows beside those known already.
    pub(super) fn add(&mut self, pending: Pending, dialed: &[PeerAddr]) {
        for addr in &pending.request.addrs {
            if !self.addrs.contains(addr) && !dialed.contains(addr) {
                self.addrs.push_back(*addr);
            }
        }
        self.requests.push_back(pending);
    }

    /// Returns whether an address is to be dialed now.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.next <= now && !self.addrs.is_empty()
    }

    /// Returns whether messages or a goodbye wait for it.
    pub(super) fn has_messages(&self) -> bool {
        let is_sent = |pending: &Pending| matches!(pending.request.say, Request::Messages(_) | Request::Bye);
        self.requests.iter().any(is_sent)
    }

    /// Returns the address to dial now, if one is due.
    pub(super) fn take_addr(&mut self, now: Time) -> Option<PeerAddr> {
        if !self.is_due(now) {
            return None;
        }
        let addr = self.addrs.pop_front()?;
        self.next = now.plus(DIAL_SPACING);
        Some(addr)
    }

    /// Takes the end of the dial to one address. The next one is dialed at once.
    pub(super) fn failed(&mut self, link: LinkId, addr: PeerAddr, end: RequestEnd, now: Time) {
        self.links.retain(|other| *other != link);
        self.next = now;
        // The peer was met there, and ended it.
        if matches!(end, RequestEnd::Bye(_) | RequestEnd::Answered) {
            self.addrs.clear();
            self.worst = Some((addr, end));
        } else if self.worst.as_ref().is_none_or(|(_, worst)| weight(worst) < weight(&end)) {
            self.worst = Some((addr, end));
        }
    }

    /// Returns whether every address has failed.
    pub(super) fn is_over(&self) -> bool {
        self.addrs.is_empty() && self.links.is_empty()
    }

    /// Returns the most telling end so far, and the address where it was.
    pub(super) fn worst(&self) -> Option<(PeerAddr, RequestEnd)> {
        self.worst.clone()
    }
}

/// A request that is not over.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) request: SessionRequest,
    /// The index of the message that is sent next.
    pub(super) next: usize,
    /// How many messages may have been sent in an earlier session, counted from the first.
    pub(super) written: usize,
    /// Which messages have their receipts.
    receipted: Vec<bool>,
    /// The index after the message that got the last receipt.
    after_receipt: usize,
    /// It was tried in a session that broke, and is tried once more.
    pub(super) is_retry: bool,
    /// The ping that it waits for, and when that was sent.
    pub(super) ping: Option<(u64, Time)>,
}

impl Pending {
    pub(super) fn new(request: SessionRequest) -> Self {
        let count = match &request.say {
            Request::Messages(messages) => messages.len(),
            _ => 0,
        };
        Self {
            request,
            next: 0,
            written: 0,
            receipted: vec![false; count],
            after_receipt: 0,
            is_retry: false,
            ping: None,
        }
    }

    /// How many messages without a receipt may have reached the peer.
    pub(super) fn written(&self) -> usize {
        let written = self.next.max(self.written);
        self.receipted.iter().take(written).filter(|has| !**has).count()
    }

    /// Adds the records of its next messages to `records`, as many as the window of the peer
    /// allows. Returns whether that was all.
    pub(super) fn write(&mut self, link: &mut Link, records: &mut Vec<u8>) -> bool {
        let Request::Messages(messages) = &self.request.say else { return true };
        while let Some((message, is_receipted)) = messages.get(self.next).zip(self.receipted.get(self.next)) {
            if !is_receipted {
                if !link.has_room(message) {
                    return false;
                }
                let record = Record::Text {
                    id: message.id,
                    time: message.time,
                    again: message.again || self.next < self.written,
                    to_all: message.to_all,
                    body: Arc::clone(&message.body),
                };
                let before = records.len();
                record.encode_into(records);
                link.unsent += records.len() - before;
                link.in_flight.push(message.id, in_window(message), message.body.len());
            }
            self.next += 1;
        }
        true
    }

    /// Takes a receipt. Returns whether it was for one of its messages.
    pub(super) fn receipt(&mut self, id: MessageId) -> bool {
        let Request::Messages(messages) = &self.request.say else { return false };
        // Receipts mostly come in order.
        let all = || messages.iter().enumerate();
        let found = all().skip(self.after_receipt).chain(all()).find(|(_, message)| message.id == id);
        let Some((at, has)) = found.and_then(|(at, _)| Some((at, self.receipted.get_mut(at)?))) else {
            return false;
        };
        *has = true;
        self.after_receipt = at + 1;
        true
    }

    /// Returns whether every message has its receipt.
    pub(super) fn is_receipted(&self) -> bool {
        self.receipted.iter().all(|has| *has)
    }

    /// Its session is over: it begins anew in another one.
    pub(super) fn restart(&mut self) {
        self.written = self.next.max(self.written);
        self.next = 0;
        self.ping = None;
    }

    /// Returns whether its time is over.
    pub(super) fn is_late(&self, now: Time) -> bool {
        self.request.deadline.is_some_and(|deadline| deadline <= now)
    }
}
