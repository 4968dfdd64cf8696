//! Messages with their receipts in an open session.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use p2p_chat::core::JobId;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::session::{Message, Request};
use p2p_chat::protocol::session::Record;
use parking_lot::Mutex;

use super::acceptor::Acceptor;
use super::bare::{BareTls, Client};
use super::node::{Node, id};
use crate::RUNS;
use crate::common::figures::per_second;
use crate::common::process::cpu_time;
use crate::common::table::Compared;

/// Messages of a batch, and batches of a slice.
const BATCHES: [(usize, usize); 2] = [(1, 400), (64, 75)];

/// Slices of a run, in which both ways take turns: on which core the system has a thread, and what
/// else it does, changes in less than a second.
const SLICES: usize = 20;

/// Bytes of a message.
const BODY: usize = 100;

/// When all of them were typed, in milliseconds since 1970.
const TIME: u64 = 1_700_000_000_000;

/// A way to send messages.
trait Way {
    /// Sends so many batches, each when the one before is acknowledged. Returns the time of each.
    fn send(&mut self, messages: usize, batches: usize) -> anyhow::Result<Vec<Duration>>;
}

pub(crate) fn measure() -> anyhow::Result<Vec<Compared>> {
    let mut rates = BATCHES.map(|(messages, _)| {
        Compared::new(format!("messages with receipts, batches of {messages}"), "bare TLS", "1/s")
    });
    let mut work = Compared::new("CPU time of both sides for each message, one at a time", "bare TLS", "us");
    let mut ways: [Box<dyn Way>; 2] = [Box::new(Ours::new()?), Box::new(Bare::new()?)];
    // The first messages are slower: memory, and the state of the connection.
    for way in &mut ways {
        send(&mut **way, 1, 2_000)?;
    }
    for _ in 0..RUNS {
        for ((messages, batches), rate) in BATCHES.into_iter().zip(&mut rates) {
            let mut times: [Vec<Duration>; 2] = Default::default();
            let mut spent = [Duration::ZERO; 2];
            for _ in 0..SLICES {
                for ((way, times), spent) in ways.iter_mut().zip(&mut times).zip(&mut spent) {
                    let (more, work) = send(&mut **way, messages, batches)?;
                    times.extend(more);
                    *spent += work;
                }
            }
            let [ours, theirs] = times.each_ref().map(|times| per_second(times, messages));
            rate.add(ours, theirs);
            if messages == 1 {
                let all = (batches * SLICES) as f64;
                let [ours, theirs] = spent.map(|spent| spent.as_secs_f64() * 1e6 / all);
                work.add(ours, theirs);
            }
        }
    }
    Ok(rates.into_iter().chain([work]).collect())
}

/// Returns the time of each batch, and the CPU time of this process.
fn send(way: &mut dyn Way, messages: usize, batches: usize) -> anyhow::Result<(Vec<Duration>, Duration)> {
    // A change of the size takes a batch.
    way.send(messages, 1)?;
    let before = cpu_time(std::process::id())?;
    let times = way.send(messages, batches)?;
    Ok((times, cpu_time(std::process::id())?.saturating_sub(before)))
}

/// Two nodes with a session, without the core.
struct Ours {
    ann: Node,
    bob: Node,
    body: Arc<str>,
}

impl Ours {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { ann: Node::start(1)?, bob: Node::start(2)?, body: "x".repeat(BODY).into() })
    }
}

impl Way for Ours {
    fn send(&mut self, messages: usize, batches: usize) -> anyhow::Result<Vec<Duration>> {
        let body = Arc::clone(&self.body);
        let batch = move |job: JobId| {
            let first = job.0 * messages as u64;
            let message = |number| Message {
                id: id(number),
                time: TIME,
                again: false,
                to_all: false,
                body: Arc::clone(&body),
            };
            Request::Messages((first..first + messages as u64).map(message).collect())
        };
        self.ann.requests((self.bob.addr, self.bob.key), batches, batch)
    }
}

/// Returns the bytes of our batch, and of its receipts.
fn bytes_of(messages: usize) -> (Vec<u8>, Vec<u8>) {
    let ids: Vec<MessageId> = (0..messages as u64).map(id).collect();
    let body: Arc<str> = "x".repeat(BODY).into();
    let text = |id: &MessageId| Record::Text {
        id: *id,
        time: TIME,
        again: false,
        to_all: false,
        body: Arc::clone(&body),
    };
    let batch = ids.iter().flat_map(|id| text(id).encode()).collect();
    (batch, Record::Receipt(ids).encode())
}

/// Bare TLS to a thread that answers each batch with as many bytes as its receipts have.
struct Bare {
    stream: Client,
    messages: usize,
    batch: Vec<u8>,
    receipts: Vec<u8>,
    sizes: Sender<usize>,
    _acceptor: Acceptor,
}

/// The first byte of the last batch of a size.
const CHANGES: u8 = 0xff;

impl Bare {
    fn new() -> anyhow::Result<Self> {
        let tls = BareTls::new()?;
        let accepting = tls.clone();
        let (sizes, told) = channel();
        let told = Mutex::new(told);
        let acceptor = Acceptor::start(1, move |stream| {
            // The dialer ends it by closing.
            let _ = echo(accepting.accept(stream)?, &told.lock());
            Ok(())
        })?;
        let stream = tls.dial(acceptor.addr)?;
        let (batch, receipts) = Default::default();
        Ok(Self { stream, messages: 0, batch, receipts, sizes, _acceptor: acceptor })
    }

    fn exchange(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.batch)?;
        Ok(self.stream.read_exact(&mut self.receipts)?)
    }
}

impl Way for Bare {
    fn send(&mut self, messages: usize, batches: usize) -> anyhow::Result<Vec<Duration>> {
        if messages != self.messages {
            if self.messages > 0 {
                self.batch[0] = CHANGES;
                self.exchange()?;
            }
            self.sizes.send(messages)?;
            (self.batch, self.receipts) = bytes_of(messages);
            self.messages = messages;
        }
        let mut times = Vec::with_capacity(batches);
        for _ in 0..batches {
            let begun = Instant::now();
            self.exchange()?;
            times.push(begun.elapsed());
        }
        Ok(times)
    }
}

/// Reads batches of the size that is told, and answers each.
fn echo(mut stream: impl Read + Write, sizes: &Receiver<usize>) -> anyhow::Result<()> {
    while let Ok(messages) = sizes.recv() {
        let (mut batch, receipts) = bytes_of(messages);
        loop {
            stream.read_exact(&mut batch)?;
            stream.write_all(&receipts)?;
            if batch[0] == CHANGES {
                break;
            }
        }
    }
    Ok(())
}
