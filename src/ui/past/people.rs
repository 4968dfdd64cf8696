//! What those are called whom messages came from and went to, and who is meant by a word. Pure.

use std::collections::{HashMap, HashSet};

use crate::core::Pin;
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, folded, quoted};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::Assurance;

/// Characters of a key after a name: too many to find another key with them in a minute.
const BEGINNING: usize = 8;

/// Characters that the beginning of a key has at least, as everywhere in the program.
const SHORTEST_BEGINNING: usize = 4;

/// Parties that are named where a word means none of them: as many as a line bears.
const SUGGESTED: usize = 5;

/// What stands between a name and what tells it from another's.
const MARK: char = '·';

/// All peers with messages.
pub struct People {
    /// What they were called last, the latest first.
    parties: Vec<(Recipient, Option<PeerName>)>,
    last: HashMap<Recipient, PeerName>,
    /// How many are called so.
    owners: HashMap<String, usize>,
    /// What some are called in the chat that goes on.
    labels: HashMap<Recipient, String>,
}

impl People {
    /// Those whom a store knows, with what they were called last, the latest first.
    pub fn new(parties: Vec<(Recipient, Option<PeerName>)>) -> Self {
        let named = || parties.iter().filter_map(|(party, name)| Some((*party, name.as_ref()?)));
        let last = named().map(|(party, name)| (party, name.clone())).collect();
        let mut owners = HashMap::new();
        for (_, name) in named() {
            *owners.entry(folded(name.as_str())).or_default() += 1;
        }
        Self { last, owners, parties, labels: HashMap::new() }
    }

    /// The same people, of whom those whose messages never gave a name are called as what is
    /// remembered of their keys says.
    pub fn remembered<'a>(mut self, pins: impl IntoIterator<Item = &'a Pin>) -> Self {
        let nameless: HashSet<Recipient> =
            self.parties.iter().filter(|(_, name)| name.is_none()).map(|(party, _)| *party).collect();
        for pin in pins {
            let party = Recipient::Peer(PeerId::Key(pin.key));
            if let Some(name) = pin.name.as_ref().filter(|_| nameless.contains(&party)) {
                *self.owners.entry(folded(name.as_str())).or_default() += 1;
                self.last.insert(party, name.clone());
            }
        }
        self
    }

    /// The same people, of whom those are called so in the chat that goes on to whom `label` gives
    /// a name.
    pub fn labelled(mut self, label: impl Fn(Recipient) -> Option<String>) -> Self {
        self.labels = self.parties.iter().filter_map(|(party, _)| Some((*party, label(*party)?))).collect();
        self
    }

    /// Returns the label of a peer that had this name at the time. A bare name means the only peer
    /// that has it now. Others have the beginning of their key or their address after it.
    pub fn called(&self, party: Recipient, name: Option<&PeerName>) -> String {
        if let Some(label) = self.labels.get(&party) {
            return label.clone();
        }
        let last = self.last.get(&party);
        let Some(name) = name.or(last) else { return unnamed(party) };
        let is_last = last.is_some_and(|last| folded(last.as_str()) == folded(name.as_str()));
        if is_last && self.owners.get(&folded(name.as_str())) == Some(&1) && !reads_otherwise(name) {
            return name.to_string();
        }
        format!("{name}{MARK}{}", unnamed(party))
    }

    /// The stored conversations of a peer: those with its key, or with its legacy peer and its
    /// unproven address.
    pub fn with(&self, id: Recipient) -> Vec<Recipient> {
        let is_it = |party: &Recipient| *party == id || (id.addr().is_some() && party.addr() == id.addr());
        self.parties.iter().map(|(party, _)| *party).filter(is_it).collect()
    }

    /// Those whom a word means: the holder of an address, all that are called so, or the one whose
    /// key begins so.
    ///
    /// # Errors
    /// A sentence that names those there are.
    pub fn meant(&self, word: &str, addr: Option<PeerAddr>, pins: &[Pin]) -> Result<Vec<Recipient>, String> {
        let known = |found: Vec<Recipient>| (!found.is_empty()).then_some(found);
        let all = || self.parties.iter().map(|(party, _)| *party);
        if let Some(addr) = addr {
            let was_there =
                |key: PublicKey| pins.iter().any(|pin| pin.key == key && pin.addrs.contains(&addr));
            let is_there = |party: &Recipient| match party {
                Recipient::Peer(PeerId::Key(key)) => was_there(*key),
                Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => party.addr() == Some(addr),
            };
            return known(all().filter(is_there).collect()).ok_or_else(|| self.nobody(word));
        }
        let wanted = folded(PeerName::new(word).as_str());
        let pinned = |party: &Recipient| {
            let of = |pin: &&Pin| Recipient::Peer(PeerId::Key(pin.key)) == *party;
            pins.iter().find(of).and_then(|pin| pin.name.as_ref())
        };
        let is_called = |party: &Recipient| {
            let names = [self.last.get(party), pinned(party)];
            names.into_iter().flatten().any(|name| folded(name.as_str()) == wanted)
        };
        if let Some(found) = known(all().filter(is_called).collect()) {
            return Ok(found);
        }
        // As on screen: the name, the mark, and the suffix. The chat shows less of a key.
        // A colon is easier to type than the mark.
        let with_mark = wanted.replace(':', &MARK.to_string());
        let shown = |party: &Recipient| {
            let called = folded(&self.called(*party, None));
            called == wanted || called == with_mark || is_beginning(&with_mark, &called, *party)
        };
        if let Some(found) = known(all().filter(shown).collect()) {
            return Ok(found);
        }
        let start: String = word.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let start = start.to_lowercase();
        let begins = |party: &Recipient| matches!(party, Recipient::Peer(PeerId::Key(key)) if start.len() >= SHORTEST_BEGINNING && key.to_string().starts_with(&start));
        let found: Vec<Recipient> = all().filter(begins).collect();
        match found.len() {
            0 => Err(self.nobody(word)),
            1 => Ok(found),
            count => Err(format!(
                "{count} keys begin with `{}`; write more of the one that you mean.",
                quoted(word)
            )),
        }
    }

    fn nobody(&self, word: &str) -> String {
        let there: Vec<String> = self
            .parties
            .iter()
            .take(SUGGESTED)
            .map(|(party, name)| self.called(*party, name.as_ref()))
            .collect();
        let more = match self.parties.len().saturating_sub(SUGGESTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "Nothing is kept of `{}`; there is something of {}{more}. Give a name, an ip:port or the beginning of a key.",
            quoted(word),
            there.join(", ")
        )
    }
}

