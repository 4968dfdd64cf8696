//! From addresses to somebody who has proven a key and said hello there.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::ends;
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::SendError;
use crate::model::session::{Introduction, Met, RequestEnd};
use crate::net::dial::{self, CONNECT_TIMEOUT};
use crate::net::secure::talk::Dialed;
use crate::net::secure::{self, Expectation, HELLO_WITHIN, Tls};
use crate::protocol::session::Hello;

/// Time for all addresses of a peer together: three that do not answer at all, and one that is slow.
pub(super) const OPEN_WITHIN: Duration = Duration::from_secs(12);

/// Whom to dial, and as who.
pub(super) struct Opening<'a> {
    pub(super) tls: &'a Tls,
    /// The IP to dial from; unspecified for whichever the system takes.
    pub(super) from: IpAddr,
    pub(super) addrs: &'a [PeerAddr],
    pub(super) expect: Option<PublicKey>,
    pub(super) hello: &'a Hello,
}

/// Somebody is there.
pub(super) struct Opened {
    pub(super) addr: PeerAddr,
    pub(super) talk: Dialed,
    pub(super) met: Met,
}

/// Nobody is, or not who was meant.
#[derive(Debug)]
pub(super) struct Missed {
    pub(super) addr: PeerAddr,
    /// Who has proven this there.
    pub(super) key: Option<PublicKey>,
    pub(super) end: RequestEnd,
}

impl Opening<'_> {
    /// Dials the addresses one after the other, until one of them has what was expected or `deadline` is over.
    ///
    /// # Errors
    /// The most telling of what was found instead; none where there is no address.
    pub(super) fn open(&self, deadline: Instant) -> Result<Opened, Option<Missed>> {
        let mut worst: Option<Missed> = None;
        for addr in self.addrs {
            let missed = match self.open_one(*addr, deadline) {
                Ok(opened) => return Ok(opened),
                Err(missed) => missed,
            };
            log::debug!("{addr} was dialed in vain: {:?}", missed.end);
            // Who was meant has been met there, and does not want to talk.
            if matches!(missed.end, RequestEnd::Bye(_)) {
                return Err(Some(missed));
            }
            if worst.as_ref().is_none_or(|worst| weight(&worst.end) < weight(&missed.end)) {
                worst = Some(missed);
            }
        }
        Err(worst)
    }

    fn open_one(&self, addr: PeerAddr, deadline: Instant) -> Result<Opened, Missed> {
        let missed = |end| Missed { addr, key: None, end };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(missed(RequestEnd::Unreachable(SendError::Cancelled)));
        }
        let to = addr.socket();
        let (stream, _) = dial::connect(self.from, to, left.min(CONNECT_TIMEOUT))
            .map_err(|error| missed(RequestEnd::Unreachable(dial::failure(&error))))?;
        let expectation = self.expect.map_or(Expectation::Any, Expectation::Key);
        let deadline = deadline.min(Instant::now() + HELLO_WITHIN);
        let channel = secure::dial(self.tls, stream, expectation, deadline)
            .map_err(|refused| missed(ends::refused(refused, self.tls.own())))?;
        let key = channel.peer();
        match Dialed::greet(channel, self.hello.clone()) {
            Ok((talk, hello)) => {
                Ok(Opened { addr, talk, met: Met { key, hello: Some(introduction(&hello)) } })
            }
            Err(end) => Err(Missed { addr, key: Some(key), end: ends::talked(&end) }),
        }
    }
}

/// How much an end tells, if the addresses of one peer end differently.
fn weight(end: &RequestEnd) -> u8 {
    match end {
        RequestEnd::WrongKey(_) => 5,
        RequestEnd::NoSession => 4,
        RequestEnd::NotSecure => 3,
        RequestEnd::Ourselves => 2,
        RequestEnd::Broken => 1,
        // Of two addresses where nobody is, the first is the likelier one.
        RequestEnd::Unreachable(_) | RequestEnd::Answered | RequestEnd::Bye(_) => 0,
    }
}

/// Who somebody says that it is.
pub fn introduction(hello: &Hello) -> Introduction {
    let also = hello.addresses.iter().filter_map(|addr| dialable(*addr)).collect();
    Introduction { name: hello.name.clone(), port: hello.port, also }
}

/// The same as an address that a peer can be dialed at, if it can be one.
fn dialable(addr: SocketAddr) -> Option<PeerAddr> {
    Source::from(addr).at(addr.port())
}
