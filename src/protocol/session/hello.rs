//! The first record of each side: its identity, besides the key that the handshake has proven.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use smol_str::SmolStr;

use super::fields::{Fields, RecordFault, put};
use crate::model::name::PeerName;
use crate::protocol::is_space;

/// The maximum number of further addresses in a hello: more than a personal machine has interfaces.
pub const MAX_ADDRESSES: usize = 8;

/// The maximum length of a line that a hello repeats. The longer one of ours has 14 bytes, and that
/// of a later version is hardly longer.
const MAX_LINE_BYTES: usize = 32;

/// The maximum length of a name in a hello: twice that of our own, because some scripts are longer
/// in their composed spelling.
const MAX_NAME_BYTES: usize = 2 * crate::model::name::MAX_NAME_BYTES;

/// The maximum length of a version, like `0.2.0-beta.1+5f3759d`.
const MAX_VERSION_BYTES: usize = 32;

/// The maximum length of all words for features together.
const MAX_FEATURES_BYTES: usize = 256;

/// The length of a further address: an IPv6 address, or a mapped IPv4 address (RFC 4291, section
/// 2.5.5.2), and a port.
const ADDRESS_BYTES: usize = 16 + 2;

/// The identity of a side, besides the key that the handshake has proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The dialer's line before TLS, byte for byte, as this side sent or read it. If it was changed
    /// on its way, it differs here.
    pub dialed: Vec<u8>,
    /// The acceptor's line, likewise.
    pub answered: Vec<u8>,
    /// The name of the peer: one word.
    pub name: PeerName,
    /// The port where it listens, never 0. The IP is that of the connection.
    pub port: u16,
    /// The version of its program, in ASCII.
    pub version: SmolStr,
    /// Its features beyond this version of the protocol: words of ASCII.
    pub features: Vec<SmolStr>,
    /// Other addresses where it listens: at most [`MAX_ADDRESSES`], all dialable and none
    /// link-local, which would mean another machine elsewhere.
    pub addresses: Vec<SocketAddr>,
    /// A random number that identifies this run of the program.
    pub run: u64,
    /// The maximum number of bytes of messages without a receipt that the other side may have in
    /// flight. One message is always allowed.
    pub window: u32,
    /// The dialer only checks that it can reach the other side, and expects a bye.
    pub probe: bool,
}

impl Hello {
    /// Creates the hello of this version for a program called `name` that listens at `port`.
    pub fn new(name: PeerName, port: u16) -> Self {
        Self {
            dialed: Vec::new(),
            answered: Vec::new(),
            name,
            port,
            version: SmolStr::new_static(env!("CARGO_PKG_VERSION")),
            features: Vec::new(),
            addresses: Vec::new(),
            run: 0,
            window: 0,
            probe: false,
        }
    }

    pub(super) fn encode_fields(&self, to: &mut Vec<u8>) {
        put(to, 1, &self.dialed);
        put(to, 2, &self.answered);
        put(to, 3, self.name.as_str().as_bytes());
        put(to, 4, &self.port.to_be_bytes());
        put(to, 5, self.version.as_bytes());
        if !self.features.is_empty() {
            put(to, 6, self.features.join(" ").as_bytes());
        }
        if !self.addresses.is_empty() {
            put_addresses(to, 7, &self.addresses);
        }
        put(to, 8, &self.run.to_be_bytes());
        put(to, 9, &self.window.to_be_bytes());
        if self.probe {
            put(to, 10, &[]);
        }
    }

    pub(super) fn decode(fields: &Fields<'_>) -> Result<Self, RecordFault> {
        let line = |number| match fields.need(number)? {
            line if line.len() <= MAX_LINE_BYTES => Ok(line.to_vec()),
            _ => Err(RecordFault::Value(number)),
        };
        let name = name(fields, 3)?;
        let port = u16::from_be_bytes(fields.array(4)?);
        if port == 0 {
            return Err(RecordFault::Value(4));
        }
        Ok(Self {
            dialed: line(1)?,
            answered: line(2)?,
            name,
            port,
            version: word(fields.text(5, MAX_VERSION_BYTES)?, 5)?,
            features: match fields.at(6) {
                Some(_) => {
                    let words = fields.text(6, MAX_FEATURES_BYTES)?.split(' ');
                    words.map(|text| word(text, 6)).collect::<Result<_, _>>()?
                }
                None => Vec::new(),
            },
            addresses: match fields.at(7) {
                Some(bytes) => addresses(bytes).ok_or(RecordFault::Value(7))?,
                None => Vec::new(),
            },
            run: u64::from_be_bytes(fields.array(8)?),
            window: u32::from_be_bytes(fields.array(9)?),
            probe: fields.flag(10)?,
        })
    }
}

/// Returns the name in a field: one word.
pub(super) fn name(fields: &Fields<'_>, number: u8) -> Result<PeerName, RecordFault> {
    raw_name(fields, number).map(PeerName::new)
}

/// Returns the name as it was sent.
pub(super) fn raw_name<'a>(fields: &Fields<'a>, number: u8) -> Result<&'a str, RecordFault> {
    let name = fields.text(number, MAX_NAME_BYTES)?;
    if name.contains(is_space) { Err(RecordFault::Value(number)) } else { Ok(name) }
}

/// Appends a field with addresses.
pub(super) fn put_addresses(to: &mut Vec<u8>, number: u8, addresses: &[SocketAddr]) {
    let mut bytes = Vec::with_capacity(addresses.len() * ADDRESS_BYTES);
    for address in addresses {
        bytes.extend(mapped(address.ip()).octets());
        bytes.extend(address.port().to_be_bytes());
    }
    put(to, number, &bytes);
}

fn word(text: &str, number: u8) -> Result<SmolStr, RecordFault> {
    let graphic = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if graphic { Ok(text.into()) } else { Err(RecordFault::Value(number)) }
}

pub(super) fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

/// Returns the addresses of a hello; `None` if one is invalid.
pub(super) fn addresses(bytes: &[u8]) -> Option<Vec<SocketAddr>> {
    let (chunks, rest) = bytes.as_chunks::<ADDRESS_BYTES>();
    if chunks.is_empty() || chunks.len() > MAX_ADDRESSES || !rest.is_empty() {
        return None;
    }
    let one = |chunk: &[u8; ADDRESS_BYTES]| {
        let (ip, port) = chunk.split_first_chunk::<16>()?;
        let ip = Ipv6Addr::from(*ip).to_canonical();
        let port = u16::from_be_bytes(port.try_into().ok()?);
        (port != 0 && means_one_machine(ip)).then(|| SocketAddr::new(ip, port))
    };
    chunks.iter().map(one).collect()
}

/// Whether the form of `ip` shows that it means the same single machine from everywhere.
fn means_one_machine(ip: IpAddr) -> bool {
    let local_or_all = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(local_or_all || ip.is_unspecified() || ip.is_multicast())
}
