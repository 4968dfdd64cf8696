//! Why TLS did not lead to a session.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

use super::verifier::WrongKey;
use crate::model::key::PublicKey;
use crate::model::session::RequestEnd;

/// Why TLS did not lead to a session.
#[derive(thiserror::Error, Debug)]
pub enum Refused {
    /// The peer has proven another key than the expected one. Ours was not sent.
    #[error("the peer has another key: {0}")]
    WrongKey(WrongKey),
    /// The peer has our own key: we dialed ourselves.
    #[error("the peer has our own key")]
    Ourselves,
    /// TLS failed; [`rustls::Error::AlertReceived`] if the peer refused.
    #[error("{}", tls_words(.0))]
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

fn tls_words(error: &Error) -> String {
    match error {
        Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon) => {
            "the peer does not offer X25519MLKEM768, the only key exchange that is accepted".to_owned()
        }
        error => error.to_string(),
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
