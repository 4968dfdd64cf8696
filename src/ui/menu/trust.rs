//! What the user says about keys, and what is asked back before it is done.

use super::asking::{Asking, Sure};
use super::talk::{first_word, wrong};
use super::{Act, Menu, Turn, act, again, say};
use crate::chat::{As, Offer, Pin, Policy, Target};
use crate::model::key::PublicKey;
use crate::ui::commands::{self, CommandHelp};
use crate::ui::labels::MARK;
use crate::ui::people::{Directory, Lost, Named, find, shown};
use crate::ui::words::{beginning, name_of};

/// Digits of a short code that stand together: as many as are read aloud in one breath.
const GROUP_DIGITS: usize = 5;

/// Keys that are named where a word fits several.
const MAX_NAMED: usize = 8;

impl Menu {
    /// `/key`, `/verify`, `/trust`, `/block`, `/unpin`, `/policy` and `/plain`.
    pub(super) fn about_keys(
        &mut self,
        command: &CommandHelp,
        rest: &str,
        directory: &dyn Directory,
    ) -> Turn {
        let line = format!("{} {rest}", command.name);
        let (word, more) = first_word(rest);
        match (command.name, word, more) {
            ("/key", "", _) => return act(Act::ShowOwnKey),
            ("/policy", ..) => return policy(rest, &line),
            (_, "", _) => {
                return wrong(
                    &format!("Name somebody: {}.", commands::usage(command)),
                    &format!("{} ", command.name),
                );
            }
            ("/trust", ..) => return trust(word, more, &line, directory),
            ("/plain", ..) => return self.plain(word, more, &line, directory),
            (name, _, more) if !more.is_empty() => {
                return wrong(&format!("{name} goes for one peer; `{}` is too much.", shown(more)), &line);
            }
            _ => {}
        }
        if command.name == "/block" {
            match &offers_for(word, directory).0[..] {
                [] => {}
                [offer] => return act(Act::Block(offer.met.key)),
                several => return which_offer(command.name, word, several),
            }
        }
        let pins = match pins_meant(command.name, word, &line, directory) {
            Ok(pins) => pins,
            Err((sentence, line)) => return wrong(&sentence, &line),
        };
        match (command.name, &pins[..]) {
            ("/key", _) => act(Act::ShowPins(pins)),
            (name, [pin]) => self.about_key(name, pin, directory),
            (name, several) => which_pin(name, word, several),
        }
    }

    fn about_key(&mut self, command: &str, pin: &Pin, directory: &dyn Directory) -> Turn {
        let (key, label) = (pin.key, name_of(pin));
        match command {
            "/block" | "/verify" if pin.blocked => {
                say([format!("{label} is blocked; /unpin {} ends that.", beginning(key))])
            }
            "/block" => act(Act::Block(key)),
            "/verify" => {
                let already = if pin.verified.is_some() { " It was verified before." } else { "" };
                self.asking = Asking::Sure(Sure::Verify(key, label.clone()));
                say([
                    format!("Have {label} type /verify too. Then both of you see this code:{already}"),
                    format!("  {}", grouped(&directory.code_with(key))),
                    format!(
                        "Compare all of it by telephone, or side by side: in this chat somebody in between could change it. Is it {label} who reads it?"
                    ),
                ])
            }
            _ => {
                self.asking = Asking::Sure(Sure::Unpin(key, label.clone()));
                let consequence = if pin.blocked {
                    format!(
                        "{label} is not blocked any more then: this key is taken for new when it comes again."
                    )
                } else {
                    format!(
                        "What you write to {label} may then go in plain, for anybody on the way to read and change, and the next key that comes \
                         in that name is taken for new. What waits to be delivered there is not sent any more."
                    )
                };
                say([consequence])
            }
        }
    }

