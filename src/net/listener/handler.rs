//! What a thread does that accepts, or waits for what it accepted.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Delivery, Reply, Shared, spawn};
use crate::model::address::Source;
use crate::net::connection::{Connection, DRAIN_FOR, End};
use crate::net::dial::is_out_of_descriptors;
use crate::net::order::{Next, ORDER_WITHIN, Ticket};
use crate::net::turns::{Advice, Seen};
use crate::net::waiting::{HandedOver, Place};

/// How long a message may wait for room, in the mailbox and in the queue of the store writer, before it
/// is refused.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// When there is no room for a message, nothing more is accepted for this long at first: that slows down whoever just sends
/// quickly, and loses nothing. Nobody else notices so short a pause. There is none as long as messages wait for room, or many
/// sources could make one pause of theirs; whoever goes on without a room of their own is refused.
const HOLD_BACK_FOR: Duration = Duration::from_millis(100);

/// How long a leader waits for a message that was not there at once, before it leaves the accepting to others: a sender that
/// has just connected writes within this, unless it means to be slow, and waking another thread costs more.
const PATIENCE: Duration = Duration::from_millis(2);

/// After it has waited so in vain, nobody does until this many messages were there at once: many silent connections are an attack.
const IMPATIENT_FOR: u32 = 256;

/// The first and the longest pause after accepting failed.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The pause where a connection was closed to make room: its thread gives the descriptor back within this. Longer, and
/// whoever opens connections quickly would fill the system's queue, in which everybody else waits.
const EVICT_PAUSE: Duration = Duration::from_millis(1);

/// A message that was read.
pub(super) struct Read {
    connection: Connection,
    end: End,
    /// It waits for room no longer than until then, also where others of its source have waited before it.
    until: Instant,
}

/// A connection that only has to be answered and closed.
pub(super) struct Finished {
    connection: Connection,
    answer: Vec<u8>,
    end: End,
}

/// A thread that has, or had, the turn.
pub(super) struct Handler<'a> {
    shared: &'a Arc<Shared>,
    leads: bool,
    /// Others accept as well.
    in_burst: bool,
    /// What it accepted since it last looked around.
    seen: Seen,
    /// A connection that has taken the place of the one that this thread waited for.
    next: Option<(Connection, Place<'a>)>,
}

impl Drop for Handler<'_> {
    fn drop(&mut self) {
        if self.leads {
            self.shared.turns.lock().leave();
        }
    }
}

impl<'a> Handler<'a> {
    /// A thread whose turn it is.
    pub(super) fn new(shared: &'a Arc<Shared>) -> Self {
        Self { shared, leads: true, in_burst: false, seen: Seen::default(), next: None }
    }

