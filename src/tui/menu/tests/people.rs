//! Which recipient a name, an address or a number means.

use super::*;
use crate::model::host::HostAddr;
use crate::model::peer_id::PeerId;
use crate::tui::complete::{Place, complete};
use crate::tui::examples::pin;
use crate::tui::menu::trust::{block, unblock};
use crate::tui::people::{by_name, contact_called, find_to_connect};

/// An online stranger with a key.
fn stranger(number: u32, name: &str, byte: u8) -> Row {
    Row { id: key(byte).into(), ..row(number, name, 5000 + u16::from(byte), PresenceStatus::Connected) }
}

fn contact(number: u32, name: &str, byte: u8) -> Row {
    Row { contact: true, ..stranger(number, name, byte) }
}

fn known(rows: Vec<Row>, pins: Vec<Pin>) -> People {
    People { rows, pins, ..People::default() }.met()
}

/// The recipient that `word` means, if it is exactly one.
fn meant(word: &str, people: &People) -> Option<Recipient> {
    match find(word, people) {
        Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => chosen.peer(),
        Ok(Named::NeedsPort(_)) | Err(_) => None,
    }
}

fn key_of(byte: u8) -> Option<Recipient> {
    Some(key(byte).into())
}

/// The answer to a word that means no recipient, or several.
fn refusal(word: &str, people: &People) -> String {
    find(word, people).map(|named| panic!("{named:?}")).unwrap_or_else(|lost: Lost| lost.sentence(word))
}

#[test]
fn offline_contact_wins_over_longer_stranger() {
    let people = known(vec![stranger(1, "bobby", 2)], vec![pin("Bob", 1)]);
    for word in ["bob", "Bob", "BOB", "\u{ff42}ob"] {
        assert_eq!(meant(word, &people), key_of(1), "{word}");
    }
    assert_eq!(meant("bobby", &people), key_of(2));
}

/// A stranger on the local network that is announced at 192.0.2.7.
fn discovered(byte: u8, name: Option<&str>) -> PeerInfo {
    let (id, addr) = (key(byte).into(), "192.0.2.7:5000".parse().ok());
    PeerInfo { id, name: name.map(PeerName::new), addr, claimed: None, verification: Verification::Unknown }
}

#[test]
fn discovered_stranger_is_not_connected_yet() {
    let people = People { discovered: vec![discovered(7, Some("Abe"))], ..known(Vec::new(), Vec::new()) };
    assert_eq!(refusal("abe", &people), "Abe is not connected yet: /connect abe");
}

#[test]
fn discovered_stranger_can_be_blocked() {
    let people = People { discovered: vec![discovered(7, Some("Abe"))], ..known(Vec::new(), Vec::new()) };
    let Some(Act::Add(record)) = block("abe", &people).act else { panic!("Abe is blocked") };
    let is_blocked = (record.id, record.name, record.blocked, record.stranger);
    assert_eq!(is_blocked, (PeerId::Key(key(7)), Some(PeerName::new("Abe")), true, true));
    let unblocked = unblock("abe", &people);
    assert_eq!((unblocked.say, unblocked.refused), (vec!["Abe is not blocked.".to_owned()], true));
    for blocked in [false, true] {
        let pins = [1, 2].map(|byte| Pin { blocked, ..pin("Abe", byte) });
        let people = People { discovered: people.discovered.clone(), ..known(Vec::new(), pins.into()) };
        let turn = if blocked { unblock("abe", &people) } else { block("abe", &people) };
        assert!(turn.act.is_none() && turn.refused, "{:?}", turn.say);
        assert!(turn.say[0].starts_with("\"abe\" matches 2 peers."), "{:?}", turn.say);
    }
}

#[test]
fn connect_completes_discovered_strangers() {
    let discovered = vec![discovered(7, Some("Abe")), discovered(8, None)];
    let people = People { discovered, ..known(Vec::new(), Vec::new()) };
    let completed = |typed: &str| complete(typed, typed.len(), Place::Line, &people).replace;
    for (typed, byte) in [("/connect ab", 7), ("/connect ba", 8)] {
        let (_, word) = completed(typed).expect("it is completed");
        let found = find_to_connect(&word, &people).expect("it names the stranger");
        assert!(matches!(found, Named::Exactly(chosen) if chosen.peer() == Some(key(byte).into())), "{word}");
    }
    assert_eq!(completed("/mute ab"), None);
}

