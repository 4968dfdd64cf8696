//! The time in the chat. `cli/history/calendar.rs` has the times of `p2p-chat history`.

use std::sync::Arc;

use jiff::{Timestamp, Unit, Zoned};

use crate::cli::history::late_words;
use crate::settings::TimeFormat;

/// The format of the line at the start of a day.
const DAY: &str = "%A, %-d %B %Y";

/// The format of a day in a sentence.
const DATE: &str = "%-d %B %Y";

/// Returns the day of a time in seconds since 1970, for use in a sentence.
pub(super) fn date(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    match at {
        Some(at) => Zoned::new(at, jiff::tz::TimeZone::system()).strftime(DATE).to_string(),
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

/// Returns a duration in its largest unit, rounded up.
pub(super) fn span(time: std::time::Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (count, unit) = match seconds {
        0..=60 => (seconds, "second"),
        61..=3_600 => (seconds.div_ceil(60), "minute"),
        3_601..=86_400 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The local time, in the user's format.
pub(super) struct Clock {
    format: TimeFormat,
    /// Whether the format shows whole seconds only, so that a stamp is valid for a second.
    whole_seconds: bool,
    second: i64,
    moment: Moment,
    /// The day of the last shown line.
    shown: Option<Arc<str>>,
}

/// A formatted time.
#[derive(Clone)]
pub(super) struct Moment {
    /// `[14:03:07] `, or nothing if the user wants none.
    pub(super) stamp: Arc<str>,
    /// `Saturday, 21 November 2026`.
    pub(super) day: Arc<str>,
}

impl Clock {
    pub(super) fn new(format: TimeFormat) -> Self {
        let now = Zoned::now();
        let whole = now.round(Unit::Second).unwrap_or_else(|_| now.clone());
        let part =
            whole.checked_add(jiff::Span::new().nanoseconds(123_456_789)).unwrap_or_else(|_| now.clone());
        let whole_seconds = stamp(&format, &whole) == stamp(&format, &part);
        let second = now.timestamp().as_second();
        Self { whole_seconds, second, moment: moment(&format, &now), format, shown: None }
    }

    /// Returns the current time.
    pub(super) fn now(&mut self) -> Moment {
        let now = Timestamp::now();
        if !self.whole_seconds || now.as_second() != self.second {
            self.second = now.as_second();
            self.moment = moment(&self.format, &Zoned::new(now, jiff::tz::TimeZone::system()));
        }
        self.moment.clone()
    }

    /// Returns the stamp and the day of a time in milliseconds since 1970.
    pub(super) fn of(&self, millis: u64) -> (Arc<str>, Arc<str>) {
        let at = i64::try_from(millis).ok().and_then(|millis| Timestamp::from_millisecond(millis).ok());
        let at = Zoned::new(at.unwrap_or(Timestamp::UNIX_EPOCH), jiff::tz::TimeZone::system());
        let Moment { stamp, day } = moment(&self.format, &at);
        (stamp, day)
    }

    /// Returns when a message was sent, in words, if it came much later.
    pub(super) fn late(&self, sent: u64, came: u64) -> Option<String> {
        late_words(&self.format, sent, came, &jiff::tz::TimeZone::system())
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
