//! Checks once, without a session, whether a key is proven at an address. This is the probe of
//! docs/PROTOCOL.md, for programs that do not listen.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::Connection;

use super::Tls;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::protocol::session::opening::{DIAL_LINE, OK_LINE};
use crate::protocol::session::{Hello, Record};

/// How long each step of a probe may take: a connect, or a read.
const STEP_WITHIN: Duration = Duration::from_secs(3);

/// Returns the first of `addrs` at which a program proves this key within `within`.
pub(crate) fn proven_at(
    tls: &Arc<Tls>,
    key: PublicKey,
    addrs: &[PeerAddr],
    hello: &Hello,
    within: Duration,
) -> Option<PeerAddr> {
    let until = Instant::now() + within;
    let (proven, results) = mpsc::channel();
    // There are at most eight addresses. Threads that hang end with the program.
    for addr in addrs.iter().copied() {
        let (tls, hello, proven) = (Arc::clone(tls), hello.clone(), proven.clone());
        let dial = move || match prove(&tls, key, addr, hello) {
            // The receiver may be gone.
            Ok(()) => drop(proven.send(addr)),
            Err(error) => log::debug!("no proof of {key} at {addr}: {error}"),
        };
        if thread::Builder::new().name("probe".into()).spawn(dial).is_err() {
            break;
        }
    }
    drop(proven);
    results.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
}

/// Dials an address, checks that the peer proves the key, and says that this is a probe.
fn prove(tls: &Tls, key: PublicKey, addr: PeerAddr, hello: Hello) -> io::Result<()> {
    let mut tcp = TcpStream::connect_timeout(&addr.socket(), STEP_WITHIN)?;
    tcp.set_read_timeout(Some(STEP_WITHIN))?;
    tcp.set_write_timeout(Some(STEP_WITHIN))?;
    tcp.write_all(DIAL_LINE)?;
    let mut answer = [0; OK_LINE.len()];
    tcp.read_exact(&mut answer)?;
    if answer != OK_LINE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut connection = Connection::from(tls.dialing(Some(key)).map_err(io::Error::other)?);
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp)?;
    }
    tls.proven(&connection, Some(key)).map_err(|_| io::ErrorKind::PermissionDenied)?;
    let hello = Hello { dialed: DIAL_LINE.to_vec(), answered: OK_LINE.to_vec(), probe: true, ..hello };
    connection.writer().write_all(&Record::Hello(hello).encode())?;
    // Then the other side says bye and closes.
    while connection.wants_write() {
        connection.write_tls(&mut tcp)?;
    }
    let _ = connection.complete_io(&mut tcp);
    Ok(())
}
