//! Handshakes between two sides in memory.

mod handshake;
mod refusing;

use std::io::{Read, Write};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::kx_group::X25519;
use rustls::{Connection, Error};

use super::tls::only_what_is_needed;
use super::*;
use crate::model::key::PublicKey;

/// Returns the key whose seed has this value in all bytes.
fn key(byte: u8) -> OwnKey {
    OwnKey::from_seed(&[byte; 32]).unwrap()
}

fn tls(byte: u8) -> Tls {
    Tls::new(&key(byte)).unwrap()
}

/// Returns the TLS settings of a peer whose only key exchange is X25519.
fn tls_with_x25519(byte: u8) -> Tls {
    let provider = CryptoProvider { kx_groups: vec![X25519], ..only_what_is_needed() };
    Tls::with(&key(byte), provider).unwrap()
}

/// One side of a handshake.
struct Side {
    connection: Connection,
    /// Why the handshake failed.
    error: Option<Error>,
    /// All bytes that it has sent.
    sent: Vec<u8>,
}

impl Side {
    fn new(connection: impl Into<Connection>) -> Self {
        Self { connection: connection.into(), error: None, sent: Vec::new() }
    }

    /// Creates a dialer with our settings and the key of this seed.
    fn dialing(byte: u8, expect: Option<PublicKey>) -> Self {
        Self::new(tls(byte).dialing(expect).unwrap())
    }

    /// Creates an acceptor with our settings and the key of this seed.
    fn accepting(byte: u8) -> Self {
        Self::new(tls(byte).accepting().unwrap())
    }

    /// Reads bytes of the other side, unless the handshake has failed.
    fn takes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.error.is_none() {
            self.connection.read_tls(&mut bytes).unwrap();
            self.error = self.connection.process_new_packets().err();
        }
    }

    /// Returns the bytes that it has to send.
    fn sends(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).unwrap();
        }
        self.sent.extend_from_slice(&bytes);
        bytes
    }

    /// Returns the key that the peer has proven, or why it is refused, after the handshake.
    fn proven(&self, byte: u8, expect: Option<PublicKey>) -> Result<PublicKey, Refused> {
        match &self.error {
            Some(error) => Err(error.clone().into()),
            None => tls(byte).proven(&self.connection, expect),
        }
    }

    fn says(&mut self, words: &[u8]) {
        self.connection.writer().write_all(words).unwrap();
    }

    fn hears(&mut self, length: usize) -> Vec<u8> {
        let mut words = vec![0; length];
        self.connection.reader().read_exact(&mut words).unwrap();
        words
    }
}

/// Passes bytes between both sides until neither has any left to send.
fn exchange(dialer: &mut Side, acceptor: &mut Side) {
    loop {
        let (up, down) = (dialer.sends(), acceptor.sends());
        if up.is_empty() && down.is_empty() {
            return;
        }
        acceptor.takes(&up);
        dialer.takes(&down);
    }
}

/// Returns the types and lengths of the TLS records in these bytes.
fn tls_records(mut bytes: &[u8]) -> Vec<(u8, usize)> {
    let mut all = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        all.push((head[0], length));
        bytes = rest.get(length..).expect("whole records");
    }
    all
}
