//! Finds the recipient that a word of the user means: `all`, a row number, an address, a name or
//! the beginning of a key. Pure.
//!
//! An exact contact name wins, then the only contact whose name begins with the word. A stranger is
//! found only by its exact name. If several peers match, the user is asked.

use std::collections::HashSet;
use std::net::IpAddr;

use super::labels::{Labels, MARK};
use super::message::ALL;
use super::render::{name_of, place, refused_words, request_words};
use crate::core::{IntroducedPeer, Meeting, PeerInfo, PeerRequest, Pin, PresenceStatus, Row, Target};
use crate::model::address::{AddrError, PeerAddr, SourcePrefix};
use crate::model::host::{Endpoint, HostAddr};
use crate::model::invitation::SCHEME;
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, folded, shortened};
use crate::model::peer_id::Recipient;
use crate::model::untrusted::harmless;

/// How many columns of a mistaken entry a sentence repeats.
const SHOWN_AGAIN: usize = 40;

/// Where the prompt looks up recipients.
pub trait Directory {
    /// The peer list.
    fn rows(&self) -> Vec<Row>;
    /// The contacts known by key that are not in the peer list.
    fn contacts(&self) -> Vec<Pin> {
        Vec::new()
    }
    /// The blocked contacts.
    fn blocked(&self) -> Vec<Pin> {
        Vec::new()
    }
    /// The blocked legacy peers.
    fn blocked_legacy(&self) -> Vec<PeerInfo> {
        Vec::new()
    }
    /// The blocked sources.
    fn blocked_sources(&self) -> Vec<SourcePrefix> {
        Vec::new()
    }
    /// The recipients that an address means: the contacts with a key that have proven themselves
    /// there, or the legacy peer or the unproven address.
    fn at(&self, addr: PeerAddr) -> Vec<Recipient>;
    /// Returns whether an address is our own.
    fn is_own(&self, addr: PeerAddr) -> bool;
    /// Returns whether a key is our own.
    fn is_own_key(&self, _key: PublicKey) -> bool {
        false
    }
    /// The labels of the peers.
    fn labels(&self) -> &Labels;
    /// The pin of a recipient that has a key.
    fn pin_of(&self, _id: Recipient) -> Option<Pin> {
        None
    }
    /// The pins that a word of the user may mean: an exact name, or the beginning of a key.
    fn pins_named(&self, _word: &str) -> Vec<Pin> {
        Vec::new()
    }
    /// Returns the pending requests.
    fn requests(&self) -> Vec<PeerRequest> {
        Vec::new()
    }
    /// The pending requests that a word may mean: a name, the beginning of a key, or the address of
    /// a legacy peer.
    fn requests_for(&self, _word: &str) -> Vec<PeerRequest> {
        Vec::new()
    }
    /// The strangers that the policy refused and that a word may mean, in the same way.
    fn refused_for(&self, _word: &str) -> Vec<Meeting> {
        Vec::new()
    }
    /// Returns the introductions that wait for the user's decision.
    fn introductions(&self) -> Vec<IntroducedPeer> {
        Vec::new()
    }
    /// Returns the introductions that the user has ignored and can still accept.
    fn ignored_introductions(&self) -> Vec<IntroducedPeer> {
        Vec::new()
    }
    /// Returns whether a peer has asked in this run to compare safety numbers.
    fn has_asked_to_verify(&self, _id: Recipient) -> bool {
        false
    }
    /// The safety number with a key.
    fn code_with(&self, key: PublicKey) -> String;
    /// Returns how many messages wait for a recipient.
    fn queued(&self, _id: Recipient) -> usize {
        0
    }
    /// Returns the discovered strangers that are not in the list.
    fn discovered(&self) -> Vec<PeerInfo> {
        Vec::new()
    }
    /// Parses a word as an address. A directory that knows the interfaces of the machine also takes
    /// their names.
    ///
    /// # Errors
    /// The reason why the word is not an address.
    fn address(&self, word: &str) -> Result<PeerAddr, AddrError> {
        word.parse()
    }
}

