//! One machine that sends more than its share. It gets its share, others notice nothing, and a
//! refused message gets no receipt and is reported.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{MALLORY, Peer, Target, Unread, dial_from, hear, send_raw, send_raw_from};

/// What a person would still call at once, on a machine that is busy with other tests.
const PROMPT: Duration = Duration::from_secs(2);

/// Threads that flood.
const FLOODERS: usize = 4;

/// Messages that each sends at most.
const FLOOD: usize = 3_000;

/// A machine that does as others do.
const CAROL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 44);

/// What was acknowledged of what one flooder sent, until it has sent all or `stop` says so.
fn flood(to: SocketAddrV4, receipt: &str, flooder: usize, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0..FLOOD {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("flood-{flooder}-{number}.");
        if send_raw_from(MALLORY, to, format!("127.0.0.66:9 Mallory {text}").as_bytes()) == receipt.as_bytes()
        {
            acknowledged.push(text);
        }
    }
    acknowledged
}

/// The text of a line that shows a message of Mallory's.
fn of_mallory(line: &str) -> Option<&str> {
    line.split_once("Mallory (127.0.0.66:9): ").map(|(_, text)| text)
}

#[test]
fn flood_of_one_machine_delays_nobody_else() {
    let mut alice = Target::new();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    bob.sees("The static peer is online.");
    let (to, receipt, stop) = (alice.addr(), alice.receipt(), AtomicBool::new(false));
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let (receipt, stop) = (&receipt, &stop);
        let flooders: Vec<_> =
            (0..FLOODERS).map(|flooder| scope.spawn(move || flood(to, receipt, flooder, stop))).collect();
        let mut waits: Vec<Duration> = (0..20)
            .map(|number| {
                let begun = Instant::now();
                bob.says("Alice", &format!("calm {number}."));
                bob.sees("Delivered to Alice");
                begun.elapsed()
            })
            .collect();
        // The usual wait: on a busy machine, a single one may be long for other reasons.
        waits.sort_unstable();
        assert!(waits[waits.len() / 2] < PROMPT, "{waits:?}");
        stop.store(true, Ordering::Relaxed);
        flooders.into_iter().flat_map(|flooder| flooder.join().expect("it floods to its end")).collect()
    });
    assert!(!acknowledged.is_empty(), "it was no flood");
    for number in 0..20 {
        alice.peer.has_seen(&format!("calm {number}."));
    }
    let shown = alice.shown();
    let floods: Vec<&str> = shown.iter().filter_map(|line| of_mallory(line)).collect();
    let once: HashSet<&str> = floods.iter().copied().collect();
    assert_eq!(floods.len(), once.len(), "something was shown twice");
    let lost: Vec<&String> = acknowledged.iter().filter(|text| !once.contains(text.as_str())).collect();
    assert!(lost.is_empty(), "acknowledged and not shown: {lost:?}");
}

#[test]
fn flood_under_stopped_output_is_refused_beyond_share() {
    /// More than one machine gets places for, in the order of its messages and among those that
    /// wait for room.
    const AT_ONCE: usize = 200;
    /// The two seconds that a message may wait, and what a busy machine adds. One after the other
    /// they take minutes.
    const REFUSED_WITHIN: Duration = Duration::from_secs(8);

    let mut alice = Unread::start(&Peer::named("Alice"), Stdio::piped());
    let addr = alice.listens();
    // What follows it is her key, which nobody changes.
    let receipt = String::from_utf8(send_raw_from(CAROL, addr, format!("{CAROL}:9 Carol hello").as_bytes()));
    let receipt = receipt.expect("a receipt");
    assert!(
        receipt.starts_with(&format!("[ACK] Message received from {} p2p-chat/1 ", addr.port())),
        "{receipt}"
    );
    // Nobody reads what Alice prints from here on. Each flooder goes on until it is refused.
    let flooder = |flooder: usize| {
        let text = |number: usize| format!("flood-{flooder}-{number}.");
        let is_taken = |number: &usize| {
            let message = format!("127.0.0.66:9 Mallory {}", text(*number));
            send_raw_from(MALLORY, addr, message.as_bytes()) == receipt.as_bytes()
        };
        let taken = (0..10 * FLOOD).take_while(is_taken).count();
        assert!(taken < 10 * FLOOD, "it was never refused");
        (0..taken).map(text).collect::<Vec<_>>()
    };
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let flooders: Vec<_> = (0..FLOODERS).map(|number| scope.spawn(move || flooder(number))).collect();
        flooders.into_iter().flat_map(|flooder| flooder.join().expect("it was refused")).collect()
    });
    for number in 0..20 {
        let begun = Instant::now();
        let answer = send_raw_from(CAROL, addr, format!("{CAROL}:9 Carol calm {number}.").as_bytes());
        assert_eq!(answer, receipt.as_bytes(), "Carol has her share");
        assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    }
    // Further ones of Mallory's do not wait for each other until they are refused.
    let begun = Instant::now();
    let mut late: Vec<TcpStream> = (0..AT_ONCE).map(|_| dial_from(MALLORY, addr)).collect();
    for stream in &mut late {
        // Those that were silent for longest may have had to give way to later ones, and be reset
        // already.
        let _ = stream.write_all(b"127.0.0.66:9 Mallory late");
        let _ = stream.shutdown(Shutdown::Write);
    }
    for stream in &mut late {
        let mut answer = Vec::new();
        let end = stream.read_to_end(&mut answer).map_err(|error| error.kind());
        assert!(matches!(end, Ok(0) | Err(ErrorKind::ConnectionReset)), "it is closed: {end:?}");
        assert!(answer.is_empty() && begun.elapsed() < REFUSED_WITHIN, "{:?}", begun.elapsed());
    }
    let mut printed = alice.reads_to(|line| line.ends_with("calm 19."));
    let is_sum = |line: &str| line.contains("Refused ") && line.contains("from 127.0.0.66: too many at once");
    if !printed.iter().any(|line| is_sum(line)) {
        printed.extend(alice.reads_to(is_sum));
    }
    let sum = printed.iter().find(|line| is_sum(line)).expect("just read");
    let count = sum.split(' ').find_map(|word| word.parse::<usize>().ok()).expect("a number");
    assert!((1..=FLOODERS + AT_ONCE).contains(&count), "no more were refused: {sum}");
    let floods: Vec<&str> = printed.iter().filter_map(|line| of_mallory(line)).collect();
    let mut expected: Vec<&str> = acknowledged.iter().map(String::as_str).collect();
    let mut once = floods.clone();
    expected.sort_unstable();
    once.sort_unstable();
    assert_eq!(once, expected, "what is acknowledged is shown, once, and nothing else");
    let calm = printed.iter().filter(|line| line.contains("Carol (127.0.0.44:9): calm ")).count();
    assert_eq!(calm, 20);
}

