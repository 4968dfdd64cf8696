//! One dialed connection: connect, one write, half-close, wait for the other side to close.
//!
//! The rules are those of docs/PROTOCOL.md, "A message is a connection": one connection for each
//! message, never a reset. A connect alone shows nothing, because a stopped program still accepts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::sessions::OPENING_SILENCE;
use crate::model::address::PeerAddr;
use crate::model::message::{Capability, Form, Outgoing, SendError, SendResult};
use crate::model::name::Name;
use crate::protocol::plain;
use crate::protocol::plain::{Header, Receipt};

/// Time for the first attempt to connect. A peer in the same network or the same country answers
/// within this; one that does not must not keep the others waiting.
pub(super) const QUICK_CONNECT: Duration = Duration::from_millis(300);

/// Time for the second attempt. The system sends a lost first packet again after one second; three
/// leave room for that, and for slow lines.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Time for a whole attempt of a probe. The list has to be verified within two seconds, a repeated
/// refusal included.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the other side to read and close. A live legacy peer does within about 10 ms,
/// SmartCookies and ours after writing a receipt.
pub const EOF_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the first byte of the answer to `connect`. It may name a key, so it is worth waiting
/// for, also over a slow line.
const CONNECT_ANSWER: Duration = OPENING_SILENCE;

/// Bytes of an answer that are looked at for a receipt; receipts have about 40.
const ANSWER_BYTES: usize = 1024;

/// Bytes of an answer that are read away so that closing does not reset the connection. More than
/// this is no answer.
const MAX_DRAINED: usize = 64 * 1024;

/// The program that dials.
#[derive(Clone, Debug)]
pub struct DialSource {
    /// The IP where we listen and from which we dial. If unspecified, the system chooses.
    pub bind: IpAddr,
    /// The port we listen at.
    pub port: u16,
    /// The IP in our headers, instead of the local one of each connection.
    pub advertise: Option<Ipv4Addr>,
}

/// The result of sending a message.
#[derive(Debug)]
pub(super) struct Said {
    /// The result; for a message in parts, the worst one.
    pub(super) result: SendResult,
    /// How many parts were sent, and how many there are.
    pub(super) parts: (usize, usize),
    /// What the last receipt that says anything about sessions says about them.
    pub(super) capability: Option<Capability>,
}

/// Sends `message` to `to` under this name, and returns what became of it. The first connect gets
/// `connect_within`. Begins nothing after `deadline`, and ends by then.
pub(super) fn say(
    source: &DialSource,
    name: &Name,
    to: PeerAddr,
    form: Form,
    message: &Outgoing,
    connect_within: Duration,
    deadline: Option<Instant>,
) -> Said {
    let total = match message {
        Outgoing::Text(parts) => parts.len(),
        _ => 1,
    };
    let mut said = Said { result: SendResult::Delivered, parts: (0, total), capability: None };
    for part in 0..total {
        // A peer that took a part before is there, so a slow connect is worth waiting for.
        let within = if part == 0 { connect_within } else { CONNECT_TIMEOUT };
        let (result, capability) = exchange(source, name, to, form, (message, part), within, deadline);
        said.capability = capability.or(said.capability);
        match result {
            SendResult::Delivered => {}
            SendResult::HandedOver => said.result = SendResult::HandedOver,
            bad => return Said { result: bad, ..said },
        }
        said.parts.0 = part + 1;
    }
    said
}

/// One connection for one message.
fn exchange(
    source: &DialSource,
    name: &Name,
    to: PeerAddr,
    form: Form,
    (message, part): (&Outgoing, usize),
    connect_within: Duration,
    deadline: Option<Instant>,
) -> (SendResult, Option<Capability>) {
    let failed = |failure| (SendResult::Failed(failure), None);
    let begun = Instant::now();
    let is_probe = matches!(message, Outgoing::Probe | Outgoing::Ping);
    let to_answer = if *message == Outgoing::Connect { CONNECT_ANSWER } else { EOF_TIMEOUT };
    let whole = if is_probe { PROBE_TIMEOUT } else { CONNECT_TIMEOUT + to_answer };
    let end = deadline.unwrap_or(begun + whole).min(begun + whole);
    let to_connect = connect_within.min(whole).min(end.saturating_duration_since(begun));
    if to_connect.is_zero() {
        return failed(SendError::Cancelled);
    }
    if to.plain().is_none() && *message != Outgoing::Probe {
        return failed(SendError::NoRoute);
    }
    let (mut stream, local) = match connect(source.bind, to.socket(), to_connect) {
        Ok(connected) => connected,
        Err(error) => return failed(failure(&error)),
    };
    let ip = match (source.advertise, local) {
        (Some(ip), _) => ip,
        // A probe has no header.
        _ if *message == Outgoing::Probe => Ipv4Addr::UNSPECIFIED,
        (None, SocketAddr::V4(local)) => *local.ip(),
        (None, SocketAddr::V6(_)) => return failed(SendError::NoRoute),
    };
    let header = Header { ip, port: source.port, name };
    let Some(bytes) = plain::encode(header, form, message).into_iter().nth(part) else {
        return failed(SendError::Cancelled);
    };
    match converse(&mut stream, &bytes, end.min(Instant::now() + to_answer)) {
        Ok(done) => done,
        Err(_) => (SendResult::Broken, None),
    }
}

