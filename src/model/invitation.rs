//! Invitations: a line with a user's key, name and addresses, to paste into another p2p-chat.
//!
//! `p2p-chat:KEY?n=NAME&a=ADDRESS&a=ADDRESS`. The key is required, everything else is optional. The
//! text is ASCII without spaces and quotation marks, so it can stand in a shell command and a
//! message. It proves nothing: only a session with the key does.

use std::fmt::{self, Write};
use std::str::FromStr;

use super::address::PeerAddr;
use super::key::{KeyError, PublicKey};
use super::name::{Name, PeerName, is_reserved, quoted};

/// The beginning of an invitation, in any case.
pub const SCHEME: &str = "p2p-chat:";

/// The maximum number of addresses in an invitation: as many as a contact can have.
pub const MAX_INVITED_ADDRS: usize = 8;

/// The maximum length of an invitation in bytes: twice the longest that p2p-chat writes, to leave
/// room for fields of later versions.
pub const MAX_INVITATION_BYTES: usize = 2_048;

/// The maximum length of a name in bytes before it is escaped, as in a hello.
const MAX_RAW_NAME_BYTES: usize = 256;

/// A user's key, name and addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// The key to expect.
    pub key: PublicKey,
    /// What they call themselves.
    pub name: Option<PeerName>,
    /// Where to dial them: at most [`MAX_INVITED_ADDRS`], each once.
    pub addrs: Vec<PeerAddr>,
}

/// Why a text is not a valid invitation. Displays as a sentence for the user.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvitationError {
    /// It does not begin with [`SCHEME`].
    #[error("An invitation begins with p2p-chat: and a key.")]
    Scheme,
    /// It has more than [`MAX_INVITATION_BYTES`].
    #[error("The invitation is too long; it has at most {MAX_INVITATION_BYTES} characters.")]
    Length,
    /// Its key is invalid.
    #[error("The invitation has no valid key. {0}")]
    Key(KeyError),
    /// A percent sign is not followed by two hexadecimal digits, or the bytes are not UTF-8.
    #[error("The invitation is damaged: \"{0}\" cannot be read. Copy it again.")]
    Escape(String),
    /// The name is empty, too long or not one word.
    #[error("The invitation has no valid name; a name is one word.")]
    Name,
    /// It has more than one name.
    #[error("The invitation has two names. Copy it again.")]
    TwoNames,
    /// An address cannot be dialed.
    #[error("The invitation has no valid address: \"{0}\" cannot be dialed.")]
    Address(String),
    /// It has more than [`MAX_INVITED_ADDRS`] addresses.
    #[error("The invitation has too many addresses; at most {MAX_INVITED_ADDRS} are allowed.")]
    Addresses,
}