    /// `/plain bob see you at 5`.
    fn plain(&mut self, word: &str, text: &str, line: &str, directory: &dyn Directory) -> Turn {
        if text.is_empty() {
            return wrong("Write the text too, like `/plain bob see you at 5`.", &format!("{line} "));
        }
        let chosen = match find(word, directory) {
            Ok(Named::Exactly(chosen)) => chosen,
            Ok(Named::Perhaps(chosen)) => {
                let sentence = format!("Nobody is called `{}`; did you mean {}?", shown(word), chosen.label);
                return wrong(&sentence, &format!("/plain {} {text}", chosen.label));
            }
            Ok(Named::NeedsPort(ip)) => {
                return wrong(&format!("Write the port too, like /plain {ip}:5000."), line);
            }
            Err(lost) => return wrong(&lost.sentence(word, ""), line),
        };
        let Some(addr) = chosen.addr() else {
            return wrong("/plain goes for one peer at a time; name one.", line);
        };
        // Nothing is at stake with who has never proven a key.
        if directory.key_of(addr).is_none() {
            return act(Act::Send(chosen, text.to_owned()));
        }
        let consequence = format!(
            "This one text goes to {} in plain: anybody on the way can read and change it, and somebody else may be there who gets it.",
            chosen.label
        );
        self.asking = Asking::Sure(Sure::Plain(chosen, text.to_owned()));
        say([consequence])
    }

    /// Takes the answer to what was asked back.
    pub(super) fn sure(&mut self, sure: Sure, line: &str) -> Turn {
        match (line.to_lowercase().as_str(), sure) {
            ("yes" | "y", Sure::Verify(key, _)) => act(Act::Verify(key)),
            ("yes" | "y", Sure::Unpin(key, _)) => act(Act::Unpin(key)),
            ("yes" | "y", Sure::Plain(to, text)) => act(Act::SendInPlain(to, text)),
            ("no" | "n", Sure::Verify(key, label)) => say([format!(
                "Then somebody may be in between, or one of you has compared with another key. Write nothing to {label} that others must not read; \
                 /block {} ends it.",
                beginning(key)
            )]),
            ("no" | "n" | "0" | "", Sure::Plain(to, text)) => say(self.keep(to, text)),
            ("no" | "n" | "0" | "", _) => say(["Nothing is changed.".to_owned()]),
            (_, sure) => {
                self.asking = Asking::Sure(sure);
                again("Type yes or no.".into(), line)
            }
        }
    }
}

/// `/policy`, `/policy ask`.
fn policy(how: &str, line: &str) -> Turn {
    match how {
        "" => act(Act::ShowPolicy),
        "accept-new" => act(Act::SetPolicy(Policy::AcceptNew)),
        "ask" => act(Act::SetPolicy(Policy::Ask)),
        "strict" => act(Act::SetPolicy(Policy::Strict)),
        _ => wrong("Say what is done with new keys: accept-new, ask or strict.", line),
    }
}

/// `/trust bob`, `/trust bob as new`.
fn trust(word: &str, more: &str, line: &str, directory: &dyn Directory) -> Turn {
    let (offers, word) = offers_for(word, directory);
    let [offer] = &offers[..] else {
        return match &offers[..] {
            [] => wrong(
                &format!(
                    "No key waits for your word that `{}` could mean; /offers lists those that do.",
                    shown(word)
                ),
                line,
            ),
            several => which_offer("/trust", word, several),
        };
    };
    let key = offer.met.key;
    let as_new = more.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    match (as_new.as_str(), &offer.against[..]) {
        ("as new", _) | ("", []) => act(Act::Trust(key, As::Another)),
        ("", against) => match &whose(word, offer)[..] {
            [pin] => act(Act::Trust(key, As::NewKeyOf(pin.key))),
            _ => {
                let names: Vec<String> = against.iter().take(MAX_NAMED).map(name_of).collect();
                wrong(
                    &format!(
                        "Say whose new key it is: {}; or `/trust {} as new` if it is nobody's that you know.",
                        names.join(" or "),
                        beginning(key)
                    ),
                    line,
                )
            }
        },
        (more, _) => wrong(
            &format!("`{}` is too much; behind the name only `as new` can stand.", shown(more)),
            &format!("/trust {word} "),
        ),
    }
}

