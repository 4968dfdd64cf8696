use super::*;
use crate::model::name::PeerName;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};
use crate::protocol::session::{MAX_ADDRESSES, Records};

fn hello() -> Hello {
    Hello {
        dialed: DIAL_LINE.to_vec(),
        answered: OK_LINE.to_vec(),
        name: PeerName::new("Alice"),
        port: 5000,
        version: "0.2.0".into(),
        features: Vec::new(),
        addresses: Vec::new(),
        run: 1,
        window: 262_144,
        probe: false,
    }
}

fn text(body: &str) -> Record {
    Record::Text {
        id: MessageId::new([7; ID_BYTES]),
        time: 1,
        again: false,
        to_all: false,
        body: body.into(),
    }
}

/// The only record of these bytes.
fn read(bytes: &[u8]) -> Result<Option<Record>, RecordFault> {
    let mut records = Records::new();
    records.push(bytes);
    records.next_record()
}

/// A record of this type, with these fields.
fn made_of(kind: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let (mut value, mut bytes) = (Vec::new(), Vec::new());
    for (number, field) in fields {
        put(&mut value, *number, field);
    }
    put(&mut bytes, kind, &value);
    bytes
}

/// The fields of a hello, with those of the same number replaced.
fn hello_with(number: u8, field: &[u8]) -> Result<Option<Record>, RecordFault> {
    let (port, run, window) = (5000u16.to_be_bytes(), 1u64.to_be_bytes(), 262_144u32.to_be_bytes());
    let mut fields = vec![(1, DIAL_LINE), (2, OK_LINE), (3, &b"Alice"[..]), (4, &port), (5, b"0.2.0")];
    fields.extend([(8, &run[..]), (9, &window[..])]);
    fields.retain(|(known, _)| *known != number);
    fields.push((number, field));
    fields.sort_by_key(|(number, _)| *number);
    read(&made_of(HELLO, &fields))
}

#[test]
fn fields_that_are_not_known_are_skipped() {
    let bytes = made_of(PING, &[(1, &5u64.to_be_bytes()), (2, b"later"), (255, b"")]);
    assert_eq!(read(&bytes), Ok(Some(Record::Ping(5))));
    assert_eq!(hello_with(200, b"later"), Ok(Some(Record::Hello(hello()))));
}

#[test]
fn fields_must_rise_and_fit_their_record() {
    let nonce = 5u64.to_be_bytes();
    let mut beyond = made_of(PING, &[(1, &nonce)]);
    beyond[7] += 1;
    for (bytes, fault) in [
        (made_of(PING, &[(1, &nonce), (1, &nonce)]), RecordFault::Shape),
        (made_of(PING, &[(2, b""), (1, &nonce)]), RecordFault::Shape),
        (made_of(PING, &[(0, b""), (1, &nonce)]), RecordFault::Shape),
        (made_of(PING, &[(2, &nonce)]), RecordFault::Missing(1)),
        (made_of(PING, &[]), RecordFault::Missing(1)),
        (beyond, RecordFault::Shape),
        (vec![PING, 0, 0, 1, 1], RecordFault::Shape),
    ] {
        assert_eq!(read(&bytes), Err(fault), "{bytes:?}");
    }
}

#[test]
fn text_has_1_byte_to_64_kib() {
    let longest = "x".repeat(MAX_TEXT_BYTES);
    for body in ["x", "two\nlines", "\0\x1b[2J", &longest] {
        assert_eq!(read(&text(body).encode()), Ok(Some(text(body))));
    }
    assert_eq!(read(&text("").encode()), Err(RecordFault::Value(3)));
    assert_eq!(read(&text(&(longest + "x")).encode()), Err(RecordFault::Value(3)));
    let id = [7; ID_BYTES];
    let time = 1u64.to_be_bytes();
    for (fields, fault) in [
        ([(1, &id[..]), (2, &time), (3, b"caf\xe9"), (5, b"")], RecordFault::Value(3)),
        ([(1, &id[1..]), (2, &time), (3, b"x"), (5, b"")], RecordFault::Value(1)),
        ([(1, &id[..]), (2, &time[1..]), (3, b"x"), (5, b"")], RecordFault::Value(2)),
        ([(1, &id[..]), (2, &time), (3, b"x"), (4, b"x")], RecordFault::Value(4)),
        ([(1, &id[..]), (2, &time), (3, b"x"), (5, b"x")], RecordFault::Value(5)),
    ] {
        assert_eq!(read(&made_of(TEXT, &fields)), Err(fault));
    }
}

