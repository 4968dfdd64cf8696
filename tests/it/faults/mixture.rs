//! All faults at once, by chance, over many messages; a seed that fails is printed and replays.
//!
//! What is done to a plain text depends on the seed and the text alone. Which probe, greeting or
//! talk meets which fault depends on when the programs look, so a replay repeats every plain text's
//! fate on the network, and not the order of everything.

use std::net::SocketAddrV4;
use std::thread;
use std::time::Duration;

use super::legacies::alice_and;
use super::{Outcome, Pair, arrived_later, outcomes, says_at, shown_times};
use crate::legacy::Program;
use crate::support::{Fault, Faulty, Peer, Rng, SOON, Seed, number};

/// Texts in each direction and seed in `cargo test`: with two seeds 300 texts, in a quarter of a
/// minute, most of which is waiting. `P2P_CHAT_MESSAGES` is another number.
const MESSAGES: u64 = 50;

/// Seeds in `cargo test`. `P2P_CHAT_SEEDS` is another number.
const SEEDS: u64 = 2;

/// How many networks go wrong at the same time: they mostly wait.
const AT_ONCE: usize = 8;

/// Marks a text of the mixture, so that no part of another is taken for one.
const MARK: &str = "mixed-";

/// What becomes of a connection, for this seed.
fn result(seed: u64, bytes: &[u8]) -> Fault {
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
            return result(seed, bytes);
        }
        others += 1;
        result(seed ^ others, b"")
    });
}

fn text(from: &str, number: u64) -> String {
    format!("{MARK}{from}-{number}.")
}

/// What becomes of a connection of two of ours: as above, but that a talk may break at any place,
/// also long after it has begun well.
fn fault_of_session(seed: u64) -> Fault {
    let bytes = Rng::about(seed, b"talk").below(1_500);
    match result(seed, b"") {
        Fault::None | Fault::ResetAfter(_) => Fault::ResetAfter(usize::try_from(bytes).expect("small")),
        other => other,
    }
}

/// A plan for talks and for all else that two of ours say.
fn suffers_talks(proxy: &Faulty, seed: u64) {
    let mut number = 0_u64;
    proxy.follows(move |_| {
        number += 1;
        fault_of_session(seed ^ number)
    });
    proxy.breaks_all();
}

/// What has to hold of every text to one of ours, whatever the network did to it, as soon as it is
/// well again.
fn judge(text: &str, outcome: Outcome, later: usize, times: usize) {
    let what = format!("{text}: told {outcome:?} and {later} times later, shown {times} times");
    assert_eq!(times, 1, "{what}");
    assert_eq!(later, usize::from(outcome == Outcome::Queued), "{what}");
    assert!(matches!(outcome, Outcome::Delivered | Outcome::Queued), "{what}");
}

/// What has to hold of every text to a legacy program, which may have closed after a single byte of
/// it.
fn judge_legacy(text: &str, outcome: Outcome, times: usize, fault: &[Fault]) {
    let what = format!("{text}: told {outcome:?}, shown {times} times, after {fault:?}");
    assert!(times <= 1, "{what}");
    assert!(fault.len() <= 1, "sent again: {what}");
    match outcome {
        Outcome::Delivered => assert_eq!(times, 1, "{what}"),
        Outcome::HandedOver => {
            assert!(times == 1 || matches!(fault, [Fault::Swallow | Fault::SingleBytes]), "{what}");
        }
        Outcome::NotSent => assert_eq!(times, 0, "{what}"),
        Outcome::Unknown => {}
        Outcome::Queued => panic!("only what goes to a key is: {what}"),
    }
    if matches!(fault, [Fault::None | Fault::HalfOpen | Fault::ResetBeforeReceipt]) {
        assert_eq!(times, 1, "{what}");
    }
}

/// Says all texts, one after the other.
fn says_all(peer: &mut Peer, to: SocketAddrV4, from: &str, count: u64) -> Vec<(String, Outcome)> {
    let says = |number| {
        let text = text(from, number);
        let outcome = says_at(peer, to, &text);
        // What is typed behind a text that waits, waits with it; so there is a pause in which it
        // may arrive.
        if outcome == Outcome::Queued {
            let _ = peer.sees_in_time(&format!(": \"{text}\""), Duration::from_millis(500));
        }
        (text, outcome)
    };
    (0..count).map(says).collect()
}

