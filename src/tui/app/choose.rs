//! Chooses the profile to start, and asks the questions of a start on the terminal.

use std::env;
use std::net::IpAddr;

use anyhow::bail;

use super::answer::{Answers, tell};
use super::begin::PORTS_TRIED;
use crate::model::key::PublicKey;
use crate::model::name::{Name, NameError, new_name as parse_new};
use crate::model::untrusted::harmless;
use crate::net;
use crate::profile::{self, Named, Profile, ProfileError, Profiles, StoredProfile};
use crate::settings::{Misused, NameSource, Settings, listening_port};
use crate::tui;

const FIRST_PORT: u16 = 5000;

/// Keys of a peers.toml that the question about them lists, at most: as many as a screen has room
/// for. The others are counted.
const MAX_KEYS_LISTED: usize = 15;

pub(super) struct ChosenProfile {
    pub(super) profile: Profile,
    pub(super) name: Name,
    /// The port to listen on, if the profile has listened before.
    pub(super) port: Option<u16>,
    /// This start gives it another name.
    pub(super) is_renamed: bool,
    /// Whether this start creates the profile.
    pub(super) is_new: bool,
    /// The existing profile that the user may have meant instead.
    pub(super) similar: Option<Name>,
}

impl ChosenProfile {
    fn found(StoredProfile { profile, name, port, .. }: StoredProfile) -> Self {
        Self { profile, name, port, is_renamed: false, is_new: false, similar: None }
    }

    fn new(settings: &Settings, name: Name, similar: Option<Name>) -> Result<Self, Misused> {
        name.check_clear().map_err(Misused::new)?;
        let profile = profile::new_profile(settings, &name);
        Ok(Self { profile, name, port: None, is_renamed: false, is_new: true, similar })
    }
}

/// Chooses the profile: from the settings, else the only one, else by asking the user.
pub(super) fn choose(
    settings: &Settings,
    profiles: &Profiles,
    terminal: bool,
) -> anyhow::Result<ChosenProfile> {
    let answers = Answers::new(settings);
    if let Some(profile) = &settings.profile {
        return choose_directory(settings, profile, profiles, terminal);
    }
    let name = match &settings.name {
        Some(name) => name.clone(),
        None if profiles.is_empty() => new_name(answers, terminal, |name| is_new(profiles, name))?,
        None => match profiles.only()? {
            Some(found) => return Ok(ChosenProfile::found(found)),
            None if !terminal => return Err(profiles.several().into()),
            None => match ask_profile(answers, profiles)? {
                Some(found) => return Ok(ChosenProfile::found(found)),
                None => {
                    profiles.check_new()?;
                    new_name(answers, terminal, |name| is_new(profiles, name))?
                }
            },
        },
    };
    Ok(match profiles.named(&name, &settings.name_source)? {
        Named::Known(found) => ChosenProfile::found(found),
        Named::Unknown(Some(similar)) if terminal && settings.name.is_some() => {
            match ask_similar(answers, profiles, &name, &similar)? {
                Some(found) => ChosenProfile::found(found),
                None => ChosenProfile::new(settings, name, None)?,
            }
        }
        Named::Unknown(similar) => ChosenProfile::new(settings, name, similar)?,
    })
}

/// Asks whether a name that no profile has was mistyped for a similar one; `None` if it was not.
fn ask_similar(
    answers: Answers,
    profiles: &Profiles,
    name: &Name,
    similar: &Name,
) -> anyhow::Result<Option<StoredProfile>> {
    let Some(found) = profiles.called(similar).first().map(|found| (*found).clone()) else {
        return Ok(None);
    };
    tell(&format!("No profile is called {name}; answer no to create it."))?;
    let is_meant = ask_yes(answers, &format!("Did you mean {similar}? yes/no: "))?;
    Ok(is_meant.then_some(found))
}

/// Asks whether keys in this peers.toml, each with a name or address, are to be trusted in this
/// run.
pub(super) fn ask_keys(answers: Answers, file: &str, keys: &[(String, PublicKey)]) -> anyhow::Result<bool> {
    tell(&format!("{file} lists keys of peers that are not your contacts:"))?;
    for (name, key) in keys.iter().take(MAX_KEYS_LISTED) {
        tell(&format!("  {name}: {}", key.grouped()))?;
    }
    if let Some(more) = keys.len().checked_sub(MAX_KEYS_LISTED).filter(|more| *more > 0) {
        tell(&format!("  and {more} more"))?;
    }
    ask_yes(answers, "Trust them in this run? If not, these entries are ignored. yes/no: ")
}

fn ask_yes(answers: Answers, prompt: &str) -> anyhow::Result<bool> {
    question(answers, prompt, |line| match line.to_lowercase().as_str() {
        "yes" | "y" => Ok(true),
        "no" | "n" => Ok(false),
        _ => Err("Type yes or no.".to_owned()),
    })
}

