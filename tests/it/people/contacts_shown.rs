//! How contacts are shown: in the list, in names with a suffix, and at the start.

use crate::support::Peer;

use super::*;

/// Returns the row of the list that contains `name` as a word.
fn row_of(rows: &[String], name: &str) -> String {
    let named: Vec<_> = rows.iter().filter(|row| row.split_whitespace().any(|word| word == name)).collect();
    assert_eq!(named.len(), 1, "rows of {name}: {rows:#?}");
    named[0].clone()
}

/// Returns the index of the line of the list that contains `words`.
fn place_of(list: &[String], words: &str) -> usize {
    list.iter().position(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words}: {list:#?}"))
}

/// Types these lines, and waits for this answer to the last of them.
fn does(peer: &mut Peer, lines: &[&str], answer: &str) -> String {
    peer.passes_all();
    peer.types(lines);
    peer.sees(answer)
}

#[test]
fn list_has_offline_contacts_after_a_restart() {
    let [ann, bob, mallory] = ["Ann", "Bob", "Mallory"].map(Person::named);
    let carol = Person::named("Carol");
    let (ann_runs, bob_runs, mallory_runs) = (ann.starts(), bob.starts(), mallory.starts());
    let mut carol_runs = carol.starts();
    for peer in [&ann_runs, &bob_runs, &mallory_runs] {
        befriends(&mut carol_runs, peer);
    }
    verifies(&mut carol_runs, "Ann");
    does(&mut carol_runs, &["/mute ann"], "Muted Ann.");
    does(&mut carol_runs, &["/block mallory"], "Blocked Mallory");
    let key = "a".repeat(52);
    does(&mut carol_runs, &[&format!("/add {key}")], "Added aaaaaaaa to your contacts.");
    carol_runs.leaves();
    drop((ann_runs, mallory_runs));
    // Bob is online again, and has no peers.toml either.
    let mut carol = carol.starts();
    carol.has_seen("* Bob");
    let list = list(&mut carol);
    let ann = row_of(&list, "Ann");
    assert!(ann.contains("  last seen ") && ann.ends_with("  verified, muted"), "{ann}");
    let places =
        ["  Bob  ", "  Ann  ", "no known address", "  blocked  "].map(|words| place_of(&list, words));
    assert!(places.is_sorted(), "{list:#?}");
    assert!(list[places[3]].contains("Mallory"), "{list:#?}");
    carol.has_seen("3 peers, 1 online, 1 muted, 1 blocked.");
    for line in &list {
        assert!(line.chars().count() <= 80, "{line}");
    }
    drop(bob_runs);
}

/// Carol with two contacts named Bob, and the suffixes that belong to them.
fn two_bobs(carol: &mut Peer, bobs: [&Peer; 2]) -> [String; 2] {
    befriends(carol, bobs[0]);
    carol.types(&[&format!("/connect {}", bobs[1].addr())]);
    carol.has_seen("WARNING: Bob is online with the old key");
    does(carol, &["/accept bob"], "Added Bob·");
    bobs.map(|bob| format!("Bob·{}", bob.key().chars().take(4).collect::<String>()))
}

#[test]
fn contacts_with_one_name_keep_their_suffixes() {
    let [first, second] = [Person::named("Bob"), Person::named("Bob")];
    let carol = Person::named("Carol");
    let (first_runs, second_runs) = (first.starts(), second.starts());
    let mut carol_runs = carol.starts();
    let labels = two_bobs(&mut carol_runs, [&first_runs, &second_runs]);
    for label in &labels {
        row_of(&list(&mut carol_runs), label);
    }
    carol_runs.types(&[&format!("@{} for the second", labels[1])]);
    reaches_only(&carol_runs, "for the second", &second_runs, &[&first_runs]);
    // Carol is also a contact of the second Bob, who therefore dials her after her restart.
    let mut second_runs = second_runs;
    second_runs.types(&["@carol here is the second"]);
    carol_runs.has_seen(": here is the second");
    carol_runs.types(&["0"]);
    assert_eq!(carol_runs.ends().code(), Some(1), "/connect met another key");
    drop(first_runs);
    // Only the second Bob is online now, so he is met first.
    let mut carol_runs = carol.starts();
    carol_runs.has_seen("* Bob");
    for label in &labels {
        row_of(&list(&mut carol_runs), label);
    }
    let line = does(&mut carol_runs, &["/history"], "for the second");
    assert!(line.contains(&format!("→ {}: for the second", labels[1])), "{line}");
    carol_runs.types(&[&format!("@{} for the first", labels[0])]);
    let first_runs = first.comes_to(nobody(), carol_runs.addr());
    reaches_only(&carol_runs, "for the first", &first_runs, &[&second_runs]);
    carol_runs.waits_for_delivery("Bob");
    carol_runs.leaves();
    let exported = exports(&carol);
    for (label, words) in labels.iter().zip(["for the first", "for the second"]) {
        assert!(exported.contains(&format!("→ {label}: {words}")), "{exported}");
    }
}

/// Runs `p2p-chat history` for a person whose program does not run.
fn exports(person: &Person) -> String {
    person.builder().without_port().arg("history").prints()
}

/// Carol, whose program has ended, and the programs of Bob and Dave, to whom she has written.
fn carol_and_two_contacts() -> (Person, [Peer; 2]) {
    let carol = Person::named("Carol");
    let friends = ["Bob", "Dave"].map(|name| Peer::named(name).start());
    let mut carol_runs = carol.starts();
    for friend in &friends {
        befriends(&mut carol_runs, friend);
    }
    carol_runs.leaves();
    (carol, friends)
}

#[test]
fn every_name_of_an_offline_contact_works() {
    let (carol, friends) = carol_and_two_contacts();
    let (addr, key) = (friends[0].addr(), friends[0].key());
    drop(friends);
    let mut carol = carol.starts();
    does(&mut carol, &["/alias bob Boss"], "is now called Boss");
    for word in ["boss", "bob", "", &key[..8]] {
        let number = row_number(&rows(&mut carol), "Boss").to_string();
        let word = if word.is_empty() { &number } else { word };
        let shown = does(&mut carol, &[&format!("/key {word}")], "Boss is known, never verified");
        assert!(shown.contains(&addr.to_string()), "{word}: {shown}");
        does(&mut carol, &[&format!("/verify {word}"), "no"], "Compare the digits in person or by phone");
        does(&mut carol, &[&format!("/mute {word}")], "Muted ");
        does(&mut carol, &[&format!("/disconnect {word}")], " is offline; will connect when");
        does(&mut carol, &[&format!("/block {word}")], "Blocked ");
        let word = if word == number { "bob" } else { word };
        does(&mut carol, &[&format!("/unblock {word}")], "Unblocked Boss");
        does(&mut carol, &[&format!("/add {word}")], "Boss is already a contact.");
    }
    does(&mut carol, &["/forget boss", "yes"], "Removed Boss from your contacts.");
    does(&mut carol, &["/contacts"], "Dave: ");
    assert!(list(&mut carol).iter().all(|line| !line.contains("Boss") && !line.contains("  Bob  ")));
}

#[test]
fn start_shows_the_number_of_contacts() {
    let (carol, _friends) = carol_and_two_contacts();
    let again = Terminal::start(carol.builder().port(carol.home.port()), 30, 80);
    again.waits_for("You have 2 contacts; dialing them now.");
    again.waits_for("* Bob");
    assert!(!again.screen().contains("No peers yet"), "{}", again.screen());
}
