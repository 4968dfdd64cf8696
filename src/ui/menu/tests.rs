//! The menu line by line.

use super::*;
use crate::chat::{Known, Row, State};
use crate::peer::{PeerAddr, PeerName};

struct People(Vec<Row>);

impl Directory for People {
    fn rows(&self) -> Vec<Row> {
        self.0.clone()
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        addr.port() == 5000
    }
}

fn people() -> People {
    let row = |number, name: &str, port: u16, state| Row {
        number,
        name: Some(PeerName::new(name)),
        addr: PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap(),
        claimed: None,
        state,
        why: None,
        known: Known::Heard,
        last_heard: None,
    };
    People(vec![
        row(1, "Bob", 5001, State::Connected),
        row(2, "Carol", 5002, State::Active),
        row(4, "Dan", 5004, State::Active),
        row(5, "Dan", 5005, State::Quiet),
        row(6, "Carla", 5006, State::Gone),
    ])
}

fn to(port: u16) -> Target {
    Target::These(vec![PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()])
}

/// What the lines lead to in the end, and everything said on the way.
fn after(menu: &mut Menu, lines: &[&str]) -> (Option<Act>, String, Option<String>) {
    let mut said = Vec::new();
    let mut last = Turn::default();
    for line in lines {
        last = menu.line(line, &people());
        said.extend(last.say.clone());
    }
    (last.act, said.join("\n"), last.refill)
}

fn act_of(lines: &[&str]) -> Option<Act> {
    after(&mut Menu::new(), lines).0
}

#[test]
fn a_recipient_is_a_number_a_beginning_of_a_name_an_address_or_all() {
    let hi = "hi".to_owned();
    for (whom, target) in [
        ("2", to(5002)),
        ("bo", to(5001)),
        ("CAROL", to(5002)),
        ("car", to(5002)),
        (" 127.0.0.1:7000 ", to(7000)),
        ("ALL", Target::All),
    ] {
        assert_eq!(act_of(&["1", whom, "hi"]), Some(Act::Send(target, hi.clone())), "{whom}");
    }
    assert_eq!(act_of(&["1", "127.0.0.1", "7000", "hi"]), Some(Act::Send(to(7000), hi)));
}

#[test]
fn a_gone_peer_is_meant_only_when_nobody_there_is() {
    assert_eq!(act_of(&["1", "carl", "hi"]), Some(Act::Send(to(5006), "hi".into())));
}

#[test]
fn enter_takes_the_last_recipient() {
    let mut menu = Menu::new();
    after(&mut menu, &["1", "bob", "one"]);
    let (act, said, _) = after(&mut menu, &["1", "", "two"]);
    assert_eq!(act, Some(Act::Send(to(5001), "two".into())));
    assert!(said.contains("Enter: Bob (127.0.0.1:5001)."), "{said}");
}

#[test]
fn connecting_and_disconnecting_take_one_or_all() {
    assert_eq!(act_of(&["3", ""]), Some(Act::Connect(Target::All)));
    assert_eq!(act_of(&["3", "127.0.0.1:7000"]), Some(Act::Connect(to(7000))));
    assert_eq!(act_of(&["4", "1"]), Some(Act::Disconnect(to(5001))));
    assert_eq!(act_of(&["4", "all"]), Some(Act::Disconnect(Target::All)));
    assert_eq!(act_of(&["2"]), Some(Act::List));
    assert_eq!(act_of(&["0"]), Some(Act::Exit));
}

#[test]
fn whoever_cannot_be_meant_is_asked_for_again_with_what_was_typed() {
    for (whom, words) in [
        ("dan", "`dan` fits 2 peers; give a number: 4 for Dan (127.0.0.1:5004), 5 for Dan (127.0.0.1:5005)."),
        ("zoe", "Nobody is called `zoe`"),
        ("9", "No peer has the number 9"),
        ("127.0.0.1:5000", "127.0.0.1:5000 is our own address"),
        ("127.0.0.1:x", "the port has to be a number from 1 to 65535"),
        ("", "Nobody was named"),
    ] {
        let mut menu = Menu::new();
        let (act, said, refill) = after(&mut menu, &["1", whom]);
        assert_eq!((act, refill.as_deref()), (None, Some(whom)));
        assert!(said.contains(words), "{said}");
        assert_eq!(menu.prompt(), "To: ");
    }
}

