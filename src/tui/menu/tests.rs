//! Tests of the menu, line by line.

use std::collections::BTreeMap;

use super::*;
use crate::core::{Meeting, PeerInfo, PeerRequest, PresenceStatus, Row, Target, Verification};
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::name::PeerName;
use crate::tui::commands::named;
use crate::tui::examples::{addr, key, peer, row};
use crate::tui::labels::{Labels, Standing};

mod people;
pub(in crate::tui) mod trust;

/// The peers that the menu can name.
#[derive(Default)]
pub(in crate::tui) struct People {
    rows: Vec<Row>,
    labels: Labels,
    /// The pins of the rows and of the contacts without a row.
    pins: Vec<Pin>,
    pub(in crate::tui) requests: Vec<PeerRequest>,
    refused: Vec<Meeting>,
    /// Peers that have proven themselves at an address and have no row for it.
    there: Vec<(PeerAddr, Recipient)>,
    /// The recipient of each queued message.
    queued: Vec<Recipient>,
    blocked_legacy: Vec<PeerInfo>,
    blocked_sources: Vec<SourcePrefix>,
    discovered: Vec<PeerInfo>,
    introductions: Vec<IntroducedPeer>,
    /// The peers that have asked to compare safety numbers.
    verifying: Vec<Recipient>,
}

impl People {
    /// Gives each of them a label.
    fn met(mut self) -> Self {
        self.labels = Labels::default();
        let rows = self.rows.iter().map(|row| (row.id, row.name.clone(), row.contact));
        let pins = self.pins.iter().filter(|pin| !pin.blocked);
        let pins = pins.map(|pin| (Recipient::key(pin.key), pin.name.clone(), true));
        let all: BTreeMap<Recipient, _> =
            pins.chain(rows).map(|(id, name, contact)| (id, (name, contact))).collect();
        let standing = |id| match all.get(&id) {
            None => Standing::Forgotten,
            Some((_, true)) => Standing::Contact,
            Some((_, false)) => Standing::Stranger,
        };
        // In the order of the row numbers.
        let rows = self.rows.iter().map(|row| row.id);
        for id in rows.chain(self.pins.iter().map(|pin| pin.key.into())) {
            let Some((name, _)) = all.get(&id) else { continue };
            let who = PeerInfo { name: name.clone(), addr: None, ..peer("", id) };
            self.labels.meet(&who, standing);
        }
        self
    }
}

impl Directory for People {
    fn rows(&self) -> Vec<Row> {
        self.rows.clone()
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        addr.port() == 5000
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn contacts(&self) -> Vec<Pin> {
        let has_row = |pin: &Pin| self.rows.iter().any(|row| row.id == Recipient::key(pin.key));
        self.pins.iter().filter(|pin| !pin.blocked && !has_row(pin)).cloned().collect()
    }

    fn blocked(&self) -> Vec<Pin> {
        self.pins.iter().filter(|pin| pin.blocked).cloned().collect()
    }

    fn blocked_legacy(&self) -> Vec<PeerInfo> {
        self.blocked_legacy.clone()
    }

    fn has_asked_to_verify(&self, id: Recipient) -> bool {
        self.verifying.contains(&id)
    }

    fn blocked_sources(&self) -> Vec<SourcePrefix> {
        self.blocked_sources.clone()
    }

    fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        let rows = self.rows.iter().filter(|row| row.addr == Some(addr)).map(|row| row.id);
        let there = self.there.iter().filter(|(at, _)| *at == addr).map(|(_, id)| *id);
        let all: Vec<Recipient> = rows.chain(there).collect();
        if all.is_empty() { vec![addr.into()] } else { all }
    }

    fn pin_of(&self, id: Recipient) -> Option<Pin> {
        self.pins.iter().find(|pin| Recipient::key(pin.key) == id).cloned()
    }

