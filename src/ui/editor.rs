//! The line that is being typed: keys go in, the edited line comes out. Pure.

use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};
use unicode_width::UnicodeWidthStr;

/// Bytes that a typed line may have; more than can be sent at once, so that the limit named is that of sending.
pub const MAX_LINE_BYTES: usize = 32 * 1024;

/// A stroke, whatever keyboard it came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A character to insert.
    Char(char),
    /// Remove what is before the cursor.
    Backspace,
    /// Remove what is at the cursor.
    Delete,
    /// Move by one character.
    Left,
    /// Move by one character.
    Right,
    /// Move to the beginning.
    Home,
    /// Move to the end.
    End,
    /// Remove the word before the cursor.
    DeleteWord,
    /// Remove all before the cursor.
    DeleteToStart,
    /// Remove all from the cursor on.
    DeleteToEnd,
    /// The line is finished.
    Enter,
    /// Give up what is half done.
    Escape,
    /// Leave.
    Interrupt,
    /// Leave, if nothing is typed.
    EndOfInput,
    /// Draw the screen anew.
    Redraw,
}

/// What a stroke meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Typed {
    /// The line changed, or the cursor moved.
    Edited,
    /// The line is finished; this is it.
    Line(String),
    /// The user gives up what is half done.
    Escape,
    /// The user wants to leave.
    Leave,
    /// The user interrupts the program.
    Interrupt,
}

/// A line and a cursor in it, which always stands between characters as people see them (grapheme clusters).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Editor {
    text: String,
    cursor: usize,
    /// The text was put there for correcting: a character typed replaces it, any other key takes it over.
    offered: bool,
}

/// The part of the line that fits a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// The visible text.
    pub text: &'a str,
    /// Columns from its beginning to the cursor.
    pub cursor: usize,
}

