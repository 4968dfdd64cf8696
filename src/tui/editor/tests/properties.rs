//! Any strokes on any text.

use proptest::prelude::*;

use super::*;

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

proptest! {
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
}
