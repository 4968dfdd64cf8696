//! Two sides over real sockets, with a tap between that keeps what passes.

mod handshake;
mod refusing;
mod talking;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::*;

pub(super) type Side = Result<Channel, Refused>;

/// Everybody's key is made of one letter here.
pub(super) fn key(message: u8) -> OwnKey {
    OwnKey::from_seed(&[message; 32]).unwrap()
}

pub(super) fn tls(message: u8) -> Tls {
    Tls::new(&key(message)).unwrap()
}

/// More than anything takes on a busy machine; no test waits for it to be over.
pub(super) fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// A dialer with this key.
pub(super) fn dialer(message: u8, expectation: Expectation) -> impl FnOnce(TcpStream) -> Side + Send {
    move |stream| dial(&tls(message), stream, expectation, in_time())
}

/// An acceptor with this key.
pub(super) fn acceptor(message: u8) -> impl FnOnce(TcpStream) -> Side + Send {
    move |stream| accept(&tls(message), stream, b"", in_time())
}

/// What passed between them, each way.
pub(super) struct Passed {
    pub(super) up: Vec<u8>,
    pub(super) down: Vec<u8>,
}

/// Passes on what comes, to its end, and keeps it.
fn tap(mut from: TcpStream, mut to: TcpStream) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..count]);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
        kept
    })
}

/// Lets both talk through a tap, each in its own thread.
pub(super) fn meet<A: Send, B: Send>(
    dialer: impl FnOnce(TcpStream) -> A + Send,
    acceptor: impl FnOnce(TcpStream) -> B + Send,
) -> (A, B, Passed) {
    let behind = TcpListener::bind("127.0.0.1:0").unwrap();
    let before = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(before.local_addr().unwrap()).unwrap();
    let entry = before.accept().unwrap().0;
    let exit = TcpStream::connect(behind.local_addr().unwrap()).unwrap();
    let far = behind.accept().unwrap().0;
    // So that what should have ended and did not is a failure, and no test without an end.
    for stream in [&near, &far, &entry, &exit] {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    }
    let up = tap(entry.try_clone().unwrap(), exit.try_clone().unwrap());
    let down = tap(exit, entry);
    let (one, other) = thread::scope(|scope| {
        let dialing = scope.spawn(|| dialer(near));
        let accepting = scope.spawn(|| acceptor(far));
        (dialing.join().expect("the dialer"), accepting.join().expect("the acceptor"))
    });
    let passed = Passed { up: up.join().unwrap(), down: down.join().unwrap() };
    (one, other, passed)
}

/// The types and lengths of the TLS records in these bytes.
pub(super) fn tls_records(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut all = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        all.push((head[0], length));
        bytes = rest.get(length..).expect("whole records");
    }
    all
}
