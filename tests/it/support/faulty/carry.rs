//! One connection through the proxy, with what goes wrong with it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use p2p_chat::protocol::session::opening::DIAL_LINE;
use socket2::SockRef;

use super::{Fault, Shared};

/// No plain connection takes longer: 5 s is what a receiver grants. One that is kept breaks then,
/// if nothing was said on it.
const LIMIT: Duration = Duration::from_secs(8);

/// Between two single bytes. Enough for each to be a segment that the receiver reads alone, and far
/// less than the 250 ms of silence after which a message is over.
const BETWEEN_BYTES: Duration = Duration::from_millis(1);

/// More than any message that the tests send.
const MESSAGE_BYTES: usize = 16 * 1024;

/// Carries one connection, and returns the streams that shall stay open.
pub(super) fn connection(shared: &Shared, mut dialer: TcpStream) -> io::Result<Vec<TcpStream>> {
    limit(&dialer)?;
    let mut first = vec![0; MESSAGE_BYTES];
    let count = dialer.read(&mut first)?;
    first.truncate(count);
    let (fault, number) = {
        let mut state = shared.lock();
        let fault = (state.plan)(&first);
        state.done.push((String::from_utf8_lossy(&first).into_owned(), fault));
        let number = state.done.len() - 1;
        state.open.push((number, dialer.try_clone()?));
        (fault, number)
    };
    shared.changed.notify_all();
    let held = suffer(shared, dialer, &first, fault, number);
    let mut state = shared.lock();
    // What is to be reset is reset with the last that holds it.
    state.open.retain(|(open, _)| *open != number);
    if !first.is_empty() {
        state.latest_over = state.latest_over.max(Some(number));
    }
    held
}

fn suffer(
    shared: &Shared,
    mut dialer: TcpStream,
    first: &[u8],
    fault: Fault,
    number: usize,
) -> io::Result<Vec<TcpStream>> {
    match fault {
        Fault::None => through(shared, dialer, first, Duration::ZERO)?,
        Fault::DelayConnection(time) => {
            thread::sleep(time);
            through(shared, dialer, first, Duration::ZERO)?;
        }
        Fault::DelayBytes(time) => {
            let peer = connect(shared, &dialer)?;
            thread::sleep(time);
            exchange(dialer, peer, first, Duration::ZERO)?;
        }
        Fault::DelayAnswer(time) => through(shared, dialer, first, time)?,
        Fault::SingleBytes => {
            let mut peer = connect(shared, &dialer)?;
            peer.set_nodelay(true)?;
            // A peer that has had enough closes; its answer is still carried back.
            let _ = byte_by_byte(first, &mut peer);
            let forth = |mut from: TcpStream, mut to: TcpStream| {
                let mut bytes = [0; 1024];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    if byte_by_byte(&bytes[..count], &mut to).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Write);
            };
            back_and_forth(dialer, peer, (is_talk(first), Duration::ZERO), forth)?;
        }
        Fault::ResetAfter(count) => {
            let mut peer = connect(shared, &dialer)?;
            peer.write_all(&first[..count.min(first.len())])?;
            if is_talk(first) && count > first.len() {
                up_to(count - first.len(), &dialer, &peer)?;
            }
            reset(peer)?;
            reset(dialer)?;
        }
        Fault::ResetBeforeReceipt => {
            // Of a talk, the first answer is the ok.
            answer_to(shared, &mut dialer, first)?;
            reset(dialer)?;
        }
        Fault::BlackHole => return Ok(vec![dialer]),
        Fault::HalfOpen => {
            answer_to(shared, &mut dialer, first)?;
            return Ok(vec![dialer]);
        }
        Fault::Swallow => {
            read_away(&mut dialer)?;
        }
        Fault::HoldForNext => {
            let next = |state: &mut super::State| state.latest_over <= Some(number) && !state.stopping;
            let waited = shared.changed.wait_timeout_while(shared.lock(), LIMIT, next);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            through(shared, dialer, first, Duration::ZERO)?;
        }
    }
    Ok(Vec::new())
}

fn limit(stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))
}

