//! The rules as stories: what comes in, what is to be done.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::escape::Text;
use crate::message::{Body, Decoded, Failure, Plain, Unreadable};
use crate::message::{Fault, Outgoing};
use crate::peer::{Claimed, Source};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const LAN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 7);

/// Alice at port 5000 of all addresses, a clock that only the story moves, and what she wants done.
struct Story {
    chat: Chat,
    now: Time,
    under_way: Vec<Transmit>,
    told: Vec<Event>,
}

impl Story {
    fn new() -> Self {
        let me = Me { bind: Ipv4Addr::UNSPECIFIED, port: 5000, advertise: None };
        Self { chat: Chat::new(me), now: Time::default(), under_way: Vec::new(), told: Vec::new() }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(transmit) => self.under_way.push(transmit),
                Action::Tell(event) => self.told.push(event),
            }
        }
    }

    fn with_static(mut self, ports: &[u16]) -> Self {
        let peers = ports.iter().map(|port| StaticPeer { addr: at(*port), name: None, form: Form::Standard });
        let (_, actions) = self.chat.start(peers.collect(), self.now);
        self.perform(actions);
        self
    }

    /// Lets time pass, doing what becomes due.
    fn later(&mut self, by: Duration) {
        let end = self.now.plus(by);
        while let Some(due) = self.chat.next_wake().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let actions = self.chat.tick(self.now);
            self.perform(actions);
        }
        self.now = end;
    }

    fn gets_from(&mut self, source: Ipv4Addr, claimed: Claimed, form: Form, body: Body) -> Answer {
        let name = Some(PeerName::new("Bob"));
        let decoded = vec![Decoded::Message(Plain { claimed, form, name, body })];
        let (answer, actions) =
            self.chat.received(Received { source: Source(source), decoded, cut: false }, self.now);
        self.perform(actions);
        answer
    }

    fn gets(&mut self, port: u16, body: Body) -> Answer {
        self.gets_from(HERE, Claimed { ip: HERE, port }, Form::Standard, body)
    }

    /// What is under way to a port, in order.
    fn dials(&self, port: u16) -> Vec<Outgoing> {
        self.under_way
            .iter()
            .filter(|transmit| transmit.to.port() == port)
            .map(|t| t.message.clone())
            .collect()
    }

    /// Everything under way to this port ends so.
    fn ends(&mut self, port: u16, fate: &Fate) {
        let (of_port, rest) = self.under_way.drain(..).partition(|t| t.to.port() == port);
        self.under_way = rest;
        for Transmit { job, to, .. } in of_port {
            let sent = Sent { job, to, fate: fate.clone(), parts: (1, 1) };
            let actions = self.chat.sent(sent, self.now);
            self.perform(actions);
        }
    }

    fn refused(&mut self, port: u16) {
        self.ends(port, &Fate::Failed(Failure::Refused));
    }

    fn does(&mut self, command: Command) -> OpId {
        let (op, actions) = self.chat.command(command, self.now);
        self.perform(actions);
        op
    }

    fn says(&mut self, to: Target, text: &str) -> OpId {
        self.does(Command::Send { to, parts: [text.to_owned()].into() })
    }

    fn state(&self, port: u16) -> Option<State> {
        self.chat.rows(self.now).iter().find(|row| row.addr.port() == port).map(|row| row.state)
    }

    fn told(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.told)
    }
}

fn at(port: u16) -> PeerAddr {
    PeerAddr::new(HERE, port).unwrap()
}

fn these(port: u16) -> Target {
    Target::These(vec![at(port)])
}

fn text(text: &str) -> Body {
    Body::Text(Text::new(text))
}

fn bob(port: u16) -> Who {
    Who { name: Some(PeerName::new("Bob")), addr: at(port), claimed: None }
}

