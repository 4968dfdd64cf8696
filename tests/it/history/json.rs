//! Reads JSON (RFC 8259) strictly, so that the program's own writer is not its own judge.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// What the program writes of it.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(i64),
    Text(String),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// Reads one value and nothing behind it.
    pub(super) fn read(text: &str) -> Self {
        let mut chars = text.chars().peekable();
        let value = value(&mut chars);
        assert_eq!(chars.next(), None, "something follows in {text}");
        value
    }

    /// A member of an object.
    pub(super) fn of(&self, name: &str) -> &Self {
        let Self::Object(members) = self else { panic!("no object: {self:?}") };
        members.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// The names of the members.
    pub(super) fn names(&self) -> Vec<&str> {
        let Self::Object(members) = self else { panic!("no object: {self:?}") };
        members.keys().map(String::as_str).collect()
    }

    pub(super) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }
}

type Rest<'a> = Peekable<Chars<'a>>;

fn expect(rest: &mut Rest<'_>, word: &str) {
    for c in word.chars() {
        assert_eq!(rest.next(), Some(c));
    }
}

fn value(rest: &mut Rest<'_>) -> Json {
    match rest.peek() {
        Some('n') => {
            expect(rest, "null");
            Json::Null
        }
        Some('t') => {
            expect(rest, "true");
            Json::Bool(true)
        }
        Some('f') => {
            expect(rest, "false");
            Json::Bool(false)
        }
        Some('"') => Json::Text(string(rest)),
        Some('{') => object(rest),
        _ => {
            let mut digits = String::new();
            while let Some(c) = rest.next_if(char::is_ascii_digit) {
                digits.push(c);
            }
            Json::Number(digits.parse().expect("a number"))
        }
    }
}

fn object(rest: &mut Rest<'_>) -> Json {
    let mut members = BTreeMap::new();
    expect(rest, "{");
    loop {
        let name = string(rest);
        expect(rest, ":");
        assert!(members.insert(name, value(rest)).is_none(), "a name twice");
        match rest.next() {
            Some(',') => {}
            Some('}') => return Json::Object(members),
            other => panic!("{other:?} in an object"),
        }
    }
}

fn string(rest: &mut Rest<'_>) -> String {
    expect(rest, "\"");
    let mut units = Vec::new();
    loop {
        match rest.next().expect("the end of a string") {
            '"' => return String::from_utf16(&units).expect("UTF-16"),
            '\\' => match rest.next() {
                Some('u') => {
                    let digits: String = rest.by_ref().take(4).collect();
                    assert!(
                        digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
                        "{digits}"
                    );
                    units.push(u16::from_str_radix(&digits, 16).expect("four digits"));
                }
                Some('n') => units.push(u16::from(b'\n')),
                Some(c @ ('"' | '\\')) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
                other => panic!("{other:?} behind a backslash"),
            },
            c => {
                assert!(c >= ' ', "{c:?} in a string");
                units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
            }
        }
    }
}
