//! Checks that the peer holds the key that it shows, and that it is the expected one.

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

/// The error for a peer that has proven a key other than the expected one. The peer has not seen
/// our key.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("expected {expected}, offered {offered}")]
pub struct WrongKey {
    /// The key that we expected.
    pub expected: PublicKey,
    /// The key that the peer has proven, which is not the expected one.
    pub offered: PublicKey,
}

/// Verifies the peer, on both sides: it accepts one raw Ed25519 key that has signed the handshake.
#[derive(Debug)]
pub(super) struct Verifier {
    /// The only key to accept, or `None` for any key.
    pub(super) expected: Option<PublicKey>,
}

impl Verifier {
    /// Returns the raw key that the peer shows. It must show exactly one.
    fn shown(cert: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<PublicKey, Error> {
        let key = from_spki(cert).filter(|_| more.is_empty());
        key.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))
    }

    /// Checks first that the key shown has signed this handshake, and then that it is the expected
    /// one. So the user is told of a wrong key only if the peer really holds it. Our own key is
    /// sent only after this.
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
        match self.expected {
            Some(expected) if expected != offered => {
                let wrong = OtherError(Arc::new(WrongKey { expected, offered }));
                Err(Error::InvalidCertificate(CertificateError::Other(wrong)))
            }
            _ => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

/// The checks of a dialer and of an acceptor.
macro_rules! both_sides {
    () => {
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Err(Error::PeerIncompatible(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig))
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
    };
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

    both_sides!();
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

    both_sides!();
}
