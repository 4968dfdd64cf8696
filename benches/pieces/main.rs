//! The parts that every message passes through, without sockets and threads. Run by `cargo bench --bench pieces`: first
//! the times of each as divan takes them, then the table of ratios; docs/BENCHMARKS.md tells what each figure is.

#![allow(clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;
mod ratios;
mod things;

use common::BENCH;
use divan::Bencher;
use divan::counter::ItemsCount;

use things::{Inbox, LINE, decode, known_chat, message_of, texts};

fn main() {
    if !std::env::args().any(|arg| arg == BENCH) {
        println!("This measures the release build: cargo bench --bench pieces");
        return;
    }
    divan::main();
    println!("\n{}", ratios::table_of_ratios());
}

/// From the bytes of a connection to what they say.
#[divan::bench]
fn line_parsed_and_classified(bencher: Bencher) {
    bencher.counter(ItemsCount::new(1_u32)).bench(|| decode(divan::black_box(LINE)));
}

/// From the bytes of a connection to an event in the queue of the main thread.
#[divan::bench]
fn line_to_the_event_queue(bencher: Bencher) {
    let inbox = Inbox::new();
    let emptied = || inbox.empty_if_full();
    bencher.with_inputs(emptied).bench_values(|()| inbox.take(divan::black_box(LINE)));
}

/// What the rules make of a text, with so many peers known.
#[divan::bench(args = [100, 10_000])]
fn table_updated(bencher: Bencher, peers: u32) {
    let mut chat = known_chat(peers);
    let mut next = 0;
    let message = || {
        next += 1;
        message_of(next % peers)
    };
    bencher.with_inputs(message).bench_local_values(|message| chat.plain_received(message, things::now()));
}

/// A text made fit for a terminal.
#[divan::bench(args = texts())]
fn text_escaped(text: &things::Named) -> String {
    p2p_chat::model::untrusted::harmless(divan::black_box(text.text))
}
