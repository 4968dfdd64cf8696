//! The networks that discovery uses: their interfaces, and the addresses in their subnets. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use if_addrs::{IfAddr, Interface};

use crate::model::address::PeerAddr;

/// Prefixes of the names of interfaces that lead only to containers and virtual machines.
/// [`is_docker_bridge`] finds the bridges of Docker.
const VIRTUAL: [&str; 6] = ["docker", "veth", "virbr", "cni", "vmnet", "vEthernet"];

/// An address of an interface that discovery uses, with its subnet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Network {
    interface: String,
    /// The index of the interface; 0 if the system gives none.
    index: u32,
    ip: IpAddr,
    /// The prefix length of the subnet, in bits.
    prefix: u8,
}

/// Where we listen. This decides which interfaces are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listening {
    /// The IP; unspecified for all IPs of this machine.
    pub bind: IpAddr,
    /// The port.
    pub port: u16,
    /// Whether we listen over IPv6 too.
    pub ipv6: bool,
}

/// Whether discovery uses this address of an interface.
pub(super) fn is_used(interface: &Interface, at: Listening) -> bool {
    let ip = interface.ip();
    let is_listening = if at.bind.is_unspecified() { ip.is_ipv4() || at.ipv6 } else { ip == at.bind };
    let is_real = !interface.is_loopback() && !is_virtual(&interface.name);
    is_listening && is_real && interface.is_oper_up() && !interface.is_p2p
}

/// Returns whether an interface leads only to containers or virtual machines, judging by its name.
fn is_virtual(name: &str) -> bool {
    VIRTUAL.iter().any(|beginning| name.starts_with(beginning)) || is_docker_bridge(name)
}

/// Returns whether the name is `br-` and hexadecimal digits, as Docker names its bridges.
fn is_docker_bridge(name: &str) -> bool {
    let digits = name.strip_prefix("br-").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the networks that discovery uses.
pub(super) fn used(interfaces: &[Interface], at: Listening) -> Vec<Network> {
    let network = |interface: &Interface| Network {
        interface: interface.name.clone(),
        index: interface.index.unwrap_or_default(),
        ip: interface.ip(),
        prefix: match &interface.addr {
            IfAddr::V4(addr) => addr.prefixlen,
            IfAddr::V6(addr) => addr.prefixlen,
        },
    };
    interfaces.iter().filter(|interface| is_used(interface, at)).map(network).collect()
}

/// Returns the addresses at which a peer may be dialed: those of `ips` that are in the subnet of a
/// network, with this port, IPv4 first. Each IP has the index of the interface that it was heard
/// through; 0 if unknown.
pub(super) fn dialable(ips: &[(IpAddr, u32)], port: u16, networks: &[Network]) -> Vec<PeerAddr> {
    let mut addrs: Vec<PeerAddr> = ips
        .iter()
        .filter(|(ip, index)| networks.iter().any(|network| network.contains(*ip, *index)))
        .filter_map(|(ip, index)| match ip.to_canonical() {
            IpAddr::V6(ip) => PeerAddr::of(SocketAddrV6::new(ip, port, 0, *index).into()),
            ip => PeerAddr::of(SocketAddr::new(ip, port)),
        })
        .collect();
    addrs.sort_by_key(|addr| (addr.v4().is_none(), addr.is_local(), *addr));
    addrs.dedup();
    addrs
}

impl Network {
    /// Returns the address family, as the unspecified address of the family.
    pub(super) fn family(&self) -> IpAddr {
        match self.ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        }
    }

    /// Returns whether an IP that was heard through the interface with this index is in the subnet.
    fn contains(&self, ip: IpAddr, index: u32) -> bool {
        match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(ip)) => same_subnet(
                u128::from(ours.to_bits()) << 96,
                u128::from(ip.to_bits()) << 96,
                self.prefix.min(32),
            ),
            (IpAddr::V6(ours), IpAddr::V6(ip)) => {
                same_subnet(ours.to_bits(), ip.to_bits(), self.prefix)
                    && (!ip.is_unicast_link_local() || index == self.index)
            }
            _ => false,
        }
    }
}

fn same_subnet(one: u128, other: u128, prefix: u8) -> bool {
    // A prefix of 0 bits contains every address.
    prefix == 0 || (one ^ other) >> (128 - u32::from(prefix.min(128))) == 0
}

/// Writes the subnet, such as `192.168.1.0/24`, or for IPv6 the name of the interface.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => {
                let prefix = u32::from(self.prefix.min(32));
                let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or_default();
                write!(f, "{}/{prefix}", Ipv4Addr::from_bits(ip.to_bits() & mask))
            }
            IpAddr::V6(_) => f.write_str(&self.interface),
        }
    }
}

