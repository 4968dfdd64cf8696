//! A network that comes apart and together again, between two machines.

use std::time::Duration;

use super::lab::{Lab, Machine, at};
use crate::support::Peer;

const HERE: &str = "10.77.0.1";
const THERE: &str = "10.77.0.2";

/// Alice here and Bob there, each with the other as a static peer, and what is between them.
struct Scene {
    alice: Peer,
    bob: Peer,
    /// Bob's machine.
    there: Machine,
    here: Machine,
    _lab: Lab,
}

/// They always listen at the same port: their machines have no other programs.
const PORT: u16 = 5000;

/// The time until silence is noticed and reported when the user does not ask. A busy machine takes
/// a little longer.
const UNASKED: Duration = Duration::from_secs(45 + 10 + 15);

impl Scene {
    fn new() -> Option<Self> {
        let mut lab = Lab::new()?;
        let (here, there) = (lab.machine("here"), lab.machine("there"));
        lab.joins((&here, HERE), (&there, THERE));
        let mut alice = here.runs("Alice").port(PORT).knows(at(THERE, PORT)).start();
        let mut bob = there.runs("Bob").port(PORT).knows(at(HERE, PORT)).start();
        alice.meets_at(&format!("Bob ({THERE}:{PORT})"));
        bob.meets_at(&format!("Alice ({HERE}:{PORT})"));
        Some(Self { alice, bob, there, here, _lab: lab })
    }

    /// Both find that the other does not answer.
    fn both_list_the_other_as(&mut self, state: &str) {
        self.alice.finds(at(THERE, PORT), state);
        self.bob.finds(at(HERE, PORT), state);
    }

    /// Both find each other again without a restart or a question, and exchange messages.
    fn both_come_back(&mut self) {
        self.alice.sees(&format!("* Bob ({THERE}:{PORT}) is online"));
        self.bob.sees(&format!("* Alice ({HERE}:{PORT}) is online"));
        self.both_talk();
    }

    fn both_talk(&mut self) {
        self.alice.types(&["@bob are you there?"]);
        self.bob.sees(&format!("Alice ({HERE}:{PORT}) [encrypted]: are you there?"));
        is_delivered(&mut self.alice, "Bob", "are you there?");
        self.bob.types(&["@alice I am."]);
        self.alice.sees(&format!("Bob ({THERE}:{PORT}) [encrypted]: I am."));
        is_delivered(&mut self.bob, "Alice", "I am.");
        self.both_list_the_other_as("connected");
    }

    /// Alice writes to Bob, which does not arrive as it is.
    fn alice_writes_in_vain(&mut self) {
        self.alice.types(&["@bob is anybody there?"]);
        // What went out on a connection that was kept may have arrived; only a receipt tells.
        self.alice.sees_queued();
    }

    /// The message that Alice wrote meanwhile has arrived by itself, and was shown once.
    fn bob_has_it_after_all(&self) {
        let told = "Delivered to Bob: \"is anybody there?\"";
        self.alice.has_seen(told);
        let text = "[encrypted]: is anybody there?";
        self.bob.has_seen(text);
        let count =
            |peer: &Peer, words: &str| peer.printed().iter().filter(|line| line.contains(words)).count();
        assert_eq!((count(&self.bob, text), count(&self.alice, told)), (1, 1));
    }

    /// Both say that the other is gone because nothing comes from it.
    fn both_lose_the_other(&mut self) {
        self.alice.sees(&format!("* Bob ({THERE}:{PORT}) is unreachable"));
        self.bob.sees(&format!("* Alice ({HERE}:{PORT}) is unreachable"));
        self.both_list_the_other_as("last seen");
    }
}

/// Waits until `peer` reads that its message was delivered, at once or after it was queued: an
/// attempt to reach the other machine that began before the network came back may fail after that.
fn is_delivered(peer: &mut Peer, to: &str, text: &str) {
    let [at_once, later] = [format!("Delivered to {to}."), format!("Delivered to {to}: \"{text}\"")];
    peer.sees_all_of(&[&|line| line == at_once || line == later]);
}

