//! What the terminal can show, as far as the environment tells.

use std::env;
use std::io::{self, IsTerminal};

use crate::cli::{ColorWhen, Notify};
use crate::ui::{self, Osc, Palette};

/// What a variable says, if it is set to anything.
pub(super) fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// The colours to write in: those that the user asked for, or those that the terminal has. NO_COLOR (no-color.org), a
/// terminal without any, the plain mode, and anything that is no terminal, get none unless they are asked for.
pub(super) fn palette(when: ColorWhen, plain: bool) -> Palette {
    let term = variable("TERM").unwrap_or_default();
    let colour = match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            !plain
                && io::stdout().is_terminal()
                && variable("NO_COLOR").is_none()
                && term != "dumb"
                && has_colours(&term)
        }
    };
    let many = term.contains("256color")
        || term.contains("direct")
        || ["alacritty", "foot", "kitty", "ghostty"].iter().any(|name| term.contains(name))
        || variable("COLORTERM").is_some()
        || cfg!(windows);
    match (colour, many) {
        (false, _) => Palette::None,
        (true, true) => Palette::Many,
        (true, false) => Palette::Eight,
    }
}

/// The terminals of old that had none. Without a name only Windows has.
fn has_colours(term: &str) -> bool {
    !(term.starts_with("vt1") || term.starts_with("vt2") || (term.is_empty() && !cfg!(windows)))
}

/// How to notify.
pub(super) fn osc(notify: Notify) -> Option<Osc> {
    match notify {
        Notify::Auto => ui::osc_of(variable),
        Notify::Osc9 => Some(Osc::Nine),
        Notify::Osc777 => Some(Osc::SevenSevenSeven),
        Notify::Off => None,
    }
}
