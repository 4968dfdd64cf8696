//! Peers that find each other on the local network, without peers.toml and without an address.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use mdns_sd::{ServiceDaemon, ServiceInfo};
use tempfile::TempDir;

use super::lab::{Lab, Machine, at};
use crate::support::{Builder, Peer, SOON, until};

const PORT: u16 = 5000;
const SERVICE: &str = "_p2p-chat._tcp.local.";

/// A peer that can be discovered as this option says.
fn peer(machine: &Machine, name: &str, discover: &str) -> Builder {
    machine.runs(name).port(PORT).env("P2P_CHAT_DISCOVER", discover)
}

/// Machines on one network, 10.83.0.1 and so on, joined by a switch.
fn network<const N: usize>(lab: &mut Lab, names: [&str; N]) -> Option<[Machine; N]> {
    network_with_switch(lab, names).map(|(_, machines)| machines)
}

/// The same, and the switch.
fn network_with_switch<const N: usize>(lab: &mut Lab, names: [&str; N]) -> Option<(Machine, [Machine; N])> {
    let switch = lab.machine("switch");
    if !switch.can("ip link add sw type bridge mcast_snooping 0") {
        return None;
    }
    switch.does("ip link set sw up");
    let machines = names.map(|name| lab.machine(name));
    for (machine, host) in machines.iter().zip(1..) {
        lab.joins_without_addresses(machine, &switch);
        switch.does(&format!("ip link set {} master sw", switch.cable(machine)));
        machine.does(&format!("ip addr add 10.83.0.{host}/24 dev {}", machine.cable(&switch)));
        // Programs send multicast only where a route leads.
        machine.does(&format!("ip route add default dev {}", machine.cable(&switch)));
    }
    Some((switch, machines))
}

/// Announces a key at an address, neither of which has to be the announcer's.
fn announces(machine: &Machine, key: &str, ip: &str) -> ServiceDaemon {
    announces_all(machine, &[(key.to_owned(), "Bob".to_owned())], ip)
}

/// The same with several keys, each with a name.
fn announces_all(machine: &Machine, forged: &[(String, String)], ip: &str) -> ServiceDaemon {
    machine.inside(|| {
        let daemon = ServiceDaemon::new().expect("it starts");
        for (key, name) in forged {
            let txt = [("txtvers", "1"), ("k", key), ("n", name)];
            let info = ServiceInfo::new(SERVICE, &key[..16], "forged.local.", ip, PORT, &txt[..]);
            let info = info.expect("valid");
            // Its queue may be full for a moment.
            until(SOON, "it registers", || daemon.register(info.clone()).is_ok());
        }
        daemon
    })
}

#[test]
fn three_strangers_find_each_other() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his, carols]) = network(&mut lab, ["hers", "his", "carols"]) else { return };
    let mut alice = peer(&hers, "Alice", "on").start();
    alice.has_seen("Visible as Alice on 10.83.0.0/24 (/discover off hides you)");
    let bob = peer(&his, "Bob", "on").start();
    let carol = peer(&carols, "Carol", "on").start();
    for one in [&alice, &bob, &carol] {
        for other in [&alice, &bob, &carol].iter().filter(|other| other.name() != one.name()) {
            one.has_seen_line("the other", |line| {
                line.contains(&format!("* {} (10.83.0.", other.name())) && line.contains("is online (new")
            });
        }
    }
    alice.types(&["@all soup is ready"]);
    bob.has_seen("[encrypted] → all: soup is ready");
    carol.has_seen("[encrypted] → all: soup is ready");
    // His announcement may arrive after the session that he has opened.
    until(SOON, "Bob is listed as of the network", || {
        alice.lists(at("10.83.0.2", PORT)).expect("Bob is listed").contains("connected  lan ")
    });
    alice.has_seen("2 peers, 2 online.");
}

