//! One peer driven to its bounds by peers that somebody invents.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use p2p_chat::core::{MAX_PEERS, MAX_PEERS_PER_IP, StaticPeer};
use p2p_chat::model::address::{PeerAddr, Source};

use super::peer::Past;
use super::plan::Plan;
use super::world::World;

/// Looks and acknowledgements at once that the user did not ask for (ARCHITECTURE.md, Bounds).
const UNASKED: usize = 32;

/// A peer of ours, process 1, with two static ones: process 0, and one that is never there. Nobody
/// else is in the world.
fn two() -> (World, [PeerAddr; 2]) {
    let mut world = World::new(1);
    world.plan = Plan { legacy: 1_000, ..Plan::still() };
    world.hosts = vec![(Ipv4Addr::new(10, 0, 0, 1), 0), (Ipv4Addr::new(10, 0, 0, 2), 0)];
    world.launch(0, 5_001, None);
    let addrs = [1, 2].map(|port| PeerAddr::new(Ipv4Addr::new(10, 0, 0, 1), 5_000 + port).expect("unicast"));
    let fixed = addrs.map(StaticPeer::at);
    world.launch(1, 5_002, Some(Past { statics: fixed.to_vec(), ..Past::default() }));
    world.run_until(Duration::from_secs(5));
    (world, addrs)
}

/// What somebody at `ip` writes who claims to listen at that port there.
fn invents(world: &mut World, ip: Ipv4Addr, port: u16, text: &str) {
    world.step += 1;
    let local = world.hosts[1].0;
    let bytes = format!("{ip}:{port} Eve {text}").into_bytes();
    world.receives(1, None, Source::from(ip), local, &bytes);
    // So many peers say something at one moment.
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
fn invented_peers_fill_the_table_to_its_bounds_and_displace_no_static_peer() {
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
    // All of them are looked for, at most so many at a time, and none of them is there.
    let mut most = 0;
    for _ in 0..80 {
        let soon = world.now + Duration::from_millis(100);
        world.run_until(soon);
        most = most.max(world.ours(1).state().under_way().unasked);
    }
    assert_eq!(most, UNASKED);
    world.check_table(1);
}

#[test]
fn who_asks_a_thousand_times_has_us_dial_it_every_two_seconds() {
    let (mut world, _) = two();
    let eve = Ipv4Addr::new(172, 16, 0, 1);
    for _ in 0..1_000 {
        invents(&mut world, eve, 9, "connect");
        let soon = world.now + Duration::from_millis(10);
        world.run_until(soon);
    }
    let to_eve =
        |what: &str| world.counts.iter().filter(|(key, _)| key.starts_with(what)).map(|(_, n)| n).sum();
    // In ten seconds and a half; whoever is dialed in vain may keep it for three seconds each time.
    let acks: usize = to_eve("connect_ack");
    assert!((3..=6).contains(&acks), "{acks}: {:?}", world.counts);
}
