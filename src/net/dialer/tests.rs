use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc;

use super::*;
use crate::core::JobId;
use crate::model::address::PeerAddr;
use crate::model::message::{Form, Outgoing};

fn dialer() -> (Dialer, mpsc::Receiver<PlainResult>) {
    let (sender, reports) = mpsc::channel();
    let source = DialSource { bind: Ipv4Addr::UNSPECIFIED.into(), port: 5000, advertise: None };
    (Dialer::new(source, move |report| sender.send(report).unwrap()), reports)
}

fn job(id: u64, to: PeerAddr, message: Outgoing) -> SendJob {
    job_to(id, to, None, message)
}

fn job_to(id: u64, to: PeerAddr, fallback: Option<PeerAddr>, message: Outgoing) -> SendJob {
    let (name, form) = ("Alice".parse().unwrap(), Form::STANDARD);
    SendJob { id: JobId(id), name, to, fallback, form, message, deadline: None }
}

/// Returns the parts of a report that the tests compare.
fn fields(report: PlainResult) -> (u64, PeerAddr, SendResult, (usize, usize)) {
    let PlainResult { job, to, result, parts, .. } = report;
    (job.0, to, result, parts)
}

fn push(dialer: &Dialer, job: SendJob) -> Result<(), Box<SendJob>> {
    dialer.push(job)?;
    dialer.start_workers();
    Ok(())
}

fn text(text: &str) -> Outgoing {
    Outgoing::Text([text.to_owned()].into())
}

fn addr_of(listener: &TcpListener) -> PeerAddr {
    listener.local_addr().unwrap().to_string().parse().unwrap()
}

#[test]
fn messages_to_one_peer_arrive_in_order() {
    let (dialer, reports) = dialer();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = addr_of(&listener);
    for id in 0..50 {
        push(&dialer, job(id, to, text(&id.to_string()))).unwrap();
    }
    for id in 0..50 {
        let mut got = String::new();
        listener.accept().unwrap().0.read_to_string(&mut got).unwrap();
        assert_eq!(got, format!("127.0.0.1:5000 Alice {id}"));
        assert_eq!(fields(reports.recv().unwrap()).0, id);
    }
    dialer.stop(Instant::now() + Duration::from_secs(5));
}

#[test]
fn silent_peer_delays_no_other_peer() {
    let (dialer, reports) = dialer();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let answering = TcpListener::bind("127.0.0.1:0").unwrap();
    for id in 0..40 {
        push(&dialer, job(id, addr_of(&silent), Outgoing::Probe)).unwrap();
    }
    push(&dialer, job(99, addr_of(&answering), text("hello"))).unwrap();
    drop(answering.accept().unwrap());
    assert_eq!(fields(reports.recv().unwrap()).0, 99);
    dialer.stop(Instant::now() + Duration::from_secs(5));
}

#[test]
fn stop_cancels_jobs_that_have_not_started() {
    let (dialer, reports) = dialer();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for id in 0..3 {
        push(&dialer, job(id, addr_of(&silent), text("hello"))).unwrap();
    }
    let accepted = silent.accept().unwrap();
    dialer.stop(Instant::now() + Duration::from_secs(5));
    drop(accepted);
    let mut results: Vec<_> = reports.try_iter().map(fields).map(|(id, _, result, _)| (id, result)).collect();
    results.sort_by_key(|(id, _)| *id);
    let cancelled = SendResult::Failed(SendError::Cancelled);
    assert_eq!(results, [(0, SendResult::Unanswered), (1, cancelled.clone()), (2, cancelled)]);
    assert!(push(&dialer, job(4, addr_of(&silent), Outgoing::Probe)).is_err());
}