/// Returns whether a text begins like an invitation, valid or not.
pub fn is_meant(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Returns the invitation in what a user pastes, valid or not: alone, or in the command that an
/// invitation is shown with.
pub fn pasted(text: &str) -> Option<&str> {
    let text = text.trim();
    let text = text.strip_prefix("p2p-chat add ").unwrap_or(text).trim_matches([' ', '\'']);
    is_meant(text).then_some(text)
}

impl FromStr for Invitation {
    type Err = InvitationError;

    /// Ignores white space, because terminals break long lines.
    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let text: String =
            text.chars().filter(|c| !c.is_whitespace()).take(MAX_INVITATION_BYTES + 1).collect();
        if !is_meant(&text) {
            return Err(InvitationError::Scheme);
        }
        if text.len() > MAX_INVITATION_BYTES {
            return Err(InvitationError::Length);
        }
        let rest = &text[SCHEME.len()..];
        let (key, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut invitation =
            Self { key: key.parse().map_err(InvitationError::Key)?, name: None, addrs: Vec::new() };
        for field in query.split('&').filter(|field| !field.is_empty()) {
            let (what, value) = field.split_once('=').unwrap_or((field, ""));
            match what {
                "n" if invitation.name.is_some() => return Err(InvitationError::TwoNames),
                "n" => invitation.name = name_of(&unescaped(value)?)?,
                "a" => invitation.add_addr(&unescaped(value)?)?,
                // A field of a later version.
                _ => {}
            }
        }
        Ok(invitation)
    }
}

impl Invitation {
    fn add_addr(&mut self, text: &str) -> Result<(), InvitationError> {
        let addr: PeerAddr = text.parse().map_err(|_| InvitationError::Address(quoted(text)))?;
        if self.addrs.contains(&addr) {
            return Ok(());
        }
        if self.addrs.len() >= MAX_INVITED_ADDRS {
            return Err(InvitationError::Addresses);
        }
        self.addrs.push(addr);
        Ok(())
    }
}

/// Returns the name, changed so that p2p-chat allows it. `None` if that is not possible: then the
/// contact gets its name when it connects.
fn name_of(text: &str) -> Result<Option<PeerName>, InvitationError> {
    let is_word = !text.is_empty() && !text.contains(char::is_whitespace);
    if !is_word || text.len() > MAX_RAW_NAME_BYTES {
        return Err(InvitationError::Name);
    }
    let allowed = match text.parse::<Name>() {
        Ok(_) => Some(text.to_owned()).filter(|name| !is_reserved(name)),
        Err(error) => error.suggestion().map(str::to_owned),
    };
    Ok(allowed.as_deref().map(PeerName::new))
}

/// Returns a text with its percent escapes replaced (RFC 3986, section 2.1).
fn unescaped(text: &str) -> Result<String, InvitationError> {
    let damaged = || InvitationError::Escape(quoted(text));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit().zip(digit()).and_then(|(high, low)| u8::try_from(high << 4 | low).ok());
        bytes.push(value.ok_or_else(damaged)?);
    }
    String::from_utf8(bytes).map_err(|_| damaged())
}

/// Returns whether a byte of a name needs no escape because it is unreserved (RFC 3986, section
/// 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

