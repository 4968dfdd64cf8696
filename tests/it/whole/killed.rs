//! A peer is killed and restarted again and again while other peers send messages to it and to each
//! other all the time.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Over;
use crate::support::{Builder, MALLORY, Outcome, Peer, nobody, outcomes, try_dial_from};

/// The longest time between the receipt of an unencrypted message and the moment from which a kill
/// no longer loses it, because it is printed or stored. The threads that print and store share two
/// cores with six busy programs.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// The number of legacy programs that also send to the killed peer, as fast as it acknowledges, so
/// that its event queue is rarely empty.
const LEGACY: [&str; 2] = ["Leah", "Leo"];

/// The pause of a sender between its messages: long enough that its lines do not pile up in its
/// pipe, where each waits for the disk before the next.
const PAUSE: Duration = Duration::from_millis(20);

/// The maximum time that a sender takes at the end for a full pipe of 64 KiB on a busy machine.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// What the sender was told of all texts to the peer called `name` at `addr`, in order.
fn told_of(printed: &[String], name: &str, addr: SocketAddrV4) -> Vec<Outcome> {
    let addr = addr.to_string();
    outcomes(printed, |line| line.contains(&addr) || line.split([' ', '.', ':']).any(|word| word == name))
}

/// The text of which it is told that it is delivered after it had to wait.
fn later(line: &str) -> Option<&str> {
    line.strip_prefix("Delivered to ")?.split_once(": \"")?.1.strip_suffix('"')
}

/// What stands behind a text that was perhaps shown in an earlier life.
const AGAIN: &str = " [may have been shown before]";

/// The number of the text `{speaker}-{topic}-{number}.` in a line that was printed.
fn number(line: &str, speaker: &str, topic: &str) -> Option<usize> {
    let line = line.split_once(" (sent ").map_or(line, |(line, _)| line);
    let line = line.strip_suffix(AGAIN).unwrap_or(line);
    let (_, text) = line.rsplit_once(": ")?;
    text.strip_prefix(&format!("{speaker}-{topic}-"))?.strip_suffix('.')?.parse().ok()
}

/// Sends numbered messages to both peers in turn until it is `over`. Returns how many it sent to
/// each, once all have an outcome.
fn talks(
    speaker: &mut Peer,
    name: &str,
    mortal: SocketAddrV4,
    other: SocketAddrV4,
    over: &AtomicBool,
) -> usize {
    let said = speaker.is_typed_by(|input| {
        let mut said = 0;
        while !over.load(Ordering::SeqCst) {
            writeln!(input, "@{mortal} {name}-mortal-{said}.\n@{other} {name}-other-{said}.")?;
            said += 1;
            thread::sleep(PAUSE);
        }
        Ok(said)
    });
    // The program reads a line from a pipe when the line before it has its outcome.
    speaker.types(&["2"]);
    speaker.sees_sum_within(DRAINED_WITHIN);
    said
}

/// Sends numbered messages as a legacy program that reads receipts does, until it is `over`.
/// Returns the outcome of each, with the time when it was known.
fn talks_as_legacy(name: &str, mortal: SocketAddrV4, over: &AtomicBool) -> Vec<(Outcome, Instant)> {
    let mut told = Vec::new();
    while !over.load(Ordering::SeqCst) {
        let Ok(mut stream) = try_dial_from(MALLORY, mortal) else {
            // It is dead at the moment.
            thread::yield_now();
            continue;
        };
        let text = format!("127.0.0.66:9 {name} {name}-mortal-{}.", told.len());
        let mut answer = Vec::new();
        let written = stream.write_all(text.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Write));
        let _ = written.and_then(|()| stream.read_to_end(&mut answer));
        let outcome = if answer.starts_with(b"[ACK] ") { Outcome::Delivered } else { Outcome::Unknown };
        told.push((outcome, Instant::now()));
    }
    told
}

/// Compares the outcomes that `name` was told with the messages that each run of the killed peer
/// showed. Returns the numbers of those that were acknowledged and never shown, each with the run
/// that acknowledged it.
fn judge(told: &[Outcome], said: usize, name: &str, lives: &[Vec<String>]) -> Vec<(usize, usize)> {
    assert_eq!(told.len(), said, "each text has one outcome");
    let mut shown = HashMap::new();
    for (life, printed) in lives.iter().enumerate() {
        let mut last = None;
        let texts = printed.iter().filter_map(|line| Some((line, number(line, name, "mortal")?)));
        for (line, number) in texts {
            let before = shown.insert(number, life);
            assert!(
                before.is_none() || line.contains(AGAIN),
                "{name}'s text {number} was shown in life {before:?}, and in life {life}: {line}"
            );
            assert!(last < Some(number), "{name}'s text {number} came after {last:?}");
            last = Some(number);
        }
    }
    let mut unshown = Vec::new();
    // The life that printed the last text, and texts acknowledged since.
    let (mut life, mut lost) = (0, Vec::new());
    for (number, outcome) in told.iter().enumerate() {
        match (outcome, shown.get(&number)) {
            (Outcome::NotSent, Some(_)) => {
                panic!("{name}'s text {number} is said not to be sent, and was shown")
            }
            (Outcome::Delivered, None) => lost.push(number),
            (_, Some(&now)) => {
                // What was acknowledged and not shown was the last that its life took.
                assert!(
                    lost.is_empty() || now > life,
                    "a text of {name} before {number} was dropped in life {now}"
                );
                if now > life {
                    unshown.extend(lost.drain(..).map(|number| (number, life)));
                    life = now;
                }
            }
            (_, None) => {}
        }
    }
    unshown.extend(lost.into_iter().map(|number| (number, life)));
    unshown
}

