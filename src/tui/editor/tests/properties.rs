//! Any strokes on any text.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::*;

/// Any edit of a line.
#[derive(Clone, Debug)]
enum Stroke {
    Key(Key),
    Paste(String),
    Replace(Range<usize>, String),
    Remember,
}

fn do_to(editor: &mut Editor, stroke: &Stroke) {
    match stroke {
        Stroke::Key(key) => drop(editor.key(*key)),
        Stroke::Paste(text) => drop(editor.paste(text)),
        Stroke::Replace(range, with) => editor.replace(range.clone(), with),
        Stroke::Remember => {
            let line = editor.take();
            editor.remember(&line);
        }
    }
}

fn joining() -> impl Strategy<Value = char> {
    let joining = "\u{301}\u{200d}👩👧🏽🇩🇪 é漢\u{1100}\u{1161}\u{11a8}\u{600}\u{fe0f}\u{915}\u{94d}aA\n";
    prop::sample::select(joining.chars().collect::<Vec<_>>())
}

fn editing_key() -> impl Strategy<Value = Key> {
    let fixed = vec![
        Key::Newline,
        Key::Backspace,
        Key::Delete,
        Key::Left,
        Key::Right,
        Key::WordLeft,
        Key::WordRight,
        Key::Home,
        Key::End,
        Key::DeleteWord,
        Key::DeleteWordBack,
        Key::DeleteWordAhead,
        Key::DeleteToStart,
        Key::DeleteToEnd,
        Key::Yank,
        Key::Transpose,
    ];
    prop_oneof![
        1 => any::<char>().prop_map(Key::Char),
        3 => joining().prop_map(Key::Char),
        3 => prop::sample::select(fixed),
    ]
}

fn any_stroke() -> impl Strategy<Value = Stroke> {
    let others = vec![
        Key::Up,
        Key::Down,
        Key::Undo,
        Key::Search,
        Key::SearchNewer,
        Key::Cancel,
        Key::Tab,
        Key::Enter,
        Key::Escape,
        Key::Interrupt,
        Key::EndOfInput,
        Key::Suspend,
        Key::ClearScreen,
    ];
    let text =
        || prop_oneof![any::<String>(), prop::collection::vec(joining(), 0..12).prop_map(String::from_iter)];
    prop_oneof![
        8 => editing_key().prop_map(Stroke::Key),
        6 => prop::sample::select(others).prop_map(Stroke::Key),
        2 => text().prop_map(Stroke::Paste),
        1 => (0usize..40, 0usize..40, text()).prop_map(|(a, b, text)| Stroke::Replace(a..b, text)),
        1 => Just(Stroke::Remember),
    ]
}

/// Whether the cursor stands between characters, and only line ends of the control characters are
/// in the text.
fn is_in_order(editor: &Editor) -> bool {
    let text = editor.text();
    let between = text.grapheme_indices(true).any(|(at, _)| at == editor.cursor());
    (between || editor.cursor() == text.len()) && text.chars().all(|c| c == '\n' || !c.is_control())
}

proptest! {
    #[test]
    fn any_strokes_leave_the_cursor_between_characters(strokes in prop::collection::vec(any_stroke(), 0..80)) {
        let mut editor = Editor::default();
        for stroke in strokes {
            do_to(&mut editor, &stroke);
            prop_assert!(is_in_order(&editor), "{:?} after {stroke:?}", shown(&editor));
            prop_assert!(editor.text().len() <= MAX_LINE_BYTES);
        }
    }

    #[test]
    fn undoing_brings_back_whatever_was_there(text: String, keys in prop::collection::vec(editing_key(), 0..MAX_STEPS)) {
        let mut editor = Editor::default();
        editor.start_with(Buffer::at_end(cleaned(&text)));
        let before = editor.text().to_owned();
        press(&mut editor, &keys);
        press(&mut editor, &[Key::Undo; MAX_STEPS]);
        prop_assert_eq!(editor.text(), before);
    }

    #[test]
    fn what_one_stroke_removes_the_next_brings_back(
        strokes in prop::collection::vec(editing_key(), 0..40),
        remover in prop::sample::select(vec![
            Key::DeleteWord, Key::DeleteWordBack, Key::DeleteWordAhead, Key::DeleteToStart, Key::DeleteToEnd,
        ]),
    ) {
        let mut editor = Editor::default();
        press(&mut editor, &strokes);
        press(&mut editor, &[Key::Left, Key::Right]);
        let before = editor.text().to_owned();
        let mut other = editor.clone();
        press(&mut editor, &[remover]);
        if editor.text() != before {
            press(&mut editor, &[Key::Yank]);
            // A mark or half a flag that joined what stands before comes back behind it.
            let sorted = |text: &str| { let mut all: Vec<char> = text.chars().collect(); all.sort_unstable(); all };
            prop_assert_eq!(sorted(editor.text()), sorted(&before));
        }
        press(&mut other, &[remover]);
        if other.text() != before {
            press(&mut other, &[Key::Undo]);
            prop_assert_eq!(other.text(), before);
        }
    }

    #[test]
    fn half_typed_line_returns_after_a_walk(
        text in "[^\\p{C}]{1,20}", walk in 1usize..5, query in "[a-e]{0,3}",
    ) {
        let mut editor = remembering(&["abc", "bcd", "cde"]);
        write(&mut editor, &text);
        let typed = shown(&editor);
        press(&mut editor, &vec![Key::Up; walk]);
        press(&mut editor, &vec![Key::Down; walk]);
        prop_assert_eq!(shown(&editor), typed.clone());
        press(&mut editor, &[Key::Search]);
        write(&mut editor, &query);
        press(&mut editor, &[Key::Search, Key::Cancel]);
        prop_assert_eq!(shown(&editor), typed);
    }
}
