//! A faulty network, and what each side is told.
//!
//! Whatever happens to a connection, a message is shown at most once, "Delivered" is never said of
//! a message that was not shown, every message has exactly one outcome, a hanging peer delays no
//! other, and when the network works again, all peers find each other without a restart. The first
//! outcome of a message to a p2p-chat peer may be that it is queued. Then it arrives as soon as the
//! network allows.

mod ledger;
mod legacies;
mod mixture;
mod ours;

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use crate::support::{Fault, Faulty, Outcome, Peer, SOON};
use ledger::{arrived_later, outcomes, says_at, shown_times};

/// How long a list is looked at before the next one.
const LOOK: Duration = Duration::from_millis(100);

/// Two of ours, each behind a proxy of their own, who know the other by its key.
struct Pair {
    alice: Peer,
    bob: Peer,
    to_alice: Faulty,
    to_bob: Faulty,
}

impl Pair {
    fn new() -> Self {
        let (to_alice, to_bob) = (Faulty::new(), Faulty::new());
        let mut alice = to_alice.before(Peer::named("Alice")).knows(to_bob.addr()).start();
        let mut bob = to_bob.before(Peer::named("Bob")).knows(to_alice.addr()).start();
        alice.meets_at(&format!("Bob ({})", to_bob.addr()));
        bob.meets_at(&format!("Alice ({})", to_alice.addr()));
        // Until a peer has proven itself at its address in peers.toml, that is a row of its own.
        for peer in [&mut alice, &mut bob] {
            let deadline = Instant::now() + SOON;
            while !peer.sees_in_time("1 peer, 1 online.", LOOK) {
                assert!(Instant::now() < deadline, "{:#?}", peer.printed());
                peer.lists_all();
            }
        }
        Self { alice, bob, to_alice, to_bob }
    }

    /// Alice says something to Bob, and is told what became of it.
    fn alice_says(&mut self, text: &str) -> Outcome {
        says_at(&mut self.alice, self.to_bob.addr(), text)
    }

    /// From now on this goes wrong between Alice and Bob, whichever of them dials. Their session
    /// breaks.
    fn suffers(&self, fault: Fault) {
        for way in [&self.to_bob, &self.to_alice] {
            way.does(fault);
            way.breaks_all();
        }
    }

    /// How often Bob was shown exactly this from Alice, once the network is well and everything on
    /// its way has come.
    fn bob_was_shown(&mut self, text: &str) -> usize {
        for way in [&self.to_bob, &self.to_alice] {
            way.heals();
            way.breaks_all();
        }
        // Texts keep their order, so what comes after the faults is shown after everything that
        // waited.
        static LAST: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let last = format!("last-{}.", LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let outcome = self.alice_says(&last);
        assert!(matches!(outcome, Outcome::Delivered | Outcome::Queued), "{outcome:?}");
        self.bob.has_seen(&format!("[encrypted]: {last}"));
        shown_times(&self.bob.printed(), text)
    }
}

fn here(name: &str, addr: SocketAddrV4) -> String {
    format!("* {name} ({addr}) is online")
}
