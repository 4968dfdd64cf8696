//! Dave leaves, and another peer gets his address. Carol's messages for Dave reach only Dave: from
//! every command, with any newcomer, and at any moment.

use crate::legacy::{Legacy, Program};
use crate::support::{Meddler, Peer, SOON, SecurePeer, Terminal, nobody};

use super::*;

/// The message for Dave.
const SECRET: &str = "for Dave alone";

const TAB: &[u8] = b"\t";

/// Carol, who knows Dave and Bob by their keys and has written to both.
struct Takeover<C> {
    carol: C,
    dave: Person,
    bob: Person,
    running: [Option<Peer>; 2],
    /// How many lines Carol had printed before the message.
    mark: usize,
}

/// Dave or Bob.
#[derive(Clone, Copy)]
enum PeerInfo {
    Dave,
    Bob,
}

impl Takeover<Peer> {
    /// Carol on a pipe.
    fn new() -> Self {
        Self::of(|_| Peer::named("Carol").start())
    }
}

impl Takeover<Terminal> {
    /// Carol on a terminal.
    fn on_terminal() -> Self {
        Self::of(|_| Terminal::start(Peer::named("Carol"), 50, 120))
    }
}

impl<C: Sender> Takeover<C> {
    /// Carol is started by `start`, which sees Dave.
    fn of(start: impl FnOnce(&Peer) -> C) -> Self {
        let (dave, bob) = (Person::named("Dave"), Person::named("Bob"));
        let (dave_runs, bob_runs) = (dave.starts(), bob.starts());
        let mut carol = start(&dave_runs);
        befriends(&mut carol, &bob_runs);
        befriends(&mut carol, &dave_runs);
        Self { carol, dave, bob, running: [Some(dave_runs), Some(bob_runs)], mark: 0 }
    }

    fn peer(&mut self, who: PeerInfo) -> &mut Peer {
        self.running[who as usize].as_mut().expect("it runs")
    }

    /// Carol types these lines, the last of which is the message for Dave.
    fn sends(&mut self, lines: &[&str]) {
        self.mark = self.carol.mark();
        for line in lines {
            self.carol.enters(line);
        }
    }

    /// Dave's machine loses its address at once.
    fn dave_is_cut_off(&mut self) {
        self.running[PeerInfo::Dave as usize].take().expect("it runs").crashes();
    }

    /// Dave says goodbye and ends his program.
    fn dave_leaves(&mut self) {
        let mut dave = self.running[PeerInfo::Dave as usize].take().expect("it runs");
        dave.leaves();
    }

    /// Bob comes back at Dave's address and dials Carol, who writes to him there.
    fn bob_takes_over(&mut self) {
        self.running[PeerInfo::Bob as usize].take().expect("it runs").crashes();
        let bob = self.bob.comes_to(self.dave.home, self.carol.addr());
        // He may be shown before Carol's hello, and after it.
        bob.has_seen("* Carol");
        self.carol.enters("@bob welcome");
        reaches_only(&self.carol, "welcome", &bob, &[]);
        self.running[PeerInfo::Bob as usize] = Some(bob);
    }

    /// Bob comes back at Dave's address and writes to Carol, who is typing.
    fn bob_takes_over_meanwhile(&mut self) {
        self.running[PeerInfo::Bob as usize].take().expect("it runs").crashes();
        let mut bob = self.bob.comes_to(self.dave.home, self.carol.addr());
        bob.says(&self.carol.addr().to_string(), "Bob is at another address");
        self.running[PeerInfo::Bob as usize] = Some(bob);
        self.carol.waits(": Bob is at another address");
    }

    /// Dave comes back elsewhere and dials Carol.
    fn dave_returns_elsewhere(&mut self) {
        self.running[PeerInfo::Dave as usize] = Some(self.dave.comes_to(nobody(), self.carol.addr()));
    }

    /// Dave comes back at his old address, which is free again, and dials Carol.
    fn dave_returns_home(&mut self) {
        self.running[PeerInfo::Dave as usize] = Some(self.dave.comes_to(self.dave.home, self.carol.addr()));
    }

    /// Carol tries once more, writes to Bob, and then Dave comes back elsewhere: he gets the
    /// message, and neither Bob nor these others ever do.
    fn stays_with_dave(&mut self, others: &[&dyn Recipient]) {
        self.carol.enters("/outbox again all");
        self.carol.enters("@bob are you well?");
        reaches_only(
            &self.carol,
            "are you well?",
            self.running[PeerInfo::Bob as usize].as_ref().expect("it runs"),
            &[],
        );
        never_got(self.peer(PeerInfo::Bob), SECRET);
        for other in others {
            never_got(*other, SECRET);
        }
        self.carol.says_it_waits(self.mark, "Dave");
        self.dave_returns_elsewhere();
        self.only_dave_gets_it(others);
    }

