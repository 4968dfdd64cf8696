//! Peers that are refused, and what they learn of us.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, PeerIncompatible, RootCertStore, ServerConfig,
    ServerConnection, SignatureScheme,
};

use super::*;
use crate::model::session::RequestEnd;

/// A dialer with these settings.
fn dialing_with(config: ClientConfig) -> Side {
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    Side::new(ClientConnection::new(config.into(), name).unwrap())
}

/// An acceptor with these settings.
fn accepting_with(config: ServerConfig) -> Side {
    Side::new(ServerConnection::new(config.into()).unwrap())
}

#[test]
fn wrong_key_is_refused_before_ours_is_sent() {
    let expected = key(b'B').public();
    let (mut dialer, mut acceptor) = (Side::dialing(b'A', Some(expected)), Side::accepting(b'M'));
    exchange(&mut dialer, &mut acceptor);
    let Err(Refused::WrongKey(wrong)) = dialer.proven(b'A', Some(expected)) else { panic!("no error") };
    assert_eq!((wrong.expected, wrong.offered), (expected, key(b'M').public()));
    assert!(matches!(acceptor.error, Some(Error::AlertReceived(_))), "{:?}", acceptor.error);
    // The hello, the byte for old middleboxes, and a sealed alert of two bytes. A key and a
    // signature have 200.
    let sent = tls_records(&dialer.sent);
    assert_eq!((sent.len(), sent[0].0, &sent[1..]), (3, 22, &[(20, 1), (23, 2 + 1 + 16)][..]));
}

#[test]
fn our_own_key_is_refused_on_both_sides() {
    let (mut dialer, mut acceptor) = (Side::dialing(b'A', None), Side::accepting(b'A'));
    exchange(&mut dialer, &mut acceptor);
    for side in [dialer, acceptor] {
        assert!(matches!(side.proven(b'A', None), Err(Refused::Ourselves)));
    }
}

#[test]
fn dialer_with_x25519_alone_is_refused() {
    let mut dialer = Side::new(tls_with_x25519(b'A').dialing(None).unwrap());
    let mut acceptor = Side::accepting(b'B');
    exchange(&mut dialer, &mut acceptor);
    let no_group = Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon);
    assert_eq!(acceptor.error, Some(no_group));
    let told = "the peer does not offer X25519MLKEM768, the only key exchange that is accepted";
    assert_eq!(acceptor.proven(b'B', None).unwrap_err().to_string(), told);
    assert_eq!(dialer.error, Some(Error::AlertReceived(AlertDescription::HandshakeFailure)));
}

#[test]
fn acceptor_with_x25519_alone_is_incompatible() {
    let mut dialer = Side::dialing(b'A', None);
    let mut acceptor = Side::new(tls_with_x25519(b'B').accepting().unwrap());
    exchange(&mut dialer, &mut acceptor);
    let refused = dialer.proven(b'A', None).unwrap_err();
    assert_eq!(refused.end(key(b'A').public()), RequestEnd::Incompatible);
    assert!(acceptor.error.is_some());
}

/// Shows these bytes as a certificate, and signs with a key of its own.
#[derive(Debug)]
struct Showing(Arc<CertifiedKey>);

impl Showing {
    fn new(byte: u8, certificate: &[u8]) -> Arc<Self> {
        let certificate = CertificateDer::from(certificate.to_vec());
        let signing = Arc::clone(&key(byte).certified.key);
        Arc::new(Self(Arc::new(CertifiedKey::new(vec![certificate], signing))))
    }
}

impl ResolvesServerCert for Showing {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.cert[0].len() == 44
    }
}

