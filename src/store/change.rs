//! Which condition of a text of ours may follow which.

use crate::model::stored::Condition;

/// Whether a text that is in one condition may get into another. What comes late changes nothing that is settled: only the user can
/// have sent again what did not arrive for certain, and a receipt counts whenever it comes.
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

    #[test]
    fn what_is_settled_is_not_open_again_but_where_the_user_has_it_sent_again() {
        let all: Vec<_> = (0..=u8::MAX).map_while(Condition::of).collect();
        let again = [
            Condition::Expired,
            Condition::Cancelled,
            Condition::NotSent,
            Condition::NotAccepted,
            Condition::Withdrawn,
            Condition::Uncertain,
        ];
        for &from in &all {
            assert!(may_become(from, from) && may_become(from, Condition::Delivered), "{from:?}");
            for &to in &all {
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