/// A chosen recipient with its label.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// The recipients.
    pub target: Target,
    /// Its name in sentences and prompts.
    pub label: String,
}

impl Chosen {
    /// One peer.
    pub fn one(id: Recipient, label: String) -> Self {
        Self { target: Target::These(vec![id]), label }
    }

    /// All online peers, but no unencrypted strangers.
    pub fn all() -> Self {
        Self { target: Target::All, label: ALL.into() }
    }

    /// The recipient, if it is one peer.
    pub fn peer(&self) -> Option<Recipient> {
        match &self.target {
            Target::These(ids) if ids.len() == 1 => ids.first().copied(),
            _ => None,
        }
    }

    /// Replaces a recipient with another one. The label changes if it was the only recipient.
    pub(crate) fn replace(&mut self, from: Recipient, to: &Self) {
        if self.peer() == Some(from) {
            to.label.clone_into(&mut self.label);
        }
        if let (Some(to), Target::These(ids)) = (to.peer(), &mut self.target) {
            ids.iter_mut().filter(|id| **id == from).for_each(|id| *id = to);
        }
    }
}

/// The recipient that a word means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Named {
    /// The word means exactly this recipient.
    Exactly(Chosen),
    /// The only contact whose name begins with the word.
    Perhaps(Chosen),
    /// An IP without a port.
    NeedsPort(IpAddr),
}

/// Why a word names no recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Lost {
    /// No row has that number.
    NoNumber,
    /// It is our own address.
    Ourselves(PeerAddr),
    /// It looks like an address but is not one. The sentence says why.
    NoAddress(String),
    /// No peer has that name; the value is a similar name.
    Nobody(Option<String>),
    /// Several peers match; the sentence lists them.
    Several(String),
    /// The user has blocked a peer or a source: its name, and the word that unblocks it.
    Blocked(String, String),
    /// It waits for the user's decision, or was refused; the sentence says so.
    Waits(String),
}

/// Returns a text that the user typed, as a sentence quotes it.
pub(super) fn shown(text: &str) -> String {
    shortened(&harmless(text), SHOWN_AGAIN)
}

/// What can be typed for one peer.
const ONE_PEER: &str = "a name, number or ip:port";

/// What can be typed for a recipient.
pub(super) const WHOM: &str = "a name, number, ip:port or all";

/// Returns the sentence that a word names no contact, with a suggestion.
pub(super) fn did_you_mean(word: &str, near: &str) -> String {
    format!("No contact matches \"{}\". Did you mean {near}?", shown(word))
}

/// Returns words as a sentence, with a capital letter at the beginning.
fn sentence_of(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

impl Lost {
    /// Returns the sentence that explains the error, for a command to one peer.
    pub(super) fn sentence_for_one(&self, word: &str) -> String {
        let Self::Nobody(near) = self else { return self.sentence(word) };
        match near {
            Some(near) => did_you_mean(word, near),
            None => format!("No contact matches \"{}\". Type {ONE_PEER}.", shown(word)),
        }
    }

    /// Returns the sentence that explains the error.
    pub(super) fn sentence(&self, word: &str) -> String {
        match self {
            Self::NoNumber => format!("No peer has the number {}. /peers shows the list.", shown(word)),
            Self::Ourselves(addr) => format!("{addr} is your own address."),
            Self::NoAddress(sentence) | Self::Several(sentence) | Self::Waits(sentence) => sentence.clone(),
            Self::Nobody(Some(near)) => did_you_mean(word, near),
            Self::Blocked(name, word) => format!("{name} is blocked. /unblock {word} unblocks them."),
            Self::Nobody(None) => format!("No contact matches \"{}\". Type {WHOM}.", shown(word)),
        }
    }
}

/// How many characters of a key are enough to name a contact.
const CONTACT_KEY_CHARS: usize = 4;

/// How many characters of a key are enough to name a stranger. Any peer can create a key that
/// begins with a short word.
const STRANGER_KEY_CHARS: usize = 8;

/// A peer that a word may mean.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) id: Recipient,
    pub(super) label: String,
    pub(super) full_label: String,
    /// All its names in folded form: the label, the label with its suffix, and the name that the
    /// peer claims.
    names: Vec<String>,
    pub(super) is_contact: bool,
    pub(super) has_alias: bool,
    pub(super) has_name: bool,
    number: Option<u32>,
    pub(super) addr: Option<PeerAddr>,
    pub(super) is_gone: bool,
}

