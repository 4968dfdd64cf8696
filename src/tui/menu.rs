//! The prompt: a line goes in, the next prompt, a sentence or something to do comes out. Pure.
//!
//! This file has the numbered menu and what follows from an answer; `menu/talk.rs` has what else
//! can be typed where it asks for a choice: `@name text`, commands, and the lines of a
//! conversation. `menu/asking.rs` has the words of the questions.

mod answers;
mod asking;
pub(in crate::tui) mod introductions;
mod talk;
pub(in crate::tui) mod trust;

use std::borrow::Cow;

use super::commands::{Spec, is_quit};
use super::complete::Place;
use super::people::{Chosen, Directory, Lost, Named, find, shown};
use crate::core::{Command, ContactRecord, IntroducedPeer, Pin};
use crate::model::address::PeerAddr;
use crate::model::host::Endpoint;
use crate::model::invitation::Invitation;
use crate::model::key::PublicKey;
use crate::model::name::Name;
use crate::model::peer_id::Recipient;
use asking::Question;
pub(in crate::tui) use asking::{AskKind, Asking};
pub(in crate::tui) use talk::{first_word, for_one_peer, needs_port};

/// The menu as it is shown.
pub(super) const MENU: [&str; 7] =
    ["1  Send a message", "2  Show peers", "3  Connect", "4  Disconnect", "5  History", "6  More", "0  Exit"];

/// What the menu has no place for, with the command that does the same.
const MORE: [&str; 9] = [
    "1  Start a conversation               /chat",
    "2  Answer the last message            /reply",
    "3  Send an action                     /me",
    "4  Change your name                   /name",
    "5  Mute or unmute a peer              /mute",
    "6  Give a peer an alias               /alias",
    "7  Show queued messages               /outbox",
    "8  Help                               /help",
    "0  Back",
];

/// Something to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Send this text.
    Send(Chosen, String),
    /// A command of the core.
    Core(Command),
    /// What only this command does, with what stands after its name.
    Own(&'static Spec, String),
    /// Show what was said, if it has these words in it.
    History(HistoryOf, Option<String>),
    /// Show what waits to be delivered, or change it.
    Outbox(Outbox),
    /// Be called otherwise.
    Rename(Name),
    /// Mute a peer, or unmute it if it is muted.
    ToggleMute(Recipient),
    /// Set an alias, or remove it.
    Alias(Recipient, String, Option<Name>),
    /// Say what is known of these keys.
    ShowPins(Vec<Pin>),
    /// Add a contact, or change it.
    Add(ContactRecord),
    /// Connect to an address or host name; a peer that answers there becomes a contact.
    AddAt(Endpoint),
    /// Add the contact of an invitation, and dial it.
    AddInvited(Invitation),
    /// Introduce these contacts to each other.
    Introduce([PublicKey; 2]),
    /// Accept an introduction.
    AcceptIntroduction {
        /// The introduction.
        introduction: IntroducedPeer,
        /// The addresses for the contact card, if the user chose them.
        addrs: Option<Vec<PeerAddr>>,
    },
    /// A key was compared with its owner, and is the right one.
    Verify(PublicKey),
    /// Leave.
    Exit,
}

/// With whom something was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HistoryOf {
    /// With all peers.
    All,
    /// With this one.
    One(Chosen),
    /// With peers that had this name, or else messages that contain this word.
    Named(String),
}

/// What to do with texts that wait, by their numbers in the list; without one, with all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outbox {
    /// Show them.
    Show,
    /// Take them back.
    Cancel(Option<usize>),
    /// Send them again, now.
    Again(Option<usize>),
}

/// What comes of a line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Turn {
    /// What to tell the user first.
    pub say: Vec<String>,
    /// What to do then.
    pub act: Option<Act>,
    /// Whether the line was refused. It changes nothing about the next line, and Up brings it back.
    pub refused: bool,
}

/// Where the user is, and what they need not type again.
#[derive(Clone, Debug, Default)]
pub struct Menu {
    asking: Asking,
    conversation: Option<Chosen>,
    /// To whom the last text was sent.
    last: Option<Chosen>,
    last_sender: Option<Chosen>,
    /// Who had written last when the line was begun.
    reply_to: Option<Option<Chosen>>,
    /// Whether a person reads the prompt, so that a question can be asked again.
    asks_again: bool,
}

impl Menu {
    /// Creates a menu that asks for a choice. With `asks_again`, a question stays until it is
    /// answered. Without it, a refused answer goes back to the menu, so that no line of a script
    /// answers a question that it was not written for.
    pub fn new(asks_again: bool) -> Self {
        Self { asks_again, ..Self::default() }
    }

    /// The lines of the menu itself.
    pub fn lines() -> Vec<String> {
        MENU.map(str::to_owned).to_vec()
    }

    /// What to ask now.
    pub fn prompt(&self) -> String {
        self.asking.prompt(self.conversation.as_ref())
    }

    /// Whether the menu itself is asking, or a conversation is going on.
    pub fn is_at_choice(&self) -> bool {
        self.asking == Asking::Choice
    }