    fn pins_named(&self, word: &str) -> Vec<Pin> {
        let fits = |pin: &&Pin| {
            let is_called = |name: &PeerName| name.as_str().eq_ignore_ascii_case(word);
            pin.name.as_ref().is_some_and(is_called)
                || (word.len() >= 4 && pin.key.to_string().starts_with(word))
        };
        self.pins.iter().filter(fits).cloned().collect()
    }

    fn requests(&self) -> Vec<PeerRequest> {
        self.requests.clone()
    }

    fn requests_for(&self, word: &str) -> Vec<PeerRequest> {
        let is_called = |name: &Option<PeerName>| {
            name.as_ref().is_some_and(|name| name.as_str().eq_ignore_ascii_case(word))
        };
        let fits = |request: &&PeerRequest| {
            is_called(&request.met.name)
                || is_at(&request.met, word)
                || request.against.iter().any(|pin| is_called(&pin.name))
                || (word.len() >= 4
                    && request.met.id.key().is_some_and(|key| key.to_string().starts_with(word)))
        };
        self.requests.iter().filter(fits).cloned().collect()
    }

    fn refused_for(&self, word: &str) -> Vec<Meeting> {
        let fits = |met: &&Meeting| {
            let is_called = |name: &PeerName| name.as_str().eq_ignore_ascii_case(word);
            met.name.as_ref().is_some_and(is_called) || is_at(met, word)
        };
        self.refused.iter().filter(fits).cloned().collect()
    }

    fn discovered(&self) -> Vec<PeerInfo> {
        self.discovered.clone()
    }

    fn introductions(&self) -> Vec<IntroducedPeer> {
        self.introductions.clone()
    }

    fn queued(&self, id: Recipient) -> usize {
        self.queued.iter().filter(|to| **to == id).count()
    }

    fn code_with(&self, key: PublicKey) -> String {
        format!("{:05}", key.as_bytes()[0]).repeat(6)
    }
}

/// Whether a word is the address of a legacy peer.
fn is_at(met: &Meeting, word: &str) -> bool {
    met.id.legacy_addr().is_some_and(|addr| addr.to_string() == word)
}

/// Three contacts, one of them offline, and two strangers with one name.
pub(in crate::tui) fn people() -> People {
    let contact = |row| Row { contact: true, ..row };
    let rows = vec![
        contact(row(1, "Bob", 5001, PresenceStatus::Connected)),
        contact(row(2, "Carol", 5002, PresenceStatus::Online)),
        row(4, "Dan", 5004, PresenceStatus::Online),
        row(5, "Dan", 5005, PresenceStatus::Unreachable),
        contact(row(6, "Carla", 5006, PresenceStatus::Offline)),
    ];
    People { rows, ..People::default() }.met()
}

/// The act of sending to the peer at this port.
fn send(port: u16, text: &str) -> Option<Act> {
    let label = people().labels.label(id(port), None);
    Some(Act::Send(Chosen { target: to(port), label }, text.into()))
}

/// The act of a command of its own.
fn own(line: &str) -> Act {
    let (word, rest) = first_word(line);
    Act::Own(named(word).expect("a command"), rest.to_owned())
}

fn core(command: Command) -> Option<Act> {
    Some(Act::Core(command))
}

fn bob() -> Chosen {
    Chosen { target: to(5001), label: "Bob".into() }
}

fn carol() -> Chosen {
    Chosen { target: to(5002), label: "Carol".into() }
}

fn menu() -> Menu {
    Menu::new(true)
}

fn id(port: u16) -> Recipient {
    addr(port).into()
}

fn to(port: u16) -> Target {
    Target::These(vec![id(port)])
}

/// Returns the last act of these lines, all sentences, and whether the last line was refused.
fn after(menu: &mut Menu, lines: &[&str]) -> (Option<Act>, String, bool) {
    after_with(menu, lines, &people())
}

