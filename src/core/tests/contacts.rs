//! Contacts of earlier runs: listed, dialed and looked for.

use super::keys::{BOBS, EVES, key, message, met};
use super::*;
use crate::core::peers::DORMANT_AFTER;
use crate::core::presence::LONGEST_CONTACT_BACKOFF;
use crate::core::tick::SEEN_INTERVAL;
use crate::core::{ContactRecord, KnownContact};
use crate::model::session::{Request, RequestEnd};
use crate::protocol::plain;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn known(n: u8, last_seen: Option<Duration>) -> KnownContact {
    let name = Some(PeerName::new("Bob"));
    KnownContact { id: PeerId::Key(key(n)), name, last_seen, blocked: false, stranger: false, muted: false }
}

/// Alice starts with these contacts: a key, a port, and how long ago each was seen.
fn started(contacts: &[(u8, u16, Option<Duration>)]) -> Story {
    let pins = contacts.iter().map(|(n, port, _)| pin(*n, *port)).collect();
    let mut story = Story::with(CoreConfig { pins, ..super::keys::alice() });
    let known = contacts.iter().map(|(n, _, last_seen)| known(*n, *last_seen)).collect();
    story.feeds(|state, now| state.start(Vec::new(), known, now).1);
    story.told();
    story
}

/// The ports that sessions are requested with, in order.
fn dialed(story: &Story) -> Vec<u16> {
    story.session_requests.iter().map(|request| request.addrs[0].port()).collect()
}

#[test]
fn last_seen_contacts_are_listed_and_dialed_first() {
    let mut story = started(&[(1, 5001, Some(DAY * 3)), (2, 5002, None), (3, 5003, Some(DAY))]);
    let rows = story.state.rows(story.now);
    assert!(rows.iter().all(|row| row.contact && row.state == PresenceStatus::Offline));
    let seen: Vec<_> = rows.iter().map(|row| row.last_heard).collect();
    assert_eq!(seen, [Some(DAY), Some(DAY * 3), None]);
    story.later(seconds(1));
    assert_eq!(dialed(&story), [5003, 5001, 5002]);
    story.request_ends(Some(met(3, 5003)), RequestEnd::Answered);
    assert_eq!(story.state(5003), Some(PresenceStatus::Connected));
}

