//! What was said, read again; and what waits to be delivered.

use std::sync::Arc;

use super::{App, clock};
use crate::chat::{Command, OpId, Pin, Target, WaitingText};
use crate::ledger::{Condition, Entry, Party, Query, RowId, Selection, Way};
use crate::net;
use crate::store::StoreError;
use crate::talk::Letter;
use crate::ui::{Chosen, HistoryOf, Ink, Line, Outbox, Past, People, hold_words, quoted, state};
use crate::wire;

/// Messages that are shown at once: two screens, which can still be looked through.
const SHOWN_AT_ONCE: usize = 50;

/// Messages that are shown where a conversation begins, if more of them are not new.
const SHOWN_AT_BEGIN: usize = 10;

/// Messages among which those are looked for that did not arrive.
const SEARCHED_FOR_FAILED: usize = 500;

/// Texts that `/outbox` lists at most; the rest is counted.
const MAX_LISTED: usize = 100;

/// Messages of the last run that are shown at the start if it is not certain that they were; more than a screen came hardly in its last
/// instant.
const MAX_UNSHOWN: usize = 1_000;

/// A line of `/outbox`.
#[derive(Clone)]
pub(super) enum Listed {
    /// It waits.
    Waiting(Party, Letter),
    /// It did not arrive, and is not sent any more.
    Failed(Party, Letter),
    /// It was sent again, so what is listed of it is over.
    SentAgain,
}

