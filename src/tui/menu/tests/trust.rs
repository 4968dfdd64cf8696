//! What the user says about keys.

use super::after_with as after;
use super::*;
use crate::core::{As, BlockTarget, Meeting, Policy};
use crate::model::peer_id::{LegacyId, PeerId};
use crate::tui::complete::{Place, complete};
use crate::tui::examples::{self, meeting};
use crate::tui::render::beginning;

fn legacy(port: u16) -> Recipient {
    PeerId::Legacy(LegacyId::saved_as(addr(port).plain().unwrap())).into()
}

fn pin(name: &str, byte: u8, port: u16) -> Pin {
    Pin { addrs: vec![addr(port)], ..examples::pin(name, byte) }
}

pub(in crate::tui) fn request(name: &str, byte: u8, port: u16, against: &[Pin]) -> PeerRequest {
    examples::request(meeting(name, byte, addr(port)), against)
}

/// Bob, Carol and a second Dan are known by their keys, Carla is blocked; the first Dan is a plain
/// peer.
fn pins() -> Vec<Pin> {
    vec![
        pin("Bob", 1, 5001),
        pin("Carol", 2, 5002),
        pin("Dan", 5, 5005),
        Pin { blocked: true, ..pin("Carla", 6, 5006) },
    ]
}

fn known(requests: Vec<PeerRequest>) -> People {
    with_pins(pins(), requests)
}

/// A directory in which these pins are known.
fn with_pins(pins: Vec<Pin>, requests: Vec<PeerRequest>) -> People {
    let mut people = People { pins, requests, ..people() };
    for row in &mut people.rows {
        let pin = people.pins.iter().find(|pin| pin.addrs.first() == row.addr.as_ref());
        row.id = pin.map_or(row.id, |pin| pin.key.into());
    }
    people.met()
}

fn moved(new: u8, old: u8) -> Option<Act> {
    core(Command::Trust(key(new), As::NewKeyOf(key(old))))
}

fn another(byte: u8) -> Option<Act> {
    core(Command::Trust(key(byte), As::Another))
}

fn act_of(lines: &[&str], people: &People) -> Option<Act> {
    after(&mut menu(), lines, people).0
}

#[test]
fn verify_shows_six_groups_and_needs_a_yes() {
    let people = known(Vec::new());
    let mut menu = menu();
    let (act, said, _) = after(&mut menu, &["/verify bob"], &people);
    assert_eq!(act, core(Command::AskToVerify(key(1))));
    assert!(said.contains("\n  00001 00001 00001 00001 00001 00001\n"), "{said}");
    assert!(said.contains("Compare the digits in person or by phone"), "{said}");
    assert_eq!(menu.prompt(), "Same on both screens? yes/no: ");
    assert!(!menu.remembers("perhaps") && menu.place() == Place::Other);
    assert_eq!(after(&mut menu, &["perhaps"], &people), (None, "Type yes or no.".into(), true));
    assert_eq!(after(&mut menu, &["YES"], &people).0, Some(Act::Verify(key(1))));
    assert!(menu.is_at_choice());
    let (act, said, _) = after(&mut menu, &["/verify bob", "no"], &people);
    assert_eq!(act, None);
    assert!(said.ends_with("Send Bob nothing private. /block aeaqcaib blocks this key."), "{said}");
    for line in ["", "0"] {
        let (act, said, _) = after(&mut menu, &["/verify bob", line], &people);
        assert_eq!(act, None);
        assert!(said.ends_with("Nothing changed."), "{said}");
        assert!(menu.is_at_choice());
    }
}

