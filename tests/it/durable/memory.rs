//! `--no-history`: messages are in memory, which has a limit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2p_chat::core::{Command, Event, OpId, Target};
use p2p_chat::mailbox::Mailbox;
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::delivery::{DeliveryStatus, FailureReason, PendingReason, RejectReason};
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::{Assurance, StoreOp};
use p2p_chat::runtime::{Bound, Keeping, Node, NodeConfig};
use p2p_chat::store::in_memory;
use parking_lot::Mutex;

use crate::support::{SOON, nobody};

const MIB: usize = 1024 * 1024;

/// How long messages wait, longer than the test takes.
const EXPIRE: Duration = Duration::from_secs(3_600);

/// A message of so many bytes.
fn message(number: u8, bytes: usize) -> Message {
    Message {
        id: MessageId::new([number; 16]),
        time: 1,
        again: false,
        to_all: false,
        body: "x".repeat(bytes).into(),
    }
}

/// A queued message of an earlier command.
fn queued(number: u8, bytes: usize) -> StoreOp {
    StoreOp::Outgoing {
        to: Recipient::key(PublicKey::new([1; 32])),
        name: None,
        message: message(number, bytes),
        status: DeliveryStatus::Queued(PendingReason::InLine),
        attempted: false,
        assurance: Assurance::Encrypted,
        expires: u64::MAX / 4,
    }
}

/// Waits for the first status of a message.
fn first_status(events: &Mailbox<Event>, of: OpId) -> DeliveryStatus {
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "nothing is told of {of:?}");
        for event in events.take(Some(deadline)) {
            match event {
                Event::Delivery { op, status, is_first: true, .. } if op == of => return status,
                Event::NotStored(why) => panic!("a refused message is no failure of the store: {why}"),
                _ => {}
            }
        }
    }
}

#[test]
fn message_over_the_memory_limit_is_refused() {
    let store = Arc::new(Mutex::new(in_memory().expect("a store")));
    // Each is too long for the outbox, so all of them stay in the store: 40 KiB are left.
    let filling: Vec<StoreOp> = (0..63).map(|number| queued(number, MIB)).collect();
    store.lock().apply(&filling, 1).expect("63 MiB fit");
    store.lock().apply(&[queued(63, MIB - 40 * 1024 - 64 * 512)], 1).expect("it fits");

    let events = Arc::<Mailbox<Event>>::default();
    let config = NodeConfig::new("Alice".parse().expect("a name"), [9; 32]);
    let bound = Bound::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).expect("a port");
    let keeping = Keeping {
        store: Arc::clone(&store),
        reader: Arc::clone(&store),
        durable: false,
        expire: EXPIRE,
        retention: None,
    };
    let mut node = Node::start(bound, config, keeping, &events).expect("a node");
    let addr = nobody();
    let to = || {
        let addr = PeerAddr::of(SocketAddr::V4(addr)).expect("an address");
        Target::These(vec![addr.into()])
    };

    let large = node.command(Command::Send { to: to(), message: message(100, 65_000) });
    let refused = DeliveryStatus::Failed(FailureReason::Rejected(RejectReason::NoMemory));
    assert_eq!(first_status(&events, large), refused);
    assert_eq!(node.waiting(), []);
    let small = node.command(Command::Send { to: to(), message: message(101, 10) });
    assert_eq!(first_status(&events, small), DeliveryStatus::Queued(PendingReason::Unreachable));
    assert_eq!(node.waiting().len(), 1);
    assert_eq!(store.lock().queued().expect("readable").len(), 65, "only the small one was added");

    let deadline = Instant::now() + SOON;
    node.stop(deadline);
    node.write_out(deadline);
}
