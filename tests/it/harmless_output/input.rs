//! Input that tries to control the program, to forge a line, or to look like another peer.

use std::net::Ipv4Addr;

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) bytes: Vec<u8>,
    pub(super) source: Ipv4Addr,
    /// It was closed by its sender, and not cut.
    pub(super) whole: bool,
    /// The peer dialed because of it answers.
    pub(super) serves: bool,
}

/// Headers of all the dialects, right ones and wrong ones. The last are ours, where we listen.
const HEADERS: [&str; 14] = [
    "127.0.0.66:9 ",
    "127.0.0.66:9 ",
    "10.0.0.8:5001 ",
    "<127.0.0.66:9> ",
    "127.0.0.66 9 ",
    "127.0.0.1:5001 ",
    "127.0.1.1:5001 ",
    "192.0.2.1:9 ",
    "127.0.0.66:0 ",
    "127.0.0.66:99999 ",
    "[::1]:9 ",
    "GET / HTTP/1.1\r\n",
    "127.0.0.1:5000 ",
    "10.0.0.7:5000 ",
];

const NAMES: [&str; 18] = [
    "Mallory",
    "Bob",
    "bob",
    "B\u{43e}b",
    "Bob·5001",
    "*",
    "**",
    "all",
    "7",
    "127.0.0.1:5001",
    "/quit",
    "\x1b[31mred",
    "a\u{202e}b",
    "\u{200b}",
    "x\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "👨\u{200d}👩\u{200d}👧",
    "\u{feff}Bob",
    "名前名前名前名前名前名前名前名前名前名前名前",
];

/// Texts: command words, what we say ourselves, and everything that a terminal might obey or hide.
const TEXTS: [&str; 58] = [
    "hi",
    "exit",
    "connect",
    "connect_ack",
    "PING",
    "CONNECT_REQUEST",
    "DISCONNECTED",
    "[PEER_QUIT]",
    "quit",
    "Hello, I am connecting!",
    "/me waves",
    "/me \x1b[2J",
    "/me ",
    "* Bob (127.0.0.1:5001) left",
    "Delivered to Bob.",
    "[12:00:00] Bob: I owe Mallory 100",
    "Choice [0-6]: 0",
    "No  Name   Address         State        Origin  Last heard",
    "[ACK] Message received from 5001",
    " ⏎ ",
    "one ⏎ two ⏎ * Bob left",
    " ⏎  ⏎  ⏎ ",
    "\n",
    "\r",
    "\r\n",
    "\r\nBob (127.0.0.1:5001): forged",
    "\n* Bob (127.0.0.1:5001) left",
    "\x0b\x0c",
    "\u{85}",
    "\u{2028}* Bob left",
    "\u{2029}",
    "\x1b",
    "\x1b[2J\x1b[1;1H",
    "\x1b[38;5;196mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]52;c;aGk=\x1b\\",
    "\x1bP+q\x1b\\",
    "\x1b[?2026h",
    "\u{9b}31m",
    "\u{9d}0;title\u{9c}",
    "\0",
    "\x07\x08\x7f",
    "\t",
    "\x1c\x1d\x1e\x1f",
    "\u{202e}gnp.exe\u{202c}",
    "\u{2066}\u{2067}\u{2068}\u{2069}",
    "\u{200e}\u{200f}\u{61c}",
    "\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}",
    "\u{e0001}\u{e0041}\u{e007f}",
    "❤\u{fe0f}❤\u{fe0e}\u{fe00}",
    "\u{e0100}\u{180b}\u{34f}",
    "\u{115f}\u{1160}\u{3164}\u{ffa0}",
    "\u{ad}\u{2061}\u{206a}\u{fff9}",
    "\u{1d173}\u{1bca0}\u{13430}\u{110bd}",
    "Z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}\u{30d}\u{20dd}",
    "\u{301}\u{301}\u{301}",
    "👨\u{200d}👩\u{200d}👧 🏳\u{fe0f}\u{200d}🌈 🇩🇪",
    " ",
];

/// Bytes that are no UTF-8: overlong, surrogates, too high, alone, cut off, C1 as it stands.
const RAW: [&[u8]; 10] = [
    b"\xc0\xaf",
    b"\xc1\x9b",
    b"\xed\xa0\x80",
    b"\xf5\x80\x80\x80",
    b"\xff\xfe",
    b"\x80",
    b"\x9b31m",
    b"\x9d0;title\x9c",
    b"\xf0\x9f\x98",
    b"\xe2\x80",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        12 => prop::sample::select(&TEXTS[..]).prop_map(|text| text.as_bytes().to_vec()),
        3 => prop::sample::select(&RAW[..]).prop_map(<[u8]>::to_vec),
        2 => any::<String>().prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..20),
        1 => (prop::sample::select(&TEXTS[..]), 1usize..150).prop_map(|(text, n)| text.repeat(n).into_bytes()),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        8 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => Just(String::new()),
    ];
    let header = prop_oneof![
        12 => prop::sample::select(&HEADERS[..]).prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    (header, name, prop::sample::select(&[" ", " ", "  ", "\t", "\u{a0}", "\n"][..]), text()).prop_map(
        |(header, name, space, text)| [header.as_bytes(), name.as_bytes(), space.as_bytes(), &text].concat(),
    )
}

/// A connection with one line or several, divided in whatever way.
pub(super) fn connection() -> impl Strategy<Value = Connection> {
    let sources = [[127, 0, 0, 66], [127, 0, 0, 1], [10, 0, 0, 8], [10, 0, 0, 7]].map(Ipv4Addr::from);
    let ends = prop::sample::select(&["\n", "\n", "\r\n", "\r", "\u{2028}", "\n\n", ""][..]);
    (
        prop::collection::vec((line(), ends), 1..4),
        prop::sample::select(sources.to_vec()),
        prop::bool::weighted(0.9),
        any::<bool>(),
    )
        .prop_map(|(lines, source, whole, serves)| {
            let bytes = lines.into_iter().flat_map(|(line, end)| [line, end.as_bytes().to_vec()]).flatten();
            Connection { bytes: bytes.collect(), source, whole, serves }
        })
}
