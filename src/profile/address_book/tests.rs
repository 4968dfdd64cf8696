use std::net::Ipv4Addr;

use super::*;
use crate::model::address::PeerAddr;
use crate::model::key::KEY_BYTES;
use crate::model::stored::StoreOp;
use crate::store::in_memory;

#[test]
fn one_source_does_not_fill_the_remembered_strangers() {
    let mut store = in_memory().unwrap();
    let seen = |number: usize, ip: [u8; 4]| {
        let mut key = [9; KEY_BYTES];
        key[..8].copy_from_slice(&number.to_be_bytes());
        let peer = PeerId::Key(PublicKey::new(key));
        let addrs = vec![PeerAddr::new(Ipv4Addr::from(ip), 5_000).unwrap()];
        StoreOp::Seen { peer, name: Some(PeerName::new("Eve")), contact: false, addrs }
    };
    // The others were seen long before those of the one source.
    store.apply(&[seen(0, [192, 0, 2, 7])], 1_000).unwrap();
    let crowd: Vec<StoreOp> = (1..=MAX_STRANGERS_PER_PREFIX + 10).map(|n| seen(n, [192, 0, 2, 66])).collect();
    store.apply(&crowd, 2_000).unwrap();
    // Legacy peers of that source take no room from keys: they are not remembered so.
    let legacy = |port: u16| {
        let addr = PeerAddr::new(Ipv4Addr::new(192, 0, 2, 66), port).unwrap();
        let peer = crate::protocol::plain::peer_at(addr.plain().unwrap());
        StoreOp::Seen { peer, name: None, contact: false, addrs: vec![addr] }
    };
    let count = u16::try_from(MAX_STRANGERS_PER_PREFIX).unwrap();
    store.apply(&(1..=count).map(legacy).collect::<Vec<_>>(), 3_000).unwrap();
    let alice = "Alice".parse().unwrap();
    let book = AddressBook::open(None, &alice, &mut store).unwrap();
    assert_eq!(book.pins.len(), 1 + MAX_STRANGERS_PER_PREFIX);
}
