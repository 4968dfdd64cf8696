//! What is said inside the encrypted exchange.

use std::ops::ControlFlow;

use p2p_chat::model::session::ByeReason;
use p2p_chat::protocol::session::{
    Hello, MAX_ADDRESSES, MAX_IDS, MAX_RECORD_BYTES, MAX_TEXT_BYTES, MAX_TURN_BYTES, MAX_TURN_RECORDS,
    MAX_UNKNOWN, Record, RecordFault, Records,
};

/// Bytes at the beginning of the input that say how the rest comes: in which pieces, and after how many records a turn begins.
const HEAD: usize = 2;

/// Begins a run of letters: the byte behind it says how many, so that a few bytes of input make a long text.
const RUN: u8 = 0xfe;

/// Letters of a run, for each of what that byte counts: 255 of them are a text that is just too long.
const RUN_UNIT: usize = 258;

/// Bytes that are pushed: more than the longest turn and a record that is too much.
const MAX_PUSHED: usize = MAX_TURN_BYTES + MAX_RECORD_BYTES + 77;

/// Bytes pushed at once at most, as many as are read at once of a connection.
const MAX_PIECE: usize = 4096;

/// Bytes before a value.
const HEAD_BYTES: usize = 4;

/// Room for what one piece leaves over, twice: a vector that grows doubles.
const MAX_HELD: usize = 2 * (HEAD_BYTES + MAX_RECORD_BYTES + MAX_PIECE);

/// What came of a connection: its records, and the fault that ends it.
type Outcome = (Vec<Record>, Option<RecordFault>);

/// Reads the input in pieces and at once, and by a second rule, and writes again what came out.
///
/// # Panics
/// Where the pieces matter, a bound does not hold, the rules differ, or what is written reads otherwise.
pub fn records(input: &[u8]) {
    let Some((head, rest)) = input.split_at_checked(HEAD) else { return };
    let (pieces, turn) = (head[0], usize::from(head[1]));
    let bytes = with_runs(rest);
    let in_pieces = read(&bytes, turn, Some(pieces));
    assert_eq!(in_pieces, read(&bytes, turn, None), "the pieces matter");
    assert_eq!(in_pieces, by_the_second_rule(&bytes, turn));
    for record in &in_pieces.0 {
        is_bounded(record);
        let again = record.encode();
        assert_eq!(read(&again, 0, None), (vec![record.clone()], None), "what is written reads otherwise");
        // One way of writing each, so nothing that was skipped or is said otherwise comes back.
        assert!(again.len() <= HEAD_BYTES + MAX_RECORD_BYTES);
    }
}

/// The bytes that the input stands for.
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

/// Reads all, a turn beginning after `turn` records, or never where that is none. In pieces, records are taken as soon as they are whole,
/// and no more is held than one that is not.
fn read(bytes: &[u8], turn: usize, pieces: Option<u8>) -> Outcome {
    let mut records = Records::new();
    let mut found = Vec::new();
    let mut length = usize::from(pieces.unwrap_or(0));
    let mut left = bytes;
    while !left.is_empty() {
        length = (length * 5 + 3) % 257;
        // Now and then as much as is read at once, most often a few bytes.
        let most = if length > 240 { MAX_PIECE } else { length + 1 };
        let (piece, rest) = left.split_at(pieces.map_or(left.len(), |_| most.min(left.len())));
        records.push(piece);
        left = rest;
        if let ControlFlow::Break(fault) = take(&mut records, turn, &mut found) {
            return (found, Some(fault));
        }
        assert!(pieces.is_none() || records.capacity() <= MAX_HELD, "{} bytes are held", records.capacity());
    }
    assert_eq!(
        records.is_empty(),
        whole(bytes) == bytes.len(),
        "it does not know whether a record has begun"
    );
    (found, None)
}

fn take(records: &mut Records, turn: usize, found: &mut Vec<Record>) -> ControlFlow<RecordFault> {
    loop {
        match records.next_record() {
            Ok(Some(record)) => found.push(record),
            Ok(None) => return ControlFlow::Continue(()),
            Err(fault) => {
                assert_eq!(records.next_record(), Err(fault), "it goes on behind a fault");
                return ControlFlow::Break(fault);
            }
        }
        if turn > 0 && found.len().is_multiple_of(turn) {
            records.begin_turn();
        }
    }
}

/// The type of the first record of these bytes and its length with its head, where that is there.
fn first(bytes: &[u8]) -> Option<(u8, usize)> {
    let [kind, length @ ..] = bytes.first_chunk::<HEAD_BYTES>()?;
    let length = length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
    Some((*kind, HEAD_BYTES + length))
}

/// How many bytes the whole records in front have.
fn whole(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some((_, length)) = first(&bytes[at..]).filter(|(_, length)| *length <= bytes.len() - at) {
        at += length;
    }
    at
}

/// The same result from each record read alone, and the limits said once more.
fn by_the_second_rule(mut bytes: &[u8], turn: usize) -> Outcome {
    let mut found = Vec::new();
    let (mut in_turn, mut turn_bytes, mut unknown) = (0, 0, 0);
    let fault = loop {
        let Some((kind, length)) = first(bytes) else { break None };
        if length > HEAD_BYTES + MAX_RECORD_BYTES {
            break Some(RecordFault::TooLong(length - HEAD_BYTES));
        }
        let Some((record, rest)) = bytes.split_at_checked(length) else { break None };
        bytes = rest;
        in_turn += 1;
        turn_bytes += length;
        if in_turn > MAX_TURN_RECORDS || turn_bytes > MAX_TURN_BYTES {
            break Some(RecordFault::TurnTooLong);
        }
        let mut alone = Records::new();
        alone.push(record);
        match alone.next_record() {
            Ok(Some(record)) => {
                assert!((1..=6).contains(&kind), "type {kind} is not known to docs/PROTOCOL.md");
                found.push(record);
                unknown = 0;
                if turn > 0 && found.len().is_multiple_of(turn) {
                    (in_turn, turn_bytes) = (0, 0);
                }
            }
            Ok(None) => {
                unknown += 1;
                assert!(
                    !(1..=6).contains(&kind) && alone.is_empty(),
                    "a record of type {kind} is passed over"
                );
                if unknown > MAX_UNKNOWN {
                    break Some(RecordFault::TooManyUnknown);
                }
            }
            Err(fault) => break Some(fault),
        }
    };
    (found, fault)
}

fn is_bounded(record: &Record) {
    match record {
        Record::Hello(Hello { dialed, answered, name, port, version, features, addresses }) => {
            assert!(dialed.len() <= 32 && answered.len() <= 32, "a long line");
            assert!(!name.as_str().is_empty() && !name.as_str().contains(char::is_whitespace), "{name:?}");
            assert_ne!(*port, 0);
            let words = [version].into_iter().chain(features);
            for word in words {
                assert!(!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic()), "{word:?}");
            }
            assert!(version.len() <= 32 && features.iter().map(|word| word.len() + 1).sum::<usize>() <= 257);
            assert!(addresses.len() <= MAX_ADDRESSES);
            for addr in addresses {
                assert!(
                    addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast(),
                    "{addr}"
                );
            }
        }
        Record::Text { body, .. } => assert!((1..=MAX_TEXT_BYTES).contains(&body.len())),
        Record::Receipt(ids) => assert!((1..=MAX_IDS).contains(&ids.len())),
        Record::Bye(reason) => assert_eq!(ByeReason::of(reason.number()), *reason),
        Record::Ping(_) | Record::Pong(_) => {}
    }
}
