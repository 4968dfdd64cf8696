//! Tests of the search in earlier lines.

use super::*;

#[test]
fn letters_narrow_the_search() {
    let mut editor = remembering(&["see you", "good morning", "See Dan"]);
    write(&mut editor, "half");
    press(&mut editor, &[Key::Search]);
    assert_eq!(editor.search_prompt().as_deref(), Some("(search)`': "));
    assert_eq!(shown(&editor), "half|");
    write(&mut editor, "see");
    assert_eq!(shown(&editor), "|See Dan");
    write(&mut editor, " y");
    assert_eq!(shown(&editor), "|see you");
    assert_eq!(editor.search_prompt().as_deref(), Some("(search)`see y': "));
    assert_eq!(editor.key(Key::Enter), Typed::Line("see you".into()));
    assert_eq!(editor.search_prompt(), None);
    press(&mut editor, &[Key::Up]);
    assert_eq!(editor.text(), "half");
}

#[test]
fn search_steps_and_keeps_the_last_match() {
    let mut editor = remembering(&["one a", "two a", "three", "two a", "one a"]);
    press(&mut editor, &[Key::Search, Key::Char('a')]);
    let mut texts = Vec::new();
    for key in [Key::Search, Key::Search, Key::Search, Key::SearchNewer] {
        press(&mut editor, &[key]);
        texts.push(editor.text().to_owned());
    }
    assert_eq!(texts, ["two a", "one a", "one a", "two a"]);
    press(&mut editor, &[Key::Char('x')]);
    assert_eq!(editor.search_prompt().as_deref(), Some("(no match)`ax': "));
    assert_eq!(shown(&editor), "two |a");
    press(&mut editor, &[Key::Backspace]);
    assert_eq!(editor.search_prompt().as_deref(), Some("(search)`a': "));
    press(&mut editor, &[Key::Backspace, Key::Backspace]);
    assert_eq!(editor.search_prompt().as_deref(), Some("(search)`': "));
    assert_eq!(editor.text(), "");
}

#[test]
fn second_search_begins_with_the_last_one() {
    let mut editor = remembering(&["first", "second"]);
    press(&mut editor, &[Key::Search, Key::Char('f'), Key::Cancel, Key::Search, Key::Search]);
    assert_eq!(editor.text(), "first");
    assert_eq!(editor.search_prompt().as_deref(), Some("(search)`f': "));
}

#[test]
fn keys_that_edit_take_over_what_was_found() {
    let found = |keys: &[Key]| {
        let mut editor = remembering(&["oldest", "call Dan", "newest"]);
        write(&mut editor, "half");
        press(&mut editor, &[Key::Search, Key::Char('d'), Key::Char('a')]);
        press(&mut editor, keys);
        assert_eq!(editor.search_prompt(), None);
        shown(&editor)
    };
    assert_eq!(found(&[Key::Escape]), "call |Dan");
    assert_eq!(found(&[Key::Right]), "call D|an");
    assert_eq!(found(&[Key::End, Key::Char('!')]), "call Dan!|");
    assert_eq!(found(&[Key::DeleteToStart]), "|Dan");
    assert_eq!(found(&[Key::Up]), "oldest|");
    assert_eq!(found(&[Key::Escape, Key::Down, Key::Down]), "half|");
    assert_eq!(found(&[Key::Escape, Key::Undo]), "half|");
}

#[test]
fn cancelled_search_restores_the_line() {
    for key in [Key::Cancel, Key::Interrupt] {
        let mut editor = remembering(&["call Dan"]);
        write(&mut editor, "half");
        press(&mut editor, &[Key::Left, Key::Search, Key::Char('d')]);
        assert_eq!(editor.key(key), Typed::Edited);
        assert_eq!((shown(&editor).as_str(), editor.search_prompt()), ("hal|f", None));
    }
}

#[test]
fn enter_sends_nothing_that_was_not_found() {
    let mut editor = remembering(&["call Dan"]);
    write(&mut editor, "half");
    press(&mut editor, &[Key::Search, Key::Char('z')]);
    assert_eq!(editor.key(Key::Enter), Typed::Edited);
    assert_eq!((shown(&editor).as_str(), editor.search_prompt()), ("half|", None));
}

#[test]
fn a_paste_during_a_search_is_searched_for() {
    let mut editor = remembering(&["call Dan"]);
    press(&mut editor, &[Key::Search]);
    assert_eq!(editor.paste("Dan\nand more"), Ok(()));
    assert_eq!(shown(&editor), "call |Dan");
}

#[test]
fn search_finds_the_changed_line() {
    let mut editor = remembering(&["first", "second"]);
    press(&mut editor, &[Key::Up, Key::Char('!'), Key::Search, Key::Char('!'), Key::Escape]);
    assert_eq!(shown(&editor), "second|!");
    press(&mut editor, &[Key::Up, Key::Down]);
    assert_eq!(editor.text(), "second!");
}

#[test]
fn too_large_paste_is_not_searched_for() {
    let mut editor = remembering(&["see you"]);
    press(&mut editor, &[Key::Search]);
    let bytes = MAX_LINE_BYTES + 1;
    assert_eq!(editor.paste(&"x".repeat(bytes)), Err(TooLong { bytes, room: MAX_LINE_BYTES }));
    assert_eq!(editor.search_prompt().as_deref(), Some("(search)`': "));
    assert_eq!(editor.paste("see"), Ok(()));
    assert_eq!(shown(&editor), "|see you");
}