    /// Dave gets the message. Neither Bob nor these others ever do.
    fn only_dave_gets_it(&mut self, others: &[&dyn Recipient]) {
        let dave = self.running[PeerInfo::Dave as usize].as_ref().expect("it runs");
        let bob = self.running[PeerInfo::Bob as usize].as_ref().expect("it runs");
        let others: Vec<&dyn Recipient> = others.iter().copied().chain([bob as &dyn Recipient]).collect();
        reaches_only(&self.carol, SECRET, dave, &others);
        // What Carol writes to Bob after that reaches him, and is all that he gets.
        self.carol.enters("@bob for Bob alone");
        let [Some(dave), Some(bob)] = &self.running else { panic!("both run") };
        reaches_only(&self.carol, "for Bob alone", bob, &[dave]);
        for other in others {
            never_got(other, SECRET);
        }
    }
}

#[test]
fn named_message_waits_while_contact_has_the_address() {
    let mut scene = Takeover::new();
    scene.dave_is_cut_off();
    scene.bob_takes_over();
    scene.sends(&[&format!("@dave {SECRET}")]);
    scene.stays_with_dave(&[]);
}

#[test]
fn open_conversation_stays_with_its_person() {
    let mut scene = Takeover::on_terminal();
    scene.carol.enters("/chat dave");
    scene.carol.waits_for("to Dave");
    scene.dave_is_cut_off();
    scene.bob_takes_over();
    scene.carol.enters(SECRET);
    scene.stays_with_dave(&[]);
    // The conversation goes on, under the same prompt.
    scene.carol.enters("a second one for Dave alone");
    let [Some(dave), Some(bob)] = &scene.running else { panic!("both run") };
    reaches_only(&scene.carol, "a second one for Dave alone", dave, &[bob]);
    scene.carol.shows("a prompt for Dave", |screen| {
        crate::support::rows(screen)
            .iter()
            .rfind(|row| !row.is_empty())
            .is_some_and(|row| row.contains("to Dave"))
    });
}

#[test]
fn begun_reply_goes_to_whom_it_answers() {
    let mut scene = Takeover::on_terminal();
    let carol = scene.carol.addr().to_string();
    scene.peer(PeerInfo::Dave).says(&carol, "a question");
    scene.carol.waits_for(": a question");
    // Between typing and Enter.
    scene.carol.keys(&format!("/reply {SECRET}"));
    scene.carol.waits_for(&format!("/reply {SECRET}"));
    scene.dave_leaves();
    scene.bob_takes_over_meanwhile();
    scene.carol.enters("");
    scene.stays_with_dave(&[]);
}

#[test]
fn name_chosen_in_the_menu_stays_meant() {
    let mut scene = Takeover::new();
    scene.carol.passes_all();
    scene.carol.types(&["1", "dave"]);
    scene.carol.sees("to Dave");
    // Between the choice and the text.
    scene.dave_is_cut_off();
    scene.bob_takes_over_meanwhile();
    scene.sends(&[SECRET]);
    scene.stays_with_dave(&[]);
}

#[test]
fn row_number_means_its_person_after_a_takeover() {
    let mut scene = Takeover::new();
    let number = row_number(&rows(&mut scene.carol), "Dave");
    scene.dave_is_cut_off();
    scene.bob_takes_over();
    scene.sends(&["1", &number.to_string(), SECRET]);
    scene.stays_with_dave(&[]);
}

#[test]
fn completed_name_means_its_person_after_a_takeover() {
    let mut scene = Takeover::on_terminal();
    scene.carol.keys("@da");
    scene.carol.key(TAB);
    scene.carol.waits_for("@Dave");
    scene.carol.keys(SECRET);
    scene.carol.waits_for(&format!("@Dave {SECRET}"));
    // Between typing and Enter.
    scene.dave_is_cut_off();
    scene.bob_takes_over_meanwhile();
    scene.carol.enters("");
    scene.stays_with_dave(&[]);
}

#[test]
fn last_recipient_is_a_person_after_a_takeover() {
    let mut scene = Takeover::new();
    scene.carol.types(&["1", "dave", "the last one so far"]);
    scene.peer(PeerInfo::Dave).has_seen(": the last one so far");
    scene.dave_is_cut_off();
    scene.bob_takes_over_meanwhile();
    rows(&mut scene.carol);
    scene.sends(&["1", "", SECRET]);
    scene.stays_with_dave(&[]);
}

#[test]
fn queued_message_does_not_go_to_a_contact() {
    let mut scene = Takeover::new();
    scene.dave_is_cut_off();
    scene.sends(&[&format!("@dave {SECRET}")]);
    scene.bob_takes_over();
    scene.stays_with_dave(&[]);
}

#[test]
fn queued_message_does_not_go_to_a_stranger() {
    let mut scene = Takeover::new();
    scene.dave_leaves();
    scene.sends(&[&format!("@dave {SECRET}")]);
    let mallory = SecurePeer::at("Mallory", b'M', scene.dave.home);
    // Whether Carol takes her for a newcomer is another scenario.
    says_as(&mallory, scene.carol.addr(), mallory.hello(), "hello from Mallory");
    scene.carol.types(&["/outbox again all"]);
    mallory.waits("a refused dial", |got| !got.ends.is_empty());
    scene.stays_with_dave(&[&mallory]);
}

