//! A stream of numbered messages from one peer to another through a network that breaks, while one
//! or both are killed and start again.
//!
//! In a round, some numbers are typed, a random time passes, and a peer is killed and starts again.
//! The seed determines all random choices, but not the timing of the machine, so a failing seed
//! repeats the same kills at slightly different moments.

mod truth;

use std::path::Path;
use std::time::{Duration, Instant};

use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::stored::Direction;
use p2p_chat::store::Sqlite;
use tempfile::TempDir;

use self::truth::{Figures, Life};
use super::{history_of, kept_of, until};
use crate::support::{Builder, Fault, Faulty, Peer, Rng, SOON, Seed, number, outcomes_at};

/// Sets the number of rounds of the long form.
const ROUNDS: &str = "P2P_CHAT_ROUNDS";

/// Rounds of the short form: ten seconds.
const FEW: usize = 50;

/// Rounds of the long form by default.
const MANY: usize = 500;

/// Rounds after which the network works and everything has to arrive.
const SETTLED_EVERY: usize = 10;

/// The maximum number of messages typed in a round: a whole turn.
const MOST_TYPED: u64 = 64;

/// The times, in milliseconds, that a round waits for its last number to be shown before a peer is
/// killed. After the shorter ones, sending has just begun; after the longest, most numbers have
/// arrived.
const MOMENTS: [u64; 4] = [15, 60, 150, 500];

/// How long queued messages may take when all peers run and the network works: the longest wait
/// between two tries, and some time for one.
const SETTLED_WITHIN: Duration = Duration::from_secs(60).saturating_add(SOON);

/// The peers that are killed in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Victim {
    Sender,
    Receiver,
    Both,
}

/// A peer that runs several times, behind a proxy.
struct Mortal {
    name: &'static str,
    data: TempDir,
    proxy: Faulty,
}

impl Mortal {
    fn new(name: &'static str) -> Self {
        Self { name, data: TempDir::new().expect("a directory"), proxy: Faulty::new() }
    }

    fn builder(&self, other: &Self) -> Builder {
        let peer = Peer::named(self.name).data_dir(self.data.path()).knows(other.proxy.addr());
        self.proxy.before(peer).arg("--time-format=off")
    }
}

/// What goes wrong with connections in a round: most are well.
fn weather(mut rng: Rng) -> impl FnMut(&[u8]) -> Fault {
    move |_| match rng.below(10) {
        0 => Fault::DelayBytes(Duration::from_millis(rng.below(40))),
        1 => Fault::DelayAnswer(Duration::from_millis(rng.below(40))),
        // Within the handshake, within the texts, and within the receipts.
        2 | 3 => Fault::ResetAfter(usize::try_from(rng.below(8_000)).expect("small")),
        _ => Fault::None,
    }
}

/// A text that bears a number.
fn text(number: usize) -> String {
    format!("stream-{number}.")
}

/// A run of several rounds.
struct Run<'a> {
    alice: &'a Mortal,
    bob: &'a Mortal,
    sender: Peer,
    receiver: Peer,
    rng: Rng,
    next: usize,
    /// What was typed in this life of the sender.
    typed: Vec<usize>,
    figures: Figures,
}

impl<'a> Run<'a> {
    fn new(alice: &'a Mortal, bob: &'a Mortal, seed: u64) -> Self {
        let mut sender = alice.builder(bob).start();
        let mut receiver = bob.builder(alice).start();
        let shown = |mortal: &Mortal| format!("{} ({})", mortal.name, mortal.proxy.addr());
        sender.meets_at(&shown(bob));
        receiver.meets_at(&shown(alice));
        let figures = Figures::default();
        Self { alice, bob, sender, receiver, rng: Rng::new(seed), next: 0, typed: Vec::new(), figures }
    }

    fn round(&mut self) {
        for (proxy, seed) in [(&self.alice.proxy, 1), (&self.bob.proxy, 2)] {
            proxy.follows(weather(Rng::new(self.rng.below(u64::MAX) ^ seed)));
        }
        for _ in 0..=self.rng.below(MOST_TYPED) {
            self.types();
        }
        let last = text(self.next - 1);
        let longest = self.rng.one_of(&MOMENTS);
        let moment = Duration::from_millis(self.rng.below(longest));
        self.receiver.sees_in_time(&last, moment);
        if self.rng.below(4) == 0 {
            self.bob.proxy.breaks_all();
        }
        let victim = self.rng.one_of(&[Victim::Sender, Victim::Receiver, Victim::Both]);
        let (sender, receiver) = (victim != Victim::Receiver, victim != Victim::Sender);
        if sender {
            self.sender.crashes();
        }
        if receiver {
            self.receiver.crashes();
        }
        let sender_first = self.rng.below(2) == 0;
        if sender && sender_first {
            self.sender_starts();
        }
        if receiver {
            self.figures.received.push(self.receiver.printed());
            self.receiver = self.bob.builder(self.alice).start();
        }
        if sender && !sender_first {
            self.sender_starts();
        }
        let killed = match victim {
            Victim::Sender => &mut self.figures.kills_of_sender,
            Victim::Receiver => &mut self.figures.kills_of_receiver,
            Victim::Both => &mut self.figures.kills_of_both,
        };
        *killed += 1;
        self.figures.rounds += 1;
    }

