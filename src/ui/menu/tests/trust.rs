//! What the user says about keys.

use super::*;
use crate::chat::Meeting;
use crate::model::address::Source;

fn key(byte: u8) -> PublicKey {
    PublicKey::new([byte; 32])
}

fn addr(port: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()
}

fn pin(name: &str, byte: u8, port: u16) -> Pin {
    Pin {
        key: key(byte),
        name: Some(PeerName::new(name)),
        addrs: vec![addr(port)],
        first_seen: 0,
        verified: None,
        blocked: false,
    }
}

fn offer(name: &str, byte: u8, port: u16, against: &[Pin]) -> Offer {
    let met = Meeting {
        key: key(byte),
        name: Some(PeerName::new(name)),
        addr: addr(port),
        dialled: false,
        source: Source::from(Ipv4Addr::LOCALHOST),
        date: 0,
    };
    Offer { met, against: against.to_vec() }
}

/// Bob, Carol and a second Dan are known by their keys, Carla is blocked; the first Dan is a plain peer.
fn pins() -> Vec<Pin> {
    vec![
        pin("Bob", 1, 5001),
        pin("Carol", 2, 5002),
        pin("Dan", 5, 5005),
        Pin { blocked: true, ..pin("Carla", 6, 5006) },
    ]
}

fn known(offers: Vec<Offer>) -> People {
    let People(rows, labels, ..) = people();
    People(rows, labels, pins(), offers)
}

/// What the lines lead to in the end, and everything said on the way.
fn after(menu: &mut Menu, lines: &[&str], people: &People) -> (Option<Act>, String, Option<Refill>) {
    let mut said = Vec::new();
    let mut last = Turn::default();
    for line in lines {
        last = menu.line(line, people);
        said.extend(last.say.clone());
    }
    (last.act, said.join("\n"), last.refill)
}

fn act_of(lines: &[&str], people: &People) -> Option<Act> {
    after(&mut menu(), lines, people).0
}

#[test]
fn verifying_shows_the_code_in_six_groups_and_believes_only_a_yes() {
    let people = known(Vec::new());
    let mut menu = menu();
    let (act, said, _) = after(&mut menu, &["/verify bob"], &people);
    assert_eq!(act, None);
    assert!(said.contains("\n  00001 00001 00001 00001 00001 00001\n"), "{said}");
    assert!(said.contains("Compare all of it by telephone, or side by side"), "{said}");
    assert_eq!(menu.prompt(), "Same on both screens? yes/no: ");
    assert!(!menu.takes_text() && !menu.takes_commands());
    let (act, said, refill) = after(&mut menu, &["perhaps"], &people);
    assert_eq!((act, said, refill), (None, "Type yes or no.".into(), Some(Refill::Offer("perhaps".into()))));
    assert_eq!(after(&mut menu, &["YES"], &people).0, Some(Act::Verify(key(1))));
    assert!(menu.is_at_choice());
    let (act, said, _) = after(&mut menu, &["/verify bob", "no"], &people);
    assert_eq!(act, None);
    assert!(
        said.ends_with("Write nothing to Bob that others must not read; /block aeaqcaib ends it."),
        "{said}"
    );
    for line in ["", "0"] {
        let (act, said, _) = after(&mut menu, &["/verify bob", line], &people);
        assert_eq!(act, None);
        assert!(said.ends_with("Nothing is changed."), "{said}");
        assert!(menu.is_at_choice());
    }
}

#[test]
fn whose_key_is_meant_is_named_exactly_by_name_number_address_or_the_beginning_of_the_key() {
    let people = known(Vec::new());
    for whom in ["bob", "BOB", "1", "127.0.0.1:5001", "aeaq", "aeaqcaib"] {
        assert_eq!(
            act_of(&[&format!("/verify {whom}"), "yes"], &people),
            Some(Act::Verify(key(1))),
            "{whom}"
        );
    }
    for (line, words, refill) in [
        ("/verify bo", "Nobody is called `bo`; did you mean Bob?", "/verify Bob"),
        ("/verify 4", "Dan is spoken to in plain and has shown no key.", "/verify 4"),
        ("/verify zoe", "No key is known by the name, or that begins with, `zoe`.", "/verify zoe"),
        ("/verify all", "/verify goes for one peer at a time; name one.", "/verify all"),
        ("/verify carla", "Carla is blocked; /unpin ", ""),
        ("/verify", "Name somebody: /verify WHOM.", "/verify "),
        ("/verify bob carol", "/verify goes for one peer; `carol` is too much.", "/verify bob carol"),
    ] {
        let (act, said, back) = after(&mut menu(), &[line], &people);
        assert_eq!(act, None, "{line}");
        assert!(said.contains(words), "{said}");
        let back = back.map(|(Refill::Edit(text) | Refill::Offer(text))| text).unwrap_or_default();
        assert_eq!(back, refill, "{line}");
    }
}

