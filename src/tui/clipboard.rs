//! The control sequence that asks a terminal to put a text on the clipboard (OSC 52). Pure.

/// The maximum length of a copied text. xterm and others accept sequences of about 100,000 bytes,
/// and base64 turns three bytes into four.
pub(crate) const MAX_COPIED_BYTES: usize = 70_000;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Returns the sequence for a text; `None` if the text is too long.
pub(crate) fn to_clipboard(text: &str) -> Option<String> {
    (text.len() <= MAX_COPIED_BYTES).then(|| format!("\x1b]52;c;{}\x07", base64(text.as_bytes())))
}

/// Encodes bytes in base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let byte = |at: usize| u32::from(part.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = (bits >> (18 - 6 * at)) & 63;
            out.push(if at <= part.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // RFC 4648, section 10.
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn too_long_text_is_not_copied() {
        assert_eq!(to_clipboard("foo").as_deref(), Some("\x1b]52;c;Zm9v\x07"));
        assert!(to_clipboard(&"x".repeat(MAX_COPIED_BYTES)).is_some());
        assert!(to_clipboard(&"x".repeat(MAX_COPIED_BYTES + 1)).is_none());
    }
}
