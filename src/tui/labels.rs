//! Gives each peer a label that no other peer has: the user's alias for it, its name, or its
//! name with a suffix from its key or its port. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use crate::core::{MAX_PEERS, PeerInfo, Verification};
use crate::model::address::PeerAddr;
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName, begins_otherwise, folded, is_reserved, resembled, skeletons};
use crate::model::peer_id::Recipient;

/// Peers with a label: all rows, and as many that have left the list. Beyond that, the labels of
/// forgotten peers are dropped.
const MAX_LABELS: usize = 2 * MAX_PEERS;

/// The character between a name and its suffix.
pub(super) const MARK: char = '·';

/// What follows a label before the name that it looks like.
pub(super) const LOOKS_LIKE: &str = " (looks like ";

/// The mark, and what looks like it.
const LIKE_THE_MARK: [char; 8] =
    [MARK, '\u{387}', '\u{2027}', '\u{2219}', '\u{22c5}', '\u{30fb}', '\u{a78f}', '\u{ff65}'];

/// What could pass for the sign of a verified peer, or for a word in brackets behind a name.
const LIKE_A_SIGN: [char; 12] = [
    super::render::VERIFIED,
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

/// What lines call the user.
const YOU: &str = "you";

/// Characters of a key in the suffix of a name: enough to tell two people apart, and quick to type.
const SUFFIX_CHARS: usize = 4;

/// Characters of a key if the short suffix is taken, and for a peer without a name: as many as the
/// screen shows of a key elsewhere.
const LONG_SUFFIX_CHARS: usize = 8;

/// What the program knows of a peer when a label is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// A contact: it keeps its plain name.
    Contact,
    /// A stranger in the peer list, or a blocked peer: a contact takes its plain name.
    Stranger,
    /// Neither a contact nor in the peer list. Another peer may take its label.
    Forgotten,
}

/// A peer whose label has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Renamed {
    /// The peer.
    pub id: Recipient,
    /// Its label until now.
    pub before: String,
    /// Its label from now on.
    pub now: String,
}

#[derive(Clone, Debug)]
struct Given {
    name: PeerName,
    label: String,
    /// Where the peer was when it was given the label.
    addr: Option<PeerAddr>,
    /// The skeletons of the names that its own can pass for.
    resembles: BTreeSet<String>,
}

/// Peers by the skeletons of their names.
#[derive(Clone, Debug, Default)]
struct BySkeleton(HashMap<String, BTreeSet<Recipient>>);

impl BySkeleton {
    fn insert(&mut self, id: Recipient, skeletons: BTreeSet<String>) {
        skeletons.into_iter().for_each(|skeleton| {
            self.0.entry(skeleton).or_default().insert(id);
        });
    }

    fn remove(&mut self, id: Recipient, skeletons: &BTreeSet<String>) {
        for skeleton in skeletons {
            if let Some(ids) = self.0.get_mut(skeleton) {
                ids.remove(&id);
                if ids.is_empty() {
                    self.0.remove(skeleton);
                }
            }
        }
    }

    fn of<'a>(&'a self, skeletons: &'a BTreeSet<String>) -> impl Iterator<Item = Recipient> + 'a {
        skeletons.iter().filter_map(|skeleton| self.0.get(skeleton)).flatten().copied()
    }
}

/// The labels of the peers that were met in this run, and the user's aliases.
///
/// A contact has its plain name, and a stranger only where no contact and no earlier stranger has
/// it. Every other peer has a suffix: the beginning of its key, or the port or address of a legacy
/// peer. Two contacts of one name both have the suffix, which stays the same across restarts.
///
/// A name that looks like that of a contact, or like its alias, also has a suffix, and
/// [`Labels::shown`] says whom it looks like. So has a stranger's name that is or looks like our
/// own. Skeletons are computed when a name is learned.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    given: HashMap<Recipient, Given>,
    /// The owner of each label; labels are compared in their folded form.
    owners: HashMap<String, Recipient>,
    /// The contacts of each folded name.
    contacts: HashMap<String, BTreeSet<Recipient>>,
    /// The contacts by the skeletons of their names.
    lookalikes: BySkeleton,
    /// The peers whose label is their plain name, by what that resembles.
    plain: BySkeleton,
    aliases: BTreeMap<Recipient, Name>,
    /// The owner of each alias, in its folded form.
    alias_owners: HashMap<String, Recipient>,
    /// The owners of aliases by their skeletons.
    alike_aliases: BySkeleton,
    /// The skeletons of our own name, and of [`YOU`].
    own: BTreeSet<String>,
    /// The aliases that belong to an address. They apply to the legacy peer and to the unproven
    /// address, which are two recipients.
    by_addr: HashMap<PeerAddr, Recipient>,
}

