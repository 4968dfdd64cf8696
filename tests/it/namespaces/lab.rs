//! Up to four machines for one test, joined by cables, and removed at its end.
//!
//! Each machine is a network namespace with its own addresses, routes and filters. So every test
//! can use the same addresses, and all run at the same time. Nothing outside these namespaces is
//! created or changed.

use std::fmt::Display;
use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::process::{Command, id};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::geteuid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::support::{Builder, Peer, SOON};

/// Two at once that make the first namespace of a system are in each other's way.
static MAKING: Mutex<()> = Mutex::new(());

/// The machines of one test. Dropping it removes them.
pub(super) struct Lab {
    prefix: String,
    machines: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    namespace: String,
}

impl Lab {
    /// A place for machines; `None`, with the reason on standard error, where there can be none.
    pub(super) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("p2p-chat-{}-{}-", id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut lab = Self { prefix, machines: Vec::new() };
        match lab.is_possible() {
            Ok(()) => Some(lab),
            Err(why) => {
                say_skipped(&why);
                None
            }
        }
    }

    /// Tries everything that the scenarios need.
    fn is_possible(&mut self) -> Result<(), String> {
        if !geteuid().is_root() {
            return Err("network namespaces can only be made by root".into());
        }
        run(&["ip", "-V"])?;
        run(&["nft", "-v"])?;
        let (one, other) = (self.try_machine("try")?, self.try_machine("other")?);
        self.try_join(&one, &other)?;
        run(&one.within(&["nft", "add", "table", "inet", "try"]))?;
        self.clear();
        Ok(())
    }

    /// A machine without any cable.
    pub(super) fn machine(&mut self, name: &str) -> Machine {
        self.try_machine(name).expect("one was made before")
    }

    fn try_machine(&mut self, name: &str) -> Result<Machine, String> {
        let namespace = format!("{}{name}", self.prefix);
        let making = MAKING.lock();
        run(&["ip", "netns", "add", &namespace])?;
        drop(making);
        self.machines.push(namespace.clone());
        let machine = Machine { namespace };
        run(&machine.within(&["ip", "link", "set", "lo", "up"]))?;
        Ok(machine)
    }

    /// A cable between two machines; its end is called at each after the other.
    pub(super) fn joins(&self, one: (&Machine, &str), other: (&Machine, &str)) {
        self.try_join(one.0, other.0).expect("one was made before");
        for ((machine, addr), (far, _)) in [(one, other), (other, one)] {
            machine.does(&format!("ip addr add {addr}/24 dev {}", machine.cable(far)));
        }
    }

    /// The same, with no addresses but those that the system gives every interface.
    pub(super) fn joins_without_addresses(&self, one: &Machine, other: &Machine) {
        self.try_join(one, other).expect("one was made before");
    }

    fn try_join(&self, one: &Machine, other: &Machine) -> Result<(), String> {
        run(&[
            "ip",
            "link",
            "add",
            &one.cable(other),
            "netns",
            &one.namespace,
            "type",
            "veth", //
            "peer",
            "name",
            &other.cable(one),
            "netns",
            &other.namespace,
        ])?;
        for (machine, far) in [(one, other), (other, one)] {
            run(&machine.within(&["ip", "link", "set", &machine.cable(far), "up"]))?;
        }
        Ok(())
    }

