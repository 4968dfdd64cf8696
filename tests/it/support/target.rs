//! A peer under attack, and the proof that it bore it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Peer, assert_harmless, peer::Builder, send_raw_from};

/// Who attacks: an address of the loopback network at which nobody listens, so that what the target
/// asks back is refused at once. Headers say port 9, which no test listens at.
pub(crate) const MALLORY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// What the resident memory may grow by, whatever comes. More than twice what was measured in the
/// worst scenario, and far less than what any of them sends or opens without bounds.
const MAX_GROWTH_KIB: u64 = 20 * 1024;

/// What the line holds that proves it.
const WITNESS: &str = "Witness (127.0.0.9:9999): still-there-";

/// A peer that logs everything, and what was known of it before the next attack.
pub(crate) struct Target {
    pub(crate) peer: Peer,
    passed: usize,
    resident_kib: u64,
}

impl Target {
    /// Alice, who knows nobody.
    pub(crate) fn new() -> Self {
        Self::of(Peer::named("Alice"))
    }

    /// Any peer, started here.
    pub(crate) fn of(peer: Builder) -> Self {
        let mut peer = peer.arg("-vv").arg("--log-messages").arg("--log-file").arg("log").start();
        peer.sees("Choice [0-6]:");
        let resident_kib = peer.resident_kib();
        let mut target = Self { peer, passed: 0, resident_kib };
        target.passed = target.peer.printed().len();
        target
    }

    /// Where it is dialed.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        self.peer.addr()
    }

    /// The one receipt that it gives for a message in the standard form.
    pub(crate) fn receipt(&self) -> String {
        self.peer.receipt()
    }

    /// The one that it gives for a message in the form of a program that knows no keys.
    pub(crate) fn receipt_without_key(&self) -> String {
        self.peer.receipt_without_key()
    }

    /// What Mallory is answered who sends `bytes` and half-closes.
    pub(crate) fn answers(&self, bytes: impl AsRef<[u8]>) -> String {
        String::from_utf8(send_raw_from(MALLORY, self.addr(), bytes.as_ref())).expect("UTF-8")
    }

    /// Proves that it is unharmed: it still answers, its memory is bounded, neither its lines nor
    /// its log hold anything that a terminal obeys, and since the last time it has shown exactly
    /// `expected`, without the time of day.
    pub(crate) fn has_shown(&mut self, expected: &[impl AsRef<str>]) {
        let shown = self.shown();
        let expected: Vec<&str> = expected.iter().map(AsRef::as_ref).collect();
        assert_eq!(shown, expected);
    }

    /// The same for lines that are judged by the caller.
    pub(crate) fn shown(&mut self) -> Vec<String> {
        let mut new = self.unharmed();
        let witness = new.pop().expect("the witness's line");
        assert!(witness.contains(WITNESS), "{witness} after {new:?}");
        new
    }

    /// Proves that it is unharmed while it may still be busy with what came before: the lines since
    /// the last time, with the one that proves it among them.
    pub(crate) fn unharmed(&mut self) -> Vec<String> {
        self.peer.still_answers();
        let grown = self.peer.resident_kib().saturating_sub(self.resident_kib);
        assert!(grown < MAX_GROWTH_KIB, "its memory grew by {grown} KiB");
        let printed = self.peer.printed();
        let new = printed[self.passed..].to_vec();
        self.passed = printed.len();
        assert_harmless(&new);
        assert_harmless(self.log().lines());
        assert!(new.iter().any(|line| line.contains(WITNESS)), "{new:?}");
        new.iter().map(|line| without_clock(line)).collect()
    }

    /// What it has logged, which has to be UTF-8.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.peer.dir().join("log")).expect("a log in UTF-8")
    }
}

/// A line without the `[14:03:07] ` before it.
fn without_clock(line: &str) -> String {
    let shape: String = line.chars().take(11).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape == "[00:00:00] " { line[11..].to_owned() } else { line.to_owned() }
}