impl Labels {
    /// Labels with the user's aliases.
    pub fn new(aliases: BTreeMap<Recipient, Name>) -> Self {
        let mut labels = Self::default();
        labels.set_aliases(aliases);
        labels
    }

    /// Replaces the aliases. A peer whose label is now the alias of another gets a new label
    /// when it is met again.
    pub fn set_aliases(&mut self, aliases: BTreeMap<Recipient, Name>) {
        self.by_addr = aliases.keys().filter_map(|id| Some((id.addr()?, *id))).collect();
        self.alias_owners = aliases.iter().map(|(id, name)| (folded(name.as_str()), *id)).collect();
        self.alike_aliases = BySkeleton::default();
        for (id, name) in &aliases {
            self.alike_aliases.insert(*id, skeletons(name.as_str()));
        }
        self.aliases = aliases;
        let clashes = |id: &Recipient, given: &Given| {
            let owner = self.owner_of_alias(*id);
            self.is_alias_of_another(*id, &given.label)
                || (given.label == given.name.as_str()
                    && self.alike_aliases.of(&given.resembles).any(|other| other != owner))
        };
        let gone: Vec<Recipient> =
            self.given.iter().filter(|(id, given)| clashes(id, given)).map(|(id, _)| *id).collect();
        gone.into_iter().for_each(|id| self.forget(id));
    }

    /// Sets our own name. A stranger whose name looks like it gets another label when it is met
    /// again.
    pub fn set_own_name(&mut self, name: &Name) {
        self.own = skeletons(name.as_str());
        self.own.extend(skeletons(YOU));
        let is_plain = |given: &Given| given.label == given.name.as_str();
        let is_like = |id: &Recipient, given: &Given| {
            is_plain(given)
                && !self.is_known_contact(*id, &given.name)
                && !given.resembles.is_disjoint(&self.own)
        };
        let alike: Vec<Recipient> =
            self.given.iter().filter(|(id, given)| is_like(id, given)).map(|(id, _)| *id).collect();
        alike.into_iter().for_each(|id| self.forget(id));
    }

    /// Whether a peer is a contact that has this name.
    fn is_known_contact(&self, id: Recipient, name: &PeerName) -> bool {
        self.contacts.get(&folded(name.as_str())).is_some_and(|ids| ids.contains(&id))
    }

    /// The user's alias for a peer.
    pub fn alias(&self, id: Recipient) -> Option<&Name> {
        self.aliases.get(&self.owner_of_alias(id))
    }

    /// The recipient that the alias of a peer is saved for.
    fn owner_of_alias(&self, id: Recipient) -> Recipient {
        id.addr().and_then(|addr| self.by_addr.get(&addr)).copied().unwrap_or(id)
    }

    /// The label of a peer that was met or has an alias.
    pub fn known(&self, id: Recipient) -> Option<String> {
        let given = || self.given.get(&id).map(|given| given.label.clone());
        self.alias(id).map(Name::to_string).or_else(given)
    }

    /// All the user's aliases.
    pub fn aliases(&self) -> impl Iterator<Item = (Recipient, &Name)> {
        self.aliases.iter().map(|(id, name)| (*id, name))
    }

