//! People elsewhere who send messages as docs/PROTOCOL.md has it, and what a screen has to show of them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use socket2::{Domain, Socket, Type};

/// How long anything may take that shall happen.
pub(super) const SOON: Duration = Duration::from_secs(15);

/// Stands before the number of every message, and nowhere else on the screen.
const MARK: &str = "sends no. ";

/// What a message of a usual length says besides.
const WORDS: &str = "see you at one";

/// Somebody who sends numbered messages.
pub(super) struct Sender {
    name: &'static str,
    /// Where it says that it listens: nobody does at so low a port.
    port: u16,
    to: SocketAddrV4,
    sent: usize,
}

impl Sender {
    /// Somebody who has not sent anything yet.
    pub(super) fn new(name: &'static str, port: u16, to: SocketAddrV4) -> Self {
        Self { name, port, to, sent: 0 }
    }

    /// Sends the next message, and waits for the receipt, as whoever wants an order of messages must.
    pub(super) fn send(&mut self) -> anyhow::Result<()> {
        self.send_ending_with("")
    }

    /// The same with something at the end by which it is recognised.
    pub(super) fn send_ending_with(&mut self, end: &str) -> anyhow::Result<()> {
        let Self { name, port, .. } = *self;
        let number = self.sent + 1;
        let text = format!("{}:{port} {name} {name} {MARK}{number} {WORDS}{end}", Ipv4Addr::LOCALHOST);
        let answer = self.exchange(text.as_bytes()).with_context(|| format!("{name}'s no. {number}"))?;
        ensure!(answer.starts_with(b"[ACK] "), "{name}'s no. {number} was not taken");
        self.sent = number;
        Ok(())
    }

    /// How the last message begins on the screen.
    pub(super) fn last(&self) -> String {
        format!("{} {MARK}{} ", self.name, self.sent)
    }

    fn exchange(&self, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // Thousands of closed connections shall be in nobody's way who wants to listen at one of their ports.
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
}

/// Checks that everything that was sent is shown, once and in the order of each sender.
pub(super) fn check_all_shown(rows: &[String], senders: &[Sender]) -> anyhow::Result<()> {
    let mut shown: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for row in rows {
        let Some((before, after)) = row.split_once(MARK) else { continue };
        let name = before.split_whitespace().last().context("a message of nobody")?;
        let number = after.split(' ').next().and_then(|number| number.parse().ok());
        let whole = after.contains(WORDS);
        ensure!(whole, "not a whole message: {row}");
        shown.entry(name).or_default().push(number.with_context(|| format!("no number: {row}"))?);
    }
    for Sender { name, sent, .. } in senders {
        let numbers = shown.remove(name).unwrap_or_default();
        let wrong = (1..=*sent).zip(numbers.iter().copied().chain([0])).find(|(due, number)| due != number);
        if let Some((due, number)) = wrong {
            anyhow::bail!("{number} of {name} is shown where {due} of {sent} is due (0: nothing)");
        }
        ensure!(numbers.len() == *sent, "{name} sent {sent} messages, {} are shown", numbers.len());
    }
    ensure!(shown.is_empty(), "shown and never sent: {shown:?}");
    Ok(())
}
