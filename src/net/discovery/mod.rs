//! Discovery on the local network: mDNS (RFC 6762) and DNS-SD (RFC 6763).
//!
//! `mdns-sd` has a thread that owns the sockets. A second thread, defined here, announces us and
//! turns the announcements of others into addresses to try. The core decides which are dialed,
//! because an announcement proves nothing.

mod announcement;
mod networks;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use if_addrs::get_if_addrs;
use mdns_sd::{
    IfKind, IfPredicate, MDNS_PORT, Receiver, RecvTimeoutError, ResolvedService, ScopedIp, ServiceDaemon,
    ServiceEvent, ServiceInfo,
};
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};

use super::STACK_BYTES;
use crate::core::{DiscoveryMode, Found};
use crate::crypto;
use crate::model::key::PublicKey;
use crate::model::name::Name;
use announcement::Announcement;
pub use networks::Listening;
use networks::Network;

/// The name of the `mdns-sd` thread, which parses what anyone on the network sends.
pub(crate) const MDNS: &str = "mDNS_daemon";

/// The service type.
const SERVICE: &str = "_p2p-chat._tcp.local.";

/// How long the addresses of a peer are collected, because they arrive in several records.
const COLLECTED_FOR: Duration = Duration::from_millis(200);

/// How often `mdns-sd` reads the addresses of this machine. Its default, 5 s, wakes an idle
/// program.
const IP_CHECK_SECONDS: u32 = 60;

/// The maximum number of records in `mdns-sd`, which has no limit of its own. A network of 1,000
/// peers has 5,000.
const MAX_RECORDS: i64 = 10_000;

/// How often the records are counted.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);

/// How often the records are counted when there are so many that this may be a flood.
const BUSY_COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// The number of records above which they are counted more often.
const MANY_RECORDS: i64 = MAX_RECORDS / 10;

/// How long to wait after an error before `mdns-sd` is started again.
const START_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long to wait for `mdns-sd` to say goodbye, or to count its records.
const ANSWERS_WITHIN: Duration = Duration::from_millis(200);

/// The lifetime of an announcement for contacts, in seconds.
const HOUR_SECONDS: u64 = 3_600;

/// What is announced, and where.
#[derive(Clone, Debug)]
pub struct DiscoveryConfig {
    /// Who can recognize us, and who is connected.
    pub mode: DiscoveryMode,
    /// Our own key.
    pub key: PublicKey,
    /// Our own name.
    pub name: Name,
    /// Where we listen.
    pub listening: Listening,
}

/// Receives what is discovered. Its methods do not block.
pub trait DiscoveryHandler: Send + 'static {
    /// Returns the keys of the contacts.
    fn contacts(&self) -> Vec<PublicKey>;

    /// Handles a peer that announces itself.
    fn found(&self, found: Found);

    /// Handles a peer that no longer announces itself, although it may still be online.
    fn lost(&self, key: PublicKey);
}

/// Running discovery.
pub struct Discovery {
    listening: Listening,
    /// The networks that were used at the start.
    networks: Vec<Network>,
    control: Arc<Control>,
    thread: JoinHandle<()>,
}

/// State shared by the discovery thread and its owner.
#[derive(Default)]
struct Control {
    daemon: Mutex<Option<ServiceDaemon>>,
    stopping: AtomicBool,
    /// Why the port of mDNS cannot be opened, for each address family where it cannot.
    faults: Mutex<Vec<(IpAddr, io::Error)>>,
}

