//! The lines about trust: new keys, key changes, requests and the user's decisions. Pure.

use unicode_width::UnicodeWidthStr;

use super::renderer::{Renderer, VERIFIED, cut_words, place};
use crate::core::{
    As, Decision, Event, Forgotten, MAX_NO_ROOM, Meeting, PeerInfo, PeerRequest, Pin, Policy, Unknown,
    Verification,
};
use crate::model::address::{PeerAddr, Source};
use crate::model::key::PublicKey;
use crate::model::name::{PeerName, folded};
use crate::model::peer_id::PeerId;
use crate::model::session::ByeReason;
use crate::model::untrusted::Text;
use crate::tui::labels::Labels;
use crate::tui::message::under;
use crate::tui::style::{Ink, Line};

/// Columns of a usual terminal. The rows of a warning are narrower.
pub(super) const USUAL_COLUMNS: usize = 80;

/// The prefix of a warning's further lines.
const MORE: &str = "  ! ";

/// The maximum number of contacts with one name that a warning lists.
const MAX_AGAINST: usize = 3;

/// The maximum number of a pinned key's addresses that a line names.
const MAX_NAMED: usize = 3;

/// The number of characters of a key that the user types to name it; too few to compare keys.
const BEGINNING: usize = 8;

/// Returns the lines for an event about keys, and none for other events.
pub(super) fn lines(event: &Event, renderer: &Renderer<'_>) -> Vec<Line> {
    match event {
        Event::Unproven { from, source, text, cut } => unproven(from, *source, text, *cut, renderer),
        Event::Pinned { who, key, is_online, is_contact } => {
            let words = pinned(who, *key, *is_online, *is_contact, renderer);
            vec![renderer.about(who, renderer.present(who), words)]
        }
        Event::PeerRequest(request) => lines_of_request(request, &[], renderer),
        Event::OnNetwork { first, more } => on_network(first, *more, renderer),
        Event::RefusedStranger(met) => vec![renderer.notice(refused_words(met, false, renderer.labels))],
        Event::MoreRequests(count) => {
            vec![renderer.warning(format!("{} /requests lists them.", no_room(*count)))]
        }
        Event::TakesName(who, name) => vec![renderer.about(
            who,
            renderer.introduced(who),
            format!(" now uses the name {name}, which belongs to another peer you know. The new name is not shown."),
        )],
        Event::Misled { who: Some(who), addr, by: Some(by), .. } => {
            let (by, who) = (renderer.word_for(by), renderer.word_for(who));
            vec![renderer.notice(format!("{by}, not {who}, is at {addr} now."))]
        }
        Event::Misled { who: Some(who), addr, proven, .. } => other_key(who, *addr, *proven, renderer),
        Event::Misled { who: None, addr, promised, proven, .. } => misled(*addr, *promised, *proven, renderer),
        Event::WrongAnnouncement { who, addr, by } => {
            let by = by.as_ref().map_or_else(|| "another key".to_owned(), |by| renderer.word_for(by));
            let who = renderer.word_for(who);
            vec![renderer.notice(format!(
                "{addr} is not {who}: {by} answers there. The announcement of {who} was wrong or forged."
            ))]
        }
        Event::TurnedAway(who, reason, pinned) => {
            let key = |key: PublicKey| if renderer.full { key.grouped().to_string() } else { key.short() };
            let new = pinned.map_or(String::new(), |pinned| format!(" (new, key {})", key(pinned)));
            let rest = format!("{new} {}", turned_away(*reason));
            vec![renderer.about(who, renderer.named(who), rest)]
        }
        Event::AcceptsAgain(who) => {
            vec![renderer.about(who, renderer.named(who), " accepts messages from you now.".into())]
        }
        Event::PlainRefused(source, count) => {
            let what = match count {
                1 => format!("an unencrypted message from {source}"),
                count => format!("{count} unencrypted messages, the last from {source}"),
            };
            vec![renderer.notice(format!("Refused {what} (--require-encryption)."))]
        }
        Event::Decided(decision) => vec![decided(decision, renderer).into()],
        Event::Undecided(unknown) => vec![Line::of(Ink::Bad, undecided(*unknown))],
        _ => Vec::new(),
    }
}

