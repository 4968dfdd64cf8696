//! Limits the notices about peers and sources: one line per minute for each of them and each kind
//! of notice. The others are counted, and the last of them is shown with their number. Pure.
//!
//! A warning that a contact's key has changed, or that another key answers at its address, is not
//! limited here. It is always shown; the core limits how often it occurs.

use std::collections::HashMap;
use std::time::Duration;

use super::message::counted;
use super::style::{Ink, Line};
use crate::core::{Event, PeerInfo};
use crate::model::address::{PeerAddr, Source, SourcePrefix};
use crate::model::peer_id::Recipient;

/// The minimum time between two notices of one kind about one peer.
const SPACING: Duration = Duration::from_secs(60);

/// The maximum number of strangers of one source prefix whose notices are shown in a minute: as
/// many as one NAT may have. The loopback network has no such limit.
const MAX_OF_PREFIX: usize = 50;

/// The maximum number of strangers whose notices are shown in a minute: a crowd on one machine.
/// Contacts do not count.
const MAX_STRANGERS: usize = 300;

/// The maximum number of source prefixes whose further notices are counted separately. Those of
/// other prefixes are counted together.
const MAX_PREFIXES: usize = 100;

/// How long the line that a peer is online is held on a terminal. A peer that sends one message and
/// leaves takes less time, and its message says enough.
const ARRIVAL_HELD: Duration = Duration::from_secs(2);

/// The maximum number of held lines about arrivals. Further ones are shown at once.
const MAX_ARRIVALS: usize = 300;

/// What a notice says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NoticeKind {
    /// The peer is online.
    Here,
    /// The peer is online again, after the user was told that it is offline.
    Back,
    /// The peer is offline.
    Gone,
    /// The peer has another label.
    Called,
    /// The peer uses the name of a contact.
    TakesName,
    /// The peer has proven a new key.
    Pinned,
    /// The policy refused the peer's key.
    RefusedStranger,
    /// The peer does not accept our messages.
    TurnedAway,
    /// The peer accepts our messages again.
    AcceptsAgain,
    /// An unencrypted message came in the name or from the address of the peer.
    Unproven,
    /// The source sent bytes that are not a message.
    Unreadable,
    /// The source claims our own address.
    Impostor,
}

impl NoticeKind {
    /// Returns the subject and the kind of an event that is a notice; `None` for any other event.
    /// `is_contact` says which peers are contacts.
    pub fn of(event: &Event, is_contact: impl Fn(Recipient) -> bool) -> Option<(Subject, Self)> {
        let peer = |who: &PeerInfo| Subject::peer(who.id, who.addr, is_contact(who.id));
        let source = |source: &Source| Subject::stranger(About::Source(source.share()), source.share());
        Some(match event {
            Event::Online(who) => (peer(who), Self::Here),
            Event::Offline(who, _) => (peer(who), Self::Gone),
            Event::TakesName(who, _) => (peer(who), Self::TakesName),
            Event::Pinned { who, .. } => (peer(who), Self::Pinned),
            Event::TurnedAway(who, ..) => (peer(who), Self::TurnedAway),
            Event::AcceptsAgain(who) => (peer(who), Self::AcceptsAgain),
            Event::Unproven { from, source, .. } => {
                let about = About::Claim(from.id, source.share());
                (Subject::stranger(about, source.share()), Self::Unproven)
            }
            Event::Unreadable { source: from, .. } => (source(from), Self::Unreadable),
            Event::Impostor { source: from, .. } => (source(from), Self::Impostor),
            _ => return None,
        })
    }

    /// Returns the kind under which notices replace each other.
    fn topic(self) -> Self {
        match self {
            Self::Back | Self::Gone => Self::Here,
            Self::TakesName => Self::Called,
            Self::RefusedStranger => Self::Pinned,
            Self::AcceptsAgain => Self::TurnedAway,
            kind => kind,
        }
    }
}

/// The peer or source that a notice is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum About {
    /// A peer.
    Peer(Recipient),
    /// A source that sends in the name or from the address of this peer.
    Claim(Recipient, SourcePrefix),
    /// A source that sends anything else.
    Source(SourcePrefix),
}

impl About {
    /// Returns the peer that is shown or claimed.
    pub fn peer(self) -> Option<Recipient> {
        match self {
            Self::Peer(id) | Self::Claim(id, _) => Some(id),
            Self::Source(_) => None,
        }
    }
}

