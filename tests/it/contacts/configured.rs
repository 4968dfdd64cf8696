//! peers.toml and contacts.

use super::*;
use crate::support::nobody;

#[test]
fn first_key_at_a_listed_address_is_pinned() {
    let (data, first, second) = (data(), data(), data());
    let mut bob = started("Bob", &first).start();
    let addr = bob.addr();
    let listed = format!("[[peer]]\naddress = \"{addr}\"\n");
    let mut alice = started("Alice", &data).saved_peers(&listed).start();
    alice.meets(&bob);
    until("pinned", || toml(&data, "alice").contains(&format!("key = \"{}\"\n", bob.key())));
    let bobs_key = bob.key();
    bob.crashes();
    // Another key at that address is a stranger, and messages for Bob wait.
    let mut eve = started("Eve", &second).port(addr.port()).start();
    let eves_key = eve.key();
    let is_stranger = || {
        let text = toml(&data, "alice");
        assert!(text.contains(&bobs_key) && !text.contains(&eves_key), "{text}");
    };
    alice.types(&["@bob for you only"]);
    alice.sees("* Another key (");
    alice.leaves();
    is_stranger();
    // Also after a restart.
    let mut alice = started("Alice", &data).saved_peers(&listed).start();
    alice.sees("* Another key (");
    alice.types(&["@bob for you only again"]);
    alice.still_answers();
    alice.leaves();
    is_stranger();
    assert!(eve.printed().iter().all(|line| !line.contains("for you only")), "{:?}", eve.printed());
    eve.crashes();
    let mut bob = started("Bob", &first).port(addr.port()).start();
    let alice = started("Alice", &data).saved_peers(&listed).start();
    bob.sees(": for you only");
    bob.sees(": for you only again");
    drop(alice);
}

#[test]
fn no_static_ignores_peers_toml_only() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let mut carol = Peer::named("Carol").start();
    let mut alice = started("Alice", &data).start();
    alice.types(&[&format!("@{} hello", bob.addr())]);
    bob.sees(": hello");
    alice.sees("Delivered to Bob");
    alice.leaves();
    bob.passes_all();
    let listed = format!("[[peer]]\naddress = \"{}\"\n", carol.addr());
    let mut alice = started("Alice", &data).peers_toml(&listed).arg("--no-static").start();
    bob.sees("* Alice (");
    alice.has_seen(&format!("* {} is online", bob.shown()));
    assert!(alice.lists(carol.addr()).is_none());
    carol.still_answers();
    assert!(carol.printed().iter().all(|line| !line.contains("Alice")));
}

/// An entry of peers.toml with a key.
fn listing(addr: impl ToString, name: &str, key: &str) -> String {
    format!("[[peer]]\naddress = \"{}\"\nname = \"{name}\"\nkey = \"{key}\"\n", addr.to_string())
}

/// Whether the history has a peer as one that was seen. The file is complete: its program has
/// ended.
fn is_in_history(data: &TempDir, key: &str) -> bool {
    let bytes = fs::read(data.path().join("profiles/alice/history.db")).expect("a history");
    let key: p2p_chat::model::key::PublicKey = key.parse().expect("a key");
    bytes.windows(32).any(|window| window == key.as_bytes())
}

#[test]
fn local_file_makes_contacts_for_one_run() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let listed = format!("[[peer]]\naddress = \"{}\"\n", bob.addr());
    let mut alice = started("Alice", &data).peers_toml(&listed).start();
    alice.meets(&bob);
    // In this run, his name is his.
    let eve = Peer::named("Bob").knows(alice.addr()).start();
    alice.sees("/trust Bob   their new device");
    drop(eve);
    // Messages from Bob and to all do not make him a contact for good.
    bob.types(&["@alice hello"]);
    alice.sees(": hello");
    alice.types(&["@all hi"]);
    bob.sees(": hi");
    alice.types(&["/contacts"]);
    alice.sees("Bob (configured, not saved): online, key ");
    // A mute is for this run too.
    alice.types(&["/mute bob"]);
    alice.sees("Muted ");
    alice.leaves();
    assert!(!toml(&data, "alice").contains("[[contact]]"), "{}", toml(&data, "alice"));
    bob.passes_all();
    let mut alice = started("Alice", &data).start();
    alice.still_answers();
    assert!(lists(&mut alice).is_empty());
}

