//! Whole networks of peers on a virtual clock, without a socket or a thread: the real runtime
//! (`runtime::Step`), the real sessions (`Pool`) and real bytes between hundreds of programs, ours
//! and those of old, that come, leave, crash, are stopped, cut off and restarted.
//!
//! Each process has a `twin` instead of a network, a mailbox and a store writer. It takes what a
//! step wants done, and `world`, `wires`, `network`, `dialer` and `disk` have it happen, sooner or
//! later or never. At every step it is checked that what always has to hold does (`checks`), and
//! that what is told is true (`truth`). A run is made from one number, its seed, and nothing else:
//! whatever fails names the seed, and the same seed does the same again.
//!
//! Everybody who has a key has a disk, too (`disk`, `restart`): the twin of the file, written to
//! some time later, full now and then, and found again by the next life as it was when the last one
//! was killed. What has to hold of that is in `kept`, and what is on it in `ledger`.
//!
//! In `takeover` one program leaves and another starts at its address while a message is on its
//! way, typed at the real prompt (`prompt`).
//!
//! `P2P_CHAT_SEED=7 cargo test --test it simulator::networks` replays one seed, and
//! `P2P_CHAT_SEEDS=1000 cargo test --release --test it simulator::networks` runs so many.
//! `P2P_CHAT_TRACE=1` prints all that happens.

mod bounds;
mod checks;
mod dialer;
mod disk;
mod kept;
mod keyed;
mod ledger;
mod legacy;
mod messages;
mod network;
mod ours;
mod outbox;
mod outlook;
mod peer;
mod plan;
mod prompt;
mod random;
mod restart;
mod script;
mod sessions;
mod situations;
mod takeover;
mod told;
mod truth;
mod twin;
mod weather;
mod wires;
mod world;

use std::collections::BTreeMap;
use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use random::Trace;
use world::World;

/// Seeds of an ordinary test run: a few seconds.
const SEEDS: u64 = 9;

/// The same of worlds in which some, or both of two, have keys; those of two are small.
const SEEDS_WITH_KEYS: u64 = 6;
const SEEDS_OF_TWO: u64 = 28;

/// So many seeds show what is rare, too.
const MANY_SEEDS: u64 = 1_000;

/// Until nothing is under way any more when nothing is begun: the lists and texts that wait
/// longest.
const RESTS_WITHIN: Duration = Duration::from_secs(900);

/// What a run has shown, so that nobody takes an empty world for a good one.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shown {
    trace: Trace,
    steps: u64,
    programs: usize,
    texts: usize,
    shown: usize,
    links: usize,
    counts: BTreeMap<String, usize>,
}

/// Lives through one world.
fn live(mut world: World) -> Shown {
    world.populate();
    let (wild, calm) = (world.plan.wild, world.plan.calm);
    world.run_until(wild);
    // Everything heals, and nobody does anything any more.
    world.plan.heal();
    world.plan.weather = 0;
    world.plan.deeds = 0;
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
    let end = world.now + RESTS_WITHIN;
    world.rest_until(end);
    for pid in &ours {
        world.check_at_rest(*pid);
        world.check_messages(*pid, true);
    }
    world.check_disks();
    Shown {
        trace: world.trace,
        steps: world.step,
        programs: world.processes.len(),
        texts: world.said.len(),
        shown: world.said.values().filter(|said| !said.shown.is_empty()).count(),
        links,
        counts: world.counts,
    }
}

/// The same, and whatever fails says how to see it again.
fn live_or_name_the_seed(seed: u64) -> Shown {
    live_in_or_name_the_seed(seed, World::new(seed))
}

fn live_in_or_name_the_seed(seed: u64, world: World) -> Shown {
    or_name_the_seed(seed, || live(world))
}

/// Does something, and if that fails, says from which seed it is made.
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

/// The seeds of a test, or the one to be seen again.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    match number("P2P_CHAT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("P2P_CHAT_SEEDS").unwrap_or(usual),
    }
}

#[test]
fn networks_of_any_kind_keep_to_the_rules_at_every_step() {
    if let Some(seed) = number("P2P_CHAT_SEED") {
        let shown = live_or_name_the_seed(seed);
        return println!("seed {seed}: {shown:?}");
    }
    let mut sum = BTreeMap::new();
    let (mut texts, mut shown, mut links) = (0, 0, 0);
    for seed in 0..number("P2P_CHAT_SEEDS").unwrap_or(SEEDS) {
        let run = live_or_name_the_seed(seed);
        (texts, shown, links) = (texts + run.texts, shown + run.shown, links + run.links);
        for (what, count) in run.counts {
            *sum.entry(what).or_insert(0) += count;
        }
    }
    println!("{texts} texts, {shown} shown, {links} links, {sum:#?}");
    // The worlds were as wild as they were meant to be.
    assert!(shown > texts / 10 && links > 0, "{shown} of {texts} texts were shown, {links} found each other");
    for what in [
        "text: delivered",
        "text: handed over",
        "text: broken",
        "text: unanswered",
        "text: refused",
        "text: timed out",
        "text in parts: delivered",
        "connect: delivered",
        "connect_ack: delivered",
        "exit: delivered",
        "probe: handed over",
        "PING: handed over",
    ] {
        assert!(sum.contains_key(what), "no {what} in {sum:#?}");
    }
    assert!(sum.keys().any(|what| what.ends_with(" elsewhere")), "nobody was found elsewhere: {sum:#?}");
}

#[test]
fn two_peers_with_keys_lose_no_text_on_a_lossy_link() {
    let mut sum = BTreeMap::new();
    for seed in seeds(SEEDS_OF_TWO) {
        let mut world = World::new(seed);
        world.plan = world.plan.two_with_keys();
        add(&mut sum, live_in_or_name_the_seed(seed, world));
    }
    println!("{sum:#?}");
    check_counts(&sum);
}

#[test]
fn networks_in_which_some_prove_keys_keep_to_the_rules_at_every_step() {
    let mut sum = BTreeMap::new();
    for seed in seeds(SEEDS_WITH_KEYS) {
        let mut world = World::new(seed);
        world.plan = world.plan.with_keys();
        add(&mut sum, live_in_or_name_the_seed(seed, world));
    }
    println!("{sum:#?}");
    check_counts(&sum);
}

fn add(sum: &mut BTreeMap<String, usize>, run: Shown) {
    add_all(sum, run.counts);
}

fn add_all(sum: &mut BTreeMap<String, usize>, counts: BTreeMap<String, usize>) {
    for (what, count) in counts {
        *sum.entry(what).or_insert(0) += count;
    }
}

/// That what has to hold was put to the test. One seed need not have shown all.
fn check_counts(sum: &BTreeMap<String, usize>) {
    if number("P2P_CHAT_SEED").is_some() {
        return;
    }
    for what in [
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
    ] {
        assert!(sum.contains_key(what), "no {what} in {sum:#?}");
    }
    let many = number("P2P_CHAT_SEEDS").is_some_and(|seeds| seeds >= MANY_SEEDS);
    for what in RARE.into_iter().filter(|_| many) {
        assert!(sum.contains_key(what), "no {what} in {sum:#?}");
    }
}

/// What a few seeds need not show.
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
    let (one, other) = (live_or_name_the_seed(3), live_or_name_the_seed(3));
    assert_eq!(one, other);
    assert_ne!(one.trace, live_or_name_the_seed(4).trace);
}