/// Returns the lines for an unencrypted message in the name or from the address of a contact with a
/// key. They never have the contact's colour.
fn unproven(from: &PeerInfo, source: Source, text: &Text, cut: bool, renderer: &Renderer<'_>) -> Vec<Line> {
    let as_whom = match (&from.name, &from.verification) {
        (Some(name), Verification::Claims(known)) if !is_same(name, known) => {
            format!(", claims to be {name}, at the address of {known}")
        }
        (Some(name), _) => format!(", claims to be {name}"),
        (None, Verification::Claims(known)) => format!(", at the address of {known}"),
        (None, _) => format!(", at {}", place(from.id, from.addr)),
    };
    let end = if cut { cut_words() } else { String::new() };
    let before = renderer.warning("Unproven, ").and(Ink::Plain, format!("from {source}{as_whom}: "));
    under(before, &renderer.split(text, false), &end)
}

/// Returns whether two names look the same to a reader.
fn is_same(one: &PeerName, other: &PeerName) -> bool {
    folded(one.as_str()) == folded(other.as_str())
}

/// Returns the lines about strangers on the local network, of whom `more` are not named.
fn on_network(first: &[PeerInfo], more: usize, renderer: &Renderer<'_>) -> Vec<Line> {
    // A peer without a name is shown by its address, and connected by its key: at the address, any
    // program may answer.
    let label = |who: &PeerInfo| match who.name {
        Some(_) => renderer.word_for(who),
        None => place(who.id, who.addr),
    };
    if more == 0 {
        let words = |who| format!(" is on this network: /connect {}", renderer.word_for(who));
        return first.iter().map(|who| renderer.about(who, label(who), words(who))).collect();
    }
    let named = first.iter().map(label).collect::<Vec<String>>().join(", ");
    let how = if renderer.rows { "Tab after /connect lists them." } else { "/connect NAME connects to one." };
    vec![renderer.notice(format!("{named} and {more} more are on this network. {how}"))]
}

/// Returns what is said of a peer with a new key. A pipe shows what scripts know, with the whole
/// key.
fn pinned(
    who: &PeerInfo,
    key: PublicKey,
    is_online: bool,
    is_contact: bool,
    renderer: &Renderer<'_>,
) -> String {
    let state = if is_online { "is online" } else { "now uses encryption" };
    if renderer.full {
        return format!(" {state} (new, key {})", key.grouped());
    }
    let new = if is_contact { "new contact" } else { "new" };
    format!(" {state} ({new}, key {}; compare with /verify {})", key.short(), renderer.word_for(who))
}

