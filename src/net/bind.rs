//! Binds the sockets to listen at, for both address families.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use super::listener::Listener;
use crate::model::address::PeerAddr;

/// The maximum number of ports to try, for port 0, until one is free for IPv4 and IPv6. The system
/// chooses among thousands of ports, and few of them are in use.
const PORTS_TRIED: usize = 16;

/// Listening sockets, each with its address.
pub type Bound = Vec<(TcpListener, SocketAddr)>;

/// Listens at `ip`. If that is unspecified, listens at all addresses of both families, with one
/// socket for each family, so that the family of each connection is known. The first socket is
/// IPv4's; a machine without IPv6 has only this one. Port 0 takes any free port.
///
/// # Errors
/// The error of the operating system, with the address: the port is in use or needs privileges, or
/// the machine does not have this IP address.
pub fn bind(ip: IpAddr, port: u16) -> Result<Bound, (SocketAddr, io::Error)> {
    let one = |ip, port| {
        let addr = SocketAddr::new(ip, port);
        Listener::bind(addr).map_err(|error| (addr, error))
    };
    if !ip.is_unspecified() {
        return Ok(vec![one(ip, port)?]);
    }
    let mut tried = 1;
    loop {
        let first = one(Ipv4Addr::UNSPECIFIED.into(), port)?;
        match one(Ipv6Addr::UNSPECIFIED.into(), first.1.port()) {
            Ok(second) => return Ok(vec![first, second]),
            // A peer that dials our port over IPv6 would reach another program.
            Err(taken) if taken.1.kind() == ErrorKind::AddrInUse => {
                if port != 0 || tried == PORTS_TRIED {
                    return Err(taken);
                }
                tried += 1;
            }
            Err((_, error)) => {
                log::info!("listening over IPv4 only: {error}");
                return Ok(vec![first]);
            }
        }
    }
}

/// Returns whether the machine has the IP of `addr`. The operating system lets a program bind to
/// no other.
pub fn is_local(addr: PeerAddr) -> bool {
    let mut at = addr.socket();
    at.set_port(0);
    UdpSocket::bind(at).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn has_ipv6() -> bool {
        let has = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        if !has {
            println!("skipped: this machine has no IPv6");
        }
        has
    }

    #[test]
    fn unspecified_ip_binds_both_families_at_one_port() {
        let bound = bind(Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
        let (first, at) = &bound[0];
        assert!(at.is_ipv4());
        let _dialed = TcpStream::connect((Ipv4Addr::LOCALHOST, at.port())).unwrap();
        assert!(first.accept().unwrap().1.is_ipv4());
        if has_ipv6() {
            let (second, also) = &bound[1];
            assert_eq!((also.is_ipv6(), also.port()), (true, at.port()));
            let _dialed = TcpStream::connect((Ipv6Addr::LOCALHOST, at.port())).unwrap();
            assert_eq!(second.accept().unwrap().1.ip(), Ipv6Addr::LOCALHOST);
        }
    }

    #[test]
    fn port_taken_in_one_family_is_in_use() {
        if !has_ipv6() {
            return;
        }
        // A dual-stack socket would take the port for IPv4, too.
        let (_other, at) = Listener::bind((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        let (addr, error) = bind(Ipv4Addr::UNSPECIFIED.into(), at.port()).unwrap_err();
        assert_eq!((addr.is_ipv6(), error.kind()), (true, ErrorKind::AddrInUse));
    }

    #[test]
    fn one_address_gets_one_socket() {
        let bound = bind(Ipv4Addr::LOCALHOST.into(), 0).unwrap();
        assert_eq!(bound.len(), 1);
        if has_ipv6() {
            let bound = bind(Ipv6Addr::LOCALHOST.into(), 0).unwrap();
            assert_eq!((bound.len(), bound[0].1.ip()), (1, Ipv6Addr::LOCALHOST.into()));
        }
    }

    #[test]
    fn own_addresses_are_told_from_others() {
        let is_ours = |text: &str| is_local(text.parse().unwrap());
        assert!(is_ours("127.0.0.1:5000"));
        assert!(!is_ours("192.0.2.7:5000") && !is_ours("[2001:db8::7]:5000"));
        assert!(!has_ipv6() || is_ours("[::1]:5000"));
    }
}
