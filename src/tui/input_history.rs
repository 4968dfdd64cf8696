//! The lines that were typed earlier: remembered, walked through and searched. Pure.

use std::collections::{BTreeMap, VecDeque};

const MAX_REMEMBERED: usize = 500;

/// The direction of a walk through the lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    Older,
    Newer,
}

/// The lines, oldest first. The position after the newest is that of the typed line.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    lines: VecDeque<String>,
    /// The position of the walk. There is no walk at the position of the typed line.
    at: Option<usize>,
    /// The changed texts at positions that the walk has left. The lines themselves are unchanged.
    drafts: BTreeMap<usize, String>,
}

impl History {
    /// Remembers a line, unless it is blank or equal to the newest, and forgets the oldest if there
    /// are too many. Ends the walk. Returns whether the line was added.
    pub(super) fn remember(&mut self, line: &str) -> bool {
        self.end_walk(line);
        self.push(line)
    }

    /// Ends the walk because `line` is finished. Half-typed lines at other positions are
    /// remembered, so that they are not lost.
    pub(super) fn end_walk(&mut self, line: &str) {
        // The text here is older than the finished line.
        self.drafts.remove(&self.place());
        self.at = None;
        for draft in std::mem::take(&mut self.drafts).into_values() {
            if draft != line {
                self.push(&draft);
            }
        }
    }

    fn push(&mut self, line: &str) -> bool {
        if line.trim().is_empty() || self.lines.back().is_some_and(|newest| newest == line) {
            return false;
        }
        self.lines.push_back(line.to_owned());
        if self.lines.len() > MAX_REMEMBERED {
            self.lines.pop_front();
        }
        true
    }

    pub(super) fn place(&self) -> usize {
        self.at.unwrap_or(self.lines.len())
    }

    /// Returns the text at a position: the changed one, or the line itself.
    pub(super) fn line(&self, place: usize) -> &str {
        let draft = self.drafts.get(&place).or_else(|| self.lines.get(place));
        draft.map_or("", String::as_str)
    }

    /// Takes a step and returns the text there, or `None` at the end. `current` is the text at the
    /// present position, and is kept for it.
    pub(super) fn step(&mut self, way: Way, current: &str) -> Option<String> {
        let to = next(self.place(), way).filter(|place| *place <= self.lines.len())?;
        Some(self.go(to, current))
    }

    /// Goes to a position and returns the text there.
    pub(super) fn go(&mut self, to: usize, current: &str) -> String {
        let from = self.place();
        if self.lines.get(from).map_or("", String::as_str) == current {
            self.drafts.remove(&from);
        } else {
            self.drafts.insert(from, current.to_owned());
        }
        self.at = (to < self.lines.len()).then_some(to);
        self.line(to).to_owned()
    }

    /// Finds the first line from a position on that contains `query`, ignoring case. Returns the
    /// position of the line and of the match. Lines equal to `but` are passed over.
    pub(super) fn find(
        &self,
        query: &str,
        from: usize,
        way: Way,
        but: Option<&str>,
    ) -> Option<(usize, usize)> {
        let query = lower(query);
        let search = |place: usize| {
            let line = self.line(place);
            if but == Some(line) {
                return None;
            }
            found_at(line, &query).map(|at| (place, at))
        };
        match way {
            Way::Older => (0..self.lines.len().min(from + 1)).rev().find_map(search),
            Way::Newer => (from..self.lines.len()).find_map(search),
        }
    }
}

/// Returns the next position, which may have no line.
pub(super) fn next(place: usize, way: Way) -> Option<usize> {
    match way {
        Way::Older => place.checked_sub(1),
        Way::Newer => place.checked_add(1),
    }
}

/// Converts each character separately, unlike `str::to_lowercase`, so that the result does not
/// depend on its neighbours.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Finds the part of `line` that is `query` in lower case.
fn found_at(line: &str, query: &str) -> Option<usize> {
    let found = lower(line).find(query)?;
    let mut end = 0;
    for (at, c) in line.char_indices() {
        // A character can be longer or shorter in lower case.
        end += c.to_lowercase().map(char::len_utf8).sum::<usize>();
        if end > found {
            return Some(at);
        }
    }
    Some(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembering(lines: &[&str]) -> History {
        let mut history = History::default();
        for line in lines {
            history.remember(line);
        }
        history
    }

    #[test]
    fn walk_ends_at_oldest_line_and_returns() {
        let mut history = remembering(&["one", "two"]);
        assert_eq!(history.step(Way::Newer, "half"), None);
        assert_eq!(history.step(Way::Older, "half").as_deref(), Some("two"));
        assert_eq!(history.step(Way::Older, "two").as_deref(), Some("one"));
        assert_eq!(history.step(Way::Older, "one"), None);
        assert_eq!(history.step(Way::Newer, "one").as_deref(), Some("two"));
        assert_eq!(history.step(Way::Newer, "two").as_deref(), Some("half"));
    }

    #[test]
    fn edits_last_as_long_as_the_walk() {
        let mut history = remembering(&["one", "two"]);
        history.step(Way::Older, "");
        assert_eq!(history.step(Way::Older, "two!").as_deref(), Some("one"));
        assert_eq!(history.step(Way::Newer, "one").as_deref(), Some("two!"));
        history.end_walk("two!");
        assert_eq!(history.step(Way::Older, "").as_deref(), Some("two"));
    }

    #[test]
    fn half_typed_line_is_remembered() {
        let mut history = remembering(&["one"]);
        history.step(Way::Older, "half");
        history.end_walk("one");
        assert_eq!(history.line(1), "half");
    }

    #[test]
    fn blank_and_repeated_lines_are_not_remembered() {
        let history = remembering(&["one", " ", "", "one", "two", "one"]);
        assert_eq!(history.lines, ["one", "two", "one"]);
    }

    #[test]
    fn remembered_lines_are_bounded() {
        let mut history = History::default();
        for number in 0..=MAX_REMEMBERED {
            history.remember(&number.to_string());
        }
        assert_eq!((history.lines.len(), history.line(0)), (MAX_REMEMBERED, "1"));
    }

    #[test]
    fn search_ignores_case() {
        let history = remembering(&["İstanbul GRÜSSE", "see you", "ΟΔΟΣ, See"]);
        assert_eq!(history.find("see", 9, Way::Older, None), Some((2, 10)));
        assert_eq!(history.find("SEE", 1, Way::Older, None), Some((1, 0)));
        assert_eq!(history.find("grü", 3, Way::Older, None), Some((0, 10)));
        assert_eq!(history.find("σ,", 3, Way::Older, None), Some((2, 6)));
        assert_eq!(history.find("see", 0, Way::Newer, None), Some((1, 0)));
        assert_eq!(history.find("see", 0, Way::Newer, Some("see you")), Some((2, 10)));
        assert_eq!(history.find("see", 0, Way::Older, None), None);
    }
}
