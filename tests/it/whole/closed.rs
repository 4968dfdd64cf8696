//! Standard streams and terminals that close while the program runs, in different states of the
//! program.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::Over;
use crate::support::{MALLORY, Peer, SOON, Terminal, Unread, send_raw_from, try_dial_from};

/// The exit status if standard output is closed.
const OUTPUT_GONE: i32 = 5;

/// How long leaving may take: two seconds, and more for a machine that is busy with other tests and
/// a flood.
const LEAVING: Duration = Duration::from_secs(8);

/// Runs `act` while four strangers write to `addr` without pause.
fn flooded<T>(addr: SocketAddrV4, act: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for speaker in 0..4 {
            let over = &over;
            scope.spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    // The program may have ended by now.
                    let Ok(mut stream) = try_dial_from(MALLORY, addr) else { continue };
                    let text = format!("127.0.0.66:9 Mallory {speaker}-{number}.");
                    let _ = stream.write_all(text.as_bytes());
                }
            });
        }
        let _over = Over(&over);
        act()
    })
}

#[test]
fn closed_window_under_traffic_says_goodbye() {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Terminal::start(Peer::named("Alice").knows(bob.addr()), 24, 80);
    bob.sees(&format!("* {} is online", alice.shown()));
    let addr = alice.addr();
    let status = flooded(addr, || {
        alice.waits_for("Mallory (unencrypted, new): ");
        alice.hangs_up();
        alice.ends()
    });
    bob.sees("left");
    assert_eq!(status.code(), Some(128 + Signal::HUP.as_raw()));
}

#[test]
fn closed_window_at_the_first_question_ends_program() {
    use std::os::unix::process::ExitStatusExt;

    let mut nobody = Terminal::start(Peer::named("").without_port(), 24, 80);
    nobody.waits_for("Enter your name");
    nobody.hangs_up();
    let status = nobody.ends();
    // The signal ends it, because no handler is installed yet, or it sees the end of its input
    // first.
    assert!(status.signal() == Some(Signal::HUP.as_raw()) || status.code() == Some(1), "{status}");
}

#[test]
fn closed_output_under_traffic_says_goodbye() {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Unread::start(&Peer::named("Alice").knows(bob.addr()), Stdio::piped());
    let addr = alice.listens();
    bob.sees("* Alice (");
    let status = flooded(addr, || {
        alice.prints("Choice [0-6]:");
        alice.closes_output();
        alice.status_within(LEAVING)
    });
    assert_eq!(status.expect("it ends by itself").code(), Some(OUTPUT_GONE));
    bob.sees("left");
}

#[test]
fn closed_idle_output_is_noticed_at_next_event() {
    let mut alice = Unread::start(&Peer::named("Alice"), Stdio::piped());
    let addr = alice.listens();
    alice.prints("Choice [0-6]:");
    alice.closes_output();
    // The program has nothing to print, so it does not notice and keeps running.
    assert_eq!(alice.status_within(Duration::from_millis(300)), None);
    assert!(send_raw_from(MALLORY, addr, b"127.0.0.66:9 Mallory hi").starts_with(b"[ACK] "));
    assert_eq!(alice.status_within(SOON).expect("it ends by itself").code(), Some(OUTPUT_GONE));
}

#[test]
fn missing_or_full_standard_error_changes_nothing() {
    for without in ["exec 2>&-", "exec 2>/dev/full"] {
        let mut bob = Peer::named("Bob").start();
        // The log goes to standard error, at its most detailed level.
        let mut alice = Peer::named("Alice").knows(bob.addr()).arg("-vv").after(without).start();
        alice.sees("The static peer is online.");
        alice.says("bob", "unlogged");
        bob.sees(": unlogged");
        alice.still_answers();
        alice.leaves();
        bob.sees("left");
    }
}

#[test]
fn missing_standard_input_ends_the_program() {
    let mut bob = Peer::named("Bob").start();
    let mut alice = Peer::named("Alice").knows(bob.addr()).after("exec <&-").start();
    alice.sees("Disconnecting from 1 peer.");
    assert!(alice.ends_within(LEAVING).success());
    bob.sees("left");
}

#[test]
fn no_standard_streams_start_and_end_in_order() {
    let mut bob = Peer::named("Bob").start();
    let builder = Peer::named("Alice").knows(bob.addr()).after("exec <&- >&- 2>&-");
    let mut alice = builder.start_without_waiting();
    bob.sees("* Alice (");
    bob.sees("left");
    // Its output was closed from the start, so the test can observe only its end.
    assert!(alice.is_over_within(LEAVING).success());
    bob.still_answers();
}

#[test]
fn nonblocking_output_is_not_taken_for_closed() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("an option");
    let _alice = Unread::start(&Peer::named("Alice"), writer.into());
    let mut lines = BufReader::new(reader).lines().map(|line| line.expect("UTF-8"));
    let port = |line: String| line.strip_prefix("Alice, listening on ")?.rsplit_once(':')?.1.parse().ok();
    let addr = SocketAddrV4::new(Ipv4Addr::LOCALHOST, lines.by_ref().find_map(port).expect("it says so"));
    // This is three times the capacity of a pipe, and the test does not read meanwhile.
    for number in 0..200 {
        let text = format!("127.0.0.66:9 Mallory {number} {}", "x".repeat(900));
        assert!(!send_raw_from(MALLORY, addr, text.as_bytes()).is_empty(), "{number} is not acknowledged");
    }
    for number in 0..200 {
        assert!(lines.any(|line| line.contains(&format!(": {number} xx"))), "{number} is not shown");
    }
}

#[test]
fn nonblocking_input_is_not_taken_for_ended() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&reader, true).expect("an option");
    let (mut command, _dir) = Peer::named("Alice").command();
    let mut alice = command.stdin(reader).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(alice.stdout.take().expect("piped")).lines();
    let mut prints = |words: &str| lines.any(|line| line.expect("UTF-8").contains(words));
    assert!(prints("Choice [0-6]:"));
    for _ in 0..3 {
        // The line arrives in two pieces. Between lines there is nothing to read.
        writer.write_all(b"2").and_then(|()| writer.write_all(b"\n")).expect("it reads");
        assert!(prints("No peers yet"), "it ended");
    }
    writer.write_all(b"0\n").expect("it reads");
    assert!(alice.wait().expect("it ends").success());
}

#[test]
fn message_after_closed_output_is_shown_next_start() {
    let data = tempfile::TempDir::new().expect("a temporary directory");
    let mut alice = Unread::start(&Peer::named("Alice").data_dir(data.path()), Stdio::piped());
    let addr = alice.listens();
    let mut bob = Peer::named("Bob").knows(addr).start();
    bob.sees("The static peer is online.");
    // Her next output ends her program, so that output has to be his message.
    let (asks, knows_bob) = (Cell::new(false), Cell::new(false));
    alice.reads_to(|line| {
        asks.set(asks.get() || line.starts_with("Choice [0-6]:"));
        knows_bob.set(knows_bob.get() || line.contains(" is online"));
        asks.get() && knows_bob.get()
    });
    alice.closes_output();
    bob.says(&addr.to_string(), "unread as yet");
    bob.sees("Delivered to ");
    assert_eq!(alice.status_within(SOON).expect("it ends by itself").code(), Some(OUTPUT_GONE));
    let mut alice = Peer::named("Alice").data_dir(data.path()).start_without_waiting();
    alice.sees(": unread as yet [may have been shown before]");
}