#[test]
fn profiles_on_one_machine_find_each_other() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([machine]) = network(&mut lab, ["machine"]) else { return };
    let alice = peer(&machine, "Alice", "on").start();
    let mut bob = machine.runs("Bob").port(PORT + 1).env("P2P_CHAT_DISCOVER", "on").start();
    alice.has_seen(&format!("* Bob (10.83.0.1:{}) is online", PORT + 1));
    bob.has_seen(&format!("* Alice (10.83.0.1:{PORT}) is online"));
    bob.types(&["@alice hello"]);
    alice.has_seen("[encrypted]: hello");
}

#[test]
fn only_contacts_are_found_at_new_ports() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his, eves]) = network(&mut lab, ["hers", "his", "eves"]) else { return };
    let data = TempDir::new().expect("a temporary directory");
    // The second time, each listens elsewhere, so no earlier address leads to either.
    let run = |machine: &Machine, name: &str, port: u16, discover: &str| {
        let builder = machine.runs(name).port(port).env("P2P_CHAT_DISCOVER", discover);
        builder.data_dir(data.path().join(name))
    };
    let mut alice = run(&hers, "Alice", 5000, "off").start();
    let mut bob = run(&his, "Bob", 5000, "off").knows(at("10.83.0.1", PORT)).start();
    alice.sees("* Bob (10.83.0.2:5000) is online");
    alice.types(&["@bob hello"]);
    bob.sees("[encrypted]: hello");
    bob.types(&["/reply hello too"]);
    alice.sees("[encrypted]: hello too");
    bob.crashes();
    alice.crashes();
    let eve = peer(&eves, "Eve", "on").start();
    let mut alice = run(&hers, "Alice", 5001, "contacts").start();
    alice.has_seen("Visible to your contacts on 10.83.0.0/24 (/discover off hides you)");
    alice.types(&["/discover"]);
    alice.sees(
        "Visible to your contacts on 10.83.0.0/24. Only contacts are connected automatically. /discover",
    );
    let bob = run(&his, "Bob", 5002, "contacts").start();
    alice.has_seen("* Bob (10.83.0.2:5002) is online");
    bob.has_seen("* Alice (10.83.0.1:5001) is online");
    for printed in [alice.printed(), bob.printed()] {
        assert!(!printed.iter().any(|line| line.contains("Eve")), "{printed:?}");
    }
    let printed = eve.printed();
    assert!(!printed.iter().any(|line| line.contains("Alice") || line.contains("Bob")), "{printed:?}");
}

#[test]
fn policy_ask_only_tells_of_strangers() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his]) = network(&mut lab, ["hers", "his"]) else { return };
    let mut alice = peer(&hers, "Alice", "on").arg("--policy").arg("ask").start();
    let bob = peer(&his, "Bob", "on").arg("--policy").arg("ask").start();
    alice.has_seen("* Bob is on this network: /connect Bob");
    bob.has_seen("* Alice is on this network: /connect Alice");
    let printed = alice.printed();
    assert!(!printed.iter().any(|line| line.contains("wants to chat")), "{printed:?}");
    alice.types(&["/connect bob"]);
    bob.has_seen("* Alice (10.83.0.1:5000) wants to chat");
}

#[test]
fn network_that_comes_up_later_is_used() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his]) = network(&mut lab, ["hers", "his"]) else { return };
    his.does("ip link set to-switch down");
    let alice = peer(&hers, "Alice", "on").start();
    let bob = peer(&his, "Bob", "on").start();
    assert!(!bob.printed().iter().any(|line| line.contains("Visible")), "{:?}", bob.printed());
    his.does("ip link set to-switch up");
    his.does("ip route add default dev to-switch");
    // The networks are read every 3 s; once a minute would not be enough.
    assert!(bob.sees_in_time("Visible as Bob on 10.83.0.0/24.", Duration::from_secs(20)));
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    bob.has_seen("* Alice (10.83.0.1:5000) is online");
}

#[test]
fn peer_with_a_new_address_is_found_there() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his]) = network(&mut lab, ["hers", "his"]) else { return };
    let mut alice = peer(&hers, "Alice", "on").start();
    let bob = peer(&his, "Bob", "on").start();
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    for command in ["addr del 10.83.0.2/24", "addr add 10.83.0.77/24", "route replace default"] {
        his.does(&format!("ip {command} dev to-switch"));
    }
    alice.types(&["@bob are you there?"]);
    bob.has_seen("[encrypted]: are you there?");
    until(SOON, "Bob is listed at his new address", || {
        alice.lists(at("10.83.0.77", PORT)).is_some_and(|row| row.contains("connected  lan "))
    });
}

