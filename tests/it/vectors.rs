//! The test vectors of docs/PROTOCOL.md are true.

use p2p_chat::crypto::is_signed;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::{Body, Decoded, MessageId};
use p2p_chat::model::name::PeerName;
use p2p_chat::net::secure::OwnKey;
use p2p_chat::protocol::plain::Decoder;
use p2p_chat::protocol::session::opening::{DIAL_LINE, OK_LINE};
use p2p_chat::protocol::session::{ByeReason, ContactCard, Hello, Record, Records};

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
    [message.form.name().into(), message.claimed.to_string(), name.into(), meaning]
}

#[test]
fn protocol_page_test_vectors_are_true() {
    let table = PROTOCOL.split("\n## Test vectors").nth(1).expect("the section");
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

/// The rows of the first table behind a heading, without its head.
fn rows(heading: &str) -> Vec<[&'static str; 2]> {
    let section = PROTOCOL.split(heading).nth(1).expect("the section");
    let table = section.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let cells = |line: &'static str| line.trim_matches('|').split_once('|').expect("two columns");
    table
        .take_while(|line| line.starts_with('|'))
        .map(cells)
        .map(|(one, two)| [one.trim(), two.trim()])
        .collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).expect("ASCII"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal")).collect()
}

#[test]
fn the_keys_of_the_protocol_page_are_true() {
    let rows = rows("\n### How a key is written");
    assert_eq!(rows.len(), 3, "the table is read");
    for [bytes, text] in rows {
        let byte = bytes_of(bytes.strip_prefix("32 times ").expect("as all of them"))[0];
        assert_eq!(PublicKey::new([byte; 32]).to_string(), text);
        assert_eq!(text.parse(), Ok(PublicKey::new([byte; 32])));
    }
}

#[test]
fn protocol_page_record_vectors_are_true() {
    let hello = Hello {
        dialed: DIAL_LINE.to_vec(),
        answered: OK_LINE.to_vec(),
        name: PeerName::new("Alice"),
        port: 5000,
        version: "0.2.0".into(),
        features: Vec::new(),
        addresses: vec!["[2001:db8::1]:5000".parse().expect("an address")],
        run: 1,
        window: 262_144,
        probe: false,
    };
    let id = |byte| MessageId::new([byte; 16]);
    let text = |again, to_all| Record::Text {
        id: id(7),
        time: 1_700_000_000_000,
        again,
        to_all,
        body: "Hi\nBob".into(),
    };
    let of_rfc = "25njqamcweflpvkl73j4szahhihoc4xt3ktcgjnpaingr5yhkena".parse().expect("a key");
    let addrs = ["192.0.2.7:5000".parse().expect("an address")];
    let seed = *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\
                 \x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60";
    let card = ContactCard::unsigned(
        PublicKey::new([2; 32]),
        of_rfc,
        &PeerName::new("Bob"),
        1_700_000_000_000,
        &addrs,
    );
    let signature = OwnKey::from_seed(&seed).and_then(|own| own.sign(&card.signed_bytes()));
    let card = card.signed(signature.expect("signed"));
    assert!(is_signed(&card));
    let expected = [
        Some(Record::Hello(hello)),
        Some(text(false, false)),
        Some(text(true, false)),
        Some(text(false, true)),
        Some(Record::Receipt(vec![id(7), id(8)])),
        Some(Record::Ping(1)),
        Some(Record::Pong(1)),
        Some(Record::Bye(ByeReason::Leaves)),
        Some(Record::Addresses(vec!["[2001:db8::1]:5000".parse().expect("an address")])),
        Some(Record::NotStored(vec![id(7)], 30)),
        Some(Record::InUse("192.0.2.7".parse().expect("an IP"))),
        Some(Record::Name(PeerName::new("Zoe"))),
        Some(Record::Verify),
        Some(Record::Introduce(PublicKey::new([1; 32]), PeerName::new("Carol"))),
        Some(Record::Card(Box::new(card))),
        None,
        Some(Record::Ping(2)),
    ];
    let rows = rows("\n### Vectors of records");
    assert_eq!(rows.len(), expected.len(), "the table is read");
    let mut records = Records::new();
    for ([hex, what], expected) in rows.into_iter().zip(expected) {
        let bytes = bytes_of(hex);
        records.push(&bytes);
        assert_eq!(records.next_record(), Ok(expected.clone()), "{what}");
        if let Some(expected) = expected {
            assert_eq!(expected.encode(), bytes, "{what}");
        }
        assert!(records.is_empty(), "{what}");
    }
}
