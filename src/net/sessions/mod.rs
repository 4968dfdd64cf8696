//! Sessions between p2p-chat peers: at most one for each pair of keys, full-duplex, regardless of
//! which side dialed.
//!
//! [`Pool`] is I/O-free: bytes and the time go in; dials, bytes and closes come out. It knows who
//! is connected, exchanges hellos, messages, receipts and pings, and decides which of two sessions
//! stays. The event loop that owns the sockets and TLS drives it, and so does the simulator.
//!
//! Out of scope: which keys are welcome and what is sent, which [`SessionHandler`] decides.

mod conn;
mod dialing;
mod event_loop;
mod link;
mod links;
mod pool;
mod receipt_limiter;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::core::{IntroductionPart, JobId, RequestEnded, SessionRequest};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::message::MessageId;
use crate::model::name::PeerName;
use crate::model::session::{ByeReason, Introduction, Message, RequestEnd};
use crate::protocol::session::Hello;

pub use event_loop::{Sessions, SessionsConfig};
pub use pool::Pool;

/// A peer is pinged after this long without a byte from it, and again after as long.
pub const PING_INTERVAL: Duration = Duration::from_secs(15);

/// A session ends after this long without a byte: three pings went unanswered.
pub const SILENCE: Duration = Duration::from_secs(45);

/// Bytes that the slowest line carries in a second. A ping has to wait behind our messages, so its
/// answer has more time, by what those without a receipt take at this rate.
pub const SLOWEST_LINE: u32 = 4_000;

/// How long a peer has to answer when this machine's addresses have changed. A round trip over the
/// slowest line takes less; see [`SLOWEST_LINE`].
pub const CHECKED_WITHIN: Duration = Duration::from_secs(10);

/// How long a peer has to answer a probe in its session, if the request does not say otherwise. A
/// round trip over the slowest line takes less; see [`SLOWEST_LINE`]. Whatever comes within this
/// time is an answer, because the pong has to wait behind the messages of the peer.
pub const PROBE_WITHIN: Duration = Duration::from_secs(10);

/// How long a dial that has met a key at an address answers further questions about it. When two
/// programs meet, several parts of ours ask the same.
pub const MET_COUNTS_FOR: Duration = Duration::from_secs(60);

/// How long a connection may be silent before both sides have said hello.
pub const OPENING_SILENCE: Duration = Duration::from_secs(15);

/// How long the opening line, the handshake and both hellos may take together. A round trip of
/// several seconds, or a line of 4 KB/s, needs most of it.
pub const OPEN_WITHIN: Duration = Duration::from_secs(60);

/// How far the dials to the addresses of one peer are apart (RFC 8305, section 5).
pub const DIAL_SPACING: Duration = Duration::from_millis(250);

/// Two sessions that each side dialed within this time are a simultaneous dial.
pub const SIMULTANEOUS: Duration = Duration::from_secs(10);

/// How long the older of two programs with one key has to answer a ping.
pub const OLDER_ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// How long a session may take to end after a goodbye, until everything sent before it has arrived.
pub const PART_WITHIN: Duration = Duration::from_secs(5);

/// Sessions that are kept at once. Each costs some 50 KB.
pub const MAX_SESSIONS: usize = 512;

/// Connections that are being made at once. Each takes a descriptor for up to [`OPENING_SILENCE`].
pub const MAX_DIALING: usize = 128;

/// Handshakes that are under way at once to find peers or to see who is online. If several hundred
/// programs on one machine began more, each handshake would take so long that it is given up and
/// begun again.
pub const MAX_HANDSHAKES: usize = 32;

/// A connection that is not made within this time most likely never will be, and no handshake is
/// expected on it.
pub const CONNECTS_WITHIN: Duration = Duration::from_secs(1);

/// How long to wait at the limit before looking for room to dial again.
pub const DIAL_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// How far two names of one peer are apart that the handler is told of. The last one counts.
pub const NAME_SPACING: Duration = Duration::from_secs(1);

/// Connections on which one side has said goodbye, for up to [`PART_WITHIN`]. Beyond that the
/// oldest end at once, so that no peer can hold descriptors by not closing.
pub const MAX_PARTING: usize = 64;

