//! What two that fit together can say and learn.

use std::io::ErrorKind;

use super::*;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};

/// Says its words, hears the other's, and ends; returns whom it spoke to and what it heard.
fn talk(channel: Side, words: &[u8]) -> (crate::model::key::PublicKey, Vec<u8>) {
    let mut channel = channel.unwrap();
    channel.set_deadline(in_time());
    channel.write_all(words).unwrap();
    let mut heard = vec![0; words.len()];
    channel.read_exact(&mut heard).unwrap();
    let peer = channel.peer();
    channel.close(b"");
    (peer, heard)
}

#[test]
fn both_know_each_other_and_nothing_readable_passes_but_the_two_lines() {
    for expectation in [Expectation::Any, Expectation::Key(key(b'B').public())] {
        let (one, other, passed) = meet(
            |stream| talk(dialer(b'A', expectation)(stream), b"words of the dialer"),
            |stream| talk(acceptor(b'B')(stream), b"those of the accept"),
        );
        assert_eq!(one, (key(b'B').public(), b"those of the accept".to_vec()));
        assert_eq!(other, (key(b'A').public(), b"words of the dialer".to_vec()));
        let up = passed.up.strip_prefix(DIAL_LINE).expect("the line");
        let down = passed.down.strip_prefix(OK_LINE).expect("the line");
        assert_eq!((tls_records(up)[0].0, tls_records(down)[0].0), (22, 22), "two handshakes");
        let (alice, bob) = (key(b'A').public(), key(b'B').public());
        for secret in [&b"words of"[..], b"those of", alice.as_bytes(), bob.as_bytes(), b"P2P-CHAT"] {
            for bytes in [up, down] {
                assert!(
                    !bytes.windows(secret.len()).any(|window| window == secret),
                    "{secret:?} is readable"
                );
            }
        }
    }
}

#[test]
fn a_turn_of_any_size_arrives_whole() {
    let turn: Vec<u8> = (0..256 * 1024).map(|at: u32| (at % 251) as u8).collect();
    let (_, heard, _) = meet(
        |stream| {
            let mut channel = dialer(b'A', Expectation::Any)(stream).unwrap();
            channel.write_all(&turn).unwrap();
            channel.read_exact(&mut [0; 2]).unwrap();
            channel.close(b"");
        },
        |stream| {
            let mut channel = acceptor(b'B')(stream).unwrap();
            let mut heard = vec![0; turn.len()];
            channel.read_exact(&mut heard).unwrap();
            channel.write_all(b"ok").unwrap();
            assert_eq!(channel.read(&mut [0; 1]).unwrap(), 0);
            heard
        },
    );
    assert!(heard == turn);
}

#[test]
fn a_cut_is_told_from_an_end() {
    for cut in [false, true] {
        let (_, heard, _) = meet(
            |stream| {
                let mut channel = dialer(b'A', Expectation::Any)(stream).unwrap();
                channel.write_all(b"half").unwrap();
                if cut {
                    channel.stream().shutdown(Shutdown::Write).unwrap();
                } else {
                    channel.close(b"");
                }
            },
            |stream| {
                let mut channel = acceptor(b'B')(stream).unwrap();
                let mut heard = Vec::new();
                channel.read_to_end(&mut heard).map(|_| heard).map_err(|error| error.kind())
            },
        );
        let expected = if cut { Err(ErrorKind::UnexpectedEof) } else { Ok(b"half".to_vec()) };
        assert_eq!(heard, expected);
    }
}

#[test]
fn the_line_may_have_been_read_before_in_part_or_whole() {
    for read_before in [1, 5, DIAL_LINE.len()] {
        let (_, peer, _) = meet(
            |stream| dialer(b'A', Expectation::Any)(stream).unwrap().read(&mut [0; 1]).unwrap(),
            |mut stream| {
                let mut said = vec![0; read_before];
                stream.read_exact(&mut said).unwrap();
                // As the listener leaves it.
                stream.set_nonblocking(true).unwrap();
                let channel = accept(&tls(b'B'), stream, &said, in_time()).unwrap();
                let peer = channel.peer();
                channel.close(b"");
                peer
            },
        );
        assert_eq!(peer, key(b'A').public());
    }
}

#[test]
fn reading_ends_at_its_deadline_and_goes_on_after_it() {
    let (_, heard, _) = meet(
        |stream| {
            let mut channel = dialer(b'A', Expectation::Any)(stream).unwrap();
            // Says something only when it is asked.
            channel.read_exact(&mut [0; 1]).unwrap();
            channel.write_all(b"at last").unwrap();
            channel.close(b"");
        },
        |stream| {
            let mut channel = acceptor(b'B')(stream).unwrap();
            channel.set_deadline(Instant::now() + Duration::from_millis(20));
            let silent = channel.read(&mut [0; 1]).map_err(|error| error.kind());
            assert_eq!(silent, Err(ErrorKind::TimedOut));
            channel.set_deadline(in_time());
            channel.write_all(b"?").unwrap();
            let mut heard = Vec::new();
            channel.read_to_end(&mut heard).unwrap();
            heard
        },
    );
    assert_eq!(heard, b"at last");
}

#[test]
fn what_is_decrypted_already_is_told_without_the_connection() {
    let (_, told, _) = meet(
        |stream| {
            let mut channel = dialer(b'A', Expectation::Any)(stream).unwrap();
            channel.write_all(b"two").unwrap();
            let _ = channel.read(&mut [0; 1]);
        },
        |stream| {
            let mut channel = acceptor(b'B')(stream).unwrap();
            channel.read_exact(&mut [0; 1]).unwrap();
            let before = channel.has_more();
            channel.read_exact(&mut [0; 2]).unwrap();
            [before, channel.has_more()]
        },
    );
    assert_eq!(told, [true, false]);
}

#[test]
fn no_ticket_is_given_for_a_later_handshake() {
    let (_, _, passed) = meet(
        |stream| talk(dialer(b'A', Expectation::Any)(stream), b"x"),
        |stream| talk(acceptor(b'B')(stream), b"y"),
    );
    let down = tls_records(&passed.down[OK_LINE.len()..]);
    // ServerHello, the byte for old middleboxes, the rest of the handshake, the word of one letter, the end; nothing between.
    let sealed = |length: usize| (23, length + 1 + 16);
    assert_eq!((down[0].0, down[1], down[2].0), (22, (20, 1), 23), "{down:?}");
    assert_eq!(down[3..], [sealed(1), sealed(2)], "{down:?}");
}