#[test]
fn key_commands_need_an_exact_recipient() {
    let people = known(Vec::new());
    for whom in ["bob", "BOB", "1", "127.0.0.1:5001", "aeaq", "aeaqcaib"] {
        assert_eq!(
            act_of(&[&format!("/verify {whom}"), "yes"], &people),
            Some(Act::Verify(key(1))),
            "{whom}"
        );
    }
    for (line, words) in [
        ("/verify bo", "No contact matches \"bo\". Did you mean Bob?"),
        ("/verify 4", "Dan has not shown a key yet."),
        ("/verify zoe", "No peer with a key matches \"zoe\"."),
        ("/block 10.0.0.0/8", "No peer matches \"10.0.0.0/8\". Type a name, a key, an ip:port or an IP."),
        ("/block fe80::1", "A link-local or multicast IP cannot be blocked."),
        ("/block ::", ":: is not the IP of a peer."),
        ("/verify ::1", "Type the port too, like /verify [::1]:5000."),
        ("/verify all", "/verify takes one peer."),
        ("/verify carla", "Carla is blocked. /unblock "),
        ("/verify", "Name a peer: /verify WHOM."),
        ("/verify bob carol", "/verify takes one peer."),
    ] {
        let (act, said, refused) = after(&mut menu(), &[line], &people);
        assert_eq!((act, refused), (None, true), "{line}");
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn legacy_peer_has_no_key_to_verify() {
    let mut people = people();
    for row in &mut people.rows {
        if row.addr == Some(addr(5004)) {
            row.id = legacy(5004);
        }
    }
    let people = people.met();
    for (line, words) in [
        ("/verify 4", "Dan is unencrypted and has no key to verify."),
        ("/key 4", "Dan is unencrypted and has no key."),
    ] {
        let (_, said, refused) = after(&mut menu(), &[line], &people);
        assert_eq!((said.as_str(), refused), (words, true), "{line}");
    }
}

#[test]
fn legacy_peer_with_contact_name_is_not_meant() {
    // The first to be called Dan is plain; the label is its own, and the key is the other's.
    let people = known(Vec::new());
    assert_eq!(act_of(&["/verify dan", "yes"], &people), Some(Act::Verify(key(5))));
    assert_eq!(act_of(&["/verify dan·aucq", "yes"], &people), Some(Act::Verify(key(5))));
}

#[test]
fn ambiguous_name_asks_for_a_key() {
    let people = with_pins([pins(), vec![pin("Bob", 9, 5009)]].concat(), Vec::new());
    let (act, said, refused) = after(&mut menu(), &["/forget bob"], &people);
    assert_eq!((act, refused), (None, true));
    assert_eq!(
        said,
        "\"bob\" matches 2 peers. Type one of: /forget aeaqcaib (Bob at 127.0.0.1:5001), /forget beeqscij (Bob at 127.0.0.1:5009)."
    );
    assert_eq!(act_of(&["/forget beeqscij", "yes"], &people), core(Command::Forget(key(9).into())));
    assert_eq!(
        act_of(&["/key bob"], &people),
        Some(Act::ShowPins(vec![people.pins[0].clone(), people.pins[4].clone()]))
    );
}

#[test]
fn forget_shows_the_consequence_first() {
    let people = known(Vec::new());
    let mut menu = menu();
    let (act, said, _) = after(&mut menu, &["/forget bob"], &people);
    assert_eq!(act, None);
    assert!(said.starts_with("Bob will be removed from your contacts, and the key forgotten."), "{said}");
    assert_eq!(menu.prompt(), "Forget Bob? yes/no: ");
    assert_eq!(after(&mut menu, &["n"], &people), (None, "Nothing changed.".into(), false));
    assert_eq!(act_of(&["/forget bob", "y"], &people), core(Command::Forget(key(1).into())));
    let (act, said, _) = after(&mut menu, &["/forget carla", "yes"], &people);
    assert_eq!(act, core(Command::Forget(key(6).into())));
    assert!(said.contains("Carla will no longer be blocked."), "{said}");
}

#[test]
fn address_is_forgotten_only_if_something_is_known() {
    let mut people = known(Vec::new());
    people.queued = vec![addr(7001).into(), addr(7001).into()];
    people.there = vec![(addr(7002), legacy(7002))];
    for (word, words) in [
        ("127.0.0.1:7000", "Nothing is known about 127.0.0.1:7000, so there is nothing to forget."),
        ("[::1]:7000", "Nothing is known about [::1]:7000, so there is nothing to forget."),
        ("127.0.0.1:7002", "127.0.0.1:7002 is not a contact, so there is nothing to forget."),
    ] {
        let line = format!("/forget {word}");
        let (act, said, refused) = after(&mut menu(), &[&line], &people);
        assert_eq!((act, &*said, refused), (None, words, true));
    }
    for (word, words, id) in [
        ("127.0.0.1:7001", "Messages queued for 127.0.0.1:7001 will not be sent.", addr(7001)),
        ("127.0.0.1:5004", "Dan will be removed from the list.", addr(5004)),
    ] {
        let (act, said, _) = after(&mut menu(), &[&format!("/forget {word}"), "yes"], &people);
        assert_eq!((act, &*said), (core(Command::Forget(id.into())), words));
    }
    people.labels.set_aliases([(legacy(5004), "Printer".parse().unwrap())].into());
    let (act, said, _) = after(&mut menu(), &["/forget printer", "yes"], &people);
    assert_eq!(act, core(Command::Forget(addr(5004).into())));
    assert_eq!(said, "Printer will be removed from your contacts.");
}

#[test]
fn stranger_is_forgotten_with_its_key() {
    let people = with_pins(vec![Pin { contact: false, ..pin("Bob", 1, 5001) }], Vec::new());
    let (act, said, _) = after(&mut menu(), &["/forget bob", "yes"], &people);
    assert_eq!(act, core(Command::Forget(key(1).into())));
    assert!(said.starts_with("The key of Bob will be forgotten."), "{said}");
}

#[test]
fn trust_moves_the_contact_and_accept_makes_another() {
    let bobs = request("Bob", 3, 5001, &[pin("Bob", 1, 5001)]);
    let people = known(vec![bobs]);
    for word in ["bob", "BOB", "ambq", "Bob·aeaq", "\u{ff22}ob"] {
        let moved = moved(3, 1);
        assert_eq!(act_of(&[&format!("/trust {word}")], &people), moved, "{word}");
        let another = another(3);
        assert_eq!(act_of(&[&format!("/accept {word}")], &people), another, "{word}");
    }
    for line in ["/trust bob as new", "/accept bob too"] {
        let (act, said, _) = after(&mut menu(), &[line], &people);
        assert_eq!(act, None);
        assert!(said.ends_with(" takes one peer."), "{said}");
    }
    for command in ["/trust", "/accept"] {
        let (act, said, _) = after(&mut menu(), &[&format!("{command} carol")], &people);
        assert_eq!(act, None);
        assert_eq!(said, "No request from \"carol\". /requests lists all.");
    }
    let dave = request("Dave", 3, 5001, &[]).met;
    let refused = People { refused: vec![dave], ..People::default() };
    let (act, said, _) = after(&mut menu(), &["/accept dave"], &refused);
    assert_eq!(act, None);
    let sentence = format!("Refused Dave (key {}, policy strict): /add Dave", key(3).short());
    assert_eq!(said, sentence);
    let said = after(&mut menu(), &["@dave let us talk"], &refused).1;
    assert_eq!(said, sentence);
    let zoe = known(vec![request("Zoe", 7, 5007, &[])]);
    for line in ["/accept zoe", "/trust zoe"] {
        assert_eq!(act_of(&[line], &zoe), another(7));
    }
}

#[test]
fn namesakes_are_accepted_by_the_shown_words() {
    let requests = [7, 8, 9].map(|byte| request("Zoe", byte, 5000 + u16::from(byte), &[]));
    let people = known(requests.to_vec());
    let (act, said, _) = after(&mut menu(), &["/accept zoe"], &people);
    assert_eq!(act, None);
    for byte in [7, 8, 9] {
        let beginning = beginning(key(byte));
        assert!(said.contains(&format!("/accept {beginning} (Zoe at 127.0.0.1:500{byte})")), "{said}");
        let accepted = another(byte);
        for word in [beginning, key(byte).short(), key(byte).grouped().to_string(), key(byte).to_string()] {
            assert_eq!(act_of(&[&format!("/accept {word}")], &people), accepted, "{word}");
            let blocked = core(Command::Block(key(byte).into()));
            assert_eq!(act_of(&[&format!("/block {word}")], &people), blocked, "{word}");
        }
    }
}

#[test]
fn legacy_strangers_are_meant_by_name_and_address() {
    let met = |port| {
        let met = request("Eve", 7, port, &[]).met;
        Meeting { id: crate::protocol::plain::peer_at(met.addr.plain().unwrap()), ..met }
    };
    let added = |port| {
        let met: Meeting = met(port);
        let (id, name, addrs) = (met.id, met.name, Vec::new());
        Some(Act::Add(ContactRecord { id, name, verified: None, blocked: false, stranger: false, addrs }))
    };
    let asks = |port| examples::request(met(port), &[]);
    let one = known(vec![asks(5007)]);
    for line in ["/accept eve", "/accept 127.0.0.1:5007", "/trust eve", "/add 127.0.0.1:5007"] {
        assert_eq!(act_of(&[line], &one), added(5007), "{line}");
    }
    let blocked = core(Command::Block(BlockTarget::Peer(met(5007).id.into())));
    for line in ["/block eve", "/block 127.0.0.1:5007"] {
        assert_eq!(act_of(&[line], &one), blocked, "{line}");
    }
    let two = known(vec![asks(5007), asks(5008)]);
    let said = after(&mut menu(), &["/accept eve"], &two).1;
    assert!(said.contains("/accept 127.0.0.1:5008 (Eve at 127.0.0.1:5008)"), "{said}");
    let refused = People { refused: vec![met(5007)], ..People::default() };
    assert_eq!(act_of(&["/add 127.0.0.1:5007"], &refused), added(5007));
    let (act, said, is_refused) = after(&mut menu(), &["/accept eve"], &refused);
    let expected = "Refused Eve (127.0.0.1:5007, unencrypted, policy strict): /add Eve";
    assert_eq!((act, &said[..], is_refused), (None, expected, true));
}

#[test]
fn alias_names_the_contact_whose_key_has_changed() {
    let mut people = known(vec![request("Bob", 3, 5001, &[pin("Bob", 1, 5001)])]);
    people.labels.set_aliases([(key(1).into(), "Boss".parse().unwrap())].into());
    assert_eq!(act_of(&["/trust boss"], &people), moved(3, 1));
    assert_eq!(act_of(&["/trust bob"], &people), moved(3, 1));
}

#[test]
fn suffix_tells_which_namesake_has_a_new_key() {
    let namesakes = [pin("Bob", 1, 5001), pin("Bob", 2, 5002)];
    let people = with_pins(namesakes.to_vec(), vec![request("Bob", 3, 5009, &namesakes)]);
    for (word, old) in [("Bob·aeaq", 1), ("bob·aiba", 2), ("1", 1), ("2", 2)] {
        let act = act_of(&[&format!("/trust {word}")], &people);
        assert_eq!(act, moved(3, old), "{word}");
    }
    let (act, said, _) = after(&mut menu(), &["/trust bob"], &people);
    assert_eq!(act, None);
    assert_eq!(
        said,
        "Name the contact with the new key, like /trust Bob·aeaq or /trust Bob·aiba. /accept ambqgayd adds another contact."
    );
}

#[test]
fn claimed_name_does_not_choose_the_replaced_key() {
    // It calls itself Bob and is at Carol's address.
    let both = request("Bob", 3, 5002, &[pin("Bob", 1, 5001), pin("Carol", 2, 5002)]);
    let people = known(vec![both]);
    assert_eq!(act_of(&["/trust bob"], &people), moved(3, 1));
    assert_eq!(act_of(&["/trust carol"], &people), moved(3, 2));
    let (act, said, _) = after(&mut menu(), &["/trust ambqgayd"], &people);
    assert_eq!(act, None);
    assert_eq!(
        said,
        "Name the contact with the new key, like /trust Bob·aeaq or /trust Carol·aiba. /accept ambqgayd adds another contact."
    );
    // It calls itself Zoe, and is at Carol's address.
    let people = known(vec![request("Zoe", 3, 5002, &[pin("Carol", 2, 5002)])]);
    let (act, said, _) = after(&mut menu(), &["/trust zoe"], &people);
    assert_eq!(act, None);
    assert!(said.starts_with("Name the contact with the new key, like /trust Carol·aiba."), "{said}");
}

#[test]
fn block_prefers_the_pending_key() {
    let people = known(vec![request("Bob", 3, 5001, &[pin("Bob", 1, 5001)])]);
    assert_eq!(act_of(&["/block bob"], &people), core(Command::Block(key(3).into())));
    assert_eq!(act_of(&["/block aeaqcaib"], &people), core(Command::Block(key(1).into())));
    assert_eq!(act_of(&["/block carol"], &people), core(Command::Block(key(2).into())));
    assert!(after(&mut menu(), &["/block carla"], &people).1.starts_with("Carla is blocked"));
    let two =
        [request("Bob", 3, 5001, &[pin("Bob", 1, 5001)]), request("Bob", 4, 5009, &[pin("Bob", 1, 5001)])];
    for command in ["/block", "/trust"] {
        let (act, said, refused) = after(&mut menu(), &[&format!("{command} bob")], &known(two.to_vec()));
        assert_eq!((act, refused), (None, true));
        assert!(
            said.contains(&format!("Type one of: {command} ambqgayd (Bob at 127.0.0.1:5001), ")),
            "{said}"
        );
    }
}

#[test]
fn policy_key_and_requests_need_no_question() {
    let people = known(Vec::new());
    for (how, policy) in [("accept-new", Policy::AcceptNew), ("ask", Policy::Ask), ("strict", Policy::Strict)]
    {
        assert_eq!(act_of(&[&format!("/policy {how}")], &people), core(Command::SetPolicy(policy)));
    }
    assert_eq!(act_of(&["/policy"], &people), Some(own("/policy")));
    for line in ["/policy everything", "/policy strict ask"] {
        let (act, said, _) = after(&mut menu(), &[line], &people);
        assert_eq!(act, None);
        assert_eq!(said, "Type accept-new, ask or strict after /policy.");
    }
    assert_eq!(act_of(&["/key"], &people), Some(own("/key")));
    assert_eq!(act_of(&["/key carla"], &people), Some(Act::ShowPins(vec![people.pins[3].clone()])));
    assert_eq!(act_of(&["/requests"], &people), Some(own("/requests")));
    assert!(after(&mut menu(), &["/requests bob"], &people).1.contains("/requests takes nothing after it."));
}

#[test]
fn legacy_peer_and_source_are_blocked_and_unblocked() {
    let mut people = with_pins(pins(), Vec::new());
    let source: SourcePrefix = "192.0.2.66".parse().unwrap();
    let dan = addr(5004).into();
    for word in ["4", "127.0.0.1:5004"] {
        assert_eq!(
            act_of(&[&format!("/block {word}")], &people),
            core(Command::Block(BlockTarget::Peer(dan)))
        );
    }
    assert_eq!(act_of(&["/block 192.0.2.66"], &people), core(Command::Block(source.into())));
    let said = |people: &People, line: &str| after(&mut menu(), &[line], people).1;
    assert_eq!(said(&people, "/unblock 192.0.2.66"), "192.0.2.66 is not blocked.");
    people.blocked_sources = vec![source];
    people.blocked_legacy = vec![peer("Hashpa", legacy(5020))];
    assert_eq!(said(&people, "/block 192.0.2.66"), "192.0.2.66 is blocked. /unblock 192.0.2.66 unblocks it.");
    assert_eq!(act_of(&["/unblock 192.0.2.66"], &people), core(Command::Unblock(source.into())));
    for word in ["hashpa", "127.0.0.1:5020"] {
        let unblock = act_of(&[&format!("/unblock {word}")], &people);
        assert_eq!(unblock, core(Command::Unblock(BlockTarget::Peer(legacy(5020)))), "{word}");
        let forgotten = act_of(&[&format!("/forget {word}"), "yes"], &people);
        assert_eq!(forgotten, core(Command::Forget(legacy(5020))), "{word}");
        for command in [format!("@{word} hi"), format!("/block {word}"), format!("/chat {word}")] {
            let said = said(&people, &command);
            assert!(
                said.starts_with(&format!("Hashpa is blocked. /unblock {word} unblocks them.")),
                "{said}"
            );
        }
    }
    for command in ["@192.0.2.66:5009 hi", "/connect 192.0.2.66:5009"] {
        let said = said(&people, command);
        assert!(said.starts_with("192.0.2.66 is blocked. /unblock 192.0.2.66 unblocks them."), "{said}");
    }
    let completed =
        |line: &str| complete(line, line.len(), Place::Line, &people).replace.map(|(_, with)| with);
    assert_eq!(completed("/unblock 19"), Some("192.0.2.66".into()));
    let label = people.labels.label(legacy(5020), Some(&PeerName::new("Hashpa")));
    assert_eq!(completed("/unblock ha"), Some(label));
}

#[test]
fn key_commands_take_every_shown_name() {
    let namesakes = [pin("Bob", 1, 5001), pin("Bob", 2, 5802)];
    let blocked = [("Bob", 7), ("Mallory", 8)].map(|(name, n)| Pin { blocked: true, ..pin(name, n, 5900) });
    let mut people = with_pins([&namesakes[..], &blocked].concat(), Vec::new());
    people.labels.set_aliases([(key(2).into(), "Boss".parse().unwrap())].into());
    for (word, n) in [("Bob·aeaq", 1), ("bob:aeaq", 1), ("1", 1), ("aeaq", 1), ("boss", 2), ("bob·aiba", 2)]
    {
        let verified = act_of(&[&format!("/verify {word}"), "yes"], &people);
        assert_eq!(verified, Some(Act::Verify(key(n))), "{word}");
        assert_eq!(
            act_of(&[&format!("/block {word}")], &people),
            core(Command::Block(key(n).into())),
            "{word}"
        );
        let forgotten = act_of(&[&format!("/forget {word}"), "yes"], &people);
        assert_eq!(forgotten, core(Command::Forget(key(n).into())), "{word}");
    }
    let mallory = key(8);
    let suffixed = people.labels.label(mallory.into(), Some(&PeerName::new("Mallory")));
    for word in ["mallory", &suffixed, &suffixed.replace('·', ":"), &mallory.to_string()[..4]] {
        assert_eq!(
            act_of(&[&format!("/unblock {word}")], &people),
            core(Command::Unblock(mallory.into())),
            "{word}"
        );
        let forgotten = act_of(&[&format!("/forget {word}"), "yes"], &people);
        assert_eq!(forgotten, core(Command::Forget(mallory.into())), "{word}");
        let shown = Some(Act::ShowPins(vec![people.pins[3].clone()]));
        assert_eq!(act_of(&[&format!("/key {word}")], &people), shown, "{word}");
        let said = after(&mut menu(), &[&format!("@{word} hi")], &people).1;
        assert!(said.contains("Mallory is blocked. /unblock "), "{said}");
    }
    // Only one of the three Bobs is blocked.
    assert_eq!(act_of(&["/unblock bob"], &people), core(Command::Unblock(key(7).into())));
}

#[test]
fn label_of_a_contact_is_not_its_namesake() {
    // A stranger has the name too, and is shown with a suffix.
    let bobs = [pin("Bob", 1, 5001), Pin { contact: false, ..pin("Bob", 2, 5002) }];
    let mut people = with_pins(bobs.to_vec(), Vec::new());
    for row in &mut people.rows {
        row.contact = row.id == key(1).into();
        row.name = Some(PeerName::new("Bob")).filter(|_| row.id.public_key().is_some()).or(row.name.take());
    }
    people.labels = Labels::default();
    for (n, standing) in [(1, Standing::Contact), (2, Standing::Stranger)] {
        people.labels.meet(&peer("Bob", key(n).into()), |id| {
            if id == key(1).into() { Standing::Contact } else { standing }
        });
    }
    assert_eq!(act_of(&["/verify bob", "yes"], &people), Some(Act::Verify(key(1))));
    assert_eq!(act_of(&["/verify bob·aiba", "yes"], &people), Some(Act::Verify(key(2))));
}

#[test]
fn verified_contact_is_named_before_the_code() {
    let verified = Pin { verified: Some(1), ..pin("Bob", 1, 5001) };
    let people = with_pins(vec![verified], Vec::new());
    let (_, said, _) = after(&mut menu(), &["/verify bob"], &people);
    let first = said.lines().next();
    let expected = "Bob was verified before. Ask Bob to type /verify too. You should both see:";
    assert_eq!(first, Some(expected));
}

#[test]
fn peer_that_asks_to_verify_is_not_asked() {
    let mut people = with_pins(vec![pin("Bob", 1, 5001)], Vec::new());
    people.verifying.push(key(1).into());
    let (_, said, _) = after(&mut menu(), &["/verify bob"], &people);
    assert_eq!(said.lines().next(), Some("You should both see:"));
}

#[test]
fn forgetting_names_new_peers_only_without_namesakes() {
    let words = "The next key with the name Bob is new to you.";
    let (_, said, _) = after(&mut menu(), &["/forget bob"], &known(Vec::new()));
    assert!(said.contains(words), "{said}");
    for blocked in [false, true] {
        let second = Pin { blocked, ..pin("BOB", 7, 7007) };
        let mut people = with_pins(pins().into_iter().chain([second]).collect(), Vec::new());
        let (_, said, _) = after(&mut menu(), &["/forget aeaqcaib"], &people);
        assert!(said.ends_with("and the key forgotten."), "{said}");
        people.queued = vec![key(1).into()];
        let (_, said, _) = after(&mut menu(), &["/forget aeaqcaib"], &people);
        assert!(said.ends_with("and the key forgotten. Queued messages will not be sent."), "{said}");
    }
}

#[test]
fn beginning_of_a_key_adds_the_peer() {
    let stranger = Pin { contact: false, ..pin("Zed", 9, 7009) };
    let people = with_pins(vec![stranger.clone()], Vec::new());
    let people = People { rows: Vec::new(), ..people };
    let beginning: String = stranger.key.to_string().chars().take(8).collect();
    let Some(Act::Add(added)) = act_of(&[&format!("/add {beginning}")], &people) else {
        panic!("{beginning} is known");
    };
    assert_eq!(added.id, PeerId::Key(stranger.key));
    let nobody = after(&mut menu(), &["/add zzzzzzzz"], &people).1;
    assert_eq!(nobody, "No peer matches \"zzzzzzzz\". Type a name, number, ip:port or key.");
    assert_eq!(act_of(&["/add 127.0.0.1:7123"], &people), Some(Act::AddAt(addr(7123).into())));
}

#[test]
fn add_takes_the_name_of_a_refused_stranger() {
    let met = |n, port| Meeting { id: PeerId::Key(key(n)), ..request("Dave", n, port, &[]).met };
    let mut people = known(Vec::new());
    people.refused = vec![met(8, 7008)];
    let Some(Act::Add(added)) = act_of(&["/add dave"], &people) else { panic!("Dave is added") };
    assert_eq!((added.id, added.name), (PeerId::Key(key(8)), Some(PeerName::new("Dave"))));
    people.refused.push(met(9, 7009));
    let said = after(&mut menu(), &["/add dave"], &people).1;
    assert!(said.starts_with("\"dave\" matches 2 peers. Type one of: /add baeaqcai (at "), "{said}");
    let said = after(&mut menu(), &["/accept dave"], &people).1;
    assert!(said.ends_with(", policy strict): /add baeaqcai"), "{said}");
    // Also if it is the beginning of a contact's name.
    let mut people = with_pins(vec![pin("Davenport", 1, 5001)], Vec::new());
    people.refused = vec![met(8, 7008)];
    assert!(
        matches!(act_of(&["/add dave"], &people), Some(Act::Add(added)) if added.id == PeerId::Key(key(8)))
    );
}

#[test]
fn blocking_an_address_blocks_the_key_there() {
    let mut there = request("Bob", 9, 5004, &[pin("Bob", 1, 5001)]);
    let blocked = |there: &PeerRequest| act_of(&["/block 4"], &known(vec![there.clone()]));
    let dan: Recipient = addr(5004).into();
    assert_eq!(blocked(&there), core(Command::Block(dan.into())), "it only claims the address");
    there.met.dialed = true;
    assert_eq!(blocked(&there), core(Command::Block(key(9).into())));
}

const INVITATION: &str =
    "p2p-chat:aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq?n=Zoe&a=192.0.2.7:5000";

#[test]
fn add_takes_an_invitation_with_line_breaks() {
    let people = known(Vec::new());
    let act = Some(Act::AddInvited(INVITATION.parse().unwrap()));
    assert_eq!(act_of(&[&format!("/add {INVITATION}")], &people), act);
    assert_eq!(act_of(&[&format!("/add {}\n{}", &INVITATION[..40], &INVITATION[40..])], &people), act);
}

#[test]
fn invitation_at_the_menu_is_asked_about() {
    let people = known(Vec::new());
    let act = Some(Act::AddInvited(INVITATION.parse().unwrap()));
    assert_eq!(act_of(&[INVITATION, "y"], &people), act);
    assert_eq!(act_of(&[INVITATION, "n"], &people), None);
    let in_conversation = act_of(&["/chat bob", INVITATION], &people);
    assert!(matches!(in_conversation, Some(Act::Send(_, text)) if text == INVITATION));
}
