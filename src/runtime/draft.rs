//! Turns what the user writes into messages.

use std::sync::Arc;

use super::Node;
use super::store_writer::clock;
use crate::core::Target;
use crate::crypto;
use crate::model::name::Name;
use crate::model::session::Message;
use crate::protocol::plain::{EncodeError, messages_for};
use crate::protocol::session::MAX_TEXT_BYTES;

/// Why a text cannot be sent to anyone. Displayed as whole sentences.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
pub(crate) enum DraftError {
    /// It is too long even for a peer with a key.
    #[error(
        "The message has {bytes} bytes. The limit is {MAX_TEXT_BYTES} encrypted and {plain} unencrypted. Shorten or divide it."
    )]
    TooLong {
        bytes: usize,
        /// The limit for legacy peers.
        plain: usize,
    },
    /// There is nothing to send.
    #[error("{0}")]
    Nothing(EncodeError),
    /// A message needs a random id.
    #[error("The system provides no random numbers, and nothing can be sent without them.")]
    NoRandom,
}

/// Returns the body of an encrypted message: the text without blank lines around it.
pub(crate) fn body_of(text: &str) -> Arc<str> {
    text.replace("\r\n", "\n").trim_start_matches('\n').trim_end().into()
}

/// Returns the body of a text that can be sent. One that is too long for a legacy peer can go to a
/// key.
fn checked(text: &str, name: &Name) -> Result<Arc<str>, DraftError> {
    let body = body_of(text);
    match messages_for(text, name) {
        Ok(_) => Ok(body),
        Err(EncodeError::TooLong { .. }) if body.len() <= MAX_TEXT_BYTES => Ok(body),
        Err(EncodeError::TooLong { limit, .. }) => {
            Err(DraftError::TooLong { bytes: body.len(), plain: limit })
        }
        Err(error) => Err(DraftError::Nothing(error)),
    }
}

impl Node {
    /// Returns whether at least one recipient would be sent this text now, or would have it queued.
    pub(crate) fn takes_text(&self, to: &Target, text: &str) -> bool {
        let locked = self.shared.locked.lock();
        let state = locked.machine.state();
        checked(text, state.name()).is_ok_and(|body| state.takes_message(to, &body))
    }

    /// Makes a message of a text, with a new id.
    ///
    /// # Errors
    /// If the text cannot be sent to anyone.
    pub(crate) fn draft(&self, text: &str) -> Result<Message, DraftError> {
        let body = checked(text, &self.name())?;
        let id = crypto::message_id().ok_or(DraftError::NoRandom)?;
        Ok(Message { id, time: clock(), again: false, to_all: false, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Result<Arc<str>, DraftError> {
        checked(text, &"Alice".parse().unwrap())
    }

    #[test]
    fn body_keeps_line_ends_without_outer_blank_lines() {
        assert_eq!(&*body_of("\n\n  one\r\n\r\n\ttwo  \n\n"), "  one\n\n\ttwo");
        assert_eq!(&*body_of(" \n "), "");
    }

    #[test]
    fn long_text_is_sent_only_to_keys() {
        for fits in [5, 2_000, 20_000, MAX_TEXT_BYTES] {
            assert_eq!(draft(&"x".repeat(fits)).unwrap().len(), fits);
        }
        let sentence = draft(&"x".repeat(MAX_TEXT_BYTES + 1)).expect_err("too long").to_string();
        assert!(
            sentence.starts_with("The message has 65537 bytes. The limit is 65536 encrypted and 15"),
            "{sentence}"
        );
        assert!(draft(" \n ").is_err());
    }
}
