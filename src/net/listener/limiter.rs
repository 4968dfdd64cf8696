//! Limits the accepted connections that have not proven who they are, and chooses which one is
//! closed when there are too many. Without I/O: the time is passed in.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::address::{Source, SourcePrefix};
use crate::net::sessions::{MAX_OPENING, MAX_OPENING_OF_PREFIX};

/// How long a connection waits for a place at most before the longest silent one is closed for it.
/// In this time most handshakes end, so hundreds of peers that start at once do not close each
/// other.
pub(super) const HOLD_BACK: Duration = Duration::from_secs(1);

/// No connection is closed for another one before it has been silent this long. An honest sender
/// writes within a few milliseconds of connecting, even on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_millis(25);

/// The connections that are being read or have opened a session without a hello: at most
/// [`MAX_OPENING`], and [`MAX_OPENING_OF_PREFIX`] of one source prefix. Loopback has no such share.
/// `S` is the stream to close.
#[derive(Debug)]
pub(super) struct ConnectionLimiter<S> {
    last: u64,
    open: HashMap<u64, Open<S>>,
    of_prefix: HashMap<SourcePrefix, usize>,
}

#[derive(Debug)]
struct Open<S> {
    prefix: SourcePrefix,
    accepted: Instant,
    /// The stream while its sender is waited for, and when it last sent something.
    waits: Option<(Arc<S>, Instant)>,
    is_closing: bool,
}

impl<S> Default for ConnectionLimiter<S> {
    fn default() -> Self {
        Self { last: 0, open: HashMap::new(), of_prefix: HashMap::new() }
    }
}

impl<S> ConnectionLimiter<S> {
    /// Returns how many connections have a place.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Returns how many connections of a source prefix have a place.
    pub(super) fn count(&self, prefix: SourcePrefix) -> usize {
        self.of_prefix.get(&prefix).copied().unwrap_or(0)
    }

    /// Whether there is a place for a connection from `source`.
    pub(super) fn has_room(&self, source: Source) -> bool {
        self.open.len() < MAX_OPENING && !self.has_its_share(source)
    }

    fn has_its_share(&self, source: Source) -> bool {
        !source.ip().is_loopback() && self.count(source.share()) >= MAX_OPENING_OF_PREFIX
    }

    /// Gives a place to a connection from `source`.
    pub(super) fn open(&mut self, source: Source, accepted: Instant) -> u64 {
        self.last += 1;
        let prefix = source.share();
        *self.of_prefix.entry(prefix).or_default() += 1;
        self.open.insert(self.last, Open { prefix, accepted, waits: None, is_closing: false });
        self.last
    }

    /// The sender of a connection is waited for, so it may be closed for another one. It has been
    /// silent since `heard`.
    pub(super) fn waits(&mut self, id: u64, stream: Arc<S>, heard: Instant) {
        if let Some(open) = self.open.get_mut(&id).filter(|open| !open.is_closing) {
            open.waits = Some((stream, heard));
        }
    }

    /// Something came on a connection that is waited for.
    pub(super) fn heard(&mut self, id: u64, now: Instant) {
        if let Some((_, heard)) = self.open.get_mut(&id).and_then(|open| open.waits.as_mut()) {
            *heard = now;
        }
    }

    /// The sender of a connection is waited for no longer.
    pub(super) fn resumes(&mut self, id: u64) {
        if let Some(open) = self.open.get_mut(&id) {
            open.waits = None;
        }
    }

    /// Whether a connection was closed for another one.
    pub(super) fn is_closing(&self, id: u64) -> bool {
        self.open.get(&id).is_some_and(|open| open.is_closing)
    }

