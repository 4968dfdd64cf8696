//! What two that keep the rules can say.

use super::*;

#[test]
fn each_learns_the_others_key_and_hello_and_texts_and_pings_are_answered() {
    let (alice, bob) = talk(
        |channel| {
            let (talk, met) = Dialed::greet(channel, hello("Alice")).unwrap();
            let peer = talk.peer();
            let first = talk.turn(turn(1..=3, &[7, 8]));
            let second = first.then.unwrap().turn(turn([4], &[]));
            assert_eq!((first.receipted, first.answered), (vec![id(1), id(2), id(3)], vec![7, 8]));
            assert_eq!((second.receipted, second.answered), (vec![id(4)], vec![]));
            assert!(first.sent && second.sent);
            (peer, met, second.then.unwrap().close(None))
        },
        |channel| {
            let mut met = None;
            let (talk, said) = Accepted::greet(channel, |peer, hello| {
                met = Some((peer, hello.clone()));
                Ok(super::hello("Bob"))
            })
            .unwrap();
            let mut heard = Vec::new();
            let end = talk.serve(|texts| {
                heard.extend(texts.clone());
                take(texts)
            });
            assert_eq!(heard, [text(1), text(2), text(3), text(4)]);
            (met.unwrap(), said, end)
        },
    );
    assert_eq!(alice, (key(b'B').public(), hello("Bob"), End::Over));
    assert_eq!(bob, ((key(b'A').public(), hello("Alice")), hello("Alice"), End::Closed));
}

#[test]
fn the_lines_in_a_hello_are_those_that_were_said_whatever_its_maker_wrote() {
    let wrong = |name| Hello { dialed: b"?".to_vec(), answered: Vec::new(), ..hello(name) };
    let (met, _) = talk(
        |channel| Dialed::greet(channel, wrong("Alice")).unwrap().1,
        |channel| Accepted::greet(channel, |_, _| Ok(wrong("Bob"))).unwrap().0.serve(take),
    );
    assert_eq!(met, hello("Bob"));
}

#[test]
fn who_is_not_welcome_is_told_why_and_hears_no_hello() {
    for reason in [ByeReason::NotAccepted, ByeReason::NotDecided, ByeReason::Other(77)] {
        let (alice, bob) = talk(
            |channel| Dialed::greet(channel, hello("Alice")).map(|_| ()).unwrap_err(),
            |channel| Accepted::greet(channel, |_, _| Err(reason)).map(|_| ()).unwrap_err(),
        );
        assert_eq!((alice, bob), (End::Bye(reason), End::Said(reason)));
    }
}

#[test]
fn the_largest_turn_is_answered_and_a_larger_one_cannot_be_made() {
    let body = "x".repeat(crate::protocol::session::MAX_TEXT_BYTES).into();
    let mut long = Turn::new();
    let fit = (0..64).take_while(|number| long.text(id(*number), 1, true, &body)).count();
    assert_eq!((fit, long.len()), (3, 3));
    let mut many = turn(0..63, &[1]);
    assert!(!many.ping(2) && !many.text(id(99), 1, false, &"hi".into()));
    assert!(
        !Turn::new().text(id(1), 1, false, &"".into()) && !turn([1], &[]).text(id(1), 1, false, &"hi".into())
    );
    let (outcome, end) = talk(
        |channel| {
            let first = alice(channel).turn(long);
            let second = first.then.unwrap().turn(many);
            second.then.unwrap().close(None);
            (first.receipted.len(), second.receipted.len(), second.answered)
        },
        |channel| bob(channel).unwrap().serve(take),
    );
    assert_eq!((outcome, end), ((3, 63, vec![1]), End::Closed));
}

#[test]
fn texts_that_find_no_room_have_no_receipt_and_those_before_them_have() {
    let (outcome, end) = talk(
        |channel| alice(channel).turn(turn(1..=3, &[9])),
        |channel| {
            bob(channel).unwrap().serve(|texts| Reply::Bye(ids(&texts)[..2].to_vec(), ByeReason::NoRoom))
        },
    );
    assert_eq!((outcome.receipted, outcome.answered), (vec![id(1), id(2)], vec![9]));
    assert_eq!((outcome.then.unwrap_err(), end), (End::Bye(ByeReason::NoRoom), End::Said(ByeReason::NoRoom)));
}