#[test]
fn taken_mdns_port_is_reported_until_free() {
    // The socket of IPv6 takes the port for IPv4, too, and `mdns-sd` wants it for both.
    for taken in [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()] {
        let Some(mut lab) = Lab::new() else { return };
        let Some([hers, his]) = network(&mut lab, ["hers", "his"]) else { return };
        let taken = his.inside(|| UdpSocket::bind((taken, 5353)).expect("it is free"));
        let mut bob = peer(&his, "Bob", "on").start();
        let words = "No peer on the local network can discover you: another program uses UDP port 5353.";
        bob.has_seen(words);
        bob.types(&["/discover"]);
        assert_eq!(bob.sees("No peer on the local network"), words);
        drop(taken);
        let alice = peer(&hers, "Alice", "on").start();
        bob.has_seen("Visible as Bob on 10.83.0.0/24.");
        alice.has_seen("* Bob (10.83.0.2:5000) is online");
    }
}

#[test]
fn missing_network_is_reported_at_the_start() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([his]) = network(&mut lab, ["his"]) else { return };
    his.does("ip link set to-switch down");
    let mut bob = peer(&his, "Bob", "on").start();
    let words = "No network yet: others can discover you when one is up.";
    bob.has_seen(words);
    bob.types(&["/discover"]);
    assert_eq!(bob.sees("No network yet"), words);
}

#[test]
fn peer_is_found_again_after_cable_was_unplugged() {
    let Some(mut lab) = Lab::new() else { return };
    let Some((switch, [hers, his])) = network_with_switch(&mut lab, ["hers", "his"]) else { return };
    let mut alice = peer(&hers, "Alice", "on").start();
    let mut bob = peer(&his, "Bob", "on").start();
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    bob.has_seen("* Alice (10.83.0.1:5000) is online");
    let cable = switch.cable(&his);
    switch.does(&format!("ip link set {cable} down"));
    alice.types(&["@bob are you there?"]);
    bob.types(&["@alice is anyone there?"]);
    for peer in [&alice, &bob] {
        assert!(peer.sees_in_time("Queued for ", Duration::from_secs(30)), "{:?}", peer.printed());
    }
    switch.does(&format!("ip link set {cable} up"));
    for (peer, message) in [(&bob, ": are you there?"), (&alice, ": is anyone there?")] {
        assert!(peer.sees_in_time(message, Duration::from_secs(60)), "{:?}", peer.printed());
    }
}

#[test]
fn echoed_record_of_our_own_is_ignored() {
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his, mirror]) = network(&mut lab, ["hers", "his", "mirror"]) else { return };
    let socket = mirror.inside(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 5353)).expect("it is free");
        socket.join_multicast_v4(&GROUP, &Ipv4Addr::new(10, 83, 0, 3)).expect("it joins");
        socket
    });
    // As a reflector between two networks does that hears what it has sent.
    std::thread::spawn(move || {
        let mut packet = [0; 9_000];
        while let Ok((len, from)) = socket.recv_from(&mut packet) {
            if from.ip() != Ipv4Addr::new(10, 83, 0, 3)
                && socket.send_to(&packet[..len], (GROUP, 5353)).is_err()
            {
                break;
            }
        }
    });
    let mut alice = peer(&hers, "Alice", "on").start();
    let bob = peer(&his, "Bob", "on").start();
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    bob.has_seen("* Alice (10.83.0.1:5000) is online");
    alice.types(&["2"]);
    alice.sees("1 peer, 1 online.");
    let printed = alice.printed();
    assert!(!printed.iter().any(|line| line.contains("* Alice")), "{printed:?}");
}