    /// Gives a peer its label if it has a name. Returns every peer whose label changed: this peer,
    /// or another of the same name. A stranger keeps its suffix for the run, unless it says another
    /// name.
    pub fn meet(&mut self, who: &PeerInfo, standing: impl Fn(Recipient) -> Standing) -> Vec<Renamed> {
        let Some(name) = &who.name else { return Vec::new() };
        let given = self.given.get(&who.id).filter(|given| given.name == *name);
        // Most messages come from a peer with its plain name.
        let stays = |given: &Given| {
            let is_plain = given.label == name.as_str();
            standing(who.id) != Standing::Contact || is_plain && self.is_known_contact(who.id, name)
        };
        if given.is_some_and(stays) {
            return Vec::new();
        }
        self.meet_again(who, standing)
    }

    /// Gives a peer the label that it should have now: other peers of its name may have become
    /// contacts, or may be forgotten. Returns what [`Labels::meet`] returns.
    pub fn meet_again(&mut self, who: &PeerInfo, standing: impl Fn(Recipient) -> Standing) -> Vec<Renamed> {
        let Some(name) = &who.name else { return Vec::new() };
        let id = who.id;
        let is_contact = standing(id) == Standing::Contact;
        let before = self.given.get(&id).map(|given| given.label.clone());
        let known = self.given.get(&id).filter(|given| given.name == *name);
        let resembles = known.map_or_else(|| resembled(name.as_str()), |given| given.resembles.clone());
        self.forget(id);
        if self.given.len() >= MAX_LABELS {
            self.drop_forgotten(&standing);
        }
        let mut renamed = Vec::new();
        let shape = folded(name.as_str());
        self.take_from_unproven(who, &shape);
        let owner = self.owners.get(&shape).copied().filter(|owner| *owner != id);
        if owner.is_some_and(|owner| self.is_at(owner, id)) {
            // It gets the label of the peer at that address.
            renamed.extend(self.renamed(id, name, before));
            return renamed;
        }
        if is_contact {
            self.contacts.entry(shape.clone()).or_default().insert(id);
            let own = skeletons(name.as_str());
            renamed.extend(self.suffix_lookalikes(id, &shape, &own, &standing));
            self.lookalikes.insert(id, own);
        }
        let has_namesake = self.has_namesake(&shape, id, &standing);
        if is_contact && has_namesake {
            renamed.extend(self.tell_apart(who, resembles, &shape, &standing));
            renamed.extend(self.renamed(id, name, before));
            return renamed;
        }
        let may_be_plain = !has_namesake
            && self.resembled_by(id, name, &resembles).is_none()
            && !reads_otherwise(name.as_str())
            && !self.is_alias_of_another(id, name.as_str());
        let is_free = owner.is_none_or(|owner| standing(owner) == Standing::Forgotten);
        // A contact takes its name back from a stranger, and shares it with no other contact.
        let loser = owner.filter(|_| is_contact && !is_free);
        let lost = loser.and_then(|loser| Some((loser, self.take(loser)?)));
        let label = if may_be_plain && (is_contact || is_free) {
            name.to_string()
        } else {
            self.suffixed(id, name, &standing)
        };
        self.give(id, Given { name: name.clone(), label, addr: who.addr, resembles });
        if let Some((loser, given)) = lost {
            renamed.extend(self.give_suffixed(loser, given, &standing));
        }
        renamed.extend(self.renamed(id, name, before));
        renamed
    }

    /// Returns a peer whose shown label has changed; `None` if it is the same.
    fn renamed(&self, id: Recipient, name: &PeerName, before: Option<String>) -> Option<Renamed> {
        let now = self.label(id, Some(name));
        let before = before.filter(|before| self.alias(id).is_none() && *before != now)?;
        Some(Renamed { id, before, now })
    }

    /// Gives a peer whose label was taken one with a suffix. Returns it if its shown label changed.
    fn give_suffixed(
        &mut self,
        id: Recipient,
        given: Given,
        standing: &impl Fn(Recipient) -> Standing,
    ) -> Option<Renamed> {
        let now = self.suffixed(id, &given.name, standing);
        self.relabel(id, given, now)
    }

