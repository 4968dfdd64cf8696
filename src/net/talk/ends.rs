//! What an end of a connection means to the chat.

use crate::model::key::PublicKey;
use crate::model::session::{ByeReason, TalkEnd};
use crate::net::secure::Refused;
use crate::net::secure::talk::{End, Fault};

/// Why there is no encrypted connection, to who has this key.
pub(super) fn refused(refused: Refused, own: PublicKey) -> TalkEnd {
    match refused {
        Refused::NoLine => TalkEnd::NoOk,
        // Where another key was expected, ours is a wrong one.
        Refused::WrongKey(wrong) if wrong.offered == own => TalkEnd::Ourselves,
        Refused::WrongKey(wrong) => TalkEnd::WrongKey(wrong.offered),
        Refused::Ourselves => TalkEnd::Ourselves,
        Refused::Tls(_) => TalkEnd::NotSecure,
        Refused::TooEarly | Refused::Io(_) => TalkEnd::Broken,
    }
}

/// Why what was to be said could not be.
pub(super) fn talked(end: &End) -> TalkEnd {
    match end {
        End::Bye(reason) => TalkEnd::Bye(*reason),
        End::Tls(_) | End::NotUnderstood(Fault::Lines) => TalkEnd::NotSecure,
        End::Said(_) | End::Closed | End::Over | End::Broken(_) | End::TimedOut | End::NotUnderstood(_) => {
            TalkEnd::Broken
        }
    }
}

/// What the other side gave for a reason; [`ByeReason::Idle`] where either ended it in good order without one, and `None` where it broke.
pub(super) fn bye(end: &End) -> Option<ByeReason> {
    match end {
        End::Bye(reason) => Some(*reason),
        End::Said(_) | End::Closed | End::Over => Some(ByeReason::Idle),
        End::Broken(_) | End::TimedOut | End::NotUnderstood(_) | End::Tls(_) => None,
    }
}
