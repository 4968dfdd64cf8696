//! One peer that is driven to its limits by invented peers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use p2p_chat::core::{MAX_PEERS, MAX_PEERS_PER_IP, StaticPeer};
use p2p_chat::model::address::{PeerAddr, Source};

use super::plan::Plan;
use super::world::World;

/// Probes and acknowledgements at once that the user did not ask for.
const UNASKED: usize = 32;

/// A world of two: ours is process 1, and its static peers are process 0 and one that is never
/// there.
fn two() -> (World, [PeerAddr; 2]) {
    let mut world = World::new(1);
    world.plan = Plan { legacy: 1_000, ..Plan::still() };
    world.hosts = vec![(Ipv4Addr::new(10, 0, 0, 1), 0), (Ipv4Addr::new(10, 0, 0, 2), 0)];
    world.launch(0, 5_001, None);
    let addrs = [5_001, 5_002].map(|port| world.addr(0, port));
    let person = world.person(1, "person1", addrs.map(StaticPeer::at).to_vec());
    world.launch(1, 5_002, Some(person));
    world.rests(Duration::from_secs(5));
    (world, addrs)
}

/// A peer at `ip` that claims to listen at this port writes something.
fn invents(world: &mut World, ip: Ipv4Addr, port: u16, text: &str) {
    world.step += 1;
    let local = world.hosts[1].0;
    let bytes = format!("{ip}:{port} Eve {text}").into_bytes();
    world.receives(1, None, Source::from(ip), local, &bytes);
    // All of them write at one moment.
    world.disk_catches_up(1);
    let unasked = world.ours(1).state().under_way().unasked;
    assert!(unasked <= UNASKED, "{unasked} at once");
}

fn by_ip(world: &World) -> BTreeMap<Ipv4Addr, usize> {
    let mut counts = BTreeMap::new();
    for row in world.rows(1) {
        *counts.entry(row.addr.and_then(PeerAddr::v4).expect("IPv4")).or_insert(0) += 1;
    }
    counts
}

#[test]
fn invented_peers_displace_no_static_peer() {
    let (mut world, fixed) = two();
    let one = Ipv4Addr::new(172, 16, 0, 1);
    for port in 1..=u16::try_from(MAX_PEERS_PER_IP + 500).expect("a port") {
        invents(&mut world, one, port, "connect");
    }
    assert_eq!(by_ip(&world)[&one], MAX_PEERS_PER_IP);
    world.check_table(1);
    for n in 0..u32::try_from(MAX_PEERS).expect("32 bits") {
        invents(&mut world, Ipv4Addr::from_bits(0xac11_0000 + n), 9, "hi");
    }
    let table = world.rows(1);
    assert_eq!(table.len(), MAX_PEERS);
    assert!(fixed.iter().all(|addr| table.iter().any(|row| row.addr == Some(*addr))));
    world.check_table(1);
    // All of them are probed, a bounded number at a time, and none is there.
    let mut most = 0;
    for _ in 0..80 {
        world.rests(Duration::from_millis(100));
        most = most.max(world.ours(1).state().under_way().unasked);
    }
    assert_eq!(most, UNASKED);
    world.check_table(1);
}
