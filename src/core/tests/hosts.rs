//! Static peers and `connect` by host name.

use super::keys::{BOBS, key, met};
use super::*;
use crate::model::host::LookupError;
use crate::model::key::PublicKey;
use crate::model::session::RequestEnd;

fn name(text: &str) -> HostAddr {
    text.parse().unwrap()
}

/// Alice starts with this static peer.
fn started(peer: StaticPeer) -> Story {
    let mut story = Story::new();
    story.feeds(|state, now| state.start(vec![peer], Vec::new(), now).1);
    story
}

/// Alice starts with a static peer at `laptop:5000`, which she has asked for.
fn with_laptop(key: Option<PublicKey>) -> Story {
    let mut story = started(StaticPeer { key, for_run: true, ..StaticPeer::at(name("laptop:5000")) });
    assert_eq!(std::mem::take(&mut story.names), [name("laptop:5000")]);
    story
}

impl Story {
    /// A name resolves to these ports.
    fn finds(&mut self, name: &HostAddr, ports: &[u16]) {
        let addrs = ports.iter().map(|port| at(*port)).collect();
        self.feeds(|state, now| state.resolved(name.clone(), Ok(addrs), now));
    }

    fn finds_nothing(&mut self, name: &HostAddr, why: LookupError) {
        self.feeds(|state, now| state.resolved(name.clone(), Err(why), now));
    }
}

fn not_found(host: &str, why: LookupError, op: Option<OpId>) -> Event {
    Event::NotFound { host: name(host), why, op }
}

#[test]
fn each_address_of_name_is_static_peer() {
    let mut story = with_laptop(None);
    assert_eq!(story.told(), [], "the start waits for the name");
    // Alice listens at port 5000 herself.
    story.finds(&name("laptop:5000"), &[5001, 5000, 5002, 5001]);
    assert_eq!((story.dials(5001), story.dials(5002)), (vec![Outgoing::Connect], vec![Outgoing::Connect]));
    assert!(story.dials(5000).is_empty());
    for port in [5001, 5002] {
        story.ends(port, &SendResult::HandedOver);
        story.later(seconds(1));
    }
    let told = story.told();
    assert!(told.contains(&dialed(2, 2)), "{told:?}");
    assert_eq!(told.iter().filter(|event| matches!(event, Event::Online(_))).count(), 2);
}

#[test]
fn name_has_at_most_eight_addresses() {
    let mut story = with_laptop(None);
    story.finds(&name("laptop:5000"), &(5001..5020).collect::<Vec<u16>>());
    assert_eq!(story.under_way.len(), MAX_HOST_ADDRS);
}

#[test]
fn redial_finds_changed_address() {
    let mut story = with_laptop(None);
    story.finds(&name("laptop:5000"), &[5001]);
    story.refused(5001);
    story.later(seconds(3));
    // The name is resolved again before anything is dialed.
    assert_eq!((story.names.len(), story.under_way.len()), (1, 0));
    story.finds(&name("laptop:5000"), &[5002]);
    assert_eq!((story.dials(5001), story.dials(5002)), (vec![], vec![Outgoing::Connect]));
    story.ends(5002, &SendResult::HandedOver);
    story.later(seconds(1_000));
    assert_eq!(story.state(5001), None, "the old address is no static peer");
    assert!(story.dials(5001).is_empty());
    assert!(story.state.book().is_contact(legacy(at(5002))));
}

#[test]
fn unchanged_address_is_dialed_once_resolved() {
    let mut story = with_laptop(None);
    story.finds(&name("laptop:5000"), &[5001]);
    for _ in 0..5 {
        story.refused(5001);
        while story.names.is_empty() {
            story.later(seconds(1));
        }
        assert!(story.under_way.is_empty());
        let asked = std::mem::take(&mut story.names);
        assert_eq!(asked, [name("laptop:5000")]);
        story.finds(&asked[0], &[5001]);
        story.later(seconds(0));
        assert_eq!((story.dials(5001), story.names.len()), (vec![Outgoing::Connect], 0));
    }
}

#[test]
fn lookup_without_answer_dials_the_known_address() {
    let mut story = with_laptop(None);
    story.finds(&name("laptop:5000"), &[5001]);
    story.refused(5001);
    story.later(seconds(2));
    assert_eq!(story.dials(5001), []);
    story.later(LOOKUP_WITHIN);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
    assert!(story.told().contains(&not_found("laptop:5000", LookupError::TimedOut, None)));
    // A late answer is better than none.
    story.finds(&name("laptop:5000"), &[5002]);
    assert_eq!(story.dials(5002), [Outgoing::Connect]);
}