    /// Gives a peer this label. Returns it if its shown label changed.
    fn relabel(&mut self, id: Recipient, given: Given, now: String) -> Option<Renamed> {
        let before = given.label.clone();
        self.give(id, Given { label: now.clone(), ..given });
        (self.alias(id).is_none() && before != now).then_some(Renamed { id, before, now })
    }

    /// Gives a suffix to the peers whose plain name looks like that of this contact. Returns those
    /// whose shown label changed.
    fn suffix_lookalikes(
        &mut self,
        contact: Recipient,
        shape: &str,
        skeletons: &BTreeSet<String>,
        standing: &impl Fn(Recipient) -> Standing,
    ) -> Vec<Renamed> {
        let is_like = |id: &Recipient| {
            *id != contact && self.given.get(id).is_some_and(|given| folded(given.name.as_str()) != shape)
        };
        let alike: BTreeSet<Recipient> = self.plain.of(skeletons).filter(is_like).collect();
        let suffix = |id| {
            let given = self.take(id)?;
            self.give_suffixed(id, given, standing)
        };
        alike.into_iter().filter_map(suffix).collect()
    }

    /// Whom a name looks like, and what that is called: a contact whose name is not equal to it, or
    /// the user, if the name is that of a stranger.
    fn resembled_by(&self, id: Recipient, name: &PeerName, resembles: &BTreeSet<String>) -> Option<&str> {
        let shape = folded(name.as_str());
        let is_other = |other: &Recipient| *other != id && !self.is_at(*other, id);
        let names = self.lookalikes.of(resembles).filter(is_other).filter_map(|other| {
            let name = self.given.get(&other)?.name.as_str();
            Some((self.alias(other).map_or(name, Name::as_str), name))
        });
        let owner = self.owner_of_alias(id);
        let aliases = self.alike_aliases.of(resembles).filter(|other| *other != owner);
        let aliases =
            aliases.filter_map(|id| self.aliases.get(&id).map(|name| (name.as_str(), name.as_str())));
        let differs = |(_, name): &(&str, &str)| folded(name) != shape;
        let is_like_us = || !resembles.is_disjoint(&self.own) && !self.is_known_contact(id, name);
        let contact = names.chain(aliases).find(differs).map(|(called, _)| called);
        contact.or_else(|| is_like_us().then_some(YOU))
    }

    /// What the contact is called that the name of this peer looks like, if there is one, or `you`.
    /// An alias looks like what the user wants.
    pub fn looks_like(&self, id: Recipient, name: Option<&PeerName>) -> Option<&str> {
        if self.alias(id).is_some() {
            return None;
        }
        match (self.given.get(&id), name) {
            (Some(given), _) => self.resembled_by(id, &given.name, &given.resembles),
            (None, Some(name)) => self.resembled_by(id, name, &resembled(name.as_str())),
            (None, None) => None,
        }
    }

    /// The label of a peer, and whom its name looks like: the one form in which peers are listed.
    pub fn shown(&self, id: Recipient, name: Option<&PeerName>) -> String {
        let label = self.label(id, name);
        match self.looks_like(id, name) {
            Some(other) => format!("{label}{LOOKS_LIKE}{other})"),
            None => label,
        }
    }

