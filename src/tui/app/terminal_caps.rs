//! The capabilities of the terminal, by the environment.

use std::env;
use std::io::{self, IsTerminal};

use crate::settings::{ColorWhen, Notify};
use crate::tui::{self, Osc, Palette};

/// Returns the value of an environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// Returns the colours to use: by `--color`, or those of the terminal. There are none by default
/// with NO_COLOR (no-color.org), in plain mode, on a terminal without colours or without a
/// terminal.
pub(crate) fn palette(when: ColorWhen, plain: bool) -> Palette {
    let term = variable("TERM").unwrap_or_default();
    let colour = match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => {
            !plain
                && io::stdout().is_terminal()
                && variable("NO_COLOR").is_none()
                && !tui::is_dumb()
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

/// Returns whether a terminal with this TERM has colours; old ones do not.
fn has_colours(term: &str) -> bool {
    !(term.starts_with("vt1") || term.starts_with("vt2"))
}

/// Returns whether the terminal can show half blocks, which QR codes consist of.
pub(crate) fn shows_blocks(plain: bool) -> bool {
    // The order of setlocale(3). If none is set, assumes UTF-8, as current terminals use it.
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    let has_utf8 = locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    });
    io::stdout().is_terminal() && !plain && !tui::is_dumb() && (has_utf8 || cfg!(windows))
}

pub(super) fn osc(notify: Notify) -> Option<Osc> {
    match notify {
        Notify::Auto => tui::osc_of(variable),
        Notify::Osc9 => Some(Osc::Nine),
        Notify::Osc777 => Some(Osc::SevenSevenSeven),
        Notify::Off => None,
    }
}
