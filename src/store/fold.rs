//! Folds text for search, so that people find a message without writing it exactly as it was sent.
//!
//! The folded copy is a list of tokens with one space between them. The full-text index only splits
//! at the spaces, so this module alone decides what a token is.

use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};

/// What a character does to the tokens of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Belongs to no token and ends the one before it: space, punctuation, control characters.
    Separator,
    /// Belongs to a word together with its neighbours: letters, digits, marks.
    Word,
    /// Is a token of its own: symbols, and letters of scripts without spaces between words.
    Single,
    /// Changes only how its neighbours look: joiners, direction marks, variation selectors.
    Ignored,
}

/// Returns the tokens of `text` with one space between them.
///
/// Applies NFKC and full case folding, and removes the marks of Latin, Greek and Cyrillic letters.
pub(super) fn folded(text: &str) -> String {
    let mut tokens = String::with_capacity(text.len());
    if text.is_ascii() {
        collect(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())), &mut tokens);
    } else {
        collect(Unmarked::of(text.nfkd()).flat_map(case_folded).nfc(), &mut tokens);
    }
    tokens
}

/// Returns whether `c` is a token of its own in a folded text.
pub(super) fn is_single(c: char) -> bool {
    class(c) == Class::Single
}

fn collect(chars: impl Iterator<Item = char>, tokens: &mut String) {
    let mut in_word = false;
    for c in chars {
        let class = class(c);
        match class {
            Class::Ignored => continue,
            Class::Separator => {}
            Class::Word if in_word => tokens.push(c),
            Class::Word | Class::Single => {
                if !tokens.is_empty() {
                    tokens.push(' ');
                }
                tokens.push(c);
            }
        }
        in_word = class == Class::Word;
    }
}

fn class(c: char) -> Class {
    if c.is_ascii() {
        return match c {
            '0'..='9' | 'a'..='z' | 'A'..='Z' => Class::Word,
            '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => Class::Single,
            _ => Class::Separator,
        };
    }
    match c {
        // A zero-width space separates words where no other space does.
        '\u{200b}' => return Class::Separator,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => return Class::Ignored,
        // The length mark of Katakana, which Unicode counts as common to several scripts.
        'ー' => return Class::Single,
        _ => {}
    }
    match c.general_category_group() {
        GeneralCategoryGroup::Punctuation | GeneralCategoryGroup::Separator => Class::Separator,
        GeneralCategoryGroup::Symbol => Class::Single,
        GeneralCategoryGroup::Other => match c.general_category() {
            GeneralCategory::Control => Class::Separator,
            GeneralCategory::Format => Class::Ignored,
            // Private use, and what is newer than our tables, for example an emoji.
            _ => Class::Single,
        },
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Mark | GeneralCategoryGroup::Number => {
            match c.script() {
                Script::Han
                | Script::Hiragana
                | Script::Katakana
                | Script::Hangul
                | Script::Thai
                | Script::Lao
                | Script::Khmer
                | Script::Myanmar => Class::Single,
                _ => Class::Word,
            }
        }
    }
}

/// Folds the case of one character.
///
/// Going through the upper case gives the full case folding of Unicode (`ß` to `ss`, `ς` to
/// `σ`), and in addition joins `ı` and `i`, which helps a search.
fn case_folded(c: char) -> impl Iterator<Item = char> {
    c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The iota below a Greek vowel: a mark that becomes a letter when its case is folded.
const IOTA_BELOW: char = '\u{345}';

/// Decomposed characters without the marks on Latin, Greek and Cyrillic letters. Other scripts keep
/// theirs, which tell words apart there.
struct Unmarked<I> {
    chars: I,
    strips: bool,
}

impl<I: Iterator<Item = char>> Unmarked<I> {
    fn of(chars: I) -> Self {
        Self { chars, strips: false }
    }
}

impl<I: Iterator<Item = char>> Iterator for Unmarked<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let c = self.chars.next()?;
            let is_mark = !c.is_ascii() && c.general_category_group() == GeneralCategoryGroup::Mark;
            if !is_mark {
                self.strips = matches!(c.script(), Script::Latin | Script::Greek | Script::Cyrillic);
            } else if self.strips || c == IOTA_BELOW {
                continue;
            }
            return Some(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_width_and_ligatures_fold() {
        for (text, expected) in [
            ("Straße STRASSE ẞ", "strasse strasse ss"),
            ("ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"),
            ("ＡＢＣ１２ ﬁsh ℃ x²", "abc12 fish ° c x2"),
            ("İstanbul ISPARTA ısparta", "istanbul isparta isparta"),
            ("", ""),
            (" \0\n.,;!?()\"", ""),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn marks_go_only_from_three_scripts() {
        for (text, expected) in [
            ("Über Zäune, naïve e\u{301}", "uber zaune naive e"),
            ("Ёлка йод", "елка иод"),
            ("ἄνθρωπος", "ανθρωποσ"),
            ("ガ カ\u{3099}", "ガ ガ"),
            ("हिन्दी", "हिन्दी"),
            ("كِتَاب", "كِتَاب"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_and_symbols_give_single_tokens() {
        for (text, expected) in [
            ("今天天气很好", "今 天 天 气 很 好"),
            ("手机 iPhone13手机", "手 机 iphone13 手 机"),
            ("コーヒー ﾊﾝ", "コ ー ヒ ー ハ ン"),
            ("안녕하세요", "안 녕 하 세 요"),
            ("ไทย", "ไ ท ย"),
            ("ລາວ", "ລ າ ວ"),
            ("ខ្មែរ", "ខ ្ ម ែ រ"),
            ("မြန်", "မ ြ န ်"),
            ("C++ and C#", "c + + and c"),
            ("5€<6$", "5 € < 6 $"),
            ("👍🏽❤\u{fe0f}👨\u{200d}👩\u{200d}👧", "👍 🏽 ❤ 👨 👩 👧"),
            ("می\u{200c}خواهم", "میخواهم"),
            ("a\u{200b}b c\u{ad}d", "a b cd"),
        ] {
            assert_eq!(folded(text), expected, "{text}");
        }
    }

    #[test]
    fn every_case_of_a_character_folds_alike() {
        // The iota below a Greek vowel is a mark, and a letter only in upper case.
        let has_iota_below = |c: &char| c.nfd().any(|c| c == IOTA_BELOW);
        let has_cases = |c: &char| c.to_lowercase().ne([*c]) || c.to_uppercase().ne([*c]);
        let all = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
        for c in all.filter(has_cases).filter(|c| !has_iota_below(c)) {
            let fold = |text: String| folded(&text);
            let expected = folded(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(c.to_lowercase().collect()), expected, "{c:?}");
            assert_eq!(fold(c.to_uppercase().collect()), expected, "{c:?}");
        }
    }

    #[test]
    fn iota_below_without_a_vowel_is_no_letter() {
        assert_eq!(folded("\u{37a}\u{1daa1}"), "\u{1daa1}");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text: String) {
            let once = folded(&text);
            prop_assert_eq!(folded(&once), &once[..]);
            prop_assert!(once.split(' ').all(|token| !token.is_empty()) || once.is_empty());
        }
    }
}
