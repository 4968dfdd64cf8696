//! Bytes in, records out, whatever pieces the bytes come in.
//!
//! What is not known is skipped, and nothing is held but one record that is not whole yet and what was pushed since.

use super::fields::{RecordFault, item};
use super::record::{MAX_RECORD_BYTES, Record};

/// Records of one turn, which are all that a sender may have open. Nobody types that many at once; and their receipts are one small record,
/// which always fits an empty send buffer, so that no two sides wait for each other to read.
pub const MAX_TURN_RECORDS: usize = 64;

/// Bytes of one turn, heads included: three texts of the longest kind, or 64 long ones of four kilobytes.
pub const MAX_TURN_BYTES: usize = 256 * 1024;

/// Unknown records in a row that are skipped; who sends more has nothing to say to us.
pub const MAX_UNKNOWN: usize = 16;

/// Room that is kept for the next bytes. A kept connection is silent most of the time, and there may be a thousand.
const KEPT_BYTES: usize = 4 * 1024;

/// The incremental reader of one connection. Push what was read, then take records until there is none; after a fault, close.
#[derive(Default, Debug)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where the next record begins.
    at: usize,
    turn_records: usize,
    turn_bytes: usize,
    unknown: usize,
}

impl Records {
    /// A reader that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes behind those that are held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next record if it is whole; `None` when more bytes are needed.
    ///
    /// # Errors
    /// What is wrong with the bytes. The same is said again if it is asked again.
    pub fn next_record(&mut self) -> Result<Option<Record>, RecordFault> {
        while let Some((kind, value, after)) = item(&self.bytes[self.at..], MAX_RECORD_BYTES)? {
            let next = self.bytes.len() - after.len();
            if self.turn_records >= MAX_TURN_RECORDS || self.turn_bytes + (next - self.at) > MAX_TURN_BYTES {
                return Err(RecordFault::TurnTooLong);
            }
            let record = Record::decode(kind, value)?;
            if record.is_none() && self.unknown >= MAX_UNKNOWN {
                return Err(RecordFault::TooManyUnknown);
            }
            self.turn_records += 1;
            self.turn_bytes += next - self.at;
            self.at = next;
            if record.is_some() {
                self.unknown = 0;
                return Ok(record);
            }
            self.unknown += 1;
        }
        self.forget_what_was_taken();
        Ok(None)
    }

    /// Begins a turn: all before it was answered, or is the answer to ours.
    pub fn begin_turn(&mut self) {
        self.turn_records = 0;
        self.turn_bytes = 0;
    }

    /// Whether nothing is held: an end here breaks off no record.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Bytes of memory that the buffer holds. It is bounded, whatever is pushed.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn forget_what_was_taken(&mut self) {
        self.bytes.drain(..self.at);
        self.at = 0;
        if self.bytes.is_empty() {
            self.bytes.shrink_to(KEPT_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::session::fields::put;

    fn ping(nonce: u64) -> Vec<u8> {
        Record::Ping(nonce).encode()
    }

    fn of_type(kind: u8, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, kind, value);
        bytes
    }

    /// All records of these bytes, and the fault that ends them.
    fn all(bytes: &[u8]) -> (Vec<Record>, Option<RecordFault>) {
        let mut records = Records::new();
        records.push(bytes);
        let mut found = Vec::new();
        loop {
            match records.next_record() {
                Ok(Some(record)) => found.push(record),
                Ok(None) => return (found, None),
                Err(fault) => {
                    assert_eq!(records.next_record(), Err(fault), "it stays at the fault");
                    return (found, Some(fault));
                }
            }
        }
    }

    #[test]
    fn unknown_records_are_skipped_whatever_is_in_them() {
        let bytes =
            [of_type(99, b"no fields"), ping(1), of_type(0, b""), of_type(11, &[1, 0, 0, 0]), ping(2)]
                .concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1), Record::Ping(2)], None));
    }

    #[test]
    fn unknown_records_are_skipped_up_to_a_number_in_a_row() {
        let unknown = |count| of_type(99, b"x").repeat(count);
        let bytes = [unknown(MAX_UNKNOWN), ping(1), unknown(MAX_UNKNOWN), ping(2)].concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1), Record::Ping(2)], None));
        let bytes = [ping(1), unknown(MAX_UNKNOWN + 1), ping(2)].concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1)], Some(RecordFault::TooManyUnknown)));
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_at_its_head() {
        assert_eq!(all(&[2, 0x01, 0x08, 0x00]), (vec![], None));
        assert_eq!(all(&[2, 0x01, 0x08, 0x01]), (vec![], Some(RecordFault::TooLong(MAX_RECORD_BYTES + 1))));
        assert_eq!(all(&[99, 0xff, 0xff, 0xff]), (vec![], Some(RecordFault::TooLong(0xff_ffff))));
    }

    #[test]
    fn a_turn_has_at_most_its_number_of_records_and_the_next_one_begins_anew() {
        let mut records = Records::new();
        for turn in 0..3 {
            records.push(&ping(turn).repeat(MAX_TURN_RECORDS));
            for _ in 0..MAX_TURN_RECORDS {
                assert_eq!(records.next_record(), Ok(Some(Record::Ping(turn))));
            }
            records.begin_turn();
        }
        let (found, fault) = all(&ping(1).repeat(MAX_TURN_RECORDS + 1));
        assert_eq!((found.len(), fault), (MAX_TURN_RECORDS, Some(RecordFault::TurnTooLong)));
    }

    #[test]
    fn a_turn_has_at_most_its_number_of_bytes() {
        let longest = of_type(99, &[0; MAX_RECORD_BYTES]);
        let bytes = [longest.repeat(3), ping(1), longest].concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1)], Some(RecordFault::TurnTooLong)));
    }

    #[test]
    fn what_was_taken_is_forgotten_and_its_room_given_back() {
        let mut records = Records::new();
        records.push(&of_type(99, &[0; MAX_RECORD_BYTES]));
        records.push(&ping(1)[..5]);
        assert_eq!(records.next_record(), Ok(None));
        assert_eq!((records.bytes.len(), records.is_empty()), (5, false));
        records.push(&ping(1)[5..]);
        assert_eq!(records.next_record(), Ok(Some(Record::Ping(1))));
        assert_eq!(records.next_record(), Ok(None));
        assert!(records.is_empty() && records.bytes.capacity() <= KEPT_BYTES);
    }
}
