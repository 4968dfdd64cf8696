//! A p2p-chat peer of the tests' own: its key, its name and its manners are whatever a scenario
//! wants, and it keeps what it received.
//!
//! It uses the library's settings of TLS and its records; everything else is written here.

mod channel;
mod foreign;
mod manner;
mod raw;
mod session;

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::name::PeerName;
use p2p_chat::net::secure::{OwnKey, Tls};
use p2p_chat::protocol::session::opening::{DIAL_LINE, First, first};
use p2p_chat::protocol::session::{ByeReason, Hello, Record};

pub(crate) use channel::Channel;
pub(crate) use foreign::hello_of_tls12;
pub(crate) use manner::{BETWEEN_RECORDS, Manner};
pub(crate) use raw::{Ended, Raw, with_lines};
pub(crate) use session::Session;

use super::{Peer, SOON, dial_from, listen, v4};

/// How long an impatient peer waits: a test in which it meets no answer lasts as long.
const IMPATIENT: Duration = Duration::from_secs(3);

/// What a plain receipt of it says of encryption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Capability {
    /// Its own key, as it should.
    Own,
    /// Nothing, as the programs of old.
    None,
    /// This key, whosever it is.
    Key(PublicKey),
    /// These words behind the receipt.
    Words(String),
}

/// A text that it took, or was offered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Text {
    pub(crate) id: MessageId,
    pub(crate) again: bool,
    pub(crate) body: String,
    /// Who wrote it.
    pub(crate) from: PublicKey,
}

/// What it received.
#[derive(Clone, Default, Debug)]
pub(crate) struct Got {
    /// What plain connections said, those included that said nothing.
    pub(crate) plain: Vec<String>,
    /// How many connections began with the line.
    pub(crate) opened: usize,
    /// What came behind the line of those that it did not answer as it should.
    pub(crate) behind: Vec<Vec<u8>>,
    /// Whose key was proven with which hello.
    pub(crate) met: Vec<(PublicKey, Hello)>,
    /// Every text as often as it came.
    pub(crate) texts: Vec<Text>,
    /// How its talks ended that came so far, and why those did not that did not.
    pub(crate) ends: Vec<String>,
    /// How many connections are over.
    pub(crate) over: usize,
}

impl Got {
    /// The bodies of the texts that it took, each once.
    pub(crate) fn bodies(&self) -> Vec<&str> {
        let mut known = HashSet::new();
        self.texts.iter().filter(|text| known.insert(text.id)).map(|text| text.body.as_str()).collect()
    }

    /// What plain connections said that said anything, and were not cut amid the line.
    pub(crate) fn said_plainly(&self) -> Vec<&str> {
        self.plain.iter().map(String::as_str).filter(|said| !DIAL_LINE.starts_with(said.as_bytes())).collect()
    }
}

struct Shared {
    name: String,
    addr: SocketAddrV4,
    tls: Tls,
    /// How long it waits until both have said hello.
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    manner: Manner,
    capability: Capability,
    got: Got,
    /// Connections that stay as they are until it is dropped.
    held: Vec<TcpStream>,
    /// The number of the next accepted session.
    next_session: u64,
    /// Accepted sessions with a smaller number end.
    ends_before: u64,
    /// The accepted sessions that are open or being opened.
    sessions: BTreeSet<u64>,
    stopping: bool,
}

/// A peer with a key of its own.
pub(crate) struct SecurePeer {
    shared: Arc<Shared>,
}

/// The key that is made of one letter.
pub(crate) fn key_of(message: u8) -> OwnKey {
    OwnKey::from_seed(&[message; 32]).expect("a key")
}

