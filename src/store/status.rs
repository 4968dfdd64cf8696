//! How the status of an outgoing message is stored, and which status may follow which.
//!
//! The numbers are documented in docs/HISTORY.md. None is ever given another meaning.

use crate::model::stored::Condition;

/// The columns `status`, `reason` and `attempted` of an outgoing message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Status {
    pub(super) status: u8,
    /// Why it failed; only with [`FAILED`].
    pub(super) reason: Option<u8>,
    /// It is queued, and may have been on its way already.
    pub(super) attempted: bool,
}

/// Waits to be sent. The index `message_queued` relies on this number.
const QUEUED: u8 = 0;
const SENT: u8 = 1;
const DELIVERED: u8 = 2;
const FAILED: u8 = 3;
const EXPIRED: u8 = 4;
const CANCELLED: u8 = 5;
const UNKNOWN: u8 = 6;

/// The reasons of [`FAILED`].
const NOT_SENT: u8 = 1;
const NOT_ACCEPTED: u8 = 2;
const WITHDRAWN: u8 = 3;
const REACHED_ANOTHER_PEER: u8 = 4;

/// Every condition with its columns.
const ALL: [(Condition, Status); 11] = [
    (Condition::Queued, plain(QUEUED)),
    (Condition::Sent, Status { status: QUEUED, reason: None, attempted: true }),
    (Condition::HandedOver, plain(SENT)),
    (Condition::Delivered, plain(DELIVERED)),
    (Condition::NotSent, failed(NOT_SENT)),
    (Condition::NotAccepted, failed(NOT_ACCEPTED)),
    (Condition::Withdrawn, failed(WITHDRAWN)),
    (Condition::Astray, failed(REACHED_ANOTHER_PEER)),
    (Condition::Expired, plain(EXPIRED)),
    (Condition::Cancelled, plain(CANCELLED)),
    (Condition::Uncertain, plain(UNKNOWN)),
];

const fn plain(status: u8) -> Status {
    Status { status, reason: None, attempted: false }
}

const fn failed(reason: u8) -> Status {
    Status { status: FAILED, reason: Some(reason), attempted: false }
}

impl Status {
    /// The columns for `condition`. `again` keeps a queued message marked as attempted.
    pub(super) fn of(condition: Condition, again: bool) -> Self {
        let found = ALL.iter().find(|(it, _)| *it == condition);
        let status = found.map_or(plain(UNKNOWN), |(_, status)| *status);
        Self { attempted: status.attempted || (again && condition == Condition::Queued), ..status }
    }

    /// The condition that these columns stand for; `None` if we never write them.
    pub(super) fn condition(self) -> Option<Condition> {
        ALL.iter().find(|(_, status)| *status == self).map(|(condition, _)| *condition)
    }
}

/// Returns whether a message in one condition may get into another.
///
/// A late report changes nothing that is settled, except that a receipt always counts, and that the
/// user can resend a message that did not arrive for certain.
pub(super) fn may_become(from: Condition, to: Condition) -> bool {
    match (from, to) {
        (Condition::Delivered, to) => to == Condition::Delivered,
        (_, Condition::Delivered) => true,
        (from, _) if from.is_open() => true,
        (from, Condition::Queued) => matches!(
            from,
            Condition::Expired
                | Condition::Cancelled
                | Condition::NotSent
                | Condition::NotAccepted
                | Condition::Withdrawn
                | Condition::Uncertain
        ),
        (_, to) => !to.is_open(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions() -> Vec<Condition> {
        (0..=u8::MAX).map_while(Condition::of).collect()
    }

    #[test]
    fn every_condition_has_columns_of_its_own() {
        for condition in conditions() {
            let status = Status::of(condition, false);
            assert_eq!(status.condition(), Some(condition));
            assert_eq!(status.status == QUEUED, condition.is_open());
            assert_eq!(status.reason.is_some(), status.status == FAILED);
        }
        assert_eq!(Status::of(Condition::Queued, true).condition(), Some(Condition::Sent));
        assert_eq!(Status::of(Condition::Expired, true), Status::of(Condition::Expired, false));
    }

    #[test]
    fn unknown_columns_stand_for_nothing() {
        let odd = [plain(7), plain(FAILED), failed(5), failed(0)];
        let attempted = Status { attempted: true, ..plain(DELIVERED) };
        assert!(odd.into_iter().chain([attempted]).all(|status| status.condition().is_none()));
    }

    #[test]
    fn only_the_user_reopens_a_settled_message() {
        let again = [
            Condition::Expired,
            Condition::Cancelled,
            Condition::NotSent,
            Condition::NotAccepted,
            Condition::Withdrawn,
            Condition::Uncertain,
        ];
        for from in conditions() {
            assert!(may_become(from, from) && may_become(from, Condition::Delivered), "{from:?}");
            for to in conditions() {
                let allowed = match (from.is_open(), to.is_open()) {
                    (true, _) => true,
                    (false, true) => to == Condition::Queued && again.contains(&from),
                    (false, false) => from != Condition::Delivered || to == Condition::Delivered,
                };
                assert_eq!(may_become(from, to), allowed, "{from:?} to {to:?}");
            }
        }
    }
}
