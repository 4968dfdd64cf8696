//! The moments of messages as they are shown: in the user's zone and format.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::settings::TimeFormat;
use crate::tui::app::late_words;

/// A day as the chat shows it where a new one begins.
const DAY: &str = "%A, %-d %B %Y";

/// Where and how moments are shown.
pub(super) struct Calendar {
    format: TimeFormat,
    zone: TimeZone,
    /// The day of what was shown last.
    shown: Option<jiff::civil::Date>,
}

impl Calendar {
    pub(super) fn new(format: TimeFormat, zone: TimeZone) -> Self {
        Self { format, zone, shown: None }
    }

    fn local(&self, millis: u64) -> Zoned {
        timestamp(millis).to_zoned(self.zone.clone())
    }

    /// `[14:03:07] `, or nothing where the user wants no times.
    pub(super) fn stamp(&self, millis: u64) -> String {
        match &self.format {
            TimeFormat::Off => String::new(),
            // The command line has refused what cannot be printed.
            TimeFormat::Strftime(format) => jiff::fmt::strtime::format(format, &self.local(millis))
                .map(|time| format!("[{time}] "))
                .unwrap_or_default(),
        }
    }

    /// `14:03`, or nothing where the user wants no times.
    pub(super) fn minute(&self, millis: u64) -> String {
        match self.format {
            TimeFormat::Off => String::new(),
            TimeFormat::Strftime(_) => self.local(millis).strftime(" %H:%M").to_string(),
        }
    }

    /// When a message was sent, in words, if it came much later.
    pub(super) fn late(&self, sent: u64, came: u64) -> Option<String> {
        late_words(&self.format, sent, came, &self.zone)
    }

    /// The day of a message, if it is not that of the one before it.
    pub(super) fn begins_day(&mut self, millis: u64) -> Option<String> {
        let local = self.local(millis);
        let before = self.shown.replace(local.date());
        let begins = before != Some(local.date()) && self.format != TimeFormat::Off;
        begins.then(|| local.strftime(DAY).to_string())
    }
}

/// Returns a time range as the end of a sentence: from `since` until before `until`, both in
/// milliseconds since 1970.
pub(super) fn range_words(since: Option<u64>, until: Option<u64>, zone: &TimeZone) -> String {
    let local = |millis| timestamp(millis).to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    match (since.map(local), until.map(local)) {
        (None, None) => String::new(),
        (Some(since), None) => format!(" since {since}"),
        (None, Some(until)) => format!(" before {until}"),
        (Some(since), Some(until)) => format!(" from {since} to {until}"),
    }
}

/// A moment as RFC 3339 has it, in UTC, with milliseconds.
pub(crate) fn rfc3339(millis: u64) -> String {
    format!("{:.3}", timestamp(millis))
}

/// A moment; of one behind all calendars their end.
pub(super) fn timestamp(millis: u64) -> Timestamp {
    i64::try_from(millis)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shown_in_zone_and_utc() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let mut calendar = Calendar::new(TimeFormat::Strftime("%H:%M:%S".into()), zone.clone());
        let time = 1_795_270_980_005;
        assert_eq!(rfc3339(time), "2026-11-21T14:23:00.005Z");
        assert_eq!(calendar.stamp(time), "[16:23:00] ");
        assert_eq!(calendar.minute(time), " 16:23");
        assert_eq!(calendar.begins_day(time).as_deref(), Some("Saturday, 21 November 2026"));
        assert_eq!(calendar.begins_day(time + 1), None);
        assert_eq!(calendar.begins_day(time + 8 * 3_600_000).as_deref(), Some("Sunday, 22 November 2026"));
        // The clock was set back.
        assert!(calendar.begins_day(time).is_some());
        let mut off = Calendar::new(TimeFormat::Off, zone);
        assert_eq!(
            (off.stamp(time), off.minute(time), off.begins_day(time)),
            (String::new(), String::new(), None)
        );
    }

    #[test]
    fn no_moment_is_beyond_the_calendar() {
        let mut calendar = Calendar::new(TimeFormat::Strftime("%H".into()), TimeZone::UTC);
        assert!(!calendar.stamp(u64::MAX).is_empty() && calendar.begins_day(u64::MAX).is_some());
        assert!(rfc3339(u64::MAX).starts_with("9999-12-"));
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    }
}
