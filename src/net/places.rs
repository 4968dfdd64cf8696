//! Where we listen and what this machine has: the sockets of both families, our own addresses, the
//! names of interfaces.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use super::listener::Listener;
use crate::model::address::{AddrError, PeerAddr};

/// How often a port that is free for IPv4 is looked for that is free for IPv6 as well, where any
/// will do. The system chooses among thousands, of which few are in use.
const PORTS_TRIED: usize = 16;

/// Sockets to serve, each with where it listens.
pub type Bound = Vec<(TcpListener, SocketAddr)>;

/// Listens at `ip`, or, if that is unspecified, at all addresses of both families: then with one
/// socket for each, so that it is plain which a connection came over. The first is IPv4's; a
/// machine without IPv6 has no second. Port 0 takes any that is free.
///
/// # Errors
/// Those of the operating system, with the address: the port is in use or not permitted, the IP is
/// not this machine's.
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
            // Whoever dials our port over IPv6 would reach somebody else.
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

/// Whether the IP of `addr` is one of this machine's: the operating system lets nobody bind to
/// another's.
pub fn is_local(addr: PeerAddr) -> bool {
    let mut at = addr.socket();
    at.set_port(0);
    UdpSocket::bind(at).is_ok()
}

/// Reads an address as [`PeerAddr`] does, and knows the names of the interfaces:
/// `[fe80::1%eth0]:5000`.
///
/// # Errors
/// As there; also where there is no such interface.
pub fn parse_addr(text: &str) -> Result<PeerAddr, AddrError> {
    let parsed = text.parse();
    match numbered(text) {
        Some(numbered) if parsed.is_err() => numbered.parse().or(parsed),
        _ => parsed,
    }
}

/// The same address with the number of the interface instead of its name, if it names one that
/// there is.
fn numbered(text: &str) -> Option<String> {
    let (ip, rest) = text.strip_prefix('[')?.split_once('%')?;
    let (name, port) = rest.rsplit_once(']')?;
    let interfaces = if_addrs::get_if_addrs().ok()?;
    let index = interfaces.into_iter().find(|interface| interface.name == name)?.index?;
    Some(format!("[{ip}%{index}]{port}"))
}

/// Returns the IPs of this machine.
///
/// # Errors
/// If the system does not tell, for example because the program has no descriptor left.
pub fn machine_ips() -> io::Result<Vec<IpAddr>> {
    Ok(if_addrs::get_if_addrs()?.iter().map(|interface| interface.ip()).collect())
}

/// Returns those of this machine's IPs that another machine may reach: IPv4 first, which all programs
/// understand, then one of IPv6, for many machines have a handful that serve the same.
pub fn reachable_ips(ips: &[IpAddr], ipv6: bool) -> Vec<IpAddr> {
    let is_reachable = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local() && !ip.is_unspecified(),
        IpAddr::V6(ip) => ipv6 && !ip.is_loopback() && !ip.is_unicast_link_local() && !ip.is_unspecified(),
    };
    let mut reachable: Vec<IpAddr> = ips.iter().copied().filter(is_reachable).collect();
    reachable.sort_by_key(IpAddr::is_ipv6);
    reachable.dedup();
    let four = reachable.iter().filter(|ip| ip.is_ipv4()).count();
    reachable.truncate(four + 1);
    reachable
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
    fn both_families_get_a_socket_with_one_port_and_know_which_they_came_over() {
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
    fn a_port_that_another_has_in_one_family_is_in_use() {
        if !has_ipv6() {
            return;
        }
        // In the dual-stack way of others it would be in use for IPv4, too.
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
    fn the_addresses_of_this_machine_are_known_from_others() {
        let is_ours = |text: &str| is_local(text.parse().unwrap());
        assert!(is_ours("127.0.0.1:5000"));
        assert!(!is_ours("192.0.2.7:5000") && !is_ours("[2001:db8::7]:5000"));
        assert!(!has_ipv6() || is_ours("[::1]:5000"));
    }

    #[test]
    fn an_interface_has_a_name_and_a_number() {
        let interfaces = if_addrs::get_if_addrs().unwrap();
        let Some((name, index)) = interfaces.iter().find_map(|one| Some((&one.name, one.index?))) else {
            println!("skipped: the system numbers no interface");
            return;
        };
        let named = parse_addr(&format!("[fe80::1%{name}]:5000")).unwrap();
        assert_eq!(named.to_string(), format!("[fe80::1%{index}]:5000"));
        assert_eq!(parse_addr("[::1]:5000"), "[::1]:5000".parse());
        for wrong in ["[fe80::1%none-such]:5000".to_owned(), format!("[::1%{name}]:5000"), "[%]".into()] {
            let error = parse_addr(&wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("`{wrong}` is not an address")), "{error}");
        }
    }
}
