//! What the sender of a message is told first.

use std::net::SocketAddrV4;

use super::is_queued;

/// What the sender of a message was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Delivered,
    /// It waits, and is sent again until it arrives.
    Queued,
    HandedOver,
    /// It was sent, and its fate is not known.
    Unknown,
    NotSent,
}

/// The outcomes in these lines, of messages whose recipient is named as `is_about` says, in the
/// order in which they were sent.
pub(crate) fn outcomes(printed: &[String], is_about: impl Fn(&str) -> bool) -> Vec<Outcome> {
    printed.iter().filter(|line| is_about(line)).filter_map(|line| outcome(line)).collect()
}

/// The same of messages to this address. A recipient with a key is named without its address, and
/// is the only one.
pub(crate) fn outcomes_at(printed: &[String], addr: SocketAddrV4) -> Vec<Outcome> {
    let addr = format!("({addr})");
    outcomes(printed, |line| line.contains(&addr) || !line.contains(" ("))
}

fn outcome(line: &str) -> Option<Outcome> {
    if is_later(line) || is_sum(line) {
        return None;
    }
    match line {
        _ if line.starts_with("Delivered to ") => Some(Outcome::Delivered),
        _ if is_queued(line) => Some(Outcome::Queued),
        _ if line.starts_with("Sent to ") && line.ends_with("; no receipt expected.") => {
            Some(Outcome::HandedOver)
        }
        _ if line.starts_with("Sent to ") => {
            assert!(line.contains("is unconfirmed"), "no outcome: {line}");
            Some(Outcome::Unknown)
        }
        _ if line.starts_with("Not sent to ") => Some(Outcome::NotSent),
        _ => None,
    }
}

/// Whether a line tells of a text for which it was told before that it waits; those name it.
fn is_later(line: &str) -> bool {
    line.contains(": \"")
}

/// Whether a line sums up a message to all, like `Sent to 1 of 2`.
fn is_sum(line: &str) -> bool {
    let count = line.strip_prefix("Sent to ").and_then(|rest| rest.split_once(" of "));
    count.is_some_and(|(count, _)| count.parse::<usize>().is_ok())
}
