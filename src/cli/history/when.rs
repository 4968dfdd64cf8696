//! A moment as people name it: an age (`3d` ago), a day, a local time of a day, or a time with its
//! offset (RFC 3339). Pure.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::settings::Age;

/// A moment, as far as it is known without knowing what time it is, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// So long ago.
    Ago(Age),
    /// On this day.
    On(Date),
    /// At this local time.
    Local(DateTime),
    /// At this very moment.
    At(Timestamp),
}

/// Bytes of a date like 2026-11-21.
const DATE_BYTES: usize = 10;

/// The year of [`Timestamp::UNIX_EPOCH`].
const EPOCH_YEAR: i16 = 1970;

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(age) = text.parse() {
            return Ok(Self::Ago(age));
        }
        let wrong = || {
            "write an age like 3d, a date like 2026-11-21, a local time like 2026-11-21T14:00, or a time like 2026-11-21T14:00:00Z."
                .to_owned()
        };
        // The parser takes more ways of writing a date than anybody would read as one.
        let none = || "there is no such time; write one like 2026-11-21 or 2026-11-21T14:00.".to_owned();
        let bytes = text.as_bytes();
        let is_date = |(at, byte): (usize, &u8)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        };
        if bytes.len() < DATE_BYTES || !bytes.iter().enumerate().take(DATE_BYTES).all(is_date) {
            return Err(wrong());
        }
        let Some(time) = bytes.get(DATE_BYTES) else {
            return text.parse().map(Self::On).map_err(|_| none());
        };
        if !matches!(time, b'T' | b't' | b' ') || text.contains('[') {
            return Err(wrong());
        }
        // Overlooking an offset would give another moment.
        let has_offset = text[DATE_BYTES..].contains(['Z', 'z', '+', '-']);
        if has_offset {
            return text.parse().map(Self::At).map_err(|_| none());
        }
        text.parse().map(Self::Local).map_err(|_| none())
    }
}

impl When {
    /// Returns its first millisecond, since 1970, in this zone at `now`. A time before 1970 counts
    /// as 1970, and one after the end of the calendar as its last moment.
    pub fn begins(self, now: Timestamp, zone: &TimeZone) -> u64 {
        millis(self.moment(now, zone))
    }

    /// The first millisecond after it: the next day where it is a day, else its own.
    pub fn is_over(self, now: Timestamp, zone: &TimeZone) -> u64 {
        let after = match self {
            Self::On(day) => day.checked_add(1.day()).map_or(self, Self::On),
            other => other,
        };
        after.begins(now, zone)
    }

    fn moment(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        let local =
            |time: DateTime| zone.to_ambiguous_zoned(time).compatible().map(|zoned| zoned.timestamp());
        let found = match self {
            Self::Ago(age) => now.checked_sub(age.duration()),
            Self::On(day) => local(day.at(0, 0, 0, 0)),
            Self::Local(time) => local(time),
            Self::At(moment) => Ok(moment),
        };
        // Outside UTC, the first and the last day of the calendar have moments that it cannot
        // represent.
        found.unwrap_or(match self {
            Self::On(day) if day.year() > EPOCH_YEAR => Timestamp::MAX,
            Self::Local(time) if time.year() > EPOCH_YEAR => Timestamp::MAX,
            _ => Timestamp::UNIX_EPOCH,
        })
    }
}

fn millis(moment: Timestamp) -> u64 {
    u64::try_from(moment.as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saturday, 21 November 2026, 14:03:07 UTC, and a zone two hours ahead of it.
    fn here() -> (Timestamp, TimeZone) {
        ("2026-11-21T14:03:07Z".parse().unwrap(), TimeZone::fixed(jiff::tz::offset(2)))
    }

    fn begins(text: &str) -> String {
        let (now, zone) = here();
        let millis = text.parse::<When>().expect(text).begins(now, &zone);
        Timestamp::from_millisecond(millis.try_into().unwrap()).unwrap().to_string()
    }

    #[test]
    fn a_moment_can_be_named_in_each_way() {
        for (text, moment) in [
            ("3d", "2026-11-18T14:03:07Z"),
            ("45s", "2026-11-21T14:02:22Z"),
            ("2026-11-21", "2026-11-20T22:00:00Z"),
            ("2026-11-21T14:00", "2026-11-21T12:00:00Z"),
            ("2026-11-21 14:00:05", "2026-11-21T12:00:05Z"),
            ("2026-11-21T14:00:00Z", "2026-11-21T14:00:00Z"),
            ("2026-11-21T14:00:00.25-03:30", "2026-11-21T17:30:00.25Z"),
            ("1950-01-01", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(begins(text), moment, "{text}");
        }
    }

    #[test]
    fn day_ends_when_the_next_begins() {
        let (now, zone) = here();
        let over = |text: &str| text.parse::<When>().unwrap().is_over(now, &zone);
        let begins = |text: &str| text.parse::<When>().unwrap().begins(now, &zone);
        assert_eq!(over("2026-11-21"), begins("2026-11-22"));
        assert_eq!(over("2026-11-21T14:00"), begins("2026-11-21T14:00"));
        assert_eq!(over("3d"), begins("3d"));
        // On the last day of all calendars there is no next one.
        assert_eq!(over("9999-12-31"), begins("9999-12-31"));
    }

    #[test]
    fn invalid_time_is_refused_with_a_sentence() {
        let unreadable = ["", "yesterday", "21.11.2026", "20261121", "2026-11-21x", "+2026-11-21"];
        let impossible = ["2026-13-01", "2026-02-30", "2026-11-21T", "9999-12-31T23:59:59Z"];
        for (wrong, sentence) in unreadable
            .map(|wrong| (wrong, "write an age"))
            .into_iter()
            .chain(impossible.map(|wrong| (wrong, "there is no such time")))
        {
            let error = wrong.parse::<When>().expect_err(wrong);
            assert!(error.starts_with(sentence), "{wrong}: {error}");
        }
    }

    #[test]
    fn last_day_of_calendar_is_after_all_messages() {
        for zone in
            [TimeZone::UTC, TimeZone::fixed(jiff::tz::offset(2)), TimeZone::fixed(jiff::tz::offset(-9))]
        {
            for text in ["9999-12-31", "9999-12-31T23:59"] {
                let begins = |text: &str| text.parse::<When>().unwrap().begins(here().0, &zone);
                assert!(begins(text) > begins("9999-12-30"), "{text} {zone:?}");
            }
        }
    }
}
