//! The way in: the command line, the environment, the port, and what is said where they will not
//! do.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::Path;

use crate::support::{Builder, MALLORY, Peer, cannot_start, hear, refused, send_raw, send_raw_from, v4};

/// A peer of which the command line says only this about its port.
fn with_port(arg: &str) -> Builder {
    Peer::named("Alice").without_port().arg(arg)
}

/// A peer of which the command line says only this about its name.
fn with_name(name: &str) -> Builder {
    Peer::named("").arg(format!("--name={name}"))
}

#[test]
fn port_in_use_is_named_in_one_sentence() {
    let mut alice = Peer::named("Alice").start();
    let port = alice.addr().port();
    let errors = cannot_start(Peer::named("Bob").port(port));
    assert!(errors.starts_with(&format!("p2p-chat: Port {port} is already in use")), "{errors}");
    assert!(errors.lines().count() == 1 && errors.ends_with('.'), "{errors}");
    alice.still_answers();
}

#[test]
fn port_in_use_at_one_address_counts_too() {
    let taken = TcpListener::bind("127.0.0.5:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    assert!(cannot_start(Peer::named("Bob").port(port)).contains(&format!("Port {port} is already in use")));
    // At another address it is free, and no other test dials from that.
    let bound = Ipv4Addr::new(127, 0, 0, 6);
    let bob = Peer::named("Bob").port(port).arg("--bind").arg(bound).start();
    let answer = send_raw_from(MALLORY, SocketAddrV4::new(bound, port), b"127.0.0.66:9 Mallory hi");
    assert_eq!(String::from_utf8_lossy(&answer), bob.receipt());
}

#[test]
fn bind_to_no_single_machine_is_refused() {
    for ip in ["224.0.0.1", "255.255.255.255", "ff02::1", "fe80::1"] {
        let errors = refused(Peer::named("Alice").arg("--bind").arg(ip));
        assert!(errors.contains(ip), "{errors}");
    }
}

#[test]
fn a_refusal_is_a_whole_sentence() {
    let mut broken_off = Vec::new();
    for peer in [
        with_name("Alice Smith"),
        with_port("--port=five"),
        Peer::named("Alice").arg("--peer=bob_laptop:1"),
        Peer::named("Alice").arg("--bind=localhost"),
        Peer::named("Alice").arg("--advertise=0.0.0.0"),
        Peer::named("Alice").arg("--peers=missing.toml"),
        Peer::named("Alice").arg("--log-file=missing/log"),
    ] {
        let errors = refused(peer);
        let sentence = errors.lines().next().expect("a line").to_owned();
        if !sentence.ends_with(['.', '?']) {
            broken_off.push(sentence);
        }
    }
    assert_eq!(broken_off, [""; 0]);
}

#[test]
fn missing_name_or_port_is_explained_without_terminal() {
    let errors = refused(Peer::named(""));
    assert_eq!(errors, "p2p-chat: No name was given; add --name NAME, or set P2P_CHAT_NAME.");
    let errors = refused(Peer::named("Alice").without_port());
    assert!(errors.starts_with("p2p-chat: No port was given; add --port PORT"), "{errors}");
}

#[test]
fn an_argument_that_does_not_exist_is_refused() {
    for arg in ["--prot=5000", "-x", "Alice"] {
        let errors = refused(Peer::named("Alice").arg(arg));
        assert!(
            errors.contains("unexpected argument") || errors.contains("unrecognized subcommand"),
            "{errors}"
        );
    }
}

#[test]
fn port_zero_takes_and_names_a_free_one() {
    let alice = Peer::named("Alice").port(0).start();
    assert_ne!(alice.addr().port(), 0);
    assert_eq!(send_raw(alice.addr(), b"127.0.0.1:9 Bob hi"), alice.receipt().as_bytes());
}

/// A listener of a program of old, and its address.
fn program() -> (TcpListener, SocketAddrV4) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = v4(listener.local_addr().expect("bound"));
    (listener, addr)
}

#[test]
fn bound_peer_listens_and_dials_only_there() {
    let (program, addr) = program();
    let bound = Ipv4Addr::new(127, 0, 0, 5);
    let mut bob = Peer::named("Bob").arg("--bind").arg(bound).knows(addr).start();
    let port = bob.addr().port();
    bob.has_seen(&format!("Bob, listening on 127.0.0.5:{port}"));
    assert_eq!(hear(&program), (format!("127.0.0.5:{port} Bob connect"), bound));
    assert!(TcpStream::connect(bob.addr()).is_err(), "it listens at {} too", bob.addr());
    let answer = send_raw(SocketAddrV4::new(bound, port), b"127.0.0.1:9 Carol hi");
    assert_eq!(answer, bob.receipt().as_bytes());
    bob.sees("Carol (127.0.0.1:9): hi");
    let mut alice = Peer::named("Alice").start();
    bob.says(&alice.addr().to_string(), "from where I am bound");
    alice.sees(&format!("] Bob (127.0.0.5:{port}) [encrypted]: from where I am bound"));
}

