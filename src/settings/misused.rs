//! The error of a run that was started with something missing or wrong.

use std::fmt;

/// The program was started with something missing or wrong. Its display is a whole sentence for a
/// user.
#[derive(thiserror::Error, Debug)]
#[error("{0}")]
pub struct Misused(String);

impl Misused {
    /// Takes the sentence that says what is wrong and what would be right.
    pub fn new(sentence: impl fmt::Display) -> Self {
        Self(sentence.to_string())
    }
}
