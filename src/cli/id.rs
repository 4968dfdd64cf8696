//! `p2p-chat id`: prints the names and keys of profiles, for others to compare, and the invitation
//! of a profile.

use std::io::{self, Write};
use std::net::Ipv4Addr;

use clap::Args;
use unicode_width::UnicodeWidthStr;

use crate::interfaces;
use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::untrusted::harmless;
use crate::profile::{self, Named, Profile, Profiles, StoredProfile};
use crate::settings::{Misused, Settings};
use crate::tui::app::terminal_caps::{palette, shows_blocks};
use crate::tui::{NO_ADDRESS, columns, invitation_lines, own_invitation};

/// Print your key and your invitation, on a terminal with a QR code
#[derive(Args, Clone, Debug)]
pub struct Asked {
    /// Create the profile for --name and print its key
    #[arg(long, conflicts_with = "list")]
    new: bool,

    /// List all profiles with their keys
    #[arg(long)]
    list: bool,
}

/// Prints a profile, or all. The inner result is that of writing to `out`.
///
/// # Errors
/// If a profile cannot be used.
pub fn print(settings: &Settings, asked: &Asked, out: &mut impl Write) -> anyhow::Result<io::Result<()>> {
    if asked.list {
        return list(settings, out);
    }
    Ok(out.write_all(text(settings, asked.new)?.as_bytes()))
}

/// Returns the text about a profile: its name, its directory if that has another name, its key, and
/// its invitation, with a QR code if the terminal can show it. With `new`, creates the profile.
///
/// # Errors
/// If the profile does not exist (with `new`: if it exists), if there are several and the user
/// named none, or if its key cannot be used.
fn text(settings: &Settings, new: bool) -> anyhow::Result<String> {
    let profiles = Profiles::read(settings)?;
    let (name, profile, key) = if new {
        let (name, profile) = wanted(settings, &profiles)?;
        let key = profile::create(settings, &profile, &name)?;
        (name, profile, key)
    } else {
        let StoredProfile { name, profile, .. } = profiles.existing(settings)?;
        let key = profile::key_of(settings, &profile)?;
        (name, profile, key)
    };
    let mut text = format!("Name     {name}\n");
    if profile != Profile::from(&name) {
        text.push_str(&format!("Profile  {profile}\n"));
    }
    text.push_str(&format!("Key      {}\n", key.grouped()));
    let palette = palette(settings.color, settings.plain);
    let code = shows_blocks(settings.plain).then(columns);
    let invitation = invitation(settings, &profile, &name, key);
    text.push('\n');
    for line in invitation_lines(&invitation, palette, code) {
        text.push_str(&line.paint(palette));
        text.push('\n');
    }
    if profile::port_of(settings, &profile).is_none() {
        text.push_str(&format!(
            "The invitation has no address: the port of {name} is not known before its first start.\n"
        ));
    } else if invitation.addrs.is_empty() {
        text.push_str(&format!("{NO_ADDRESS}\n"));
    }
    Ok(text)
}

/// Returns the invitation of a profile, which a process may be using.
fn invitation(settings: &Settings, profile: &Profile, name: &Name, key: PublicKey) -> Invitation {
    let chosen = profile::bind_of(settings, profile);
    let bind = chosen.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    // Without --bind, p2p-chat listens over both IPv4 and IPv6.
    let ips = interfaces::reachable(bind, settings.advertise, chosen.is_none() || bind.is_ipv6());
    own_invitation(key, name, &ips, profile::port_of(settings, profile))
}

/// Returns the name and the directory of the profile to create.
fn wanted(settings: &Settings, profiles: &Profiles) -> anyhow::Result<(Name, Profile)> {
    let name =
        settings.name.clone().ok_or_else(|| Misused::new("A new profile needs a name; add --name NAME."))?;
    let there = |found: &StoredProfile| {
        Misused::new(format!(
            "The profile {} already exists; leave out --new to print its key.",
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
fn list(settings: &Settings, out: &mut impl Write) -> anyhow::Result<io::Result<()>> {
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
