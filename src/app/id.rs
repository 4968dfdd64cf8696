//! `p2p-chat id`: who we are to others, for them to compare.

use std::env;
use std::io::{self, IsTerminal};

use unicode_width::UnicodeWidthStr;

use super::looks::{palette, variable};
use crate::cli::{Cli, Misused};
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::profile::{self, Found, Named, Profile, Profiles};
use crate::ui::{Foreground, Palette, columns, qr};

/// What stands before a key in a QR code, so that whatever reads it knows what it is. Capitals, digits and these signs make a small code.
const SCHEME: &str = "P2P-CHAT:";

/// Returns what to print about a profile: its name, its directory if that is called otherwise, its
/// key, and the QR code of the key if it can be shown. `new` creates the profile.
///
/// # Errors
/// If it is unclear which profile is meant, it is not there or already there, or its key cannot be
/// used.
pub fn id(cli: &Cli, new: bool) -> anyhow::Result<String> {
    let profiles = Profiles::read(cli)?;
    let (name, profile, key) = if new {
        let (name, profile) = wanted(cli, &profiles)?;
        let key = profile::create(cli, &profile, &name)?;
        (name, profile, key)
    } else {
        let Found { name, profile, .. } = profiles.existing(cli)?;
        let key = profile::key_of(cli, &profile)?;
        (name, profile, key)
    };
    let mut text = format!("Name     {name}\n");
    if profile != Profile::from(&name) {
        text.push_str(&format!("Profile  {profile}\n"));
    }
    text.push_str(&format!("Key      {}\n", key.grouped()));
    if shows_blocks(cli) {
        text.push_str(&code(key, palette(cli.color, cli.plain)).unwrap_or_default());
    }
    Ok(text)
}

/// The name and the directory of a profile that is to be created.
fn wanted(cli: &Cli, profiles: &Profiles) -> Result<(Name, Profile), Misused> {
    let name = cli
        .name
        .clone()
        .ok_or_else(|| Misused::new("What shall the new profile be called? Add --name NAME."))?;
    let there = |found: &Found| {
        Misused::new(format!(
            "There is a profile {} already; leave out --new to print its key.",
            found.label()
        ))
    };
    match &cli.profile {
        Some(profile) => match profiles.at(profile, None)? {
            Some(found) => Err(there(&found)),
            None => Ok((name, profile.clone())),
        },
        None => match profiles.named(&name)? {
            Named::Known(found) => Err(there(&found)),
            Named::Unknown(_) => {
                let profile = Profile::from(&name);
                Ok((name, profile))
            }
        },
    }
}

/// Returns a list of all profiles: on each line the name, the directory if it is called otherwise,
/// and the key.
///
/// # Errors
/// If the profiles cannot be listed.
pub fn id_list(cli: &Cli) -> anyhow::Result<String> {
    let profiles = Profiles::read(cli)?;
    let found = profiles.all().iter().map(|found| (found.label(), &found.profile));
    let damaged = profiles.damaged().iter();
    let damaged = damaged.map(|damaged| (format!("(profile {})", damaged.profile), &damaged.profile));
    let all: Vec<(String, &Profile)> = found.chain(damaged).collect();
    let width = all.iter().map(|(label, _)| label.width()).max().unwrap_or(0);
    let mut text = String::new();
    for (label, profile) in all {
        let key = match profile::key_of(cli, profile) {
            Ok(key) => key.grouped().to_string(),
            Err(_) => "no key that can be used".to_owned(),
        };
        let blanks = width - label.width();
        text.push_str(&format!("{label}{:blanks$}  {key}\n", ""));
    }
    Ok(text)
}

/// Whether a person sees half blocks as such.
fn shows_blocks(cli: &Cli) -> bool {
    // As setlocale(3) looks for it. Where nothing is said, nothing speaks against UTF-8, which terminals in use have.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    let has_utf8 = locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !cli.plain && !is_dumb && (has_utf8 || cfg!(windows))
}

/// The code, if the window is wide enough: black on white, or where there are no colours, for the dark background that most have.
fn code(key: PublicKey, palette: Palette) -> Option<String> {
    let (foreground, begin, end) = match palette {
        Palette::None => (Foreground::Light, "", ""),
        Palette::Eight => (Foreground::Dark, "\x1b[30;47m", "\x1b[0m"),
        // The white of the eight is grey in many terminals.
        Palette::Many => (Foreground::Dark, "\x1b[38;5;16;48;5;231m", "\x1b[0m"),
    };
    let lines = qr(&format!("{SCHEME}{}", key.to_string().to_uppercase()), foreground)?;
    let width = lines.first().map_or(0, |line| line.chars().count());
    if width > columns() {
        return None;
    }
    Some(lines.iter().fold("\n".to_owned(), |text, line| text + begin + line + end + "\n"))
}