#[test]
fn zero_goes_back_to_the_menu() {
    for lines in [&["1", "0"][..], &["3", "0"], &["4", "0"], &["1", "127.0.0.1", "0"]] {
        let mut menu = Menu::new();
        assert_eq!(after(&mut menu, lines).0, None);
        assert!(menu.is_at_choice());
    }
}

#[test]
fn a_bad_choice_gets_one_sentence_and_the_menu_again() {
    let (act, said, _) = after(&mut Menu::new(), &["9"]);
    assert_eq!(act, None);
    assert_eq!(said, format!("`9` is no choice; type a number from the menu.\n{}", MENU.join("\n")));
}

#[test]
fn a_text_typed_at_the_menu_is_kept_to_be_sent() {
    let mut menu = Menu::new();
    let (_, said, _) = after(&mut menu, &["hello Bob"]);
    assert!(said.contains("The text is kept"), "{said}");
    assert_eq!(after(&mut menu, &["1", "bob", ""]).0, Some(Act::Send(to(5001), "hello Bob".into())));
}

#[test]
fn a_text_that_was_not_sent_is_sent_again_with_enter() {
    let mut menu = Menu::new();
    menu.keep(to(5002), "Carol (127.0.0.1:5002)".into(), "see you".into());
    let (act, said, _) = after(&mut menu, &["1", "", ""]);
    assert_eq!(act, Some(Act::Send(to(5002), "see you".into())));
    assert!(said.contains("Enter alone sends the kept text: see you"), "{said}");
}

#[test]
fn a_kept_text_is_offered_only_to_whom_it_was_meant_for_and_survives_other_texts() {
    let mut menu = Menu::new();
    menu.keep(to(5002), "Carol".into(), "for Carol".into());
    menu.keep(to(5001), "Bob".into(), "for Bob".into());
    assert_eq!(after(&mut menu, &["1", "4", ""]).0, None);
    assert_eq!(
        after(&mut menu, &["1", "carol", "something else"]).0,
        Some(Act::Send(to(5002), "something else".into()))
    );
    assert_eq!(after(&mut menu, &["1", "carol", ""]).0, Some(Act::Send(to(5002), "for Carol".into())));
    assert_eq!(after(&mut menu, &["1", "bob", ""]).0, Some(Act::Send(to(5001), "for Bob".into())));
}

#[test]
fn what_enter_alone_means_does_not_change_while_the_question_stands() {
    let mut menu = Menu::new();
    after(&mut menu, &["1", "carol", "one"]);
    after(&mut menu, &["1"]);
    menu.keep(to(5001), "Bob".into(), "for Bob".into());
    assert_eq!(after(&mut menu, &["", "two"]).0, Some(Act::Send(to(5002), "two".into())));
}

#[test]
fn when_too_many_texts_are_kept_the_oldest_is_dropped_and_named() {
    let mut menu = Menu::new();
    for number in 0..MAX_KEPT {
        assert_eq!(menu.keep(to(5001), "Bob".into(), format!("text {number}")).len(), 1);
    }
    let said = menu.keep(to(5001), "Bob".into(), "one more".into());
    assert!(said[1].ends_with("the oldest is dropped: text 0"), "{said:?}");
}

#[test]
fn escape_goes_back_to_the_menu_and_keeps_a_text() {
    let mut menu = Menu::new();
    after(&mut menu, &["1", "bob"]);
    assert!(menu.escape("half a".into())[0].starts_with("The text is kept"));
    assert!(menu.is_at_choice());
    assert_eq!(after(&mut menu, &["1", "bob", ""]).0, Some(Act::Send(to(5001), "half a".into())));
    after(&mut menu, &["1"]);
    assert_eq!(menu.escape("half a name".into()), Vec::<String>::new());
}

#[test]
fn an_empty_text_is_not_sent() {
    let (act, said, _) = after(&mut Menu::new(), &["1", "bob", "  "]);
    assert_eq!(act, None);
    assert!(said.contains("There is no text to send"), "{said}");
}
