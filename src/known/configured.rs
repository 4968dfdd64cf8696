//! What the keys in peers.toml mean for what is remembered of others.
//!
//! A key that stands there is remembered as if it had been met at its addresses. It is as good as the file, which may have come with the directory that
//! the program is started in: so it wins over what was only met at its address, but not over a key that the user has compared, and whoever was
//! blocked stays blocked. Where it goes against anything that is remembered, that is told.

use std::collections::{BTreeMap, BTreeSet};

use super::KnownPeers;
use crate::chat::{MAX_HINTS, Pin, PinChange, StaticPeer, Trust};
use crate::model::address::PeerAddr;
use crate::model::key::{KEY_BYTES, PublicKey};
use crate::model::name::PeerName;

/// What can be done with them.
const HELP: &str = "If the one in peers.toml is right, take the other out of known_peers.toml while p2p-chat is not running.";

impl KnownPeers {
    /// Takes the keys of the static peers; `me` is our own, whose entry is dropped, and `now` is in seconds since 1970. An address of a key that
    /// the user has compared stays that key's, among `peers` too.
    ///
    /// Returns what the user has to be told, in whole sentences.
    pub fn configure(&mut self, peers: &mut Vec<StaticPeer>, me: PublicKey, now: u64) -> Vec<String> {
        // Whoever has our address now is somebody else, to whom nothing is said that was meant for us.
        peers.retain(|peer| peer.key != Some(me));
        // No two static peers have an address in common, so this stays true of the addresses of those that follow.
        let mut holders = Holders::of(self);
        let mut told = Vec::new();
        for peer in peers {
            let Some(key) = peer.key else { continue };
            let changes = self.changes(peer, key, now, &mut holders, &mut told);
            if let Err(error) = self.note(changes) {
                told.push(format!("{error} The key that peers.toml has for {} is one of them.", peer.addr));
            }
        }
        told
    }

    fn changes(
        &self,
        peer: &mut StaticPeer,
        key: PublicKey,
        now: u64,
        holders: &mut Holders,
        told: &mut Vec<String>,
    ) -> Vec<PinChange> {
        let known = self.pins.get(&key);
        let trust = known.map_or(Trust::Unpinned, Pin::trust);
        if trust == Trust::Blocked {
            let (addr, key) = (peer.addr, key.grouped());
            told.push(format!("The key that peers.toml has for {addr} is blocked and stays so: {key}."));
            return Vec::new();
        }
        let mut changes = BTreeMap::new();
        let mut addrs = Vec::new();
        for addr in [peer.addr].into_iter().chain(std::mem::take(&mut peer.also)) {
            let others =
                || holders.at(addr).filter(|other| *other != key).filter_map(|key| self.pins.get(&key));
            let verified = others().find(|other| other.trust() == Trust::Verified);
            if let Some(other) = verified.filter(|_| trust != Trust::Verified) {
                let (who, other_key) = (called(other), other.key.grouped());
                told.push(format!(
                    "peers.toml has another key for {addr} than that of {who}, which you have verified; that one holds: {other_key}. {HELP}"
                ));
                if addr == peer.addr {
                    peer.key = Some(other.key);
                    return Vec::new();
                }
                continue;
            }
            for other in others().filter(|other| other.trust() != Trust::Blocked) {
                let (who, other_key) = (called(other), other.key.grouped());
                told.push(format!(
                    "{who} is not expected at {addr} any more, for peers.toml has another key for it than {other_key}."
                ));
                let change = changes.entry(other.key).or_insert_with(|| other.clone());
                change.addrs.retain(|at| *at != addr);
            }
            addrs.push(addr);
        }
        peer.also = addrs[1..].to_vec();
        let mut pin = known.cloned().unwrap_or_else(|| Pin {
            key,
            // A name that is another's already it has to get in the usual way.
            name: peer.name.clone().filter(|name| holders.names.insert(folded(name))),
            addrs: Vec::new(),
            first_seen: now,
            verified: None,
            blocked: false,
        });
        add(&mut pin.addrs, &addrs);
        changes.into_values().chain([pin]).map(PinChange::Write).collect()
    }
}

/// Puts addresses that are listed behind the known ones, which are likelier. Where there is no room, known ones go that are not listed.
fn add(known: &mut Vec<PeerAddr>, listed: &[PeerAddr]) {
    for addr in listed.iter().take(MAX_HINTS) {
        if known.contains(addr) {
            continue;
        }
        if known.len() >= MAX_HINTS {
            let last = known.iter().rposition(|addr| !listed.contains(addr));
            last.map(|at| known.remove(at));
        }
        known.push(*addr);
    }
    known.truncate(MAX_HINTS);
}

/// What a person is called in a sentence.
fn called(pin: &Pin) -> String {
    pin.name.as_ref().map_or_else(|| "somebody".to_owned(), ToString::to_string)
}

/// Whose the addresses and the names are.
struct Holders {
    addrs: BTreeSet<(PeerAddr, PublicKey)>,
    names: BTreeSet<String>,
}

impl Holders {
    fn of(known: &KnownPeers) -> Self {
        let addrs = known.pins().flat_map(|pin| pin.addrs.iter().map(|addr| (*addr, pin.key)));
        let names = known.pins().filter(|pin| !pin.blocked).flat_map(|pin| &pin.name);
        Self { addrs: addrs.collect(), names: names.map(folded).collect() }
    }

    fn at(&self, addr: PeerAddr) -> impl Iterator<Item = PublicKey> {
        let first = (addr, PublicKey::new([0; KEY_BYTES]));
        self.addrs.range(first..).take_while(move |(at, _)| *at == addr).map(|(_, key)| *key)
    }
}

/// What names have in common that look the same, as in the rules of trust.
fn folded(name: &PeerName) -> String {
    name.as_str().to_lowercase().replace(['\u{fe0e}', '\u{fe0f}'], "")
}

#[cfg(test)]
mod tests;
