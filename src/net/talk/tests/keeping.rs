//! Connections that are kept, from both ends.

use std::thread::{self, JoinHandle};

use super::*;
use crate::model::message::SendError;
use crate::net::connection::Connection;
use crate::net::secure::talk::{Accepted, Dialed, End, Reply, Step, Turn};
use crate::net::secure::{self, Expectation};
use crate::net::talk::Host;
use crate::net::talk::line::{Line, Lines};
use crate::net::waiting::Waiting;
use crate::protocol::session::Record;

/// Dials somebody as with this key, by hand.
fn dialed(to: PeerAddr, message: u8) -> Dialed {
    let stream = TcpStream::connect(to.socket()).unwrap();
    let channel = secure::dial(&tls(message), stream, Expectation::Any, Instant::now() + IN_TIME).unwrap();
    Dialed::greet(channel, hello(message)).unwrap().0
}

/// Accepts one, as with this key, by hand.
fn accepted(listener: &TcpListener, message: u8) -> Accepted {
    let stream = listener.accept().unwrap().0;
    let channel = secure::accept(&tls(message), stream, b"", Instant::now() + IN_TIME).unwrap();
    Accepted::greet(channel, |_, _| Ok(hello(message))).unwrap().0
}

/// Answers one turn, whose texts these are.
fn answered(talk: Accepted) -> (Accepted, Vec<Message>) {
    let mut heard = Vec::new();
    let take = |texts: Vec<Record>| {
        for text in texts {
            let Record::Text { id, time, again, body } = text else { panic!("{text:?}") };
            heard.push(Message { id, time, again, body });
        }
        Reply::Receipts(heard.iter().map(|message: &Message| message.id).collect())
    };
    match talk.turn(Instant::now() + IN_TIME, take).unwrap() {
        Step::Answered(talk) => (talk, heard),
        Step::Silent(_) => panic!("nothing was said"),
    }
}

/// Bob by hand: does this with what is dialed to him.
fn bob<T: Send + 'static>(does: impl FnOnce(TcpListener) -> T + Send + 'static) -> (PeerAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (addr_of(&listener), thread::spawn(move || does(listener)))
}

#[test]
fn one_connection_serves_for_many_errands() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    let met = alice.talks(&[house.addr], None, Request::Open).met.unwrap();
    assert!(met.hello.is_some());
    for number in 1..=20 {
        let talked = alice.says(&house, Request::Messages(messages([number])));
        assert_eq!((talked.end, talked.receipts), (RequestEnd::Answered, vec![id(number)]));
        assert_eq!(talked.met.unwrap().hello, None, "it was said before");
    }
    assert_eq!(alice.says(&house, Request::Ping).end, RequestEnd::Answered);
    assert_eq!(alice.says(&house, Request::Open).end, RequestEnd::Answered);
    // After a silence, too, in which nobody waits for it but the keeper.
    until(|| house.listener.talks().0 == 1);
    assert_eq!(alice.says(&house, Request::Messages(messages([21]))).receipts, [id(21)]);
    assert_eq!(alice.says(&house, Request::Bye).end, RequestEnd::Answered);
    house.chat.wait(|story| (story.ended == [(key(b'A'), Some(ByeReason::Leaves))]).then_some(()));
    assert_eq!(house.chat.change(|story| story.welcomed.len()), 1, "and one handshake");
}

#[test]
fn a_goodbye_and_a_cut_are_told_while_nothing_is_said() {
    for (bye, told) in [(true, Some(ByeReason::Leaves)), (false, None)] {
        let (end, ends) = mpsc::channel();
        let (addr, peer) = bob(move |listener| {
            let (talk, _) = answered(accepted(&listener, b'B'));
            ends.recv().unwrap();
            if bye {
                talk.close(ByeReason::Leaves);
            }
        });
        let mut alice = Alice::new();
        assert_eq!(alice.talks(&[addr], None, Request::Messages(messages([1]))).end, RequestEnd::Answered);
        alice.told.recv_timeout(Duration::from_millis(200)).expect_err("nothing has ended");
        end.send(()).unwrap();
        assert_eq!(alice.report(), Report::Ended { key: key(b'B'), bye: told });
        peer.join().unwrap();
    }
}

