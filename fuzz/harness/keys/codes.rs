//! The key events that the bytes of an input stand for.

use crossterm::event::KeyCode;

/// Returns the character at the start of the bytes, if they start with valid UTF-8.
pub(super) fn first_char(bytes: &[u8]) -> Option<char> {
    bytes[..bytes.len().min(4)].utf8_chunks().next()?.valid().chars().next()
}

/// Returns a key without a character, or a letter to combine with modifiers.
pub(super) fn code_of(byte: u8) -> KeyCode {
    match byte & 0x1f {
        0 | 1 => KeyCode::Left,
        2 | 3 => KeyCode::Right,
        4 | 5 => KeyCode::Up,
        6 => KeyCode::Down,
        7 => KeyCode::Home,
        8 => KeyCode::End,
        9 => KeyCode::Delete,
        10 => KeyCode::Backspace,
        11 => KeyCode::Enter,
        12 => KeyCode::Tab,
        13 => KeyCode::BackTab,
        14 => KeyCode::Insert,
        15 => KeyCode::PageUp,
        16 => KeyCode::F(byte),
        17 => KeyCode::Null,
        18 => KeyCode::Esc,
        19 => KeyCode::Char('\u{9b}'),
        20 => KeyCode::Char('\n'),
        n => KeyCode::Char(char::from(b'a' + n)),
    }
}
