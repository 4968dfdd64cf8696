//! What a dialer makes of an acceptor that keeps no rule.

use std::net::Shutdown;
use std::sync::{Arc, mpsc};

use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::cipher::{OutboundChunks, OutboundPlainMessage};
use rustls::{Connection, ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig};

use super::*;
use crate::net::secure::accept;
use crate::net::secure::tests::tls;
use crate::protocol::session::RecordFault;

/// Alice says her hello to who answers with these bytes; what she makes of them, and what was said to that.
fn greeted_with(bytes: &[u8]) -> (End, Vec<Record>) {
    talk(
        |channel| Dialed::greet(channel, hello("Alice")).map(|_| ()).unwrap_err(),
        |mut channel| {
            assert_eq!(hear(&mut channel), Record::Hello(hello("Alice")));
            channel.write_all(bytes).unwrap();
            hear_to_the_end(&mut channel)
        },
    )
}

/// Alice says two texts and a ping to who does this then; what became of it, and what was said to that.
fn turned(bad: impl FnOnce(&mut Channel) + Send) -> (Outcome, Vec<Record>) {
    talk(
        |channel| alice(channel).turn(turn([1, 2], &[7])),
        |mut channel| {
            assert_eq!(hear(&mut channel), Record::Hello(hello("Alice")));
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            let said = [(); 3].map(|()| hear(&mut channel));
            assert_eq!(said, [text(1), text(2), Record::Ping(7)]);
            bad(&mut channel);
            hear_to_the_end(&mut channel)
        },
    )
}

fn not_understood(fault: Fault) -> End {
    End::NotUnderstood(fault)
}

#[test]
fn lines_that_were_changed_on_their_way_end_it_before_any_content() {
    for changed in [
        Hello { dialed: b"P2P-CHAT/2\n".to_vec(), ..hello("Mallory") },
        Hello { answered: b"P2P-CHAT/1 ok\r\n".to_vec(), ..hello("Mallory") },
    ] {
        let end = greeted_with(&Record::Hello(changed).encode());
        assert_eq!(end, (not_understood(Fault::Lines), vec![NOT_UNDERSTOOD]));
    }
}

#[test]
fn who_says_no_hello_gets_no_content() {
    for first in [text(1), Record::Ping(1), Record::Pong(1), Record::Receipt(vec![id(1)])] {
        let end = greeted_with(&first.encode());
        assert_eq!(end, (not_understood(Fault::NoHello), vec![NOT_UNDERSTOOD]), "{first:?}");
    }
    let end = greeted_with(&[1, 0xff, 0xff, 0xff]);
    let fault = Fault::Record(RecordFault::TooLong(0xff_ffff));
    assert_eq!(end, (not_understood(fault), vec![NOT_UNDERSTOOD]));
}

#[test]
fn an_answer_that_nobody_asked_for_ends_it_and_those_before_it_count() {
    for unasked in [
        Record::Receipt(vec![id(1)]),
        Record::Receipt(vec![id(3)]),
        Record::Pong(8),
        Record::Ping(7),
        text(3),
        Record::Hello(hello("Mallory")),
    ] {
        let (outcome, heard) =
            turned(|channel| say(channel, &[Record::Receipt(vec![id(1)]), unasked.clone()]));
        assert_eq!((outcome.receipted, outcome.answered, outcome.sent), (vec![id(1)], vec![], true));
        assert_eq!(outcome.then.unwrap_err(), not_understood(Fault::Unasked), "{unasked:?}");
        assert_eq!(heard, [NOT_UNDERSTOOD]);
    }
}

#[test]
fn who_speaks_unasked_between_turns_gets_no_turn() {
    let (outcome, heard) = talk(
        |channel| {
            let mut talk = alice(channel);
            wait_for_more(&mut talk);
            talk.turn(turn([1], &[]))
        },
        |mut channel| {
            hear(&mut channel);
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            say(&mut channel, &[Record::Ping(1)]);
            hear_to_the_end(&mut channel)
        },
    );
    assert_eq!((outcome.sent, outcome.then.unwrap_err()), (false, not_understood(Fault::Unasked)));
    assert_eq!(heard, [NOT_UNDERSTOOD]);
}

#[test]
fn a_bye_in_the_midst_of_the_answers_ends_it_and_those_before_it_count() {
    let answers =
        [Record::Receipt(vec![id(2)]), Record::Bye(ByeReason::NoRoom), Record::Receipt(vec![id(1)])];
    let (outcome, heard) = turned(|channel| say(channel, &answers));
    assert_eq!((outcome.receipted, outcome.answered), (vec![id(2)], vec![]));
    assert_eq!((outcome.then.unwrap_err(), heard), (End::Bye(ByeReason::NoRoom), vec![]));
}

#[test]
fn a_bye_amid_a_turn_that_is_being_written_is_heard() {
    let body = "x".repeat(crate::protocol::session::MAX_TEXT_BYTES).into();
    let mut long = Turn::new();
    while long.text(id(long.len() as u8), 1, false, &body) {}
    let (outcome, ()) = talk(
        |channel| alice(channel).turn(long),
        |mut channel| {
            hear(&mut channel);
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            channel.close(
                &[Record::Receipt(vec![id(0)]), Record::Bye(ByeReason::NoRoom)].map(|r| r.encode()).concat(),
            );
        },
    );
    assert_eq!((outcome.receipted, outcome.then.unwrap_err()), (vec![id(0)], End::Bye(ByeReason::NoRoom)));
}

