//! What discovery on a local network brings and costs: two machines, each a network namespace, and
//! two more whose programs know an address instead.

use std::ffi::OsStr;
use std::process::{Command, id};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use super::idle::{Switches, switches, wake_ups};
use crate::RUNS;
use crate::common::figures::milliseconds;
use crate::common::process::memory;
use crate::common::program::{Program, named};
use crate::common::table::Compared;

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(60);

/// How long a program has to announce itself (RFC 6762, section 8), and to come to rest.
const REST: Duration = Duration::from_secs(5);

/// Two machines with a cable between them. Removed when dropped.
struct Network {
    namespaces: [String; 2],
}

impl Network {
    const IPS: [&str; 2] = ["192.168.71.1", "192.168.71.2"];

    fn new(number: usize) -> anyhow::Result<Self> {
        let name = |end| format!("p2p-chat-bench-{}-{number}-{end}", id());
        let network = Self { namespaces: [name(0), name(1)] };
        let [one, other] = &network.namespaces;
        ip(&format!("netns add {one}"))?;
        ip(&format!("netns add {other}"))?;
        ip(&format!("link add lan netns {one} type veth peer name lan netns {other}"))?;
        for (namespace, addr) in network.namespaces.iter().zip(Self::IPS) {
            ip(&format!("-n {namespace} addr add {addr}/24 dev lan"))?;
            ip(&format!("-n {namespace} link set lo up"))?;
            ip(&format!("-n {namespace} link set lan up"))?;
        }
        Ok(network)
    }

    /// Starts a program on one of the machines.
    fn start(&self, end: usize, args: &[&str]) -> anyhow::Result<Program> {
        let dir = TempDir::new()?;
        let ours = named(dir.path(), ["Alice", "Bob"][end]);
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespaces[end]]).arg(ours.get_program()).args(ours.get_args());
        command.args(args).current_dir(dir.path()).env_clear();
        let variables = ours.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables.collect::<Vec<(&OsStr, &OsStr)>>());
        Program::start_in(&mut command, dir)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            // It is missing if it could not be made.
            let _ = ip(&format!("netns delete {namespace}"));
        }
    }
}

fn ip(command: &str) -> anyhow::Result<()> {
    let output = Command::new("ip").args(command.split(' ')).output().context("ip cannot be run")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {command}: {}; this needs root", error.trim());
    Ok(())
}

/// Two programs that have found each other, and the time from the start of the second.
struct Pair {
    alice: Program,
    bob: Program,
    took: Duration,
    _network: Network,
}

impl Pair {
    fn meet(number: usize, is_discovering: bool) -> anyhow::Result<Self> {
        let network = Network::new(number)?;
        let mut args = vec!["--discover", if is_discovering { "on" } else { "off" }];
        let alice = network.start(0, &args)?;
        thread::sleep(REST);
        let known = format!("{}:{}", Network::IPS[0], alice.addr.port());
        if !is_discovering {
            args.extend(["--peer", &known]);
        }
        let started = Instant::now();
        let bob = network.start(1, &args)?;
        bob.wait_for(" is online", 1)?;
        alice.wait_for(" is online", 1)?;
        Ok(Self { alice, bob, took: started.elapsed(), _network: network })
    }

    fn switches(&self) -> anyhow::Result<Switches> {
        switches(self.alice.pid())
    }

    fn end(self) -> anyhow::Result<()> {
        self.bob.end()?;
        self.alice.end()
    }
}

pub(super) fn measure() -> anyhow::Result<Vec<Compared>> {
    let minutes = IDLE.as_secs() / 60;
    let mut rows = vec![
        Compared::new("time until both see each other", "with an address", "ms"),
        Compared::new(format!("wake-ups in {minutes} min in a session"), "discovery off", "number"),
        Compared::new("resident memory in a session", "discovery off", "MB"),
    ];
    let mut pairs = Vec::new();
    for run in 0..RUNS {
        let (found, dialed) = (Pair::meet(2 * run, true)?, Pair::meet(2 * run + 1, false)?);
        rows[0].add(milliseconds(found.took), milliseconds(dialed.took));
        pairs.push([found, dialed]);
    }
    thread::sleep(REST);
    let all = || pairs.iter().map(|[found, dialed]| Ok([found.switches()?, dialed.switches()?]));
    let before: Vec<[Switches; 2]> = all().collect::<anyhow::Result<_>>()?;
    thread::sleep(IDLE);
    let after: Vec<[Switches; 2]> = all().collect::<anyhow::Result<_>>()?;
    for (before, after) in before.iter().zip(&after) {
        rows[1].add(wake_ups(&before[0], &after[0]), wake_ups(&before[1], &after[1]));
    }
    for [found, dialed] in pairs {
        rows[2].add(memory(found.alice.pid())?.resident, memory(dialed.alice.pid())?.resident);
        found.end()?;
        dialed.end()?;
    }
    Ok(rows)
}