#[test]
fn unknown_name_is_told_once_and_tried_again() {
    let mut story = with_laptop(None);
    let mut asked = 0;
    story.finds_nothing(&name("laptop:5000"), LookupError::NotFound);
    let told = story.told();
    assert_eq!(told[..2], [not_found("laptop:5000", LookupError::NotFound, None), dialed(0, 0)]);
    for _ in 0..600 {
        story.later(seconds(1));
        for name in std::mem::take(&mut story.names) {
            asked += 1;
            story.finds_nothing(&name, LookupError::NotFound);
        }
    }
    assert!((10..20).contains(&asked), "{asked}");
    assert_eq!(story.told(), []);
    let outputs = story.state.network_changed(story.now);
    story.perform(outputs);
    story.later(seconds(0));
    assert_eq!(story.names.len(), 1, "it is tried at once on another network");
    story.finds(&name("laptop:5000"), &[5001]);
    assert_eq!(story.dials(5001), [Outgoing::Connect]);
}

#[test]
fn addresses_of_name_belong_to_its_key() {
    let bob = Recipient::key(key(BOBS));
    let mut story = with_laptop(Some(key(BOBS)));
    assert!(story.state.book().is_contact(bob), "before the name is resolved");
    story.finds(&name("laptop:5000"), &[5001, 5002]);
    assert_eq!(story.session_requests[0].expect, Some(key(BOBS)));
    assert_eq!(story.session_requests[0].addrs, [at(5001), at(5002)]);
    assert_eq!((story.session_requests.len(), story.under_way.len()), (1, 0), "nothing goes out in plain");
    story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
    story.later(seconds(3));
    std::mem::take(&mut story.names);
    story.finds(&name("laptop:5000"), &[5003]);
    assert!(story.session_requests.iter().any(|request| request.addrs.contains(&at(5003))));
}

#[test]
fn key_of_name_joins_its_addresses() {
    let mut story = with_laptop(None);
    story.finds(&name("laptop:5000"), &[5001, 5002]);
    story.ends(5002, &SendResult::Failed(SendError::Refused));
    story.promises(BOBS);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let bob = Recipient::key(key(BOBS));
    assert!(story.state.book().is_contact(bob));
    story.session_breaks(BOBS);
    story.session_requests.clear();
    story.later(seconds(60));
    assert!(story.names.contains(&name("laptop:5000")), "it is found elsewhere");
}

#[test]
fn connect_waits_for_the_name() {
    let mut story = Story::new();
    let op = story.does(Command::ConnectToHost(name("laptop:5000")));
    assert_eq!(story.names, [name("laptop:5000")]);
    story.finds(&name("laptop:5000"), &[5001, 5002]);
    // One peer at two addresses, and it listens at one.
    story.refused(5001);
    assert_eq!(story.told(), []);
    story.ends(5002, &SendResult::Delivered);
    story.later(seconds(1));
    let told = story.told();
    let done =
        |event: &&Event| matches!(event, Event::Done { result, .. } if *result == SendResult::Delivered);
    assert_eq!(told.iter().filter(done).count(), 1, "{told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Done { result: SendResult::Failed(_), .. })));
    assert!(told.contains(&Event::Settled(op)));
}

#[test]
fn connect_tells_failures_only_if_all_fail() {
    let mut story = Story::new();
    let op = story.does(Command::ConnectToHost(name("laptop:5000")));
    story.finds(&name("laptop:5000"), &[5001, 5002]);
    story.refused(5001);
    story.refused(5002);
    let told = story.told();
    let failed = |event: &&Event| matches!(event, Event::Done { result: SendResult::Failed(_), .. });
    assert_eq!(told.iter().filter(failed).count(), 2, "{told:?}");
    assert_eq!(told.last(), Some(&Event::Settled(op)));
}

#[test]
fn connect_to_unknown_name_is_over() {
    for (why, waits) in [(LookupError::NotFound, false), (LookupError::TimedOut, true)] {
        let mut story = Story::new();
        let op = story.does(Command::ConnectToHost(name("laptop:5000")));
        if waits {
            story.later(LOOKUP_WITHIN);
        } else {
            story.finds_nothing(&name("laptop:5000"), why);
        }
        let told = story.told();
        assert_eq!(told, [not_found("laptop:5000", why, Some(op)), Event::Settled(op)]);
        // An answer that comes later connects to nothing.
        story.finds(&name("laptop:5000"), &[5001]);
        assert!(story.under_way.is_empty() && story.told().is_empty());
    }
}

#[test]
fn connect_to_own_name_is_told_once() {
    let mut story = Story::new();
    let op = story.does(Command::ConnectToHost(name("localhost:5000")));
    story.finds(&name("localhost:5000"), &[5000]);
    let told = story.told();
    assert!(
        matches!(&told[..], [Event::NotSent { why: RejectReason::Ourselves, .. }, .., Event::Settled(end)] if *end == op),
        "{told:?}"
    );
}
