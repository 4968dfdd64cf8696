//! Shows stored messages.

use super::App;
use crate::core::{Command, Pin, Target, stored_conversations};
use crate::interfaces;
use crate::mailbox::ITEM_BYTES;
use crate::model::peer_id::Recipient;
use crate::model::stored::{Query, Selection, StoreError, StoredMessage};
use crate::runtime::MAX_STAGED_BYTES;
use crate::tui::{Chosen, HistoryOf, HistoryView, Ink, Line, People, quoted};

/// Messages that `/history` shows, at most: about two screens.
const SHOWN_AT_ONCE: usize = 50;

/// Earlier messages that are shown at the start of a conversation, at most.
const SHOWN_AT_BEGIN: usize = 10;

/// Messages that are shown at the start because an earlier run may not have shown them, at most.
/// The queues of one run have no room for more, so the limit only matters if several runs in a row
/// were killed before they showed any.
const MAX_UNSHOWN: usize = MAX_STAGED_BYTES / ITEM_BYTES;

impl App {
    /// Shows stored messages: of one peer or all, with these words if any.
    pub(super) fn history(&mut self, of: HistoryOf, words: Option<String>) {
        let (with, label, words) = match of {
            HistoryOf::All => (None, None, words),
            HistoryOf::One(chosen) => match self.peers_of(&chosen) {
                Ok(peers) => {
                    self.have_read(&chosen);
                    (Some(peers), Some(chosen.label), words)
                }
                Err(error) => return self.unreadable(&error),
            },
            HistoryOf::Named(name) => match self.parties_named(&name) {
                Ok(peers) if !peers.is_empty() => (Some(peers), Some(name), words),
                Ok(_) => (None, None, Some(words.map_or(name.clone(), |words| format!("{name} {words}")))),
                Err(error) => return self.unreadable(&error),
            },
        };
        let which = Selection { with, since: None, until: None };
        let query = Query { which, words: words.clone(), before: None, limit: SHOWN_AT_ONCE + 1 };
        let mut entries = match self.node.messages(&query) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&error),
        };
        let of = label.map_or_else(String::new, |label| format!(" with {label}"));
        if entries.is_empty() {
            self.say(match words {
                Some(words) => format!("No messages{of} contain {}.", quoted(&words)),
                None => format!("No messages{of} yet."),
            });
            return;
        }
        let about = words.map_or_else(String::new, |words| format!(" with {} in it", quoted(&words)));
        if entries.len() > SHOWN_AT_ONCE {
            entries.remove(0);
            self.say(Line::of(
                Ink::Faint,
                format!("The last {SHOWN_AT_ONCE} messages{of}{about}; `p2p-chat history` shows all:"),
            ));
        }
        let lines = self.past_lines(entries, false);
        self.out.extend(lines);
    }

    /// Shows the last messages with a peer at the start of a conversation.
    pub(super) fn recall(&mut self, with: &Chosen) {
        if with.peer().is_none() {
            return;
        }
        let Ok(peers) = self.peers_of(with) else { return };
        let which = Selection { with: Some(peers), since: None, until: None };
        let query = Query { which, words: None, before: None, limit: SHOWN_AT_ONCE };
        let mut entries = match self.node.messages(&query) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&error),
        };
        let first_new = HistoryView::first_new(&entries);
        let begin = entries.len().saturating_sub(SHOWN_AT_BEGIN).min(first_new.unwrap_or(usize::MAX));
        entries.drain(..begin);
        let first_new = first_new.map(|at| at - begin);
        if entries.is_empty() {
            return;
        }
        let new = entries.split_off(first_new.unwrap_or(entries.len()));
        if !entries.is_empty() {
            self.say(Line::of(Ink::Faint, format!("--- history: the last messages with {} ---", with.label)));
            let lines = self.past_lines(entries, false);
            self.out.extend(lines);
        }
        if !new.is_empty() {
            self.say(Line::of(Ink::Strong, "--- new since you last talked ---"));
            let lines = self.past_lines(new, false);
            self.out.extend(lines);
        }
        self.say(Line::of(Ink::Faint, "--- end of the history ---"));
    }

    /// Shows the messages of the last run that may not have been shown, and how many are queued.
    pub(super) fn catch_up(&mut self) {
        match self.node.unshown(MAX_UNSHOWN) {
            Ok(entries) if entries.is_empty() => {}
            Ok(entries) => {
                self.say(Line::of(Ink::Strong, "--- received just before p2p-chat ended ---"));
                self.shown.extend(entries.iter().map(|entry| entry.row));
                let lines = self.past_lines(entries, true);
                self.out.extend(lines);
            }
            Err(error) => self.unreadable(&error),
        }
        let count = self.node.waiting().len();
        match count {
            0 => {}
            1 => self.say("1 message is queued. /outbox lists it."),
            count => self.say(format!("{count} messages are queued. /outbox lists them.")),
        }
    }

    /// Records that the user has read the messages of this peer.
    pub(super) fn have_read(&self, with: &Chosen) {
        if let Some(id) = with.peer() {
            self.node.command(Command::Read(id));
        }
    }

    /// Handles that another conversation is open, or none.
    pub(super) fn conversation_changed(&mut self) {
        self.outcome = None;
        self.stale = true;
        let with = self.menu.conversation().map(|with| with.target.clone());
        let open = if let Some(Target::These(ids)) = with { ids } else { Vec::new() };
        self.node.command(Command::Open(open));
    }

    fn unreadable(&mut self, error: &StoreError) {
        self.refuse(format!("The history cannot be read: {error}."));
    }

    fn past_lines(&mut self, entries: Vec<StoredMessage>, in_doubt: bool) -> Vec<Line> {
        let today = self.clock.now().day;
        let people = self.people();
        let moment = |time: u64| self.clock.of(time);
        let late = |sent, came| self.clock.late(sent, came);
        HistoryView { people: &people, moment: &moment, late: &late, today: &today, in_doubt }.lines(entries)
    }

    /// Returns all peers in the history, with their labels in the chat.
    pub(super) fn people(&self) -> People {
        let peers = self.node.peers_in_history().unwrap_or_default();
        People::new(peers)
            .remembered(self.contacts.pins.values())
            .labelled(self.labels.clone())
            .with_own_name(self.node.name().as_str())
    }

    /// Returns the stored conversations with the chosen recipients.
    fn peers_of(&self, chosen: &Chosen) -> Result<Vec<Recipient>, StoreError> {
        match &chosen.target {
            Target::All | Target::AllPlain => {
                Ok(self.node.peers_in_history()?.into_iter().map(|(peer, _)| peer).collect())
            }
            Target::These(ids) => Ok(ids.iter().copied().flat_map(stored_conversations).collect()),
        }
    }

    /// Returns the stored conversations that a word means: by name, address or beginning of a key.
    fn parties_named(&self, word: &str) -> Result<Vec<Recipient>, StoreError> {
        let people = People::new(self.node.peers_in_history()?);
        let pins: Vec<Pin> = self.contacts.pins.values().cloned().collect();
        Ok(people.meant(word, interfaces::parse_addr(word).ok(), &pins).unwrap_or_default())
    }
}
