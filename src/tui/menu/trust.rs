//! Handles commands about keys, and their questions for confirmation.

use super::asking::{Asking, Sure};
use super::talk::{for_one_peer, needs_port};
use super::{Act, Menu, Turn, act, introductions, perform, refused, say};
use crate::core::{As, Command, ContactRecord, Meeting, PeerInfo, PeerRequest, Pin, Target};
use crate::model::address::SourcePrefix;
use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::name::{Name, PeerName, folded};
use crate::model::peer_id::{PeerId, Recipient};
use crate::tui::labels::MARK;
use crate::tui::people::{
    self, Chosen, Directory, Lost, Named, blocked_called, blocked_legacy_called, candidates, did_you_mean,
    find, has_namesake, label_of, shown,
};
use crate::tui::render::{beginning, label_of_pin, name_of, place, refused_words, word_for};

/// The number of digits in a group of a safety number: as many as are read aloud at once.
const GROUP_DIGITS: usize = 5;

/// The number of characters in a group of a key on the screen.
const GROUP_CHARS: usize = 4;

/// The maximum number of keys listed when a word matches several.
const MAX_NAMED: usize = 8;

impl Menu {
    pub(in crate::tui) fn asks_to_verify(&mut self, word: &str, directory: &dyn Directory) -> Turn {
        let pin = match the_pin("/verify", word, directory) {
            Ok(pin) if pin.blocked => return refused(blocked_words(&pin, directory)),
            Ok(pin) => pin,
            Err(sentence) => return refused(sentence),
        };
        let (key, label) = (pin.key, label_of_pin(&pin, directory.labels()));
        let before =
            if pin.verified.is_some() { format!("{label} was verified before. ") } else { String::new() };
        let ask = if directory.has_asked_to_verify(key.into()) {
            String::new()
        } else {
            format!("Ask {label} to type /verify too. ")
        };
        self.asking = Asking::Sure(Sure::Verify(key, label));
        let say = vec![
            format!("{before}{ask}You should both see:"),
            format!("  {}", grouped(&directory.code_with(key))),
            "Compare the digits in person or by phone, not in this chat.".to_owned(),
        ];
        Turn { say, ..perform(Command::AskToVerify(key)) }
    }

    pub(in crate::tui) fn asks_to_forget(&mut self, word: &str, directory: &dyn Directory) -> Turn {
        match forgettable(word, directory) {
            Ok((id, label, consequence)) => {
                self.asking = Asking::Sure(Sure::Forget(id, label));
                say([consequence])
            }
            Err(sentence) => refused(sentence),
        }
    }

    /// Asks whether to add the contact of a pasted invitation. Refuses it in a script, because the
    /// next line is not an answer.
    pub(super) fn asks_to_add(&mut self, pasted: &str, directory: &dyn Directory) -> Turn {
        match pasted.parse::<Invitation>() {
            Ok(invitation) if directory.is_own_key(invitation.key) => act(Act::AddInvited(invitation)),
            Ok(Invitation { key, .. }) if directory.pin_of(key.into()).is_some_and(|pin| pin.blocked) => {
                refused(blocked_invitation(key))
            }
            Ok(_) if !self.asks_again => refused("To add a contact, type /add before the invitation."),
            Ok(invitation) => {
                self.asking = Asking::Sure(Sure::Add(invitation));
                Turn::default()
            }
            Err(error) => refused(error.to_string()),
        }
    }

    pub(super) fn sure(&mut self, sure: Sure, line: &str) -> Turn {
        match (line.to_lowercase().as_str(), sure) {
            ("yes" | "y", Sure::Verify(key, _)) => act(Act::Verify(key)),
            ("yes" | "y", Sure::Forget(id, _)) => perform(Command::Forget(id)),
            ("yes" | "y", Sure::Add(invitation)) => act(Act::AddInvited(invitation)),
            ("no" | "n", Sure::Verify(key, label)) => say([format!(
                "The numbers differ: someone may be intercepting your messages. \
                 Send {label} nothing private. /block {} blocks this key.",
                beginning(key)
            )]),
            ("no" | "n" | "0" | "", _) => say(["Nothing changed.".to_owned()]),
            (_, sure) if self.asks_again => self.refuse(Asking::Sure(sure), "Type yes or no.".into()),
            _ => refused("Expected yes or no. Nothing changed."),
        }
    }
}

