//! The keys in peers.toml. Each becomes a contact with the listed addresses as hints.
//!
//! peers.toml takes nothing from the known contacts: a blocked key stays blocked, and the other
//! contacts keep their names and addresses. The program warns if a listed key has the address of a
//! verified contact.
//!
//! `./peers.toml` can be part of the directory that the program starts in, and so from another
//! person. The user is asked about its keys, and its contacts are for the run: the core makes them,
//! and nothing here is changed.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::{MAX_CONTACTS, MAX_HINTS, Pin, StaticPeer, Trust};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::folded;

/// Makes the static peers with a key contacts, and drops the entry with our own key, `me`. `now` is
/// in seconds since 1970. Returns warnings for the user, as whole sentences.
pub(crate) fn configure(
    pins: &mut BTreeMap<PublicKey, Pin>,
    peers: &mut Vec<StaticPeer>,
    me: PublicKey,
    now: u64,
) -> Vec<String> {
    // The entry means us, even if another program has our old address now.
    peers.retain(|peer| peer.key != Some(me));
    let contacts = pins.values().filter(|pin| pin.contact && !pin.blocked);
    let named = contacts.flat_map(|pin| &pin.name);
    let mut names: BTreeSet<String> = named.map(|name| folded(name.as_str())).collect();
    let mut warnings = Vec::new();
    for peer in peers {
        let Some(key) = peer.key else { continue };
        let known = pins.get(&key);
        if known.is_some_and(|pin| pin.blocked) {
            let (addr, key) = (&peer.addr, key.grouped());
            warnings
                .push(format!("The key that peers.toml has for {addr} is blocked and stays blocked: {key}."));
            continue;
        }
        let listed: Vec<PeerAddr> = peer.addrs().collect();
        if known.is_none_or(|pin| pin.trust() != Trust::Verified) {
            warnings.extend(listed.iter().flat_map(|addr| warnings_for(pins, *addr, key)));
        }
        let is_contact = known.is_some_and(|pin| pin.contact);
        if !is_contact && pins.values().filter(|pin| pin.contact).count() >= MAX_CONTACTS {
            warnings.push(format!(
                "There are already {MAX_CONTACTS} contacts, so the key that peers.toml has for {} was \
                     not added.",
                peer.addr
            ));
            continue;
        }
        if peer.for_run {
            continue;
        }
        let mut pin = known.cloned().unwrap_or_else(|| Pin {
            key,
            // Another contact's name is judged when the peer claims it.
            name: peer.name.clone().filter(|name| names.insert(folded(name.as_str()))),
            contact: true,
            addrs: Vec::new(),
            given: Vec::new(),
            first_seen: now,
            verified: None,
            blocked: false,
        });
        pin.contact = true;
        add(&mut pin.addrs, &listed);
        add(&mut pin.given, &listed);
        pins.insert(key, pin);
    }
    warnings
}

/// Returns the entries for this run with a key that the user has not decided about: it is no
/// contact, not blocked, and not our own, `me`.
pub(crate) fn undecided<'a>(
    pins: &'a BTreeMap<PublicKey, Pin>,
    peers: &'a [StaticPeer],
    me: PublicKey,
) -> impl Iterator<Item = (&'a StaticPeer, PublicKey)> {
    let keyed = peers.iter().filter(|peer| peer.for_run).filter_map(|peer| Some((peer, peer.key?)));
    keyed.filter(move |(_, key)| *key != me && !pins.get(key).is_some_and(|pin| pin.contact || pin.blocked))
}

/// Returns warnings about verified contacts with another key that have a listed address.
fn warnings_for(
    pins: &BTreeMap<PublicKey, Pin>,
    addr: PeerAddr,
    listed: PublicKey,
) -> impl Iterator<Item = String> {
    let is_verified =
        move |pin: &&Pin| pin.key != listed && pin.trust() == Trust::Verified && pin.addrs.contains(&addr);
    pins.values().filter(is_verified).map(move |pin| {
        let name = pin.name.as_ref().map_or_else(|| "a contact".into(), ToString::to_string);
        let key = pin.key.grouped();
        format!(
            "The key that peers.toml has for {addr} is not the verified key of {name}. \
                 Messages for {name} still go only to the verified key: {key}."
        )
    })
}

/// Adds listed addresses after the known ones, which are more likely to work. If there is no room,
/// they replace the last known ones that are not listed.
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

#[cfg(test)]
mod tests;
