//! Breaks the lines of an error between words, because a terminal breaks them anywhere. Pure.

use unicode_width::UnicodeWidthStr;

/// Returns a text whose rows fit `columns`, except those of one long word. Rows keep the indent of
/// their line.
pub fn wrapped(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| wrapped_line(line, columns)).collect();
    lines.join("\n")
}

fn wrapped_line(line: &str, columns: usize) -> String {
    let words = line.trim_start_matches(' ');
    let indent = &line[..line.len() - words.len()];
    let (mut out, mut width) = (indent.to_owned(), indent.len());
    for (at, word) in words.split(' ').enumerate() {
        let wide = word.width();
        if at > 0 && width + 1 + wide > columns {
            out.push('\n');
            out.push_str(indent);
            width = indent.len();
        } else if at > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += wide;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_break_between_words() {
        assert_eq!(
            wrapped("error: one two\n\n  three four five\n", 10),
            "error: one\ntwo\n\n  three\n  four\n  five\n"
        );
        assert_eq!(wrapped("a-word-of-fourteen x", 10), "a-word-of-fourteen\nx");
        assert_eq!(wrapped("two  spaces", 80), "two  spaces");
    }
}
