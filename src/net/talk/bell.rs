//! Waiting for the first of many connections on which something comes, or for being rung.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

pub(super) use system::Bell;

/// The connections that are waited for, each with its number.
pub(super) type Waited = Vec<(u64, Arc<TcpStream>)>;

/// Of which connections something has come, or which have ended.
pub(super) enum Ready {
    /// Those that are marked, in the order in which they were waited for; of the others, nothing.
    #[cfg_attr(not(unix), allow(dead_code))]
    These(Vec<bool>),
    /// The system does not say; each has to be looked at.
    #[cfg_attr(unix, allow(dead_code))]
    Unknown,
}

impl Ready {
    /// Whether it is so of this one, which was waited for at that place. Nobody may be using the connection meanwhile.
    pub(super) fn has(&self, index: usize, stream: &TcpStream) -> bool {
        match self {
            Self::These(marks) => marks.get(index).is_some_and(|mark| *mark),
            Self::Unknown => has_come(stream).unwrap_or(true),
        }
    }
}

fn has_come(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let seen = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    match seen {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        _ => Ok(true),
    }
}

#[cfg(unix)]
mod system {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    use super::{Instant, Ready, Waited, io};

    /// What wakes a thread that waits in poll.
    pub(in super::super) struct Bell {
        ring: UnixStream,
        heard: UnixStream,
    }

    impl Bell {
        pub(in super::super) fn new() -> io::Result<Self> {
            let (ring, heard) = UnixStream::pair()?;
            ring.set_nonblocking(true)?;
            heard.set_nonblocking(true)?;
            Ok(Self { ring, heard })
        }

        /// Ends the waiting, the next one if nobody waits.
        pub(in super::super) fn ring(&self) {
            // If there is no room for one more byte, those before it are still to be heard.
            let _ = (&self.ring).write(&[0]);
        }

        /// Waits until something has come, or it rings, or that moment is over.
        pub(in super::super) fn wait(&self, waited: &Waited, until: Option<Instant>) -> Ready {
            let mut set = Vec::with_capacity(waited.len() + 1);
            set.push(PollFd::new(&self.heard, PollFlags::IN));
            set.extend(waited.iter().map(|(_, stream)| PollFd::new(&**stream, PollFlags::IN)));
            // A millisecond more than the difference: what was due is then past, not just about to be.
            let left = until
                .map(|until| until.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
                .and_then(|left| Timespec::try_from(left).ok());
            match poll(&mut set, left.as_ref()) {
                Ok(_) => {}
                Err(Errno::INTR) => return Ready::These(Vec::new()),
                Err(error) => {
                    // Short of memory, as far as is known. It is tried again, and not at once.
                    log::warn!("cannot wait for what comes on connections: {error}");
                    std::thread::sleep(Duration::from_millis(100));
                    return Ready::These(Vec::new());
                }
            }
            let rings = !set[0].revents().is_empty();
            let ready = set[1..].iter().map(|fd| !fd.revents().is_empty()).collect();
            if rings {
                while matches!((&self.heard).read(&mut [0; 64]), Ok(64)) {}
            }
            Ready::These(ready)
        }
    }
}

#[cfg(not(unix))]
mod system {
    use std::time::Duration;

    use parking_lot::{Condvar, Mutex};

    use super::{Instant, Ready, Waited, io};

    /// How often connections are looked at here, where nothing waits for many of them at once: nobody notices so short a while.
    const LOOKS_EVERY: Duration = Duration::from_millis(50);

    /// What wakes a thread that waits.
    #[derive(Default)]
    pub(in super::super) struct Bell {
        rung: Mutex<bool>,
        changed: Condvar,
    }

    impl Bell {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self::default())
        }

        /// Ends the waiting, the next one if nobody waits.
        pub(in super::super) fn ring(&self) {
            *self.rung.lock() = true;
            self.changed.notify_all();
        }

        /// Waits until it is time to look, or it rings, or that moment is over.
        pub(in super::super) fn wait(&self, waited: &Waited, until: Option<Instant>) -> Ready {
            let look = (!waited.is_empty()).then(|| Instant::now() + LOOKS_EVERY);
            let mut rung = self.rung.lock();
            if !*rung {
                match until.into_iter().chain(look).min() {
                    Some(until) => drop(self.changed.wait_until(&mut rung, until)),
                    None => self.changed.wait(&mut rung),
                }
            }
            *rung = false;
            Ready::Unknown
        }
    }
}
