//! Parses the text of the file and records the position of each entry and field.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::contact::{Contact, clash};
use super::error::ContactsError;
use crate::core::{MAX_BLOCKED_SOURCES, MAX_CONTACTS, MAX_HINTS};
use crate::interfaces;
use crate::model::address::{PeerAddr, SourcePrefix};
use crate::model::key::PublicKey;
use crate::model::name::{self, Name, PeerName, quoted};
use crate::model::peer_id::{LegacyId, PeerId, Recipient};
use crate::settings::file::{Mistake, toml_mistake};

/// The last time that the file can hold: one day before the end of the year 9999, for time zones.
pub(super) const MAX_VERIFIED: u64 = 253_402_207_200;

/// The name of the array of entries.
const CONTACT: &str = "contact";

/// The name of the array of blocked sources.
const BLOCKED: &str = "blocked";

/// The field of a blocked source.
const IP: &str = "ip";

/// The fields of an entry, in the order in which they are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Field {
    Key,
    Legacy,
    Name,
    Alias,
    Verified,
    Blocked,
    Stranger,
    Muted,
    Addresses,
}

impl Field {
    pub(super) const ALL: [Self; 9] = [
        Self::Key,
        Self::Legacy,
        Self::Name,
        Self::Alias,
        Self::Verified,
        Self::Blocked,
        Self::Stranger,
        Self::Muted,
        Self::Addresses,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Legacy => "legacy",
            Self::Name => "name",
            Self::Alias => "alias",
            Self::Verified => "verified",
            Self::Blocked => "blocked",
            Self::Stranger => "stranger",
            Self::Muted => "muted",
            Self::Addresses => "addresses",
        }
    }
}

/// An entry of the file.
pub(super) struct Entry {
    pub(super) contact: Contact,
    /// Each field with the positions of its key and its value, in the order of [`Field`].
    pub(super) fields: Vec<(Field, Range<usize>, Range<usize>)>,
}

/// A parsed file.
pub(super) struct Document<'t> {
    pub(super) text: &'t str,
    pub(super) root: DeTable<'t>,
    /// The entries, in the order of the file.
    pub(super) entries: Vec<Entry>,
    /// The blocked sources, in the order of the file.
    pub(super) sources: Vec<SourcePrefix>,
}

impl Document<'_> {
    /// Whether a top-level key is that of the contacts, or of the blocked sources.
    pub(super) fn is_known(key: &str) -> bool {
        [CONTACT, BLOCKED].contains(&key)
    }

    pub(super) fn into_contacts(self) -> BTreeMap<PeerId, Contact> {
        self.entries.into_iter().map(|entry| (entry.contact.id, entry.contact)).collect()
    }

    /// Returns copies of the contacts, by id.
    pub(super) fn contacts(&self) -> BTreeMap<PeerId, Contact> {
        self.entries.iter().map(|entry| (entry.contact.id, entry.contact.clone())).collect()
    }

    /// Whether the file lists nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.sources.is_empty()
    }

    /// Returns the blocked sources.
    pub(super) fn sources(&self) -> BTreeSet<SourcePrefix> {
        self.sources.iter().copied().collect()
    }

    /// Returns the table of each entry, in the order of the file, with the position of its header,
    /// and then that of each blocked source.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Spanned<DeValue<'_>>> {
        self.tables_of(CONTACT).chain(self.tables_of(BLOCKED))
    }

    fn tables_of(&self, name: &str) -> impl Iterator<Item = &Spanned<DeValue<'_>>> {
        let array = self.root.get(name).and_then(|value| value.get_ref().as_array());
        array.into_iter().flat_map(|array| array.iter())
    }
}

/// Parses the text of a file. No alias may be `own_name`.
pub(super) fn parse<'t>(text: &'t str, own_name: Option<&Name>) -> Result<Document<'t>, Mistake> {
    let root = DeTable::parse(text)
        .map_err(|error| toml_mistake(&error, text, "A list of contacts has [[contact]] entries in TOML."))?;
    let mut document = Document { text, root: root.into_inner(), entries: Vec::new(), sources: Vec::new() };
    check_keys(&document)?;
    document.entries = entries(&document)?;
    document.sources = sources(&document)?;
    no_clash(&document, own_name)?;
    Ok(document)
}