#[test]
fn a_plain_peer_of_a_known_name_is_not_who_is_meant() {
    // The first to be called Dan is plain; the label is its own, and the key is the other's.
    let people = known(Vec::new());
    assert_eq!(act_of(&["/verify dan", "yes"], &people), Some(Act::Verify(key(5))));
    assert_eq!(act_of(&["/verify dan·5005", "yes"], &people), Some(Act::Verify(key(5))));
}

#[test]
fn where_a_name_fits_several_keys_the_beginning_of_one_is_asked_for() {
    let mut people = known(Vec::new());
    people.2.push(pin("Bob", 9, 5009));
    let (act, said, refill) = after(&mut menu(), &["/unpin bob"], &people);
    assert_eq!((act, refill), (None, Some(Refill::Edit("/unpin ".into()))));
    assert_eq!(
        said,
        "`bob` fits 2 keys; give the beginning of one: aeaqcaib for Bob at 127.0.0.1:5001, beeqscij for Bob at 127.0.0.1:5009."
    );
    assert_eq!(act_of(&["/unpin beeqscij", "yes"], &people), Some(Act::Unpin(key(9))));
    assert_eq!(
        act_of(&["/key bob"], &people),
        Some(Act::ShowPins(vec![people.2[0].clone(), people.2[4].clone()]))
    );
}

#[test]
fn a_key_is_forgotten_only_after_the_consequence_was_read() {
    let people = known(Vec::new());
    let mut menu = menu();
    let (act, said, _) = after(&mut menu, &["/unpin bob"], &people);
    assert_eq!(act, None);
    assert!(
        said.starts_with(
            "What you write to Bob may then go in plain, for anybody on the way to read and change"
        ),
        "{said}"
    );
    assert_eq!(menu.prompt(), "Forget the key of Bob? yes/no: ");
    assert_eq!(after(&mut menu, &["n"], &people), (None, "Nothing is changed.".into(), None));
    assert_eq!(act_of(&["/unpin bob", "y"], &people), Some(Act::Unpin(key(1))));
    let (act, said, _) = after(&mut menu, &["/unpin carla", "yes"], &people);
    assert_eq!(act, Some(Act::Unpin(key(6))));
    assert!(said.contains("Carla is not blocked any more then"), "{said}");
}

#[test]
fn one_text_goes_out_in_plain_only_after_a_yes_and_is_kept_otherwise() {
    let people = known(Vec::new());
    let mut talk = menu();
    let (act, said, _) = after(&mut talk, &["/plain bob see you\nat 5"], &people);
    assert_eq!(act, None);
    assert!(
        said.starts_with("This one text goes to Bob in plain: anybody on the way can read and change it"),
        "{said}"
    );
    assert_eq!(talk.prompt(), "Send it in plain? yes/no: ");
    assert_eq!(after(&mut talk, &["yes"], &people).0, Some(Act::SendInPlain(bob(), "see you\nat 5".into())));
    assert_eq!(after(&mut talk, &["hello", "bob"], &people).0, send(5001, "hello"));
    let (act, said, _) = after(&mut talk, &["/plain bob secret", "no"], &people);
    assert_eq!(act, None);
    assert!(said.contains("The text is kept"), "{said}");
    assert_eq!(after(&mut talk, &["1", "bob", ""], &people).0, send(5001, "secret"));
    after(&mut talk, &["/plain bob other"], &people);
    assert!(talk.escape(String::new())[0].starts_with("The text is kept"));
    // Who has shown no key is spoken to in plain anyway.
    assert_eq!(act_of(&["/plain 4 hi"], &people), send(5004, "hi"));
    for (line, words) in [
        ("/plain bob", "Write the text too"),
        ("/plain all hi", "/plain goes for one peer at a time; name one."),
        ("/plain bo hi", "did you mean Bob?"),
        ("/plain 127.0.0.1 hi", "Write the port too"),
        ("/plain", "Name somebody: /plain WHOM TEXT."),
    ] {
        let (act, said, refill) = after(&mut menu(), &[line], &people);
        assert_eq!(act, None, "{line}");
        assert!(said.contains(words) && refill.is_some(), "{said}");
    }
}