    /// Gives a contact a label with a suffix, and the other contacts of its name that had the same
    /// label or the plain name. Returns the others whose label changed, and strangers that lost
    /// theirs.
    ///
    /// The suffixes depend on the keys and addresses of the contacts only, not on who was met
    /// first.
    fn tell_apart(
        &mut self,
        who: &PeerInfo,
        resembles: BTreeSet<String>,
        shape: &str,
        standing: &impl Fn(Recipient) -> Standing,
    ) -> Vec<Renamed> {
        let Some(name) = &who.name else { return Vec::new() };
        let others: Vec<Recipient> =
            self.contacts.get(shape).into_iter().flatten().copied().filter(|id| *id != who.id).collect();
        let own: Vec<String> = suffixes(who.id).collect();
        let is_like = |other: &Recipient| suffixes(*other).any(|suffix| own.contains(&suffix));
        let is_plain = |labels: &Self, other: &Recipient| {
            labels.given.get(other).is_some_and(|given| folded(&given.label) == shape)
        };
        let changing: Vec<Recipient> =
            others.iter().copied().filter(|other| is_plain(self, other) || is_like(other)).collect();
        let own = Given { name: name.clone(), label: String::new(), addr: who.addr, resembles };
        let mut taken = vec![(who.id, own)];
        taken.extend(changing.into_iter().filter_map(|id| Some((id, self.take(id)?))));
        let all: Vec<Recipient> = others.into_iter().chain([who.id]).collect();
        let mut renamed = Vec::new();
        for (id, given) in taken {
            let label = self.lasting_label(id, &given.name, &all);
            let owner = self.owners.get(&folded(&label)).copied();
            let loser = owner.filter(|owner| standing(*owner) != Standing::Forgotten);
            let lost = loser.and_then(|loser| Some((loser, self.take(loser)?)));
            renamed.extend(self.relabel(id, given, label).filter(|_| id != who.id));
            if let Some((loser, given)) = lost {
                renamed.extend(self.give_suffixed(loser, given, standing));
            }
        }
        renamed
    }

    /// The label of a contact that shares its name with these contacts: with the shortest suffix
    /// that no other of them could have.
    fn lasting_label(&self, id: Recipient, name: &PeerName, all: &[Recipient]) -> String {
        let mut others: BTreeSet<String> = BTreeSet::new();
        all.iter().filter(|other| **other != id).for_each(|other| others.extend(suffixes(*other)));
        let is_free = |suffix: &String| {
            !others.contains(suffix) && !self.is_alias_of_another(id, &format!("{name}{MARK}{suffix}"))
        };
        let suffix = suffixes(id).find(is_free).unwrap_or_else(|| longest_suffix(id));
        format!("{name}{MARK}{suffix}")
    }

    /// The labels of these contacts, as the chat shows them.
    pub fn of_contacts(
        aliases: BTreeMap<Recipient, Name>,
        contacts: impl IntoIterator<Item = (Recipient, Option<PeerName>, Standing)>,
    ) -> Self {
        let mut labels = Self::new(aliases);
        let contacts: Vec<_> = contacts.into_iter().collect();
        let standings: HashMap<Recipient, Standing> =
            contacts.iter().map(|(id, _, standing)| (*id, *standing)).collect();
        for (id, name, _) in contacts {
            let (addr, verification) = (id.addr(), Verification::Unknown);
            let who = PeerInfo { id, name, addr, claimed: None, verification };
            labels.meet(&who, |id| standings.get(&id).copied().unwrap_or(Standing::Forgotten));
        }
        labels
    }

    /// The label of a peer if it carries a suffix.
    pub fn suffixed_label(&self, id: Recipient) -> Option<String> {
        let given = self.given.get(&id)?;
        (given.label != given.name.as_str()).then(|| given.label.clone())
    }

    /// For a moment, a peer and the unproven address where it is can both be known by its name. The
    /// address has no label of its own then.
    fn take_from_unproven(&mut self, who: &PeerInfo, shape: &str) {
        let unproven = who.addr.map(Recipient::Address).filter(|unproven| *unproven != who.id);
        let is_called = |given: &Given| folded(given.name.as_str()) == shape;
        if let Some(unproven) = unproven.filter(|id| self.given.get(id).is_some_and(is_called)) {
            self.take(unproven);
        }
    }

    /// Whether `id` is the unproven address of a peer.
    fn is_at(&self, peer: Recipient, id: Recipient) -> bool {
        let addr = self.given.get(&peer).and_then(|given| given.addr);
        addr.is_some_and(|addr| id == Recipient::Address(addr))
    }