/// The subject of a notice, and the limits that it counts for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// The peer or source.
    pub about: About,
    /// The source prefix, if one is known.
    pub prefix: Option<SourcePrefix>,
    /// Whether it is a contact.
    pub is_contact: bool,
}

impl Subject {
    /// Returns a peer as the subject of a notice.
    pub fn peer(id: Recipient, addr: Option<PeerAddr>, is_contact: bool) -> Self {
        Self { about: About::Peer(id), prefix: addr.map(PeerAddr::share), is_contact }
    }

    fn stranger(about: About, prefix: SourcePrefix) -> Self {
        Self { about, prefix: Some(prefix), is_contact: false }
    }
}

/// The notices about one subject: the shown ones, and those that were not shown.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// When each kind was last shown. There are few kinds, so a list is enough.
    shown: Vec<(NoticeKind, Duration)>,
    /// The last notice that was not shown, and the number of those before it.
    held: Option<(NoticeKind, Vec<Line>, u64)>,
    /// The prefix that a stranger counts for.
    stranger_of: Option<Option<SourcePrefix>>,
}

impl Recent {
    fn shown_at(&self, kind: NoticeKind) -> Option<Duration> {
        self.shown.iter().find(|(shown, _)| *shown == kind).map(|(_, at)| *at)
    }

    fn is_free(&self, kind: NoticeKind, now: Duration) -> bool {
        self.shown_at(kind).is_none_or(|at| now.saturating_sub(at) >= SPACING)
    }

    /// Returns the kind that was shown last.
    fn last(&self) -> Option<NoticeKind> {
        self.shown.last().map(|(kind, _)| *kind)
    }

    fn is_shown(&mut self, kind: NoticeKind, now: Duration) {
        self.shown.retain(|(shown, _)| *shown != kind);
        self.shown.push((kind, now));
    }

    /// Returns when the held notice is due, or else when nothing of this is needed any more.
    fn due(&self) -> Duration {
        let at = match &self.held {
            Some((kind, ..)) => self.shown_at(*kind),
            None => self.shown.last().map(|(_, at)| *at),
        };
        at.unwrap_or_default() + SPACING
    }
}

/// A peer that came online a moment ago.
#[derive(Clone, Debug)]
struct HeldArrival {
    subject: Subject,
    /// The lines, unless the user has read meanwhile that the peer is online.
    lines: Option<Vec<Line>>,
    due: Duration,
}

/// The notices of the last minute.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    /// Whether lines about arrivals are held for a moment.
    holds_arrivals: bool,
    arrivals: HashMap<Recipient, HeldArrival>,
    recent: HashMap<(About, NoticeKind), Recent>,
    /// For each prefix, the beginning of the minute and the number of notices that were not shown.
    crowds: HashMap<Option<SourcePrefix>, (Duration, u64)>,
    /// The earliest time at which something is due.
    due: Option<Duration>,
}

impl Notices {
    /// Returns notices for a terminal, where the line that a peer is online waits for a moment: a
    /// message of the peer replaces it, and a goodbye within that time cancels both lines.
    pub fn holding_arrivals() -> Self {
        Self { holds_arrivals: true, ..Self::default() }
    }

    /// Takes the lines of a notice. Returns the lines to show now.
    pub fn take(&mut self, subject: Subject, kind: NoticeKind, lines: Vec<Line>, now: Duration) -> Vec<Line> {
        if lines.is_empty() {
            return lines;
        }
        let mut shown = self.overdue(now);
        match (kind, subject.about) {
            (NoticeKind::Here, About::Peer(id))
                if self.holds_arrivals && self.arrivals.len() < MAX_ARRIVALS =>
            {
                let due = now + ARRIVAL_HELD;
                self.arrivals.insert(id, HeldArrival { subject, lines: Some(lines), due });
                self.wake(due);
                return shown;
            }
            (NoticeKind::Gone, About::Peer(id)) if self.arrivals.remove(&id).is_some() => return shown,
            _ => {}
        }
        shown.extend(self.take_now(subject, kind, lines, now));
        shown
    }

    /// Records that the user reads something that shows that a peer is online.
    pub fn is_read_of(&mut self, id: Recipient) {
        if let Some(arrival) = self.arrivals.get_mut(&id) {
            arrival.lines = None;
        }
    }