fn after_with(menu: &mut Menu, lines: &[&str], people: &People) -> (Option<Act>, String, bool) {
    let mut said = Vec::new();
    let mut last = Turn::default();
    for line in lines {
        last = menu.line(line, people);
        said.extend(last.say.clone());
    }
    (last.act, said.join("\n"), last.refused)
}

fn act_of(lines: &[&str]) -> Option<Act> {
    after(&mut menu(), lines).0
}

#[test]
fn recipient_is_number_name_address_or_all() {
    for (whom, port) in [
        ("2", 5002),
        ("bo", 5001),
        ("CAROL", 5002),
        ("caro", 5002),
        ("carl", 5006),
        (" 127.0.0.1:7000 ", 7000),
    ] {
        assert_eq!(act_of(&["1", whom, "hi"]), send(port, "hi"), "{whom}");
    }
    assert_eq!(act_of(&["1", "dan", "hi"]), send(5004, "hi"));
    assert_eq!(act_of(&["1", "Dan·5005", "hi"]), send(5005, "hi"));
    assert_eq!(act_of(&["1", "ALL", "hi"]), Some(Act::Send(Chosen::all(), "hi".into())));
    assert_eq!(act_of(&["1", "127.0.0.1", "7000", "hi"]), send(7000, "hi"));
}

#[test]
fn full_width_digits_are_numbers() {
    assert_eq!(act_of(&["１", "１", "２"]), send(5001, "２"), "a message stays as it is");
    assert_eq!(act_of(&["２"]), core(Command::List));
    assert_eq!(act_of(&["６", "７"]), Some(Act::Outbox(Outbox::Show)));
}

#[test]
fn enter_takes_the_last_recipient() {
    let mut menu = menu();
    after(&mut menu, &["1", "bob", "one"]);
    let (act, said, _) = after(&mut menu, &["1", "", "two"]);
    assert_eq!(act, send(5001, "two"));
    assert!(said.contains("Enter: Bob."), "{said}");
}

#[test]
fn unknown_recipient_is_asked_for_again() {
    for (whom, words) in [
        (
            "car",
            "\"car\" matches 2 peers. Type a number instead: 2 for Carol (127.0.0.1:5002), 6 for Carla (127.0.0.1:5006).",
        ),
        ("da", "No contact matches \"da\". Did you mean Dan?"),
        ("boob", "No contact matches \"boob\". Did you mean Bob?"),
        ("zoe", "No contact matches \"zoe\". Type"),
        ("9", "No peer has the number 9. /peers shows the list."),
        ("127.0.0.1:5000", "127.0.0.1:5000 is your own address."),
        ("127.0.0.1:x", "the port has to be a number from 1 to 65535"),
        ("", "Type a name, number, ip:port or all."),
    ] {
        let mut menu = menu();
        let (act, said, refused) = after(&mut menu, &["1", whom]);
        assert_eq!((act, refused), (None, true));
        assert!(said.contains(words), "{said}");
        assert_eq!(menu.prompt(), "To: ");
    }
}

#[test]
fn alias_like_a_command_or_recipient_is_refused() {
    for lines in [&["/alias bob /boss"][..], &["/alias bob @boss"], &["6", "6", "bob", "/boss"]] {
        let (act, said, refused) = after(&mut menu(), lines);
        assert_eq!((act, refused), (None, true), "{lines:?}");
        assert!(
            said.ends_with(
                "An alias cannot begin with / or @, which start a command or a recipient. Try boss."
            ),
            "{said}"
        );
    }
}

