//! A dialer breaks the protocol of sessions. It is refused, only its complete messages are shown,
//! and other peers notice nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread;

use p2p_chat::model::session::ByeReason;
use p2p_chat::protocol::session::Record;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};

use super::never_saw;
use crate::support::meddler::{CommandKind, Piece};
use crate::support::secure::{Ended, Raw, hello_of_tls12, new_id, text, with_lines};
use crate::support::{Meddler, Peer, SecurePeer, Way, dial_from, sealed};

/// Opens the exchange with Alice: a connection on which she has said ok.
fn opened(alice: &Peer) -> TcpStream {
    let mut stream = dial_from(Ipv4Addr::LOCALHOST, alice.addr());
    stream.write_all(DIAL_LINE).expect("she accepts");
    let mut ok = [0; OK_LINE.len()];
    stream.read_exact(&mut ok).expect("an ok");
    assert_eq!(ok, OK_LINE);
    stream
}

/// All that comes until the end.
fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Broken off is an end as well.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// A connection of Bob's with both hellos said.
fn greeted(bob: &SecurePeer, alice: &Peer) -> Raw {
    // She may have dialed after the last connection broke; of two sessions only one would stay.
    bob.ends_accepted();
    let mut talk = Raw::new(bob.dials(alice.addr()).expect("a handshake"));
    talk.says_hello(bob.hello()).expect("she hears");
    assert!(matches!(talk.hears(), Ok(Record::Hello(hello)) if hello.name.as_str() == "Alice"));
    talk
}

#[test]
fn bytes_before_the_ok_get_none() {
    let mut alice = Peer::named("Alice").start();
    for behind in [hello_of_tls12(), b"127.0.0.1:9 Eve hi".to_vec(), b"\n".to_vec()] {
        let mut stream = dial_from(Ipv4Addr::LOCALHOST, alice.addr());
        stream.write_all(&[DIAL_LINE, &behind].concat()).expect("she accepts");
        assert_eq!(rest(stream), b"", "{behind:?}");
    }
    alice.still_answers();
    never_saw(&alice, "Eve");
}

#[test]
fn old_tls_and_other_bytes_get_an_alert() {
    let mut alice = Peer::named("Alice").start();
    let mut stream = opened(&alice);
    stream.write_all(&hello_of_tls12()).expect("she hears");
    // Fatal, protocol_version (RFC 8446, section 6.2).
    assert_eq!(rest(stream), [21, 3, 3, 0, 2, 2, 70]);
    for noise in [&b"127.0.0.1:9 Eve hi\n\n\n\n\n"[..], &[0; 600], &[0xff; 600]] {
        let mut stream = opened(&alice);
        stream.write_all(noise).expect("she hears");
        let answer = sealed("down", &rest(stream));
        assert!(answer.iter().all(|record| record.content == 21), "{answer:?}");
    }
    alice.still_answers();
    never_saw(&alice, "Eve");
}

#[test]
fn replayed_session_shows_nothing() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = Peer::named("Alice").start();
    let meddler = Meddler::before(alice.addr());
    bob.says(meddler.addr(), &["only once"]);
    alice.sees(&format!("{} [encrypted]: only once", bob.shown()));
    let wire = meddler.has_carried(1).remove(0);
    for _ in 0..3 {
        let answer = meddler.replays(&wire);
        let records = sealed("down", &answer[OK_LINE.len()..]);
        // An alert, sealed: two bytes, what they are, and sixteen that seal them (RFC 8446, section
        // 5.2).
        assert_eq!(records.last().map(|record| record.length), Some(2 + 1 + 16), "no alert: {records:?}");
    }
    alice.still_answers();
    assert_eq!(alice.printed().iter().filter(|line| line.contains("only once")).count(), 1);
}