pub(in crate::tui) fn blocked_invitation(key: PublicKey) -> String {
    format!("The invitation is from a blocked key. /unblock {} unblocks it.", beginning(key))
}

/// Returns a key, or the beginning of a waiting or known one, that is written in groups, as lines
/// show keys: without the spaces.
pub(in crate::tui) fn key_in_groups(words: &str, directory: &dyn Directory) -> Option<String> {
    let words = words.trim_end().trim_end_matches('…');
    let key: String = words.split(' ').collect();
    let is_known = || {
        key.parse::<PublicKey>().is_ok()
            || !directory.requests_for(&key).is_empty()
            || !directory.refused_for(&key).is_empty()
            || !directory.pins_named(&key).is_empty()
            || !introductions::meant(&key, directory).is_empty()
    };
    let has_groups = words.contains(' ') && words.split(' ').all(|group| group.len() == GROUP_CHARS);
    (has_groups && is_known()).then_some(key)
}

pub(in crate::tui) fn block(word: &str, directory: &dyn Directory) -> Turn {
    if let Some(turn) = about_no_key(false, word, directory) {
        return turn;
    }
    // A word with a suffix means the contact, not the newcomer with its name.
    match &directory.requests_for(word)[..] {
        [] => {}
        [request] => return perform(Command::Block(Recipient::from(request.met.id).into())),
        several => return refused(which_request("/block", word, several)),
    }
    if let Some(PeerInfo { id: Recipient::Peer(id), name, .. }) = only_announced("/block", word, directory) {
        let (blocked, stranger) = (true, true);
        return act(Act::Add(ContactRecord { name, blocked, stranger, ..record(id, None) }));
    }
    match the_pin("/block", word, directory) {
        Ok(pin) if pin.blocked => refused(blocked_words(&pin, directory)),
        Ok(pin) => perform(Command::Block(pin.key.into())),
        Err(sentence) => refused(sentence),
    }
}

pub(in crate::tui) fn unblock(word: &str, directory: &dyn Directory) -> Turn {
    if let Some(turn) = about_no_key(true, word, directory) {
        return turn;
    }
    if let Some(who) = only_announced("/unblock", word, directory) {
        return refused(format!("{} is not blocked.", label_of(&who, directory)));
    }
    match the_pin("/unblock", word, directory) {
        Ok(pin) if pin.blocked => perform(Command::Unblock(pin.key.into())),
        Ok(pin) => refused(format!("{} is not blocked.", label_of_pin(&pin, directory.labels()))),
        Err(sentence) => refused(sentence),
    }
}

/// Returns the stranger that only announces itself on the local network, if the word means no other
/// peer.
fn only_announced(command: &str, word: &str, directory: &dyn Directory) -> Option<PeerInfo> {
    let means_another = pins_meant(command, word, directory).is_ok()
        || matches!(find(word, directory), Ok(Named::Exactly(_)) | Err(Lost::Several(_)));
    people::discovered(word, directory).filter(|_| !means_another)
}

fn blocked_words(pin: &Pin, directory: &dyn Directory) -> String {
    format!(
        "{} is blocked. /unblock {} unblocks them.",
        label_of_pin(pin, directory.labels()),
        beginning(pin.key)
    )
}

