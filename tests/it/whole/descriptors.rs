//! A program that may open forty descriptors, and would need more.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Peer, Target, dial_from, send_raw_from, v4};

/// What it may open, standard streams included.
const FEW: &str = "ulimit -n 40";

/// Silent connections held open to it at once.
const SILENT: usize = 200;

/// Messages that come meanwhile.
const MESSAGES: usize = 40;

/// How long it is watched after that, and the processor time that it may take then. A loop that
/// waits for nothing takes all there is, also on a machine that is busy with other tests.
const WATCHED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_millis(400));

/// Static peers that are not there are looked for again within a minute.
const FOUND_WITHIN: Duration = Duration::from_secs(70);

/// What is shown of those of Mallory's messages that were acknowledged; the others must not be.
fn acknowledged(alice: &Target) -> Vec<String> {
    let speaks = |number: &usize| {
        let answer = alice.answers(format!("127.0.0.66:9 Mallory number {number}"));
        // Who is closed to make room for another gets no receipt.
        assert!(answer.is_empty() || answer == alice.receipt(), "{answer}");
        !answer.is_empty()
    };
    let taken = (0..MESSAGES).filter(speaks);
    taken.map(|number| format!("Mallory (127.0.0.66:9): number {number}")).collect()
}

/// Asserts that it waits for what it cannot have.
fn is_patient(alice: &Target) {
    let (time, most) = WATCHED;
    let before = alice.peer.processor_time();
    // Nothing is waited for here: this is the time of the measurement.
    thread::sleep(time);
    let used = alice.peer.processor_time() - before;
    assert!(used <= most, "{used:?} of processor time in {time:?}");
}

/// Asserts that nothing is left of it.
fn has_come_back(alice: &Target) {
    let source = |number: u8| Ipv4Addr::new(127, 0, 68, number);
    for round in 0..3 {
        thread::scope(|scope| {
            let speaks = |number: u8| {
                let text = format!("{}:9 Witness {round}-{number}", source(number));
                send_raw_from(source(number), alice.addr(), text.as_bytes())
            };
            let speakers: Vec<_> = (0..10).map(|number| scope.spawn(move || speaks(number))).collect();
            for speaker in speakers {
                assert_eq!(speaker.join().expect("no panic"), alice.receipt().as_bytes());
            }
        });
    }
    assert_eq!(alice.peer.errors(), "");
    assert!(!alice.log().contains("panicked"), "{}", alice.log());
}

#[test]
fn silent_connections_beyond_the_descriptors_are_survived() {
    let mut alice = Target::of(Peer::named("Alice").after(FEW));
    let source = |number: usize| Ipv4Addr::new(127, 0, 67, u8::try_from(number).expect("few"));
    let silent: Vec<_> = (0..SILENT).map(|number| dial_from(source(number), alice.addr())).collect();
    let expected = acknowledged(&alice);
    // The connection that is silent longest is closed for one that sends.
    assert_eq!(expected.len(), MESSAGES);
    is_patient(&alice);
    alice.has_shown(&expected);
    drop(silent);
    has_come_back(&alice);
}

#[test]
fn sixty_peers_are_found_with_forty_descriptors() {
    let listeners: Vec<_> = (0..60).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port")).collect();
    let addrs: Vec<_> = listeners.iter().map(|it| v4(it.local_addr().expect("bound"))).collect();
    let builder = addrs.iter().fold(Peer::named("Alice").after(FEW), |alice, addr| alice.knows(*addr));
    // They accept and do not read, so each look at one holds a descriptor for a second or more.
    let mut alice = Target::of(builder);
    alice.peer.has_seen("All 60 static peers are offline; retrying in the background.");
    let expected = acknowledged(&alice);
    is_patient(&alice);
    // Now they read and close, as they should.
    for listener in listeners {
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Alice may be gone by now.
                let _ = stream.and_then(|mut stream| stream.read_to_end(&mut Vec::new()));
            }
        });
    }
    let begun = Instant::now();
    loop {
        alice.peer.types(&["2"]);
        let sum = alice.peer.sees_sum();
        if sum == "61 peers, 60 online." {
            break;
        }
        assert!(begun.elapsed() < FOUND_WITHIN, "{sum}");
    }
    has_come_back(&alice);
    // The last of the sixty may be announced after the witness's message.
    let mut shown = alice.unharmed();
    shown.retain(|line| line.starts_with("Mallory"));
    assert_eq!(shown, expected);
}