fn dialled(total: usize, connected: usize) -> Event {
    Event::Dialled { total, connected }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_connect_is_acknowledged_and_an_acknowledgement_is_not() {
    let mut story = Story::new();
    assert_eq!(story.gets(5001, Body::Connect), Answer::Receipt);
    assert!(story.dials(5001).contains(&Outgoing::ConnectAck));
    story.ends(5001, &Fate::Delivered);
    assert_eq!(story.state(5001), Some(State::Connected));
    assert_eq!(story.gets(5001, Body::ConnectAck), Answer::Receipt);
    assert!(!story.dials(5001).contains(&Outgoing::ConnectAck));
}

#[test]
fn however_often_a_peer_connects_it_is_acknowledged_every_two_seconds_and_not_forgotten() {
    let mut story = Story::new();
    for _ in 0..100 {
        story.gets(5001, Body::Connect);
    }
    let acks = |story: &Story| story.dials(5001).iter().filter(|m| **m == Outgoing::ConnectAck).count();
    assert_eq!(acks(&story), 1);
    story.ends(5001, &Fate::Delivered);
    story.later(seconds(2));
    assert_eq!(acks(&story), 1);
    story.ends(5001, &Fate::Delivered);
    story.later(seconds(10));
    assert_eq!(acks(&story), 0);
}

#[test]
fn an_acknowledgement_has_the_form_of_the_asker() {
    let mut story = Story::new();
    story.gets_from(HERE, Claimed { ip: HERE, port: 5001 }, Form::R3, Body::Connect);
    let ack = story.under_way.iter().find(|transmit| transmit.message == Outgoing::ConnectAck).unwrap();
    assert_eq!(ack.form, Form::R3);
}

#[test]
fn a_connect_request_is_answered_on_its_connection_and_remembered_as_smart_cookies() {
    let mut story = Story::new();
    let claimed = Claimed { ip: HERE, port: 5001 };
    assert_eq!(story.gets_from(HERE, claimed, Form::TwoField, Body::ConnectRequest), Answer::Connected);
    story.gets(5001, text("a text in the standard form"));
    story.ends(5001, &Fate::Delivered);
    story.does(Command::Disconnect(these(5001)));
    let goodbye = story.under_way.last().unwrap();
    assert_eq!((goodbye.form, &goodbye.message), (Form::TwoField, &Outgoing::Exit));
}

#[test]
fn a_ping_makes_nobody_known() {
    let mut story = Story::new();
    assert_eq!(story.gets(5000, Body::Ping), Answer::Receipt);
    assert_eq!(story.gets(5001, Body::Ping), Answer::Receipt);
    assert_eq!(story.chat.rows(story.now), []);
    assert_eq!(story.told(), []);
}

#[test]
fn our_own_address_is_never_added_and_whoever_claims_it_is_not_taken() {
    let mut story = Story::new().with_static(&[5000, 5001]);
    assert_eq!(story.state(5000), None);
    assert_eq!(story.gets(5000, Body::Connect), Answer::Nothing);
    assert_eq!(story.gets(5000, text("I am you")), Answer::Nothing);
    assert!(matches!(story.told()[..], [Event::Impostor { .. }]));
    story.chat.learn_own_ip(LAN);
    story.gets_from(LAN, Claimed { ip: LAN, port: 5000 }, Form::Standard, Body::Connect);
    assert_eq!(story.state(5000), None);
    let op = story.says(these(5000), "me");
    let who = Who { name: None, addr: at(5000), claimed: None };
    assert_eq!(story.told(), [Event::NotSent { op, who, why: Unsendable::Ourselves }, Event::Settled(op)]);
}

#[test]
fn a_goodbye_counts_only_from_where_the_peer_is() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.ends(5001, &Fate::Delivered);
    story.gets_from(LAN, Claimed { ip: HERE, port: 5001 }, Form::Standard, Body::Exit);
    assert_eq!(story.state(5001), Some(State::Connected));
    assert_eq!(story.chat.rows(story.now).len(), 1);
    story.told();
    story.gets(5001, Body::Exit);
    assert_eq!(story.state(5001), Some(State::Gone));
    assert_eq!(story.told(), [Event::Went(bob(5001), Why::SaidExit)]);
}

#[test]
fn a_claim_from_elsewhere_is_replaced_by_the_source() {
    let mut story = Story::new();
    for ip in [HERE, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 0, 0, 9)] {
        story.gets_from(LAN, Claimed { ip, port: 5001 }, Form::Standard, Body::Connect);
    }
    let addrs: Vec<PeerAddr> = story.chat.rows(story.now).iter().map(|row| row.addr).collect();
    assert_eq!(addrs, [PeerAddr::new(LAN, 5001).unwrap()]);
    assert!(story.under_way.iter().all(|transmit| transmit.to.ip() == LAN && transmit.fallback.is_none()));
}

#[test]
fn a_peer_that_listens_at_another_loopback_address_than_it_dials_from_is_found_there() {
    let elsewhere = Ipv4Addr::new(127, 0, 1, 1);
    let claimed = Claimed { ip: elsewhere, port: 5001 };
    let real = PeerAddr::new(elsewhere, 5001).unwrap();
    let mut story = Story::new();
    story.gets_from(HERE, claimed, Form::Standard, Body::Connect);
    let ack = story.under_way.iter().find(|t| t.message == Outgoing::ConnectAck).unwrap().clone();
    assert_eq!((ack.to, ack.fallback), (at(5001), Some(real)));
    let actions =
        story.chat.sent(Sent { job: ack.job, to: real, fate: Fate::HandedOver, parts: (1, 1) }, story.now);
    story.perform(actions);
    assert_eq!(story.chat.rows(story.now)[0].addr, real);
    // It goes on speaking from where it did, and is still the same peer.
    story.gets_from(HERE, claimed, Form::Standard, Body::Exit);
    let rows = story.chat.rows(story.now);
    assert_eq!((rows.len(), rows[0].state), (1, State::Gone));
}

