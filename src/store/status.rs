//! How the status of an outgoing message is stored, and which status may follow which.
//!
//! The numbers are documented in docs/HISTORY.md. None is ever given another meaning.

use crate::model::delivery::{DeliveryStatus, FailureReason, PendingReason};
use crate::model::message::SendError;

/// The columns `status`, `reason` and `attempted` of an outgoing message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Columns {
    pub(super) status: u8,
    /// Why it failed; only with [`FAILED`].
    pub(super) reason: Option<u8>,
    /// It may have been sent; only with [`QUEUED`].
    pub(super) attempted: bool,
}

/// Waits to be sent. The index `message_queued` relies on this number.
pub(super) const QUEUED: u8 = 0;
pub(super) const SENT: u8 = 1;
pub(super) const DELIVERED: u8 = 2;
pub(super) const FAILED: u8 = 3;
pub(super) const EXPIRED: u8 = 4;
pub(super) const CANCELLED: u8 = 5;
pub(super) const UNKNOWN: u8 = 6;

/// The reasons of [`FAILED`].
pub(super) const NOT_SENT: u8 = 1;
pub(super) const NOT_ACCEPTED: u8 = 2;
pub(super) const WITHDRAWN: u8 = 3;
pub(super) const REACHED_ANOTHER_PEER: u8 = 4;

impl Columns {
    /// A status that is not [`FAILED`], of a message that was not attempted.
    pub(super) const fn plain(status: u8) -> Self {
        Self { status, reason: None, attempted: false }
    }

    pub(super) const fn failed(reason: u8) -> Self {
        Self { status: FAILED, reason: Some(reason), attempted: false }
    }

    pub(super) const fn queued(attempted: bool) -> Self {
        Self { status: QUEUED, reason: None, attempted }
    }

    /// Returns the columns of a status. They keep no details of it.
    pub(super) fn of(status: &DeliveryStatus, attempted: bool) -> Self {
        match status {
            DeliveryStatus::Queued(_) => Self::queued(attempted),
            DeliveryStatus::Sent => Self::plain(SENT),
            DeliveryStatus::Delivered => Self::plain(DELIVERED),
            DeliveryStatus::Failed(reason) => Self::failed(match reason {
                FailureReason::NotAccepted => NOT_ACCEPTED,
                FailureReason::Blocked | FailureReason::Forgotten | FailureReason::Replaced => WITHDRAWN,
                FailureReason::ReachedAnother(_) => REACHED_ANOTHER_PEER,
                // The core stores no `Ended`: the message stays queued for the next run.
                FailureReason::Ended { .. }
                | FailureReason::QueueFull
                | FailureReason::NotSent(_)
                | FailureReason::Rejected(_) => NOT_SENT,
            }),
            DeliveryStatus::Expired => Self::plain(EXPIRED),
            DeliveryStatus::Cancelled => Self::plain(CANCELLED),
            DeliveryStatus::Unknown => Self::plain(UNKNOWN),
        }
    }

    /// Returns the nearest status, with the details that [`crate::model::stored::Direction`] names;
    /// `None` if we never write these columns.
    pub(super) fn read(self) -> Option<DeliveryStatus> {
        let reason = |reason| match reason {
            NOT_SENT => Some(FailureReason::NotSent(SendError::Other("the reason is not stored".into()))),
            NOT_ACCEPTED => Some(FailureReason::NotAccepted),
            WITHDRAWN => Some(FailureReason::Blocked),
            REACHED_ANOTHER_PEER => Some(FailureReason::ReachedAnother(None)),
            _ => None,
        };
        Some(match (self.status, self.reason, self.attempted) {
            (QUEUED, None, false) => DeliveryStatus::Queued(PendingReason::InLine),
            (QUEUED, None, true) => DeliveryStatus::Queued(PendingReason::NoReceipt),
            (SENT, None, false) => DeliveryStatus::Sent,
            (DELIVERED, None, false) => DeliveryStatus::Delivered,
            (FAILED, Some(number), false) => DeliveryStatus::Failed(reason(number)?),
            (EXPIRED, None, false) => DeliveryStatus::Expired,
            (CANCELLED, None, false) => DeliveryStatus::Cancelled,
            (UNKNOWN, None, false) => DeliveryStatus::Unknown,
            _ => return None,
        })
    }

    pub(super) fn is_queued(self) -> bool {
        self.status == QUEUED
    }

