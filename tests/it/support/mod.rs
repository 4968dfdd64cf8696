//! Builds scenarios: peers that are real processes, and what a person or a stranger on the network does to them.

mod peer;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

pub(crate) use peer::Peer;

/// How long anything may take that shall happen. Far more than it does, so that a busy machine fails no test.
pub(crate) const SOON: Duration = Duration::from_secs(15);

/// An address at which nobody listens.
pub(crate) fn nobody() -> SocketAddrV4 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    v4(listener.local_addr().expect("bound"))
}

/// Sends `bytes` as a legacy program does, one connection, one write, and returns what was answered before the other
/// side closed. A reset counts as closing.
pub(crate) fn send_raw(to: SocketAddrV4, bytes: &[u8]) -> Vec<u8> {
    send_raw_from(Ipv4Addr::LOCALHOST, to, bytes)
}

/// The same from another address of the loopback network, which to the receiver is another machine.
pub(crate) fn send_raw_from(source: Ipv4Addr, to: SocketAddrV4, bytes: &[u8]) -> Vec<u8> {
    let mut stream = dial_from(source, to);
    // Whoever is refused may be reset while still writing.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// A connection from `source`, with bounded reads and writes.
pub(crate) fn dial_from(source: Ipv4Addr, to: SocketAddrV4) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddrV4::new(source, 0).into()).expect("a loopback address");
    socket.connect_timeout(&to.into(), SOON).expect("the peer accepts");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(SOON)).expect("a timeout");
    stream.set_write_timeout(Some(SOON)).expect("a timeout");
    stream
}

/// The IPv4 address that `addr` is.
pub(crate) fn v4(addr: SocketAddr) -> SocketAddrV4 {
    match addr.ip() {
        IpAddr::V4(ip) => SocketAddrV4::new(ip, addr.port()),
        IpAddr::V6(ip) => panic!("{ip} is no IPv4 address"),
    }
}
