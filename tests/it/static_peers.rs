//! peers.toml: where it is found, what it does, and how every mistake in it is told.

use std::net::TcpListener;

use crate::support::{Peer, hear, nobody, refused, v4};

/// A list of one peer.
fn listing(addr: impl ToString) -> String {
    format!("[[peer]]\naddress = \"{}\"\n", addr.to_string())
}

#[test]
fn each_mistake_is_reported_with_its_line() {
    let good = listing("127.0.0.1:9");
    for (text, line, words) in [
        ("[[peer]]\naddress = \"127.0.0.1\"", 2, "write IP:PORT"),
        ("[[peer]]\naddress = \"127.0.0.1:0\"", 2, "a number from 1 to 65535"),
        ("[[peer]]\naddress = \"127.0.0.1:65536\"", 2, "a number from 1 to 65535"),
        ("[[peer]]\naddress = \"bob_laptop:5000\"", 2, "a host name has only the letters a to z"),
        ("[[peer]]\naddress = \"bobs-laptop\"", 2, "add a port, like bobs-laptop:5000"),
        ("[[peer]]\naddress = \"127.0.0.256:5000\"", 2, "an IPv4 address"),
        ("[[peer]]\naddress = \"::1:5000\"", 2, "write an IPv6 address in brackets"),
        ("[[peer]]\naddress = \"0.0.0.0:5000\"", 2, "not the address of a single machine"),
        ("[[peer]]\naddress = \"\"", 2, "write IP:PORT"),
        ("[[peer]]\naddress = 5000", 2, "expected text in quotation marks instead of `5000`"),
        ("[[peer]]\nadress = \"127.0.0.1:9\"", 2, "unknown field `adress`"),
        ("# Bob\n\n[[peer]]\nname = \"Bob\"", 3, "missing field `address`"),
        ("[[peers]]\naddress = \"127.0.0.1:9\"", 1, "unknown field `peers`"),
        ("[peer]\naddress = \"127.0.0.1:9\"", 1, "write [[peer]], with two brackets"),
        ("peer = 5", 1, "write [[peer]], with two brackets"),
        ("[[peer]]\naddress = \"127.0.0.1:9\"\nform = \"R3\"", 3, "write \"standard\" or \"r3\""),
        ("[[peer]]\naddress = \"127.0.0.1:9\"\nname = \"Bob Smith\"", 3, "Try Bob_Smith."),
        ("[[peer]]\naddress = \"127.0.0.1:9\"\naddress = \"127.0.0.1:10\"", 3, "`address` is set twice"),
        ("[[peer]]\naddress = \"127.0.0.1:9\n", 2, "expected"),
        ("[[peer]\n", 1, "expected"),
        ("\r\n\r\nnonsense\r\n", 3, "expected"),
        ("[[peer]]\naddress = \"127.0.0.1:9\x1b[2J\"", 2, "expected"),
        ("[[peer]]\naddress = \"\\u001b[2J\\u202e\"", 2, r"`\x1b[2J\u{202e}` is not an address"),
        (&format!("{good}\n{good}"), 5, "127.0.0.1:9 is listed twice"),
    ] {
        let errors = refused(Peer::named("Alice").peers_toml(text));
        assert!(errors.starts_with(&format!("p2p-chat: peers.toml, line {line}: ")), "{text}\n{errors}");
        assert!(errors.contains(words), "{text}\n{errors}");
        assert!(errors.lines().count() == 1 && errors.ends_with(['.', '?']), "{errors}");
    }
}

#[test]
fn invalid_utf8_is_reported_with_its_line() {
    let errors =
        refused(Peer::named("Alice").file("peers.toml", b"[[peer]]\naddress = \"127.0.0.1:9\xff\"\n"));
    assert!(errors.contains("peers.toml, line 2: "), "{errors}");
}

#[test]
fn peers_beyond_the_limit_are_refused() {
    let many: String =
        (0..5_001).map(|number| listing(format!("127.1.{}.{}:9", number / 250, number % 250))).collect();
    let errors = refused(Peer::named("Alice").peers_toml(&many));
    assert!(errors.contains("peers.toml, line 10002: the file lists more than 5000 peers"), "{errors}");
    let large = "#".repeat(4 * 1024 * 1024 + 1);
    let errors = refused(Peer::named("Alice").peers_toml(&large));
    assert!(errors.contains("peers.toml has more than 4194304 bytes"), "{errors}");
}

