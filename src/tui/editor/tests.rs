//! Tests of the editor, key by key.

mod searching;

use super::edits::MAX_STEPS;
use super::*;

fn press(editor: &mut Editor, keys: &[Key]) {
    keys.iter().for_each(|key| drop(editor.key(*key)));
}

fn write(editor: &mut Editor, text: &str) {
    text.chars().for_each(|c| drop(editor.key(if c == '\n' { Key::Newline } else { Key::Char(c) })));
}

fn typed(text: &str, keys: &[Key]) -> Editor {
    let mut editor = Editor::default();
    write(&mut editor, text);
    press(&mut editor, keys);
    editor
}

/// Returns the text with `|` at the cursor.
fn shown(editor: &Editor) -> String {
    let (before, after) = editor.text().split_at(editor.cursor());
    format!("{before}|{after}")
}

/// Returns the text and cursor after this text and these keys.
fn after(text: &str, keys: &[Key]) -> String {
    shown(&typed(text, keys))
}

fn remembering(lines: &[&str]) -> Editor {
    let mut editor = Editor::default();
    for line in lines {
        editor.remember(line);
    }
    editor
}

#[test]
fn keys_edit_whole_characters_as_people_see_them() {
    assert_eq!(after("ae\u{301}", &[Key::Backspace]), "a|");
    assert_eq!(after("👨\u{200d}👩\u{200d}👧x", &[Key::Left, Key::Backspace]), "|x");
    assert_eq!(after("🇩🇪🇫🇷", &[Key::Left, Key::Left, Key::Delete]), "|🇫🇷");
    assert_eq!(after("abc", &[Key::Home, Key::Delete, Key::Char('x')]), "x|bc");
    assert_eq!(after("abc", &[Key::Home, Key::Right, Key::End, Key::Left]), "ab|c");
    assert_eq!(
        after("ab", &[Key::Home, Key::Left, Key::Backspace, Key::End, Key::Right, Key::Delete]),
        "ab|"
    );
}

#[test]
fn combining_mark_moves_the_cursor() {
    assert_eq!(after("\u{1100}\u{1161}x", &[Key::Left, Key::Char('\u{301}')]), "\u{1100}\u{1161}\u{301}|x");
    assert_eq!(after("🇪x", &[Key::Home, Key::Char('🇩')]), "🇩🇪|x");
}

#[test]
fn word_keys_use_letters_and_digits() {
    let text = "see (e\u{301}te\u{301} 2024)!";
    assert_eq!(after(text, &[Key::WordLeft]), "see (e\u{301}te\u{301} |2024)!");
    assert_eq!(after(text, &[Key::WordLeft, Key::WordLeft]), "see (|e\u{301}te\u{301} 2024)!");
    assert_eq!(after(text, &[Key::Home, Key::WordRight]), "see| (e\u{301}te\u{301} 2024)!");
    assert_eq!(after(text, &[Key::Home, Key::WordRight, Key::WordRight]), "see (e\u{301}te\u{301}| 2024)!");
    assert_eq!(after(text, &[Key::WordRight, Key::Home, Key::WordLeft]), format!("|{text}"));
    assert_eq!(after(text, &[Key::DeleteWordBack]), "see (e\u{301}te\u{301} |");
    assert_eq!(after(text, &[Key::DeleteWord]), "see (e\u{301}te\u{301} |");
    assert_eq!(after(text, &[Key::DeleteWord, Key::DeleteWord]), "see |");
    assert_eq!(after(text, &[Key::Home, Key::DeleteWordAhead]), "| (e\u{301}te\u{301} 2024)!");
    assert_eq!(after("one two  ", &[Key::DeleteWord]), "one |");
}

#[test]
fn text_before_and_after_cursor_is_removed() {
    assert_eq!(after("one two", &[Key::Left, Key::DeleteToStart]), "|o");
    assert_eq!(after("one two", &[Key::Home, Key::Right, Key::DeleteToEnd]), "o|");
}

#[test]
fn home_means_the_line_then_the_text() {
    let text = "one\ntwo\nend";
    assert_eq!(after(text, &[Key::Home]), "one\ntwo\n|end");
    assert_eq!(after(text, &[Key::Home, Key::Home]), "|one\ntwo\nend");
    assert_eq!(after(text, &[Key::Home, Key::Home, Key::End]), "one|\ntwo\nend");
    assert_eq!(after(text, &[Key::Home, Key::Home, Key::End, Key::End]), "one\ntwo\nend|");
    assert_eq!(after(text, &[Key::DeleteToStart]), "one\ntwo\n|");
    assert_eq!(after(text, &[Key::DeleteToStart, Key::DeleteToStart]), "one\ntwo|");
    assert_eq!(after(text, &[Key::Up, Key::Left, Key::DeleteToEnd]), "one\ntw|\nend");
    assert_eq!(after(text, &[Key::Up, Key::DeleteToEnd]), "one\ntwo|end");
}

