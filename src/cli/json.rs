//! One JSON object per line (RFC 8259), for scripts.
//!
//! Names and messages are written raw, as they came, but everything that a terminal might obey or
//! that nobody can see is written as `\u`. A parser turns it into the same characters again.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::model::untrusted::is_harmless;

/// Returns an object with the end of its line.
///
/// # Errors
/// If the value cannot be written as JSON, which a struct of texts and numbers always can.
pub(super) fn line(value: &impl Serialize) -> io::Result<String> {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, Harmless))?;
    out.push(b'\n');
    String::from_utf8(out).map_err(io::Error::other)
}

/// Escapes what is not harmless to print. JSON itself asks only for control characters.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if is_harmless(fragment) {
            return out.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            let mut utf8 = [0; 4];
            let text = c.encode_utf8(&mut utf8);
            if is_harmless(text) {
                out.write_all(text.as_bytes())?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::history_view::examples::NASTY;
    use proptest::prelude::*;

    fn is_read_back(raw: &str) -> bool {
        let written = line(&raw).unwrap();
        let written = written.strip_suffix('\n').unwrap();
        is_harmless(written) && serde_json::from_str::<String>(written).unwrap() == raw
    }

    #[test]
    fn nasty_text_is_escaped_and_read_back() {
        for raw in NASTY {
            assert!(is_read_back(raw), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(raw: String) {
            prop_assert!(is_read_back(&raw));
        }
    }
}