    /// Records that the user was told otherwise that a peer is offline, so it needs no notice.
    pub fn is_read_to_be_offline(&mut self, subject: Subject, now: Duration) {
        if let Some(id) = subject.about.peer()
            && self.arrivals.remove(&id).is_some()
        {
            return;
        }
        let recent = self.recent.entry((subject.about, NoticeKind::Gone.topic())).or_default();
        recent.held = None;
        recent.is_shown(NoticeKind::Gone, now);
        let due = recent.due();
        self.wake(due);
    }

    fn take_now(&mut self, subject: Subject, kind: NoticeKind, lines: Vec<Line>, now: Duration) -> Vec<Line> {
        let mut shown = Vec::new();
        let key = (subject.about, kind.topic());
        if !self.recent.contains_key(&key) && !subject.is_contact && self.is_crowded(subject) {
            self.count(subject.prefix, now);
            return shown;
        }
        let recent = self.recent.entry(key).or_default();
        recent.stranger_of = (!subject.is_contact).then_some(subject.prefix);
        let is_back =
            kind == NoticeKind::Here && !recent.is_free(kind, now) && recent.last() == Some(NoticeKind::Gone);
        let kind = if is_back { NoticeKind::Back } else { kind };
        if recent.is_free(kind, now) {
            let missed = recent.held.take().map_or(0, |(.., earlier)| earlier + 1);
            recent.is_shown(kind, now);
            shown.extend(with_count(lines, missed));
        } else {
            let earlier = recent.held.take().map_or(0, |(.., earlier)| earlier + 1);
            recent.held = Some((kind, lines, earlier));
        }
        let due = recent.due();
        self.wake(due);
        shown
    }

    /// Returns when [`Notices::overdue`] has something to do.
    pub fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Returns the lines whose minute is over.
    pub fn overdue(&mut self, now: Duration) -> Vec<Line> {
        if self.due.is_none_or(|due| due > now) {
            return Vec::new();
        }
        let mut lines: Vec<(Duration, Vec<Line>)> = Vec::new();
        let arrived: Vec<HeldArrival> =
            self.arrivals.extract_if(|_, arrival| arrival.due <= now).map(|(_, arrival)| arrival).collect();
        for HeldArrival { subject, lines: held, due } in arrived {
            if let Some(held) = held {
                lines.push((due, self.take_now(subject, NoticeKind::Here, held, now)));
            }
        }
        self.recent.retain(|_, recent| {
            let due = recent.due();
            if due > now {
                return true;
            }
            let Some((kind, held, earlier)) = recent.held.take() else { return false };
            lines.push((due, with_count(held, earlier)));
            recent.is_shown(kind, now);
            true
        });
        self.crowds.retain(|prefix, (since, count)| {
            let due = *since + SPACING;
            if due <= now {
                lines.push((due, vec![crowd_line(*prefix, *count)]));
            }
            due > now
        });
        lines.sort_by_key(|(due, _)| *due);
        let ends = self.crowds.values().map(|(since, _)| *since + SPACING);
        let arrivals = self.arrivals.values().map(|arrival| arrival.due);
        self.due = self.recent.values().map(Recent::due).chain(ends).chain(arrivals).min();
        lines.into_iter().flat_map(|(_, lines)| lines).collect()
    }

    /// Forgets the notices about a peer because the user has decided about it: held notices are
    /// dropped, and the next one is shown.
    pub fn forget(&mut self, id: Recipient) {
        self.arrivals.remove(&id);
        self.recent.retain(|(about, _), _| about.peer() != Some(id));
    }

    /// Forgets the notices about a source and about strangers there because the user has blocked
    /// it.
    pub fn forget_source(&mut self, source: SourcePrefix) {
        self.arrivals
            .retain(|_, HeldArrival { subject, .. }| subject.is_contact || subject.prefix != Some(source));
        self.recent.retain(|(about, _), recent| match about {
            About::Peer(_) => recent.stranger_of != Some(Some(source)),
            About::Claim(_, from) | About::Source(from) => *from != source,
        });
    }

