//! What follows from a peer that proves a key, and how each peer is spoken to.
//!
//! A row is spoken to in one way: nobody knows how yet, in plain, or in encryption with one key. What comes in plain in the name or from an
//! address of somebody who is known by a key is shown apart, and changes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::event::{Action, Event, JobId, OpId, Talk, Who};
use super::life::{Evidence, Life, Why};
use super::outbox::{Jitter, OutText};
use super::outboxes::Outboxes;
use super::plain::Unsent;
use super::seen::Seen;
use super::table::{Known, Peer};
use super::time::Time;
use super::trust::{Change, Meeting, Offer, Pin, Policy, Refused, Trust, Trusted, Verdict};
use super::waiting::Held;
use super::{Chat, Job, Proof, Purpose, announced};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::{Body, MessageId, Speech};
use crate::model::name::PeerName;
use crate::model::session::{ByeReason, Say};
use crate::model::stored::{Assurance, Party};

/// How often the user is told at most of what one would be told of all the time while somebody attacks.
const TELL_SPACING: Duration = Duration::from_secs(60);

/// How long a greeting may be on its way: connecting, the handshake and both hellos take no longer than this.
const ON_ITS_WAY: Duration = Duration::from_secs(3);

/// Addresses of one peer that are dialled one after the other.
const MAX_DIALLED: usize = 2 * super::MAX_HINTS + 1;

/// What we need to speak in encryption.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Our own.
    pub own: PublicKey,
    /// Those that are known.
    pub pins: Vec<Pin>,
    /// What is done with others.
    pub policy: Policy,
    /// Nothing is said in plain, nor heard.
    pub require: bool,
}

/// What the rules cannot know by themselves when something comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// The clock, in seconds since 1970.
    pub date: u64,
    /// A random number.
    pub jitter: Jitter,
}

/// What there is beside the table as soon as there are keys.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) trusted: Trusted,
    pub(super) outboxes: Outboxes,
    pub(super) seen: Seen,
    pub(super) require: bool,
    /// Texts for addresses of which it is not known yet how they are spoken to.
    pub(super) asked: HashMap<PeerAddr, Vec<Unsent>>,
    /// Where a text is under way in plain; others wait behind it.
    pub(super) in_plain: HashSet<PeerAddr>,
    /// The texts that are under way in plain.
    pub(super) plain: HashMap<JobId, Unsent>,
    /// Texts for addresses where nobody could be reached.
    pub(super) waiting: BTreeMap<PeerAddr, Held>,
    /// Texts of an earlier run to keys that are not known: they wait until somebody proves such a key, and is taken.
    pub(super) unremembered: HashMap<PublicKey, Vec<OutText>>,
    /// Texts that were shown and could not be written down.
    pub(super) unkept: HashSet<(PublicKey, MessageId)>,
    /// Texts to keys of which the user was told that they wait, and no more.
    pub(super) told_of: HashSet<(OpId, PublicKey)>,
    /// Keys that the user has forgotten, or replaced by another, while texts to them were on their way: where they were, and by which. What
    /// becomes of those texts is told all the same.
    pub(super) gone: HashMap<PublicKey, (PeerAddr, Option<PublicKey>)>,
    told_more_at: Option<Time>,
    refused_plain: u64,
    told_plain_at: Option<Time>,
    pins_told: bool,
}

impl Chat {
    /// Lets us speak in encryption from now on; before anything else.
    pub fn set_keys(&mut self, keys: Keys) {
        let mut trusted = Trusted::new(keys.own, keys.policy);
        for pin in keys.pins {
            trusted.load(pin);
        }
        self.table.keyed = true;
        self.secure = Some(Box::new(Secure {
            trusted,
            outboxes: Outboxes::default(),
            seen: Seen::default(),
            require: keys.require,
            asked: HashMap::new(),
            in_plain: HashSet::new(),
            plain: HashMap::new(),
            waiting: BTreeMap::new(),
            unremembered: HashMap::new(),
            unkept: HashSet::new(),
            told_of: HashSet::new(),
            gone: HashMap::new(),
            told_more_at: None,
            refused_plain: 0,
            told_plain_at: None,
            pins_told: false,
        }));
    }

