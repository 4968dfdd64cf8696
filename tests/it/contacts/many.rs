//! The limit on the number of contacts.

use p2p_chat::core::MAX_CONTACTS;
use p2p_chat::model::key::PublicKey;

use super::*;

/// The text of a file with this number of contacts, each at an address where nothing listens.
fn many(count: usize) -> String {
    let contact = |number: usize| {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let key = PublicKey::new(bytes);
        let addr = format!("127.{}.{}.{}:9", 1 + number / 62_500, number / 250 % 250, 1 + number % 250);
        format!("[[contact]]\nkey = \"{key}\"\nname = \"Friend{number}\"\naddresses = [\"{addr}\"]\n")
    };
    (0..count).map(contact).collect::<Vec<_>>().join("\n")
}

#[test]
fn maximum_number_of_contacts_is_listed() {
    let data = data();
    let mut bob = Peer::named("Bob").start();
    let last = entry(&bob.key(), &format!("name = \"Bob\"\naddresses = [\"{}\"]\n", bob.addr()));
    let text = many(MAX_CONTACTS - 1) + "\n" + &last;
    profile("Alice", &data, &text);
    assert_eq!(contacts("Alice", &data).len(), MAX_CONTACTS);
    let mut alice = started("Alice", &data).start();
    alice.types(&["@bob among many"]);
    bob.sees(": among many");
    alice.types(&["/contacts"]);
    alice.sees("And 9950 more; `p2p-chat contacts` lists all.");
    // One more is refused, and everything else works.
    let eve = Peer::named("Eve").knows(alice.addr()).start();
    alice.has_seen(&format!("* {} is online", eve.shown()));
    alice.types(&["/add eve"]);
    alice.sees("The list of contacts is full; /forget one first.");
    alice.types(&["0"]);
    assert_eq!(alice.ends().code(), Some(1), "the refused line");
    assert_eq!(toml(&data, "alice"), text);
}

#[test]
fn one_contact_too_many_is_refused() {
    let data = data();
    let text = many(MAX_CONTACTS + 1);
    profile("Alice", &data, &text);
    let errors = crate::support::refused(started("Alice", &data).arg("contacts"));
    assert!(errors.contains("contacts.toml, line ") && errors.contains("10000"), "{errors}");
}
