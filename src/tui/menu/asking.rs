//! The questions of the menu and their words.

use std::net::IpAddr;

use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::peer_id::Recipient;
use crate::tui::invite::inviter;
use crate::tui::people::Chosen;

/// What to do with the chosen recipient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) enum AskKind {
    Send,
    Connect,
    Disconnect,
    Chat,
    History,
    Me,
    Mute,
    Alias,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) struct Question {
    pub(super) kind: AskKind,
    /// The recipient that Enter chooses, as the question says.
    pub(super) last: Option<Chosen>,
    /// The text that was typed already.
    pub(super) text: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Sure {
    /// Whether the safety number of this key is the same on both screens.
    Verify(PublicKey, String),
    /// Whether to forget this contact or address.
    Forget(Recipient, String),
    /// Whether to add the contact of this invitation.
    Add(Invitation),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::tui) enum Asking {
    #[default]
    Choice,
    More,
    Whom(Question),
    Port(Question, IpAddr),
    /// The message for a recipient, and the part that was typed already.
    Text(Chosen, &'static str),
    Name,
    Alias(Recipient, String),
    Sure(Sure),
}

impl Asking {
    pub(super) fn prompt(&self, conversation: Option<&Chosen>) -> String {
        match (self, conversation) {
            (Self::Choice, Some(with)) => format!("to {}> ", with.label),
            (Self::Choice, None) => "Choice [0-6]: ".into(),
            (Self::More, _) => "More [0-8]: ".into(),
            (Self::Whom(question), _) => match question.kind {
                AskKind::Send | AskKind::Me => "To: ".into(),
                AskKind::Connect => "Connect to: ".into(),
                AskKind::Disconnect => "Disconnect from: ".into(),
                AskKind::Chat => "Chat with: ".into(),
                AskKind::History => "History of: ".into(),
                AskKind::Mute => "Mute or unmute: ".into(),
                AskKind::Alias => "Alias for: ".into(),
            },
            (Self::Port(_, ip), _) => format!("Port of {ip}: "),
            (Self::Text(to, beginning), _) => format!("Message to {}: {beginning}", to.label),
            (Self::Name, _) => "New name: ".into(),
            (Self::Alias(_, label), _) => format!("What to call {label}: "),
            (Self::Sure(Sure::Verify(..)), _) => "Same on both screens? yes/no: ".into(),
            (Self::Sure(Sure::Forget(_, label)), _) => format!("Forget {label}? yes/no: "),
            (Self::Sure(Sure::Add(invitation)), _) => format!("Add {}? yes/no: ", inviter(invitation)),
        }
    }

    /// Returns the line that explains the possible answers, if the question needs one.
    pub(super) fn hint(&self) -> Option<String> {
        let names = "Number, name, ip:port";
        Some(match self {
            Self::Whom(question) => {
                let enter =
                    question.last.as_ref().map_or(String::new(), |last| format!(" Enter: {}.", last.label));
                match question.kind {
                    AskKind::Send | AskKind::Me => format!("To whom? {names} or all.{enter} 0: back."),
                    AskKind::Connect => {
                        format!("Connect to which peer? {names}. Enter: all known peers. 0: back.")
                    }
                    AskKind::Disconnect => format!("Disconnect from whom? {names} or all. 0: back."),
                    AskKind::Chat => format!("Chat with whom? {names} or all.{enter} 0: back."),
                    AskKind::History => format!("History of whom? {names}. Enter: all. 0: back."),
                    AskKind::Mute => format!("Mute or unmute whom? {names}. 0: back."),
                    AskKind::Alias => format!("An alias for whom? {names}. 0: back."),
                }
            }
            Self::Name => "What do you want to be called? One word. 0: back.".into(),
            Self::Alias(..) => "Alias, one word. Enter: use their own name. 0: back.".into(),
            Self::Choice | Self::More | Self::Port(..) | Self::Text(..) | Self::Sure(_) => return None,
        })
    }
}