#[test]
fn a_key_that_waits_is_taken_as_whom_the_user_says() {
    let bobs = offer("Bob", 3, 5001, &[pin("Bob", 1, 5001)]);
    let people = known(vec![bobs]);
    let as_bob = Some(Act::Trust(key(3), As::NewKeyOf(key(1))));
    for line in ["/trust bob", "/trust BOB", "/trust ambq", "/trust Bob·5001"] {
        assert_eq!(act_of(&[line], &people), as_bob, "{line}");
    }
    for line in ["/trust bob as new", "/trust ambq  AS   new"] {
        assert_eq!(act_of(&[line], &people), Some(Act::Trust(key(3), As::Another)), "{line}");
    }
    let (act, said, _) = after(&mut menu(), &["/trust bob as old"], &people);
    assert_eq!(act, None);
    assert_eq!(said, "`as old` is too much; behind the name only `as new` can stand.");
    let (act, said, _) = after(&mut menu(), &["/trust carol"], &people);
    assert_eq!(act, None);
    assert_eq!(said, "No key waits for your word that `carol` could mean; /offers lists those that do.");
    let zoe = known(vec![offer("Zoe", 7, 5007, &[])]);
    assert_eq!(act_of(&["/trust zoe"], &zoe), Some(Act::Trust(key(7), As::Another)));
}

#[test]
fn what_a_newcomer_calls_itself_does_not_say_whose_key_it_replaces() {
    // It calls itself Bob and is at Carol's address.
    let both = offer("Bob", 3, 5002, &[pin("Bob", 1, 5001), pin("Carol", 2, 5002)]);
    let people = known(vec![both]);
    assert_eq!(act_of(&["/trust bob"], &people), Some(Act::Trust(key(3), As::NewKeyOf(key(1)))));
    assert_eq!(act_of(&["/trust carol"], &people), Some(Act::Trust(key(3), As::NewKeyOf(key(2)))));
    let (act, said, _) = after(&mut menu(), &["/trust ambqgayd"], &people);
    assert_eq!(act, None);
    assert_eq!(
        said,
        "Say whose new key it is: Bob or Carol; or `/trust ambqgayd as new` if it is nobody's that you know."
    );
    // It calls itself Zoe, and is at Carol's address.
    let people = known(vec![offer("Zoe", 3, 5002, &[pin("Carol", 2, 5002)])]);
    let (act, said, _) = after(&mut menu(), &["/trust zoe"], &people);
    assert_eq!(act, None);
    assert!(said.starts_with("Say whose new key it is: Carol;"), "{said}");
}

#[test]
fn blocking_means_the_key_that_waits_before_the_one_that_is_known() {
    let people = known(vec![offer("Bob", 3, 5001, &[pin("Bob", 1, 5001)])]);
    assert_eq!(act_of(&["/block bob"], &people), Some(Act::Block(key(3))));
    assert_eq!(act_of(&["/block aeaqcaib"], &people), Some(Act::Block(key(1))));
    assert_eq!(act_of(&["/block carol"], &people), Some(Act::Block(key(2))));
    assert!(after(&mut menu(), &["/block carla"], &people).1.starts_with("Carla is blocked"));
    let two = [offer("Bob", 3, 5001, &[pin("Bob", 1, 5001)]), offer("Bob", 4, 5009, &[pin("Bob", 1, 5001)])];
    for command in ["/block", "/trust"] {
        let (act, said, refill) = after(&mut menu(), &[&format!("{command} bob")], &known(two.to_vec()));
        assert_eq!((act, refill), (None, Some(Refill::Edit(format!("{command} ")))));
        assert!(said.contains("give the beginning of one: ambqgayd for Bob at 127.0.0.1:5001, "), "{said}");
    }
}

#[test]
fn policies_keys_and_offers_are_asked_for_in_one_line() {
    let people = known(Vec::new());
    for (how, policy) in [("accept-new", Policy::AcceptNew), ("ask", Policy::Ask), ("strict", Policy::Strict)]
    {
        assert_eq!(act_of(&[&format!("/policy {how}")], &people), Some(Act::SetPolicy(policy)));
    }
    assert_eq!(act_of(&["/policy"], &people), Some(Act::ShowPolicy));
    for line in ["/policy everything", "/policy strict ask"] {
        let (act, said, _) = after(&mut menu(), &[line], &people);
        assert_eq!(act, None);
        assert_eq!(said, "Say what is done with new keys: accept-new, ask or strict.");
    }
    assert_eq!(act_of(&["/key"], &people), Some(Act::ShowOwnKey));
    assert_eq!(act_of(&["/key carla"], &people), Some(Act::ShowPins(vec![people.2[3].clone()])));
    assert_eq!(act_of(&["/offers"], &people), Some(Act::ListOffers));
    assert!(after(&mut menu(), &["/offers bob"], &people).1.contains("/offers stands alone"));
}
