//! Two and three p2p-chat peers.

use std::io::Read;
use std::net::{SocketAddrV4, TcpListener};
use std::sync::mpsc;
use std::thread;

use crate::support::{Peer, SOON, listen, nobody, send_raw, v4};

/// Alice, and Bob who dials her at the start. Each knows that the other is online.
fn alice_and_bob() -> (Peer, Peer) {
    let mut alice = Peer::named("Alice").start();
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    alice.meets(&bob);
    bob.meets(&alice);
    (alice, bob)
}

/// A legacy program called Old that accepts every message and answers nothing, and the messages
/// that arrived. Alice has heard of it.
fn a_program_of_old(alice: &mut Peer) -> (SocketAddrV4, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = v4(listener.local_addr().expect("bound"));
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut said = String::new();
            let _ = stream.read_to_string(&mut said);
            // An empty connection only probes whether a program listens.
            if !said.is_empty() && !said.ends_with(" connect") && tell.send(said).is_err() {
                return;
            }
        }
    });
    send_raw(alice.addr(), format!("{addr} Old hello").as_bytes());
    alice.sees(&format!("Old ({addr}): hello"));
    (addr, heard)
}

#[test]
fn two_peers_see_each_other_and_talk() {
    let (mut alice, mut bob) = alice_and_bob();
    alice.says("bob", "Hello, Bob");
    bob.sees(&format!("] {}: Hello, Bob", alice.encrypted()));
    alice.sees(&format!("Delivered to {}.", bob.name()));
    bob.says("1", "Grüße, Alice 你好");
    alice.sees(&format!("] {}: Grüße, Alice 你好", bob.encrypted()));
}

#[test]
fn a_third_peer_sends_to_all() {
    let (mut alice, mut bob) = alice_and_bob();
    let mut carol = Peer::named("Carol").knows(alice.addr()).knows(bob.addr()).start();
    carol.says("all", "lunch is ready");
    for peer in [&mut alice, &mut bob] {
        peer.sees(&format!("] {} → all: lunch is ready", carol.encrypted()));
    }
    carol.sees("Sent to 2 of 2.");
    alice.types(&["/reply thanks"]);
    carol.sees(&format!("] {}: thanks", alice.encrypted()));
    alice.types(&["/history carol"]);
    alice.sees("] Carol → all: lunch is ready");
    alice.sees("] → Carol: thanks");
    let history = |args: &[&str]| {
        let builder = Peer::named("Alice").without_port().data_dir(alice.data_dir()).arg("history");
        args.iter().fold(builder, |builder, arg| builder.arg(arg)).prints()
    };
    assert!(history(&[]).contains("] Carol → all: lunch is ready\n"));
    assert!(history(&["--markdown"]).contains("**Carol** → **all** "));
    let json = history(&["--json"]);
    let to_all = json.lines().map(|line| line.contains("\"to_all\":true")).collect::<Vec<_>>();
    assert_eq!(to_all, [true, false], "{json}");
}

#[test]
fn a_script_needs_no_pause_between_its_lines() {
    let mut alice = Peer::named("Alice").start();
    let mut carol = Peer::named("Carol").knows(alice.addr()).start_without_waiting();
    carol.types(&["1", "all", "one", "1", "all", "two", "0"]);
    assert!(carol.ends().success());
    alice.sees("Carol");
    alice.sees(": one");
    alice.sees(": two");
    alice.sees("left");
}

#[test]
fn end_of_input_exits_with_goodbyes() {
    let (mut alice, mut bob) = alice_and_bob();
    bob.ends_input();
    assert!(bob.ends().success());
    alice.sees(&format!("* {} left", bob.shown()));
}

#[test]
fn peer_that_starts_later_is_connected_unasked() {
    let addr = nobody();
    let mut alice = Peer::named("Alice").knows(addr).start();
    alice.sees("The static peer is offline; retrying in the background.");
    let mut bob = Peer::named("Bob").port(addr.port()).start();
    alice.meets(&bob);
    bob.meets(&alice);
}

#[test]
fn lost_connected_peer_is_dialed_again() {
    let (mut alice, mut bob) = alice_and_bob();
    let (addr, shown) = (bob.addr(), bob.shown());
    // Looking makes sure that he is more than a claim.
    alice.lists(addr);
    bob.crashes();
    alice.finds(addr, "offline");
    alice.has_seen(&format!("* {shown} is offline"));
    // The new Bob dials nobody by himself, so it is Alice who finds him.
    let mut bob = bob.goes_on_as(Peer::named("Bob"));
    alice.sees(&format!("* {shown} is online"));
    bob.sees(&format!("* {} is online", alice.shown()));
}

