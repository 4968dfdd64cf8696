//! What an acceptor makes of a dialer that keeps no rule.

use std::net::Shutdown;

use super::*;
use crate::protocol::session::{MAX_TURN_RECORDS, RecordFault};

fn not_understood(fault: Fault) -> End {
    End::NotUnderstood(fault)
}

/// Ends at the hello: what the acceptor makes of these bytes, and what it says. Nobody is asked whether it is welcome.
fn greeted_with(bytes: &[u8]) -> (Vec<Record>, End) {
    talk(
        |mut channel| {
            channel.write_all(bytes).unwrap();
            hear_to_the_end(&mut channel)
        },
        |channel| Accepted::greet(channel, |_, met| panic!("{met:?} is asked for")).map(|_| ()).unwrap_err(),
    )
}

/// Says its hello and hears the other, does this, and hears what is said to that. No text of it is taken.
fn served(bad: impl FnOnce(&mut Channel) + Send) -> (Vec<Record>, End) {
    talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            assert_eq!(hear(&mut channel), Record::Hello(hello("Bob")));
            bad(&mut channel);
            hear_to_the_end(&mut channel)
        },
        |channel| bob(channel).unwrap().serve(take_none),
    )
}

#[test]
fn lines_that_were_changed_on_their_way_end_it_before_anybody_is_asked() {
    let other = |line: &[u8]| [&line[..line.len() - 1], b"\r\n"].concat();
    for changed in [
        Hello { dialed: b"P2P-CHAT/2\n".to_vec(), ..hello("Mallory") },
        Hello { dialed: other(DIAL_LINE), ..hello("Mallory") },
        Hello { answered: other(OK_LINE), ..hello("Mallory") },
        Hello { answered: Vec::new(), ..hello("Mallory") },
    ] {
        let end = greeted_with(&Record::Hello(changed).encode());
        assert_eq!(end, (vec![NOT_UNDERSTOOD], not_understood(Fault::Lines)));
    }
}

#[test]
fn content_before_the_hello_ends_it() {
    for first in [text(1), Record::Ping(1), Record::Pong(1), Record::Receipt(vec![id(1)])] {
        let end = greeted_with(&first.encode());
        assert_eq!(end, (vec![NOT_UNDERSTOOD], not_understood(Fault::NoHello)), "{first:?}");
    }
    let (said, end) = greeted_with(&Record::Bye(ByeReason::Leaves).encode());
    assert_eq!((said, end), (vec![], End::Bye(ByeReason::Leaves)));
}

#[test]
fn content_before_our_hello_ends_it_whole_or_in_part() {
    let hello = Record::Hello(hello("Mallory")).encode();
    for early in [text(1).encode(), text(1).encode()[..3].to_vec(), hello.clone()] {
        let end = greeted_with(&[&hello[..], &early].concat());
        assert_eq!(end, (vec![NOT_UNDERSTOOD], not_understood(Fault::TooEarly)));
    }
}

#[test]
fn what_is_an_acceptors_to_say_and_a_second_hello_end_it_and_nothing_beside_it_is_taken() {
    for unasked in [Record::Hello(hello("Bob")), Record::Receipt(vec![id(1)]), Record::Pong(1)] {
        let end = served(|channel| say(channel, &[text(1), unasked.clone()]));
        assert_eq!(end, (vec![NOT_UNDERSTOOD], not_understood(Fault::Unasked)), "{unasked:?}");
    }
}

#[test]
fn what_cannot_be_understood_ends_it_and_nothing_beside_it_is_taken() {
    for (bad, fault) in [
        (vec![2, 0xff, 0xff, 0xff], RecordFault::TooLong(0xff_ffff)),
        (vec![4, 0, 0, 1, 1], RecordFault::Shape),
        ([200, 0, 0, 0].repeat(17), RecordFault::TooManyUnknown),
    ] {
        let end = served(|channel| channel.write_all(&[&text(1).encode()[..], &bad].concat()).unwrap());
        assert_eq!(end, (vec![NOT_UNDERSTOOD], not_understood(Fault::Record(fault))));
    }
}

#[test]
fn records_without_an_end_are_bounded_by_those_of_a_turn() {
    let pings: Vec<_> = (0..=MAX_TURN_RECORDS as u64).map(Record::Ping).collect();
    let end = served(|channel| say(channel, &pings));
    let fault = Fault::Record(RecordFault::TurnTooLong);
    assert_eq!(end, (vec![NOT_UNDERSTOOD], not_understood(fault)));
}

#[test]
fn who_says_more_and_more_and_hears_nothing_is_given_up() {
    let begun = Instant::now();
    let (_, end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            let pings: Vec<u8> = (0..32).flat_map(|nonce| Record::Ping(nonce).encode()).collect();
            // To be read by nobody, until the answers fill all that is between.
            while channel.write_all(&pings).is_ok() {}
        },
        |channel| bob(channel).unwrap().serve(take_none),
    );
    // Whether it stops at what is not read or at too many at once is a matter of pieces.
    let too_many = not_understood(Fault::Record(RecordFault::TurnTooLong));
    assert!(end == End::TimedOut || end == too_many, "{end:?}");
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[test]
fn unknown_records_are_no_use_of_the_connection() {
    let (_, end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            channel.write_all(&[200, 0, 0, 0].repeat(5)).unwrap();
            hear_to_the_end(&mut channel)
        },
        |channel| {
            let mut talk = bob(channel).unwrap();
            talk.idle_at = Instant::now() + Duration::from_millis(100);
            talk.serve(take_none)
        },
    );
    assert_eq!(end, End::Said(ByeReason::Idle));
}

