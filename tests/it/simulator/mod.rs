//! Whole networks of peers on a virtual clock, without a socket or a thread: the real runtime
//! (`runtime::Step`) and the real sessions (`Pool`) of hundreds of programs, ours and legacy, that
//! start, leave, crash, are stopped, cut off and restarted. They exchange real bytes.
//!
//! Each process has a `twin` in place of a network, an event queue and a store writer. It takes the
//! outputs of a step, and `world`, `wires`, `network`, `dialer` and `disk` carry them out, sooner
//! or later or never. Every step checks what always has to hold (`checks`), and that the user is
//! told the truth (`truth`, `told`). A seed alone makes a run: a failure names it, and the same
//! seed does the same again.
//!
//! Each person has a disk (`disk`, `restart`): a store that is written some time later, is full now
//! and then, and is found by the next run as the last one left it. `stored` checks that, with what
//! `ledger` knows to be on it.
//!
//! In `takeover` one program leaves and another starts at its address while a message is on its
//! way, typed at the real prompt (`prompt`). `situations` has two people in one situation of the
//! network.
//!
//! `P2P_CHAT_SEED=7 cargo test --test it simulator::networks` replays one seed, and
//! `P2P_CHAT_SEEDS=1000 cargo test --release --test it simulator::networks` runs so many.
//! `P2P_CHAT_TRACE=1` prints all that happens.

mod bounds;
mod checks;
mod churn;
mod converged;
mod dialer;
mod disk;
mod keyed;
mod ledger;
mod legacy;
mod messages;
mod network;
mod ours;
mod outbox;
mod peer;
mod plan;
mod prompt;
mod random;
mod restart;
mod script;
mod sessions;
mod situations;
mod stored;
mod takeover;
mod told;
mod truth;
mod twin;
mod wires;
mod world;

use std::collections::BTreeMap;
use std::env;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use plan::Plan;
use random::Trace;
use world::World;

/// Seeds of an ordinary test run: a few seconds.
const SEEDS: u64 = 7;

/// Seeds of worlds with namesakes, and of two people.
const SEEDS_WITH_NAMESAKES: u64 = 5;
const SEEDS_OF_TWO: u64 = 45;

/// So many seeds show rare events, too.
const MANY_SEEDS: u64 = 1_000;

/// Nothing is under way any more this long after the last action: lists and messages wait longest.
const RESTS_WITHIN: Duration = Duration::from_secs(900);

/// How often each event happened.
type Counts = BTreeMap<String, usize>;

/// Runs one world to its end. Returns the trace and what happened.
fn live(mut world: World) -> (Trace, Counts) {
    world.populate();
    let (wild, calm) = (world.plan.wild, world.plan.calm);
    world.run_until(wild);
    // Everything heals, and no user acts any more.
    world.plan.heal();
    world.plan.churn = 0;
    world.plan.actions = 0;
    world.unite();
    world.everybody_returns();
    world.run_until(wild + calm);
    let links = world.check_converged();
    world.check_disks();
    let ours: Vec<usize> = (0..world.processes.len()).filter(|pid| world.is_up(*pid)).collect();
    for pid in &ours {
        world.check_messages(*pid, false);
    }
    for pid in &ours {
        world.leaves(*pid);
    }
    world.comes_to_rest(RESTS_WITHIN);
    for pid in &ours {
        world.check_at_rest(*pid);
        world.check_messages(*pid, true);
    }
    world.check_disks();
    let shown = world.said.values().filter(|said| !said.shown.is_empty()).count();
    let totals = [("texts", world.said.len()), ("shown", shown), ("links", links)];
    let totals = totals.map(|(what, count)| (format!("all: {what}"), count));
    (world.trace, world.counts.into_iter().chain(totals).collect())
}

/// Runs the world of a seed with another plan.
fn live_with(seed: u64, change: impl FnOnce(&Plan) -> Plan) -> (Trace, Counts) {
    or_name_the_seed(seed, || {
        let mut world = World::new(seed);
        world.plan = change(&world.plan);
        live(world)
    })
}