/// Connects from `from`, or from the address that the system chooses if that is unspecified.
/// Returns the local address, too. A program that listens in one address family does not dial the
/// other, where no peer could answer.
pub(super) fn connect(from: IpAddr, to: SocketAddr, within: Duration) -> io::Result<(TcpStream, SocketAddr)> {
    let socket = socket_from(from, to)?;
    socket.connect_timeout(&to.into(), within)?;
    let stream = TcpStream::from(socket);
    // On one machine, the system can choose the dialed port as the local one if no program listens
    // there. TCP then connects the socket to itself.
    let local = stream.local_addr()?;
    if local == to {
        return Err(ErrorKind::ConnectionRefused.into());
    }
    Ok((stream, local))
}

/// A socket to dial `to` with, from `from` if that is specified.
///
/// # Errors
/// If the system gives none, or `from` is of the other address family.
pub(super) fn socket_from(from: IpAddr, to: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    // A connection to our own IP comes from there anyway. To bind it first makes the system search
    // all connections of the machine for a free port, which took most of the CPU time of 150
    // programs on one machine.
    if from.is_unspecified() || from == to.ip() {
        return Ok(socket);
    }
    if from.is_ipv4() != to.is_ipv4() {
        return Err(ErrorKind::NetworkUnreachable.into());
    }
    socket.bind(&SocketAddr::new(from, 0).into())?;
    Ok(socket)
}

/// Writes, half-closes and reads to the end or to the deadline. After the first byte of an answer
/// the end has to follow within [`EOF_TIMEOUT`].
fn converse(
    stream: &mut TcpStream,
    bytes: &[u8],
    mut deadline: Instant,
) -> io::Result<(SendResult, Option<Capability>)> {
    // A message of at most a kilobyte always fits into the empty send buffer, so this does not
    // block.
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = Vec::new();
    let mut drained = 0;
    let mut buffer = [0; ANSWER_BYTES];
    let ended = loop {
        stream.set_read_timeout(Some(remaining(deadline)))?;
        match stream.read(&mut buffer) {
            Ok(0) => break SendResult::HandedOver,
            Ok(count) => {
                if drained == 0 {
                    deadline = deadline.min(Instant::now() + EOF_TIMEOUT);
                }
                drained += count;
                let room = ANSWER_BYTES - answer.len();
                answer.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break SendResult::Unanswered;
            }
            Err(_) => break SendResult::Broken,
        }
        if drained > MAX_DRAINED {
            break SendResult::Broken;
        }
        if Instant::now() >= deadline {
            break SendResult::Unanswered;
        }
    };
    // A receipt counts however the connection ended after it.
    Ok(match Receipt::parse(&answer) {
        Receipt::Acknowledged { capability } => (SendResult::Delivered, capability),
        Receipt::None => (ended, None),
    })
}

/// Returns the time until `deadline`. It is never zero, which sockets take for no timeout.
fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}

/// Why a connection could not be made.
pub(super) fn failure(error: &io::Error) -> SendError {
    match error.kind() {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => SendError::Refused,
        ErrorKind::TimedOut | ErrorKind::WouldBlock => SendError::TimedOut,
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::NetworkDown => {
            SendError::NoRoute
        }
        ErrorKind::OutOfMemory | ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => SendError::NoResources,
        _ if is_out_of_descriptors(error) => SendError::NoResources,
        _ => SendError::Other(error.to_string()),
    }
}