    fn has_namesake(
        &mut self,
        shape: &str,
        id: Recipient,
        standing: &impl Fn(Recipient) -> Standing,
    ) -> bool {
        let owner = self.owners.get(shape).copied();
        let Some(contacts) = self.contacts.get_mut(shape) else {
            return owner.is_some_and(|owner| owner != id && standing(owner) == Standing::Contact);
        };
        contacts.extend(owner.filter(|owner| standing(*owner) == Standing::Contact));
        let given = &self.given;
        contacts.retain(|other| {
            let is_called = given.get(other).is_some_and(|given| folded(given.name.as_str()) == shape);
            *other == id || (is_called && standing(*other) == Standing::Contact)
        });
        contacts.iter().any(|other| *other != id)
    }

    fn give(&mut self, id: Recipient, given: Given) {
        if self.given.len() < MAX_LABELS {
            if let Some(former) = self.owners.insert(folded(&given.label), id)
                && former != id
                && let Some(former_given) = self.given.remove(&former)
            {
                self.plain.remove(former, &former_given.resembles);
            }
            if given.label == given.name.as_str() {
                self.plain.insert(id, given.resembles.clone());
            }
            self.given.insert(id, given);
        }
    }

    fn take(&mut self, id: Recipient) -> Option<Given> {
        let given = self.given.remove(&id)?;
        self.plain.remove(id, &given.resembles);
        let label = folded(&given.label);
        if self.owners.get(&label) == Some(&id) {
            self.owners.remove(&label);
        }
        Some(given)
    }

    /// Takes the label of a peer.
    pub fn forget(&mut self, id: Recipient) {
        if let Some(given) = self.take(id) {
            // They are among what its name resembles.
            self.lookalikes.remove(id, &given.resembles);
        }
    }

    /// Moves the label of a recipient to its successor: the first peer that proved itself at an
    /// address, or a contact with its new key.
    pub fn replace(&mut self, from: Recipient, to: Recipient) {
        if let Some(given) = self.take(from) {
            self.lookalikes.remove(from, &given.resembles);
            if !self.given.contains_key(&to) {
                self.give(to, given);
            }
        }
    }

    fn drop_forgotten(&mut self, standing: &impl Fn(Recipient) -> Standing) {
        let forgotten = self.given.keys().filter(|id| standing(**id) == Standing::Forgotten);
        forgotten.copied().collect::<Vec<_>>().into_iter().for_each(|id| self.forget(id));
        let given = &self.given;
        self.owners.retain(|_, id| given.contains_key(id));
        self.contacts.retain(|_, ids| {
            ids.retain(|id| given.contains_key(id));
            !ids.is_empty()
        });
    }

    /// Whether the name of a peer without a label means no other peer and nothing else.
    pub(super) fn may_be_plain(&self, id: Recipient, name: &PeerName) -> bool {
        let shape = folded(name.as_str());
        let is_free = self.owners.get(&shape).is_none_or(|owner| *owner == id)
            && self.contacts.get(&shape).is_none_or(|contacts| contacts.iter().all(|other| *other == id));
        is_free && !reads_otherwise(name.as_str()) && !self.is_alias_of_another(id, name.as_str())
    }

    fn is_alias_of_another(&self, id: Recipient, label: &str) -> bool {
        let owner = self.alias_owners.get(&folded(label));
        owner.is_some_and(|owner| *owner != self.owner_of_alias(id))
    }

    /// The shortest label with a suffix that no other peer has.
    fn suffixed(&self, id: Recipient, name: &PeerName, standing: &impl Fn(Recipient) -> Standing) -> String {
        let is_free = |label: &String| {
            let owner = self.owners.get(&folded(label)).filter(|owner| **owner != id);
            owner.is_none_or(|owner| standing(*owner) == Standing::Forgotten)
                && !self.is_alias_of_another(id, label)
        };
        let mut labels = suffixes(id).map(|suffix| format!("{name}{MARK}{suffix}"));
        let first = labels.find(is_free);
        first.unwrap_or_else(|| format!("{name}{MARK}{}", longest_suffix(id)))
    }

