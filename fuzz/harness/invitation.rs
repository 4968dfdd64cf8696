//! The target `invitation`: the line that a user pastes.

use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::invitation::{Invitation, MAX_INVITATION_BYTES, MAX_INVITED_ADDRS};

use super::printed::assert_harmless;

/// The maximum number of characters in an error: a few lines on a terminal, for any invitation.
const MAX_ERROR_CHARS: usize = 200;

/// Reads the input as an invitation.
///
/// # Panics
/// If an accepted invitation breaks a limit, is not read back as printed or could end a quoted word
/// in a shell, or if the error of a refused one is not a clear sentence.
pub fn invitation(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let invitation: Invitation = match text.parse() {
        Ok(invitation) => invitation,
        Err(error) => {
            let sentence = format!("{error}");
            assert_harmless(&sentence);
            assert!(sentence.ends_with('.') && sentence.chars().count() <= MAX_ERROR_CHARS, "{sentence}");
            return;
        }
    };
    assert!(text.len() <= MAX_INVITATION_BYTES && invitation.addrs.len() <= MAX_INVITED_ADDRS);
    invitation.name.iter().for_each(|name| assert_harmless(name.as_str()));
    let printed = invitation.to_string();
    assert!(printed.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\''), "{printed}");
    let is_everywhere = |addr: &PeerAddr| !addr.to_string().contains('%');
    let addrs = invitation.addrs.iter().copied().filter(is_everywhere).collect();
    assert_eq!(printed.parse(), Ok(Invitation { addrs, ..invitation }));
}
