//! The bell and notifications while the window has no focus. Pure.

use std::time::Duration;

use super::style::Line;
use crate::model::name::shortened;

/// The minimum time between two calls for attention. A user who has noticed the first needs no
/// second, and a flood does not ring all the time.
pub(super) const PAUSE: Duration = Duration::from_secs(5);

/// The width of a notification in columns: as much as a desktop shows.
const MAX_COLUMNS: usize = 120;

/// The control sequence for a notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Osc {
    /// `OSC 9 ; text`: iTerm2, WezTerm, Ghostty, kitty, ConEmu.
    Nine,
    /// `OSC 777 ; notify ; title ; text`: urxvt, foot, the terminals of VTE.
    SevenSevenSeven,
}

/// Decides what to do when a message arrives while the window has no focus.
#[derive(Clone, Debug)]
pub struct Attention {
    bell: bool,
    osc: Option<Osc>,
    with_text: bool,
    focused: bool,
    last: Option<Duration>,
}

impl Attention {
    /// Creates it from the settings. Until the terminal reports something else, the window has the
    /// focus.
    pub fn new(bell: bool, osc: Option<Osc>, with_text: bool) -> Self {
        Self { bell, osc, with_text, focused: true, last: None }
    }

    /// Whether the terminal has to report the focus of its window.
    pub fn is_wanted(&self) -> bool {
        self.bell || self.osc.is_some()
    }

    /// Records whether the window has the focus.
    pub fn focus(&mut self, focused: bool) {
        self.focused = focused;
        self.last = None;
    }

    /// Returns the bytes that call for attention because of `message`, which came from `label` at
    /// `now`. None if the user does not want them, or got some a moment ago.
    pub fn call(&mut self, label: &str, message: &Line, now: Duration) -> Option<String> {
        let pause = self.last.is_some_and(|last| now.saturating_sub(last) < PAUSE);
        if self.focused || pause || !self.is_wanted() {
            return None;
        }
        self.last = Some(now);
        let text = if self.with_text { message.to_string() } else { format!("Message from {label}") };
        let mut bytes = String::new();
        match self.osc {
            // The words before it keep ConEmu from taking a text that begins with a number and a
            // semicolon for a command.
            Some(Osc::Nine) => bytes.push_str(&format!("\x1b]9;p2p-chat: {}\x07", shown(&text))),
            Some(Osc::SevenSevenSeven) => {
                bytes.push_str(&format!("\x1b]777;notify;p2p-chat;{}\x07", shown(&text)))
            }
            None => {}
        }
        if self.bell {
            bytes.push('\x07');
        }
        Some(bytes)
    }
}

/// Returns a text as a part of a control sequence: no control character ends it, and no semicolon
/// begins another part.
fn shown(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() || c == ';' { ',' } else { c }).collect();
    shortened(&text, MAX_COLUMNS)
}

/// Returns the notification that the terminal with these variables understands; `None` if none is
/// known.
pub(crate) fn osc_of(variable: impl Fn(&str) -> Option<String>) -> Option<Osc> {
    let term = variable("TERM").unwrap_or_default();
    let program = variable("TERM_PROGRAM").unwrap_or_default();
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    // tmux and screen pass neither on to the terminal; the Linux console would print them.
    if is_set("TMUX") || is_set("STY") || term == "linux" || term == "dumb" {
        return None;
    }
    let seven = is_set("VTE_VERSION") || term.starts_with("foot") || term.starts_with("rxvt");
    let nine = matches!(program.as_str(), "iTerm.app" | "WezTerm" | "ghostty")
        || is_set("KITTY_WINDOW_ID")
        || is_set("ConEmuPID")
        || term.contains("kitty")
        || term.contains("ghostty");
    match (seven, nine) {
        (true, _) => Some(Osc::SevenSevenSeven),
        (_, true) => Some(Osc::Nine),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(mut attention: Attention, text: &str) -> Option<String> {
        attention.focus(false);
        attention.call("Bob", &text.into(), Duration::ZERO)
    }

    #[test]
    fn focused_window_gets_no_notification() {
        let mut attention = Attention::new(true, Some(Osc::Nine), true);
        assert_eq!(attention.call("Bob", &"Bob: hi".into(), Duration::ZERO), None);
        attention.focus(false);
        assert!(attention.call("Bob", &"Bob: hi".into(), Duration::ZERO).is_some());
        attention.focus(true);
        assert_eq!(attention.call("Bob", &"Bob: hi".into(), PAUSE), None);
    }

    #[test]
    fn flood_rings_at_most_once_per_pause() {
        let mut attention = Attention::new(true, None, true);
        attention.focus(false);
        let rings = (0..1_000)
            .filter(|ms| attention.call("Bob", &"x".into(), Duration::from_millis(*ms * 10)).is_some());
        assert_eq!(rings.count(), 2);
    }

    #[test]
    fn notification_settings_are_respected() {
        let nine = |text| Attention::new(false, Some(Osc::Nine), text);
        assert_eq!(calls(nine(true), "Bob: hi").as_deref(), Some("\x1b]9;p2p-chat: Bob: hi\x07"));
        assert_eq!(calls(nine(false), "Bob: hi").as_deref(), Some("\x1b]9;p2p-chat: Message from Bob\x07"));
        let seven = Attention::new(true, Some(Osc::SevenSevenSeven), true);
        assert_eq!(calls(seven, "Bob: a;b").as_deref(), Some("\x1b]777;notify;p2p-chat;Bob: a,b\x07\x07"));
        assert_eq!(calls(Attention::new(true, None, true), "x").as_deref(), Some("\x07"));
        assert_eq!(calls(Attention::new(false, None, true), "x"), None);
    }

    #[test]
    fn notification_uses_the_sequence_of_the_terminal() {
        let with = |name: &'static str, value: &'static str| {
            osc_of(move |wanted| (wanted == name).then(|| value.to_owned()))
        };
        assert_eq!(with("TERM", "foot"), Some(Osc::SevenSevenSeven));
        assert_eq!(with("VTE_VERSION", "7000"), Some(Osc::SevenSevenSeven));
        assert_eq!(with("TERM_PROGRAM", "iTerm.app"), Some(Osc::Nine));
        assert_eq!(with("TERM", "xterm-kitty"), Some(Osc::Nine));
        for (name, value) in [("TERM", "xterm-256color"), ("TERM", "linux"), ("TMUX", "x")] {
            assert_eq!(with(name, value), None, "{name}");
        }
    }
}