#[test]
fn offline_contact_is_dialed_ever_more_rarely() {
    let mut story = started(&[(BOBS, 5001, None)]);
    let mut waits = Vec::new();
    for _ in 0..14 {
        let before = story.now;
        while story.session_requests.is_empty() {
            story.later(seconds(1));
        }
        waits.push(story.now.since(before));
        story.request_ends(None, RequestEnd::Unreachable(SendError::Refused));
    }
    assert!(waits.windows(2).skip(1).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    let longest = waits.last().copied().unwrap();
    assert!(longest >= LONGEST_CONTACT_BACKOFF && longest <= LONGEST_CONTACT_BACKOFF + seconds(2));
    assert_eq!(story.state.rows(story.now).len(), 1, "it stays listed");
}

#[test]
fn contact_unseen_for_a_month_waits_for_networks() {
    let mut story = started(&[(BOBS, 5001, Some(DORMANT_AFTER))]);
    story.later(DAY);
    assert_eq!(dialed(&story), [0_u16; 0]);
    let outputs = story.state.network_changed(story.now);
    story.perform(outputs);
    story.later(seconds(1));
    assert_eq!(dialed(&story), [5001]);
}

#[test]
fn stranger_becomes_a_contact_that_stays_listed() {
    let mut story = Story::new();
    story.knows_plain(5001);
    story.says(these(5001), "hi");
    story.ends(5001, &SendResult::HandedOver);
    story.told();
    let legacy = match legacy(at(5001)) {
        Recipient::Peer(id) => id,
        Recipient::Address(addr) => panic!("{addr} is unproven"),
    };
    let changes = story.state.take_contact_changes();
    assert_eq!(changes, [ContactChange::Legacy(legacy, Some(PeerName::new("Bob")))]);
    story.gets(5001, Body::Exit);
    story.later(GONE_SHOWN * 2);
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    story.does(Command::Forget(legacy.into()));
    assert_eq!(story.state(5001), None);
    assert_eq!(story.state.take_contact_changes(), [ContactChange::Forgotten(legacy)]);
}

#[test]
fn address_without_a_proven_peer_can_be_forgotten() {
    let mut story = Story::new();
    let id = at(5001).into();
    let forgets = |story: &mut Story| {
        story.told();
        story.does(Command::Forget(id));
        let mut told = story.told().into_iter();
        told.find_map(|event| match event {
            Event::Decided(Decision::Forgotten(who, what)) => Some((who.id, Ok(what))),
            Event::Undecided(unknown) => Some((id, Err(unknown))),
            _ => None,
        })
    };
    assert_eq!(forgets(&mut story), Some((id, Err(Unknown::Nothing))));
    story.says(these(5001), "hi");
    story.ends(5001, &SendResult::Failed(SendError::Refused));
    assert_eq!((story.state.queued(id), story.state(5001)), (1, None));
    assert_eq!(forgets(&mut story), Some((id, Ok(Forgotten::Queue))));
    assert_eq!(story.state.queued(id), 0);
    // An alias of an address is saved for the legacy peer there.
    story.does(Command::SetAlias(legacy(at(5001)), Some("Printer".parse().unwrap())));
    assert_eq!(forgets(&mut story), Some((id, Ok(Forgotten::Contact))));
    let Recipient::Peer(printer) = legacy(at(5001)) else { panic!("a legacy peer") };
    assert_eq!(story.state.take_contact_changes(), [ContactChange::Forgotten(printer)]);
    assert_eq!(forgets(&mut story), Some((id, Err(Unknown::Nothing))));
}

#[test]
fn message_to_all_makes_no_contact() {
    let mut story = Story::new();
    story.gets(5001, text("hi"));
    story.ends(5001, &SendResult::HandedOver);
    assert_eq!(story.dials_in(BOBS, "Bob", 5002), Ok(()));
    story.says(Target::AllPlain, "soup is ready");
    let contacts = story.state.take_contact_changes().into_iter().filter(|change| match change {
        ContactChange::Key(pin) => pin.contact,
        _ => true,
    });
    assert_eq!(contacts.count(), 0);
    assert!(story.state.rows(story.now).iter().all(|row| !row.contact));
}

#[test]
fn connect_to_the_present_address_gives_it() {
    let mut story = started(&[(BOBS, 5001, None)]);
    story.later(seconds(1));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    let given =
        |story: &Story| story.state.trusted().pin_of(Recipient::key(key(BOBS))).unwrap().given.clone();
    assert_eq!(given(&story), []);
    story.does(Command::Connect(these(5001)));
    let request = story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!((request.expect, &request.addrs[..]), (Some(key(BOBS)), &[at(5001)][..]));
    assert_eq!(given(&story), [at(5001)]);
    // It is dialed at this address only.
    story.does(Command::Connect(these(5001)));
    story.request_ends(None, RequestEnd::WrongKey(key(EVES)));
    assert_eq!(story.session_requests, []);
}

#[test]
fn connect_by_name_gives_no_address() {
    let mut story = started(&[(BOBS, 5001, None)]);
    story.later(seconds(1));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    story.does(Command::Connect(Target::These(vec![Recipient::key(key(BOBS))])));
    story.request_ends(Some(met(BOBS, 5001)), RequestEnd::Answered);
    assert_eq!(story.state.trusted().pin_of(Recipient::key(key(BOBS))).unwrap().given, []);
}

/// Lets time pass while each session that is requested is opened by the peer at that port, unless
/// the port is 5009, where nothing listens.
fn later_online(story: &mut Story, time: Duration) {
    let end = story.now.plus(time);
    while story.now < end {
        story.later(seconds(1));
        while let Some(request) = story.session_requests.first() {
            let (key, port) = (request.expect.unwrap(), request.addrs[0].port());
            // There is a hello on each new connection, which are kept.
            let hello = met(1, port).hello.filter(|_| story.state(port) == Some(PresenceStatus::Offline));
            let met = super::keys::Met { key, hello };
            match port {
                5009 => story.request_ends(None, RequestEnd::Unreachable(SendError::Refused)),
                _ => story.request_ends(Some(met), RequestEnd::Answered),
            };
        }
        // Their sessions are pinged.
        for n in [1, 2] {
            story.feeds(|state, now| state.session_alive(key(n), now));
        }
    }
}

/// The peers that the store was told are seen.
fn seen(story: &mut Story) -> Vec<PeerId> {
    let writes = std::mem::take(&mut story.writes).into_iter();
    let mut seen: Vec<PeerId> = writes
        .filter_map(|(_, write)| if let StoreOp::Seen { peer, .. } = write { Some(peer) } else { None })
        .collect();
    seen.sort();
    seen
}

#[test]
fn online_contacts_are_seen_again_every_ten_minutes() {
    let mut story = started(&[(1, 5001, None), (2, 5002, None), (3, 5009, None)]);
    story.holds_writes = true;
    later_online(&mut story, seconds(5));
    let mut both = [PeerId::Key(key(1)), PeerId::Key(key(2))];
    both.sort();
    let first = seen(&mut story);
    assert!(both.iter().all(|id| first.contains(id)) && !first.contains(&PeerId::Key(key(3))), "{first:?}");
    later_online(&mut story, SEEN_INTERVAL - seconds(10));
    assert_eq!(seen(&mut story), []);
    for _ in 0..2 {
        // A ping wakes the program within a quarter of a minute.
        later_online(&mut story, seconds(30));
        assert_eq!(seen(&mut story), both);
        later_online(&mut story, SEEN_INTERVAL - seconds(30));
        assert_eq!(seen(&mut story), []);
    }
}

#[test]
fn unblocked_contact_keeps_its_row_number() {
    let mut story = started(&[(1, 5001, Some(DAY)), (2, 5002, None)]);
    let number = |story: &Story| {
        let rows = story.state.rows(story.now);
        rows.iter().find(|row| row.id == key(1).into()).map(|row| (row.number, row.last_heard))
    };
    let before = number(&story);
    assert_eq!(before, Some((1, Some(DAY))));
    for _ in 0..2 {
        story.does(Command::Block(key(1).into()));
        assert_eq!(number(&story), None);
        story.does(Command::Unblock(key(1).into()));
        assert_eq!(number(&story), before);
    }
    // A contact that is forgotten and added again is new.
    story.does(Command::Block(key(1).into()));
    story.does(Command::Forget(key(1).into()));
    assert_eq!(story.dials_in(1, "Ann", 5001), Ok(()));
    assert_eq!(number(&story), Some((3, Some(Duration::ZERO))));
}

#[test]
fn earlier_blocked_contact_keeps_its_last_seen() {
    let pins = vec![Pin { blocked: true, ..pin(1, 5001) }];
    let mut story = Story::with(CoreConfig { pins, ..super::keys::alice() });
    let blocked = KnownContact { blocked: true, ..known(1, Some(DAY)) };
    story.feeds(|state, now| state.start(Vec::new(), vec![blocked], now).1);
    assert_eq!(story.state.rows(story.now), []);
    story.later(seconds(60));
    story.does(Command::Unblock(key(1).into()));
    let rows = story.state.rows(story.now);
    assert_eq!(rows.iter().map(|row| row.last_heard).collect::<Vec<_>>(), [Some(DAY + seconds(60))]);
}

#[test]
fn added_contact_is_listed_and_dialed() {
    let mut story = Story::new();
    let bob = record(PeerId::Key(key(BOBS)), Some("Bob"));
    let contact = |blocked| ContactRecord { blocked, addrs: vec![at(5001)], ..bob.clone() };
    story.does(Command::SetContact { contact: contact(false), date: 0 });
    assert!(matches!(&story.told()[..], [Event::Decided(Decision::Added(_, true)), Event::Settled(_)]));
    story.later(seconds(1));
    assert_eq!(dialed(&story), [5001]);
    // The file says that the contact is blocked.
    story.does(Command::SetContact { contact: contact(true), date: 0 });
    assert_eq!(story.state(5001), None);
    story.does(Command::Unblock(key(BOBS).into()));
    assert_eq!(story.state(5001), Some(PresenceStatus::Offline));
    let legacy = plain::peer_at(at(5002).plain().unwrap());
    story.does(Command::SetContact { contact: record(legacy, Some("Bob")), date: 0 });
    assert_eq!(story.state(5002), Some(PresenceStatus::Offline));
}

#[test]
fn edited_entry_of_blocked_stranger_makes_no_contact() {
    let mut story = Story::new();
    let legacy = plain::peer_at(at(5002).plain().unwrap());
    for id in [PeerId::Key(key(BOBS)), legacy] {
        let contact = ContactRecord { blocked: true, stranger: true, ..record(id, Some("Bob")) };
        story.does(Command::SetContact { contact, date: 0 });
        story.does(Command::Unblock(Recipient::from(id).into()));
        assert!(!story.state.book().is_contact(id.into()), "{id:?}");
    }
}

#[test]
fn list_probes_online_peers_and_few_offline_contacts() {
    let contacts: Vec<(u8, u16, Option<Duration>)> =
        (1..=99).map(|n| (n, 5_000 + u16::from(n), Some(DORMANT_AFTER + DAY * u32::from(n)))).collect();
    let mut story = started(&contacts);
    assert_eq!(story.dials_in(99, "Bob", 5_099), Ok(()));
    // Whether he can be dialed is checked once, whichever peer lists him.
    assert_eq!(dialed(&story), [5_099]);
    story.session_requests.clear();
    story.does(Command::List);
    let ports = dialed(&story);
    assert_eq!(ports.len(), 65, "{ports:?}");
    assert!(ports.contains(&5_099) && ports.contains(&5_001) && !ports.contains(&5_098), "{ports:?}");
}

#[test]
fn connect_makes_only_named_peers_contacts() {
    let mut story = Story::new();
    story.gets(5003, text("hi"));
    story.ends(5003, &SendResult::HandedOver);
    for (n, port) in [(1, 5001), (2, 5002)] {
        assert_eq!(story.dials_in(n, "Bob", port), Ok(()));
    }
    let is_contact = |story: &Story| {
        let rows = story.state.rows(story.now);
        rows.iter().map(|row| (row.addr.unwrap().port(), row.contact)).collect::<Vec<_>>()
    };
    let ends = |story: &mut Story| {
        while !story.session_requests.is_empty() {
            let request = &story.session_requests[0];
            let (key, port) = (request.expect.unwrap(), request.addrs[0].port());
            let hello = met(1, port).hello;
            story.request_ends(Some(super::keys::Met { key, hello }), RequestEnd::Answered);
        }
        story.ends(5003, &SendResult::HandedOver);
    };
    story.does(Command::Connect(Target::All));
    ends(&mut story);
    assert_eq!(is_contact(&story), [(5003, false), (5001, false), (5002, false)]);
    story.does(Command::Connect(Target::These(vec![Recipient::key(key(2)), legacy(at(5003))])));
    ends(&mut story);
    assert_eq!(is_contact(&story), [(5003, true), (5001, false), (5002, true)]);
}

#[test]
fn stranger_is_stored_before_a_message_to_all() {
    let mut story = Story::new();
    assert_eq!(story.dials_in(1, "Bob", 5001), Ok(()));
    story.holds_writes = true;
    story.does(Command::Send { to: Target::All, message: message(1) });
    let writes = story.writes.iter().map(|(_, write)| write);
    let kinds: Vec<&str> = writes
        .map(|write| match write {
            StoreOp::Seen { .. } => "seen",
            StoreOp::Outgoing { .. } => "message",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["seen", "message"], "a crash between them leaves no message for an unknown key");
}

#[test]
fn contact_that_dials_us_is_dialed_once() {
    let mut story = started(&[(1, 5001, None)]);
    story.later(seconds(1));
    story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
    assert_eq!(story.dials_in(1, "Bob", 5001), Ok(()));
    let is_one_way = |story: &Story| story.state.rows(story.now)[0].is_one_way;
    assert!(!is_one_way(&story));
    let check = story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
    assert_eq!((check.say, check.addrs), (Request::Open, vec![at(5001)]));
    assert!(is_one_way(&story) && story.session_requests.is_empty());
    assert_eq!(story.state(5001), Some(PresenceStatus::Connected), "its session stands");
    // Messages go over that session, and no dial is needed.
    story.does(Command::Send { to: Target::These(vec![key(1).into()]), message: message(1) });
    assert!(matches!(story.session_requests[0].say, Request::Messages(_)));
}

#[test]
fn stranger_that_becomes_a_contact_is_checked_once() {
    let bob = Recipient::key(key(BOBS));
    let record = record(PeerId::Key(key(BOBS)), None);
    let becomes: [fn(&mut Story, ContactRecord); 4] = [
        |story, record| {
            let to = Target::These(vec![record.id.into()]);
            story.does(Command::Send { to, message: message(1) });
        },
        |story, _| {
            story.does(Command::Verify { key: key(BOBS), date: 7 });
        },
        |story, record| {
            story.does(Command::SetContact { contact: record, date: 7 });
        },
        |story, record| {
            story.does(Command::SetAlias(record.id.into(), Some("Chief".parse().unwrap())));
            story.sign_of_life(BOBS);
        },
    ];
    for becomes_contact in becomes {
        let mut story = Story::new();
        assert_eq!(story.dials_in(BOBS, "Bob", 5001), Ok(()));
        story.later(seconds(60));
        assert!(story.session_requests.is_empty(), "a stranger is not dialed: {:?}", story.session_requests);
        becomes_contact(&mut story, record.clone());
        let check = story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
        assert_eq!((check.say, check.addrs), (Request::Open, vec![at(5001)]));
        assert!(story.state.rows(story.now)[0].is_one_way);
        assert_eq!(story.state(5001), Some(PresenceStatus::Connected), "its session stands");
        for n in 2..4 {
            story.does(Command::Send { to: Target::These(vec![bob]), message: message(n) });
            while !story.session_requests.is_empty() {
                story.takes_messages();
            }
        }
    }
}

#[test]
fn peer_that_we_dialed_is_not_checked() {
    let mut story = Story::new();
    story.knows_bob(5001);
    story.does(Command::Verify { key: key(BOBS), date: 7 });
    assert!(story.session_requests.is_empty(), "{:?}", story.session_requests);
}

#[test]
fn static_contact_keeps_its_last_seen_time() {
    let printer = plain::peer_at(at(5002).plain().unwrap());
    let mut story = Story::with(CoreConfig { pins: vec![pin(1, 5001)], ..super::keys::alice() });
    let peers = [5001, 5002, 5003].map(|port| StaticPeer::at(at(port)));
    let printer = KnownContact {
        id: printer,
        name: Some(PeerName::new("Printer")),
        last_seen: Some(DAY * 2),
        blocked: false,
        stranger: false,
        muted: false,
    };
    story.feeds(|state, now| state.start(peers.into(), vec![known(1, Some(DAY)), printer], now).1);
    let rows = story.state.rows(story.now);
    let shown: Vec<_> =
        rows.iter().map(|row| (row.name.as_ref().map(PeerName::as_str), row.last_heard)).collect();
    assert_eq!(shown, [(Some("Bob"), Some(DAY)), (Some("Printer"), Some(DAY * 2)), (None, None)]);
    assert!(rows.iter().all(|row| row.origin == PeerOrigin::Static));
}