impl Candidate {
    fn new(id: Recipient, name: Option<&PeerName>, labels: &Labels) -> Self {
        let alias = labels.alias(id);
        let label = labels.label(id, name);
        let full_label = labels.full_label(id, name);
        let names = [Some(label.as_str()), Some(&full_label), name.map(PeerName::as_str)];
        Self {
            id,
            names: names.into_iter().flatten().map(folded).collect(),
            is_contact: alias.is_some(),
            has_alias: alias.is_some(),
            has_name: name.is_some() || alias.is_some(),
            number: None,
            addr: id.addr(),
            is_gone: true,
            label,
            full_label,
        }
    }

    fn of_row(row: &Row, labels: &Labels) -> Self {
        let candidate = Self::new(row.id, row.name.as_ref(), labels);
        Self {
            is_contact: row.contact || candidate.is_contact,
            number: Some(row.number),
            addr: row.addr,
            is_gone: row.state == PresenceStatus::Offline,
            ..candidate
        }
    }

    fn of_pin(pin: &Pin, labels: &Labels) -> Self {
        let candidate = Self::new(Recipient::key(pin.key), pin.name.as_ref(), labels);
        Self { is_contact: true, addr: pin.addrs.first().copied(), ..candidate }
    }

    fn chosen(&self) -> Chosen {
        Chosen::one(self.id, self.label.clone())
    }

    fn is_called(&self, wanted: &str) -> bool {
        self.names.iter().any(|name| name == wanted)
    }

    /// Whether a word is one of its names. A colon is easier to type than the mark before a suffix.
    fn is_meant(&self, word: &str) -> bool {
        let wanted = folded(word);
        self.is_called(&wanted) || self.is_called(&wanted.replace(':', &MARK.to_string()))
    }

    fn begins(&self, wanted: &str) -> bool {
        self.names.iter().any(|name| name.starts_with(wanted))
    }

    fn has_key(&self, beginning: &str) -> bool {
        let chars = if self.is_contact { CONTACT_KEY_CHARS } else { STRANGER_KEY_CHARS };
        let key = self.id.public_key().filter(|_| beginning.len() >= chars);
        key.is_some_and(|key| key.to_string().starts_with(beginning))
    }
}

/// Returns all recipients that a name can mean: the rows, the contacts without a row, and all other
/// peers with an alias.
pub(super) fn candidates(directory: &dyn Directory) -> Vec<Candidate> {
    let labels = directory.labels();
    let rows = directory.rows();
    let mut all: Vec<Candidate> = rows.iter().map(|row| Candidate::of_row(row, labels)).collect();
    all.extend(directory.contacts().iter().map(|pin| Candidate::of_pin(pin, labels)));
    let aliased = all.iter().filter(|known| known.has_alias).map(|known| known.label.clone());
    let aliased: HashSet<String> = aliased.collect();
    let unlisted = labels.aliases().filter(|(_, name)| !aliased.contains(name.as_str()));
    all.extend(unlisted.map(|(id, _)| Candidate::new(unproven_or(id, directory), None, labels)));
    all
}

/// The legacy peer that has an alias, or its address if it is unproven.
fn unproven_or(id: Recipient, directory: &dyn Directory) -> Recipient {
    let there = id.addr().map(|addr| directory.at(addr)).unwrap_or_default();
    match there[..] {
        [there] if there.addr() == id.addr() => there,
        _ => id,
    }
}

