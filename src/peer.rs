//! Who somebody is: addresses and names that are valid by construction.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;
use std::sync::Arc;

use smol_str::SmolStr;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::escape;

/// Columns that a name may take, ours and as much as we show of another's: a third of a usual terminal line.
pub const MAX_NAME_COLUMNS: usize = 32;

/// Bytes that a name may take: 32 columns of the longest UTF-8 characters. Without it, combining marks, which take no
/// column, could fill a whole message.
pub const MAX_NAME_BYTES: usize = 4 * MAX_NAME_COLUMNS;

/// The Braille pattern without a dot: it looks like a space and is none, so one name could read as several words.
const BLANK: char = '\u{2800}';

/// An address that a peer can be dialled at: unicast of IPv4 or IPv6, port 1-65535.
///
/// Of the ways to write one address there is one here: an IPv4 address in an IPv6 one is IPv4, nothing has a flow label, and a
/// link-local address, and no other, says at which of our interfaces it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddr {
    /// An IPv4 one is mapped, so that all take the same few bytes: much is kept by address.
    ip: Ipv6Addr,
    scope: u32,
    port: u16,
}

impl Hash for PeerAddr {
    /// An IPv4 address in one number, which is hashed in half the time that the parts take: every message looks for its sender.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.v4() {
            Some(ip) => state.write_u64(u64::from(ip.to_bits()) << 16 | u64::from(self.port)),
            None => {
                state.write(&self.ip.octets());
                state.write_u64(u64::from(self.scope) << 16 | u64::from(self.port));
            }
        }
    }
}

impl PeerAddr {
    /// The address, or `None` where nobody can be dialled: port 0, an unspecified, multicast or broadcast IP, or a
    /// link-local IPv6 one, which says nothing without its interface ([`PeerAddr::of`]).
    pub fn new(ip: impl Into<IpAddr>, port: u16) -> Option<Self> {
        Self::of(SocketAddr::new(ip.into(), port))
    }

    /// The same of the address of a socket.
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

    /// Its IP.
    pub fn ip(self) -> IpAddr {
        self.ip.to_canonical()
    }

    /// Its IP, if that is an IPv4 one.
    pub fn v4(self) -> Option<Ipv4Addr> {
        self.ip.to_ipv4_mapped()
    }

    /// Its port, never 0.
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

    /// Where a connection from its machine comes from, if it comes from this very address.
    pub fn source(self) -> Source {
        self.socket().into()
    }

    /// With whom it shares what one may have.
    pub fn share(self) -> Share {
        self.ip().into()
    }

    /// The same as an address that plain messages go to, if it can be one.
    pub fn plain(self) -> Option<PlainAddr> {
        self.v4().map(|ip| PlainAddr(SocketAddrV4::new(ip, self.port)))
    }
}

/// The one way to write an IP and its scope.
fn canonical(addr: SocketAddr) -> (IpAddr, u32) {
    let ip = addr.ip().to_canonical();
    let scope = match addr {
        SocketAddr::V6(addr) if is_link_local(ip) => addr.scope_id(),
        _ => 0,
    };
    (ip, scope)
}

/// Whether an IP is one of those of IPv6 that every interface has for itself.
fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// An address that plain messages go to, dialable and IPv4: older programs know nothing else (wire.md), and what dials in plain takes nothing else.
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

/// Why a string is no address that can be dialled. Its text is a whole sentence for a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddrError(String);

impl fmt::Display for AddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddrError {}

impl FromStr for PeerAddr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        if text.is_empty() {
            return Err(AddrError("There is no address; write IP:PORT, like 127.0.0.1:5001.".into()));
        }
        let shown = quoted(text);
        let wrong = |why: &str| AddrError(format!("`{shown}` is not an address: {why}"));
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

/// Why an address is none that can be dialled although it is written as one.
const NOBODY: &str = "nobody can be reached at that IP, it stands for no single machine.";

/// What stands between the brackets of an IPv6 address, with its port. A scope is a number here: which interface has which
/// name only the system knows.
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
            _ => return Err("what stands after the percent sign is no interface of this machine."),
        },
    };
    PeerAddr::of(SocketAddrV6::new(ip, port, 0, scope).into()).ok_or(NOBODY)
}

/// Whether the scope is written in digits only; numbers may have a sign else.
fn scope_digits(inner: &str) -> bool {
    inner.rsplit('%').next().is_some_and(|scope| scope.bytes().all(|b| b.is_ascii_digit()))
}

/// Reads a port that can be dialled.
///
/// # Errors
/// A whole sentence for a user where `text` is not a decimal number from 1 to 65535.
pub fn parse_port(text: &str) -> Result<u16, AddrError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(AddrError("the port has to be a number from 1 to 65535.".into())),
    }
}

