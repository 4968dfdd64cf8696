//! Many programs on one machine, all with the same peers.toml.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddrV4;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Peer, SOON, nobody};

/// How long it may take from the first start until each of them has all others in its list.
const ALL_SEEN_WITHIN: Duration = Duration::from_secs(60);

/// How long the CPU time of idle programs is measured.
const IDLE: Duration = Duration::from_secs(30);

/// Processes of which each knows all others, in the order of their start.
struct Crowd {
    peers: Vec<Peer>,
    started: Instant,
}

impl Crowd {
    /// Starts `count` processes, and waits until each lists all others as online.
    fn start(count: usize) -> Self {
        let addrs: Vec<SocketAddrV4> = (0..count).map(|_| nobody()).collect();
        let mut list = String::new();
        for addr in &addrs {
            writeln!(list, "[[peer]]\naddress = \"{addr}\"").expect("a string has room");
        }
        let started = Instant::now();
        let start = |(number, addr): (usize, &SocketAddrV4)| {
            let peer = Peer::named(&format!("Peer{number}")).port(addr.port());
            peer.arg("--no-history").peers_toml(&list).start_without_waiting()
        };
        let peers = addrs.iter().enumerate().map(start).collect();
        let mut crowd = Self { peers, started };
        crowd.peers.iter_mut().for_each(|peer| drop(peer.sees_within(", listening on ", ALL_SEEN_WITHIN)));
        crowd.sees_all();
        crowd
    }

    fn sees_all(&mut self) {
        let others = self.peers.len() - 1;
        let all = format!("{others} peers, {others} online.");
        let deadline = self.started + ALL_SEEN_WITHIN;
        for peer in &mut self.peers {
            // Each list probes all peers, so none is asked for before it may be complete.
            for _ in 0..others {
                let left = deadline.saturating_duration_since(Instant::now());
                peer.sees_within(" is online", left);
            }
        }
        for peer in &mut self.peers {
            loop {
                peer.types(&["2"]);
                let sum = peer.sees_sum_within(ALL_SEEN_WITHIN);
                if sum.contains(&all) {
                    break;
                }
                let late = self.started.elapsed();
                assert!(Instant::now() < deadline, "{} after {late:?}: {:#?}", peer.name(), peer.printed());
                // The list is verified, so the next one differs only if time passes.
                thread::sleep(Duration::from_millis(100));
            }
        }
    }

    /// The first writes to all, and each of the others gets it within this time. Returns how long
    /// the last one waited for it.
    fn gets_message_to_all(&mut self, within: Duration) -> Duration {
        let (first, others) = self.peers.split_first_mut().expect("a peer");
        let sent = Instant::now();
        first.types(&["@all good morning"]);
        for other in others {
            let left = within.saturating_sub(sent.elapsed());
            other.sees_within(": good morning", left);
        }
        sent.elapsed()
    }
}

#[test]
fn fifty_processes_find_each_other_and_talk() {
    let mut crowd = Crowd::start(50);
    println!("all see all after {:?}", crowd.started.elapsed());
    let took = crowd.gets_message_to_all(SOON);
    println!("a message to all took {took:?}");
}

/// CPU time that a process has used.
#[cfg(target_os = "linux")]
fn cpu_time(peer: &Peer) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", peer.pid())).expect("it runs");
    // The name of the program, in parentheses, may hold blanks.
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    let per_second = rustix::param::clock_ticks_per_second();
    Duration::from_millis(ticks * 1_000 / per_second)
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "takes two minutes; meant for a release build on a machine that does nothing else"]
fn three_hundred_processes_find_each_other_and_idle() {
    let mut crowd = Crowd::start(300);
    println!("all see all after {:?}", crowd.started.elapsed());
    let took = crowd.gets_message_to_all(Duration::from_secs(3));
    println!("a message to all took {took:?}");
    let before: Duration = crowd.peers.iter().map(cpu_time).sum();
    // An idle program waits for nothing that could be waited for here.
    thread::sleep(IDLE);
    let used = crowd.peers.iter().map(cpu_time).sum::<Duration>() - before;
    let share = used.as_secs_f64() / IDLE.as_secs_f64() / crowd.peers.len() as f64;
    let resident = crowd.peers.iter().map(Peer::resident_kib).max().expect("a peer");
    println!("idle: {:.3} % of a core each; {resident} KiB at most", share * 100.0);
    assert!(share <= 0.003, "{share}");
    assert!(resident <= 25 * 1024, "{resident} KiB");
}
