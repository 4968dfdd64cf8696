//! TLS 1.3 with raw Ed25519 keys on both sides (RFC 7250) for the sessions between p2p-chat peers.
//!
//! In scope: our key as TLS needs it, the settings of TLS, and the check of the peer's key. Out of
//! scope: which key to expect, and what follows from a proven one, which the core decides; sockets
//! and times, which `net::sessions` has. In `net` only this module names rustls and aws-lc.
//!
//! Sessions are never resumed: the verifier would not be asked again, so a key that was blocked
//! meanwhile would not be noticed.

mod key;
mod prove;
mod refused;
mod tls;
mod verifier;

pub(crate) use key::random_number;
pub use key::{OwnKey, jitter};
pub(crate) use prove::proven_at;
pub use refused::Refused;
pub use tls::Tls;
pub(in crate::net) use tls::TlsConnection;
pub use verifier::WrongKey;

#[cfg(test)]
mod tests;
