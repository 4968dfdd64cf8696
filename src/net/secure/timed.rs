//! A socket whose waits are bounded by one moment.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A stream all of whose waits together end at one moment.
#[derive(Debug)]
pub(super) struct Timed {
    pub(super) stream: Arc<TcpStream>,
    pub(super) deadline: Instant,
}

impl Timed {
    /// Takes over a stream, which may have been read from without waiting.
    pub(super) fn new(stream: Arc<TcpStream>, deadline: Instant) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        // Each write is a whole turn or flight, which nothing follows that it could be sent with.
        stream.set_nodelay(true)?;
        Ok(Self { stream, deadline })
    }

    pub(super) fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    /// Does this with what is there already: it ends with [`ErrorKind::WouldBlock`] instead of waiting.
    pub(super) fn without_waiting<T>(
        &self,
        read: impl FnOnce(&mut &TcpStream) -> io::Result<T>,
    ) -> io::Result<T> {
        self.left()?;
        self.stream.set_nonblocking(true)?;
        let result = read(&mut &*self.stream);
        self.stream.set_nonblocking(false)?;
        result
    }
}

/// A socket's timeout is a moment that is not over yet, in the words of the system.
fn in_time<T>(result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    })
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        in_time((&*self.stream).read(buffer))
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        in_time((&*self.stream).write(bytes))
    }

    /// rustls queues its records apart, and asks only this for all of them at once. It tries an alert only once, so that without this it
    /// would stay behind what is queued before it.
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        in_time((&*self.stream).write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
