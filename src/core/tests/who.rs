//! Who is believed, and what is answered.

use super::keys::BOBS;
use super::*;
use crate::model::session::RequestEnd;

#[test]
fn connect_is_acknowledged_and_acknowledgement_is_not() {
    let mut story = Story::new();
    assert_eq!(story.gets(5001, Body::Connect), PlainAnswer::Capable);
    assert!(story.dials(5001).contains(&Outgoing::ConnectAck));
    story.ends(5001, &SendResult::Delivered);
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    assert_eq!(story.gets(5001, Body::ConnectAck), PlainAnswer::Capable);
    assert!(!story.dials(5001).contains(&Outgoing::ConnectAck));
}

#[test]
fn peer_that_has_promised_sessions_is_not_acknowledged() {
    let mut story = Story::new();
    story.writes(5001, 1);
    story.promises(BOBS);
    assert_eq!(story.session_requests.len(), 1, "a session is dialed");
    assert_eq!(story.gets(5001, Body::Connect), PlainAnswer::Capable);
    assert!(!story.dials(5001).contains(&Outgoing::ConnectAck));
}

#[test]
fn an_acknowledgement_has_the_form_of_the_asker() {
    let mut story = Story::new();
    story.gets_from(HERE, Claimed { ip: HERE, port: 5001 }, Form::new("r3"), Body::Connect);
    let ack = story.under_way.iter().find(|transmit| transmit.message == Outgoing::ConnectAck).unwrap();
    assert_eq!(ack.form, Form::new("r3"));
}

#[test]
fn offline_peer_gets_its_peers_toml_form_again() {
    for (configured, taught) in [(Form::new("r3"), Form::STANDARD), (Form::STANDARD, Form::new("r3"))] {
        let mut story = Story::new();
        let peers = vec![StaticPeer { form: configured, ..StaticPeer::at(at(5001)) }];
        story.feeds(|state, now| state.start(peers, Vec::new(), now).1);
        story.ends(5001, &SendResult::Delivered);
        let claimed = Claimed { ip: HERE, port: 5001 };
        story.gets_from(HERE, claimed, taught, Body::Connect);
        assert_eq!(story.under_way.last().unwrap().form, taught);
        story.ends(5001, &SendResult::Delivered);
        // The next program there may be another one.
        for _ in 0..2 {
            story.does(Command::List);
            story.refused(5001);
            story.later(seconds(1));
        }
        story.refused(5001);
        assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
        story.later(seconds(60));
        let look = story.under_way.last().unwrap();
        assert_eq!((look.form, &look.message), (configured, &Outgoing::Connect));
    }
}

#[test]
fn connect_request_is_answered_and_marks_smart_cookies() {
    let mut story = Story::new();
    let claimed = Claimed { ip: HERE, port: 5001 };
    assert_eq!(
        story.gets_from(HERE, claimed, Form::new("two-field"), Body::ConnectRequest),
        PlainAnswer::Connected
    );
    story.gets(5001, text("a text in the standard form"));
    story.ends(5001, &SendResult::Delivered);
    story.does(Command::Disconnect(these(5001)));
    let goodbye = story.under_way.last().unwrap();
    assert_eq!((goodbye.form, &goodbye.message), (Form::new("two-field"), &Outgoing::Exit));
}

#[test]
fn a_ping_makes_nobody_known() {
    let mut story = Story::new();
    assert_eq!(story.gets(5000, Body::Ping), PlainAnswer::Capable);
    assert_eq!(story.gets(5001, Body::Ping), PlainAnswer::Capable);
    assert_eq!(story.state.rows(story.now), []);
    assert_eq!(story.told(), []);
}

#[test]
fn own_address_is_never_added() {
    let mut story = Story::new().with_static(&[5000, 5001]);
    assert_eq!(story.state(5000), None);
    assert_eq!(story.gets(5000, Body::Connect), PlainAnswer::Nothing);
    assert_eq!(story.gets(5000, text("I am you")), PlainAnswer::Nothing);
    assert!(matches!(story.told()[..], [Event::Impostor { .. }]));
    story.state.learn_own_ip(LAN);
    story.gets_from(LAN, Claimed { ip: LAN, port: 5000 }, Form::STANDARD, Body::Connect);
    assert_eq!(story.state(5000), None);
    let op = story.says(these(5000), "me");
    let who = PeerInfo { id: at(5000).into(), name: None, verification: Verification::Unknown, ..bob(5000) };
    let status = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::Ourselves));
    let (is_first, parts, total, text) = (true, (0, 1), 1, "me".into());
    let rejected = Event::Delivery { op, who, status, is_first, parts, total, text };
    assert_eq!(story.told(), [rejected, Event::Settled(op)]);
}

