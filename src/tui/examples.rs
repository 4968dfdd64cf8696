//! Peers for the tests of this module.

use std::net::Ipv4Addr;

use super::labels::Labels;
use super::render::Renderer;
use crate::core::{Meeting, PeerInfo, PeerOrigin, PeerRequest, Pin, PresenceStatus, Row, Verification};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::PeerProtocol;
use crate::model::name::PeerName;
use crate::model::peer_id::{PeerId, Recipient};

pub(super) fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; 32])
}

/// An address of this machine.
pub(super) fn addr(port: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()
}

pub(super) fn peer(name: &str, id: Recipient) -> PeerInfo {
    let (name, verification) = (Some(PeerName::new(name)), Verification::Plain);
    PeerInfo { id, name, addr: id.addr(), claimed: None, verification }
}

/// A contact that was never verified and has no known address.
pub(super) fn pin(name: &str, byte: u8) -> Pin {
    let (key, name, addrs, given) = (key(byte), Some(PeerName::new(name)), Vec::new(), Vec::new());
    Pin { key, name, contact: true, addrs, given, first_seen: 0, verified: None, blocked: false }
}

/// A stranger at an address.
pub(super) fn row(number: u32, name: &str, port: u16, state: PresenceStatus) -> Row {
    Row {
        number,
        id: addr(port).into(),
        contact: false,
        name: Some(PeerName::new(name)),
        addr: Some(addr(port)),
        claimed: None,
        protocol: PeerProtocol::Unknown,
        verification: Verification::Plain,
        state,
        why: None,
        origin: PeerOrigin::Heard,
        last_heard: None,
        refuses: None,
        refused_key: None,
        is_one_way: false,
    }
}

/// A stranger with a key.
pub(super) fn meeting(name: &str, byte: u8, addr: PeerAddr) -> Meeting {
    let (id, name, source) = (PeerId::Key(key(byte)), Some(PeerName::new(name)), addr.source());
    Meeting { id, name, addr, dialed: false, source, date: 0 }
}

/// A request that conflicts with these contacts.
pub(super) fn request(met: Meeting, against: &[Pin]) -> PeerRequest {
    PeerRequest { met, against: against.to_vec(), held: None, is_old_key_online: false }
}

/// Words events as on a terminal, without the time.
pub(super) fn on_terminal(labels: &Labels) -> Renderer<'_> {
    let date = |seconds| format!("{} March 2026", seconds / 86_400);
    Renderer { labels, full: false, rows: true, durable: true, is_new: false, late: "", stamp: "", date }
}