#[test]
fn invitation_in_place_of_peer_is_recognized() {
    let people = known(Vec::new(), Vec::new());
    let expected = "This is an invitation: type it after /add, without quotes.";
    for word in ["p2p-chat:aeaq?n=Zoe&a=192.0.2.7:5000", "'p2p-chat:aeaq?n=Zoe&a=[::1]:5000'"] {
        assert_eq!(refusal(word, &people), expected);
        assert_eq!(find_to_connect(word, &people).expect_err("no peer").sentence(word), expected);
    }
}

#[test]
fn namesake_of_a_contact_is_accepted_by_key() {
    let introduced = |name: &str| IntroducedPeer {
        by: key(1),
        key: key(9),
        name: PeerName::new(name),
        since: 0,
        ours: None,
        theirs: None,
        is_complete: false,
    };
    let rows = vec![contact(1, "Bob", 1), contact(2, "Carol", 2)];
    let mut people = People { introductions: vec![introduced("carol")], ..known(rows, Vec::new()) };
    let turn = menu().line("/accept CAROL", &people);
    let expected = "A contact is called carol too. Type /accept beeqscij for the introduced one.";
    assert_eq!((turn.act, turn.say, turn.refused), (None, vec![expected.to_owned()], true));
    let accepts = |line: &str, people: &People| {
        let Some(Act::AcceptIntroduction { introduction, .. }) = menu().line(line, people).act else {
            panic!("{line} is carried out");
        };
        introduction.key
    };
    assert_eq!(accepts("/accept beeqscij", &people), key(9));
    people.introductions = vec![introduced("Zoe")];
    assert_eq!(accepts("/accept zoe", &people), key(9));
}

#[test]
fn introduce_completes_two_contacts_with_keys() {
    let legacy = Row { contact: true, ..row(3, "Boris", 5003, PresenceStatus::Online) };
    let people = known(vec![contact(1, "Bob", 1), stranger(2, "Bonnie", 2), legacy], Vec::new());
    for (typed, whole) in [
        ("/introduce bo", Some("Bob ")),
        ("/introduce Carol bo", Some("Bob ")),
        ("/introduce Carol Bob bo", None),
    ] {
        let completed = complete(typed, typed.len(), Place::Line, &people);
        assert_eq!(completed.replace.map(|(_, with)| with).as_deref(), whole, "{typed}");
    }
}

#[test]
fn unique_beginning_means_contacts_only() {
    let people = known(vec![stranger(1, "Bobby", 2), contact(2, "Carol", 3)], vec![pin("Bob", 1)]);
    assert_eq!(meant("bo", &people), key_of(1));
    assert_eq!(meant("ca", &people), key_of(3));
    let alone = known(vec![stranger(1, "Bobby", 2)], Vec::new());
    assert_eq!(meant("bob", &alone), None);
    assert!(refusal("bob", &alone).contains("Did you mean Bobby?"));
    assert_eq!(meant("bobby", &alone), key_of(2));
}

#[test]
fn stranger_with_a_contacts_beginning_is_asked_about() {
    let people = known(vec![stranger(7, "Bob", 2)], vec![pin("Bobby", 1)]);
    assert_eq!(
        refusal("bob", &people),
        format!(
            "\"bob\" matches 2 peers. Type a number or the whole name: Bobby·aeaq (key {}), 7 for Bob (127.0.0.1:5002).",
            key(1).short()
        )
    );
    assert_eq!(meant("Bobby·aeaq", &people), key_of(1));
    assert_eq!(meant("7", &people), key_of(2));
    // On a pipe, nothing is sent.
    let turn = Menu::new(false).line("@bob secret", &people);
    assert_eq!((turn.act, turn.refused), (None, true));
    assert!(turn.say.join(" ").contains("\"bob\" matches 2 peers"), "{:?}", turn.say);
}

#[test]
fn contacts_of_one_name_are_asked_about() {
    let people = known(vec![contact(4, "Bob", 1)], vec![pin("bob", 2)]);
    assert_eq!(
        refusal("bob", &people),
        format!(
            "\"bob\" matches 2 peers. Type a number or the whole name: 4 for Bob·aeaq (127.0.0.1:5001), bob·aiba (key {}).",
            key(2).short()
        )
    );
    assert_eq!(meant("Bob·aiba", &people), key_of(2));
    assert_eq!(meant("bob:aeaq", &people), key_of(1));
}

