//! Reads records from bytes that arrive in pieces of any size.
//!
//! Unknown records are skipped. Only one unfinished record and the bytes pushed after it are held.

use super::fields::{RecordFault, item};
use super::record::{MAX_RECORD_BYTES, Record};

/// The maximum number of consecutive unknown records that are skipped. A peer that sends more only
/// wastes our time.
pub const MAX_UNKNOWN: usize = 16;

/// The room kept for the next bytes. A session is silent most of the time, and there may be
/// hundreds.
const KEPT_BYTES: usize = 4 * 1024;

/// The incremental reader of one connection. Push the bytes that were read, then take records until
/// there is none. After a fault, close the connection.
#[derive(Default, Debug)]
pub struct Records {
    bytes: Vec<u8>,
    /// Where the next record begins.
    at: usize,
    unknown: usize,
}

impl Records {
    /// Returns a reader that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes to those that are held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the next record if it is complete; `None` if more bytes are needed.
    ///
    /// # Errors
    /// What is wrong with the bytes. Every later call returns the same error.
    pub fn next_record(&mut self) -> Result<Option<Record>, RecordFault> {
        while let Some((kind, value, after)) = item(&self.bytes[self.at..], MAX_RECORD_BYTES)? {
            let next = self.bytes.len() - after.len();
            let record = Record::decode(kind, value)?;
            if record.is_none() && self.unknown >= MAX_UNKNOWN {
                return Err(RecordFault::TooManyUnknown);
            }
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

    /// Returns whether nothing is held: if the bytes end here, no record is cut.
    pub fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Returns the bytes of memory that the buffer holds. They are bounded, whatever is pushed.
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
            [of_type(99, b"no fields"), ping(1), of_type(0, b""), of_type(14, &[1, 0, 0, 0]), ping(2)]
                .concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1), Record::Ping(2)], None));
    }

    #[test]
    fn unknown_records_are_skipped_up_to_a_limit() {
        let unknown = |count| of_type(99, b"x").repeat(count);
        let bytes = [unknown(MAX_UNKNOWN), ping(1), unknown(MAX_UNKNOWN), ping(2)].concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1), Record::Ping(2)], None));
        let bytes = [ping(1), unknown(MAX_UNKNOWN + 1), ping(2)].concat();
        assert_eq!(all(&bytes), (vec![Record::Ping(1)], Some(RecordFault::TooManyUnknown)));
    }

    #[test]
    fn too_long_record_is_refused_at_its_head() {
        assert_eq!(all(&[2, 0x01, 0x08, 0x00]), (vec![], None));
        assert_eq!(all(&[2, 0x01, 0x08, 0x01]), (vec![], Some(RecordFault::TooLong(MAX_RECORD_BYTES + 1))));
        assert_eq!(all(&[99, 0xff, 0xff, 0xff]), (vec![], Some(RecordFault::TooLong(0xff_ffff))));
    }

    #[test]
    fn taken_records_free_their_memory() {
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
