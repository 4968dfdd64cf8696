//! The types of presence: what the user is shown, what was seen, and how a peer is probed.

/// What the user is shown of a peer's presence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PresenceStatus {
    /// It is online, and one side has asked the other to be listed.
    Connected,
    /// It is online.
    Online,
    /// It does not answer at the moment.
    Unreachable,
    /// It is offline.
    Offline,
}

/// Why a peer is offline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OfflineReason {
    /// It was not seen in this run.
    NotSeenYet,
    /// No program listens at its address any more.
    Refused,
    /// It has not answered for [`GONE_AFTER`](super::GONE_AFTER).
    NoAnswer,
    /// It said goodbye.
    SaidGoodbye,
    /// We said goodbye.
    Disconnected,
    /// Another peer has proven its key at its address.
    Replaced,
}

/// What shows that a peer is online.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProbeResult {
    /// It closed an empty connection.
    Dialed,
    /// It took a message.
    TookMessage,
    /// It took a `connect`.
    TookConnect,
}

/// How to probe a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    /// See whether a program serves its address.
    Dial,
    /// Ask it to list us.
    Connect,
}
