//! `p2p-chat id`: who we are to others, for them to compare.

use std::env;
use std::io::{self, IsTerminal, Write};

use unicode_width::UnicodeWidthStr;

use super::looks::{palette, variable};
use crate::cli::{Cli, Misused};
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::untrusted::harmless;
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
fn wanted(cli: &Cli, profiles: &Profiles) -> anyhow::Result<(Name, Profile)> {
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
            Some(found) => Err(there(&found).into()),
            None => {
                profiles.check_new()?;
                profiles.check_free(&name, None)?;
                Ok((name, profile.clone()))
            }
        },
        None => match profiles.named(&name, &cli.name_source)? {
            Named::Known(found) => Err(there(&found).into()),
            Named::Unknown(_) => {
                let profile = Profile::from(&name);
                Ok((name, profile))
            }
        },
    }
}

/// Prints a list of all profiles to `out`: on each line the name, the directory if it is called
/// otherwise, and the key, or why the profile cannot be used. The inner result is that of writing to
/// `out`.
///
/// # Errors
/// If the profiles cannot be listed, or, once they are printed, if one of them cannot be used.
pub fn id_list(cli: &Cli, out: &mut impl Write) -> anyhow::Result<io::Result<()>> {
    let profiles = Profiles::read(cli)?;
    let found = profiles.all().iter().map(|found| (found.label(), key_or_fault(cli, &found.profile)));
    let damaged = profiles.damaged().iter().map(|damaged| {
        let label = format!("(profile {})", damaged.profile);
        let why = damaged.why.clone();
        // Without a name it can be used, but for its key.
        let key = if damaged.nameless { key_or_fault(cli, &damaged.profile) } else { Err(why) };
        (label, key)
    });
    let all: Vec<(String, Result<String, String>)> = found.chain(damaged).collect();
    let width = all.iter().map(|(label, _)| label.width()).max().unwrap_or(0);
    for (label, key) in &all {
        let key = key.as_ref().map_or_else(|why| format!("damaged: {}", harmless(why)), String::clone);
        let blanks = width - label.width();
        if let Err(error) = writeln!(out, "{label}{:blanks$}  {key}", "") {
            return Ok(Err(error));
        }
    }
    match all.iter().filter(|(_, key)| key.is_err()).count() {
        0 => Ok(Ok(())),
        count => Err(Misused::new(format!("{count} of {} profiles cannot be used.", all.len())).into()),
    }
}

/// The key of a profile, or a sentence that says why it cannot be used.
fn key_or_fault(cli: &Cli, profile: &Profile) -> Result<String, String> {
    let key = profile::key_of(cli, profile).map_err(|error| error.to_string())?;
    Ok(key.grouped().to_string())
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
