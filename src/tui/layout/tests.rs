//! The layout row by row.

use proptest::prelude::*;

use super::*;

/// More rows than any text here has.
const PLENTY: usize = 100_000;

/// The rows with `|` between prompt and text, and the cursor.
fn laid(
    prompt: &str,
    text: &str,
    cursor: usize,
    columns: usize,
    max_rows: usize,
) -> (Vec<String>, (usize, usize)) {
    let layout = lay_out(prompt, text, cursor, columns, max_rows);
    let rows = layout.rows.iter().map(|row| format!("{}|{}", row.prompt, row.text));
    (rows.collect(), layout.cursor)
}

fn rows(text: &[&str]) -> Vec<String> {
    text.iter().map(|&row| row.to_owned()).collect()
}

#[test]
fn a_short_line_stands_behind_its_prompt() {
    assert_eq!(laid("To: ", "bob", 1, 80, 5), (rows(&["To: |bob"]), (0, 5)));
    assert_eq!(laid("To: ", "", 0, 80, 5), (rows(&["To: |"]), (0, 4)));
    let layout = lay_out("To: ", "王", 0, 80, 5);
    assert_eq!(layout.rows, [PromptRow { prompt: "To: ".into(), text: "王".into() }]);
}

#[test]
fn long_line_wraps_before_the_last_column() {
    assert_eq!(laid("To: ", "abcdefgh", 4, 8, 5), (rows(&["To: |abc", "|defgh"]), (1, 1)));
    assert_eq!(laid("To: ", "abcdefgh", 3, 8, 5).1, (1, 0));
}

#[test]
fn cursor_after_a_full_row_wraps() {
    assert_eq!(laid("> ", "abcde", 5, 8, 5), (rows(&["> |abcde", "|"]), (1, 0)));
    assert_eq!(laid("> ", "abcde", 4, 8, 5), (rows(&["> |abcde"]), (0, 6)));
    assert_eq!(laid("> ", "abcde\nf", 5, 8, 5), (rows(&["> |abcde", "|", "|f"]), (1, 0)));
    assert_eq!(laid("> ", "abcde\nf", 6, 8, 5), (rows(&["> |abcde", "|f"]), (1, 0)));
}

#[test]
fn line_end_begins_a_row() {
    assert_eq!(laid("> ", "a\n\nb\n", 5, 8, 9), (rows(&["> |a", "|", "|b", "|"]), (3, 0)));
    assert_eq!(laid("> ", "a\n\nb\n", 1, 8, 9).1, (0, 3));
    assert_eq!(laid("> ", "a\n\nb\n", 2, 8, 9).1, (1, 0));
}

#[test]
fn wide_character_wraps_with_the_cursor() {
    assert_eq!(laid("", "ab漢字", 2, 4, 5), (rows(&["|ab", "|漢", "|字"]), (1, 0)));
    assert_eq!(laid("", "漢字", 0, 2, 5), (rows(&["|?", "|?"]), (0, 0)));
}

#[test]
fn control_characters_are_visible_and_one_step_wide() {
    let text = "a\u{202e}b👩\u{200d}x";
    assert_eq!(laid("", text, 4, 80, 5), (rows(&["|a\\u{202e}b👩\\u{200d}x"]), (0, 9)));
    assert_eq!(laid("", text, 5, 80, 5).1, (0, 10));
    assert_eq!(laid("", text, text.len(), 80, 5).1, (0, 21));
    assert_eq!(laid("", text, 4, 6, 5).0, ["|a?b?x"]);
}

#[test]
fn needed_joiner_takes_no_column() {
    let persian = "می\u{200c}خواهم";
    assert_eq!(laid("", persian, persian.len(), 80, 5), (rows(&[&format!("|{persian}")]), (0, 7)));
    let after_joiner = "می\u{200c}".len();
    assert_eq!(laid("", persian, after_joiner, 80, 5).1, (0, 2));
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    assert_eq!(laid("", family, family.len(), 80, 5), (rows(&[&format!("|{family}")]), (0, 2)));
}

