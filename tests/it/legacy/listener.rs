//! The listener thread: accept, receive once, handle, close, again.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use super::board::Board;
use super::{Program, crypto_knights, hashpa, r3, smart_cookies, talk, xyz};

/// What every original asks its one recv() for (docs/PROTOCOL.md, "A message is a connection").
pub(super) const RECEIVE_LIMIT: usize = 1024;

/// What a program does after it has read a message.
pub(super) enum Then {
    /// Closes the connection.
    Close,
    /// Writes this on the same connection, then closes it.
    Reply(String),
    /// Closes the connection, then sends this text, in its own form, to that address.
    Tell(SocketAddrV4, &'static str),
    /// Ends the listener for good, for this cause.
    Die(String),
}

/// Serves until the program dies or its stand-in is dropped. The socket is closed before the death
/// is told, so who waited for it finds the port refused.
pub(super) fn run(socket: TcpListener, board: &Arc<Board>) {
    let cause = serve(&socket, board);
    drop(socket);
    board.ended(cause);
}

fn serve(socket: &TcpListener, board: &Arc<Board>) -> Option<String> {
    loop {
        let stream = match socket.accept() {
            Ok((stream, _)) => Arc::new(stream),
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => continue,
            Err(error) => return Some(format!("accept failed: {error}")),
        };
        if !board.opened(&stream) {
            return None;
        }
        if board.program.is_concurrent() {
            let board = Arc::clone(board);
            thread::spawn(move || handle(&board, stream));
        } else if let Some(cause) = handle(board, stream) {
            return Some(cause);
        }
    }
}

/// Handles one connection to its end; a cause of death is for the caller to obey.
fn handle(board: &Board, stream: Arc<TcpStream>) -> Option<String> {
    let then = receive(board, &stream);
    if let Then::Reply(line) = &then {
        // Who did not wait for the reply is gone; no original minds.
        let _ = (&*stream).write_all(line.as_bytes());
    }
    board.closing(&stream);
    drop(stream);
    if let Then::Tell(to, text) = then
        && let Err(error) = talk::tell(board, to, text)
    {
        board.show(format!("could not send {text} to {to}: {error}"));
    }
    board.handled();
    match then {
        Then::Die(cause) => Some(cause),
        _ => None,
    }
}

fn receive(board: &Board, stream: &TcpStream) -> Then {
    let mut buffer = [0; RECEIVE_LIMIT];
    let got = receive_once(stream, &mut buffer);
    if board.read(|record| record.stopping) {
        return Then::Close;
    }
    if let Ok(bytes) = &got {
        board.change(|record| record.raw.push(bytes.to_vec()));
    }
    match board.program {
        Program::R3 => r3::receive(board, got),
        Program::SmartCookies => smart_cookies::receive(board, got),
        Program::Xyz => xyz::receive(board, got),
        Program::Hashpa => hashpa::receive(board, got),
        Program::CryptoKnights => crypto_knights::receive(board, got),
    }
}

/// One recv(). Only a signal makes it try again, as Python does (PEP 475).
fn receive_once<'b>(mut stream: &TcpStream, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            got => return got.map(|count| &buffer[..count]),
        }
    }
}
