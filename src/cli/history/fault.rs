//! Why a history cannot be read or changed, and what helps.

use std::path::Path;

use crate::settings::Misused;
use crate::store::StoreError;

/// The error for the user: one sentence that says what is wrong with the file, and one that says
/// what to do.
pub(super) fn told(error: &StoreError, path: &Path) -> anyhow::Error {
    let path = path.display();
    match error {
        StoreError::OtherFormat(_) => Misused::new(format!(
            "Cannot use {path}: {error}. The file is unchanged; use that version to read it."
        ))
        .into(),
        StoreError::Damaged => Misused::new(format!(
            "Cannot use {path}: {error}. Restore a copy, or start the chat, which sets the file aside and creates a new one."
        ))
        .into(),
        StoreError::Busy => anyhow::anyhow!("Cannot use {path}: {error}; try again in a moment."),
        StoreError::Full => anyhow::anyhow!("Cannot change {path}: {error}; free some space and try again."),
        StoreError::NoRoom | StoreError::Other(_) => anyhow::anyhow!("Cannot use {path}: {error}."),
    }
}
