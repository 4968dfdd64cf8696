//! The settings of TLS for all our sessions.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::{
    CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms,
    aws_lc_rs as provider,
};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::SigningKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, Error, ServerConfig, ServerConnection};

use super::key::{OwnKey, from_spki};
use super::refused::Refused;
use super::verifier::{Verifier, WrongKey};
use crate::model::key::PublicKey;

/// One side of a connection, dialed or accepted.
pub(in crate::net) type TlsConnection = Connection;

/// The protocol inside and its version, which the handshake binds.
const ALPN: &[u8] = b"p2p-chat/2";

/// Our key and the settings of TLS. Made once, and shared by all connections.
#[derive(Debug)]
pub struct Tls {
    own: PublicKey,
    pub(in crate::net) server: Arc<ServerConfig>,
    /// For a dialer that accepts any key.
    pub(in crate::net) any: Arc<ClientConfig>,
}

impl Tls {
    /// The settings for the program with this key.
    ///
    /// # Errors
    /// If rustls finds the settings contradictory, which does not depend on the key.
    pub fn new(key: &OwnKey) -> Result<Self, rustls::Error> {
        Self::with(key, only_what_is_needed())
    }

    /// [`Tls::new`] with this cryptography.
    pub(super) fn with(key: &OwnKey, provider: CryptoProvider) -> Result<Self, rustls::Error> {
        let provider = Arc::new(provider);
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::new(Verifier { expected: None }))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(Arc::clone(&key.certified))));
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.send_tls13_tickets = 0;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { expected: None }))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(Arc::clone(
                &key.certified,
            ))));
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Self { own: key.public(), server: Arc::new(server), any: Arc::new(client) })
    }

    /// Returns the acceptor's side of a connection.
    ///
    /// # Errors
    /// If rustls cannot begin one.
    pub fn accepting(&self) -> Result<ServerConnection, Error> {
        ServerConnection::new(Arc::clone(&self.server))
    }

    /// Returns the dialer's side of a connection to a peer that has to prove this key, or any.
    ///
    /// # Errors
    /// If rustls cannot begin one.
    pub fn dialing(&self, expect: Option<PublicKey>) -> Result<ClientConnection, Error> {
        // No server name is sent for an IP. The verifier decides who is expected.
        let no_name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED).into());
        ClientConnection::new(self.client(expect), no_name)
    }

    /// Returns the key that the peer has proven, when the handshake is over.
    ///
    /// # Errors
    /// If it is not the expected one or our own, or if the peer speaks another protocol.
    pub fn proven(&self, connection: &Connection, expect: Option<PublicKey>) -> Result<PublicKey, Refused> {
        // rustls ends a handshake whose protocols do not fit, but not one in which the other side
        // names none.
        if connection.alpn_protocol() != Some(ALPN) {
            return Err(Error::NoApplicationProtocol.into());
        }
        let shown = connection.peer_certificates().and_then(|shown| from_spki(shown.first()?));
        let offered = shown.ok_or(Error::NoCertificatesPresented)?;
        match expect {
            // The verifier has refused it already; nothing depends on that alone.
            Some(expected) if expected != offered => Err(Refused::WrongKey(WrongKey { expected, offered })),
            _ if offered == self.own => Err(Refused::Ourselves),
            _ => Ok(offered),
        }
    }

    /// Returns our own key.
    pub fn own(&self) -> PublicKey {
        self.own
    }

    /// Returns the settings of a dialer that expects this key, or any. To make them for each
    /// connection takes less than a microsecond.
    fn client(&self, expected: Option<PublicKey>) -> Arc<ClientConfig> {
        if expected.is_none() {
            return Arc::clone(&self.any);
        }
        let mut client = ClientConfig::clone(&self.any);
        client.dangerous().set_certificate_verifier(Arc::new(Verifier { expected }));
        Arc::new(client)
    }
}

/// Returns aws-lc without what we never speak: no RSA, no NIST curves, no certificates, no TLS 1.2.
/// There is less to attack, and the program is smaller.
///
/// The only key exchange is X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem). Who records a session and
/// has a quantum computer later cannot read it, as long as either of its halves holds.
pub(super) fn only_what_is_needed() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            provider::cipher_suite::TLS13_AES_128_GCM_SHA256,
            provider::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![provider::kx_group::X25519MLKEM768],
        // Signatures are checked by the verifier alone.
        signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
        secure_random: &AwsLc,
        key_provider: &AwsLc,
    }
}

#[derive(Debug)]
struct AwsLc;

impl SecureRandom for AwsLc {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        ::aws_lc_rs::rand::fill(bytes).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for AwsLc {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("our key is not loaded from a file".into()))
    }
}
