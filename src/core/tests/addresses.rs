//! Peers with two addresses on the loopback network, one of which may belong to another peer.

use super::*;

#[test]
fn peer_is_found_at_another_loopback_address() {
    let elsewhere = Ipv4Addr::new(127, 0, 1, 1);
    let claimed = Claimed { ip: elsewhere, port: 5001 };
    let real = PeerAddr::new(elsewhere, 5001).unwrap();
    let mut story = Story::new();
    story.gets_from(HERE, claimed, Form::STANDARD, Body::Connect);
    let ack = story.under_way.iter().find(|t| t.message == Outgoing::ConnectAck).unwrap().clone();
    assert_eq!((ack.to, ack.fallback), (at(5001), Some(real)));
    story.ends_at(ack.job, real, SendResult::HandedOver, (1, 1));
    assert_eq!(story.state.rows(story.now)[0].addr, Some(real));
    // It goes on speaking from where it did, and is still the same peer.
    story.gets_from(HERE, claimed, Form::STANDARD, Body::Exit);
    let rows = story.state.rows(story.now);
    assert_eq!((rows.len(), rows[0].state), (1, PresenceStatus::Offline));
}

#[test]
fn found_peer_does_not_return_to_anothers_address() {
    let mut story = Story::new();
    let real = PeerAddr::new(Ipv4Addr::new(127, 0, 1, 1), 5001).unwrap();
    let claimed = Claimed { ip: real.v4().unwrap(), port: 5001 };
    // No peer with a key writes in this form, so the message goes out without a question.
    story.gets_from(HERE, claimed, Form::new("r3"), Body::Connect);
    story.says(these(5001), "hi");
    let text = story.under_way.pop().unwrap();
    let ack = story.under_way.remove(0);
    story.told();
    for (job, to) in [(ack.job, real), (text.job, at(5001))] {
        story.ends_at(job, to, SendResult::Delivered, (1, 1));
        let addrs: Vec<PeerAddr> = story.state.rows(story.now).iter().filter_map(|row| row.addr).collect();
        assert_eq!(addrs, [real]);
    }
    // And the text is not said to be his.
    let reached_another = DeliveryStatus::Failed(FailureReason::ReachedAnother(Some(at(5001))));
    assert_eq!(story.outcomes(), [reached_another]);
}

/// Bob, who spoke from 127.0.0.1 and claims 127.0.1.1, has been written to; where he is tried, and
/// what for.
fn bob_is_written_to(story: &mut Story) -> (OpId, PeerAddr, PlainRequest) {
    let real = PeerAddr::new(Ipv4Addr::new(127, 0, 1, 1), 5001).unwrap();
    // No peer with a key writes in this form, so the message goes out without a question.
    story.gets_from(HERE, Claimed { ip: real.v4().unwrap(), port: 5001 }, Form::new("r3"), text("hi"));
    let op = story.says(these(5001), "for Bob");
    story.told();
    (op, real, story.under_way.pop().unwrap())
}

/// A peer sends from the address that Bob claims.
fn carol_speaks(story: &mut Story, at: PeerAddr) {
    story.gets_from(
        at.v4().unwrap(),
        Claimed { ip: at.v4().unwrap(), port: at.port() },
        Form::STANDARD,
        text("it is mine"),
    );
    story.told();
}

#[test]
fn second_address_of_another_peer_is_not_tried() {
    let mut story = Story::new();
    let (_, real, text) = bob_is_written_to(&mut story);
    assert_eq!((text.to, text.fallback), (at(5001), Some(real)));
    carol_speaks(&mut story, real);
    story.does(Command::Connect(these(5001)));
    let again = story.under_way.pop().unwrap();
    assert_eq!((again.to, again.fallback), (at(5001), None));
}

#[test]
fn message_taken_by_another_is_not_delivered() {
    for (result, parts) in [
        (SendResult::Delivered, (1, 1)),
        (SendResult::HandedOver, (1, 1)),
        (SendResult::Unanswered, (0, 1)),
        (SendResult::Broken, (0, 1)),
        (SendResult::Failed(SendError::Refused), (1, 2)),
    ] {
        let mut story = Story::new();
        let (op, real, text) = bob_is_written_to(&mut story);
        carol_speaks(&mut story, real);
        story.ends_at(text.job, real, result, parts);
        let claimed = Some(Claimed { ip: real.v4().unwrap(), port: 5001 });
        let who = PeerInfo { claimed, ..bob(5001) };
        let status = DeliveryStatus::Failed(FailureReason::ReachedAnother(Some(real)));
        let text = "for Bob".into();
        let astray = Event::Delivery { op, who, status, is_first: true, parts, total: 1, text };
        assert_eq!(story.told(), [astray, Event::Settled(op)]);
        // No program seems to listen at Bob's address.
        assert!(story.state.peers.is_doubtful(legacy(at(5001))));
        assert_eq!(story.state.rows(story.now).len(), 2);
    }
}

#[test]
fn message_with_no_byte_sent_anywhere_is_queued() {
    let mut story = Story::new();
    let (_, real, text) = bob_is_written_to(&mut story);
    carol_speaks(&mut story, real);
    story.ends_at(text.job, at(5001), SendResult::Failed(SendError::Refused), (0, 1));
    assert_eq!(story.outcomes(), [DeliveryStatus::Queued(PendingReason::Unreachable)]);
}
