//! Hostile senders: every input is shown escaped or refused, none of it has an effect, and only
//! shown messages get a receipt.

use std::net::Ipv4Addr;

use crate::support::{MALLORY, Peer, Target, send_raw_from};

/// Mallory's own header; whatever follows it is hers to say.
const HEADER: &str = "127.0.0.66:9 Mallory ";

/// How her messages are shown.
const SHOWN: &str = "Mallory (127.0.0.66:9): ";

/// Returns the line about a connection without a readable message.
fn no_address(source: Ipv4Addr, text: &str) -> String {
    format!("* Ignored data from {source} that does not start with an address: {text}")
}

/// Returns addresses of this machine. Each has a line of its own in a minute.
fn sources() -> impl Iterator<Item = Ipv4Addr> {
    (1..=u8::MAX).map(|number| Ipv4Addr::new(127, 0, 67, number))
}

/// Sends each text behind Mallory's header, and checks that it is acknowledged once and shown as
/// said.
fn are_shown(texts: &[(&[u8], &str)]) {
    let mut alice = Target::new();
    let receipt = alice.receipt();
    for (text, shown) in texts {
        let bytes = [HEADER.as_bytes(), text].concat();
        assert_eq!(alice.answers(&bytes), receipt, "{shown}");
        alice.has_shown(&[format!("{SHOWN}{shown}")]);
    }
}

#[test]
fn shown_message_gets_one_receipt_before_the_end() {
    are_shown(&[
        (b"hello", "hello"),
        ("Grüße 你好 👋 שלום".as_bytes(), "Grüße 你好 👋 שלום"),
        (b"  two spaces before and none behind \t \r\n", "  two spaces before and none behind"),
        (b"exit the room", "exit the room"),
        (b"%s %n {} $(reboot) `x` \\n \"'", "%s %n {} $(reboot) `x` \\n \"'"),
    ]);
}

