//! Messages with their receipts, stored on both sides, compared with the same commits.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use p2p_chat::core::{Command, Event, Target};
use p2p_chat::mailbox::Mailbox;
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::delivery::{DeliveryStatus, PendingReason};
use p2p_chat::model::key::{KEY_BYTES, PublicKey};
use p2p_chat::model::name::Name;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::model::session::Message;
use p2p_chat::model::stored::{Assurance, StoreOp};
use p2p_chat::runtime::{Bound, Keeping, Node, NodeConfig};
use p2p_chat::store::Sqlite;
use parking_lot::Mutex;
use tempfile::TempDir;

use super::corpus::{Corpus, id, rows_of};
use super::disk;
use crate::RUNS;
use crate::common::SOON;
use crate::common::figures::per_second;
use crate::common::program::Program;
use crate::common::table::Compared;

/// Messages that are given at once, and batches of a slice.
const BATCHES: [(usize, usize); 2] = [(1, 40), (64, 8)];

/// Slices of a run, in which both ways take turns: the speed of a disk changes from second to
/// second.
const SLICES: usize = 10;

/// How long messages wait: longer than the benchmark.
const EXPIRE: Duration = Duration::from_secs(3_600);

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut rows = BATCHES.map(|(messages, _)| {
        Compared::new(format!("messages with receipts, {messages} at a time"), "the same commits", "1/s")
    });
    let mut corpus = Corpus::new();
    for _ in 0..RUNS {
        let mut ways: [Box<dyn Way>; 2] = [Box::new(Pair::new()?), Box::new(Commits::new()?)];
        for ((messages, batches), row) in BATCHES.into_iter().zip(&mut rows) {
            let mut times: [Vec<Duration>; 2] = Default::default();
            for slice in 0..=SLICES {
                for (way, times) in ways.iter_mut().zip(&mut times) {
                    for _ in 0..batches {
                        let time = way.send(messages, &mut corpus)?;
                        // The first are slower: memory, and the state of the connection.
                        if slice > 0 {
                            times.push(time);
                        }
                    }
                }
            }
            let [ours, theirs] = times.map(|times| per_second(&times, messages));
            row.add(ours, theirs);
        }
    }
    Ok(rows.into())
}

/// A way to send messages.
trait Way {
    /// Returns the time from the first message until the last has its receipt.
    fn send(&mut self, messages: usize, corpus: &mut Corpus) -> anyhow::Result<Duration>;
}

/// The commits of both sides for messages and their receipts, one after the other.
struct Commits {
    sender: Sqlite,
    receiver: Sqlite,
    next: u64,
    _dir: TempDir,
}

impl Commits {
    fn new() -> anyhow::Result<Self> {
        let dir = disk::dir()?;
        let open = |name| Sqlite::open(&dir.path().join(name));
        Ok(Self { sender: open("sender.db")?, receiver: open("receiver.db")?, next: 0, _dir: dir })
    }
}

impl Way for Commits {
    fn send(&mut self, messages: usize, corpus: &mut Corpus) -> anyhow::Result<Duration> {
        let key = PublicKey::new([1; KEY_BYTES]);
        let to = Recipient::key(key);
        let assurance = Assurance::Encrypted;
        let (mut outgoing, mut statuses, mut incoming) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..messages {
            self.next += 1;
            let message = Message {
                id: id(self.next),
                time: self.next,
                again: false,
                to_all: false,
                body: corpus.text(),
            };
            statuses.push(StoreOp::Status {
                to,
                id: message.id,
                status: DeliveryStatus::Delivered,
                attempted: true,
            });
            outgoing.push(StoreOp::Outgoing {
                to,
                name: None,
                message: message.clone(),
                status: DeliveryStatus::Queued(PendingReason::InLine),
                attempted: false,
                assurance,
                expires: self.next + 1_000_000,
            });
            incoming.push(message);
        }
        let incoming =
            StoreOp::Incoming { from: key, name: None, assurance, stranger: None, messages: incoming };
        let begun = Instant::now();
        self.sender.apply(&outgoing, self.next)?;
        let stored = self.receiver.apply(&[incoming], self.next)?;
        self.sender.apply(&statuses, self.next)?;
        self.receiver.apply(&[StoreOp::MarkShown(rows_of(stored))], self.next)?;
        Ok(begun.elapsed())
    }
}

/// A node in this process, which sends without a prompt, and the released program, which receives.
struct Pair {
    node: Node,
    events: Arc<Mailbox<Event>>,
    program: Program,
    next: u64,
    _dirs: [TempDir; 2],
}

impl Pair {
    fn new() -> anyhow::Result<Self> {
        let dirs = [disk::dir()?, disk::dir()?];
        let program = disk::start_in(&dirs[0])?;
        let path = dirs[1].path().join("history.db");
        let [store, reader] =
            [Sqlite::open(&path)?, Sqlite::reader(&path)?].map(|store| Arc::new(Mutex::new(store)));
        let keeping = Keeping { store, reader, durable: true, expire: EXPIRE, retention: None };
        let events = Arc::<Mailbox<Event>>::default();
        let config = NodeConfig::new("Ann".parse::<Name>().map_err(|_| anyhow!("no name"))?, [9; 32]);
        let bound = Bound::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).map_err(|error| anyhow!("{error}"))?;
        let node = Node::start(bound, config, keeping, &events).map_err(|error| anyhow!("{error}"))?;
        let mut pair = Self { node, events, program, next: 0, _dirs: dirs };
        // Both are contacts then. A stranger may write only one message a second.
        pair.program.line(&format!("/connect {}", pair.node.addr()))?;
        pair.program.wait_for("Connected ", 1)?;
        pair.node.command(Command::Connect(pair.target()?));
        pair.wait_for(1, |event| matches!(event, Event::Pinned { .. }))?;
        Ok(pair)
    }

    fn target(&self) -> anyhow::Result<Target> {
        let addr = PeerAddr::of(SocketAddr::V4(self.program.addr)).context("no address of a peer")?;
        Ok(Target::These(vec![addr.into()]))
    }

    fn wait_for(&self, mut count: usize, is_it: impl Fn(&Event) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + SOON;
        while count > 0 {
            ensure!(Instant::now() < deadline, "{count} events did not happen");
            let events = self.events.take(Some(deadline));
            count = count.saturating_sub(events.iter().filter(|event| is_it(event)).count());
        }
        Ok(())
    }
}

impl Way for Pair {
    fn send(&mut self, messages: usize, corpus: &mut Corpus) -> anyhow::Result<Duration> {
        let mut sends = Vec::new();
        for _ in 0..messages {
            self.next += 1;
            let message = Message {
                id: id(self.next),
                time: self.next,
                again: false,
                to_all: false,
                body: corpus.text(),
            };
            sends.push(Command::Send { to: self.target()?, message });
        }
        let begun = Instant::now();
        for send in sends {
            self.node.command(send);
        }
        let is_delivered =
            |event: &Event| matches!(event, Event::Delivery { status: DeliveryStatus::Delivered, .. });
        self.wait_for(messages, is_delivered)?;
        Ok(begun.elapsed())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        self.node.stop(deadline);
        self.node.write_out(deadline);
    }
}
