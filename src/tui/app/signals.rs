//! Turns signals into events, so that the program ends and continues in order.

#[cfg(unix)]
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use parking_lot::{Condvar, Mutex, MutexGuard};

#[cfg(unix)]
use super::AppEvent;
use super::Queue;
use super::tui;

/// A signal this long after the first ends the program at once.
#[cfg(unix)]
const IMPATIENT_AFTER: Duration = Duration::from_millis(300);

/// How long a requested stop may take. The system does not stop a program that no shell could
/// continue, so the program continues after this.
#[cfg(unix)]
const STOPS_WITHIN: Duration = Duration::from_millis(100);

/// How long a program that continues in the background waits for a signal to end before it stops
/// again. A shell that ends a stopped program sends that signal and continues it, and the two can
/// arrive in any order.
#[cfg(unix)]
const ENDS_WITHIN: Duration = Duration::from_millis(50);

/// The signals received so far.
#[cfg(unix)]
struct Told {
    /// How often the program was continued.
    continued: u64,
    /// Whether the program was asked to end.
    to_end: bool,
}

static STARTED: AtomicBool = AtomicBool::new(false);

#[cfg(unix)]
static TOLD: (Mutex<Told>, Condvar) = (Mutex::new(Told { continued: 0, to_end: false }), Condvar::new());

/// Stops the process group until the shell continues it, as a terminal does on Ctrl-Z outside raw
/// mode.
///
/// Returns how often the program was continued in all, which distinguishes the event of this
/// continuation from later ones.
pub(super) fn suspend() -> u64 {
    #[cfg(not(unix))]
    return 0;
    #[cfg(unix)]
    {
        let mut told = TOLD.0.lock();
        stop(&mut told, rustix::process::Signal::TSTP);
        told.continued
    }
}

/// Stops the process group if it is in the background, as the system stops a program that reads
/// from its terminal there. Reading would also stop it again at each signal to end.
///
/// Returns whether it is in the foreground and was not stopped. Otherwise an event is in the queue.
pub(super) fn stop_in_background() -> bool {
    #[cfg(unix)]
    {
        let mut told = TOLD.0.lock();
        let deadline = Instant::now() + ENDS_WITHIN;
        while !told.to_end && !TOLD.1.wait_until(&mut told, deadline).timed_out() {}
        if told.to_end {
            return false;
        }
        // Checked right before stopping: a shell may have brought the program to the foreground.
        if tui::is_in_foreground() {
            return true;
        }
        // The system does not stop a program that no shell could continue.
        if !stop(&mut told, rustix::process::Signal::TTIN)
            && let Err(error) = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTTIN)
        {
            log::warn!("cannot stop: {error}");
        }
    }
    false
}

/// Stops the whole process group until it is continued. Returns whether it was stopped.
#[cfg(unix)]
fn stop(told: &mut MutexGuard<'_, Told>, signal: rustix::process::Signal) -> bool {
    let before = told.continued;
    if let Err(error) = rustix::process::kill_current_process_group(signal) {
        log::warn!("cannot stop: {error}");
        return false;
    }
    let deadline = Instant::now() + STOPS_WITHIN;
    while told.continued == before {
        if TOLD.1.wait_until(told, deadline).timed_out() {
            break;
        }
    }
    told.continued > before
}

/// Lets the application handle signals from now on. Before, they end the program at once.
pub(super) fn start() {
    STARTED.store(true, Ordering::SeqCst);
}

#[cfg(unix)]
pub(super) fn has_started() -> bool {
    STARTED.load(Ordering::SeqCst)
}

/// Ends the program like Ctrl-C outside raw mode.
pub(super) fn interrupt() -> ! {
    tui::restore_terminal();
    #[cfg(unix)]
    end_by(signal_hook::consts::SIGINT);
    #[cfg(not(unix))]
    std::process::exit(128 + super::INTERRUPT)
}

/// Ends the program as this unhandled signal would.
#[cfg(unix)]
fn end_by(signal: i32) -> ! {
    if let Err(error) = signal_hook::low_level::emulate_default_handler(signal) {
        log::warn!("cannot end by a signal: {error}");
    }
    std::process::exit(128 + signal)
}

/// The source of signals, before any is watched.
pub(super) struct Signals(#[cfg(unix)] signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    /// Opens the source. Must come before any connections, which may take all file descriptors.
    pub(super) fn open() -> anyhow::Result<Self> {
        Ok(Self(signal_hook::iterator::Signals::new(Vec::<i32>::new())?))
    }

    /// Starts to turn signals that end the program into events.
    pub(super) fn watch(mut self, queue: &Queue) -> anyhow::Result<()> {
        use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};

        for signal in [SIGCONT, SIGHUP, SIGINT, SIGTERM] {
            self.0.add_signal(signal)?;
        }
        let queue = Arc::clone(queue);
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            let mut asked: Option<Instant> = None;
            for signal in self.0.forever() {
                if signal == SIGCONT {
                    let mut told = TOLD.0.lock();
                    told.continued += 1;
                    if has_started() {
                        queue.put(AppEvent::Continued(told.continued));
                    }
                    TOLD.1.notify_all();
                    continue;
                }
                if !has_started() {
                    tui::restore_terminal();
                    end_by(signal);
                }
                // A closing window may send its signal twice. A second request of the user comes
                // later.
                if asked.get_or_insert_with(Instant::now).elapsed() >= IMPATIENT_AFTER {
                    // The main thread may be blocked by a reader of its output.
                    tui::abandon_terminal();
                    std::process::exit(128 + signal);
                }
                queue.put(AppEvent::Signal(signal));
                TOLD.0.lock().to_end = true;
                TOLD.1.notify_all();
            }
        })?;
        Ok(())
    }
}

/// On other systems, Ctrl-C comes as a key, and there are no signals.
#[cfg(not(unix))]
impl Signals {
    pub(super) fn open() -> anyhow::Result<Self> {
        Ok(Self())
    }

    pub(super) fn watch(self, _queue: &Queue) -> anyhow::Result<()> {
        Ok(())
    }
}
