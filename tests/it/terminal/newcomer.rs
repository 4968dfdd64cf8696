//! A user who types only the name of the program and follows its instructions.

use std::net::TcpListener;

use rustix::process::Signal;

use super::*;
use crate::support::nobody;

/// A user who has given neither a name nor a port.
fn newcomer() -> Builder {
    Peer::named("").without_port().arg("--bind").arg("127.0.0.1")
}

/// Waits for the question for the port, which offers one.
fn port_is_asked(newcomer: &Terminal) {
    newcomer.shows("the question for the port", |screen| {
        let (at, _) = screen.cursor_position();
        let row = &rows(screen)[usize::from(at)];
        row.starts_with("Enter your port number [") && row.ends_with("], 0 for any free one:")
    });
}

#[test]
fn newcomer_pressing_only_enter_reaches_a_chat() {
    let mut bob = Peer::named("Bob").start();
    let newcomer = Terminal::start(newcomer().env("USER", "dan"), ROWS, 100);
    line_stands(&newcomer, "Enter your name [dan]: ", "", "");
    newcomer.enters("");
    port_is_asked(&newcomer);
    newcomer.enters("");
    newcomer.waits_for("dan, listening on 127.0.0.1:5");
    newcomer.waits_for("No peers yet. Choose 3 and enter the ip:port");
    line_stands(&newcomer, CHOICE, "", "");
    newcomer.enters("3");
    line_stands(&newcomer, "Connect to: ", "", "");
    newcomer.enters(&bob.addr().to_string());
    newcomer.waits_for("Connected to");
    bob.sees("* dan (127.0.0.1:5");
    newcomer.enters("1");
    line_stands(&newcomer, "To: ", "", "");
    newcomer.enters("1");
    newcomer.waits_for("Message to ");
    newcomer.enters("hello");
    bob.sees(": hello");
}

#[test]
fn invalid_login_name_is_not_offered() {
    let newcomer = Terminal::start(newcomer().env("USER", "two words"), ROWS, 100);
    line_stands(&newcomer, "Enter your name: ", "", "");
}

#[test]
fn newcomer_is_asked_until_name_and_port_fit() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let free = nobody().port();
    let newcomer = Terminal::start(newcomer(), ROWS, 100);
    line_stands(&newcomer, "Enter your name: ", "", "");
    newcomer.enters("Alice Smith");
    newcomer.waits_for("A name is one word, without spaces. Try Alice_Smith.");
    line_stands(&newcomer, "Enter your name: ", "", "");
    newcomer.enters("");
    newcomer.waits_for("A name needs at least one character.");
    line_stands(&newcomer, "Enter your name: ", "", "");
    newcomer.enters("Alice_Smith");
    port_is_asked(&newcomer);
    for wrong in ["five", "70000", "-1"] {
        newcomer.enters(wrong);
        newcomer.waits_for(&format!("`{wrong}` is invalid: a port is a number from 1 to 65535"));
        port_is_asked(&newcomer);
    }
    newcomer.enters(&port.to_string());
    newcomer.shows("that the port is in use", |screen| {
        let rows = rows(screen);
        let asked = rows.iter().position(|row| row.ends_with(&format!("], 0 for any free one: {port}")));
        asked.is_some_and(|at| rows[at + 1].contains(&port.to_string()) && rows[at + 1].contains("in use"))
    });
    port_is_asked(&newcomer);
    newcomer.enters(&free.to_string());
    newcomer.waits_for("Alice_Smith, listening on ");
    for line in ["1  Send a message", "2  Show peers", "3  Connect", "4  Disconnect", "0  Exit"] {
        newcomer.waits_for(line);
    }
    line_stands(&newcomer, CHOICE, "", "");
    assert!(!newcomer.modes().are_usual());
}

#[test]
fn a_newcomer_can_leave_before_anything_began() {
    for key in [CONTROL_C, CONTROL_D] {
        let mut newcomer = Terminal::start(newcomer(), ROWS, 80);
        line_stands(&newcomer, "Enter your name: ", "", "");
        newcomer.key(key);
        assert!(!newcomer.ends().success());
        assert!(newcomer.modes().are_usual());
        let (_, column) = newcomer.cursor();
        assert!(key == CONTROL_C || column == 0, "{}", newcomer.screen());
    }
}

#[test]
fn signal_at_first_question_restores_terminal() {
    let mut newcomer = Terminal::start(newcomer(), ROWS, 100);
    line_stands(&newcomer, "Enter your name: ", "", "");
    newcomer.gets(Signal::TERM);
    assert!(!newcomer.ends().success());
    assert!(newcomer.modes().are_usual());
}

#[test]
fn two_terminals_talk_by_numbers_only() {
    let alice = Terminal::start(Peer::named("Alice"), ROWS, 80);
    line_stands(&alice, CHOICE, "", "");
    let mut bob = Terminal::start(Peer::named("Bob").knows(alice.addr()), ROWS, 80);
    super::meets(&bob, &alice.shown());
    super::meets(&alice, &bob.shown());
    for (from, to, text) in [(&alice, &bob, "hello"), (&bob, &alice, "hello yourself")] {
        line_stands(from, CHOICE, "", "");
        from.enters("2");
        from.waits_for(" 1  ");
        line_stands(from, CHOICE, "", "");
        from.enters("1");
        line_stands(from, "To: ", "", "");
        from.enters("1");
        line_stands(from, &format!("Message to {}: ", to.name()), "", "");
        from.enters(text);
        from.waits_for(&format!("✓ delivered to {}", to.name()));
        to.waits_for(&format!("] {}: {text}", from.name()));
        line_stands(to, CHOICE, "", "");
    }
    bob.enters("0");
    assert!(bob.ends().success());
    alice.waits_for("* Bob left");
    line_stands(&alice, CHOICE, "", "");
}

#[test]
fn keys_of_a_local_file_need_a_yes() {
    let data = tempfile::TempDir::new().expect("a temporary directory");
    let key = p2p_chat::model::key::PublicKey::new([7; 32]);
    let addr = nobody();
    let listed = format!("[[peer]]\naddress = \"{addr}\"\nname = \"Carol\"\nkey = \"{key}\"\n");
    let alice = || Peer::named("Alice").data_dir(data.path()).peers_toml(&listed);
    for (answer, is_listed) in [("no", false), ("yes", true)] {
        let mut alice = Terminal::start(alice(), 40, 200);
        alice.waits_for("peers.toml lists keys of peers that are not your contacts:");
        alice.waits_for(&format!("  Carol: {}", key.grouped()));
        line_stands(&alice, "Trust them in this run? If not, these entries are ignored. yes/no: ", "", "");
        alice.enters("perhaps");
        alice.waits_for("Type yes or no.");
        alice.enters(answer);
        line_stands(&alice, CHOICE, "", "");
        alice.enters("2");
        alice.waits_for(if is_listed { "Carol" } else { "No peers yet" });
        alice.enters("0");
        assert!(alice.ends().success());
        // A yes counts for one run.
        let saved = std::fs::read_to_string(data.path().join("profiles/alice/contacts.toml"));
        assert!(!saved.unwrap_or_default().contains(&key.to_string()));
    }
}