#[test]
fn quit_leaves_at_every_question() {
    for question in [
        &["1"][..],
        &["1", "127.0.0.1"],
        &["1", "bob"],
        &["@bob"],
        &["hello"],
        &["3"],
        &["4"],
        &["5"],
        &["6"],
        &["6", "1"],
        &["6", "3", "bob"],
        &["6", "4"],
        &["6", "5"],
        &["6", "6", "bob"],
        &["/name"],
        &["/chat bob"],
        &["/forget 127.0.0.1:5004"],
    ] {
        for word in ["/quit", "/exit", "/Q", " /bye "] {
            let mut menu = menu();
            after(&mut menu, question);
            assert_eq!(after(&mut menu, &[word]).0, Some(Act::Exit), "{question:?} {word}");
        }
    }
    // With an argument, it is refused like any wrong command.
    let (act, said, refused) = after(&mut menu(), &["1", "bob", "/quit smoking"]);
    assert_eq!((act, refused), (None, true));
    assert!(said.ends_with("/quit takes nothing after it."), "{said}");
}

#[test]
fn zero_goes_back_to_the_menu() {
    for lines in [
        &["1", "0"][..],
        &["3", "0"],
        &["6", "0"],
        &["6", "4", "0"],
        &["6", "6", "bob", "0"],
        &["4", "0"],
        &["1", "127.0.0.1", "0"],
    ] {
        let mut menu = menu();
        assert_eq!(after(&mut menu, lines).0, None);
        assert!(menu.is_at_choice());
    }
}

#[test]
fn invalid_choice_is_explained_and_asked_again() {
    let (act, said, _) = after(&mut menu(), &["9"]);
    assert_eq!(act, None);
    assert_eq!(said, format!("\"9\" is not in the menu.\n{}", MENU.join("\n")));
}

#[test]
fn text_at_the_menu_asks_for_its_recipient() {
    let (act, said, _) = after(&mut menu(), &["hello Bob"]);
    assert_eq!((act, &*said), (None, "To whom? Number, name, ip:port or all. 0: back."));
    assert_eq!(act_of(&["hello Bob", "bob"]), send(5001, "hello Bob"));
    assert_eq!(act_of(&["hello Bob", "nobody", "bob"]), send(5001, "hello Bob"));
    assert_eq!(act_of(&["hello Bob", "bob hello Bob"]), send(5001, "hello Bob"), "not twice");
    assert_eq!(act_of(&["hello Bob", "bob something else", "bob"]), send(5001, "hello Bob"));
    assert_eq!(act_of(&["1", "bob see you"]), send(5001, "see you"));
    assert_eq!(act_of(&["1", "nobody see you"]), None);
    let mut menu = menu();
    assert_eq!(after(&mut menu, &["hello Bob", "0"]).0, None);
    assert!(menu.is_at_choice());
    assert!(after(&mut menu, &["quit"]).1.contains("To run the command, type 0 and then /quit."));
}

#[test]
fn refused_line_of_a_script_takes_no_answer() {
    for (lines, sentence) in [
        (&["hello Bob"][..], "Not sent: a message needs a recipient, like @bob hello."),
        (&["/me waves"], "Not sent: a message needs a recipient, like @bob hello."),
        (&["quit"], "Not sent: a message needs a recipient. Did you mean /quit?"),
        (&["1", "zoe"], "No contact matches \"zoe\"."),
        (&["1", "127.0.0.1", "x"], "\"x\" is not a port. Type a number from 1 to 65535."),
        (&["1", "/contacts"], "/contacts does not answer the question, so nothing was done."),
        (&["3", "zoe"], "No contact matches \"zoe\"."),
        (&["6", "9"], "\"9\" is not a number from 0 to 8."),
        (&["6", "5", "all"], "Type one peer, not all."),
        (&["6", "6", "bob", "/boss"], "An alias cannot begin with / or @"),
        (&["/name", "two words"], "Try two_words."),
        (&["/forget 127.0.0.1:5004", "perhaps"], "Expected yes or no. Nothing changed."),
        (&["@bo secret"], "No contact matches \"bo\". Did you mean Bob?"),
        (&["1", "bob", " "], "An empty message is not sent."),
    ] {
        let mut script = Menu::new(false);
        let (act, said, refused) = after(&mut script, lines);
        assert_eq!((act, refused), (None, true), "{lines:?}");
        assert!(said.contains(sentence), "{said}");
        assert!(script.is_at_choice(), "{lines:?}");
        assert_eq!(after(&mut script, &["2"]).0, core(Command::List), "{lines:?}");
    }
}