#[test]
fn user_makes_local_peer_a_lasting_contact() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let listed = format!("[[peer]]\naddress = \"{}\"\n", bob.addr());
    let mut alice = started("Alice", &data).peers_toml(&listed).start();
    alice.meets(&bob);
    alice.types(&["@bob for you"]);
    bob.sees(": for you");
    until("saved", || toml(&data, "alice").contains(&bob.key()));
    alice.leaves();
    assert!(is_in_history(&data, &bob.key()));
}

#[test]
fn keys_of_local_file_are_ignored_on_pipe() {
    let (data, key) = (data(), p2p_chat::model::key::PublicKey::new([7; 32]).to_string());
    for policy in ["accept-new", "strict"] {
        let (bob, carol) = (Peer::named("Bob").start(), nobody());
        let listed = listing(carol, "Carol", &key) + &listing(bob.addr(), "Bob", &bob.key());
        let mut alice = started("Alice", &data).arg("--policy").arg(policy).peers_toml(&listed).start();
        assert!(alice.lists(carol).is_none() && alice.lists(bob.addr()).is_none());
        until("the entries are reported", || !alice.errors().is_empty());
        let errors = alice.errors();
        let path = alice.dir().join("peers.toml");
        assert_eq!(
            errors,
            format!(
                "Ignored 2 entries with unknown keys in {}; add --peers peers.toml if you trust that file.",
                path.display()
            )
        );
        alice.leaves();
        assert!(!toml(&data, "alice").contains(&key) && !is_in_history(&data, &key));
    }
    // Named, the same file is the user's own.
    let listed = listing(nobody(), "Carol", &key);
    let mut alice = started("Alice", &data).peers_toml(&listed).arg("--peers=peers.toml").start();
    until("saved", || toml(&data, "alice").contains(&key));
    assert_eq!(alice.errors(), "");
    // The key of a contact needs no question, and the entry changes nothing of the contact.
    let before = toml(&data, "alice");
    alice.still_answers();
    alice.leaves();
    let elsewhere = nobody();
    let mut alice = started("Alice", &data).peers_toml(&listing(elsewhere, "Zoe", &key)).start();
    assert!(alice.lists(elsewhere).is_some());
    assert_eq!(alice.errors(), "");
    alice.leaves();
    assert_eq!(toml(&data, "alice"), before);
}

#[test]
fn peers_file_of_another_user_is_refused() {
    #[cfg(unix)]
    {
        use crate::support::refused;

        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can give a file to another user");
            return;
        }
        let listed = format!("[[peer]]\naddress = \"{}\"\n", nobody());
        let alice = || Peer::named("Alice").peers_toml(&listed).saved_peers(&listed);
        for (file, args) in [
            ("peers.toml", &[][..]),
            ("peers.toml", &["--peers=peers.toml"]),
            ("p2p-chat/peers.toml", &["--peers=p2p-chat/peers.toml"]),
        ] {
            let starts = args.iter().fold(alice(), |alice, arg| alice.arg(arg));
            let errors = refused(starts.after(&format!("chown 65534 {file}")));
            assert!(errors.contains(&format!("{file} belongs to another user (uid 65534)")), "{errors}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
        alice().after("chown 65534 peers.toml").arg("--no-static").start().still_answers();
    }
}

#[test]
fn configuration_directory_as_working_directory_saves_its_peers() {
    let (data, key) = (data(), p2p_chat::model::key::PublicKey::new([7; 32]).to_string());
    let listed = listing(nobody(), "Carol", &key);
    let alice = started("Alice", &data).saved_peers(&listed).after("cd p2p-chat");
    let mut alice = alice.start();
    until("saved", || toml(&data, "alice").contains(&key));
    alice.still_answers();
    assert_eq!(alice.errors(), "");
}
