//! What an end of a connection means to the chat.

use crate::model::key::PublicKey;
use crate::model::session::{ByeReason, RequestEnd};
use crate::net::secure::Refused;
use crate::net::secure::talk::{End, Fault};

/// Why there is no encrypted connection, to who has this key.
pub(super) fn refused(refused: Refused, own: PublicKey) -> RequestEnd {
    match refused {
        Refused::NoLine => RequestEnd::NoSession,
        // Where another key was expected, ours is a wrong one.
        Refused::WrongKey(wrong) if wrong.offered == own => RequestEnd::Ourselves,
        Refused::WrongKey(wrong) => RequestEnd::WrongKey(wrong.offered),
        Refused::Ourselves => RequestEnd::Ourselves,
        Refused::Tls(_) => RequestEnd::NotSecure,
        Refused::TooEarly | Refused::Io(_) => RequestEnd::Broken,
    }
}

/// Why what was to be said could not be.
pub(super) fn talked(end: &End) -> RequestEnd {
    match end {
        End::Bye(reason) => RequestEnd::Bye(*reason),
        End::Tls(_) | End::NotUnderstood(Fault::Lines) => RequestEnd::NotSecure,
        End::Said(_) | End::Closed | End::Over | End::Broken(_) | End::TimedOut | End::NotUnderstood(_) => {
            RequestEnd::Broken
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