#[test]
fn who_is_silent_at_the_hello_is_given_up_at_its_deadline() {
    let (end, heard) = talk(
        |mut channel| {
            channel.set_deadline(Instant::now() + Duration::from_millis(100));
            Dialed::greet(channel, hello("Alice")).map(|_| ()).unwrap_err()
        },
        |mut channel| hear_to_the_end(&mut channel),
    );
    assert_eq!((end, heard), (End::TimedOut, vec![Record::Hello(hello("Alice"))]));
}

#[test]
fn who_answers_a_part_or_drips_has_the_time_of_a_turn() {
    let begun = Instant::now();
    let (outcome, heard) = turned(|channel| {
        say(channel, &[Record::Receipt(vec![id(1)])]);
        for byte in &Record::Receipt(vec![id(2)]).encode()[..19] {
            std::thread::sleep(Duration::from_millis(100));
            channel.write_all(&[*byte]).unwrap();
        }
    });
    assert_eq!((outcome.receipted, outcome.then.unwrap_err()), (vec![id(1)], End::TimedOut));
    assert!((TURN_WITHIN..2 * TURN_WITHIN + TURN_WITHIN).contains(&begun.elapsed()));
    assert_eq!(heard, []);
}

#[test]
fn who_reads_nothing_of_a_turn_has_the_time_of_a_turn() {
    let (ended, holds) = mpsc::channel::<()>();
    let (outcome, ()) = talk(
        move |channel| {
            let mut talk = alice(channel);
            // Until nothing more fits between them.
            let filler = Record::Ping(1).encode().repeat(10_000);
            talk.talk.channel.set_deadline(Instant::now() + Duration::from_millis(500));
            while talk.talk.channel.write_all(&filler).is_ok() {}
            let begun = Instant::now();
            let outcome = talk.turn(turn([1], &[]));
            assert!((TURN_WITHIN..3 * TURN_WITHIN).contains(&begun.elapsed()));
            drop(ended);
            outcome
        },
        move |mut channel| {
            hear(&mut channel);
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            // Holds the connection without reading it until the other side has ended it.
            holds.recv().expect_err("nothing is sent by it, and it is gone when the turn is over");
        },
    );
    assert_eq!((outcome.receipted, outcome.sent), (vec![], true));
    assert_eq!(outcome.then.unwrap_err(), End::TimedOut);
}

#[test]
fn an_end_or_a_cut_amid_the_answers_is_told_and_leaves_those_that_were_whole() {
    let answers = [Record::Receipt(vec![id(2)]), Record::Receipt(vec![id(1)])].map(|record| record.encode());
    let bytes = answers.concat();
    for cut in [false, true] {
        for length in [0, 1, answers[0].len(), answers[0].len() + 1, bytes.len() - 1, bytes.len()] {
            let (outcome, ()) = talk(
                |channel| alice(channel).turn(turn([1, 2], &[7])),
                |mut channel| {
                    hear(&mut channel);
                    say(&mut channel, &[Record::Hello(hello("Mallory"))]);
                    for _ in 0..3 {
                        hear(&mut channel);
                    }
                    channel.write_all(&bytes[..length]).unwrap();
                    if cut {
                        channel.stream().shutdown(Shutdown::Write).unwrap();
                    } else {
                        channel.close(b"");
                    }
                },
            );
            let whole = length / answers[0].len();
            assert_eq!(outcome.receipted, [id(2), id(1)][..whole], "{cut} {length}");
            match outcome.then.unwrap_err() {
                End::Broken(_) => assert!(cut, "{length}"),
                End::Closed => assert!(!cut && length % answers[0].len() == 0, "{length}"),
                End::NotUnderstood(Fault::HalfRecord) => assert!(!cut && length % answers[0].len() > 0),
                other => panic!("{cut} {length}: {other:?}"),
            }
        }
    }
}

/// Seals records of TLS with nothing inside, which rustls never sends.
fn empty_records(channel: Channel) -> impl Iterator<Item = Vec<u8>> {
    let (seq, secrets) = match channel.tls {
        Connection::Server(server) => server.dangerous_extract_secrets().unwrap().tx,
        Connection::Client(_) => panic!("it has accepted"),
    };
    let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { panic!("it is the first choice") };
    let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    let mut sealer = suite.aead_alg.encrypter(key, iv);
    // aws-lc learns the mask of the numbers from the first one, which has to be 0.
    (0..)
        .map(move |seq| {
            let nothing = OutboundPlainMessage {
                typ: ContentType::ApplicationData,
                version: ProtocolVersion::TLSv1_2,
                payload: OutboundChunks::Single(&[]),
            };
            sealer.encrypt(nothing, seq).unwrap().encode()
        })
        .skip(usize::try_from(seq).unwrap())
}

#[test]
fn empty_records_without_an_end_are_ended_soon() {
    let begun = Instant::now();
    let (outcome, (), _) = meet(
        |stream| alice(dialer(b'A', Expectation::Any)(stream).unwrap()).turn(turn([1], &[])),
        |stream| {
            let mut tls = tls(b'M');
            let mut config = ServerConfig::clone(&tls.server);
            config.enable_secret_extraction = true;
            tls.server = config.into();
            let mut channel = accept(&tls, stream, b"", in_time()).unwrap();
            hear(&mut channel);
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            let stream = Arc::clone(channel.stream());
            for record in empty_records(channel).take(1_000_000) {
                if (&*stream).write_all(&record).is_err() {
                    return;
                }
            }
            panic!("nobody minds");
        },
    );
    assert!(matches!(outcome.then, Err(End::Tls(_))), "{:?}", outcome.then);
    assert!(begun.elapsed() < TURN_WITHIN, "it is not the time that ends it");
}