#[test]
fn too_long_line_ends_a_scripts_question() {
    for (mut menu, prompt) in [(Menu::new(false), "Choice [0-6]: "), (menu(), "Message to Bob: ")] {
        after(&mut menu, &["1", "bob"]);
        menu.give_up_question();
        assert_eq!(menu.prompt(), prompt);
    }
}

#[test]
fn pasted_block_is_never_a_command() {
    for block in ["0\n1\n2", "/quit\n/quit", "hello\nworld"] {
        let mut menu = menu();
        assert_eq!(after(&mut menu, &[block]).0, None);
        assert_eq!(after(&mut menu, &["bob"]).0, send(5001, block));
    }
    assert_eq!(act_of(&["@bob one\n0\n"]), send(5001, "one\n0"));
}

#[test]
fn meaning_of_enter_is_stable_during_a_question() {
    let mut menu = menu();
    after(&mut menu, &["1", "carol", "one"]);
    after(&mut menu, &["1"]);
    menu.last = Some(bob());
    assert_eq!(after(&mut menu, &["", "two"]).0, send(5002, "two"));
}

#[test]
fn escape_goes_back_to_the_menu() {
    let mut menu = menu();
    for question in [&["1", "bob"][..], &["1"], &["hello"], &["6"], &["/name"]] {
        after(&mut menu, question);
        assert!(!menu.is_at_choice(), "{question:?}");
        assert_eq!(menu.escape(), None);
        assert!(menu.is_at_choice(), "{question:?}");
    }
    assert_eq!(menu.escape(), None);
}

#[test]
fn only_texts_and_commands_are_remembered() {
    let mut menu = menu();
    for (lines, line, expected) in [
        (&[][..], "hello", true),
        (&[], "/peers", true),
        (&[], "12", false),
        (&["1"], "bob", false),
        (&["bob"], "12", true),
        (&["0", "/chat bob"], "12", true),
        (&["/name"], "Zoe", false),
    ] {
        after(&mut menu, lines);
        assert_eq!(menu.remembers(line), expected, "{lines:?} {line}");
    }
}

#[test]
fn at_sends_to_an_exact_name() {
    for (line, port) in [
        ("@bob see you at 5", 5001),
        ("@Bob: see you at 5", 5001),
        ("@BOB, see you at 5", 5001),
        ("  @1 see you at 5 ", 5001),
        ("@127.0.0.1:7000 see you at 5", 7000),
        ("@127.0.0.1:7000: see you at 5", 7000),
        ("@dan·5005 see you at 5", 5005),
        ("@dan:5005: see you at 5", 5005),
    ] {
        assert_eq!(act_of(&[line]), send(port, "see you at 5"), "{line}");
    }
    assert_eq!(act_of(&["@all soup"]), Some(Act::Send(Chosen::all(), "soup".into())));
    let mut menu = menu();
    assert_eq!(after(&mut menu, &["@bob"]).0, None);
    assert_eq!(menu.prompt(), "Message to Bob: ");
}

#[test]
fn msg_and_dm_are_at() {
    for command in ["/msg", "/dm", "/MSG"] {
        for (words, port) in [("bob see you", 5001), ("@bob see you", 5001), ("127.0.0.1:7000 see you", 7000)]
        {
            assert_eq!(act_of(&[&format!("{command} {words}")]), send(port, "see you"), "{command} {words}");
        }
        let to_all = act_of(&[&format!("{command} all soup")]);
        assert_eq!(to_all, Some(Act::Send(Chosen::all(), "soup".into())));
        assert_eq!(act_of(&[&format!("{command} bob one\n0\n")]), send(5001, "one\n0"));
        let mut menu = menu();
        assert_eq!(after(&mut menu, &[&format!("{command} bob")]).0, None);
        assert_eq!(menu.prompt(), "Message to Bob: ");
        let (act, said, refused) = after(&mut self::menu(), &[command]);
        assert_eq!((act, refused), (None, true));
        assert_eq!(said, "Type a recipient and a message, like /msg bob see you at 5.");
    }
}