    /// What is done with unknown keys.
    pub fn policy(&self) -> Policy {
        self.secure.as_ref().map_or(Policy::default(), |secure| secure.trusted.policy())
    }

    /// What is known of the key of a peer.
    pub fn pin_of(&self, addr: PeerAddr) -> Option<&Pin> {
        match self.speech_of(addr) {
            Speech::Secure(key) => self.secure.as_ref()?.trusted.pin(key),
            Speech::Unknown | Speech::Plain => None,
        }
    }

    /// How sure it is that whoever is written to at an address is who is known to be there.
    pub fn proof_of(&self, addr: PeerAddr) -> Proof {
        match self.speech_of(addr) {
            Speech::Unknown => Proof::Unknown,
            Speech::Plain => Proof::Plain,
            Speech::Secure(key) => {
                let trust = self.secure.as_ref().map(|secure| secure.trusted.trust(key));
                if trust == Some(Trust::Verified) { Proof::Verified } else { Proof::Encrypted }
            }
        }
    }

    /// The pins that a word of the user may mean: a name, or the beginning of a key; blocked ones, too.
    pub fn pins_for(&self, word: &str) -> Vec<&Pin> {
        self.secure.iter().flat_map(|secure| secure.trusted.pins_for(word)).collect()
    }

    /// The keys that wait for the user's word, and how many more there were.
    pub fn offers(&self) -> (&[Offer], u64) {
        self.secure.as_ref().map_or((&[], 0), |secure| secure.trusted.offers())
    }

    /// The offers that a word of the user may mean.
    pub fn offers_for(&self, word: &str) -> Vec<&Offer> {
        self.secure.iter().flat_map(|secure| secure.trusted.offers_for(word)).collect()
    }

    /// What has to be written down since this was asked last.
    pub fn take_pin_changes(&mut self) -> Vec<Change> {
        let Some(secure) = &mut self.secure else { return Vec::new() };
        secure.pins_told = false;
        secure.trusted.take_changes()
    }

    pub(super) fn tell_of_pins(&mut self) {
        if let Some(secure) = &mut self.secure
            && secure.trusted.has_changes()
            && !std::mem::replace(&mut secure.pins_told, true)
        {
            self.tell(Event::PinsChanged);
        }
    }

    /// How whoever is at an address is spoken to.
    pub(super) fn speech_of(&self, addr: PeerAddr) -> Speech {
        let row = self.table.peer(addr);
        match row.map(|peer| peer.speech) {
            Some(Speech::Plain) if row.is_some_and(|peer| peer.promised.is_some()) => return Speech::Unknown,
            Some(speech) if speech != Speech::Unknown => return speech,
            _ => {}
        }
        let Some(secure) = &self.secure else { return Speech::Plain };
        if let Some(key) = secure.trusted.claimed(None, Some(addr)) {
            return Speech::Secure(key);
        }
        // No p2p-chat writes in another program's form by itself, and none sends Hashpa's greeting; but others may have done so in its name.
        let is_another = |peer: &super::Peer| {
            (peer.form != crate::model::message::Form::Standard || peer.wants_ping) && peer.promised.is_none()
        };
        if row.is_some_and(is_another) && !secure.require {
            return Speech::Plain;
        }
        Speech::Unknown
    }

    /// Whether nothing may be said to it in plain.
    pub(super) fn is_only_encrypted(&self, addr: PeerAddr) -> bool {
        self.requires_encryption() || addr.plain().is_none()
    }

    /// A known key may be wherever it was.
    pub(super) fn addrs_of(&self, key: PublicKey, first: Option<PeerAddr>) -> Vec<PeerAddr> {
        let row = self.table.row_of(key);
        let pin = self.secure.as_ref().and_then(|secure| secure.trusted.pin(key));
        let hints = pin.into_iter().flat_map(|pin| pin.addrs.iter().copied());
        let mut addrs: Vec<PeerAddr> = Vec::new();
        let also =
            row.and_then(|row| self.table.peer(row)).into_iter().flat_map(|peer| peer.also.iter().copied());
        for addr in first.into_iter().chain(row).chain(hints).chain(also) {
            if addrs.len() < MAX_DIALLED && !addrs.contains(&addr) && !self.is_own(addr) {
                addrs.push(addr);
            }
        }
        addrs
    }

