//! The same beside its baselines, as a table of ratios; divan prints times and gives none away.

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::net::SocketAddrV4;
use std::time::Instant;

use p2p_chat::core::PEER_BYTES;
use parking_lot::Mutex;

use super::common::table::{Compared, Target, table, what_the_figures_are};
use super::things::{Inbox, LINE, decode, known_chat, message_of, now, texts};

/// Times that everything is measured.
const RUNS: usize = 7;

/// What is done in one go between two looks at the clock, and how often: the middle one of these counts, for on a busy
/// machine many of them are interrupted.
const GO: u32 = 1_000;
const GOES: usize = 101;

/// Bytes that come from memory together.
const CACHE_LINE: usize = 64;

/// Measures everything by turns.
pub(crate) fn table_of_ratios() -> String {
    let mut parsed =
        row("line parsed and classified", "cut in three, address parsed").with(Target::AtMost(150.0));
    let mut queued =
        row("line to the event queue", "the same, into a locked queue").with(Target::AtMost(500.0));
    let mut updated =
        row("text of a known peer taken, 10000 known", "100 known").with(Target::RatioAtMost(1.5));
    let mut bare = row("bare map of as large rows, one changed, 10000 rows", "100 rows");
    let mut escaped = texts().map(|text| row(&format!("text escaped, {text}"), "copied"));
    for _ in 0..RUNS {
        parsed.add(time(|_| LINE, decode), time(|_| LINE, cut_in_three));
        let inbox = Inbox::new();
        let queue = Mutex::new(VecDeque::new());
        queued.add(
            time_and_then(|_| LINE, |line| inbox.take(line), || assert_eq!(inbox.empty(), GO as usize)),
            time_and_then(
                |_| LINE,
                |line| queue.lock().push_back(cut_in_three(line)),
                || queue.lock().clear(),
            ),
        );
        updated.add(update(10_000), update(100));
        bare.add(update_bare_map(10_000), update_bare_map(100));
        for (row, text) in escaped.iter_mut().zip(texts()) {
            row.add(
                time(|_| text.text, p2p_chat::model::untrusted::harmless),
                time(|_| text.text, str::to_owned),
            );
        }
    }
    let mut rows = vec![parsed, queued, updated, bare];
    rows.extend(escaped);
    format!("{}\n{}", what_the_figures_are(RUNS), table(&rows))
}

fn row(what: &str, baseline: &str) -> Compared {
    Compared::new(what, baseline, "ns")
}

/// What a minimal program would make of a line.
fn cut_in_three(line: &[u8]) -> Option<(SocketAddrV4, String, String)> {
    let mut fields = std::str::from_utf8(line).ok()?.splitn(3, ' ');
    let addr = fields.next()?.parse().ok()?;
    Some((addr, fields.next()?.to_owned(), fields.next()?.to_owned()))
}

/// Peers by turns, none soon again.
fn update(peers: u32) -> f64 {
    let mut chat = known_chat(peers);
    time(|number| message_of(number * 7_919 % peers), |message| chat.plain_received(message, now()))
}

/// The same turns with nothing but a map of rows that are as large: what the memory of the machine
/// costs. An update touches nearly all bytes of a row. Each turn waits for what the one before has
/// read, as a message waits for its connection; else the processor would fetch many rows at once.
fn update_bare_map(peers: u32) -> f64 {
    let mut rows: HashMap<u32, (String, [u8; PEER_BYTES])> =
        (0..peers).map(|number| (number, (format!("P{number}"), [0; PEER_BYTES]))).collect();
    let input = |number: u32| (number * 7_919 % peers, format!("P{number}"));
    let mut before = 0;
    time(input, move |(number, name)| {
        let row = rows.get_mut(&((number + before * peers) % peers))?;
        row.1.iter_mut().step_by(CACHE_LINE).for_each(|byte| *byte = byte.wrapping_add(1));
        before = u32::from(row.1[0]);
        Some(std::mem::replace(&mut row.0, name))
    })
}

/// Nanoseconds that it takes to do this once; making what it is done with, and throwing away what comes of it, not counted.
fn time<I, O>(input: impl FnMut(u32) -> I, act: impl FnMut(I) -> O) -> f64 {
    time_and_then(input, act, || ())
}

fn time_and_then<I, O>(
    mut input: impl FnMut(u32) -> I,
    mut act: impl FnMut(I) -> O,
    mut afterwards: impl FnMut(),
) -> f64 {
    let mut times = Vec::new();
    let mut outputs = Vec::with_capacity(GO as usize);
    let mut count = 0;
    for _ in 0..GOES {
        let inputs: Vec<I> = (0..GO)
            .map(|_| {
                count += 1;
                input(count)
            })
            .collect();
        let begun = Instant::now();
        for input in inputs {
            outputs.push(act(black_box(input)));
        }
        times.push(begun.elapsed());
        outputs.clear();
        afterwards();
    }
    times.sort();
    times[GOES / 2].as_secs_f64() * 1e9 / f64::from(GO)
}
