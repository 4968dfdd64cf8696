//! Two of ours, as the program has them: a key, a hello, a talk from either side.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::net::secure::talk::{Accepted, Dialed, Reply};
use p2p_chat::net::secure::{self, Expectation, OwnKey, Tls};
use p2p_chat::protocol::session::{Hello, Record};

use super::SOON;

/// TLS in the name of the key of this number.
pub(super) fn tls(number: u32) -> anyhow::Result<Arc<Tls>> {
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let key = OwnKey::from_seed(&seed).context("no key of this seed")?;
    Ok(Arc::new(Tls::new(&key)?))
}

/// What one says of oneself.
pub(super) fn hello(name: &str, port: u16) -> Hello {
    Hello {
        dialed: Vec::new(),
        answered: Vec::new(),
        name: PeerName::new(name),
        port,
        version: env!("CARGO_PKG_VERSION").into(),
        features: Vec::new(),
        addresses: Vec::new(),
        run: 1,
        window: 262_144,
        probe: false,
    }
}

/// Dials who has this key, until both have said hello.
pub(super) fn dial(tls: &Tls, to: SocketAddr, key: PublicKey) -> anyhow::Result<Dialed> {
    greet(tls, TcpStream::connect(to)?, key)
}

/// The same on a connection that was made.
pub(super) fn greet(tls: &Tls, stream: TcpStream, key: PublicKey) -> anyhow::Result<Dialed> {
    let channel = secure::dial(tls, stream, Expectation::Key(key), Instant::now() + SOON)
        .map_err(|refused| anyhow!("no encryption: {refused:?}"))?;
    let met = Dialed::greet(channel, hello("Ann", 5000));
    Ok(met.map_err(|end| anyhow!("no hello: {end:?}"))?.0)
}

/// Takes whoever has dialed, until both have said hello.
pub(super) fn accept(tls: &Tls, stream: TcpStream) -> anyhow::Result<Accepted> {
    accept_as("Bob", tls, stream)
}

/// The same under this name.
pub(super) fn accept_as(name: &str, tls: &Tls, stream: TcpStream) -> anyhow::Result<Accepted> {
    let port = stream.local_addr()?.port();
    let channel = secure::accept(tls, stream, b"", Instant::now() + SOON)
        .map_err(|refused| anyhow!("no encryption: {refused:?}"))?;
    let met = Accepted::greet(channel, |_, _| Ok(hello(name, port)));
    Ok(met.map_err(|end| anyhow!("no hello: {end:?}"))?.0)
}

/// Receipts for all of these.
pub(super) fn receipts(texts: &[Record]) -> Reply {
    let id = |text: &Record| match text {
        Record::Text { id, .. } => Some(*id),
        _ => None,
    };
    Reply::Receipts(texts.iter().filter_map(id).collect())
}

/// An id that no other text has.
pub(super) fn id(number: u64) -> MessageId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    MessageId::new(bytes)
}
