//! Why a talk ended.

use std::io::{self, ErrorKind};

use crate::protocol::session::{ByeReason, RecordFault};

/// Why a talk ended. The connection is closed by then.
#[derive(Clone, PartialEq, Debug)]
pub enum End {
    /// The other side said bye.
    Bye(ByeReason),
    /// We said bye.
    Said(ByeReason),
    /// The other side ended it in good order, without a bye.
    Closed,
    /// We ended it, for it was idle or in use for too long; nothing more was said.
    Over,
    /// The connection was cut or reset.
    Broken(ErrorKind),
    /// The other side was silent or too slow.
    TimedOut,
    /// The other side broke a rule, and was told so.
    NotUnderstood(Fault),
    /// What came is not what the other side has sent, or it has refused our key ([`rustls::Error::AlertReceived`]).
    Tls(rustls::Error),
}

/// Which rule the other side broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Bytes that are no records, or too many.
    Record(RecordFault),
    /// It ended amid a record.
    HalfRecord,
    /// Something else came before its hello.
    NoHello,
    /// Its hello repeats other lines than those that were said before TLS: somebody has changed them on their way.
    Lines,
    /// It spoke before it had our hello.
    TooEarly,
    /// A record that its side has no business to send then: a second hello, a receipt for what was not said.
    Unasked,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Self::Tls(tls.clone());
        }
        match error.kind() {
            ErrorKind::TimedOut => Self::TimedOut,
            kind => Self::Broken(kind),
        }
    }
}