/// The address that a message says it is from. Nothing is known of its truth: it may be a loopback address of another
/// machine, or somebody else's.
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

/// The IP that a connection really came from, and of a link-local one, through which of our interfaces.
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

    /// With whom it shares what one may have.
    pub fn share(self) -> Share {
        self.ip.into()
    }

    /// The address of a port there, if it can be dialled.
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

/// Whoever gets one share of what is divided fairly: an IPv4 address, or the half of an IPv6 one that names a network. Each
/// machine there may take as many addresses in it as it likes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Share {
    /// All that come from this address.
    V4(Ipv4Addr),
    /// All that come from addresses with these first 64 bits.
    V6(u64),
}

impl Hash for Share {
    /// In one number, as [`PeerAddr`] is.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::V4(ip) => state.write_u32(ip.to_bits()),
            Self::V6(network) => state.write_u64(*network),
        }
    }
}

impl From<IpAddr> for Share {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

impl From<Ipv4Addr> for Share {
    fn from(ip: Ipv4Addr) -> Self {
        Self::V4(ip)
    }
}

/// Our own name: one word of 1 to [`MAX_NAME_COLUMNS`] columns that every peer understands as such.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name(Arc<str>);

impl Name {
    /// The name as it is sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a string cannot be our name, with one that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    why: &'static str,
    suggestion: Option<String>,
}

impl NameError {
    /// A valid name close to the one refused, where there is any.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why)?;
        match &self.suggestion {
            Some(name) => write!(f, "; how about `{name}`?"),
            None => f.write_str("."),
        }
    }
}

impl std::error::Error for NameError {}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match name_fault(text) {
            None => Ok(Self(text.into())),
            Some(why) => Err(NameError { why, suggestion: corrected(text) }),
        }
    }
}

/// What is wrong with `text` as our name.
fn name_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return Some("A name needs at least one character");
    }
    if text.contains(char::is_whitespace) {
        return Some("A name is one word, without spaces");
    }
    if !escape::is_harmless(text) || text.contains(BLANK) {
        return Some("A name has no control or invisible characters");
    }
    if text.width() > MAX_NAME_COLUMNS || text.len() > MAX_NAME_BYTES {
        return Some("A name has at most 32 columns");
    }
    if text.width() == 0 {
        return Some("A name needs at least one visible character");
    }
    if text.eq_ignore_ascii_case("all") {
        return Some("The prompt understands `all` as everybody, so nobody can be called that");
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some("The prompt understands a number as a row of the peer list, so a name needs a letter");
    }
    if text.parse::<PeerAddr>().is_ok() || text.parse::<IpAddr>().is_ok() {
        return Some("The prompt understands that as an address, so a name has to look different");
    }
    if text.contains("CONNECT_REQUEST") {
        return Some("CONNECT_REQUEST is a command to older programs, so a name cannot hold it");
    }
    None
}

/// The nearest valid name to `text`, if any is near.
fn corrected(text: &str) -> Option<String> {
    let joined =
        text.split_whitespace().collect::<Vec<_>>().join("_").replace("CONNECT_REQUEST", "CONNECT-REQUEST");
    let mut name = String::new();
    for c in joined.chars() {
        let mut longer = name.clone();
        longer.push(c);
        if !escape::is_harmless(&longer) || c == BLANK {
            continue;
        }
        if longer.width() > MAX_NAME_COLUMNS || longer.len() > MAX_NAME_BYTES {
            break;
        }
        name = longer;
    }
    if !name.is_empty() && name_fault(&name).is_some() {
        name.insert_str(0, "peer-");
    }
    (name_fault(&name).is_none()).then_some(name)
}

/// The name that a peer gives itself, made harmless, in the composed spelling of Unicode (NFC, UAX #15), and cut to
/// [`MAX_NAME_COLUMNS`]. Nothing is known of its truth.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PeerName(SmolStr);

