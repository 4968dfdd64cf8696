//! Peers that announce themselves on the local network.

use super::keys::{BOBS, Met, alice, key, met};
use super::*;
use crate::model::session::{ByeReason, Request, RequestEnd};

const BOB_AT: u16 = 5_001;

/// How long after its announcement the user is told about a stranger.
const TELL_AFTER: Duration = Duration::from_secs(2);

fn discovering(policy: Policy, mode: DiscoveryMode) -> Story {
    Story::with(CoreConfig { policy, discovery: mode, ..alice() })
}

fn open() -> Story {
    discovering(Policy::AcceptNew, DiscoveryMode::On)
}

/// A peer with this key announces itself at this port.
fn found(n: u8, port: u16) -> Found {
    Found { key: key(n), name: Some(PeerName::new("Bob")), addrs: vec![at(port)] }
}

impl Story {
    fn discovers(&mut self, found: Found) {
        self.feeds(|state, now| state.discovered(found, now));
    }

    fn loses(&mut self, n: u8) {
        self.feeds(|state, now| state.undiscovered(key(n), now));
    }

    /// The origin of the row of a key.
    fn origin(&self, n: u8) -> Option<PeerOrigin> {
        let rows = self.state.rows(self.now);
        rows.iter().find(|row| row.id == Recipient::key(key(n))).map(|row| row.origin)
    }

    /// How many strangers on the network the user was told about by name, how many were only
    /// counted, and how many lines that takes.
    fn told_of_network(&mut self) -> (usize, usize, usize) {
        let (mut named, mut counted, mut lines) = (0, 0, 0);
        for event in self.told() {
            let Event::OnNetwork { first, more } = event else { panic!("{event:?}") };
            named += first.len();
            counted += more;
            lines += if more == 0 { first.len() } else { 1 };
        }
        (named, counted, lines)
    }

    /// The ports that are dialed.
    fn dialed(&self) -> Vec<u16> {
        self.session_requests.iter().map(|request| request.addrs[0].port()).collect()
    }
}

#[test]
fn discovered_stranger_is_dialed_with_its_key_expected() {
    let mut story = open();
    story.discovers(found(BOBS, BOB_AT));
    assert_eq!((story.told(), story.state.rows(story.now)), (Vec::new(), Vec::new()), "only a hint");
    let request = story.request_ends(Some(met(BOBS, BOB_AT)), RequestEnd::Answered);
    assert_eq!(
        (request.expect, request.addrs, request.say),
        (Some(key(BOBS)), vec![at(BOB_AT)], Request::Open)
    );
    assert!(matches!(story.told()[..], [Event::Pinned { is_online: true, .. }]));
    assert_eq!(story.origin(BOBS), Some(PeerOrigin::Lan));
    // The announcement comes again, and the session is there.
    story.discovers(found(BOBS, BOB_AT));
    assert!(story.dialed().is_empty());
}

#[test]
fn peer_dialing_first_is_of_the_lan() {
    let mut story = open();
    story.dials_in(BOBS, "Bob", BOB_AT).unwrap();
    assert_eq!(story.origin(BOBS), Some(PeerOrigin::Heard));
    story.discovers(found(BOBS, BOB_AT));
    assert_eq!(story.origin(BOBS), Some(PeerOrigin::Lan));
}

#[test]
fn link_local_addresses_are_the_last_choice() {
    let mut story = open();
    let local = PeerAddr::of("[fe80::7%2]:5001".parse().unwrap()).unwrap();
    let other = PeerAddr::new(LAN, BOB_AT).unwrap();
    story.discovers(Found { addrs: vec![local, other], ..found(BOBS, BOB_AT) });
    story.discovers(Found { addrs: vec![local], ..found(2, BOB_AT) });
    let dialed: Vec<_> = story.session_requests.iter().map(|request| request.addrs.clone()).collect();
    assert_eq!(dialed, [[other], [local]]);
}

