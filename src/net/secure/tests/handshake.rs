//! What two programs with our settings agree on.

use rustls::NamedGroup;

use super::*;

#[test]
fn both_sides_learn_keys_and_nothing_is_readable() {
    for expect in [None, Some(key(b'B').public())] {
        let (mut dialer, mut acceptor) = (Side::dialing(b'A', expect), Side::accepting(b'B'));
        exchange(&mut dialer, &mut acceptor);
        dialer.says(b"words of the dialer");
        acceptor.says(b"those of the accept");
        exchange(&mut dialer, &mut acceptor);
        let (alice, bob) = (key(b'A').public(), key(b'B').public());
        assert_eq!(
            (dialer.proven(b'A', expect).unwrap(), dialer.hears(19)),
            (bob, b"those of the accept".into())
        );
        assert_eq!(
            (acceptor.proven(b'B', None).unwrap(), acceptor.hears(19)),
            (alice, b"words of the dialer".into())
        );
        for secret in [&b"words of"[..], b"those of", alice.as_bytes(), bob.as_bytes()] {
            for sent in [&dialer.sent, &acceptor.sent] {
                let is_readable = sent.windows(secret.len()).any(|window| window == secret);
                assert!(!is_readable, "{secret:?} is readable");
            }
        }
    }
}

#[test]
fn key_exchange_is_hybrid() {
    let (mut dialer, mut acceptor) = (Side::dialing(b'A', None), Side::accepting(b'B'));
    exchange(&mut dialer, &mut acceptor);
    for side in [&dialer, &acceptor] {
        let group = side.connection.negotiated_key_exchange_group().map(|group| group.name());
        assert_eq!(group, Some(NamedGroup::X25519MLKEM768));
    }
    // ML-KEM-768: 1,184 bytes up, 1,088 down, and 32 of X25519 with each.
    let hellos = [&dialer, &acceptor].map(|side| tls_records(&side.sent)[0]);
    assert!((1_216..1_600).contains(&hellos[0].1), "{hellos:?}");
    assert!((1_120..1_300).contains(&hellos[1].1), "{hellos:?}");
}

#[test]
fn no_ticket_is_given_for_later_handshakes() {
    let (mut dialer, mut acceptor) = (Side::dialing(b'A', None), Side::accepting(b'B'));
    exchange(&mut dialer, &mut acceptor);
    acceptor.says(b"y");
    acceptor.connection.send_close_notify();
    exchange(&mut dialer, &mut acceptor);
    let sent = tls_records(&acceptor.sent);
    // ServerHello, the byte for old middleboxes, the rest of the handshake, one letter, the end.
    let sealed = |length: usize| (23, length + 1 + 16);
    assert_eq!((sent[0].0, sent[1], sent[2].0), (22, (20, 1), 23), "{sent:?}");
    assert_eq!(sent[3..], [sealed(1), sealed(2)], "{sent:?}");
}