#[test]
fn long_prompt_loses_its_beginning() {
    assert_eq!(laid("Text to Bob: ", "hi", 2, 9, 1).0, ["ob: |hi"]);
    assert_eq!(laid("Text to Bob: ", "hi", 2, 9, 2).0, ["to Bob: |", "|hi"]);
    assert_eq!(laid("Text to Bob: ", "hi", 2, 9, 3).0, ["ext to B|", "ob: |hi"]);
    assert_eq!(laid("Text to Bob: ", "hi", 2, 9, 4).0, ["Text to |", "Bob: |hi"]);
}

#[test]
fn rows_around_the_cursor_are_shown() {
    let text = (0..10).map(|number| number.to_string()).collect::<Vec<_>>().join("\n");
    let around = |line: usize, max_rows| laid("", &text, line * 2, 80, max_rows);
    assert_eq!(around(0, 4), (rows(&["|0", "|1", "|2", "|... 7 rows below"]), (0, 0)));
    assert_eq!(around(5, 5), (rows(&["|... 4 rows above", "|4", "|5", "|6", "|... 3 rows below"]), (2, 0)));
    assert_eq!(around(9, 4), (rows(&["|... 7 rows above", "|7", "|8", "|9"]), (3, 0)));
    assert_eq!(around(5, 3), (rows(&["|... 5 rows above", "|5", "|... 4 rows below"]), (1, 0)));
    assert_eq!(around(5, 2), (rows(&["|4", "|5"]), (1, 0)));
    assert_eq!(around(5, 1), (rows(&["|5"]), (0, 0)));
    assert_eq!(around(5, 10).0.len(), 10);
}

#[test]
fn a_mark_is_cut_to_the_window() {
    assert_eq!(laid("", "abcdefghi", 9, 4, 3).0[0], "|...");
}

fn any_text() -> impl Strategy<Value = String> {
    let hard = "\u{301}\u{200d}👩👧🏽🇩🇪 é漢\u{1100}\u{1161}\u{11a8}\u{600}\u{fe0f}\u{915}\u{94d}a\u{202e}\r\n\t\u{644}\u{627}";
    let hard = prop::sample::select(hard.chars().collect::<Vec<_>>());
    let text = prop_oneof![any::<String>(), prop::collection::vec(hard, 0..40).prop_map(String::from_iter)];
    text.prop_filter("the editor makes one line end of both", |text| !text.contains("\r\n"))
}

/// What stands for each character, one after the other.
fn harmless_units(text: &str) -> String {
    let mut at = 0;
    let shown = text.graphemes(true).map(|unit| {
        at += unit.len();
        if unit == "\n" { String::new() } else { harmless_before(unit, &text[at..]) }
    });
    shown.collect()
}

proptest! {
    #[test]
    fn nothing_is_missing_where_there_is_room(
        prompt in "[^\\p{C}\\p{M}]{0,20}", text in any_text(), cursor in 0usize..90, columns in 100usize..200,
    ) {
        let layout = lay_out(&prompt, &text, cursor, columns, PLENTY);
        let room = columns - 1;
        prop_assume!(text.graphemes(true).all(|unit| harmless(unit).width() <= room));
        let prompts: String = layout.rows.iter().map(|row| row.prompt.as_str()).collect();
        let texts: String = layout.rows.iter().map(|row| row.text.as_str()).collect();
        prop_assert_eq!(prompts, harmless_units(&prompt));
        prop_assert_eq!(texts, harmless_units(&text));
    }
}

/// The rows of a message whose text begins behind `head`.
fn message_rows(head: &str, text: &str, columns: usize, further: Further) -> Vec<String> {
    let line = Line::from(head).begins_message().then(text);
    rows_of(&line, columns, further).iter().map(Line::to_string).collect()
}