#[test]
fn own_key_and_addresses_are_never_dialed() {
    let mut story = open();
    story.discovers(found(100, BOB_AT));
    story.discovers(found(BOBS, 5_000));
    assert_eq!((story.dialed(), story.state.under_way().jobs), (vec![], 0));
    story.discovers(Found { addrs: vec![at(5_000), at(BOB_AT)], ..found(BOBS, BOB_AT) });
    assert_eq!(story.dialed(), [BOB_AT]);
}

#[test]
fn failed_dial_tells_nothing() {
    for end in [RequestEnd::NoSession, RequestEnd::WrongKey(key(9)), RequestEnd::Broken] {
        let mut story = open();
        story.discovers(found(BOBS, BOB_AT));
        story.request_ends(None, end);
        assert_eq!((story.told(), story.dialed()), (Vec::new(), vec![]));
        assert_eq!((story.under_way.len(), story.state.rows(story.now).len()), (0, 0));
    }
}

#[test]
fn silent_discovered_peer_is_dialed_a_few_times() {
    let mut story = open();
    story.discovers(found(BOBS, BOB_AT));
    let mut dials = 0;
    for _ in 0..600 {
        while !story.session_requests.is_empty() {
            story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
            dials += 1;
        }
        story.later(seconds(1));
    }
    assert_eq!(dials, 6);
    // It announces itself again, and answers.
    story.discovers(found(BOBS, BOB_AT));
    story.request_ends(Some(met(BOBS, BOB_AT)), RequestEnd::Answered);
    assert!(matches!(story.told()[..], [Event::Pinned { is_online: true, .. }]));
}

#[test]
fn forged_announcement_changes_nothing_about_a_contact() {
    let mut story = open();
    story.knows_bob(BOB_AT);
    story.bob_leaves();
    story.told();
    let before = story.state.rows(story.now);
    story.discovers(found(BOBS, 6_666));
    assert_eq!(story.dialed(), [6_666]);
    story.request_ends(None, RequestEnd::WrongKey(key(9)));
    assert_eq!((story.told(), story.under_way.len()), (Vec::new(), 0));
    let after = story.state.rows(story.now);
    assert_eq!((after[0].state, after[0].why), (before[0].state, before[0].why));
}

#[test]
fn forged_address_does_not_replace_the_true_one() {
    let mut story = discovering(Policy::Strict, DiscoveryMode::On);
    story.discovers(found(BOBS, BOB_AT));
    story.discovers(found(BOBS, 6_666));
    story.does(Command::SetPolicy(Policy::AcceptNew));
    assert_eq!(story.session_requests[0].addrs, [at(6_666), at(BOB_AT)]);
}

#[test]
fn cautious_policies_tell_once_and_dial_nobody() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = discovering(policy, DiscoveryMode::On);
        story.discovers(found(BOBS, BOB_AT));
        assert_eq!(story.told(), [], "it may dial us");
        story.later(TELL_AFTER);
        let told = story.told();
        let [Event::OnNetwork { first, more: 0 }] = &told[..] else { panic!("{told:?}") };
        let [who] = &first[..] else { panic!("{first:?}") };
        assert_eq!((who.id, who.addr), (Recipient::key(key(BOBS)), Some(at(BOB_AT))));
        assert_eq!(who.name, Some(PeerName::new("Bob")));
        story.loses(BOBS);
        story.discovers(found(BOBS, BOB_AT));
        story.later(TELL_AFTER);
        assert_eq!((story.told(), story.dialed()), (Vec::new(), vec![]));
        // The user wants it.
        assert_eq!(story.state.book().discovered_strangers().len(), 1);
        story.does(Command::Connect(Target::These(vec![Recipient::key(key(BOBS))])));
        assert_eq!((story.dialed(), story.session_requests[0].expect), (vec![BOB_AT], Some(key(BOBS))));
        assert_eq!(story.under_way.len(), 0, "nothing unencrypted");
    }
}

