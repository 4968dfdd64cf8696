//! A day of chatting in a second: people come, speak, freeze, crash, leave and come back,
//! strangers pass by, and the user does what users do. The clock is the story's, the chance is
//! seeded.
//!
//! `P2P_CHAT_SOAKS` makes it as many different days as wanted; a failure names its seed.

mod audit;

use std::collections::{BTreeMap, HashMap};

use super::*;
use audit::BELIEVED_GONE_WITHIN;

/// The length of it.
const HOURS: u64 = 24;

/// Those that peers.toml lists, and all that come and go for a day.
const STATICS: usize = 8;
const REGULARS: usize = 24;

/// How long a message waits for its recipient: less than the silence at the end, after which
/// nothing may be queued.
const EXPIRE: Duration = Duration::from_secs(300);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Being {
    Up,
    /// No program listens at its address.
    Down,
    /// Its program is stopped: it accepts, and never answers.
    Frozen,
}

#[derive(Clone, Debug)]
struct Soul {
    being: Being,
    since: Time,
    /// How often it came and went in this hour and the one before.
    turns: [usize; 2],
}

enum Due {
    Ends(PlainResult),
    Acts(u16),
    StrangersPass,
    UserActs,
    Audit,
}

/// SplitMix64: enough chance for a story, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

struct Soak {
    story: Story,
    chance: Chance,
    souls: BTreeMap<u16, Soul>,
    agenda: BTreeMap<(Time, u64), Due>,
    entries: u64,
    next_stranger: u16,
    /// Looks at each in this hour, and what the user wanted in it.
    looks: HashMap<u16, usize>,
    requests: usize,
    began: usize,
    settled: usize,
}

impl Soak {
    fn new(seed: u64) -> Self {
        let ports: Vec<u16> = (5001..).take(STATICS).collect();
        let config = CoreConfig { expire: EXPIRE, ..super::keys::alice() };
        let mut soak = Self {
            story: Story::with(config).with_static(&ports),
            chance: Chance(seed),
            souls: BTreeMap::new(),
            agenda: BTreeMap::new(),
            entries: 0,
            next_stranger: 20_000,
            looks: HashMap::new(),
            requests: 1,
            // The first dialing.
            began: 1,
            settled: 0,
        };
        for port in (5001..).take(STATICS + REGULARS) {
            soak.souls.insert(port, Soul { being: Being::Down, since: Time::default(), turns: [1, 0] });
            let at = soak.within(600_000);
            soak.note(at, Due::Acts(port));
        }
        for due in [Due::StrangersPass, Due::UserActs, Due::Audit] {
            soak.note(Time::at(seconds(60)), due);
        }
        soak.take_up();
        soak
    }

    /// Some moment within so many milliseconds.
    fn within(&mut self, ms: u64) -> Time {
        self.story.now.plus(Duration::from_millis(1 + self.chance.below(ms)))
    }

    fn note(&mut self, at: Time, due: Due) {
        self.entries += 1;
        self.agenda.insert((at, self.entries), due);
    }

    /// Notes how what the chat dialed ends, and counts what it told.
    fn take_up(&mut self) {
        for transmit in std::mem::take(&mut self.story.under_way) {
            let port = transmit.to.port();
            if matches!(transmit.message, Outgoing::Probe | Outgoing::Ping | Outgoing::Connect) {
                *self.looks.entry(port).or_default() += 1;
            }
            let being = self.souls.get(&port).map_or(Being::Down, |soul| soul.being);
            let (result, ms) = match (being, &transmit.message) {
                (Being::Up, Outgoing::Probe) => (SendResult::HandedOver, 2),
                (Being::Up, _) => (SendResult::Delivered, 5),
                (Being::Down, _) => (SendResult::Failed(SendError::Refused), 1),
                (Being::Frozen, _) => (SendResult::Unanswered, 1_000),
            };
            let sent =
                PlainResult { job: transmit.job, to: transmit.to, result, parts: (1, 1), capability: None };
            self.note(self.story.now.plus(Duration::from_millis(ms)), Due::Ends(sent));
        }
        self.settled += self.story.told().iter().filter(|event| matches!(event, Event::Settled(_))).count();
    }

    /// Lives until `end`, always doing what is due first.
    fn live_until(&mut self, end: Time) {
        loop {
            let agenda = self.agenda.first_key_value().map(|(&(at, _), _)| at);
            let wake = self.story.state.next_wake();
            let Some(next) = agenda.into_iter().chain(wake).min().filter(|at| *at <= end) else { break };
            self.story.now = self.story.now.max(next);
            if wake == Some(next) {
                let actions = self.story.state.tick(self.story.now);
                self.story.perform(actions);
                let wake = self.story.state.next_wake();
                assert!(wake.is_none_or(|at| at > self.story.now), "it would wake up for nothing, for ever");
            } else if let Some((_, due)) = self.agenda.pop_first() {
                self.happens(due);
            }
            self.take_up();
        }
        self.story.now = end;
    }