#[test]
fn control_sequences_are_shown_and_not_obeyed() {
    are_shown(&[
        (b"a\0b", r"a\x00b"),
        (b"\x1b[2J\x1b[1;1H\x1b[31mred", r"\x1b[2J\x1b[1;1H\x1b[31mred"),
        (b"\x1b]0;a title\x07", r"\x1b]0;a title\x07"),
        (b"\x1b]52;c;ZXZpbA==\x1b\\", r"\x1b]52;c;ZXZpbA==\x1b\"),
        (b"\x1bP1$q\x1b\\ \x1bc", r"\x1bP1$q\x1b\ \x1bc"),
        ("\u{9b}2J \u{9d}0;x\u{9c} \u{85}.".as_bytes(), r"\u{9b}2J \u{9d}0;x\u{9c} \u{85}."),
        (b"over\rwritten", r"over\rwritten"),
        (b"back\x08\x08\x08space \x7f.", r"back\x08\x08\x08space \x7f."),
        (b"tab\tbell\x07vertical\x0bfeed\x0cend", r"tab\tbell\x07vertical\x0bfeed\x0cend"),
        (b"\x0e\x0f\x1c\x1d\x1e\x1f.", r"\x0e\x0f\x1c\x1d\x1e\x1f."),
    ]);
}

#[test]
fn hostile_name_is_as_harmless_as_a_message() {
    let mut alice = Target::new();
    let (receipt, without_key) = (alice.receipt(), alice.receipt_without_key());
    for (name, shown) in [
        ("\x1b[2Jx", r"\x1b[2Jx"),
        ("\0", r"\x00"),
        ("a\u{202e}b\u{200b}", r"a\u{202e}b\u{200b}"),
        ("\u{9b}m", r"\u{9b}m"),
        ("Bob(127.0.0.1:5001):", r"Bob(127.0.0.1:5001)\u{3a}"),
        ("\u{fffd}", "\u{fffd}"),
    ] {
        assert_eq!(alice.answers(format!("127.0.0.66:9 {name} hi")), receipt);
        alice.has_shown(&[format!("{shown} (127.0.0.66:9): hi")]);
        assert_eq!(alice.answers(format!("<127.0.0.66:9> {name} hi")), receipt);
        assert_eq!(alice.answers(format!("127.0.0.66 9 {name} hi")), without_key);
        let row = format!("{shown} (127.0.0.66:9): hi");
        alice.has_shown(&[&row, &row]);
    }
    let row = alice.peer.lists("127.0.0.66:9".parse().expect("an address")).expect("listed");
    crate::support::assert_harmless([row]);
}

#[test]
fn nobody_can_forge_a_second_line() {
    let forged = "[12:00:00] Bob (127.0.0.1:5001): forged";
    are_shown(&[
        (
            b"hi\n127.0.0.1:5001 Bob forged\n127.0.0.1:5001 Bob exit",
            r"hi\n127.0.0.1:5001 Bob forged\n127.0.0.1:5001 Bob exit",
        ),
        (b"hi\n127.0.0.66:10 Bob forged", r"hi\n127.0.0.66:10 Bob forged"),
        (b"hi\r\n127.0.0.1 5001 Bob forged", r"hi\r\n127.0.0.1 5001 Bob forged"),
        (b"hi\n<127.0.0.1:5001> Bob forged", r"hi\n<127.0.0.1:5001> Bob forged"),
        (format!("hi\n{forged}").as_bytes(), &format!(r"hi\n{forged}")),
        (format!("hi\r{forged}").as_bytes(), &format!(r"hi\r{forged}")),
        (format!("hi\u{2028}{forged}").as_bytes(), &format!(r"hi\u{{2028}}{forged}")),
        (format!("hi\x0b{forged}").as_bytes(), &format!(r"hi\x0b{forged}")),
    ]);
}

#[test]
fn unreadable_bytes_get_one_line_a_minute() {
    let mut alice = Target::new();
    assert_eq!(alice.answers("junk"), "");
    alice.has_shown(&[no_address(MALLORY, "junk")]);
    for number in 0..20 {
        assert_eq!(alice.answers(format!("junk {number}")), "");
    }
    // A message is shown all the same, and another source has a line of its own.
    assert_eq!(alice.answers(format!("{HEADER}hi")), alice.receipt());
    let source = sources().next().expect("there are some");
    assert_eq!(send_raw_from(source, alice.addr(), b"junk"), b"");
    alice.has_shown(&[format!("{SHOWN}hi"), no_address(source, "junk")]);
}

#[test]
fn impossible_claimed_address_is_named_and_not_used() {
    let mut alice = Target::new();
    for claimed in ["0.0.0.0:9", "255.255.255.255:9", "224.0.0.1:9", "192.0.2.1:9", "127.0.0.1:9"] {
        assert_eq!(alice.answers(format!("{claimed} Mallory hi")), alice.receipt());
        alice.has_shown(&[format!("Mallory (127.0.0.66:9, claims to be {claimed}): hi")]);
    }
    assert!(alice.peer.lists("192.0.2.1:9".parse().expect("an address")).is_none());
}

#[test]
fn empty_connection_is_silent_and_unanswered() {
    let mut alice = Target::new();
    for bytes in ["", " ", "\n", "\r\n\r\n", "\t \x0b\x0c", "\u{2003}\u{a0}\u{85}\u{2028}"] {
        assert_eq!(alice.answers(bytes), "");
    }
    assert_eq!(alice.answers(" ".repeat(9_000)), "");
    alice.has_shown(&[""; 0]);
}

#[test]
fn own_address_in_a_header_is_only_reported() {
    let mut alice = Target::new();
    let own = alice.addr();
    // Listening at all addresses, every loopback address with our port is ours.
    for source in [*own.ip(), MALLORY] {
        for command in ["connect", "connect_ack", "exit", "I am\x1b[2J you"] {
            assert_eq!(send_raw_from(source, own, format!("{own} Alice {command}").as_bytes()), b"");
        }
        assert_eq!(send_raw_from(source, own, format!("{own} CONNECT_REQUEST").as_bytes()), b"");
        alice.has_shown(&[format!(
            r"* Refused a message from {source} that claims your own address {own}: I am\x1b[2J you"
        )]);
    }
    assert!(alice.peer.lists(own).is_none());
}

#[test]
fn own_address_claimed_elsewhere_is_a_claim() {
    let mut alice = Target::of(Peer::named("Alice").arg("--bind").arg("127.0.0.1"));
    let own = alice.addr();
    assert_eq!(alice.answers(format!("{own} Alice I am you")), alice.receipt());
    let shown =
        format!("Alice·{0} (127.0.0.66:{0}, claims to be {own}, looks like you): I am you", own.port());
    alice.has_shown(&[shown]);
    assert!(alice.peer.lists(own).is_none());
}

#[test]
fn overlong_message_is_cut_and_not_acknowledged() {
    let mut alice = Target::new();
    let room = 8_192 - HEADER.len();
    let most = "x".repeat(room);
    assert_eq!(alice.answers(format!("{HEADER}{most}")), alice.receipt());
    alice.has_shown(&[format!("{SHOWN}{most}")]);
    let cut = format!("{SHOWN}{most} [cut: longer than 8192 bytes, too slow, or broken off]");
    for more in [1, 1_000, 60_000] {
        assert_eq!(alice.answers(format!("{HEADER}{most}{}", "x".repeat(more))), "");
        alice.has_shown(&[&cut]);
    }
    // A character that the limit falls into is left out and not shown in part.
    assert_eq!(alice.answers(format!("{HEADER}{}€€", &most[1..])), "");
    alice.has_shown(&[format!(
        "{SHOWN}{} [cut: longer than 8192 bytes, too slow, or broken off]",
        &most[1..]
    )]);
}
