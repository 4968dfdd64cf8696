//! Tab: the rest of a command, a name or an address, or what there is to choose from.

use super::*;
use crate::support::{Capability, SOON, SecurePeer, until};

const TAB: &[u8] = b"\t";

/// Completes what is typed to one line. Until Bob has proven his key at his address, both are
/// candidates, and the line ends without a blank.
fn completes(alice: &Terminal, typed: &str, whole: &str) {
    let column = |line: &str| CHOICE.width() + line.width();
    until(SOON, whole, || {
        alice.keys(typed);
        alice.key(TAB);
        alice.shows("a completion", |screen| {
            let at = usize::from(screen.cursor_position().1);
            [whole, whole.trim_end()].into_iter().any(|line| at == column(line))
        });
        let is_whole = usize::from(alice.cursor().1) == column(whole);
        if !is_whole {
            alice.key(CONTROL_U);
            line_stands(alice, CHOICE, "", "");
        }
        is_whole
    });
}

#[test]
fn commands_and_names_are_completed() {
    let (alice, mut bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    for (typed, whole) in [("/his", "/history "), ("/chat b", "/chat Bob"), ("@B", "@Bob "), ("@al", "@all ")]
    {
        completes(&alice, typed, whole);
        line_stands(&alice, CHOICE, whole, "");
        alice.key(CONTROL_U);
        line_stands(&alice, CHOICE, "", "");
    }
    let address = bob.addr().to_string();
    alice.keys(&format!("@{}", &address[..address.len() - 1]));
    alice.key(TAB);
    line_stands(&alice, CHOICE, &format!("@{address} "), "");
    alice.enters("found by his address");
    bob.sees(": found by his address");
    line_stands(&alice, CHOICE, "", "");
    alice.enters("1");
    line_stands(&alice, "To: ", "", "");
    alice.keys("b");
    alice.key(TAB);
    line_stands(&alice, "To: ", "Bob", "");
}

#[test]
fn namesakes_are_shown_to_choose_from() {
    let alice = Terminal::start(Peer::named("Alice").arg("--bind=127.0.0.1"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    // In plain anybody may be called Bob; of two who prove keys the user would be asked first.
    let [bob, other] = [b'B', b'C'].map(|message| {
        let peer = SecurePeer::named("Bob", message);
        peer.says_it_is(Capability::None);
        assert!(peer.says_plainly(alice.addr(), "connect").starts_with("[ACK]"));
        alice.waits_for(&format!(" is online at {} (unencrypted)", peer.addr()));
        peer
    });
    alice.waits_for(&format!("* Bob is online at {}", bob.addr()));
    alice.waits_for(&format!("* Bob·{} is online at {}", other.addr().port(), other.addr()));
    begins_screen(&alice);
    let ports = [alice.addr().port(), other.addr().port()];
    alice.keys("@b");
    alice.key(TAB);
    screen_is(&alice, &ports, "── Alice 127.0.0.1:{0} · 2 online\nChoice [0-6]: @Bob");
    alice.key(TAB);
    let width = format!("@Bob·{}", ports[1]).width() + 2;
    let candidates = format!("{:width$}@Bob·{}", "@Bob", ports[1]);
    screen_is(
        &alice,
        &ports,
        &format!("{candidates}\n── Alice 127.0.0.1:{{0}} · 2 online\nChoice [0-6]: @Bob"),
    );
    alice.keys("·");
    alice.key(TAB);
    line_stands(&alice, CHOICE, &format!("@Bob·{} ", ports[1]), "");
    alice.enters("for the other");
    other.waits("the text", |got| got.said_plainly().iter().any(|said| said.ends_with(" for the other")));
    assert!(!bob.got().said_plainly().iter().any(|said| said.contains("for the other")));
}

#[test]
fn on_an_empty_line_the_commands_are_shown() {
    let (alice, _bob) = alice_and_bob(80);
    line_stands(&alice, CHOICE, "", "");
    alice.key(TAB);
    alice.waits_for("/help");
    alice.waits_for("/quit");
    line_stands(&alice, CHOICE, "", "");
}
