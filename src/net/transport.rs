//! How the runtime reaches the network: over TCP here, in memory in the simulator.

use std::time::Instant;

use super::sessions::{SessionCommand, Sessions};
use super::{Dialer, SendJob, is_local};
use crate::core::{PlainRequest, PlainResult};
use crate::model::address::PeerAddr;
use crate::model::message::{SendError, SendResult};
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

    /// Returns whether the IP of an address is one of this machine's.
    fn is_local(&self, addr: PeerAddr) -> bool;
}

/// The sessions and the dialer of this program.
pub struct Tcp {
    /// Sessions with p2p-chat peers.
    pub sessions: Sessions,
    /// Unencrypted connections.
    pub dialer: Dialer,
    /// When the program started: the zero of its clock.
    pub began: Instant,
}

impl Transport for Tcp {
    fn session(&self, command: SessionCommand) {
        self.sessions.command(command);
    }

    fn plain(&self, request: PlainRequest, name: &Name) -> Result<(), PlainResult> {
        let PlainRequest { job, to, fallback, form, message, deadline } = request;
        let deadline = deadline.map(|at| self.began + at.since_start());
        let send_job = SendJob { id: job.0, name: name.clone(), to, fallback, form, message, deadline };
        self.dialer.push(send_job).map_err(|_| PlainResult {
            job,
            to,
            result: SendResult::Failed(SendError::NoResources),
            parts: (0, 1),
            capability: None,
        })
    }

    fn is_local(&self, addr: PeerAddr) -> bool {
        is_local(addr)
    }
}
