//! Why there is no encrypted connection.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

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
            Self::Tls(
                Error::NoApplicationProtocol | Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            ) => RequestEnd::Incompatible,
            Self::Tls(_) => RequestEnd::NotSecure,
            Self::TooEarly | Self::Io(_) => RequestEnd::Broken,
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
