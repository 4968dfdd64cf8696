//! What was said, from the command line: `p2p-chat history` reads it, searches in it, exports it
//! and forgets it, whether or not the program is running. It makes nothing where nothing is kept.
//!
//! Messages go to standard output and remarks to standard error. Out of scope: how and when they
//! are stored (`store`, `runtime`).

mod asked;
mod calendar;
mod fault;
mod forget;
mod form;
mod json;
mod markdown;
mod pages;
mod prune;
mod when;

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::path::Path;

use anyhow::bail;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use asked::Asked;
pub(crate) use calendar::rfc3339;
pub use when::When;

use crate::exit::SearchFailed;
use crate::interfaces;
use crate::model::name::{folded, quoted};
use crate::model::peer_id::Recipient;
use crate::model::stored::{Query, Selection};
use crate::profile::contacts::ContactsError;
use crate::profile::{self, AddressBook, Profiles, TypedRange};
use crate::settings::{Keep, Misused, Settings, TimeFormat, zone_warning};
use crate::store::{HISTORY_FILE, Sqlite, StoreError, in_memory};
use crate::tui::history_view::People;
use crate::tui::{self, Labels};
use calendar::Calendar;
use forget::Selected;
use form::{Format, Writer};
use pages::Stopped;

/// Messages that are shown on a terminal where nobody says how many: some screens of them.
const SHOWN: usize = 50;

/// Carries out the command. The inner result is that of the output. It has whether a search found
/// something, or `true` without a search.
///
/// # Errors
/// Where it is not clear whose history is meant or what of it, or it cannot be used; each reads as
/// sentences for the user. An error of a search is a [`SearchFailed`].
pub fn run(settings: &Settings, asked: &Asked, out: &mut impl Write) -> anyhow::Result<io::Result<bool>> {
    let done = run_asked(settings, asked, out);
    done.map_err(|error| if asked.grep.is_some() { SearchFailed(error).into() } else { error })
}

fn run_asked(settings: &Settings, asked: &Asked, out: &mut impl Write) -> anyhow::Result<io::Result<bool>> {
    if asked.forget && asked.grep.is_some() {
        bail!(Misused::new("--forget takes no --grep; choose the messages by peer and by age."));
    }
    let found = Profiles::read(settings)?.existing(settings)?;
    let deletes = asked.forget || (asked.prune && settings.keep_history != Keep::Forever);
    let ask = deletes && !asked.yes;
    if ask && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        let option = if asked.prune { "--prune" } else { "--forget" };
        bail!(Misused::new(format!(
            "{option} asks for confirmation, which needs a terminal; add --yes to delete without asking."
        )));
    }
    if let Some(warning) = zone_warning().filter(|_| tells_times(settings, asked)) {
        note(warning);
    }
    let nothing = || {
        note(format!("{} has no stored messages.", found.name));
        Ok(asked.grep.is_none())
    };
    let Some(folder) = profile::folder(settings, &found.profile) else { return Ok(nothing()) };
    let path = folder.join(HISTORY_FILE);
    let (since, until) = times(asked);
    let typed = TypedRange::new(&folder, since, until);
    let chosen = Selected {
        with: asked.with.as_deref().map(|word| format!(" with {}", quoted(word))).unwrap_or_default(),
        times: calendar::range_words(since, until, &TimeZone::system()),
    };
    let forget = |store: &mut Sqlite, which, out: &mut _| {
        let mut stdin = io::stdin().lock();
        forget::forget(store, which, &chosen, &typed, now(), ask.then_some(&mut stdin), out).map(drop)
    };
    let mut store = Some(&path)
        .filter(|path| !path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound))
        .map(|path| open(path, asked.forget || asked.prune))
        .transpose()
        .map_err(|error| fault::told(&error, &path))?;
    if let Some(mut store) = store.take_if(|_| asked.prune) {
        let mut stdin = io::stdin().lock();
        let answers = ask.then_some(&mut stdin as &mut dyn BufRead);
        let typed = |until| TypedRange::new(&folder, None, Some(until));
        let done = prune::prune(&mut store, settings.keep_history, typed, now(), answers, out);
        return finished(done.map(|()| true), &path);
    }
    if let Some(store) = store.as_mut().filter(|_| asked.forget && asked.is_by_age()) {
        refuse_doubtful_ages(store).map_err(|error| fault::told(&error, &path))??;
    }
    let peers = match &mut store {
        Some(store) => store.peers().map_err(|error| fault::told(&error, &path))?,
        None => Vec::new(),
    };
    let Some(mut store) = store.filter(|_| !peers.is_empty()) else {
        if !asked.forget || typed.count() == 0 {
            return Ok(nothing());
        }
        // There are no messages, but there may be typed lines.
        let mut empty = in_memory().map_err(|error| fault::told(&error, &path))?;
        return finished(forget(&mut empty, Selection::default(), out).map(|()| true), &path);
    };
    // Without it there are fewer names; what is wrong with it is told where it is needed.
    let book = AddressBook::open(Some(&folder), &found.name, &mut store);
    let pins = || book.iter().flat_map(|book| book.pins.values());
    let contacts = book.iter().flat_map(|book| book.known_contacts(now()));
    let contacts = contacts.map(super::contacts::of_contact);
    let aliases = book.as_ref().map(AddressBook::aliases).unwrap_or_default();
    let people = People::new(peers)
        .remembered(pins())
        .labelled(Labels::of_contacts(aliases, contacts))
        .with_own_name(found.name.as_str());
    let which = Selection { with: with(asked, &people, book)?, since, until };
    let done = if asked.forget {
        forget(&mut store, which, out).map(|()| true)
    } else {
        read(settings, asked, &mut store, which, &people, out)
    };
    finished(done, &path)
}