#[test]
fn up_and_down_keep_the_column() {
    assert_eq!(after("long line\n\nanother", &[Key::Up]), "long line\n|\nanother");
    assert_eq!(after("long line\n\nanother", &[Key::Up, Key::Up]), "long li|ne\n\nanother");
    assert_eq!(after("漢字\nabc", &[Key::Up]), "漢|字\nabc");
    assert_eq!(after("漢字\nabc", &[Key::Up, Key::Down, Key::Down]), "漢字\nabc|");
    let mut editor = remembering(&["before"]);
    write(&mut editor, "one\ntwo");
    press(&mut editor, &[Key::Up, Key::Up]);
    assert_eq!(shown(&editor), "before|");
    press(&mut editor, &[Key::Down]);
    assert_eq!(shown(&editor), "one\ntwo|");
}

#[test]
fn editing_an_earlier_line_keeps_the_remembered_one() {
    let mut editor = remembering(&["first", "second"]);
    write(&mut editor, "half");
    press(&mut editor, &[Key::Up, Key::Char('!'), Key::Up, Key::Down]);
    assert_eq!(editor.text(), "second!");
    assert_eq!(editor.key(Key::Enter), Typed::Line("second!".into()));
    press(&mut editor, &[Key::Up]);
    assert_eq!(editor.text(), "half", "what was half typed is not lost");
    press(&mut editor, &[Key::Up]);
    assert_eq!(editor.text(), "second");
}

#[test]
fn finished_line_is_remembered_once() {
    let mut editor = remembering(&["first"]);
    write(&mut editor, "half");
    press(&mut editor, &[Key::Up, Key::Down]);
    write(&mut editor, " and whole");
    press(&mut editor, &[Key::Enter, Key::Up]);
    assert_eq!(editor.text(), "first");
}

#[test]
fn enter_returns_the_line_and_clears_it() {
    let mut editor = typed("hi", &[Key::Left]);
    assert_eq!(editor.key(Key::Enter), Typed::Line("hi".into()));
    assert!(editor.is_empty());
    press(&mut editor, &[Key::Undo, Key::Up]);
    assert_eq!(shown(&editor), "|", "remembering is not for the editor to decide");
}

#[test]
fn unrelated_key_is_passed_on() {
    for (key, expected) in [
        (Key::Tab, Typed::Complete),
        (Key::Suspend, Typed::Suspend),
        (Key::ClearScreen, Typed::ClearScreen),
        (Key::Cancel, Typed::Edited),
    ] {
        let mut editor = typed("half", &[Key::Left]);
        assert_eq!(editor.key(key), expected);
        assert_eq!(shown(&editor), "hal|f");
    }
}

#[test]
fn control_c_and_escape_clear_first() {
    for (key, on_empty) in [(Key::Interrupt, Typed::Interrupt), (Key::Escape, Typed::Escape)] {
        let mut editor = typed("half typed", &[]);
        assert_eq!(editor.key(key), Typed::Edited);
        assert!(editor.is_empty());
        let mut other = editor.clone();
        press(&mut editor, &[Key::Up]);
        assert_eq!(editor.text(), "half typed");
        press(&mut other, &[Key::Undo]);
        assert_eq!(other.text(), "half typed");
        press(&mut other, &[Key::DeleteToStart]);
        assert_eq!(other.key(key), on_empty);
    }
}

#[test]
fn end_of_input_leaves_only_an_empty_line() {
    let mut editor = typed("hi", &[Key::Left]);
    assert_eq!(editor.key(Key::EndOfInput), Typed::Edited);
    assert_eq!(shown(&editor), "h|");
    assert_eq!(Editor::default().key(Key::EndOfInput), Typed::Leave);
}

#[test]
fn pasted_block_stays_in_the_line() {
    let mut editor = typed("say ", &[]);
    assert_eq!(editor.paste("one\r\ntwo\tthree\rfour\x1b[2J\x7f\u{9b}0\r\n\n"), Ok(()));
    assert_eq!(shown(&editor), "say one\ntwo    three\nfour [2J  0|");
    assert_eq!(editor.paste("\n"), Ok(()));
    press(&mut editor, &[Key::Char('\x07'), Key::Undo]);
    assert_eq!(shown(&editor), "say |");
}

#[test]
fn too_large_paste_is_refused_whole() {
    let mut editor = typed("x", &[]);
    let long = "y".repeat(MAX_LINE_BYTES);
    assert_eq!(editor.paste(&long), Err(TooLong { bytes: MAX_LINE_BYTES, room: MAX_LINE_BYTES - 1 }));
    assert_eq!(shown(&editor), "x|");
    assert_eq!(editor.paste(&long[1..]), Ok(()));
    assert_eq!(editor.paste("xyz"), Err(TooLong { bytes: 3, room: 0 }));
    assert_eq!(editor.text().len(), MAX_LINE_BYTES);
}

