//! `p2p-chat contacts`: one line for each contact, for people or for scripts.

use p2p_chat::model::key::PublicKey;

use super::*;
use crate::support::refused;

/// The key that consists of 32 equal bytes.
fn key(byte: u8) -> String {
    PublicKey::new([byte; 32]).to_string()
}

/// A file that uses every field.
fn all_kinds() -> String {
    [
        entry(
            &key(1),
            "name = \"Bob\"\nalias = \"Boss\"\nverified = 2026-11-21T10:00:00Z\naddresses = [\"127.0.0.1:9\"]\n",
        ),
        entry(&key(2), "name = \"Zoe\"\nblocked = true\n"),
        entry(&key(3), "name = \"Dave\"\nmuted = true\naddresses = [\"127.0.0.1:7\", \"[::1]:8\"]\n"),
        "[[contact]]\nlegacy = \"127.0.0.1:5002\"\nname = \"Carol\"\n".to_owned(),
        entry(&key(4), "name = \"ann\"\n"),
        entry(&key(5), "name = \"Ann\"\n"),
        entry(&key(6), ""),
    ]
    .join("\n")
}

#[test]
fn each_contact_is_one_line_with_details() {
    let data = data();
    profile("Alice", &data, &all_kinds());
    let [bob, zoe, dave, ann, other_ann, unnamed] = [1, 2, 3, 4, 5, 6].map(|byte| grouped(&key(byte)));
    assert_eq!(
        contacts("Alice", &data),
        [
            format!("ann·{}: not seen yet, key {ann}", &key(4)[..4]),
            format!("Ann·{}: not seen yet, key {other_ann}", &key(5)[..4]),
            format!("{}: not seen yet, key {unnamed}", &key(6)[..8]),
            format!("Boss (named Bob, verified): not seen yet, key {bob}, at 127.0.0.1:9"),
            "Carol: not seen yet, 127.0.0.1:5002, unencrypted".to_owned(),
            format!("Dave (muted): not seen yet, key {dave}, at 127.0.0.1:7 [::1]:8"),
            format!("Zoe (blocked): not seen yet, key {zoe}"),
        ]
    );
}

#[test]
fn json_has_one_object_for_each_contact() {
    let data = data();
    profile("Alice", &data, &all_kinds());
    let printed = asked(started("Alice", &data).arg("contacts").arg("--json")).well();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 7, "{printed}");
    let of = |name: &str| {
        let found = lines.iter().find(|line| line.contains(&format!("\"name\":\"{name}\"")));
        found.unwrap_or_else(|| panic!("no {name} in {printed}")).to_string()
    };
    assert_eq!(
        of("Bob"),
        format!(
            "{{\"label\":\"Boss\",\"name\":\"Bob\",\"alias\":\"Boss\",\"key\":\"{}\",\"address\":null,\
             \"verified\":\"2026-11-21T10:00:00.000Z\",\"blocked\":false,\"muted\":false,\"last_seen\":null,\
             \"addresses\":[\"127.0.0.1:9\"],\"learned\":[]}}",
            key(1)
        )
    );
    assert_eq!(
        of("Carol"),
        "{\"label\":\"Carol\",\"name\":\"Carol\",\"alias\":null,\"key\":null,\"address\":\"127.0.0.1:5002\",\
         \"verified\":null,\"blocked\":false,\"muted\":false,\"last_seen\":null,\"addresses\":[],\"learned\":[]}"
    );
    assert!(of("Zoe").contains("\"blocked\":true"));
    assert!(of("Dave").contains("\"muted\":true,") && of("Dave").contains("[\"127.0.0.1:7\",\"[::1]:8\"]"));
}

#[test]
fn hostile_names_control_nothing() {
    let data = data();
    // `asked` checks what is printed.
    profile("Alice", &data, &entry(&key(1), "name = \"\\u001b[2JEve\\u202e\\u200b\"\n"));
    for json in [None, Some("--json")] {
        let builder = json.into_iter().fold(started("Alice", &data).arg("contacts"), Builder::arg);
        let printed = asked(builder).well();
        assert!(printed.lines().count() == 1 && printed.contains("Eve"), "{printed}");
    }
}

#[test]
fn empty_list_prints_only_a_note() {
    let data = data();
    let none = "There is no profile yet; start `p2p-chat --name Alice`, \
         or create one with `p2p-chat id --new --name Alice`.";
    assert_eq!(refused(started("Alice", &data).arg("contacts")), format!("p2p-chat: {none}"));
    asked(started("Alice", &data).arg("id").arg("--new")).well();
    for json in [None, Some("--json")] {
        let builder = json.into_iter().fold(started("Alice", &data).arg("contacts"), Builder::arg);
        assert_eq!(asked(builder).remark(), "Alice has no contacts.\n");
    }
    assert!(!file(data.path(), "alice").exists());
    // The only profile needs no name.
    assert_eq!(
        asked(Peer::named("").data_dir(data.path()).arg("contacts")).remark(),
        "Alice has no contacts.\n"
    );
}

#[test]
fn damaged_file_is_refused_with_its_line() {
    for (text, line, words) in [
        ("[[contact]]\nkey = \"abc\"\n", 2, "A key has 52 characters; this one has 3."),
        ("\n[[contact]]\nlegacy = \"here\"\n", 3, "`here` is not an address"),
        ("[[contact]]\nkey = \"abc", 2, "[[contact]]"),
        (&entry(&key(1), "blocked = 1\n"), 3, "true or false"),
        (&(entry(&key(1), "") + &entry(&key(1), "")), 4, "twice"),
    ] {
        let data = data();
        profile("Alice", &data, text);
        let path = file(data.path(), "alice");
        for builder in [started("Alice", &data), started("Alice", &data).arg("contacts")] {
            let errors = refused(builder);
            assert!(errors.starts_with(&format!("p2p-chat: {}, line {line}: ", path.display())), "{errors}");
            assert!(errors.contains(words) && errors.lines().count() == 1, "{words}: {errors}");
        }
        assert_eq!(toml(&data, "alice"), text);
    }
}

#[test]
fn contacts_are_printed_beside_a_running_chat() {
    let data = data();
    let bob = Peer::named("Bob").start();
    let mut alice = started("Alice", &data).knows(bob.addr()).start();
    alice.meets(&bob);
    alice.types(&["@bob hello"]);
    alice.sees("Delivered to Bob");
    let key = grouped(&bob.key());
    let mut printed = Vec::new();
    until("Bob is a contact", || {
        let answer = asked(started("Alice", &data).arg("contacts"));
        printed = answer.printed.lines().map(str::to_owned).collect();
        printed.len() == 1
    });
    assert!(
        printed[0].starts_with("Bob: last seen ")
            && printed[0].ends_with(&format!(" ago, key {key}, at {}", bob.addr())),
        "{printed:?}"
    );
    alice.still_answers();
}
