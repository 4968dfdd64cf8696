//! Many dialled connections at once: bounded threads, and for each peer one message after the other.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::STACK_BYTES;
use super::dial::{self, Identity};
use crate::message::{Failure, Fate, Form, Outgoing};
use crate::peer::{Name, PeerAddr};

/// Threads that dial at once at most. Peers that never answer hold one for seconds each; with this many, five hundred
/// such still delay nobody, and each thread costs some tens of kilobytes only while it is needed.
pub const MAX_DIALLERS: usize = 512;

/// Threads that are taken on at once, and again whenever those that there are get stuck. So many dial a thousand peers that
/// answer as quickly as any number does, and a thread costs more than dialling.
const SOME_DIALLERS: usize = 32;

/// They are stuck when fewer than half of them have ended an errand within this time: a peer that answers does in a tenth of it.
const STUCK_AFTER: Duration = Duration::from_millis(5);

/// Errands under way or waiting at most: three for each peer of a full table.
pub const MAX_ERRANDS: usize = 30_000;

/// The name of the threads in which a panic ends one errand only.
pub(crate) const DIALLER: &str = "dialler";

/// An idle thread ends after this long, so that a burst does not hold its threads for ever.
const IDLE_FOR: Duration = Duration::from_secs(5);

/// Something to be said to somebody.
#[derive(Clone, Debug)]
pub struct Errand {
    /// It is reported under this.
    pub id: u64,
    /// To whom.
    pub to: PeerAddr,
    /// Whom to dial if nobody listens there.
    pub fallback: Option<PeerAddr>,
    /// The form to write it in.
    pub form: Form,
    /// What we are called.
    pub name: Name,
    /// What to say.
    pub message: Outgoing,
    /// When to be done whatever happens.
    pub deadline: Option<Instant>,
}

/// What became of an errand.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which one.
    pub id: u64,
    /// The address dialled in the end.
    pub to: PeerAddr,
    /// Its fate.
    pub fate: Fate,
    /// How many parts were sent, and how many there are.
    pub parts: (usize, usize),
}

type Callback = dyn Fn(Report) + Send + Sync;

/// Dials in threads of its own, as many as are needed and at most [`MAX_DIALLERS`]. Messages to one peer go one after
/// the other in the order given; probes wait for nobody.
pub struct Dialler {
    shared: Arc<Shared>,
}

struct Shared {
    identity: Identity,
    report: Box<Callback>,
    state: Mutex<State>,
    work: Condvar,
    ended: Condvar,
    /// Ends the watch.
    stopped: Condvar,
}

#[derive(Default)]
struct State {
    ready: VecDeque<Errand>,
    /// Peers that somebody is talking to, and what else is to be said to them.
    lanes: HashMap<PeerAddr, VecDeque<Errand>>,
    errands: usize,
    /// Threads, those that wait for work, and those that have not begun to.
    threads: usize,
    idle: usize,
    starting: usize,
    /// A thread watches whether the others are stuck.
    watched: bool,
    /// Errands that have ended.
    done: usize,
    stopping: bool,
}

impl Dialler {
    /// A dialler without threads yet. `report` is called from its threads, once for every errand taken.
    pub fn new(identity: Identity, report: impl Fn(Report) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            identity,
            report: Box::new(report),
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            stopped: Condvar::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes an errand into the queue, without waiting for anything. [`Dialler::staff`] has to follow.
    ///
    /// # Errors
    /// Gives it back where [`MAX_ERRANDS`] are under way or the dialler is stopping.
    pub fn push(&self, errand: Errand) -> Result<(), Errand> {
        let mut state = self.shared.state.lock();
        if state.stopping || state.errands >= MAX_ERRANDS {
            return Err(errand);
        }
        state.errands += 1;
        if is_probe(&errand) {
            state.ready.push_back(errand);
        } else if let Some(lane) = state.lanes.get_mut(&errand.to) {
            lane.push_back(errand);
            return Ok(());
        } else {
            state.lanes.insert(errand.to, VecDeque::new());
            state.ready.push_back(errand);
        }
        self.shared.work.notify_one();
        Ok(())
    }

    /// Takes on threads for the errands that are ready and have none: [`SOME_DIALLERS`], and more when these are stuck, as far as
    /// [`MAX_DIALLERS`] and the system allow. Errands that find no thread at all are reported as failed.
    pub fn staff(&self) {
        let mut state = self.shared.state.lock();
        take_on(&self.shared, &mut state, SOME_DIALLERS);
        if state.lacks_threads() && !state.watched {
            state.watched = true;
            let shared = Arc::clone(&self.shared);
            let watch = thread::Builder::new().name(DIALLER.into()).stack_size(STACK_BYTES);
            if let Err(error) = watch.spawn(move || watch_over(&shared)) {
                state.watched = false;
                log::error!("no thread to watch over dialling with: {error}");
            }
        }
    }

    /// Takes no more errands, reports those not begun as cancelled, and waits for the others until `deadline`.
    pub fn stop(&self, deadline: Instant) {
        let mut state = self.shared.state.lock();
        state.stopping = true;
        let cancelled = state.take_all();
        self.shared.work.notify_all();
        self.shared.stopped.notify_all();
        MutexGuard::unlocked(&mut state, || {
            cancelled.into_iter().for_each(|errand| self.shared.fail(errand, Failure::Cancelled));
        });
        while (state.threads > 0 || state.watched)
            && !self.shared.ended.wait_until(&mut state, deadline).timed_out()
        {}
    }
}

impl State {
    /// Whether errands wait for a thread that could be had.
    fn lacks_threads(&self) -> bool {
        !self.stopping && self.threads < MAX_DIALLERS && self.ready.len() > self.idle + self.starting
    }