#[test]
fn alias_wins_over_the_name_of_another() {
    let mut people = known(vec![contact(1, "Bob", 1), stranger(2, "Boss", 2)], Vec::new());
    people.labels.set_aliases([(key(1).into(), "Boss".parse().unwrap())].into());
    assert_eq!(meant("boss", &people), key_of(1));
    assert_eq!(meant("bob", &people), key_of(1));
    assert_eq!(meant("2", &people), key_of(2));
}

#[test]
fn alias_of_an_address_means_no_key() {
    let at = addr(5001);
    let legacy = crate::protocol::plain::peer_at(at.plain().unwrap());
    let aliases = [(legacy.into(), "Boss".parse().unwrap())];
    let mut people = known(vec![stranger(1, "Eve", 1)], Vec::new());
    people.labels.set_aliases(aliases.clone().into());
    assert_eq!(meant("boss", &people), Some(legacy.into()));
    let mut nobody = known(Vec::new(), Vec::new());
    nobody.labels.set_aliases(aliases.into());
    assert_eq!(meant("boss", &nobody), Some(at.into()));
}

#[test]
fn typed_address_of_several_contacts_is_asked_about() {
    let at = addr(5001);
    let mut people = known(vec![contact(1, "Bob", 1)], vec![pin("Dave", 2)]);
    assert_eq!(meant("127.0.0.1:5001", &people), key_of(1));
    people.there = vec![(at, key(2).into())];
    assert!(refusal("127.0.0.1:5001", &people).starts_with(
        "\"127.0.0.1:5001\" matches 2 peers. Type a number or the whole name: 1 for Bob (127.0.0.1:5001), Dave·aiba (key "
    ));
    assert_eq!(meant("127.0.0.1:7000", &people), Some(id(7000)));
}

#[test]
fn beginning_of_a_key_means_its_owner() {
    let people = known(vec![stranger(1, "Eve", 2)], vec![pin("Bob", 1)]);
    assert_eq!(meant("aeaq", &people), key_of(1));
    assert_eq!(meant("aeaq-caib", &people), key_of(1));
    // Any peer can make a key that begins like a name.
    assert_eq!(meant("aiba", &people), None);
    assert_eq!(meant("aibaeaqc", &people), key_of(2));
}

#[test]
fn number_stays_with_its_peer() {
    let mut people = known(vec![contact(1, "Bob", 1), contact(2, "Dave", 2)], Vec::new());
    people.rows.reverse();
    assert_eq!((meant("1", &people), meant("2", &people)), (key_of(1), key_of(2)));
    people.rows.pop();
    assert_eq!(meant("1", &people), None);
}

#[test]
fn chat_with_a_contact_follows_no_address() {
    let mut menu = menu();
    menu.line("/chat dave", &known(vec![contact(1, "Dave", 2)], Vec::new()));
    // Bob is now at Dave's address.
    let row = Row { addr: row(2, "Bob", 5002, PresenceStatus::Connected).addr, ..contact(2, "Bob", 1) };
    let swapped = known(vec![row], vec![pin("Dave", 2)]);
    assert_eq!(menu.prompt(), "to Dave> ");
    let turn = menu.line("SECRET", &swapped);
    assert_eq!(turn.act, Some(Act::Send(Chosen::one(key(2).into(), "Dave".into()), "SECRET".into())));
    assert_eq!(meant("dave", &swapped), key_of(2));
}

#[test]
fn address_becomes_the_peer_that_answers_there() {
    let nobody = known(Vec::new(), Vec::new());
    let at = addr(7000);
    let mut menu = menu();
    for line in ["@127.0.0.1:7000 hi", "/chat 127.0.0.1:7000"] {
        menu.line(line, &nobody);
    }
    let bob = Chosen::one(key(1).into(), "Bob".into());
    menu.replace(at.into(), &bob);
    assert_eq!(menu.prompt(), "to Bob> ");
    let here = known(vec![contact(1, "Bob", 1)], Vec::new());
    assert_eq!(menu.line("text", &here).act, Some(Act::Send(bob.clone(), "text".into())));
    menu.line("/back", &here);
    menu.line("1", &here);
    menu.line("", &here);
    assert_eq!(menu.line("more", &here).act, Some(Act::Send(bob, "more".into())));
}

