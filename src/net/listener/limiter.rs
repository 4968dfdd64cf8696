//! Limits the accepted connections that have not proven who they are, and chooses which one is
//! closed when there are too many. Without I/O: the time is passed in.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::address::{Source, SourcePrefix};
use crate::net::sessions::{MAX_OPENING, MAX_OPENING_OF_PREFIX};

/// How long a connection waits for a place at most before the longest silent one is closed for it. In
/// this time most handshakes end, so hundreds of peers that start at once do not close each other.
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
    /// Connections that were closed for others and still have their places.
    closing: usize,
}

#[derive(Debug)]
struct Open<S> {
    prefix: SourcePrefix,
    /// The stream while its sender is waited for, and when it last sent something.
    waits: Option<(Arc<S>, Instant)>,
    is_closing: bool,
}

/// How badly a connection needs a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Need {
    /// It may wait for [`HOLD_BACK`], from when it was accepted.
    Since(Instant),
    /// No further connection can be accepted before it has a place.
    Now,
}

impl<S> Default for ConnectionLimiter<S> {
    fn default() -> Self {
        Self { last: 0, open: HashMap::new(), of_prefix: HashMap::new(), closing: 0 }
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
    pub(super) fn open(&mut self, source: Source) -> u64 {
        self.last += 1;
        let prefix = source.share();
        *self.of_prefix.entry(prefix).or_default() += 1;
        self.open.insert(self.last, Open { prefix, waits: None, is_closing: false });
        self.last
    }

    /// The sender of a connection is waited for, so it may be closed for another one.
    pub(super) fn waits(&mut self, id: u64, stream: Arc<S>, now: Instant) {
        if let Some(open) = self.open.get_mut(&id) {
            open.waits = Some((stream, now));
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
        let Some(Open { prefix, is_closing, .. }) = self.open.remove(&id) else { return };
        self.closing -= usize::from(is_closing);
        if let Some(count) = self.of_prefix.get_mut(&prefix) {
            *count -= 1;
            if *count == 0 {
                self.of_prefix.remove(&prefix);
            }
        }
    }

    /// Returns the connection that is to be closed now for one from `source`, for which there is no
    /// room: the one that has been silent longest, of the same source prefix if that has its share,
    /// else of the prefix that has most. A prefix that has fewer places need not wait for it.
    pub(super) fn displaced_by(&self, source: Source, need: Need, now: Instant) -> Option<u64> {
        if self.closing > 0 {
            // Its place is free soon.
            return None;
        }
        let of_own = self.has_its_share(source);
        let own = self.count(source.share());
        let waiting = self.open.iter().filter(|(_, open)| !of_own || open.prefix == source.share());
        let waiting = waiting.filter_map(|(id, open)| {
            let (_, heard) = open.waits.as_ref()?;
            Some((*id, self.count(open.prefix), *heard))
        });
        let (id, count, heard) = waiting.min_by_key(|(_, count, heard)| (Reverse(*count), *heard))?;
        let due = match need {
            Need::Since(accepted) if of_own || own + 1 >= count => accepted + HOLD_BACK,
            Need::Since(_) | Need::Now => now,
        };
        (due.max(heard + PATIENCE) <= now).then_some(id)
    }

    /// Returns the connection that has been silent longest of the prefix that has most.
    pub(super) fn longest_silent(&self) -> Option<u64> {
        let waiting = self.open.iter().filter(|(_, open)| !open.is_closing);
        let waiting = waiting.filter_map(|(id, open)| Some((*id, open.prefix, open.waits.as_ref()?.1)));
        waiting.min_by_key(|(_, prefix, heard)| (Reverse(self.count(*prefix)), *heard)).map(|(id, ..)| id)
    }

    /// Marks a connection as closed for another one, and returns its stream.
    pub(super) fn displace(&mut self, id: u64) -> Option<Arc<S>> {
        let open = self.open.get_mut(&id)?;
        let (stream, _) = open.waits.take()?;
        self.closing += usize::from(!open.is_closing);
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
            let id = limiter.open(source);
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
    fn prefix_at_its_share_displaces_its_own_longest_silent() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let own = fill(&mut limiter, source(1), now);
        fill(&mut limiter, source(2), now);
        let at = now + HOLD_BACK;
        limiter.heard(own[0], at);
        let need = Need::Since(now);
        assert_eq!(limiter.displaced_by(source(1), need, at - Duration::from_millis(1)), None);
        assert_eq!(limiter.displaced_by(source(1), need, at), Some(own[1]));
    }

    #[test]
    fn newcomer_of_a_smaller_prefix_need_not_wait() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let held = fill(&mut limiter, loopback(1), now);
        let (at, need) = (now + PATIENCE, Need::Since(now));
        assert_eq!(limiter.displaced_by(source(1), need, at - Duration::from_millis(1)), None);
        assert_eq!(limiter.displaced_by(source(1), need, at), Some(held[0]));
        assert_eq!(limiter.displaced_by(loopback(1), need, at), None);
        assert_eq!(limiter.displaced_by(loopback(1), need, now + HOLD_BACK), Some(held[0]));
        assert_eq!(limiter.displaced_by(loopback(1), Need::Now, at), Some(held[0]));
    }

    #[test]
    fn one_connection_at_a_time_makes_room() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let held = fill(&mut limiter, loopback(1), now);
        assert!(limiter.displace(held[0]).is_some() && limiter.is_closing(held[0]));
        let late = now + HOLD_BACK;
        assert_eq!(limiter.displaced_by(source(1), Need::Now, late), None, "a place is free soon");
        assert_eq!(limiter.longest_silent(), Some(held[1]));
        limiter.remove(held[0]);
        assert!(limiter.has_room(source(1)));
        assert_eq!(limiter.displace_all().len(), MAX_OPENING - 1);
        held.into_iter().for_each(|id| limiter.remove(id));
        assert!(limiter.len() == 0 && limiter.of_prefix.is_empty() && limiter.closing == 0);
    }

    #[test]
    fn connection_that_is_not_waited_for_is_never_closed() {
        let (mut limiter, now) = (ConnectionLimiter::default(), Instant::now());
        let held = fill(&mut limiter, loopback(1), now);
        held.iter().for_each(|id| limiter.resumes(*id));
        let late = now + HOLD_BACK;
        assert_eq!(limiter.displaced_by(source(1), Need::Now, late), None);
        assert!(limiter.displace(held[0]).is_none() && limiter.longest_silent().is_none());
        limiter.waits(held[9], Arc::new(()), now);
        assert_eq!(limiter.displaced_by(source(1), Need::Now, late), Some(held[9]));
    }
}