#[test]
fn at_sends_nothing_for_an_inexact_name() {
    for line in ["@bo secret", "/msg bo secret"] {
        let (act, said, refused) = after(&mut menu(), &[line]);
        assert_eq!((act, refused), (None, true));
        assert_eq!(said, "No contact matches \"bo\". Did you mean Bob?");
    }
    for line in
        ["@zoe secret", "@ secret", "@da secret", "@9 secret", "@127.0.0.1 secret", "@127.0.0.1:5000 x"]
    {
        for mut menu in [menu(), Menu::new(false)] {
            let (act, said, refused) = after(&mut menu, &[line]);
            assert_eq!((act, refused), (None, true), "{said}");
            assert!(!said.contains('\n') && menu.is_at_choice(), "{said}");
        }
    }
    assert_eq!(after(&mut menu(), &["@127.0.0.1 secret"]).1, "Type the port too, like @127.0.0.1:5000.");
}

#[test]
fn error_never_changes_the_next_line() {
    for error in ["@al hi", "/pers", "/char alice", "/mute all", "/outbox again x", "9", "/xyzzy now"] {
        for next in ["/contacts", "2", "@bob hello"] {
            let mut menu = menu();
            let (act, _, refused) = after(&mut menu, &[error]);
            assert_eq!((act, refused), (None, true), "{error}");
            assert_eq!(after(&mut menu, &[next]).0, act_of(&[next]), "{error}, {next}");
        }
    }
}

#[test]
fn in_a_conversation_every_line_goes_there() {
    let mut menu = menu();
    after(&mut menu, &["/chat bob"]);
    assert_eq!(menu.prompt(), "to Bob> ");
    for (line, text) in [
        ("hello", "hello"),
        ("1", "1"),
        ("0", "0"),
        ("//etc/hosts", "/etc/hosts"),
        ("@@home", "@home"),
        ("/me waves", "/me waves"),
        ("a\nb", "a\nb"),
    ] {
        assert_eq!(after(&mut menu, &[line]).0, send(5001, text), "{line}");
        assert_eq!(menu.prompt(), "to Bob> ");
    }
    assert_eq!(after(&mut menu, &["@carol psst"]).0, send(5002, "psst"));
    assert_eq!(after(&mut menu, &["/peers"]).0, core(Command::List));
    assert_eq!(after(&mut menu, &[""]).0, None);
    after(&mut menu, &["/chat carol"]);
    assert_eq!(menu.prompt(), "to Carol> ");
    after(&mut menu, &["/back"]);
    assert_eq!(menu.prompt(), "Choice [0-6]: ");
}

#[test]
fn a_blank_me_says_nothing_to_anybody() {
    let mut talking = menu();
    after(&mut talking, &["/chat bob"]);
    for menu in [&mut talking, &mut menu()] {
        for line in ["/me", "/me ", "/me    "] {
            let (act, said, refused) = after(menu, &[line]);
            assert_eq!((act, refused), (None, true), "`{line}`: {said}");
        }
    }
}

#[test]
fn escape_ends_a_conversation_if_nothing_is_asked() {
    let mut menu = menu();
    after(&mut menu, &["/chat bob", "/name"]);
    assert_eq!(menu.escape(), None);
    assert_eq!(menu.prompt(), "to Bob> ");
    assert!(menu.escape().is_some());
    assert_eq!(menu.prompt(), "Choice [0-6]: ");
}

