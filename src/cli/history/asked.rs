//! What `p2p-chat history` is asked for.

use clap::Args;

use super::When;
use crate::settings::Age;

/// Print, search, export or delete messages, even during a chat
#[derive(Args, Clone, Debug, Default)]
pub struct Asked {
    /// Only messages from or to this peer: its name, its ip:port or the start of its key
    #[arg(long, value_name = "PEER")]
    pub with: Option<String>,

    /// Only messages since this time: 3d (ago), 2026-11-21, 2026-11-21T14:00, or one with an offset
    /// from UTC
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,

    /// Only messages until this time, written as for --since; a day includes all its hours
    #[arg(long, value_name = "WHEN", conflicts_with = "older_than")]
    pub until: Option<When>,

    /// Only messages older than this, such as 90d
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<Age>,

    /// Only messages that contain all these words; a word also matches the start of a longer word
    #[arg(long, value_name = "WORDS")]
    pub grep: Option<String>,

    /// Only the last N messages [default: 50 on a terminal, otherwise all]
    #[arg(long, value_name = "N", value_parser = how_many)]
    pub last: Option<usize>,

    /// Print JSON, one object per line
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,

    /// Print Markdown
    #[arg(long)]
    pub markdown: bool,

    /// Delete these messages for good instead of printing them; queued messages stay
    #[arg(long, group = "deletes", conflicts_with_all = ["json", "markdown", "last"])]
    pub forget: bool,

    /// Delete messages older than --keep-history, and accept this machine's clock as correct
    #[arg(
        long,
        group = "deletes",
        conflicts_with_all = ["json", "markdown", "last", "with", "since", "until", "older_than", "grep"]
    )]
    pub prune: bool,

    /// Delete without asking
    #[arg(long, requires = "deletes")]
    pub yes: bool,
}

impl Asked {
    /// Returns whether the messages are selected by age.
    pub(super) fn is_by_age(&self) -> bool {
        let is_age = |when: &Option<When>| matches!(when, Some(When::Ago(_)));
        self.older_than.is_some() || is_age(&self.since) || is_age(&self.until)
    }
}

fn how_many(text: &str) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = text.parse().ok().filter(|count| digits && *count > 0);
    count.ok_or_else(|| "write a whole number from 1.".to_owned())
}