    /// Has something said in encryption to whoever is at `addr`, which has to prove `expect`.
    pub(super) fn talk(
        &mut self,
        addr: PeerAddr,
        expect: Option<PublicKey>,
        purpose: Purpose,
        say: Say,
        deadline: Option<Time>,
    ) {
        self.last_job += 1;
        let job = JobId(self.last_job);
        self.jobs.insert(job, Job { addr, dialled: addr, purpose, expect });
        let mut addrs = expect.map_or_else(|| vec![addr], |key| self.addrs_of(key, Some(addr)));
        if addrs.is_empty() {
            addrs.push(addr);
        }
        self.act(Action::Talk(Talk { job, addrs, expect, say, deadline }));
    }

    /// Somebody has proven a key, in a connection from one of us to the other. The address of their row if they are welcome; the user is told
    /// what is new.
    pub(super) fn meets(&mut self, meeting: Meeting, now: Time) -> Result<PeerAddr, ByeReason> {
        let Some(secure) = &mut self.secure else { return Err(ByeReason::NotAccepted) };
        let (key, addr, dialled) = (meeting.key, meeting.addr, meeting.dialled);
        let before = secure.trusted.offers().1;
        let verdict = secure.trusted.met(meeting);
        let more = secure.trusted.offers().1;
        if more > before && secure.told_more_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            secure.told_more_at = Some(now);
            self.tell(Event::MoreOffered(more));
        }
        let (is_new, takes_name_of) = match verdict {
            Verdict::Known { takes_name_of } => (false, takes_name_of),
            Verdict::Pinned => (true, None),
            Verdict::Offered(offer) => {
                self.tell(Event::Offered(offer));
                return Err(ByeReason::NotDecided);
            }
            Verdict::Refused(why) => {
                return Err(match why {
                    Refused::Ourselves | Refused::Blocked | Refused::Strict => ByeReason::NotAccepted,
                    Refused::Undecided => ByeReason::NotDecided,
                    Refused::NoRoom => ByeReason::NoRoom,
                });
            }
        };
        let took_over = matches!(self.table.peer(addr).map(|peer| peer.speech), Some(Speech::Secure(other)) if other != key);
        let row = self.row_for(key, addr, dialled, now).ok_or(ByeReason::NoRoom)?;
        self.speaks_with(row, key, now);
        if took_over && row == addr {
            // Whoever writes to this address has to read that it is another's now.
            self.table.update(row, |peer| {
                peer.told = false;
                peer.life.answered(Evidence::Probe, now);
            });
            self.announce(row, now);
        }
        if row != addr && self.speech_of(addr) == Speech::Secure(key) {
            // It is known now to be there, too.
            self.asked(addr, Ok(Speech::Secure(key)), now);
        }
        if is_new {
            let who = self.who(row);
            self.tell(Event::Pinned(who, key));
        }
        let taken = takes_name_of.and_then(|other| self.secure.as_ref()?.trusted.pin(other)?.name.clone());
        if let Some(name) = taken {
            let who = self.who(row);
            self.tell(Event::TakesName(who, name));
        }
        Ok(row)
    }

    /// The row of who has proven a key, which may have been elsewhere, or nobody's yet.
    fn row_for(&mut self, key: PublicKey, addr: PeerAddr, dialled: bool, now: Time) -> Option<PeerAddr> {
        let old = self.table.row_of(key);
        if let Some(old) = old {
            // Who listens there is not changed by a mere claim to listen elsewhere, too.
            let stays = old == addr || (!dialled && self.table.peer(old).is_some_and(|peer| peer.is_there()));
            if stays {
                return Some(old);
            }
        }
        let others = self.table.peer(addr).is_some_and(|peer| matches!(peer.speech, Speech::Secure(_)));
        if others && !dialled {
            // It claims the address of somebody who has proven to be there.
            return old;
        }
        if others {
            self.makes_way(addr);
        }
        match old {
            Some(old) => {
                // The row that it had stays, for its number is known; whoever was taken to be at its new address is not.
                let before = self.table.remove(addr);
                self.follows(old, addr);
                self.stays_configured(addr, before);
                Some(addr)
            }
            None => {
                let known = if dialled { Known::SentTo } else { Known::Heard };
                // Nobody is chosen by another's number.
                let before = if others { self.table.remove(addr) } else { None };
                if !self.table.add(addr, known, Life::of_heard(now)) {
                    return None;
                }
                self.stays_configured(addr, before);
                Some(addr)
            }
        }
    }

    /// Another has proven to be where somebody was: whom the user configured is looked for at the next best of the addresses where they were
    /// met, if there is one that is nobody's.
    fn makes_way(&mut self, addr: PeerAddr) {
        let configured = self.table.peer(addr).filter(|peer| peer.known == Known::Static);
        let Some(Speech::Secure(key)) = configured.map(|peer| peer.speech) else { return };
        let free = self.addrs_of(key, None).into_iter().find(|other| self.table.peer(*other).is_none());
        if let Some(free) = free {
            self.follows(addr, free);
        }
    }

    /// Whom the user configured stays so, whatever row it has.
    fn stays_configured(&mut self, addr: PeerAddr, before: Option<Peer>) {
        if let Some(configured) = before.filter(|peer| peer.known == Known::Static) {
            self.table.update(addr, |peer| {
                peer.known = Known::Static;
                peer.configured_form = configured.configured_form;
                peer.life.configured();
            });
        }
    }

    /// From now on a row is that of a key.
    pub(super) fn speaks_with(&mut self, addr: PeerAddr, key: PublicKey, now: Time) {
        let Some(secure) = &self.secure else { return };
        let verified = secure.trusted.trust(key) == Trust::Verified;
        let name = secure.trusted.pin(key).and_then(|pin| pin.name.clone());
        self.table.speak(addr, Speech::Secure(key), verified);
        self.table.update(addr, |peer| {
            if name.is_some() {
                peer.name = name;
            }
            peer.claimed = None;
            peer.ack_due = None;
            peer.last_heard = Some(now);
        });
        self.note_texts(addr);
        self.remembers(key, now);
        // What waited for this goes before whatever is typed from now on.
        self.asked(addr, Ok(Speech::Secure(key)), now);
    }

    /// A peer that has dialled us proves a key, and says hello.
    ///
    /// # Errors
    /// Why it is not talked to.
    pub fn welcome(
        &mut self,
        meeting: Meeting,
        also: Vec<PeerAddr>,
        now: Time,
    ) -> (Result<(), ByeReason>, Vec<Action>) {
        if self.closed {
            return (Err(ByeReason::NoRoom), Vec::new());
        }
        let key = meeting.key;
        if self.is_anothers_place(key, meeting.addr) {
            // Whether it listens there, as it says, is seen by dialling; then it is met there.
            let addr = meeting.addr;
            if !self.jobs.values().any(|job| job.addr == addr && job.purpose == Purpose::Greet) {
                self.talk(addr, Some(key), Purpose::Greet, Say::Greet, None);
            }
            return (Err(ByeReason::NoRoom), self.done());
        }
        let was_known = self.table.row_of(key).is_some();
        let met = self.meets(meeting, now).map(|addr| {
            if !was_known {
                self.leaves_again(addr);
            }
            self.listens_also(addr, also);
            self.is_greeted(addr, now);
            self.here_again(key, now);
        });
        self.settle_watches(now);
        (met, self.done())
    }

    /// A peer has said where else it listens.
    pub(super) fn listens_also(&mut self, addr: PeerAddr, mut also: Vec<PeerAddr>) {
        also.truncate(super::MAX_HINTS);
        self.table.update(addr, |peer| peer.also = also.into());
    }

    /// Whether somebody else was seen to listen where a newcomer says that it does, or a text waits to be said there: a port that is merely
    /// claimed takes neither.
    fn is_anothers_place(&self, key: PublicKey, addr: PeerAddr) -> bool {
        if self.table.row_of(key).is_some() {
            return false;
        }
        let Some(peer) = self.table.peer(addr) else { return self.waits_for(addr) };
        let is_settled = matches!(peer.speech, Speech::Secure(_)) || peer.promised == Some(key);
        !is_settled && (peer.life.is_proven() || self.waits_for(addr))
    }

    pub(super) fn waits_for(&self, addr: PeerAddr) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.asked.contains_key(&addr))
    }

    /// Who was met is there, and may be written to at once.
    pub(super) fn here_again(&mut self, key: PublicKey, now: Time) {
        self.remembers(key, now);
        if let Some(secure) = &mut self.secure {
            secure.outboxes.met(key, now);
        }
        self.next_turns(now);
    }

    /// A row has said that it is there, and nothing else. What was on its way when the user sent it away does not bring it back.
    fn is_greeted(&mut self, addr: PeerAddr, now: Time) {
        let gone = self.table.peer(addr).and_then(|peer| peer.life.gone());
        let is_from_before = |(since, why)| why == Why::Disconnected && now.since(since) < ON_ITS_WAY;
        if !gone.is_some_and(is_from_before) {
            self.hears(addr, now);
        }
    }

    /// Something authenticated came from a row.
    pub(super) fn hears(&mut self, addr: PeerAddr, now: Time) {
        let came = self.table.update(addr, |peer| {
            peer.last_heard = Some(now);
            peer.shook_hands = true;
            peer.life.heard(now);
            peer.life.connected();
            announced(peer, now)
        });
        if let Some(Some(who)) = came {
            self.came(who);
        }
        self.seen(addr);
    }

    /// A proven key has shown that it is there.
    pub fn heard_from(&mut self, key: PublicKey, now: Time) -> Vec<Action> {
        if let Some(addr) = self.table.row_of(key).filter(|_| !self.closed) {
            self.is_greeted(addr, now);
            self.settle_watches(now);
        }
        self.done()
    }

    /// A connection that was kept with a key is over, with the other side's goodbye if it said one, else broken.
    pub fn ended(&mut self, key: PublicKey, bye: Option<ByeReason>, now: Time) -> Vec<Action> {
        if let Some(addr) = self.table.row_of(key).filter(|_| !self.closed) {
            match bye {
                Some(ByeReason::Leaves) => self.parts(addr, now),
                Some(_) => {}
                None => drop(self.table.update(addr, |peer| peer.life.lost(now))),
            }
        }
        self.done()
    }

    /// A peer has said goodbye in encryption, so it was the peer.
    pub(super) fn parts(&mut self, addr: PeerAddr, now: Time) {
        let before = self.last_job;
        self.table.update(addr, |peer| {
            peer.last_heard = Some(now);
            peer.parted_after = before;
            peer.life.parted(Why::SaidExit, now)
        });
        self.went(addr, Why::SaidExit);
    }

    /// Whether a plain message comes in the name or from the address of somebody who is known by a key. It is shown apart, if there is
    /// something to show.
    pub(super) fn is_unproven(
        &mut self,
        source: Source,
        addr: PeerAddr,
        name: Option<&PeerName>,
        body: &Body,
        cut: bool,
    ) -> bool {
        let Some(secure) = &self.secure else { return false };
        let Some(key) = secure.trusted.claimed(name, Some(addr)) else { return false };
        let known = secure.trusted.pin(key).and_then(|pin| pin.name.clone());
        if let Body::Text(text) | Body::Greeting(text) = body {
            let shown = known.or_else(|| name.cloned()).unwrap_or_else(|| PeerName::new("?"));
            let from = Who { name: name.cloned(), addr, claimed: None, proof: Proof::Claims(shown) };
            self.heard_in_plain(Party::Key(key), from.name.clone(), Assurance::Claimed, text);
            self.tell(Event::Unproven { from, source, text: text.clone(), cut });
        }
        true
    }

    /// Whether nothing plain is said or taken.
    pub(super) fn requires_encryption(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.require)
    }

    /// Something plain is not taken; the user is told now and then.
    pub(super) fn refuse_plain(&mut self, source: Source, now: Time) {
        let Some(secure) = &mut self.secure else { return };
        secure.refused_plain += 1;
        if secure.told_plain_at.is_none_or(|at| now.since(at) >= TELL_SPACING) {
            secure.told_plain_at = Some(now);
            let count = std::mem::take(&mut secure.refused_plain);
            self.tell(Event::PlainRefused(source, count));
        }
    }
}
