//! The test vectors of docs/PROTOCOL.md are true.

use p2p_chat::message::{Body, Decoded, Form};
use p2p_chat::wire::Decoder;

const PROTOCOL: &str = include_str!("../../docs/PROTOCOL.md");

/// The bytes that a cell of the table stands for.
fn unescaped(cell: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = cell;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let (byte, length) = match after.as_bytes() {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b'x', ..] => (u8::from_str_radix(&after[1..3], 16).expect("two hexadecimal digits"), 3),
            _ => panic!("unknown escape in {cell}"),
        };
        bytes.push(byte);
        rest = &after[length..];
    }
    bytes.extend(rest.bytes());
    bytes
}

fn row_of(decoded: &[Decoded]) -> [String; 4] {
    let [Decoded::Message(message)] = decoded else {
        assert!(matches!(decoded, [Decoded::Unreadable(_)]), "{decoded:?}");
        return ["-", "-", "-", "unreadable"].map(str::to_owned);
    };
    let form = match message.form {
        Form::Standard => "standard",
        Form::R3 => "R3",
        Form::TwoField => "two-field",
    };
    let meaning = match &message.body {
        Body::Text(text) => format!("text `{text}`"),
        Body::Greeting(text) => format!("greeting `{text}`"),
        Body::Connect => "connect".into(),
        Body::ConnectAck => "connect_ack".into(),
        Body::ConnectRequest => "connect request".into(),
        Body::Exit => "exit".into(),
        Body::Ping => "ping".into(),
    };
    let name = message.name.as_ref().map_or("-", |name| name.as_str());
    [form.into(), message.claimed.to_string(), name.into(), meaning]
}

#[test]
fn the_test_vectors_of_the_protocol_page_are_true() {
    let table = PROTOCOL.split("## Test vectors").nth(1).expect("the section");
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| `")).collect();
    assert!(rows.len() >= 20, "the table is read");
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim_start).collect();
        let bytes = unescaped(cells[0].trim_matches('`'));
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        let expected: Vec<&str> = cells[1..].iter().map(|cell| cell.trim_end()).collect();
        assert_eq!(row_of(&decoder.finish()).to_vec(), expected, "{row}");
    }
}
