//! The two lines of ASCII that come before TLS.
//!
//! No binary byte goes to a program that may not be ours: it reads one line that it shows as an
//! error at most (docs/PROTOCOL.md, "The lines and the handshake"). Neither side may send anything
//! behind its line before it has the other's, so what comes too early is a fault, and no byte is
//! ever read into the wrong place.

/// What a dialer says first.
pub const DIAL_LINE: &[u8] = b"P2P-CHAT/1\n";

/// What an acceptor answers.
pub const OK_LINE: &[u8] = b"P2P-CHAT/1 ok\n";

/// What the first bytes of an accepted connection are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum First {
    /// They may become the line; also where there are none yet.
    NeedMore,
    /// They are the line and nothing more.
    Opening,
    /// The line and more, although the acceptor has not said ok.
    TooMuch,
    /// Something else: a plain message.
    Plain,
}

/// Looks at all that an accepted connection has brought so far.
pub fn first(bytes: &[u8]) -> First {
    match bytes.strip_prefix(DIAL_LINE) {
        Some([]) => First::Opening,
        Some(_) => First::TooMuch,
        None if DIAL_LINE.starts_with(bytes) => First::NeedMore,
        None => First::Plain,
    }
}

/// What the answer to our line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It may become the ok, and lacks at most this many bytes. Never read more than these: what
    /// follows belongs to TLS.
    NeedMore(usize),
    /// It is the ok.
    Ok,
    /// Something else: no p2p-chat, or none of this version.
    Other,
}

/// Looks at all that has come back so far.
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