/// Returns the lines about a request. Those about a key change have the old keys, the new key, and
/// the commands: six rows of a usual terminal, if one contact has the name. `pending` has all
/// requests, among which the commands name this one.
pub(crate) fn lines_of_request(
    request: &PeerRequest,
    pending: &[PeerRequest],
    renderer: &Renderer<'_>,
) -> Vec<Line> {
    let PeerRequest { met, against, held: _, is_old_key_online } = request;
    let (Some(first), PeerId::Key(new)) = (against.first(), met.id) else {
        return vec![message_request(request, pending, renderer)];
    };
    let whose = claimed(request, first, renderer.labels);
    // Of a contact that was never verified, the old key may be the impostor's.
    let is_verified = against.iter().all(|pin| pin.verified.is_some());
    let (short, more) = match (is_old_key_online, is_verified) {
        (true, true) => (" is online with the old key", ", so this is probably someone else"),
        (true, false) => (" is online with the old key", ", so this may be someone else"),
        (false, _) => ("'s key has changed", ". This can be a new device or an impostor"),
    };
    let short = format!("WARNING: {whose}{short}");
    let (headline, short) = (format!("{short}{more}."), format!("{short}."));
    let mut lines = vec![if renderer.full {
        renderer.warning(headline)
    } else {
        // One row: without the time, and with a long name without the second sentence.
        let warning = |words| Renderer { stamp: "", ..*renderer }.warning(words);
        let whole = warning(headline);
        if whole.to_string().width() < USUAL_COLUMNS { whole } else { warning(short) }
    }];
    let key_line = |what: &str, key: PublicKey| {
        Line::of(Ink::Bad, MORE).then(format!("{what}: ")).and(Ink::Strong, key.grouped().to_string())
    };
    lines.extend(against.iter().take(MAX_AGAINST).map(|pin| key_line("Old", pin.key)));
    if against.len() > MAX_AGAINST {
        let more = format!("And {} more contacts with that name.", against.len() - MAX_AGAINST);
        lines.push(Line::of(Ink::Bad, MORE).then(more));
    }
    lines.push(key_line("New", new));
    let choices = choices(request, pending, renderer.labels);
    let width = choices.iter().map(|(command, _)| command.width()).max().unwrap_or(0);
    for (command, what) in choices {
        let space = " ".repeat(width - command.width());
        lines.push(Line::of(Ink::Bad, MORE).then(format!("{command}{space}  {what}")));
    }
    lines
}

fn message_request(request: &PeerRequest, pending: &[PeerRequest], renderer: &Renderer<'_>) -> Line {
    let Meeting { id, addr, name, .. } = &request.met;
    let name = name.as_ref().map(|name| stranger(*id, name, renderer.labels));
    let who = match (id, name) {
        (PeerId::Key(_), Some(name)) if renderer.full => format!("{name} ({addr})"),
        (_, Some(name)) => name,
        (_, None) => format!("The peer at {addr}"),
    };
    let how = match id {
        PeerId::Legacy(_) if request.met.name.is_none() => "unencrypted".to_owned(),
        PeerId::Key(key) if renderer.full => format!("key {}", key.grouped()),
        PeerId::Key(key) => format!("key {}", key.short()),
        PeerId::Legacy(_) => format!("unencrypted, from {addr}"),
    };
    let commands = commands_for(request, pending, renderer.labels);
    renderer.notice(format!("{who} wants to chat, {how}. {commands}."))
}

/// Returns the sentence about a stranger that the policy refused: who it is, and how to add it.
/// `has_namesake` says that another refused stranger has its name.
pub(in crate::tui) fn refused_words(met: &Meeting, has_namesake: bool, labels: &Labels) -> String {
    let Meeting { id, addr, name, .. } = met;
    let shown = name.as_ref().map(|name| stranger(*id, name, labels));
    let how = match id {
        PeerId::Key(key) => format!("key {}", key.short()),
        PeerId::Legacy(_) if name.is_none() => "unencrypted".to_owned(),
        PeerId::Legacy(_) => format!("{addr}, unencrypted"),
    };
    let is_clear = |name: &&PeerName| !has_namesake && shown.as_deref() == Some(name.as_str());
    let word = name.as_ref().filter(is_clear).map_or_else(|| word_for(*id), ToString::to_string);
    let who = shown.unwrap_or_else(|| format!("the peer at {addr}"));
    format!("Refused {who} ({how}, policy strict): /add {word}")
}

/// Returns the name of a stranger that is not accepted. A name that is or looks like that of
/// another peer has a suffix.
fn stranger(id: PeerId, name: &PeerName, labels: &Labels) -> String {
    let id = id.into();
    let is_plain = labels.looks_like(id, Some(name)).is_none() && labels.may_be_plain(id, name);
    if is_plain { name.to_string() } else { labels.shown(id, Some(name)) }
}

fn claimed(request: &PeerRequest, first: &Pin, labels: &Labels) -> String {
    if request.against.len() == 1 { contact_label(request, first, labels) } else { name_of(first) }
}