    /// Accepts, and serves what needs no waiting, until a connection has to be waited for or this thread is not needed.
    pub(super) fn lead(&mut self) {
        let shared = self.shared;
        let mut pause = ACCEPT_PAUSE.0;
        while self.leads {
            let begun = Instant::now();
            let accepted = shared.socket.accept();
            let took = begun.elapsed();
            if shared.stopping.load(Ordering::SeqCst) {
                return;
            }
            let (stream, source) = match accepted {
                Ok((stream, source)) => (stream, Source::from(source)),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) =>
                {
                    continue;
                }
                Err(error) => {
                    if is_out_of_descriptors(&error) && shared.waiting.evict_one() {
                        pause = EVICT_PAUSE;
                    }
                    shared.warn_of(&error);
                    // The turn is kept: another thread would fail in the same way.
                    let mut threads = shared.threads.lock();
                    shared.ended.wait_for(&mut threads, pause);
                    pause = (pause * 2).min(ACCEPT_PAUSE.1);
                    continue;
                }
            };
            pause = ACCEPT_PAUSE.0;
            let ticket = shared.order.ticket(source.share());
            self.seen.accepted(took);
            self.look_around();
            self.serve(stream, source, ticket);
        }
    }

    /// Serves one connection to its end, and whatever takes its place meanwhile.
    fn serve(&mut self, stream: TcpStream, source: Source, ticket: Ticket) {
        // What a panic leaves open is a place in the order of this source; so it is settled here whatever happens.
        let mut ticket = Some(ticket);
        let read = self.guarded(|handler| handler.read(stream, source, &mut ticket));
        self.take(source, read, ticket);
        while let Some((connection, place)) = self.next.take() {
            let read = self.guarded(|handler| handler.wait_for(connection, place, &mut None));
            self.take(source, read, None);
        }
    }

    /// Reads, and survives a panic.
    fn guarded(&mut self, read: impl FnOnce(&mut Self) -> Option<Read>) -> Option<Read> {
        catch_unwind(AssertUnwindSafe(|| read(self))).unwrap_or_else(|_| {
            log::error!("the reading of a connection failed; the connection was closed");
            None
        })
    }

    /// Delivers what was read when it is its turn, and finishes it.
    fn take(&mut self, source: Source, read: Option<Read>, ticket: Option<Ticket>) {
        let read = match read {
            Some(read) if read.says_something() => read,
            silent => {
                if let Some(ticket) = ticket {
                    let next = self.shared.order.give_up(ticket);
                    self.carry_on(source, next);
                }
                return self.close_unheard(silent);
            }
        };
        let read = match ticket {
            Some(ticket) if self.shared.order.has_room(&ticket) => {
                let next = self.shared.order.fill(ticket, read);
                return self.carry_on(source, next);
            }
            Some(ticket) => {
                let next = self.shared.order.give_up(ticket);
                self.carry_on(source, next);
                read
            }
            // It was slow, so nobody knows when it came.
            None => read,
        };
        let finished = self.deliver(read);
        self.finish(finished);
    }

    /// Reads a message. If that takes long, its place in the order is given up meanwhile; and where too many take long,
    /// a thread that waits already has it instead.
    fn read(&mut self, stream: TcpStream, source: Source, ticket: &mut Option<Ticket>) -> Option<Read> {
        let shared = self.shared;
        // Two threads that count at once may lose a step, which harms nothing.
        let in_vain = shared.in_vain.load(Ordering::Relaxed);
        let patience = (in_vain == 0).then_some(PATIENCE);
        let mut connection = Connection::new(stream, source, patience).ok()?;
        match connection.read_ready() {
            // It takes some round trips until anything is said.
            Some(End::Opening) => {}
            Some(end) => {
                if in_vain > 0 {
                    shared.in_vain.store(in_vain - 1, Ordering::Relaxed);
                }
                return Some(Read::new(connection, end));
            }
            None if in_vain == 0 => shared.in_vain.store(IMPATIENT_FOR, Ordering::Relaxed),
            None => {}
        }
        let connection = match shared.waiting.hand_over(connection) {
            HandedOver::No(connection) => connection,
            HandedOver::Yes(displaced) => {
                // Its message may have come since it was looked at.
                return displaced.map(|mut connection| {
                    let end = connection.read_ready().unwrap_or(End::Lost);
                    Read::new(connection, end)
                });
            }
        };
        self.block();
        let place = shared.waiting.admit(&connection.stream, source.share());
        self.wait_for(connection, place, ticket)
    }

    /// Waits for the rest of a message. What opens the encrypted exchange is seen to at once, so that nothing is left to deliver.
    fn wait_for(
        &mut self,
        mut connection: Connection,
        place: Place<'a>,
        ticket: &mut Option<Ticket>,
    ) -> Option<Read> {
        let end = match connection.opens() {
            true => Some(End::Opening),
            false => connection.read_soon(&place, ORDER_WITHIN),
        };
        if matches!(end, None | Some(End::Opening))
            && let Some(ticket) = ticket.take()
        {
            let next = self.shared.order.give_up(ticket);
            self.carry_on(connection.source, next);
        }
        let end = end.unwrap_or_else(|| connection.read_rest(&place));
        if end != End::Opening {
            self.next = place.next();
            return Some(Read::new(connection, end));
        }
        self.next = place.next();
        let line = connection.decoder.bytes().to_vec();
        match connection.stream.try_clone() {
            Ok(stream) => self.shared.recipient.opens(stream, connection.source, line),
            Err(error) => log::warn!("no descriptor for a session: {error}"),
        }
        None
    }

    /// Does what is next for a source until somebody else does, or nothing is left.
    fn carry_on(&mut self, source: Source, mut next: Next<Read, Finished>) {
        loop {
            match next {
                Next::Deliver(read) => {
                    let finished = self.deliver(read);
                    next = self.shared.order.delivered(source.share(), finished);
                }
                Next::Finish(finished) => return self.finish(finished),
            }
        }
    }

    /// Delivers a message, and waits for room if there is none.
    fn deliver(&mut self, read: Read) -> Option<Finished> {
        let Read { mut connection, end, until } = read;
        if matches!(end, End::Cut | End::BrokenOff) {
            connection.decoder.mark_cut();
        }
        let decoder = std::mem::take(&mut connection.decoder);
        let source = connection.source;
        let delivery = Delivery { source, local: connection.local, decoder };
        let recipient = &self.shared.recipient;
        let reply = catch_unwind(AssertUnwindSafe(|| match recipient.deliver(delivery, None) {
            Reply::Full(delivery) => self.deliver_later(delivery, until),
            reply => reply,
        }));
        match reply {
            Ok(Reply::Answer(answer)) => Some(Finished { connection, answer, end }),
            Ok(Reply::Full(_)) => {
                log::debug!("a message of {source} was refused: there was no room for it");
                self.refuse(source);
                Some(Finished { connection, answer: Vec::new(), end })
            }
            Err(_) => {
                log::error!("the handling of a connection failed; the connection was closed");
                None
            }
        }
    }

    /// Waits for room: first in the way of everybody, then aside, if that many do not wait there already.
    fn deliver_later(&mut self, mut delivery: Delivery, until: Instant) -> Reply {
        let shared = self.shared;
        let source = delivery.source;
        if shared.held.is_empty() {
            match shared.recipient.deliver(delivery, Some(until.min(Instant::now() + HOLD_BACK_FOR))) {
                Reply::Full(back) => delivery = back,
                answer @ Reply::Answer(_) => return answer,
            }
        }
        let Some(_hold) = shared.held.hold(source.share()) else { return Reply::Full(delivery) };
        self.block();
        shared.recipient.deliver(delivery, Some(until))
    }

    /// Answers and closes: first whatever takes no time, and then, all within one while, what is read to its end.
    fn finish(&mut self, finished: impl IntoIterator<Item = Finished>) {
        let begun = Instant::now();
        let mut too_long = Vec::new();
        for finished in finished {
            match finished.end {
                End::Cut => too_long.push(finished),
                end => finished.connection.close(&finished.answer, end, begun),
            }
        }
        for Finished { connection, answer, end } in too_long {
            if let Some(_hold) = self.shared.draining.hold(connection.source.share()) {
                // Reading the rest of a message that is too long takes time.
                self.block();
                connection.close(&answer, end, begun + DRAIN_FOR);
            } else {
                // Whoever sends that many bears that the connection is reset.
                connection.close(&answer, End::Lost, begun);
            }
        }
    }

    /// Counts what was not taken.
    fn refuse(&self, source: Source) {
        if catch_unwind(AssertUnwindSafe(|| self.shared.recipient.refused(source))).is_err() {
            log::error!("a refusal could not be counted");
        }
    }

    /// Closes without an answer, and counts what was said in vain.
    fn close_unheard(&mut self, read: Option<Read>) {
        let Some(Read { connection, end, .. }) = read else { return };
        if !connection.decoder.is_empty() && end != End::Opening {
            log::debug!("a message of {} was refused: it had to make room for others", connection.source);
            self.refuse(connection.source);
        }
        self.finish([Finished { connection, answer: Vec::new(), end }]);
    }

    /// Calls others in a burst, and leaves where it is one too many.
    fn look_around(&mut self) {
        if !self.seen.is_due(self.in_burst) {
            return;
        }
        let seen = std::mem::take(&mut self.seen);
        let shared = self.shared;
        let mut turns = shared.turns.lock();
        let advice = turns.look(seen, Instant::now());
        self.in_burst = turns.is_bursting();
        drop(turns);
        match advice {
            Advice::Stay => {}
            Advice::Call => drop(shared.free.notify_one()),
            Advice::CallAll(missing) => {
                shared.free.notify_all();
                (0..missing).for_each(|_| self.add_follower());
            }
            Advice::Leave => self.leads = false,
        }
    }

    /// Something has to be waited for: whoever comes next is another thread's.
    fn block(&mut self) {
        let shared = self.shared;
        let mut turns = shared.turns.lock();
        if std::mem::take(&mut self.leads) {
            turns.leave();
        }
        if turns.followers() > 0 {
            shared.free.notify_one();
        } else if turns.leaders() == 0 {
            drop(turns);
            self.add_follower();
        }
    }

    fn add_follower(&self) {
        if let Err(error) = spawn(self.shared) {
            log::warn!("no further thread to accept with: {error}");
        }
    }
}

impl Read {
    fn new(connection: Connection, end: End) -> Self {
        Self { connection, end, until: Instant::now() + ROOM_WITHIN }
    }

    /// Whether there is a message to deliver.
    fn says_something(&self) -> bool {
        !matches!(self.end, End::Lost | End::Opening) && !self.connection.decoder.is_empty()
    }
}

#[cfg(test)]
mod tests;
