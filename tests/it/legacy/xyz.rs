//! XYZ: standard form, one connection at a time, and a listener that one bad input ends for good.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::board::Board;
use super::form::{self, Message};
use super::listener::Then;

/// Handles what one receive returned. Fewer than three words are silent.
pub(super) fn receive(board: &Board, got: io::Result<&[u8]>) -> Then {
    let bytes = match got {
        Ok(bytes) => bytes,
        Err(error) => return Then::Die(format!("connection lost: {error}")),
    };
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Then::Die(format!("invalid UTF-8: {error}")),
    };
    let [header, name, text] = form::words(text, 3)[..] else {
        return Then::Close;
    };
    match sender(header) {
        Ok(Some(from)) => obey(board, &Message { from, name, text }),
        Ok(None) => board.show(format!("{name} ({header}): {text}")),
        Err(cause) => return Then::Die(format!("{cause}: {header:?}")),
    }
    Then::Close
}

fn obey(board: &Board, message: &Message<'_>) {
    match message.command().as_str() {
        "exit" => board.change(|record| {
            record.unlist(message.from);
            record.shown.push(message.did("left"));
        }),
        "connect" => board.change(|record| {
            record.list(message.from);
            record.shown.push(message.did("connected"));
        }),
        _ => board.change(|record| {
            record.list(message.from);
            record.shown.push(message.said());
        }),
    }
}

/// Reads `ip:port` as strictly as XYZ: what it cannot read is a cause of death. `None` is a number
/// beyond 65,535: XYZ bears it, but no socket address can hold it.
fn sender(header: &str) -> Result<Option<SocketAddrV4>, &'static str> {
    let (ip, port) = header.split_once(':').ok_or("a header without a port")?;
    if port.contains(':') {
        return Err("a header with more than one colon");
    }
    let ip: Ipv4Addr = ip.parse().map_err(|_| "a header without an IPv4 address")?;
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("a port that is no number");
    }
    Ok(port.parse().ok().map(|port| SocketAddrV4::new(ip, port)))
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::super::Program;
    use super::*;

    // std cannot reset a connection on purpose (SO_LINGER is unstable there), so the error is
    // given.
    #[test]
    fn a_connection_that_is_reset_kills_xyz() {
        let board = Board::new(Program::Xyz, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
        let then = receive(&board, Err(Error::from(ErrorKind::ConnectionReset)));
        assert!(matches!(then, Then::Die(cause) if cause.contains("connection lost")));
    }
}
