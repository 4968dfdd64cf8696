//! The types of single settings.

use std::path::PathBuf;
use std::str::FromStr;

use unicode_width::UnicodeWidthStr;

use crate::model::untrusted::{harmless, is_harmless};

/// Where the settings give the name of the user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum NameSource {
    /// In `--name`, or in an answer on the terminal.
    #[default]
    Flag,
    /// In `P2P_CHAT_NAME`.
    Variable,
    /// In this config.toml.
    File(PathBuf),
}

/// When to write in colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ColorWhen {
    /// On a terminal with colours, unless NO_COLOR is set.
    Auto,
    /// Even in a file or a pipe.
    Always,
    Never,
}

/// How to have the terminal notify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notify {
    /// With the sequence that the terminal is known to support, if any.
    Auto,
    /// With the escape sequence OSC 9.
    Osc9,
    /// With the escape sequence OSC 777.
    Osc777,
    /// Never.
    Off,
}

/// How to write the time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TimeFormat {
    Off,
    /// In this format of strftime, which is known to work.
    Strftime(String),
}

/// Columns that a time may take: as much as a date with the time of day and the zone.
const MAX_TIME_COLUMNS: usize = 40;

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("off") {
            return Ok(Self::Off);
        }
        let example = "write one like %H:%M or %Y-%m-%d %H:%M:%S, or off.";
        if text.trim().is_empty() {
            return Err(format!("a time format cannot be empty; {example}"));
        }
        let shown = jiff::fmt::strtime::format(text, &jiff::Zoned::now())
            .map_err(|error| format!("{}; {example}", harmless(&error.to_string())))?;
        if !is_harmless(&shown) {
            return Err(format!("the time would contain control or invisible characters; {example}"));
        }
        if shown.width() > MAX_TIME_COLUMNS {
            return Err(format!("the time would take more than {MAX_TIME_COLUMNS} columns; {example}"));
        }
        Ok(Self::Strftime(text.to_owned()))
    }
}

/// Parses a port to listen on; 0 picks a free one.
pub(crate) fn listening_port(text: &str) -> Result<u16, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits);
    port.ok_or_else(|| "a port is a number from 1 to 65535, or 0 for a free one.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_format_must_be_printable() {
        assert_eq!("off".parse(), Ok(TimeFormat::Off));
        assert_eq!("%H:%M".parse(), Ok(TimeFormat::Strftime("%H:%M".into())));
        for wrong in ["", " ", "%", "%!", "%H%n%M", "\u{1b}[31m%H", &"x".repeat(41)] {
            let sentence = wrong.parse::<TimeFormat>().unwrap_err();
            assert!(sentence.ends_with("or off."), "{wrong:?}: {sentence}");
        }
    }

    #[test]
    fn listening_port_is_a_number_or_zero() {
        assert_eq!(listening_port("0"), Ok(0));
        assert_eq!(listening_port("65535"), Ok(65535));
        for wrong in ["", "65536", "-1", "+5", "5 ", "five"] {
            assert!(listening_port(wrong).is_err(), "{wrong}");
        }
    }
}
