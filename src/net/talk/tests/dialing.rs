//! What a dialer says, to whom, and what it tells of it.

use std::thread;

use super::*;
use crate::model::message::SendError;
use crate::model::session::Introduction;
use crate::protocol::session::MAX_TEXT_BYTES;

#[test]
fn texts_arrive_in_their_order_and_who_takes_them_is_known() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    let talked = alice.talks(&[house.addr], None, Request::Messages(messages(1..=3)));
    assert_eq!((talked.addr, &talked.end), (house.addr, &RequestEnd::Answered));
    assert_eq!((talked.written, talked.receipts), (3, vec![id(1), id(2), id(3)]));
    let met = talked.met.unwrap();
    let also = vec!["192.0.2.7:5000".parse().unwrap(), "[2001:db8::1]:5000".parse().unwrap()];
    assert_eq!(met.key, key(b'B'));
    assert_eq!(met.hello, Some(Introduction { name: name(b'B'), port: 5000, also }));
    let welcomed = house.chat.wait(|story| story.welcomed.pop());
    assert_eq!((welcomed.0, welcomed.1.name), (key(b'A'), name(b'A')));
    assert_eq!(house.chat.wait(|story| story.turns.pop()), messages(1..=3));
}

#[test]
fn texts_that_do_not_fit_a_turn_go_in_several() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    let mut texts = messages(1..=5);
    texts.iter_mut().for_each(|text| text.body = "x".repeat(MAX_TEXT_BYTES).into());
    let talked = alice.says(&house, Request::Messages(texts.clone()));
    assert_eq!((talked.end, talked.written, talked.receipts.len()), (RequestEnd::Answered, 5, 5));
    assert_eq!(house.chat.wait(|story| Some(story.turns.concat())), texts);
    assert!(house.chat.wait(|story| Some(story.turns.len())) > 1);
    assert_eq!(house.chat.wait(|story| Some(story.welcomed.len())), 1, "on one connection");
}

#[test]
fn a_greeting_says_nothing_a_ping_is_answered_and_a_goodbye_is_heard() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    assert_eq!(alice.says(&house, Request::Open).end, RequestEnd::Answered);
    assert_eq!(alice.says(&house, Request::Ping).end, RequestEnd::Answered);
    house.chat.wait(|story| (story.heard > 0).then_some(()));
    assert_eq!(alice.says(&house, Request::Bye).end, RequestEnd::Answered);
    house.chat.wait(|story| story.ended.contains(&(key(b'A'), Some(ByeReason::Leaves))).then_some(()));
    house.chat.change(|story| assert!(story.turns.is_empty() && story.plain == 0));
}

#[test]
fn who_has_another_key_is_told_of_and_hears_nothing() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    let talked = alice.talks(&[house.addr], Some(key(b'C')), Request::Messages(messages([1])));
    assert_eq!((talked.end, talked.met), (RequestEnd::WrongKey(key(b'B')), None));
    assert_eq!((talked.written, talked.receipts), (0, Vec::new()));
    house.chat.change(|story| assert!(story.welcomed.is_empty() && story.turns.is_empty()));
}

#[test]
fn we_are_not_somebody_else_whoever_is_expected() {
    let (house, mut alice) = (House::new(tls(b'A')), Alice::new());
    for expect in [None, Some(key(b'B'))] {
        assert_eq!(alice.talks(&[house.addr], expect, Request::Open).end, RequestEnd::Ourselves);
    }
    house.chat.change(|story| assert!(story.welcomed.is_empty()));
}

#[test]
fn who_does_not_say_ok_within_a_second_gets_the_line_and_not_a_byte_more() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = addr_of(&silent);
    let peer = thread::spawn(move || {
        let mut heard = Vec::new();
        silent.accept().unwrap().0.read_to_end(&mut heard).unwrap();
        heard
    });
    let begun = Instant::now();
    let talked = Alice::new().talks(&[addr], Some(key(b'B')), Request::Messages(messages([1])));
    assert_eq!((talked.end, talked.written, talked.met), (RequestEnd::NoSession, 0, None));
    assert!(begun.elapsed() >= Duration::from_secs(1));
    assert_eq!(peer.join().unwrap(), DIAL_LINE);
}

#[test]
fn who_does_not_want_us_says_why_and_no_other_address_is_tried() {
    let (house, other) = (House::of_bob(), House::of_bob());
    house.chat.change(|story| story.unwelcome = Some(ByeReason::NotDecided));
    let talked = Alice::new().talks(&[house.addr, other.addr], None, Request::Messages(messages([1])));
    assert_eq!((talked.addr, talked.end), (house.addr, RequestEnd::Bye(ByeReason::NotDecided)));
    let met = talked.met.unwrap();
    assert_eq!((met.key, met.hello, talked.written), (key(b'B'), None, 0));
    other.chat.change(|story| assert!(story.welcomed.is_empty()));
}

/// Something that ends every connection at once.
fn ends_at_once() -> PeerAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = addr_of(&listener);
    thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.read_exact(&mut [0; DIAL_LINE.len()]).unwrap();
    });
    addr
}

#[test]
fn the_addresses_are_dialed_one_after_the_other_until_the_right_key_is_there() {
    let (carol, house) = (House::new(tls(b'C')), House::of_bob());
    let addrs = [closed(), ends_at_once(), carol.addr, house.addr, closed()];
    let talked = Alice::new().talks(&addrs, Some(key(b'B')), Request::Messages(messages([1])));
    assert_eq!((talked.addr, talked.end), (house.addr, RequestEnd::Answered));
    assert_eq!(talked.receipts, [id(1)]);
}

#[test]
fn where_no_address_is_right_the_most_telling_end_is_told() {
    let carol = House::new(tls(b'C'));
    let mut alice = Alice::new();
    let nobody = closed();
    let ends = ends_at_once();
    let talked = alice.talks(&[closed(), carol.addr, ends, closed()], Some(key(b'B')), Request::Open);
    assert_eq!((talked.addr, talked.end), (carol.addr, RequestEnd::WrongKey(key(b'C'))));
    let ends = ends_at_once();
    let talked = alice.talks(&[closed(), ends, closed()], Some(key(b'B')), Request::Open);
    assert_eq!((talked.addr, talked.end), (ends, RequestEnd::NoSession));
    let talked = alice.talks(&[nobody, closed()], Some(key(b'B')), Request::Open);
    assert_eq!((talked.addr, talked.end), (nobody, RequestEnd::Unreachable(SendError::Refused)));
}

#[test]
fn job_without_an_address_is_refused() {
    let how = How::Talk { addrs: Vec::new(), expect: None, hello: hello(b'A'), say: Request::Open };
    let errand = Errand { id: 1, name: "Alice".parse().unwrap(), how, deadline: None };
    assert!(Alice::new().dialer.push(errand).is_err());
}