    fn types(&mut self) {
        self.sender.types(&[&format!("@{} {}", self.bob.proxy.addr(), text(self.next))]);
        self.typed.push(self.next);
        self.next += 1;
    }

    fn sender_starts(&mut self) {
        let typed = std::mem::take(&mut self.typed);
        self.figures.sent.push(Life { typed, printed: self.sender.printed() });
        self.sender = self.alice.builder(self.bob).start();
    }

    /// Lets everything arrive that is to.
    fn settles(&mut self) {
        for proxy in [&self.alice.proxy, &self.bob.proxy] {
            proxy.heals();
        }
        // From a pipe one line is read when the one before it is settled, so with this one all are.
        self.types();
        let (count, addr) = (self.typed.len(), self.bob.proxy.addr());
        until(SETTLED_WITHIN, "each text has an outcome", || {
            outcomes_at(&self.sender.printed(), addr).len() == count
        });
        let began = Instant::now();
        let mut store = reader(self.alice);
        until(SETTLED_WITHIN, "nothing waits any more", || {
            store.queued().is_ok_and(|waiting| waiting.is_empty())
        });
        self.receiver.has_seen(&text(self.next - 1));
        let mut store = reader(self.bob);
        until(SETTLED_WITHIN, "all that was shown is known to be", || {
            store.unshown(1).is_ok_and(|unshown| unshown.is_empty())
        });
        self.figures.longest_settling = self.figures.longest_settling.max(began.elapsed());
    }

    /// What became of everything.
    fn judge(mut self) -> Figures {
        self.sender_ends();
        self.figures.received.push(self.receiver.printed());
        let sent = statuses(self.alice.data.path());
        let taken = taken(self.bob.data.path());
        self.figures.judge(&sent, &taken, self.bob.proxy.addr());
        self.figures
    }

    fn sender_ends(&mut self) {
        let typed = std::mem::take(&mut self.typed);
        self.figures.sent.push(Life { typed, printed: self.sender.printed() });
    }
}

/// The history of a running peer.
fn reader(of: &Mortal) -> Sqlite {
    Sqlite::reader(&history_of(of.name, of.data.path())).expect("a history")
}

/// The stored status of each number that was sent, in the order of its file.
fn statuses(data: &Path) -> Vec<(usize, DeliveryStatus)> {
    let kept = kept_of("Alice", data).into_iter();
    kept.filter_map(|entry| match entry.direction {
        Direction::Outgoing { status, .. } => Some((truth::number_of(&entry.body)?, status)),
        Direction::Incoming { .. } => None,
    })
    .collect()
}

/// The numbers that the receiver has written down, in the order of its file.
fn taken(data: &Path) -> Vec<usize> {
    kept_of("Bob", data).iter().filter_map(|entry| truth::number_of(&entry.body)).collect()
}

fn play(rounds: usize, seed: u64) {
    let seed = Seed(seed);
    let (alice, bob) = (Mortal::new("Alice"), Mortal::new("Bob"));
    let mut run = Run::new(&alice, &bob, seed.0);
    for round in 1..=rounds {
        run.round();
        if round % SETTLED_EVERY == 0 || round == rounds {
            run.settles();
        }
    }
    let figures = run.judge();
    figures.print(seed.0);
    figures.hold();
}

#[test]
fn kill_at_any_instant_loses_or_repeats_nothing() {
    for Seed(seed) in Seed::all(1, 1) {
        play(FEW, seed);
    }
}

#[test]
#[ignore = "the long form: 500 rounds"]
fn five_hundred_kills_lose_or_repeat_nothing() {
    let rounds = number(ROUNDS).map_or(MANY, |rounds| usize::try_from(rounds).expect("not that many"));
    for Seed(seed) in Seed::all(1, 1) {
        play(rounds, seed);
    }
}
