//! A machine with two interfaces, on networks that do not know each other.

use super::lab::{Lab, at};

const PORT: u16 = 5000;

#[test]
fn each_peer_is_reached_over_its_own_network() {
    let Some(mut lab) = Lab::new() else { return };
    let [hers, his, carols] = ["hers", "his", "carols"].map(|name| lab.machine(name));
    lab.joins((&hers, "10.81.1.2"), (&carols, "10.81.1.1"));
    lab.joins((&his, "10.81.2.2"), (&carols, "10.81.2.1"));
    let mut carol = carols.runs("Carol").port(PORT).start();
    let mut alice = hers.runs("Alice").port(PORT).knows(at("10.81.1.1", PORT)).start();
    let mut bob = his.runs("Bob").port(PORT).knows(at("10.81.2.1", PORT)).start();
    carol.meets_at("Alice (10.81.1.2:5000)");
    carol.has_seen("* Bob (10.81.2.2:5000) is online");
    carol.types(&["@all soup is ready"]);
    for peer in [&mut alice, &mut bob] {
        peer.sees("[encrypted] → all: soup is ready");
        peer.types(&["/reply thank you"]);
        peer.sees("Delivered to Carol");
    }
    // She is at the address of each one's own network, and there is one of her.
    for (peer, addr) in [(&mut alice, "10.81.1.1"), (&mut bob, "10.81.2.1")] {
        peer.finds(at(addr, PORT), "connected");
        peer.has_seen("1 peer, 1 online.");
    }
    // They find each other again in both networks.
    carol.crashes();
    let mut carol = carol.goes_on_as(carols.runs("Carol"));
    for shown in ["Alice (10.81.1.2:5000)", "Bob (10.81.2.2:5000)"] {
        carol.has_seen(&format!("* {shown} is online"));
    }
    carol.types(&["@all second helping"]);
    for peer in [&mut alice, &mut bob] {
        peer.sees("[encrypted] → all: second helping");
    }
    for peer in [&alice, &bob, &carol] {
        let printed = peer.printed();
        assert!(!printed.iter().any(|line| line.contains("cannot be dialed")), "{printed:?}");
    }
}