#[test]
fn stranger_that_dials_us_gets_one_line() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = discovering(policy, DiscoveryMode::On);
        story.discovers(found(BOBS, BOB_AT));
        assert!(story.dials_in(BOBS, "Bob", BOB_AT).is_err());
        let told = story.told();
        assert!(matches!(told[..], [Event::PeerRequest(_) | Event::RefusedStranger(_)]), "{told:?}");
        story.discovers(found(BOBS, BOB_AT));
        story.later(TELL_AFTER);
        assert_eq!(story.told(), []);
    }
}

#[test]
fn connecting_to_a_discovered_stranger_accepts_it() {
    for policy in [Policy::Ask, Policy::Strict] {
        for hello in [met(BOBS, BOB_AT).hello, None] {
            let mut story = discovering(policy, DiscoveryMode::On);
            story.discovers(found(BOBS, BOB_AT));
            let bob = Recipient::key(key(BOBS));
            story.does(Command::Connect(Target::These(vec![bob])));
            let end = match hello {
                Some(_) => RequestEnd::Answered,
                // Its user has not accepted us.
                None => RequestEnd::Bye(ByeReason::NotDecided),
            };
            story.request_ends(Some(Met { key: key(BOBS), hello }), end);
            let told = story.told();
            assert!(!told.iter().any(|event| matches!(event, Event::PeerRequest(_))), "{told:?}");
            assert!(story.state.book().is_contact(bob), "{policy:?}");
            assert_eq!(story.state.book().who(bob).name, Some(PeerName::new("Bob")));
            assert_eq!(story.dials_in(BOBS, "Bob", BOB_AT), Ok(()));
        }
    }
}

#[test]
fn connecting_accepts_a_waiting_stranger() {
    let mut story = discovering(Policy::Ask, DiscoveryMode::On);
    story.discovers(found(BOBS, BOB_AT));
    assert!(story.dials_in(BOBS, "Bob", BOB_AT).is_err());
    story.does(Command::Connect(Target::These(vec![Recipient::key(key(BOBS))])));
    assert!(story.told().iter().any(|event| matches!(event, Event::Decided(Decision::Trusted(..)))));
    assert_eq!(story.state.trusted().requests().0, []);
    assert_eq!(story.dials_in(BOBS, "Bob", BOB_AT), Ok(()));
}

#[test]
fn connecting_to_an_impostor_is_a_key_change() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = open();
        story.knows_bob(5_002);
        story.does(Command::SetPolicy(policy));
        story.discovers(found(9, BOB_AT));
        story.told();
        story.does(Command::Connect(Target::These(vec![Recipient::key(key(9))])));
        story.session_requests.retain(|request| request.expect == Some(key(9)));
        story.request_ends(Some(met(9, BOB_AT)), RequestEnd::Answered);
        assert!(!story.state.book().is_contact(Recipient::key(key(9))), "{policy:?}");
        assert_eq!(story.state.trusted().requests().0[0].against.len(), 1);
    }
}

#[test]
fn wrong_key_at_announced_address_blames_the_announcement() {
    for is_bobs in [false, true] {
        let mut story = open();
        story.knows_bob(BOB_AT);
        story.does(Command::SetPolicy(Policy::Ask));
        story.discovers(Found { name: Some(PeerName::new("Zoe")), ..found(9, 6_666) });
        story.told();
        story.does(Command::Connect(Target::These(vec![Recipient::key(key(9))])));
        let proven = if is_bobs { BOBS } else { 8 };
        story.session_requests.retain(|request| request.expect == Some(key(9)));
        story.request_ends(None, RequestEnd::WrongKey(key(proven)));
        let told = story.told();
        let [Event::WrongAnnouncement { who, addr, by }, Event::Done { .. }, ..] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!((who.name.clone(), *addr), (Some(PeerName::new("Zoe")), at(6_666)));
        assert_eq!(by.as_ref().map(|by| by.id), is_bobs.then(|| key(BOBS).into()));
    }
}

