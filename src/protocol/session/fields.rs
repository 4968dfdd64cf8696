//! The shape that records and their fields have in common: `type or number: u8, length: u24
//! big-endian, value`.

use std::str;

/// What is wrong with records. After it nothing more of the connection is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordFault {
    /// A record says that it is this long.
    TooLong(usize),
    /// A field goes beyond its record, or the fields are not in rising order.
    Shape,
    /// This field has to be there and is not.
    Missing(u8),
    /// This field is not what it has to be.
    Value(u8),
    /// More unknown records in a row than are skipped.
    TooManyUnknown,
}

/// Bytes before a value: type and length.
pub(super) const HEAD_BYTES: usize = 4;

pub(super) fn length_of(length: usize) -> [u8; 3] {
    let [top, bytes @ ..] = u32::try_from(length).expect("it is bounded").to_be_bytes();
    assert_eq!(top, 0, "a part has at most 16 MiB");
    bytes
}

pub(super) fn put(to: &mut Vec<u8>, number: u8, value: &[u8]) {
    to.push(number);
    to.extend(length_of(value.len()));
    to.extend_from_slice(value);
}

/// Type, value, and what follows.
pub(super) type Item<'a> = (u8, &'a [u8], &'a [u8]);

/// The first record or field of `bytes`; `None` where it is not whole.
///
/// # Errors
/// [`RecordFault::TooLong`] where its value has more than `most` bytes, which its head alone tells.
pub(super) fn item(bytes: &[u8], most: usize) -> Result<Option<Item<'_>>, RecordFault> {
    let Some(([kind, a, b, c], rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
    if length > most {
        return Err(RecordFault::TooLong(length));
    }
    Ok(rest.split_at_checked(length).map(|(value, after)| (*kind, value, after)))
}

/// The highest number of a field that this version knows.
const MAX_FIELD: u8 = 10;

/// The fields of a record, by number.
pub(super) struct Fields<'a>([Option<&'a [u8]>; MAX_FIELD as usize + 1]);

impl<'a> Fields<'a> {
    pub(super) fn of(mut value: &'a [u8]) -> Result<Self, RecordFault> {
        let mut fields = [None; MAX_FIELD as usize + 1];
        let mut last = 0;
        while !value.is_empty() {
            let (number, field, after) = item(value, usize::MAX)?.ok_or(RecordFault::Shape)?;
            // Strictly rising, so that no field comes twice and there is one way of writing each
            // record.
            if number <= last {
                return Err(RecordFault::Shape);
            }
            last = number;
            if let Some(place) = fields.get_mut(usize::from(number)) {
                *place = Some(field);
            }
            value = after;
        }
        Ok(Self(fields))
    }

    pub(super) fn at(&self, number: u8) -> Option<&'a [u8]> {
        self.0.get(usize::from(number)).copied().flatten()
    }

    pub(super) fn need(&self, number: u8) -> Result<&'a [u8], RecordFault> {
        self.at(number).ok_or(RecordFault::Missing(number))
    }

    pub(super) fn array<const N: usize>(&self, number: u8) -> Result<[u8; N], RecordFault> {
        self.need(number)?.try_into().map_err(|_| RecordFault::Value(number))
    }

    /// UTF-8 of 1 to `most` bytes.
    pub(super) fn text(&self, number: u8, most: usize) -> Result<&'a str, RecordFault> {
        let bytes = self.need(number)?;
        let fits = (1..=most).contains(&bytes.len());
        str::from_utf8(bytes).ok().filter(|_| fits).ok_or(RecordFault::Value(number))
    }

    /// Whether an empty field is there.
    pub(super) fn flag(&self, number: u8) -> Result<bool, RecordFault> {
        match self.at(number) {
            None => Ok(false),
            Some([]) => Ok(true),
            Some(_) => Err(RecordFault::Value(number)),
        }
    }
}
