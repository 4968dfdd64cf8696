//! Changes entries in the text of the file. Every other byte stays the same.
//!
//! The parser says where entries and fields are. `toml_edit` is not used: it rewrites all line ends
//! of the file, and takes twice as long for many contacts.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::DeValue;

use super::Contact;
use super::parse::{Document, Entry, Field, MAX_VERIFIED};
use crate::model::address::SourcePrefix;
use crate::model::peer_id::PeerId;

/// The beginning of a new file.
const TITLE: &str = "\
# The contacts of this profile. You may edit this file, even while p2p-chat runs.
# docs/SECURITY.md describes the format.
";

/// A part of the text, and its replacement.
type Splice = (Range<usize>, String);

/// Returns the text with contacts added, changed or removed (`None`), and sources blocked or
/// unblocked. A new file gets a title.
pub(super) fn edited(
    document: &Document<'_>,
    edits: &BTreeMap<PeerId, Option<Contact>>,
    sources: &BTreeMap<SourcePrefix, bool>,
    is_new: bool,
) -> String {
    let newline = if document.text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut splices = Vec::new();
    let mut removed = BTreeSet::new();
    let mut listed = BTreeSet::new();
    for (number, entry) in document.entries.iter().enumerate() {
        let Some(edit) = edits.get(&entry.contact.id) else { continue };
        listed.insert(entry.contact.id);
        match edit {
            Some(contact) => splices.extend(changes(document.text, entry, contact, newline)),
            None => drop(removed.insert(number)),
        }
    }
    for (number, source) in document.sources.iter().enumerate() {
        if sources.get(source) == Some(&false) {
            removed.insert(document.entries.len() + number);
        }
    }
    if !removed.is_empty() {
        let parts = FileLayout::of(document).parts_of(&removed);
        splices.extend(parts.into_iter().map(|part| (part, String::new())));
    }
    let mut text = spliced(document.text, splices);
    if is_new {
        text.push_str(TITLE);
    }
    let contacts = edits.values().flatten().filter(|contact| !listed.contains(&contact.id));
    let blocked = sources.iter().filter(|(source, blocked)| **blocked && !document.sources.contains(source));
    let entries = contacts
        .map(|contact| new_entry(contact, newline))
        .chain(blocked.map(|(source, _)| format!("[[blocked]]{newline}ip = \"{source}\"{newline}")));
    for entry in entries {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(newline);
        }
        if !text.is_empty() {
            text.push_str(newline);
        }
        text.push_str(&entry);
    }
    text
}

/// Returns the text with each part replaced.
fn spliced(text: &str, mut splices: Vec<Splice>) -> String {
    // An insertion at the start of a replaced part comes first.
    splices.sort_by_key(|(part, _)| (part.start, part.end));
    let mut new = String::with_capacity(text.len());
    let mut done = 0;
    for (part, replacement) in splices {
        new.push_str(text.get(done..part.start).unwrap_or_default());
        new.push_str(&replacement);
        done = done.max(part.end);
    }
    new.push_str(text.get(done..).unwrap_or_default());
    new
}

/// Returns the text of a new entry.
pub(super) fn new_entry(contact: &Contact, newline: &str) -> String {
    let mut text = format!("[[contact]]{newline}");
    for field in Field::ALL {
        if let Some(value) = value_of(contact, field) {
            text.push_str(&format!("{} = {value}{newline}", field.name()));
        }
    }
    text
}

/// Returns the value of a field in TOML, or `None` for an unset field.
fn value_of(contact: &Contact, field: Field) -> Option<String> {
    let text = |text: &str| toml::Value::from(text).to_string();
    match field {
        Field::Key => contact.id.key().map(|key| format!("\"{key}\"")),
        Field::Legacy => match contact.id {
            PeerId::Key(_) => None,
            PeerId::Legacy(legacy) => Some(format!("\"{}\"", legacy.addr())),
        },
        Field::Name => contact.name.as_ref().map(|name| text(name.as_str())),
        Field::Alias => contact.alias.as_ref().map(|alias| text(alias.as_str())),
        Field::Verified => contact.verified.map(date),
        Field::Blocked => contact.blocked.then(|| "true".into()),
        Field::Stranger => contact.stranger.then(|| "true".into()),
        Field::Muted => contact.muted.then(|| "true".into()),
        Field::Addresses => {
            let addrs: Vec<String> = contact.addrs.iter().map(|addr| format!("\"{addr}\"")).collect();
            (!addrs.is_empty()).then(|| format!("[{}]", addrs.join(", ")))
        }
    }
}

/// Returns the date of a time in seconds since 1970, at most the last date that TOML allows.
fn date(seconds: u64) -> String {
    let seconds = i64::try_from(seconds.min(MAX_VERIFIED)).unwrap_or_default();
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX).to_string()
}