#[test]
fn line_with_excess_text_is_not_finished() {
    let mut editor = Editor::default();
    let full = "y".repeat(MAX_LINE_BYTES);
    assert_eq!(editor.paste(&full), Ok(()));
    // Some terminals do not mark pasted text, so it arrives as keys.
    assert_eq!(editor.key(Key::Char('é')), Typed::Full);
    assert_eq!(editor.key(Key::Char('x')), Typed::Edited);
    assert_eq!(editor.key(Key::Enter), Typed::TooLong(MAX_LINE_BYTES + 3));
    assert_eq!(shown(&editor), "|");
    press(&mut editor, &[Key::Up]);
    assert_eq!(editor.text(), full);
    // A line that the user has shortened is finished as usual.
    press(&mut editor, &[Key::Char('x'), Key::Backspace]);
    assert_eq!(editor.key(Key::Enter), Typed::Line(full[1..].into()));
}

#[test]
fn removed_words_can_be_inserted_again() {
    assert_eq!(
        after("one two three", &[Key::DeleteWord, Key::DeleteWord, Key::Home, Key::Yank]),
        "two three|one "
    );
    let both = [Key::WordLeft, Key::DeleteToStart, Key::DeleteToEnd, Key::Yank, Key::Yank];
    assert_eq!(after("one two", &both), "one twoone two|");
    let parted = [Key::DeleteWord, Key::Left, Key::DeleteWord, Key::Yank];
    assert_eq!(after("one two", &parted), "one| ");
    let word_back = [Key::DeleteWordBack, Key::Yank, Key::Yank];
    assert_eq!(after("one two", &word_back), "one twotwo|");
    let word_ahead = [Key::Home, Key::DeleteWordAhead, Key::Yank, Key::Yank];
    assert_eq!(after("one two", &word_ahead), "oneone| two");
    assert_eq!(after("one", &[Key::Yank]), "one|");
    assert_eq!(after("one", &[Key::DeleteToStart, Key::Enter, Key::Yank]), "one|");
}

#[test]
fn too_long_text_is_not_inserted_again() {
    let mut editor = typed("abc", &[Key::DeleteToStart]);
    assert_eq!(editor.paste(&"x".repeat(MAX_LINE_BYTES - 2)), Ok(()));
    assert_eq!(editor.key(Key::Yank), Typed::Full);
}

#[test]
fn undo_works_by_word_and_by_removal() {
    assert_eq!(after("one two", &[Key::Undo]), "one |");
    assert_eq!(after("one two", &[Key::Undo, Key::Undo, Key::Undo]), "|");
    assert_eq!(after("one two", &[Key::Backspace, Key::Backspace, Key::Undo]), "one two|");
    assert_eq!(after("one two", &[Key::DeleteWord, Key::DeleteWord, Key::Undo]), "one |");
    assert_eq!(after("one two", &[Key::Left, Key::DeleteToStart, Key::Undo]), "one tw|o");
    assert_eq!(after("one two", &[Key::Transpose, Key::Undo]), "one two|");
}

#[test]
fn undo_restores_the_line_before_a_walk() {
    let mut editor = remembering(&["one", "two"]);
    write(&mut editor, "half");
    press(&mut editor, &[Key::Up, Key::Up, Key::Undo]);
    assert_eq!(editor.text(), "half");
}

#[test]
fn undo_steps_are_bounded() {
    let mut editor = typed(&"x ".repeat(MAX_STEPS + 20), &[]);
    assert_eq!(editor.steps.len(), MAX_STEPS);
    press(&mut editor, &[Key::Undo; MAX_STEPS + 5]);
    assert_eq!(editor.text(), "x ".repeat(20));
}

#[test]
fn two_characters_change_places() {
    assert_eq!(after("teh", &[Key::Transpose]), "the|");
    assert_eq!(after("teh", &[Key::Left, Key::Transpose]), "the|");
    assert_eq!(after("ab", &[Key::Home, Key::Transpose]), "|ab");
    assert_eq!(after("a", &[Key::Transpose]), "a|");
    assert_eq!(after("xe\u{301}", &[Key::Transpose]), "e\u{301}x|");
}

#[test]
fn completion_replaces_whole_characters() {
    let mut editor = typed("to bo, hi", &[]);
    editor.replace(3..5, "Bob");
    assert_eq!(shown(&editor), "to Bob|, hi");
    press(&mut editor, &[Key::Undo]);
    assert_eq!(shown(&editor), "to bo, hi|");
    let mut editor = typed("e\u{301}👨\u{200d}👩x", &[]);
    editor.replace(1..5, "_");
    assert_eq!(shown(&editor), "_|x");
    editor.replace(7..90, "!");
    assert_eq!(shown(&editor), "_x!|");
    editor.replace(0..0, &"x".repeat(MAX_LINE_BYTES));
    assert_eq!(shown(&editor), "_x!|");
}
