//! A peer that sends unencrypted messages (docs/PROTOCOL.md).

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};

use anyhow::{Context, ensure};
use socket2::{Domain, Socket, Type};

use crate::common::SOON;

/// Stands before the number of every message, and nowhere else on the screen.
const MARK: &str = "sends no. ";

/// The rest of a message of a usual length.
const WORDS: &str = "see you at one";

/// Ann, who sends numbered messages.
pub(super) struct Sender {
    to: SocketAddrV4,
    sent: usize,
}

impl Sender {
    pub(super) fn new(to: SocketAddrV4) -> Self {
        Self { to, sent: 0 }
    }

    /// Sends the next message, and waits for the receipt, which is what keeps messages in order.
    pub(super) fn send(&mut self) -> anyhow::Result<()> {
        self.sent += 1;
        // No program listens at port 1.
        let message = format!("127.0.0.1:1 Ann {} {WORDS}", self.last());
        let answer = self.exchange(message.as_bytes()).with_context(|| self.last())?;
        ensure!(answer.starts_with(b"[ACK] "), "{} has no receipt", self.last());
        Ok(())
    }

    /// Returns the words of the last message that no other one has.
    pub(super) fn last(&self) -> String {
        format!("Ann {MARK}{}", self.sent)
    }

    fn exchange(&self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Thousands of closed connections must not occupy ports that others want to listen at.
        socket.set_reuse_address(true)?;
        socket.connect_timeout(&self.to.into(), SOON)?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(bytes)?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Checks that every message is shown whole, once and in order.
    pub(super) fn check_shown(&self, rows: &[String]) -> anyhow::Result<()> {
        let mut numbers = Vec::new();
        for row in rows {
            let Some((_, after)) = row.split_once(MARK) else { continue };
            let (number, rest) = after.split_once(' ').with_context(|| row.clone())?;
            ensure!(rest.contains(WORDS), "not a whole message: {row}");
            numbers.push(number.parse::<usize>().with_context(|| row.clone())?);
        }
        ensure!(
            numbers.iter().copied().eq(1..=self.sent),
            "{} were sent, and shown are {numbers:?}",
            self.sent
        );
        Ok(())
    }
}
