//! `p2p-chat history --prune`: confirms the clock of this machine, and deletes the messages that
//! are older than `--keep-history`.

use std::io::{BufRead, Write};

use jiff::tz::TimeZone;

use super::calendar;
use super::forget::{self, Selected, say};
use super::pages::Stopped;
use crate::model::stored::Selection;
use crate::profile::TypedRange;
use crate::settings::Keep;
use crate::store::Sqlite;

/// Deletes what is too old, and records that the clock is right. Asks the user first if `answers`
/// are given.
pub(super) fn prune(
    store: &mut Sqlite,
    keep: Keep,
    typed: impl Fn(u64) -> TypedRange,
    clock: u64,
    answers: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), Stopped> {
    let noted = store.doubt(clock)?;
    if let Some(noted) = noted {
        say(out, &format!("The clock shows {}; the last recorded date is {}.\n", day(clock), day(noted)))?;
    }
    let is_done = match keep {
        Keep::Forever => {
            say(out, "Messages are kept forever; add --keep-history AGE to delete old ones.\n")?;
            true
        }
        Keep::For(age) => {
            let until = clock.saturating_sub(age.millis());
            let old = Selection { with: None, since: None, until: Some(until) };
            let times = calendar::range_words(None, Some(until), &TimeZone::system());
            let chosen = Selected { times, ..Selected::default() };
            forget::forget(store, old, &chosen, &typed(until), clock, answers, out)?
        }
    };
    if is_done {
        store.trust_clock(clock)?;
    }
    match noted {
        Some(_) if is_done => say(out, "The clock is now accepted as correct.\n"),
        _ => Ok(()),
    }
}

/// Returns a day for a sentence, such as `3 March 2026`.
pub(super) fn day(millis: u64) -> String {
    calendar::timestamp(millis).to_zoned(TimeZone::system()).strftime("%-d %B %Y").to_string()
}