    /// Everything that is not under way yet.
    fn take_all(&mut self) -> Vec<Errand> {
        let mut all: Vec<Errand> = self.ready.drain(..).collect();
        all.extend(self.lanes.drain().flat_map(|(_, lane)| lane));
        self.errands -= all.len();
        all
    }
}

impl Shared {
    fn fail(&self, errand: Errand, failure: Failure) {
        (self.report)(Report { id: errand.id, to: errand.to, fate: Fate::Failed(failure), parts: (0, 1) });
    }
}

fn is_probe(errand: &Errand) -> bool {
    matches!(errand.message, Outgoing::Probe | Outgoing::Ping)
}

fn spawn(shared: &Arc<Shared>) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    thread::Builder::new().name(DIALLER.into()).stack_size(STACK_BYTES).spawn(move || work(&shared)).map(drop)
}

/// Takes on threads for what is ready, up to so many in all.
fn take_on(shared: &Arc<Shared>, state: &mut MutexGuard<'_, State>, most: usize) {
    while state.lacks_threads() && state.threads < most {
        state.threads += 1;
        state.starting += 1;
        let spawned = MutexGuard::unlocked(state, || spawn(shared));
        let Err(error) = spawned else { continue };
        state.threads -= 1;
        state.starting -= 1;
        let helpless = if state.threads == 0 { state.take_all() } else { Vec::new() };
        MutexGuard::unlocked(state, || {
            log::error!("no further thread to dial with: {error}");
            helpless.into_iter().for_each(|errand| shared.fail(errand, Failure::NoResources));
        });
        return;
    }
}

/// Takes on more threads as often as those that there are get stuck, until there is a thread for everything.
fn watch_over(shared: &Arc<Shared>) {
    let mut state = shared.state.lock();
    while state.lacks_threads() {
        let done = state.done;
        shared.stopped.wait_for(&mut state, STUCK_AFTER);
        if state.done.wrapping_sub(done) < state.threads / 2 {
            let most = state.threads + SOME_DIALLERS;
            take_on(shared, &mut state, most);
        }
    }
    state.watched = false;
    shared.ended.notify_all();
}

/// What each thread does until there is nothing to do.
fn work(shared: &Shared) {
    let mut state = shared.state.lock();
    state.starting -= 1;
    loop {
        if let Some(errand) = state.ready.pop_front() {
            MutexGuard::unlocked(&mut state, || {
                if catch_unwind(AssertUnwindSafe(|| run(shared, &errand))).is_err() {
                    log::error!("the report of job {} failed", errand.id);
                }
            });
            state.errands -= 1;
            state.done = state.done.wrapping_add(1);
            if !is_probe(&errand) {
                next_in_lane(&mut state, errand.to);
            }
            continue;
        }
        if state.stopping {
            break;
        }
        state.idle += 1;
        let waited = shared.work.wait_for(&mut state, IDLE_FOR);
        state.idle -= 1;
        if waited.timed_out() && state.ready.is_empty() {
            break;
        }
    }
    state.threads -= 1;
    shared.ended.notify_all();
}

/// Whoever has said something to a peer goes on with what waits for it, or closes the lane.
fn next_in_lane(state: &mut State, to: PeerAddr) {
    match state.lanes.get_mut(&to).and_then(VecDeque::pop_front) {
        Some(next) => state.ready.push_front(next),
        None => drop(state.lanes.remove(&to)),
    }
}

