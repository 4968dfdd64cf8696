//! `p2p-chat id`: prints the names and keys of profiles, for others to compare.

use std::io::{self, IsTerminal, Write};

use unicode_width::UnicodeWidthStr;

use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::untrusted::harmless;
use crate::profile::{self, Found, Named, Profile, Profiles};
use crate::settings::{Misused, Settings};
use crate::tui::app::looks::{palette, variable};
use crate::tui::{Foreground, Palette, columns, is_dumb, qr};

/// The prefix of a key in a QR code, by which readers recognize it. A code of only capitals, digits
/// and these signs is small.
const SCHEME: &str = "P2P-CHAT:";

/// Returns the text about a profile: its name, its directory if that has another name, its key, and
/// the QR code of the key if the terminal can show it. With `new`, creates the profile.
///
/// # Errors
/// If the profile does not exist (with `new`: if it exists), if there are several and the user
/// named none, or if its key cannot be used.
pub fn text(settings: &Settings, new: bool) -> anyhow::Result<String> {
    let profiles = Profiles::read(settings)?;
    let (name, profile, key) = if new {
        let (name, profile) = wanted(settings, &profiles)?;
        let key = profile::create(settings, &profile, &name)?;
        (name, profile, key)
    } else {
        let Found { name, profile, .. } = profiles.existing(settings)?;
        let key = profile::key_of(settings, &profile)?;
        (name, profile, key)
    };
    let mut text = format!("Name     {name}\n");
    if profile != Profile::from(&name) {
        text.push_str(&format!("Profile  {profile}\n"));
    }
    text.push_str(&format!("Key      {}\n", key.grouped()));
    if shows_blocks(settings) {
        text.push_str(&code(key, palette(settings.color, settings.plain)).unwrap_or_default());
    }
    Ok(text)
}

/// Returns the name and the directory of the profile to create.
fn wanted(settings: &Settings, profiles: &Profiles) -> anyhow::Result<(Name, Profile)> {
    let name =
        settings.name.clone().ok_or_else(|| Misused::new("A new profile needs a name; add --name NAME."))?;
    let there = |found: &Found| {
        Misused::new(format!(
            "There is a profile {} already; leave out --new to print its key.",
            found.label()
        ))
    };
    match &settings.profile {
        Some(profile) => match profiles.at(profile, None)? {
            Some(found) => Err(there(&found).into()),
            None => {
                profiles.check_new()?;
                profiles.check_free(&name, None)?;
                name.check_clear().map_err(Misused::new)?;
                Ok((name, profile.clone()))
            }
        },
        None => match profiles.named(&name, &settings.name_source)? {
            Named::Known(found) => Err(there(&found).into()),
            Named::Unknown(_) => {
                name.check_clear().map_err(Misused::new)?;
                let profile = Profile::from(&name);
                Ok((name, profile))
            }
        },
    }
}

/// Prints all profiles to `out`. Each line has the name, the directory if that has another name,
/// and the key or the reason why the profile cannot be used. The inner result is that of writing to
/// `out`.
///
/// # Errors
/// If the profiles cannot be listed. If one of them cannot be used, after printing them all.
pub fn list(settings: &Settings, out: &mut impl Write) -> anyhow::Result<io::Result<()>> {
    let profiles = Profiles::read(settings)?;
    let found = profiles.all().iter().map(|found| (found.label(), key_or_fault(settings, &found.profile)));
    let damaged = profiles.damaged().iter().map(|damaged| {
        let label = format!("(profile {})", damaged.profile);
        let why = damaged.why.clone();
        // Only the name is missing, so the key may be readable.
        let key = if damaged.nameless { key_or_fault(settings, &damaged.profile) } else { Err(why) };
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

/// Returns the key of a profile, or a sentence about why it cannot be used.
fn key_or_fault(settings: &Settings, profile: &Profile) -> Result<String, String> {
    let key = profile::key_of(settings, profile).map_err(|error| error.to_string())?;
    Ok(key.grouped().to_string())
}

/// Whether the terminal shows half blocks.
fn shows_blocks(settings: &Settings) -> bool {
    // The order of setlocale(3). Without any of them, assumes UTF-8, as today's terminals have it.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    let has_utf8 = locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    io::stdout().is_terminal() && !settings.plain && !is_dumb() && (has_utf8 || cfg!(windows))
}

/// Returns the code if the window is wide enough: black on white, or without colours for a dark
/// background, which is usual.
fn code(key: PublicKey, palette: Palette) -> Option<String> {
    let (foreground, begin, end) = match palette {
        Palette::None => (Foreground::Light, "", ""),
        Palette::Eight => (Foreground::Dark, "\x1b[30;47m", "\x1b[0m"),
        // The white of the eight colours is grey on many terminals.
        Palette::Many => (Foreground::Dark, "\x1b[38;5;16;48;5;231m", "\x1b[0m"),
    };
    let lines = qr(&format!("{SCHEME}{}", key.to_string().to_uppercase()), foreground)?;
    let width = lines.first().map_or(0, |line| line.chars().count());
    if width > columns() {
        return None;
    }
    Some(lines.iter().fold("\n".to_owned(), |text, line| text + begin + line + end + "\n"))
}
