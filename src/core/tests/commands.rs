//! What the user's commands do.

use super::keys::{BOBS, key, met};
use super::*;
use crate::model::session::{ByeReason, Request, RequestEnd};

#[test]
fn list_waits_two_seconds_for_the_second_refusal() {
    let mut story = Story::new();
    for port in [5001, 5002, 5003] {
        story.gets(port, Body::Connect);
        story.ends(port, &SendResult::Delivered);
    }
    story.later(seconds(5));
    let began = story.now;
    let op = story.does(Command::List);
    story.told();
    story.ends(5001, &SendResult::HandedOver);
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
    let states: Vec<PresenceStatus> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [PresenceStatus::Connected, PresenceStatus::Offline, PresenceStatus::Connected]);
}

#[test]
fn connect_stays_in_the_session_that_stands() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
    story.session_requests.clear();
    let bob = Recipient::key(key(BOBS));
    story.does(Command::Connect(Target::These(vec![bob])));
    assert_eq!(story.session_requests[0].say, Request::Ping, "he may not be reached otherwise");
    story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
    let states: Vec<_> = story.state.rows(story.now).iter().map(|row| row.state).collect();
    assert_eq!(states, [PresenceStatus::Connected], "his session says whether he is");
}

#[test]
fn message_to_all_names_offline_contacts() {
    let mut story = Story::new().with_static(&[5001, 5002, 5003]);
    story.ends(5001, &SendResult::HandedOver);
    // A stranger that was online is no contact.
    story.gets(5004, text("hi"));
    story.gets(5004, Body::Exit);
    story.told();
    story.says(Target::All, "soup is ready");
    let missed = |story: &mut Story| {
        story.told().into_iter().find_map(|event| match event {
            Event::Sum { left_out: LeftOut { offline: LeftOutContacts { first, count }, .. }, .. } => {
                Some((count, first.iter().filter_map(|who| who.addr).collect::<Vec<_>>()))
            }
            _ => None,
        })
    };
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(missed(&mut story), Some((2, vec![at(5002), at(5003)])));
    story.says(these(5001), "only to you");
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(missed(&mut story), None);
    // No peer is online, which one line says.
    story.gets(5001, Body::Exit);
    story.told();
    story.says(Target::All, "soup is ready");
    assert_eq!(story.told().first(), Some(&Event::Nobody(CommandKind::Send)));
    assert_eq!(missed(&mut story), None);
}

#[test]
fn message_to_all_tells_refusing_from_offline() {
    let mut story = Story::new();
    story.knows_bob(5002);
    story.writes(5002, 1);
    story.request_ends(Some(met(BOBS, 5002)), RequestEnd::Bye(ByeReason::NotAccepted));
    let mut story = story.with_static(&[5001, 5003]);
    story.ends(5001, &SendResult::HandedOver);
    story.told();
    story.says(Target::All, "soup is ready");
    story.ends(5001, &SendResult::HandedOver);
    let left_out = story.told().into_iter().find_map(|event| match event {
        Event::Sum { left_out, .. } => Some(left_out),
        _ => None,
    });
    let LeftOut { offline, refusing, .. } = left_out.expect("summed up");
    assert_eq!((offline.count, refusing.count), (1, 1));
    assert_eq!(refusing.first[0].id, key(BOBS).into());
}

#[test]
fn message_to_all_leaves_out_unencrypted_strangers() {
    let mut story = Story::new().with_static(&[5001]);
    story.ends(5001, &SendResult::HandedOver);
    for port in [5002, 5003] {
        story.gets(port, text("hi"));
        story.ends(port, &SendResult::HandedOver);
    }
    // It only knocked, and has said nothing yet.
    story.gets(5004, Body::Connect);
    story.told();
    story.says(Target::All, "soup is ready");
    let is_text = |outgoing: &Outgoing| matches!(outgoing, Outgoing::Text(_));
    let texts = |story: &Story| story.under_way.iter().filter(|request| is_text(&request.message)).count();
    assert_eq!((texts(&story), story.dials(5001).iter().filter(|sent| is_text(sent)).count()), (1, 1));
    story.ends(5001, &SendResult::HandedOver);
    let left_out = story.told().into_iter().find_map(|event| match event {
        Event::Sum { total, left_out, .. } => Some((total, left_out.strangers)),
        _ => None,
    });
    assert_eq!(left_out, Some((1, 3)));
    // A stranger that the user answers is a contact from then on.
    story.says(Target::These(vec![legacy(at(5002))]), "hi");
    story.ends(5002, &SendResult::HandedOver);
    story.says(Target::All, "soup is ready");
    assert_eq!(texts(&story), 2);
    assert!(story.dials(5002).iter().any(is_text));
}