/// Whether this process or machine has no more descriptors or buffers to give.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE, ENFILE and ENOBUFS on Linux and macOS (which number only the last differently),
    // WSAEMFILE and WSAENOBUFS on Windows; std has no ErrorKind for them.
    let codes: &[i32] = if cfg!(windows) { &[10024, 10055] } else { &[23, 24, 55, 105] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, TcpListener};
    use std::thread;

    use super::*;
    use crate::model::key::PublicKey;

    fn source() -> DialSource {
        DialSource { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None }
    }

    fn alice() -> Name {
        "Alice".parse().unwrap()
    }

    /// Sends a message to a peer that runs `serve` on the first connection. Returns the result and
    /// the bytes that the peer read.
    fn result_with(
        serve: impl FnOnce(TcpStream) -> Vec<u8> + Send + 'static,
        message: &Outgoing,
    ) -> (SendResult, Vec<u8>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string().parse().unwrap();
        let peer = thread::spawn(move || serve(listener.accept().unwrap().0));
        let Said { result, .. } =
            say(&source(), &alice(), to, Form::STANDARD, message, CONNECT_TIMEOUT, None);
        (result, peer.join().unwrap())
    }

    fn read_all(stream: &mut TcpStream) -> Vec<u8> {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn hello() -> Outgoing {
        Outgoing::Text(["hello".to_owned()].into())
    }

    #[test]
    fn close_without_receipt_means_handed_over() {
        let (result, bytes) = result_with(|mut stream| read_all(&mut stream), &hello());
        assert_eq!(result, SendResult::HandedOver);
        assert_eq!(bytes, b"127.0.0.1:5000 Alice hello");
    }

    #[test]
    fn a_receipt_means_delivered() {
        let acknowledge = |mut stream: TcpStream| {
            let bytes = read_all(&mut stream);
            stream.write_all(b"[ACK] Message received from 5001").unwrap();
            bytes
        };
        assert_eq!(result_with(acknowledge, &hello()).0, SendResult::Delivered);
    }

    #[test]
    fn report_has_the_key_of_the_last_receipt() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string().parse().unwrap();
        let keys = [1, 2].map(|n| Some(Capability::Key(PublicKey::new([n; 32]))));
        let keys = [keys[0], keys[1], None];
        let peer = thread::spawn(move || {
            for key in keys {
                let mut stream = listener.accept().unwrap().0;
                read_all(&mut stream);
                stream.write_all(plain::receipt(5001, key).as_bytes()).unwrap();
            }
        });
        let text = Outgoing::Text(["one", "two", "three"].map(str::to_owned).into());
        let said = say(&source(), &alice(), to, Form::STANDARD, &text, CONNECT_TIMEOUT, None);
        peer.join().unwrap();
        assert_eq!((said.result, said.parts, said.capability), (SendResult::Delivered, (3, 3), keys[1]));
    }

    #[test]
    fn a_peer_that_never_closes_has_not_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string().parse().unwrap();
        let begun = Instant::now();
        let Said { result, parts, .. } =
            say(&source(), &alice(), to, Form::STANDARD, &Outgoing::Probe, CONNECT_TIMEOUT, None);
        assert_eq!((result, parts), (SendResult::Unanswered, (0, 1)));
        assert!(begun.elapsed() >= PROBE_TIMEOUT);
    }

    #[test]
    fn receipt_for_connect_may_be_late() {
        let late = |mut stream: TcpStream| {
            let bytes = read_all(&mut stream);
            // The delay itself is under test, so there is no condition to wait for.
            thread::sleep(EOF_TIMEOUT + Duration::from_millis(200));
            stream.write_all(plain::receipt(5001, None).as_bytes()).unwrap();
            bytes
        };
        assert_eq!(result_with(late, &Outgoing::Connect).0, SendResult::Delivered);
    }

    #[test]
    fn receipt_without_close_is_waited_for_briefly() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string().parse().unwrap();
        let peer = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            read_all(&mut stream);
            stream.write_all(plain::receipt(5001, None).as_bytes()).unwrap();
            stream
        });
        let begun = Instant::now();
        let said = say(&source(), &alice(), to, Form::STANDARD, &Outgoing::Connect, CONNECT_TIMEOUT, None);
        assert_eq!(said.result, SendResult::Delivered);
        assert!(begun.elapsed() < CONNECT_ANSWER, "{:?}", begun.elapsed());
        drop(peer.join().unwrap());
    }

    #[test]
    fn closed_port_refuses_and_passed_deadline_cancels() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = listener.local_addr().unwrap().to_string().parse().unwrap();
        drop(listener);
        let refused = say(&source(), &alice(), to, Form::STANDARD, &hello(), CONNECT_TIMEOUT, None).result;
        assert_eq!(refused, SendResult::Failed(SendError::Refused));
        let late =
            say(&source(), &alice(), to, Form::STANDARD, &hello(), CONNECT_TIMEOUT, Some(Instant::now()))
                .result;
        assert_eq!(late, SendResult::Failed(SendError::Cancelled));
    }

    #[test]
    fn both_families_are_dialed_from_where_we_listen() {
        let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
            let Ok(listener) = TcpListener::bind((ip, 0)) else {
                println!("skipped: this machine has no {ip}");
                continue;
            };
            let to = listener.local_addr().unwrap();
            for from in [anywhere, Ipv6Addr::UNSPECIFIED.into(), ip] {
                assert_eq!(connect(from, to, PROBE_TIMEOUT).unwrap().1.ip(), ip);
            }
        }
    }

    #[test]
    fn listener_of_one_family_does_not_dial_another() {
        for (from, to) in [("127.0.0.1", "[::1]:9"), ("::1", "127.0.0.1:9")] {
            let error = connect(from.parse().unwrap(), to.parse().unwrap(), PROBE_TIMEOUT).unwrap_err();
            assert_eq!(failure(&error), SendError::NoRoute);
        }
    }

    #[test]
    fn nothing_plain_is_dialed_over_ipv6() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            println!("skipped: this machine has no IPv6");
            return;
        };
        listener.set_nonblocking(true).unwrap();
        let to = PeerAddr::of(listener.local_addr().unwrap()).unwrap();
        let result = say(&source(), &alice(), to, Form::STANDARD, &hello(), CONNECT_TIMEOUT, None).result;
        assert_eq!(result, SendResult::Failed(SendError::NoRoute));
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_probe_is_an_empty_connection() {
        let (result, bytes) = result_with(|mut stream| read_all(&mut stream), &Outgoing::Probe);
        assert_eq!((result, bytes), (SendResult::HandedOver, Vec::new()));
    }
}
