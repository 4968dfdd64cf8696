//! Where strangers and contacts are dialed, how often, and what their receipts say about sessions.

use super::keys::{BOBS, EVES, alice, hello, key, message, met, moment};
use super::*;
use crate::core::probe_limiter::STRANGER_DIAL_SPACING;
use crate::model::session::{Introduction, Request, RequestEnd};

impl Story {
    /// A peer at the IP of `addr` opens a session and says that it also listens elsewhere.
    fn meets_also(&mut self, n: u8, addr: PeerAddr, also: Vec<PeerAddr>) {
        let hello = Introduction { also, ..hello("Bob", addr.port()) };
        let source = Source::from(addr.ip());
        let up = SessionUp { key: key(n), hello: Some(hello), addr, source, dialed: false };
        let (welcome, actions) = self.state.session_up(None, up, moment(), self.now);
        assert_eq!(welcome, Ok(()));
        self.perform(actions);
    }

    /// Answers every session dial like this for a time. Returns when each address was dialed.
    fn dials_end(&mut self, end: &RequestEnd, within: Duration) -> Vec<(Duration, PeerAddr)> {
        let (begun, mut dialed) = (self.now, Vec::new());
        loop {
            while !self.session_requests.is_empty() {
                let since = self.now.since(begun);
                dialed.extend(self.session_requests[0].addrs.iter().map(|addr| (since, *addr)));
                self.request_ends(None, end.clone());
            }
            if self.now.since(begun) >= within {
                return dialed;
            }
            self.later(Duration::from_millis(100));
        }
    }
}

fn lan(ip: [u8; 4], port: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::from(ip), port).unwrap()
}

fn unreachable() -> RequestEnd {
    RequestEnd::Unreachable(SendError::TimedOut)
}

#[test]
fn further_addresses_of_a_stranger_are_not_dialed() {
    let mut story = Story::new();
    let bobs = PeerAddr::new(LAN, 5001).unwrap();
    let victim = lan([10, 0, 0, 8], 22);
    story.meets_also(BOBS, bobs, vec![victim, lan([127, 0, 0, 1], 22)]);
    story.feeds(|state, now| state.peer_listens_at(key(BOBS), vec![victim], now));
    story.session_breaks(BOBS);
    let dialed = story.dials_end(&unreachable(), seconds(60));
    assert!(!dialed.is_empty() && dialed.iter().all(|(_, addr)| *addr == bobs), "{dialed:?}");
    // Nor are they stored: they are not known either when he becomes a contact.
    story.does(Command::Send { to: Target::These(vec![key(BOBS).into()]), message: message(1) });
    let dialed = story.dials_end(&unreachable(), seconds(60));
    assert!(!dialed.is_empty() && dialed.iter().all(|(_, addr)| *addr == bobs), "{dialed:?}");
}

#[test]
fn further_local_contact_addresses_are_not_dialed() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let (bobs, other) = (PeerAddr::new(LAN, 5001).unwrap(), lan([10, 0, 0, 8], 5001));
    let local = vec![at(22), lan([169, 254, 0, 1], 22), "[::1]:22".parse().unwrap()];
    story.meets_also(BOBS, bobs, [local.clone(), vec![other]].concat());
    story.feeds(|state, now| state.peer_listens_at(key(BOBS), [vec![other], local].concat(), now));
    story.session_requests.clear();
    story.session_breaks(BOBS);
    story.later(seconds(1));
    // At the loopback address he was dialed and has proven his key.
    assert_eq!(story.session_requests[0].addrs, [bobs, at(5001), other]);
}

#[test]
fn contact_on_this_machine_may_have_two_ports() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.meets_also(BOBS, at(5001), vec![at(5002)]);
    story.session_requests.clear();
    story.session_breaks(BOBS);
    story.later(seconds(1));
    assert_eq!(story.session_requests[0].addrs, [at(5001), at(5002)]);
}

#[test]
fn many_strangers_have_one_address_dialed_rarely() {
    for end in [unreachable(), RequestEnd::Unreachable(SendError::Refused), RequestEnd::NoSession] {
        let mut story = Story::new();
        let target = PeerAddr::new(LAN, 22).unwrap();
        for n in 1..=20 {
            let name = PeerName::new(&format!("Bob{n}"));
            let up = SessionUp {
                key: key(n),
                hello: Some(Introduction { name, ..hello("Bob", 22) }),
                addr: target,
                source: Source::from(LAN),
                dialed: false,
            };
            let (welcome, actions) = story.state.session_up(None, up, moment(), story.now);
            assert_eq!(welcome, Ok(()));
            story.perform(actions);
            story.session_breaks(n);
        }
        let dialed = story.dials_end(&end, seconds(120));
        let times: Vec<Duration> = dialed.iter().map(|(at, _)| *at).collect();
        assert!(times.len() > 2, "each is still found to be offline: {times:?}");
        assert!(times.windows(2).all(|two| two[1] - two[0] >= STRANGER_DIAL_SPACING), "{times:?}");
    }
}

#[test]
fn contact_is_dialed_again_as_often_as_before() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.session_breaks(BOBS);
    let dialed = story.dials_end(&unreachable(), STRANGER_DIAL_SPACING);
    assert!(dialed.len() > 3, "{dialed:?}");
}

