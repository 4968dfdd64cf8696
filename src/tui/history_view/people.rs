//! The peers in the history: their labels, which are those of the chat, and the peers that a word
//! means. Pure.

use std::collections::{HashMap, HashSet};

use crate::core::{PeerInfo, Pin, Verification};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, folded, quoted};
use crate::model::peer_id::{PeerId, Recipient};
use crate::model::stored::Assurance;
use crate::tui::labels::{self, Labels, MARK, Standing};

/// The minimum length of the beginning of a key, as everywhere in the program.
const SHORTEST_BEGINNING: usize = 4;

/// Peers that are named when a word means none of them, at most: as many as fit into a line.
const SUGGESTED: usize = 5;

/// All peers with messages.
pub struct People {
    /// The last name of each peer, the latest first.
    peers: Vec<(Recipient, Option<PeerName>)>,
    last: HashMap<Recipient, PeerName>,
    /// How many peers have each name.
    owners: HashMap<String, usize>,
    labels: Labels,
    own_name: String,
    /// The peers that only the history knows.
    former: HashSet<Recipient>,
}

impl People {
    /// Creates the list from the peers of a store with their last names, the latest first.
    pub fn new(peers: Vec<(Recipient, Option<PeerName>)>) -> Self {
        let named = || peers.iter().filter_map(|(peer, name)| Some((*peer, name.as_ref()?)));
        let last = named().map(|(peer, name)| (peer, name.clone())).collect();
        let mut owners = HashMap::new();
        for (_, name) in named() {
            *owners.entry(folded(name.as_str())).or_default() += 1;
        }
        Self {
            last,
            owners,
            peers,
            labels: Labels::default(),
            own_name: String::new(),
            former: HashSet::new(),
        }
    }

    /// Gives the peers whose messages had no name the names of their pins.
    pub fn remembered<'a>(mut self, pins: impl IntoIterator<Item = &'a Pin>) -> Self {
        let nameless: HashSet<Recipient> =
            self.peers.iter().filter(|(_, name)| name.is_none()).map(|(peer, _)| *peer).collect();
        for pin in pins {
            let peer = Recipient::Peer(PeerId::Key(pin.key));
            if let Some(name) = pin.name.as_ref().filter(|_| nameless.contains(&peer)) {
                *self.owners.entry(folded(name.as_str())).or_default() += 1;
                self.last.insert(peer, name.clone());
            }
        }
        self
    }

    /// Uses the labels of the chat, or of the contacts. The other peers are strangers among them.
    pub fn labelled(mut self, labels: Labels) -> Self {
        self.labels = labels;
        for (peer, _) in &self.peers {
            let Some(name) = self.last.get(peer).filter(|_| self.labels.known(*peer).is_none()) else {
                continue;
            };
            let (name, verification) = (Some(name.clone()), Verification::Unknown);
            let who = PeerInfo { id: *peer, name, addr: None, claimed: None, verification };
            self.labels.meet(&who, |_| Standing::Stranger);
            self.former.insert(*peer);
            if self.labels.known(*peer).is_none() {
                // No more labels are possible.
                break;
            }
        }
        self
    }

    /// Sets the name of the user.
    pub fn with_own_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.own_name);
        self
    }

    pub(crate) fn own_name(&self) -> &str {
        &self.own_name
    }

    /// Returns the label of a peer that had this name at the time, and the contact that the name
    /// looks like.
    pub fn called(&self, peer: Recipient, name: Option<&PeerName>) -> String {
        let label = self.label(peer, name);
        match self.labels.looks_like(peer, name.or(self.last.get(&peer))) {
            Some(other) => format!("{label} (looks like {other})"),
            None => label,
        }
    }

    /// Returns the label of a peer that had this name at the time. A bare name means a contact, a
    /// peer of the chat, or the only peer that has it now.
    fn label(&self, peer: Recipient, name: Option<&PeerName>) -> String {
        let is_former = self.former.contains(&peer);
        if let Some(label) = self.labels.known(peer).filter(|_| !is_former) {
            let is_clear = |name: &PeerName| label != name.as_str() || !reads_otherwise(name);
            let is_plain = self.labels.alias(peer).is_none();
            return match self.labels.name(peer).map(PeerName::new).filter(|name| is_plain && !is_clear(name))
            {
                Some(name) => self.labels.suffixed_as(peer, &name),
                None => label,
            };
        }
        let last = self.last.get(&peer);
        let Some(name) = name.or(last) else { return self.labels.label(peer, None) };
        let is_last = last.is_some_and(|last| folded(last.as_str()) == folded(name.as_str()));
        let is_only = || self.owners.get(&folded(name.as_str())) == Some(&1);
        let is_free = || self.labels.known(peer).is_none_or(|label| label == name.as_str());
        if is_last && is_only() && is_free() && !reads_otherwise(name) {
            return name.to_string();
        }
        self.labels.suffixed_as(peer, name)
    }

    /// The stored conversations of a peer: those with its key, or with its legacy peer and its
    /// unproven address.
    pub fn with(&self, id: Recipient) -> Vec<Recipient> {
        let is_it = |peer: &Recipient| *peer == id || (id.addr().is_some() && peer.addr() == id.addr());
        self.peers.iter().map(|(peer, _)| *peer).filter(is_it).collect()
    }

    /// Returns the peers that a word means: the peer at an address, all peers with this name, or
    /// the peer whose key begins like this.
    ///
    /// # Errors
    ///
    /// A sentence that names the peers in the history.
    pub fn meant(&self, word: &str, addr: Option<PeerAddr>, pins: &[Pin]) -> Result<Vec<Recipient>, String> {
        let known = |found: Vec<Recipient>| (!found.is_empty()).then_some(found);
        let all = || self.peers.iter().map(|(peer, _)| *peer);
        if let Some(addr) = addr {
            let was_there =
                |key: PublicKey| pins.iter().any(|pin| pin.key == key && pin.addrs.contains(&addr));
            let is_there = |peer: &Recipient| match peer {
                Recipient::Peer(PeerId::Key(key)) => was_there(*key),
                Recipient::Peer(PeerId::Legacy(_)) | Recipient::Address(_) => peer.addr() == Some(addr),
            };
            return known(all().filter(is_there).collect()).ok_or_else(|| self.nobody(word));
        }
        let wanted = folded(PeerName::new(word).as_str());
        let pinned = |peer: &Recipient| {
            let of = |pin: &&Pin| Recipient::Peer(PeerId::Key(pin.key)) == *peer;
            pins.iter().find(of).and_then(|pin| pin.name.as_ref())
        };
        let is_called = |peer: &Recipient| {
            let names = [self.last.get(peer), pinned(peer)];
            names.into_iter().flatten().any(|name| folded(name.as_str()) == wanted)
        };
        if let Some(found) = known(all().filter(is_called).collect()) {
            return Ok(found);
        }
        // As on screen: the name, the mark, and the suffix. The chat shows less of a key.
        // A colon is easier to type than the mark.
        let with_mark = wanted.replace(':', &MARK.to_string());
        let shown = |peer: &Recipient| {
            let called = folded(&self.label(*peer, None));
            called == wanted || called == with_mark || is_beginning(&with_mark, &called, *peer)
        };
        if let Some(found) = known(all().filter(shown).collect()) {
            return Ok(found);
        }
        let start: String = word.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let start = start.to_lowercase();
        let begins = |peer: &Recipient| matches!(peer, Recipient::Peer(PeerId::Key(key)) if start.len() >= SHORTEST_BEGINNING && key.to_string().starts_with(&start));
        let found: Vec<Recipient> = all().filter(begins).collect();
        match found.len() {
            0 => Err(self.nobody(word)),
            1 => Ok(found),
            count => Err(format!(
                "{count} keys begin with `{}`; type more of the one that you mean.",
                quoted(word)
            )),
        }
    }

    fn nobody(&self, word: &str) -> String {
        let there: Vec<String> =
            self.peers.iter().take(SUGGESTED).map(|(peer, name)| self.called(*peer, name.as_ref())).collect();
        let more = match self.peers.len().saturating_sub(SUGGESTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!(
            "No messages with \"{}\". There are messages with {}{more}. Type a name, an ip:port or the beginning of a key.",
            quoted(word),
            there.join(", ")
        )
    }
}

