//! A contact with a key and two addresses, one of which is removed.

use std::time::Duration;

use super::lab::{Lab, at};

/// How long it may take until a turn on the connection of before counts as lost (5 s), the first
/// address was tried again (3 s), and then the second. Several times that, for a machine that is
/// busy.
const NOTICED: Duration = Duration::from_secs(60);
const PORT: u16 = 5000;
const FIRST: &str = "10.77.0.2";
const SECOND: &str = "10.78.0.2";

#[test]
fn lost_first_address_is_replaced_by_the_second() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    // Two networks over one cable.
    lab.joins((&here, "10.77.0.1"), (&there, FIRST));
    let cable = there.cable(&here);
    there.does(&format!("ip addr add {SECOND}/24 dev {cable}"));
    here.does(&format!("ip addr add 10.78.0.1/24 dev {}", here.cable(&there)));

    // All that she is told of him; where else he is he says himself, once she is a contact.
    let mut bob = there.runs("Bob").port(PORT).start();
    let mut alice = here.runs("Alice").port(PORT).knows(at(FIRST, PORT)).start();
    alice.meets_at(&format!("Bob ({FIRST}:{PORT})"));
    alice.types(&["@bob by the first"]);
    bob.sees("[encrypted]: by the first");
    alice.sees("Delivered to Bob.");
    // He tells only his contacts where else he is.
    bob.types(&["@alice I read you"]);
    alice.sees("[encrypted]: I read you");

    there.does(&format!("ip addr del {FIRST}/24 dev {cable}"));
    alice.types(&["@bob by the second"]);
    bob.sees_within("[encrypted]: by the second", NOTICED);
    // Where he is now is where he was found, and he is still one person.
    alice.has_seen("Delivered to Bob");
    alice.finds(at(SECOND, PORT), "connected");
    assert_eq!(alice.lists(at(FIRST, PORT)), None, "he has one row, which has moved along");
    alice.types(&["@bob and there at once"]);
    bob.sees("[encrypted]: and there at once");
    alice.sees("Delivered to Bob.");
    for text in ["by the first", "by the second", "and there at once"] {
        let printed = bob.printed();
        let times = printed.iter().filter(|line| line.ends_with(&format!("[encrypted]: {text}"))).count();
        assert_eq!(times, 1, "{text}: {printed:?}");
    }
}