/// Chooses the profile of `--profile`, which gets the name of `--name`.
fn choose_directory(
    settings: &Settings,
    profile: &Profile,
    profiles: &Profiles,
    terminal: bool,
) -> anyhow::Result<ChosenProfile> {
    let answers = Answers::new(settings);
    let is_free = |name: &Name| profiles.check_free(name, Some(profile));
    match (profiles.at(profile, settings.name.as_ref())?, settings.name.clone()) {
        (Some(found), None) => Ok(ChosenProfile::found(found)),
        (Some(found), Some(name)) => {
            is_free(&name)?;
            let is_renamed = name != found.name;
            if is_renamed {
                name.check_clear().map_err(Misused::new)?;
            }
            Ok(ChosenProfile { name, is_renamed, ..ChosenProfile::found(found) })
        }
        (None, name) => {
            profiles.check_new()?;
            let name = match name {
                Some(name) => name,
                None => new_name(answers, terminal, |name| is_free(name).map_err(|error| error.to_string()))?,
            };
            is_free(&name)?;
            Ok(ChosenProfile::new(settings, name, None)?)
        }
    }
}

/// Checks that `--name` would create a profile of this name.
fn is_new(profiles: &Profiles, name: &Name) -> Result<(), String> {
    match profiles.named(name, &NameSource::Flag) {
        Ok(Named::Unknown(_)) => Ok(()),
        Ok(Named::Known(_)) => Err(ProfileError::Taken(name.clone()).to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Asks which of several profiles to start. Returns `None` for a new one.
fn ask_profile(answers: Answers, profiles: &Profiles) -> anyhow::Result<Option<StoredProfile>> {
    tell("Who are you?")?;
    let all = profiles.all();
    for (number, found) in (1..).zip(all) {
        tell(&format!("  {number}  {}", found.label()))?;
    }
    let new = all.len() + 1;
    tell(&format!("  {new}  a new profile"))?;
    for damaged in profiles.damaged() {
        tell(&harmless(&damaged.why))?;
    }
    question(answers, "Number or name: ", |line| match line.parse::<usize>() {
        Ok(number) if number == new => Ok(None),
        Ok(number) => {
            let found = number.checked_sub(1).and_then(|at| all.get(at));
            found.cloned().map(Some).ok_or_else(|| format!("Choose a number from 1 to {new}."))
        }
        Err(_) => {
            let name: Name = line.parse().map_err(|error: NameError| error.to_string())?;
            match profiles.called(&name)[..] {
                [found] => Ok(Some(found.clone())),
                [] => Err(format!("{} Choose {new} for a new profile.", unknown(profiles, &name))),
                _ => Err(format!("Several profiles are called {name}; choose a number.")),
            }
        }
    })
}

/// Returns a sentence that no profile has this name, and which one the user may mean.
fn unknown(profiles: &Profiles, name: &Name) -> String {
    if let Some(found) = profiles.once_called(name) {
        return format!("{name} is now {}.", found.name);
    }
    let similar = profiles.similar(name);
    let similar = similar.map_or_else(String::new, |similar| format!(" Did you mean {similar}?"));
    format!("No profile is called {name}.{similar}")
}

/// Asks for the name of a new profile, if there is a terminal, and suggests the login name if it
/// can be used. `check` returns why a name cannot be used.
fn new_name(
    answers: Answers,
    terminal: bool,
    check: impl Fn(&Name) -> Result<(), String>,
) -> anyhow::Result<Name> {
    if !terminal {
        bail!(Misused::new("No name was given; add --name NAME, or set P2P_CHAT_NAME."));
    }
    let login = ["USER", "USERNAME"].into_iter().find_map(|variable| env::var(variable).ok());
    let offered: Option<Name> = login.and_then(|login| parse_new(&login).ok());
    let offered = offered.filter(|name| check(name).is_ok());
    let prompt = match &offered {
        Some(name) => format!("Enter your name [{name}]: "),
        None => "Enter your name: ".into(),
    };
    question(answers, &prompt, |line| match (line, &offered) {
        ("", Some(name)) => Ok(name.clone()),
        (line, _) => {
            let name = parse_new(line).map_err(|error| error.to_string())?;
            check(&name).map(|()| name)
        }
    })
}

/// Asks for the port, and suggests the first free one from [`FIRST_PORT`] on.
pub(super) fn ask_port(answers: Answers, bind: IpAddr) -> anyhow::Result<u16> {
    let is_free = |port: &u16| net::bind(bind, *port).is_ok();
    let offered = (FIRST_PORT..FIRST_PORT + PORTS_TRIED).find(is_free).unwrap_or(0);
    let prompt = format!("Enter your port number [{offered}], 0 for any free one: ");
    question(answers, &prompt, |line| match line {
        "" => Ok(offered),
        line => listening_port(line).map_err(|error| format!("`{}` is invalid: {error}", harmless(line))),
    })
}

/// Asks on the terminal until the answer is valid.
///
/// # Errors
/// If the terminal cannot be used, or the user leaves with `/quit` or the end of the input.
fn question<T>(
    answers: Answers,
    prompt: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> anyhow::Result<T> {
    loop {
        let Some(line) = answers.ask(prompt)?.filter(|line| !tui::is_quit(line)) else {
            bail!("You left before the program started.");
        };
        match read(line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(sentence) => tell(&sentence)?,
        }
    }
}
