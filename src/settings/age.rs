//! How long something lasts, or how long ago it was, as people write it: `90d`, `12h`, `30m`,
//! `45s`, `2w`. Pure.

use std::str::FromStr;
use std::time::Duration;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// The units, and how many seconds each has.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 60 * 60), ('d', DAY), ('w', 7 * DAY)];

/// The longest age: a hundred years, so that no moment is before all calendars.
const MAX_AGE: Duration = Duration::from_secs(36_500 * DAY);

/// The longest time that a message waits for its recipient. A message of a year ago is hardly of
/// use.
const MAX_EXPIRE: Duration = Duration::from_secs(365 * DAY);

/// A time of one second to a hundred years.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Age(Duration);

impl Age {
    /// How long it is.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// The same in milliseconds.
    pub fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "an age is a whole number and a unit, such as 45s, 30m, 12h, 90d or 2w.".to_owned();
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let digits = &text[..text.len() - unit.len_utf8()];
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        // What has too many digits is too long as well.
        let seconds = digits.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(*seconds);
        match Duration::from_secs(seconds) {
            Duration::ZERO => Err("an age cannot be zero; the shortest is 1s.".into()),
            age if age > MAX_AGE => Err("that is too long; the longest is 36500d, a hundred years.".into()),
            age => Ok(Self(age)),
        }
    }
}

/// Parses how long a message waits for its recipient.
pub fn expiry(text: &str) -> Result<Age, String> {
    let age: Age = text.parse()?;
    if age.0 > MAX_EXPIRE {
        return Err("a message stays queued for at most 365d.".into());
    }
    Ok(age)
}

/// For how long messages are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// Until the user forgets them.
    Forever,
    /// Until they are so old.
    For(Age),
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("forever") {
            return Ok(Self::Forever);
        }
        let age = text.parse().map_err(|why: String| format!("{why} Or write forever."))?;
        Ok(Self::For(age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("45s", 45),
            ("30m", 1_800),
            ("12h", 43_200),
            ("90d", 7_776_000),
            ("2w", 1_209_600),
            ("007d", 604_800),
        ] {
            assert_eq!(text.parse::<Age>().unwrap().duration(), Duration::from_secs(seconds), "{text}");
        }
        assert_eq!("36500d".parse::<Age>().unwrap().millis(), 3_153_600_000_000);
    }

    #[test]
    fn invalid_age_is_refused_with_a_sentence() {
        let huge = format!("{}w", "9".repeat(1_000));
        for wrong in
            ["", "7", "d", "7 d", "-7d", "+7d", "7D", "7y", "1.5h", "7é", "７d", "0s", "0w", "36501d", &huge]
        {
            let sentence = wrong.parse::<Age>().expect_err(wrong);
            assert!(sentence.ends_with('.') && sentence.len() < 100, "{wrong}: {sentence}");
        }
    }

    #[test]
    fn a_text_waits_for_a_year_at_most() {
        assert!(expiry("1s").is_ok() && expiry("365d").is_ok());
        assert!(expiry("366d").is_err() && expiry("53w").is_err() && expiry("forever").is_err());
    }

    #[test]
    fn messages_are_kept_for_an_age_or_forever() {
        assert_eq!("Forever".parse(), Ok(Keep::Forever));
        assert_eq!("2w".parse(), Ok(Keep::For("14d".parse().unwrap())));
        assert!("never".parse::<Keep>().unwrap_err().ends_with("Or write forever."));
    }
}
