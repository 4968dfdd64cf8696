//! Network addresses: valid by construction, with distinct types for claimed and seen ones.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use super::name::quoted;

/// An address that a peer can be dialed at: unicast of IPv4 or IPv6, port 1-65535.
///
/// Each address has one spelling: an IPv4 address inside IPv6 is IPv4, none has a flow label, and
/// only link-local ones name one of our interfaces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddr {
    /// An IPv4 address is mapped into IPv6, so that all addresses take the same few bytes.
    ip: Ipv6Addr,
    scope: u32,
    port: u16,
}

impl PeerAddr {
    /// Returns the address, or `None` if it cannot be dialed: port 0, an unspecified, multicast or
    /// broadcast IP, or a link-local IPv6 one, which needs its interface ([`PeerAddr::of`]).
    pub fn new(ip: impl Into<IpAddr>, port: u16) -> Option<Self> {
        Self::of(SocketAddr::new(ip.into(), port))
    }

    /// Returns the address of a socket, or `None` if it cannot be dialed.
    pub fn of(addr: SocketAddr) -> Option<Self> {
        let (ip, scope) = canonical(addr);
        let dialable = addr.port() != 0
            && !ip.is_unspecified()
            && !ip.is_multicast()
            && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
            && (scope != 0 || !is_link_local(ip));
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        dialable.then_some(Self { ip, scope, port: addr.port() })
    }

    /// The IP.
    pub fn ip(self) -> IpAddr {
        self.ip.to_canonical()
    }

    /// The IP, if it is of IPv4.
    pub fn v4(self) -> Option<Ipv4Addr> {
        self.ip.to_ipv4_mapped()
    }

    /// The port, never 0.
    pub fn port(self) -> u16 {
        self.port
    }

    /// The socket address to dial.
    pub fn socket(self) -> SocketAddr {
        match self.v4() {
            Some(ip) => SocketAddrV4::new(ip, self.port).into(),
            None => SocketAddrV6::new(self.ip, self.port, 0, self.scope).into(),
        }
    }

    /// Whether the address is a loopback or link-local one, which means another machine elsewhere.
    pub fn is_local(self) -> bool {
        let ip = self.ip();
        ip.is_loopback() || is_link_local(ip) || matches!(ip, IpAddr::V4(ip) if ip.is_link_local())
    }

    /// The source of a connection that comes from this very address.
    pub fn source(self) -> Source {
        self.socket().into()
    }

    /// The prefix that its limits are counted by.
    pub fn share(self) -> SourcePrefix {
        self.ip().into()
    }

    /// The address for unencrypted messages, if it is of IPv4.
    pub fn plain(self) -> Option<PlainAddr> {
        self.v4().map(|ip| PlainAddr(SocketAddrV4::new(ip, self.port)))
    }
}

/// Returns the one spelling of an IP, and its scope.
fn canonical(addr: SocketAddr) -> (IpAddr, u32) {
    let ip = addr.ip().to_canonical();
    let scope = match addr {
        SocketAddr::V6(addr) if is_link_local(ip) => addr.scope_id(),
        _ => 0,
    };
    (ip, scope)
}

/// Whether an IP is a link-local one of IPv6.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// An address for unencrypted messages: dialable, and of IPv4, because legacy programs know nothing
/// else.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlainAddr(SocketAddrV4);

impl PlainAddr {
    /// The socket address to dial.
    pub fn socket(self) -> SocketAddrV4 {
        self.0
    }
}

impl From<PlainAddr> for PeerAddr {
    fn from(addr: PlainAddr) -> Self {
        Self { ip: addr.0.ip().to_ipv6_mapped(), scope: 0, port: addr.0.port() }
    }
}

impl fmt::Display for PlainAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PlainAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().fmt(f)
    }
}

impl fmt::Debug for PeerAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket().fmt(f)
    }
}

/// Why a string is not an address that can be dialed. Displays as a whole sentence for the user.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[error("{0}")]
pub struct AddrError(String);

impl AddrError {
    /// Says that a text is not an address. `why` is the rest of the sentence.
    pub(super) fn of(text: &str, why: &str) -> Self {
        Self(format!("`{}` is not an address: {why}", quoted(text)))
    }
}

impl FromStr for PeerAddr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        if text.is_empty() {
            return Err(AddrError("There is no address; write IP:PORT, like 127.0.0.1:5001.".into()));
        }
        let wrong = |why: &str| AddrError::of(text, why);
        let Some((ip, port)) = text.rsplit_once(':') else {
            return Err(wrong("write IP:PORT, like 127.0.0.1:5001."));
        };
        if let Some(inner) = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')) {
            let port = parse_port(port).map_err(|error| wrong(&error.to_string()))?;
            return scoped(inner, port).map_err(wrong);
        }
        if ip.contains(':') || ip.starts_with('[') {
            return Err(wrong("write an IPv6 address in brackets before the port, like [::1]:5001."));
        }
        let port = parse_port(port).map_err(|error| wrong(&error.to_string()))?;
        let ip: Ipv4Addr = ip.parse().map_err(|_| {
            wrong("the part before the colon has to be an IPv4 address, four numbers from 0 to 255 like 127.0.0.1.")
        })?;
        Self::new(ip, port).ok_or_else(|| wrong(NOBODY))
    }
}