impl App {
    /// Shows what was said.
    pub(super) fn history(&mut self, of: HistoryOf, words: Option<String>) {
        let (with, label, words) = match of {
            HistoryOf::All => (None, None, words),
            HistoryOf::One(chosen) => match self.parties_of(&chosen) {
                Ok(parties) => {
                    self.have_read(&chosen);
                    (Some(parties), Some(chosen.label), words)
                }
                Err(error) => return self.unreadable(&error),
            },
            HistoryOf::Named(name) => match self.parties_named(&name) {
                Ok(parties) if !parties.is_empty() => (Some(parties), Some(name), words),
                Ok(_) => (None, None, Some(words.map_or(name.clone(), |words| format!("{name} {words}")))),
                Err(error) => return self.unreadable(&error),
            },
        };
        let which = Selection { with, since: None, until: None };
        let query = Query { which, words: words.clone(), before: None, limit: SHOWN_AT_ONCE + 1 };
        let mut entries = match self.history.entries(&query) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&error),
        };
        let of = label.map_or_else(String::new, |label| format!(" with {label}"));
        let about = words.map_or_else(String::new, |words| format!(" that has {} in it", quoted(&words)));
        if entries.is_empty() {
            self.say(format!("Nothing{about} was said{of} yet."));
            return;
        }
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

    /// Shows the end of what was said before with somebody, where a conversation with them begins.
    pub(super) fn recall(&mut self, with: &Chosen) {
        if with.addr().is_none() {
            return;
        }
        let Ok(parties) = self.parties_of(with) else { return };
        let which = Selection { with: Some(parties), since: None, until: None };
        let query = Query { which, words: None, before: None, limit: SHOWN_AT_ONCE };
        let mut entries = match self.history.entries(&query) {
            Ok(entries) => entries,
            Err(error) => return self.unreadable(&error),
        };
        self.have_read(with);
        let first_new = Past::first_new(&entries);
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

    /// Shows what came just before the last run ended, as far as it is not certain that it was shown then, and how much waits.
    pub(super) fn catch_up(&mut self) {
        match self.history.unshown(MAX_UNSHOWN) {
            Ok(entries) if entries.is_empty() => {}
            Ok(entries) => {
                self.say(Line::of(Ink::Strong, "--- this came just before p2p-chat was ended ---"));
                self.shown.extend(entries.iter().map(|entry| entry.row));
                let lines = self.past_lines(entries, true);
                self.out.extend(lines);
            }
            Err(error) => self.unreadable(&error),
        }
        let count = self.node.waiting().len();
        match count {
            0 => {}
            1 => self.say("A text waits to be delivered; /outbox shows it."),
            count => self.say(format!("{count} texts wait to be delivered; /outbox shows them.")),
        }
    }

    /// A message is to be shown.
    pub(super) fn will_show(&mut self, row: Option<RowId>) {
        self.shown.extend(row);
    }

    /// The user has to do with these, so what they wrote has been read.
    pub(super) fn have_read(&mut self, with: &Chosen) {
        if let Some(addr) = with.addr() {
            self.unread.remove(&addr);
            for party in self.node.parties_at(addr) {
                self.node.read(party);
            }
        }
    }

    fn unreadable(&mut self, error: &StoreError) {
        self.say(Line::of(Ink::Bad, format!("The history cannot be read: {error}.")));
    }

    fn past_lines(&mut self, entries: Vec<Entry>, in_doubt: bool) -> Vec<Line> {
        let today = self.clock.now().day;
        let people = self.people();
        let moment = |time: u64| self.clock.of(time);
        Past { people: &people, moment: &moment, today: &today, in_doubt }.lines(entries)
    }

    /// Everybody of whom there is something in the history, called as they are in the chat.
    fn people(&mut self) -> People {
        let parties = self.history.parties().unwrap_or_default();
        let addr = |party| match party {
            Party::Addr(addr) => Some(addr),
            Party::Key(key) => self.node.addr_of(key),
        };
        People::new(parties).remembered(self.known.pins()).labelled(|party| self.labels.known(addr(party)?))
    }

    /// Who the messages with these are from or to: those of the key at an address, and those from before it had shown one.
    fn parties_of(&mut self, chosen: &Chosen) -> Result<Vec<Party>, StoreError> {
        match &chosen.target {
            Target::All => Ok(self.history.parties()?.into_iter().map(|(party, _)| party).collect()),
            Target::These(addrs) => Ok(addrs.iter().flat_map(|addr| self.node.parties_at(*addr)).collect()),
        }
    }

    /// Those whom a word means; nobody where it is no name, address or beginning of a key.
    fn parties_named(&mut self, word: &str) -> Result<Vec<Party>, StoreError> {
        let people = People::new(self.history.parties()?);
        let pins: Vec<Pin> = self.known.pins().cloned().collect();
        Ok(people.meant(word, net::parse_addr(word).ok(), &pins).unwrap_or_default())
    }

    /// Shows what waits, or changes it.
    pub(super) fn outbox(&mut self, what: Outbox) -> Option<OpId> {
        match what {
            Outbox::Show => {
                self.list_outbox();
                None
            }
            Outbox::Cancel(which) => self.each_listed(which, false, |app, listed| match listed {
                Listed::Waiting(to, letter) => Some(app.node.command(Command::Cancel(to, letter.id))),
                Listed::Failed(..) => {
                    app.say("That text is not sent any more; there is nothing to take back.");
                    None
                }
                Listed::SentAgain => app.is_listed_no_more(),
            }),
            Outbox::Again(which) => self.each_listed(which, true, |app, listed| match listed {
                Listed::Waiting(to, _) => Some(app.node.command(Command::TryNow(to))),
                Listed::Failed(to, letter) => {
                    let parts = wire::messages_for(&letter.body, &app.node.name()).unwrap_or_default();
                    let letter = Letter { time: clock::millis(), ..letter };
                    Some(app.node.command(Command::SendAgain { to, parts: parts.into(), letter }))
                }
                Listed::SentAgain => app.is_listed_no_more(),
            }),
        }
    }

    fn is_listed_no_more(&mut self) -> Option<OpId> {
        self.say("That text was sent again already; /outbox shows what became of it.");
        None
    }

    /// Does this with one line of the list, or with all that wait. What is sent `again` and was over before is listed no more.
    fn each_listed(
        &mut self,
        which: Option<usize>,
        again: bool,
        mut act: impl FnMut(&mut Self, Listed) -> Option<OpId>,
    ) -> Option<OpId> {
        if self.outbox.is_empty() {
            self.fill_outbox();
        }
        let mut listed = std::mem::take(&mut self.outbox);
        match which {
            None => {
                listed.retain(|listed| matches!(listed, Listed::Waiting(..)));
                if listed.is_empty() {
                    self.say("Nothing waits to be delivered.");
                }
                let mut last = None;
                for listed in listed {
                    last = act(self, listed).or(last);
                }
                last
            }
            Some(number) if (1..=listed.len()).contains(&number) => {
                // Its numbers hold until it is shown again.
                let chosen = listed[number - 1].clone();
                if again && matches!(chosen, Listed::Failed(..)) {
                    listed[number - 1] = Listed::SentAgain;
                }
                self.outbox = listed;
                act(self, chosen)
            }
            Some(number) => {
                self.say(format!("Nothing has the number {number} there; /outbox shows the list."));
                None
            }
        }
    }

    fn fill_outbox(&mut self) -> (Vec<WaitingText>, Vec<Entry>) {
        let waiting = self.node.waiting();
        let query = Query { limit: SEARCHED_FOR_FAILED, ..Query::default() };
        let failed: Vec<Entry> =
            self.history.entries(&query).unwrap_or_default().into_iter().filter(did_not_arrive).collect();
        let waits = waiting.iter().map(|waiting| Listed::Waiting(waiting.to, waiting.letter.clone()));
        let failures = failed.iter().filter_map(|entry| {
            let letter =
                Letter { id: entry.id?, time: entry.time, again: true, body: Arc::clone(&entry.body) };
            Some(Listed::Failed(entry.party, letter))
        });
        self.outbox = waits.chain(failures).take(MAX_LISTED).collect();
        (waiting, failed)
    }

    fn list_outbox(&mut self) {
        let (waiting, failed) = self.fill_outbox();
        if waiting.is_empty() && failed.is_empty() {
            self.say("Nothing waits to be delivered.");
            return;
        }
        let people = self.people();
        let voice = self.voice("");
        let mut lines = Vec::new();
        let mut number = 0;
        for waiting in waiting.iter().take(MAX_LISTED) {
            number += 1;
            let state = match (waiting.under_way, waiting.sent) {
                (true, _) => "on its way".to_owned(),
                (false, true) => format!("sent; {}", hold_words(waiting.hold)),
                (false, false) => format!("queued: {}", hold_words(waiting.hold)),
            };
            lines.push(Line::from(format!(
                "{number:>3}  to {}, {state}; expires in {}: {}",
                voice.named(&waiting.who),
                clock::span(waiting.left),
                quoted(&waiting.letter.body)
            )));
        }
        if !failed.is_empty() && number < MAX_LISTED {
            lines.push(Line::of(Ink::Faint, "     Lately, and not sent any more:"));
            for entry in failed.iter().take(MAX_LISTED - number) {
                number += 1;
                let Way::Out(condition) = entry.way else { continue };
                lines.push(Line::of(
                    Ink::Bad,
                    format!(
                        "{number:>3}  to {}, {}: {}",
                        people.called(entry.party, entry.name.as_ref()),
                        state(condition),
                        quoted(&entry.body)
                    ),
                ));
            }
        }
        let more = (waiting.len() + failed.len()).saturating_sub(number);
        if more > 0 {
            lines.push(format!("     And {more} more.").into());
        }
        lines.push(Line::of(
            Ink::Faint,
            "     /outbox cancel NUMBER takes one back, /outbox again NUMBER sends it at once.",
        ));
        self.out.extend(lines);
    }
}

/// Whether a message is one of ours that its recipient does not have, as far as is known.
fn did_not_arrive(entry: &Entry) -> bool {
    let Way::Out(condition) = entry.way else { return false };
    matches!(
        condition,
        Condition::Uncertain
            | Condition::NotSent
            | Condition::NotAccepted
            | Condition::Withdrawn
            | Condition::Expired
    )
}