#[test]
fn floods_under_stopped_output_hold_up_nobody() {
    /// Machines that flood. If each held up the others for a tenth of a second, no time would be
    /// left for them.
    const MACHINES: u8 = 60;

    let mut alice = Unread::start(&Peer::named("Alice"), Stdio::piped());
    let addr = alice.listens();
    let (stop, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let waits: Vec<Duration> = thread::scope(|scope| {
        for machine in 0..MACHINES {
            let (stop, refused) = (&stop, &refused);
            scope.spawn(move || {
                let source = Ipv4Addr::new(127, 0, 60, 1 + machine);
                while !stop.load(Ordering::Relaxed) {
                    let message = format!("{source}:9 Mallory flood");
                    let is_refused = send_raw_from(source, addr, message.as_bytes()).is_empty();
                    refused.fetch_add(usize::from(is_refused), Ordering::Relaxed);
                }
            });
        }
        while refused.load(Ordering::Relaxed) < usize::from(MACHINES) {
            thread::yield_now();
        }
        let waited = |number| {
            let begun = Instant::now();
            let message = format!("{CAROL}:9 Carol calm {number}.");
            let answer = send_raw_from(CAROL, addr, message.as_bytes());
            if answer.is_empty() { Duration::MAX } else { begun.elapsed() }
        };
        let waits = (0..5).map(waited).collect();
        stop.store(true, Ordering::Relaxed);
        waits
    });
    assert!(waits.iter().all(|waited| *waited < PROMPT), "{waits:?}");
}

#[test]
fn many_dial_requests_do_not_delay_another_answer() {
    /// Peers that one machine invents. Each takes a connection and never answers, so it holds a
    /// place for a second.
    const INVENTED: usize = 200;
    /// Places for acknowledgements and looks that nobody asked for; one machine gets half.
    const PLACES: usize = 64;

    let mut alice = Target::new();
    let before = alice.peer.descriptors();
    let silent: Vec<TcpListener> =
        (0..INVENTED).map(|_| TcpListener::bind((MALLORY, 0)).expect("a free port")).collect();
    for listener in &silent {
        let addr = listener.local_addr().expect("bound");
        assert_eq!(alice.answers(format!("{addr} Mallory connect")), alice.receipt());
    }
    let carol = TcpListener::bind((CAROL, 0)).expect("a free port");
    let addr = carol.local_addr().expect("bound");
    let begun = Instant::now();
    let answer = send_raw_from(CAROL, alice.addr(), format!("{addr} Carol connect").as_bytes());
    assert_eq!(answer, alice.receipt().as_bytes());
    let (said, _) = hear(&carol);
    assert!(said.ends_with(" connect_ack"), "{said}");
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    let open = alice.peer.descriptors().saturating_sub(before);
    assert!(open <= PLACES, "{open} more descriptors are open");
    alice.peer.still_answers();
    drop(silent);
}

#[test]
fn silent_connection_holds_up_none_of_its_machine() {
    let mut alice = Target::new();
    let silent: Vec<_> = (0..50).map(|_| dial_from(MALLORY, alice.addr())).collect();
    let begun = Instant::now();
    assert_eq!(alice.answers("127.0.0.66:9 Mallory after them"), alice.receipt());
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
    assert!(!send_raw(alice.addr(), b"127.0.0.1:9 Carol and I").is_empty());
    drop(silent);
    alice.has_shown(&["Mallory (127.0.0.66:9): after them", "Carol (127.0.0.1:9): and I"]);
}
