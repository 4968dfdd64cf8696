//! Senders that never end, never begin, come by the thousand or break off: each is bounded, and
//! delays no other peer.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    MALLORY, Peer, SOON, Target, allow_descriptors, dial_from, send_raw_from, try_dial_from,
};

/// A newcomer waits a second before the longest silent connection is closed for it, and here it is
/// accepted behind 2,000 others, which takes 0.4 s alone and more beside other tests. This is far
/// less than the 15 s that a silent connection may last, so a sender within it has not waited for
/// one.
const PROMPT: Duration = Duration::from_secs(5);

/// Bytes after which a sender gives up that wanted to send for ever.
const ENDLESS: usize = 8 * 1024 * 1024;

/// Connections held open at once in the worst scenario.
const IDLE: usize = 2_000;

/// A pause after which a message may count as complete: half of the listener's 250 ms, because the
/// listener's clock and the sender's do not run in step.
const PAUSE_THAT_ENDS: Duration = Duration::from_millis(125);

/// Attempts of a sender that must not pause on a busy machine.
const MAX_ATTEMPTS: usize = 10;

const CUT: &str = " [cut: longer than 8192 bytes, too slow, or broken off]";

/// Connections with an oversized message each that the attackers keep open at once.
const UNCLOSED: usize = 3_000;

/// Oversized messages that the attackers send in all.
const OVERSIZED: usize = 2 * UNCLOSED;

/// Threads that Alice may have: 64 that read connections, and about 20 others.
const MAX_THREADS: u64 = 100;

/// A machine that does as others do.
const CAROL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 44);

/// What `stream` is answered until the other side ends the connection, and how long that took.
fn answer(stream: &mut TcpStream) -> (String, Duration) {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the connection was never ended");
    }
    (String::from_utf8(bytes).expect("UTF-8"), begun.elapsed())
}

/// Sends the same for ever, or until the other side has had enough; says how much it took.
fn send_endlessly(alice: &Target, beginning: &str) -> usize {
    let mut stream = dial_from(MALLORY, alice.addr());
    stream.write_all(beginning.as_bytes()).expect("room for a line");
    let mut sent = 0;
    while sent < ENDLESS {
        match stream.write(&[b'x'; 16 * 1024]) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    sent
}

#[test]
fn endless_line_is_cut_and_its_sender_stopped() {
    let mut alice = Target::new();
    let header = "127.0.0.66:9 Mallory ";
    assert!(send_endlessly(&alice, header) < ENDLESS, "nobody stopped it");
    alice.has_shown(&[format!("Mallory (127.0.0.66:9): {}{CUT}", "x".repeat(8_192 - header.len()))]);
    assert!(send_endlessly(&alice, "") < ENDLESS, "nobody stopped it");
    let why = "that does not start with an address";
    alice.has_shown(&[format!("* Ignored data from 127.0.0.66 {why}: {}…", "x".repeat(120))]);
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| send_endlessly(&alice, header));
        }
    });
    assert_eq!(alice.shown().len(), 50);
}

#[test]
fn slow_sender_without_pause_is_cut() {
    for _ in 0..MAX_ATTEMPTS {
        let mut alice = Target::new();
        let mut stream = dial_from(MALLORY, alice.addr());
        stream.write_all(b"127.0.0.66:9 Mallory ").expect("room for a header");
        stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
        let begun = Instant::now();
        let (mut sent, mut last, mut longest_pause) = (0, begun, Duration::ZERO);
        // Waiting for the answer that must not come is the pause between two bytes.
        while let Err(error) = stream.read(&mut [0; 64]) {
            if error.kind() == ErrorKind::ConnectionReset || stream.write_all(b".").is_err() {
                break;
            }
            longest_pause = longest_pause.max(last.elapsed());
            last = Instant::now();
            sent += 1;
            assert!(begun.elapsed() < SOON, "it was never cut");
        }
        longest_pause = longest_pause.max(last.elapsed());
        let shown = alice.shown();
        let [line] = &shown[..] else { panic!("{shown:?}") };
        let dots = line.strip_prefix("Mallory (127.0.0.66:9): ").and_then(|line| line.strip_suffix(CUT));
        if dots.is_none() && longest_pause >= PAUSE_THAT_ENDS {
            // This machine was so busy that the sender was silent.
            continue;
        }
        assert!(
            dots.is_some_and(|dots| dots.len() <= sent && dots.bytes().all(|byte| byte == b'.')),
            "{line}"
        );
        return;
    }
    panic!("the sender paused for too long in each of {MAX_ATTEMPTS} attempts");
}

