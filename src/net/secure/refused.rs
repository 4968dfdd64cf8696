//! Why there is no encrypted connection.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::verifier::WrongKey;
use crate::model::key::PublicKey;
use crate::model::session::RequestEnd;

/// Why there is no encrypted connection.
#[derive(Debug)]
pub enum Refused {
    /// Something else came than the line that the other side has to say: it is no p2p-chat, or somebody swallows or changes the line.
    NoLine,
    /// More than the line came before we said ok.
    TooEarly,
    /// The other side has proven another key than the one expected; ours was not sent.
    WrongKey(WrongKey),
    /// The other side has our own key: it is us.
    Ourselves,
    /// The handshake failed; [`rustls::Error::AlertReceived`] where the other side refused.
    Tls(Error),
    /// The connection broke, or its time was over ([`io::ErrorKind::TimedOut`]).
    Io(io::Error),
}

impl Refused {
    /// What it means for a request, to the program with the key `own`.
    pub fn end(self, own: PublicKey) -> RequestEnd {
        match self {
            Self::NoLine => RequestEnd::NoSession,
            // Where another key was expected, ours is a wrong one.
            Self::WrongKey(wrong) if wrong.offered == own => RequestEnd::Ourselves,
            Self::WrongKey(wrong) => RequestEnd::WrongKey(wrong.offered),
            Self::Ourselves => RequestEnd::Ourselves,
            // A peer that speaks an earlier version looks for a key exchange that both know before
            // it looks at the version, and says no more than that the handshake failed.
            Self::Tls(
                Error::NoApplicationProtocol
                | Error::AlertReceived(
                    AlertDescription::NoApplicationProtocol | AlertDescription::HandshakeFailure,
                ),
            ) => RequestEnd::Incompatible,
            Self::Tls(_) => RequestEnd::NotSecure,
            Self::TooEarly | Self::Io(_) => RequestEnd::Broken,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLine => f.write_str("the peer did not say its opening line"),
            Self::TooEarly => f.write_str("the peer sent bytes before the opening line was answered"),
            Self::WrongKey(wrong) => write!(f, "the peer has another key: {wrong}"),
            Self::Ourselves => f.write_str("the peer has our own key"),
            Self::Tls(Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon)) => {
                f.write_str("the peer does not offer X25519MLKEM768, the only key exchange that is accepted")
            }
            Self::Tls(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        if let Error::InvalidCertificate(CertificateError::Other(other)) = &error
            && let Some(wrong) = other.0.downcast_ref::<WrongKey>()
        {
            return Self::WrongKey(*wrong);
        }
        Self::Tls(error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        // rustls passes its own errors in the clothes of I/O.
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(tls) => tls.clone().into(),
            None => Self::Io(error),
        }
    }
}
