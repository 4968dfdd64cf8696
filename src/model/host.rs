//! Host names with a port, which the system resolves to addresses.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use super::address::{AddrError, PeerAddr, parse_port};
use super::name::quoted;

/// The longest host name, as in DNS.
const MAX_HOST_CHARS: usize = 253;

/// The longest part between two dots, as in DNS.
const MAX_LABEL_CHARS: usize = 63;

/// A host name and a port: `bobs-laptop:5000`, `chat.example.org:5000`.
///
/// Upper-case letters are kept as lower-case ones, which mean the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostAddr {
    name: String,
    port: u16,
}

impl HostAddr {
    /// The host name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The port, never 0.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for HostAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.port)
    }
}

/// Checks a host name. What looks like an IPv4 address is none: the system would read `10.1` as
/// one.
fn check_name(name: &str) -> Result<(), &'static str> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if !name.bytes().all(is_allowed) {
        return Err("a host name has only the letters a to z, digits, hyphens and dots, like bobs-laptop.");
    }
    if name.len() > MAX_HOST_CHARS {
        return Err("a host name has at most 253 characters.");
    }
    // A dot at the end says that the name is complete.
    let mut labels = name.strip_suffix('.').unwrap_or(name).split('.');
    let is_label = |label: &str| {
        (1..=MAX_LABEL_CHARS).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if !labels.clone().all(is_label) {
        return Err("each part of a host name has 1 to 63 characters and no hyphen at its ends.");
    }
    if labels.next_back().is_some_and(is_number) {
        return Err(
            "the part before the colon has to be an IPv4 address, four numbers from 0 to 255 like 127.0.0.1, or a host name.",
        );
    }
    Ok(())
}

/// Whether the system would read the last part of a host name as a number of an IPv4 address.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl FromStr for HostAddr {
    type Err = AddrError;

    fn from_str(text: &str) -> Result<Self, AddrError> {
        let wrong = |why: &str| AddrError::of(text, why);
        let Some((name, port)) = text.rsplit_once(':') else {
            return Err(match check_name(text) {
                Ok(()) => wrong(&format!("add a port, like {}:5000.", quoted(text))),
                Err(_) => wrong("write IP:PORT or HOST:PORT, like 127.0.0.1:5001."),
            });
        };
        check_name(name).map_err(wrong)?;
        let port = parse_port(port).map_err(|error| wrong(&error.to_string()))?;
        Ok(Self { name: name.to_ascii_lowercase(), port })
    }
}

/// Where a peer is dialed, as the user writes it: an address or a host name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Endpoint {
    /// An address.
    Addr(PeerAddr),
    /// A host name, which is resolved at each dial.
    Host(HostAddr),
}

impl Endpoint {
    /// The address, if it is one.
    pub fn addr(&self) -> Option<PeerAddr> {
        match self {
            Self::Addr(addr) => Some(*addr),
            Self::Host(_) => None,
        }
    }

    /// The host name, if it is one.
    pub fn host(&self) -> Option<&HostAddr> {
        match self {
            Self::Addr(_) => None,
            Self::Host(host) => Some(host),
        }
    }

    /// Reads what is not an address as a host name. `error` says why it is no address.
    pub fn or_host(text: &str, error: AddrError) -> Result<Self, AddrError> {
        let is_v6 = text.starts_with('[') || text.matches(':').count() > 1;
        let is_v4 = text.rsplit_once(':').is_some_and(|(ip, _)| ip.parse::<Ipv4Addr>().is_ok());
        if text.is_empty() || is_v6 || is_v4 { Err(error) } else { text.parse().map(Self::Host) }
    }
}

impl From<HostAddr> for Endpoint {
    fn from(host: HostAddr) -> Self {
        Self::Host(host)
    }
}

impl From<PeerAddr> for Endpoint {
    fn from(addr: PeerAddr) -> Self {
        Self::Addr(addr)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Host(host) => host.fmt(f),
        }
    }
}

/// Why a host name has no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupError {
    /// The system knows none that can be dialed.
    NotFound,
    /// The system did not answer in time.
    TimedOut,
    /// Too many names are being resolved, or no thread can be started.
    Busy,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Result<Endpoint, String> {
        let read = text.parse::<PeerAddr>().map(Endpoint::Addr);
        read.or_else(|error| Endpoint::or_host(text, error)).map_err(|error| error.to_string())
    }

    #[test]
    fn host_name_has_a_port() {
        let long = format!("{0}.{0}.{0}.{1}:1", "a".repeat(63), "a".repeat(61));
        for text in ["bobs-laptop:5000", "bob.local:1", "xn--bcher-kva.example.:65535", "3com.com:80", &long]
        {
            let host = endpoint(text).unwrap();
            assert_eq!(host.to_string(), text);
            assert!(host.host().is_some(), "{text}");
        }
        assert_eq!(endpoint("Bob.LOCAL:1"), endpoint("bob.local:1"));
        assert_eq!(endpoint("127.0.0.1:5000").unwrap().addr(), "127.0.0.1:5000".parse().ok());
    }

    #[test]
    fn each_mistake_has_its_own_sentence() {
        let long = format!("{0}.{0}.{0}.{1}:1", "a".repeat(63), "a".repeat(62));
        for (text, words) in [
            ("", "write IP:PORT"),
            ("127.0.0.1", "write IP:PORT"),
            ("bobs-laptop", "add a port, like bobs-laptop:5000"),
            ("bob_laptop:5000", "only the letters a to z"),
            ("b\u{fc}cher.example:5000", "only the letters a to z"),
            ("bob laptop:5000", "only the letters a to z"),
            ("bob/laptop:5000", "only the letters a to z"),
            (&long, "at most 253 characters"),
            (&format!("{}:1", "a".repeat(64)), "1 to 63 characters"),
            (":5000", "1 to 63 characters"),
            ("bob..example:5000", "1 to 63 characters"),
            ("-bob:5000", "no hyphen at its ends"),
            ("bob-:5000", "no hyphen at its ends"),
            ("10.1:5000", "an IPv4 address"),
            ("127.0.0.256:5000", "an IPv4 address"),
            ("0x7f000001:5000", "an IPv4 address"),
            ("bob:0", "from 1 to 65535"),
            ("bob:http", "from 1 to 65535"),
            ("0.0.0.0:5000", "not the address of a single machine"),
            ("::1:5000", "in brackets"),
            ("[::1]", "not an address"),
        ] {
            let error = endpoint(text).unwrap_err();
            assert!(error.contains(words) && error.ends_with('.'), "{text}: {error}");
        }
    }
}