/// Takes about a minute, because a program is stopped for that long.
#[test]
#[ignore = "takes a minute"]
fn stopped_program_finds_its_peers_again() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his, carols]) = network(&mut lab, ["hers", "his", "carols"]) else { return };
    let alice = peer(&hers, "Alice", "on").start();
    let mut bob = peer(&his, "Bob", "on").start();
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    alice.is_stopped();
    let carol = peer(&carols, "Carol", "on").start();
    bob.has_seen("* Carol (10.83.0.3:5000) is online");
    bob.types(&["@alice are you awake?"]);
    std::thread::sleep(Duration::from_secs(60));
    alice.is_sent(rustix::process::Signal::CONT);
    let woken = Instant::now();
    for words in [": are you awake?", "* Carol (10.83.0.3:5000) is online"] {
        assert!(alice.sees_in_time(words, Duration::from_secs(60)), "{:?}", alice.printed());
        eprintln!("{words} after {:?}", woken.elapsed());
    }
    assert!(carol.sees_in_time("* Alice (10.83.0.1:5000) is online", Duration::from_secs(60)));
}

/// Fifty programs on ten machines find each other: the system has one table of neighbors for all
/// namespaces, and no room in it for fifty machines that all know each other. Says how long it
/// took.
#[test]
#[ignore = "fifty programs slow down the tests beside them"]
fn fifty_peers_find_each_other() {
    const MACHINES: usize = 10;
    const PEERS: usize = 50;

    let Some(mut lab) = Lab::new() else { return };
    let names: [String; MACHINES] = std::array::from_fn(|n| format!("m{n}"));
    let Some(machines) = network(&mut lab, names.each_ref().map(String::as_str)) else { return };
    let started = Instant::now();
    let starts = |n: usize| {
        let port = PORT + u16::try_from(n / MACHINES).expect("few per machine");
        let peer = machines[n % MACHINES].runs(&format!("Peer{n}")).port(port);
        peer.env("P2P_CHAT_DISCOVER", "on").start()
    };
    let mut peers: Vec<Peer> = (0..PEERS).map(starts).collect();
    eprintln!("started after {:?}", started.elapsed());
    let all = format!("{} online.", PEERS - 1);
    for one in &mut peers {
        until(Duration::from_secs(300), "all others are online", || {
            one.types(&["2"]);
            one.sees_sum_within(Duration::from_secs(60)).contains(&all)
        });
    }
    eprintln!("all have found each other after {:?}", started.elapsed());
    let kib: u64 = peers.iter().map(Peer::resident_kib).sum();
    eprintln!("{} KiB each", kib / PEERS as u64);
}

#[test]
fn third_machine_gets_only_the_opening_line() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, eves, third]) = network(&mut lab, ["hers", "eves", "third"]) else { return };
    let listener = third.inside(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).expect("it listens"));
    let mut alice = peer(&hers, "Alice", "on").start();
    // Any instance name will do, such as the beginning of a key.
    let key = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";
    let _forged = announces(&eves, key, "10.83.0.3");
    let (mut stream, from) = listener.accept().expect("she dials");
    assert_eq!(from.ip(), Ipv4Addr::new(10, 83, 0, 1));
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    let mut said = Vec::new();
    stream.read_to_end(&mut said).expect("she gives up");
    assert_eq!(String::from_utf8_lossy(&said), "P2P-CHAT/1\n");
    alice.types(&["2"]);
    alice.sees("No peers yet");
    let printed = alice.printed();
    assert!(!printed.iter().any(|line| line.contains("10.83.0.3")), "{printed:?}");
}

#[test]
fn forged_announcement_does_not_hide_the_peer() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his, eves]) = network(&mut lab, ["hers", "his", "eves"]) else { return };
    let alice = peer(&hers, "Alice", "on").start();
    let mut bob = peer(&his, "Bob", "off").start();
    let key = bob.key();
    let _forged = announces(&eves, &key, "10.83.0.3");
    bob.types(&["/discover on"]);
    bob.sees("Visible as Bob on 10.83.0.0/24.");
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    let printed = alice.printed();
    assert!(!printed.iter().any(|line| line.contains("key has changed")), "{printed:?}");
}

