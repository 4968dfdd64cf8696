use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;
use crate::core::ids::JobId;
use crate::core::presence::ProbeResult;
use crate::core::probe_limiter::Turn;
use crate::model::address::Claimed;
use crate::model::message::{Body, SendResult};

fn addr(n: usize) -> PeerAddr {
    let n = u32::try_from(n).unwrap();
    PeerAddr::new(Ipv4Addr::from_bits(0x7f00_0001 + n), 5000).unwrap()
}

fn add(peers: &mut Peers, addr: PeerAddr, origin: PeerOrigin, now: Time) -> bool {
    peers.add(addr.into(), addr, origin, now)
}

/// A peer answers a probe.
fn answers(peers: &mut Peers, addr: PeerAddr, now: Time) {
    peers.observed(addr.into(), &SendResult::HandedOver, ProbeResult::Dialed, false, now);
}

/// A peer says goodbye.
fn leaves(peers: &mut Peers, addr: PeerAddr, now: Time) {
    peers.said_goodbye(addr.into(), Goodbye::Session, JobId(0), now);
}

fn now() -> Time {
    Time::default()
}

#[test]
fn full_table_evicts_claims_and_no_static_peer() {
    let mut peers = Peers::default();
    add(&mut peers, addr(0), PeerOrigin::Static, now());
    for n in 1..MAX_PEERS {
        add(&mut peers, addr(n), PeerOrigin::Heard, now());
    }
    for n in 1..MAX_PEERS {
        if n != 7 && n != 9 {
            answers(&mut peers, addr(n), now());
        }
    }
    for (newcomer, evicted) in [(1, 7), (2, 9)] {
        assert!(add(&mut peers, addr(MAX_PEERS + newcomer), PeerOrigin::Heard, now()));
        answers(&mut peers, addr(MAX_PEERS + newcomer), now());
        assert_eq!(peers.len(), MAX_PEERS);
        assert!(peers.peer(addr(evicted).into()).is_none());
    }
    // No row is a mere claim any more: offline peers go first, then the oldest.
    leaves(&mut peers, addr(5), now());
    for (newcomer, evicted) in [(3, 5), (4, 1)] {
        assert!(add(&mut peers, addr(MAX_PEERS + newcomer), PeerOrigin::Heard, now()));
        answers(&mut peers, addr(MAX_PEERS + newcomer), now());
        assert!(peers.peer(addr(evicted).into()).is_none());
    }
    assert!(peers.peer(addr(0).into()).is_some());
}

#[test]
fn peer_heard_least_recently_is_evicted_first() {
    let mut peers = Peers::default();
    let at = |port| PeerAddr::new(Ipv4Addr::new(10, 0, 0, 1), port).unwrap();
    let all = u16::try_from(MAX_PEERS_PER_IP).unwrap();
    for port in 1..=all {
        add(&mut peers, at(port), PeerOrigin::Heard, now());
        let heard = now().plus(Duration::from_secs(if port == 1 { 9_999 } else { u64::from(port) }));
        answers(&mut peers, at(port), heard);
    }
    for evicted in [2, 3] {
        let newcomer = at(all + evicted);
        add(&mut peers, newcomer, PeerOrigin::Heard, now());
        answers(&mut peers, newcomer, now().plus(Duration::from_secs(9_999)));
        assert!(peers.peer(at(evicted).into()).is_none());
        assert_eq!(peers.len(), MAX_PEERS_PER_IP);
    }
    assert!(peers.peer(at(1).into()).is_some());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Add(usize),
    Remove(usize),
    Rekey(usize, usize),
    Answers(usize),
    Parts(usize),
    Waits(usize, u64),
    Later(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = 0..8_usize;
    let step = prop_oneof![
        4 => n.clone().prop_map(Step::Add),
        2 => n.clone().prop_map(Step::Remove),
        2 => (n.clone(), n.clone()).prop_map(|(from, to)| Step::Rekey(from, to)),
        2 => n.clone().prop_map(Step::Answers),
        2 => n.clone().prop_map(Step::Parts),
        1 => (n, 1..100_u64).prop_map(|(n, turn)| Step::Waits(n, turn)),
        4 => (0..20_000_u64).prop_map(Step::Later),
    ];
    prop::collection::vec(step, 0..100)
}

proptest! {
    #[test]
    fn summaries_match_rows_whatever_happens(steps in steps()) {
        let mut peers = Peers::default();
        let mut now = now();
        for step in steps {
            match step {
                Step::Add(n) => drop(add(&mut peers, addr(n), PeerOrigin::Heard, now)),
                Step::Remove(n) => peers.remove(addr(n).into()),
                Step::Rekey(from, to) => drop(peers.rekey(addr(from).into(), addr(to).into())),
                Step::Answers(n) => {
                    answers(&mut peers, addr(n), now);
                }
                Step::Parts(n) => {
                    leaves(&mut peers, addr(n), now);
                }
                Step::Waits(n, turn) => {
                    peers.waits_for(addr(n).into(), Turn::new(turn));
                }
                Step::Later(millis) => now = now.plus(Duration::from_millis(millis)),
            }
            peers.check();
            let interval = peers.interval();
            let is_due = |peer: &&Peer| peer.wake(interval).is_some_and(|at| at <= now);
            let expected = peers.rows.values().filter(is_due).count();
            let due = peers.take_due(now);
            prop_assert_eq!(due.len(), expected);
            prop_assert!(peers.next_wake().is_none_or(|at| at > now));
            // What is due is done: the peer is probed, and a peer that is gone is removed.
            for id in due {
                if peers.due(id, now).is_some() {
                    peers.probe_begins(id);
                    peers.due_is_done(id, now);
                }
            }
            peers.check();
        }
    }
}

#[test]
fn an_ipv6_network_counts_as_one_machine() {
    let mut peers = Peers::default();
    let at = |network: u16, host: usize| {
        let ip = std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, network, 0, 0, 0, u16::try_from(host).unwrap());
        PeerAddr::new(ip, 5000).unwrap()
    };
    add(&mut peers, at(1, 1), PeerOrigin::Heard, now());
    for host in 1..=MAX_PEERS_PER_IP + 100 {
        add(&mut peers, at(2, host), PeerOrigin::Heard, now());
    }
    assert_eq!(peers.len(), MAX_PEERS_PER_IP + 1);
    assert!(peers.peer(at(1, 1).into()).is_some());
    assert!(peers.peer(at(2, 100).into()).is_none() && peers.peer(at(2, 101).into()).is_some());
}

