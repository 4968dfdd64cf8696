//! What each stand-in says and obeys: connect, acknowledge, ping, exit, quit.

use std::thread;

use super::{A_WHILE, BOB, Legacy, Program, SOON, answer, assert_serves, bob, from_bob, write_to};

#[test]
fn exit_differs_at_hashpa_and_smart_cookies() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        peer.know(bob());
        write_to(&peer, from_bob(program, " EXIT\n"));
        let (line, stays) = match program {
            Program::Hashpa => ("Bob (127.0.0.1:5000): EXIT", true),
            Program::SmartCookies => ("Bob (127.0.0.1:5000) left", true),
            _ => ("Bob (127.0.0.1:5000) left", false),
        };
        assert!(peer.wait_shown(line, SOON), "{:?}", peer.shown());
        assert_eq!(peer.peers().contains(&bob()), stays, "{}", peer.name());
    }
}

#[test]
fn only_smart_cookies_acknowledges_on_the_same_connection() {
    for program in Program::ALL {
        let peer = Legacy::start(program);
        let told = answer(write_to(&peer, from_bob(program, "hello")));
        let ack = format!("[ACK] Message received from {}", peer.addr().port());
        let expected = if program == Program::SmartCookies { ack.as_str() } else { "" };
        assert_eq!(told, expected);
        let sender = Legacy::start(Program::SmartCookies);
        let told = sender.send(peer.addr(), "hi").expect("a listening peer");
        assert_eq!(told.as_deref().unwrap_or(""), expected);
    }
}

#[test]
fn smart_cookies_waits_for_its_answer() {
    for (accept, word) in [(true, "CONNECTED"), (false, "REJECTED")] {
        let (asker, asked) = (Legacy::start(Program::SmartCookies), Legacy::start(Program::SmartCookies));
        thread::scope(|scope| {
            let request = scope.spawn(|| asker.connect(asked.addr()));
            assert!(asked.wait_shown("CONNECT_REQUEST", SOON));
            assert!(!asker.wait_peers(|peers| !peers.is_empty(), A_WHILE));
            assert!(!request.is_finished());
            asked.answer_requests(accept);
            let told = request.join().expect("no panic").expect("an answer");
            assert_eq!(told.as_deref(), Some(word));
        });
        assert_eq!(asked.raw(), [format!("{} CONNECT_REQUEST", asker.addr()).as_bytes()]);
        assert_eq!(asker.peers().contains(&asked.addr()), accept);
        assert_eq!(asked.peers().contains(&asker.addr()), accept);
    }
}

#[test]
fn smart_cookies_asks_about_messages_with_a_request() {
    let peer = Legacy::start(Program::SmartCookies);
    peer.answer_requests(true);
    let told = answer(write_to(&peer, format!("{BOB} Bob what is a CONNECT_REQUEST?")));
    assert_eq!(told, "CONNECTED");
}

#[test]
fn smart_cookies_menu_sends_two_fields_to_leave() {
    let (leaver, peer) = (Legacy::start(Program::SmartCookies), Legacy::start(Program::SmartCookies));
    peer.know(leaver.addr());
    leaver.know(peer.addr());
    leaver.disconnect(peer.addr()).expect("a listening peer");
    assert!(peer.wait_peers(<[_]>::is_empty, SOON));
    assert_eq!(peer.raw(), [format!("{} DISCONNECTED", leaver.addr()).as_bytes()]);
    assert!(leaver.peers().is_empty());
}

#[test]
fn r3_and_crypto_knights_acknowledge_their_own_connects() {
    for program in [Program::R3, Program::CryptoKnights] {
        let (dialer, dialed) = (Legacy::start(program), Legacy::start(program));
        dialer.connect(dialed.addr()).expect("a listening peer");
        assert!(dialer.wait_connected(|peers| peers == [dialed.addr()], SOON));
        assert_eq!(dialer.peers(), [dialed.addr()]);
        assert_eq!(dialed.peers(), [dialer.addr()]);
        assert!(dialed.connected().is_empty());
        let ack = match program {
            Program::R3 => format!("127.0.0.1 {} R3 connect_ack", dialed.addr().port()),
            _ => format!("{} CryptoKnights connect_ack", dialed.addr()),
        };
        assert_eq!(dialer.raw(), [ack.as_bytes()]);
        // Probed first; the two connections are handled in threads of their own, in any order.
        assert!(dialed.wait_raw(|raw| raw.len() == 2 && raw.contains(&Vec::new()), SOON));
    }
}

#[test]
fn r3_and_crypto_knights_never_list_each_other() {
    let (r3, knights) = (Legacy::start(Program::R3), Legacy::start(Program::CryptoKnights));
    r3.connect(knights.addr()).expect("a listening peer");
    knights.connect(r3.addr()).expect("a listening peer");
    for peer in [&r3, &knights] {
        assert!(peer.wait_shown("malformed", SOON));
        assert!(peer.peers().is_empty() && peer.connected().is_empty());
    }
}

#[test]
fn hashpa_pings_with_its_targets_address() {
    let (prober, target) = (Legacy::start(Program::Hashpa), Legacy::start(Program::Hashpa));
    assert!(prober.probe(target.addr()));
    write_to(&target, format!("{BOB} Bob PING\n"));
    assert!(target.wait_shown(": PING\n", SOON));
    assert_eq!(target.shown().len(), 1, "the exact ping is silent");
    assert_eq!(target.peers(), [bob()]);
    assert_eq!(target.raw()[0], format!("{} Hashpa PING", target.addr()).as_bytes());
}

#[test]
fn only_programs_with_probes_find_others_alive() {
    for program in Program::ALL {
        let (prober, target) = (Legacy::start(program), Legacy::start(Program::CryptoKnights));
        let has_probe = !matches!(program, Program::Xyz | Program::SmartCookies);
        assert_eq!(prober.probe(target.addr()), has_probe);
        target.quit();
        assert!(!prober.probe(target.addr()));
    }
}

#[test]
fn only_xyz_tells_its_peers_when_quitting() {
    for program in Program::ALL {
        let (leaver, first, second) =
            (Legacy::start(program), Legacy::start(Program::Xyz), Legacy::start(Program::Xyz));
        for peer in [&first, &second] {
            leaver.know(peer.addr());
            peer.know(leaver.addr());
        }
        leaver.quit();
        assert!(leaver.wait_dead(SOON));
        for peer in [&first, &second] {
            if program == Program::Xyz {
                assert!(peer.wait_peers(<[_]>::is_empty, SOON));
            }
            assert_serves(peer);
            assert_eq!(peer.raw().len(), 1 + usize::from(program == Program::Xyz));
        }
    }
}

#[test]
fn connect_from_an_unreachable_address_is_only_listed() {
    let peer = Legacy::start(Program::CryptoKnights);
    write_to(&peer, "192.0.2.1:5000 Bob connect");
    assert!(peer.wait_shown("192.0.2.1:5000 is not loopback", SOON));
    assert_eq!(peer.peers().len(), 1);
    assert_serves(&peer);
}

#[test]
fn hashpa_greeting_is_chat_to_its_readers() {
    let hashpa = Legacy::start(Program::Hashpa);
    for program in Program::ALL {
        if program != Program::R3 {
            let peer = Legacy::start(program);
            hashpa.connect(peer.addr()).expect("a listening peer");
            let line = format!("Hashpa ({}): Hello, I am connecting!", hashpa.addr());
            assert!(peer.wait_shown(&line, SOON), "{:?}", peer.shown());
            assert_eq!(peer.peers(), [hashpa.addr()]);
        }
    }
}
