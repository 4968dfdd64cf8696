//! A message to a thousand legacy peers, a hundred of which do not answer at all.

use std::collections::HashSet;
use std::fmt::Write;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::lab::Lab;
use crate::support::SOON;

const PORT: u16 = 5000;

/// Peers that go on answering, and peers that stop: each has an address of its own.
const LIVE: usize = 900;
const SILENT: usize = 100;

/// In this time the live peers have the message.
const WITHIN: Duration = Duration::from_millis(1_500);

/// The text that the peers count.
const TEXT: &str = "soup is ready";

fn live(number: usize) -> Ipv4Addr {
    let byte = |number: usize| u8::try_from(number).expect("small");
    Ipv4Addr::new(10, 81, byte(number / 250), byte(1 + number % 250))
}

fn silent(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 82, 0, u8::try_from(1 + number).expect("small"))
}

/// Does what legacy programs do, at all addresses of its socket: accepts, reads once, closes. Tells
/// which address got the text.
fn serve(socket: TcpListener) -> Receiver<IpAddr> {
    let (tell, told) = channel();
    // It ends when the test does not listen to it any more, or with the test process.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = socket.accept() {
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer).unwrap_or(0);
            let local = stream.local_addr().expect("connected").ip();
            if String::from_utf8_lossy(&buffer[..count]).ends_with(TEXT) && tell.send(local).is_err() {
                return;
            }
        }
    });
    told
}

#[test]
#[ignore = "a thousand peers and a time limit; run it on an idle machine"]
fn silent_peers_delay_no_message_to_all() {
    let Some(mut lab) = Lab::new() else { return };
    let (here, there) = (lab.machine("here"), lab.machine("there"));
    lab.joins((&here, "10.79.0.1"), (&there, "10.79.0.2"));
    for network in ["10.81.0.0/16", "10.82.0.0/16"] {
        there.does(&format!("ip route add local {network} dev lo"));
        here.does(&format!("ip route add {network} via 10.79.0.2"));
    }
    let socket = there.inside(|| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT).into()).expect("a free port");
        socket.listen(4096).expect("it listens");
        TcpListener::from(socket)
    });
    let told = serve(socket);
    let mut peers = String::new();
    for ip in (0..LIVE).map(live).chain((0..SILENT).map(silent)) {
        writeln!(peers, "[[peer]]\naddress = \"{ip}:{PORT}\"").expect("it is a string");
    }
    let mut alice = here.runs("Alice").port(PORT).peers_toml(&peers).start();
    alice.sees_within("All 1000 static peers are online.", 2 * SOON);
    there.does("nft add table inet wall");
    there.does("nft add chain inet wall input { type filter hook input priority 0 ; }");
    there.does("nft add rule inet wall input ip daddr 10.82.0.0/16 drop");
    let begun = Instant::now();
    alice.types(&[&format!("@all {TEXT}")]);
    let mut got = HashSet::new();
    while got.len() < LIVE {
        let ip = told.recv_timeout(SOON).expect("another live peer gets it");
        assert!(got.insert(ip), "{ip} got it twice");
    }
    let took = begun.elapsed();
    assert!(took < WITHIN, "it took {took:?}");
    let sum = alice.sees_within("Sent to 900 of 1000", SOON);
    eprintln!("the last live peer had it after {took:?}, all was told after {:?}: {sum}", begun.elapsed());
}