impl Control {
    /// Checks that the port of mDNS can be opened in these networks, and records the error.
    fn check_port(&self, networks: &[Network]) {
        *self.faults.lock() = check_port(networks);
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

impl Discovery {
    /// Starts to announce us and to look for others.
    ///
    /// # Errors
    /// If no thread can be started, or if the system has no random numbers.
    pub fn start(config: DiscoveryConfig, handler: impl DiscoveryHandler) -> io::Result<Self> {
        let (listening, control) = (config.listening, Arc::new(Control::default()));
        let networks = networks::used(&get_if_addrs()?, listening);
        control.check_port(&networks);
        let random: [u8; 8] = crypto::random().ok_or_else(|| io::Error::other("no random numbers"))?;
        // Random in each run, and never the name of the machine.
        let host = crypto::hex(&random) + ".local.";
        let worker = Worker {
            config,
            handler,
            control: Arc::clone(&control),
            networks: networks.clone(),
            host,
            announced: None,
            contacts: Vec::new(),
            collecting: BTreeMap::new(),
            known: BTreeMap::new(),
            unrecognized: BTreeMap::new(),
        };
        let thread = thread::Builder::new()
            .name("discovery".into())
            .stack_size(STACK_BYTES)
            .spawn(move || worker.run())?;
        Ok(Self { listening, networks, control, thread })
    }

    /// Returns the networks where this machine can be discovered, for the screen: those in whose
    /// address family the port of mDNS can be opened.
    ///
    /// # Errors
    /// Why it cannot be discovered: the port of mDNS cannot be opened.
    pub fn visible_networks(&self) -> Result<Vec<String>, String> {
        let faults = self.control.faults.lock();
        if let Some(error) = fault_of_all(&self.networks, &faults) {
            return Err(match error.kind() {
                io::ErrorKind::AddrInUse => format!("another program uses UDP port {MDNS_PORT}"),
                _ => format!("UDP port {MDNS_PORT} cannot be opened ({error})"),
            });
        }
        let is_open = |network: &&Network| !faults.iter().any(|(family, _)| *family == network.family());
        let open: Vec<Network> = self.networks.iter().filter(is_open).cloned().collect();
        Ok(networks::shown(&open))
    }

    /// Returns whether the networks of this machine, or its addresses in them, have changed since
    /// the start.
    pub fn is_out_of_date(&self) -> bool {
        // If they cannot be read, for example without a free descriptor, assumes no change.
        get_if_addrs().is_ok_and(|interfaces| networks::used(&interfaces, self.listening) != self.networks)
    }

    /// Says goodbye, which may take 200 ms, and ends.
    pub fn stop(self) {
        self.control.stopping.store(true, Ordering::Relaxed);
        let daemon = self.control.daemon.lock().take();
        if let Some(daemon) = daemon {
            shut_down(&daemon);
        }
        self.thread.thread().unpark();
    }
}

/// Opens and closes the port of mDNS in each address family of these networks, because `mdns-sd`
/// does not report that it cannot open it. Returns the families where it cannot be opened.
fn check_port(networks: &[Network]) -> Vec<(IpAddr, io::Error)> {
    // As `mdns-sd` opens it. On Linux and macOS the port of IPv6 is then that of IPv4, too, and
    // cannot be opened if another program uses either.
    let open = |family: IpAddr| {
        let addr = SocketAddr::new(family, MDNS_PORT);
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        // Programs that share the port set both.
        socket.set_reuse_address(true)?;
        #[cfg(unix)]
        let _ = socket.set_reuse_port(true);
        socket.bind(&addr.into())
    };
    let mut families: Vec<IpAddr> = networks.iter().map(Network::family).collect();
    families.sort_unstable();
    families.dedup();
    families.into_iter().filter_map(|family| Some((family, open(family).err()?))).collect()
}

/// Returns why the port of mDNS can be opened in none of these networks, if so.
fn fault_of_all<'a>(networks: &[Network], faults: &'a [(IpAddr, io::Error)]) -> Option<&'a io::Error> {
    let is_closed = |network: &Network| faults.iter().any(|(family, _)| *family == network.family());
    let (_, first) = faults.first()?;
    networks.iter().all(is_closed).then_some(first)
}

/// Ends the `mdns-sd` thread, which says goodbye first.
fn shut_down(daemon: &ServiceDaemon) {
    if let Ok(done) = daemon.shutdown() {
        let _ = done.recv_timeout(ANSWERS_WITHIN);
    }
}

/// An announcement and where its peer listens.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Seen {
    announcement: Announcement,
    /// Each with the index of the interface that it was heard through; 0 if unknown.
    ips: Vec<(IpAddr, u32)>,
    port: u16,
}

impl Seen {
    /// Parses a resolved service. `None` if it is not a p2p-chat announcement.
    fn of(service: &ResolvedService) -> Option<Self> {
        let instance = service.fullname.strip_suffix(SERVICE)?.trim_end_matches('.');
        let value = |key: &str| service.get_property_val(key).flatten();
        let announcement = Announcement::parse(instance, value)?;
        let ip = |ip: &ScopedIp| {
            let index = match ip {
                ScopedIp::V6(ip) => ip.scope_id().index,
                _ => 0,
            };
            (ip.to_ip_addr(), index)
        };
        Some(Self { announcement, ips: service.addresses.iter().map(ip).collect(), port: service.port })
    }
}