/// Sessions with strangers among them.
pub const MAX_STRANGER_SESSIONS: usize = 256;

/// Sessions with strangers of one source prefix. Loopback has no such limit.
pub const MAX_STRANGERS_OF_PREFIX: usize = 64;

/// Accepted connections that have not proven who they are: without a hello, or with an unencrypted
/// message that is being read. The listener keeps this limit.
pub const MAX_OPENING: usize = 64;

/// How many of these may be of one source prefix. Loopback has no such limit.
pub const MAX_OPENING_OF_PREFIX: usize = 16;

/// Bytes of messages without a receipt that we let a contact have in flight: 64 messages at most.
pub const WINDOW_BYTES: u32 = 256 * 1024;

/// Bytes of messages without a receipt that we let a stranger have in flight: 4 messages at most,
/// because each counts [`MIN_WINDOW_BYTES`] at least, or one message of any size. A hello has no
/// field for a number of messages, and 64 KiB would allow 16.
pub const STRANGER_WINDOW_BYTES: u32 = 16 * 1024;

/// Bytes of messages that wait to be sent on one connection, or one message of any size. Further
/// messages wait as requests, without a copy of their own, until these have gone to the system.
pub const SEND_BYTES: usize = 64 * 1024;

/// Bytes that may wait to be sent on one connection: the messages, and as much again as 1,000 pongs
/// for all other records. A peer that does not read those loses the connection.
pub const MAX_UNSENT: usize = SEND_BYTES + 16 * 1024;

/// Bytes that may wait to be sent on all connections together: those of the sessions, a second one
/// with each key until one of the two goes, and those that end. (One that is being opened has a
/// hello at most.) Each has a part of its own, so strangers take nothing of a contact's.
pub const MAX_UNSENT_OF_ALL: usize = (2 * MAX_SESSIONS + MAX_PARTING) * MAX_UNSENT;

/// The version that a hello names to strangers. The field is required, and the real version would
/// tell an attacker which known faults to try.
pub const STRANGER_VERSION: &str = "0";

/// Bytes that a message counts in a window at least. It costs more than its text.
pub const MIN_WINDOW_BYTES: usize = 4 * 1024;

/// Bytes of messages that all sessions together hold because the handler had no room for them. What
/// comes beyond is not stored, and its sender sends it again later.
pub const MAX_HELD_BYTES: usize = 4 * 1024 * 1024;

/// How long a peer waits before it sends messages again that could not be stored, in seconds.
pub const RETRY_AFTER: u32 = 30;

/// How often a peer is told at most that the user wants to compare safety numbers. A peer of an
/// earlier version, which does not know that record, skips 16 unknown ones in a row, and gets a
/// ping between any two of these.
pub const ASK_TO_VERIFY_EVERY: Duration = Duration::from_secs(60);

/// How long messages wait before they are offered again to a handler that had no room for them.
pub const OFFER_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// A connection, dialed or accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub u64);

/// Something for the pool to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SessionCommand {
    /// Carry out a request of the core.
    Request(SessionRequest),
    /// Messages of a connection are stored, and others are not.
    Stored {
        /// The connection that they came on.
        link: LinkId,
        /// Those that are stored. They get receipts.
        receipts: Vec<MessageId>,
        /// Those that are not. The peer may send them again after a while.
        others: Vec<MessageId>,
        /// How long that while is, in seconds.
        retry_after: u32,
    },
    /// End the session with a key, for this reason.
    Part(PublicKey, ByeReason),
    /// Our name has changed: tell all peers the one that [`SessionHandler::hello`] returns.
    Rename,
    /// Tell the peer with a key that the user wants to compare safety numbers, if its session is
    /// open.
    AskToVerify(PublicKey),
    /// Sends part of an introduction to the peer with a key, if its session is open.
    Introduce(PublicKey, IntroductionPart),
    /// The IPs of this machine have changed to these: tell all contacts the addresses that
    /// [`SessionHandler::hello`] returns, and check the open sessions.
    Readdress(Vec<IpAddr>),
}

