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
    /// What its receipt promised about sessions, until that is kept or shown to be false. Nothing
    /// is sent unencrypted meanwhile.
    pub(super) promised: Option<Capability>,
    /// It did not answer the opening line since it promised sessions.
    pub(super) is_silent: bool,
    /// The next probe asks it whether it has sessions.
    pub(super) is_asked_again: bool,
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

impl Program {
    /// Whether it reads unencrypted messages, and has promised no session.
    pub(super) fn is_plain(&self) -> bool {
        self.took_plain && self.promised.is_none()
    }

    /// Whether its messages show that it is no p2p-chat program: those write in the standard form,
    /// and never send Hashpa's greeting.
    pub(super) fn is_legacy(&self) -> bool {
        (self.form != Form::STANDARD || self.wants_ping) && self.promised.is_none()
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