/// Checks the top-level keys of a file.
fn check_keys(document: &Document<'_>) -> Result<(), Mistake> {
    for (key, value) in &document.root {
        let word: &str = key.get_ref();
        if Document::is_known(word) {
            let at = value.span().start;
            if !matches!(value.get_ref(), DeValue::Array(_)) || !document.text[at..].starts_with("[[") {
                let what = match word {
                    CONTACT => {
                        "contacts are written as [[contact]], with two brackets, each followed by its fields."
                    }
                    _ => {
                        "blocked IPs are written as [[blocked]], with two brackets, each followed by its `ip`."
                    }
                };
                return Err((key.span().start, what.into()));
            }
        } else if let Some(near) = [CONTACT, BLOCKED].into_iter().find(|name| is_near(word, name)) {
            let what = format!("`{}` is not known here; did you mean [[{near}]]?", quoted(word));
            return Err((key.span().start, what));
        }
    }
    Ok(())
}

/// Returns the blocked sources.
fn sources(document: &Document<'_>) -> Result<Vec<SourcePrefix>, Mistake> {
    let mut sources = Vec::new();
    for table in document.tables_of(BLOCKED) {
        let start = table.span().start;
        let wrong = || (start, "a blocked IP is written as [[blocked]], followed by its `ip`.".to_owned());
        let DeValue::Table(values) = table.get_ref() else { return Err(wrong()) };
        let value = values.get(IP).ok_or_else(wrong)?;
        let at = value.span().start;
        let source: SourcePrefix = text(value, "an IP")?.parse().map_err(|error| (at, format!("{error}")))?;
        if sources.contains(&source) {
            return Err((at, format!("{source} is blocked twice; remove one of the entries.")));
        }
        if sources.len() >= MAX_BLOCKED_SOURCES {
            return Err((at, format!("more than {MAX_BLOCKED_SOURCES} IPs are blocked; remove some.")));
        }
        sources.push(source);
    }
    Ok(sources)
}

