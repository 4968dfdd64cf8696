//! The behaviour of p2p-chat, shown from outside in several ways.
//!
//! - With real processes and real sockets: most groups. Every scenario builds its peers with
//!   [`support`], on ports that the system chooses, in a directory of its own, and waits for what
//!   shall happen with a deadline. The programs of old are played by [`legacy`], the terminal is a
//!   pseudo-terminal ([`terminal`]), and a network that delays, breaks and loses stands between
//!   them in [`faults`]. Who gets a message when people change their addresses is in [`people`].
//! - The same on machines of their own, made of network namespaces: [`namespaces`], which say so
//!   and are skipped where they cannot be made.
//! - Without any process or socket, over the pure rooms of the library: [`simulator`] runs whole
//!   networks on a virtual clock, from a seed; [`harmless_output`] takes any bytes to the printed
//!   line; [`vectors`] decodes the examples of docs/PROTOCOL.md; [`fuzz`] replays the corpora of
//!   the fuzz targets.
//! - Without the program: [`architecture`] reads its source for which module imports which;
//!   [`documents`] and [`contributing`] check what the documents say, and [`readme`] runs it;
//!   [`legacy_selftest`] proves, over sockets, that the stand-ins do what the programs of old did.

mod architecture;
mod attacks;
mod configuring;
mod contacts;
mod contributing;
mod documents;
mod durable;
mod ending;
mod faults;
mod flood;
mod fuzz;
mod harmless_output;
mod history;
mod host_names;
mod hostile;
mod identity;
mod introductions;
mod invitations;
mod ipv6;
mod legacy;
mod legacy_selftest;
mod namespaces;
#[cfg(unix)]
mod people;
mod privacy;
mod profiles;
#[cfg(unix)]
mod readme;
mod receipts;
mod scripts;
mod secure;
mod shares;
mod simulator;
mod starting;
mod static_peers;
mod support;
mod talking;
#[cfg(unix)]
mod terminal;
mod vectors;
mod whole;
mod with_legacy;
