//! Invariants that hold for random events in any order.
//!
//! `PROPTEST_CASES` makes it as many histories as wanted.

use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::model::message::SendResult;

const PORTS: [u16; 5] = [5000, 5001, 5002, 5003, 5004];
const STATICS: [u16; 2] = [5001, 5002];

#[derive(Clone, Debug)]
enum Step {
    Gets { source: u8, claim: u8, port: usize, form: u8, body: u8, named: bool },
    Ends { which: prop::sample::Index, result: u8, fallback: bool },
    Send { to: Option<(u8, usize)>, exit: bool },
    Connect { to: Option<(u8, usize)> },
    Disconnect { to: Option<(u8, usize)> },
    List,
    Later(u64),
}

fn ip(n: u8) -> Ipv4Addr {
    match n {
        0 => HERE,
        1 => Ipv4Addr::new(127, 0, 1, 1),
        2 => LAN,
        _ => Ipv4Addr::new(10, 0, 0, 8),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let to = || prop::option::of((0u8..4, 0..PORTS.len()));
    prop_oneof![
        8 => (0u8..4, 0u8..4, 0..PORTS.len(), 0u8..3, 0u8..8, any::<bool>())
            .prop_map(|(source, claim, port, form, body, named)| Step::Gets { source, claim, port, form, body, named }),
        12 => (any::<prop::sample::Index>(), 0u8..9, any::<bool>())
            .prop_map(|(which, result, fallback)| Step::Ends { which, result, fallback }),
        3 => (to(), prop::bool::weighted(0.1)).prop_map(|(to, exit)| Step::Send { to, exit }),
        2 => to().prop_map(|to| Step::Connect { to }),
        2 => to().prop_map(|to| Step::Disconnect { to }),
        1 => Just(Step::List),
        8 => prop_oneof![0u64..50, 0u64..3_000, 0u64..20_000, Just(700_000u64)].prop_map(Step::Later),
    ]
}

fn result(n: u8) -> SendResult {
    match n {
        0 => SendResult::Delivered,
        1 | 2 => SendResult::HandedOver,
        3 => SendResult::Unanswered,
        4 => SendResult::Broken,
        5 | 6 => SendResult::Failed(SendError::Refused),
        7 => SendResult::Failed(SendError::NoResources),
        _ => SendResult::Failed(SendError::TimedOut),
    }
}

fn body(n: u8) -> Body {
    match n {
        0 | 1 => text("hi"),
        2 => Body::Connect,
        3 => Body::ConnectAck,
        4 => Body::ConnectRequest,
        5 => Body::Exit,
        6 => Body::Ping,
        _ => Body::Greeting(Text::new("Hello, I am connecting!")),
    }
}

fn target(to: Option<(u8, usize)>) -> Target {
    match to.and_then(|(n, port)| PeerAddr::new(ip(n), PORTS[port])) {
        Some(addr) => Target::These(vec![addr.into()]),
        None => Target::All,
    }
}

struct World {
    story: Story,
    ops: HashSet<OpId>,
    settled: BTreeMap<OpId, usize>,
    /// Addresses that ever took something.
    answered: HashSet<PeerAddr>,
}

impl World {
    fn new() -> Self {
        let mut story = Story::new();
        story.state.learn_own_ip(LAN);
        let story = story.with_static(&STATICS);
        let ops = HashSet::from([OpId(1)]);
        Self { story, ops, settled: BTreeMap::new(), answered: HashSet::new() }
    }

    fn does(&mut self, command: Command) {
        let op = self.story.does(command);
        self.ops.insert(op);
    }

    fn end(&mut self, transmit: PlainRequest, result: SendResult, fallback: bool) {
        let taken = matches!(result, SendResult::Delivered | SendResult::HandedOver);
        let to = transmit.fallback.filter(|_| fallback && taken).unwrap_or(transmit.to);
        if taken {
            self.answered.insert(to);
        }
        let parts = (usize::from(!matches!(result, SendResult::Failed(_))), 1);
        let sent = PlainResult { job: transmit.job, to, result, parts, capability: None };
        let actions = self.story.state.plain_sent(sent, self.story.now);
        self.story.perform(actions);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Gets { source, claim, port, form, body: what, named } => {
                let form = [Form::STANDARD, Form::new("r3"), Form::new("two-field")][usize::from(form)];
                let claimed = Claimed { ip: ip(claim), port: PORTS[port] };
                let name = named.then(|| PeerName::new("Bob"));
                let decoded = vec![Decoded::Message(Plain { claimed, form, name, body: body(what) })];
                let received = PlainReceived { source: Source::from(ip(source)), decoded, cut: false };
                let (_, actions) = self.story.state.plain_received(received, self.story.now);
                self.story.perform(actions);
            }
            Step::Ends { which, result: n, fallback } => {
                if !self.story.under_way.is_empty() {
                    let at = which.index(self.story.under_way.len());
                    let transmit = self.story.under_way.remove(at);
                    self.end(transmit, result(n), fallback);
                }
            }
            Step::Send { to, exit } => {
                let op = self.story.says(target(to), if exit { "exit" } else { "hello" });
                self.ops.insert(op);
            }
            Step::Connect { to } => self.does(Command::Connect(target(to))),
            Step::Disconnect { to } => self.does(Command::Disconnect(target(to))),
            Step::List => self.does(Command::List),
            Step::Later(ms) => self.story.later(Duration::from_millis(ms)),
        }
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let now = self.story.now;
        let actions = self.story.state.tick(now);
        self.story.perform(actions);
        prop_assert!(self.story.state.next_wake().is_none_or(|at| at > now), "tick left something due");
        self.story.state.peers.check();
        let rows = self.story.state.rows(now);
        let addrs: HashSet<_> = rows.iter().map(|row| row.addr).collect();
        prop_assert_eq!(addrs.len(), rows.len(), "two rows of one address");
        let there = rows.iter().filter(|row| row.counts_as_online()).count();
        prop_assert_eq!(self.story.state.online_count(), there);
        for row in &rows {
            let addr = row.addr.unwrap();
            prop_assert!(!self.story.state.book().is_own(addr), "own address listed: {:?}", row);
            let peers = &self.story.state.peers;
            let queued = self.story.state.waiting(now).iter().filter(|text| text.to == row.id).count();
            prop_assert_eq!(peers.messages_waiting(row.id), Some(queued));
            prop_assert!(
                !peers.is_proven(row.id) || self.answered.contains(&addr),
                "{} is believed, but nothing ever answered there",
                addr
            );
        }
        for port in STATICS {
            // It may have been found at the address that it claims.
            let stays = rows.iter().any(|row| {
                row.origin == PeerOrigin::Static && row.addr.is_some_and(|addr| addr.port() == port)
            });
            prop_assert!(stays, "{port} is no static peer any more");
        }
        for event in self.story.told() {
            if let Event::Settled(op) = event {
                *self.settled.entry(op).or_default() += 1;
            }
        }
        Ok(())
    }

    /// Nothing to dial with: must not be tried again and again at the same moment.
    fn check_no_resources(&mut self) -> Result<(), TestCaseError> {
        for round in 0..200 {
            if self.story.under_way.is_empty() {
                return Ok(());
            }
            prop_assert!(round < 50, "dialed {round} times at one moment: {:?}", self.story.under_way);
            for transmit in std::mem::take(&mut self.story.under_way) {
                self.end(transmit, SendResult::Failed(SendError::NoResources), false);
            }
            let actions = self.story.state.tick(self.story.now);
            self.story.perform(actions);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn random_events_keep_table_true_and_commands_settled(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check()?;
        }
        world.check_no_resources()?;
        // All that is under way ends, and so does every command.
        for round in 0.. {
            prop_assert!(round < 3 + world.ops.len(), "it goes on for ever");
            if world.story.under_way.is_empty() {
                break;
            }
            for transmit in std::mem::take(&mut world.story.under_way) {
                world.end(transmit, SendResult::HandedOver, false);
            }
            world.check()?;
        }
        world.story.later(ANSWER_WITHIN);
        world.check()?;
        for op in &world.ops {
            prop_assert_eq!(world.settled.get(op), Some(&1), "{:?}", op);
        }
        for text in world.story.state.waiting(world.story.now) {
            world.does(Command::Cancel(text.to, text.message.id));
        }
        world.check()?;
        world.does(Command::Leave);
        for transmit in std::mem::take(&mut world.story.under_way) {
            world.end(transmit, SendResult::Unanswered, false);
        }
        world.check()?;
        for op in &world.ops {
            prop_assert_eq!(world.settled.get(op), Some(&1), "{:?}", op);
        }
        prop_assert!(world.story.state.jobs.len() == 0 && world.story.state.operations.len() == 0);
        prop_assert!(world.story.state.probe_limiter.is_empty() && world.story.state.outbox.recipients().is_empty());
    }
}