/// `/block 192.0.2.7` and `/block hashpa`, and the same to unblock: a source, or a legacy peer.
/// `None` if the word means neither.
fn about_no_key(is_unblock: bool, word: &str, directory: &dyn Directory) -> Option<Turn> {
    if let Ok(source) = word.parse::<SourcePrefix>() {
        let is_blocked = directory.blocked_sources().contains(&source);
        return Some(match (is_unblock, is_blocked) {
            (false, false) => perform(Command::Block(source.into())),
            (true, true) => perform(Command::Unblock(source.into())),
            (false, true) => refused(format!("{source} is blocked. /unblock {source} unblocks it.")),
            (true, false) => refused(format!("{source} is not blocked.")),
        });
    }
    if is_unblock {
        let legacy = blocked_legacy_called(word, directory);
        let is_key = !blocked_called(word, directory).is_empty();
        return match &legacy[..] {
            [] => None,
            _ if is_key => None,
            [who] => Some(perform(Command::Unblock(who.id.into()))),
            several => {
                let named = |who: &PeerInfo| (place(who.id, who.addr), label_of(who, directory));
                Some(refused(which("/unblock", word, &several.iter().map(named).collect::<Vec<_>>())))
            }
        };
    }
    let is_key =
        !directory.requests_for(word).is_empty() || directory.pins_named(word).iter().any(|pin| !pin.blocked);
    let Ok(Named::Exactly(chosen)) = find(word, directory) else { return None };
    let id = chosen.peer().filter(|id| id.addr().is_some_and(|addr| addr.plain().is_some()))?;
    let is_there = |met: &Meeting| met.dialed && Some(met.addr) == id.addr() && met.id.key().is_some();
    if let Some(request) = directory.requests().into_iter().find(|request| is_there(&request.met)) {
        return Some(perform(Command::Block(Recipient::from(request.met.id).into())));
    }
    (!is_key).then(|| perform(Command::Block(id.into())))
}

/// Finds the recipient that a word means, by label, address or beginning of a key, for `/forget`.
/// Returns it with its label and a sentence about what `/forget` changes.
fn forgettable(word: &str, directory: &dyn Directory) -> Result<(Recipient, String, String), String> {
    if let Ok(Named::Exactly(chosen)) = find(word, directory)
        && let Some(id) = chosen.peer()
        && id.public_key().is_none()
    {
        let label = chosen.label;
        let Some(removed) = removed_without_key(id, &label, directory) else {
            return Err(match id {
                Recipient::Peer(_) => format!("{label} is not a contact, so there is nothing to forget."),
                Recipient::Address(_) => {
                    format!("Nothing is known about {label}, so there is nothing to forget.")
                }
            });
        };
        return Ok((id, label, removed));
    }
    if let ([who], []) = (&blocked_legacy_called(word, directory)[..], &blocked_called(word, directory)[..]) {
        let label = label_of(who, directory);
        let consequence =
            format!("{label} will no longer be blocked. If they write again, they are new to you.");
        return Ok((who.id, label, consequence));
    }
    let pin = the_pin("/forget", word, directory)?;
    let (label, queue) = (label_of_pin(&pin, directory.labels()), queue_words(pin.key.into(), directory));
    let consequence = if pin.blocked {
        format!("{label} will no longer be blocked. If the key appears again, it is new to you.")
    } else if pin.contact {
        let next = match &pin.name {
            Some(name) if !has_namesake(&pin, directory) => {
                format!(" The next key with the name {name} is new to you.")
            }
            _ => String::new(),
        };
        format!("{label} will be removed from your contacts, and the key forgotten.{queue}{next}")
    } else {
        format!("The key of {label} will be forgotten.{queue} If the key appears again, it is new to you.")
    };
    Ok((pin.key.into(), label, consequence))
}

