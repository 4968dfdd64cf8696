//! The peers that the user of the target `keys` can write to.

use std::net::Ipv4Addr;

use p2p_chat::core::{PeerInfo, PeerOrigin, PresenceStatus, Row, Verification};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::PeerProtocol;
use p2p_chat::model::name::{Name, PeerName};
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::tui::{Directory, Labels, Standing};

/// The peers in the list, and the own name of the user.
pub(super) struct People {
    pub(super) rows: Vec<Row>,
    labels: Labels,
    pub(super) name: Name,
}

impl People {
    pub(super) fn new() -> Self {
        let row = |number: u16, name: &str, state| {
            let addr = PeerAddr::new(Ipv4Addr::LOCALHOST, 5000 + number).expect("an address");
            Row {
                number: number.into(),
                id: addr.into(),
                contact: number.is_multiple_of(2),
                name: (!name.is_empty()).then(|| PeerName::new(name)),
                addr: Some(addr),
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
        };
        let rows = vec![
            row(1, "Bob", PresenceStatus::Connected),
            row(2, "Carol", PresenceStatus::Online),
            row(4, "Dan", PresenceStatus::Online),
            row(5, "Dan", PresenceStatus::Unreachable),
            row(6, "王小明", PresenceStatus::Offline),
            row(7, "", PresenceStatus::Online),
        ];
        let mut labels = Labels::default();
        for row in &rows {
            let (id, name, addr) = (row.id, row.name.clone(), row.addr);
            let who = PeerInfo { id, name, addr, claimed: None, verification: Verification::Plain };
            let standing = if row.contact { Standing::Contact } else { Standing::Stranger };
            labels.meet(&who, |_| standing);
        }
        Self { rows, labels, name: "Alice".parse().expect("a name") }
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

    fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        vec![Recipient::Address(addr)]
    }

    fn code_with(&self, _key: PublicKey) -> String {
        String::new()
    }
}
