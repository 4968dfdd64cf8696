//! Incremental search in the remembered lines.

use unicode_segmentation::UnicodeSegmentation;

use super::buffer::Buffer;
use super::edits::EditKind;
use super::{Editor, Key, Typed};
use crate::tui::input_history::{Way, next};

/// A search in progress. The line shows the match meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Search {
    query: String,
    way: Way,
    start: usize,
    found: Option<usize>,
    failed: bool,
    before: Buffer,
}

impl Editor {
    /// Returns the prompt during a search.
    pub fn search_prompt(&self) -> Option<String> {
        let search = self.search.as_ref()?;
        let state = if search.failed { "no match" } else { "search" };
        Some(format!("({state})`{}': ", search.query))
    }

    pub(super) fn begin_search(&mut self, way: Way) {
        self.last = EditKind::Other;
        // The changed text at this position can be found as well.
        let start = self.history.place();
        self.history.go(start, self.buffer.text());
        self.search = Some(Search {
            query: String::new(),
            way,
            start,
            found: None,
            failed: false,
            before: self.buffer.clone(),
        });
    }

    /// Handles a key during a search, or ends the search if the key is for the line.
    pub(super) fn search_key(&mut self, key: Key) -> Option<Typed> {
        let search = self.search.as_mut()?;
        match key {
            Key::Char(c) if c.is_control() => {}
            Key::Char(c) => self.extend_query(c.encode_utf8(&mut [0; 4])),
            Key::Backspace => {
                let last = search.query.grapheme_indices(true).next_back().map_or(0, |(at, _)| at);
                search.query.truncate(last);
                let found = search.found;
                let from = found.filter(|_| search.failed).unwrap_or(search.start);
                self.look(Some(from), None);
                if self.search.as_ref().is_some_and(|search| search.failed) {
                    // There is no match from the beginning in this direction, but the present match
                    // stays.
                    self.look(found, None);
                }
            }
            Key::Search => self.look_further(Way::Older),
            Key::SearchNewer => self.look_further(Way::Newer),
            // Enter must not send a line that does not match the search.
            Key::Enter if search.found.is_none() => self.end_search(),
            Key::Enter => return Some(Typed::Line(self.take())),
            Key::Cancel | Key::Interrupt => self.give_up_search(),
            Key::Escape => self.end_search(),
            _ => {
                self.end_search();
                return None;
            }
        }
        Some(Typed::Edited)
    }

    pub(super) fn extend_query(&mut self, text: &str) {
        let Some(search) = &mut self.search else { return };
        if !text.is_empty() {
            search.query.push_str(text);
            let from = search.found.unwrap_or(search.start);
            self.look(Some(from), None);
        }
    }

    fn look_further(&mut self, way: Way) {
        let Some(search) = &mut self.search else { return };
        search.way = way;
        if search.query.is_empty() {
            search.query.clone_from(&self.searched);
        }
        let from = search.found.map_or(Some(search.start), |found| next(found, way));
        let shown = search.found.is_some().then(|| self.buffer.text().to_owned());
        self.look(from, shown.as_deref());
    }

    /// Searches from a position on for a line other than `but`. If there is none, the last match
    /// stays.
    fn look(&mut self, from: Option<usize>, but: Option<&str>) {
        let Some(search) = &mut self.search else { return };
        search.failed = false;
        if search.query.is_empty() {
            search.found = None;
            self.buffer = search.before.clone();
            return;
        }
        match from.and_then(|from| self.history.find(&search.query, from, search.way, but)) {
            Some((place, at)) => {
                search.found = Some(place);
                self.buffer = Buffer::at(self.history.line(place).to_owned(), at);
            }
            None => search.failed = true,
        }
    }

    /// Ends a search and continues with the match.
    pub(super) fn end_search(&mut self) {
        let Some(search) = self.search.take() else { return };
        let found = std::mem::replace(&mut self.buffer, search.before);
        if let Some(place) = search.found {
            self.step(EditKind::Walking);
            self.history.go(place, self.buffer.text());
            self.buffer = found;
        }
        self.keep_query(search.query);
    }

    /// Ends a search and restores the line.
    fn give_up_search(&mut self) {
        let Some(search) = self.search.take() else { return };
        self.buffer = search.before;
        self.keep_query(search.query);
    }

    fn keep_query(&mut self, query: String) {
        if !query.is_empty() {
            self.searched = query;
        }
    }
}
