//! All faults at once, by chance, over many messages; a seed that fails is printed and replays.
//!
//! What is done to a text depends on the seed and the text alone. Which probe or greeting meets which fault depends on when the
//! programs look, so a replay repeats every text's fate on the network, and not the order of everything.

use std::net::SocketAddrV4;
use std::thread;
use std::time::Duration;

use super::{Outcome, Pair, outcomes, says_at, shown_times};
use crate::support::{Fault, Faulty, Peer, Rng, Seed, number};

/// Texts in each direction and seed in `cargo test`: two seeds of two directions are some 200 texts, and half a minute beside
/// the other tests. `P2P_CHAT_MESSAGES` is another number.
const MESSAGES: u64 = 50;

/// Seeds in `cargo test`. `P2P_CHAT_SEEDS` is another number.
const SEEDS: u64 = 2;

/// How many networks go wrong at the same time: they mostly wait.
const AT_ONCE: usize = 8;

/// Marks a text of the mixture, so that no part of another is taken for one.
const MARK: &str = "mixed-";

/// What becomes of a connection, for this seed.
fn fate(seed: u64, bytes: &[u8]) -> Fault {
    let words = String::from_utf8_lossy(bytes);
    let text = words.find(MARK).map_or(&words[..0], |at| &words[at..]);
    let mut rng = Rng::about(seed, text.as_bytes());
    // Half of everything is well. What is long is longer than a sender waits.
    let delay = Duration::from_millis(rng.below(300) + if rng.below(4) == 0 { 1_100 } else { 0 });
    let bytes = usize::try_from(rng.below(60)).expect("small");
    let faults = [
        Fault::DelayConnection(delay),
        Fault::DelayBytes(delay),
        Fault::DelayAnswer(delay),
        Fault::SingleBytes,
        Fault::ResetAfter(bytes),
        Fault::ResetBeforeReceipt,
        Fault::BlackHole,
        Fault::HalfOpen,
        Fault::Swallow,
        Fault::HoldForNext,
    ];
    if rng.below(2) == 0 { Fault::None } else { rng.one_of(&faults) }
}

/// A plan in which probes and greetings suffer, too, each another fault.
fn suffers(proxy: &Faulty, seed: u64) {
    let mut others = 0_u64;
    proxy.follows(move |bytes| {
        if String::from_utf8_lossy(bytes).contains(MARK) {
            return fate(seed, bytes);
        }
        others += 1;
        fate(seed ^ others, b"")
    });
}

fn text(from: &str, number: u64) -> String {
    format!("{MARK}{from}-{number}.")
}

/// What has to hold of every text, whatever the network did to it.
fn judge(text: &str, outcome: Outcome, times: usize, fault: &[Fault]) {
    let what = format!("{text}: told {outcome:?}, shown {times} times, after {fault:?}");
    assert!(times <= 1, "{what}");
    assert!(fault.len() <= 1, "sent again: {what}");
    match outcome {
        Outcome::Delivered => assert_eq!(times, 1, "{what}"),
        // Whoever closed in good order and showed nothing was the network, as it does where it swallows.
        Outcome::HandedOver => assert_eq!(fault, [Fault::Swallow], "{what}"),
        Outcome::NotSent => assert_eq!(times, 0, "{what}"),
        Outcome::Unknown => {}
    }
    // A test in which nothing goes wrong, or everything, would show nothing.
    if fault == [Fault::SingleBytes] || fault == [Fault::None] {
        assert!(matches!(outcome, Outcome::Delivered | Outcome::Unknown), "{what}");
        assert_eq!(times, 1, "{what}");
    }
}

/// Says all texts, one after the other.
fn says_all(peer: &mut Peer, to: SocketAddrV4, from: &str, count: u64) -> Vec<(String, Outcome)> {
    (0..count).map(|number| text(from, number)).map(|text| (text.clone(), says_at(peer, to, &text))).collect()
}

fn two_peers_talk(seed: &Seed, count: u64) {
    let mut pair = Pair::new();
    let (to_alice, to_bob) = (pair.to_alice.addr(), pair.to_bob.addr());
    suffers(&pair.to_alice, seed.0);
    suffers(&pair.to_bob, !seed.0);
    let (alices, bobs) = thread::scope(|scope| {
        let alices = scope.spawn(|| says_all(&mut pair.alice, to_bob, "alice", count));
        let bobs = scope.spawn(|| says_all(&mut pair.bob, to_alice, "bob", count));
        (alices.join(), bobs.join())
    });
    let (alices, bobs) = (alices.expect("no panic"), bobs.expect("no panic"));
    // They are well again without a restart, and nothing comes late.
    for proxy in [&pair.to_alice, &pair.to_bob] {
        proxy.heals();
        proxy.settles();
    }
    assert_eq!(says_at(&mut pair.alice, to_bob, "all is well."), Outcome::Delivered);
    assert_eq!(says_at(&mut pair.bob, to_alice, "all is well."), Outcome::Delivered);
    pair.alice.has_seen("): all is well.");
    pair.bob.has_seen("): all is well.");
    pair.alice.finds(to_bob, "connected");
    pair.bob.finds(to_alice, "connected");
    for (texts, teller, to, reader, proxy) in [
        (&alices, &pair.alice, to_bob, &pair.bob, &pair.to_bob),
        (&bobs, &pair.bob, to_alice, &pair.alice, &pair.to_alice),
    ] {
        let printed = reader.printed();
        for (text, outcome) in texts {
            judge(text, *outcome, shown_times(&printed, text), &proxy.did_to(text));
        }
        assert_eq!(outcomes(teller, to).len(), texts.len() + 1, "one outcome for each text");
    }
}

fn over_seeds(seeds: u64, count: u64) {
    let mut seeds = Seed::all(1, seeds).into_iter().peekable();
    while seeds.peek().is_some() {
        let some: Vec<Seed> = seeds.by_ref().take(AT_ONCE).collect();
        thread::scope(|scope| {
            for seed in some {
                // The seed is printed by the thread in which its network failed.
                scope.spawn(move || two_peers_talk(&seed, count));
            }
        });
    }
}

#[test]
fn in_any_mixture_of_faults_every_text_is_shown_at_most_once_and_has_exactly_one_true_outcome() {
    over_seeds(number("P2P_CHAT_SEEDS").unwrap_or(SEEDS), number("P2P_CHAT_MESSAGES").unwrap_or(MESSAGES));
}