#[test]
fn reply_goes_to_the_sender_when_begun() {
    let mut menu = menu();
    assert_eq!(after(&mut menu, &["/reply"]).1, "There is no message to answer yet.");
    menu.heard(bob());
    assert_eq!(after(&mut menu, &["/reply fine"]).0, send(5001, "fine"));
    menu.begins_line();
    menu.heard(carol());
    assert_eq!(after(&mut menu, &["/r fine"]).0, send(5001, "fine"));
    assert_eq!(after(&mut menu, &["/reply fine"]).0, send(5002, "fine"));
    after(&mut menu, &["6", "2"]);
    assert_eq!(menu.prompt(), "Message to Carol: ");
    menu.escape();
    // A line that Up brings back begins again.
    menu.begins_line();
    after(&mut menu, &["/repl fine"]);
    menu.heard(bob());
    menu.begins_line();
    assert_eq!(after(&mut menu, &["/reply fine"]).0, send(5001, "fine"));
    let mut early = Menu::new(true);
    early.begins_line();
    early.heard(bob());
    assert_eq!(after(&mut early, &["/reply hello"]).0, None);
}

#[test]
fn unknown_command_gets_a_suggestion() {
    for (line, sentence) in [
        ("/pers", "There is no command /pers. Did you mean /peers?"),
        ("/help cat", "There is no command /cat. Did you mean /chat?"),
        ("/help xyzzy", "There is no command /xyzzy. /help lists all commands."),
        (
            "/xyzzy now",
            "There is no command /xyzzy. /help lists all commands; to send the line as a message, begin it with //.",
        ),
        ("/quit now", "/quit takes nothing after it."),
    ] {
        assert_eq!(after(&mut menu(), &[line]), (None, sentence.into(), true));
    }
}

#[test]
fn commands_match_the_menu() {
    let addr = id(5001);
    let bob_label = || "Bob".to_owned();
    let boss = || Some("Boss".parse().unwrap());
    for (command, menu, act) in [
        (&["/peers"][..], &["2"][..], Act::Core(Command::List)),
        (&["/connect bob"], &["3", "bob"], Act::Core(Command::Connect(to(5001)))),
        (&["/connect all"], &["3", ""], Act::Core(Command::Connect(Target::All))),
        (&["/connect 127.0.0.1:7000"], &["3", "127.0.0.1:7000"], Act::Core(Command::Connect(to(7000)))),
        (&["/disconnect bob"], &["4", "1"], Act::Core(Command::Disconnect(to(5001)))),
        (&["/disconnect all"], &["4", "all"], Act::Core(Command::Disconnect(Target::All))),
        (&["/history"], &["5", ""], Act::History(HistoryOf::All, None)),
        (&["/history bob"], &["5", "bob"], Act::History(HistoryOf::One(bob()), None)),
        (&["/name Zoe"], &["6", "4", "Zoe"], Act::Rename("Zoe".parse().unwrap())),
        (&["/alias bob Boss"], &["6", "6", "bob", "Boss"], Act::Alias(addr, bob_label(), boss())),
        (&["/alias bob -"], &["6", "6", "bob", ""], Act::Alias(addr, bob_label(), None)),
        (&["/history nora"], &["5", "nora"], Act::History(HistoryOf::Named("nora".into()), None)),
        (&["/outbox"], &["6", "7"], Act::Outbox(Outbox::Show)),
        (&["/quit"], &["0"], Act::Exit),
    ] {
        assert_eq!(act_of(command), Some(act.clone()), "{command:?}");
        assert_eq!(act_of(menu), Some(act), "{menu:?}");
    }
    let words = |words: &str| Some(words.to_owned());
    for (line, of, text) in [
        ("/history bob lunch at noon", HistoryOf::One(bob()), words("lunch at noon")),
        ("/history all lunch", HistoryOf::All, words("lunch")),
        ("/history lunch noon", HistoryOf::Named("lunch".into()), words("noon")),
    ] {
        assert_eq!(act_of(&[line]), Some(Act::History(of, text)), "{line}");
    }
    assert_eq!(act_of(&["/outbox cancel 2"]), Some(Act::Outbox(Outbox::Cancel(Some(2)))));
    assert_eq!(act_of(&["/outbox again all"]), Some(Act::Outbox(Outbox::Again(None))));
    for wrong in ["/outbox cancel", "/outbox again x", "/outbox 2", "/outbox cancel -1"] {
        let (act, said, refused) = after(&mut menu(), &[wrong]);
        assert_eq!((act, refused), (None, true), "{wrong}");
        assert!(said.contains("like /outbox cancel 2."), "{said}");
    }
    assert_eq!(act_of(&["/mute bob"]), core(Command::SetMuted(addr, true)));
    assert_eq!(act_of(&["/unmute bob"]), core(Command::SetMuted(addr, false)));
    assert_eq!(act_of(&["6", "5", "bob"]), Some(Act::ToggleMute(addr)));
    assert_eq!(act_of(&["/mute"]), Some(own("/mute")));
    assert_eq!(act_of(&["/alias"]), Some(own("/alias")));
    assert_eq!(act_of(&["/me waves", "bob"]), send(5001, "/me waves"));
    let mut me = menu();
    after(&mut me, &["6", "3", "bob"]);
    assert_eq!(me.prompt(), "Message to Bob: /me ");
    assert_eq!(after(&mut me, &["waves"]).0, send(5001, "/me waves"));
    for lines in [&["/help"][..], &["6", "8"]] {
        assert!(after(&mut menu(), lines).1.contains("@WHOM MESSAGE"));
    }
    assert!(after(&mut menu(), &["/help chat"]).1.starts_with("/chat [WHOM]: start a conversation"));
    let mut chat = menu();
    after(&mut chat, &["6", "1", "bob"]);
    assert_eq!(chat.prompt(), "to Bob> ");
}

