//! TLS that is not ours: a certificate where a key should be, and a version of old.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{default_provider, kx_group::X25519, sign::any_eddsa_type};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

/// No certificate of anybody, but shaped as one.
const CERTIFICATE: [u8; 5] = [0x30, 3, 2, 1, 0];

/// What stands before a seed in PKCS#8.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Shows a certificate, and signs with a key of its own.
#[derive(Debug)]
struct Showing(Arc<CertifiedKey>);

impl Showing {
    fn new(seed: &[u8; 32]) -> Arc<Self> {
        let pkcs8 = PrivatePkcs8KeyDer::from([&PKCS8_HEAD[..], seed].concat());
        let signing = any_eddsa_type(&pkcs8).expect("a key");
        let certificate = CertificateDer::from(CERTIFICATE.to_vec());
        Arc::new(Self(Arc::new(CertifiedKey::new(vec![certificate], signing))))
    }
}

impl ResolvesServerCert for Showing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl ResolvesClientCert for Showing {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Shakes hands as a server with a certificate: the alert with which it was refused, if it was.
pub(super) fn serves_with_certificate(seed: &[u8; 32], stream: TcpStream) -> Option<AlertDescription> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).expect("it has TLS 1.3");
    let mut config = builder.with_no_client_auth().with_cert_resolver(Showing::new(seed));
    config.alpn_protocols = vec![b"p2p-chat/2".to_vec()];
    let server = ServerConnection::new(config.into()).expect("settings that fit");
    shakes_hands(Connection::Server(server), stream)
}

/// Shakes hands as a client with a certificate, after the opening lines. Returns the alert with
/// which it was refused.
pub(crate) fn dials_with_certificate(seed: u8, stream: TcpStream) -> Option<AlertDescription> {
    dials(default_provider(), seed, stream)
}

/// Shakes hands as a client whose only key exchange is X25519, after the opening lines. Returns the
/// alert with which it was refused.
pub(crate) fn dials_with_x25519(seed: u8, stream: TcpStream) -> Option<AlertDescription> {
    dials(CryptoProvider { kx_groups: vec![X25519], ..default_provider() }, seed, stream)
}

fn dials(provider: CryptoProvider, seed: u8, stream: TcpStream) -> Option<AlertDescription> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&TLS13]).expect("it has TLS 1.3");
    let builder = builder.with_root_certificates(RootCertStore::empty());
    let mut config = builder.with_client_cert_resolver(Showing::new(&[seed; 32]));
    config.alpn_protocols = vec![b"p2p-chat/2".to_vec()];
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    let client = ClientConnection::new(config.into(), name).expect("settings that fit");
    shakes_hands(Connection::Client(client), stream)
}

fn shakes_hands(mut connection: Connection, mut stream: TcpStream) -> Option<AlertDescription> {
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            return match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
                _ => None,
            };
        }
    }
    // The other side may have been the last to speak, and to refuse.
    let mut records = Vec::new();
    let _ = stream.read_to_end(&mut records);
    panic!("it took a certificate, and says {records:?}");
}

/// A ClientHello as TLS 1.2 had it, with all else that we want.
pub(crate) fn hello_of_tls12() -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0x11, 0xec][..], // X25519MLKEM768
        &[0, 11, 0, 2, 1, 0],                 // points that are not compressed
        &[0, 13, 0, 4, 0, 2, 8, 7],           // Ed25519
        &[0, 16, 0, 13, 0, 11, 10],
        b"p2p-chat/2",
    ]
    .concat();
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).expect("short").to_be_bytes();
    let body =
        [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0], &length(&extensions), &extensions].concat();
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}