/// Returns a sentence about what forgetting a recipient without a key changes, or `None` if nothing
/// changes.
fn removed_without_key(id: Recipient, label: &str, directory: &dyn Directory) -> Option<String> {
    let known = candidates(directory).into_iter().find(|known| known.id == id);
    let is_queued = directory.queued(id) > 0;
    let removed = match (id, known) {
        (_, Some(known)) if known.has_alias => "your contacts",
        (Recipient::Peer(_), Some(known)) if known.is_contact => "your contacts",
        (Recipient::Address(_), Some(_)) => "the list",
        (Recipient::Address(_), None) if is_queued => {
            return Some(format!("Messages queued for {label} will not be sent."));
        }
        (Recipient::Peer(_), _) | (Recipient::Address(_), None) => return None,
    };
    Some(format!("{label} will be removed from {removed}.{}", queue_words(id, directory)))
}

/// Returns the sentence about the messages that are queued for a forgotten recipient, if there are
/// any.
fn queue_words(id: Recipient, directory: &dyn Directory) -> &'static str {
    if directory.queued(id) > 0 { " Queued messages will not be sent." } else { "" }
}

/// `/add bob`, `/add 192.0.2.7:5000`, `/add KEY`
pub(in crate::tui) fn add(word: &str, directory: &dyn Directory) -> Turn {
    if let Ok(key) = word.parse::<PublicKey>() {
        let known = directory.pin_of(key.into());
        if known.as_ref().is_some_and(|pin| pin.blocked) {
            return refused(format!("That key is blocked. /unblock {} unblocks it.", beginning(key)));
        }
        let id = PeerId::Key(key);
        let met = stranger_met(&key.to_string(), directory, |met| met == id).filter(|_| known.is_none());
        return act(Act::Add(met.map_or_else(|| record(id, known.as_ref()), |met| record_of(&met))));
    }
    // A legacy stranger has written to us, so it need not be dialed first.
    let addr = directory.address(word).ok();
    let is_there = |met: PeerId| met.legacy_addr() == addr;
    let at_addr = addr.and_then(|addr| stranger_met(&addr.to_string(), directory, is_there));
    if let Some(met) = at_addr {
        return act(Act::Add(record_of(&met)));
    }
    if let Some(host) = people::host_meant(word, directory) {
        return act(Act::AddAt(host.into()));
    }
    let found = find(word, directory);
    // A stranger on the local network, also one that the policy has refused.
    if let (Err(_), Some(PeerInfo { id: Recipient::Peer(id), name, .. })) =
        (&found, people::discovered(word, directory))
    {
        return act(Act::Add(ContactRecord { name, ..record(id, None) }));
    }
    // A stranger that waits for the user's decision, or that the policy has refused.
    let strangers = strangers_met(word, directory);
    match found {
        Ok(Named::Exactly(chosen)) => match chosen.peer() {
            Some(Recipient::Peer(id)) => act(Act::Add(record(id, directory.pin_of(id.into()).as_ref()))),
            Some(Recipient::Address(addr)) => act(Act::AddAt(addr.into())),
            None => refused(for_one_peer("/add")),
        },
        Ok(Named::Perhaps(_)) | Err(Lost::Waits(_)) if !strangers.is_empty() => match &strangers[..] {
            [met] => act(Act::Add(record_of(met))),
            several => {
                let named = |met: &Meeting| (word_for(met.id), format!("at {}", met.addr));
                refused(which("/add", word, &several.iter().map(named).collect::<Vec<_>>()))
            }
        },
        Ok(Named::Perhaps(chosen)) => refused(did_you_mean(word, &chosen.label)),
        Ok(Named::NeedsPort(ip)) => refused(needs_port("/add ", ip)),
        Err(Lost::Nobody(None)) => match &directory.pins_named(word)[..] {
            // The beginning of a key, as the lists show it.
            [pin] => act(Act::Add(record(PeerId::Key(pin.key), Some(pin)))),
            [] => {
                let word = shown(word);
                refused(format!("No peer matches \"{word}\". Type a name, number, ip:port or key."))
            }
            several => refused(which_pin("/add", word, several)),
        },
        Err(lost) => refused(lost.sentence_for_one(word)),
    }
}