#[test]
fn unreadable_named_file_is_refused_with_reason() {
    for (path, reason) in [("missing.toml", "No such file"), (".", "Is a directory")] {
        let expected = format!("p2p-chat: Cannot read {path}: {reason}");
        let errors = refused(Peer::named("Alice").arg("--peers").arg(path));
        assert!(errors.starts_with(&expected), "{errors}");
        let errors = refused(Peer::named("Alice").env("P2P_CHAT_PEERS", path));
        assert!(errors.starts_with(&expected), "{errors}");
    }
}

#[test]
fn file_is_found_in_working_and_configuration_directory() {
    let addr = nobody();
    for path in ["peers.toml", "p2p-chat/peers.toml"] {
        let mut alice = Peer::named("Alice").file(path, listing(addr)).start();
        alice.sees("The static peer is offline");
        let row = alice.lists(addr).expect("listed");
        assert!(row.contains("static"), "{row}");
    }
    let home =
        Peer::named("Alice").env("XDG_CONFIG_HOME", "").file(".config/p2p-chat/peers.toml", listing(addr));
    assert!(home.start().lists(addr).is_some());
}

#[test]
fn the_nearest_file_wins() {
    let [named, by_environment, here, configured] = [(); 4].map(|()| nobody());
    let alice = || {
        Peer::named("Alice")
            .file("named.toml", listing(named))
            .file("environment.toml", listing(by_environment))
            .peers_toml(&listing(here))
            .file("p2p-chat/peers.toml", listing(configured))
    };
    let mut alices = [
        (here, alice().start()),
        (by_environment, alice().env("P2P_CHAT_PEERS", "environment.toml").start()),
        (named, alice().env("P2P_CHAT_PEERS", "environment.toml").arg("--peers").arg("named.toml").start()),
    ];
    for (wanted, alice) in &mut alices {
        alice.sees("The static peer is offline");
        assert!(alice.lists(*wanted).is_some());
    }
}

#[test]
fn no_static_dials_only_command_line_peers() {
    let addr = nobody();
    let alice = Peer::named("Alice").peers_toml("a mistake").arg("--no-static").knows(addr);
    let mut alice = alice.start();
    alice.sees("The static peer is offline");
    assert!(alice.lists(addr).is_some());
}

#[test]
fn a_file_from_windows_is_read() {
    let addr = nobody();
    let text = format!("\u{feff}{}", listing(addr).replace('\n', "\r\n"));
    assert!(Peer::named("Alice").peers_toml(&text).start().lists(addr).is_some());
}

#[test]
fn our_own_address_is_passed_over() {
    let (own, other) = (nobody(), nobody());
    // Listening at all addresses, every loopback address with our port is ours.
    let text = format!("{}{}{}", listing(own), listing(other), listing(format!("127.0.0.2:{}", own.port())));
    let mut alice = Peer::named("Alice").port(own.port()).peers_toml(&text).knows(own).start();
    alice.sees("The static peer is offline");
    assert!(alice.lists(own).is_none());
    alice.has_seen("1 peer, 0 online.");
}

#[test]
fn peer_in_file_and_flags_is_one_peer() {
    let addr = nobody();
    let mut alice = Peer::named("Alice").peers_toml(&listing(addr)).knows(addr).knows(addr).start();
    alice.sees("The static peer is offline");
}

#[test]
fn configured_name_holds_until_the_peer_announces_one() {
    let addr = nobody();
    let text = format!("{}name = \"Rita\"\n", listing(addr));
    let mut alice = Peer::named("Alice").peers_toml(&text).start();
    let row = alice.lists(addr).expect("listed");
    assert!(row.contains("  Rita  "), "{row}");
    alice.says("rita", "hello");
    alice.sees(&format!("Rita ({addr}) is offline; will deliver"));
    let _roberta = Peer::named("Roberta").port(addr.port()).knows(alice.addr()).start();
    alice.sees(&format!("* Roberta ({addr}) is online"));
}

#[test]
fn configured_form_is_used_for_first_message() {
    for (form, said) in [("standard", "127.0.0.1:PORT Alice connect"), ("r3", "127.0.0.1 PORT Alice connect")]
    {
        let program = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = v4(program.local_addr().expect("bound"));
        let text = format!("{}form = \"{form}\"\n", listing(addr));
        let alice = Peer::named("Alice").peers_toml(&text).start();
        assert_eq!(hear(&program).0, said.replace("PORT", &alice.addr().port().to_string()));
    }
}