#[test]
fn what_is_no_message_gets_no_receipt_and_a_connection_one_receipt_for_all() {
    let mut story = Story::new();
    let message = |what: &str| {
        let claimed = Claimed { ip: HERE, port: 5001 };
        let name = Some(PeerName::new("Bob"));
        Decoded::Message(Plain { claimed, form: Form::Standard, name, body: text(what) })
    };
    let junk = Decoded::Unreadable(Unreadable { fault: Fault::NoAddress, text: Text::new("junk") });
    for (decoded, cut, answer) in [
        (vec![], false, Answer::Nothing),
        (vec![message("one"), message("two")], false, Answer::Receipt),
        (vec![message("one"), message("two")], true, Answer::Nothing),
        (vec![message("one"), junk.clone()], false, Answer::Nothing),
        (vec![junk], false, Answer::Nothing),
    ] {
        let received = Received { source: Source(HERE), decoded, cut };
        let (answered, actions) = story.chat.received(received, story.now);
        story.perform(actions);
        assert_eq!(answered, answer);
    }
}

#[test]
fn a_peer_that_greets_like_hashpa_is_probed_with_ping() {
    let mut story = Story::new();
    story.gets(5001, Body::Greeting(Text::new("Hello, I am connecting!")));
    story.later(seconds(0));
    assert_eq!(story.dials(5001), [Outgoing::Ping]);
}

#[test]
fn a_heard_peer_is_verified_at_once_and_then_left_in_peace() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.later(seconds(0));
    assert_eq!(story.dials(5001), [Outgoing::Probe]);
    story.ends(5001, &Fate::HandedOver);
    story.later(seconds(14));
    assert_eq!(story.dials(5001), []);
    story.later(seconds(1));
    assert_eq!(story.dials(5001), [Outgoing::Probe]);
}

#[test]
fn the_user_is_told_once_that_a_peer_is_there_and_once_that_it_is_gone() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &Fate::Delivered);
    // Its name is on its way.
    assert!(!story.told().iter().any(|event| matches!(event, Event::Came(_))));
    story.gets(5001, Body::ConnectAck);
    story.gets(5001, Body::ConnectAck);
    assert_eq!(story.told(), [Event::Came(bob(5001)), dialled(1, 1), Event::Settled(OpId(1))]);
    for _ in 0..3 {
        story.later(seconds(16));
        story.refused(5001);
        story.later(seconds(1));
        story.refused(5001);
    }
    assert_eq!(story.told(), [Event::Went(bob(5001), Why::Refused)]);
    story.gets(5001, text("back"));
    let back = Event::Message { from: bob(5001), text: Text::new("back"), cut: false };
    assert_eq!(story.told(), [Event::Came(bob(5001)), back]);
}

#[test]
fn a_peer_whose_name_never_comes_is_announced_without_it() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &Fate::HandedOver);
    story.told();
    story.later(seconds(1));
    let who = Who { name: None, addr: at(5001), claimed: None };
    assert_eq!(story.told(), [Event::Came(who), dialled(1, 1), Event::Settled(OpId(1))]);
}

#[test]
fn the_first_dialling_is_over_when_everybody_is_met_by_name_or_missing() {
    let mut story = Story::new().with_static(&[5001, 5002]);
    story.refused(5002);
    story.ends(5001, &Fate::Delivered);
    assert_eq!(story.told(), []);
    story.gets(5001, Body::ConnectAck);
    assert_eq!(story.told(), [Event::Came(bob(5001)), dialled(2, 1), Event::Settled(OpId(1))]);
}

#[test]
fn a_list_waits_for_the_second_refusal_and_never_longer_than_two_seconds() {
    let mut story = Story::new();
    for port in [5001, 5002, 5003] {
        story.gets(port, Body::Connect);
        story.ends(port, &Fate::Delivered);
    }
    story.later(seconds(5));
    let began = story.now;
    let op = story.does(Command::List);
    story.told();
    story.ends(5001, &Fate::HandedOver);
    story.refused(5002);
    story.later(seconds(1));
    assert_eq!(story.told(), []);
    story.refused(5002);
    story.told();
    story.later(seconds(1));
    assert!(story.now.since(began) <= seconds(2));
    let told = story.told();
    let [Event::Listed { rows, unasked }, Event::Settled(settled)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*unasked, *settled), (1, op));
    let states: Vec<State> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [State::Connected, State::Gone, State::Connected]);
}

