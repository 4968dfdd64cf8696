//! Looks and acknowledgements that nobody asked for: whose turn it is, and that waiting for it
//! costs nothing.

use super::keys::{BOBS, key, moment};
use super::*;
use crate::core::peers::KIND_WITHIN;
use crate::core::probe_limiter::MAX_CHECKS_UNDER_WAY;
use crate::model::session::{Introduction, RequestEnd};

const EVE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

/// A peer at `ip` sends something, and is probed when there is room.
fn speaks(story: &mut Story, ip: Ipv4Addr, port: u16, body: Body) {
    story.gets_from(ip, Claimed { ip, port }, Form::STANDARD, body);
    story.later(seconds(0));
}

/// Where something is under way, in the order in which it was begun.
fn under_way(story: &Story) -> Vec<(Ipv4Addr, u16)> {
    story.under_way.iter().map(|transmit| (transmit.to.v4().unwrap(), transmit.to.port())).collect()
}

/// The oldest probe ends, and the next one begins.
fn first_ends(story: &mut Story, result: SendResult) {
    let PlainRequest { job, to, .. } = story.under_way.remove(0);
    story.ends_at(job, to, result, (0, 1));
    story.later(seconds(0));
}

#[test]
fn waiting_probes_cause_no_wakeups() {
    let mut story = Story::new();
    for n in 0..u32::try_from(MAX_PEERS).unwrap() {
        // Every other one waits to be acknowledged, too.
        let body = if n % 2 == 0 { text("hi") } else { Body::Connect };
        speaks(&mut story, Ipv4Addr::from_bits(0xac10_0000 + n), 9, body);
    }
    assert_eq!(story.under_way.len(), MAX_CHECKS_UNDER_WAY);
    // By then the user is told of those that are there.
    story.later(KIND_WITHIN);
    assert_eq!(story.state.next_wake(), None);
    first_ends(&mut story, SendResult::Unanswered);
    assert_eq!(story.under_way.len(), MAX_CHECKS_UNDER_WAY);
    // That one is considered again after a second at the earliest, and no other before that.
    assert!(story.state.next_wake() >= Some(story.now.plus(seconds(1))));
}

#[test]
fn longest_waiting_is_next_and_machines_take_turns() {
    let mut story = Story::new();
    for port in 1..=100 {
        speaks(&mut story, EVE, port, text("hi"));
    }
    // One machine gets half of the places, and those that come then have the other half to share.
    assert_eq!(story.under_way.len(), MAX_CHECKS_UNDER_WAY / 2);
    for last in 1..=24 {
        speaks(&mut story, Ipv4Addr::new(10, 0, 1, last), 9, text("hi"));
    }
    assert_eq!(story.under_way.len(), MAX_CHECKS_UNDER_WAY);
    let begun = story.under_way.len();
    // Eve's share is a small one by now, so as hers end the others have their turns, in the order
    // in which they came.
    for _ in 0..8 {
        first_ends(&mut story, SendResult::Unanswered);
    }
    let next: Vec<_> = under_way(&story).split_off(begun - 8);
    let waiting = (17..=24).map(|last| (Ipv4Addr::new(10, 0, 1, last), 9));
    assert_eq!(next, waiting.collect::<Vec<_>>());
    // Then hers have their turn, in order, and each is probed exactly once.
    let mut of_eve = Vec::new();
    while !story.under_way.is_empty() {
        assert!(story.under_way.len() <= MAX_CHECKS_UNDER_WAY);
        let (ip, port) = under_way(&story)[0];
        of_eve.extend((ip == EVE).then_some(port));
        first_ends(&mut story, SendResult::Unanswered);
    }
    // Eight of hers have ended above.
    assert_eq!(of_eve, (9..=100).collect::<Vec<u16>>());
}

#[test]
fn waiting_acknowledgement_is_sent_when_there_is_room() {
    let mut story = Story::new();
    for port in 1..=16 {
        speaks(&mut story, EVE, port, text("hi"));
    }
    speaks(&mut story, EVE, 99, Body::Connect);
    assert!(story.dials(99).is_empty());
    for _ in 0..2 {
        first_ends(&mut story, SendResult::HandedOver);
    }
    // It shows as much as a look, so there is none beside it.
    assert_eq!(story.dials(99), [Outgoing::ConnectAck]);
}

#[test]
fn moved_or_displaced_waiting_peer_is_not_forgotten() {
    let mut story = Story::new();
    let real = PeerAddr::new(Ipv4Addr::new(127, 0, 1, 1), 99).unwrap();
    for port in 1..=16 {
        speaks(&mut story, HERE, port, text("hi"));
    }
    story.gets_from(HERE, Claimed { ip: real.v4().unwrap(), port: 99 }, Form::STANDARD, text("hi"));
    story.later(seconds(0));
    assert!(story.dials(99).is_empty(), "no room");
    // A text of the user finds it elsewhere.
    story.says(these(99), "hello");
    let found = story.under_way.pop().unwrap();
    story.ends_at(found.job, real, SendResult::HandedOver, (0, 1));
    story.later(seconds(15));
    assert!(under_way(&story).contains(&(real.v4().unwrap(), 99)), "{:?}", story.state.rows(story.now));
}

#[test]
fn probe_always_gives_its_place_back() {
    let mut story = Story::new();
    let other = PeerAddr::new(Ipv4Addr::new(10, 0, 0, 8), 5000).unwrap();
    let hello = Introduction { name: PeerName::new("Bob"), port: 5000, also: Vec::new() };
    let (addr, source) = (PeerAddr::new(LAN, 5000).unwrap(), Source::from(LAN));
    let up = SessionUp { key: key(BOBS), hello: Some(hello), addr, source, dialed: false };
    let (welcome, actions) = story.state.session_up(None, up, moment(), story.now);
    assert_eq!(welcome, Ok(()));
    story.perform(actions);
    // Only a contact is dialed at further addresses.
    story.does(Command::SetAlias(key(BOBS).into(), Some("Robert".parse().unwrap())));
    story.feeds(|state, now| state.peer_listens_at(key(BOBS), vec![other], now));
    story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
    // Bob has left the network, and this machine has the address that he had.
    story.state.learn_own_ip(LAN);
    story.session_breaks(BOBS);
    story.later(seconds(1));
    assert_eq!(story.session_requests[0].addrs, [other]);
    story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
    assert_eq!(story.state.under_way(), UnderWay::default());
}

#[test]
fn dial_waits_after_running_out_of_descriptors() {
    let mut story = Story::new();
    for port in 1..=200 {
        speaks(&mut story, EVE, port, text("hi"));
    }
    let before = story.under_way.len();
    for _ in 0..before {
        first_ends(&mut story, SendResult::Failed(SendError::NoResources));
    }
    assert_eq!(story.under_way, []);
    story.later(REFUSAL_REPEAT);
    assert_eq!(story.under_way.len(), before);
}