/// The discovery thread. The keys of its tables are full names of announcements. The tables have no
/// more entries than `mdns-sd` has records, whose number is limited.
struct Worker<H> {
    config: DiscoveryConfig,
    handler: H,
    control: Arc<Control>,
    networks: Vec<Network>,
    host: String,
    /// The hour and the full name of our announcement.
    announced: Option<(u64, String)>,
    /// The contacts when they were last read.
    contacts: Vec<PublicKey>,
    /// Announcements, each with the time until which its addresses are collected.
    collecting: BTreeMap<String, (Instant, Seen)>,
    /// The keys that have announced themselves.
    known: BTreeMap<String, PublicKey>,
    /// Announcements that belong to no contact yet. The user may still add the contact.
    unrecognized: BTreeMap<String, Seen>,
}

/// The subscription to events of `mdns-sd`.
#[derive(Default)]
struct Subscription(Option<Receiver<ServiceEvent>>);

impl Subscription {
    /// Waits for the next event. `None` if there is none for as long as `wait`, or if `mdns-sd` has
    /// closed the subscription, because 1,000 events waited. The next call then subscribes again,
    /// and `mdns-sd` repeats what it knows.
    fn next(
        &mut self,
        browse: impl FnOnce() -> mdns_sd::Result<Receiver<ServiceEvent>>,
        wait: Duration,
    ) -> mdns_sd::Result<Option<ServiceEvent>> {
        let open = match self.0.take() {
            Some(open) => open,
            None => browse()?,
        };
        match open.recv_timeout(wait) {
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            received => {
                self.0 = Some(open);
                Ok(received.ok())
            }
        }
    }
}

/// Why `mdns-sd` has to be started again.
type Failed = Box<dyn std::error::Error>;

impl<H: DiscoveryHandler> Worker<H> {
    fn run(mut self) {
        let mut last_error = String::new();
        while !self.control.is_stopping() {
            let served = self.open().and_then(|daemon| {
                let served = self.serve(&daemon);
                shut_down(&daemon);
                served
            });
            (self.announced, self.collecting) = (None, BTreeMap::new());
            (self.known, self.unrecognized) = (BTreeMap::new(), BTreeMap::new());
            if let Err(error) = served {
                let error = error.to_string();
                if error != last_error {
                    log::warn!("discovery: {error}");
                    last_error = error;
                }
                thread::park_timeout(START_AGAIN_AFTER);
            }
        }
    }

    /// Starts `mdns-sd`.
    fn open(&self) -> Result<ServiceDaemon, Failed> {
        self.control.check_port(&self.networks);
        if let Some(error) = fault_of_all(&self.networks, &self.control.faults.lock()) {
            return Err(format!("cannot open UDP port {MDNS_PORT}: {error}").into());
        }
        let mut held = self.control.daemon.lock();
        let daemon = ServiceDaemon::new()?;
        let at = self.config.listening;
        let unused = IfPredicate::new(move |interface| !networks::is_used(interface, at));
        daemon.disable_interface(IfKind::Predicate(unused))?;
        daemon.set_ip_check_interval(IP_CHECK_SECONDS)?;
        if !self.control.is_stopping() {
            *held = Some(daemon.clone());
        }
        Ok(daemon)
    }

    /// Announces us and handles events until we leave, or `mdns-sd` has too many records.
    fn serve(&mut self, daemon: &ServiceDaemon) -> Result<(), Failed> {
        let mut subscription = Subscription::default();
        let mut count_at = Instant::now() + COUNT_INTERVAL;
        while !self.control.is_stopping() {
            self.announce(daemon)?;
            let now = Instant::now();
            if count_at <= now {
                let records = records_of(daemon)?;
                if records > MAX_RECORDS {
                    log::warn!("discovery: starting again, because the network has {records} records");
                    return Ok(());
                }
                count_at = now + if records > MANY_RECORDS { BUSY_COUNT_INTERVAL } else { COUNT_INTERVAL };
                self.recognize();
            }
            self.take_collected(now);
            let due = self.collecting.values().map(|(due, _)| *due).min().unwrap_or(count_at);
            let wait = due.min(count_at).saturating_duration_since(now);
            if let Some(event) = subscription.next(|| daemon.browse(SERVICE), wait)? {
                self.event(event);
            }
        }
        Ok(())
    }

    /// Announces us, unless that is already done. An announcement for contacts is replaced each
    /// hour.
    fn announce(&mut self, daemon: &ServiceDaemon) -> Result<(), Failed> {
        let hour = hour();
        let is_open = self.config.mode == DiscoveryMode::On;
        if self.announced.as_ref().is_some_and(|(at, _)| is_open || *at == hour) {
            return Ok(());
        }
        let (instance, txt) = if is_open {
            announcement::open(self.config.key, self.config.name.as_str())
        } else {
            let nonce = crypto::random().ok_or("no random numbers")?;
            announcement::for_contacts(self.config.key, hour, &nonce)
        };
        let port = self.config.listening.port;
        let info = ServiceInfo::new(SERVICE, &instance, &self.host, (), port, &txt[..])?.enable_addr_auto();
        let name = info.get_fullname().to_owned();
        daemon.register(info)?;
        if let Some((_, former)) = self.announced.replace((hour, name)) {
            daemon.unregister(&former)?;
        }
        Ok(())
    }