#[test]
fn a_text_to_all_goes_to_those_that_are_there() {
    let mut story = Story::new();
    for port in [5001, 5002] {
        story.gets(port, Body::Connect);
        story.ends(port, &Fate::Delivered);
    }
    story.gets(5002, Body::Exit);
    story.told();
    let op = story.says(Target::All, "hi");
    assert_eq!(story.dials(5001), [Outgoing::Text(["hi".to_owned()].into())]);
    assert_eq!(story.dials(5002), []);
    story.ends(5001, &Fate::Delivered);
    let fate = Fate::Delivered;
    let done = Event::Done { op, deed: Deed::Send, who: bob(5001), fate, parts: (1, 1), total: 1 };
    assert_eq!(story.told(), [done, Event::Settled(op)]);
}

#[test]
fn a_text_to_nobody_is_said_to_be() {
    let mut story = Story::new();
    let op = story.says(Target::All, "hi");
    assert_eq!(story.told(), [Event::Nobody(Deed::Send), Event::Settled(op)]);
}

#[test]
fn a_stranger_that_took_a_text_is_known_from_then_on_and_one_that_refused_is_not() {
    let mut story = Story::new();
    story.says(these(5001), "hi");
    story.ends(5001, &Fate::HandedOver);
    story.says(these(5002), "hi");
    story.refused(5002);
    let rows = story.chat.rows(story.now);
    assert_eq!((rows.len(), rows[0].known, rows[0].state), (1, Known::SentTo, State::Active));
}

#[test]
fn connect_request_goes_only_to_who_is_certainly_not_smart_cookies() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.gets(5002, Body::Connect);
    let words = "about CONNECT_REQUEST";
    story.told();
    story.says(these(5001), words);
    assert!(matches!(story.told()[..], [Event::NotSent { why: Unsendable::CommandWord(_), .. }, _]));
    story.says(these(5002), words);
    assert!(story.dials(5002).contains(&Outgoing::Text([words.to_owned()].into())));
}

#[test]
fn texts_that_wait_for_one_peer_are_bounded_and_the_user_is_told() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.told();
    for _ in 0..MAX_TEXTS_WAITING {
        story.says(these(5001), "hi");
    }
    assert_eq!(story.told(), []);
    story.says(these(5001), "one more");
    assert!(matches!(story.told()[..], [Event::NotSent { why: Unsendable::TooManyWaiting, .. }, _]));
}

#[test]
fn leaving_tells_everybody_who_is_there_and_dials_nobody_after_that() {
    let mut story = Story::new().with_static(&[5001, 5002]);
    story.ends(5001, &Fate::Delivered);
    story.refused(5002);
    story.gets(5003, Body::Connect);
    story.ends(5003, &Fate::Delivered);
    story.told();
    let op = story.does(Command::Leave);
    assert_eq!(story.dials(5001), [Outgoing::Exit]);
    assert_eq!(story.dials(5002), []);
    assert_eq!(story.dials(5003), [Outgoing::Exit]);
    assert!(story.under_way.iter().all(|transmit| transmit.deadline.is_some()));
    story.ends(5001, &Fate::HandedOver);
    story.ends(5003, &Fate::Unanswered);
    assert_eq!(story.told(), [Event::Settled(op)]);
    story.later(seconds(100));
    assert!(story.under_way.is_empty());
}

#[test]
fn invented_peers_fill_no_more_than_the_table_and_displace_no_static_peer() {
    let mut story = Story::new().with_static(&[5001]);
    story.refused(5001);
    let mut source = 0x0a00_0000;
    for _ in 0..MAX_PEERS + 50 {
        source += 1;
        let ip = Ipv4Addr::from_bits(source);
        story.gets_from(ip, Claimed { ip, port: 6000 }, Form::Standard, text("hi"));
        story.told.clear();
        story.under_way.clear();
    }
    assert_eq!(story.chat.rows(story.now).len(), MAX_PEERS);
    assert_eq!(story.state(5001), Some(State::Gone));
    assert_eq!(story.chat.table.len(), MAX_PEERS);
}

#[test]
fn looks_at_invented_peers_are_bounded_and_none_is_forgotten() {
    let mut story = Story::new();
    for port in 6000..6300 {
        story.gets(port, text("hi"));
    }
    let mut looked = 0;
    for _ in 0..100 {
        story.later(Duration::from_millis(200));
        let under_way = story.under_way.len();
        assert!(under_way <= 64, "{under_way} at once");
        looked += under_way;
        for Transmit { job, to, .. } in std::mem::take(&mut story.under_way) {
            let fate = Fate::HandedOver;
            let actions = story.chat.sent(Sent { job, to, fate, parts: (1, 1) }, story.now);
            story.perform(actions);
        }
        if looked >= 300 {
            break;
        }
    }
    assert_eq!(looked, 300);
    assert!(story.chat.table.rows().all(|peer| peer.life.is_proven()));
}