    fn happens(&mut self, due: Due) {
        match due {
            Due::Ends(sent) => {
                let actions = self.story.state.plain_sent(sent, self.story.now);
                self.story.perform(actions);
            }
            Due::Acts(port) => {
                self.acts(port);
                let at = self.within(600_000);
                self.note(at, Due::Acts(port));
            }
            Due::StrangersPass => {
                for _ in 0..self.chance.below(4) {
                    self.next_stranger += 1;
                    self.story.gets(self.next_stranger, text("does anybody read this?"));
                }
                let at = self.within(120_000);
                self.note(at, Due::StrangersPass);
            }
            Due::UserActs => {
                self.user_acts();
                let at = self.within(600_000);
                self.note(at, Due::UserActs);
            }
            Due::Audit => {
                self.audit();
                self.note(self.story.now.plus(seconds(60)), Due::Audit);
            }
        }
    }

    fn becomes(&mut self, port: u16, being: Being) {
        let now = self.story.now;
        let soul = self.souls.get_mut(&port).expect("it lives here");
        if soul.being != being {
            soul.being = being;
            soul.since = now;
            soul.turns[0] += 1;
        }
    }

    /// One peer does something.
    fn acts(&mut self, port: u16) {
        let being = self.souls[&port].being;
        match (being, self.chance.below(10)) {
            (Being::Up, 0..6) => drop(self.story.gets(port, text("what about lunch?"))),
            (Being::Up, 6) => drop(self.story.gets(port, Body::Connect)),
            (Being::Up, 7) => {
                self.story.gets(port, Body::Exit);
                self.becomes(port, Being::Down);
            }
            (Being::Up, 8) => self.becomes(port, Being::Down),
            (Being::Up, _) => self.becomes(port, Being::Frozen),
            (Being::Down | Being::Frozen, 0..3) => {}
            (Being::Frozen, 3) => self.becomes(port, Being::Down),
            (Being::Down, 3) => self.becomes(port, Being::Up),
            (Being::Down | Being::Frozen, which) => {
                self.becomes(port, Being::Up);
                self.story.gets(port, if which < 6 { Body::Connect } else { text("back again") });
            }
        }
    }

    fn user_acts(&mut self) {
        self.began += 1;
        self.requests += 1;
        let port = 5001 + u16::try_from(self.chance.below((STATICS + REGULARS) as u64)).expect("few");
        match self.chance.below(10) {
            0..3 => self.story.does(Command::List),
            3..6 => self.story.says(Target::All, "soup is ready"),
            6..8 => self.story.says(these(port), "are you there?"),
            8 => self.story.does(Command::Connect(Target::All)),
            _ => self.story.does(Command::Disconnect(these(port))),
        };
    }
}

/// Two days, and then silence: everything is as it was at the beginning.
fn soak(seed: u64) {
    let mut soak = Soak::new(seed);
    let begin = soak.story.state.peers.len();
    soak.live_until(Time::at(seconds(HOURS * 3_600)));
    let heard = soak.story.state.peers.len();
    assert!(heard > STATICS, "nobody came: {heard} rows");
    // All peers crash, and the user is idle.
    let ports: Vec<u16> = soak.souls.keys().copied().collect();
    ports.into_iter().for_each(|port| soak.becomes(port, Being::Down));
    soak.agenda.retain(|_, due| matches!(due, Due::Ends(_) | Due::Audit));
    soak.live_until(soak.story.now.plus(GONE_SHOWN + BELIEVED_GONE_WITHIN));
    // Whatever look is under way at this moment ends.
    soak.agenda.retain(|_, due| matches!(due, Due::Ends(_)));
    while let Some((_, due)) = soak.agenda.pop_first() {
        soak.happens(due);
    }
    let state = &soak.story.state;
    let rows = state.rows(soak.story.now);
    assert!(rows.iter().all(|row| row.contact) && rows.len() >= begin, "strangers stay: {rows:?}");
    assert!(state.outbox.recipients().is_empty() && state.waiting(soak.story.now).is_empty());
    assert_eq!((state.jobs.len(), state.operations.len(), state.probe_limiter.under_way()), (0, 0, 0));
    assert_eq!(state.own_addrs.len(), 0);
    assert_eq!(state.online_count(), 0);
    assert_eq!(soak.settled, soak.began, "commands were settled less or more than once");
}

#[test]
fn one_day_of_churn_leaves_no_trace() {
    let soaks = std::env::var("P2P_CHAT_SOAKS").ok().and_then(|count| count.parse().ok()).unwrap_or(1);
    for seed in 0..soaks {
        let failed = std::panic::catch_unwind(|| soak(seed)).is_err();
        assert!(!failed, "the soak with seed {seed} failed");
    }
}