impl rustls::client::ResolvesClientCert for Showing {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn only_raw_public_keys(&self) -> bool {
        self.0.cert[0].len() == 44
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Five bytes in the shape of a certificate.
const CERTIFICATE: [u8; 5] = [0x30, 3, 2, 1, 0];

#[test]
fn acceptor_with_certificate_is_refused_before_our_key() {
    let mut config = ServerConfig::clone(&tls(b'M').server);
    config.cert_resolver = Showing::new(b'M', &CERTIFICATE);
    let (mut dialer, mut acceptor) = (Side::dialing(b'A', None), accepting_with(config));
    exchange(&mut dialer, &mut acceptor);
    assert!(matches!(dialer.proven(b'A', None), Err(Refused::Tls(_))));
    let sent = tls_records(&dialer.sent);
    assert!(sent[1..].iter().all(|(_, length)| *length < 32), "{sent:?}");
}

#[test]
fn key_without_its_signature_is_refused() {
    let bobs = key(b'B').certified.cert[0].to_vec();
    let mut config = ServerConfig::clone(&tls(b'M').server);
    config.cert_resolver = Showing::new(b'M', &bobs);
    let expect = Some(key(b'B').public());
    let (mut dialer, mut acceptor) = (Side::dialing(b'A', expect), accepting_with(config));
    exchange(&mut dialer, &mut acceptor);
    assert!(matches!(dialer.error, Some(Error::InvalidCertificate(_))), "{:?}", dialer.error);
    let mut config = ClientConfig::clone(&tls(b'M').any);
    config.client_auth_cert_resolver = Showing::new(b'M', &bobs);
    let (mut dialer, mut acceptor) = (dialing_with(config), Side::accepting(b'A'));
    exchange(&mut dialer, &mut acceptor);
    assert!(matches!(acceptor.error, Some(Error::InvalidCertificate(_))), "{:?}", acceptor.error);
}

#[test]
fn dialer_without_raw_key_is_refused() {
    let mut with_certificate = ClientConfig::clone(&tls(b'M').any);
    let mut with_nothing = with_certificate.clone();
    with_certificate.client_auth_cert_resolver = Showing::new(b'M', &CERTIFICATE);
    let anonymous = ClientConfig::builder_with_provider(Arc::new(only_what_is_needed()));
    let anonymous = anonymous.with_protocol_versions(&[&TLS13]).unwrap();
    let anonymous = anonymous.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    with_nothing.client_auth_cert_resolver = anonymous.client_auth_cert_resolver;
    for config in [with_certificate, with_nothing] {
        let (mut dialer, mut acceptor) = (dialing_with(config), Side::accepting(b'B'));
        exchange(&mut dialer, &mut acceptor);
        assert!(acceptor.error.is_some());
    }
}

#[test]
fn peer_without_our_protocol_is_incompatible() {
    for protocols in [vec![b"p2p-chat/1".to_vec()], Vec::new()] {
        let mut server = ServerConfig::clone(&tls(b'M').server);
        server.alpn_protocols.clone_from(&protocols);
        let (mut dialer, mut acceptor) = (Side::dialing(b'A', None), accepting_with(server));
        exchange(&mut dialer, &mut acceptor);
        let end = dialer.proven(b'A', None).unwrap_err().end(key(b'A').public());
        assert_eq!(end, RequestEnd::Incompatible, "{protocols:?}");
        let mut client = ClientConfig::clone(&tls(b'M').any);
        client.alpn_protocols.clone_from(&protocols);
        let (mut dialer, mut acceptor) = (dialing_with(client), Side::accepting(b'B'));
        exchange(&mut dialer, &mut acceptor);
        let end = acceptor.proven(b'B', None).unwrap_err().end(key(b'B').public());
        assert_eq!(end, RequestEnd::Incompatible, "{protocols:?}");
    }
}

/// A ClientHello of TLS 1.2 with all else that we want.
fn hello_of_tls12() -> Vec<u8> {
    let extensions = [
        &[0, 10, 0, 4, 0, 2, 0x11, 0xec][..], // X25519MLKEM768
        &[0, 11, 0, 2, 1, 0],                 // points that are not compressed
        &[0, 13, 0, 4, 0, 2, 8, 7],           // Ed25519
        &[0, 16, 0, 13, 0, 11, 10],
        b"p2p-chat/2",
    ]
    .concat();
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    let body =
        [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0], &length(&extensions), &extensions].concat();
    let message = [&[1, 0][..], &length(&body), &body].concat();
    [&[22, 3, 1][..], &length(&message), &message].concat()
}

#[test]
fn tls_1_2_is_refused_with_an_alert() {
    let mut acceptor = Side::accepting(b'B');
    acceptor.takes(&hello_of_tls12());
    assert!(matches!(acceptor.error, Some(Error::PeerIncompatible(_))), "{:?}", acceptor.error);
    let answer = acceptor.sends();
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]), "an alert: fatal, protocol_version");
}