#[test]
fn undecided_peer_gets_one_line() {
    for reason in [ByeReason::NotDecided, ByeReason::NotAccepted] {
        let mut story = open();
        story.discovers(found(BOBS, BOB_AT));
        story.request_ends(Some(Met { key: key(BOBS), hello: None }), RequestEnd::Bye(reason));
        let told = story.told();
        let [Event::TurnedAway(who, told_reason, Some(_))] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&who.name, *told_reason), (&Some(PeerName::new("Bob")), reason));
        story.later(seconds(5));
        assert_eq!(story.told(), []);
    }
    // It has accepted us.
    let mut story = open();
    story.discovers(found(BOBS, BOB_AT));
    let proven = Met { key: key(BOBS), hello: None };
    story.request_ends(Some(proven), RequestEnd::Bye(ByeReason::NotDecided));
    story.told();
    story.dials_in(BOBS, "Bob", BOB_AT).unwrap();
    while !story.session_requests.is_empty() {
        story.request_ends(Some(met(BOBS, BOB_AT)), RequestEnd::Answered);
    }
    let told = story.told();
    assert!(matches!(told[..], [Event::Online(_)]), "{told:?}");
}

#[test]
fn announced_contact_is_dialed_ever_more_rarely() {
    for is_removed in [false, true] {
        let mut story = open();
        story.knows_bob(BOB_AT);
        story.bob_leaves();
        let mut dialed = 0;
        for n in 0..100 {
            story.discovers(found(BOBS, 6_000 + n));
            while !story.session_requests.is_empty() {
                let request = story.request_ends(None, RequestEnd::NoSession);
                dialed += usize::from(request.addrs[0].port() >= 6_000);
            }
            if is_removed {
                story.loses(BOBS);
            }
            story.later(seconds(1));
        }
        assert!((6..=8).contains(&dialed), "{dialed}");
        // There is no announcement for a while, and the next one is dialed at once.
        story.loses(BOBS);
        story.later(seconds(180));
        story.session_requests.clear();
        story.discovers(found(BOBS, 7_000));
        assert_eq!(story.dialed(), [7_000]);
        story.request_ends(None, RequestEnd::NoSession);
        story.discovers(found(BOBS, 7_001));
        story.later(seconds(1));
        assert!(story.dialed().contains(&7_001), "{:?}", story.dialed());
    }
}

#[test]
fn removed_announcement_is_not_dialed_again() {
    let mut story = open();
    story.discovers(found(BOBS, BOB_AT));
    story.loses(BOBS);
    story.request_ends(None, RequestEnd::Unreachable(SendError::TimedOut));
    story.later(seconds(600));
    assert_eq!((story.dialed(), story.state.book().discovered_strangers()), (vec![], Vec::new()));
}

#[test]
fn blocked_announced_stranger_is_not_shown() {
    let mut story = discovering(Policy::Ask, DiscoveryMode::On);
    story.discovers(found(BOBS, BOB_AT));
    let bob = record(PeerId::Key(key(BOBS)), Some("Bob"));
    let contact = ContactRecord { blocked: true, stranger: true, ..bob };
    story.does(Command::SetContact { contact, date: 1_000 });
    assert!(matches!(story.told()[..], [Event::Decided(Decision::Blocked(_)), Event::Settled(_)]));
    story.loses(BOBS);
    story.discovers(found(BOBS, BOB_AT));
    story.later(TELL_AFTER);
    assert_eq!((story.told(), story.state.book().discovered_strangers()), (vec![], vec![]));
    // A stranger again, it is shown again.
    story.does(Command::Unblock(key(BOBS).into()));
    assert_eq!(story.state.trusted().pin(key(BOBS)), None);
    story.told();
    story.discovers(found(BOBS, BOB_AT));
    story.later(TELL_AFTER);
    assert_eq!(story.told_of_network(), (1, 0, 1));
}