/// Whose new key an offer would be for a word: of those whom it came in the place of, who is called so, or the only one where the
/// beginning of the key was given. What the newcomer calls itself names nobody.
fn whose<'a>(word: &str, offer: &'a Offer) -> Vec<&'a Pin> {
    let word = word.to_lowercase();
    let is_called = |pin: &&Pin| pin.name.as_ref().is_some_and(|name| name.as_str().to_lowercase() == word);
    let named: Vec<&Pin> = offer.against.iter().filter(is_called).collect();
    let is_key = offer.met.key.to_string().starts_with(&word);
    if named.is_empty() && is_key { offer.against.iter().collect() } else { named }
}

/// The keys waiting that a word may mean, and the word: a label of two of one name stands for the name.
fn offers_for<'a>(word: &'a str, directory: &dyn Directory) -> (Vec<Offer>, &'a str) {
    let offers = directory.offers_for(word);
    match word.split_once(MARK) {
        Some((name, _)) if offers.is_empty() => (directory.offers_for(name), name),
        _ => (offers, word),
    }
}

/// The pins that a word means: of that name or with that key, or that of the peer which is called so. Only exactly: nobody is blocked
/// or believed because their name begins like another's. Where there is none: what is wrong, and the line corrected.
fn pins_meant(
    command: &str,
    word: &str,
    line: &str,
    directory: &dyn Directory,
) -> Result<Vec<Pin>, (String, String)> {
    let mut pins = directory.pins_named(word);
    let found = find(word, directory);
    if let Ok(Named::Exactly(chosen)) = &found
        && let Some(pin) = chosen.addr().and_then(|addr| directory.key_of(addr))
        && pins.iter().all(|known| known.key != pin.key)
    {
        pins.push(pin);
    }
    if !pins.is_empty() {
        return Ok(pins);
    }
    let sentence = match found {
        Ok(Named::Exactly(chosen)) if chosen.target == Target::All => {
            format!("{command} goes for one peer at a time; name one.")
        }
        Ok(Named::Exactly(chosen)) => format!("{} is spoken to in plain and has shown no key.", chosen.label),
        Ok(Named::Perhaps(chosen)) => {
            let sentence = format!("Nobody is called `{}`; did you mean {}?", shown(word), chosen.label);
            return Err((sentence, format!("{command} {}", chosen.label)));
        }
        Ok(Named::NeedsPort(ip)) => format!("Write the port too, like {command} {ip}:5000."),
        Err(Lost::Nobody(_)) => {
            format!("No key is known by the name, or that begins with, `{}`.", shown(word))
        }
        Err(lost) => lost.sentence(word, ""),
    };
    Err((sentence, line.to_owned()))
}

fn which_offer(command: &str, word: &str, offers: &[Offer]) -> Turn {
    let named = offers.iter().map(|offer| {
        let name = offer.met.name.as_ref().map_or_else(|| "somebody".into(), ToString::to_string);
        (offer.met.key, format!("{name} at {}", offer.met.addr))
    });
    which(command, word, &named.collect::<Vec<_>>())
}

fn which_pin(command: &str, word: &str, pins: &[Pin]) -> Turn {
    let named = pins.iter().map(|pin| {
        let addr = pin.addrs.first().map_or_else(String::new, |addr| format!(" at {addr}"));
        (pin.key, format!("{}{addr}", name_of(pin)))
    });
    which(command, word, &named.collect::<Vec<_>>())
}

/// Asks for the beginning of a key, for a word fits several.
fn which(command: &str, word: &str, named: &[(PublicKey, String)]) -> Turn {
    let mut keys: Vec<String> =
        named.iter().take(MAX_NAMED).map(|(key, who)| format!("{} for {who}", beginning(*key))).collect();
    if named.len() > MAX_NAMED {
        keys.push(format!("and {} more", named.len() - MAX_NAMED));
    }
    let sentence = format!(
        "`{}` fits {} keys; give the beginning of one: {}.",
        shown(word),
        named.len(),
        keys.join(", ")
    );
    wrong(&sentence, &format!("{command} "))
}

/// A code as it is read aloud.
fn grouped(code: &str) -> String {
    let digits: Vec<char> = code.chars().collect();
    let groups: Vec<String> = digits.chunks(GROUP_DIGITS).map(|group| group.iter().collect()).collect();
    groups.join(" ")
}
