//! The error of a run that was started with something missing or wrong.

use std::fmt;

/// The program was started with something missing or wrong. Its display is a whole sentence for a
/// user.
#[derive(Debug)]
pub struct Misused(String);

impl fmt::Display for Misused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misused {}

impl Misused {
    /// Takes the sentence that says what is wrong and what would be right.
    pub fn new(sentence: impl fmt::Display) -> Self {
        Self(sentence.to_string())
    }
}
