//! Shared by all benchmarks: the command line, the programs under measurement, and the results.

// Each benchmark is a program of its own and uses a part of this.
#![allow(dead_code, clippy::print_stdout, clippy::print_stderr)]

pub(crate) mod figures;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod table;

use std::fs;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};

use table::Compared;

/// How long anything may take before the benchmark fails.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// A name for the command line, and what measures its rows.
pub(crate) type Part = (&'static str, fn() -> anyhow::Result<Vec<Compared>>);

/// Measures the parts that the command line names, or all. Fails if something does not work, such
/// as a lost message, and never because of a figure.
pub(crate) fn run(bench: &str, runs: usize, parts: &[Part]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` builds without optimization and does not pass this flag.
    if !args.iter().any(|arg| arg == "--bench") {
        println!("This measures the release build: cargo bench --bench {bench}");
        return ExitCode::SUCCESS;
    }
    if cfg!(not(target_os = "linux")) {
        println!("This needs Linux, because it reads /proc.");
        return ExitCode::SUCCESS;
    }
    let names: Vec<String> = args.into_iter().filter(|arg| !arg.starts_with("--")).collect();
    report(bench, measure(runs, parts, &names))
}

/// Prints an error of a program. Returns its exit code.
pub(crate) fn report(program: &str, result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(runs: usize, parts: &[Part], names: &[String]) -> anyhow::Result<()> {
    if let Some(name) = names.iter().find(|name| parts.iter().all(|(part, _)| part != name)) {
        let known: Vec<_> = parts.iter().map(|(part, _)| *part).collect();
        bail!("there is no part {name}; there are {}", known.join(", "));
    }
    println!("Medians of {runs} runs, with the lowest and the highest of them:\n");
    for (name, part) in parts {
        if !names.is_empty() && names.iter().all(|wanted| wanted != name) {
            continue;
        }
        let load = fs::read_to_string("/proc/loadavg").context("the load average")?;
        let rows = part().context(*name)?;
        let load = load.split(' ').next().unwrap_or_default();
        println!("#### {name}\n\nLoad average before it: {load}.\n\n{}", table::table(&rows));
    }
    Ok(())
}
