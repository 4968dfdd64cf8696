//! Strangers who want the program to dial others, or to tell them more than a contact needs to
//! know.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use p2p_chat::protocol::session::{Hello, Record};

use super::{alice_who_trusts, never_saw};
use crate::support::secure::Raw;
use crate::support::{Peer, SecurePeer, send_raw};

/// Where the attackers are. To Alice this is another machine.
const MALLORYS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// A service that the attackers want to have dialed. It closes each connection at once.
struct Victim {
    addr: SocketAddrV4,
    dialed: Arc<AtomicUsize>,
}

impl Victim {
    fn at(ip: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((ip, 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let dialed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dialed);
        thread::spawn(move || {
            for _ in listener.incoming() {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { addr: SocketAddrV4::new(ip, port), dialed }
    }

    fn dialed(&self) -> usize {
        self.dialed.load(Ordering::Relaxed)
    }
}

/// Opens a session with Alice, who answers the hello.
fn opens(peer: &SecurePeer, alice: &Peer, hello: Hello) -> (Raw, Hello) {
    let mut session = Raw::new(peer.dials(alice.addr()).expect("a handshake"));
    session.says_hello(hello).expect("she hears");
    match session.hears() {
        Ok(Record::Hello(hello)) => (session, hello),
        other => panic!("no hello: {other:?}"),
    }
}

#[test]
fn further_addresses_of_strangers_are_not_dialed() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    let victims: Vec<Victim> = [1, 1, 77].map(|last| Victim::at(Ipv4Addr::new(127, 0, 0, last))).into();
    let addresses: Vec<SocketAddr> = victims.iter().map(|victim| victim.addr.into()).collect();
    let mallory = SecurePeer::at("Mallory", b'M', SocketAddrV4::new(MALLORYS, 0));
    // No program listens at the port that she claims.
    let hello = Hello { addresses, port: 9, ..mallory.hello() };
    opens(&mallory, &alice, hello).0.breaks_off();
    // It takes two dials more than ten seconds apart until Alice believes that she is gone.
    alice.sees(&format!("Mallory ({MALLORYS}:9) is offline"));
    let dialed: Vec<usize> = victims.iter().map(Victim::dialed).collect();
    assert_eq!(dialed, [0; 3]);
    bob.says(alice.addr(), &["are you there?"]);
    alice.says("Bob", "I am");
    bob.hears("I am");
}

#[test]
fn many_strangers_have_a_port_dialed_rarely() {
    let bob = SecurePeer::named("Bob", b'B');
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    let victim = Victim::at(MALLORYS);
    for letter in b'a'..=b't' {
        let name = format!("Mallory-{}", char::from(letter));
        let mallory = SecurePeer::at(&name, letter, SocketAddrV4::new(MALLORYS, 0));
        let hello = Hello { port: victim.addr.port(), ..mallory.hello() };
        opens(&mallory, &alice, hello).0.breaks_off();
    }
    // The program there does not speak the protocol, so a peer is offline after the second dial,
    // more than ten seconds after the first.
    alice.sees(&format!("({}) is unreachable", victim.addr));
    let dialed = victim.dialed();
    assert!((1..=3).contains(&dialed), "{dialed} connections");
    bob.says(alice.addr(), &["are you there?"]);
    alice.says("Bob", "I am");
    bob.hears("I am");
}

#[test]
fn local_addresses_of_a_contact_are_not_dialed() {
    // Bob is elsewhere, and says that he is also on Alice's machine.
    let bob = SecurePeer::at("Bob", b'B', SocketAddrV4::new(MALLORYS, 0));
    let mut alice = alice_who_trusts(&[("Bob", bob.addr(), bob.key())]).start();
    alice.sees("The static peer is online.");
    bob.ends_accepted();
    let victims = [1, 77].map(|last| Victim::at(Ipv4Addr::new(127, 0, 0, last)));
    let addresses: Vec<SocketAddr> = victims.iter().map(|victim| victim.addr.into()).collect();
    let (mut session, _) = opens(&bob, &alice, Hello { addresses: addresses.clone(), ..bob.hello() });
    session.says(&Record::Addresses(addresses).encode()).expect("she hears");
    let addr = bob.addr();
    drop(bob);
    session.breaks_off();
    alice.sees(&format!("Bob ({addr}) is offline"));
    assert_eq!(victims.map(|victim| victim.dialed()), [0; 2]);
    // He is found when he is back.
    let bob = SecurePeer::at("Bob", b'B', addr);
    alice.says("Bob", "welcome back");
    bob.hears("welcome back");
}

#[test]
fn stranger_does_not_learn_the_version() {
    let (bob, mallory) = (SecurePeer::named("Bob", b'B'), SecurePeer::named("Mallory", b'M'));
    let alice = alice_who_trusts(&[("Bob", crate::support::nobody(), bob.key())]).start();
    let version = |peer: &SecurePeer| opens(peer, &alice, peer.hello()).1.version;
    assert_eq!((&version(&mallory)[..], &version(&bob)[..]), ("0", env!("CARGO_PKG_VERSION")));
}

#[test]
fn receipt_names_no_key_under_other_policies() {
    let receipt = |alice: &Peer, said: &str| {
        let answer = send_raw(alice.addr(), format!("127.0.0.1:9 Mallory {said}").as_bytes());
        String::from_utf8(answer).expect("a receipt")
    };
    for (policy, words) in
        [("ask", "has not accepted you yet"), ("strict", "they do not accept messages from you.")]
    {
        let alice = Peer::named("Alice").arg("--policy").arg(policy).start();
        assert_eq!(receipt(&alice, "connect"), alice.receipt_of_any_key(), "{policy}");
        assert_eq!(receipt(&alice, "hello"), "", "{policy}");
        // Bob does not know her key, and sends nothing unencrypted all the same.
        let mut bob = Peer::named("Bob").start();
        bob.says(&alice.addr().to_string(), "may I?");
        bob.sees(words);
        never_saw(&alice, "may I?");
    }
    let mut alice = Peer::named("Alice").start();
    assert_eq!(receipt(&alice, "connect"), alice.receipt());
    alice.types(&["/policy ask"]);
    alice.sees("Policy ask: new strangers wait for your decision.");
    assert_eq!(receipt(&alice, "connect"), alice.receipt_of_any_key());
}
