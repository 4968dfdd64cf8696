//! The port of the last run, and a profile that is already running.

use std::net::TcpListener;

use super::*;
use crate::support::{close, is_running_already, nobody, refused};

#[test]
fn last_port_is_used_again() {
    let data = data();
    let port = started("Alice", &data).start().addr().port();
    assert_eq!(profile_toml(&data, "alice")["port"].as_integer(), Some(port.into()));
    for name in ["", "Alice"] {
        let alice = started(name, &data).without_port().start();
        let line = alice.has_seen("Alice, listening on ");
        assert!(line.ends_with(&format!(":{port}")), "{line}");
    }
    // A flag changes it.
    let other = nobody().port();
    run(started("Alice", &data).port(other), &[]);
    let alice = started("", &data).start();
    let line = alice.has_seen("Alice, listening on ");
    assert!(line.ends_with(&format!(":{other}")), "{line}");
}

#[test]
fn port_in_use_is_replaced_by_the_next() {
    let data = data();
    run(started("Alice", &data), &[]);
    // No other test uses ports of this range, so the next one is free for Alice.
    let begin = 20_000 + u16::try_from(std::process::id() % 800).expect("small");
    let mut listeners = (begin..21_000).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let other_program = listeners.next().expect("a free port");
    let port = other_program.local_addr().expect("bound").port();
    fs::write(folder(&data, "alice").join("profile.toml"), format!("name = \"Alice\"\nport = {port}\n"))
        .expect("written");
    let mut alice = started("", &data).start();
    let now = alice.addr().port();
    assert!(now > port && now <= port + 100, "{now} is not next to {port}");
    alice.sees(&format!(
        "Another program uses port {port}, so this run listens on port {now}. The next run tries {port} again."
    ));
    alice.still_answers();
    // A second start reports the port.
    assert!(is_running_already(started("", &data)).contains(&format!("already running (port {now})")));
    alice.crashes();
    let saved = profile_toml(&data, "alice");
    assert_eq!((saved["port"].as_integer(), saved.len()), (Some(port.into()), 3), "{saved}");
    // The port is still in use, and free for the third start.
    started("", &data).start().sees(&format!("Another program uses port {port}, "));
    close(other_program);
    let mut alice = started("", &data).start();
    assert_eq!(alice.addr().port(), port);
    alice.leaves();
    assert!(!alice.printed().iter().any(|line| line.contains("Another program")));
    let saved = profile_toml(&data, "alice");
    assert_eq!((saved["port"].as_integer(), saved.len()), (Some(port.into()), 2), "{saved}");
}

#[test]
fn port_from_a_flag_is_never_replaced() {
    let data = data();
    run(started("Alice", &data), &[]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let errors = crate::support::cannot_start(started("Alice", &data).port(port));
    assert!(errors.contains(&format!("Port {port} is already in use")), "{errors}");
}

#[test]
fn failed_first_start_creates_no_profile() {
    let data = data();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    crate::support::cannot_start(started("Alice", &data).port(port));
    refused(started("Alice", &data).without_port());
    assert!(!data.path().join("profiles").exists());
    let printed = run(started("Alice", &data), &[]);
    assert!(printed.iter().any(|line| line.starts_with("Created the profile Alice.")), "{printed:?}");
}

#[test]
fn error_about_running_profile_has_its_port() {
    let data = data();
    let mut alice = started("Alice", &data).start();
    let port = alice.addr().port();
    let said = is_running_already(started("", &data));
    assert_eq!(
        said,
        format!(
            "p2p-chat: Alice is already running (port {port}). Use --name NAME to start another profile."
        )
    );
    alice.types(&["/name Zoe"]);
    alice.sees("You are now Zoe");
    assert!(is_running_already(started("", &data)).contains("Zoe is already running"));
    // The start that the error suggests.
    started("Bob", &data).start().still_answers();
    alice.still_answers();
}