fn two_peers_talk(seed: &Seed, count: u64) {
    let mut pair = Pair::new();
    let (to_alice, to_bob) = (pair.to_alice.addr(), pair.to_bob.addr());
    suffers_talks(&pair.to_alice, seed.0);
    suffers_talks(&pair.to_bob, !seed.0);
    let (alices, bobs) = thread::scope(|scope| {
        let alices = scope.spawn(|| says_all(&mut pair.alice, to_bob, "alice", count));
        let bobs = scope.spawn(|| says_all(&mut pair.bob, to_alice, "bob", count));
        (alices.join(), bobs.join())
    });
    let (alices, bobs) = (alices.expect("no panic"), bobs.expect("no panic"));
    // They are well again without a restart, and what waited comes by itself.
    for proxy in [&pair.to_alice, &pair.to_bob] {
        proxy.heals();
        proxy.breaks_all();
    }
    says_at(&mut pair.alice, to_bob, "all is well.");
    says_at(&mut pair.bob, to_alice, "all is well.");
    pair.alice.has_seen("[encrypted]: all is well.");
    pair.bob.has_seen("[encrypted]: all is well.");
    pair.alice.finds(to_bob, "connected");
    pair.bob.finds(to_alice, "connected");
    for (texts, teller, to, reader, proxy) in [
        (&alices, &pair.alice, to_bob, &pair.bob, &pair.to_bob),
        (&bobs, &pair.bob, to_alice, &pair.alice, &pair.to_alice),
    ] {
        let printed = reader.printed();
        for (text, outcome) in texts {
            if *outcome == Outcome::Queued {
                teller.has_seen(&format!(": \"{text}\""));
            }
            judge(text, *outcome, arrived_later(teller, text), shown_times(&printed, text));
            assert_eq!(proxy.did_to(text), [], "{text} was said in plain");
        }
        let shown: Vec<&str> = printed
            .iter()
            .filter(|line| line.contains("[encrypted]: mixed-"))
            .filter_map(|line| line.split("[encrypted]: ").nth(1)?.split(' ').next())
            .collect();
        assert!(shown.iter().copied().eq(texts.iter().map(|(text, _)| &text[..])), "in order: {shown:?}");
        assert_eq!(outcomes(teller, to).len(), texts.len() + 1, "one outcome for each text");
    }
    // If all were well, or none, nothing would have been tried.
    for expected in [Outcome::Delivered, Outcome::Queued] {
        let some = alices.iter().chain(&bobs).any(|(_, outcome)| *outcome == expected);
        assert!(some || count < MESSAGES, "of {count} texts each way none was {expected:?}");
    }
}

fn one_talks_to_a_legacy_program(seed: &Seed, count: u64) {
    // XYZ dies of a connection that is reset, and is not ours to save.
    let program = Rng::new(seed.0).one_of(&[
        Program::R3,
        Program::SmartCookies,
        Program::Hashpa,
        Program::CryptoKnights,
    ]);
    let (mut alice, proxy, legacy) = alice_and(program);
    suffers(&proxy, seed.0);
    let texts = says_all(&mut alice, proxy.addr(), program.name(), count);
    proxy.heals();
    proxy.settles();
    let well = says_at(&mut alice, proxy.addr(), "all is well.");
    assert!(matches!(well, Outcome::Delivered | Outcome::HandedOver), "{program:?}: {well:?}");
    alice.finds(proxy.addr(), "connected");
    assert!(legacy.wait_shown("all is well.", SOON), "{:?}", legacy.shown());
    let shown = legacy.shown();
    for (text, outcome) in &texts {
        judge_legacy(text, *outcome, shown_times(&shown, text), &proxy.did_to(text));
    }
    assert_eq!(outcomes(&alice, proxy.addr()).len(), texts.len() + 1, "one outcome for each text");
}

/// Runs a scenario for many seeds, some at a time.
fn over_seeds(scenario: fn(&Seed, u64)) {
    let count = number("P2P_CHAT_MESSAGES").unwrap_or(MESSAGES);
    let mut seeds = Seed::all(1, number("P2P_CHAT_SEEDS").unwrap_or(SEEDS)).into_iter().peekable();
    while seeds.peek().is_some() {
        let some: Vec<Seed> = seeds.by_ref().take(AT_ONCE).collect();
        thread::scope(|scope| {
            for seed in some {
                // The seed is printed by the thread in which its network failed.
                scope.spawn(move || scenario(&seed, count));
            }
        });
    }
}

#[test]
fn any_faults_leave_every_message_once_in_order() {
    over_seeds(two_peers_talk);
}

#[test]
fn any_faults_leave_legacy_messages_one_true_outcome() {
    over_seeds(one_talks_to_a_legacy_program);
}
