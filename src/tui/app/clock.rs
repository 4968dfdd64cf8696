//! The time in the chat. `cli/history/calendar.rs` has the times of `p2p-chat history`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::settings::TimeFormat;
use crate::tui::counted;

/// The format of the line at the start of a day.
const DAY: &str = "%A, %-d %B %Y";

/// The format of a day in a sentence.
const DATE: &str = "%-d %B %Y";

/// A message that took longer than this to arrive says when it was sent, in milliseconds.
const LATE: u64 = 60_000;

/// Seconds for which the name of a weekday is enough.
const WEEK: i64 = 6 * 86_400;

/// Returns the day of a time in seconds since 1970, for use in a sentence.
pub(super) fn date(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    match at {
        Some(at) => Zoned::new(at, TimeZone::system()).strftime(DATE).to_string(),
        None => "a day far away".into(),
    }
}

/// Returns the time in milliseconds since 1970.
pub(super) fn millis() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// Returns the time in seconds since 1970.
pub(super) fn seconds() -> u64 {
    millis() / 1_000
}

/// Returns when a message was sent, like `Mon 14:03`, if it arrived more than a minute later and
/// the user wants times. The time sent is the sender's claim.
pub(crate) fn late_words(format: &TimeFormat, sent: u64, came: u64, zone: &TimeZone) -> Option<String> {
    let is_late = came.saturating_sub(sent) > LATE && *format != TimeFormat::Off;
    let (sent, came) = if is_late { (timestamp(sent)?, timestamp(came)?) } else { return None };
    let is_near = came.as_second() - sent.as_second() < WEEK;
    let words = if is_near { "%a %H:%M" } else { "%-d %b %Y %H:%M" };
    Some(sent.to_zoned(zone.clone()).strftime(words).to_string())
}

/// Returns a time in milliseconds since 1970, if the calendar has it.
fn timestamp(millis: u64) -> Option<Timestamp> {
    i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok())
}

/// Returns a duration in its largest unit, rounded up.
pub(super) fn span(time: std::time::Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (count, unit) = match seconds {
        0..=60 => (seconds, "second"),
        61..=3_600 => (seconds.div_ceil(60), "minute"),
        3_601..=86_400 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    counted(count, unit)
}

/// The local time, in the user's format.
pub(super) struct Clock {
    format: TimeFormat,
    /// The day of the last shown line.
    shown: Option<Arc<str>>,
}

pub(super) struct Moment {
    /// `[14:03:07] `, or nothing if the user wants none.
    pub(super) stamp: Arc<str>,
    /// `Saturday, 21 November 2026`.
    pub(super) day: Arc<str>,
}

impl Clock {
    pub(super) fn new(format: TimeFormat) -> Self {
        Self { format, shown: None }
    }

    pub(super) fn now(&self) -> Moment {
        moment(&self.format, &Zoned::now())
    }

    /// Returns the stamp and the day of a time in milliseconds since 1970.
    pub(super) fn of(&self, millis: u64) -> (Arc<str>, Arc<str>) {
        let at = Zoned::new(timestamp(millis).unwrap_or(Timestamp::UNIX_EPOCH), TimeZone::system());
        let Moment { stamp, day } = moment(&self.format, &at);
        (stamp, day)
    }

    /// Returns when a message was sent, in words, if it came much later.
    pub(super) fn late(&self, sent: u64, came: u64) -> Option<String> {
        late_words(&self.format, sent, came, &TimeZone::system())
    }

    /// Records that a line of now is shown. Returns the day if it has to be shown first, because it
    /// is a new one.
    pub(super) fn begins_day(&mut self) -> Option<Arc<str>> {
        let day = self.now().day;
        let before = self.shown.replace(Arc::clone(&day));
        (before.is_some_and(|before| before != day) && self.format != TimeFormat::Off).then_some(day)
    }
}

fn moment(format: &TimeFormat, now: &Zoned) -> Moment {
    Moment { stamp: stamp(format, now).into(), day: now.strftime(DAY).to_string().into() }
}

fn stamp(format: &TimeFormat, now: &Zoned) -> String {
    match format {
        TimeFormat::Off => String::new(),
        // The command line refuses invalid formats.
        TimeFormat::Strftime(format) => {
            jiff::fmt::strtime::format(format, now).map(|time| format!("[{time}] ")).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_message_says_when_it_was_sent() {
        let (zone, format) = (TimeZone::fixed(jiff::tz::offset(2)), TimeFormat::Strftime("%H".into()));
        let late = |sent, came| late_words(&format, sent, came, &zone);
        let (sent, minute) = (1_795_270_980_005, 60_000);
        assert_eq!(late(sent, sent + minute), None);
        assert_eq!(late(sent + minute, sent), None, "its clock is ahead");
        assert_eq!(late(sent, sent + minute + 1).as_deref(), Some("Sat 16:23"));
        assert_eq!(late(sent, sent + 10_000 * minute).as_deref(), Some("21 Nov 2026 16:23"));
        assert_eq!(late(0, sent).as_deref(), Some("1 Jan 1970 02:00"));
        assert_eq!(late_words(&TimeFormat::Off, 0, sent, &zone), None);
    }
}