/// Connects to the peer. If that fails, the dialer's connection is reset, because an accepted
/// connection cannot be refused.
fn connect(shared: &Shared, dialer: &TcpStream) -> io::Result<TcpStream> {
    let peer = TcpStream::connect_timeout(&shared.peer.into(), LIMIT);
    let peer = peer.inspect_err(|_| drop(SockRef::from(dialer).set_linger(Some(Duration::ZERO))))?;
    limit(&peer)?;
    Ok(peer)
}

fn through(shared: &Shared, dialer: TcpStream, first: &[u8], before_answer: Duration) -> io::Result<()> {
    let peer = connect(shared, &dialer)?;
    exchange(dialer, peer, first, before_answer)
}

/// Carries the rest of both directions, each to its end.
fn exchange(dialer: TcpStream, mut peer: TcpStream, first: &[u8], before_answer: Duration) -> io::Result<()> {
    peer.write_all(first)?;
    back_and_forth(dialer, peer, (is_talk(first), before_answer), |mut from, mut to| {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    })
}

/// Carries both directions to their ends, with `forth` for what the dialer says.
fn back_and_forth(
    dialer: TcpStream,
    mut peer: TcpStream,
    (is_talk, before_answer): (bool, Duration),
    forth: impl FnOnce(TcpStream, TcpStream) + Send + 'static,
) -> io::Result<()> {
    let (from, to) = (dialer.try_clone()?, peer.try_clone()?);
    let forth = thread::spawn(move || forth(from, to));
    let mut dialer = dialer;
    let (ended, written) = if is_talk {
        back(&mut peer, &mut dialer, before_answer)
    } else {
        // What is answered in plain is one piece with how it ends.
        let mut answer = Vec::new();
        let ended = peer.read_to_end(&mut answer).map(drop);
        thread::sleep(before_answer);
        (ended, dialer.write_all(&answer))
    };
    if ended.is_ok() {
        let _ = dialer.shutdown(Shutdown::Write);
    } else {
        // The peer broke it, so it breaks here, too; what is read ends for the other direction.
        let _ = SockRef::from(&dialer).set_linger(Some(Duration::ZERO));
        let _ = dialer.shutdown(Shutdown::Read);
    }
    let _ = forth.join();
    written
}

/// Carries what the peer answers in a talk, the first of it after this time: how its answers ended,
/// and whether they were taken.
fn back(from: &mut TcpStream, to: &mut TcpStream, before: Duration) -> (io::Result<()>, io::Result<()>) {
    let mut bytes = [0; MESSAGE_BYTES];
    let mut late = Some(before);
    loop {
        let count = from.read(&mut bytes);
        thread::sleep(late.take().unwrap_or_default());
        match count {
            Ok(0) => return (Ok(()), Ok(())),
            Ok(count) => {
                if let Err(error) = to.write_all(&bytes[..count]) {
                    return (Ok(()), Err(error));
                }
            }
            Err(error) => return (Err(error), Ok(())),
        }
    }
}

/// Carries so many bytes more from the dialer, or to its end, and all answers meanwhile.
fn up_to(count: usize, dialer: &TcpStream, peer: &TcpStream) -> io::Result<()> {
    let (mut answers, mut to) = (peer.try_clone()?, dialer.try_clone()?);
    // It ends with the connection, if not before.
    thread::spawn(move || back(&mut answers, &mut to, Duration::ZERO));
    let count = u64::try_from(count).expect("small");
    io::copy(&mut dialer.take(count), &mut &*peer).map(drop)
}

fn byte_by_byte(bytes: &[u8], to: &mut TcpStream) -> io::Result<()> {
    for byte in bytes {
        to.write_all(&[*byte])?;
        thread::sleep(BETWEEN_BYTES);
    }
    Ok(())
}

/// Whether a connection is one on which p2p-chat peers talk.
fn is_talk(first: &[u8]) -> bool {
    first.starts_with(DIAL_LINE)
}

/// Gives the peer the whole message, and waits for its answer, which is not passed on.
fn answer_to(shared: &Shared, dialer: &mut TcpStream, first: &[u8]) -> io::Result<()> {
    let mut peer = connect(shared, dialer)?;
    peer.write_all(first)?;
    io::copy(dialer, &mut peer)?;
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
