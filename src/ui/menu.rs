//! The numbered menu: a line goes in, the next prompt, a sentence or something to do comes out. Pure.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use super::people::{Chosen, Directory, Named, everybody, find, shown};
use crate::chat::Target;
use crate::peer::parse_port;

/// The menu as it is shown.
pub(super) const MENU: [&str; 5] =
    ["1  Send a message", "2  Show peers", "3  Connect", "4  Disconnect", "0  Exit"];

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Send this text.
    Send(Target, String),
    /// Verify and show the peers.
    List,
    /// Ask to be listed.
    Connect(Target),
    /// Say goodbye.
    Disconnect(Target),
    /// Leave.
    Exit,
}

/// What comes of a line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Turn {
    /// What to tell the user first.
    pub say: Vec<String>,
    /// What to do then.
    pub act: Option<Act>,
    /// What to put into the line for the user to correct: what they typed is not lost.
    pub refill: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Send,
    Connect,
    Disconnect,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Asking {
    #[default]
    Choice,
    /// With whom Enter alone means, as the question said.
    Whom(Deed, Option<Chosen>),
    Port(Deed, Ipv4Addr),
    Text(Chosen),
}

/// Where the user is in the menu, and what they need not type again.
#[derive(Clone, Debug, Default)]
pub struct Menu {
    asking: Asking,
    last: Option<Chosen>,
    kept: VecDeque<Kept>,
}

/// A text that was not sent; one that was typed at the menu was meant for nobody in particular yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Kept {
    to: Option<Target>,
    text: String,
}

/// Texts that are kept at most. Whoever has more than that lying about has forgotten the oldest.
const MAX_KEPT: usize = 16;

impl Menu {
    /// A menu at its beginning.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines of the menu itself.
    pub fn lines() -> Vec<String> {
        MENU.map(str::to_owned).to_vec()
    }

    /// What to ask now.
    pub fn prompt(&self) -> String {
        match &self.asking {
            Asking::Choice => "Choice [0-4]: ".into(),
            Asking::Whom(Deed::Send, _) => "To: ".into(),
            Asking::Whom(Deed::Connect, _) => "Connect to: ".into(),
            Asking::Whom(Deed::Disconnect, _) => "Disconnect from: ".into(),
            Asking::Port(_, ip) => format!("Port of {ip}: "),
            Asking::Text(to) => format!("Text to {}: ", to.label),
        }
    }

    /// What can be answered to the prompt, where that needs saying.
    fn hint(&self) -> Option<String> {
        let names = "Number, name, ip:port";
        Some(match &self.asking {
            Asking::Whom(Deed::Send, last) => match last {
                Some(last) => format!("To whom? {names} or all. Enter: {}. 0: back.", last.label),
                None => format!("To whom? {names} or all. 0: back."),
            },
            Asking::Whom(Deed::Connect, _) => format!("Connect to whom? {names}. Enter: all known. 0: back."),
            Asking::Whom(Deed::Disconnect, _) => format!("Disconnect from whom? {names} or all. 0: back."),
            Asking::Text(to) => {
                let kept = self.kept.get(self.kept_for(to)?)?;
                format!("Enter alone sends the kept text: {}", shown(&kept.text))
            }
            Asking::Choice | Asking::Port(..) => return None,
        })
    }

    /// Whether the menu itself is asking.
    pub fn is_at_choice(&self) -> bool {
        self.asking == Asking::Choice
    }

    /// Keeps a text that was not sent, for the user to send with two strokes of Enter; returns what to say of that.
    pub fn keep(&mut self, to: Target, label: String, text: String) -> Vec<String> {
        self.last = Some(Chosen { target: to.clone(), label });
        let mut say = vec!["The text is kept: choose 1 and press Enter twice to send it again.".to_owned()];
        say.extend(self.keep_for(Some(to), text));
        say
    }

    /// Gives up what is being asked, and keeps what was typed if it was a text; returns what to say of that.
    pub fn escape(&mut self, typed: String) -> Vec<String> {
        match std::mem::take(&mut self.asking) {
            Asking::Text(to) if !typed.trim().is_empty() => self.keep(to.target, to.label, typed),
            _ => Vec::new(),
        }
    }

    /// Asks for the text to the last recipient again, for what was typed has to be changed.
    pub fn ask_text_again(&mut self) {
        if let Some(last) = self.last.clone() {
            self.asking = Asking::Text(last);
        }
    }

    /// Keeps a text; if there are too many, the oldest goes, and that is said.
    fn keep_for(&mut self, to: Option<Target>, text: String) -> Option<String> {
        self.kept.push_back(Kept { to, text });
        let dropped = if self.kept.len() > MAX_KEPT { self.kept.pop_front() } else { None };
        dropped.map(|oldest| {
            format!("More than {MAX_KEPT} texts are kept, so the oldest is dropped: {}", oldest.text)
        })
    }