#[test]
fn an_advertised_address_is_what_the_header_says() {
    let (program, addr) = program();
    let bob = Peer::named("Bob").arg("--advertise").arg("192.0.2.7").knows(addr).start();
    let port = bob.addr().port();
    assert_eq!(hear(&program), (format!("192.0.2.7:{port} Bob connect"), Ipv4Addr::LOCALHOST));
    let mut alice = Peer::named("Alice").start();
    // Who is met is known by where it is met, whatever its header said.
    let carol = Peer::named("Carol").arg("--advertise").arg("192.0.2.8").knows(alice.addr()).start();
    alice.meets(&carol);
    assert!(!alice.printed().iter().any(|line| line.contains("192.0.2.8")), "{:?}", alice.printed());
}

#[test]
fn version_is_printed() {
    let expected = format!("p2p-chat {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(prints(&["--version"]), expected);
}

/// What p2p-chat prints on standard output for these arguments, successfully.
fn prints(args: &[&str]) -> String {
    let peer = Peer::named("").without_port().env("COLUMNS", "80");
    args.iter().fold(peer, |peer, arg| peer.arg(arg)).prints()
}

#[test]
fn help_has_two_examples_and_every_option() {
    let help = prints(&["--help"]);
    assert_eq!(
        help.lines().take(10).collect::<Vec<_>>(),
        [
            "Chat in the terminal without a server",
            "",
            "Two terminals:",
            "  p2p-chat --name Alice --port 5000",
            "  p2p-chat --name Bob --port 5001 --peer 127.0.0.1:5000",
            "",
            "Two machines, the first one with the address 192.168.1.20:",
            "  p2p-chat --name Alice --port 5000",
            "  p2p-chat --name Bob --port 5000 --peer 192.168.1.20:5000",
            "",
        ]
    );
    for words in [
        "--name <NAME>",
        "--port <PORT>",
        "--bind <IP>",
        "--advertise <IP>",
        "--peers <FILE>",
        "--peer <HOST:PORT>",
        "--no-static",
        "--log-file <FILE>",
        "--log-messages",
        "P2P_CHAT_NAME",
        "P2P_CHAT_PORT",
        "P2P_CHAT_PEERS",
    ] {
        assert!(help.contains(words), "{words} is missing in\n{help}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
}

#[test]
fn short_help_fits_one_screen() {
    let help = prints(&["-h"]);
    assert!(help.lines().count() <= 24, "{help}");
    for words in ["--name <NAME>", "--port <PORT>", "history", "--help", "/help"] {
        assert!(help.contains(words), "{words} is missing in\n{help}");
    }
}

#[test]
fn help_subcommand_equals_help_option() {
    assert_eq!(prints(&["help"]), prints(&["--help"]));
    assert_eq!(prints(&["help", "history"]), prints(&["history", "--help"]));
}

fn log_of(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).expect("a log")
}

#[test]
fn log_is_appended_to_its_file() {
    let alice = Peer::named("Alice").file("log", "an older log\n").after("chmod 600 log");
    let mut alice = alice.arg("--log-file").arg("log").arg("-vv").start();
    send_raw_from(MALLORY, alice.addr(), b"127.0.0.66:9 Mallory hi");
    alice.leaves();
    let log = log_of(&alice.dir());
    assert!(log.starts_with("an older log\n"), "{log}");
    assert!(log.lines().any(|line| line.contains("from 127.0.0.66")), "{log}");
    assert_eq!(alice.errors(), "");
}

#[test]
fn log_is_quiet_unless_asked() {
    let mut alice = Peer::named("Alice").arg("--log-file").arg("log").start();
    alice.still_answers();
    assert_eq!(log_of(&alice.dir()), "");
}

#[test]
fn one_v_logs_events() {
    let mut alice = Peer::named("Alice").arg("--log-file").arg("log").arg("-v").start();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    alice.meets(&bob);
    bob.types(&["0"]);
    alice.sees("left");
    alice.leaves();
    let log = log_of(&alice.dir());
    assert!(log.contains(" INFO "), "nothing of what happened is in {log:?}");
}

#[test]
fn unwritable_log_file_is_refused_with_reason() {
    for (path, reason) in [("missing/log", "No such file"), (".", "Is a directory")] {
        let errors = refused(Peer::named("Alice").arg("--log-file").arg(path));
        assert!(errors.contains(&format!("Cannot write the log file {path}: {reason}")), "{errors}");
    }
}
