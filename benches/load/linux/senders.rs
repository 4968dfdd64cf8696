//! People elsewhere who send numbered messages as fast as they can, one connection for each, and
//! what of it was shown.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::SOON;
use super::bare::LAST;
use super::ours::MARK;

/// Addresses of the receiver that are dialed by turns: a pair of addresses has 28,000 ports, and
/// whoever comes near to using them up measures the search for a free one.
const ADDRESSES: u8 = 8;

/// What a sender does when it has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Manner {
    /// It closes, as the older programs do.
    Closes,
    /// It closes its half and waits for the other side to close, as ours does.
    Waits,
}

/// What the senders saw.
pub(super) struct Sending {
    pub(super) begun: Instant,
    pub(super) longest_connect: Duration,
}

/// Has so many senders send so many messages in all, each one after the other.
pub(super) fn send(manner: Manner, senders: usize, messages: usize, port: u16) -> anyhow::Result<Sending> {
    let start = Barrier::new(senders + 1);
    let each = messages / senders;
    thread::scope(|scope| {
        let start = &start;
        let sending: Vec<_> = (1..=senders)
            .map(|sender| {
                scope.spawn(move || {
                    start.wait();
                    (1..=each).try_fold(Duration::ZERO, |longest, number| {
                        let bytes = message(sender, number, number == each);
                        let ip = Ipv4Addr::new(127, 0, 0, 1 + u8::try_from(number % usize::from(ADDRESSES))?);
                        let taken = exchange(manner, SocketAddrV4::new(ip, port), bytes.as_bytes());
                        let taken = taken.with_context(|| format!("no. {number} of sender {sender}"))?;
                        anyhow::Ok(longest.max(taken))
                    })
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        let mut longest_connect = Duration::ZERO;
        for thread in sending {
            let Ok(longest) = thread.join() else { bail!("a sender panicked") };
            longest_connect = longest_connect.max(longest?);
        }
        Ok(Sending { begun, longest_connect })
    })
}

/// A message of a usual length. Nobody listens at so low a port as the sender claims.
fn message(sender: usize, number: usize, last: bool) -> String {
    let end = if last { char::from(LAST).to_string() } else { String::new() };
    format!("127.0.0.1:{sender} S{sender} no. {number} see you at one{}{end}", char::from(MARK))
}

/// Sends one message; how long it took to connect.
pub(super) fn exchange(manner: Manner, to: SocketAddrV4, bytes: &[u8]) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(to)?;
    let taken = begun.elapsed();
    stream.write_all(bytes)?;
    if manner == Manner::Waits {
        stream.set_read_timeout(Some(SOON))?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = [0; 128];
        while stream.read(&mut answer)? > 0 {}
    }
    Ok(taken)
}

/// What is wrong with what was shown of such messages.
#[derive(Default, Debug)]
pub(super) struct Shown {
    pub(super) lost: usize,
    pub(super) twice: usize,
    /// Messages that stand behind a later one of the same sender.
    pub(super) late: usize,
}

impl Shown {
    /// Looks for the messages of so many senders in what was printed.
    pub(super) fn of(printed: &str, senders: usize, messages: usize) -> anyhow::Result<Self> {
        let mut shown = Self::default();
        let mut seen = HashSet::new();
        let mut highest = vec![0; senders + 1];
        for line in printed.lines().filter(|line| line.contains(char::from(MARK))) {
            let unreadable = || format!("not a whole message: {line}");
            let (who, text) = line.split_once(": no. ").with_context(unreadable)?;
            let (_, sender) = who.rsplit_once(":").with_context(unreadable)?;
            let sender: usize = sender.trim_end_matches(')').parse().with_context(unreadable)?;
            let (number, rest) = text.split_once(' ').with_context(unreadable)?;
            let number: usize = number.parse().with_context(unreadable)?;
            let whole = rest.trim_end_matches(char::from(LAST)) == "see you at one#";
            if !whole || !(1..=senders).contains(&sender) || !line.contains(&format!("S{sender} ")) {
                bail!(unreadable());
            }
            shown.twice += usize::from(!seen.insert((sender, number)));
            shown.late += usize::from(number < highest[sender]);
            highest[sender] = number.max(highest[sender]);
        }
        shown.lost = messages / senders * senders - seen.len();
        Ok(shown)
    }
}
