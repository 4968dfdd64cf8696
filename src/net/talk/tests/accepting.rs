//! What a listener hands over, and when it answers.

use super::*;
use crate::net::MAX_WAITING_PER_SOURCE;

#[test]
fn receipts_go_out_after_the_texts_were_taken_and_not_before() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    house.chat.change(|story| story.shut = true);
    alice.begin(&[house.addr], None, Request::Messages(messages(1..=2)));
    house.chat.wait(|story| story.turns.pop());
    alice.told.recv_timeout(Duration::from_millis(300)).expect_err("nothing is settled yet");
    house.chat.change(|story| story.shut = false);
    let Report::SessionReport { talked, .. } = alice.report() else { panic!("not a talk") };
    assert_eq!((talked.end, talked.receipts), (RequestEnd::Answered, vec![id(1), id(2)]));
}

#[test]
fn texts_that_find_no_room_have_no_receipt_and_may_come_again() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    house.chat.change(|story| story.room = Some(2));
    let talked = alice.says(&house, Request::Messages(messages(1..=3)));
    assert_eq!((talked.end, talked.written), (RequestEnd::Bye(ByeReason::NoRoom), 3));
    assert_eq!(talked.receipts, [id(1), id(2)]);
    let talked = alice.says(&house, Request::Messages(messages([3])));
    assert_eq!((talked.end, talked.receipts), (RequestEnd::Answered, vec![id(3)]));
}

#[test]
fn a_panic_of_the_chat_ends_that_talk_only() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    house.chat.change(|story| story.panics = true);
    let talked = alice.says(&house, Request::Messages(messages([1])));
    assert_eq!((talked.end, talked.receipts), (RequestEnd::Bye(ByeReason::NoRoom), Vec::new()));
    assert_eq!(alice.says(&house, Request::Messages(messages([1]))).receipts, [id(1)]);
}

#[test]
fn the_line_may_come_in_pieces_and_nothing_may_follow_it() {
    let house = House::of_bob();
    let mut stream = TcpStream::connect(house.addr.socket()).unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in DIAL_LINE {
        stream.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut ok = [0; OK_LINE.len()];
    stream.read_exact(&mut ok).unwrap();
    assert_eq!(ok, OK_LINE);

    let mut stream = TcpStream::connect(house.addr.socket()).unwrap();
    stream.write_all(&[DIAL_LINE, b"\x16"].concat()).unwrap();
    let mut answer = Vec::new();
    // It is closed, in whichever way.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty());
    house.chat.change(|story| assert!(story.plain == 0 && story.welcomed.is_empty()));
}

#[test]
fn half_open_handshakes_make_room_for_others_and_end_by_themselves() {
    let (house, mut alice) = (House::of_bob(), Alice::new());
    let mut open: Vec<TcpStream> = (0..2 * MAX_WAITING_PER_SOURCE).map(|_| half_open(house.addr)).collect();
    assert!(house.listener.threads() <= MAX_WAITING_PER_SOURCE + 32, "{}", house.listener.threads());
    assert_eq!(alice.says(&house, Request::Messages(messages([1]))).receipts, [id(1)]);
    for stream in &mut open {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}
