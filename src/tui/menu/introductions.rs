//! `/introduce`, and `/accept` and `/ignore` for an introduction.

use super::talk::{first_word, for_one_peer};
use super::trust::which;
use super::{Act, Directory, Named, Turn, act, find, perform, refused, shown};
use crate::core::{Command, IntroducedPeer};
use crate::model::key::PublicKey;
use crate::model::name::folded;
use crate::model::peer_id::{PeerId, Recipient};
use crate::tui::people::{Chosen, Lost, contact_called};
use crate::tui::render::beginning;

/// The minimum number of characters of a key that select an introduction.
const MIN_KEY_CHARS: usize = 4;

pub(in crate::tui) fn introduce(words: &str, directory: &dyn Directory) -> Turn {
    let (one, other) = first_word(words);
    if one.is_empty() || other.is_empty() || other.contains(char::is_whitespace) {
        return refused("Type two contacts, like /introduce bob carol.");
    }
    match (contact(one, directory), contact(other, directory)) {
        (Ok(one), Ok(other)) if one == other => refused("Type two different contacts."),
        (Ok(one), Ok(other)) => act(Act::Introduce([one, other])),
        (Err(sentence), _) | (_, Err(sentence)) => refused(sentence),
    }
}

fn contact(word: &str, directory: &dyn Directory) -> Result<PublicKey, String> {
    match find(word, directory) {
        Ok(Named::Exactly(chosen)) => {
            let key = chosen.peer().and_then(|id| id.public_key());
            let pin = key.and_then(|key| directory.pin_of(key.into()));
            let contact = pin.filter(|pin| pin.contact && !pin.blocked);
            contact.map(|pin| pin.key).ok_or_else(|| no_contact(&chosen, word))
        }
        Ok(Named::Perhaps(chosen)) => Err(crate::tui::people::did_you_mean(word, &chosen.label)),
        Ok(Named::NeedsPort(_)) => Err(format!("No contact matches \"{}\".", shown(word))),
        Err(lost) => Err(lost.sentence_for_one(word)),
    }
}

/// Says why a recipient cannot be introduced, and what would be right.
fn no_contact(chosen: &Chosen, word: &str) -> String {
    let label = &chosen.label;
    match chosen.peer() {
        None => for_one_peer("/introduce"),
        Some(Recipient::Peer(PeerId::Key(_))) => {
            format!("{label} is not a contact yet: /add {}", shown(word))
        }
        Some(Recipient::Peer(PeerId::Legacy(_))) => {
            format!("{label} is unencrypted and has no key, so they cannot be introduced.")
        }
        Some(Recipient::Address(_)) => format!("{label} has not shown a key yet: /connect {}", shown(word)),
    }
}

/// Returns the introductions that a word matches, by the name or by the beginning of the key.
pub(super) fn meant(word: &str, directory: &dyn Directory) -> Vec<IntroducedPeer> {
    matching(word, directory.introductions())
}

fn matching(word: &str, all: Vec<IntroducedPeer>) -> Vec<IntroducedPeer> {
    let name = folded(word);
    let start = word.to_ascii_lowercase();
    let fits = |one: &IntroducedPeer| {
        folded(one.name.as_str()) == name
            || word.len() >= MIN_KEY_CHARS && one.key.to_string().starts_with(&start)
    };
    all.into_iter().filter(fits).collect()
}

/// Handles `/accept carol` and `/accept carol 192.0.2.7:5000`. `None` if the word matches no
/// introduction.
pub(in crate::tui) fn accept(word: &str, addrs: &str, directory: &dyn Directory) -> Option<Turn> {
    let requests = directory.requests_for(word).into_iter().filter_map(|request| request.met.id.key());
    let mut meant = meant(word, directory);
    if meant.is_empty() {
        meant = matching(word, directory.ignored_introductions());
    }
    let introduction = match one_of("/accept", word, meant, requests.collect())? {
        Ok(introduction) => introduction,
        Err(turn) => return Some(turn),
    };
    let name = &introduction.name;
    if folded(word) == folded(name.as_str())
        && contact_called(name.as_str(), introduction.key.into(), directory).is_some()
    {
        let key = beginning(introduction.key);
        let sentence = format!("A contact is called {name} too. Type /accept {key} for the introduced one.");
        return Some(refused(sentence));
    }
    let addrs = match addrs {
        "" => None,
        "-" => Some(Vec::new()),
        addrs => match addrs.split_whitespace().map(|addr| directory.address(addr)).collect() {
            Ok(addrs) => Some(addrs),
            Err(error) => return Some(refused(error.to_string())),
        },
    };
    Some(act(Act::AcceptIntroduction { introduction, addrs }))
}

pub(in crate::tui) fn ignore(word: &str, directory: &dyn Directory) -> Turn {
    match one_of("/ignore", word, meant(word, directory), Vec::new()) {
        Some(Ok(introduction)) => perform(Command::IgnoreIntroduction(introduction.key)),
        Some(Err(turn)) => turn,
        None => {
            // A stranger that waits for the user's decision is accepted or blocked.
            let rest = match find(word, directory) {
                Err(Lost::Waits(sentence)) => sentence,
                _ => "/requests lists all.".to_owned(),
            };
            refused(format!("No introduction matches \"{}\". {rest}", shown(word)))
        }
    }
}

/// Returns the introduction among those that a word matches, or a refusal if it matches several
/// keys, also those in `others`. `None` if there is no such introduction.
fn one_of(
    command: &str,
    word: &str,
    meant: Vec<IntroducedPeer>,
    others: Vec<PublicKey>,
) -> Option<Result<IntroducedPeer, Turn>> {
    // If one key was introduced several times, takes the newest introduction.
    let newest = meant.last()?.clone();
    let mut keys: Vec<PublicKey> = meant.iter().map(|one| one.key).chain(others).collect();
    keys.sort();
    keys.dedup();
    if keys.len() == 1 {
        return Some(Ok(newest));
    }
    let keys: Vec<_> = keys.iter().map(|key| (beginning(*key), format!("key {}", key.short()))).collect();
    Some(Err(refused(which(command, word, &keys))))
}