#[test]
fn either_side_may_say_bye_and_the_other_knows_why() {
    let (alice_end, bob_end) = talk(
        |channel| alice(channel).close(Some(ByeReason::Leaves)),
        |channel| bob(channel).unwrap().serve(take_none),
    );
    assert_eq!((alice_end, bob_end), (End::Said(ByeReason::Leaves), End::Bye(ByeReason::Leaves)));
    let (alice_end, bob_end) = talk(
        |channel| {
            let mut talk = alice(channel);
            wait_for_more(&mut talk);
            talk.look().map(|_| ()).unwrap_err()
        },
        |channel| bob(channel).unwrap().close(ByeReason::Leaves),
    );
    assert_eq!((alice_end, bob_end), (End::Bye(ByeReason::Leaves), End::Said(ByeReason::Leaves)));
}

#[test]
fn a_turn_after_the_other_side_has_said_bye_is_not_sent() {
    let (outcome, _) = talk(
        |channel| {
            let mut talk = alice(channel);
            wait_for_more(&mut talk);
            talk.turn(turn([1], &[]))
        },
        |channel| bob(channel).unwrap().close(ByeReason::Idle),
    );
    assert!(!outcome.sent && outcome.receipted.is_empty());
    assert_eq!(outcome.then.unwrap_err(), End::Bye(ByeReason::Idle));
}

#[test]
fn a_silent_acceptor_talk_can_be_put_aside_and_taken_up_again() {
    let (put_aside, go_on) = std::sync::mpsc::channel();
    let (receipted, end) = talk(
        move |channel| {
            let talk = alice(channel);
            go_on.recv().unwrap();
            let outcome = talk.turn(turn([1], &[]));
            outcome.then.unwrap().close(None);
            outcome.receipted
        },
        move |channel| {
            let mut talk = bob(channel).unwrap();
            loop {
                talk = match talk.turn(Instant::now(), take) {
                    Ok(Step::Answered(talk)) => talk,
                    Ok(Step::Silent(talk)) => {
                        let _ = put_aside.send(());
                        talk.channel().stream().set_read_timeout(None).unwrap();
                        // Nothing is there that this would wait in vain for.
                        let _ = talk.channel().stream().peek(&mut [0]).unwrap();
                        talk
                    }
                    Err(end) => break end,
                };
            }
        },
    );
    assert_eq!((receipted, end), (vec![id(1)], End::Closed));
}

#[test]
fn a_text_keeps_the_connection_and_a_ping_does_not() {
    talk(
        |channel| {
            let talk = alice(channel);
            let begun = talk.idle_at();
            let talk = talk.turn(turn([], &[1])).then.unwrap();
            assert_eq!(talk.idle_at(), begun);
            let talk = talk.turn(turn([1], &[])).then.unwrap();
            assert!(talk.idle_at() > begun);
            talk.close(None)
        },
        |channel| bob(channel).unwrap().serve(take),
    );
}

#[test]
fn a_dialer_sends_nothing_on_a_connection_that_was_idle_or_used_for_too_long() {
    for wear in [
        |talk: &mut Dialed| talk.idle_at = Instant::now(),
        |talk: &mut Dialed| talk.talk.worn_at = Instant::now(),
        |talk: &mut Dialed| talk.talk.count = MAX_RECORDS,
    ] {
        let (outcome, end) = talk(
            |channel| {
                let mut talk = alice(channel);
                wear(&mut talk);
                talk.turn(turn([1], &[]))
            },
            |channel| bob(channel).unwrap().serve(take_none),
        );
        assert!(!outcome.sent);
        assert_eq!((outcome.then.unwrap_err(), end), (End::Over, End::Closed));
    }
}

#[test]
fn an_acceptor_says_bye_when_it_was_idle_or_used_for_too_long_and_answers_before() {
    let (said, end) = talk(
        |channel| {
            let mut channel = alice(channel).talk.channel;
            hear_to_the_end(&mut channel)
        },
        |channel| {
            let mut talk = bob(channel).unwrap();
            talk.idle_at = Instant::now() + Duration::from_millis(50);
            talk.serve(take_none)
        },
    );
    assert_eq!((said, end), (vec![Record::Bye(ByeReason::Idle)], End::Said(ByeReason::Idle)));
    for wear in [
        |talk: &mut Accepted| talk.talk.worn_at = Instant::now(),
        |talk: &mut Accepted| talk.talk.count = MAX_RECORDS + LENIENCE.1,
    ] {
        let (said, end) = talk(
            |channel| {
                let mut channel = alice(channel).talk.channel;
                say(&mut channel, &[text(1)]);
                hear_to_the_end(&mut channel)
            },
            |channel| {
                let mut talk = bob(channel).unwrap();
                wear(&mut talk);
                talk.serve(take)
            },
        );
        assert_eq!(said, [Record::Receipt(vec![id(1)]), Record::Bye(ByeReason::Idle)]);
        assert_eq!(end, End::Said(ByeReason::Idle));
    }
}
