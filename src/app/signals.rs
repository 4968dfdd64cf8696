//! Signals become happenings, so that the program ends, and goes on, in order.

#[cfg(unix)]
use std::sync::Arc;
#[cfg(unix)]
use std::time::{Duration, Instant};

#[cfg(unix)]
use parking_lot::{Condvar, Mutex};

use super::Queue;
#[cfg(unix)]
use super::{Happening, ui};

/// A signal this long after the first ends the program at once.
#[cfg(unix)]
const IMPATIENT_AFTER: Duration = Duration::from_millis(300);

/// Stops until the shell brings the program to the foreground, as programs do that read from their terminal. Reading
/// would do the same, but would also stop it again whenever it is told to end.
pub(super) fn stop_in_background() {
    #[cfg(unix)]
    if let Err(error) = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTTIN) {
        log::warn!("cannot stop: {error}");
    }
}

/// How long a stop may take to come about after it was asked for. Where nobody could continue the program, the system
/// does not stop it at all, and it goes on after this.
#[cfg(unix)]
const STOPS_WITHIN: Duration = Duration::from_millis(100);

/// How often the program was continued.
#[cfg(unix)]
static CONTINUED: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());

/// Stops the program, and what was started together with it, until the shell lets it go on: what a terminal does
/// on Ctrl-Z while it looks out for that itself.
///
/// Returns how often the program was continued in all, by which the news of it is told from that of a later time.
pub(super) fn suspend() -> u64 {
    #[cfg(not(unix))]
    return 0;
    #[cfg(unix)]
    {
        let mut continued = CONTINUED.0.lock();
        let before = *continued;
        if let Err(error) = rustix::process::kill_current_process_group(rustix::process::Signal::TSTP) {
            log::warn!("cannot stop: {error}");
            return before;
        }
        let deadline = Instant::now() + STOPS_WITHIN;
        while *continued == before {
            if CONTINUED.1.wait_until(&mut continued, deadline).timed_out() {
                break;
            }
        }
        *continued
    }
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
                    let mut times = CONTINUED.0.lock();
                    *times += 1;
                    queue.put(Happening::Continued(*times));
                    CONTINUED.1.notify_all();
                    continue;
                }
                // A window that closes may send its signal twice; a person who is impatient takes longer.
                if asked.get_or_insert_with(Instant::now).elapsed() >= IMPATIENT_AFTER {
                    // The main thread may be stuck, writing to somebody who does not read.
                    ui::abandon_terminal();
                    std::process::exit(128 + signal);
                }
                queue.put(Happening::Signal(signal));
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
