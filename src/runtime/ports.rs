//! What a step needs from outside: the network, the store and the user's events.

use crate::core::{Event, WriteId};
use crate::model::address::{Source, SourcePrefix};
use crate::model::stored::StoreOp;
use crate::net::Transport;
use crate::net::sessions::LinkId;

/// Where the outputs of a step go. None of it blocks.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Requests to the network.
    pub transport: &'a dyn Transport,
    /// Writes.
    pub store: &'a dyn StoreQueue,
    /// Events for the user.
    pub events: &'a dyn EventSink,
}

/// Takes events for the user.
pub trait EventSink {
    /// Adds an event. It counts against the source that caused it.
    fn put(&self, event: Event, source: Option<SourcePrefix>);

    /// Returns whether there is room for events that this source causes.
    fn has_room(&self, source: SourcePrefix) -> bool;
}

/// Takes writes to the store.
pub trait StoreQueue {
    /// Queues a write.
    fn put(&self, write: QueuedWrite) -> Put;

    /// Returns whether there is room for messages from this source.
    fn has_room(&self, _source: SourcePrefix) -> bool {
        true
    }
}

/// What a store queue has done with a write.
#[derive(Debug)]
pub enum Put {
    /// It is queued. [`Step::wrote`](super::Step::wrote) takes the result.
    Queued,
    /// It is of received messages, and there is no room for more of those.
    Full(QueuedWrite),
}

/// A write, and who is told its result.
#[derive(Debug)]
pub struct QueuedWrite {
    /// What is written.
    pub op: StoreOp,
    pub(super) report_to: ReportTo,
    /// The source that caused it; `None` for the user.
    pub(super) source: Option<SourcePrefix>,
}

/// Who is told the result of a write.
#[derive(Debug)]
pub(super) enum ReportTo {
    /// The core, if it fails.
    CoreOnError,
    Core(WriteId),
    /// The core, and the session that received the messages from this source.
    Session(Source, LinkId),
    /// The core: the message from this source was held until the user accepted its sender.
    Accepted(Source),
}

impl QueuedWrite {
    pub(super) fn new(id: Option<WriteId>, op: StoreOp) -> Self {
        Self { op, report_to: id.map_or(ReportTo::CoreOnError, ReportTo::Core), source: None }
    }
}
