//! The documents hold together: their links lead somewhere, the files and tests that they name
//! exist, and their lines fit.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the paths and the texts of all documents.
fn documents() -> Vec<(PathBuf, String)> {
    let paths = ["", "docs"].into_iter().flat_map(|dir| files(&root().join(dir), false));
    let documents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    documents.map(|path| (path.clone(), fs::read_to_string(path).expect("readable"))).collect()
}

/// Returns the files in a directory, or also those of its directories.
pub(crate) fn files(dir: &Path, deep: bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true if deep => files(&path, true),
            true => Vec::new(),
            false => vec![path],
        })
        .collect()
}

/// Returns the lines outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Returns the anchor that a heading has on a page.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    for (path, text) in documents() {
        let links = prose(&text).flat_map(|line| line.split("](").skip(1));
        for link in links.map(|rest| rest.split(')').next().expect("a first part")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().expect("a directory").join(file),
            };
            assert!(target.exists(), "{}: {link}", path.display());
            let to =
                if heading.is_empty() { String::new() } else { fs::read_to_string(target).expect("text") };
            let mut anchors = prose(&to).filter(|line| line.starts_with('#')).map(anchor);
            assert!(
                heading.is_empty() || anchors.any(|anchor| anchor == heading),
                "{}: {link}",
                path.display()
            );
        }
    }
}

#[test]
fn lines_of_prose_have_100_columns() {
    for (path, text) in documents() {
        // Tables and pictures cannot be wrapped.
        for line in prose(&text).filter(|line| !line.starts_with(['|', '!'])) {
            assert!(line.chars().count() <= 100, "{}: {line}", path.display());
        }
    }
}

/// Returns the code in the last column of each table row, and of sentences in parentheses.
fn named_in_tables(text: &str) -> impl Iterator<Item = &str> {
    let rows = prose(text).filter(|line| line.starts_with("| "));
    let last = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    last.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

#[test]
fn tests_named_in_security_exist() {
    let security = fs::read_to_string(root().join("docs/SECURITY.md")).expect("readable");
    let attacks = security.split("\n## Identity\n").next().expect("a first part");
    let mut names = BTreeSet::new();
    for path in ["src", "tests/it", "fuzz/harness"].into_iter().flat_map(|dir| files(&root().join(dir), true))
    {
        let modules = path.strip_prefix(root()).expect("below").with_extension("");
        names.extend(modules.iter().map(|module| module.to_string_lossy().into_owned()));
        let code = fs::read_to_string(&path).expect("readable");
        let functions = code.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
        names.extend(functions.map(str::to_owned));
    }
    let mut count = 0;
    for named in named_in_tables(attacks).filter(|named| !named.contains(' ')) {
        let mut parts = named.trim_end_matches(".rs").split("::").flat_map(|part| part.split('/'));
        assert!(parts.all(|part| part.is_empty() || names.contains(part)), "{named}");
        count += 1;
    }
    assert!(count > 150, "{count} tests are named");
}

#[test]
fn files_named_in_architecture_exist() {
    let text = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("readable");
    let code = prose(&text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let files: Vec<&str> = code.filter(|code| code.ends_with(".rs")).collect();
    assert!(files.len() > 30, "{files:?}");
    for file in files {
        assert!(root().join("src").join(file).exists() || root().join(file).exists(), "{file}");
    }
}