/// Returns the name of a contact for a warning, with the beginning of its key if several contacts
/// have the name.
fn contact_label(request: &PeerRequest, pin: &Pin, labels: &Labels) -> String {
    let id = pin.key.into();
    match (labels.alias(id), &request.against[..]) {
        (Some(alias), _) => alias.to_string(),
        (None, [_]) => name_of(pin),
        (None, _) => labels.full_label(id, pin.name.as_ref()),
    }
}

/// Returns the commands for a request among the pending ones, each with what it does. The first is
/// the likeliest.
fn choices(request: &PeerRequest, pending: &[PeerRequest], labels: &Labels) -> Vec<(String, String)> {
    let id = request.met.id;
    let is_namesake = |other: &PeerRequest| {
        let names = other.met.name.as_ref().zip(request.met.name.as_ref());
        other.met.id != id && names.is_some_and(|(one, other)| is_same(one, other))
    };
    let has_namesake = pending.iter().any(is_namesake);
    let or_key = |name: String| if name.contains(char::is_whitespace) { word_for(id) } else { name };
    let or_word = |name: String| if has_namesake { word_for(id) } else { or_key(name) };
    let met = request.met.name.as_ref().map(ToString::to_string);
    let Some(first) = request.against.first() else {
        let is_plain = |name: &&PeerName| stranger(id, name, labels) == name.as_str();
        let name = request.met.name.as_ref().filter(is_plain);
        let word = name.map_or_else(|| word_for(id), |name| or_word(name.to_string()));
        return vec![
            (format!("/accept {word}"), "make them a contact".into()),
            (format!("/block {word}"), "refuse them".into()),
        ];
    };
    let known = request.against.iter().take(MAX_AGAINST).filter(|pin| !pin.blocked);
    let trust = known.map(|pin| {
        let label = contact_label(request, pin, labels);
        let verified = if pin.verified.is_some() { "; old key verified" } else { "" };
        (format!("/trust {}", or_key(label)), format!("their new device{verified}"))
    });
    let name = met.unwrap_or_else(|| name_of(first));
    let others = [
        (format!("/accept {}", or_word(name.clone())), "someone else with this name".to_owned()),
        (format!("/block {}", or_word(name)), "refuse them".to_owned()),
    ];
    let mut choices: Vec<(String, String)> = trust.chain(others).collect();
    if request.is_old_key_online {
        choices.reverse();
    }
    choices
}

/// Returns the word that names a peer without its name: the beginning of its key, or its address.
pub(in crate::tui) fn word_for(id: PeerId) -> String {
    match id {
        PeerId::Key(key) => beginning(key),
        PeerId::Legacy(legacy) => legacy.addr().to_string(),
    }
}

/// Returns the beginning of a key that the user types to name it.
pub(crate) fn beginning(key: PublicKey) -> String {
    key.to_string().chars().take(BEGINNING).collect()
}

/// Returns the name of a pinned key for a sentence.
pub(in crate::tui) fn name_of(pin: &Pin) -> String {
    match (&pin.name, pin.addrs.first()) {
        (Some(name), _) => name.to_string(),
        (None, Some(addr)) => addr.to_string(),
        (None, None) => beginning(pin.key) + "…",
    }
}

/// Returns the label of the peer of a pin.
pub(in crate::tui) fn label_of_pin(pin: &Pin, labels: &Labels) -> String {
    labels.known(pin.key.into()).unwrap_or_else(|| name_of(pin))
}

/// Returns when a key was pinned, and whether the user has verified it.
fn known(pin: &Pin, date: fn(u64) -> String) -> String {
    let since = match pin.first_seen {
        // First seen in an earlier run.
        0 => "known".to_owned(),
        first => format!("known since {}", date(first)),
    };
    let trust = match (pin.blocked, pin.verified) {
        (true, _) => "blocked".into(),
        (false, Some(on)) => format!("verified on {}", date(on)),
        (false, None) => "never verified".into(),
    };
    format!("{since}, {trust}")
}

