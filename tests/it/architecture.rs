//! Checks the architecture: which module imports which, and what pure code must not know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::documents::files;

/// The modules from top to bottom. A module imports only what stands on a lower line.
const LAYERS: [&[&str]; 14] = [
    &["main"],
    &["cli"],
    &["logging"],
    &["tui"],
    &["exit"],
    &["runtime"],
    &["net"],
    &["profile"],
    &["store"],
    &["settings", "mailbox"],
    &["crypto", "files", "interfaces", "memory"],
    &["core"],
    &["protocol"],
    &["model"],
];

fn sources(module: &str) -> Vec<PathBuf> {
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module))
}

/// The files at and below `path`, without unit tests.
fn below(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let paths = entries.map(|entry| entry.expect("readable").path());
    paths
        .filter(|path| !path.ends_with("tests.rs") && !path.ends_with("tests"))
        .flat_map(|path| below(&path))
        .collect()
}

/// The part of a file that is not its unit tests.
fn without_tests(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("readable");
    text.split("#[cfg(test)]\nmod tests").next().expect("a first part").to_owned()
}

/// The top-level module that a file belongs to, such as `core` for `src/core/peers.rs`.
fn module_of(path: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let first = path.strip_prefix(src).expect("below src").components().next().expect("a name");
    first.as_os_str().to_str().expect("UTF-8").trim_end_matches(".rs").to_owned()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The top-level modules that a file names after `crate::`.
fn imports_of(path: &Path) -> BTreeSet<String> {
    let text = without_tests(path);
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let named = |rest: &str| rest.chars().take_while(|c| c.is_ascii_lowercase()).collect::<String>();
    code.split("crate::").skip(1).map(named).filter(|name| !name.is_empty()).collect()
}

#[test]
fn modules_import_only_lower_layers() {
    let mut upward = BTreeSet::new();
    for path in sources("") {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let layer = layer_of(&module).unwrap_or_else(|| panic!("{module} is in no layer"));
        for import in imports_of(&path) {
            let imported = layer_of(&import).unwrap_or_else(|| panic!("{import} is in no layer"));
            if import != module && imported <= layer {
                upward.insert((module.clone(), import));
            }
        }
    }
    assert_eq!(upward, BTreeSet::new());
}

/// Modules below the runtime, each with the files of the terminal that may name it: those that
/// start the node, and those that print its limits and errors.
const BELOW_THE_RUNTIME: [(&str, &[&str]); 6] = [
    ("net", &["app/choose.rs"]),
    ("store", &["app/begin.rs"]),
    ("protocol", &[]),
    ("crypto", &[]),
    ("files", &[]),
    (
        "profile",
        &[
            "app/begin.rs",
            "app/choose.rs",
            "app/contacts.rs",
            "app/contacts/changes.rs",
            "app/invitations.rs",
        ],
    ),
];

#[test]
fn prompt_reaches_the_node_only_through_the_runtime() {
    let tui = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tui");
    for path in sources("tui") {
        let file = path.strip_prefix(&tui).expect("below it").to_str().expect("UTF-8");
        let imports = imports_of(&path);
        for (module, may) in BELOW_THE_RUNTIME {
            let names = imports.contains(module);
            assert!(!names || may.contains(&file), "{file} names {module}");
        }
        let text = without_tests(&path);
        for inside in ["Machine", "Step<", "CoreConfig", "Output::", "core::State"] {
            assert!(!text.contains(inside), "{file} names {inside}");
        }
    }
}

#[test]
fn pure_modules_do_no_io() {
    let impure = [
        "Instant",
        "SystemTime",
        "std::thread",
        "TcpStream",
        "TcpListener",
        "std::io",
        "std::fs",
        "crossterm",
        "jiff",
        "use aws_lc_rs",
        "rustls",
        "SystemRandom",
    ];
    let pure = [
        "runtime/machine.rs",
        "runtime/ports.rs",
        "runtime/step.rs",
        "tui/attention.rs",
        "tui/clipboard.rs",
        "tui/commands.rs",
        "tui/complete.rs",
        "tui/editor.rs",
        "tui/editor",
        "tui/input_history.rs",
        "tui/labels.rs",
        "tui/layout.rs",
        "tui/list.rs",
        "tui/menu.rs",
        "tui/menu",
        "tui/message.rs",
        "tui/notices.rs",
        "tui/people.rs",
        "tui/history_view.rs",
        "tui/history_view",
        "tui/printed.rs",
        "tui/status.rs",
        "tui/style.rs",
        "tui/render.rs",
        "tui/render",
    ];
    for module in ["model", "protocol", "core"].into_iter().chain(pure) {
        for path in sources(module) {
            let text = without_tests(&path);
            for word in impure {
                assert!(!text.contains(word), "{} knows {word}", path.display());
            }
        }
    }
}

/// Files that call `function`, below `src`.
fn callers_of(function: &str) -> BTreeSet<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let calls = |path: &PathBuf| without_tests(path).contains(&format!("{function}("));
    let relative = |path: PathBuf| path.strip_prefix(&src).expect("below src").display().to_string();
    sources("").into_iter().filter(calls).map(relative).collect()
}

#[test]
fn only_plain_protocol_identifies_legacy_peers() {
    let seen = callers_of("LegacyId::seen_at");
    assert_eq!(seen, BTreeSet::from(["protocol/plain/mod.rs".to_owned()]));
    let saved = callers_of("LegacyId::saved_as");
    let reads_saved = |file: &String| file.starts_with("store/") || file.starts_with("profile/");
    assert!(!saved.is_empty() && saved.iter().all(reads_saved), "{saved:?}");
}

#[test]
fn only_key_handling_names_cryptography() {
    for path in sources("") {
        let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below it");
        let may = ["src/net/secure", "src/profile", "src/profile.rs", "src/crypto.rs"];
        if may.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let text = without_tests(path);
        for word in ["rustls::", "aws_lc_rs::"] {
            let named =
                text.match_indices(word).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric()));
            assert!(!named, "{} names {word}", path.display());
        }
    }
}

/// Calls `check` with every source file, unit tests included, and with its text.
fn for_each_source(check: impl Fn(&Path, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in
        ["src", "tests", "benches", "fuzz/harness"].iter().flat_map(|dir| files(&root.join(dir), true))
    {
        if path.extension().is_some_and(|extension| extension == "rs") {
            check(&path, &fs::read_to_string(&path).expect("UTF-8"));
        }
    }
}

#[test]
fn comments_wrap_at_100_columns() {
    for_each_source(|path, text| {
        let is_long = |line: &&str| line.trim_start().starts_with("//") && line.chars().count() > 100;
        assert_eq!(text.lines().find(is_long), None, "{}", path.display());
    });
}

#[test]
fn test_names_have_eight_words_at_most() {
    for_each_source(|path, text| {
        let names =
            text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split(['(', '<']).next());
        assert_eq!({ names }.find(|name| name.split('_').count() > 8), None, "{}", path.display());
    });
}