#[test]
fn configured_address_is_redialed_as_often() {
    let mut story = Story::with(alice()).with_static(&[5001]);
    story.under_way.clear();
    // The key has not proven itself there yet, so it is a stranger's.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.session_breaks(BOBS);
    let refused = RequestEnd::Unreachable(SendError::Refused);
    let dialed = story.dials_end(&refused, seconds(3));
    assert_eq!(dialed, [(seconds(0), at(5001)), (seconds(1), at(5001))]);
    assert!(story.told().iter().any(|event| matches!(event, Event::Offline(..))));
}

#[test]
fn message_to_a_stranger_is_dialed_at_once() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.session_breaks(BOBS);
    assert_eq!(story.dials_end(&unreachable(), seconds(2)).len(), 1);
    story.does(Command::Connect(Target::These(vec![key(BOBS).into()])));
    story.does(Command::Send { to: Target::These(vec![key(BOBS).into()]), message: message(1) });
    assert_eq!(story.session_requests.len(), 2);
}

#[test]
fn list_finds_a_stranger_offline_at_once() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.session_breaks(BOBS);
    assert_eq!(story.dials_end(&unreachable(), seconds(3)).len(), 1);
    story.does(Command::List);
    let refused = RequestEnd::Unreachable(SendError::Refused);
    // A refusal counts if it is seen twice.
    assert_eq!(story.dials_end(&refused, ANSWER_WITHIN).len(), 2);
    let told = story.told();
    let is_offline = |event: &Event| match event {
        Event::Listed { rows, unasked: 0 } => rows[0].state == PresenceStatus::Offline,
        _ => false,
    };
    assert!(told.iter().any(is_offline), "{told:?}");
}

#[test]
fn receipt_without_a_key_leads_to_a_session() {
    let mut story = Story::new();
    let op = story.writes(5001, 1);
    story.gets_receipt(Capability::AnyKey);
    assert_eq!(story.under_way, []);
    let greeting = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((greeting.expect, greeting.say), (None, Request::Open));
    let batch = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((batch.expect, batch.say), (Some(key(BOBS)), Request::Messages(vec![message(1)])));
    assert!(story.told().contains(&Event::Settled(op)));
}

#[test]
fn nothing_unencrypted_follows_a_receipt_without_a_key() {
    for end in [RequestEnd::NoSession, RequestEnd::NotSecure, RequestEnd::Broken, unreachable()] {
        let mut story = Story::new();
        story.writes(5001, 1);
        story.gets_receipt(Capability::AnyKey);
        let mut asked = 0;
        for _ in 0..20 {
            while !story.session_requests.is_empty() {
                assert_eq!(story.request_ends(None, end.clone()).expect, None);
            }
            story.writes(5001, 2);
            story.later(seconds(10));
            // Whether a program is there, and once more whether it has sessions, is asked, which
            // tells it nothing.
            asked += story.dials(5001).iter().filter(|message| **message == Outgoing::Connect).count();
            let is_asked = |message: &Outgoing| matches!(message, Outgoing::Probe | Outgoing::Connect);
            story.under_way.retain(|request| !is_asked(&request.message));
            assert_eq!(story.under_way, [], "{end:?}");
        }
        assert!(asked <= 1, "{end:?}: {asked}");
        assert_eq!(story.state.queued(at(5001).into()), 2, "{end:?}");
    }
}

#[test]
fn only_contacts_are_believed_about_our_key() {
    let mut story = Story::new();
    story.knows_bob(5001);
    assert_eq!(story.dials_in(EVES, "Eve", 5002), Ok(()));
    story.told();
    let is_told = |n, story: &mut Story| {
        let outputs = story.state.identity_in_use(key(n), LAN.into());
        story.perform(outputs);
        story.told().contains(&Event::IdentityInUse(LAN.into()))
    };
    assert!(!is_told(EVES, &mut story), "a stranger");
    story.does(Command::Block(key(EVES).into()));
    assert!(!is_told(EVES, &mut story), "a blocked peer");
    assert!(is_told(BOBS, &mut story), "a contact");
    assert!(!is_told(BOBS, &mut story), "once");
}

#[test]
fn contact_may_ask_to_verify_once_a_minute() {
    let mut story = Story::new();
    story.knows_bob(5001);
    assert_eq!(story.dials_in(EVES, "Eve", 5002), Ok(()));
    story.told();
    let is_told = |n, story: &mut Story| {
        story.feeds(|state, now| state.asks_to_verify(key(n), now));
        story.told().iter().any(|event| matches!(event, Event::AsksToVerify(who) if who.id == key(n).into()))
    };
    assert!(!is_told(EVES, &mut story), "a stranger");
    assert!(is_told(BOBS, &mut story), "a contact");
    story.now = story.now.plus(seconds(59));
    assert!(!is_told(BOBS, &mut story), "again within a minute");
    story.now = story.now.plus(seconds(1));
    assert!(is_told(BOBS, &mut story), "after a minute");
    story.now = story.now.plus(seconds(60));
    story.does(Command::AskToVerify(key(BOBS)));
    assert!(!is_told(BOBS, &mut story), "the user has just asked him");
    story.does(Command::Block(key(BOBS).into()));
    story.now = story.now.plus(seconds(60));
    assert!(!is_told(BOBS, &mut story), "a blocked contact");
}