#[test]
fn message_to_all_reaches_only_accepted_keys() {
    for policy in [Policy::AcceptNew, Policy::Ask, Policy::Strict] {
        let mut story = Story::new();
        assert_eq!(story.dials_in(2, "Eve", 5002), Ok(()));
        story.session_requests.clear();
        story.does(Command::SetPolicy(policy));
        story.says(Target::All, "soup is ready");
        let batches = story
            .session_requests
            .iter()
            .filter(|request| matches!(request.say, Request::Messages(_)))
            .count();
        assert_eq!(batches, usize::from(policy == Policy::AcceptNew), "{policy:?}");
    }
}

#[test]
fn connect_request_never_goes_to_possible_smart_cookies() {
    let mut story = Story::new();
    story.knows_plain(5001);
    story.gets(5002, Body::Connect);
    story.knows_plain(5002);
    let words = "about CONNECT_REQUEST";
    story.told();
    let rejected = FailureReason::Rejected(RejectReason::CommandWord("CONNECT_REQUEST"));
    let is_text = |outgoing: &Outgoing| *outgoing == Outgoing::Text([words.to_owned()].into());
    for to in [Target::AllPlain, these(5001)] {
        story.says(to, words);
        assert_eq!(story.outcomes(), [DeliveryStatus::Failed(rejected.clone())]);
        assert!(!story.dials(5001).iter().any(is_text));
    }
    assert!(story.dials(5002).iter().any(is_text), "one of all");
    story.ends(5002, &SendResult::HandedOver);
    story.says(these(5002), words);
    assert!(story.dials(5002).iter().any(is_text));
}

#[test]
fn queue_of_an_unknown_address_is_bounded() {
    let mut story = Story::new();
    let full = || [DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::QueueFull))];
    for _ in 0..MAX_QUEUE_MESSAGES {
        story.says(these(5001), "hi");
    }
    assert_eq!((story.told(), story.state(5001)), (Vec::new(), None));
    story.says(these(5001), "one more");
    assert_eq!(story.outcomes(), full());
    // Nor does it help to be listed meanwhile.
    story.gets(5001, text("hello"));
    story.told();
    story.says(these(5001), "one more");
    assert_eq!(story.outcomes(), full());
    // It takes the question first, and then one message.
    story.ends(5001, &SendResult::HandedOver);
    story.told();
    story.says(these(5001), "one more");
    assert_eq!(story.outcomes(), full());
    story.ends(5001, &SendResult::Delivered);
    story.told();
    story.says(these(5001), "one more");
    assert_eq!(story.told(), []);
    story.says(these(5001), "and one");
    assert_eq!(story.outcomes(), full());
}

#[test]
fn messages_under_way_count_for_their_row() {
    let mut story = Story::new();
    let real = PeerAddr::new(Ipv4Addr::new(127, 0, 1, 1), 5001).unwrap();
    let waiting = |story: &Story, id| story.state.peers.messages_waiting(id).unwrap();
    story.says(these(5001), "hi");
    story.gets_from(HERE, Claimed { ip: real.v4().unwrap(), port: 5001 }, Form::STANDARD, Body::Connect);
    assert_eq!(waiting(&story, at(5001).into()), 1);
    let ack = story.under_way.iter().find(|t| t.message == Outgoing::ConnectAck).unwrap().clone();
    story.ends_at(ack.job, real, SendResult::HandedOver, (1, 1));
    assert_eq!(waiting(&story, legacy(at(5001))), 1);
    // No program answers the question at the first address, so the message is queued for the peer
    // that was found.
    story.refused(5001);
    assert_eq!(waiting(&story, legacy(at(5001))), 1);
    story.later(seconds(2));
    assert!(story.dials(5001).contains(&Outgoing::Connect));
    story.ends(5001, &SendResult::HandedOver);
    assert!(matches!(story.dials(5001)[..], [Outgoing::Text(_)]));
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(waiting(&story, legacy(at(5001))), 0);
    assert!(story.state.outbox.recipients().is_empty());
}