fn entries(document: &Document<'_>) -> Result<Vec<Entry>, Mistake> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut ids = BTreeSet::new();
    for table in document.tables_of(CONTACT) {
        let entry = entry(table)?;
        let at = entry.fields.first().map_or(table.span().start, |(_, _, value)| value.start);
        if entries.len() >= MAX_CONTACTS {
            return Err((at, format!("more than {MAX_CONTACTS} contacts are listed; remove some.")));
        }
        let id = entry.contact.id;
        if !ids.insert(id) {
            let what = format!("{} is listed twice; remove one of the entries.", Recipient::from(id));
            return Err((at, what));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// Whether `word` is probably a misspelling of `field`: by one letter in a short word, by two in a
/// long one.
fn is_near(word: &str, field: &str) -> bool {
    let mistakes = if field.len() <= 5 { 1 } else { 2 };
    // A much longer word is not a misspelling, and comparing it would take long.
    word.len() <= 2 * field.len()
        && strsim::damerau_levenshtein(&word.to_lowercase().replace('-', "_"), field) <= mistakes
}

fn entry(table: &Spanned<DeValue<'_>>) -> Result<Entry, Mistake> {
    let start = table.span().start;
    let DeValue::Table(values) = table.get_ref() else {
        return Err((start, "a contact is written as [[contact]], followed by its fields.".into()));
    };
    let mut known = Vec::new();
    for (key, value) in values {
        let word: &str = key.get_ref();
        if let Some(field) = Field::ALL.into_iter().find(|field| field.name() == word) {
            known.push((field, key.span(), value));
        } else if let Some(near) = Field::ALL.into_iter().find(|field| is_near(word, field.name())) {
            let what =
                format!("`{}` is not a field of a contact; did you mean `{}`?", quoted(word), near.name());
            return Err((key.span().start, what));
        }
    }
    known.sort_by_key(|(field, ..)| *field);
    let contact = contact(start, &known)?;
    let fields = known.into_iter().map(|(field, key, value)| (field, key, value.span())).collect();
    Ok(Entry { contact, fields })
}

type Known<'a> = (Field, Range<usize>, &'a Spanned<DeValue<'a>>);

fn contact(start: usize, known: &[Known<'_>]) -> Result<Contact, Mistake> {
    let is_set = |wanted: Field| known.iter().find(|(field, ..)| *field == wanted);
    let id = match (is_set(Field::Key), is_set(Field::Legacy)) {
        (Some((.., key)), None) => PeerId::Key(public_key(key)?),
        (None, Some((.., address))) => legacy(address)?,
        (Some(_), Some((_, at, _))) => {
            let what = "a contact has a `key` or the address of a `legacy` program, not both; remove one.";
            return Err((at.start, what.into()));
        }
        (None, None) => {
            let what = "a contact has a `key`, or the address of a `legacy` program; this one has neither.";
            return Err((start, what.into()));
        }
    };
    let mut contact = Contact::new(id);
    for (field, at, value) in known {
        if *field == Field::Verified && id.key().is_none() {
            let what = format!("`{}` needs a key, and a legacy program has none.", field.name());
            return Err((at.start, what));
        }
        match field {
            Field::Key | Field::Legacy => {}
            Field::Name => contact.name = Some(name(value)?),
            Field::Alias => contact.alias = Some(alias(value)?),
            Field::Verified => contact.verified = Some(seconds(value)?),
            Field::Blocked => contact.blocked = truth(*field, value)?,
            Field::Stranger => contact.stranger = truth(*field, value)?,
            Field::Muted => contact.muted = truth(*field, value)?,
            Field::Addresses => contact.addrs = addresses(value)?,
        }
    }
    Ok(contact)
}

fn text<'a>(value: &'a Spanned<DeValue<'_>>, what: &str) -> Result<&'a str, Mistake> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        _ => Err((value.span().start, format!("{what} is written in quotation marks."))),
    }
}

fn public_key(value: &Spanned<DeValue<'_>>) -> Result<PublicKey, Mistake> {
    text(value, "a key")?.parse().map_err(|error| (value.span().start, format!("{error}")))
}

fn address(value: &Spanned<DeValue<'_>>) -> Result<PeerAddr, Mistake> {
    interfaces::parse_addr(text(value, "an address")?)
        .map_err(|error| (value.span().start, format!("{error}")))
}

fn legacy(value: &Spanned<DeValue<'_>>) -> Result<PeerId, Mistake> {
    let addr = address(value)?.plain().ok_or_else(|| {
        let what = "a legacy program has an IPv4 address; write IP:PORT, like 192.0.2.9:5000.";
        (value.span().start, what.into())
    })?;
    Ok(PeerId::Legacy(LegacyId::saved_as(addr)))
}

fn addresses(value: &Spanned<DeValue<'_>>) -> Result<Vec<PeerAddr>, Mistake> {
    let DeValue::Array(values) = value.get_ref() else {
        return Err((value.span().start, "`addresses` is a list, like [\"192.0.2.7:5000\"].".into()));
    };
    if let Some(extra) = values.get(MAX_HINTS) {
        let what = format!("more than {MAX_HINTS} addresses are listed; keep the latest.");
        return Err((extra.span().start, what));
    }
    values.iter().map(address).collect()
}

fn name(value: &Spanned<DeValue<'_>>) -> Result<PeerName, Mistake> {
    let text = text(value, "a name")?;
    if text.trim().is_empty() {
        return Err((value.span().start, "a name cannot be empty; remove `name` if there is none.".into()));
    }
    Ok(PeerName::new(text))
}

fn alias(value: &Spanned<DeValue<'_>>) -> Result<Name, Mistake> {
    name::alias(text(value, "an alias")?).map_err(|error| (value.span().start, format!("{error}")))
}

fn truth(field: Field, value: &Spanned<DeValue<'_>>) -> Result<bool, Mistake> {
    match value.get_ref() {
        DeValue::Boolean(truth) => Ok(*truth),
        _ => Err((
            value.span().start,
            format!("`{}` is true or false, without quotation marks.", field.name()),
        )),
    }
}

fn seconds(value: &Spanned<DeValue<'_>>) -> Result<u64, Mistake> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        _ => String::new(),
    };
    let time = text.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok());
    time.filter(|time| *time <= MAX_VERIFIED).ok_or_else(|| {
        let what = "`verified` is a date with a time zone; write one like 2026-11-21T10:00:00Z.";
        (value.span().start, what.into())
    })
}

/// Checks that no alias clashes with another contact or with the user's own name.
fn no_clash(document: &Document<'_>, own_name: Option<&Name>) -> Result<(), Mistake> {
    let contacts = document.entries.iter().map(|entry| &entry.contact);
    let Some(clash) = clash(contacts, own_name) else { return Ok(()) };
    let entry = document.entries.iter().find(|entry| entry.contact.id == clash.id);
    let alias = entry
        .and_then(|entry| entry.fields.iter().find(|(field, ..)| *field == Field::Alias))
        .map_or(0, |(.., value)| value.start);
    Err((alias, ContactsError::from(clash).to_string()))
}