    fn event(&mut self, event: ServiceEvent) {
        match event {
            ServiceEvent::ServiceResolved(service) => {
                if let Some(seen) = Seen::of(&service) {
                    let due = Instant::now() + COLLECTED_FOR;
                    let entry = self.collecting.entry(service.fullname).or_insert((due, seen.clone()));
                    entry.1 = seen;
                }
            }
            ServiceEvent::ServiceRemoved(_, name) => {
                self.collecting.remove(&name);
                self.unrecognized.remove(&name);
                if let Some(key) = self.known.remove(&name)
                    && !self.known.values().any(|known| *known == key)
                {
                    log::debug!("discovery: {key} is gone");
                    self.handler.lost(key);
                }
            }
            _ => {}
        }
    }

    /// Passes on the announcements whose addresses have been collected.
    fn take_collected(&mut self, now: Instant) {
        let is_due = |(due, _): &(Instant, Seen)| *due <= now;
        if !self.collecting.values().any(is_due) {
            return;
        }
        self.contacts = self.handler.contacts();
        let names: Vec<String> =
            self.collecting.iter().filter(|(_, entry)| is_due(entry)).map(|(name, _)| name.clone()).collect();
        let seen = names.into_iter().filter_map(|name| {
            let (_, seen) = self.collecting.remove(&name)?;
            Some((name, seen))
        });
        let seen: Vec<(String, Seen)> = seen.collect();
        self.pass_on(seen);
    }

    /// Checks the unrecognized announcements again if the contacts have changed.
    fn recognize(&mut self) {
        if self.unrecognized.is_empty() {
            return;
        }
        let contacts = self.handler.contacts();
        if self.contacts != contacts {
            self.contacts = contacts;
            let seen = std::mem::take(&mut self.unrecognized).into_iter().collect();
            self.pass_on(seen);
        }
    }

    /// Passes on announcements of peers that can be dialed.
    fn pass_on(&mut self, all: Vec<(String, Seen)>) {
        let Ok(interfaces) = get_if_addrs() else { return };
        let networks = networks::used(&interfaces, self.config.listening);
        let hour = hour();
        for (name, seen) in all {
            let Some(key) = seen.announcement.key(&self.contacts, hour) else {
                self.unrecognized.insert(name, seen);
                continue;
            };
            if key == self.config.key {
                continue;
            }
            let addrs = networks::dialable(&seen.ips, seen.port, &networks);
            log::debug!("discovery: {key} announces itself at {addrs:?}");
            self.known.insert(name, key);
            self.handler.found(Found { key, name: seen.announcement.name().cloned(), addrs });
        }
    }
}

/// Returns the hours since 1970.
fn hour() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / HOUR_SECONDS
}

/// Returns the number of records in `mdns-sd`, or more than [`MANY_RECORDS`] if it is too busy to
/// answer.
fn records_of(daemon: &ServiceDaemon) -> Result<i64, Failed> {
    let Ok(counters) = daemon.get_metrics()?.recv_timeout(ANSWERS_WITHIN) else {
        return Ok(MANY_RECORDS + 1);
    };
    Ok(counters.iter().filter(|(name, _)| name.starts_with("cached-")).map(|(_, count)| count).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_subscription_is_opened_again() {
        let (sender, receiver) = flume::bounded(2);
        let mut subscription = Subscription::default();
        let mut next = |browse: Option<Receiver<ServiceEvent>>| {
            let event = subscription.next(|| Ok(browse.expect("no second subscription")), Duration::ZERO);
            event.unwrap().map(|event| format!("{event:?}"))
        };
        assert_eq!(next(Some(receiver)), None);
        for name in ["one", "other"] {
            sender.send(ServiceEvent::SearchStarted(name.into())).unwrap();
        }
        assert!(next(None).unwrap().contains("one"));
        // As `mdns-sd` does when the channel is full. What waits is still read.
        drop(sender);
        assert!(next(None).unwrap().contains("other"));
        assert_eq!(next(None), None);
        let (sender, receiver) = flume::bounded(1);
        sender.send(ServiceEvent::SearchStarted("again".into())).unwrap();
        assert!(next(Some(receiver)).unwrap().contains("again"));
    }
}