#[test]
fn peers_come_back_after_a_silent_partition() {
    let Some(mut scene) = Scene::new() else { return };
    scene.there.filters("drop");
    scene.both_list_the_other_as("unreachable");
    scene.alice_writes_in_vain();
    scene.both_lose_the_other();
    scene.there.filters_nothing();
    scene.both_come_back();
    scene.bob_has_it_after_all();
}

#[test]
fn short_partition_makes_peers_quiet_not_gone() {
    let Some(mut scene) = Scene::new() else { return };
    scene.here.filters("drop");
    scene.both_list_the_other_as("unreachable");
    scene.here.filters_nothing();
    scene.both_list_the_other_as("connected");
    scene.both_talk();
    for peer in [&scene.alice, &scene.bob] {
        let printed = peer.printed();
        assert!(
            !printed.iter().any(|line| line.contains("] * Bob") && line.contains("offline")),
            "{printed:?}"
        );
        assert_eq!(
            printed.iter().filter(|line| line.contains("] * ") && line.contains("is online")).count(),
            1,
            "{printed:?}"
        );
    }
}

/// All TCP traffic, also on existing connections. It excludes resets, or the refusals themselves
/// would not get through.
const SAID: &str = "tcp flags & rst == 0";

#[test]
fn peers_come_back_after_a_refusing_partition() {
    for refusal in ["reject with tcp reset", "reject"] {
        let Some(mut scene) = Scene::new() else { return };
        // Bob's machine refuses Alice's connections, and Bob's own.
        scene.there.filters(&format!("{SAID} {refusal}"));
        scene.alice_writes_in_vain();
        scene.both_list_the_other_as("last seen");
        // With some refusals a program sees that the session does not answer, with others that a
        // connection is refused.
        for (peer, other) in [(&scene.alice, "Bob"), (&scene.bob, "Alice")] {
            let addr = if other == "Bob" { THERE } else { HERE };
            let words = ["offline", "unreachable"].map(|how| format!("* {other} ({addr}:{PORT}) is {how}"));
            peer.has_seen_one_of(&words.each_ref().map(String::as_str));
        }
        scene.there.filters_nothing();
        scene.both_come_back();
        scene.bob_has_it_after_all();
    }
}

#[test]
fn peers_are_quiet_behind_prohibiting_firewall() {
    let Some(mut scene) = Scene::new() else { return };
    // Many firewalls refuse this way, which does not show that no program listens behind them.
    scene.there.filters(&format!("{SAID} reject with icmp type admin-prohibited"));
    scene.both_list_the_other_as("unreachable");
    scene.alice_writes_in_vain();
    scene.there.filters_nothing();
    scene.both_list_the_other_as("connected");
    scene.bob_has_it_after_all();
    scene.both_talk();
}

#[test]
fn peers_come_back_after_a_pulled_cable() {
    let Some(mut scene) = Scene::new() else { return };
    let cable = scene.there.cable(&scene.here);
    scene.there.does(&format!("ip link set {cable} down"));
    scene.both_list_the_other_as("unreachable");
    scene.alice_writes_in_vain();
    scene.both_lose_the_other();
    scene.there.does(&format!("ip link set {cable} up"));
    scene.both_come_back();
    scene.bob_has_it_after_all();
}

#[test]
#[ignore = "takes 65 s; silent_session_is_over_after_three_pings simulates it"]
fn pulled_cable_is_noticed_without_a_look() {
    let Some(mut scene) = Scene::new() else { return };
    let cable = scene.there.cable(&scene.here);
    scene.there.does(&format!("ip link set {cable} down"));
    // The session is silent for 45 s; a new one does not come about for another 10 s.
    scene.alice.sees_within(&format!("* Bob ({THERE}:{PORT}) is unreachable"), UNASKED);
    scene.bob.sees_within(&format!("* Alice ({HERE}:{PORT}) is unreachable"), UNASKED);
    scene.alice_writes_in_vain();
    scene.both_list_the_other_as("last seen");
    scene.there.does(&format!("ip link set {cable} up"));
    scene.both_come_back();
    scene.bob_has_it_after_all();
}
