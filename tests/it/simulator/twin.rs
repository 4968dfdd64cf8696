//! The in-memory twin of the network, the store writer and the event queue. It takes the outputs of
//! a step in order, and the world carries them out.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, Ipv4Addr};

use p2p_chat::core::{Event as Told, PlainRequest, PlainResult};
use p2p_chat::model::address::{PeerAddr, SourcePrefix};
use p2p_chat::model::host::{HostAddr, LookupError};
use p2p_chat::model::name::Name;
use p2p_chat::net::Transport;
use p2p_chat::net::sessions::SessionCommand;
use p2p_chat::runtime::{EventSink, Ports, Put, QueuedWrite, StoreQueue};

/// An output of a step.
#[derive(Debug)]
pub(super) enum Call {
    Session(SessionCommand),
    Plain(PlainRequest),
    Resolve(HostAddr),
    /// To be written later.
    Queued(QueuedWrite),
    Tell(Told),
}

/// The twin of a process.
pub(super) struct Twin {
    calls: RefCell<Vec<Call>>,
    /// The IP of the machine.
    ip: Cell<Ipv4Addr>,
    /// The event queue has no room.
    pub(super) is_full: Cell<bool>,
}

impl Twin {
    pub(super) fn new() -> Self {
        Self { calls: RefCell::default(), ip: Cell::new(Ipv4Addr::UNSPECIFIED), is_full: Cell::new(false) }
    }

    /// Prepares a step on a machine with this IP.
    pub(super) fn prepare(&self, ip: Ipv4Addr) {
        self.ip.set(ip);
    }

    pub(super) fn ports(&self) -> Ports<'_> {
        Ports { transport: self, store: self, events: self }
    }

    /// Returns the outputs in order.
    pub(super) fn take(&self) -> Vec<Call> {
        self.calls.take()
    }

    fn call(&self, call: Call) {
        self.calls.borrow_mut().push(call);
    }
}

impl Transport for Twin {
    fn session(&self, command: SessionCommand) {
        self.call(Call::Session(command));
    }

    fn plain(&self, request: PlainRequest, _: &Name) -> Result<(), PlainResult> {
        self.call(Call::Plain(request));
        Ok(())
    }

    fn resolve(&self, host: HostAddr) -> Result<(), LookupError> {
        self.call(Call::Resolve(host));
        Ok(())
    }

    fn is_local(&self, addr: PeerAddr) -> bool {
        addr.ip() == IpAddr::V4(self.ip.get())
    }
}

impl StoreQueue for Twin {
    fn put(&self, write: QueuedWrite) -> Put {
        self.call(Call::Queued(write));
        Put::Queued
    }
}

impl EventSink for Twin {
    fn put(&self, event: Told, _: Option<SourcePrefix>) {
        self.call(Call::Tell(event));
    }

    fn has_room(&self, _: SourcePrefix) -> bool {
        !self.is_full.get()
    }
}
