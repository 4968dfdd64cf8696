//! What the sockets do for encrypted talk: dial it ([`Talker`]), accept it ([`Host`]), and tell the chat what came of it.
//!
//! In scope: which address to dial, how often, and how long; what an end of a connection means for what was to be said.
//! Out of scope: the exchange itself (`secure`), and what follows from it (the chat's).

mod ends;
mod host;
mod opening;
mod talker;

pub(super) use host::Host;
pub use opening::introduction;
pub(super) use talker::Talker;

#[cfg(test)]
mod tests;
