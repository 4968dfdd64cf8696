//! Commands settle once, and wait for what they have to.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::core::peer_info::Verification;
use crate::model::address::PeerAddr;
use crate::model::message::SendError;

fn addr(port: u16) -> PeerAddr {
    PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap()
}

fn who(port: u16) -> PeerInfo {
    PeerInfo {
        id: addr(port).into(),
        name: None,
        addr: Some(addr(port)),
        claimed: None,
        verification: Verification::Plain,
    }
}

fn at(millis: u64) -> Time {
    Time::at(Duration::from_millis(millis))
}

fn set(ports: &[u16]) -> HashSet<Recipient> {
    ports.iter().map(|port| addr(*port).into()).collect()
}

const ANSWERED: Probed = Probed { was_asked: true, is_doubtful: false, is_unannounced: false };

#[test]
fn command_settles_with_its_last_recipient() {
    let mut operations = Operations::default();
    let op = operations.spread(CommandKind::Send, false, 3);
    let refused = DeliveryStatus::Failed(FailureReason::NotSent(SendError::Refused));
    for (port, status) in [(1, DeliveryStatus::Delivered), (2, refused.clone())] {
        assert_eq!(operations.finished(op, &who(port), &status), Some((CommandKind::Send, 3)));
        assert_eq!(operations.settle(op), []);
    }
    operations.skipped(op);
    let (kind, failed) = (CommandKind::Send, vec![(who(2), refused)]);
    let sum = Event::Sum { kind, total: 3, done: 1, failed, left_out: LeftOut::default() };
    assert_eq!(operations.settle(op), [sum, Event::Settled(op)]);
    assert_eq!((operations.settle(op), operations.len()), (Vec::new(), 0));
}

#[test]
fn summary_names_a_bounded_number_of_failures() {
    let mut operations = Operations::default();
    let op = operations.spread(CommandKind::Send, false, 2 * MAX_FAILED_NAMED);
    for _ in 0..2 * MAX_FAILED_NAMED {
        operations.finished(op, &who(1), &DeliveryStatus::Unknown);
    }
    let outputs = operations.settle(op);
    assert!(matches!(&outputs[0], Event::Sum { failed, .. } if failed.len() == MAX_FAILED_NAMED));
}

#[test]
fn list_waits_for_conclusive_probes_until_its_deadline() {
    let mut operations = Operations::default();
    let op = operations.list(set(&[1, 2, 3, 4]), 10, at(2_000));
    assert_eq!(operations.next_deadline(), Some(at(2_000)));
    operations.probed(addr(1).into(), JobId(10), ANSWERED);
    operations.probed(addr(2).into(), JobId(12), Probed { is_doubtful: true, ..ANSWERED });
    operations.probed(addr(3).into(), JobId(13), Probed { was_asked: false, ..ANSWERED });
    operations.heard_from(addr(4).into());
    assert_eq!(operations.end_watches(at(1_999)), []);
    assert_eq!(operations.end_watches(at(2_000)), [(op, Ended::List { unasked: 3 })]);
    let op = operations.list(set(&[1]), 10, at(2_000));
    operations.probed(addr(1).into(), JobId(11), ANSWERED);
    assert_eq!(operations.end_watches(at(0)), [(op, Ended::List { unasked: 0 })]);
}

#[test]
fn first_dialing_waits_for_names_of_online_peers() {
    let mut operations = Operations::default();
    let op = operations.start(set(&[1, 2]), BTreeSet::new(), at(2_000));
    operations.probed(addr(1).into(), JobId(1), Probed { is_unannounced: true, ..ANSWERED });
    operations.probed(addr(2).into(), JobId(2), Probed { was_asked: false, ..ANSWERED });
    assert_eq!(operations.end_watches(at(0)), []);
    operations.rename(addr(1).into(), addr(3).into());
    operations.announced(addr(1).into());
    assert_eq!(operations.end_watches(at(0)), []);
    operations.announced(addr(3).into());
    assert_eq!(operations.end_watches(at(0)), [(op, Ended::Start)]);
}

#[test]
fn leaving_tells_goodbye_to_peers_reached_meanwhile() {
    let mut operations = Operations::default();
    let op = operations.leave(at(0));
    operations.leave_with(op, 0, [1, 2, 3].map(JobId).into(), at(500));
    assert_eq!(operations.attempted(JobId(1), false), None);
    operations.goes_on(JobId(2), JobId(4));
    assert_eq!(operations.attempted(JobId(2), true), None);
    let goodbye = Some(LateGoodbye { op, deadline: at(500) });
    assert_eq!(operations.attempted(JobId(4), true), goodbye);
    assert_eq!(operations.introduced(), goodbye);
    // It waits no longer for the attempt that is left, and for the goodbyes however long they take.
    assert_eq!(operations.end_watches(at(500)), []);
    for port in 1..=2 {
        operations.finished(op, &who(port), &DeliveryStatus::Sent);
    }
    assert_eq!(operations.end_watches(at(499)), []);
    assert_eq!(operations.end_watches(at(500)), [(op, Ended::Leave)]);
    assert_eq!(operations.introduced(), None);
}