#[test]
fn contacts_mode_dials_contacts_only() {
    let mut story = discovering(Policy::AcceptNew, DiscoveryMode::Contacts);
    story.knows_bob(BOB_AT);
    story.bob_leaves();
    story.discovers(found(2, 5_002));
    assert_eq!((story.dialed(), story.told().len()), (vec![], 1));
    story.discovers(found(BOBS, 5_003));
    assert_eq!(story.dialed(), [5_003]);
}

#[test]
fn stranger_is_dialed_once_it_becomes_a_contact() {
    let mut story = discovering(Policy::Ask, DiscoveryMode::Contacts);
    story.discovers(found(BOBS, BOB_AT));
    story.later(TELL_AFTER);
    let told = story.told();
    assert!(story.dialed().is_empty() && matches!(told[..], [Event::OnNetwork { .. }]), "{told:?}");
    let contact = record(PeerId::Key(key(BOBS)), None);
    story.does(Command::SetContact { contact, date: 1_000 });
    assert!(story.dialed().contains(&BOB_AT));
}

#[test]
fn nothing_is_dialed_if_discovery_is_off() {
    let mut story = discovering(Policy::AcceptNew, DiscoveryMode::Off);
    story.discovers(found(BOBS, BOB_AT));
    assert_eq!((story.dialed(), story.state.book().discovered_strangers()), (vec![], Vec::new()));
    // It was switched off while a dial was under way.
    let mut story = open();
    story.discovers(found(BOBS, BOB_AT));
    story.state.set_discovery_mode(DiscoveryMode::Off);
    story.request_ends(None, RequestEnd::NoSession);
    assert!(story.dialed().is_empty());
}

#[test]
fn removal_causes_a_ping_and_nothing_else() {
    let mut story = open();
    story.loses(BOBS);
    assert!(story.dialed().is_empty());
    story.discovers(found(BOBS, BOB_AT));
    story.request_ends(Some(met(BOBS, BOB_AT)), RequestEnd::Answered);
    story.told();
    story.loses(BOBS);
    assert_eq!((story.session_requests.remove(0).say, story.told()), (Request::Ping, Vec::new()));
    assert_eq!(story.state(BOB_AT), Some(PresenceStatus::Connected));
    story.session_breaks(BOBS);
    let dialed = story.session_requests.len();
    story.loses(BOBS);
    assert_eq!(story.session_requests.len(), dialed, "without a session there is nothing to ping");
}

#[test]
fn announcement_at_another_address_causes_a_ping() {
    let mut story = open();
    story.discovers(found(BOBS, BOB_AT));
    story.request_ends(Some(met(BOBS, BOB_AT)), RequestEnd::Answered);
    story.discovers(found(BOBS, BOB_AT));
    assert!(story.session_requests.is_empty());
    story.discovers(found(BOBS, 5_009));
    assert_eq!(story.session_requests.remove(0).say, Request::Ping);
    // The session is over, and the peer is dialed at its new address, as soon as a stranger may be.
    story.session_breaks(BOBS);
    story.later(seconds(10));
    assert!(story.session_requests.iter().any(|request| request.addrs.contains(&at(5_009))));
}

#[test]
fn announcements_are_dialed_a_few_at_a_time() {
    let mut story = open();
    for n in 1..=50 {
        story.discovers(found(n, 6_000 + u16::from(n)));
    }
    assert_eq!(story.dialed().len(), 32);
    story.request_ends(None, RequestEnd::NoSession);
    assert_eq!((story.dialed().len(), story.dialed()[31]), (32, 6_033));
    // An address that was dialed just now waits, whatever key is announced there.
    story.discovers(found(60, 6_001));
    while !story.session_requests.is_empty() {
        assert!(story.dialed().len() <= 32);
        story.request_ends(None, RequestEnd::NoSession);
    }
    assert_eq!(story.state.under_way().jobs, 0);
    story.later(seconds(10));
    assert_eq!(story.dialed(), [6_001]);
}

