//! Handshakes between two sides in memory.

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::kx_group::X25519;
use rustls::{AlertDescription, Connection, Error, NamedGroup, PeerIncompatible};

use super::key;
use crate::model::key::PublicKey;
use crate::model::session::RequestEnd;
use crate::net::secure::tls::only_what_is_needed;
use crate::net::secure::{Refused, Tls};

/// One side of a handshake.
struct Side {
    tls: Tls,
    expect: Option<PublicKey>,
    connection: Connection,
    error: Option<Error>,
}

impl Side {
    fn dialing(tls: Tls, expect: Option<PublicKey>) -> Self {
        let connection = tls.dialing(expect).unwrap().into();
        Self { tls, expect, connection, error: None }
    }

    fn accepting(tls: Tls) -> Self {
        let connection = tls.accepting().unwrap().into();
        Self { tls, expect: None, connection, error: None }
    }

    /// Passes what this side has to send on to the other. Returns whether there was anything.
    fn passes_on(&mut self, to: &mut Self) -> bool {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() && to.error.is_none() {
            to.connection.read_tls(&mut rest).unwrap();
            to.error = to.connection.process_new_packets().err();
        }
        !bytes.is_empty()
    }

    /// The key that the other side has proven.
    fn proven(&self) -> Result<PublicKey, Refused> {
        match &self.error {
            Some(error) => Err(error.clone().into()),
            None => self.tls.proven(&self.connection, self.expect),
        }
    }

    fn group(&self) -> Option<NamedGroup> {
        self.connection.negotiated_key_exchange_group().map(|group| group.name())
    }
}

/// Has both sides shake hands, until neither has anything to send.
fn shake_hands(dialer: &mut Side, acceptor: &mut Side) {
    while dialer.passes_on(acceptor) | acceptor.passes_on(dialer) {}
}

fn tls(seed: u8) -> Tls {
    Tls::new(&key(seed)).unwrap()
}

/// The TLS of a peer whose only key exchange is X25519.
fn tls_with_x25519(seed: u8) -> Tls {
    let provider = CryptoProvider { kx_groups: vec![X25519], ..only_what_is_needed() };
    Tls::with(&key(seed), provider).unwrap()
}

#[test]
fn key_exchange_is_hybrid() {
    let mut dialer = Side::dialing(tls(1), Some(key(2).public()));
    let mut acceptor = Side::accepting(tls(2));
    shake_hands(&mut dialer, &mut acceptor);
    assert_eq!(dialer.proven().unwrap(), key(2).public());
    assert_eq!(acceptor.proven().unwrap(), key(1).public());
    assert_eq!(dialer.group(), Some(NamedGroup::X25519MLKEM768));
    assert_eq!(acceptor.group(), Some(NamedGroup::X25519MLKEM768));
}

#[test]
fn dialer_with_x25519_alone_is_refused() {
    let mut dialer = Side::dialing(tls_with_x25519(1), None);
    let mut acceptor = Side::accepting(tls(2));
    shake_hands(&mut dialer, &mut acceptor);
    let no_group = Error::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon);
    assert_eq!(acceptor.error, Some(no_group));
    let why = acceptor.proven().unwrap_err().to_string();
    let told = "the peer does not offer X25519MLKEM768, the only key exchange that is accepted";
    assert_eq!(why, told);
    assert_eq!(dialer.error, Some(Error::AlertReceived(AlertDescription::HandshakeFailure)));
}

#[test]
fn acceptor_with_x25519_alone_is_incompatible() {
    let mut dialer = Side::dialing(tls(1), None);
    let mut acceptor = Side::accepting(tls_with_x25519(2));
    shake_hands(&mut dialer, &mut acceptor);
    let refused = dialer.proven().unwrap_err();
    assert_eq!(refused.end(key(1).public()), RequestEnd::Incompatible);
    assert!(acceptor.proven().is_err());
}