    /// The label of a peer: the user's alias, its given label, or its address or key.
    pub fn label(&self, id: Recipient, name: Option<&PeerName>) -> String {
        let known = self.known(id).or_else(|| self.known(self.called_at(id, name?)?));
        known.unwrap_or_else(|| match name {
            Some(name) => format!("{name}{MARK}{}", unmet_suffix(id)),
            None => unnamed(id),
        })
    }

    /// Returns the peer with the plain label `name` at the unproven address `id`. The address is
    /// not another peer of that name.
    fn called_at(&self, id: Recipient, name: &PeerName) -> Option<Recipient> {
        let owner = *self.owners.get(&folded(name.as_str()))?;
        self.is_at(owner, id).then_some(owner)
    }

    /// The label of a peer with its suffix, for when the plain name may mean another peer.
    pub fn full_label(&self, id: Recipient, name: Option<&PeerName>) -> String {
        let given = self.given.get(&id);
        match (given, name.or(given.map(|given| &given.name))) {
            (Some(given), _) if given.label != given.name.as_str() => given.label.clone(),
            (_, Some(name)) => self.suffixed_as(id, name),
            (_, None) => unnamed(id),
        }
    }

    /// The label with a suffix of a peer under a name that it had once.
    pub fn suffixed_as(&self, id: Recipient, name: &PeerName) -> String {
        self.suffixed(id, name, &|_| Standing::Stranger)
    }

    /// Returns the name in a label. It decides the colour, which stays the same when only the
    /// suffix changes.
    pub fn name(&self, id: Recipient) -> Option<&str> {
        let alias = self.alias(id).map(Name::as_str);
        alias.or_else(|| self.given.get(&id).map(|given| given.name.as_str()))
    }
}

/// The suffixes that a peer can have, shortest first.
fn suffixes(id: Recipient) -> impl Iterator<Item = String> {
    let of_key = id.public_key().map(|key| {
        [beginning(key, SUFFIX_CHARS), beginning(key, LONG_SUFFIX_CHARS), key.to_string()].into_iter()
    });
    let of_addr = id.addr().map(|addr| [addr.port().to_string(), addr.to_string()].into_iter());
    of_key.into_iter().flatten().chain(of_addr.into_iter().flatten())
}

/// The suffix that only this peer can have.
fn longest_suffix(id: Recipient) -> String {
    suffixes(id).last().unwrap_or_default()
}

/// The suffix of a peer without a label.
fn unmet_suffix(id: Recipient) -> String {
    id.public_key().map_or_else(|| longest_suffix(id), |key| beginning(key, SUFFIX_CHARS))
}

/// The label of a peer without a name: its address, or the beginning of its key.
fn unnamed(id: Recipient) -> String {
    match (id.public_key(), id.addr()) {
        (Some(key), _) => beginning(key, LONG_SUFFIX_CHARS),
        (None, Some(addr)) => addr.to_string(),
        (None, None) => String::new(),
    }
}

fn beginning(key: PublicKey, chars: usize) -> String {
    key.to_string().chars().take(chars).collect()
}

/// Whether the prompt, or a reader, might take a name for something else: `*` begins a line of the
/// program, `/` a command, a sign marks a verified peer, a colon stands before a message or a port,
/// and a suffix follows the mark.
pub(super) fn reads_otherwise(name: &str) -> bool {
    let name = &folded(name);
    name.starts_with(begins_otherwise)
        || is_reserved(name)
        || name.bytes().all(|byte| byte.is_ascii_digit())
        || name.parse::<IpAddr>().is_ok()
        || name.contains(LIKE_A_SIGN)
        || name.contains(':')
        || name.split(LIKE_THE_MARK).skip(1).any(is_like_a_suffix)
}

/// Whether a text begins like a port, an address or a key.
fn is_like_a_suffix(text: &str) -> bool {
    let chars = text.chars().take(SUFFIX_CHARS);
    let of_key = chars.clone().filter(|c| matches!(c, 'a'..='z' | '2'..='7')).count();
    text.starts_with(char::is_numeric) || text.starts_with('[') || of_key == SUFFIX_CHARS
}

#[cfg(test)]
mod tests;
