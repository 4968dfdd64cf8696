//! Resolves host names on threads of its own, because the system's resolver blocks.

use std::collections::{BTreeSet, VecDeque};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::core::MAX_STATIC_PEERS;
use crate::model::address::PeerAddr;
use crate::model::host::{HostAddr, LookupError};

/// The maximum number of threads. A name server that does not answer occupies one for up to half a
/// minute; the others resolve the names of other servers, and those in /etc/hosts.
pub(crate) const MAX_RESOLVERS: usize = 4;

/// The maximum number of names that are being resolved or wait for it: all static peers, and as
/// many as a user types meanwhile.
const MAX_LOOKUPS: usize = MAX_STATIC_PEERS + 100;

/// The time after which an idle thread ends.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// What a name resolves to.
type LookupResult = Result<Vec<PeerAddr>, LookupError>;

/// Resolves each name and reports the result.
///
/// The system's resolver cannot be interrupted. The core limits how long it waits for a result, and
/// a program that ends does not wait for these threads.
pub(crate) struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    resolve: Box<dyn Fn(&HostAddr) -> LookupResult + Send + Sync>,
    report: Box<dyn Fn(HostAddr, LookupResult) + Send + Sync>,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<HostAddr>,
    /// The names that wait or are being resolved. None is resolved twice at once, so a name whose
    /// server does not answer occupies only one thread.
    under_way: BTreeSet<HostAddr>,
    threads: usize,
    /// Threads that wait for a name.
    idle: usize,
    stopping: bool,
}

impl Resolver {
    /// Creates a resolver without threads. It calls `report` on one of them for each name.
    pub(crate) fn new(report: impl Fn(HostAddr, LookupResult) + Send + Sync + 'static) -> Self {
        Self::with(resolve, report)
    }