/// Returns the strangers with this name, key or address that wait, or that the policy refused.
fn strangers_met(word: &str, directory: &dyn Directory) -> Vec<Meeting> {
    let requests = directory.requests_for(word).into_iter().filter(|request| request.against.is_empty());
    requests.map(|request| request.met).chain(directory.refused_for(word)).collect()
}

/// Returns the stranger among them that has this very key or address.
fn stranger_met(word: &str, directory: &dyn Directory, is_it: impl Fn(PeerId) -> bool) -> Option<Meeting> {
    strangers_met(word, directory).into_iter().find(|met| is_it(met.id))
}

/// Returns the entry of a new contact, with the details of its pin.
fn record(id: PeerId, known: Option<&Pin>) -> ContactRecord {
    ContactRecord {
        id,
        name: known.and_then(|pin| pin.name.clone()),
        verified: known.and_then(|pin| pin.verified),
        blocked: false,
        stranger: false,
        addrs: known.map(|pin| pin.given.clone()).unwrap_or_default(),
    }
}

/// `/trust bob`: Bob has a new key.
pub(in crate::tui) fn trust(word: &str, directory: &dyn Directory) -> Turn {
    let (request, name) = match the_request("/trust", word, directory) {
        Ok(found) => found,
        Err(sentence) => return refused(sentence),
    };
    let PeerId::Key(key) = request.met.id else { return accept_request(&request) };
    match (&whose(word, &name, &request, directory)[..], &request.against[..]) {
        ([pin], _) => perform(Command::Trust(key, As::NewKeyOf(pin.key))),
        // There is no contact to move, so the key becomes a new contact.
        (_, []) => accept_request(&request),
        (_, against) => {
            let labels = directory.labels();
            let label = |pin: &Pin| labels.full_label(pin.key.into(), pin.name.as_ref());
            let names: Vec<String> = against.iter().take(MAX_NAMED).map(label).collect();
            let sentence = format!(
                "Name the contact with the new key, like /trust {}. /accept {} adds another contact.",
                names.join(" or /trust "),
                beginning(key)
            );
            refused(sentence)
        }
    }
}

/// `/accept bob`: another person also called Bob, a message request, or a stranger.
pub(in crate::tui) fn accept(word: &str, directory: &dyn Directory) -> Turn {
    if let Ok(Named::Exactly(chosen)) = find(word, directory)
        && let Some(id @ Recipient::Peer(peer)) = chosen.peer()
        && candidates(directory).iter().any(|known| known.id == id && !known.is_contact)
        && requests_for(word, directory).0.is_empty()
        && (id.public_key().is_some() || directory.refused_for(word).is_empty())
    {
        return act(Act::Add(record(peer, directory.pin_of(id).as_ref())));
    }
    match the_request("/accept", word, directory) {
        Ok((request, _)) => accept_request(&request),
        Err(sentence) => refused(sentence),
    }
}

fn accept_request(request: &PeerRequest) -> Turn {
    match request.met.id {
        PeerId::Key(key) => perform(Command::Trust(key, As::Another)),
        PeerId::Legacy(_) => act(Act::Add(record_of(&request.met))),
    }
}

/// Returns the entry of a new contact that was met as a stranger.
fn record_of(met: &Meeting) -> ContactRecord {
    ContactRecord { name: met.name.clone(), ..record(met.id, None) }
}

/// Returns the pending key that a word means, and the name in the word.
fn the_request(
    command: &str,
    word: &str,
    directory: &dyn Directory,
) -> Result<(PeerRequest, String), String> {
    let (requests, name) = requests_for(word, directory);
    match &requests[..] {
        [request] => Ok((request.clone(), name)),
        [] => Err(match &directory.refused_for(word)[..] {
            [] => format!("No request from \"{}\". /requests lists all.", shown(word)),
            [refused] => refused_words(refused, false, directory.labels()),
            several => {
                let newest = several.iter().rev().take(MAX_NAMED);
                let each: Vec<String> =
                    newest.map(|refused| refused_words(refused, true, directory.labels())).collect();
                each.join(". ")
            }
        }),
        several => Err(which_request(command, &name, several)),
    }
}

