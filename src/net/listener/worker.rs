//! What a worker does with one connection: read it, deliver what came, answer, close.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Accepted, Permit, Shared};
use crate::net::connection::{Connection, MessageEnd};
use crate::net::inbound::Delivery;

/// How long a message may wait for room, in the mailbox and in the queue of the store writer,
/// before it is refused.
const ROOM_WITHIN: Duration = Duration::from_secs(2);

/// When there is no room for a message, nothing else is read for this long at first: that slows
/// down a quick sender and loses nothing, and no other peer notices so short a pause. There is none
/// while other messages wait for room, or many sources could each cause one.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads connections until there is nothing to do.
pub(super) fn run(shared: &Arc<Shared>) {
    while let Some((accepted, permit)) = shared.take() {
        if catch_unwind(AssertUnwindSafe(|| serve(shared, accepted, permit))).is_err() {
            log::error!("the handling of a connection failed; the connection was closed");
        }
    }
}

fn serve(shared: &Shared, accepted: Accepted, permit: Permit) {
    let Accepted { stream, source, at, .. } = accepted;
    let Ok(mut connection) = Connection::new(stream, source, at) else { return };
    let end = match connection.read_ready() {
        Some(end) => end,
        None => {
            let heard = if connection.decoder.is_empty() { at } else { Instant::now() };
            let _pause = permit.waits(&connection.stream, heard);
            let end = connection.read_rest(|| permit.heard());
            if permit.is_closing() { MessageEnd::Lost } else { end }
        }
    };
    match end {
        MessageEnd::Opening => open(shared, &connection, at, permit),
        _ if connection.decoder.is_empty() => {}
        MessageEnd::Lost => {
            log::debug!("a message of {source} was refused: it had to make room for others");
            shared.handler.refused(source);
        }
        MessageEnd::Whole | MessageEnd::Cut | MessageEnd::BrokenOff => {
            let answer = deliver(shared, &mut connection, end, &permit);
            connection.answer(&answer);
            if end == MessageEnd::Cut {
                // The sender may still be writing, and closing now would reset the connection.
                let _pause = permit.waits(&connection.stream, Instant::now());
                connection.drain();
            }
        }
    }
}

/// Hands a connection over that opens a session. It keeps its place until both sides have said
/// hello.
fn open(shared: &Shared, connection: &Connection, at: Instant, permit: Permit) {
    let line = connection.decoder.bytes().to_vec();
    match connection.stream.try_clone() {
        Ok(stream) => {
            permit.opens(&connection.stream);
            shared.handler.opens(stream, connection.source, at, line, permit);
        }
        Err(error) => log::warn!("no descriptor for a session: {error}"),
    }
}

/// Delivers a message, waits for room if there is none, and returns the answer.
fn deliver(shared: &Shared, connection: &mut Connection, end: MessageEnd, permit: &Permit) -> Vec<u8> {
    if matches!(end, MessageEnd::Cut | MessageEnd::BrokenOff) {
        connection.decoder.mark_cut();
    }
    let source = connection.source;
    let decoder = std::mem::take(&mut connection.decoder);
    let delivery = Delivery { source, local: connection.local, decoder };
    let answer = shared.handler.deliver(delivery, None);
    answer.or_else(|delivery| deliver_later(shared, delivery, permit)).unwrap_or_else(|_| {
        log::debug!("a message of {source} was refused: there was no room for it");
        shared.handler.refused(source);
        Vec::new()
    })
}

/// Waits for room, if not too many messages do already.
fn deliver_later(shared: &Shared, mut delivery: Delivery, permit: &Permit) -> Result<Vec<u8>, Delivery> {
    let source = delivery.source;
    let now = Instant::now();
    if shared.is_nothing_held() {
        match shared.handler.deliver(delivery, Some(now + PAUSE)) {
            Err(back) => delivery = back,
            answer => return answer,
        }
    }
    match permit.hold(source.share()) {
        Some(_hold) => shared.handler.deliver(delivery, Some(now + ROOM_WITHIN)),
        None => Err(delivery),
    }
}
