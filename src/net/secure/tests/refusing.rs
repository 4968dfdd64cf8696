//! Whom nothing is said to, and what they learn of us.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection,
    SignatureScheme,
};

use super::*;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};

#[test]
fn a_wrong_key_is_refused_before_ours_is_sent_and_both_know() {
    let expected = key(b'B').public();
    let (dialed, accepted, passed) = meet(dialer(b'A', Expectation::Key(expected)), acceptor(b'M'));
    let Err(Refused::WrongKey(wrong)) = dialed else { panic!("{dialed:?}") };
    assert_eq!((wrong.expected, wrong.offered), (expected, key(b'M').public()));
    assert!(matches!(accepted, Err(Refused::Tls(rustls::Error::AlertReceived(_)))), "{accepted:?}");
    // Its hello, the byte for old middleboxes, and an alert of two bytes, sealed. A key and a signature by it have 200.
    let sent = tls_records(&passed.up[DIAL_LINE.len()..]);
    assert_eq!((sent.len(), sent[0].0, &sent[1..]), (3, 22, &[(20, 1), (23, 2 + 1 + 16)][..]));
}

#[test]
fn our_own_key_is_nobody_else() {
    let (dialed, accepted, _) = meet(dialer(b'A', Expectation::Any), acceptor(b'A'));
    assert!(matches!(dialed, Err(Refused::Ourselves)), "{dialed:?}");
    assert!(matches!(accepted, Err(Refused::Ourselves)), "{accepted:?}");
}

#[test]
fn who_does_not_say_ok_gets_no_byte_more() {
    for answer in
        ["", "[ACK] Message received from 5000", "P2P-CHAT/1 no\n", "P2P-CHAT/2 ok\n", "P2P-CHAT/1 ok"]
    {
        let (dialed, got, _) = meet(dialer(b'A', Expectation::Any), |mut stream| {
            stream.read_exact(&mut [0; DIAL_LINE.len()]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).unwrap();
            rest
        });
        assert!(matches!(dialed, Err(Refused::NoLine)), "{answer:?}: {dialed:?}");
        assert_eq!(got, b"", "{answer:?}");
    }
}

#[test]
fn a_dialer_waits_a_second_for_the_ok_whatever_its_deadline_is() {
    let begun = Instant::now();
    let (dialed, _, _) =
        meet(dialer(b'A', Expectation::Any), |mut stream| stream.read_to_end(&mut Vec::new()));
    assert!(matches!(dialed, Err(Refused::NoLine)), "{dialed:?}");
    assert!((OK_WITHIN..Duration::from_secs(15)).contains(&begun.elapsed()));
}