#[test]
fn a_receipt_names_1_to_64_texts() {
    let ids = vec![MessageId::new([7; ID_BYTES]); MAX_IDS];
    assert_eq!(read(&Record::Receipt(ids.clone()).encode()), Ok(Some(Record::Receipt(ids.clone()))));
    for wrong in [Vec::new(), [&ids[..], &ids[..1]].concat()] {
        assert_eq!(read(&Record::Receipt(wrong).encode()), Err(RecordFault::Value(1)));
    }
    assert_eq!(read(&made_of(RECEIPT, &[(1, &[7; ID_BYTES + 1])])), Err(RecordFault::Value(1)));
}

#[test]
fn goodbye_with_unknown_reason_is_read() {
    for reason in 0..=u8::MAX {
        let record = Record::Bye(ByeReason::of(reason));
        assert_eq!(record.encode(), made_of(BYE, &[(1, &[reason])]));
        assert_eq!(read(&record.encode()), Ok(Some(record)));
    }
    assert_eq!(read(&made_of(BYE, &[(1, &[1, 1])])), Err(RecordFault::Value(1)));
}

#[test]
fn what_cannot_be_in_a_hello_is_refused() {
    for (number, field) in [
        (1, &[b'x'; 33][..]),
        (2, &[b'x'; 33]),
        (3, b""),
        (3, b"two words"),
        (3, "a\u{3000}b".as_bytes()),
        (3, &[b'x'; 257]),
        (3, b"caf\xe9"),
        (4, &[0, 0]),
        (4, &[1]),
        (5, b""),
        (5, b"0.2.0 beta"),
        (5, &[b'x'; 33]),
        (5, "é".as_bytes()),
        (6, b""),
        (6, b"two  spaces"),
        (6, &[b'x'; 257]),
        (7, b""),
        (7, &[1; 17]),
        (7, &[1; 18 * (MAX_ADDRESSES + 1)]),
        (8, &[1; 7]),
        (9, &[1; 5]),
        (10, b"probe"),
    ] {
        assert_eq!(hello_with(number, field), Err(RecordFault::Value(number)), "{field:?}");
    }
    assert_eq!(read(&made_of(HELLO, &[(1, DIAL_LINE)])), Err(RecordFault::Missing(3)));
}

#[test]
fn hello_addresses_must_mean_one_machine_everywhere() {
    let sent = |address: &str| {
        let addresses = vec![address.parse().unwrap()];
        read(&Record::Hello(Hello { addresses, ..hello() }).encode())
    };
    for good in ["192.0.2.7:5000", "127.0.0.1:1", "[2001:db8::1]:5000", "[::1]:65535", "[fd00::1]:1"] {
        let Ok(Some(Record::Hello(read))) = sent(good) else { panic!("{good}") };
        assert_eq!(read.addresses, [good.parse().unwrap()]);
    }
    for wrong in [
        "192.0.2.7:0",
        "0.0.0.0:1",
        "255.255.255.255:1",
        "224.0.0.1:1",
        "169.254.1.1:1",
        "[::]:1",
        "[fe80::1]:1",
        "[febf::1]:1",
        "[ff02::1]:1",
        "[::ffff:0.0.0.0]:1",
    ] {
        assert_eq!(sent(wrong), Err(RecordFault::Value(7)), "{wrong}");
    }
}

#[test]
fn the_name_in_a_hello_is_shown_harmless() {
    let Ok(Some(Record::Hello(read))) = hello_with(3, "Bob\x1b[2J\u{202e}".as_bytes()) else {
        panic!("a hello")
    };
    assert_eq!(read.name.as_str(), r"Bob\x1b[2J\u{202e}");
}