    fn with(
        resolve: impl Fn(&HostAddr) -> LookupResult + Send + Sync + 'static,
        report: impl Fn(HostAddr, LookupResult) + Send + Sync + 'static,
    ) -> Self {
        let (resolve, report) = (Box::new(resolve), Box::new(report));
        let shared = Shared { resolve, report, state: Mutex::default(), work: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Queues a name and returns at once. The caller then has to call [`Resolver::start_threads`].
    ///
    /// # Errors
    /// [`LookupError::Busy`] if `MAX_LOOKUPS` wait already.
    pub(crate) fn push(&self, host: HostAddr) -> Result<(), LookupError> {
        let mut state = self.shared.state.lock();
        if state.under_way.contains(&host) {
            return Ok(());
        }
        if state.stopping || state.under_way.len() >= MAX_LOOKUPS {
            return Err(LookupError::Busy);
        }
        state.under_way.insert(host.clone());
        state.waiting.push_back(host);
        self.shared.work.notify_one();
        Ok(())
    }

    /// Starts a thread for each name that waits for one, within [`MAX_RESOLVERS`]. If the system
    /// starts none and there is none, it reports all names as failed.
    pub(crate) fn start_threads(&self) {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        while state.waiting.len() > state.idle && state.threads < MAX_RESOLVERS && !state.stopping {
            state.threads += 1;
            // It takes a name when it runs, and counts as waiting for one until then.
            state.idle += 1;
            let spawned = MutexGuard::unlocked(&mut state, || spawn(shared));
            let Err(error) = spawned else { continue };
            state.threads -= 1;
            state.idle -= 1;
            log::error!("cannot start a thread to resolve host names: {error}");
            if state.threads > 0 {
                return;
            }
            let failed: Vec<HostAddr> = state.waiting.drain(..).collect();
            state.under_way.retain(|host| !failed.contains(host));
            drop(state);
            failed.into_iter().for_each(|host| (shared.report)(host, Err(LookupError::Busy)));
            return;
        }
    }

    /// Takes no more names, and has idle threads end. It does not wait for them.
    pub(crate) fn stop(&self) {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        state.waiting.clear();
        self.shared.work.notify_all();
    }
}

fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name("resolver".into()).spawn(move || work(&shared)).map(drop)
}

/// Resolves names until there have been none for [`IDLE_FOR`] or the resolver stops.
fn work(shared: &Shared) {
    let mut state = shared.state.lock();
    loop {
        if let Some(host) = state.waiting.pop_front() {
            state.idle -= 1;
            let found = MutexGuard::unlocked(&mut state, || (shared.resolve)(&host));
            state.under_way.remove(&host);
            if !state.stopping {
                MutexGuard::unlocked(&mut state, || (shared.report)(host, found));
            }
            state.idle += 1;
            continue;
        }
        let is_over = state.stopping || shared.work.wait_for(&mut state, IDLE_FOR).timed_out();
        if is_over && state.waiting.is_empty() {
            break;
        }
    }
    state.idle -= 1;
    state.threads -= 1;
}

/// Asks the system. Addresses that cannot be dialed are left out.
fn resolve(host: &HostAddr) -> LookupResult {
    let addrs = (host.name(), host.port()).to_socket_addrs().map_err(|error| {
        log::info!("{host} cannot be resolved: {error}");
        LookupError::NotFound
    })?;
    let addrs: Vec<PeerAddr> = addrs.filter_map(PeerAddr::of).collect();
    log::debug!("{host} is {addrs:?}");
    if addrs.is_empty() { Err(LookupError::NotFound) } else { Ok(addrs) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    fn host(name: &str) -> HostAddr {
        format!("{name}:5000").parse().unwrap()
    }

    fn addr(text: &str) -> PeerAddr {
        text.parse().unwrap()
    }

    /// A resolver whose names each wait for a word on the sender.
    fn slow() -> (Resolver, Sender<()>, Receiver<HostAddr>) {
        let (go, gone_on) = mpsc::channel();
        let (sender, reports) = mpsc::channel();
        let gone_on = Mutex::new(gone_on);
        let resolve = move |_: &HostAddr| {
            let _ = gone_on.lock().recv();
            Ok(vec![addr("127.0.0.1:5000")])
        };
        let report = move |host, _| drop(sender.send(host));
        (Resolver::with(resolve, report), go, reports)
    }

    #[test]
    fn system_resolves_localhost() {
        let (sender, reports) = mpsc::channel();
        let resolver = Resolver::new(move |host, found| drop(sender.send((host, found))));
        resolver.push(host("localhost")).unwrap();
        resolver.start_threads();
        let (of, found) = reports.recv().unwrap();
        assert_eq!(of, host("localhost"));
        assert!(found.unwrap().contains(&addr("127.0.0.1:5000")));
    }

    #[test]
    fn names_wait_for_few_threads_and_none_twice() {
        let (resolver, go, reports) = slow();
        let names: Vec<HostAddr> = (0..10).map(|n| host(&format!("host{n}"))).collect();
        for name in names.iter().chain(&names) {
            resolver.push(name.clone()).unwrap();
            resolver.start_threads();
            assert!(resolver.shared.state.lock().threads <= MAX_RESOLVERS);
        }
        names.iter().for_each(|_| go.send(()).unwrap());
        let mut got: Vec<HostAddr> = names.iter().map(|_| reports.recv().unwrap()).collect();
        got.sort();
        assert_eq!(got, names);
    }

    #[test]
    fn too_many_names_are_refused() {
        let (resolver, _go, _) = slow();
        for n in 0..MAX_LOOKUPS {
            resolver.push(host(&format!("host{n}"))).unwrap();
        }
        assert_eq!(resolver.push(host("one-more")), Err(LookupError::Busy));
        assert_eq!(resolver.push(host("host7")), Ok(()));
    }

    #[test]
    fn stopping_waits_for_no_name() {
        let (resolver, _go, _) = slow();
        resolver.push(host("hangs")).unwrap();
        resolver.start_threads();
        resolver.stop();
        assert_eq!(resolver.push(host("bob")), Err(LookupError::Busy));
    }

    #[test]
    fn idle_threads_end() {
        let (resolver, go, reports) = slow();
        resolver.push(host("bob")).unwrap();
        resolver.start_threads();
        go.send(()).unwrap();
        reports.recv().unwrap();
        resolver.stop();
        while resolver.shared.state.lock().threads > 0 {
            thread::yield_now();
        }
    }
}
