//! Texts with their receipts, written down on both sides, against the same with nothing on the disk.

use std::cell::Cell;
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
use p2p_chat::model::stored::{Assurance, StoreOp, StoreResult, Stored};
use p2p_chat::runtime::{Bound, Keeping, Node, NodeConfig};
use p2p_chat::store::{Sqlite, Store, in_memory};
use tempfile::TempDir;

use super::corpus::{Corpus, id};
use super::ours::{Ours, command};
use super::{Findings, RUNS, SOON, disk};
use crate::common::figures::percentile;
use crate::common::table::Compared;

/// Texts that are given at once, and times of a slice.
const TURNS: [(usize, usize); 2] = [(1, 40), (64, 8)];

/// Lines of a slice that are typed one after the other, each when the one before has its receipt.
const LINES: usize = 40;

/// Slices of a run, in which both take turns: how long a disk takes changes from second to second.
const SLICES: usize = 10;

/// How long texts wait; long after the end.
const EXPIRE: Duration = Duration::from_secs(3_600);

/// What a line of the program says about a text that has its receipt.
const DELIVERED: &[u8] = b"Delivered to ";

/// Measures all by turns.
pub(super) fn measure() -> anyhow::Result<Findings> {
    let new = |what: String, unit| Compared::new(what, "--no-history", unit);
    let rate = |texts, baseline: &str| {
        Compared::new(format!("texts with receipts, {texts} at a time"), baseline, "1/s")
    };
    let mut rates = TURNS.map(|(texts, _)| ["--no-history", "the same commits"].map(|of| rate(texts, of)));
    let mut trips = TURNS.map(|(texts, _)| {
        ["p50", "p99"]
            .map(|which| new(format!("{texts} given until the last has its receipt, {which}"), "ms"))
    });
    let mut typed = ["p50", "p99"]
        .map(|which| new(format!("line typed until it is told to be delivered, {which}"), "ms"));
    let mut corpus = Corpus::new();
    for _ in 0..RUNS {
        let mut pairs = [Pair::new(true)?, Pair::new(false)?];
        let mut commits = Commits::new()?;
        let mut people = [People::new(&[])?, People::new(&["--no-history"])?];
        for ((texts, turns), (rate, trips)) in TURNS.into_iter().zip(rates.iter_mut().zip(&mut trips)) {
            let mut times: [Vec<Duration>; 3] = Default::default();
            for slice in 0..=SLICES {
                let ways = pairs.iter_mut().map(|pair| pair as &mut dyn Way);
                for (way, times) in ways.chain([&mut commits as &mut dyn Way]).zip(&mut times) {
                    for _ in 0..turns {
                        let time = way.say(texts, &mut corpus)?;
                        // What comes first is slower: memory, and the state of the connection.
                        if slice > 0 {
                            times.push(time);
                        }
                    }
                }
            }
            let per_second = |times: &[Duration]| {
                (texts * times.len()) as f64 / times.iter().sum::<Duration>().as_secs_f64()
            };
            for (rate, baseline) in rate.iter_mut().zip(&times[1..]) {
                rate.add(per_second(&times[0]), per_second(baseline));
            }
            for (trip, hundredths) in trips.iter_mut().zip([50, 99]) {
                trip.add(percentile(&times[0], hundredths), percentile(&times[1], hundredths));
            }
        }
        let mut times: [Vec<Duration>; 2] = Default::default();
        for slice in 0..=SLICES {
            for (people, times) in people.iter_mut().zip(&mut times) {
                for _ in 0..LINES {
                    let time = people.say(&corpus.text())?;
                    if slice > 0 {
                        times.push(time);
                    }
                }
            }
        }
        for (row, hundredths) in typed.iter_mut().zip([50, 99]) {
            row.add(percentile(&times[0], hundredths), percentile(&times[1], hundredths));
        }
    }
    let rows = rates.into_iter().flatten().chain(trips.into_iter().flatten()).chain(typed).collect();
    let notes = vec![format!("The file system is {}.", disk::file_system(disk::dir()?.path())?)];
    Ok(Findings { rows, notes, ..Findings::default() })
}

/// Something that takes texts.
trait Way {
    /// Returns how long it takes from the first text until the last has its receipt.
    fn say(&mut self, texts: usize, corpus: &mut Corpus) -> anyhow::Result<Duration>;
}

