//! The target `records`: the records of an encrypted session.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use p2p_chat::model::session::ByeReason;
use p2p_chat::protocol::session::{
    Hello, MAX_ADDRESSES, MAX_IDS, MAX_RECORD_BYTES, MAX_TEXT_BYTES, MAX_UNKNOWN, Record, RecordFault,
    Records,
};

use super::piece_lengths;

/// The byte that starts a run of letters. The next byte is its length in [`RUN_UNIT`], so that a
/// few bytes of input make a long message.
const RUN: u8 = 0xfe;

/// Letters in one unit of a run. 255 units are a message that is just too long.
const RUN_UNIT: usize = 258;

/// Bytes that are pushed: more than four of the longest records.
const MAX_PUSHED: usize = 4 * (HEAD_BYTES + MAX_RECORD_BYTES) + 77;

/// Bytes of the largest piece, which is as much as one read of a connection returns.
const MAX_PIECE: usize = 4096;

/// Piece lengths above this become [`MAX_PIECE`].
const LONG_PIECE: usize = 241;

/// Bytes of a record's type and length.
const HEAD_BYTES: usize = 4;

/// Bytes that the reader may hold: an unfinished record and a piece, twice because a growing vector
/// doubles.
const MAX_HELD: usize = 2 * (HEAD_BYTES + MAX_RECORD_BYTES + MAX_PIECE);

/// The records of a session, and the fault that ended it.
type Outcome = (Vec<Record>, Option<RecordFault>);

/// Reads the input at once, in pieces, and by a second set of rules, and encodes the records again.
///
/// The first byte chooses the pieces.
///
/// # Panics
/// If the pieces change the result, a bound is exceeded, the rules differ, or an encoded record
/// does not decode to itself.
pub fn records(input: &[u8]) {
    let Some((&seed, rest)) = input.split_first() else { return };
    let bytes = with_runs(rest);
    let in_pieces = read(&bytes, Some(seed));
    assert_eq!(in_pieces, read(&bytes, None), "the pieces change the result");
    assert_eq!(in_pieces, by_the_second_rules(&bytes));
    for record in &in_pieces.0 {
        assert_bounded(record);
        let again = record.encode();
        assert_eq!(read(&again, None), (vec![record.clone()], None), "the encoded record differs");
        assert!(again.len() <= HEAD_BYTES + MAX_RECORD_BYTES);
    }
}

/// Returns the input with its runs of letters written out.
fn with_runs(mut input: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some((byte, rest)) = input.split_first() {
        input = rest;
        match (*byte, rest.split_first()) {
            (RUN, Some((count, rest))) => {
                bytes.resize(bytes.len() + RUN_UNIT * usize::from(*count), b'a');
                input = rest;
            }
            (byte, _) => bytes.push(byte),
        }
        if bytes.len() > MAX_PUSHED {
            bytes.truncate(MAX_PUSHED);
            break;
        }
    }
    bytes
}

/// Reads all records. `seed` chooses the pieces; `None` pushes all bytes at once.
fn read(bytes: &[u8], seed: Option<u8>) -> Outcome {
    let mut records = Records::new();
    let mut found = Vec::new();
    let mut lengths = piece_lengths(seed.unwrap_or(0));
    let mut left = bytes;
    while let Some(length) = lengths.next().filter(|_| !left.is_empty()) {
        let length = match seed {
            None => left.len(),
            Some(_) if length > LONG_PIECE => MAX_PIECE,
            Some(_) => length,
        };
        let (piece, rest) = left.split_at(length.min(left.len()));
        records.push(piece);
        left = rest;
        if let ControlFlow::Break(fault) = take(&mut records, &mut found) {
            return (found, Some(fault));
        }
        assert!(seed.is_none() || records.capacity() <= MAX_HELD, "{} bytes are held", records.capacity());
    }
    let is_complete = whole(bytes) == bytes.len();
    assert_eq!(records.is_empty(), is_complete, "is_empty() is wrong about an unfinished record");
    (found, None)
}