/// Why a well-formed address cannot be dialed.
const NOBODY: &str = "that IP is not the address of a single machine.";

/// Parses the part between the brackets of an IPv6 address. A scope is a number here: only the
/// system knows the names of the interfaces.
fn scoped(inner: &str, port: u16) -> Result<PeerAddr, &'static str> {
    let (ip, scope) = inner.split_once('%').map_or((inner, None), |(ip, scope)| (ip, Some(scope)));
    let ip: Ipv6Addr =
        ip.parse().map_err(|_| "the part in brackets has to be an IPv6 address, like [::1]:5001.")?;
    let scope = match scope {
        None if ip.is_unicast_link_local() => {
            return Err(
                "an address that begins with fe80 needs the interface that it is at, like [fe80::1%2]:5001.",
            );
        }
        None => 0,
        Some(_) if !ip.is_unicast_link_local() => {
            return Err("only an address that begins with fe80 has an interface after a percent sign.");
        }
        Some(scope) => match scope.parse() {
            Ok(scope) if scope != 0 && scope_digits(inner) => scope,
            _ => return Err("the part after the percent sign is not an interface of this machine."),
        },
    };
    PeerAddr::of(SocketAddrV6::new(ip, port, 0, scope).into()).ok_or(NOBODY)
}

/// Whether the scope is written in digits only, without a sign.
fn scope_digits(inner: &str) -> bool {
    inner.rsplit('%').next().is_some_and(|scope| scope.bytes().all(|b| b.is_ascii_digit()))
}

/// Parses a port that can be dialed.
///
/// # Errors
/// If `text` is not a decimal number from 1 to 65535.
pub fn parse_port(text: &str) -> Result<u16, AddrError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(AddrError("the port has to be a number from 1 to 65535.".into())),
    }
}

/// The address in the header of a message. It is only a claim: it may be a loopback address of
/// another machine, or another peer's address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Claimed {
    /// The claimed IP, of any kind.
    pub ip: Ipv4Addr,
    /// The claimed listening port, never 0.
    pub port: u16,
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ip, self.port)
    }
}

/// The IP that a connection came from, and for a link-local one, the interface that it came
/// through.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Source {
    ip: IpAddr,
    scope: u32,
}

impl Source {
    /// The IP.
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// The prefix that its limits are counted by.
    pub fn share(self) -> SourcePrefix {
        self.ip.into()
    }

    /// Returns the address of a port there, if it can be dialed.
    pub fn at(self, port: u16) -> Option<PeerAddr> {
        match self.ip {
            IpAddr::V4(ip) => PeerAddr::new(ip, port),
            IpAddr::V6(ip) => PeerAddr::of(SocketAddrV6::new(ip, port, 0, self.scope).into()),
        }
    }
}

impl From<SocketAddr> for Source {
    fn from(addr: SocketAddr) -> Self {
        let (ip, scope) = canonical(addr);
        Self { ip, scope }
    }
}

impl From<IpAddr> for Source {
    fn from(ip: IpAddr) -> Self {
        SocketAddr::new(ip, 0).into()
    }
}

impl From<Ipv4Addr> for Source {
    fn from(ip: Ipv4Addr) -> Self {
        Self { ip: ip.into(), scope: 0 }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            0 => self.ip.fmt(f),
            scope => write!(f, "{}%{scope}", self.ip),
        }
    }
}

/// What gets one fair share of a limited total: an IPv4 address, or the network half of an IPv6
/// address, because a machine may take any number of addresses in its network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SourcePrefix {
    /// This address.
    V4(Ipv4Addr),
    /// All addresses with these first 64 bits.
    V6(u64),
}

/// The address, or the network with its length: `192.0.2.7`, `2001:db8::/64`.
impl fmt::Display for SourcePrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(ip) => ip.fmt(f),
            Self::V6(network) => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(*network) << 64)),
        }
    }
}

impl FromStr for SourcePrefix {
    type Err = AddrError;

    /// Parses an IP, or what [`SourcePrefix`] displays. An IPv6 address stands for its network.
    fn from_str(text: &str) -> Result<Self, AddrError> {
        let shown = quoted(text);
        let wrong = |why: &str| AddrError(format!("`{shown}` is not an IP: {why}"));
        let network = text.strip_suffix("/64");
        let ip: Result<IpAddr, _> = match network {
            Some(network) => network.parse::<Ipv6Addr>().map(IpAddr::V6),
            None => text.parse(),
        };
        let ip = ip.map_err(|_| wrong("write one like 192.0.2.7 or 2001:db8::7."))?.to_canonical();
        // The network of `::1` is `::/64`, which has machines, unlike the address `::`.
        let is_unspecified = network.is_none() && ip.is_unspecified();
        if is_unspecified || ip.is_multicast() || is_link_local(ip) {
            return Err(wrong("it is not the IP of a single machine or network."));
        }
        Ok(ip.into())
    }
}