/// Returns the contacts whose new key the request may be: those with the name, only the one with
/// the suffix if the word has one, or all if the word is the beginning of the new key.
fn whose<'a>(word: &str, name: &str, request: &'a PeerRequest, directory: &dyn Directory) -> Vec<&'a Pin> {
    if let Ok(Named::Exactly(chosen)) = find(word, directory)
        && is_row_number(word)
        && let Some(pin) = request.against.iter().find(|pin| chosen.peer() == Some(pin.key.into()))
    {
        return vec![pin];
    }
    let (word, name) = (folded(word), folded(name));
    let is_called = |pin: &&Pin| {
        let alias = directory.labels().alias(pin.key.into()).map(Name::as_str);
        let names = [alias, pin.name.as_ref().map(PeerName::as_str)];
        names.into_iter().flatten().any(|of| folded(of) == name)
    };
    let named: Vec<&Pin> = request.against.iter().filter(is_called).collect();
    let suffix = word.split_once(MARK).map(|(_, suffix)| suffix);
    let has_suffix = |pin: &&&Pin| suffix.is_some_and(|suffix| pin.key.to_string().starts_with(suffix));
    if let Some(pin) = named.iter().find(has_suffix) {
        return vec![pin];
    }
    let is_key = request.met.id.key().is_some_and(|key| key.to_string().starts_with(&word));
    if named.is_empty() && is_key { request.against.iter().collect() } else { named }
}

/// Returns the pending keys that a word may mean, and the name in the word. A label means the name
/// of its peer.
fn requests_for(word: &str, directory: &dyn Directory) -> (Vec<PeerRequest>, String) {
    let requests = directory.requests_for(word);
    if !requests.is_empty() {
        return (requests, word.to_owned());
    }
    if let Some((name, _)) = word.split_once(MARK) {
        return (directory.requests_for(name), name.to_owned());
    }
    let pin = match find(word, directory) {
        // The beginning of a key would mean the known key, not the new one.
        Ok(Named::Exactly(chosen)) if is_row_number(word) || folded(&chosen.label) == folded(word) => {
            chosen.peer().and_then(|id| directory.pin_of(id))
        }
        _ => None,
    };
    let Some(Pin { key, name: Some(name), .. }) = pin else { return (Vec::new(), word.to_owned()) };
    let is_against = |request: &PeerRequest| request.against.iter().any(|pin| pin.key == key);
    let requests = directory.requests_for(name.as_str()).into_iter().filter(is_against);
    (requests.collect(), name.to_string())
}

fn is_row_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the sentence that a peer has no known key.
fn without_key(command: &str, chosen: &Chosen) -> String {
    let label = &chosen.label;
    match (chosen.peer(), command) {
        (Some(Recipient::Peer(PeerId::Legacy(_))), "/verify") => {
            format!("{label} is unencrypted and has no key to verify.")
        }
        (Some(Recipient::Peer(PeerId::Legacy(_))), _) => format!("{label} is unencrypted and has no key."),
        _ => format!("{label} has not shown a key yet."),
    }
}