fn run(shared: &Shared, errand: &Errand) {
    log::debug!("job {} to {}: {:?}", errand.id, errand.to, errand.message);
    let dialled = catch_unwind(AssertUnwindSafe(|| {
        let Errand { to, fallback, form, ref name, ref message, deadline, .. } = *errand;
        let first = dial::say(&shared.identity, name, to, form, message, deadline);
        match (&first.0, fallback) {
            // What has had a part of a text is the one meant, whatever becomes of the rest.
            (Fate::Failed(Failure::Refused), Some(other)) if first.1.0 == 0 => {
                let second = dial::say(&shared.identity, name, other, form, message, deadline);
                // Only if nothing was sent there either, nothing was sent.
                match second {
                    (Fate::Failed(_), (0, _)) => (to, first),
                    second => (other, second),
                }
            }
            _ => (to, first),
        }
    }));
    // An errand is reported whatever happens.
    let (to, (fate, parts)) = dialled.unwrap_or((errand.to, (Fate::Broken, (0, 1))));
    (shared.report)(Report { id: errand.id, to, fate, parts });
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::mpsc;

    use super::*;

    fn dialler() -> (Dialler, mpsc::Receiver<Report>) {
        let (tell, told) = mpsc::channel();
        let identity = Identity { bind: Ipv4Addr::UNSPECIFIED, port: 5000, advertise: None };
        (Dialler::new(identity, move |report| tell.send(report).unwrap()), told)
    }

    fn errand(id: u64, to: PeerAddr, message: Outgoing) -> Errand {
        let name = "Alice".parse().unwrap();
        Errand { id, to, fallback: None, form: Form::Standard, name, message, deadline: None }
    }

    fn push(dialler: &Dialler, errand: Errand) -> Result<(), Errand> {
        dialler.push(errand)?;
        dialler.staff();
        Ok(())
    }

    fn text(text: &str) -> Outgoing {
        Outgoing::Text([text.to_owned()].into())
    }

    fn addr_of(listener: &TcpListener) -> PeerAddr {
        listener.local_addr().unwrap().to_string().parse().unwrap()
    }

    #[test]
    fn messages_to_one_peer_arrive_in_order() {
        let (dialler, told) = dialler();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = addr_of(&listener);
        for id in 0..50 {
            push(&dialler, errand(id, to, text(&id.to_string()))).unwrap();
        }
        for id in 0..50 {
            let mut got = String::new();
            listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
            assert_eq!(got, format!("127.0.0.1:5000 Alice {id}"));
            assert_eq!(told.recv().unwrap().id, id);
        }
        dialler.stop(Instant::now() + Duration::from_secs(5));
    }

    #[test]
    fn a_peer_that_never_answers_delays_nobody_else() {
        let (dialler, told) = dialler();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let lively = TcpListener::bind("127.0.0.1:0").unwrap();
        for id in 0..40 {
            push(&dialler, errand(id, addr_of(&silent), Outgoing::Probe)).unwrap();
        }
        push(&dialler, errand(99, addr_of(&lively), text("hello"))).unwrap();
        drop(lively.accept().unwrap());
        assert_eq!(told.recv().unwrap().id, 99);
        dialler.stop(Instant::now() + Duration::from_secs(5));
    }

    #[test]
    fn stopping_reports_what_was_not_begun_as_cancelled() {
        let (dialler, told) = dialler();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        for id in 0..3 {
            push(&dialler, errand(id, addr_of(&silent), text("hello"))).unwrap();
        }
        let held = silent.accept().unwrap();
        dialler.stop(Instant::now() + Duration::from_secs(5));
        drop(held);
        let mut fates: Vec<_> = told.try_iter().map(|report| (report.id, report.fate)).collect();
        fates.sort_by_key(|(id, _)| *id);
        let cancelled = Fate::Failed(Failure::Cancelled);
        assert_eq!(fates, [(0, Fate::Unanswered), (1, cancelled.clone()), (2, cancelled)]);
        assert!(push(&dialler, errand(4, addr_of(&silent), Outgoing::Probe)).is_err());
    }

    #[test]
    fn what_was_written_to_the_fallback_is_never_told_as_not_sent() {
        let (dialler, told) = dialler();
        let closed = addr_of(&TcpListener::bind("127.0.0.1:0").unwrap());
        let stopped = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut errand = errand(1, closed, text("hello"));
        errand.fallback = Some(addr_of(&stopped));
        push(&dialler, errand).unwrap();
        // It accepts and does not read, and perhaps will.
        let report = told.recv().unwrap();
        assert_eq!((report.to, report.fate), (addr_of(&stopped), Fate::Unanswered));
    }

    #[test]
    fn a_text_of_which_a_part_was_taken_is_not_begun_again_elsewhere() {
        let (dialler, told) = dialler();
        let ends = TcpListener::bind("127.0.0.1:0").unwrap();
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        other.set_nonblocking(true).unwrap();
        let to = addr_of(&ends);
        let mut errand = errand(1, to, Outgoing::Text(["one".to_owned(), "two".to_owned()].into()));
        errand.fallback = Some(addr_of(&other));
        push(&dialler, errand).unwrap();
        let mut taken = ends.accept().unwrap().0;
        drop(ends);
        taken.read_to_end(&mut Vec::new()).unwrap();
        drop(taken);
        let report = told.recv().unwrap();
        assert_eq!((report.to, report.parts), (to, (1, 2)));
        assert_eq!(report.fate, Fate::Failed(Failure::Refused));
        assert!(other.accept().is_err(), "the second address was dialled");
    }

    #[test]
    fn the_fallback_is_dialled_where_nobody_listens_at_the_first_address() {
        let (dialler, told) = dialler();
        let closed = addr_of(&TcpListener::bind("127.0.0.1:0").unwrap());
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut errand = errand(1, closed, text("hello"));
        errand.fallback = Some(addr_of(&open));
        push(&dialler, errand).unwrap();
        open.accept().unwrap().0.read_to_end(&mut Vec::new()).unwrap();
        let report = told.recv().unwrap();
        assert_eq!((report.to, report.fate), (addr_of(&open), Fate::HandedOver));
    }
}
