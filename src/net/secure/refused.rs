//! Why TLS did not lead to a session.

use std::fmt;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::verifier::WrongKey;
use crate::model::key::PublicKey;
use crate::model::session::RequestEnd;

/// Why TLS did not lead to a session.
#[derive(Debug)]
pub enum Refused {
    /// The peer has proven another key than the expected one. Ours was not sent.
    WrongKey(WrongKey),
    /// The peer has our own key: we dialed ourselves.
    Ourselves,
    /// TLS failed; [`rustls::Error::AlertReceived`] if the peer refused.
    Tls(Error),
}

impl Refused {
    /// Returns what it means for a request of the program with the key `own`.
    pub fn end(self, own: PublicKey) -> RequestEnd {
        match self {
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
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey(wrong) => write!(f, "the peer has another key: {wrong}"),
            Self::Ourselves => f.write_str("the peer has our own key"),
            Self::Tls(Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon)) => {
                f.write_str("the peer does not offer X25519MLKEM768, the only key exchange that is accepted")
            }
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Refused {}

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