/// Returns the splices that turn an entry into that of `contact`. A removed field takes the comment
/// in its line along.
fn changes(text: &str, entry: &Entry, contact: &Contact, newline: &str) -> Vec<Splice> {
    let mut splices = Vec::new();
    // The field after which the next new field is inserted.
    let mut above = None;
    for field in Field::ALL {
        let place = entry.fields.iter().find(|(listed, ..)| *listed == field);
        let value = value_of(contact, field);
        let is_same = value == value_of(&entry.contact, field);
        match (place, value) {
            (Some((_, key, value)), _) if is_same => above = Some((key, value)),
            (Some((_, key, old)), Some(new)) => {
                splices.push((old.clone(), new));
                above = Some((key, old));
            }
            (Some((_, key, old)), None) => {
                splices.push((line_start(text, key.start)..line_end(text, old.end), String::new()));
            }
            // `above` is set: an entry begins with `key` or `legacy`, which never change.
            (None, Some(new)) => {
                if let Some((key, value)) = above {
                    let indent = &text[line_start(text, key.start)..key.start];
                    let at = value.end + content(&text[value.end..line_end(text, value.end)]).len();
                    splices.push((at..at, format!("{newline}{indent}{} = {new}", field.name())));
                }
            }
            (None, None) => {}
        }
    }
    splices
}

/// Returns where the line of `at` begins.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// Returns where the line of `at` ends, after its line break.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1)
}

/// Returns a line without its line break.
fn content(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

/// The positions of the tables in a file.
struct FileLayout<'t> {
    text: &'t str,
    /// Where each table header begins, in order, and the number of its entry, if it is in one.
    headers: Vec<(usize, Option<usize>)>,
    /// Where each header and each value ends, in order.
    ends: Vec<usize>,
}

impl<'t> FileLayout<'t> {
    fn of(document: &Document<'t>) -> Self {
        let mut layout = Self { text: document.text, headers: Vec::new(), ends: Vec::new() };
        for (number, table) in document.tables().enumerate() {
            layout.add(table, Some(number));
        }
        for (_, value) in document.root.iter().filter(|(key, _)| !Document::is_known(key.get_ref())) {
            layout.add(value, None);
        }
        layout.headers.sort_unstable();
        layout.headers.dedup_by_key(|(at, _)| *at);
        layout.ends.sort_unstable();
        layout
    }

    /// Adds a value and the values in it. The parser limits the depth.
    fn add(&mut self, value: &Spanned<DeValue<'_>>, entry: Option<usize>) {
        self.ends.push(value.span().end);
        match value.get_ref() {
            DeValue::Table(table) => {
                // An inline table begins with a brace, a table of dotted keys with its key.
                let start = value.span().start;
                if self.text[start..].starts_with('[') {
                    self.headers.push((start, entry));
                }
                table.values().for_each(|value| self.add(value, entry));
            }
            DeValue::Array(values) => values.iter().for_each(|value| self.add(value, entry)),
            _ => {}
        }
    }

    /// Returns the parts of the text that are removed with these entries: their tables, each with
    /// the comments directly above and below it. The blank lines above are removed too, unless they
    /// are needed to separate the rest.
    fn parts_of(&self, entries: &BTreeSet<usize>) -> Vec<Range<usize>> {
        let is_blank = |line: &str| line.trim().is_empty();
        // Each part, and where the blank lines above it begin.
        let mut parts: Vec<(usize, Range<usize>)> = Vec::new();
        for (table, (_, entry)) in self.headers.iter().enumerate() {
            if entry.is_none_or(|entry| !entries.contains(&entry)) {
                continue;
            }
            let start = self.start(table);
            let blank = self.up_while(start, self.values_end(table), is_blank);
            let mut end = self.values_end(table + 1);
            while end < self.start(table + 1) && is_comment(&self.text[end..line_end(self.text, end)]) {
                end = line_end(self.text, end);
            }
            match parts.last_mut() {
                Some((_, part)) if part.end == blank => part.end = end,
                _ => parts.push((blank, start..end)),
            }
        }
        let whole = |(blank, part): (usize, Range<usize>)| {
            let is_apart = is_blank(&self.text[part.end..line_end(self.text, part.end)]);
            if is_apart { blank..part.end } else { part }
        };
        parts.into_iter().map(whole).collect()
    }

    /// Returns where a table begins, including the comment directly above it. For the number after
    /// the last table, returns the end of the text.
    fn start(&self, table: usize) -> usize {
        let Some((header, _)) = self.headers.get(table) else { return self.text.len() };
        self.up_while(line_start(self.text, *header), self.values_end(table), is_comment)
    }

    /// Returns the end of the last line with a value or header before a table.
    fn values_end(&self, table: usize) -> usize {
        let header = self.headers.get(table).map_or(self.text.len() + 1, |(at, _)| *at);
        let before = self.ends.partition_point(|end| *end < header);
        before.checked_sub(1).map_or(0, |last| line_end(self.text, self.ends[last]))
    }

    /// Goes up from `at` while the line above satisfies `such`, but not above `limit`.
    fn up_while(&self, mut at: usize, limit: usize, such: impl Fn(&str) -> bool) -> usize {
        while at > limit {
            let above = line_start(self.text, at - 1);
            if above < limit || !such(&self.text[above..at]) {
                break;
            }
            at = above;
        }
        at
    }
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}