    fn is_crowded(&self, subject: Subject) -> bool {
        let mut all: Vec<(About, Option<SourcePrefix>)> = self
            .recent
            .iter()
            .filter_map(|((about, _), recent)| Some((*about, recent.stranger_of?)))
            .collect();
        all.sort_unstable();
        all.dedup_by_key(|(about, _)| *about);
        if all.iter().any(|(about, _)| *about == subject.about) {
            return false;
        }
        let is_local = subject.prefix.is_some_and(is_loopback);
        let of_prefix = all.iter().filter(|(_, prefix)| *prefix == subject.prefix).count();
        all.len() >= MAX_STRANGERS || !is_local && of_prefix >= MAX_OF_PREFIX
    }

    fn count(&mut self, prefix: Option<SourcePrefix>, now: Duration) {
        let has_room = self.crowds.len() < MAX_PREFIXES || self.crowds.contains_key(&prefix);
        let prefix = prefix.filter(|_| has_room);
        let (since, count) = self.crowds.entry(prefix).or_insert((now, 0));
        *count += 1;
        let due = *since + SPACING;
        self.wake(due);
    }

    fn wake(&mut self, due: Duration) {
        self.due = Some(self.due.map_or(due, |at| at.min(due)));
    }
}

/// Adds to the last line how many notices before it were not shown.
fn with_count(mut lines: Vec<Line>, missed: u64) -> Vec<Line> {
    if missed > 0
        && let Some(last) = lines.pop()
    {
        let words = format!(" ({} not shown)", counted(missed, "earlier notice"));
        lines.push(last.and(Ink::Faint, words));
    }
    lines
}

fn crowd_line(prefix: Option<SourcePrefix>, count: u64) -> Line {
    let of = prefix.map_or_else(String::new, |prefix| format!(" at {prefix}"));
    Line::of(Ink::Faint, format!("* {} about strangers{of}.", counted(count, "more notice")))
}