#[test]
fn a_number_is_given_once() {
    let mut peers = Peers::default();
    add(&mut peers, addr(1), PeerOrigin::Heard, now());
    add(&mut peers, addr(2), PeerOrigin::Heard, now());
    peers.remove(addr(1).into());
    add(&mut peers, addr(1), PeerOrigin::Heard, now());
    let rows: Vec<_> = peers.list(now()).into_iter().map(|row| (row.number, row.addr)).collect();
    assert_eq!(rows, [(2, Some(addr(2))), (3, Some(addr(1)))]);
}

#[test]
fn offline_stranger_is_removed_after_ten_minutes() {
    let mut peers = Peers::default();
    add(&mut peers, addr(1), PeerOrigin::Static, now());
    add(&mut peers, addr(2), PeerOrigin::Heard, now());
    let just_before = now().plus(GONE_SHOWN - Duration::from_millis(1));
    for n in [1, 2] {
        leaves(&mut peers, addr(n), now());
        assert!(peers.due(addr(n).into(), just_before).is_some());
    }
    assert!(peers.due(addr(1).into(), now().plus(GONE_SHOWN)).is_some());
    assert!(peers.due(addr(2).into(), now().plus(GONE_SHOWN)).is_none());
    assert_eq!(peers.ids(), [addr(1).into()]);
}

/// A peer sends `connect`.
fn connects(peers: &mut Peers, id: Recipient, name: Option<&str>, now: Time) -> Option<PresenceNews> {
    let addr = peers.addr(id).unwrap();
    let claimed = Claimed { ip: addr.v4().unwrap(), port: addr.port() };
    let name = name.map(PeerName::new);
    let (source, form) = (addr.source(), Form::STANDARD);
    let message = PlainMessage { source, addr, claimed, form, name, body: &Body::Connect };
    peers.heard_plain(id, message, false, now).unwrap().news
}

#[test]
fn unknown_kind_is_announced_after_two_seconds() {
    let mut peers = Peers::default();
    add(&mut peers, addr(1), PeerOrigin::Heard, now());
    let id = addr(1).into();
    assert_eq!(connects(&mut peers, id, Some("Bob"), now()), None);
    peers.update(id, |peer| peer.presence.answered(ProbeResult::TookConnect, now()));
    assert_eq!(peers.announce(id, false, now().plus(NAME_WITHIN)), None);
    let late = now().plus(KIND_WITHIN);
    assert!(peers.due(id, late).unwrap().announcement);
    assert!(peers.announce(id, false, late).is_some());
}

#[test]
fn claimed_address_is_not_announced() {
    let mut peers = Peers::default();
    add(&mut peers, addr(1), PeerOrigin::Heard, now());
    connects(&mut peers, addr(1).into(), Some("Bob"), now());
    let late = now().plus(KIND_WITHIN);
    assert_eq!(peers.announce(addr(1).into(), true, late), None);
    assert!(peers.announce(addr(1).into(), false, late).is_some());
}