fn misled(addr: PeerAddr, promised: PublicKey, proven: PublicKey, renderer: &Renderer<'_>) -> Vec<Line> {
    let more = |text: String| Line::of(Ink::Bad, MORE).then(text);
    vec![
        renderer.warning(format!("The key at {addr} is not the one that the unencrypted receipt named. Someone on the path may have changed the receipt.")),
        more(format!("Receipt: {}", promised.grouped())),
        more(format!("Proven:  {}", proven.grouped())),
    ]
}

/// Returns the lines for another key that answered at a peer's address. Nothing was sent there.
fn other_key(who: &PeerInfo, addr: PeerAddr, proven: PublicKey, renderer: &Renderer<'_>) -> Vec<Line> {
    let (name, key) = (renderer.word_for(who), proven.short());
    vec![renderer.notice(format!(
        "Another key ({key}) answers at {addr}, an address of {name}. Nothing was sent there. \
         /connect {addr} asks who it is."
    ))]
}

fn turned_away(reason: ByeReason) -> &'static str {
    match reason {
        ByeReason::NotAccepted => {
            "does not accept messages from you (blocked, or their policy refuses strangers)."
        }
        ByeReason::NotDecided => "has not accepted you yet.",
        ByeReason::NoRoom => "has no room for messages now. Yours stay queued.",
        ByeReason::NotUnderstood => "did not understand our message.",
        ByeReason::InUse => "already has a session with another program that uses your key.",
        ByeReason::Leaves | ByeReason::Idle | ByeReason::Replaced | ByeReason::Other(_) => {
            "ended the session."
        }
    }
}

fn decided(decision: &Decision, renderer: &Renderer<'_>) -> String {
    let label_of_pin = |pin| label_of_pin(pin, renderer.labels);
    match decision {
        Decision::Trusted(pin, As::NewKeyOf(_)) => {
            let label = label_of_pin(pin);
            format!("{label} has a new key, not verified. {}", compare_keys(&label))
        }
        Decision::Trusted(pin, As::Another) => {
            let label = label_of_pin(pin);
            format!("Added {label} to your contacts. {}", compare_keys(&label))
        }
        Decision::Blocked(pin) => {
            let key = beginning(pin.key);
            format!(
                "Blocked {} (key {key}…). Nothing is sent to them, and nothing from them is shown. /unblock {key} unblocks them.",
                label_of_pin(pin)
            )
        }
        Decision::Unblocked(pin) if !pin.contact => {
            format!("Unblocked {} (a stranger).", label_of_pin(pin))
        }
        Decision::Unblocked(pin) => {
            let label = label_of_pin(pin);
            format!("Unblocked {label} (not verified). {}", compare_keys(&label))
        }
        Decision::BlockedLegacy(who) => {
            let (label, at) = (label_of(who, renderer), place(who.id, who.addr));
            let also_at = if label == at { String::new() } else { format!("{at}, ") };
            format!(
                "Blocked {label} ({also_at}unencrypted). Nothing is sent to them, and nothing from them is shown. /unblock {at} unblocks them."
            )
        }
        Decision::UnblockedLegacy(who, true) => format!("Unblocked {}.", label_of(who, renderer)),
        Decision::UnblockedLegacy(who, false) => {
            format!("Unblocked {} (a stranger).", label_of(who, renderer))
        }
        Decision::BlockedSource(source) => format!(
            "Blocked {source}. Nothing from strangers there is answered or shown; your contacts are not affected. \
             /unblock {source} unblocks it."
        ),
        Decision::UnblockedSource(source) => format!("Unblocked {source}."),
        Decision::Forgotten(who, what) => {
            let label = label_of(who, renderer);
            let done = match what {
                Forgotten::Contact => format!("Removed {label} from your contacts"),
                Forgotten::Blocked => format!("Forgot {label}, who is no longer blocked"),
                Forgotten::Stranger => format!("Forgot the key of {label}"),
                Forgotten::Address => format!("Removed {label} from the list"),
                Forgotten::Queue => format!("Removed the messages for {label} from the outbox"),
            };
            format!("{done}. Messages stay in the history.")
        }
        Decision::Added(who, true) => {
            let label = label_of(who, renderer);
            let is_comparable = who.id.public_key().is_some() && who.verification != Verification::Verified;
            let hint = if is_comparable { format!(" {}", compare_keys(&label)) } else { String::new() };
            format!("Added {label} to your contacts.{hint}")
        }
        Decision::AddedIntroduced { who, by } => {
            let (label, by) = (label_of(who, renderer), label_of(by, renderer));
            format!("Added {label} to your contacts, introduced by {by}. {}", compare_keys(&label))
        }
        Decision::Added(who, false) => format!("Updated the contact {}.", label_of(who, renderer)),
        Decision::Verified(pin) => {
            let sign = if renderer.has_signs() { format!(" {VERIFIED}") } else { ".".to_owned() };
            format!("{} is verified{sign}", label_of_pin(pin))
        }
        Decision::Muted(who) => {
            let label = label_of(who, renderer);
            format!("Muted {label}. Their messages stay in /history; /unmute {label} shows them again.")
        }
        Decision::Unmuted(who, was_muted) => {
            let label = label_of(who, renderer);
            match was_muted {
                false => format!("{label} is not muted."),
                true => format!("Unmuted {label}. /history {label} shows earlier messages."),
            }
        }
        Decision::Policy(policy) => policy_words(*policy).to_owned(),
    }
}