/// What the pool wants done with connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkOutput {
    /// Dial an address; it has to prove this key if there is one.
    Dial(LinkId, PeerAddr, Option<PublicKey>),
    /// Send these bytes.
    Send(LinkId, Vec<u8>),
    /// Send what is queued, then end the connection in good order. Bytes that arrive until then are
    /// still passed on.
    Finish(LinkId),
    /// End the connection now.
    Drop(LinkId),
}

/// A session in which both sides have said hello, or a peer that has only proven its key: to a
/// probe, or before it turned us away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The key that the peer has proven.
    pub key: PublicKey,
    /// What the peer says about itself; `None` if it only proved its key.
    pub hello: Option<Introduction>,
    /// The address that was dialed; `None` if the peer dialed us.
    pub dialed: Option<PeerAddr>,
    /// Where the connection comes from.
    pub source: Source,
    /// The IP of ours that it uses.
    pub local: IpAddr,
    /// The request that it was dialed for.
    pub job: Option<JobId>,
}

/// Decides about sessions and takes what arrives in them. Its methods do not block.
pub trait SessionHandler {
    /// Returns our hello for a peer at this IP. The pool fills in the lines, the run and the
    /// window.
    fn hello(&mut self, to: IpAddr) -> Hello;

    /// Returns whether dialing `addr` reaches this program itself, as far as is known. Another
    /// machine may have the same IP on a network of its own, such as that of Docker.
    fn is_own(&mut self, _addr: PeerAddr) -> bool {
        false
    }

    /// Handles a session that is open.
    ///
    /// # Errors
    /// Why the peer is not welcome; the session ends with this reason.
    fn session_up(&mut self, opened: Opened) -> Result<(), ByeReason>;

    /// Handles a ping or the answer to one.
    fn session_alive(&mut self, _key: PublicKey) {}

    /// Takes messages, to report with [`SessionCommand::Stored`] which get receipts. Returns the
    /// messages if there is no room for them now; they are offered again.
    fn messages(
        &mut self,
        link: LinkId,
        key: PublicKey,
        source: Source,
        messages: Vec<Message>,
    ) -> Result<(), Vec<Message>>;

    /// Handles receipts.
    fn receipts(&mut self, _key: PublicKey, _ids: &[MessageId]) {}

    /// Handles the end of a session: the peer's reason, or `None` if it broke.
    fn session_down(&mut self, _key: PublicKey, _bye: Option<ByeReason>) {}

    /// Handles the end of a request.
    fn request_ended(&mut self, job: JobId, ended: RequestEnded);

    /// The peer calls itself this from now on; its hello said that it listens at `port`.
    fn renamed(&mut self, _key: PublicKey, _source: Source, _name: PeerName, _port: u16) {}

    /// The peer listens at these addresses from now on.
    fn listens_at(&mut self, _key: PublicKey, _addrs: &[SocketAddr]) {}

    /// This peer says that our key is also used by a program at this IP.
    fn identity_in_use(&mut self, _key: PublicKey, _at: IpAddr) {}

    /// The user of this peer wants to compare safety numbers.
    fn asks_to_verify(&mut self, _key: PublicKey) {}

    /// A peer sent part of an introduction.
    fn introduced(&mut self, _key: PublicKey, _part: IntroductionPart) {}

    /// Returns whether the user treats this key as a contact.
    fn is_contact(&mut self, key: PublicKey) -> bool;
}

/// Why a dial did not lead to a session, how telling that is among several addresses of one peer.
fn weight(end: &RequestEnd) -> u8 {
    match end {
        RequestEnd::WrongKey(_) => 5,
        RequestEnd::NoSession | RequestEnd::Incompatible => 4,
        RequestEnd::NotSecure => 3,
        RequestEnd::Ourselves => 2,
        RequestEnd::Broken => 1,
        // Of two addresses at which nothing listens, the first is the likelier one.
        RequestEnd::Unreachable(_) | RequestEnd::Answered | RequestEnd::Bye(_) | RequestEnd::NotStored(_) => {
            0
        }
    }
}