#[test]
fn command_for_one_peer_takes_exactly_one() {
    for line in [
        "/mute all",
        "/mute bob carol",
        "/unmute",
        "/unmute 127.0.0.1",
        "/alias bob not one word",
        "/alias zoe Z",
    ] {
        let (act, said, refused) = after(&mut menu(), &[line]);
        assert_eq!((act, refused), (None, true), "{line}: {said}");
    }
}

#[test]
fn command_at_question_is_carried_out() {
    for question in [&["1"][..], &["6"], &["/name"], &["1", "bob"], &["3"], &["hello"]] {
        let mut menu = menu();
        after(&mut menu, question);
        assert_eq!(after(&mut menu, &["/contacts"]).0, Some(own("/contacts")), "{question:?}");
        assert!(menu.is_at_choice());
        after(&mut menu, question);
        let is_message = question == ["1", "bob"];
        let expected = if is_message { "@bob hi" } else { "hi" };
        assert_eq!(after(&mut menu, &["@bob hi"]).0, send(5001, expected), "{question:?}");
    }
    for (typed, sent) in [("/me waves", "/me waves"), ("//block", "/block"), ("/etc/hosts", "/etc/hosts")] {
        assert_eq!(act_of(&["1", "bob", typed]), send(5001, sent));
    }
}

#[test]
fn message_to_all_sets_no_default() {
    let mut menu = menu();
    after(&mut menu, &["@bob hello"]);
    after(&mut menu, &["@all hello"]);
    assert_eq!(after(&mut menu, &["1", "", "again"]).0, send(5001, "again"));
}

#[test]
fn commands_for_one_peer_do_not_advise_all() {
    for line in ["/alias boss X", "/mute boss", "/unmute boss"] {
        let said = after(&mut menu(), &[line]).1;
        assert_eq!(said, "No contact matches \"boss\". Type a name, number or ip:port.");
    }
    let said = after(&mut menu(), &["/contacts bob"]).1;
    assert_eq!(said, "/contacts takes nothing after it.");
}
