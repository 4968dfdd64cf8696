//! Bell and notification for a window that is not looked at.

use super::*;

const FOCUS_LOST: &[u8] = b"\x1b[O";
const FOCUS_GAINED: &[u8] = b"\x1b[I";

/// Alice, started with these arguments, whose window is not looked at, and Bob.
fn alice_looking_elsewhere(args: &[&str]) -> (Terminal, Peer) {
    let alice = args.iter().fold(Peer::named("Alice"), |alice, arg| alice.arg(arg));
    let (alice, bob) = alice_like_and_bob(alice, 80);
    line_stands(&alice, CHOICE, "", "");
    alice.key(FOCUS_LOST);
    // The key behind it shows that it was taken.
    alice.keys("x");
    line_stands(&alice, CHOICE, "x", "");
    (alice, bob)
}

/// What was printed from a message of Bob's on, until it was shown.
fn printed_with(alice: &Terminal, bob: &mut Peer, text: &str) -> String {
    let before = alice.raw_output().len();
    bob.says("1", text);
    alice.waits_for(&format!(": {text}"));
    String::from_utf8_lossy(&alice.raw_output()[before..]).into_owned()
}

#[test]
fn bell_rings_only_without_focus() {
    let (alice, mut bob) = alice_looking_elsewhere(&[]);
    assert!(printed_with(&alice, &mut bob, "one").contains('\x07'));
    // Who comes back after the first needs no second.
    assert!(!printed_with(&alice, &mut bob, "two").contains('\x07'));
    alice.key(FOCUS_GAINED);
    alice.keys("y");
    line_stands(&alice, CHOICE, "xy", "");
    assert!(!printed_with(&alice, &mut bob, "three").contains('\x07'));
}

#[test]
fn each_notification_can_be_chosen_and_switched_off() {
    let nine = "\x1b]9;p2p-chat: ";
    for (args, wanted, unwanted) in [
        (&["--notify=osc9"][..], "Bob: hello; you\x07\x07", "\x1b]777"),
        (&["--notify=osc9", "--bell=false", "--time-format=off"], "p2p-chat: Bob: hello", "\x07\x07"),
        (&["--notify=osc777"], "\x1b]777;notify;p2p-chat;[", nine),
        (&["--notify=osc9", "--notify-text=false"], "p2p-chat: Message from Bob\x07", "p2p-chat: ["),
        (&["--notify=off"], "\x07", "\x1b]"),
        (&["--notify=off", "--bell=false"], "hello", "\x07"),
        (&[], "\x07", "\x1b]"),
    ] {
        let (alice, mut bob) = alice_looking_elsewhere(args);
        let printed = printed_with(&alice, &mut bob, "hello; you").replace("hello, you", "hello; you");
        assert!(printed.contains(wanted), "{args:?}: {printed:?}");
        assert!(!printed.contains(unwanted), "{args:?}: {printed:?}");
    }
}

#[test]
fn message_cannot_break_out_of_its_notification() {
    let (alice, _bob) = alice_looking_elsewhere(&["--notify=osc777"]);
    let before = alice.raw_output().len();
    let evil = b"127.0.0.9:9 Mal;lory a\x07b\x1b]777;notify;x;y\x1b\\c";
    crate::support::send_raw_from([127, 0, 0, 9].into(), alice.addr(), evil);
    alice.waits_for("x1b]777");
    let printed = String::from_utf8_lossy(&alice.raw_output()[before..]).into_owned();
    assert_eq!(printed.matches("\x1b]").count(), 1, "{printed:?}");
    // The end of the notification, and the bell.
    assert_eq!(printed.matches('\x07').count(), 2, "{printed:?}");
}

#[test]
fn muted_peer_calls_for_no_attention() {
    let (alice, mut bob) = alice_looking_elsewhere(&[]);
    alice.key(CONTROL_U);
    alice.enters("/mute bob");
    alice.waits_for("Muted ");
    let before = alice.raw_output().len();
    bob.says("1", "unheard");
    bob.sees("Delivered to");
    crate::support::send_raw_from([127, 0, 0, 9].into(), alice.addr(), b"127.0.0.9:9 Zoe heard");
    alice.waits_for(": heard");
    let printed = String::from_utf8_lossy(&alice.raw_output()[before..]).into_owned();
    let (muted, heard) = printed.split_once('\x07').expect("one ring for Zoe");
    assert!(!muted.contains("unheard") && heard.contains("heard") && !heard.contains('\x07'), "{printed:?}");
}

#[test]
fn focus_reports_are_requested_only_if_needed() {
    for (args, asks) in [(&[][..], true), (&["--bell=false", "--notify=off"], false)] {
        let alice = args.iter().fold(Peer::named("Alice"), |alice, arg| alice.arg(arg));
        let mut alice = Terminal::start(alice, ROWS, 80);
        line_stands(&alice, CHOICE, "", "");
        alice.enters("0");
        assert!(alice.ends().success());
        let printed = String::from_utf8_lossy(&alice.raw_output()).into_owned();
        assert_eq!(printed.contains("\x1b[?1004h"), asks, "{printed:?}");
        assert_eq!(printed.contains("\x1b[?1004l"), asks, "{printed:?}");
    }
}
