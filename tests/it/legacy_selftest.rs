//! Proves that each stand-in behaves as its original was measured to (docs/LEGACY.md).

mod commands;
mod limits;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use super::legacy::{Legacy, Program};
use super::support::SOON;

/// How long a wait goes on for what must not happen.
const A_WHILE: Duration = Duration::from_millis(200);
/// Where the invented peer Bob claims to listen; nobody dials him.
const BOB: &str = "127.0.0.1:5000";

fn bob() -> SocketAddrV4 {
    BOB.parse().expect("a valid address")
}

/// Bob's message in the form that `program` reads.
fn from_bob(program: Program, text: &str) -> String {
    match program {
        Program::R3 => format!("127.0.0.1 5000 Bob {text}"),
        _ => format!("{BOB} Bob {text}"),
    }
}

/// Opens a connection and writes, once; the caller decides when it closes.
fn write_to(peer: &Legacy, bytes: impl AsRef<[u8]>) -> TcpStream {
    let mut stream = TcpStream::connect(peer.addr()).expect("a listening peer");
    stream.set_read_timeout(Some(SOON)).expect("a valid limit");
    let bytes = bytes.as_ref();
    if !bytes.is_empty() {
        stream.write_all(bytes).expect("a reading peer");
    }
    stream
}

/// Reads until the peer closes.
fn answer(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("a clean close");
    text
}

/// Proves that `peer` still handles messages.
fn assert_serves(peer: &Legacy) {
    write_to(peer, from_bob(peer.program(), "still there?"));
    let serves = peer.wait_shown("Bob (127.0.0.1:5000): still there?", SOON);
    assert!(serves, "{}: {:?}", peer.name(), peer.cause_of_death());
    assert!(peer.listener_alive() && peer.cause_of_death().is_none());
}

#[test]
fn programs_show_a_message_and_list_its_sender() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        write_to(&peer, from_bob(program, "hello  there"));
        assert!(peer.wait_shown("Bob (127.0.0.1:5000): hello  there", SOON));
        assert_eq!(peer.peers(), [bob()], "{}", peer.name());
        assert_eq!(peer.raw(), [from_bob(program, "hello  there").as_bytes()]);
    }
}

#[test]
fn fields_are_cut_at_all_unicode_white_space() {
    for program in [Program::Xyz, Program::Hashpa, Program::CryptoKnights] {
        let peer = Legacy::start(program);
        write_to(&peer, "127.0.0.1:5000\u{2003}\u{1f}Bob\u{a0}the\u{3000}Builder ");
        let line = "Bob (127.0.0.1:5000): the\u{3000}Builder ";
        assert!(peer.wait_shown(line, SOON), "{:?}", peer.shown());
    }
}

#[test]
fn headers_hold_claimed_address_and_true_port() {
    let peer = Legacy::start(Program::CryptoKnights).claiming(Ipv4Addr::new(127, 0, 1, 1));
    let hashpa = Legacy::start(Program::Hashpa);
    peer.send(hashpa.addr(), "hello").expect("a listening peer");
    let line = format!("CryptoKnights (127.0.1.1:{}): hello", peer.addr().port());
    assert!(hashpa.wait_shown(&line, SOON), "{:?}", hashpa.shown());
}
