//! The measurements, and the table of what came out.

mod backlog;
#[cfg(target_os = "linux")]
mod idle;
mod keystrokes;
mod sender;
mod terminal;

use anyhow::Context;

use crate::common::table;

/// Times that everything is measured: odd, so that the median is one of them, and as many as a minute has room for.
const RUNS: usize = 7;

/// Measures everything.
///
/// # Errors
/// Where something did not work, such as a message that was lost.
pub(crate) fn table() -> anyhow::Result<String> {
    let mut rows = Vec::new();
    rows.extend(keystrokes::measure().context("keystrokes")?);
    rows.push(backlog::measure().context("the backlog")?);
    #[cfg(target_os = "linux")]
    rows.extend(idle::measure().context("idling")?);
    let mut table = format!("{}\n{}", table::what_the_figures_are(RUNS), table::table(&rows));
    if !cfg!(target_os = "linux") {
        table += "\nWake-ups are counted only where Linux counts them.\n";
    }
    Ok(table)
}