    /// Whether a finished line is worth storing for Up: a text or a command, but no number of the
    /// menu and no other answer to a question.
    pub fn remembers(&self, line: &str) -> bool {
        match self.asking {
            Asking::Choice if self.conversation.is_none() => {
                !line.trim().bytes().all(|byte| byte.is_ascii_digit())
            }
            Asking::Choice | Asking::Text(..) => true,
            _ => false,
        }
    }

    /// What can be completed in the line that is typed now.
    pub fn place(&self) -> Place {
        match self.asking {
            Asking::Choice => Place::Line,
            Asking::Whom(_) => Place::Peer,
            _ => Place::Other,
        }
    }

    /// With whom a conversation is going on.
    pub fn conversation(&self) -> Option<&Chosen> {
        self.conversation.as_ref()
    }

    /// Takes note of who wrote.
    pub fn heard(&mut self, from: Chosen) {
        self.last_sender = Some(from);
    }

    /// Records that a line is begun. A reply in it goes to the peer that wrote last before.
    pub fn begins_line(&mut self) {
        self.reply_to = Some(self.last_sender.clone());
    }

    /// All recipients that the menu remembers and shows by a label.
    fn remembered(&mut self) -> impl Iterator<Item = &mut Chosen> {
        let asked = match &mut self.asking {
            Asking::Text(to, _) => Some(to),
            Asking::Whom(question) | Asking::Port(question, _) => question.last.as_mut(),
            _ => None,
        };
        let named = [&mut self.conversation, &mut self.last, &mut self.last_sender];
        named.into_iter().flatten().chain(self.reply_to.iter_mut().flatten()).chain(asked)
    }

    /// Neither Enter nor `/reply` means this recipient any more.
    pub fn is_no_default(&mut self, id: Recipient) {
        for remembered in [&mut self.last, &mut self.last_sender].into_iter().chain(&mut self.reply_to) {
            remembered.take_if(|chosen| chosen.peer() == Some(id));
        }
        if let Asking::Whom(question) | Asking::Port(question, _) = &mut self.asking {
            question.last.take_if(|chosen| chosen.peer() == Some(id));
        }
    }

    /// Forgets a recipient that has likely changed, so that the user is asked which one they mean.
    /// Returns whether the next line was to go there.
    pub fn forget(&mut self, id: Recipient) -> bool {
        let is_it = |chosen: &Option<Chosen>| chosen.as_ref().and_then(Chosen::peer) == Some(id);
        self.is_no_default(id);
        let was_asked = matches!(&self.asking, Asking::Text(to, _) if to.peer() == Some(id));
        if was_asked {
            self.asking = Asking::Choice;
        }
        let was_talking = is_it(&self.conversation);
        if was_talking {
            self.conversation = None;
        }
        was_asked || was_talking
    }

    /// Whether the menu names a peer anywhere.
    pub fn names(&mut self, id: Recipient) -> bool {
        self.remembered().any(|chosen| chosen.peer() == Some(id))
    }

    /// Gives a peer this label wherever the menu names it. Returns whether it had another.
    pub fn relabel(&mut self, id: Recipient, label: &str) -> bool {
        let mut is_changed = false;
        for chosen in self.remembered().filter(|chosen| chosen.peer() == Some(id) && chosen.label != label) {
            label.clone_into(&mut chosen.label);
            is_changed = true;
        }
        is_changed
    }

    /// Replaces a recipient wherever the menu remembers it: the first peer has proven itself at an
    /// address, or a contact has a new key.
    pub fn replace(&mut self, from: Recipient, to: &Chosen) {
        self.remembered().for_each(|chosen| chosen.replace(from, to));
        let Some(peer) = to.peer() else { return };
        if let Asking::Alias(id, label) = &mut self.asking
            && *id == from
        {
            *id = peer;
            to.label.clone_into(label);
        }
    }

    /// Goes back from a question to the menu, or ends the conversation if nothing is asked. Returns
    /// what to say of that.
    pub fn escape(&mut self) -> Option<String> {
        match std::mem::take(&mut self.asking) {
            Asking::Choice => self.end_conversation(),
            _ => None,
        }
    }

    /// Goes back to the menu after a line that could not be taken, unless the question is asked
    /// again.
    pub fn give_up_question(&mut self) {
        if !self.asks_again {
            self.asking = Asking::Choice;
        }
    }

    /// Asks for the text to this recipient again, because it cannot be sent.
    pub fn ask_text_again(&mut self, to: Chosen) {
        let is_there = self.conversation.as_ref().is_some_and(|with| with.target == to.target);
        if self.asks_again && !is_there {
            self.asking = Asking::Text(to, "");
        }
    }