#[test]
fn alias_that_another_contact_has_is_found() {
    let mut people = known(vec![contact(1, "Bob", 1), stranger(2, "Eve", 2)], vec![pin("Dave", 3)]);
    people.labels.set_aliases([(key(1).into(), "Boss".parse().unwrap())].into());
    let called = |name: &str, byte| contact_called(name, key(byte).into(), &people);
    for (name, of, other) in [("DAVE", 2, key_of(3)), ("boss", 2, key_of(1)), ("bob", 3, key_of(1))] {
        assert_eq!(called(name, of), other, "{name}");
    }
    for (name, of) in [("Boss", 1), ("Bob", 1), ("Eve", 1), ("Zoe", 1)] {
        assert_eq!(called(name, of), None, "{name}");
    }
}

/// The words that Tab requests behind `@`.
fn completed(word: &str, people: &People) -> Vec<String> {
    let line = format!("@{word}");
    let completed = complete(&line, line.len(), Place::Line, people);
    let inserted = completed.replace.map(|(_, with)| with.trim_end().to_owned());
    inserted.into_iter().chain(completed.candidates).map(|word| word[1..].to_owned()).collect()
}

#[test]
fn completion_offers_contacts_first() {
    let rows = vec![stranger(1, "Bert", 3), contact(2, "Bob", 4)];
    let people = known(rows, vec![pin("Ben", 1)]);
    assert_eq!(completed("b", &people), ["Bob", "Ben", "Bert"]);
}

#[test]
fn completed_word_means_exactly_that_peer() {
    let rows =
        vec![stranger(1, "bob", 3), contact(2, "Bob", 4), stranger(3, "Eve", 5), contact(5, "Evelyn", 6)];
    let people = known(rows, vec![pin("Bob", 1)]);
    let candidates = crate::tui::people::candidates(&people);
    let words = completed("", &people);
    assert_eq!(words.len(), candidates.len() + 1, "{words:?}");
    for word in words.into_iter().filter(|word| word != "all") {
        let named = by_name(&word, &candidates);
        assert!(matches!(named, Ok(Named::Exactly(_))), "{word}: {named:?}");
    }
    assert_eq!(completed("eve", &people), ["Evelyn", "Eve·aucq"]);
}

#[test]
fn blocked_contacts_complete_only_where_they_are_meant() {
    let blocked = Pin { blocked: true, ..pin("Mallory", 8) };
    let people = known(vec![contact(1, "Bob", 1)], vec![blocked]);
    let completed = |line: &str| {
        let completed = complete(line, line.len(), Place::Line, &people);
        completed.replace.map(|(_, with)| with)
    };
    let label = Some(people.labels.label(key(8).into(), Some(&PeerName::new("Mallory"))));
    assert_eq!(completed("/unblock m"), label);
    assert_eq!(completed("/forget m"), label);
    assert_eq!(completed("/key m"), label);
    assert_eq!(completed("/block m"), None);
    assert_eq!(completed("/unblock b"), None);
}

#[test]
fn forgotten_peer_gets_no_further_line() {
    let bob = Chosen::one(key(1).into(), "Bob".into());
    let mut menu = Menu::new(false);
    menu.conversation = Some(bob.clone());
    menu.last = Some(bob.clone());
    menu.heard(bob.clone());
    assert!(menu.forget(key(1).into()));
    assert_eq!((menu.conversation(), &menu.last, &menu.last_sender), (None, &None, &None));
    assert!(!menu.forget(key(1).into()));
}

#[test]
fn known_peer_wins_over_host_name() {
    let host = || "bobs-laptop:5000".parse().ok().map(|host| Act::Core(Command::ConnectToHost(host)));
    assert_eq!(act_of(&["/connect bobs-laptop:5000"]), host());
    assert_eq!(act_of(&["3", "Bobs-Laptop:5000"]), host());
    let added = "bobs-laptop:5000".parse::<HostAddr>().unwrap().into();
    assert_eq!(act_of(&["/add bobs-laptop:5000"]), Some(Act::AddAt(added)));
    // A colon also stands before the suffix of a label.
    let dan = core(Command::Connect(to(5005)));
    assert_eq!(act_of(&["/connect dan·5005"]), dan);
    assert_eq!(act_of(&["/connect dan:5005"]), dan);
}

#[test]
fn host_name_without_known_peer_gets_no_message() {
    for line in ["@bobs-laptop:5000 hi", "/chat bobs-laptop:5000", "/disconnect bobs-laptop:5000"] {
        let (act, said, _) = after(&mut menu(), &[line]);
        assert_eq!(act, None, "{line}");
        assert!(said.contains("Type /connect bobs-laptop:5000 first."), "{said}");
    }
    let said = after(&mut menu(), &["/connect bob_laptop:5000"]).1;
    assert!(said.contains("a host name has only the letters a to z"), "{said}");
}