/// Returns the pins that a word means: that of the contact with this label, or else all with that
/// name or key, and that of the peer that the word means. The beginning of a name means none: no
/// contact is blocked or verified by a shortened name.
///
/// # Errors
/// If there is none: what is wrong.
pub(in crate::tui) fn pins_meant(
    command: &str,
    word: &str,
    directory: &dyn Directory,
) -> Result<Vec<Pin>, String> {
    let found = find(word, directory);
    let meant = match &found {
        Ok(Named::Exactly(chosen)) => {
            let pin = chosen.peer().and_then(|id| directory.pin_of(id));
            pin.map(|pin| (pin, folded(&chosen.label) == folded(word)))
        }
        _ => None,
    };
    if let Some((pin, true)) = &meant
        && pin.contact
        && command != "/unblock"
    {
        return Ok(vec![pin.clone()]);
    }
    let mut pins = directory.pins_named(word);
    let others = meant.map(|(pin, _)| pin).into_iter().chain(blocked_called(word, directory));
    for pin in others {
        if pins.iter().all(|known| known.key != pin.key) {
            pins.push(pin);
        }
    }
    let wants_blocked = match command {
        "/unblock" => Some(true),
        "/block" | "/verify" => Some(false),
        _ => None,
    };
    if let Some(blocked) = wants_blocked
        && pins.iter().any(|pin| pin.blocked == blocked)
    {
        pins.retain(|pin| pin.blocked == blocked);
    }
    if !pins.is_empty() {
        return Ok(pins);
    }
    Err(match found {
        Ok(Named::Exactly(chosen)) if chosen.target == Target::All => for_one_peer(command),
        Ok(Named::Exactly(chosen)) => without_key(command, &chosen),
        Ok(Named::Perhaps(chosen)) => did_you_mean(word, &chosen.label),
        // Other IPs are sources, which need no port.
        Ok(Named::NeedsPort(ip)) if is_about_blocks(command) && ip.is_unspecified() => {
            format!("{ip} is not the IP of a peer.")
        }
        Ok(Named::NeedsPort(_)) if is_about_blocks(command) => {
            "A link-local or multicast IP cannot be blocked.".to_owned()
        }
        Ok(Named::NeedsPort(ip)) => needs_port(&format!("{command} "), ip),
        Err(Lost::Nobody(_)) if is_about_blocks(command) => {
            format!("No peer matches \"{}\". Type a name, a key, an ip:port or an IP.", shown(word))
        }
        Err(Lost::Nobody(_)) => {
            format!("No peer with a key matches \"{}\".", shown(word))
        }
        Err(lost) => lost.sentence(word),
    })
}

fn the_pin(command: &str, word: &str, directory: &dyn Directory) -> Result<Pin, String> {
    let pins = pins_meant(command, word, directory)?;
    match &pins[..] {
        [pin] => Ok(pin.clone()),
        several => Err(which_pin(command, word, several)),
    }
}

fn is_about_blocks(command: &str) -> bool {
    matches!(command, "/block" | "/unblock")
}

fn which_request(command: &str, word: &str, requests: &[PeerRequest]) -> String {
    let named = requests.iter().map(|request| {
        let name = request.met.name.as_ref().map_or_else(|| "a peer".into(), ToString::to_string);
        (word_for(request.met.id), format!("{name} at {}", request.met.addr))
    });
    which(command, word, &named.collect::<Vec<_>>())
}

fn which_pin(command: &str, word: &str, pins: &[Pin]) -> String {
    let named = pins.iter().map(|pin| {
        let addr = pin.addrs.first().map_or_else(String::new, |addr| format!(" at {addr}"));
        (beginning(pin.key), format!("{}{addr}", name_of(pin)))
    });
    which(command, word, &named.collect::<Vec<_>>())
}

/// Lists the commands to type, because a word matches several peers. `named` has the word for each.
pub(super) fn which(command: &str, word: &str, named: &[(String, String)]) -> String {
    let mut commands: Vec<String> =
        named.iter().take(MAX_NAMED).map(|(word, who)| format!("{command} {word} ({who})")).collect();
    if named.len() > MAX_NAMED {
        commands.push(format!("and {} more", named.len() - MAX_NAMED));
    }
    format!("\"{}\" matches {} peers. Type one of: {}.", shown(word), named.len(), commands.join(", "))
}

/// Groups the digits of a safety number for reading aloud.
fn grouped(code: &str) -> String {
    let digits: Vec<char> = code.chars().collect();
    let groups: Vec<String> = digits.chunks(GROUP_DIGITS).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}
