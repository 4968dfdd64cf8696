//! What holds whatever comes in: who may be dialed and how often, and that the table is true.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::printed::is_harmless;
use super::World;
use p2p_chat::core::{MAX_PEERS, Output, PeerOrigin, PresenceStatus, Transmit};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::message::{Form, Outgoing};

/// Acknowledgements and looks that may be under way at a time unless the user asked for them (docs/ARCHITECTURE.md).
const MAX_UNASKED: usize = 64;

/// Time between two acknowledgements to a peer (docs/PROTOCOL.md).
const ACK_SPACING: Duration = Duration::from_secs(2);

impl World {
    /// Takes what the rules want. `asked` says whether the user wanted something.
    pub(super) fn perform(&mut self, actions: Vec<Output>, asked: bool) {
        for action in actions {
            match action {
                Output::Tell(event) => {
                    let state = &self.state;
                    self.reader.reads(&event, |id| state.knows(id), self.now);
                }
                Output::Store(None, _) => {}
                Output::Store(Some(id), _) => {
                    let actions = self.state.written(id, Ok(()), self.now);
                    self.perform(actions, asked);
                }
                Output::Talk(talk) => panic!("nobody here has a key: {talk:?}"),
                Output::Transmit(transmit) => {
                    self.may_be_sent(&transmit);
                    let is_message = matches!(transmit.message, Outgoing::Text(_));
                    let unasked = !asked && !self.leaving && !is_message;
                    self.under_way.push((transmit, unasked));
                }
            }
        }
        let unasked = self.under_way.iter().filter(|(_, unasked)| *unasked).count();
        // The user wants the question that goes before a queued message.
        let may_ask = || self.state.waiting(self.now).len();
        assert!(
            unasked <= MAX_UNASKED || unasked <= MAX_UNASKED + may_ask(),
            "{unasked} dialed at once because others wanted it"
        );
    }

    fn may_be_sent(&mut self, transmit: &Transmit) {
        let Transmit { to, fallback, form, message, .. } = transmit;
        assert!(self.mine.contains(&to.v4().expect("IPv4")), "{to} is dialed and nobody there spoke");
        assert!(!self.state.is_own(*to), "we dial ourselves at {to}");
        if let Some(fallback) = fallback {
            let both_here = fallback.ip().is_loopback() && to.ip().is_loopback();
            assert!(
                both_here && self.mine.contains(&fallback.v4().expect("IPv4")),
                "{to} falls back to {fallback}"
            );
            assert!(!self.state.is_own(*fallback), "we dial ourselves at {fallback}");
            assert!(
                !self.state.is_listed(*fallback),
                "what is for {to} is tried at {fallback}, which is another's"
            );
        }
        assert!(
            *form != Form::R3 || self.r3.contains(&to.v4().expect("IPv4")),
            "{to} is written to as if it were R3"
        );
        // On the loopback network a peer may be found at another address, and whoever comes to the first is another.
        if *message == Outgoing::ConnectAck && !to.ip().is_loopback() {
            let before = self.acked.insert(*to, self.now);
            let is_spaced = before.is_none_or(|before| self.now.since(before) >= ACK_SPACING);
            assert!(is_spaced, "{to} is acknowledged twice within {ACK_SPACING:?}");
        }
    }

    /// What holds after every step.
    pub(super) fn check(&mut self) {
        let actions = self.state.tick(self.now);
        self.perform(actions, false);
        assert!(self.state.next_wake().is_none_or(|due| due > self.now), "a tick left something due");
        let rows = self.state.rows(self.now);
        let addrs: BTreeSet<PeerAddr> = rows.iter().filter_map(|row| row.addr).collect();
        assert_eq!(addrs.len(), rows.len(), "two rows of one address");
        assert!(rows.len() <= MAX_PEERS);
        assert_eq!(self.state.here(), rows.iter().filter(|row| row.state != PresenceStatus::Offline).count());
        for row in &rows {
            assert!(!row.addr.is_some_and(|addr| self.state.is_own(addr)), "our own address is listed");
            row.name.iter().for_each(|name| is_harmless(name.as_str()));
        }
        for addr in &self.statics {
            // It may have been found at the address that it claims.
            let stays = rows.iter().any(|row| {
                row.origin == PeerOrigin::Static && (row.addr == Some(*addr) || addr.ip().is_loopback())
            });
            assert!(stays || self.state.is_own(*addr), "{addr} is no static peer any more");
        }
    }
}
