//! What a peer costs the machine, as Linux counts it, and whether it is there at all.

use std::fs;
use std::time::Duration;

use super::Peer;

/// Ticks of a second in `/proc/PID/stat`: USER_HZ, which Linux fixes at 100 for programs on all
/// usual machines.
const TICKS_A_SECOND: u64 = 100;

impl Peer {
    /// Processor time that it has used so far, in all its threads.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        // The name, which may hold anything, ends with the last parenthesis; utime and stime are
        // the 12th and 13th after.
        let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
    }
}
