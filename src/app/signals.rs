//! Signals become happenings, so that the program ends, and goes on, in order.

#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Queue;
#[cfg(unix)]
use super::{Happening, ui};

/// A signal this long after the first ends the program at once.
#[cfg(unix)]
const IMPATIENT_AFTER: Duration = Duration::from_millis(300);

/// How long a stop may take to come about after it was asked for. Where nobody could continue the program, the system
/// does not stop it at all, and it goes on after this.
#[cfg(unix)]
const STOPS_WITHIN: Duration = Duration::from_millis(100);

/// How long a program that goes on in the background looks out for a signal that asks it to end, before it stops again:
/// a shell that ends what it has stopped sends that signal and lets it go on, and the two may be seen in any order.
#[cfg(unix)]
const ENDS_WITHIN: Duration = Duration::from_millis(50);

/// What signals have told.
#[cfg(unix)]
struct Told {
    /// How often the program was continued.
    continued: u64,
    /// It was asked to end.
    to_end: bool,
}

#[cfg(unix)]
static TOLD: (Mutex<Told>, Condvar) = (Mutex::new(Told { continued: 0, to_end: false }), Condvar::new());

/// Stops the program, and what was started together with it, until the shell lets it go on: what a terminal does
/// on Ctrl-Z while it looks out for that itself.
///
/// Returns how often the program was continued in all, by which the news of it is told from that of a later time.
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

/// Stops the program in the background, and what was started together with it, until the shell lets it go on, as those
/// are stopped that read from their terminal there. Reading would do the same, but would also stop it again whenever it
/// is told to end.
///
/// Returns whether it is in the foreground, and was not stopped; otherwise what happened is in the queue.
pub(super) fn stop_in_background() -> bool {
    #[cfg(unix)]
    {
        let mut told = TOLD.0.lock();
        let deadline = Instant::now() + ENDS_WITHIN;
        while !told.to_end && !TOLD.1.wait_until(&mut told, deadline).timed_out() {}
        if told.to_end {
            return false;
        }
        // Looked up right before stopping: a shell that has brought it forward meanwhile would have to do so again.
        if ui::is_in_foreground() {
            return true;
        }
        // Where nobody would bring it to the foreground again, the system leaves stopping to us.
        if !stop(&mut told, rustix::process::Signal::TTIN)
            && let Err(error) = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTTIN)
        {
            log::warn!("cannot stop: {error}");
        }
    }
    false
}

/// Stops the whole process group until it is continued; says whether it was.
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

/// Where signals are told, before any is asked for.
pub(super) struct Signals(#[cfg(unix)] signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    /// Opens what is needed for it, which has to come before there are connections: they may take all descriptors that
    /// can be had.
    pub(super) fn open() -> anyhow::Result<Self> {
        Ok(Self(signal_hook::iterator::Signals::new(Vec::<i32>::new())?))
    }

    /// Turns the signals that ask to end the program into happenings, so that it ends in order.
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
                    queue.put(Happening::Continued(told.continued));
                    TOLD.1.notify_all();
                    continue;
                }
                // A window that closes may send its signal twice; a person who is impatient takes longer.
                if asked.get_or_insert_with(Instant::now).elapsed() >= IMPATIENT_AFTER {
                    // The main thread may be stuck, writing to somebody who does not read.
                    ui::abandon_terminal();
                    std::process::exit(128 + signal);
                }
                queue.put(Happening::Signal(signal));
                TOLD.0.lock().to_end = true;
                TOLD.1.notify_all();
            }
        })?;
        Ok(())
    }
}

/// On other systems Ctrl-C comes as a key, and nothing else asks.
#[cfg(not(unix))]
impl Signals {
    pub(super) fn open() -> anyhow::Result<Self> {
        Ok(Self())
    }

    pub(super) fn watch(self, _queue: &Queue) -> anyhow::Result<()> {
        Ok(())
    }
}