    /// Takes a line that the user finished.
    pub fn line(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        if !self.is_at_choice() && is_quit(line) {
            return act(Act::Exit);
        }
        if let Some(turn) = self.command_at_question(line, directory) {
            return turn;
        }
        let turn = match std::mem::take(&mut self.asking) {
            Asking::Choice => self.choice(line, directory),
            Asking::More => self.more(&number(line.trim())),
            Asking::Whom(question) => self.whom(question, &number(line.trim()), directory),
            Asking::Port(question, ip) => self.port(question, ip, &number(line.trim()), directory),
            Asking::Text(to, beginning) => self.text(to, beginning, line),
            Asking::Name => self.name(line.trim()),
            Asking::Alias(addr, label) => self.alias(addr, label, line.trim()),
            Asking::Sure(sure) => self.sure(sure, line.trim()),
        };
        self.reply_to = None;
        turn
    }

    /// Carries out a command, or `@bob hello`, that is typed at a question, which is dropped. For a
    /// script it is refused. Returns `None` if the line is an answer.
    fn command_at_question(&mut self, line: &str, directory: &dyn Directory) -> Option<Turn> {
        let takes_message = matches!(self.asking, Asking::Text(..));
        let trimmed = line.trim();
        if self.is_at_choice() || trimmed.contains('\n') || takes_message && !self.asks_again {
            return None;
        }
        let (word, rest) = first_word(trimmed);
        let is_direct = word.len() > 1 && word.starts_with('@') && !rest.is_empty();
        let command = super::commands::named(word).map(|command| command.name);
        match command {
            // `/me waves` is a message.
            Some("/me") if takes_message => return None,
            Some(_) => {}
            None if is_direct && !takes_message => {}
            None => return None,
        }
        self.asking = Asking::Choice;
        if self.asks_again {
            return Some(self.choice(line, directory));
        }
        Some(refused(format!("{} does not answer the question, so nothing was done.", shown(word))))
    }

    /// Refuses an answer. The question is asked again where a person answers it.
    fn refuse(&mut self, asking: Asking, sentence: String) -> Turn {
        if self.asks_again {
            self.asking = asking;
        }
        refused(sentence)
    }

    fn choice(&mut self, line: &str, directory: &dyn Directory) -> Turn {
        if self.conversation.is_none() && !line.contains('\n') {
            match &*number(line.trim()) {
                "1" => return self.ask_whom(AskKind::Send, self.last.clone()),
                "2" => return perform(Command::List),
                "3" => return self.ask_whom(AskKind::Connect, None),
                "4" => return self.ask_whom(AskKind::Disconnect, None),
                "5" => return self.ask_whom(AskKind::History, None),
                "6" => {
                    self.asking = Asking::More;
                    return say(MORE.map(str::to_owned));
                }
                "0" => return act(Act::Exit),
                "" => return say(Self::lines()),
                other if other.bytes().all(|byte| byte.is_ascii_digit()) => {
                    let no = format!("\"{}\" is not in the menu.", shown(other));
                    let say = std::iter::once(no).chain(Self::lines()).collect();
                    return Turn { say, refused: true, ..Turn::default() };
                }
                _ => {}
            }
        }
        self.talk(line, directory)
    }

    fn more(&mut self, line: &str) -> Turn {
        match line {
            "1" => self.ask_whom(AskKind::Chat, self.last.clone()),
            "2" => self.reply(""),
            "3" => self.ask_whom(AskKind::Me, self.last.clone()),
            "4" => self.ask(Asking::Name),
            "5" => self.ask_whom(AskKind::Mute, None),
            "6" => self.ask_whom(AskKind::Alias, None),
            "7" => act(Act::Outbox(Outbox::Show)),
            "8" => say(super::commands::overview()),
            "0" | "" => Turn::default(),
            other => self.refuse(Asking::More, format!("\"{}\" is not a number from 0 to 8.", shown(other))),
        }
    }

    pub(in crate::tui) fn ask(&mut self, asking: Asking) -> Turn {
        self.asking = asking;
        say(self.asking.hint())
    }

    fn ask_whom(&mut self, kind: AskKind, last: Option<Chosen>) -> Turn {
        self.ask(Asking::Whom(Question { kind, last, text: None }))
    }
}

/// Returns a number in ASCII digits. Japanese and Chinese input methods type full-width digits.
fn number(word: &str) -> Cow<'_, str> {
    let ascii = |c: char| match c {
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
        _ => None,
    };
    let digits: Option<String> = word.chars().map(ascii).collect();
    digits.filter(|digits| !digits.is_empty()).map_or(Cow::Borrowed(word), Cow::Owned)
}

pub(in crate::tui) fn act(act: Act) -> Turn {
    Turn { act: Some(act), ..Turn::default() }
}

/// Has the core carry out a command.
pub(in crate::tui) fn perform(command: Command) -> Turn {
    act(Act::Core(command))
}

pub(in crate::tui) fn say(lines: impl IntoIterator<Item = String>) -> Turn {
    Turn { say: lines.into_iter().collect(), ..Turn::default() }
}

pub(in crate::tui) fn refused(sentence: impl Into<String>) -> Turn {
    Turn { refused: true, ..say([sentence.into()]) }
}

#[cfg(test)]
pub(super) mod tests;
