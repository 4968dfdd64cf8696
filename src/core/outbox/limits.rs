//! How much the outbox holds: per recipient, and in all.

/// Messages queued for one recipient at most: more than a user writes to a peer that is offline for
/// a week.
pub const MAX_QUEUE_MESSAGES: usize = 1_000;

/// Bytes queued for one recipient at most: sixty-four messages of the longest kind.
pub(super) const MAX_QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of all queues at most: a thousand messages of the longest kind.
pub(super) const MAX_OUTBOX_BYTES: usize = 64 * 1024 * 1024;

/// What an entry counts beside its text: about its size in memory.
pub(super) const ENTRY_BYTES: usize = 256;