/// What both sides write to the disk for texts and their receipts, one commit after the other and
/// with nothing between them.
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
    fn say(&mut self, texts: usize, corpus: &mut Corpus) -> anyhow::Result<Duration> {
        let key = PublicKey::new([1; KEY_BYTES]);
        let to = Recipient::key(key);
        let assurance = Assurance::Encrypted;
        let (mut outgoing, mut statuses, mut messages) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..texts {
            self.next += 1;
            let message = Message { id: id(self.next), time: self.next, again: false, body: corpus.text() };
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
            messages.push(message);
        }
        let incoming = StoreOp::Incoming { from: key, name: None, assurance, stranger: None, messages };
        let begun = Instant::now();
        self.sender.apply(&outgoing, self.next)?;
        let stored = self.receiver.apply(&[incoming], self.next)?;
        self.sender.apply(&statuses, self.next)?;
        let rows = stored.into_iter().flat_map(|result| match result {
            StoreResult::Incoming(rows) => rows,
            _ => Vec::new(),
        });
        let rows = rows.filter_map(Stored::row);
        self.receiver.apply(&[StoreOp::MarkShown(rows.collect())], self.next)?;
        Ok(begun.elapsed())
    }
}

/// A node in this process, which is given texts without anybody typing them, and the released program, which takes them.
struct Pair {
    node: Node,
    events: Arc<Mailbox<Event>>,
    program: Ours,
    next: u64,
    _dirs: [TempDir; 2],
}

impl Pair {
    fn new(durable: bool) -> anyhow::Result<Self> {
        let dirs = [disk::dir()?, disk::dir()?];
        let args: &[&str] = if durable { &[] } else { &["--no-history"] };
        let program = start(&dirs[0], args)?;
        let store: Box<dyn Store> = match durable {
            true => Box::new(Sqlite::open(&dirs[1].path().join("history.db"))?),
            false => Box::new(in_memory()?),
        };
        let keeping = Keeping { store, durable, expire: EXPIRE, retention: None };
        let events = Arc::<Mailbox<Event>>::default();
        let config = NodeConfig::new("Ann".parse::<Name>().map_err(|_| anyhow!("no name"))?, [9; 32]);
        let bound = Bound::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).map_err(|error| anyhow!("{error}"))?;
        let node = Node::start(bound, config, keeping, &events).map_err(|error| anyhow!("{error}"))?;
        let mut pair = Self { node, events, program, next: 0, _dirs: dirs };
        // A stranger may write one message each second.
        pair.program.line(&format!("/connect {}", pair.node.addr()))?;
        pair.program.wait_for("Connected 1 of 1.", SOON)?;
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
            ensure!(Instant::now() < deadline, "{count} of what was waited for did not happen");
            count = count
                .saturating_sub(self.events.take(Some(deadline)).iter().filter(|event| is_it(event)).count());
        }
        Ok(())
    }
}

impl Way for Pair {
    fn say(&mut self, texts: usize, corpus: &mut Corpus) -> anyhow::Result<Duration> {
        let mut sends = Vec::new();
        for _ in 0..texts {
            self.next += 1;
            let body = corpus.text();
            let message = Message { id: id(self.next), time: self.next, again: false, body };
            sends.push(Command::Send { to: self.target()?, message });
        }
        let begun = Instant::now();
        for send in sends {
            self.node.command(send);
        }
        let is_there =
            |event: &Event| matches!(event, Event::Delivery { status: DeliveryStatus::Delivered, .. });
        self.wait_for(texts, is_there)?;
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

/// Two released programs, of which one is typed to.
struct People {
    ann: Ours,
    seen: Cell<usize>,
    _bob: Ours,
    _dirs: [TempDir; 2],
}

impl People {
    fn new(args: &[&str]) -> anyhow::Result<Self> {
        let dirs = [disk::dir()?, disk::dir()?];
        let (mut ann, mut bob) = (start(&dirs[0], args)?, start(&dirs[1], args)?);
        // Both are contacts then: a stranger may write one message each second.
        let addrs = [bob.addr, ann.addr];
        for (one, other) in [&mut ann, &mut bob].into_iter().zip(addrs) {
            one.line(&format!("/connect {other}"))?;
            one.wait_for("Connected 1 of 1.", SOON)?;
        }
        ann.line(&format!("/chat {}", bob.addr))?;
        Ok(Self { ann, seen: Cell::new(0), _bob: bob, _dirs: dirs })
    }

    fn say(&mut self, text: &str) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.ann.line(text)?;
        let is_told = |printed: &[u8], _| {
            let new = &printed[self.seen.get()..];
            let told = new.windows(DELIVERED.len()).any(|piece| piece == DELIVERED);
            if told {
                self.seen.set(printed.len());
            }
            told
        };
        ensure!(
            self.ann.output().wait(is_told, Instant::now() + SOON),
            "not delivered: {}",
            self.ann.output().text()
        );
        Ok(begun.elapsed())
    }
}

fn start(dir: &TempDir, args: &[&str]) -> anyhow::Result<Ours> {
    let mut command = command(dir);
    command.arg("--no-static").args(args);
    Ours::start_other(command)
}
