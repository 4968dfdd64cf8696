//! Messages go to people, not to addresses: a message reaches only its intended recipient.
//!
//! Each scenario moves people or impostors between addresses, and then checks what the recipients
//! got. Normal peers are real processes. A misbehaving peer is a [`SecurePeer`] or a stand-in for a
//! legacy program.

mod aliases;
mod blocking;
mod claims;
mod contacts_shown;
mod key_changes;
mod legacy_queues;
mod many;
mod names;
mod nat;
mod notices;
mod redirected;
mod rows;
mod takeover;
mod typed_addresses;
mod unencrypted;

use std::net::{SocketAddrV4, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use p2p_chat::protocol::session::Hello;
use tempfile::TempDir;

use crate::legacy::Legacy;
use crate::support::{Builder, Peer, SOON, SecurePeer, Terminal, nobody, until};

/// How often a condition that sends no signal is checked.
const LOOK: Duration = Duration::from_millis(10);

/// A person: one key, kept in `data`, and the address where they usually listen.
struct Person {
    name: &'static str,
    data: TempDir,
    home: SocketAddrV4,
}

impl Person {
    fn named(name: &'static str) -> Self {
        Self { name, data: TempDir::new().expect("a temporary directory"), home: nobody() }
    }

    /// Returns the person's program, ready to start on any port.
    fn builder(&self) -> Builder {
        Peer::named(self.name).data_dir(self.data.path())
    }

    fn starts_at(&self, addr: SocketAddrV4) -> Peer {
        self.builder().port(addr.port()).start()
    }

    fn starts(&self) -> Peer {
        self.starts_at(self.home)
    }

    /// Starts at `addr` and dials `contact` at once.
    fn comes_to(&self, addr: SocketAddrV4, contact: SocketAddrV4) -> Peer {
        self.builder().port(addr.port()).knows(contact).start()
    }
}

/// Waits until an address is free: a dropped stand-in takes a moment to end.
fn is_free(addr: SocketAddrV4) -> SocketAddrV4 {
    until(SOON, "the address is free", || TcpListener::bind(addr).is_ok());
    addr
}

/// A peer whose received messages a scenario can check.
trait Recipient {
    fn who(&self) -> String;
    /// Returns all lines that it printed, or messages that it received.
    fn received(&self) -> Vec<String>;

    fn has(&self, words: &str) -> bool {
        self.received().iter().any(|line| line.contains(words))
    }
}

impl Recipient for Peer {
    fn who(&self) -> String {
        self.shown()
    }

    fn received(&self) -> Vec<String> {
        self.printed()
    }
}

impl Recipient for Terminal {
    fn who(&self) -> String {
        self.name().to_owned()
    }

    fn received(&self) -> Vec<String> {
        self.screen().lines().map(str::to_owned).collect()
    }
}

impl Recipient for SecurePeer {
    fn who(&self) -> String {
        self.shown()
    }

    fn received(&self) -> Vec<String> {
        let got = self.got();
        let behind = got.behind.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        got.texts.iter().map(|text| text.body.clone()).chain(got.plain.clone()).chain(behind).collect()
    }
}

impl Recipient for Legacy {
    fn who(&self) -> String {
        format!("{} ({})", self.name(), self.addr())
    }

    fn received(&self) -> Vec<String> {
        self.raw().iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
    }
}

/// A peer whose user types lines: on a pipe or on a terminal.
trait Sender: Recipient {
    fn addr(&self) -> SocketAddrV4;
    fn enters(&mut self, line: &str);
    /// Waits until the screen shows these words.
    fn waits(&self, words: &str);
    /// Waits until the screen shows that a message has reached this person.
    fn waits_for_delivery(&self, name: &str);
    /// Returns how many lines were printed so far, if that is known.
    fn mark(&self) -> usize;

    /// Waits until a line from `mark` on says that a message for this person is queued.
    fn says_it_waits(&self, mark: usize, name: &str) {
        const WAITS: [&str; 7] =
            ["ueued", "waits", "offline", "unreachable", "will deliver", "be delivered", "retrying"];
        let says = |line: &String| {
            // Lines about presence do not count.
            !line.contains("* ") && line.contains(name) && WAITS.iter().any(|words| line.contains(words))
        };
        let deadline = Instant::now() + SOON;
        loop {
            let lines = self.received();
            if lines.iter().skip(mark).any(says) {
                return;
            }
            let shown = lines.join("\n");
            assert!(Instant::now() < deadline, "never said that a message for {name} waits:\n{shown}");
            thread::sleep(LOOK);
        }
    }
}

impl Sender for Peer {
    fn addr(&self) -> SocketAddrV4 {
        self.addr()
    }

    fn enters(&mut self, line: &str) {
        self.types(&[line]);
    }

    fn waits(&self, words: &str) {
        self.has_seen(words);
    }

    fn waits_for_delivery(&self, name: &str) {
        self.has_seen(&format!("Delivered to {name}"));
    }

    fn mark(&self) -> usize {
        self.printed().len()
    }
}

impl Sender for Terminal {
    fn addr(&self) -> SocketAddrV4 {
        self.addr()
    }

    fn enters(&mut self, line: &str) {
        Terminal::enters(self, line);
    }

    fn waits(&self, words: &str) {
        self.waits_for(words);
    }

    fn waits_for_delivery(&self, name: &str) {
        // The status line shows success only briefly. The line that the peer is online stays.
        self.waits_for(&format!("* {name}"));
    }

    fn mark(&self) -> usize {
        0
    }
}

/// Asserts that `other` has not received `words`.
fn never_got(other: &dyn Recipient, words: &str) {
    assert!(!other.has(words), "{} got `{words}`: {:#?}", other.who(), other.received());
}

/// Waits until `to` has received `words`, and asserts that none of `others` ever has.
fn reaches_only(from: &dyn Recipient, words: &str, to: &dyn Recipient, others: &[&dyn Recipient]) {
    let deadline = Instant::now() + SOON;
    loop {
        let arrived = to.has(words);
        for other in others {
            let name = other.who();
            assert!(
                !other.has(words),
                "{name} got `{words}`, which was for {}. {} shows:\n{}",
                to.who(),
                from.who(),
                from.received().join("\n")
            );
        }
        if arrived {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{} never got `{words}`. {} shows:\n{}",
            to.who(),
            from.who(),
            from.received().join("\n")
        );
        thread::sleep(LOOK);
    }
}

/// Types these lines, the last of which is a message. Returns the number of lines printed before
/// it.
fn sends(peer: &mut Peer, lines: &[&str]) -> usize {
    let mark = peer.mark();
    peer.types(lines);
    mark
}

/// Requests the peer list and returns its rows. Each begins with its number.
fn rows(peer: &mut Peer) -> Vec<String> {
    let before = peer.printed().len();
    peer.passes_all();
    peer.types(&["/peers"]);
    peer.sees_sum();
    peer.printed()[before..].iter().filter(|line| number_of(line).is_some()).cloned().collect()
}

/// Requests the peer list and returns all its lines.
fn list(peer: &mut Peer) -> Vec<String> {
    let before = peer.printed().len();
    peer.passes_all();
    peer.types(&["/peers"]);
    peer.sees_sum();
    // Lines about other events begin with the time.
    peer.printed()[before..].iter().filter(|line| !line.starts_with('[')).cloned().collect()
}

/// Returns the number at the beginning of a row of the peer list.
fn number_of(row: &str) -> Option<usize> {
    row.trim_start().split("  ").next()?.trim().parse().ok()
}

/// Returns the number of the only row that contains `name` as a word.
fn row_number(rows: &[String], name: &str) -> usize {
    let named: Vec<_> = rows.iter().filter(|row| row.split_whitespace().any(|word| word == name)).collect();
    assert_eq!(named.len(), 1, "rows of {name}: {rows:#?}");
    number_of(named[0]).expect("it has a number")
}

/// Writes to a peer by address and waits until both have seen the message, so that they are
/// contacts.
fn befriends(sender: &mut dyn Sender, other: &Peer) {
    let words = format!("hello {}", other.addr().port());
    sender.enters(&format!("@{} {words}", other.addr()));
    other.has_seen(&words);
    sender.waits_for_delivery(other.name());
}

/// Does the same as [`befriends`] for a [`SecurePeer`].
fn befriends_secure(sender: &mut Peer, other: &SecurePeer) {
    sender.types(&[&format!("@{} hello", other.addr())]);
    other.hears("hello");
    sender.waits_for_delivery(other.hello().name.as_str());
}

/// Dials `to` with this hello and sends one message. Returns whether it was acknowledged.
fn says_as(peer: &SecurePeer, to: SocketAddrV4, hello: Hello, body: &str) -> bool {
    peer.says_as(to, hello, &[body]) == Ok(1)
}

/// An entry of peers.toml.
fn listed(name: &str, addr: SocketAddrV4, key: &str) -> String {
    format!("[[peer]]\naddress = \"{addr}\"\nname = \"{name}\"\nkey = \"{key}\"\n")
}

/// Verifies a peer: compares safety numbers and confirms that they match.
fn verifies(peer: &mut Peer, name: &str) {
    peer.types(&[&format!("/verify {}", name.to_lowercase()), "yes"]);
    peer.sees(&format!("{name} is verified"));
}