    /// Returns whether a report about a message with these columns may change them to `to`.
    ///
    /// A late report changes nothing that is final, except that a receipt always counts.
    pub(super) fn may_become(self, to: Self) -> bool {
        match (self.status, to.status) {
            (DELIVERED, to) => to == DELIVERED,
            (_, DELIVERED) | (QUEUED, _) => true,
            (_, to) => to != QUEUED,
        }
    }

    /// Returns whether the user may send a message with these columns again: it is queued, or it
    /// did not arrive for certain.
    pub(super) fn may_be_resent(self) -> bool {
        match self.status {
            QUEUED | EXPIRED | CANCELLED | UNKNOWN => true,
            FAILED => self.reason != Some(REACHED_ANOTHER_PEER),
            _ => false,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::delivery::RejectReason;

    /// Every status that the store tells apart, as it is read back, and whether it was attempted.
    pub(in super::super) fn all() -> Vec<(DeliveryStatus, bool)> {
        let not_sent = FailureReason::NotSent(SendError::Other("the reason is not stored".into()));
        vec![
            (DeliveryStatus::Queued(PendingReason::InLine), false),
            (DeliveryStatus::Queued(PendingReason::NoReceipt), true),
            (DeliveryStatus::Delivered, false),
            (DeliveryStatus::Sent, false),
            (DeliveryStatus::Unknown, false),
            (DeliveryStatus::Failed(FailureReason::ReachedAnother(None)), false),
            (DeliveryStatus::Failed(not_sent), false),
            (DeliveryStatus::Failed(FailureReason::NotAccepted), false),
            (DeliveryStatus::Failed(FailureReason::Blocked), false),
            (DeliveryStatus::Expired, false),
            (DeliveryStatus::Cancelled, false),
        ]
    }

    fn all_columns() -> Vec<Columns> {
        all().iter().map(|(status, attempted)| Columns::of(status, *attempted)).collect()
    }

    #[test]
    fn every_status_has_columns_of_its_own() {
        for (status, attempted) in all() {
            let columns = Columns::of(&status, attempted);
            assert_eq!((columns.read().as_ref(), columns.attempted), (Some(&status), attempted));
            assert_eq!(columns.is_queued(), !status.is_final());
            assert_eq!(columns.reason.is_some(), columns.status == FAILED);
        }
        let queued = DeliveryStatus::Queued(PendingReason::Unreachable);
        assert_eq!(Columns::of(&queued, true), Columns::queued(true));
        assert_eq!(Columns::of(&DeliveryStatus::Expired, true), Columns::plain(EXPIRED));
    }

    #[test]
    fn details_are_read_back_as_the_nearest_status() {
        let reads = |reason| Columns::of(&DeliveryStatus::Failed(reason), false).read().unwrap();
        assert_eq!(reads(FailureReason::Replaced), DeliveryStatus::Failed(FailureReason::Blocked));
        let another = FailureReason::ReachedAnother("127.0.0.1:1".parse().ok());
        assert_eq!(reads(another), DeliveryStatus::Failed(FailureReason::ReachedAnother(None)));
        let not_sent = reads(FailureReason::NotSent(SendError::Refused));
        assert_eq!(reads(FailureReason::QueueFull), not_sent);
        assert_eq!(reads(FailureReason::Rejected(RejectReason::Ourselves)), not_sent);
    }

    #[test]
    fn unknown_columns_stand_for_nothing() {
        let odd = [Columns::plain(7), Columns::plain(FAILED), Columns::failed(5), Columns::failed(0)];
        let attempted = Columns { attempted: true, ..Columns::plain(DELIVERED) };
        let reason = Columns { reason: Some(NOT_SENT), ..Columns::plain(SENT) };
        assert!(odd.into_iter().chain([attempted, reason]).all(|columns| columns.read().is_none()));
    }

    #[test]
    fn late_reports_change_nothing_final_but_receipts() {
        for from in all_columns() {
            assert!(from.may_become(from) && from.may_become(Columns::plain(DELIVERED)), "{from:?}");
            for to in all_columns() {
                let allowed = match (from.is_queued(), to.is_queued()) {
                    (true, _) => true,
                    (false, true) => false,
                    (false, false) => from.status != DELIVERED || to.status == DELIVERED,
                };
                assert_eq!(from.may_become(to), allowed, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn messages_that_may_have_arrived_are_not_resent() {
        let settled: Vec<_> = all_columns().into_iter().filter(|columns| !columns.may_be_resent()).collect();
        let expected =
            [Columns::plain(DELIVERED), Columns::plain(SENT), Columns::failed(REACHED_ANOTHER_PEER)];
        assert_eq!(settled, expected);
    }
}
