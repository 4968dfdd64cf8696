//! So many messages that whatever is not given back shows: threads, descriptors, memory.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Peer, SOON, dial_from, send_raw_from};

/// The legacy programs, each at its own address, that send to Alice at the same time as [`OURS`].
const LEGACY: [&str; 4] = ["Lea", "Leo", "Liv", "Lou"];
/// The p2p-chat peers that send to Alice.
const OURS: [&str; 2] = ["Olga", "Otto"];

/// The messages of ten that p2p-chat peers send, one by one through the menu.
const OF_OURS: usize = 2;

/// The maximum growth of the resident memory from the first sample, when every cache is full, to
/// the last. The allocator's arenas for threads that start and end take about as much. A
/// leak of a single byte for each of a million messages would be a quarter of it, and a real leak
/// is larger.
const MOST_GROWTH_KIB: u64 = 4 * 1024;

/// The p2p-chat peers that Alice has met in the end. They probe each other and keep a connection
/// each way.
const MET: usize = OURS.len() + 1;

/// The maximum number of additional threads at the end: two that watch the open connections, one
/// for each p2p-chat peer that probes it, and one for each that it has just dialed.
const MORE_THREADS: u64 = 2 + 2 * MET as u64;

/// The maximum number of additional descriptors at the end: a connection each way with each
/// p2p-chat peer, and two pairs that wake the threads which watch them.
const MORE_DESCRIPTORS: usize = 2 * MET + 4;

/// The maximum time of the longest run on a slow machine.
const LONGEST: Duration = Duration::from_secs(1_200);

/// The numbers of messages before the first sample (enough to fill every cache), after it, and sent
/// meanwhile.
struct Amount {
    first: usize,
    then: usize,
    sent: usize,
}

/// The resources of a process.
#[derive(Debug)]
struct Held {
    threads: u64,
    descriptors: usize,
    resident_kib: u64,
}

impl Held {
    fn by(peer: &Peer) -> Self {
        Self { threads: peer.threads(), descriptors: peer.descriptors(), resident_kib: peer.resident_kib() }
    }