impl fmt::Display for Invitation {
    /// Leaves out addresses that name an interface of this machine, and those beyond
    /// [`MAX_INVITED_ADDRS`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.key)?;
        let mut before = '?';
        if let Some(name) = &self.name {
            write!(f, "{before}n=")?;
            before = '&';
            for byte in name.as_str().bytes() {
                if is_unreserved(byte) {
                    f.write_char(char::from(byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
        }
        let written = self.addrs.iter().map(PeerAddr::to_string).filter(|addr| !addr.contains('%'));
        for addr in written.take(MAX_INVITED_ADDRS) {
            write!(f, "{before}a={addr}")?;
            before = '&';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::MAX_HINTS;
    use crate::model::key::KEY_BYTES;

    const KEY: &str = "aeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaqcaibaeaq";

    fn parsed(rest: &str) -> Result<Invitation, InvitationError> {
        format!("p2p-chat:{KEY}{rest}").parse()
    }

    #[test]
    fn invitation_has_key_name_and_addresses() {
        let text = format!("p2p-chat:{KEY}?n=Alice&a=192.168.1.20:5000&a=[fd00::2]:5000");
        let invitation: Invitation = text.parse().unwrap();
        assert_eq!(invitation.key, PublicKey::new([1; KEY_BYTES]));
        assert_eq!(invitation.name, Some(PeerName::new("Alice")));
        let addrs: Vec<String> = invitation.addrs.iter().map(PeerAddr::to_string).collect();
        assert_eq!(addrs, ["192.168.1.20:5000", "[fd00::2]:5000"]);
        assert_eq!(invitation.to_string(), text);
    }

    #[test]
    fn pasted_command_has_its_invitation() {
        let text = format!("p2p-chat:{KEY}?n=Alice");
        for typed in [text.clone(), format!(" p2p-chat add '{text}'\n"), format!("p2p-chat add {text}")] {
            assert_eq!(pasted(&typed), Some(&*text));
        }
        assert_eq!(pasted(&format!("Here is mine: {text}")), None);
        assert_eq!(pasted("p2p-chat add bob"), None);
    }

    #[test]
    fn key_alone_is_an_invitation() {
        let alone = Invitation { key: PublicKey::new([1; KEY_BYTES]), name: None, addrs: Vec::new() };
        assert_eq!(parsed(""), Ok(alone.clone()));
        assert_eq!(alone.to_string(), format!("p2p-chat:{KEY}"));
        // As in the QR codes of earlier versions.
        assert_eq!(format!("P2P-CHAT:{}", KEY.to_uppercase()).parse(), Ok(alone));
    }

    #[test]
    fn names_are_escaped_and_addresses_may_be() {
        let invitation = parsed("?n=Zo%C3%AB%27s%26co&a=%5Bfd00%3A%3A2%5D%3A5000").unwrap();
        assert_eq!(invitation.name, Some(PeerName::new("Zoë's&co")));
        let text = invitation.to_string();
        assert!(text.ends_with("?n=Zo%C3%AB%27s%26co&a=[fd00::2]:5000"), "{text}");
    }

    #[test]
    fn forbidden_name_is_changed_or_left_out() {
        let name = |text: &str| parsed(&format!("?n={text}")).unwrap().name;
        assert_eq!(name("42"), Some(PeerName::new("peer-42")));
        assert_eq!(name("127.0.0.1%3A5000"), Some(PeerName::new("127.0.0.1-5000")));
        for reserved in ["all", "ALL", "new", "You"] {
            assert_eq!(name(reserved), None, "{reserved}");
        }
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let known = parsed("?n=Bob&a=192.0.2.7:5000").unwrap();
        assert_eq!(parsed("?v=2&n=Bob&x&=&a=192.0.2.7:5000&a=192.0.2.7:5000&"), Ok(known));
    }

    #[test]
    fn white_space_of_a_terminal_is_ignored() {
        let known = parsed("?n=Bob&a=192.0.2.7:5000").unwrap();
        assert_eq!(format!(" p2p-chat:\n{KEY}?n=B ob&a=192.0.2.7:\r\n  5000\n").parse(), Ok(known));
    }

    #[test]
    fn malformed_invitations_are_refused_with_one_sentence() {
        let addrs: String = (1..=9).map(|port| format!("&a=192.0.2.7:{port}")).collect();
        let address = |text: &str| InvitationError::Address(text.to_owned());
        for (rest, error) in [
            ("x".to_owned(), InvitationError::Key(KeyError::Length(53))),
            ("?n=".into(), InvitationError::Name),
            ("?n=a%20b".into(), InvitationError::Name),
            (format!("?n={}", "x".repeat(257)), InvitationError::Name),
            ("?n=a&n=b".into(), InvitationError::TwoNames),
            ("?n=a%2".into(), InvitationError::Escape("a%2".into())),
            ("?n=%+1".into(), InvitationError::Escape("%+1".into())),
            ("?n=%ff".into(), InvitationError::Escape("%ff".into())),
            ("?a=".into(), address("")),
            ("?a=bob.example:5000".into(), address("bob.example:5000")),
            ("?a=192.0.2.7:0".into(), address("192.0.2.7:0")),
            ("?a=224.0.0.1:5000".into(), address("224.0.0.1:5000")),
            (format!("?{addrs}"), InvitationError::Addresses),
            (format!("?x={}", "x".repeat(MAX_INVITATION_BYTES)), InvitationError::Length),
        ] {
            let found = parsed(&rest).expect_err(&rest);
            assert_eq!(found, error, "{rest}");
            let sentence = found.to_string();
            assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
        }
        for other in ["", "p2p-chat", "p2p-chat;x", "é2p-chat:", KEY] {
            assert_eq!(other.parse::<Invitation>(), Err(InvitationError::Scheme), "{other}");
        }
    }

    #[test]
    fn invitation_has_as_many_addresses_as_a_contact() {
        assert_eq!(MAX_INVITED_ADDRS, MAX_HINTS);
    }
}
