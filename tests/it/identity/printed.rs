//! `p2p-chat id`: who we are, for others to compare.

use p2p_chat::model::key::PublicKey;
use tempfile::TempDir;

use super::{key, with_data};
use crate::support::{Builder, Peer, refused};

/// Half blocks, which only a QR code has.
const BLOCKS: [char; 3] = ['▀', '▄', '█'];

/// What `p2p-chat id` prints to a pipe.
fn id(peer: Builder) -> String {
    printed(peer.arg("id"))
}

/// What `p2p-chat id --new` prints to a pipe.
fn new_id(peer: Builder) -> String {
    printed(peer.arg("id").arg("--new"))
}

fn printed(peer: Builder) -> String {
    peer.without_port().prints()
}

/// The key that was printed.
fn key_in(printed: &str) -> PublicKey {
    let line = printed.lines().find_map(|line| line.strip_prefix("Key      ")).expect("a key");
    let groups: Vec<&str> = line.split(' ').collect();
    assert!(groups.len() == 13 && groups.iter().all(|group| group.len() == 4), "{line}");
    line.parse().expect("a key")
}

#[test]
fn same_key_is_printed_before_during_and_after() {
    let data = TempDir::new().expect("a temporary directory");
    let alice = || with_data("Alice", data.path());
    let before = new_id(alice());
    let public = key_in(&before);
    let start = format!("Name     Alice\nKey      {}\n", public.grouped());
    assert!(before.starts_with(&start), "{before}");
    let made = key(data.path(), "alice");
    assert!(made.ends_with(&format!("public {public}\n")));
    let mut running = alice().start();
    assert!(id(alice()).starts_with(&start));
    // That has not taken the profile from it, nor changed its key.
    running.still_answers();
    running.leaves();
    assert!(id(alice()).starts_with(&start));
    assert!(key(data.path(), "alice") == made);
}

#[test]
fn name_may_stand_on_either_side_of_id() {
    let data = TempDir::new().expect("a temporary directory");
    let alice = new_id(with_data("Alice", data.path()));
    let nameless = with_data("", data.path()).without_port();
    // As the README has it.
    assert_eq!(nameless.arg("id").arg("--name").arg("Alice").prints(), alice);
}

#[test]
fn it_names_the_owner_of_the_key() {
    let data = TempDir::new().expect("a temporary directory");
    let alice = key_in(&new_id(with_data("Alice", data.path())));
    let at_work = |peer: Builder| peer.arg("--profile=At work");
    let work = new_id(at_work(with_data("Ann", data.path())));
    assert!(work.starts_with("Name     Ann\nProfile  at work\nKey      "), "{work}");
    assert_ne!(key_in(&work), alice);
    // The name is only one of two ways to say whose.
    for name in ["", "Alice", "Zoe"] {
        assert_eq!(id(at_work(with_data(name, data.path()).without_port())), work);
    }
    let errors = refused(with_data("", data.path()).without_port().arg("id"));
    let expected = "The profiles are: Alice, Ann (profile at work). Choose one with --name NAME.";
    assert_eq!(errors, format!("p2p-chat: {expected}"));
}

#[test]
fn no_key_is_printed_without_storage() {
    let nowhere = Peer::named("Alice").env("HOME", "/dev/null").env("XDG_DATA_HOME", "/dev/null/x");
    let errors = refused(nowhere.arg("id").arg("--new"));
    assert!(errors.contains("Cannot use /dev/null/x/p2p-chat/profiles/alice: "), "{errors}");
}

#[cfg(unix)]
mod on_a_terminal {
    use p2p_chat::tui::{Foreground, qr};

    use super::*;
    use crate::support::{Terminal, rows};

    /// The rows that `p2p-chat id` leaves on a screen of this width.
    fn shown(peer: Builder, columns: u16) -> Vec<String> {
        let mut terminal = Terminal::start(peer.without_port().arg("id"), 40, columns);
        assert!(terminal.ends().success());
        terminal.cells(rows)
    }

    /// The rows of the code of this invitation.
    fn code(invitation: &str, foreground: Foreground) -> Vec<String> {
        let lines = qr(invitation, foreground).expect("short enough");
        lines.iter().map(|line| line.trim_end().to_owned()).collect()
    }

    #[test]
    fn qr_code_of_invitation_in_any_colours() {
        let data = TempDir::new().expect("a temporary directory");
        new_id(with_data("Alice", data.path()));
        for (colour, foreground) in [("always", Foreground::Dark), ("never", Foreground::Light)] {
            let rows = shown(with_data("Alice", data.path()).arg(format!("--color={colour}")), 80);
            let invitation = format!("p2p-chat:{}?n=Alice", key_in(&rows.join("\n")));
            let expected = code(&invitation, foreground);
            // Its margins may be blank, so the test looks for it where it has to be: above the
            // invitation.
            let at = rows.iter().position(|row| *row == invitation).expect("the invitation");
            let drawn = &rows[..at - 1];
            assert_eq!(drawn[drawn.len() - expected.len()..], expected);
            assert_eq!(rows[at + 1], "The other side adds you with:");
        }
    }

    #[test]
    fn unshowable_qr_code_is_left_out() {
        let data = TempDir::new().expect("a temporary directory");
        let alice = || with_data("Alice", data.path());
        new_id(alice());
        for (peer, columns) in [
            (alice(), 44),
            (alice().arg("--plain"), 80),
            (alice().env("TERM", "dumb"), 80),
            (alice().env("LANG", "C"), 80),
        ] {
            let rows = shown(peer, columns);
            assert!(!rows.concat().contains(BLOCKS), "{rows:?}");
            assert!(rows[1].starts_with("Key      "), "{rows:?}");
        }
        // One column more, and it is there.
        let rows = shown(alice(), 45);
        assert!(rows.concat().contains(BLOCKS), "{rows:?}");
    }
}
