//! Both families: ours listens at the addresses of IPv4 and of IPv6, under one port, and takes
//! plain messages over IPv4 only.
//!
//! Where the machine has no IPv6, what needs it says so and is skipped.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;

use crate::support::{Peer, SOON, dial_from};

/// Whether this machine has IPv6; says so where it has not.
fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        let test = thread::current().name().unwrap_or("a test").to_owned();
        // Not by a macro, for what those print of a test that passes is kept from being seen.
        let _ = writeln!(io::stderr(), "{test} is skipped: this machine has no IPv6");
    }
    has
}

fn at_loopback(port: u16) -> SocketAddr {
    (Ipv6Addr::LOCALHOST, port).into()
}

/// What comes back for these bytes over IPv6, up to the end of the connection.
fn answer_to(bytes: &[u8], to: SocketAddr) -> String {
    let mut stream = TcpStream::connect_timeout(&to, SOON).expect("it listens over IPv6");
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream.write_all(bytes).expect("written");
    stream.shutdown(Shutdown::Write).expect("half-closed");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the other side closes in good order");
    answer
}

#[test]
fn plain_message_over_ipv6_is_ignored() {
    if !has_ipv6() {
        return;
    }
    let mut alice = Peer::named("Alice").start();
    let to = at_loopback(alice.addr().port());
    for said in ["127.0.0.1:5001 Bob plain-over-ipv6", "127.0.0.1:5001 Bob connect", "[::1]:5001 Bob hi", ""]
    {
        assert_eq!(answer_to(said.as_bytes(), to), "", "{said}");
    }
    alice.still_answers();
    alice.types(&["2"]);
    alice.sees("1 peer, ");
    assert!(!alice.printed().iter().any(|line| line.contains("plain-over-ipv6") || line.contains("Bob")));
}

#[test]
fn bound_address_listens_in_its_family_only() {
    if !has_ipv6() {
        return;
    }
    let alice = Peer::named("Alice").arg("--bind").arg("127.0.0.1").start();
    let refused = TcpStream::connect_timeout(&at_loopback(alice.addr().port()), SOON);
    assert!(refused.is_err(), "the port is for IPv4");
    let bob = Peer::named("Bob").arg("--bind").arg("::1").start();
    assert_eq!(answer_to(b"127.0.0.1:5001 Alice hi", at_loopback(bob.addr().port())), "");
    bob.has_seen("Bob, listening on [::1]:");
    let refused = TcpStream::connect_timeout(&SocketAddr::V4(bob.addr()), SOON);
    assert!(refused.is_err(), "the port is for IPv6");
}

#[test]
fn ipv6_addresses_are_understood_and_listed_aligned() {
    let peers = "[[peer]]\naddress = \"[::1]:9\"\n[[peer]]\naddress = \"127.0.0.1:9\"\n";
    let mut alice = Peer::named("Alice").peers_toml(peers).arg("--peer=[::0001]:7").start();
    alice.types(&["/connect [::1]:11", "3", "::1", "13", "2"]);
    alice.sees("Not connected to [::1]:11");
    alice.sees("Not connected to [::1]:13");
    alice.sees("3 peers, ");
    let lines = alice.printed();
    let head = lines.iter().rfind(|line| line.contains("Address")).expect("a head");
    let state = head.find("State").expect("a column");
    for addr in ["  [::1]:9  ", "  127.0.0.1:9  ", "  [::1]:7  "] {
        let row = lines.iter().rfind(|line| line.contains(addr));
        let row = row.unwrap_or_else(|| panic!("{addr}: {lines:?}"));
        assert!(row[state..].starts_with("offline"), "{head}\n{row}");
    }
}

#[test]
fn blocked_ipv6_network_is_not_heard() {
    if !has_ipv6() {
        return;
    }
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").start();
    let at_alice = at_loopback(alice.addr().port());
    alice.types(&["/block ::1"]);
    alice.sees("Blocked ::/64. ");
    bob.types(&[&format!("@{at_alice} can you hear me?")]);
    bob.sees("do not accept messages from you");
    alice.still_answers();
    assert!(!alice.printed().iter().any(|line| line.contains("can you hear me?")));
    alice.types(&["/unblock ::1"]);
    alice.sees("Unblocked ::/64.");
    bob.types(&[&format!("@{at_alice} and now?")]);
    alice.sees(": and now?");
}

#[test]
fn leaving_closes_both_sockets() {
    let mut alice = Peer::named("Alice").start();
    let port = alice.addr().port();
    let _silent = dial_from(Ipv4Addr::LOCALHOST, alice.addr());
    let _also = has_ipv6().then(|| TcpStream::connect_timeout(&at_loopback(port), SOON).expect("it listens"));
    alice.leaves();
    let again = Peer::named("Bob").port(port).start();
    assert_eq!(again.addr(), SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
}

#[test]
fn two_peers_talk_encrypted_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").start();
    let (at_alice, at_bob) = (at_loopback(alice.addr().port()), at_loopback(bob.addr().port()));
    bob.types(&[&format!("/connect {at_alice}")]);
    bob.sees(&format!("Connected to Alice ({at_alice})"));
    alice.sees(&format!("Bob ({at_bob}) is online"));
    bob.types(&["@alice hello over six"]);
    alice.sees(&format!("Bob ({at_bob}) [encrypted]: hello over six"));
    bob.sees("Delivered to Alice");
    alice.types(&["@bob and back"]);
    bob.sees(&format!("Alice ({at_alice}) [encrypted]: and back"));
}
