//! What each stand-in cannot bear: deadly input, idle connections, a second read.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{A_WHILE, BOB, Legacy, Program, SOON, assert_serves, from_bob, write_to};

/// A message of 1,025 bytes whose 1,024th begins a character of two.
fn cut_character() -> Vec<u8> {
    let head = format!("{BOB} Bob ");
    format!("{head}{}é", "a".repeat(1023 - head.len())).into_bytes()
}

#[test]
fn deadly_inputs_end_only_xyz() {
    let deadly: [(&[u8], &str); 7] = [
        (b"127.0.0.1:5000 Bob \xff\xfe", "invalid UTF-8"),
        (&cut_character(), "invalid UTF-8"),
        (b"127.0.0.1:port Bob hello", "no number"),
        (b"[::1]:5000 Bob hello", "more than one colon"),
        (b"three words here", "without a port"),
        (b"nonsense:5000 Bob hello", "without an IPv4 address"),
        (b"127.0.0.1 5000 R3 hello", "without a port"),
    ];
    for (bytes, cause) in deadly {
        let xyz = Legacy::start(Program::Xyz);
        let stream = write_to(&xyz, bytes);
        assert!(xyz.wait_dead(SOON), "survived {}", bytes.escape_ascii());
        let told = xyz.cause_of_death().expect("a cause");
        assert!(told.contains(cause), "{told}");
        assert!(!xyz.listener_alive() && xyz.shown().is_empty());
        drop(stream);
        let refused = TcpStream::connect(xyz.addr()).expect_err("a closed port");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    for program in Program::ALL {
        if program == Program::Xyz {
            continue;
        }
        let peer = Legacy::start(program);
        for (count, (bytes, _)) in deadly.iter().enumerate() {
            write_to(&peer, bytes);
            assert!(peer.wait_raw(|raw| raw.len() == count + 1, SOON));
        }
        let understood = match program {
            Program::R3 => "R3 (127.0.0.1:5000): hello",
            _ => "malformed message: 127.0.0.1 5000 R3 hello",
        };
        assert!(peer.wait_shown(understood, SOON), "{:?}", peer.shown());
        assert_serves(&peer);
    }
}

#[test]
fn two_words_are_malformed_except_at_xyz() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        write_to(&peer, "P2P-CHAT/1\n");
        if program == Program::Xyz {
            write_to(&peer, "127.0.0.1:port word");
        } else {
            assert!(peer.wait_shown("malformed message: P2P-CHAT/1", SOON));
        }
        assert_serves(&peer);
        let expected = if program == Program::Xyz { 1 } else { 2 };
        assert_eq!(peer.shown().len(), expected, "{:?}", peer.shown());
    }
}

#[test]
fn empty_connection_is_silent_except_at_hashpa() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        drop(write_to(&peer, ""));
        assert!(peer.wait_raw(|raw| raw == [b""], SOON));
        assert_serves(&peer);
        let malformed = peer.shown().iter().filter(|l| l.contains("malformed")).count();
        assert_eq!(malformed, usize::from(program == Program::Hashpa));
    }
}

#[test]
fn idle_connection_blocks_only_xyz_and_hashpa() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        let idle = write_to(&peer, "");
        if program.is_concurrent() {
            assert_serves(&peer);
            continue;
        }
        write_to(&peer, from_bob(program, "anybody?"));
        assert!(!peer.wait_raw(|raw| !raw.is_empty(), A_WHILE));
        drop(idle);
        assert!(peer.wait_shown("anybody?", SOON));
        assert_eq!(peer.raw()[0], b"");
    }
}

#[test]
fn blocked_stand_in_can_be_dropped() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        let idle = write_to(&peer, "");
        let began = Instant::now();
        drop(peer);
        assert!(began.elapsed() < Duration::from_secs(2));
        drop(idle);
    }
}

#[test]
fn each_program_receives_once_and_resets_longer_writers() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        let long = from_bob(program, &"x".repeat(2000));
        let mut sender = write_to(&peer, &long);
        assert!(peer.wait_raw(|raw| raw == [&long.as_bytes()[..1024]], SOON));
        let mut rest = Vec::new();
        let reset = sender.read_to_end(&mut rest).expect_err("a reset");
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
        assert_serves(&peer);
    }
}

#[test]
fn a_second_write_is_never_read() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        let mut sender = write_to(&peer, from_bob(program, "first"));
        assert!(peer.wait_shown(": first", SOON));
        // Whether the kernel still takes it or not, nobody reads it.
        let _ = sender.write_all(b" second");
        assert_serves(&peer);
        assert_eq!(peer.raw().len(), 2, "{}", peer.name());
        assert_eq!(peer.raw()[0], from_bob(program, "first").as_bytes());
    }
}
