use std::io::Read as _;
use std::net::TcpListener;

use super::*;
use crate::net::{InboundHandler, Listener};

struct Nobody;

impl InboundHandler for Nobody {
    fn deliver(&self, _: Delivery, _: Option<Instant>) -> Reply {
        Reply::Answer(Vec::new())
    }

    fn refused(&self, _: Source) {}
}

/// Both ends of a connection, ours with what is to be answered.
fn finished(answer: &str, end: End) -> (TcpStream, Finished) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let accepted = listener.accept().unwrap().0;
    let connection = Connection::new(accepted, std::net::Ipv4Addr::LOCALHOST.into(), None).unwrap();
    (sender, Finished { connection, answer: answer.into(), end })
}

#[test]
fn many_messages_that_are_too_long_are_read_away_in_the_time_of_one_and_delay_no_answer() {
    let (socket, addr) = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = Listener::serve(socket, addr, Nobody).unwrap();
    let (mut senders, mut all): (Vec<_>, Vec<_>) = (0..12).map(|_| finished("", End::Cut)).unzip();
    let (mut sender, whole) = finished("taken", End::Whole);
    all.push(whole);
    let answered = std::thread::spawn(move || {
        let mut answer = String::new();
        sender.read_to_string(&mut answer).unwrap();
        (answer, Instant::now())
    });
    let begun = Instant::now();
    let mut handler = Handler::new(&listener.shared);
    handler.leads = false;
    handler.finish(all);
    let took = begun.elapsed();
    let (answer, at) = answered.join().unwrap();
    assert_eq!(answer, "taken");
    assert!(at - begun < 6 * DRAIN_FOR && took < 6 * DRAIN_FOR, "{:?} and {took:?}", at - begun);
    assert!(took >= DRAIN_FOR, "nobody was given time");
    senders.iter_mut().for_each(|sender| drop(sender.read(&mut [0])));
    listener.stop(Instant::now() + Duration::from_secs(5));
}
