//! How much room something takes on the disk, as people write it: `500MiB`, `4GiB`. Pure.

use std::str::FromStr;

/// The units, and how many bytes each has.
const UNITS: [(&str, u64); 2] = [("MiB", 1 << 20), ("GiB", 1 << 30)];

/// The smallest history: what strangers may take, and as much again for contacts.
const MIN_HISTORY: u64 = 256 << 20;

/// The largest history: a pebibyte, more than a disk has.
const MAX_HISTORY: u64 = 1 << 50;

/// A number of bytes that the history may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HistorySize(u64);

impl HistorySize {
    /// How many bytes it is.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for HistorySize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a size is a whole number and a unit, such as 500MiB or 4GiB.".to_owned();
        let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (digits, unit) = text.split_at(at);
        let found = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name));
        let (_, bytes) = found.filter(|_| !digits.is_empty()).ok_or_else(wrong)?;
        // A number with too many digits is too large as well.
        match digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*bytes) {
            size if size < MIN_HISTORY => Err("the smallest history is 256MiB.".into()),
            size if size > MAX_HISTORY => Err("that is too much; the largest history is 1048576GiB.".into()),
            size => Ok(Self(size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_is_a_number_and_a_unit() {
        for (text, bytes) in [("4GiB", 4 << 30), ("256mib", 256 << 20), ("2048MiB", 2 << 30)] {
            assert_eq!(text.parse::<HistorySize>().unwrap().bytes(), bytes);
        }
    }

    #[test]
    fn other_sizes_are_refused_with_a_sentence() {
        for text in [
            "",
            "4",
            "GiB",
            "4GB",
            "-1GiB",
            "1.5GiB",
            "4 GiB",
            "1MiB",
            "255MiB",
            "0GiB",
            "9999999999999999999999GiB",
        ] {
            let why = text.parse::<HistorySize>().unwrap_err();
            assert!(why.ends_with('.'), "{text}: {why}");
        }
    }
}