#[test]
fn new_keys_without_an_end_are_ended_soon() {
    let ((), end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            for _ in 0..100_000 {
                channel.tls.refresh_traffic_keys().unwrap();
                if channel.flush().is_err() {
                    return;
                }
            }
            panic!("nobody minds");
        },
        |channel| bob(channel).unwrap().serve(take_none),
    );
    assert!(matches!(end, End::Tls(_)), "{end:?}");
}

#[test]
fn who_drips_a_record_has_the_time_of_a_turn_for_it() {
    let begun = Instant::now();
    let (_, end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            let record = text(1).encode();
            // The last byte never comes.
            for byte in record[..record.len() - 1].iter().take(40) {
                if channel.write_all(&[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(200));
            }
            let _ = channel.read(&mut [0; 16]);
        },
        |channel| bob(channel).unwrap().serve(take_none),
    );
    assert_eq!(end, End::TimedOut);
    assert!((TURN_WITHIN..ACCEPTED_IDLE / 2).contains(&begun.elapsed()));
}

#[test]
fn a_whole_text_is_taken_although_the_next_one_drips() {
    let (heard, end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            channel.write_all(&[&text(1).encode()[..], &text(2).encode()[..9]].concat()).unwrap();
            let heard = hear(&mut channel);
            channel.close(b"");
            heard
        },
        |channel| bob(channel).unwrap().serve(take),
    );
    assert_eq!((heard, end), (Record::Receipt(vec![id(1)]), not_understood(Fault::HalfRecord)));
}

#[test]
fn who_is_silent_at_the_hello_is_given_up_at_its_deadline() {
    let hello = Record::Hello(hello("Mallory")).encode();
    for said in [&[][..], &hello[..1], &hello[..hello.len() - 1]] {
        let (heard, end) = talk(
            |mut channel| {
                channel.write_all(said).unwrap();
                hear_to_the_end(&mut channel)
            },
            |mut channel| {
                channel.set_deadline(Instant::now() + Duration::from_millis(50));
                bob(channel).map(|_| ()).unwrap_err()
            },
        );
        assert_eq!((heard, end), (vec![], End::TimedOut));
    }
}

#[test]
fn an_end_or_a_cut_at_any_point_is_told_and_takes_what_was_whole_only() {
    let hello = Record::Hello(hello("Mallory")).encode();
    let all = [&hello[..], &text(1).encode()].concat();
    for cut in [false, true] {
        for length in [0, 1, hello.len() - 1, hello.len(), hello.len() + 1, all.len() - 1, all.len()] {
            let (_, (end, taken)) = talk(
                |mut channel| {
                    let first = length.min(hello.len());
                    channel.write_all(&all[..first]).unwrap();
                    if length > hello.len() {
                        hear(&mut channel);
                        channel.write_all(&all[first..length]).unwrap();
                    }
                    if length == all.len() {
                        assert_eq!(hear(&mut channel), Record::Receipt(vec![id(1)]));
                    }
                    if cut {
                        channel.stream().shutdown(Shutdown::Write).unwrap();
                        let _ = std::io::copy(&mut &**channel.stream(), &mut std::io::sink());
                    } else {
                        channel.close(b"");
                    }
                },
                |channel| {
                    let mut taken = 0;
                    let end = bob(channel).map(|talk| {
                        talk.serve(|texts| {
                            taken += texts.len();
                            take(texts)
                        })
                    });
                    (end.unwrap_or_else(|end| end), taken)
                },
            );
            let between = [0, hello.len(), all.len()].contains(&length);
            match end {
                End::Broken(std::io::ErrorKind::UnexpectedEof) => assert!(cut, "{length}"),
                End::Closed => assert!(!cut && between, "{length}"),
                End::NotUnderstood(Fault::HalfRecord) => assert!(!cut && !between, "{length}"),
                other => panic!("{cut} {length}: {other:?}"),
            }
            assert_eq!(taken, usize::from(length == all.len()));
        }
    }
}

#[test]
fn receipts_reach_who_ends_its_half_behind_its_texts() {
    let (heard, end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            say(&mut channel, &[text(1)]);
            channel.tls.send_close_notify();
            channel.flush().unwrap();
            channel.stream().shutdown(Shutdown::Write).unwrap();
            hear_to_the_end(&mut channel)
        },
        |channel| bob(channel).unwrap().serve(take),
    );
    assert_eq!((heard, end), (vec![Record::Receipt(vec![id(1)])], End::Closed));
}

#[test]
fn what_is_said_behind_a_bye_is_not_heard_and_what_is_before_it_is() {
    let (heard, end) = talk(
        |mut channel| {
            say(&mut channel, &[Record::Hello(hello("Mallory"))]);
            hear(&mut channel);
            say(&mut channel, &[text(1), Record::Bye(ByeReason::Leaves), text(2)]);
            hear_to_the_end(&mut channel)
        },
        |channel| bob(channel).unwrap().serve(take),
    );
    assert_eq!((heard, end), (vec![Record::Receipt(vec![id(1)])], End::Bye(ByeReason::Leaves)));
}
