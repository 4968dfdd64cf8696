use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::mpsc::{self, Receiver, Sender};

use super::limiter::HOLD_BACK;
use super::*;
use crate::net::inbound::Delivery;

/// How long a test waits for something that should happen soon.
const WITHIN: Duration = Duration::from_secs(20);

/// Answers `ok` and tells a test what came.
struct Teller(Sender<String>);

impl InboundHandler for Teller {
    fn deliver(&self, delivery: Delivery, _: Option<Instant>) -> Result<Vec<u8>, Delivery> {
        let text = String::from_utf8(delivery.decoder.bytes().to_vec()).unwrap();
        assert_ne!(text, "panic", "asked to by a test");
        self.0.send(text).unwrap();
        Ok(b"ok".to_vec())
    }

    fn refused(&self, source: Source) {
        self.0.send(format!("refused {source}")).unwrap();
    }

    fn opens(&self, _: TcpStream, _: Source, _: Instant, _: Vec<u8>, permit: Permit) {
        // It never says hello.
        std::mem::forget(permit);
        self.0.send("opens".into()).unwrap();
    }
}

struct Served {
    listener: Listener,
    addr: SocketAddr,
    told: Receiver<String>,
}

impl Served {
    fn new() -> Self {
        let bound = Listener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let addr = bound.1;
        let (tell, told) = mpsc::channel();
        Self { listener: Listener::prepare(vec![bound]).unwrap().serve(Teller(tell)).unwrap(), addr, told }
    }

    fn dials(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(WITHIN)).unwrap();
        stream
    }

    fn next(&self) -> String {
        self.told.recv_timeout(WITHIN).expect("something comes")
    }

    /// Waits until so many connections have a place.
    fn reads(&self, count: usize) {
        let deadline = Instant::now() + WITHIN;
        while self.listener.shared.state.lock().limiter.len() != count {
            assert!(Instant::now() < deadline, "{:?}", self.listener.shared.state.lock());
            thread::yield_now();
        }
    }
}

/// Writes a message, and returns the answer.
fn says(stream: &mut TcpStream, text: &str) -> String {
    stream.write_all(text.as_bytes()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    answer(stream)
}

fn answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn prompt_messages_are_delivered_in_order() {
    let served = Served::new();
    let mut all = Vec::new();
    for number in 0..2_000 {
        // It closes without waiting, as legacy programs do.
        served.dials().write_all(number.to_string().as_bytes()).unwrap();
        all.push(number.to_string());
        if number % 16 == 15 {
            // A connection that is read before its message came may be overtaken.
            let mut got: Vec<String> = (0..16).map(|_| served.next()).collect();
            got.sort_by_key(|text| text.parse::<usize>().unwrap());
            assert_eq!(got, all[all.len() - 16..]);
        }
    }
    served.reads(0);
}

#[test]
fn messages_sent_one_by_one_keep_their_order() {
    let served = Served::new();
    for number in 0..500 {
        assert_eq!(says(&mut served.dials(), &number.to_string()), "ok");
    }
    for number in 0..500 {
        assert_eq!(served.next(), number.to_string());
    }
}

#[test]
fn silent_connection_delays_no_other_one() {
    let served = Served::new();
    let mut silent: Vec<TcpStream> = (0..MAX_OPENING - 1).map(|_| served.dials()).collect();
    served.reads(silent.len());
    assert_eq!(says(&mut served.dials(), "hello"), "ok");
    assert_eq!(served.next(), "hello");
    for stream in &mut silent {
        assert_eq!(says(stream, "late"), "ok");
    }
}

#[test]
fn longest_silent_connection_makes_room() {
    let served = Served::new();
    let mut silent: Vec<TcpStream> = Vec::new();
    for number in 1..=MAX_OPENING {
        silent.push(served.dials());
        served.reads(number);
    }
    let begun = Instant::now();
    assert_eq!(says(&mut served.dials(), "hello"), "ok");
    assert!(begun.elapsed() < 2 * HOLD_BACK, "{:?}", begun.elapsed());
    assert_eq!(answer(&mut silent[0]), "", "it was silent longest");
    assert_eq!(served.next(), "hello");
}

#[test]
fn thousands_of_silent_connections_let_a_message_through() {
    let served = Served::new();
    let silent: Vec<TcpStream> = (0..400).map(|_| served.dials()).collect();
    let begun = Instant::now();
    assert_eq!(says(&mut served.dials(), "hello"), "ok");
    assert!(begun.elapsed() < 2 * HOLD_BACK, "{:?}", begun.elapsed());
    let state = served.listener.shared.state.lock();
    assert!(state.workers <= MAX_WORKERS && state.queue.len() <= MAX_QUEUE, "{state:?}");
    drop(silent);
}

#[test]
fn connection_that_opens_a_session_keeps_its_place() {
    let served = Served::new();
    let mut opening = served.dials();
    opening.write_all(crate::protocol::session::opening::DIAL_LINE).unwrap();
    assert_eq!(served.next(), "opens");
    assert_eq!(says(&mut served.dials(), "hello"), "ok");
    served.reads(1);
}

#[test]
fn panic_ends_one_connection_only() {
    let served = Served::new();
    for _ in 0..2 * MAX_WORKERS {
        assert_eq!(says(&mut served.dials(), "panic"), "");
    }
    assert_eq!(says(&mut served.dials(), "hello"), "ok");
    served.reads(0);
}

#[test]
fn stopping_ends_connections_and_threads() {
    let served = Served::new();
    let mut silent = served.dials();
    served.reads(1);
    served.listener.stop(Instant::now() + WITHIN);
    assert_eq!(answer(&mut silent), "");
    let state = served.listener.shared.state.lock();
    assert_eq!((state.workers, state.acceptors, state.limiter.len()), (0, 0, 0));
}