    /// The newest kept text that was meant for these, or for nobody in particular.
    fn kept_for(&self, to: &Chosen) -> Option<usize> {
        self.kept.iter().rposition(|kept| kept.to.as_ref().is_none_or(|target| *target == to.target))
    }

    /// Takes a line that the user finished.
    pub fn line(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        match std::mem::take(&mut self.asking) {
            Asking::Choice => self.choice(line.trim()),
            Asking::Whom(deed, last) => self.whom(deed, last, line.trim(), directory),
            Asking::Port(deed, ip) => self.port(deed, ip, line.trim(), directory),
            Asking::Text(to) => self.text(to, line),
        }
    }

    fn choice(&mut self, line: &str) -> Turn {
        match line {
            "1" => self.ask(Asking::Whom(Deed::Send, self.last.clone())),
            "2" => act(Act::List),
            "3" => self.ask(Asking::Whom(Deed::Connect, None)),
            "4" => self.ask(Asking::Whom(Deed::Disconnect, None)),
            "0" => act(Act::Exit),
            "" => Turn { say: Self::lines(), ..Turn::default() },
            other => {
                let mut say = vec![format!("`{}` is no choice; type a number from the menu.", shown(other))];
                if other.chars().count() > 2 && other.contains(|c: char| !c.is_ascii_digit()) {
                    // Somebody began to talk.
                    say.push("The text is kept: choose 1 to send it.".into());
                    say.extend(self.keep_for(None, other.to_owned()));
                }
                say.extend(Self::lines());
                Turn { say, ..Turn::default() }
            }
        }
    }

    fn ask(&mut self, asking: Asking) -> Turn {
        self.asking = asking;
        Turn { say: self.hint().into_iter().collect(), ..Turn::default() }
    }

    fn whom(&mut self, deed: Deed, last: Option<Chosen>, line: &str, directory: &dyn Directory) -> Turn {
        if line == "0" {
            return Turn::default();
        }
        let named = match (line, deed, &last) {
            ("", Deed::Send, Some(last)) => Ok(Named::Chosen(last.clone())),
            ("", Deed::Connect, _) => Ok(everybody()),
            ("", ..) => {
                Err("Nobody was named; give a number, a name, an ip:port or `all`, or 0 to go back.".into())
            }
            _ => find(line, directory),
        };
        match named {
            Ok(Named::Chosen(chosen)) => self.chosen(deed, chosen),
            Ok(Named::NeedsPort(ip)) => self.ask(Asking::Port(deed, ip)),
            Err(sentence) => {
                self.asking = Asking::Whom(deed, last);
                again(sentence, line)
            }
        }
    }

    fn port(&mut self, deed: Deed, ip: Ipv4Addr, line: &str, directory: &dyn Directory) -> Turn {
        if line == "0" {
            return Turn::default();
        }
        let found = parse_port(line)
            .map_err(|_| {
                format!("`{}` is no port; give a number from 1 to 65535, or 0 to go back.", shown(line))
            })
            .and_then(|port| find(&format!("{ip}:{port}"), directory));
        match found {
            Ok(Named::Chosen(chosen)) => self.chosen(deed, chosen),
            Ok(Named::NeedsPort(_)) => Turn::default(),
            Err(sentence) => {
                self.asking = Asking::Port(deed, ip);
                again(sentence, line)
            }
        }
    }

    fn chosen(&mut self, deed: Deed, chosen: Chosen) -> Turn {
        match deed {
            Deed::Send => {
                self.last = Some(chosen.clone());
                self.ask(Asking::Text(chosen))
            }
            Deed::Connect => act(Act::Connect(chosen.target)),
            Deed::Disconnect => act(Act::Disconnect(chosen.target)),
        }
    }

    fn text(&mut self, to: Chosen, line: &str) -> Turn {
        if !line.trim().is_empty() {
            return act(Act::Send(to.target, line.to_owned()));
        }
        match self.kept_for(&to).and_then(|at| self.kept.remove(at)) {
            Some(kept) => act(Act::Send(to.target, kept.text)),
            None => {
                let sentence = "There is no text to send; choose 1 again and type at least one character.";
                Turn { say: vec![sentence.into()], ..Turn::default() }
            }
        }
    }
}

fn act(act: Act) -> Turn {
    Turn { act: Some(act), ..Turn::default() }
}

/// Asks the same again, with what was typed to be corrected.
fn again(sentence: String, line: &str) -> Turn {
    Turn { say: vec![sentence], act: None, refill: Some(line.to_owned()) }
}

#[cfg(test)]
mod tests {
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
            (
                "dan",
                "`dan` fits 2 peers; give a number: 4 for Dan (127.0.0.1:5004), 5 for Dan (127.0.0.1:5005).",
            ),
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
}