impl SecurePeer {
    /// A peer that does what it should, at any port; its key is made of this letter.
    pub(crate) fn named(name: &str, message: u8) -> Self {
        Self::at(name, message, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))
    }

    /// The same at this address, with any port where that is 0.
    pub(crate) fn at(name: &str, message: u8, addr: SocketAddrV4) -> Self {
        Self::with_patience(name, message, addr, SOON)
    }

    /// The same that waits no longer than [`IMPATIENT`] until both have said hello, and for
    /// receipts.
    pub(crate) fn impatient(name: &str, message: u8) -> Self {
        Self::with_patience(name, message, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), IMPATIENT)
    }

    /// A peer at any port of this IP. Its key is made of a number, so a test has as many as it
    /// wants.
    pub(crate) fn numbered(name: &str, number: u32, ip: Ipv4Addr) -> Self {
        let mut seed = [0xa5; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        Self::start(name, seed, SocketAddrV4::new(ip, 0), IMPATIENT)
    }

    /// A peer that has the very key of a real one, read from its file.
    pub(crate) fn with_key_of(peer: &Peer, name: &str) -> Self {
        let folder = peer.dir().join("p2p-chat/profiles");
        let profile = fs::read_dir(folder).expect("profiles").next().expect("one").expect("readable");
        let key = fs::read_to_string(profile.path().join("key")).expect("a key");
        let secret = key.lines().find_map(|line| line.strip_prefix("secret ")).expect("a secret");
        // It is written as keys are.
        let seed = *secret.parse::<PublicKey>().expect("a seed").as_bytes();
        Self::start(name, seed, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), SOON)
    }

    fn with_patience(name: &str, message: u8, addr: SocketAddrV4, patience: Duration) -> Self {
        Self::start(name, [message; 32], addr, patience)
    }

    fn start(name: &str, seed: [u8; 32], addr: SocketAddrV4, patience: Duration) -> Self {
        let listener = listen(addr).expect("a free port");
        let addr = v4(listener.local_addr().expect("bound"));
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            addr,
            tls: Tls::new(&OwnKey::from_seed(&seed).expect("a key")).expect("settings that fit"),
            patience,
            state: Mutex::new(State {
                manner: Manner::Good,
                capability: Capability::Own,
                got: Got::default(),
                held: Vec::new(),
                next_session: 0,
                ends_before: 0,
                sessions: BTreeSet::new(),
                stopping: false,
            }),
            changed: Condvar::new(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Self { shared }
    }

    /// The key that it proves.
    pub(crate) fn key(&self) -> PublicKey {
        self.shared.tls.own()
    }

    /// Where it is dialed.
    pub(crate) fn addr(&self) -> SocketAddrV4 {
        self.shared.addr
    }

    /// The name that it was started with.
    pub(crate) fn name(&self) -> &str {
        &self.shared.name
    }

    /// The name and address by which others show it.
    pub(crate) fn shown(&self) -> String {
        format!("{} ({})", self.shared.name, self.addr())
    }

    /// Behaves like this from its next connection on.
    pub(crate) fn behaves(&self, manner: Manner) {
        self.shared.lock().manner = manner;
    }

    /// Says this of encryption in its plain receipts from now on.
    pub(crate) fn says_it_is(&self, capability: Capability) {
        self.shared.lock().capability = capability;
    }

    /// What it received so far.
    pub(crate) fn got(&self) -> Got {
        self.shared.lock().got.clone()
    }

    /// Waits until this holds for what it received.
    pub(crate) fn waits(&self, what: &str, holds: impl Fn(&Got) -> bool) -> Got {
        let state = self.shared.lock();
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, SOON, |state| !holds(&state.got))
            .expect("not poisoned");
        let got = state.got.clone();
        // A panic with the lock held poisons it, and then the end of this peer would end all tests.
        drop(state);
        assert!(holds(&got), "{} never had {what}: {got:?}", self.shared.name);
        got
    }

    /// Waits for this text.
    pub(crate) fn hears(&self, body: &str) -> Got {
        self.waits(&format!("`{body}`"), |got| got.texts.iter().any(|text| text.body == body))
    }

    /// The hello that it says.
    pub(crate) fn hello(&self) -> Hello {
        self.shared.hello()
    }

    /// Says something in plain, as a program of old would: what is answered.
    pub(crate) fn says_plainly(&self, to: SocketAddrV4, words: &str) -> String {
        let message = format!("{} {} {words}", self.addr(), self.shared.name);
        let answer = super::send_raw_from(*self.addr().ip(), to, message.as_bytes());
        String::from_utf8(answer).expect("UTF-8")
    }

    /// Makes an encrypted connection, on which nothing is said yet.
    pub(crate) fn dials(&self, to: SocketAddrV4) -> io::Result<Channel> {
        let deadline = Instant::now() + self.shared.patience;
        Channel::dial(&self.shared.tls, dial_from(*self.addr().ip(), to), None, deadline)
    }

    /// Ends the sessions that it has accepted, by agreement, and waits until that is done.
    /// Otherwise a session that it dials would be one of a simultaneous dial, and might not stay.
    pub(crate) fn ends_accepted(&self) {
        let mut state = self.shared.lock();
        state.ends_before = state.next_session;
        let before = state.ends_before;
        let is_open = |state: &mut State| state.sessions.first().is_some_and(|number| *number < before);
        let (state, waited) =
            self.shared.changed.wait_timeout_while(state, SOON, is_open).expect("not poisoned");
        let open = state.sessions.clone();
        drop(state);
        assert!(!waited.timed_out(), "{} cannot end {open:?}", self.shared.name);
    }

    /// Dials, and exchanges hellos.
    pub(crate) fn greets(&self, to: SocketAddrV4) -> Result<(Session, Hello), Ended> {
        self.greets_as(to, self.hello())
    }

    /// The same with another hello, in which the lines are filled in.
    pub(crate) fn greets_as(&self, to: SocketAddrV4, hello: Hello) -> Result<(Session, Hello), Ended> {
        self.ends_accepted();
        let channel = self.dials(to).unwrap_or_else(|error| panic!("{}: {error:?}", self.shared.name));
        Session::dialed(&self.shared, channel, hello)
    }

    /// Dials, says messages, and ends the session by agreement. Returns how many have receipts.
    ///
    /// If both sides dial at the same time, the session that it dialed may not stay: then it says
    /// what has no receipt once more.
    pub(crate) fn says_as(&self, to: SocketAddrV4, hello: Hello, bodies: &[&str]) -> Result<usize, Ended> {
        let mut messages: Vec<_> = bodies.iter().map(|body| (new_id(), *body)).collect();
        let mut again = false;
        while !messages.is_empty() {
            let (mut session, _) = self.greets_as(to, hello.clone())?;
            let end = session.says(&messages, again);
            messages.retain(|(id, _)| !session.has_receipt(*id));
            match end {
                None => _ = session.leaves(ByeReason::Idle),
                Some(Ended::Bye(ByeReason::Replaced)) => again = true,
                Some(_) => break,
            }
        }
        Ok(bodies.len() - messages.len())
    }

    /// Dials, and says messages; every one of them gets its receipt.
    pub(crate) fn says(&self, to: SocketAddrV4, bodies: &[&str]) {
        let receipts = self.says_as(to, self.hello(), bodies);
        assert_eq!(receipts, Ok(bodies.len()), "{}", self.shared.name);
    }
}

