//! The network interfaces of this machine: their addresses, and their names in addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::address::{AddrError, PeerAddr};
use crate::model::host::Endpoint;

/// Parses an address as [`PeerAddr`] does, but also accepts the name of an interface:
/// `[fe80::1%eth0]:5000`.
///
/// # Errors
/// The error of [`PeerAddr`], also if the machine has no interface of this name.
pub(crate) fn parse_addr(text: &str) -> Result<PeerAddr, AddrError> {
    let parsed = text.parse();
    match numbered(text) {
        Some(numbered) if parsed.is_err() => numbered.parse().or(parsed),
        _ => parsed,
    }
}

/// Parses an address as [`parse_addr`] does, or a host name with a port.
pub(crate) fn parse_endpoint(text: &str) -> Result<Endpoint, AddrError> {
    parse_addr(text).map(Endpoint::Addr).or_else(|error| Endpoint::or_host(text, error))
}

/// Returns the address with the number of its interface instead of the name, or `None` if it names
/// no interface of this machine.
fn numbered(text: &str) -> Option<String> {
    let (ip, rest) = text.strip_prefix('[')?.split_once('%')?;
    let (name, port) = rest.rsplit_once(']')?;
    let interfaces = if_addrs::get_if_addrs().ok()?;
    let index = interfaces.into_iter().find(|interface| interface.name == name)?.index?;
    Some(format!("[{ip}%{index}]{port}"))
}

/// Returns the IP addresses of this machine.
///
/// # Errors
/// The error of the operating system, for example if the program has no free descriptor.
pub(crate) fn machine_ips() -> io::Result<Vec<IpAddr>> {
    Ok(if_addrs::get_if_addrs()?.iter().map(|interface| interface.ip()).collect())
}

/// Returns the IPs at which others can reach a program that listens on `bind`, most likely first.
/// `ipv6` says whether it also listens over IPv6, and `advertise` is the IP that the user chose.
pub(crate) fn reachable(bind: IpAddr, advertise: Option<Ipv4Addr>, ipv6: bool) -> Vec<IpAddr> {
    match advertise {
        Some(ip) => vec![ip.into()],
        None if !bind.is_unspecified() => vec![bind],
        None => reachable_ips(&machine_ips().unwrap_or_default(), ipv6),
    }
}

/// Returns those of `ips` that another machine may reach: all IPv4 addresses first, which every
/// program understands, then at most one IPv6 address, because a machine often has several that
/// lead to the same interface.
pub(crate) fn reachable_ips(ips: &[IpAddr], ipv6: bool) -> Vec<IpAddr> {
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
    use super::*;

    #[test]
    fn interface_name_is_replaced_by_its_number() {
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