#[test]
fn few_discovered_strangers_have_sessions() {
    let mut story = open();
    for n in 1..=99 {
        story.discovers(found(n, 6_000 + u16::from(n)));
        if !story.session_requests.is_empty() {
            story.request_ends(Some(met(n, 6_000 + u16::from(n))), RequestEnd::Answered);
        }
    }
    assert_eq!(story.state.online_count(), 64);
    assert!(story.dialed().is_empty());
    // One leaves, and another gets its place.
    story.bob_leaves();
    assert_eq!(story.dialed(), [6_065]);
}

#[test]
fn table_of_announcements_is_bounded() {
    let mut story = discovering(Policy::Strict, DiscoveryMode::On);
    for n in 0..1_500_u32 {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        story.discovers(Found { key: PublicKey::new(bytes), ..found(BOBS, BOB_AT) });
    }
    assert_eq!(story.state.book().discovered_strangers().len(), MAX_PEERS - MAX_CONTACTS);
    story.later(TELL_AFTER);
    assert_eq!(story.told_of_network(), (3, MAX_PEERS - MAX_CONTACTS - 3, 1));
}

#[test]
fn newcomer_after_a_burst_is_named() {
    for policy in [Policy::Ask, Policy::Strict] {
        let mut story = discovering(policy, DiscoveryMode::On);
        // Key 100 is Alice's.
        for n in 101..=250 {
            story.discovers(found(n, 6_000 + u16::from(n)));
            story.later(Duration::from_millis(10));
        }
        story.later(seconds(60));
        let (named, counted, lines) = story.told_of_network();
        assert_eq!(named + counted, 150);
        assert!(lines <= 5, "{lines}");
        story.discovers(found(BOBS, BOB_AT));
        story.later(TELL_AFTER);
        let told = story.told();
        let [Event::OnNetwork { first, more: 0 }] = &told[..] else { panic!("{told:?}") };
        assert_eq!(first[0].id, Recipient::key(key(BOBS)));
    }
}

#[test]
fn endless_announcements_print_ever_fewer_lines() {
    let mut story = discovering(Policy::Ask, DiscoveryMode::On);
    for n in 0..3_600_u32 {
        let mut bytes = [7; 32];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        story.discovers(Found { key: PublicKey::new(bytes), ..found(BOBS, BOB_AT) });
        story.later(seconds(1));
    }
    let (named, counted, lines) = story.told_of_network();
    assert!(named + counted > 3_500, "{named} + {counted}");
    assert!((60..=75).contains(&lines), "{lines}");
}

#[test]
fn nameless_announcements_of_one_address_are_told_once() {
    let mut story = discovering(Policy::Ask, DiscoveryMode::On);
    for n in 1..=9 {
        story.discovers(Found { name: None, ..found(n, BOB_AT) });
    }
    story.discovers(Found { name: None, ..found(11, 5_002) });
    story.later(TELL_AFTER);
    assert_eq!(story.told_of_network(), (2, 0, 2));
    story.discovers(Found { name: None, ..found(12, BOB_AT) });
    story.later(seconds(60));
    assert_eq!(story.told_of_network(), (0, 0, 0));
}

#[test]
fn stranger_is_not_told_again_on_another_network() {
    let mut story = discovering(Policy::Ask, DiscoveryMode::On);
    story.discovers(found(BOBS, BOB_AT));
    story.later(TELL_AFTER);
    assert_eq!(story.told_of_network(), (1, 0, 1));
    story.state.set_discovery_mode(DiscoveryMode::On);
    assert_eq!(story.state.book().discovered_strangers(), Vec::new());
    story.discovers(found(BOBS, 5_003));
    story.later(TELL_AFTER);
    assert_eq!(story.told_of_network(), (0, 0, 0));
}