/// Returns the remark after a name, in brackets.
pub(crate) fn remark(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Plain => " (unencrypted)",
        Assurance::Encrypted => "",
        Assurance::Verified => " (verified)",
        Assurance::Claimed => " (unencrypted, unproven)",
    }
}

/// Whether a word is the name of the peer called `called` with the beginning of its key, as the
/// chat shows it.
fn is_beginning(word: &str, called: &str, peer: Recipient) -> bool {
    let (Some((name, start)), Some(key)) = (word.split_once(MARK), peer.public_key()) else {
        return false;
    };
    let is_name = called.split(MARK).next() == Some(name);
    is_name && start.len() >= SHORTEST_BEGINNING && key.to_string().starts_with(start)
}

/// Returns whether a reader might take a name for something else in a line: the user, several
/// names, a remark or a mark.
fn reads_otherwise(name: &PeerName) -> bool {
    let folded = folded(name.as_str());
    labels::reads_otherwise(name.as_str())
        || folded == "you"
        || folded.contains(|c: char| c.is_whitespace() || [',', MARK].contains(&c))
}

#[cfg(test)]
mod tests {
    use super::super::examples::{at, key};
    use super::*;
    use crate::tui::examples::pin;

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
        let people = People::new(vec![(key(1), None), (key(2), name("Carol"))]);
        let people = people.remembered(&[pin("Bob", 1), pin("Other", 2)]);
        assert_eq!(people.called(key(1), None), "Bob");
        assert_eq!(people.called(key(2), None), "Carol");
    }

    #[test]
    fn a_bare_name_is_that_of_one_only() {
        let people = people();
        let called = |peer, text: &str| people.called(peer, name(text).as_ref());
        assert_eq!(called(key(1), "Bob"), "Bob");
        assert_eq!(called(key(2), "Carol"), "Carol·aiba");
        assert_eq!(called(at(5001), "carol"), "carol·5001");
        // A former name of one peer can be the name of another.
        assert_eq!(called(key(3), "Bob"), "Bob·ambq");
        assert_eq!(called(key(255), "you"), "you·7777");
        for forged in ["all", "Bob (verified)", "Bob:hi", "Bob, Carol", "*", "Bob·aibaeaqc"] {
            let people = People::new(vec![(key(1), name(forged))]);
            assert!(people.called(key(1), name(forged).as_ref()).ends_with("·aeaq"), "{forged}");
        }
        assert_eq!(people.called(key(1), None), "Bob");
        assert_eq!(people.called(at(5002), None), "127.0.0.1:5002");
        assert_eq!(people.called(key(9), None), "beeqscij");
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
            assert!(sentence.contains(" There are messages with Bob, Carol·aiba, "), "{sentence}");
            assert!(sentence.contains(" and 2 more. Type "), "{sentence}");
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
        let pin = Pin { addrs: vec![addr], ..pin("Robert", 1) };
        let people = people();
        assert_eq!(people.meant("127.0.0.1:7000", Some(addr), std::slice::from_ref(&pin)), Ok(vec![key(1)]));
        assert_eq!(people.meant("robert", None, &[pin]), Ok(vec![key(1)]));
    }
}