#[test]
fn named_message_waits_while_stranger_has_the_address() {
    let mut scene = Takeover::new();
    scene.dave_is_cut_off();
    let mallory = SecurePeer::at("Mallory", b'M', scene.dave.home);
    scene.sends(&[&format!("@dave {SECRET}")]);
    mallory.waits("a refused dial", |got| !got.ends.is_empty());
    never_got(&mallory, SECRET);
    scene.carol.says_it_waits(scene.mark, "Dave");
    // She leaves, and Dave comes back at the same address.
    let got = mallory.got();
    drop(mallory);
    scene.dave_returns_home();
    scene.only_dave_gets_it(&[]);
    assert!(got.met.is_empty(), "Carol showed her key to someone else than Dave: {got:?}");
}

#[test]
fn queued_message_does_not_go_to_legacy_program() {
    let mut scene = Takeover::new();
    scene.dave_leaves();
    scene.sends(&[&format!("@dave {SECRET}")]);
    let knights = Legacy::start_at(Program::CryptoKnights, scene.dave.home).expect("the port is free");
    knights.send(scene.carol.addr(), "hello from a legacy program").expect("Carol listens");
    scene.carol.has_seen(": hello from a legacy program");
    scene.carol.types(&["@dave a second one for Dave"]);
    scene.stays_with_dave(&[&knights]);
    never_got(&knights, "a second one");
}

#[test]
fn open_conversation_does_not_pass_to_legacy() {
    let mut scene = Takeover::new();
    scene.carol.types(&["/chat dave"]);
    scene.carol.has_seen("to Dave>");
    scene.dave_is_cut_off();
    let hashpa = Legacy::start_at(Program::Hashpa, scene.dave.home).expect("the port is free");
    hashpa.send(scene.carol.addr(), "hello from a legacy program").expect("Carol listens");
    scene.carol.has_seen(": hello from a legacy program");
    scene.sends(&[SECRET]);
    scene.carol.types(&["/back"]);
    scene.stays_with_dave(&[&hashpa]);
    never_got(&scene.carol, "to Hashpa>");
}

/// Carol's connection to Dave is accepted, and redirected to another peer before either says hello.
fn is_redirected_before_hello(to: impl FnOnce(&Takeover<Peer>) -> SocketAddrV4) -> Takeover<Peer> {
    let (dave, bob) = (Person::named("Dave"), Person::named("Bob"));
    let (wire, builder) = Meddler::in_the_only_way_to(dave.builder());
    let (dave_runs, bob_runs) = (builder.start(), bob.starts());
    let mut carol = Peer::named("Carol").start();
    befriends(&mut carol, &bob_runs);
    carol.types(&[&format!("@{} hello Dave", wire.addr())]);
    dave_runs.has_seen(": hello Dave");
    carol.has_seen("Delivered to Dave");
    let mut scene = Takeover { carol, dave, bob, running: [Some(dave_runs), Some(bob_runs)], mark: 0 };
    wire.holds();
    scene.dave_is_cut_off();
    let before = wire.opened().len();
    scene.sends(&[&format!("@dave {SECRET}")]);
    wire.waits("a connection for Dave", |wires| wires.iter().filter(|wire| wire.opened).count() > before);
    wire.redirects_to(to(&scene));
    scene
}

#[test]
fn contact_who_answers_before_hello_gets_nothing() {
    let mut scene = is_redirected_before_hello(|scene| scene.bob.home);
    scene.stays_with_dave(&[]);
}

#[test]
fn stranger_who_answers_before_hello_gets_nothing() {
    let mallory = SecurePeer::named("Mallory", b'M');
    let mut scene = is_redirected_before_hello(|_| mallory.addr());
    mallory.waits("a refused dial", |got| !got.ends.is_empty());
    scene.stays_with_dave(&[&mallory]);
    assert!(mallory.got().met.is_empty(), "Carol showed her key to someone else than Dave");
}

#[test]
fn legacy_program_that_answers_gets_only_the_opening() {
    let hashpa = Legacy::start(Program::Hashpa);
    let mut scene = is_redirected_before_hello(|_| hashpa.addr());
    let opening = |raw: &[Vec<u8>]| raw.iter().any(|bytes| bytes == b"P2P-CHAT/1\n");
    assert!(hashpa.wait_raw(opening, SOON), "{:?}", hashpa.received());
    scene.stays_with_dave(&[&hashpa]);
    assert!(
        hashpa.raw().iter().all(|bytes| bytes.is_empty() || bytes == b"P2P-CHAT/1\n"),
        "{:?}",
        hashpa.received()
    );
}

#[test]
fn configured_person_is_not_replaced_by_a_contact() {
    let mut scene = Takeover::of(|dave| {
        Peer::named("Carol").saved_peers(&listed("Dave", dave.addr(), &dave.key())).start()
    });
    scene.dave_is_cut_off();
    scene.bob_takes_over();
    scene.sends(&[&format!("@dave {SECRET}")]);
    scene.stays_with_dave(&[]);
}