    /// Returns the resources once the messages are handled and idle threads have ended, after 5 s.
    fn after_calming_down(peer: &Peer, before: &Self) -> Self {
        let begun = Instant::now();
        loop {
            let held = Self::by(peer);
            if held.threads <= before.threads + MORE_THREADS
                && held.descriptors <= before.descriptors + MORE_DESCRIPTORS
            {
                return held;
            }
            assert!(begun.elapsed() < 2 * SOON, "{held:?} after {before:?}");
            // The workers of the burst leave new connections to one of them.
            drop(dial_from(source(0), peer.addr()));
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn source(speaker: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 70, u8::try_from(speaker).expect("few"))
}

/// The numbers that each speaker says next.
#[derive(Default)]
struct Said {
    legacy: [usize; LEGACY.len()],
    ours: [usize; OURS.len()],
    sent: usize,
}

/// Alice is told `count` messages, and sends `sent` herself meanwhile; each is acknowledged.
fn talk(alice: &mut Peer, ours: &mut [Peer], bob: SocketAddrV4, said: &mut Said, count: usize, sent: usize) {
    let of_each_of_ours = count * OF_OURS / 10 / OURS.len();
    let of_each_legacy = (count - of_each_of_ours * OURS.len()) / LEGACY.len();
    let addr = alice.addr();
    thread::scope(|scope| {
        for (speaker, name) in LEGACY.iter().enumerate() {
            let from = said.legacy[speaker];
            scope.spawn(move || {
                for number in from..from + of_each_legacy {
                    let text = format!("{}:9 {name} {name}-{number}.", source(speaker));
                    let answer = send_raw_from(source(speaker), addr, text.as_bytes());
                    assert!(answer.starts_with(b"[ACK] "), "{text}: {answer:?}");
                }
            });
            said.legacy[speaker] += of_each_legacy;
        }
        for (speaker, peer) in ours.iter_mut().enumerate() {
            let (name, from) = (OURS[speaker], said.ours[speaker]);
            scope.spawn(move || says(peer, addr, name, from..from + of_each_of_ours));
            said.ours[speaker] += of_each_of_ours;
        }
        let from = said.sent;
        scope.spawn(move || says(alice, bob, "Alice", from..from + sent));
        said.sent += sent;
    });
}

/// Says numbered texts through the menu, and waits until the last is settled.
fn says(peer: &mut Peer, to: SocketAddrV4, name: &str, numbers: std::ops::Range<usize>) {
    peer.is_typed_by(|input| {
        numbers.clone().try_for_each(|number| writeln!(input, "@{to} {name}-{number}."))?;
        // What it says to that comes when all else is settled.
        writeln!(input, "/help said-{}.", numbers.end)
    });
    peer.sees_within(&format!("said-{}.", numbers.end), LONGEST);
}

/// Asserts that `listener` shows each text of `name` once and in order.
fn shows_each_once(printed: &[String], name: &str, count: usize) {
    let before = format!(": {name}-");
    let mut next = 0;
    for line in printed.iter().filter_map(|line| line.split_once(&before).map(|(_, text)| text)) {
        assert_eq!(line, format!("{next}."), "of {name}");
        next += 1;
    }
    assert_eq!(next, count, "of {name}");
}

#[allow(clippy::print_stderr, reason = "a person reads the figures of a long run")]
fn run(amount: &Amount) {
    let begun = Instant::now();
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").start();
    let mut ours = OURS.map(|name| Peer::named(name).start());
    alice.sees("Choice [0-6]:");
    // Strangers may not write as fast as this.
    for peer in &mut ours {
        alice.types(&[&format!("@{} welcome", peer.addr())]);
        peer.sees("[encrypted]: welcome");
        alice.has_seen(&format!("Delivered to {}", peer.name()));
    }
    bob.types(&[&format!("@{} welcome", alice.addr())]);
    alice.has_seen("[encrypted]: welcome");
    bob.sees("Delivered to Alice");
    let start = Held::by(&alice);
    let mut said = Said::default();
    talk(&mut alice, &mut ours, bob.addr(), &mut said, amount.first, amount.sent / 10);
    // Threads that have not ended yet add less than a megabyte, which the bound allows for.
    let first = Held::by(&alice);
    talk(&mut alice, &mut ours, bob.addr(), &mut said, amount.then, amount.sent - amount.sent / 10);
    let last = Held::after_calming_down(&alice, &start);
    eprintln!(
        "{start:?} at the start, {first:?} after {}, {last:?} after {} more and {} sent, {:?}",
        amount.first,
        amount.then,
        amount.sent,
        begun.elapsed()
    );
    alice.still_answers();
    let printed = alice.printed();
    for (name, count) in LEGACY.iter().zip(said.legacy).chain(OURS.iter().zip(said.ours)) {
        shows_each_once(&printed, name, count);
    }
    shows_each_once(&bob.printed(), "Alice", said.sent);
    let delivered = printed.iter().filter(|line| line.starts_with("Delivered to Bob")).count();
    assert_eq!(delivered, said.sent);
    let grown = last.resident_kib.saturating_sub(first.resident_kib);
    assert!(grown < MOST_GROWTH_KIB, "{grown} KiB more after {} messages more", amount.then);
    // Only the lines that ask for no such command are refused.
    let errors = alice.errors();
    assert!(errors.lines().all(|line| line.contains("There is no command /said-")), "{errors}");
}

#[test]
fn twelve_thousand_messages_leave_nothing_behind() {
    run(&Amount { first: 4_000, then: 8_000, sent: 600 });
}

#[test]
#[ignore = "the long form: a million messages, for a release build"]
fn a_million_messages_leave_nothing_behind() {
    run(&Amount { first: 100_000, then: 900_000, sent: 100_000 });
}
