//! From the bytes of the input to keys.

use crossterm::event::KeyCode;

/// The character that bytes begin with, if they do with one.
pub(super) fn first_char(bytes: &[u8]) -> Option<char> {
    let begin = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(begin) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&begin[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next()
}

/// One of the keys that make no character, and some letters for those with modifiers.
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