impl PeerName {
    /// Takes the name field of a message, or a name from peers.toml.
    pub fn new(raw: &str) -> Self {
        // Nearly all names are such, and every message has one: then nothing needs to be escaped or measured.
        if raw.len() <= MAX_NAME_COLUMNS && raw.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Self(raw.into());
        }
        // In one spelling, so that no two names look the same which only Unicode's ways of writing them tell apart.
        let spelt: String = raw.nfc().collect();
        Self(shortened(&escape::harmless(&spelt).replace(BLANK, r"\u{2800}"), MAX_NAME_COLUMNS).into())
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Columns of what somebody wrote that a sentence about it repeats: enough to find it, also in a file of long lines.
const MAX_QUOTED_COLUMNS: usize = 60;

/// What somebody wrote, as a sentence about it repeats it: harmless, and no longer than a sentence bears.
pub fn quoted(text: &str) -> String {
    shortened(&escape::harmless(text), MAX_QUOTED_COLUMNS)
}

/// `text` if it takes at most `columns`, else its beginning with an ellipsis, together at most `columns`.
pub fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns && text.len() <= 4 * columns {
        return text.to_owned();
    }
    let mut short = String::new();
    for grapheme in text.graphemes(true) {
        // The width of the whole is not always that of its parts: what follows can make a character wide.
        let end = short.len();
        short.push_str(grapheme);
        if short.width() + 1 > columns || short.len() > 4 * columns {
            short.truncate(end);
            break;
        }
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_address_is_an_ipv4_unicast_address_with_a_port() {
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
    fn an_ipv6_address_is_written_in_brackets_and_a_link_local_one_with_its_interface() {
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
    fn a_source_can_be_dialled_back_through_the_interface_it_came_through() {
        let from: SocketAddr = "[fe80::1%2]:40000".parse().expect("valid");
        assert_eq!(Source::from(from).at(5000), "[fe80::1%2]:5000".parse().ok());
        assert_eq!(Source::from(from).to_string(), "fe80::1%2");
        let mapped: SocketAddr = "[::ffff:192.0.2.7]:40000".parse().expect("valid");
        assert_eq!(Source::from(mapped), Source::from(Ipv4Addr::new(192, 0, 2, 7)));
    }

    #[test]
    fn a_network_of_ipv6_has_one_share_and_so_has_each_ipv4_address() {
        let share = |text: &str| Source::from(text.parse::<IpAddr>().expect("valid")).share();
        assert_eq!(share("2001:db8::1"), share("2001:db8::ffff:1:2:3"));
        assert_ne!(share("2001:db8::1"), share("2001:db8:0:1::1"));
        assert_ne!(share("192.0.2.7"), share("192.0.2.8"));
        assert_eq!(share("::ffff:192.0.2.7"), share("192.0.2.7"));
    }

    #[test]
    fn a_name_that_cannot_be_is_refused_with_one_that_can() {
        for (wrong, suggestion) in [
            ("Alice Smith", Some("Alice_Smith")),
            (" Al\tice ", Some("Al_ice")),
            ("a\u{202e}b", Some("ab")),
            ("a\u{2800}b", Some("ab")),
            ("all", Some("peer-all")),
            ("ALL", Some("peer-ALL")),
            ("42", Some("peer-42")),
            ("127.0.0.1", Some("peer-127.0.0.1")),
            ("xCONNECT_REQUESTx", Some("xCONNECT-REQUESTx")),
            ("", None),
            ("\u{200b}", None),
            ("\u{3000}", None),
        ] {
            let error = wrong.parse::<Name>().expect_err(wrong);
            assert_eq!(error.suggestion(), suggestion, "{wrong:?}");
        }
        let long = "x".repeat(33).parse::<Name>().expect_err("33 columns");
        assert_eq!(long.suggestion(), Some("x".repeat(32).as_str()));
    }

    #[test]
    fn a_name_is_measured_in_columns() {
        assert!("王".repeat(16).parse::<Name>().is_ok());
        assert!("王".repeat(17).parse::<Name>().is_err());
        assert!("Zoë".parse::<Name>().is_ok());
        assert!("e\u{301}".repeat(32).parse::<Name>().is_ok());
    }

    #[test]
    fn a_character_that_its_follower_makes_wide_is_measured_with_it() {
        assert_eq!(shortened("0\u{fe0f} and more", 2), "…");
        assert_eq!(shortened("0\u{fe0f} and more", 3), "0\u{fe0f}…");
    }

    #[test]
    fn a_peers_name_is_shown_harmless_and_no_longer_than_ours_may_be() {
        assert_eq!(PeerName::new("Bob:\u{2800}hi").as_str(), r"Bob:\u{2800}hi");
        assert_eq!(PeerName::new("Bob\x1b[2J").as_str(), r"Bob\x1b[2J");
        assert_eq!(PeerName::new(&"x".repeat(40)).as_str(), format!("{}…", "x".repeat(31)));
    }

    proptest! {
        #[test]
        fn a_suggested_name_is_always_valid(text: String) {
            if let Err(error) = text.parse::<Name>()
                && let Some(name) = error.suggestion()
            {
                prop_assert!(name.parse::<Name>().is_ok());
            }
        }

        #[test]
        fn a_shortened_text_never_takes_more_columns_than_it_may(text: String, columns in 1usize..40) {
            prop_assert!(shortened(&text, columns).width() <= columns);
        }
    }
}