#[test]
fn a_listener_that_stops_says_so_to_who_is_idle() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    let addr = house.addr;
    alice.says(&house, Request::Open);
    until(|| house.listener.talks().0 == 1);
    drop(house);
    assert_eq!(alice.report(), Report::Ended { key: key(b'B'), bye: Some(ByeReason::Idle) });
    let talked = alice.talks(&[addr], Some(key(b'B')), Request::Open);
    assert_eq!(talked.end, RequestEnd::Unreachable(SendError::Refused));
}

#[test]
fn texts_that_may_have_been_lost_with_a_kept_connection_come_again_at_once_and_say_so() {
    let (addr, peer) = bob(|listener| {
        let (talk, first) = answered(accepted(&listener, b'B'));
        // Reads the next turn and breaks, as if the receipts had been lost.
        talk.channel().stream().set_read_timeout(Some(IN_TIME)).unwrap();
        assert!(talk.channel().stream().peek(&mut [0]).unwrap() > 0);
        drop(talk);
        let (talk, second) = answered(accepted(&listener, b'B'));
        (first, second, talk)
    });
    let mut alice = Alice::new();
    alice.talks(&[addr], Some(key(b'B')), Request::Messages(messages([1])));
    let talked = alice.talks(&[addr], Some(key(b'B')), Request::Messages(messages([2, 3])));
    assert_eq!((talked.end, talked.receipts), (RequestEnd::Answered, vec![id(2), id(3)]));
    assert!(talked.met.unwrap().hello.is_some(), "it was dialed anew");
    let (first, second, _talk) = peer.join().unwrap();
    assert_eq!(first.iter().map(|message| message.again).collect::<Vec<_>>(), [false]);
    assert_eq!(
        second.iter().map(|message| (message.id, message.again)).collect::<Vec<_>>(),
        [(id(2), true), (id(3), true)]
    );
}

#[test]
fn who_has_no_room_is_not_dialed_anew_in_the_same_errand() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    alice.says(&house, Request::Open);
    house.chat.change(|story| story.room = Some(0));
    let talked = alice.says(&house, Request::Messages(messages([1])));
    assert_eq!((talked.end, talked.receipts), (RequestEnd::Bye(ByeReason::NoRoom), Vec::new()));
    assert_eq!(house.chat.change(|story| (story.welcomed.len(), story.turns.len())), (1, 1));
    assert_eq!(alice.says(&house, Request::Messages(messages([1]))).receipts, [id(1)]);
}

#[test]
fn a_kept_connection_that_is_idle_for_too_long_is_ended_in_good_order() {
    let house = House::of_bob();
    let (tell, told) = mpsc::channel();
    let lines = Lines::new(Arc::new(move |report| drop(tell.send(report))));
    let mut talk = dialed(house.addr, b'A');
    talk.idles_until(Instant::now() + Duration::from_millis(300));
    lines.keep(Line { talk, addr: house.addr, name: PeerName::new("Alice") });
    assert_eq!(lines.count().0, 1);
    let ended = told.recv_timeout(IN_TIME).unwrap();
    assert_eq!(ended, Report::Ended { key: key(b'B'), bye: Some(ByeReason::Idle) });
    house.chat.wait(|story| (story.ended == [(key(b'A'), Some(ByeReason::Idle))]).then_some(()));
    assert_eq!((lines.count().0, house.listener.talks().0), (0, 0));
    lines.stop(Instant::now() + IN_TIME);
}

#[test]
fn where_too_many_are_kept_who_dialed_ends_the_one_that_was_idle_for_longest() {
    let (addr, peer) =
        bob(|listener| (1..=4).map(|message| accepted(&listener, message)).collect::<Vec<_>>());
    let (tell, told) = mpsc::channel();
    let lines = Lines::with_most(2, Arc::new(move |report| drop(tell.send(report))));
    for _ in 1..=4 {
        lines.keep(Line { talk: dialed(addr, b'A'), addr, name: PeerName::new("Alice") });
    }
    for message in [1, 2] {
        let ended = told.recv_timeout(IN_TIME).unwrap();
        assert_eq!(ended, Report::Ended { key: key(message), bye: Some(ByeReason::Idle) });
    }
    assert_eq!(lines.count().0, 2);
    let guests = peer.join().unwrap();
    for (number, guest) in guests.into_iter().enumerate() {
        let end = guest.turn(Instant::now() + Duration::from_millis(100), |texts| panic!("{texts:?}"));
        match number {
            0 | 1 => assert_eq!(end.unwrap_err(), End::Closed),
            _ => assert!(matches!(end, Ok(Step::Silent(_)))),
        }
    }
    lines.stop(Instant::now() + IN_TIME);
}