#[test]
fn half_a_header_is_reported_and_not_acknowledged() {
    let mut alice = Target::new();
    // One source has one line a minute about bytes that are no message.
    for (source, half, why) in [
        (MALLORY, "127.0.0.66", "that does not start with an address"),
        (CAROL, "127.0.0.44:9 Car", "that has no text"),
        (Ipv4Addr::new(127, 0, 0, 45), "127.0.0.45:9 Mallory ", "that has no text"),
    ] {
        let mut stream = dial_from(source, alice.addr());
        stream.write_all(half.as_bytes()).expect("room for a line");
        assert_eq!(answer(&mut stream).0, "", "{half}");
        alice.has_shown(&[format!("* Ignored data from {source} {why}: {}", half.trim())]);
    }
}

/// Holds idle connections from `sources` addresses, and sees that everybody else is served
/// meanwhile.
fn hold_idle_connections(sources: usize) {
    let mut alice = Target::new();
    allow_descriptors();
    let source = |number: usize| Ipv4Addr::new(127, 0, 66, u8::try_from(number % sources).expect("few"));
    let idle: Vec<_> = (0..IDLE).map(|number| dial_from(source(number), alice.addr())).collect();
    // From a stranger, and from one of those that hold the connections.
    for speaker in [MALLORY, source(0)] {
        let begun = Instant::now();
        let text = format!("{speaker}:9 Carol let me in");
        let answered = send_raw_from(speaker, alice.addr(), text.as_bytes());
        let waited = begun.elapsed();
        assert_eq!(answered, alice.receipt().as_bytes());
        assert!(waited < PROMPT, "it took {waited:?}");
        alice.has_shown(&[format!("Carol ({speaker}:9): let me in")]);
    }
    let (threads, descriptors) = (alice.peer.threads(), alice.peer.descriptors());
    assert!(threads <= MAX_THREADS && descriptors < 400, "{threads} threads, {descriptors} descriptors");
    drop(idle);
    alice.has_shown(&[""; 0]);
}

#[test]
fn idle_connections_of_one_machine_delay_nobody() {
    hold_idle_connections(1);
}

#[test]
fn idle_connections_of_many_machines_delay_nobody() {
    hold_idle_connections(200);
}

#[test]
fn unclosed_oversized_messages_leave_threads_for_others() {
    let mut alice = Target::new();
    allow_descriptors();
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        // Each sends more than is read and waits until the other side closes the connection.
        let attackers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut open = VecDeque::new();
                    while sent.load(Ordering::Relaxed) < OVERSIZED {
                        let Ok(mut stream) = try_dial_from(MALLORY, alice.addr()) else { continue };
                        let _ = stream.write_all(&[b'x'; 9_000]);
                        sent.fetch_add(1, Ordering::Relaxed);
                        open.push_back(stream);
                        if open.len() > UNCLOSED / 8 {
                            let _ = open.pop_front().expect("just filled").read_to_end(&mut Vec::new());
                        }
                    }
                })
            })
            .collect();
        // How long Carol waits says more about how busy this machine is than about Alice: up to
        // UNCLOSED connections are accepted before hers. What Alice controls is how many threads
        // these connections may hold.
        while attackers.iter().any(|attacker| !attacker.is_finished()) {
            let answered = send_raw_from(CAROL, alice.addr(), b"127.0.0.44:9 Carol calm");
            let threads = alice.peer.threads();
            if threads > MAX_THREADS || answered != alice.receipt().as_bytes() {
                sent.store(OVERSIZED, Ordering::Relaxed);
                panic!("Carol got {:?} from {threads} threads", String::from_utf8_lossy(&answered));
            }
        }
    });
    // What the attackers left behind may still be read away, and be told of after the witness's
    // message.
    let shown = alice.unharmed();
    let of_attackers = "* Ignored data from 127.0.0.66 that does not start with an address: xxx";
    assert!(shown.iter().any(|line| line.starts_with(of_attackers)), "{shown:?}");
}

#[test]
fn panic_in_a_connection_ends_only_that_connection() {
    let mut alice = Target::of(Peer::named("Alice").env("P2P_CHAT_TEST_PANIC", "boom"));
    // More often than there are threads, had each panic cost one.
    for _ in 0..300 {
        assert_eq!(alice.answers("127.0.0.66:9 Mallory boom"), "");
    }
    // In threads that had to wait for the message, too.
    let mut open: Vec<_> = (0..50).map(|_| dial_from(MALLORY, alice.addr())).collect();
    for stream in &mut open {
        stream.write_all(b"127.0.0.66:9 Mallory boom").expect("room for a line");
    }
    for stream in &mut open {
        assert_eq!(answer(stream).0, "");
    }
    alice.has_shown(&[""; 0]);
    let told = alice.log().matches("the handling of a connection failed").count();
    assert_eq!(told, 350);
    alice.peer.types(&["0"]);
    assert!(alice.peer.ends().success());
}