/// What is behind a name, in brackets.
pub(crate) fn remark(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Plain => " (plain)",
        Assurance::Encrypted => "",
        Assurance::Verified => " (verified)",
        Assurance::Claimed => " (plain, unproven)",
    }
}

/// Whether a word is the name of the peer called `called` with the beginning of its key, as the
/// chat shows it.
fn is_beginning(word: &str, called: &str, party: Recipient) -> bool {
    let (Some((name, start)), Some(key)) = (word.split_once(MARK), party.public_key()) else {
        return false;
    };
    let is_name = called.split(MARK).next() == Some(name);
    is_name && start.len() >= SHORTEST_BEGINNING && key.to_string().starts_with(start)
}

/// An address, or the beginning of a key.
fn unnamed(party: Recipient) -> String {
    match party {
        Recipient::Peer(PeerId::Key(key)) => key.to_string().chars().take(BEGINNING).collect(),
        Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => party.to_string(),
    }
}

/// Whether a reader might take a name for something else that stands in a line: for us, for
/// several, for a remark or a mark.
fn reads_otherwise(name: &PeerName) -> bool {
    let name = folded(name.as_str());
    name == "you"
        || name.starts_with(['*', '!', '/', '@'])
        || name.contains(|c: char| c.is_whitespace() || "()[],:".contains(c) || c == MARK)
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, key};
    use super::*;

    fn name(text: &str) -> Option<PeerName> {
        Some(PeerName::new(text))
    }

    fn people() -> People {
        People::new(vec![
            (key(1), name("Bob")),
            (key(2), name("Carol")),
            (at(5001), name("carol")),
            (key(255), name("you")),
            (at(5002), None),
            (key(3), name("Dave")),
            (key(4), name("Eve")),
        ])
    }

    #[test]
    fn nameless_sender_has_its_saved_name() {
        let pin = |key, called: &str| {
            let addrs = Vec::new();
            Pin {
                key,
                name: name(called),
                contact: true,
                addrs,
                given: Vec::new(),
                first_seen: 0,
                verified: None,
                blocked: false,
            }
        };
        let Recipient::Peer(PeerId::Key(first)) = key(1) else { panic!("a key") };
        let Recipient::Peer(PeerId::Key(second)) = key(2) else { panic!("a key") };
        let people = People::new(vec![(key(1), None), (key(2), name("Carol"))]);
        let people = people.remembered(&[pin(first, "Bob"), pin(second, "Other")]);
        assert_eq!(people.called(key(1), None), "Bob");
        assert_eq!(people.called(key(2), None), "Carol");
    }

    #[test]
    fn a_bare_name_is_that_of_one_only() {
        let people = people();
        let called = |party, text: &str| people.called(party, name(text).as_ref());
        assert_eq!(called(key(1), "Bob"), "Bob");
        assert_eq!(called(key(2), "Carol"), "Carol·aibaeaqc");
        assert_eq!(called(at(5001), "carol"), "carol·127.0.0.1:5001");
        // A former name of one peer can be the name of another.
        assert_eq!(called(key(3), "Bob"), format!("Bob·{}", unnamed(key(3))));
        assert_eq!(called(key(255), "you"), "you·77777777");
        for forged in ["you to Bob", "Bob (verified)", "Bob:", "Bob, Carol", "*", "Bob·aibaeaqc"] {
            let people = People::new(vec![(key(1), name(forged))]);
            assert!(people.called(key(1), name(forged).as_ref()).ends_with("·aeaqcaib"), "{forged}");
        }
        assert_eq!(people.called(key(1), None), "Bob");
        assert_eq!(people.called(at(5002), None), "127.0.0.1:5002");
        assert_eq!(people.called(key(9), None), unnamed(key(9)));
    }

    #[test]
    fn word_means_a_name_address_or_key() {
        let people = people();
        let meant = |word: &str| people.meant(word, word.parse().ok(), &[]);
        assert_eq!(meant("bob"), Ok(vec![key(1)]));
        assert_eq!(meant("CAROL"), Ok(vec![key(2), at(5001)]));
        assert_eq!(meant("127.0.0.1:5002"), Ok(vec![at(5002)]));
        assert_eq!(meant("7777"), Ok(vec![key(255)]));
        assert_eq!(meant("AEAQ caib"), Ok(vec![key(1)]));
        assert_eq!(meant("Carol·aibaeaqc"), Ok(vec![key(2)]));
        assert_eq!(meant("carol·aiba"), Ok(vec![key(2)]));
        assert_eq!(meant("carol:aiba"), Ok(vec![key(2)]));
        assert_eq!(meant("Carol:aibaeaqc"), Ok(vec![key(2)]));
        for wrong in ["777", "Zoe", "127.0.0.1:1", "", "Bo", "77778"] {
            let sentence = meant(wrong).unwrap_err();
            assert!(sentence.contains(" there is something of Bob, Carol·aibaeaqc, "), "{sentence}");
            assert!(sentence.contains(" and 2 more. Give "), "{sentence}");
        }
        let two = People::new(vec![
            (key(1), None),
            (
                Recipient::Peer(PeerId::Key(PublicKey::new(
                    [1; 31].iter().copied().chain([2]).collect::<Vec<u8>>().try_into().unwrap(),
                ))),
                None,
            ),
        ]);
        assert!(two.meant("aeaq", None, &[]).unwrap_err().starts_with("2 keys begin with `aeaq`"));
    }

    #[test]
    fn saved_address_and_name_mean_the_key() {
        let Recipient::Address(addr) = at(7000) else { unreachable!() };
        let Recipient::Peer(PeerId::Key(bob)) = key(1) else { unreachable!() };
        let pin = Pin {
            key: bob,
            name: name("Robert"),
            contact: true,
            addrs: vec![addr],
            given: Vec::new(),
            first_seen: 0,
            verified: None,
            blocked: false,
        };
        let people = people();
        assert_eq!(people.meant("127.0.0.1:7000", Some(addr), std::slice::from_ref(&pin)), Ok(vec![key(1)]));
        assert_eq!(people.meant("robert", None, &[pin]), Ok(vec![key(1)]));
    }
}