impl Editor {
    /// What is typed so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Empties the line, and returns what was typed.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        self.offered = false;
        std::mem::take(&mut self.text)
    }

    /// Puts back what was typed, to be gone on with.
    pub fn set(&mut self, text: &str) {
        self.text = text.chars().filter(|c| !c.is_control()).collect();
        self.cursor = self.text.len();
        self.offered = false;
    }

    /// Offers what was typed for correction: whoever moves in it or removes from it goes on with it, whoever types
    /// something new replaces it.
    pub fn offer(&mut self, text: &str) {
        self.set(text);
        self.offered = true;
    }

    /// Takes a stroke.
    pub fn key(&mut self, key: Key) -> Typed {
        if std::mem::take(&mut self.offered) && matches!(key, Key::Char(_)) {
            self.take();
        }
        match key {
            Key::Char(c) => self.insert(c),
            Key::Backspace => self.remove(self.before(), self.cursor),
            Key::Delete => self.remove(self.cursor, self.after()),
            Key::Left => self.cursor = self.before(),
            Key::Right => self.cursor = self.after(),
            Key::Home => self.cursor = 0,
            Key::End => self.cursor = self.text.len(),
            Key::DeleteWord => self.remove(self.word_start(), self.cursor),
            Key::DeleteToStart => self.remove(0, self.cursor),
            Key::DeleteToEnd => self.text.truncate(self.cursor),
            Key::Enter => return Typed::Line(self.take()),
            Key::Escape => return Typed::Escape,
            Key::Interrupt => return Typed::Interrupt,
            Key::EndOfInput if self.text.is_empty() => return Typed::Leave,
            Key::EndOfInput => self.remove(self.cursor, self.after()),
            Key::Redraw => {}
        }
        Typed::Edited
    }

    /// Inserts a text from the clipboard, which is never obeyed: line ends, tabs and other controls become spaces.
    pub fn paste(&mut self, text: &str) {
        if std::mem::take(&mut self.offered) {
            self.take();
        }
        let text = text.trim_end_matches(['\r', '\n']).replace("\r\n", "\n");
        text.chars().for_each(|c| self.insert(if c.is_control() { ' ' } else { c }));
    }

    fn insert(&mut self, c: char) {
        if c.is_control() || self.text.len() + c.len_utf8() > MAX_LINE_BYTES {
            return;
        }
        self.text.insert(self.cursor, c);
        self.cursor += c.len_utf8();
        // What was inserted may have joined what follows.
        self.settle();
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
        self.settle();
    }

    /// Moves the cursor on to the next boundary if it stands within a character.
    fn settle(&mut self) {
        let mut place = GraphemeCursor::new(self.cursor, self.text.len(), true);
        // The whole text is one chunk, so neither call can ask for more.
        if let Ok(false) = place.is_boundary(&self.text, 0) {
            self.cursor = self.after();
        }
    }

    fn before(&self) -> usize {
        let mut place = GraphemeCursor::new(self.cursor, self.text.len(), true);
        place.prev_boundary(&self.text, 0).ok().flatten().unwrap_or(0)
    }

    fn after(&self) -> usize {
        let mut place = GraphemeCursor::new(self.cursor, self.text.len(), true);
        place.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len())
    }

    fn word_start(&self) -> usize {
        let before = self.text[..self.cursor].trim_end();
        before
            .rfind(char::is_whitespace)
            .map_or(0, |space| space + before[space..].chars().next().map_or(1, char::len_utf8))
    }

    /// The part around the cursor that takes at most `columns`.
    pub fn view(&self, columns: usize) -> View<'_> {
        let mut begin = self.cursor;
        let mut taken = 0;
        for (at, grapheme) in self.text[..self.cursor].grapheme_indices(true).rev() {
            if taken + grapheme.width() > columns {
                break;
            }
            taken += grapheme.width();
            begin = at;
        }
        let cursor = taken;
        let mut end = self.cursor;
        for (at, grapheme) in self.text[self.cursor..].grapheme_indices(true) {
            if taken + grapheme.width() > columns {
                break;
            }
            taken += grapheme.width();
            end = self.cursor + at + grapheme.len();
        }
        View { text: &self.text[begin..end], cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn typed(text: &str, keys: &[Key]) -> Editor {
        let mut editor = Editor::default();
        text.chars().for_each(|c| drop(editor.key(Key::Char(c))));
        keys.iter().for_each(|key| drop(editor.key(*key)));
        editor
    }

    #[test]
    fn keys_edit_whole_characters_as_people_see_them() {
        assert_eq!(typed("ae\u{301}", &[Key::Backspace]).text(), "a");
        assert_eq!(typed("👨\u{200d}👩\u{200d}👧x", &[Key::Left, Key::Backspace]).text(), "x");
        assert_eq!(typed("abc", &[Key::Home, Key::Delete, Key::Char('x')]).text(), "xbc");
        assert_eq!(typed("one two  ", &[Key::DeleteWord]).text(), "one ");
        assert_eq!(typed("one two", &[Key::Left, Key::DeleteToStart]).text(), "o");
        assert_eq!(typed("one two", &[Key::Home, Key::Right, Key::DeleteToEnd]).text(), "o");
    }

    #[test]
    fn enter_gives_the_line_and_an_empty_one_follows() {
        let mut editor = typed("hi", &[]);
        assert_eq!(editor.key(Key::Enter), Typed::Line("hi".into()));
        assert_eq!(editor, Editor::default());
    }

    #[test]
    fn an_offered_text_is_replaced_by_what_is_typed_and_kept_by_any_other_key() {
        let offered = |keys: &[Key]| {
            let mut editor = Editor::default();
            editor.offer("bbo");
            keys.iter().for_each(|key| drop(editor.key(*key)));
            editor.text().to_owned()
        };
        assert_eq!(offered(&[Key::Char('0')]), "0");
        assert_eq!(offered(&[Key::Char('a'), Key::Char('l')]), "al");
        assert_eq!(offered(&[Key::Home, Key::Delete]), "bo");
        assert_eq!(offered(&[Key::Backspace, Key::Char('b')]), "bbb");
    }

    #[test]
    fn a_pasted_block_is_one_line_and_nothing_in_it_is_obeyed() {
        let mut editor = typed("say ", &[]);
        editor.paste("one\r\ntwo\tthree\n0\n");
        assert_eq!(editor.text(), "say one two three 0");
    }

    #[test]
    fn end_of_input_leaves_only_an_empty_line() {
        assert_eq!(typed("hi", &[]).key(Key::EndOfInput), Typed::Edited);
        assert_eq!(Editor::default().key(Key::EndOfInput), Typed::Leave);
    }

    #[test]
    fn a_line_longer_than_the_window_shows_the_part_around_the_cursor() {
        assert_eq!(typed("abcdefgh", &[]).view(4), View { text: "efgh", cursor: 4 });
        assert_eq!(typed("abcdefgh", &[Key::Home]).view(4), View { text: "abcd", cursor: 0 });
        assert_eq!(typed("漢字漢字", &[]).view(5), View { text: "漢字", cursor: 4 });
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let fixed = [
            Key::Backspace,
            Key::Delete,
            Key::Left,
            Key::Right,
            Key::Home,
            Key::End,
            Key::DeleteWord,
            Key::DeleteToStart,
            Key::DeleteToEnd,
            Key::EndOfInput,
        ];
        let joining = ['\u{301}', '\u{200d}', '👩', '🇩', '🇪', ' ', 'é', '漢', '\u{1100}', '\u{1161}'];
        prop_oneof![
            3 => any::<char>().prop_map(Key::Char),
            3 => prop::sample::select(joining.to_vec()).prop_map(Key::Char),
            4 => prop::sample::select(fixed.to_vec()),
        ]
    }

    proptest! {
        #[test]
        fn any_strokes_leave_the_cursor_between_characters_and_within_the_window(
            keys in prop::collection::vec(any_key(), 0..60), columns in 0usize..20,
        ) {
            let mut editor = Editor::default();
            for key in keys {
                editor.key(key);
                let ends: Vec<usize> = editor.text.grapheme_indices(true).map(|(at, _)| at).collect();
                prop_assert!(editor.cursor == editor.text.len() || ends.contains(&editor.cursor));
                let view = editor.view(columns);
                prop_assert!(view.text.width() <= columns + 1 && view.cursor <= columns);
            }
        }
    }
}