/// Prints the figures of a run.
#[allow(clippy::print_stderr, reason = "a person reads the figures of a long run")]
fn tell(name: &str, told: &[Outcome], unshown: usize, kills: usize) {
    let outcomes =
        [Outcome::Delivered, Outcome::Queued, Outcome::HandedOver, Outcome::Unknown, Outcome::NotSent];
    let [acknowledged, queued, handed_over, unknown, failed] =
        outcomes.map(|what| told.iter().filter(|outcome| **outcome == what).count());
    eprintln!(
        "{name} to the one killed {kills} times: {acknowledged} acknowledged, {unshown} of these never shown; \
         {queued} queued first, {handed_over} handed over, {unknown} unknown, {failed} failed"
    );
}

/// What became of each message of a speaker in the end: one that was queued first is delivered when
/// that is told later.
fn settled(speaker: &Peer, to: (&str, SocketAddrV4), name: &str, to_whom: &str) -> Vec<Outcome> {
    let mut told = told_of(&speaker.printed(), to.0, to.1);
    if let Some(last) = told.iter().rposition(|outcome| *outcome == Outcome::Queued) {
        speaker.has_seen(&format!(": \"{name}-{to_whom}-{last}.\""));
    }
    for line in speaker.printed() {
        let text = later(&line).and_then(|text| number(&format!(": {text}"), name, to_whom));
        if let Some(number) = text {
            assert_eq!(told[number], Outcome::Queued, "{line}");
            told[number] = Outcome::Delivered;
        }
    }
    told
}

fn kill_and_restart(kills: usize) {
    let [at, alice_at, bob_at] = [(); 3].map(|()| nobody());
    let alice = Peer::named("Alice").port(alice_at.port()).knows(at).knows(bob_at);
    let bob = Peer::named("Bob").port(bob_at.port()).knows(at).knows(alice_at);
    // She has the same key in each life.
    let hers = tempfile::tempdir().expect("a directory");
    let carol = || Peer::named("Carol").data_dir(hers.path()).port(at.port()).knows(alice_at).knows(bob_at);
    let [mut alice, mut bob, mut carol_now] = [alice, bob, carol()].map(Builder::start);
    let over = AtomicBool::new(false);
    let mut lives = Vec::new();
    let mut killed_at = Vec::new();
    let (of_alice, of_bob, of_legacy) = thread::scope(|scope| {
        let end = Over(&over);
        let legacy = LEGACY.map(|name| scope.spawn(|| talks_as_legacy(name, at, &over)));
        let alice = scope.spawn(|| talks(&mut alice, "Alice", at, bob_at, &over));
        let bob = scope.spawn(|| talks(&mut bob, "Bob", at, alice_at, &over));
        for kill in 0..kills {
            // Each life is of another length, and none is killed before both speak to it.
            for _ in 0..=kill % 7 {
                carol_now.sees(": Alice-mortal-");
                carol_now.sees(": Bob-mortal-");
            }
            killed_at.push(Instant::now());
            carol_now.crashes();
            lives.push(carol_now.printed());
            carol_now = carol().start();
        }
        carol_now.sees(": Alice-mortal-");
        carol_now.sees(": Bob-mortal-");
        drop(end);
        let legacy = legacy.map(|speaker| speaker.join().expect("no panic"));
        (alice.join().expect("no panic"), bob.join().expect("no panic"), legacy)
    });
    for peer in [&mut alice, &mut bob] {
        peer.finds(at, "connected");
    }
    for addr in [alice_at, bob_at] {
        carol_now.finds(addr, "connected");
    }
    lives.push(carol_now.printed());
    for (name, told) in LEGACY.iter().zip(&of_legacy) {
        let (outcomes, times): (Vec<Outcome>, Vec<Instant>) = told.iter().copied().unzip();
        let unshown = judge(&outcomes, told.len(), name, &lives);
        for (number, life) in &unshown {
            let before = killed_at.get(*life).map(|killed| killed.duration_since(times[*number]));
            assert!(
                before.is_some_and(|before| before < SHOWN_WITHIN),
                "{name}'s text {number} was acknowledged {before:?} before life {life} was killed"
            );
        }
        tell(name, &outcomes, unshown.len(), kills);
    }
    for (speaker, listener, name, said) in [(&alice, &bob, "Alice", of_alice), (&bob, &alice, "Bob", of_bob)]
    {
        // Between the two peers that were not killed nothing was lost, and neither took the other
        // for offline. On a busy machine a receipt can take longer than the 5 s after which a
        // message is reported as queued.
        let told = settled(speaker, (listener.name(), listener.addr()), name, "other");
        assert!(told.iter().all(|outcome| *outcome == Outcome::Delivered), "{name}: {told:?}");
        assert_eq!(told.len(), said);
        let heard: Vec<_> =
            listener.printed().iter().filter_map(|line| number(line, name, "other")).collect();
        assert_eq!(heard, (0..said).collect::<Vec<_>>());
        let first = told_of(&speaker.printed(), "Carol", at);
        // What had to wait has arrived, in the order in which it was typed.
        let told = settled(speaker, ("Carol", at), name, "mortal");
        assert!(!told.contains(&Outcome::Queued), "{name}: {told:?}");
        // What came in a session was stored before its receipt, so a later run has shown it.
        assert_eq!(judge(&told, said, name, &lives), [], "{name}");
        tell(name, &first, 0, kills);
        let gone = format!("* {} is offline", listener.shown());
        assert!(!speaker.printed().iter().any(|line| line.contains(&gone)), "{gone}");
    }
}

#[test]
fn peer_killed_repeatedly_harms_nobody_else() {
    kill_and_restart(6);
}

#[test]
#[ignore = "the long form: 50 kills"]
fn peer_killed_fifty_times_harms_nobody_else() {
    kill_and_restart(50);
}