/// Takes all complete records, and stops at a fault.
fn take(records: &mut Records, found: &mut Vec<Record>) -> ControlFlow<RecordFault> {
    loop {
        match records.next_record() {
            Ok(Some(record)) => found.push(record),
            Ok(None) => return ControlFlow::Continue(()),
            Err(fault) => {
                assert_eq!(records.next_record(), Err(fault), "a record is read after a fault");
                return ControlFlow::Break(fault);
            }
        }
    }
}

/// Returns the type of the first record and its length including the head, if the head is complete.
fn first(bytes: &[u8]) -> Option<(u8, usize)> {
    let [kind, length @ ..] = bytes.first_chunk::<HEAD_BYTES>()?;
    let length = length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
    Some((*kind, HEAD_BYTES + length))
}

/// Returns the length of the complete records at the start.
fn whole(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some((_, length)) = first(&bytes[at..]).filter(|(_, length)| *length <= bytes.len() - at) {
        at += length;
    }
    at
}

/// Reads each record alone and applies the limit of unknown ones itself.
fn by_the_second_rules(mut bytes: &[u8]) -> Outcome {
    let mut found = Vec::new();
    let mut unknown = 0;
    let fault = loop {
        let Some((kind, length)) = first(bytes) else { break None };
        if length > HEAD_BYTES + MAX_RECORD_BYTES {
            break Some(RecordFault::TooLong(length - HEAD_BYTES));
        }
        let Some((record, rest)) = bytes.split_at_checked(length) else { break None };
        bytes = rest;
        let mut alone = Records::new();
        alone.push(record);
        match alone.next_record() {
            Ok(Some(record)) => {
                assert!((1..=13).contains(&kind), "docs/PROTOCOL.md has no type {kind}");
                found.push(record);
                unknown = 0;
            }
            Ok(None) => {
                unknown += 1;
                assert!(!(1..=13).contains(&kind) && alone.is_empty(), "type {kind} is skipped");
                if unknown > MAX_UNKNOWN {
                    break Some(RecordFault::TooManyUnknown);
                }
            }
            Err(fault) => break Some(fault),
        }
    };
    (found, fault)
}

fn assert_bounded(record: &Record) {
    match record {
        Record::Hello(Hello { dialed, answered, name, port, version, features, addresses, .. }) => {
            assert!(dialed.len() <= 32 && answered.len() <= 32, "a long opening line");
            assert!(!name.as_str().is_empty() && !name.as_str().contains(char::is_whitespace), "{name:?}");
            assert_ne!(*port, 0);
            for word in [version].into_iter().chain(features) {
                assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()), "{word:?}");
            }
            assert!(version.len() <= 32 && features.iter().map(|word| word.len() + 1).sum::<usize>() <= 257);
            assert_dialable(addresses);
        }
        Record::Addresses(addresses) => assert_dialable(addresses),
        Record::Text { body, .. } => assert!((1..=MAX_TEXT_BYTES).contains(&body.len())),
        Record::Receipt(ids) | Record::NotStored(ids, _) => assert!((1..=MAX_IDS).contains(&ids.len())),
        Record::Bye(reason) => assert_eq!(ByeReason::of(reason.number()), *reason),
        Record::Name(name) | Record::Introduce(_, name) => {
            assert!(!name.as_str().is_empty() && !name.as_str().contains(char::is_whitespace))
        }
        Record::Card(card) => {
            let name = card.name();
            assert!(!name.as_str().is_empty() && !name.as_str().contains(char::is_whitespace), "{name:?}");
            assert!(card.addrs().len() <= MAX_ADDRESSES);
            assert!(card.signed_bytes().starts_with(b"p2p-chat/1 contact card\0"));
        }
        Record::Ping(_) | Record::Pong(_) | Record::InUse(_) | Record::Verify => {}
    }
}

fn assert_dialable(addresses: &[SocketAddr]) {
    assert!(addresses.len() <= MAX_ADDRESSES);
    for addr in addresses {
        assert!(addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast(), "{addr}");
    }
}