#[test]
fn repeated_or_missing_tls_record_ends_the_session() {
    let mut alice = Peer::named("Alice").start();
    // 1 and 2 are of the handshake, then come its end, the hello, the text, and the good end.
    let places: Vec<_> = (1..=6).flat_map(|number| [(number, 0), (number, 2)]).collect();
    let word = |(number, copies): (usize, usize)| format!("record-{number}-{copies}.");
    let receipts: Vec<bool> = thread::scope(|scope| {
        let say = |(place, message): (&(usize, usize), u8)| {
            let (place, addr) = (*place, alice.addr());
            scope.spawn(move || {
                let bob = SecurePeer::impatient(&format!("Bob{message}"), message);
                let meddler = Meddler::before(addr);
                meddler.does(move |piece: &Piece<'_>| {
                    let meant = piece.opened && piece.way == Way::Up && piece.number == place.0;
                    if meant { CommandKind::Instead(piece.bytes.repeat(place.1)) } else { CommandKind::Pass }
                });
                says_one(&bob, &meddler, &word(place))
            })
        };
        let saying: Vec<_> = places.iter().zip(b'a'..).map(say).collect();
        saying.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    alice.still_answers();
    let mut counts = [0; 2];
    for (place, receipt) in places.into_iter().zip(receipts) {
        let count = alice.printed().iter().filter(|line| line.contains(&word(place))).count();
        assert!(count <= 1 && (count == 1 || !receipt), "{} {count} times, receipt: {receipt}", word(place));
        counts[count] += 1;
    }
    assert!(counts.iter().all(|count| *count > 0), "not shown and shown: {counts:?}");
}

/// Says one text by way of a meddler, and no more; whether it got its receipt.
fn says_one(bob: &SecurePeer, meddler: &Meddler, word: &str) -> bool {
    let Ok(channel) = bob.dials(meddler.addr()) else { return false };
    let mut talk = Raw::new(channel);
    let id = new_id();
    let hello = talk.says_hello(bob.hello()).is_ok() && matches!(talk.hears(), Ok(Record::Hello(_)));
    if !hello || talk.says(&text(id, word)).is_err() {
        return false;
    }
    let receipt = talk.hears() == Ok(Record::Receipt(vec![id]));
    talk.closes();
    receipt
}

#[test]
fn rule_breaking_session_ends_and_shows_nothing() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = Peer::named("Alice").start();
    let not_understood = Ended::Bye(ByeReason::NotUnderstood);
    let before_hello = [
        with_lines(bob.hello(), DIAL_LINE, b"P2P-CHAT/2 ok\n"),
        text(new_id(), "too early"),
        vec![2, 0xff, 0xff, 0xff],
    ];
    for bytes in before_hello {
        let mut talk = Raw::new(bob.dials(alice.addr()).expect("a handshake"));
        talk.says(&bytes).expect("she hears");
        assert_eq!(talk.hears_all(), (vec![], not_understood.clone()), "{bytes:?}");
    }
    let a_text = text(new_id(), "behind a fault");
    let behind_hello = [
        with_lines(bob.hello(), DIAL_LINE, OK_LINE),
        vec![2, 0xff, 0xff, 0xff],
        [99, 0, 0, 0].repeat(17),
        Record::Text { id: new_id(), time: 0, again: false, to_all: false, body: "".into() }.encode(),
    ];
    for fault in behind_hello {
        let mut talk = greeted(&bob, &alice);
        talk.says(&[&fault[..], &a_text].concat()).expect("she hears");
        let (mut records, end) = talk.hears_all();
        // She may ask whether the peer is there; nothing else is said.
        records.retain(|record| !matches!(record, Record::Ping(_)));
        assert_eq!((records, end), (vec![], not_understood.clone()), "{fault:?}");
    }
    alice.still_answers();
    never_saw(&alice, "behind a fault");
    never_saw(&alice, "too early");
}

#[test]
fn peer_with_our_own_key_is_refused() {
    let mut alice = Peer::named("Alice").start();
    let mirror = SecurePeer::with_key_of(&alice, "Eve");
    let refused = mirror.dials(alice.addr());
    assert!(refused.is_err(), "{refused:?}");
    alice.still_answers();
    never_saw(&alice, "in encryption");
}
