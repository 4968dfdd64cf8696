//! Why a node cannot start.

use std::net::{IpAddr, SocketAddr};
use std::{fmt, io};

use crate::store::StoreError;

/// Why a node cannot start. Displays as a whole sentence for the user.
#[derive(Debug)]
pub enum StartError {
    /// Another program listens there.
    PortInUse(SocketAddr),
    /// The operating system does not permit the port.
    NotPermitted(SocketAddr),
    /// The IP is not this machine's.
    NotOurs(IpAddr),
    /// The key cannot be used.
    NoKey,
    /// The queued messages of earlier runs cannot be read.
    NoHistory(StoreError),
    /// Anything else.
    Other(SocketAddr, io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortInUse(addr) => write!(
                f,
                "Port {} is already in use, perhaps by another p2p-chat; choose another one, or 0 for any that is free.",
                addr.port()
            ),
            Self::NotPermitted(addr) => write!(
                f,
                "Listening at port {} is not permitted; choose one from 1024 to 65535, or 0 for any that is free.",
                addr.port()
            ),
            Self::NotOurs(ip) => {
                write!(f, "{ip} is not an address of this machine. Use one that is, or leave out --bind.")
            }
            Self::NoKey => f.write_str("Our key cannot be used for encryption."),
            Self::NoHistory(error) => {
                write!(
                    f,
                    "The queued messages of the last run cannot be read: {error}. Start with --no-history to leave them alone."
                )
            }
            Self::Other(addr, error) => write!(f, "Cannot listen at {addr}: {error}."),
        }
    }
}

impl std::error::Error for StartError {}

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