#[test]
fn burst_of_announcements_takes_a_few_lines() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his, eves]) = network(&mut lab, ["hers", "his", "eves"]) else { return };
    let alice = peer(&hers, "Alice", "on").arg("--policy").arg("ask").start();
    let chars = || "abcdefghijklm".chars();
    let keys = chars().flat_map(|one| chars().map(move |other| format!("{one}{other}{}aq", "ae".repeat(24))));
    let forged: Vec<(String, String)> = keys.take(150).zip((0..).map(|n| format!("Spam{n}"))).collect();
    let _forged = announces_all(&eves, &forged, "10.83.0.3");
    alice.has_seen_line("the sum", |line| line.contains(" more are on this network. /connect NAME"));
    let _bob = peer(&his, "Bob", "on").arg("--policy").arg("ask").start();
    // His line waits for a minute at most.
    let in_time = 2 * Duration::from_secs(60);
    assert!(alice.sees_in_time("* Bob is on this network: /connect Bob", in_time), "{:#?}", alice.printed());
    let printed = alice.printed();
    let lines = printed.iter().filter(|line| line.contains(" on this network")).count();
    assert!(lines <= 12, "{printed:#?}");
}

#[test]
fn docker_bridges_are_neither_announced_nor_dialed() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his]) = network(&mut lab, ["hers", "his"]) else { return };
    for machine in [&hers, &his] {
        machine.does("ip link add docker0 type bridge");
        machine.does("ip addr add 172.17.0.1/16 dev docker0");
        machine.does("ip link set docker0 up");
        machine.counts("ip daddr 172.17.0.1 tcp dport 5000");
    }
    let alice = peer(&hers, "Alice", "on").start();
    let bob = peer(&his, "Bob", "on").start();
    alice.has_seen("* Bob (10.83.0.2:5000) is online");
    bob.has_seen("* Alice (10.83.0.1:5000) is online");
    alice.has_seen("Visible as Alice on 10.83.0.0/24 (");
    assert_eq!((hers.counted(), his.counted()), (0, 0), "packets to a bridge");
}

#[test]
fn link_local_addresses_are_enough() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    there.does("ip link add unused type veth peer name as-well");
    lab.joins_without_addresses(&here, &there);
    let alice = peer(&here, "Alice", "on").start();
    let bob = peer(&there, "Bob", "on").start();
    alice.has_seen("* Bob ([fe80::");
    bob.has_seen("* Alice ([fe80::");
}

#[test]
fn peer_is_found_in_each_of_two_networks() {
    let Some(mut lab) = Lab::new() else { return };
    let [hers, his, carols] = ["hers", "his", "carols"].map(|name| lab.machine(name));
    lab.joins((&hers, "10.84.1.2"), (&carols, "10.84.1.1"));
    lab.joins((&his, "10.84.2.2"), (&carols, "10.84.2.1"));
    let carol = peer(&carols, "Carol", "on").start();
    let alice = peer(&hers, "Alice", "on").start();
    let bob = peer(&his, "Bob", "on").start();
    carol.has_seen("* Alice (10.84.1.2:5000) is online");
    carol.has_seen("* Bob (10.84.2.2:5000) is online");
    alice.has_seen("* Carol (10.84.1.1:5000) is online");
    bob.has_seen("* Carol (10.84.2.1:5000) is online");
}

#[test]
fn hidden_peers_send_no_multicast() {
    let Some(mut lab) = Lab::new() else { return };
    let Some([hers, his]) = network(&mut lab, ["hers", "his"]) else { return };
    his.counts("udp dport 5353");
    let mut off = peer(&hers, "Alice", "off").start();
    off.types(&["/discover off"]);
    off.sees("No peer on the local network can discover you, and you discover none.");
    let mut local = Peer::named("Carol").under(&["ip", "netns", "exec", hers.name()]);
    local = local.arg("--bind").arg("127.0.0.1").env("P2P_CHAT_DISCOVER", "on");
    let mut local = local.start();
    local.types(&["/discover"]);
    local.sees("No peer on the local network can discover you");
    // Twice as long as an announcement takes.
    assert!(!off.sees_in_time("is online", Duration::from_secs(2)));
    assert_eq!(his.counted(), 0, "packets of mDNS");
}
