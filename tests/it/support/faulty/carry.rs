//! One connection through the proxy, with what goes wrong with it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::{Fault, Shared};

/// No connection of this protocol takes longer: 5 s is what a receiver grants.
const LIMIT: Duration = Duration::from_secs(8);

/// Between two single bytes. Enough for each to be a segment that the receiver reads alone, and far less than the
/// 250 ms of silence after which a message is over.
const BETWEEN_BYTES: Duration = Duration::from_millis(1);

/// More than any message that the tests send.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Carries one connection, and returns the streams that shall stay open.
pub(super) fn connection(shared: &Shared, mut dialler: TcpStream) -> io::Result<Vec<TcpStream>> {
    limit(&dialler)?;
    let mut first = vec![0; MESSAGE_BYTES];
    let count = dialler.read(&mut first)?;
    first.truncate(count);
    let (fault, number) = {
        let mut state = shared.lock();
        let fault = (state.plan)(&first);
        state.done.push((String::from_utf8_lossy(&first).into_owned(), fault));
        (fault, state.done.len() - 1)
    };
    shared.changed.notify_all();
    let held = suffer(shared, dialler, &first, fault, number);
    if !first.is_empty() {
        let mut state = shared.lock();
        state.latest_over = state.latest_over.max(Some(number));
    }
    held
}

fn suffer(
    shared: &Shared,
    mut dialler: TcpStream,
    first: &[u8],
    fault: Fault,
    number: usize,
) -> io::Result<Vec<TcpStream>> {
    match fault {
        Fault::None => through(shared, dialler, first, Duration::ZERO)?,
        Fault::DelayConnection(time) => {
            thread::sleep(time);
            through(shared, dialler, first, Duration::ZERO)?;
        }
        Fault::DelayBytes(time) => {
            let peer = connect(shared, &dialler)?;
            thread::sleep(time);
            exchange(dialler, peer, first, Duration::ZERO)?;
        }
        Fault::DelayAnswer(time) => through(shared, dialler, first, time)?,
        Fault::SingleBytes => {
            let mut peer = connect(shared, &dialler)?;
            peer.set_nodelay(true)?;
            for byte in first {
                // A peer that has had enough closes; its answer is still carried back.
                if peer.write_all(&[*byte]).is_err() {
                    break;
                }
                thread::sleep(BETWEEN_BYTES);
            }
            exchange(dialler, peer, &[], Duration::ZERO)?;
        }
        Fault::ResetAfter(count) => {
            let mut peer = connect(shared, &dialler)?;
            peer.write_all(&first[..count.min(first.len())])?;
            reset(peer)?;
            reset(dialler)?;
        }
        Fault::ResetBeforeReceipt => {
            answer_to(shared, &mut dialler, first)?;
            reset(dialler)?;
        }
        Fault::BlackHole => return Ok(vec![dialler]),
        Fault::HalfOpen => {
            answer_to(shared, &mut dialler, first)?;
            return Ok(vec![dialler]);
        }
        Fault::Swallow => {
            read_away(&mut dialler)?;
        }
        Fault::HoldForNext => {
            let next = |state: &mut super::State| state.latest_over <= Some(number) && !state.stopping;
            let waited = shared.changed.wait_timeout_while(shared.lock(), LIMIT, next);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            through(shared, dialler, first, Duration::ZERO)?;
        }
    }
    Ok(Vec::new())
}

fn limit(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))
}

/// Connects to the peer; whoever cannot be connected on is reset, for a connection that was accepted cannot be refused.
fn connect(shared: &Shared, dialler: &TcpStream) -> io::Result<TcpStream> {
    let peer = TcpStream::connect_timeout(&shared.peer.into(), LIMIT);
    let peer = peer.inspect_err(|_| drop(SockRef::from(dialler).set_linger(Some(Duration::ZERO))))?;
    limit(&peer)?;
    Ok(peer)
}

fn through(shared: &Shared, dialler: TcpStream, first: &[u8], before_answer: Duration) -> io::Result<()> {
    let peer = connect(shared, &dialler)?;
    exchange(dialler, peer, first, before_answer)
}

/// Carries the rest of both directions, each to its end.
fn exchange(
    dialler: TcpStream,
    mut peer: TcpStream,
    first: &[u8],
    before_answer: Duration,
) -> io::Result<()> {
    peer.write_all(first)?;
    let (mut from, mut to) = (dialler.try_clone()?, peer.try_clone()?);
    let forth = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let mut answer = Vec::new();
    let ended = peer.read_to_end(&mut answer);
    thread::sleep(before_answer);
    let mut dialler = dialler;
    let written = dialler.write_all(&answer);
    if ended.is_ok() {
        let _ = dialler.shutdown(Shutdown::Write);
    } else {
        // The peer broke it, so it breaks here, too; what is read ends for the other direction.
        let _ = SockRef::from(&dialler).set_linger(Some(Duration::ZERO));
        let _ = dialler.shutdown(Shutdown::Read);
    }
    let _ = forth.join();
    written
}

/// Gives the peer the whole message, and waits for its answer, which nobody gets.
fn answer_to(shared: &Shared, dialler: &mut TcpStream, first: &[u8]) -> io::Result<()> {
    let mut peer = connect(shared, dialler)?;
    peer.write_all(first)?;
    io::copy(dialler, &mut peer)?;
    peer.shutdown(Shutdown::Write)?;
    read_away(&mut peer)
}

fn read_away(stream: &mut TcpStream) -> io::Result<()> {
    io::copy(stream, &mut io::sink()).map(drop)
}

/// Closes a connection so that the other side is told that it broke.
fn reset(stream: TcpStream) -> io::Result<()> {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}