impl From<IpAddr> for SourcePrefix {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

impl From<Ipv4Addr> for SourcePrefix {
    fn from(ip: Ipv4Addr) -> Self {
        Self::V4(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_is_an_ip_or_its_network() {
        for (text, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::/64"),
            ("2001:db8::/64", "2001:db8::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(text.parse::<SourcePrefix>().map(|source| source.to_string()), Ok(shown.into()));
        }
        for wrong in ["", "192.0.2.7:5000", "192.0.2.0/24", "0.0.0.0", "::", "fe80::7", "224.0.0.1", "bob"] {
            assert!(wrong.parse::<SourcePrefix>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_a_source_displays_parses_to_it() {
        let some = ["::1", "::7:0:0:1", "64:ff9b::1", "100::", "2001:db8:0:1::", "fd00::1", "127.0.0.1"];
        let bits = (0..64).map(|bit| Ipv6Addr::from_bits(1 << bit | 1 << (127 - bit / 2)).to_string());
        for text in some.into_iter().map(str::to_owned).chain(bits) {
            let Ok(source) = text.parse::<SourcePrefix>() else {
                panic!("{text} is no source");
            };
            assert_eq!(source.to_string().parse(), Ok(source), "{text}");
        }
    }

    #[test]
    fn address_is_ipv4_unicast_with_a_port() {
        let addr: PeerAddr = "127.0.0.1:5001".parse().expect("valid");
        assert_eq!((addr.v4(), addr.port()), (Some(Ipv4Addr::LOCALHOST), 5001));
        assert_eq!(addr.plain().map(PeerAddr::from), Some(addr), "plain messages go there");
        for wrong in [
            "",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:+1",
            "::1:5000",
            "[::1]",
            "[::1]5000",
            "[::1:5000",
            "[::]:5000",
            "[ff02::1]:5000",
            "[fe80::1]:5000",
            "[fe80::1%]:5000",
            "[fe80::1%0]:5000",
            "[fe80::1%+2]:5000",
            "[fe80::1%eth0]:5000",
            "[::1%2]:5000",
            "[127.0.0.1]:5000",
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "host:1",
            "127.0.0.1:5000 ",
        ] {
            let error = wrong.parse::<PeerAddr>().expect_err(wrong).to_string();
            assert!(error.starts_with(['`', 'T']) && error.ends_with('.'), "{error}");
        }
    }

    #[test]
    fn ipv6_address_has_brackets_and_its_interface() {
        for (text, shown) in [
            ("[::1]:5001", "[::1]:5001"),
            ("[2001:DB8:0::7]:80", "[2001:db8::7]:80"),
            ("[fe80::1%2]:5000", "[fe80::1%2]:5000"),
        ] {
            let addr: PeerAddr = text.parse().expect(text);
            assert_eq!((addr.to_string().as_str(), addr.plain(), addr.v4()), (shown, None, None));
            assert_eq!(shown.parse(), Ok(addr));
        }
    }

    #[test]
    fn one_address_is_one_however_it_is_written() {
        let mapped: PeerAddr = "[::ffff:192.0.2.7]:5000".parse().expect("valid");
        assert_eq!(Ok(mapped), "192.0.2.7:5000".parse());
        assert_eq!("[::ffff:0.0.0.0]:5000".parse::<PeerAddr>().ok(), None);
        let labelled = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 5001, 7, 3);
        assert_eq!(PeerAddr::of(labelled.into()), PeerAddr::new(Ipv6Addr::LOCALHOST, 5001));
        assert_eq!(PeerAddr::new("fe80::1".parse::<IpAddr>().expect("valid"), 5000), None);
    }

    #[test]
    fn source_is_dialed_back_through_its_interface() {
        let from: SocketAddr = "[fe80::1%2]:40000".parse().expect("valid");
        assert_eq!(Source::from(from).at(5000), "[fe80::1%2]:5000".parse().ok());
        assert_eq!(Source::from(from).to_string(), "fe80::1%2");
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:40000".parse().expect("valid");
        assert_eq!(Source::from(mapped), Source::from(Ipv4Addr::new(192, 0, 2, 7)));
    }

    #[test]
    fn ipv6_network_and_ipv4_address_have_one_share() {
        let share = |text: &str| Source::from(text.parse::<IpAddr>().expect("valid")).share();
        assert_eq!(share("2001:db8::1"), share("2001:db8::ffff:1:2:3"));
        assert_ne!(share("2001:db8::1"), share("2001:db8:0:1::1"));
        assert_ne!(share("192.0.2.7"), share("192.0.2.8"));
        assert_eq!(share("::ffff:192.0.2.7"), share("192.0.2.7"));
    }
}
