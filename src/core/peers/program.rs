//! What is known of the program that a peer without a key runs, so that it is written to in a way
//! that it understands.

use crate::model::key::PublicKey;
use crate::model::message::{Body, Form};
use crate::model::name::PeerName;

/// What a peer's unencrypted messages and receipts show of its program.
#[derive(Clone, Debug, Default)]
pub(super) struct Program {
    /// The form that it is written to in.
    form: Form,
    /// The form that the user configured. It stays when the program ends.
    configured_form: Form,
    /// It has read a message of ours and named no key.
    took_plain: bool,
    /// The key that its receipt promised, until that key is proven or shown to be false. Nothing
    /// is sent unencrypted meanwhile.
    promised: Option<PublicKey>,
    /// A new name in a `connect` from the address of a legacy peer, until it is clear whether the
    /// sender is a legacy peer, too, or one with a key.
    introduced_as: Option<PeerName>,
    /// It speaks Hashpa's dialect, which wants a `PING` where others tolerate an empty connection.
    wants_ping: bool,
    /// It has acknowledged something of ours.
    gives_receipts: bool,
    /// It has sent `connect` or `connect_ack`, which SmartCookies never does.
    shook_hands: bool,
}

impl Program {
    pub(super) fn form(&self) -> Form {
        self.form
    }

    pub(super) fn wants_ping(&self) -> bool {
        self.wants_ping
    }

    pub(super) fn gives_receipts(&self) -> bool {
        self.gives_receipts
    }

    pub(super) fn shook_hands(&self) -> bool {
        self.shook_hands
    }

    pub(super) fn promised(&self) -> Option<PublicKey> {
        self.promised
    }

    /// Whether it reads unencrypted messages, and has promised no key.
    pub(super) fn is_plain(&self) -> bool {
        self.took_plain && self.promised.is_none()
    }

    /// Whether its messages show that it is no p2p-chat program: those write in the standard form,
    /// and never send Hashpa's greeting.
    pub(super) fn is_legacy(&self) -> bool {
        (self.form != Form::Standard || self.wants_ping) && self.promised.is_none()
    }

    /// Whether it may be SmartCookies, as far as it has shown.
    pub(super) fn may_be_smart_cookies(&self) -> bool {
        self.form != Form::R3 && !self.shook_hands
    }

    /// The user has configured the form.
    pub(super) fn configure(&mut self, form: Form) {
        self.form = form;
        self.configured_form = form;
    }

    /// The peer is the configured one whose program this is.
    pub(super) fn inherit(&mut self, configured: &Self) {
        self.configured_form = configured.configured_form;
    }

    /// Forgets what the program has shown: another program may be there now.
    pub(super) fn forget(&mut self) {
        let (configured_form, took_plain) = (self.configured_form, self.took_plain);
        *self = Self { form: configured_form, configured_form, took_plain, ..Self::default() };
    }

    /// Another peer has proven a key there, so nothing is known of this program any more.
    pub(super) fn replaced(&mut self) {
        self.forget();
        self.took_plain = false;
    }

    /// Remembers how it writes, so that it is written to in the same way.
    pub(super) fn wrote(&mut self, form: Form, body: &Body) {
        let is_handshake = matches!(body, Body::Connect | Body::ConnectAck);
        // SmartCookies writes its texts in the standard form; they do not show that it has become
        // another program.
        if form != Form::Standard || self.form == Form::R3 || is_handshake {
            self.form = form;
        }
        if matches!(body, Body::Greeting(_)) {
            self.wants_ping = true;
        } else if is_handshake || form != Form::Standard {
            self.wants_ping = false;
        }
        self.shook_hands |= is_handshake;
    }

    /// It has said goodbye. It is not probed any more, so nobody would see that another program
    /// listens there.
    pub(super) fn said_goodbye(&mut self, form: Form) {
        self.wrote(form, &Body::Exit);
        self.gives_receipts = false;
    }

    /// It sent a `PING`.
    pub(super) fn pinged(&mut self) {
        self.wants_ping = true;
    }

    /// It has spoken in a session.
    pub(super) fn spoke_in_session(&mut self) {
        self.shook_hands = true;
    }

    /// A program at the same address introduces itself by another name. It may have a key.
    pub(super) fn introduces_itself(&mut self, name: PeerName) {
        self.introduced_as = Some(name);
        self.took_plain = false;
    }

    /// It goes by the name that it is known by.
    pub(super) fn keeps_its_name(&mut self) {
        self.introduced_as = None;
    }

    /// It has read a message of ours and named no key. Returns the name that it has introduced
    /// itself by since it was known by another.
    pub(super) fn took_plain(&mut self) -> Option<PeerName> {
        self.took_plain = true;
        self.introduced_as.take()
    }

    /// It has acknowledged something of ours.
    pub(super) fn gave_receipt(&mut self) {
        self.gives_receipts = true;
    }

    /// Its receipt promised a key.
    pub(super) fn promise(&mut self, key: PublicKey) {
        self.promised = Some(key);
    }

    /// The promised key is proven, or was shown to be false.
    pub(super) fn promise_ended(&mut self) {
        self.promised = None;
    }
}