/// Returns the networks for the screen: the IPv4 subnets, or the interfaces if there is only IPv6.
pub(super) fn shown(networks: &[Network]) -> Vec<String> {
    let has_v4 = networks.iter().any(|network| network.ip.is_ipv4());
    let shown = networks.iter().filter(|network| network.ip.is_ipv4() == has_v4);
    let mut names: Vec<String> = Vec::new();
    for name in shown.map(ToString::to_string) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};

    const ANY: Listening = Listening { bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: 5000, ipv6: true };

    fn interface(name: &str, ip: &str, prefixlen: u8) -> Interface {
        let addr = match ip.parse::<IpAddr>().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr { ip, netmask: ip, prefixlen, broadcast: None }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr { ip, netmask: ip, prefixlen, broadcast: None }),
        };
        Interface {
            name: name.into(),
            addr,
            index: Some(2),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        }
    }

    fn named(name: &str) -> Interface {
        interface(name, "192.168.1.20", 24)
    }

    #[test]
    fn interfaces_of_containers_and_machines_are_skipped() {
        for name in ["eth0", "wlan0", "en0", "br0", "br-lan", "br-", "Ethernet", "to-his"] {
            assert!(is_used(&named(name), ANY), "{name}");
        }
        for name in ["docker0", "br-9f86d081884c", "veth12ab", "virbr0", "cni0", "vmnet8", "vEthernet (WSL)"]
        {
            assert!(!is_used(&named(name), ANY), "{name}");
        }
        assert!(!is_used(&interface("lo", "127.0.0.1", 8), ANY));
        assert!(!is_used(&interface("lo", "::1", 128), ANY));
        assert!(!is_used(&Interface { oper_status: IfOperStatus::Down, ..named("eth0") }, ANY));
        assert!(!is_used(&Interface { is_p2p: true, ..named("tun0") }, ANY));
    }

    #[test]
    fn only_addresses_we_listen_at_are_used() {
        let six = interface("eth0", "2001:db8::7", 64);
        assert!(is_used(&six, ANY) && !is_used(&six, Listening { ipv6: false, ..ANY }));
        let at = |ip: &str| Listening { bind: ip.parse().unwrap(), ..ANY };
        assert!(is_used(&named("eth0"), at("192.168.1.20")));
        assert!(!is_used(&named("eth0"), at("192.168.1.21")));
        assert!(!is_used(&interface("lo", "127.0.0.1", 8), at("127.0.0.1")));
    }

    #[test]
    fn only_addresses_of_a_subnet_are_dialed() {
        let interfaces = [
            named("eth0"),
            interface("eth0", "2001:db8::7", 64),
            interface("eth0", "fe80::7", 64),
            interface("docker0", "172.17.0.1", 16),
        ];
        let networks = used(&interfaces, ANY);
        let heard = |ip: &str, index| (ip.parse::<IpAddr>().unwrap(), index);
        let ips = [
            heard("fe80::9", 2),
            heard("192.168.1.30", 2),
            heard("192.168.2.30", 2),
            heard("::ffff:192.168.1.31", 0),
            heard("10.0.0.1", 2),
            heard("127.0.0.1", 2),
            heard("0.0.0.0", 2),
            heard("172.17.0.2", 3),
            heard("2001:db8::9", 2),
            heard("2001:db8:0:1::9", 2),
            heard("fe80::9", 3),
            heard("::1", 2),
            heard("ff02::fb", 2),
        ];
        let addrs: Vec<String> = dialable(&ips, 5000, &networks).iter().map(ToString::to_string).collect();
        let expected = ["192.168.1.30:5000", "192.168.1.31:5000", "[2001:db8::9]:5000", "[fe80::9%2]:5000"];
        assert_eq!(addrs, expected);
        assert_eq!(dialable(&ips, 0, &networks), []);
    }

    #[test]
    fn networks_are_shown_by_subnet_or_interface() {
        let both = [named("eth0"), interface("eth0", "fe80::7", 64), interface("wlan0", "10.1.2.3", 8)];
        assert_eq!(shown(&used(&both, ANY)), ["192.168.1.0/24", "10.0.0.0/8"]);
        assert_eq!(shown(&used(&both[1..2], ANY)), ["eth0"]);
        assert_eq!(shown(&used(&[interface("eth0", "10.1.2.3", 32)], ANY)), ["10.1.2.3/32"]);
        assert_eq!(shown(&used(&[interface("eth0", "10.1.2.3", 0)], ANY)), ["0.0.0.0/0"]);
        assert_eq!(shown(&[]), [""; 0]);
    }
}