/// Refuses to delete by age if the clock may be wrong.
fn refuse_doubtful_ages(store: &mut Sqlite) -> Result<Result<(), Misused>, StoreError> {
    let clock = now();
    Ok(store.doubt(clock)?.map_or(Ok(()), |noted| {
        Err(Misused::new(format!(
            "The clock shows {}, but the last recorded date is {}, so no age is reliable. Set the \
             clock, select messages by date, or run `p2p-chat history --prune` if the clock is right.",
            prune::day(clock),
            prune::day(noted)
        )))
    }))
}

/// What became of the output, or an error with the path of the history.
fn finished(done: Result<bool, Stopped>, path: &Path) -> anyhow::Result<io::Result<bool>> {
    match done {
        Ok(found) => Ok(Ok(found)),
        Err(Stopped::Output(error)) => Ok(Err(error)),
        Err(Stopped::Store(error)) => Err(fault::told(&error, path)),
    }
}

/// When the messages came or went: not before the first time, and before the second one, in
/// milliseconds since 1970.
fn times(asked: &Asked) -> (Option<u64>, Option<u64>) {
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    let until = asked.until.or(asked.older_than.map(When::Ago));
    (asked.since.map(|when| when.begins(now, &zone)), until.map(|when| when.is_over(now, &zone)))
}

/// Opens the file, for changing it or for reading only.
fn open(path: &Path, changes: bool) -> Result<Sqlite, StoreError> {
    if changes { Sqlite::open(path) } else { Sqlite::reader(path) }
}

/// With whom the messages were exchanged; `None` for all.
fn with(
    asked: &Asked,
    people: &People,
    book: Result<AddressBook, ContactsError>,
) -> anyhow::Result<Option<Vec<Recipient>>> {
    let Some(word) = asked.with.as_deref() else { return Ok(None) };
    let book = book.map_err(Misused::new)?;
    // Another peer may have the same name; the alias wins.
    let aliases = book.aliases();
    let alias = aliases.iter().find(|(_, name)| folded(name.as_str()) == folded(word));
    let aliased = alias.map(|(id, _)| people.with(*id)).filter(|found| !found.is_empty());
    let pins: Vec<_> = book.pins.into_values().collect();
    let named = || people.meant(word, interfaces::parse_addr(word).ok(), &pins).map_err(Misused::new);
    Ok(Some(aliased.map_or_else(named, Ok)?))
}

/// Returns whether the output depends on the time zone.
fn tells_times(settings: &Settings, asked: &Asked) -> bool {
    let is_local = |when: Option<When>| matches!(when, Some(When::On(_) | When::Local(_)));
    let shows = settings.time_format != TimeFormat::Off && !asked.json && !asked.forget;
    shows || is_local(asked.since) || is_local(asked.until)
}

/// Prints messages. Returns whether a search found something, and true without a search.
fn read(
    settings: &Settings,
    asked: &Asked,
    store: &mut Sqlite,
    which: Selection,
    people: &People,
    out: &mut impl Write,
) -> Result<bool, Stopped> {
    let format = match (asked.json, asked.markdown) {
        (true, _) => Format::Json,
        (_, true) => Format::Markdown,
        _ => Format::Text,
    };
    let terminal = io::stdout().is_terminal();
    let most = asked.last.or_else(|| (terminal && format == Format::Text).then_some(SHOWN));
    let mut read = |query: &Query| store.messages(query);
    let pages = pages::find(&mut read, which, asked.grep.clone(), most, format != Format::Json)?;
    let found = !pages.is_empty() || asked.grep.is_none();
    if pages.is_empty() {
        note(match &asked.grep {
            Some(words) => format!("No message matches `{}`.", quoted(words)),
            None => "No message matches.".into(),
        });
    }
    if pages.more && asked.last.is_none() {
        note(format!("Showing the last {SHOWN} messages; --last N shows more."));
    }
    let calendar = Calendar::new(settings.time_format.clone(), TimeZone::system());
    let mut writer = Writer::new(format, people, calendar, terminal.then(tui::columns), BufWriter::new(out));
    pages.each(&mut read, |row| writer.take(row))?;
    writer.end().map_err(Stopped::Output)?;
    Ok(found)
}

/// Says something that is no message.
pub(super) fn note(sentence: String) {
    // If standard error is gone, nobody wants to know.
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// Milliseconds since 1970, by the clock of this machine.
pub(super) fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}