#[test]
fn message_wraps_between_words_under_its_text() {
    let rows = |text| message_rows("[t] Bob: ", text, 41, Further::Blanks);
    assert_eq!(rows("short"), ["[t] Bob: short"]);
    assert_eq!(
        rows("one two three four five six seven eight nine ten"),
        ["[t] Bob: one two three four five six", "         seven eight nine ten"]
    );
    assert_eq!(rows("  code   keeps blanks"), ["[t] Bob:   code   keeps blanks"]);
    assert_eq!(
        rows("漢字漢字漢字漢字漢字漢字漢字漢字漢字"),
        ["[t] Bob: 漢字漢字漢字漢字漢字漢字漢字漢", "         字漢字"]
    );
    assert_eq!(message_rows("[t] Bob: ", "one two", 12, Further::Blanks), ["[t] Bob:", "   one two"]);
}

#[test]
fn address_that_fits_a_row_is_not_broken() {
    let url = "https://example.org/a/path/32/of";
    let rows = |url: &str| message_rows("[t] Bob: ", &format!("see {url} there"), 43, Further::Blanks);
    assert_eq!(rows(url), ["[t] Bob: see".to_owned(), format!("         {url}"), "         there".into()]);
    // It fits with a smaller indent only.
    let url = &format!("{url}/longer");
    assert_eq!(rows(url), ["[t] Bob: see".to_owned(), format!("  {url}"), "         there".into()]);
    let url = &"x".repeat(60);
    let broken = [&format!("[t] Bob: see {}", &url[..29]), &format!("         {} there", &url[29..])];
    assert_eq!(rows(url)[0], *broken[0]);
    assert_eq!(rows(url).concat().replace(' ', ""), format!("[t]Bob:see{url}there"));
}

#[test]
fn long_address_is_broken_before_a_field() {
    let [key, name, addr] = [&"k".repeat(30), "?n=Alice", "&a=192.0.2.7:5000"];
    let rows = message_rows("", &format!("add '{key}{name}{addr}'"), 44, Further::Blanks);
    assert_eq!(rows, [format!("add '{key}{name}"), format!("  {addr}'")]);
    let rows = message_rows("", &format!("add '{key}{name}{addr}'"), 43, Further::Blanks);
    assert_eq!(rows, [format!("add '{key}"), format!("  {name}{addr}'")]);
}

#[test]
fn bar_stands_before_further_rows_of_messages_only() {
    let rows = message_rows("[t] Bob: ", "one two three four", 20, Further::Bar);
    assert_eq!(rows, ["[t] Bob: one two", "  │ three four"]);
    let rows = rows_of(&"* one two three four".into(), 12, Further::Bar);
    assert_eq!(rows.iter().map(Line::to_string).collect::<Vec<_>>(), ["* one two", "  three", "  four"]);
}

#[test]
fn rows_keep_their_colours() {
    let line = Line::of(Ink::Faint, "[t] ").and(Ink::Strong, "Bob").then(": ").begins_message().then("hi ho");
    let rows = rows_of(&line, 13, Further::Blanks);
    assert_eq!(
        rows[0].parts().collect::<Vec<_>>(),
        [(Ink::Faint, "[t] "), (Ink::Strong, "Bob"), (Ink::Plain, ": "), (Ink::Plain, "hi")]
    );
    assert_eq!(rows[1].to_string(), "   ho");
}

proptest! {
    #[test]
    fn no_further_row_begins_at_the_first_column(
        text in "([ a-z\u{a0}\u{2800}\u{3000}漢\\[:]|\\PC){0,200}",
        columns in 5_usize..100,
    ) {
        let text = harmless(&text);
        for further in [Further::Blanks, Further::Bar] {
            let rows = message_rows("[t] Bob: ", &text, columns, further);
            for row in &rows[1..] {
                prop_assert!(row.starts_with("  "), "{:?}", rows);
            }
            for row in &rows {
                // A single character can be wider than a very narrow window.
                let is_single = row.trim_start_matches([' ', '│']).graphemes(true).count() == 1;
                prop_assert!(row.width() < columns || is_single, "{:?} is wider than {}", row, columns);
            }
            let all = |text: &str| text.replace([' ', '│'], "");
            prop_assert_eq!(all(&rows.concat()), all(&format!("[t] Bob: {text}")));
        }
    }
}
