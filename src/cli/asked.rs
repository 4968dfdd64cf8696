//! What `p2p-chat history` is asked for.

use clap::Args;

use crate::history::{Age, When};

/// Which messages, and what to do with them.
#[derive(Args, Clone, Debug, Default)]
pub struct Asked {
    /// Only what came from and went to this peer: its name, its ip:port, or the beginning of its key
    #[arg(long, value_name = "PEER")]
    pub with: Option<String>,

    /// Only what was said since then: 3d ago, on 2026-11-21, at 2026-11-21T14:00, or at a time with its offset from UTC
    #[arg(long, value_name = "WHEN")]
    pub since: Option<When>,

    /// Only what was said until then, written like that; a day is meant with all its hours
    #[arg(long, value_name = "WHEN", conflicts_with = "older_than")]
    pub until: Option<When>,

    /// Only what is older than this, like 90d
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<Age>,

    /// Only what has all these words in it, each at least as the beginning of a word
    #[arg(long, value_name = "TEXT")]
    pub grep: Option<String>,

    /// Only the last N of those [default: 50 on a terminal, else all]
    #[arg(long, value_name = "N", value_parser = how_many)]
    pub last: Option<usize>,

    /// As lines of JSON, for scripts
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,

    /// As Markdown
    #[arg(long)]
    pub markdown: bool,

    /// Forget for good what was chosen, instead of printing it; what waits for its recipient stays
    #[arg(long, conflicts_with_all = ["json", "markdown", "last"])]
    pub forget: bool,

    /// Forget it without asking
    #[arg(long, requires = "forget")]
    pub yes: bool,
}

fn how_many(text: &str) -> Result<usize, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let count = text.parse().ok().filter(|count| digits && *count > 0);
    count.ok_or_else(|| "how many is a whole number from 1.".to_owned())
}
