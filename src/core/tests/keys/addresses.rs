//! Where keys are: configured, claimed, found elsewhere, and no longer there.

use super::*;

#[test]
fn static_peer_known_elsewhere_stays_static() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    let peer = StaticPeer::at(at(5002));
    story.feeds(|state, now| state.start(vec![peer], Vec::new(), now).1);
    story.promises(BOBS);
    story.request_ends(Some(met(BOBS, 5002)), RequestEnd::Answered);
    let rows = story.state.rows(story.now);
    assert_eq!(
        rows.iter().map(|row| (row.addr, row.origin)).collect::<Vec<_>>(),
        [(Some(at(5002)), PeerOrigin::Static)]
    );
}

#[test]
fn static_peer_stays_when_another_key_answers() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(EVES, "Eve", 5003), Ok(()));
    story.session_requests.clear();
    story = story.with_static(&[5001]);
    story.promises(BOBS);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.session_breaks(BOBS);
    story.later(Duration::from_secs(30));
    story.session_requests.retain(|request| request.expect == Some(key(BOBS)));
    assert_eq!(story.session_requests.len(), 1, "one probe of Bob: {:?}", story.session_requests);
    story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
    let mut rows = story.state.rows(story.now);
    rows.sort_by_key(|row| row.addr);
    let rows: Vec<_> =
        rows.iter().map(|row| (row.addr, row.protocol, row.origin == PeerOrigin::Static)).collect();
    let (bobs, eves) = (PeerProtocol::Session(key(BOBS)), PeerProtocol::Session(key(EVES)));
    assert_eq!(rows, [(Some(at(5001)), bobs, true), (Some(at(5003)), eves, false)]);
    // Bob is probed again.
    story.session_requests.clear();
    story.later(Duration::from_secs(20));
    assert!(
        story
            .session_requests
            .iter()
            .any(|request| request.expect == Some(key(BOBS)) && request.addrs[0] == at(5001))
    );
}

#[test]
fn configured_address_is_probed_again_after_session_elsewhere() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let peer = StaticPeer::at(at(5002));
    story.feeds(|state, now| state.start(vec![peer], Vec::new(), now).1);
    for wait in [1, 2] {
        story.promises(BOBS);
        let greeting = story.session_requests.remove(0);
        let ended = report(at(5001), Some(Met { key: key(BOBS), hello: None }), RequestEnd::Answered);
        story.ends_as(greeting.job, ended);
        assert_eq!(story.under_way, [], "not at once");
        story.later(Duration::from_secs(wait));
    }
    assert_eq!(story.dials(5002), [Outgoing::Connect]);
}

#[test]
fn peer_found_elsewhere_is_probed_there() {
    let mut story = Story::new();
    story.knows_bob(5001);
    assert_eq!(story.dials_in(BOBS, "Bob", 5002), Ok(()));
    // Whether he can be dialed there is checked at once.
    assert_eq!(story.request_ends(Some(met(BOBS, 5002)), RequestEnd::Answered).say, Request::Open);
    for port in [5002, 5002] {
        story.session_breaks(BOBS);
        story.later(PROBE_INTERVAL);
        let probe = story.session_requests.remove(0);
        assert_eq!(probe.say, Request::Ping);
        let ended = report(at(port), Some(met(BOBS, port)), RequestEnd::Answered);
        story.ends_as(probe.job, ended);
    }
}

#[test]
fn number_of_an_incoming_peer_stays_when_dialed() {
    let mut story = Story::new();
    // Bob's first message is an unencrypted `connect`. He is seen to listen before his session
    // opens.
    story.gets(5001, Body::Connect);
    story.promises(BOBS);
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    let listed = |story: &Story| {
        story.state.rows(story.now).iter().map(|row| (row.number, row.id)).collect::<Vec<_>>()
    };
    assert_eq!(listed(&story), [(1, key(BOBS).into())]);
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(listed(&story), [(1, key(BOBS).into())]);
}

#[test]
fn claimed_address_keeps_its_number() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.promises(BOBS);
    story.later(KIND_WITHIN);
    let is_online = |event: &Event| matches!(event, Event::Online(who) if who.id == at(5001).into());
    assert!(story.told().iter().any(is_online));
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    let bob = Recipient::from(key(BOBS));
    let number = story.state.rows(story.now).iter().find(|row| row.id == bob).map(|row| row.number);
    assert_eq!(number, Some(2), "number 1 is that of the address until the key proves itself there");
    let told = story.told();
    let pinned = told.iter().find_map(|event| match event {
        Event::Pinned { who, .. } => who.name.as_ref().map(PeerName::as_str),
        _ => None,
    });
    assert_eq!(pinned, Some("Bob"), "{told:?}");
}

#[test]
fn known_key_at_new_address_keeps_its_row() {
    let mut story = Story::new();
    story.knows_bob(5001);
    let number = story.state.rows(story.now)[0].number;
    // His program ends, and comes back at another port.
    story.bob_leaves();
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    assert_eq!(story.dials_in(BOBS, "Bob", 5002), Ok(()));
    let rows = story.state.rows(story.now);
    assert_eq!(rows.iter().map(|row| (row.number, row.addr)).collect::<Vec<_>>(), [(number, Some(at(5002)))]);
    let told = story.told();
    assert!(
        told.iter().any(|event| matches!(event, Event::Online(who) if who.addr == Some(at(5002)))),
        "{told:?}"
    );
}

#[test]
fn address_without_the_key_is_not_online() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.session_breaks(BOBS);
    for _ in 0..12 {
        while !story.session_requests.is_empty() {
            story.request_ends(None, RequestEnd::NoSession);
        }
        story.later(seconds(1));
    }
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    assert!(story.under_way.is_empty(), "and it is never asked in plain");
}

#[test]
fn configured_address_is_probed_until_its_key_answers() {
    let mut story = Story::with(alice()).with_static(&[5001]);
    story.ends(5001, &SendResult::Failed(SendError::Refused));
    // He starts later, and his machine is too busy to answer in time.
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    assert_eq!(story.request_ends(None, RequestEnd::NoSession).expect, Some(key(BOBS)));
    while story.session_requests.is_empty() {
        story.under_way.clear();
        story.later(seconds(1));
        assert!(story.now < Time::at(seconds(120)), "the claim is not checked again");
    }
    story.request_ends(Some(Met { key: key(BOBS), hello: None }), RequestEnd::Answered);
    let rows = story.state.rows(story.now);
    assert_eq!(
        rows.iter().map(|row| (row.id, row.origin)).collect::<Vec<_>>(),
        [(key(BOBS).into(), PeerOrigin::Static)]
    );
}
