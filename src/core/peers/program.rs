//! What is known of the program that a peer without a key runs, so that it is written to in a way
//! that it understands.

use crate::model::message::{Body, Capability, Form};
use crate::model::name::PeerName;
use crate::protocol::plain::has_standard_texts;

/// What a peer's unencrypted messages and receipts show of its program.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    /// The form that it is written to in.
    pub(super) form: Form,
    /// The form that the user configured. It stays when the program ends.
    pub(super) configured_form: Form,
    /// It has read a message of ours and promised no session.
    pub(super) took_plain: bool,
    /// What its receipt promised about sessions.
    pub(super) promise: Promise,
    /// A new name in a `connect` from the address of a legacy peer, until it is clear whether the
    /// sender is a legacy peer, too, or one with a key.
    pub(super) introduced_as: Option<PeerName>,
    /// It speaks Hashpa's dialect, which wants a `PING` where others tolerate an empty connection.
    pub(super) wants_ping: bool,
    /// It has acknowledged something of ours.
    pub(super) gives_receipts: bool,
    /// It has sent `connect` or `connect_ack`, which SmartCookies never does.
    pub(super) shook_hands: bool,
}

/// What a program promised about sessions, until that is kept or shown to be false. Nothing is sent
/// unencrypted meanwhile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Promise {
    /// It has promised nothing.
    #[default]
    None,
    /// It has promised nothing, and the next probe asks it whether it has sessions.
    Wanted,
    /// Its receipt promised this.
    Made(Capability),
    /// It did not answer the opening line since, and the next probe asks it once more: a busy
    /// program closes connections that it has not read.
    Doubted(Capability),
    /// It was asked once more.
    Silent(Capability),
}

impl Promise {
    /// What was promised.
    pub(super) fn get(self) -> Option<Capability> {
        match self {
            Self::None | Self::Wanted => None,
            Self::Made(promise) | Self::Doubted(promise) | Self::Silent(promise) => Some(promise),
        }
    }

    /// What was promised, unless the program did not answer the opening line since.
    pub(super) fn untried(self) -> Option<Capability> {
        if let Self::Made(promise) = self { Some(promise) } else { None }
    }

    /// The program did not answer the opening line of a session.
    pub(super) fn left_open(&mut self) {
        if let Self::Made(promise) = *self {
            *self = Self::Doubted(promise);
        }
    }

    /// The promise was shown to be false.
    pub(super) fn broken(&mut self) {
        if self.get().is_some() {
            *self = Self::None;
        }
    }

    /// The next probe asks the program. One that has promised sessions and was not silent since is
    /// tried instead.
    pub(super) fn wanted(&mut self) {
        *self = match *self {
            Self::None | Self::Wanted => Self::Wanted,
            Self::Made(promise) => Self::Made(promise),
            Self::Doubted(promise) | Self::Silent(promise) => Self::Doubted(promise),
        };
    }

    /// Returns whether a probe that begins asks the program, which the next one does not.
    pub(super) fn take_question(&mut self) -> bool {
        let (is_asked, next) = match *self {
            Self::Wanted => (true, Self::None),
            Self::Doubted(promise) => (true, Self::Silent(promise)),
            other => (false, other),
        };
        *self = next;
        is_asked
    }
}

impl Program {
    /// Whether it reads unencrypted messages, and has promised no session.
    pub(super) fn is_plain(&self) -> bool {
        self.took_plain && self.promise.get().is_none()
    }

    /// Whether its messages show that it is no p2p-chat program: those write in the standard form,
    /// and never send Hashpa's greeting.
    pub(super) fn is_legacy(&self) -> bool {
        (self.form != Form::STANDARD || self.wants_ping) && self.promise.get().is_none()
    }

    /// Forgets what the program has shown: another program may be there now.
    pub(super) fn forget(&mut self) {
        let (configured_form, took_plain) = (self.configured_form, self.took_plain);
        *self = Self { form: configured_form, configured_form, took_plain, ..Self::default() };
    }

    /// Remembers how it writes, so that it is written to in the same way.
    pub(super) fn wrote(&mut self, form: Form, body: &Body) {
        let is_handshake = matches!(body, Body::Connect | Body::ConnectAck);
        // A text in the standard form does not show that SmartCookies has become another program.
        if form != Form::STANDARD || !has_standard_texts(self.form) || is_handshake {
            self.form = form;
        }
        if matches!(body, Body::Greeting(_)) {
            self.wants_ping = true;
        } else if is_handshake || form != Form::STANDARD {
            self.wants_ping = false;
        }
        self.shook_hands |= is_handshake;
    }
}

#[cfg(test)]
mod tests {
    use super::Promise;

    #[test]
    fn question_outlives_silence_and_broken_promise() {
        let mut promise = Promise::None;
        promise.wanted();
        promise.left_open();
        promise.broken();
        assert!(promise.take_question());
        assert_eq!(promise, Promise::None);
    }
}
