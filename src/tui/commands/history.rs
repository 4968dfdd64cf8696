//! `/history`.

use super::{COMMAND, Spec, TypedCommand};
use crate::tui::complete::Argument;
use crate::tui::menu::{Act, HistoryOf, Turn, act, first_word, refused};
use crate::tui::people::{Lost, Named, find};

pub(super) static HISTORY: Spec = Spec {
    name: "/history",
    arguments: "[WHOM] [WORDS]",
    short: "show or search old messages",
    long: "With WORDS, it shows the messages that contain all of them. A word also matches \
           the beginning of a longer word. `/history all lunch` searches all conversations. \
           Messages from muted peers are included. `p2p-chat history` can also export and \
           delete messages, even while p2p-chat runs. With --no-history, messages are gone \
           when p2p-chat ends.",
    completes: Argument::Peers(""),
    read: |_, typed| history(typed),
    ..COMMAND
};

/// `/history bob lunch`: the peer, if the first word names one, and the words to search for.
fn history(typed: &TypedCommand<'_>) -> Turn {
    let (word, rest) = first_word(typed.rest);
    if word.is_empty() {
        return act(Act::History(HistoryOf::All, None));
    }
    let text = Some(rest.to_owned()).filter(|rest| !rest.is_empty());
    let of = match find(word, typed.directory) {
        Ok(Named::Exactly(all)) if all.peer().is_none() => HistoryOf::All,
        Ok(Named::Exactly(chosen) | Named::Perhaps(chosen)) => HistoryOf::One(chosen),
        // It may be a peer that is only in the history, or a word to search for.
        Ok(Named::NeedsPort(_))
        | Err(Lost::Nobody(_) | Lost::Blocked(..) | Lost::Waits(_) | Lost::NoAddress(_)) => {
            HistoryOf::Named(word.to_owned())
        }
        Err(lost) => return refused(lost.sentence(word)),
    };
    act(Act::History(of, text))
}
