//! Tab: completes a command, a name or an address, or lists the candidates. Pure.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::commands::{COMMANDS, named};
use super::message::ALL;
use super::people::{Candidate, Directory, Named, by_name, candidates, discovered_words};
use super::render::word_for as word_for_id;
use crate::core::Pin;
use crate::model::name::folded;

/// The maximum number of candidates that are shown. With more, the user types another letter.
const MAX_SHOWN: usize = 40;

/// The kinds of words that may be in the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// A message, `@name` or a command.
    Line,
    /// A peer.
    Peer,
    /// Nothing that can be completed.
    Other,
}

/// The result of Tab.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Completed {
    /// The text to insert, and the range to replace.
    pub replace: Option<(Range<usize>, String)>,
    /// The candidates, if there are several and nothing can be added.
    pub candidates: Vec<String>,
}

/// Completes the word before the cursor.
pub fn complete(text: &str, cursor: usize, place: Place, directory: &dyn Directory) -> Completed {
    let before = &text[..cursor];
    let start = before
        .rfind(char::is_whitespace)
        .map_or(0, |space| space + before[space..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    let first = text[..start].trim().is_empty();
    let (all, end) = match place {
        Place::Other => return Completed::default(),
        Place::Peer => (peers(word, "", directory), ""),
        Place::Line if first && (word.is_empty() || word.starts_with('/') && !word.starts_with("//")) => {
            (COMMANDS.iter().map(|command| command.name.to_owned()).collect(), " ")
        }
        Place::Line if word.starts_with('@') && !word.starts_with("@@") => {
            (peers(&word[1..], "@", directory), " ")
        }
        Place::Line => match argument(&text[..start]) {
            Argument::Command => (COMMANDS.iter().map(|command| command.name[1..].to_owned()).collect(), ""),
            Argument::Peers(end) => (peers(word, "", directory), end),
            Argument::Peer(end) => (single_peers(word, directory), end),
            Argument::Connect => {
                let mut all = peers(word, "", directory);
                all.extend(discovered_words(directory));
                (all, "")
            }
            Argument::Pair => (contacts(directory), " "),
            Argument::Blocked => {
                let sources = directory.blocked_sources();
                let sources = sources.iter().map(ToString::to_string);
                (blocked(directory).into_iter().chain(sources).collect(), "")
            }
            Argument::Known => {
                let mut all = single_peers(word, directory);
                all.extend(blocked(directory));
                (all, "")
            }
            Argument::Waiting => {
                let requests = directory.requests().into_iter().map(|request| {
                    let name = request.met.name.map(|name| name.to_string());
                    name.unwrap_or_else(|| word_for_id(request.met.id))
                });
                (requests.chain(introduced(directory)).collect(), "")
            }
            Argument::Introduced => (introduced(directory), ""),
            Argument::Words(words) => (
                words.first().into_iter().flat_map(|these| these.iter()).map(ToString::to_string).collect(),
                "",
            ),
            Argument::Nothing => return Completed::default(),
        },
    };
    let wanted = folded(word);
    let fitting: Vec<String> =
        all.into_iter().filter(|candidate| folded(candidate).starts_with(&wanted)).collect();
    match &fitting[..] {
        [] => Completed::default(),
        [only] => {
            // A space that is there already is not added again.
            let end = if text[cursor..].starts_with(' ') { "" } else { end };
            let with = format!("{only}{end}");
            Completed { replace: (with != word).then_some((start..cursor, with)), candidates: Vec::new() }
        }
        several => {
            let common = common_beginning(several);
            if !word.is_empty() && folded(&common).len() > wanted.len() {
                Completed { replace: Some((start..cursor, common)), candidates: Vec::new() }
            } else {
                Completed { replace: None, candidates: fitting }
            }
        }
    }
}

/// Returns what the next word is, after `before`: a command and the words that follow it already.
fn argument(before: &str) -> Argument {
    let mut words = before.split_whitespace();
    let of = words.next().and_then(named).map_or(Argument::Nothing, |of| of.completes);
    match (of, words.count()) {
        (of, 0) | (of @ Argument::Pair, 1) => of,
        (Argument::Words(words), at) if at < words.len() => Argument::Words(&words[at..]),
        _ => Argument::Nothing,
    }
}

#[derive(Clone, Copy)]
pub(super) enum Argument {
    Nothing,
    Command,
    /// A peer or all of them, and the text after it when it is complete.
    Peers(&'static str),
    /// One peer, and the text after it when it is complete.
    Peer(&'static str),
    /// A peer, a stranger on the local network, or all peers.
    Connect,
    /// Two contacts with keys, one after the other.
    Pair,
    /// A blocked contact or source.
    Blocked,
    /// A peer or a blocked contact.
    Known,
    /// A peer that waits for the user's decision.
    Waiting,
    /// An introduced peer.
    Introduced,
    /// One of each of these.
    Words(&'static [&'static [&'static str]]),
}

/// Returns the words that complete a word for a peer: one for each contact, then one for each
/// stranger, online before offline; `all`; and addresses, once a digit is typed.
fn peers(word: &str, mark: &str, directory: &dyn Directory) -> Vec<String> {
    let mut all = candidates(directory);
    all.sort_by_key(|known| (!known.is_contact, known.is_gone));
    let address = |known: &Candidate| known.addr.map(|addr| addr.to_string());
    let fits = |known: &&Candidate| known.has_name && folded(&known.label).starts_with(&folded(word));
    let named: Vec<&Candidate> = all.iter().filter(fits).collect();
    let mut words: Vec<String> = match named.len() {
        0..=MAX_SHOWN => named.iter().map(|known| word_for(known, &all)).collect(),
        // Too many to insert, or even to show.
        _ => named.iter().map(|known| known.label.clone()).collect(),
    };
    words.push(ALL.into());
    words.extend(
        all.iter().filter(|known| !known.has_name).map(|known| address(known).unwrap_or(known.label.clone())),
    );
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        words.extend(all.iter().filter(|known| known.has_name).filter_map(address));
    }
    words.into_iter().map(|word| format!("{mark}{word}")).collect()
}

fn single_peers(word: &str, directory: &dyn Directory) -> Vec<String> {
    peers(word, "", directory).into_iter().filter(|word| word != ALL).collect()
}

fn contacts(directory: &dyn Directory) -> Vec<String> {
    let all = candidates(directory);
    let has_key = |known: &&Candidate| known.is_contact && known.id.public_key().is_some();
    all.iter().filter(has_key).map(|known| word_for(known, &all)).collect()
}

fn introduced(directory: &dyn Directory) -> Vec<String> {
    directory.introductions().into_iter().map(|one| one.name.to_string()).collect()
}

fn blocked(directory: &dyn Directory) -> Vec<String> {
    let labels = directory.labels();
    let label = |pin: &Pin| labels.label(pin.key.into(), pin.name.as_ref());
    let legacy = directory.blocked_legacy();
    let legacy = legacy.iter().map(|who| labels.label(who.id, who.name.as_ref()));
    directory.blocked().iter().map(label).chain(legacy).collect()
}

/// Returns the shortest word that means exactly this peer.
fn word_for(known: &Candidate, all: &[Candidate]) -> String {
    let means_it = |word: &&String| {
        let named = by_name(word, all);
        let is_word = !word.contains(char::is_whitespace);
        is_word && matches!(named, Ok(Named::Exactly(chosen)) if chosen.peer() == Some(known.id))
    };
    let words = [&known.label, &known.full_label];
    words.into_iter().find(means_it).unwrap_or(&known.label).clone()
}

/// Returns the longest common beginning, ignoring case, as the first word writes it.
fn common_beginning(words: &[String]) -> String {
    let mut common = words[0].as_str();
    for word in &words[1..] {
        let same = common
            .char_indices()
            .zip(word.chars())
            .take_while(|((_, a), b)| a.to_lowercase().eq(b.to_lowercase()))
            .map(|((at, c), _)| at + c.len_utf8())
            .last();
        common = &common[..same.unwrap_or(0)];
    }
    common.to_owned()
}

/// Arranges candidates in columns, in lines of at most `width` columns if they fit.
pub fn in_columns(candidates: &[String], width: usize) -> Vec<String> {
    let shown = &candidates[..candidates.len().min(MAX_SHOWN)];
    let wide = shown.iter().map(|word| word.width()).max().unwrap_or(0) + 2;
    let per_line = (width / wide).max(1);
    let mut lines: Vec<String> = shown
        .chunks(per_line)
        .map(|words| {
            let line: String =
                words.iter().map(|word| format!("{word}{}", " ".repeat(wide - word.width()))).collect();
            line.trim_end().to_owned()
        })
        .collect();
    if candidates.len() > MAX_SHOWN {
        lines.push(format!("... and {} more; type another letter.", candidates.len() - MAX_SHOWN));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::menu::tests::people;
    use crate::tui::menu::tests::trust::request;

    /// Returns the line after Tab with the cursor at `|`, and the candidates. Zoe waits for the
    /// decision of the user.
    fn tab(line: &str, place: Place) -> (String, Vec<String>) {
        let cursor = line.find('|').unwrap();
        let mut text = line.replace('|', "");
        let mut all = people();
        all.requests = vec![request("Zoe", 9, 5009, &[])];
        let completed = complete(&text, cursor, place, &all);
        if let Some((range, with)) = completed.replace {
            text.replace_range(range, &with);
        }
        (text, completed.candidates)
    }

    fn line(line: &str) -> String {
        tab(line, Place::Line).0
    }

    #[test]
    fn commands_names_and_addresses_are_completed() {
        assert_eq!(line("/pe|"), "/peers ");
        assert_eq!(line("/HIS|"), "/history ");
        assert_eq!(line("/help ch|"), "/help chat");
        assert_eq!(line("@b|"), "@Bob ");
        assert_eq!(line("@b| see you"), "@Bob see you");
        assert_eq!(line("/chat b|"), "/chat Bob");
        assert_eq!(line("/alias bo|"), "/alias Bob ");
        assert_eq!(line("/verify bo|"), "/verify Bob");
        assert_eq!(line("/msg al|"), "/msg all ");
        assert_eq!(line("/outbox can|"), "/outbox cancel");
        assert_eq!(line("/outbox again a|"), "/outbox again all");
        for command in ["/mute", "/unmute", "/alias", "/verify", "/block", "/introduce", "/add"] {
            assert!(!tab(&format!("{command} |"), Place::Line).1.contains(&"all".into()), "{command}");
        }
        assert_eq!(line("/accept |"), "/accept Zoe");
        assert_eq!(line("/accept bo|"), "/accept bo", "Bob does not wait");
        assert_eq!(line("/ignore bo|"), "/ignore bo", "Bob is not introduced");
        assert_eq!(line("/policy st|"), "/policy strict");
        assert_eq!(line("/unblock bo|"), "/unblock bo");
        for (typed, command) in [("/cont|", "/contacts "), ("/ad|", "/add "), ("/forg|", "/forget ")] {
            assert_eq!(line(typed), command);
        }
        assert_eq!(line("/forget bo|"), "/forget Bob");
        assert_eq!(line("@127.0.0.1:5001|"), "@127.0.0.1:5001 ");
        assert_eq!(line("tell @bo|"), "tell @Bob ");
        assert_eq!(tab("bo|", Place::Peer).0, "Bob");
        assert_eq!(tab("al|", Place::Peer).0, "all");
    }

    #[test]
    fn ambiguous_word_completes_the_common_part() {
        assert_eq!(tab("@c|", Place::Line), ("@Car".into(), vec![]));
        assert_eq!(tab("@car|", Place::Line), ("@car".into(), vec!["@Carol".into(), "@Carla".into()]));
        assert_eq!(tab("@dan|", Place::Line).1, ["@Dan", "@Dan·5005"]);
        assert_eq!(tab("/m|", Place::Line).1, ["/msg", "/me", "/mute"]);
        assert_eq!(tab("|", Place::Line).1.len(), COMMANDS.len());
    }

    #[test]
    fn what_fits_nothing_stays_as_it_is() {
        for text in ["@x|", "/x|", "hello b|", "/quit b|", "//pe|", "@@b|", "/chat bob c|"] {
            assert_eq!(tab(text, Place::Line), (text.replace('|', ""), vec![]), "{text}");
        }
        assert_eq!(tab("b|", Place::Other).0, "b");
    }

    #[test]
    fn candidates_stand_in_columns_that_fit_the_window() {
        let words = ["Alice", "Bob", "王小明"].map(str::to_owned);
        assert_eq!(in_columns(&words, 80), ["Alice   Bob     王小明"]);
        assert_eq!(in_columns(&words, 17), ["Alice   Bob", "王小明"]);
        assert_eq!(in_columns(&words, 1).len(), 3);
        let many: Vec<String> = (0..100).map(|n| format!("Peer{n}")).collect();
        assert_eq!(in_columns(&many, 1).last().unwrap(), "... and 60 more; type another letter.");
    }
}