    fn clear(&mut self) {
        for namespace in self.machines.drain(..) {
            // With the namespace go its cables. Whatever is in the way of that, the other machines
            // go all the same.
            if let Err(error) = run(&["ip", "netns", "del", &namespace]) {
                let _ = writeln!(std::io::stderr(), "{error}");
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Machine {
    /// The end of the cable to another machine.
    pub(super) fn cable(&self, far: &Machine) -> String {
        format!("to-{}", far.namespace.rsplit('-').next().expect("a name"))
    }

    /// The name of its namespace.
    pub(super) fn name(&self) -> &str {
        &self.namespace
    }

    fn within<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        [&["ip", "netns", "exec", &self.namespace], command].concat()
    }

    /// Runs a command there, which has to succeed.
    pub(super) fn does(&self, command: &str) {
        let words: Vec<&str> = command.split(' ').collect();
        run(&self.within(&words)).expect("it succeeds");
    }

    /// The number of one of its interfaces.
    pub(super) fn interface(&self, name: &str) -> u32 {
        let file = format!("/sys/class/net/{name}/ifindex");
        let told = run(&self.within(&["cat", &file])).expect("there is such an interface");
        told.trim().parse().expect("a number")
    }

    /// Runs a command there that not every system supports. Returns whether it succeeded; if not,
    /// says on standard error that the test is skipped.
    pub(super) fn can(&self, command: &str) -> bool {
        let words: Vec<&str> = command.split(' ').collect();
        let result = run(&self.within(&words));
        result.inspect_err(|why| say_skipped(why)).is_ok()
    }

    /// Forwards the packets of other machines, and gives those that leave by this cable its own
    /// address. Returns whether the system can; see [`Machine::can`].
    pub(super) fn masquerades(&self, far: &Machine) -> bool {
        run(&self.within(&["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])).expect("root may");
        self.does("nft add table ip nat");
        let hook = "{ type nat hook postrouting priority 100 ; }";
        self.can(&format!("nft add chain ip nat out {hook}"))
            && self.can(&format!("nft add rule ip nat out oifname {} masquerade", self.cable(far)))
    }

    /// Sends at most this many bytes per second to another machine. Returns whether the system can;
    /// see [`Machine::can`].
    pub(super) fn sends_slowly(&self, far: &Machine, bytes_per_second: u32) -> bool {
        // One packet at least fits the bucket, and two seconds' worth of packets wait.
        let (cable, bits) = (self.cable(far), bytes_per_second * 8);
        self.can(&format!("tc qdisc add dev {cable} root tbf rate {bits}bit burst 1600 latency 2s"))
    }

    /// Returns how many bytes it has sent to another machine.
    pub(super) fn bytes_sent(&self, far: &Machine) -> u64 {
        let file = format!("/sys/class/net/{}/statistics/tx_bytes", self.cable(far));
        let count = run(&self.within(&["cat", &file])).expect("there is such an interface");
        count.trim().parse().expect("a number")
    }

    /// Counts from now on the packets that reach this machine by this rule of nft.
    pub(super) fn counts(&self, rule: &str) {
        self.does("nft add table inet watch");
        self.does("nft add counter inet watch seen");
        self.does("nft add chain inet watch input { type filter hook input priority -10 ; }");
        self.does(&format!("nft add rule inet watch input {rule} counter name seen"));
    }

    /// Returns how many packets it has counted.
    pub(super) fn counted(&self) -> u64 {
        let shown = run(&self.within(&["nft", "list", "counter", "inet", "watch", "seen"]));
        let shown = shown.expect("it counts");
        let mut words = shown.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        words.next().expect("a count").parse().expect("a number")
    }

    /// From now on does this with every packet that comes by a cable or leaves by one: `drop`,
    /// `reject`, or `reject with ...`.
    pub(super) fn filters(&self, verdict: &str) {
        self.does("nft add table inet wall");
        for (hook, way) in [("input", "iifname"), ("output", "oifname")] {
            self.does(&format!("nft add chain inet wall {hook} {{ type filter hook {hook} priority 0 ; }}"));
            self.does(&format!("nft add rule inet wall {hook} {way} != lo {verdict}"));
        }
    }

    /// Drops the packets that would open a connection to this machine.
    pub(super) fn refuses_connections(&self) {
        self.does("nft add table inet wall");
        self.does("nft add chain inet wall input { type filter hook input priority 0 ; }");
        self.does("nft add rule inet wall input iif != lo tcp flags & ( syn | ack ) == syn drop");
    }

    /// How many TCP connections of this machine to this address, or to any port of this IP, are
    /// established.
    pub(super) fn established(&self, to: impl Display) -> usize {
        let shown = format!("ss --no-header --tcp state established dst {to}");
        let words: Vec<&str> = shown.split(' ').collect();
        run(&self.within(&words)).expect("it succeeds").lines().count()
    }

    /// No longer filters or refuses anything.
    pub(super) fn filters_nothing(&self) {
        self.does("nft delete table inet wall");
    }

    /// A program that shall run there.
    pub(super) fn runs(&self, name: &str) -> Builder {
        Peer::named(name).under(&self.within(&[]))
    }

    /// Does something as a program there would; sockets made meanwhile stay there.
    pub(super) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(format!("/run/netns/{}", self.namespace)).expect("it was made");
        let moved = || {
            // Only this thread moves, and it ends here.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
            act()
        };
        thread::scope(|scope| scope.spawn(moved).join()).expect("no panic")
    }
}

/// Lists until a line under the list holds these words.
pub(super) fn lists_until(peer: &mut Peer, words: &str) {
    let deadline = Instant::now() + SOON;
    while !peer.printed().iter().any(|line| line.contains(words)) {
        assert!(Instant::now() < deadline, "{} never says {words}: {:#?}", peer.name(), peer.printed());
        peer.lists_all();
    }
}

/// The address that a program has which listens at this machine's address.
pub(super) fn at(ip: &str, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip.parse::<Ipv4Addr>().expect("an address"), port)
}

/// Says that the current test is skipped.
fn say_skipped(why: &str) {
    let test = thread::current().name().unwrap_or("a test").to_owned();
    // Not by a macro: the output of a test that passes is not shown.
    let _ = writeln!(std::io::stderr(), "{test} is skipped: {why}");
}

/// What a command prints, which has to succeed.
fn run(command: &[&str]) -> Result<String, String> {
    let words = command.join(" ");
    let output = Command::new(command[0]).args(&command[1..]).output();
    let output = output.map_err(|error| format!("`{words}` cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("`{words}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