impl Drop for SecurePeer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        for stream in state.held.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        drop(TcpStream::connect(self.shared.addr));
    }
}

/// An id that no other text of this process has.
pub(crate) fn new_id() -> MessageId {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bytes = [0x5e; 16];
    bytes[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    MessageId::new(bytes)
}

/// The time as a text says it.
pub(crate) fn now() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 584,556,049")
}

/// A text of one's own, as bytes.
pub(crate) fn text(id: MessageId, body: &str) -> Vec<u8> {
    Record::Text { id, time: now(), again: false, to_all: false, body: body.into() }.encode()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    fn hello(&self) -> Hello {
        Hello {
            dialed: Vec::new(),
            answered: Vec::new(),
            name: PeerName::new(&self.name),
            port: self.addr.port(),
            version: "0.0.0-test".into(),
            features: Vec::new(),
            addresses: Vec::new(),
            run: 1,
            window: 262_144,
            probe: false,
        }
    }

    /// A session is about to be opened; returns its number.
    fn begins_session(&self) -> u64 {
        let mut state = self.lock();
        let number = state.next_session;
        state.next_session += 1;
        state.sessions.insert(number);
        number
    }

    fn ended_session(&self, number: u64) {
        self.lock().sessions.remove(&number);
        self.changed.notify_all();
    }

    fn wants_to_end(&self, number: u64) -> bool {
        number < self.lock().ends_before
    }

    fn tell(&self, change: impl FnOnce(&mut Got)) {
        change(&mut self.lock().got);
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        loop {
            let accepted = listener.accept();
            if self.lock().stopping {
                return;
            }
            let (stream, _) = accepted.expect("this process has a descriptor left");
            let shared = Arc::clone(self);
            thread::spawn(move || {
                // The dialer may break it off; earlier messages are kept.
                let _ = shared.serve(stream);
                shared.tell(|got| got.over += 1);
            });
        }
    }

    fn serve(self: &Arc<Self>, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(SOON))?;
        stream.set_write_timeout(Some(SOON))?;
        let mut said = Vec::new();
        let mut buffer = [0; 4096];
        while first(&said) == First::NeedMore {
            let count = stream.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            said.extend_from_slice(&buffer[..count]);
        }
        if matches!(first(&said), First::Opening | First::TooMuch) {
            let manner = self.lock().manner.clone();
            self.tell(|got| got.opened += 1);
            return self.is_opened(stream, &said, manner);
        }
        // A sender closes its half at once; one of old that does not is silent then.
        let capability = self.lock().capability.clone();
        stream.set_read_timeout(Some(Duration::from_millis(250)))?;
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        if !said.is_empty() {
            let receipt = format!("[ACK] Message received from {}", self.addr.port());
            let receipt = match capability {
                Capability::Own => format!("{receipt} p2p-chat/1 {}", self.tls.own()),
                Capability::Key(key) => format!("{receipt} p2p-chat/1 {key}"),
                Capability::Words(words) => format!("{receipt}{words}"),
                Capability::None => receipt,
            };
            stream.write_all(receipt.as_bytes())?;
        }
        self.tell(|got| got.plain.push(said));
        Ok(())
    }
}
