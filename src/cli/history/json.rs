//! A row as one line of JSON (RFC 8259), for scripts. Pure.
//!
//! One flat object is written and nothing is read, so this is less than a library would be. The text in it is raw, as it came: whatever a
//! terminal might obey, or nobody can see, is written as `\u`, which a parser turns into the same characters again.

use std::fmt::Write;

use super::calendar::rfc3339;
use crate::model::stored::{Assurance, Direction, StoredMessage};
use crate::model::untrusted::is_harmless;
use crate::ui::past::state;

/// The object, with the end of its line.
pub(super) fn line(entry: &StoredMessage) -> String {
    let (direction, state) = match &entry.direction {
        Direction::Outgoing { status, attempted } => ("out", state(status, *attempted)),
        Direction::Incoming { unshown: true, .. } => ("in", "not shown"),
        Direction::Incoming { new: true, .. } => ("in", "new"),
        Direction::Incoming { .. } => ("in", "read"),
    };
    let assurance = match entry.assurance {
        Assurance::Plain => "plain",
        Assurance::Encrypted => "encrypted",
        Assurance::Verified => "verified",
        Assurance::Claimed => "claimed",
    };
    let key = entry.peer.public_key().map(|key| key.to_string());
    let address = entry.peer.addr().map(|addr| addr.to_string());
    let or_null = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), string);
    format!(
        "{{\"row\":{},\"time\":{},\"sent\":{},\"direction\":{},\"peer\":{{\"key\":{},\"address\":{},\"name\":{}}},\
         \"id\":{},\"text\":{},\"state\":{},\"assurance\":{}}}\n",
        entry.row.0,
        string(&rfc3339(entry.time)),
        or_null(entry.sent.map(rfc3339).as_deref()),
        string(direction),
        or_null(key.as_deref()),
        or_null(address.as_deref()),
        or_null(entry.name.as_ref().map(|name| name.as_str())),
        or_null(entry.id.map(|id| format!("{id:?}")).as_deref()),
        string(&entry.body),
        string(state),
        string(assurance),
    )
}

/// A string of JSON (RFC 8259, section 7).
pub(crate) fn string(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len() + 2);
    let plain = is_harmless(raw);
    out.push('"');
    for c in raw.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if plain || is_harmless(c.encode_utf8(&mut [0; 4])) => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::DeliveryStatus;
    use crate::ui::past::examples::{NASTY, from_bob, to};
    use proptest::prelude::*;

    /// Reads a string of JSON as section 7 has it, and nothing else.
    fn read(text: &str) -> Option<String> {
        let mut units = Vec::new();
        let mut chars = text.strip_prefix('"')?.strip_suffix('"')?.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' | '\0'..='\x1f' => return None,
                '\\' => match chars.next()? {
                    'u' => {
                        let digits: String = chars.by_ref().take(4).collect();
                        units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4)?);
                    }
                    'n' => units.push(u16::from(b'\n')),
                    c @ ('"' | '\\') => units.push(c as u16),
                    _ => return None,
                },
                c => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            }
        }
        String::from_utf16(&units).ok()
    }

    #[test]
    fn a_row_is_an_object_with_names_that_stay() {
        assert_eq!(
            line(&from_bob(1, "say \"hi\"")),
            "{\"row\":1,\"time\":\"2026-11-21T16:04:03.120Z\",\"sent\":null,\"direction\":\"in\",\
             \"peer\":{\"key\":\"aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq\",\"address\":null,\"name\":\"Bob\"},\
             \"id\":null,\"text\":\"say \\\"hi\\\"\",\"state\":\"read\",\"assurance\":\"encrypted\"}\n"
        );
        assert_eq!(
            line(&to(2, 10, DeliveryStatus::Sent)),
            "{\"row\":2,\"time\":\"2026-11-21T16:04:04.120Z\",\"sent\":\"2026-11-21T16:04:02.120Z\",\"direction\":\"out\",\
             \"peer\":{\"key\":null,\"address\":\"127.0.0.1:5002\",\"name\":\"N2\"},\
             \"id\":\"0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\",\"text\":\"hello\",\"state\":\"handed over\",\"assurance\":\"plain\"}\n"
        );
        for (unshown, new, state) in [(true, true, "not shown"), (false, true, "new")] {
            let entry = StoredMessage { direction: Direction::Incoming { unshown, new }, ..from_bob(1, "") };
            assert!(line(&entry).contains(&format!("\"state\":\"{state}\"")));
        }
    }

    #[test]
    fn whatever_a_text_is_it_is_the_same_again_and_controls_nothing() {
        for raw in NASTY {
            let written = string(raw);
            assert!(is_harmless(&written), "{written}");
            assert_eq!(read(&written).as_deref(), Some(raw));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_the_same_again(raw: String) {
            let written = string(&raw);
            prop_assert!(is_harmless(&written), "{}", written);
            prop_assert_eq!(read(&written), Some(raw));
        }
    }
}