/// Returns the recipient that `word` means: `all`, a row number, an address, an IP, or the start of
/// a name.
pub(super) fn find(word: &str, directory: &dyn Directory) -> Result<Named, Lost> {
    if word.eq_ignore_ascii_case("all") {
        return Ok(Named::Exactly(Chosen::all()));
    }
    if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) {
        let rows = directory.rows();
        let row = rows.iter().find(|row| row.number.to_string() == word).ok_or(Lost::NoNumber)?;
        return Ok(Named::Exactly(Candidate::of_row(row, directory.labels()).chosen()));
    }
    if let Ok(ip) = word.parse::<IpAddr>() {
        return Ok(Named::NeedsPort(ip));
    }
    let all = candidates(directory);
    let address = directory.address(word);
    match &address {
        Ok(addr) if directory.is_own(*addr) => return Err(Lost::Ourselves(*addr)),
        Ok(addr) => {
            is_free(*addr, &all, directory)?;
            return at_address(word, *addr, &all, directory).map(Named::Exactly);
        }
        Err(_) => {}
    }
    by_name(word, &all).map_err(|lost| {
        let Lost::Nobody(near) = lost else { return lost };
        let requests = directory.requests_for(word);
        if let Some(request) = requests.first() {
            return Lost::Waits(sentence_of(&request_words(request, &requests, directory.labels())));
        }
        // The latest one.
        if let [others @ .., met] = &directory.refused_for(word)[..] {
            return Lost::Waits(refused_words(met, !others.is_empty(), directory.labels()));
        }
        if let Some(who) = discovered(word, directory) {
            let word = shown(word);
            let name = who.name.map_or_else(|| word.clone(), |name| name.to_string());
            return Lost::Waits(format!("{name} is not connected yet: /connect {word}"));
        }
        if let [who, ..] = &blocked_legacy_called(word, directory)[..] {
            return Lost::Blocked(label_of(who, directory), shown(word));
        }
        match (&blocked_called(word, directory)[..], address) {
            ([pin, ..], _) => Lost::Blocked(name_of(pin), shown(word)),
            ([], Err(_)) if word.trim_start_matches('\'').starts_with(SCHEME) => {
                Lost::NoAddress("This is an invitation: type it after /add, without quotes.".into())
            }
            ([], Err(error)) if word.contains(':') => {
                let why = Endpoint::or_host(word, error).err();
                Lost::NoAddress(why.map_or_else(
                    || format!("No peer is known at {0} yet. Type /connect {0} first.", shown(word)),
                    |error| error.to_string(),
                ))
            }
            ([], _) => Lost::Nobody(near),
        }
    })
}

/// Returns the blocked contacts that a word means: by name, by name and suffix, or by the beginning
/// of a key.
pub(super) fn blocked_called(word: &str, directory: &dyn Directory) -> Vec<Pin> {
    let start = folded(word).replace(['-', ' '], "");
    let fits = |pin: &Pin| {
        let known = Candidate::of_pin(pin, directory.labels());
        known.is_meant(word) || known.has_key(&start)
    };
    directory.blocked().into_iter().filter(fits).collect()
}

/// Returns the blocked legacy peers that a word means: by name or by address.
pub(super) fn blocked_legacy_called(word: &str, directory: &dyn Directory) -> Vec<PeerInfo> {
    let addr = directory.address(word).ok();
    let fits = |who: &PeerInfo| {
        let known = Candidate::new(who.id, who.name.as_ref(), directory.labels());
        known.is_meant(word) || addr.is_some() && who.addr == addr
    };
    directory.blocked_legacy().into_iter().filter(fits).collect()
}

/// Returns the label of a blocked legacy peer, or else its name or address.
pub(super) fn label_of(who: &PeerInfo, directory: &dyn Directory) -> String {
    let name = || who.name.as_ref().map_or_else(|| place(who.id, who.addr), ToString::to_string);
    directory.labels().known(who.id).unwrap_or_else(name)
}

