//! How the runtime reaches the network: over TCP here, in memory in the simulator.

use std::time::Instant;

use super::sessions::{SessionCommand, Sessions};
use super::{Dialer, Resolver, SendJob, is_local};
use crate::core::{PlainRequest, PlainResult};
use crate::model::address::PeerAddr;
use crate::model::host::{HostAddr, LookupError};
use crate::model::message::SendError;
use crate::model::name::Name;

/// Takes what is to be sent. Its methods do not block; what becomes of it is told the runtime
/// later.
pub trait Transport {
    /// Passes a command to the sessions.
    fn session(&self, command: SessionCommand);

    /// Queues an unencrypted request. `name` is what we call ourselves in it.
    ///
    /// # Errors
    /// The result, if the queue is full.
    fn plain(&self, request: PlainRequest, name: &Name) -> Result<(), PlainResult>;

    /// Has the system resolve a host name.
    ///
    /// # Errors
    /// If too many names are being resolved.
    fn resolve(&self, host: HostAddr) -> Result<(), LookupError>;

    /// Returns whether the IP of an address is one of this machine's.
    fn is_local(&self, addr: PeerAddr) -> bool;
}

/// The sessions, the dialer and the resolver of this program.
pub(crate) struct Tcp {
    /// Sessions with p2p-chat peers.
    pub sessions: Sessions,
    /// Unencrypted connections.
    pub dialer: Dialer,
    /// Host names.
    pub resolver: Resolver,
    /// When the program started: the zero of its clock.
    pub began: Instant,
}

impl Tcp {
    /// Starts the threads that the queued requests need.
    pub(crate) fn start_threads(&self) {
        self.dialer.start_workers();
        self.resolver.start_threads();
    }
}

impl Transport for Tcp {
    fn session(&self, command: SessionCommand) {
        self.sessions.command(command);
    }

    fn plain(&self, request: PlainRequest, name: &Name) -> Result<(), PlainResult> {
        let PlainRequest { job, to, fallback, form, message, deadline } = request;
        let deadline = deadline.map(|at| self.began + at.since_start());
        let send_job = SendJob { id: job, name: name.clone(), to, fallback, form, message, deadline };
        self.dialer.push(send_job).map_err(|job| job.failed(SendError::NoResources))
    }

    fn resolve(&self, host: HostAddr) -> Result<(), LookupError> {
        self.resolver.push(host)
    }

    fn is_local(&self, addr: PeerAddr) -> bool {
        is_local(addr)
    }
}