#[test]
fn leaving_tells_online_peers_and_stops_dialing() {
    let mut story = Story::new().with_static(&[5001, 5002]);
    story.ends(5001, &SendResult::Delivered);
    story.refused(5002);
    story.gets(5003, Body::Connect);
    story.ends(5003, &SendResult::Delivered);
    story.told();
    let op = story.does(Command::Leave);
    assert_eq!(story.dials(5001), [Outgoing::Exit]);
    assert_eq!(story.dials(5002), []);
    assert_eq!(story.dials(5003), [Outgoing::Exit]);
    assert!(story.under_way.iter().all(|transmit| transmit.deadline.is_some()));
    story.ends(5001, &SendResult::HandedOver);
    story.ends(5003, &SendResult::Unanswered);
    assert_eq!(story.told(), [Event::Settled(op)]);
    story.later(seconds(100));
    assert!(story.under_way.is_empty());
}

#[test]
fn disconnect_is_not_undone_by_earlier_traffic() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.says(these(5001), "hi");
    story.does(Command::Disconnect(these(5001)));
    story.ends(5001, &SendResult::Delivered);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    // It answers a `connect` from before.
    story.gets(5001, Body::ConnectAck);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    story.says(these(5001), "I am back");
    story.ends(5001, &SendResult::Delivered);
    assert_eq!(story.state(5001), Some(PresenceStatus::Online));
}

#[test]
fn goodbye_follows_a_message_under_way() {
    let mut story = Story::new().with_static(&[5001]);
    story.knows_plain(5002);
    story.says(these(5002), "hi");
    let op = story.does(Command::Leave);
    assert_eq!(story.dials(5002), [Outgoing::Text(["hi".to_owned()].into()), Outgoing::Exit]);
    story.ends(5002, &SendResult::Delivered);
    story.ends(5001, &SendResult::Delivered);
    assert_eq!(story.dials(5001), [Outgoing::Exit]);
    story.told();
    story.ends(5001, &SendResult::Delivered);
    assert_eq!(story.told(), [Event::Settled(op)]);
}

#[test]
fn goodbyes_go_in_the_order_of_the_list() {
    let mut story = Story::new();
    let ports: Vec<u16> = (5001..5020).rev().collect();
    for port in &ports {
        story.knows_plain(*port);
        story.says(these(*port), "hi");
    }
    story.under_way.clear();
    story.does(Command::Leave);
    let told: Vec<u16> = story.under_way.iter().map(|transmit| transmit.to.port()).collect();
    assert_eq!(told, ports, "in the order of the list");
}

#[test]
fn leaving_waits_briefly_for_offline_peers() {
    let mut story = Story::new().with_static(&[5001]);
    let op = story.does(Command::Leave);
    story.later(Duration::from_millis(499));
    assert_eq!(story.told(), []);
    story.later(Duration::from_millis(1));
    assert_eq!(story.told(), [Event::Settled(op)]);
}

#[test]
fn nothing_is_accepted_after_leaving() {
    let mut story = Story::new();
    story.does(Command::Leave);
    assert_eq!(story.gets(5001, text("just in time")), PlainAnswer::Capable);
    story.state.close();
    story.told();
    assert_eq!(story.gets(5001, text("too late")), PlainAnswer::Nothing);
    assert_eq!(story.told(), []);
}

/// What the user is told of a text of which the dialer says `given`.
fn status_of_a_message(story: &mut Story, given: SendResult) -> DeliveryStatus {
    story.says(these(5001), "hi");
    let is_text = |transmit: &PlainRequest| matches!(transmit.message, Outgoing::Text(_));
    let index = story.under_way.iter().rposition(is_text).unwrap();
    let job = story.under_way.remove(index).job;
    story.told();
    story.ends_at(job, at(5001), given, (1, 1));
    story.outcomes().remove(0)
}

#[test]
fn missing_receipt_leaves_the_message_unconfirmed() {
    let mut story = Story::new();
    story.knows_plain(5001);
    assert_eq!(status_of_a_message(&mut story, SendResult::HandedOver), DeliveryStatus::Sent);
    assert_eq!(status_of_a_message(&mut story, SendResult::Delivered), DeliveryStatus::Delivered);
    assert_eq!(status_of_a_message(&mut story, SendResult::HandedOver), DeliveryStatus::Unknown);
}

#[test]
fn goodbye_forgets_that_a_program_gives_receipts() {
    let mut story = Story::new();
    story.knows_plain(5001);
    assert_eq!(status_of_a_message(&mut story, SendResult::Delivered), DeliveryStatus::Delivered);
    story.gets(5001, Body::Exit);
    story.gets(5001, Body::Connect);
    assert_eq!(status_of_a_message(&mut story, SendResult::HandedOver), DeliveryStatus::Sent);
}