fn is_loopback(prefix: SourcePrefix) -> bool {
    match prefix {
        SourcePrefix::V4(ip) => ip.is_loopback(),
        // The network of `::1`.
        SourcePrefix::V6(network) => network == 0,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::NoticeKind::{Called, Gone, Here, Impostor, Unproven, Unreadable};
    use super::*;
    use crate::model::key::PublicKey;
    use crate::model::untrusted::Text;
    use crate::tui::examples::{key, peer};

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn stranger(n: u16, ip: [u8; 4]) -> Subject {
        let mut key = [7; 32];
        key[..2].copy_from_slice(&n.to_be_bytes());
        let prefix = Some(SourcePrefix::V4(Ipv4Addr::from(ip)));
        Subject { about: About::Peer(Recipient::key(PublicKey::new(key))), prefix, is_contact: false }
    }

    fn bob() -> Subject {
        Subject { is_contact: true, ..stranger(0, [192, 0, 2, 1]) }
    }

    /// Takes a notice about a peer, and returns what is shown.
    fn takes(
        notices: &mut Notices,
        subject: Subject,
        kind: NoticeKind,
        words: &str,
        now: u64,
    ) -> Vec<String> {
        let lines = notices.take(subject, kind, vec![words.into()], at(now));
        lines.iter().map(Line::to_string).collect()
    }

    fn overdue(notices: &mut Notices, now: u64) -> Vec<String> {
        notices.overdue(at(now)).iter().map(Line::to_string).collect()
    }

    const NOTHING: [&str; 0] = [];

    #[test]
    fn flapping_peer_is_told_once_a_minute() {
        let mut notices = Notices::default();
        assert_eq!(takes(&mut notices, bob(), Here, "here 0", 0), ["here 0"]);
        assert_eq!(takes(&mut notices, bob(), Gone, "gone 1", 1), ["gone 1"]);
        // A user wants to know that he is back.
        assert_eq!(takes(&mut notices, bob(), Here, "here 2", 2), ["here 2"]);
        for second in 3..40 {
            let (kind, words) = if second % 2 == 0 { (Here, "here") } else { (Gone, "gone") };
            assert_eq!(takes(&mut notices, bob(), kind, &format!("{words} {second}"), second), NOTHING);
        }
        assert_eq!(overdue(&mut notices, 60), NOTHING);
        assert_eq!(notices.due(), Some(at(61)), "a minute after he was told to be gone");
        assert_eq!(overdue(&mut notices, 61), ["gone 39 (36 earlier notices not shown)"]);
        assert_eq!(takes(&mut notices, bob(), Here, "here 70", 70), ["here 70"]);
        assert_eq!(overdue(&mut notices, 200), NOTHING);
        assert_eq!(notices.due(), None);
        assert!(notices.recent.is_empty());
    }

    #[test]
    fn arrival_is_shown_after_two_seconds() {
        let mut notices = Notices::holding_arrivals();
        assert_eq!(takes(&mut notices, bob(), Here, "here", 0), NOTHING);
        assert_eq!(notices.due(), Some(at(2)));
        assert_eq!(overdue(&mut notices, 1), NOTHING);
        assert_eq!(overdue(&mut notices, 2), ["here"]);
        assert_eq!(takes(&mut notices, bob(), Gone, "gone", 3), ["gone"]);
        assert_eq!(overdue(&mut notices, 200), NOTHING);
        assert_eq!(notices.due(), None);
    }

    #[test]
    fn peer_that_leaves_at_once_has_no_lines() {
        let mut notices = Notices::holding_arrivals();
        assert_eq!(takes(&mut notices, bob(), Here, "here", 0), NOTHING);
        assert_eq!(takes(&mut notices, bob(), Gone, "gone", 1), NOTHING);
        assert_eq!(overdue(&mut notices, 100), NOTHING);
    }

    #[test]
    fn message_replaces_held_arrival() {
        let mut notices = Notices::holding_arrivals();
        let id = bob().about.peer().expect("a peer");
        takes(&mut notices, bob(), Here, "here", 0);
        notices.is_read_of(id);
        assert_eq!(takes(&mut notices, bob(), Gone, "gone", 1), NOTHING);
        takes(&mut notices, bob(), Here, "here again", 10);
        notices.is_read_of(id);
        assert_eq!(overdue(&mut notices, 12), NOTHING);
        assert_eq!(takes(&mut notices, bob(), Gone, "gone", 13), ["gone"]);
    }

    #[test]
    fn peer_told_as_offline_is_back_soon() {
        let mut notices = Notices::holding_arrivals();
        takes(&mut notices, bob(), Here, "here", 0);
        assert_eq!(overdue(&mut notices, 2), ["here"]);
        notices.is_read_to_be_offline(bob(), at(5));
        takes(&mut notices, bob(), Here, "here again", 8);
        assert_eq!(overdue(&mut notices, 10), ["here again"]);
        takes(&mut notices, bob(), Here, "not again", 20);
        notices.is_read_to_be_offline(bob(), at(21));
        assert_eq!(overdue(&mut notices, 200), NOTHING);
        assert_eq!(notices.due(), None);
    }

    #[test]
    fn new_key_and_full_queue_are_not_held() {
        let mut notices = Notices::holding_arrivals();
        assert_eq!(takes(&mut notices, bob(), NoticeKind::Pinned, "new key", 0), ["new key"]);
        let contact = |n| Subject { is_contact: true, ..stranger(n, [192, 0, 2, 1]) };
        let most = u16::try_from(MAX_ARRIVALS).unwrap();
        for n in 0..most {
            assert_eq!(takes(&mut notices, contact(n), Here, "here", 0), NOTHING);
        }
        assert_eq!(takes(&mut notices, contact(most), Here, "here", 0), ["here"]);
        assert_eq!(overdue(&mut notices, 2).len(), MAX_ARRIVALS);
    }

    #[test]
    fn next_line_says_how_many_were_not_shown() {
        let mut notices = Notices::default();
        assert_eq!(takes(&mut notices, bob(), Here, "here 0", 0), ["here 0"]);
        assert_eq!(takes(&mut notices, bob(), Here, "here 1", 1), NOTHING);
        assert_eq!(takes(&mut notices, bob(), Gone, "gone 2", 2), ["gone 2 (1 earlier notice not shown)"]);
        assert_eq!(overdue(&mut notices, 100), NOTHING);
    }

    #[test]
    fn kinds_and_peers_do_not_hide_one_another() {
        let mut notices = Notices::default();
        assert_eq!(takes(&mut notices, bob(), Here, "here", 0), ["here"]);
        assert_eq!(takes(&mut notices, bob(), Called, "Rob", 0), ["Rob"]);
        assert_eq!(takes(&mut notices, bob(), Called, "Robert", 1), NOTHING);
        let eve = stranger(1, [192, 0, 2, 1]);
        assert_eq!(takes(&mut notices, eve, Here, "Eve", 1), ["Eve"]);
        assert_eq!(overdue(&mut notices, 60), ["Robert"]);
    }

    #[test]
    fn crowd_of_strangers_hides_no_contact() {
        let mut notices = Notices::default();
        let source = [192, 0, 2, 66];
        let of_one = u16::try_from(MAX_OF_PREFIX).unwrap();
        for n in 1..=of_one {
            assert_eq!(takes(&mut notices, stranger(n, source), Here, "here", 0), ["here"]);
        }
        for n in of_one + 1..=of_one + 1_000 {
            assert_eq!(takes(&mut notices, stranger(n, source), Here, "here", 1), NOTHING);
        }
        // One of the shown strangers leaves.
        assert_eq!(takes(&mut notices, stranger(1, source), Gone, "gone", 2), ["gone"]);
        assert_eq!(takes(&mut notices, stranger(2_000, [192, 0, 2, 67]), Here, "other", 2), ["other"]);
        assert_eq!(takes(&mut notices, bob(), Here, "Bob", 2), ["Bob"]);
        let told = overdue(&mut notices, 61);
        assert_eq!(told, ["* 1000 more notices about strangers at 192.0.2.66."]);
    }

    #[test]
    fn strangers_everywhere_are_bounded() {
        let mut notices = Notices::default();
        let shown: usize = (1..=2_000_u16)
            .map(|n| {
                let [high, low] = n.to_be_bytes();
                takes(&mut notices, stranger(n, [10, 0, high, low]), Here, "here", 0).len()
            })
            .sum();
        assert_eq!(shown, MAX_STRANGERS);
        assert!(notices.recent.len() <= MAX_STRANGERS && notices.crowds.len() <= MAX_PREFIXES + 1);
        assert_eq!(takes(&mut notices, bob(), Here, "Bob", 0), ["Bob"]);
    }

    #[test]
    fn nothing_held_is_shown_of_a_muted_peer() {
        let mut notices = Notices::default();
        takes(&mut notices, bob(), Here, "here", 0);
        takes(&mut notices, bob(), Here, "here", 1);
        let (Some(id), Some(source)) = (bob().about.peer(), stranger(1, [192, 0, 2, 9]).prefix) else {
            panic!("both are known");
        };
        let claim = Subject::stranger(About::Claim(id, source), source);
        takes(&mut notices, claim, Unproven, "pay Eve", 2);
        takes(&mut notices, claim, Unproven, "pay Eve!", 3);
        notices.forget(id);
        assert_eq!(overdue(&mut notices, 100), NOTHING);
    }

    #[test]
    fn source_has_one_line_per_kind_and_minute() {
        let mut notices = Notices::default();
        let sources = [[192, 0, 2, 8], [192, 0, 2, 9]].map(|ip| SourcePrefix::V4(Ipv4Addr::from(ip)));
        for source in sources {
            let subject = Subject::stranger(About::Source(source), source);
            for (kind, words) in [(Unreadable, "junk"), (Impostor, "I am you")] {
                assert_eq!(takes(&mut notices, subject, kind, words, 0), [words]);
                for second in 1..30 {
                    assert_eq!(takes(&mut notices, subject, kind, words, second), NOTHING);
                }
            }
        }
        notices.forget_source(sources[1]);
        let mut told = overdue(&mut notices, 60);
        told.sort();
        assert_eq!(
            told,
            ["I am you (28 earlier notices not shown)", "junk (28 earlier notices not shown)"],
            "one is blocked"
        );
    }

    #[test]
    fn claims_of_two_sources_are_both_shown() {
        let mut notices = Notices::default();
        for ip in [[192, 0, 2, 8], [192, 0, 2, 9]] {
            let from = peer("Bob", key(2).into());
            let (source, text) = (Source::from(Ipv4Addr::from(ip)), Text::new("pay Eve"));
            let event = Event::Unproven { from, source, text, cut: false };
            let (subject, kind) = NoticeKind::of(&event, |_| true).expect("a notice");
            assert!(!subject.is_contact, "the source is not the contact");
            assert_eq!(takes(&mut notices, subject, kind, "pay Eve", 0), ["pay Eve"]);
            assert_eq!(takes(&mut notices, subject, kind, "pay Eve", 1), NOTHING);
        }
    }
}
