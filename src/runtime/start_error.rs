//! Why a node cannot start.

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::store::StoreError;

/// Why a node cannot start. Displays as a whole sentence for the user.
#[derive(thiserror::Error, Debug)]
pub enum StartError {
    /// Another program listens there.
    #[error(
        "Port {} is already in use, perhaps by another p2p-chat; choose another one, or 0 for any free port.",
        .0.port()
    )]
    PortInUse(SocketAddr),
    /// The operating system does not permit the port.
    #[error(
        "Listening on port {} is not permitted; choose one from 1024 to 65535, or 0 for any free port.",
        .0.port()
    )]
    NotPermitted(SocketAddr),
    /// The IP is not this machine's.
    #[error("{0} is not an address of this machine. Use one that is, or leave out --bind.")]
    NotOurs(IpAddr),
    /// The key cannot be used.
    #[error("Our key cannot be used for encryption.")]
    NoKey,
    /// The queued messages of earlier runs cannot be read.
    #[error(
        "The queued messages of the last run cannot be read: {0}. Start with --no-history to leave them unchanged."
    )]
    NoHistory(StoreError),
    /// Anything else.
    #[error("Cannot listen on {0}: {1}.")]
    Other(SocketAddr, io::Error),
}

impl StartError {
    pub(super) fn of(addr: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(addr),
            io::ErrorKind::PermissionDenied => Self::NotPermitted(addr),
            io::ErrorKind::AddrNotAvailable => Self::NotOurs(addr.ip()),
            _ => Self::Other(addr, error),
        }
    }
}