/// Runs worlds of so many seeds. Returns the sums of what happened.
#[expect(clippy::print_stdout, reason = "a failing test shows the sums")]
fn live_all(usual: u64, change: impl Fn(&Plan) -> Plan) -> Counts {
    let mut sum = Counts::new();
    for seed in seeds(usual) {
        add(&mut sum, live_with(seed, &change).1);
    }
    println!("{sum:#?}");
    sum
}

/// Plays something, and names the seed if that fails.
fn or_name_the_seed<T>(seed: u64, play: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(play)).unwrap_or_else(|why| {
        let why = why.downcast_ref::<String>().cloned();
        let why = why.unwrap_or_else(|| "see above".to_owned());
        panic!(
            "seed {seed}, {why}\nSee it again: P2P_CHAT_SEED={seed} cargo test --test it simulator::, and the name of the test"
        )
    })
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Returns the seeds of a test, or the one to be seen again.
fn seeds(usual: u64) -> Range<u64> {
    match number("P2P_CHAT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("P2P_CHAT_SEEDS").unwrap_or(usual),
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn add(sum: &mut Counts, counts: Counts) {
    for (what, count) in counts {
        *sum.entry(what).or_insert(0) += count;
    }
}

/// Checks that each of these happened. A single seed need not show all.
fn check_happened(sum: &Counts, events: &[&str]) {
    if number("P2P_CHAT_SEED").is_none() {
        let missing: Vec<_> = events.iter().filter(|what| !sum.contains_key(**what)).collect();
        assert!(missing.is_empty(), "no {missing:?} in {sum:#?}");
    }
}

#[test]
fn networks_keep_the_rules_at_every_step() {
    let sum = live_all(SEEDS, Plan::clone);
    if number("P2P_CHAT_SEED").is_some() {
        return;
    }
    // The worlds were as wild as they were meant to be.
    let [texts, shown, links] = ["texts", "shown", "links"].map(|what| sum[&format!("all: {what}")]);
    assert!(shown > texts / 10 && links > 0, "{shown} of {texts} texts were shown, {links} found each other");
    check_happened(
        &sum,
        &[
            "text: delivered",
            "text: sent",
            "text: broken",
            "text: unanswered",
            "text: refused",
            "text: timed out",
            "text in parts: delivered",
            "connect: delivered",
            "connect_ack: delivered",
            "exit: delivered",
            "probe: sent",
            "PING: sent",
        ],
    );
    assert!(sum.keys().any(|what| what.ends_with(" elsewhere")), "no peer was found elsewhere: {sum:#?}");
}

#[test]
fn networks_with_namesakes_keep_the_rules() {
    check_sessions(&live_all(SEEDS_WITH_NAMESAKES, Plan::with_namesakes));
}

#[test]
fn lossy_link_loses_no_message() {
    check_sessions(&live_all(SEEDS_OF_TWO, Plan::of_two));
}

/// Checks that what has to hold of sessions and disks was put to the test.
fn check_sessions(sum: &Counts) {
    check_happened(
        sum,
        &[
            "open: answered",
            "ping: answered",
            "batch: answered",
            "batch: broken",
            "batch: unreachable",
            "batch: bye",
            "bye: answered",
            "session: ended: None",
            "session: ended: Some(Leaves)",
            "link: broken",
            "link: reset unnoticed",
            "link: lost",
            "messages: not stored",
            "message: shown",
            "message: delivered later",
            "message: waits: Unreachable",
            "message: later Failed(Ended { attempted: false })",
            "message: restored",
            "disk: failed",
            "disk: several at once",
            "told: pinned",
        ],
    );
    if number("P2P_CHAT_SEEDS").is_some_and(|seeds| seeds >= MANY_SEEDS) {
        check_happened(sum, &RARE);
    }
}

/// Events that a few seeds need not show.
const RARE: [&str; 8] = [
    "message: later Failed(Ended { attempted: true })",
    "message: shown again in doubt",
    "message: shown in doubt first",
    "batch: no session",
    "message: shown again, with a remark",
    "message: shown again in another life",
    "told: unproven",
    "messages: no room in the mailbox",
];

#[test]
fn the_same_seed_does_the_same_again() {
    let [one, again, other] = [3, 3, 4].map(|seed| live_with(seed, Plan::with_namesakes));
    assert_eq!(one, again);
    assert_ne!(one.0, other.0);
}
