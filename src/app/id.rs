//! `p2p-chat id`: who we are to others, for them to compare.

use std::env;
use std::io::{self, IsTerminal};

use super::looks::{palette, variable};
use crate::cli::Cli;
use crate::model::key::PublicKey;
use crate::model::untrusted::harmless;
use crate::profile;
use crate::ui::{Foreground, Palette, columns, qr};

/// What stands before a key in a QR code, so that whatever reads it knows what it is. Capitals, digits and these signs make a small code.
const SCHEME: &str = "P2P-CHAT:";

/// What is printed about who we are: the name, the key, and its QR code where that can be shown.
///
/// # Errors
/// Where neither a name nor a profile was given, or there is no key to be had.
pub fn id(cli: &Cli) -> anyhow::Result<String> {
    let profile = profile::profile_of(cli)?;
    let key = profile::key_of(cli, &profile)?;
    let mut text = String::new();
    if let Some(name) = &cli.name {
        text.push_str(&format!("Name     {name}\n"));
    }
    if cli.profile.is_some() {
        text.push_str(&format!("Profile  {}\n", harmless(&profile.to_string())));
    }
    text.push_str(&format!("Key      {}\n", key.grouped()));
    if shows_blocks(cli) {
        text.push_str(&code(key, palette(cli.color, cli.plain)).unwrap_or_default());
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