#[test]
fn a_handshake_that_stops_ends_at_its_deadline_on_either_side() {
    let soon = || Instant::now() + Duration::from_millis(50);
    let begun = Instant::now();
    let (_, accepted, _) = meet(
        |mut stream| {
            stream.write_all(DIAL_LINE).unwrap();
            stream.read_to_end(&mut Vec::new())
        },
        |stream| accept(&tls(b'B'), stream, b"", soon()),
    );
    let (dialed, _, _) = meet(
        |stream| dial(&tls(b'A'), stream, Expectation::Any, Instant::now() + Duration::from_millis(500)),
        |mut stream| {
            stream.write_all(OK_LINE).unwrap();
            stream.read_to_end(&mut Vec::new())
        },
    );
    for side in [dialed, accepted] {
        assert!(
            matches!(&side, Err(Refused::Io(error)) if error.kind() == std::io::ErrorKind::TimedOut),
            "{side:?}"
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn bytes_before_the_ok_and_plain_messages_get_no_ok() {
    for (said, too_early) in [(&b"P2P-CHAT/1\n\x16\x03\x01"[..], true), (b"127.0.0.1:5000 Bob hi", false)] {
        let (_, accepted, passed) = meet(
            |mut stream| {
                stream.write_all(said).unwrap();
                stream.read_to_end(&mut Vec::new())
            },
            acceptor(b'B'),
        );
        match accepted {
            Err(Refused::TooEarly) => assert!(too_early),
            Err(Refused::NoLine) => assert!(!too_early),
            other => panic!("{other:?}"),
        }
        assert_eq!(passed.down, b"");
    }
}

/// Shakes hands without any rule of ours.
fn shake_hands(mut connection: Connection, mut stream: TcpStream) -> Result<(), Option<AlertDescription>> {
    while connection.is_handshaking() {
        if let Err(error) = connection.complete_io(&mut stream) {
            return Err(match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
                _ => None,
            });
        }
    }
    // The other side may have been the last to speak, and to refuse.
    let _ = stream.read_to_end(&mut Vec::new());
    Ok(())
}

/// Dials with these settings of TLS.
fn dial_with(config: ClientConfig) -> impl FnOnce(TcpStream) + Send {
    move |mut stream| {
        stream.write_all(DIAL_LINE).unwrap();
        stream.read_exact(&mut [0; OK_LINE.len()]).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let _ = shake_hands(Connection::Client(ClientConnection::new(config.into(), name).unwrap()), stream);
    }
}

/// Accepts with these settings of TLS.
fn accept_with(
    config: ServerConfig,
) -> impl FnOnce(TcpStream) -> Result<(), Option<AlertDescription>> + Send {
    move |mut stream| {
        stream.read_exact(&mut [0; DIAL_LINE.len()]).unwrap();
        stream.write_all(OK_LINE).unwrap();
        shake_hands(Connection::Server(ServerConnection::new(config.into()).unwrap()), stream)
    }
}

/// Shows these bytes as a certificate, and signs with a key of its own.
#[derive(Debug)]
struct Showing(Arc<CertifiedKey>);

impl Showing {
    fn new(message: u8, certificate: &[u8]) -> Arc<Self> {
        let certificate = CertificateDer::from(certificate.to_vec());
        let signing = Arc::clone(&key(message).certified.key);
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

/// No certificate of anybody, but shaped as one.
const CERTIFICATE: [u8; 5] = [0x30, 3, 2, 1, 0];

#[test]
fn a_server_with_a_certificate_is_refused_and_does_not_learn_our_key() {
    let mut config = ServerConfig::clone(&tls(b'M').server);
    config.cert_resolver = Showing::new(b'M', &CERTIFICATE);
    let (dialed, _, passed) = meet(dialer(b'A', Expectation::Any), accept_with(config));
    assert!(matches!(dialed, Err(Refused::Tls(_))), "{dialed:?}");
    let sent = tls_records(&passed.up[DIAL_LINE.len()..]);
    assert!(sent[1..].iter().all(|(_, length)| *length < 32), "{sent:?}");
}

#[test]
fn who_shows_a_key_that_it_does_not_hold_is_refused_on_either_side() {
    let bobs = key(b'B').certified.cert[0].to_vec();
    let mut config = ServerConfig::clone(&tls(b'M').server);
    config.cert_resolver = Showing::new(b'M', &bobs);
    let (dialed, _, _) = meet(dialer(b'A', Expectation::Key(key(b'B').public())), accept_with(config));
    assert!(matches!(dialed, Err(Refused::Tls(rustls::Error::InvalidCertificate(_)))), "{dialed:?}");
    let mut config = ClientConfig::clone(&tls(b'M').client(Expectation::Any));
    config.client_auth_cert_resolver = Showing::new(b'M', &bobs);
    let (_, accepted, _) = meet(dial_with(config), acceptor(b'A'));
    assert!(matches!(accepted, Err(Refused::Tls(rustls::Error::InvalidCertificate(_)))), "{accepted:?}");
}

#[test]
fn a_client_with_a_certificate_or_without_any_key_is_refused() {
    let mut with_certificate = ClientConfig::clone(&tls(b'M').client(Expectation::Any));
    let mut with_nothing = with_certificate.clone();
    with_certificate.client_auth_cert_resolver = Showing::new(b'M', &CERTIFICATE);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let anonymous = builder.with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let anonymous = anonymous.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    with_nothing.client_auth_cert_resolver = anonymous.client_auth_cert_resolver;
    for config in [with_certificate, with_nothing] {
        let (_, accepted, _) = meet(dial_with(config), acceptor(b'B'));
        assert!(matches!(accepted, Err(Refused::Tls(_))), "{accepted:?}");
    }
}

#[test]
fn another_protocol_inside_or_none_named_is_refused_on_either_side() {
    for protocols in [vec![b"p2p-chat/1".to_vec()], Vec::new()] {
        let mut server = ServerConfig::clone(&tls(b'M').server);
        server.alpn_protocols.clone_from(&protocols);
        let (dialed, _, _) = meet(dialer(b'A', Expectation::Any), accept_with(server));
        assert!(matches!(dialed, Err(Refused::Tls(_))), "{protocols:?}: {dialed:?}");
        let mut client = ClientConfig::clone(&tls(b'M').client(Expectation::Any));
        client.alpn_protocols.clone_from(&protocols);
        let (_, accepted, _) = meet(dial_with(client), acceptor(b'B'));
        assert!(matches!(accepted, Err(Refused::Tls(_))), "{protocols:?}: {accepted:?}");
    }
}

/// A ClientHello as TLS 1.2 had it, with all else that we want.
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
fn tls_1_2_is_refused_with_an_alert_that_says_so() {
    let (answer, accepted, _) = meet(
        |mut stream| {
            stream.write_all(DIAL_LINE).unwrap();
            stream.read_exact(&mut [0; OK_LINE.len()]).unwrap();
            stream.write_all(&hello_of_tls12()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            answer
        },
        acceptor(b'B'),
    );
    assert!(matches!(accepted, Err(Refused::Tls(rustls::Error::PeerIncompatible(_)))), "{accepted:?}");
    assert_eq!((answer[0], &answer[5..]), (21, &[2, 70][..]), "an alert: fatal, protocol_version");
}