/// Returns the sentence that tells the user how to verify a peer.
fn compare_keys(label: &str) -> String {
    format!("Compare keys with /verify {label}.")
}

pub(crate) fn policy_words(policy: Policy) -> &'static str {
    match policy {
        Policy::AcceptNew => "Policy accept-new: strangers can write to you.",
        Policy::Ask => "Policy ask: new strangers wait for your decision.",
        Policy::Strict => "Policy strict: new strangers are refused.",
    }
}

/// Returns the label of a peer, or else its key or address.
fn label_of(who: &PeerInfo, renderer: &Renderer<'_>) -> String {
    let name = || who.name.as_ref().map_or_else(|| renderer.labels.label(who.id, None), ToString::to_string);
    renderer.labels.known(who.id).unwrap_or_else(name)
}

fn undecided(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::Request => "That request is no longer pending; /requests lists the others.",
        Unknown::Pin => "That key is unknown or blocked, or belongs to another contact.",
        Unknown::NoRoom => "The list of contacts is full; /forget one first.",
        Unknown::TooManySources => "No more IPs can be blocked; /unblock one first.",
        Unknown::TooManyMuted => "The list of muted peers is full; /unmute one first.",
        Unknown::Ourselves => "That is your own key.",
        Unknown::NotBlocked => "That is not blocked.",
        Unknown::Nothing => "That peer is not known, so there is nothing to forget.",
    }
}

/// Returns the lines that `/key` shows about a key.
pub(crate) fn pin_lines(pin: &Pin, labels: &Labels, date: fn(u64) -> String) -> Vec<Line> {
    let addrs: Vec<String> = pin.addrs.iter().take(MAX_NAMED).map(PeerAddr::to_string).collect();
    let at = if addrs.is_empty() { String::new() } else { format!(", at {}", addrs.join(", ")) };
    let label = label_of_pin(pin, labels);
    vec![
        format!("{label} is {}{at}:", known(pin, date)).into(),
        Line::default().then("  ").and(Ink::Strong, pin.key.grouped().to_string()),
    ]
}

