//! A machine that gets another address.

use super::lab::{Lab, at};

const PORT: u16 = 5000;

#[test]
fn a_peer_whose_address_changes_is_believed_where_it_speaks_from_and_gone_where_it_was() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, "10.77.0.1"), (&there, "10.77.0.2"));
    let mut alice = here.runs("Alice").port(PORT).start();
    let mut bob = there.runs("Bob").port(PORT).knows(at("10.77.0.1", PORT)).start();
    alice.sees(&format!("* Bob (10.77.0.2:{PORT}) is here."));
    bob.sees(&format!("* Alice (10.77.0.1:{PORT}) is here."));
    let cable = there.cable(&here);
    there.does(&format!("ip addr del 10.77.0.2/24 dev {cable}"));
    there.does(&format!("ip addr add 10.77.0.3/24 dev {cable}"));

    bob.types(&["@alice I have moved."]);
    alice.sees(&format!("Bob (10.77.0.3:{PORT}): I have moved."));
    bob.sees(&format!("Delivered to Alice (10.77.0.1:{PORT})."));
    // She answers him there, and only there.
    alice.types(&["/reply so I see."]);
    bob.sees(&format!("Alice (10.77.0.1:{PORT}): so I see."));
    alice.sees(&format!("Delivered to Bob (10.77.0.3:{PORT})."));
    alice.finds(at("10.77.0.2", PORT), "quiet");
    alice.sees(&format!("* Bob (10.77.0.2:{PORT}) is gone: no answer for 10 s."));
    alice.finds(at("10.77.0.3", PORT), "active");
    alice.finds(at("10.77.0.2", PORT), "gone");

    // And back, which is one row again that comes alive.
    there.does(&format!("ip addr del 10.77.0.3/24 dev {cable}"));
    there.does(&format!("ip addr add 10.77.0.2/24 dev {cable}"));
    bob.types(&["3", "alice"]);
    alice.sees(&format!("* Bob (10.77.0.2:{PORT}) is here."));
    alice.finds(at("10.77.0.2", PORT), "connected");
    alice.finds(at("10.77.0.3", PORT), "quiet");
}
