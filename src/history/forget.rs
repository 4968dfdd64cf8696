//! `p2p-chat history --forget`: how many messages will go, the user's word, and how many are gone.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use super::pages::{Stopped, count};
use crate::ledger::{self, Selection, Written};
use crate::store::Store;

/// Bytes that an answer may have; more is no answer, and is not waited for.
const MAX_ANSWER: u64 = 100;

/// How long is worked on the file afterwards: others read it for milliseconds, and a large one is made smaller in some seconds.
const TIDYING: Duration = Duration::from_secs(20);

/// Forgets messages for good. Where `answers` are given, the user is asked before.
pub(super) fn forget(
    store: &mut dyn Store,
    which: Selection,
    clock: u64,
    answers: Option<&mut dyn BufRead>,
    out: &mut impl Write,
) -> Result<(), Stopped> {
    if let Some(answers) = answers {
        let (gone, stay) = count(store, &which)?;
        if gone == 0 {
            return say(out, &format!("There is nothing to forget{}.\n", staying(stay)));
        }
        say(out, &format!("Forget {} for good{}? y/N ", messages(gone), staying(stay)))?;
        let mut answer = String::new();
        io::Read::take(answers, MAX_ANSWER).read_line(&mut answer).map_err(Stopped::Output)?;
        if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            return say(out, "Nothing is forgotten.\n");
        }
    }
    let written = store.apply(&[ledger::Write::Forget(which)], clock)?;
    let (gone, stay) = match written[..] {
        [Written::Forgotten(gone, stay)] => (gone, stay),
        _ => (0, 0),
    };
    let is_tidy = tidy(store)?;
    let is = if gone <= 1 { "is" } else { "are" };
    say(out, &format!("{} {is} forgotten{}.\n", messages(gone), staying(stay)))?;
    if is_tidy {
        return Ok(());
    }
    say(
        out,
        "Another process is using the file: what was forgotten is out of its log as soon as that allows it.\n",
    )
}

/// Has the file hold nothing more of what is forgotten; says whether that is so.
fn tidy(store: &mut dyn Store) -> Result<bool, Stopped> {
    let began = Instant::now();
    while store.idle()? {
        if began.elapsed() > TIDYING {
            return Ok(false);
        }
    }
    Ok(true)
}

fn say(out: &mut impl Write, text: &str) -> Result<(), Stopped> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Stopped::Output)
}

fn messages(count: u64) -> String {
    match count {
        0 => "No message".into(),
        1 => "1 message".into(),
        count => format!("{count} messages"),
    }
}

/// How many stay, as the end of a sentence.
fn staying(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 of yours that waits for its recipient stays".into(),
        count => format!("; {count} of yours that wait for their recipients stay"),
    }
}