#[test]
fn message_written_to_fallback_is_never_unsent() {
    let (dialer, reports) = dialer();
    let closed = addr_of(&TcpListener::bind("127.0.0.1:0").unwrap());
    let stopped = TcpListener::bind("127.0.0.1:0").unwrap();
    push(&dialer, job_to(1, closed, Some(addr_of(&stopped)), text("hello"))).unwrap();
    // The fallback has accepted the connection and may read the message later.
    let (_, to, result, _) = fields(reports.recv().unwrap());
    assert_eq!((to, result), (addr_of(&stopped), SendResult::Unanswered));
}

#[test]
fn partly_sent_message_is_not_sent_to_fallback() {
    let (dialer, reports) = dialer();
    let first = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let to = addr_of(&first);
    let text = Outgoing::Text(["one".to_owned(), "two".to_owned()].into());
    push(&dialer, job_to(1, to, Some(addr_of(&other)), text)).unwrap();
    let mut stream = first.accept().unwrap().0;
    drop(first);
    stream.read_to_end(&mut Vec::new()).unwrap();
    drop(stream);
    let (_, dialed, result, parts) = fields(reports.recv().unwrap());
    assert_eq!((dialed, parts), (to, (1, 2)));
    assert_eq!(result, SendResult::Failed(SendError::Refused));
    assert!(other.accept().is_err(), "the second address was dialed");
}

#[test]
fn refused_message_goes_to_fallback() {
    let (dialer, reports) = dialer();
    let closed = addr_of(&TcpListener::bind("127.0.0.1:0").unwrap());
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    push(&dialer, job_to(1, closed, Some(addr_of(&open)), text("hello"))).unwrap();
    open.accept().unwrap().0.read_to_end(&mut Vec::new()).unwrap();
    let (_, to, result, _) = fields(reports.recv().unwrap());
    assert_eq!((to, result), (addr_of(&open), SendResult::HandedOver));
}

/// Returns a socket whose queue is full, so that connects to it get no answer, and the connections
/// that fill the queue.
#[cfg(target_os = "linux")]
fn full_socket() -> (socket2::Socket, u16, Vec<std::net::TcpStream>) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    socket.listen(0).unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let to = std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, addr.port()));
    let connect = || std::net::TcpStream::connect_timeout(&to, Duration::from_millis(100)).ok();
    let connections = std::iter::from_fn(connect).collect();
    (socket, addr.port(), connections)
}

#[cfg(target_os = "linux")]
#[test]
fn peers_that_drop_connects_delay_no_other() {
    let (dialer, reports) = dialer();
    let (_socket, port, _connections) = full_socket();
    let answering = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    for id in 0..100 {
        let to = PeerAddr::new(Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(id).unwrap()), port).unwrap();
        push(&dialer, job(id, to, text("hello"))).unwrap();
    }
    push(&dialer, job(100, addr_of(&answering), text("hello"))).unwrap();
    answering.accept().unwrap().0.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(fields(reports.recv().unwrap()).0, 100, "the others get a second attempt");
    assert!(start.elapsed() < Duration::from_millis(1_500), "{:?}", start.elapsed());
    let (_, _, result, parts) = fields(reports.recv().unwrap());
    assert_eq!((result, parts), (SendResult::Failed(SendError::TimedOut), (0, 1)));
    assert!(start.elapsed() >= QUICK_CONNECT + CONNECT_TIMEOUT, "{:?}", start.elapsed());
    dialer.stop(Instant::now() + Duration::from_secs(5));
    assert_eq!(dialer.shared.state.lock().workers, 0);
    assert_eq!(reports.try_iter().count(), 99, "each is reported once");
}

#[cfg(target_os = "linux")]
#[test]
fn connect_at_its_deadline_times_out() {
    let (dialer, reports) = dialer();
    let (_socket, port, _connections) = full_socket();
    let to = PeerAddr::new(Ipv4Addr::LOCALHOST, port).unwrap();
    let deadline = Some(Instant::now() + QUICK_CONNECT);
    push(&dialer, SendJob { deadline, ..job(1, to, Outgoing::Probe) }).unwrap();
    assert_eq!(fields(reports.recv().unwrap()).2, SendResult::Failed(SendError::TimedOut));
}