#[test]
fn disconnect_is_not_undone_by_a_static_list() {
    let mut alice = Peer::named("Alice").start();
    // He dials one session and nothing else, so Alice dials none that could still be under way when
    // she disconnects.
    let mut bob = Peer::named("Bob").arg("--require-encryption").knows(alice.addr()).start();
    alice.meets(&bob);
    bob.meets(&alice);
    alice.types(&["4", "bob"]);
    alice.sees(&format!("Disconnected from {}.", bob.shown()));
    bob.sees(&format!("* {} left", alice.shown()));
    // Bob has Alice as a static peer. He looks after her a second later, finds her listening, and
    // leaves her alone.
    let row = bob.lists(alice.addr()).expect("static peers stay listed");
    assert!(row.contains("left, last seen"), "{row}: {:#?} {:#?}", alice.printed(), bob.printed());
    let row = alice.lists(bob.addr()).expect("still listed");
    assert!(row.contains("disconnected"), "{row}");
    // A message brings her back.
    alice.says(&bob.addr().to_string(), "I am back");
    bob.sees(&format!("* {} is online", alice.shown()));
    bob.sees(": I am back");
}

#[test]
fn command_words_are_messages_to_our_peers() {
    let (mut alice, mut bob) = alice_and_bob();
    for word in ["exit", "connect", "PING", "EXIT"] {
        alice.says("bob", word);
        bob.sees(&format!("] {}: {word}", alice.encrypted()));
        alice.sees(&format!("Delivered to {}.", bob.name()));
    }
    alice.says("all", "exit");
    bob.sees(&format!("] {} → all: exit", alice.encrypted()));
    bob.says("alice", "still here");
    alice.sees(": still here");
}

#[test]
fn command_words_are_commands_to_legacy_peers() {
    let mut alice = Peer::named("Alice").start();
    let (addr, _heard) = a_program_of_old(&mut alice);
    let mut bob = Peer::named("Bob").knows(alice.addr()).start();
    alice.meets(&bob);
    alice.says("old", "exit");
    alice.sees("Legacy programs take `exit` as a command, so this disconnects.");
    alice.sees(&format!("Disconnected from Old ({addr})."));
    alice.says("old", "connect");
    alice.sees("Legacy programs take `connect` as a command, so this connects.");
    // An address where no peer has answered may be that of either kind.
    alice.says(&nobody().to_string(), "connect");
    alice.sees("Legacy programs take `connect` as a command, so this connects.");
    // One legacy peer among all is enough.
    alice.says("all", "exit");
    alice.sees("Legacy programs take `exit` as a command, so this disconnects.");
    bob.sees(&format!("* {} left", alice.shown()));
}

#[test]
fn connecting_to_one_peer_has_one_line() {
    let (mut alice, bob) = alice_and_bob();
    let missing = nobody();
    alice.types(&["3", &missing.to_string(), "3", ""]);
    alice.sees(&format!("Not connected to {missing}: connection refused."));
    alice.sees(&format!("Connected to {}.", bob.shown()));
    alice.types(&["/policy"]);
    alice.sees("Policy accept-new");
    assert!(!alice.printed().iter().any(|line| line.contains(" of 1")), "{:?}", alice.printed());
}

#[test]
fn queued_message_fits_after_a_longer_name() {
    let mut alice = Peer::named("Al").start();
    let addr = nobody();
    // As much as fits into one message under that name.
    let text = "x".repeat(999);
    alice.says(&addr.to_string(), &text);
    alice.sees("is offline; will deliver");
    let name = "A".repeat(32);
    alice.types(&[&format!("/name {name}")]);
    alice.sees(&format!("You are now {name}"));
    let listener = listen(addr).expect("the port is free");
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut said = String::new();
            let _ = stream.read_to_string(&mut said);
            if said.contains('x') && tell.send(said).is_err() {
                return;
            }
        }
    });
    let (mut came, mut messages) = (String::new(), Vec::new());
    while came.len() < text.len() {
        let said = heard.recv_timeout(SOON).expect("the next message");
        came.extend(said.chars().filter(|c| *c == 'x'));
        messages.push(said.len());
    }
    assert_eq!(came, text);
    assert!(messages.iter().all(|bytes| *bytes <= 1_024), "{messages:?}");
    alice.sees("Sent to ");
}
