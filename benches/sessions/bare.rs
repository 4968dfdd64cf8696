//! TLS with nothing around it, with the program's settings and keys.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use p2p_chat::net::secure::Tls;
use rustls::{ClientConnection, ServerConnection, StreamOwned};

use super::node::tls;

pub(super) type Client = StreamOwned<ClientConnection, TcpStream>;
pub(super) type Server = StreamOwned<ServerConnection, TcpStream>;

/// The settings of both sides.
#[derive(Clone)]
pub(super) struct BareTls {
    client: Arc<Tls>,
    server: Arc<Tls>,
}

impl BareTls {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { client: tls(1_001)?, server: tls(1_002)? })
    }

    /// Dials any key, and returns when the handshake is over.
    pub(super) fn dial(&self, to: SocketAddr) -> anyhow::Result<Client> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        client(&self.client, stream)
    }

    /// Accepts any key, and returns when the handshake is over.
    pub(super) fn accept(&self, mut stream: TcpStream) -> anyhow::Result<Server> {
        stream.set_nodelay(true)?;
        let mut tls = self.server.accepting()?;
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(tls, stream))
    }
}

/// Does the handshake with any key as the dialer.
pub(super) fn client(tls: &Tls, mut stream: TcpStream) -> anyhow::Result<Client> {
    let mut tls = tls.dialing(None)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(tls, stream))
}
