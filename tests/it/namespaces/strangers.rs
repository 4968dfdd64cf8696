//! A machine that claims to be another.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};

use super::lab::{Lab, Machine, at};
use crate::support::{SOON, hear};

const PORT: u16 = 5000;
const ALICE: &str = "10.77.1.1";
const MALLORY: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);
const CAROL: &str = "10.77.2.2";

/// Says `bytes` from a machine, and returns what is answered.
fn says(from: &Machine, to: SocketAddrV4, bytes: &str) -> String {
    from.inside(|| {
        let mut stream = TcpStream::connect_timeout(&to.into(), SOON).expect("Alice listens");
        stream.set_read_timeout(Some(SOON)).expect("a timeout");
        stream.write_all(bytes.as_bytes()).expect("room for a line");
        stream.shutdown(Shutdown::Write).expect("still open");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and the end");
        answer
    })
}

#[test]
fn claimed_address_is_neither_dialed_nor_disconnected() {
    let Some(mut lab) = Lab::new() else { return };
    let [hers, mallorys, carols] = ["alice", "mallory", "carol"].map(|name| lab.machine(name));
    lab.joins((&hers, ALICE), (&mallorys, "10.77.1.2"));
    lab.joins((&hers, "10.77.2.1"), (&carols, CAROL));
    let mut alice = hers.runs("Alice").port(PORT).start();
    let alice_there = at(ALICE, PORT);
    let mut carol = carols.runs("Carol").port(PORT).knows(at("10.77.2.1", PORT)).start();
    alice.meets_at(&format!("Carol ({CAROL}:{PORT})"));
    carol.meets_at(&format!("Alice (10.77.2.1:{PORT})"));
    // At Carol's machine and at Alice's, another program listens at another port. No peer dials
    // them.
    let victim = carols.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9)).expect("a free port"));
    let neighbour = hers.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 9)).expect("a free port"));
    let own = mallorys.inside(|| TcpListener::bind((MALLORY, 9)).expect("a free port"));

    let receipt = alice.receipt();
    for claimed in [format!("{CAROL}:9"), format!("{ALICE}:9"), "10.77.2.1:9".into(), "192.0.2.1:9".into()] {
        assert_eq!(says(&mallorys, alice_there, &format!("{claimed} Mallory hello")), receipt);
        alice.sees(&format!("Mallory ({MALLORY}:9, claims to be {claimed}): hello"));
        assert_eq!(says(&mallorys, alice_there, &format!("{claimed} Mallory connect")), receipt);
        assert_eq!(says(&mallorys, alice_there, &format!("{claimed} CONNECT_REQUEST")), "CONNECTED");
    }
    // She acknowledges to the sender, and probes it.
    let (said, from) = hear(&own);
    assert_eq!((said, from), (format!("{ALICE}:{PORT} Alice connect_ack"), ALICE.parse().expect("an IP")));
    for claimed in [format!("{CAROL}:9"), format!("{ALICE}:9")] {
        assert!(alice.lists(claimed.parse().expect("an address")).is_none());
    }
    assert!(alice.lists(SocketAddrV4::new(MALLORY, 9)).is_some());

    // No other peer can say goodbye, or anything else, for Carol.
    for words in ["Carol exit", "DISCONNECTED", "Carol it is me"] {
        says(&mallorys, alice_there, &format!("{CAROL}:{PORT} {words}"));
    }
    let line = alice.sees("it is me");
    assert!(line.contains(&format!("Unproven, from {MALLORY}, claims to be Carol")), "{line}");
    alice.finds(at(CAROL, PORT), "connected");
    let printed = alice.printed();
    assert!(!printed.iter().any(|line| line.contains("has left")), "{printed:?}");

    for listener in [&victim, &neighbour] {
        listener.set_nonblocking(true).expect("an option");
        let dialed = listener.accept();
        assert!(matches!(&dialed, Err(error) if error.kind() == ErrorKind::WouldBlock), "{dialed:?}");
        listener.set_nonblocking(false).expect("an option");
    }
    // She could have dialed them.
    alice.types(&[&format!("@{CAROL}:9 hello")]);
    assert_eq!(hear(&victim).0, format!("10.77.2.1:{PORT} Alice connect"));
}
