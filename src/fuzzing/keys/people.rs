//! Somebody to write to.

use std::net::Ipv4Addr;

use crate::chat::{Known, Offer, Pin, Proof, Row, State, Who};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::message::Speech;
use crate::model::name::{Name, PeerName};
use crate::ui::{Directory, Labels};

/// Those whom the prompt knows.
pub(super) struct People {
    pub(super) rows: Vec<Row>,
    labels: Labels,
    pub(super) name: Name,
}

impl People {
    pub(super) fn new() -> Self {
        let row = |number: u16, name: &str, state| {
            Some(Row {
                number: number.into(),
                name: (!name.is_empty()).then(|| PeerName::new(name)),
                addr: PeerAddr::new(Ipv4Addr::LOCALHOST, 5000 + number)?,
                claimed: None,
                speech: Speech::Unknown,
                proof: Proof::Plain,
                state,
                why: None,
                known: Known::Heard,
                last_heard: None,
            })
        };
        let rows: Vec<Row> = [
            row(1, "Bob", State::Connected),
            row(2, "Carol", State::Active),
            row(4, "Dan", State::Active),
            row(5, "Dan", State::Quiet),
            row(6, "王小明", State::Gone),
            row(7, "", State::Active),
        ]
        .into_iter()
        .flatten()
        .collect();
        let mut labels = Labels::default();
        for row in &rows {
            labels.meet(
                &Who { name: row.name.clone(), addr: row.addr, claimed: None, proof: Proof::Plain },
                |_| true,
            );
        }
        let Ok(name) = "Alice".parse() else { unreachable!("a valid name") };
        Self { rows, labels, name }
    }
}

impl Directory for People {
    fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        addr.port() == 5000
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }
    fn key_of(&self, _addr: PeerAddr) -> Option<Pin> {
        None
    }

    fn pins_named(&self, _word: &str) -> Vec<Pin> {
        Vec::new()
    }

    fn offers_for(&self, _word: &str) -> Vec<Offer> {
        Vec::new()
    }

    fn code_with(&self, _key: PublicKey) -> String {
        String::new()
    }
}
