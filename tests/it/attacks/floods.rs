//! Floods of encrypted sessions: each is bounded, and delays no other peer.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::protocol::session::opening::DIAL_LINE;
use p2p_chat::protocol::session::{MAX_TEXT_BYTES, Record};

use super::alice_who_trusts;
use crate::support::secure::{BETWEEN_RECORDS, Raw, hello_of_tls12, new_id, text};
use crate::support::{Manner, SOON, SecurePeer, Target, allow_descriptors, dial_from};

/// What a person would still call at once, on a machine that is busy with other tests. Such a
/// machine can take longer once; a flood that delays others delays them most of the time.
const PROMPT: Duration = Duration::from_secs(3);

/// Handshakes that are begun and not ended: ten waves.
const HALF_OPEN: usize = 10 * WAVE;

/// Of these are open at the same time: more than have a place or wait for one, and few enough for a
/// machine that is busy with other tests.
const WAVE: usize = 320;

/// Machines that they come from.
const SOURCES: usize = 40;

#[test]
fn thousands_of_half_open_handshakes_delay_nobody() {
    let mut alice = Target::new();
    allow_descriptors();
    let bob = SecurePeer::named("Bob", b'B');
    let source = |number: usize| Ipv4Addr::new(127, 0, 77, u8::try_from(number % SOURCES).expect("few"));
    let begun = |number: usize| {
        let mut stream = dial_from(source(number), alice.addr());
        // Some stop before anything, some behind the line, some amid what should be a handshake.
        let _ = match number % 3 {
            0 => Ok(()),
            1 => stream.write_all(DIAL_LINE),
            _ => stream.write_all(DIAL_LINE).and_then(|()| stream.write_all(&hello_of_tls12()[..40])),
        };
        stream
    };
    let (mut threads, mut descriptors) = (0, 0);
    let mut waits = Vec::new();
    for wave in 0..HALF_OPEN / WAVE {
        let open: Vec<TcpStream> = (0..WAVE).map(|number| begun(wave * WAVE + number)).collect();
        let word = format!("wave {wave}");
        let asked = Instant::now();
        bob.says(alice.peer.addr(), &[&word]);
        waits.push(asked.elapsed());
        alice.peer.has_seen(&format!("{} [encrypted]: {word}", bob.shown()));
        threads = threads.max(alice.peer.threads());
        descriptors = descriptors.max(alice.peer.descriptors());
        drop(open);
    }
    waits.sort();
    assert!(waits[waits.len() / 2] < PROMPT, "{waits:?}");
    assert!(threads <= 100 && descriptors < 400, "{threads} threads, {descriptors} descriptors");
    alice.unharmed();
}

#[test]
fn endless_records_are_ended_and_bounded() {
    let mut alice = Target::new();
    let endless: [(&str, Vec<u8>); 4] = [
        ("Ann", Record::Ping(1).encode().repeat(1_000)),
        ("Ben", [99, 0, 4, 0].into_iter().chain([0; 1024]).collect()),
        // Its head says that there is more than a record may have, and there is.
        ("Cid", [&[2, 0xff, 0xff, 0xff][..], &[b'x'; 16 * 1024]].concat()),
        ("Dan", text(new_id(), &"x".repeat(MAX_TEXT_BYTES))[..MAX_TEXT_BYTES].to_vec()),
    ];
    thread::scope(|scope| {
        for (name, bytes) in &endless {
            let peer = SecurePeer::named(name, name.as_bytes()[0]);
            let mut talk = Raw::new(peer.dials(alice.addr()).expect("a handshake"));
            scope.spawn(move || {
                talk.says_hello(peer.hello()).expect("she hears");
                let begun = Instant::now();
                while talk.says(bytes).is_ok() {
                    assert!(begun.elapsed() < SOON, "nobody stopped it");
                    thread::sleep(BETWEEN_RECORDS);
                }
            });
        }
    });
    alice.unharmed();
}

#[test]
fn endless_answer_is_ended_and_bounded() {
    let bob = SecurePeer::named("Bob", b'B');
    let huge = [&[3, 0xff, 0xff, 0xff][..], &[b'x'; 16 * 1024]].concat();
    for endless in [[99, 0, 0, 0].repeat(1_000), huge] {
        bob.behaves(Manner::Endless(endless));
        let mut alice = Target::of(alice_who_trusts(&[("Bob", bob.addr(), bob.key())]));
        let before = bob.got().ends.len();
        alice.peer.says("Bob", "one text");
        alice.peer.sees_queued();
        bob.waits("an end", |got| got.ends.len() > before);
        alice.unharmed();
    }
}