/// Checks that neither the legacy peer at an address nor its source is blocked. A block covers no
/// other contact there.
fn is_free(addr: PeerAddr, all: &[Candidate], directory: &dyn Directory) -> Result<(), Lost> {
    let there = directory.at(addr);
    let is_contact = |known: &Candidate| known.is_contact && there.contains(&known.id);
    if all.iter().any(is_contact) {
        return Ok(());
    }
    let is_key = there.iter().any(|id| id.public_key().is_some());
    if let Some(who) = directory.blocked_legacy().iter().find(|who| who.addr == Some(addr) && !is_key) {
        return Err(Lost::Blocked(label_of(who, directory), addr.to_string()));
    }
    let source = addr.share();
    if directory.blocked_sources().contains(&source) {
        return Err(Lost::Blocked(source.to_string(), source.to_string()));
    }
    Ok(())
}

/// Returns the peer to connect to. An address means the peer that is there now, not the contact
/// that was there before. A `connect` contains nothing that is meant for only one peer, and this is
/// how the user reaches a new peer at a contact's former address.
pub(super) fn find_to_connect(word: &str, directory: &dyn Directory) -> Result<Named, Lost> {
    match directory.address(word) {
        Ok(addr) if !directory.is_own(addr) => {
            is_free(addr, &candidates(directory), directory)?;
            Ok(Named::Exactly(Chosen::one(Recipient::Address(addr), addr.to_string())))
        }
        _ => find(word, directory).or_else(|lost| {
            let who = discovered(word, directory).ok_or(lost)?;
            Ok(Named::Exactly(Candidate::new(who.id, who.name.as_ref(), directory.labels()).chosen()))
        }),
    }
}

/// Returns the stranger on the local network that announces this name, or a key that begins like
/// this, if there is exactly one. Its address does not name it: any program may answer there.
pub(super) fn discovered(word: &str, directory: &dyn Directory) -> Option<PeerInfo> {
    let is_it = |who: &PeerInfo| {
        let known = Candidate::new(who.id, who.name.as_ref(), directory.labels());
        known.has_name && known.is_called(&folded(word)) || known.has_key(&folded(word))
    };
    let mut named = directory.discovered().into_iter().filter(is_it);
    named.next().filter(|_| named.next().is_none())
}

/// Returns the words that name the strangers on the local network.
pub(super) fn discovered_words(directory: &dyn Directory) -> Vec<String> {
    let label = |who: PeerInfo| directory.labels().label(who.id, who.name.as_ref());
    directory.discovered().into_iter().map(label).collect()
}

/// Returns the host name and port in a word, if the word means no known peer.
pub(super) fn host_meant(word: &str, directory: &dyn Directory) -> Option<HostAddr> {
    let host = word.parse().ok()?;
    let is_free = matches!(find(word, directory), Err(Lost::Nobody(_) | Lost::NoAddress(_)));
    is_free.then_some(host)
}

fn at_address(
    word: &str,
    addr: PeerAddr,
    all: &[Candidate],
    directory: &dyn Directory,
) -> Result<Chosen, Lost> {
    let ids = directory.at(addr);
    let known = |id: Recipient| all.iter().find(|known| known.id == id);
    match ids[..] {
        [] => Ok(Chosen::one(Recipient::Address(addr), addr.to_string())),
        [id] => {
            let label = || directory.labels().label(id, None);
            Ok(known(id).map_or_else(|| Chosen::one(id, label()), Candidate::chosen))
        }
        _ => {
            let fitting: Vec<&Candidate> = ids.iter().filter_map(|id| known(*id)).collect();
            Err(Lost::Several(which(word, &fitting)))
        }
    }
}

/// Returns the contact other than `id` that has this name, as its own or as its alias.
pub(crate) fn contact_called(name: &str, id: Recipient, directory: &dyn Directory) -> Option<Recipient> {
    let name = &folded(name);
    let is_another =
        |known: &Candidate| known.id != id && (known.id.addr().is_none() || known.id.addr() != id.addr());
    let mut all = candidates(directory).into_iter();
    all.find(|known| known.is_contact && is_another(known) && known.is_called(name)).map(|known| known.id)
}

