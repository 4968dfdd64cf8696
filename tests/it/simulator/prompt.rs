//! The prompt of one user: the real menu, labels and name resolver, as src/tui/app uses them.

use p2p_chat::core::{
    Event as Told, Meeting, OpId, PeerInfo, PeerRequest, Pin, Row, State, Time, Verification,
};
use p2p_chat::model::address::PeerAddr;
use p2p_chat::model::delivery::DeliveryStatus;
use p2p_chat::model::key::PublicKey;
use p2p_chat::model::message::MessageId;
use p2p_chat::model::peer_id::Recipient;
use p2p_chat::tui::{Act, Chosen, Directory, Labels, Menu, Standing};

use super::peer::Pid;
use super::world::World;

/// The prompt of the user of a process.
pub(super) struct Prompt {
    pid: Pid,
    menu: Menu,
    labels: Labels,
    /// The statuses that the user was told, in all runs.
    pub(super) outcomes: Vec<(Pid, OpId, Recipient, DeliveryStatus)>,
}

/// A message that the user has entered.
#[derive(Clone, Debug)]
pub(super) struct Entered {
    pub(super) id: MessageId,
    pub(super) by: Pid,
    pub(super) op: OpId,
    pub(super) to: Recipient,
}

/// The directory of the prompt.
struct People<'a> {
    state: &'a State,
    time: Time,
    labels: &'a Labels,
}

impl Directory for People<'_> {
    fn rows(&self) -> Vec<Row> {
        self.state.rows(self.time)
    }

    fn contacts(&self) -> Vec<Pin> {
        self.state.book().unlisted_contacts()
    }

    fn blocked(&self) -> Vec<Pin> {
        self.state.trusted().blocked_pins()
    }

    fn at(&self, addr: PeerAddr) -> Vec<Recipient> {
        self.state.book().at(addr)
    }

    fn is_own(&self, addr: PeerAddr) -> bool {
        self.state.book().is_own(addr)
    }

    fn labels(&self) -> &Labels {
        self.labels
    }

    fn pin_of(&self, id: Recipient) -> Option<Pin> {
        self.state.trusted().pin_of(id).cloned()
    }

    fn pins_named(&self, word: &str) -> Vec<Pin> {
        self.state.trusted().pins_for(word).into_iter().cloned().collect()
    }

    fn requests_for(&self, word: &str) -> Vec<PeerRequest> {
        self.state.trusted().requests_for(word).into_iter().cloned().collect()
    }

    fn refused_for(&self, word: &str) -> Vec<Meeting> {
        self.state.trusted().refused_for(word).into_iter().cloned().collect()
    }

    fn queued(&self, id: Recipient) -> usize {
        self.state.queued(id)
    }

    fn code_with(&self, _key: PublicKey) -> String {
        String::new()
    }
}

fn standing(state: &State, id: Recipient) -> Standing {
    match (state.book().is_contact(id), state.book().knows(id)) {
        (true, _) => Standing::Contact,
        (false, true) => Standing::Stranger,
        (false, false) => Standing::Forgotten,
    }
}

impl World {
    /// The user begins to type, perhaps after a restart.
    pub(super) fn opens_prompt(&mut self, pid: Pid) {
        let outcomes = self.prompt.take().map(|prompt| prompt.outcomes).unwrap_or_default();
        let mut labels = Labels::default();
        let state = self.ours(pid).state();
        let contacts =
            state.book().unlisted_contacts().into_iter().map(|pin| (Recipient::key(pin.key), pin.name));
        for (id, name) in contacts.chain(self.rows(pid).into_iter().map(|row| (row.id, row.name))) {
            let (addr, verification) = (state.book().dialed_at(id), state.book().verification_of(id));
            labels.meet(&PeerInfo { id, name, addr, claimed: None, verification }, |id| standing(state, id));
        }
        self.prompt = Some(Prompt { pid, menu: Menu::new(false), labels, outcomes });
    }

    /// The user is told something.
    pub(super) fn prompt_hears(&mut self, pid: Pid, event: &Told) {
        let Some(mut prompt) = self.prompt.take_if(|prompt| prompt.pid == pid) else { return };
        let state = self.ours(pid).state();
        event.each_who(|who| {
            if !matches!(who.verification, Verification::Claims(_)) {
                let renamed = prompt.labels.meet(who, |id| standing(state, id));
                for renamed in renamed {
                    prompt.menu.relabel(renamed.id, &renamed.now);
                }
            }
        });
        match event {
            Told::ProvenAt(addr, who) => {
                prompt.labels.replace((*addr).into(), who.id);
                let label = prompt.labels.label(who.id, who.name.as_ref());
                prompt.menu.replace((*addr).into(), &Chosen::one(who.id, label));
            }
            Told::Message { from, .. } => {
                let label = prompt.labels.label(from.id, from.name.as_ref());
                prompt.menu.heard(Chosen::one(from.id, label));
            }
            Told::Delivery { op, who, status, .. } => {
                prompt.outcomes.push((pid, *op, who.id, status.clone()));
            }
            _ => {}
        }
        self.prompt = Some(prompt);
    }

    fn with_menu<T>(&mut self, act: impl FnOnce(&mut Menu, &dyn Directory) -> T) -> T {
        let mut prompt = self.prompt.take().expect("a user types");
        let ours = self.ours(prompt.pid);
        let people = People { state: ours.state(), time: ours.time(self.now), labels: &prompt.labels };
        let result = act(&mut prompt.menu, &people);
        self.prompt = Some(prompt);
        result
    }

    /// The user begins a line without finishing it.
    pub(super) fn begins_line(&mut self) {
        self.with_menu(|menu, _| menu.begins_line());
    }

    /// The user presses Escape.
    pub(super) fn escapes(&mut self) {
        self.with_menu(|menu, _| drop(menu.escape()));
    }

    /// The user finishes a line. Returns the message that was sent, if any.
    pub(super) fn types(&mut self, line: &str) -> Option<Entered> {
        let turn = self.with_menu(|menu, people| menu.line(line, people));
        let pid = self.prompt.as_ref().map(|prompt| prompt.pid).expect("a user types");
        self.trace.note(format_args!("{:?} {pid} types `{line}`: {turn:?}", self.now));
        let Some(Act::Send(to, text)) = turn.act else { return None };
        let one = to.peer().expect("one recipient");
        let op = OpId(self.ours(pid).ops + 1);
        let id = self.sends_this(pid, to.target, &text);
        Some(Entered { id, by: pid, op, to: one })
    }
}
