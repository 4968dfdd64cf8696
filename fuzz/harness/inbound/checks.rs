//! The checks of the target `inbound`: which addresses are dialed and how often, and the peer
//! table.

use std::collections::BTreeSet;
use std::time::Duration;

use p2p_chat::core::{MAX_PEERS, Output, PeerOrigin, PlainRequest};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::message::{Form, Outgoing};

use super::super::printed::assert_harmless;
use super::World;

/// Outgoing connections at a time that the user did not ask for: acknowledgements and probes
/// (docs/ARCHITECTURE.md).
const MAX_UNASKED: usize = 32;

/// Minimum time between two acknowledgements to a peer (docs/PROTOCOL.md).
const ACK_SPACING: Duration = Duration::from_secs(2);

impl World {
    /// Performs outputs of the core. `asked` says whether the user asked for them.
    pub(super) fn perform(&mut self, outputs: Vec<Output>, asked: bool) {
        for output in outputs {
            match output {
                Output::Tell(event) => {
                    let state = &self.state;
                    self.reader.read(&event, |id| state.book().knows(id), self.now);
                }
                Output::Store(None, _) => {}
                Output::Store(Some(id), _) => {
                    let outputs = self.state.stored(id, Ok(()), self.now);
                    self.perform(outputs, asked);
                }
                Output::Session(_) | Output::Resolve(_) | Output::Accepted(..) | Output::Introduce(..) => {
                    panic!("no peer has a key: {output:?}")
                }
                Output::Plain(transmit) => {
                    self.check_transmit(&transmit);
                    let is_message = matches!(transmit.message, Outgoing::Text(_));
                    let unasked = !asked && !self.leaving && !is_message;
                    self.under_way.push((transmit, unasked));
                }
            }
        }
        let unasked = self.under_way.iter().filter(|(_, unasked)| *unasked).count();
        // The probe before a queued message is one that the user asked for.
        let queued = || self.state.waiting(self.now).len();
        assert!(
            unasked <= MAX_UNASKED || unasked <= MAX_UNASKED + queued(),
            "{unasked} connections at once that the user did not ask for"
        );
    }

    /// Checks the address and the form of an outgoing connection.
    fn check_transmit(&mut self, transmit: &PlainRequest) {
        let PlainRequest { to, fallback, form, message, .. } = transmit;
        let ip = to.v4().expect("IPv4");
        assert!(self.dialable.contains(&ip), "{to} is dialed, where no peer was seen");
        assert!(!self.state.book().is_own(*to), "we dial ourselves at {to}");
        if let Some(fallback) = fallback {
            let fallback_ip = fallback.v4().expect("IPv4");
            let are_loopback = fallback_ip.is_loopback() && ip.is_loopback();
            assert!(are_loopback && self.dialable.contains(&fallback_ip), "{to} falls back to {fallback}");
            assert!(!self.state.book().is_own(*fallback), "we dial ourselves at {fallback}");
            let is_listed = self.state.rows(self.now).iter().any(|row| row.addr == Some(*fallback));
            assert!(!is_listed, "a message for {to} is tried at {fallback}, another peer's address");
        }
        assert!(*form != Form::new("r3") || self.r3.contains(&ip), "{to} gets R3's form");
        // On the loopback network a peer may move to another address, and another may take its
        // place.
        if *message == Outgoing::ConnectAck && !ip.is_loopback() {
            let before = self.acked.insert(*to, self.now);
            let is_spaced = before.is_none_or(|before| self.now.since(before) >= ACK_SPACING);
            assert!(is_spaced, "{to} is acknowledged twice within {ACK_SPACING:?}");
        }
    }

    /// Checks what must hold after every step.
    pub(super) fn check(&mut self) {
        let outputs = self.state.tick(self.now);
        self.perform(outputs, false);
        assert!(self.state.next_wake().is_none_or(|due| due > self.now), "a tick left work that is due");
        let rows = self.state.rows(self.now);
        let addrs: BTreeSet<PeerAddr> = rows.iter().filter_map(|row| row.addr).collect();
        assert_eq!(addrs.len(), rows.len(), "two rows with one address");
        assert!(rows.len() <= MAX_PEERS);
        assert_eq!(self.state.online_count(), rows.iter().filter(|row| row.counts_as_online()).count());
        for row in &rows {
            assert!(
                !row.addr.is_some_and(|addr| self.state.book().is_own(addr)),
                "our own address is listed"
            );
            row.name.iter().for_each(|name| assert_harmless(name.as_str()));
        }
        for addr in &self.statics {
            // A peer on the loopback network may have moved to the address that it claims.
            let is_static = rows.iter().any(|row| {
                row.origin == PeerOrigin::Static && (row.addr == Some(*addr) || addr.ip().is_loopback())
            });
            assert!(is_static || self.state.book().is_own(*addr), "{addr} is no longer a static peer");
        }
    }
}