#[test]
fn former_own_address_may_be_dialed() {
    let mut story = Story::new();
    story.state.learn_own_ip(LAN);
    let addr = PeerAddr::new(LAN, 5000).unwrap();
    assert!(story.state.book().is_own(addr));
    let outputs = story.state.network_changed(story.now);
    story.perform(outputs);
    assert!(!story.state.book().is_own(addr));
    assert_eq!(story.told(), [Event::NetworkChanged]);
}

#[test]
fn meeting_ourselves_is_never_called_another_key() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.session_breaks(BOBS);
    story.writes(5001, 1);
    while !story.session_requests.is_empty() {
        story.request_ends(None, RequestEnd::Ourselves);
    }
    let told = story.told();
    let waits = |event: &Event| {
        matches!(event, Event::Delivery { status: DeliveryStatus::Queued(PendingReason::Unreachable), .. })
    };
    assert!(told.iter().any(waits), "{told:?}");
}

#[test]
fn goodbye_counts_only_from_the_peers_source() {
    let mut story = Story::new();
    story.gets(5001, Body::Connect);
    story.ends(5001, &SendResult::Delivered);
    story.gets_from(LAN, Claimed { ip: HERE, port: 5001 }, Form::STANDARD, Body::Exit);
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected));
    assert_eq!(story.state.rows(story.now).len(), 1);
    story.told();
    story.gets(5001, Body::Exit);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    assert_eq!(story.told(), [Event::Offline(bob(5001), OfflineReason::SaidGoodbye)]);
}

#[test]
fn claim_from_elsewhere_is_replaced_by_source() {
    let mut story = Story::new();
    for ip in [HERE, Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(10, 0, 0, 9)] {
        story.gets_from(LAN, Claimed { ip, port: 5001 }, Form::STANDARD, Body::Connect);
    }
    let addrs: Vec<PeerAddr> = story.state.rows(story.now).iter().filter_map(|row| row.addr).collect();
    assert_eq!(addrs, [PeerAddr::new(LAN, 5001).unwrap()]);
    assert!(story.under_way.iter().all(|transmit| transmit.to.ip() == LAN && transmit.fallback.is_none()));
}

#[test]
fn a_plain_message_over_ipv6_is_not_taken() {
    let mut story = Story::new();
    for source in ["::1", "2001:db8::7"] {
        let source: std::net::IpAddr = source.parse().unwrap();
        for body in [text("hi"), Body::Connect, Body::Exit, Body::Ping] {
            let claimed = Claimed { ip: HERE, port: 5001 };
            let message = Plain { claimed, form: Form::STANDARD, name: Some(PeerName::new("Bob")), body };
            let decoded = vec![Decoded::Message(message)];
            let received = PlainReceived { source: source.into(), decoded, cut: false };
            assert_eq!(story.state.plain_received(received, story.now), (PlainAnswer::Nothing, Vec::new()));
        }
    }
    assert!(story.state.rows(story.now).is_empty());
}

#[test]
fn own_port_is_ours_in_both_families() {
    let own = |bind: &str, addr: &str| {
        let me = Me { bind: bind.parse().unwrap(), port: 5000, advertise: None };
        let mut state = State::new(CoreConfig { me, ..super::keys::alice() });
        state.learn_own_ip("2001:db8::7".parse::<std::net::IpAddr>().unwrap());
        state.book().is_own(addr.parse().unwrap())
    };
    for anywhere in ["0.0.0.0", "::"] {
        for addr in ["127.0.0.1:5000", "[::1]:5000", "[2001:db8::7]:5000", "[::ffff:127.0.0.1]:5000"] {
            assert!(own(anywhere, addr), "{addr}");
        }
        assert!(!own(anywhere, "[::1]:5001") && !own(anywhere, "[2001:db8::8]:5000"));
    }
    assert!(own("::1", "[::1]:5000") && !own("::1", "127.0.0.1:5000") && !own("127.0.0.1", "[::1]:5000"));
}

#[test]
fn only_intact_messages_get_a_receipt_per_connection() {
    let mut story = Story::new();
    let message = |what: &str| {
        let claimed = Claimed { ip: HERE, port: 5001 };
        let name = Some(PeerName::new("Bob"));
        Decoded::Message(Plain { claimed, form: Form::STANDARD, name, body: text(what) })
    };
    let junk = Decoded::Unreadable(Unreadable { fault: Fault::NoAddress, text: Text::new("junk") });
    for (decoded, cut, answer) in [
        (vec![], false, PlainAnswer::Nothing),
        (vec![message("one"), message("two")], false, PlainAnswer::Capable),
        (vec![message("one"), message("two")], true, PlainAnswer::Nothing),
        (vec![message("one"), junk.clone()], false, PlainAnswer::Nothing),
        (vec![junk], false, PlainAnswer::Nothing),
    ] {
        let received = PlainReceived { source: Source::from(HERE), decoded, cut };
        let (answered, actions) = story.state.plain_received(received, story.now);
        story.perform(actions);
        assert_eq!(answered, answer);
    }
}