    /// Takes the place of a connection back.
    pub(super) fn remove(&mut self, id: u64) {
        let Some(Open { prefix, .. }) = self.open.remove(&id) else { return };
        if let Some(count) = self.of_prefix.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.of_prefix.remove(&prefix);
            }
        }
    }

    /// Returns the connection that is to be closed now for one from `source`, for which there is no
    /// room: of those that were accepted before it, the one that has been silent longest, of the
    /// same source prefix if that has its share, else of the prefix that has most. A prefix that
    /// has fewer places need not wait for [`HOLD_BACK`], and none has to if it is urgent.
    pub(super) fn displaced_by(
        &self,
        source: Source,
        accepted: Instant,
        is_urgent: bool,
        now: Instant,
    ) -> Option<u64> {
        let of_own = self.has_its_share(source);
        let own = self.count(source.share());
        let waiting = self.open.iter().filter(|(_, open)| open.accepted <= accepted);
        let waiting = waiting.filter(|(_, open)| !of_own || open.prefix == source.share());
        let waiting = waiting.filter_map(|(id, open)| {
            let (_, heard) = open.waits.as_ref()?;
            Some((*id, self.count(open.prefix), *heard))
        });
        let (id, count, heard) = waiting.min_by_key(|(_, count, heard)| (Reverse(*count), *heard))?;
        let is_early = is_urgent || !of_own && own + 1 < count;
        let due = if is_early { now } else { accepted + HOLD_BACK };
        (due.max(heard + PATIENCE) <= now).then_some(id)
    }

    /// Returns the connection that has been silent longest of the prefix that has most.
    pub(super) fn longest_silent(&self) -> Option<u64> {
        let waiting = self.open.iter();
        let waiting = waiting.filter_map(|(id, open)| Some((*id, open.prefix, open.waits.as_ref()?.1)));
        waiting.min_by_key(|(_, prefix, heard)| (Reverse(self.count(*prefix)), *heard)).map(|(id, ..)| id)
    }

    /// Marks a connection as closed for another one, and returns its stream.
    pub(super) fn displace(&mut self, id: u64) -> Option<Arc<S>> {
        let open = self.open.get_mut(&id)?;
        let (stream, _) = open.waits.take()?;
        open.is_closing = true;
        Some(stream)
    }

    /// The same for all connections whose senders are waited for.
    pub(super) fn displace_all(&mut self) -> Vec<Arc<S>> {
        let ids: Vec<u64> = self.open.keys().copied().collect();
        ids.into_iter().filter_map(|id| self.displace(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(last: u8) -> Source {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn loopback(last: u8) -> Source {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    /// Opens connections of a source while there is room, each silent since a millisecond later.
    fn fill(limiter: &mut ConnectionLimiter<()>, source: Source, now: Instant) -> Vec<u64> {
        let mut ids = Vec::new();
        while limiter.has_room(source) {
            let id = limiter.open(source, now);
            limiter.waits(id, Arc::new(()), now + Duration::from_millis(ids.len() as u64));
            ids.push(id);
        }
        ids
    }

    #[test]
    fn prefix_gets_its_share_and_loopback_everything() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        assert_eq!(fill(&mut limiter, source(1), now).len(), MAX_OPENING_OF_PREFIX);
        assert_eq!(fill(&mut limiter, source(2), now).len(), MAX_OPENING_OF_PREFIX);
        let rest = fill(&mut limiter, loopback(1), now);
        assert_eq!(rest.len(), MAX_OPENING - 2 * MAX_OPENING_OF_PREFIX);
        assert!(!limiter.has_room(source(3)), "all places are taken");
        limiter.remove(rest[0]);
        assert!(limiter.has_room(source(3)) && !limiter.has_room(source(1)));
    }

    #[test]
    fn full_prefix_displaces_its_own_longest_silent() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let own = fill(&mut limiter, source(1), now);
        fill(&mut limiter, source(2), now);
        let at = now + HOLD_BACK;
        limiter.heard(own[0], at);
        assert_eq!(limiter.displaced_by(source(1), now, false, at - Duration::from_millis(1)), None);
        assert_eq!(limiter.displaced_by(source(1), now, false, at), Some(own[1]));
    }

    #[test]
    fn newcomer_of_a_smaller_prefix_need_not_wait() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let held = fill(&mut limiter, loopback(1), now);
        let at = now + PATIENCE;
        assert_eq!(limiter.displaced_by(source(1), now, false, at - Duration::from_millis(1)), None);
        assert_eq!(limiter.displaced_by(source(1), now, false, at), Some(held[0]));
        assert_eq!(limiter.displaced_by(loopback(1), now, false, at), None);
        assert_eq!(limiter.displaced_by(loopback(1), now, false, now + HOLD_BACK), Some(held[0]));
        assert_eq!(limiter.displaced_by(loopback(1), now, true, at), Some(held[0]));
        let earlier = now - Duration::from_millis(1);
        assert_eq!(limiter.displaced_by(source(1), earlier, true, at), None, "they came later");
    }

    #[test]
    fn closed_connection_keeps_its_place_until_removed() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let held = fill(&mut limiter, loopback(1), now);
        assert!(limiter.displace(held[0]).is_some() && limiter.is_closing(held[0]));
        limiter.waits(held[0], Arc::new(()), now);
        assert!(limiter.displace(held[0]).is_none() && !limiter.has_room(source(1)));
        assert_eq!(limiter.longest_silent(), Some(held[1]));
        limiter.remove(held[0]);
        assert!(limiter.has_room(source(1)));
        assert_eq!(limiter.displace_all().len(), MAX_OPENING - 1);
        held.into_iter().for_each(|id| limiter.remove(id));
        assert!(limiter.len() == 0 && limiter.of_prefix.is_empty());
    }

    #[test]
    fn connection_in_a_handler_is_never_displaced() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let held = fill(&mut limiter, loopback(1), now);
        held.iter().for_each(|id| limiter.resumes(*id));
        let late = now + HOLD_BACK;
        assert_eq!(limiter.displaced_by(source(1), now, true, late), None);
        assert!(limiter.displace(held[0]).is_none() && limiter.longest_silent().is_none());
        limiter.waits(held[9], Arc::new(()), now);
        assert_eq!(limiter.displaced_by(source(1), now, true, late), Some(held[9]));
    }
}
