//! The two lines of ASCII before TLS.
//!
//! A program that may not be p2p-chat gets no binary bytes. It reads one line, which it shows as an
//! error at most (docs/PROTOCOL.md, "The lines and the handshake"). Neither side may send anything
//! after its line before it has the other's line. So early bytes are a fault, and no byte is ever
//! read by the wrong layer.

/// The first line of a dialer.
pub const DIAL_LINE: &[u8] = b"P2P-CHAT/1\n";

/// The answer of an acceptor.
pub const OK_LINE: &[u8] = b"P2P-CHAT/1 ok\n";

/// The meaning of the first bytes of an accepted connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum First {
    /// They may become the line. There may be none yet.
    NeedMore,
    /// They are the line and nothing more.
    Opening,
    /// The line and more, although the acceptor has not said ok.
    TooMuch,
    /// Something else: a plain message.
    Plain,
}

/// Returns the meaning of all bytes of an accepted connection so far.
pub fn first(bytes: &[u8]) -> First {
    match bytes.strip_prefix(DIAL_LINE) {
        Some([]) => First::Opening,
        Some(_) => First::TooMuch,
        None if DIAL_LINE.starts_with(bytes) => First::NeedMore,
        None => First::Plain,
    }
}

/// The meaning of the answer to our line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It may become the ok, and lacks at most this many bytes. Never read more than these, because
    /// the following bytes belong to TLS.
    NeedMore(usize),
    /// It is the ok.
    Ok,
    /// Something else: another program, or another version.
    Other,
}

/// Returns the meaning of all bytes of the answer so far.
pub fn answer(bytes: &[u8]) -> Answer {
    match OK_LINE.strip_prefix(bytes) {
        Some([]) => Answer::Ok,
        Some(missing) => Answer::NeedMore(missing.len()),
        None => Answer::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_line_is_recognized_at_each_byte() {
        for length in 0..DIAL_LINE.len() {
            assert_eq!(first(&DIAL_LINE[..length]), First::NeedMore);
            let other = [&DIAL_LINE[..length], b"?"].concat();
            assert_eq!(first(&other), First::Plain, "{other:?}");
        }
        assert_eq!(first(DIAL_LINE), First::Opening);
        assert_eq!(first(b"P2P-CHAT/1\n\x16"), First::TooMuch);
        assert_eq!(first(b"127.0.0.1:5000 A hi"), First::Plain);
    }

    #[test]
    fn other_versions_and_spellings_are_plain() {
        for other in ["P2P-CHAT/2\n", "P2P-CHAT/10\n", "P2P-CHAT/1\r\n", "p2p-chat/1\n", " P2P-CHAT/1\n"] {
            assert_eq!(first(other.as_bytes()), First::Plain, "{other:?}");
        }
    }

    #[test]
    fn ok_line_is_recognized_at_each_byte() {
        for length in 0..OK_LINE.len() {
            assert_eq!(answer(&OK_LINE[..length]), Answer::NeedMore(OK_LINE.len() - length));
            let other = [&OK_LINE[..length], b"?"].concat();
            assert_eq!(answer(&other), Answer::Other, "{other:?}");
        }
        assert_eq!(answer(OK_LINE), Answer::Ok);
        assert_eq!(answer(&[OK_LINE, b"\x16"].concat()), Answer::Other);
    }
}
