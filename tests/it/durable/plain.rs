//! Messages to legacy programs that give no receipts. Each is sent at most once, and its status
//! says what is known.

use std::io::Read;
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use super::{Home, outbox_has};
use crate::support::{SOON, listen};

/// An unencrypted peer that the test controls, connection by connection.
struct Fragile {
    listener: TcpListener,
    /// All that was ever said to it.
    said: String,
}

impl Fragile {
    fn at(addr: SocketAddrV4) -> Self {
        let listener = listen(addr).expect("nobody listens there");
        SockRef::from(&listener).set_read_timeout(Some(SOON)).expect("a timeout");
        Self { listener, said: String::new() }
    }

    /// Reads and closes one connection after the other until one says these words; that one stays
    /// open.
    fn takes(&mut self, words: &str) -> TcpStream {
        loop {
            let (mut stream, _) = self.listener.accept().expect("a peer dials");
            stream.set_read_timeout(Some(SOON)).expect("a timeout");
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).expect("the end of what is said");
            let said = String::from_utf8(bytes).expect("UTF-8");
            self.said.push_str(&said);
            if said.contains(words) {
                return stream;
            }
        }
    }

    /// Breaks off what it has taken.
    fn breaks(stream: TcpStream) {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("set");
    }

    fn was_told(&self, words: &str) -> usize {
        self.said.matches(words).count()
    }
}

#[test]
fn broken_off_plain_message_is_never_resent() {
    let (alice, old) = (Home::of("Alice"), Home::of("Old"));
    let mut fragile = Fragile::at(old.addr);
    let mut her = alice.start();
    her.says(&old.addr.to_string(), "did you get this?");
    Fragile::breaks(fragile.takes("did you get this?"));
    let line = her.sees(&format!("Sent to {}", old.addr));
    assert!(line.ends_with("delivery is unconfirmed; not retried."), "{line}");
    outbox_has(&mut her, ": \"did you get this?\"");
    her.has_seen("Not delivered, and no longer queued:");
    her.crashes();
    let mut her = alice.start();
    her.says(&old.addr.to_string(), "something else");
    drop(fragile.takes("something else"));
    her.sees("Sent to ");
    assert_eq!(fragile.was_told("did you get this?"), 1);
    let history = alice.history(&[]);
    assert!(history.contains("did you get this? (uncertain)"), "{history}");
}

#[test]
fn plain_message_of_a_killed_sender_stays_unconfirmed() {
    let (alice, old) = (Home::of("Alice"), Home::of("Old"));
    let mut fragile = Fragile::at(old.addr);
    let mut her = alice.start();
    her.says(&old.addr.to_string(), "half way");
    let taken = fragile.takes("half way");
    her.crashes();
    drop(taken);
    let mut her = alice.start();
    her.sees(&format!("Sent to {}, but delivery is unconfirmed; not retried: \"half way\"", old.addr));
    her.says(&old.addr.to_string(), "the next");
    drop(fragile.takes("the next"));
    her.sees("Sent to ");
    assert_eq!(fragile.was_told("half way"), 1);
    outbox_has(&mut her, "  1  to ");
    her.types(&["/outbox again 1"]);
    // Only the user may send it again.
    drop(fragile.takes("half way"));
    her.sees("Sent to ");
    assert_eq!(fragile.was_told("half way"), 2);
}
