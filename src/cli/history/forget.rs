//! `p2p-chat history --forget`: prints which messages will be deleted and how many, asks unless
//! `--yes` is given, and prints how many were deleted.
//!
//! Typed lines of the same time are deleted too, for all recipients: most are messages, and a line
//! does not name its recipient.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use super::pages::{Stopped, count};
use crate::model::stored;
use crate::model::stored::{Selection, StoreResult};
use crate::profile::TypedRange;
use crate::store::{Sqlite, StoreError};

/// Bytes that an answer may have; more is no answer, and is not waited for.
const MAX_ANSWER: u64 = 100;

/// How long to try to tidy the file afterwards. Other processes read it for milliseconds, and
/// shrinking a large one takes some seconds.
const TIDYING: Duration = Duration::from_secs(20);

/// Which messages the user selected, in words.
#[derive(Default)]
pub(super) struct Selected {
    /// The other side, such as ` with bob`.
    pub(super) with: String,
    /// The time range, such as ` since 2026-11-21 00:00:00`.
    pub(super) times: String,
}

/// Forgets messages and typed lines for good. If `answers` are given, the user is asked before.
/// Returns whether the user agreed.
pub(super) fn forget(
    store: &mut Sqlite,
    which: Selection,
    chosen: &Selected,
    typed: &TypedRange,
    clock: u64,
    answers: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<bool, Stopped> {
    let lines = typed.count();
    let (gone, stay) = count(&mut |query| store.messages(query), &which)?;
    let plan = format!(
        "This deletes {}{} for good{}.",
        what(gone, &chosen.with, lines),
        chosen.times,
        staying(stay)
    );
    if let Some(answers) = answers {
        if gone + lines == 0 {
            say(out, &format!("There is nothing to delete{}.\n", staying(stay)))?;
            return Ok(true);
        }
        say(out, &format!("{plan} Continue? y/N "))?;
        let mut answer = String::new();
        io::Read::take(answers, MAX_ANSWER).read_line(&mut answer).map_err(Stopped::Output)?;
        if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            say(out, "Nothing was deleted.\n")?;
            return Ok(false);
        }
    } else if gone + lines > 0 {
        // The user has decided, so an error of the output does not matter.
        let _ = say(out, &format!("{plan}\n"));
    }
    let written = store.apply(&[stored::StoreOp::Forget(which)], clock)?;
    let (gone, stay) = match written[..] {
        [StoreResult::Forgotten { removed, queued }] => (removed, queued),
        _ => (0, 0),
    };
    let (lines, left) = match typed.forget() {
        Ok(()) => (lines, String::new()),
        Err(error) => (0, format!("The typed lines could not be deleted: {error}.\n")),
    };
    say(out, &format!("Deleted {}{}.\n", what(gone, "", lines), staying(stay)))?;
    say(out, &left)?;
    // The messages are deleted even if their bytes cannot be erased.
    say(out, &left_bytes(tidy(store)))?;
    Ok(true)
}

/// Says whether bytes of deleted messages may be left.
fn left_bytes(tidied: Result<(), StoreError>) -> String {
    let sentence = |why| {
        format!("Parts of them may still be in the file: {why}; run the same command again to be sure.\n")
    };
    tidied.err().map(sentence).unwrap_or_default()
}

/// Erases the bytes of deleted messages from the file.
fn tidy(store: &mut Sqlite) -> Result<(), StoreError> {
    let began = Instant::now();
    while store.tidy()? {
        if began.elapsed() > TIDYING {
            return Err(StoreError::Busy);
        }
    }
    Ok(())
}

pub(super) fn say(out: &mut impl Write, text: &str) -> Result<(), Stopped> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Stopped::Output)
}

/// Returns the number of messages, `with` the other side, and the number of typed lines, in words.
fn what(messages: u64, with: &str, lines: u64) -> String {
    let of = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (messages, lines) {
        (0, 0) => "no messages".into(),
        (messages, 0) => of(messages, "message") + with,
        (0, lines) => of(lines, "typed line"),
        (messages, lines) => format!("{}{with} and {}", of(messages, "message"), of(lines, "typed line")),
    }
}

/// How many stay, as the end of a sentence.
fn staying(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 queued message stays".into(),
        count => format!("; {count} queued messages stay"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::in_memory;
    use crate::tui::history_view::examples::{TIME, key};

    fn kept() -> Sqlite {
        let mut store = in_memory().unwrap();
        let heard = |body: &str| stored::StoreOp::IncomingPlain {
            from: key(1),
            name: None,
            assurance: crate::model::stored::Assurance::Plain,
            stranger: None,
            body: body.into(),
        };
        store.apply(&[heard("one"), heard("two")], TIME).unwrap();
        store
    }

    fn said(store: &mut Sqlite, answer: Option<&[u8]>) -> String {
        let mut out = Vec::new();
        let mut answer = answer;
        let answers = answer.as_mut().map(|answer| answer as &mut dyn BufRead);
        let dir = tempfile::TempDir::new().unwrap();
        let typed = TypedRange::new(dir.path(), None, None);
        forget(store, Selection::default(), &Selected::default(), &typed, TIME, answers, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_a_yes_is_one() {
        let question = "This deletes 2 messages for good. Continue? y/N ";
        let mut store = kept();
        let long = "y".repeat(1_000);
        for no in ["", "\n", "n\n", "yesterday\n", "\ny\n", &long] {
            assert_eq!(
                said(&mut store, Some(no.as_bytes())),
                format!("{question}Nothing was deleted.\n"),
                "{no:?}"
            );
            assert_eq!(count(&mut |query| store.messages(query), &Selection::default()), Ok((2, 0)));
        }
        assert!(said(&mut kept(), Some(b"y\n")).ends_with("Deleted 2 messages.\n"));
        assert!(said(&mut store, Some(b" YES \n")).ends_with("Deleted 2 messages.\n"));
        assert_eq!(said(&mut store, Some(b"y\n")), "There is nothing to delete.\n");
        assert_eq!(said(&mut store, None), "Deleted no messages.\n");
    }

    #[test]
    fn where_bytes_may_be_left_that_is_said() {
        let expected = "Parts of them may still be in the file: another process has locked the file; \
                        run the same command again to be sure.\n";
        assert_eq!(left_bytes(Err(StoreError::Busy)), expected);
        assert_eq!(left_bytes(Ok(())), "");
    }
}