/// Returns the line about a request in the peer list: the claimed name, and what to type.
pub(in crate::tui) fn request_line(request: &PeerRequest, pending: &[PeerRequest], labels: &Labels) -> Line {
    let PeerRequest { met, against, .. } = request;
    let what = match (&against[..], &met.name) {
        ([first, ..], _) => {
            format!("A new key for {} waits for your decision", claimed(request, first, labels))
        }
        ([], Some(name)) => format!("{} ({}) wants to chat", stranger(met.id, name, labels), place_of(met)),
        ([], None) => format!("The peer at {} wants to chat", place_of(met)),
    };
    let commands = commands_for(request, pending, labels);
    format!("{what}: {commands}.").into()
}

/// Returns why no message goes to a key that the user has not accepted: it is among the `pending`
/// requests, or its `pin` is blocked; neither if the policy refuses it, or it had no room or no
/// name.
pub(crate) fn untrusted_words(
    key: PublicKey,
    pending: &[PeerRequest],
    pin: Option<&Pin>,
    policy: Policy,
    labels: &Labels,
) -> String {
    let request = pending.iter().find(|request| request.met.id == PeerId::Key(key));
    match (request, pin) {
        (Some(request), _) => request_words(request, pending, labels),
        (None, Some(pin)) if pin.blocked => {
            let label = label_of_pin(pin, labels);
            format!("{label} is blocked. /unblock {} unblocks them.", beginning(pin.key))
        }
        (None, _) if policy == Policy::Strict => "your policy refuses strangers; /policy shows it.".into(),
        (None, _) => "the key at that address is new and could not be accepted now; try again later.".into(),
    }
}

/// Returns who waits, or whose new key, and the commands, as the end of a sentence.
pub(in crate::tui) fn request_words(
    request: &PeerRequest,
    pending: &[PeerRequest],
    labels: &Labels,
) -> String {
    let PeerRequest { met, against, .. } = request;
    let whose = match (&against[..], &met.name) {
        ([first, ..], _) => format!("a new key for {}", claimed(request, first, labels)),
        ([], Some(name)) if met.id.key().is_some() => format!("{}'s key", stranger(met.id, name, labels)),
        ([], Some(name)) => format!("{} ({})", stranger(met.id, name, labels), place_of(met)),
        ([], None) if met.id.key().is_some() => format!("the key at {}", met.addr),
        ([], None) => format!("the peer at {}", place_of(met)),
    };
    format!("{whose} waits for your decision: {}.", commands_for(request, pending, labels))
}

/// Returns where a stranger was met, and whether it has no key.
fn place_of(met: &Meeting) -> String {
    let unencrypted = if met.id.key().is_none() { ", unencrypted" } else { "" };
    format!("{}{unencrypted}", met.addr)
}

/// Returns the commands for a pending request as the end of a sentence.
fn commands_for(request: &PeerRequest, pending: &[PeerRequest], labels: &Labels) -> String {
    let commands: Vec<String> =
        choices(request, pending, labels).into_iter().map(|(command, _)| command).collect();
    match &commands[..] {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        commands => commands.concat(),
    }
}

/// Returns how many peers found no room among the requests.
fn no_room(count: usize) -> String {
    let peers = match count {
        1 => "1 more peer wants".to_owned(),
        MAX_NO_ROOM.. => format!("At least {count} more peers want"),
        _ => format!("{count} more peers want"),
    };
    format!("{peers} to chat, but there are too many requests.")
}

/// Returns the lines about the pending requests. `more` peers had no room.
pub(crate) fn requests_lines(requests: &[PeerRequest], more: usize, renderer: &Renderer<'_>) -> Vec<Line> {
    if requests.is_empty() {
        return vec!["No requests are waiting for your decision.".into()];
    }
    let renderer = Renderer { stamp: "", ..*renderer };
    let mut lines: Vec<Line> =
        requests.iter().flat_map(|request| lines_of_request(request, requests, &renderer)).collect();
    if more > 0 {
        lines.push(format!("{} They may try again.", no_room(more)).into());
    }
    lines
}