#[test]
fn where_too_many_are_kept_who_accepted_says_bye_to_the_one_that_was_idle_for_longest() {
    let chat = Chat::default();
    let host = Host::with_most(2, tls(b'B'), Arc::new(chat.clone()));
    let (listener, waiting) = (TcpListener::bind("127.0.0.1:0").unwrap(), Waiting::default());
    let addr = addr_of(&listener);
    let mut talks: Vec<Dialed> = (1..=4)
        .map(|message| {
            let peer = thread::spawn(move || dialed(addr, message));
            let connection =
                Connection::new(listener.accept().unwrap().0, Ipv4Addr::LOCALHOST.into(), None).unwrap();
            let place = waiting.admit(&connection.stream, connection.source.share());
            host.attend(host.receive(connection, &place).unwrap());
            peer.join().unwrap()
        })
        .collect();
    let kept = talks.split_off(2);
    for talk in talks {
        assert_eq!(talk.look().map(drop).unwrap_err(), End::Bye(ByeReason::Idle));
    }
    let idle = Some(ByeReason::Idle);
    chat.change(|story| assert_eq!(story.ended, [(key(1), idle), (key(2), idle)]));
    for talk in kept {
        let mut turn = Turn::new();
        turn.ping(1);
        assert_eq!(talk.turn(turn).answered, [1]);
    }
    host.stop(Instant::now() + IN_TIME);
}

#[test]
fn what_is_kept_with_a_key_is_parted_with_where_it_is_not_to_be_talked_to_any_more() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    alice.says(&house, Request::Open);
    until(|| house.listener.talks().0 == 1);
    house.listener.part(&key(b'C'), ByeReason::NotAccepted);
    house.listener.part(&key(b'A'), ByeReason::NotAccepted);
    assert_eq!(alice.report(), Report::Ended { key: key(b'B'), bye: Some(ByeReason::NotAccepted) });
    alice.says(&house, Request::Open);
    until(|| house.listener.talks().0 == 1);
    alice.dialer.part(&key(b'B'), ByeReason::NotAccepted);
    house.chat.wait(|story| story.ended.contains(&(key(b'A'), Some(ByeReason::NotAccepted))).then_some(()));
}

#[test]
fn two_hundred_kept_connections_hold_no_threads_and_each_can_be_used_on() {
    const MANY: u8 = 200;
    let (addr, peer) =
        bob(|listener| (0..MANY).map(|message| accepted(&listener, message)).collect::<Vec<_>>());
    let (tell, _told) = mpsc::channel();
    let lines = Lines::new(Arc::new(move |report| drop(tell.send(report))));
    let house = House::of_bob();
    let mut others = Vec::new();
    for _ in 0..MANY {
        lines.keep(Line { talk: dialed(addr, 255), addr, name: PeerName::new("Alice") });
        others.push(dialed(house.addr, b'A'));
    }
    until(|| house.listener.talks().0 == usize::from(MANY));
    assert_eq!(lines.count(), (usize::from(MANY), 1));
    let (_, threads) = house.listener.talks();
    assert!(threads + house.listener.threads() < 64, "{threads} and {}", house.listener.threads());
    for (number, talk) in (0..MANY).zip(others) {
        let mut turn = Turn::new();
        turn.text(id(number), 1, false, &"hi".into());
        assert_eq!(talk.turn(turn).receipted, [id(number)]);
    }
    let guests = peer.join().unwrap();
    for (number, guest) in (0..MANY).zip(guests) {
        let line = lines.take(&key(number)).expect("it is kept");
        let asked = thread::spawn(move || {
            let mut turn = Turn::new();
            turn.ping(u64::from(number));
            line.talk.turn(turn).answered
        });
        answered(guest);
        assert_eq!(asked.join().unwrap(), [u64::from(number)]);
    }
    lines.stop(Instant::now() + IN_TIME);
}
