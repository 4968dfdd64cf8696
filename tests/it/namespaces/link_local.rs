//! Two machines that have no address but those which IPv6 gives every interface by itself.

use super::lab::{Lab, Machine};
use crate::support::Peer;

const PORT: u16 = 5000;
const HERE: &str = "fe80::a";
const THERE: &str = "fe80::b";

/// Machines with nothing but one link-local address each.
struct Scene {
    lab: Lab,
    here: Machine,
    there: Machine,
    /// How each names the other: with the number of its own interface.
    alice_is: String,
    bob_is: String,
}

impl Scene {
    fn new() -> Option<Self> {
        let mut lab = Lab::new()?;
        let (here, there) = (lab.machine("here"), lab.machine("there"));
        // Gives the interface another number on each side, as no peer may rely on equal numbers.
        there.does("ip link add unused type veth peer name as-well");
        lab.joins_without_addresses(&here, &there);
        for (machine, far, addr) in [(&here, &there, HERE), (&there, &here, THERE)] {
            let cable = machine.cable(far);
            // The one that the system made is no more certain than this one, and cannot be written
            // down before.
            machine.does(&format!("ip -6 addr flush dev {cable}"));
            machine.does(&format!("ip -6 addr add {addr}/64 dev {cable} nodad"));
        }
        let at = |ip: &str, on: &Machine, cable: &str| format!("[{ip}%{}]:{PORT}", on.interface(cable));
        let bob_is = at(THERE, &here, &here.cable(&there));
        let alice_is = at(HERE, &there, &there.cable(&here));
        assert_ne!(here.interface(&here.cable(&there)), there.interface(&there.cable(&here)));
        Some(Self { lab, here, there, alice_is, bob_is })
    }

    /// Where Alice finds Bob, as a person writes it.
    fn bob_by_name_of_interface(&self) -> String {
        format!("[{THERE}%{}]:{PORT}", self.here.cable(&self.there))
    }

    /// Alice writes to Bob, who has never heard of her, at `to`; he answers to where her text came
    /// from, and both list each other.
    fn both_talk(&self, alice: &mut Peer, bob: &mut Peer, to: &str) {
        let (alice_is, bob_is) = (&self.alice_is, &self.bob_is);
        alice.types(&[&format!("@{to} over the cable alone")]);
        bob.sees(&format!("Alice ({alice_is}) [encrypted]: over the cable alone"));
        alice.sees("Delivered to Bob.");
        bob.types(&["@alice and back"]);
        alice.sees(&format!("Bob ({bob_is}) [encrypted]: and back"));
        bob.sees("Delivered to Alice.");
        for (peer, name, addr) in [(alice, "Bob", bob_is), (bob, "Alice", alice_is)] {
            peer.types(&["2"]);
            let row = peer.sees(&format!("  {addr}  "));
            assert!(row.contains(name) && row.contains("connected") && row.ends_with("encrypted"), "{row}");
            peer.sees("1 peer, 1 online.");
        }
    }
}

#[test]
fn typed_link_local_address_with_interface_name_works() {
    let Some(scene) = Scene::new() else { return };
    let mut alice = scene.here.runs("Alice").port(PORT).start();
    let mut bob = scene.there.runs("Bob").port(PORT).start();
    let typed = scene.bob_by_name_of_interface();
    alice.types(&[&format!("/connect {typed}")]);
    alice.sees(&format!("Connected to Bob ({})", scene.bob_is));
    bob.sees(&format!("* Alice ({}) is online", scene.alice_is));
    scene.both_talk(&mut alice, &mut bob, &typed);
    // No other machine can use this address, nor a loopback one.
    alice.types(&["/invite"]);
    let invitation = alice.sees("p2p-chat:");
    assert!(!invitation.contains("&a="), "{invitation}");
    alice.sees("The invitation has no address: this machine has none that others can reach.");
}

#[test]
fn configured_link_local_address_works() {
    let Some(scene) = Scene::new() else { return };
    let mut bob = scene.there.runs("Bob").port(PORT).start();
    let listed = format!(
        "[[peer]]\naddress = \"{}\"\nname = \"Bob\"\nkey = \"{}\"\n",
        scene.bob_by_name_of_interface(),
        bob.key()
    );
    let mut alice = scene.here.runs("Alice").port(PORT).saved_peers(&listed).start();
    alice.sees(&format!("* Bob ({}) is online", scene.bob_is));
    bob.meets_at(&format!("Alice ({})", scene.alice_is));
    scene.both_talk(&mut alice, &mut bob, "bob");
    let strangers = alice.printed().iter().filter(|line| line.contains(" (new, key ")).count();
    assert_eq!(strangers, 0, "his key is in the list");
}

#[test]
fn same_link_local_address_on_two_interfaces_works() {
    let Some(mut scene) = Scene::new() else { return };
    // On another cable, another machine has the same address as Bob.
    let far = scene.lab.machine("far");
    scene.lab.joins_without_addresses(&scene.here, &far);
    far.does(&format!("ip -6 addr add {THERE}/64 dev {} nodad", far.cable(&scene.here)));
    let to_far = scene.here.cable(&far);
    scene.here.does(&format!("ip -6 addr add fe80::c/64 dev {to_far} nodad"));
    let mut alice = scene.here.runs("Alice").port(PORT).start();
    let mut bob = scene.there.runs("Bob").port(PORT).start();
    let mut carol = far.runs("Carol").port(PORT).start();
    let carol_is = format!("[{THERE}%{}]:{PORT}", scene.here.interface(&to_far));
    assert_ne!(carol_is, scene.bob_is);
    scene.both_talk(&mut alice, &mut bob, &scene.bob_by_name_of_interface());
    alice.types(&[&format!("@[{THERE}%{to_far}]:{PORT} for Carol")]);
    carol.sees("[encrypted]: for Carol");
    alice.sees("Delivered to Carol.");
    carol.types(&["@alice to Alice alone"]);
    alice.sees(&format!("Carol ({carol_is}) [encrypted]: to Alice alone"));
    bob.types(&["2"]);
    bob.sees("1 peer, 1 online.");
    assert!(!bob.printed().iter().any(|line| line.contains("Carol")), "{:?}", bob.printed());
}
