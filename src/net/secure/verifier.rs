//! Whether the other side is who it has to be: the only place that decides it.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    SignatureScheme,
};

use super::key::from_spki;
use crate::model::key::PublicKey;

/// Whom a dialer expects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expectation {
    /// This key and no other.
    Key(PublicKey),
    /// Whoever it is: first contact.
    Any,
}

/// Another key than the one expected. Whoever offered it has proven to hold it, and has not seen ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WrongKey {
    /// Whom we expected.
    pub expected: PublicKey,
    /// Who is there.
    pub offered: PublicKey,
}

impl fmt::Display for WrongKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, offered {}", self.expected, self.offered)
    }
}

impl std::error::Error for WrongKey {}

/// Takes one raw Ed25519 key, signed with, and expected; on both sides.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) expectation: Expectation,
}

impl Verifier {
    /// The one raw key that was shown.
    fn shown(cert: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<PublicKey, Error> {
        let key = from_spki(cert).filter(|_| more.is_empty());
        key.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    /// Whether this handshake was signed by the key shown, and that key is the one expected. In this order, so that a wrong key which
    /// the user is told of is really held by who answered. Our own key is sent only after this.
    fn signed(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let offered = Self::shown(cert, &[])?;
        let is_right = signature.scheme == SignatureScheme::ED25519
            && UnparsedPublicKey::new(&ED25519, offered.as_bytes())
                .verify(message, signature.signature())
                .is_ok();
        if !is_right {
            return Err(Error::InvalidCertificate(CertificateError::BadSignature));
        }
        match self.expectation {
            Expectation::Key(expected) if expected != offered => {
                let wrong = OtherError(Arc::new(WrongKey { expected, offered }));
                Err(Error::InvalidCertificate(CertificateError::Other(wrong)))
            }
            Expectation::Key(_) | Expectation::Any => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

fn no_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::shown(end_entity, intermediates).map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::shown(end_entity, intermediates).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        no_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
