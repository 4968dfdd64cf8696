//! What each peer is called here: its name, or the user's own nickname for it, so that no two are called the same. Pure.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::chat::{MAX_PEERS, Who};
use crate::model::address::PeerAddr;
use crate::model::name::{Name, PeerName};

/// Peers that labels are kept for: all that can be known, and as many that were. With more, those that are known no
/// longer lose theirs.
const MAX_LABELS: usize = 2 * MAX_PEERS;

/// What stands between a name and what tells it from another's.
pub(super) const MARK: char = '·';

/// The mark, and what looks like it.
const LIKE_THE_MARK: [char; 8] =
    [MARK, '\u{387}', '\u{2027}', '\u{2219}', '\u{22c5}', '\u{30fb}', '\u{a78f}', '\u{ff65}'];

/// What could pass for the sign of a verified peer, or for a word in brackets behind a name.
const LIKE_A_SIGN: [char; 12] = [
    super::words::VERIFIED,
    '\u{2714}',
    '\u{2705}',
    '\u{2611}',
    '\u{221a}',
    '\u{237b}',
    '\u{1f5f8}',
    '\u{1f5f9}',
    '(',
    ')',
    '[',
    ']',
];

/// A peer that calls itself something else than before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renamed {
    /// What it was called here until now.
    pub before: String,
    /// What it is called now.
    pub now: String,
}

#[derive(Clone, Debug)]
struct Given {
    name: PeerName,
    label: String,
}

/// The labels. A label belongs to the first who came with that name, for as long as it is known; whoever comes later
/// with the same name has its port, or its whole address, behind it.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    given: HashMap<PeerAddr, Given>,
    /// Whose each label is, by its [`key`].
    owners: HashMap<String, PeerAddr>,
    nicknames: BTreeMap<PeerAddr, Name>,
}

impl Labels {
    /// Labels with the user's nicknames.
    pub fn new(nicknames: BTreeMap<PeerAddr, Name>) -> Self {
        Self { nicknames, ..Self::default() }
    }

    /// Takes other nicknames. A peer whose label is now a nickname of another gets a new one when it is met again.
    pub fn set_nicknames(&mut self, nicknames: BTreeMap<PeerAddr, Name>) {
        self.nicknames = nicknames;
        let nicknames = &self.nicknames;
        let clashes = |addr: &PeerAddr, given: &Given| {
            nicknames.iter().any(|(other, name)| other != addr && same(name.as_str(), &given.label))
        };
        let gone: Vec<PeerAddr> =
            self.given.iter().filter(|(addr, given)| clashes(addr, given)).map(|(addr, _)| *addr).collect();
        gone.into_iter().for_each(|addr| self.forget(addr));
    }

    /// The user's nickname for a peer.
    pub fn nickname(&self, addr: PeerAddr) -> Option<&Name> {
        self.nicknames.get(&addr)
    }

    /// What whoever is at an address is called here, if they have been met or have a nickname.
    pub fn known(&self, addr: PeerAddr) -> Option<String> {
        let given = || self.given.get(&addr).map(|given| given.label.clone());
        self.nickname(addr).map(Name::to_string).or_else(given)
    }

    /// All the user's nicknames.
    pub fn nicknames(&self) -> impl Iterator<Item = (&PeerAddr, &Name)> {
        self.nicknames.iter()
    }

    /// Gives a peer its label, if it has a name; says so if it had another name before. `knows` tells who is known still.
    pub fn meet(&mut self, who: &Who, knows: impl Fn(PeerAddr) -> bool) -> Option<Renamed> {
        let name = who.name.as_ref()?;
        let before = match self.given.get(&who.addr) {
            Some(given) if given.name == *name => return None,
            Some(given) => Some(given.label.clone()),
            None => None,
        };
        self.forget(who.addr);
        if self.given.len() >= MAX_LABELS {
            self.given.retain(|addr, _| knows(*addr));
            let given = &self.given;
            self.owners.retain(|_, addr| given.contains_key(addr));
        }
        let label = self.free_label(who.addr, name, &knows);
        if self.given.len() < MAX_LABELS {
            if let Some(former) = self.owners.insert(key(&label), who.addr) {
                self.given.remove(&former);
            }
            self.given.insert(who.addr, Given { name: name.clone(), label: label.clone() });
        }
        before.map(|before| Renamed { before, now: label })
    }

    fn forget(&mut self, addr: PeerAddr) {
        if let Some(given) = self.given.remove(&addr) {
            self.owners.remove(&key(&given.label));
        }
    }

    fn free_label(&self, addr: PeerAddr, name: &PeerName, knows: &impl Fn(PeerAddr) -> bool) -> String {
        let free = |label: &str| {
            let owner = self.owners.get(&key(label));
            let nickname =
                self.nicknames.iter().any(|(other, name)| *other != addr && same(name.as_str(), label));
            !nickname && owner.is_none_or(|owner| !knows(*owner))
        };
        let plain = name.as_str();
        if free(plain) && !reads_otherwise(plain) {
            return plain.to_owned();
        }
        let with_port = format!("{plain}{MARK}{}", addr.port());
        if free(&with_port) { with_port } else { format!("{plain}{MARK}{addr}") }
    }

    /// What a peer is called: the user's nickname, its label, or its address if it has no name.
    pub fn label(&self, addr: PeerAddr, name: Option<&PeerName>) -> String {
        if let Some(nickname) = self.nicknames.get(&addr) {
            return nickname.to_string();
        }
        match (self.given.get(&addr), name) {
            (Some(given), _) => given.label.clone(),
            (None, Some(name)) => format!("{name}{MARK}{addr}"),
            (None, None) => addr.to_string(),
        }
    }

    /// The name behind a label, by which its colour is chosen: that of the same person at another port is the same.
    pub fn name(&self, addr: PeerAddr) -> Option<&str> {
        let nickname = self.nicknames.get(&addr).map(Name::as_str);
        nickname.or_else(|| self.given.get(&addr).map(|given| given.name.as_str()))
    }
}

/// What two labels have in common that look the same: the letters, whatever their size, without the selectors of the
/// emoji presentation, which take no room and change no letter.
fn key(label: &str) -> String {
    label.to_lowercase().replace(['\u{fe0e}', '\u{fe0f}'], "")
}

fn same(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

/// Whether the prompt would understand a name as something else, or a reader might: `*` begins what the program itself
/// says, `/` a command, a sign tells who is verified, and a number behind the mark what tells one of two from the other.
fn reads_otherwise(name: &str) -> bool {
    let name = &key(name);
    name.starts_with(|c: char| c.is_ascii_punctuation() && !matches!(c, '_' | '-' | '.'))
        || name.eq_ignore_ascii_case("all")
        || name.bytes().all(|byte| byte.is_ascii_digit())
        || name.parse::<PeerAddr>().is_ok()
        || name.parse::<IpAddr>().is_ok()
        || name.contains(LIKE_A_SIGN)
        || name.split(LIKE_THE_MARK).skip(1).any(|rest| rest.starts_with(char::is_numeric))
}

#[cfg(test)]
mod tests;