/// Returns whether a peer other than `pin` has the same name, as its own or as its alias.
pub(super) fn has_namesake(pin: &Pin, directory: &dyn Directory) -> bool {
    let Some(name) = pin.name.as_ref().map(|name| folded(name.as_str())) else { return false };
    let blocked = directory.blocked();
    let blocked = blocked.iter().map(|pin| Candidate::of_pin(pin, directory.labels()));
    let mut all = candidates(directory).into_iter().chain(blocked);
    all.any(|known| known.id.public_key() != Some(pin.key) && known.is_called(&name))
}

/// How similar a name has to be to be suggested (1 is equal).
const ALIKE: f64 = 0.8;

/// Returns the recipient that a name means. An exact contact wins, then the only contact that
/// begins with the word. A stranger matches only by its exact name, and only if no contact begins
/// with the word.
pub(super) fn by_name(word: &str, all: &[Candidate]) -> Result<Named, Lost> {
    let wanted = &folded(word);
    // A colon is easier to type than the mark before a suffix.
    let with_mark = &wanted.replace(':', &MARK.to_string());
    let is_called = |known: &&Candidate| known.is_called(wanted) || known.is_called(with_mark);
    let has_label = |known: &&Candidate| [wanted, with_mark].contains(&&folded(&known.label));
    let one = |known: &Candidate| Ok(Named::Exactly(known.chosen()));
    let several = |fitting: &[&Candidate]| Err(Lost::Several(which(word, fitting)));
    if let Some(known) = all.iter().find(|known| known.has_alias && has_label(known)) {
        return one(known);
    }
    let (contacts, strangers): (Vec<_>, Vec<_>) = all.iter().partition(|known| known.is_contact);
    let exact: Vec<&Candidate> = contacts.iter().copied().filter(is_called).collect();
    match &exact[..] {
        [] => {}
        [only] => return one(only),
        // If two contacts have the same name, the label without a suffix is that of the first.
        _ => match &exact.iter().copied().filter(has_label).collect::<Vec<_>>()[..] {
            [only] => return one(only),
            _ => return several(&exact),
        },
    }
    let begins = |known: &&Candidate| !wanted.is_empty() && known.begins(wanted);
    let beginning: Vec<&Candidate> = contacts.into_iter().filter(begins).collect();
    let mut same: Vec<&Candidate> = strangers.into_iter().filter(is_called).collect();
    // If two strangers have the same name, the label decides, unless that peer is gone.
    if let Some(labelled) = same.iter().copied().find(has_label)
        && (!labelled.is_gone || same.iter().all(|known| known.is_gone))
    {
        same = vec![labelled];
    }
    match (&beginning[..], &same[..]) {
        ([], []) => {}
        ([only], []) => return Ok(Named::Perhaps(only.chosen())),
        ([], [only]) => return one(only),
        _ => return several(&[beginning, same].concat()),
    }
    let start = wanted.replace(['-', ' '], "");
    match &all.iter().filter(|known| known.has_key(&start)).collect::<Vec<_>>()[..] {
        [] => Err(Lost::Nobody(nearest(wanted, all))),
        [only] => one(only),
        keys => several(keys),
    }
}

fn nearest(wanted: &str, all: &[Candidate]) -> Option<String> {
    all.iter()
        .map(|known| (strsim::jaro_winkler(&folded(&known.label), wanted), &known.label))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, label)| label.clone())
}

/// The maximum number of peers that a question lists by name.
const MAX_NAMED: usize = 8;

fn which(word: &str, fitting: &[&Candidate]) -> String {
    let one = |known: &&Candidate| match known.number {
        Some(number) => format!("{number} for {} ({})", known.label, place(known.id, known.addr)),
        None => format!("{} ({})", known.full_label, known.id),
    };
    let mut named: Vec<String> = fitting.iter().take(MAX_NAMED).map(one).collect();
    if fitting.len() > MAX_NAMED {
        named.push(format!("and {} more in the list", fitting.len() - MAX_NAMED));
    }
    let has_numbers = fitting.iter().all(|known| known.number.is_some());
    let give = if has_numbers { "a number instead" } else { "a number or the whole name" };
    format!("\"{}\" matches {} peers. Type {give}: {}.", shown(word), fitting.len(), named.join(", "))
}
