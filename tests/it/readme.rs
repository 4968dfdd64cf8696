//! README.md is true: its commands run, its example files are read, and its transcript is what a
//! terminal shows.
//!
//! `cargo install` and `cargo test` are not run here; `.ci/run` runs the latter. The recorder,
//! docs/record.sh, makes the picture.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::process::{Command, Output};

use p2p_chat::tui::COMMANDS;
use tempfile::TempDir;

use crate::support::{Builder, Peer, Terminal, nobody, rows};

const README: &str = include_str!("../../README.md");
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// The most lines that the README may have.
const MAX_LINES: usize = 150;

/// Returns the code blocks in a language, without their fences.
fn blocks(language: &str) -> Vec<&'static str> {
    let pieces = README.split("\n```").skip(1).step_by(2);
    pieces.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// Returns the lines of all blocks of commands.
fn commands() -> Vec<&'static str> {
    blocks("").into_iter().flat_map(str::lines).collect()
}

/// Returns the only command that contains these words.
fn command(words: &str) -> &'static str {
    let found: Vec<_> = commands().into_iter().filter(|line| line.contains(words)).collect();
    assert_eq!(found.len(), 1, "{words}: {found:?}");
    found[0]
}

/// Returns the peer that a command of the README starts, with other ports.
fn peer(command: &str, ports: &[(&str, u16)]) -> Builder {
    let command = with_ports(command, ports);
    let words = command.strip_prefix("p2p-chat ").expect("a start").split(' ');
    let started = Peer::named("").without_port().arg("--bind").arg("127.0.0.1");
    words.fold(started, |started, word| started.arg(word))
}

/// Replaces ports of the README, so that tests can run at the same time.
fn with_ports(command: &str, ports: &[(&str, u16)]) -> String {
    ports.iter().fold(command.to_owned(), |command, (port, free)| command.replace(port, &free.to_string()))
}

/// Runs a line of the README in a shell, with its home in `dir`.
fn in_shell(line: &str, dir: &Path) -> Output {
    let program = dir.join("p2p-chat");
    if !program.exists() {
        let (ours, _dir) = Peer::named("").command();
        std::os::unix::fs::symlink(ours.get_program(), &program).expect("linked");
    }
    Command::new("sh")
        .args(["-c", line])
        .current_dir(dir)
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", dir.display()))
        .env("HOME", dir)
        .env("P2P_CHAT_BIND", "127.0.0.1")
        .env("P2P_CHAT_DISCOVER", "off")
        .output()
        .expect("a shell runs it")
}

fn assert_runs(line: &str, dir: &Path) -> String {
    let Output { status, stdout, stderr } = in_shell(line, dir);
    assert!(status.success(), "{line}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("UTF-8")
}

#[test]
fn readme_is_short() {
    assert!(README.lines().count() <= MAX_LINES, "{} lines", README.lines().count());
}

#[test]
fn compiler_is_the_one_of_the_manifest() {
    let version = MANIFEST.split("rust-version = \"").nth(1).expect("a version").split('"').next();
    assert!(README.contains(&format!("Rust {} or newer", version.expect("it ends"))));
}

#[test]
fn every_command_is_tested() {
    let tested = ["id", "contacts", "history", "man", "config", "--name", "completions"];
    for line in commands() {
        let known = ["cargo install --path .", "cargo test"].contains(&line);
        let ours = line.split("p2p-chat ").nth(1).and_then(|rest| rest.split(' ').next());
        let transcript = line.starts_with('[');
        assert!(known || transcript || ours.is_some_and(|word| tested.contains(&word)), "{line}");
    }
}

#[test]
fn first_messages_go_both_ways() {
    let [alice, bob] = [nobody().port(), nobody().port()];
    let ports = [("5000", alice), ("5001", bob)];
    let mut alice = peer("p2p-chat --name Alice --port 5000", &ports).start();
    // On a network they find each other, as the scenarios in namespaces show.
    let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, alice.addr().port());
    let mut bob = peer(command("--name Bob --port 5001"), &ports).knows(at).start();
    bob.sees("Alice");
    assert!(
        README.contains("Bob types `@alice Hello`.")
            && commands().contains(&"p2p-chat --name Alice --port 5000")
    );
    bob.types(&["@alice Hello"]);
    alice.sees(": Hello");
    assert!(README.contains("types `/reply Hello Bob`"));
    alice.types(&["/reply Hello Bob"]);
    bob.sees(": Hello Bob");
}

/// Replaces what differs between two runs: the time, with or without seconds, and the key.
fn normal(line: &str) -> String {
    let line = line.trim_end();
    let is_time = |time: &str| time.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let line = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((time, rest)) if is_time(time) => format!("[time]{rest}"),
        _ => line.to_owned(),
    };
    match line.split_once("key ") {
        Some((before, after)) => {
            let behind: String = after.chars().skip("vc6q dz75".len()).collect();
            format!("{before}key ....{behind}")
        }
        None => line,
    }
}

#[test]
fn transcript_is_what_the_terminal_shows() {
    let transcript = blocks("").into_iter().find(|block| block.contains("] Bob (new): Hello")).expect("one");
    let [port, bob] = [nobody().port(), nobody().port()];
    let ports = [("5000", port), ("5001", bob)];
    let alice = Terminal::start(peer("p2p-chat --name Alice --port 5000", &ports), 30, 100);
    alice.waits_for("listening");
    let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let mut bob = peer(command("--name Bob --port 5001"), &ports).knows(at).start();
    bob.sees("Alice");
    bob.types(&["@alice Hello"]);
    alice.waits_for(": Hello");
    alice.enters("/reply Hello Bob");
    alice.shows("the transcript", |screen| {
        let rows: Vec<String> = rows(screen).iter().map(|row| normal(row)).collect();
        let mut left = rows.iter();
        transcript.trim().lines().all(|line| left.any(|row| *row == normal(line)))
    });
}

#[test]
fn peer_of_another_machine_is_dialed_or_connected() {
    let mut alice = Peer::named("Alice").start();
    let dialed = command("--peer 192.168.1.20:5000");
    let address = |text: &str| text.replace("192.168.1.20:5000", &alice.addr().to_string());
    let bob = peer(&address(dialed).replace("--port 5000", "--port 0"), &[]).start();
    assert!(README.contains("`/connect 192.168.1.20:5000`"));
    let mut carol = Peer::named("Carol").start();
    carol.types(&[&address("/connect 192.168.1.20:5000")]);
    carol.sees("Alice");
    let news = |name: &'static str| move |line: &str| line.contains(name) && line.contains(" is online");
    alice.sees_all_of(&[&news("Bob"), &news("Carol")]);
    drop(bob);
}

#[test]
fn commands_beside_the_chat_run() {
    let dir = TempDir::new().expect("a temporary directory");
    let data = dir.path().join(".local/share/p2p-chat");
    let port = nobody().port();
    let mut alice = peer("p2p-chat --name Alice --port 5000", &[("5000", port)]).data_dir(&data).start();
    let mut bob = Peer::named("Bob").knows(SocketAddrV4::new([127, 0, 0, 1].into(), port)).start();
    bob.sees("Alice");
    bob.types(&["@alice lunch at one?"]);
    alice.sees("lunch at one?");
    let cook = command("printf ");
    let ports = [("5000", port), ("5002", nobody().port())];
    assert_runs(&with_ports(cook, &ports), dir.path());
    alice.sees(": Soup is ready");
    alice.types(&["@bob yes"]);
    bob.sees(": yes");
    let printed = |words: &str| assert_runs(command(words), dir.path());
    assert!(printed("p2p-chat id").starts_with("Name     Alice\nKey "));
    assert!(printed("p2p-chat contacts").contains("\"name\":\"Bob\""));
    assert!(printed("--grep lunch").contains("lunch at one?"));
    let forget = command("--forget");
    assert!(String::from_utf8_lossy(&in_shell(forget, dir.path()).stderr).contains("--yes"), "it asks");
    assert_runs(&format!("{forget} --yes"), dir.path());
    let (manual, shown_by) = command("p2p-chat man").split_once(" | ").expect("a pipe");
    assert_eq!(shown_by, "man -l -");
    assert!(assert_runs(manual, dir.path()).contains(".SH NAME"));
}

#[test]
fn example_of_config_toml_is_read() {
    let config = blocks("toml")[0];
    let builder = Peer::named("").without_port().file("p2p-chat/config.toml", config).arg("config");
    let (mut command, _dir) = builder.command();
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let printed = String::from_utf8(stdout).expect("UTF-8");
    for line in config.trim().lines() {
        let value = line.split('#').next().expect("a first part").trim_end();
        let is_it = |line: &str| line.starts_with(value) && !line.contains("# default");
        assert!(printed.lines().any(is_it), "{value}:\n{printed}");
    }
}

#[test]
fn example_of_peers_toml_is_read() {
    let peers = blocks("toml")[1].replace("192.168.1.20:5000", &nobody().to_string());
    let mut alice = Peer::named("Alice").saved_peers(&peers).start();
    alice.types(&["/contacts"]);
    alice.sees("Bob");
}

#[test]
fn named_commands_exist() {
    let named = README.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix('/'));
    for name in named.map(|code| code.split(' ').next().expect("a word")) {
        assert!(COMMANDS.iter().any(|command| command.name[1..] == *name), "/{name}");
    }
}

/// Adds the text of all files below `dir` to `text`.
fn read_all(dir: &Path, text: &mut String) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            text.push_str(&fs::read_to_string(path).expect("readable"));
        }
    }
}

#[test]
fn quoted_problems_are_sentences_of_the_program() {
    let mut source = String::new();
    read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut source);
    let table = README.split("## Troubleshooting").nth(1).expect("the section").split("\n## ").next();
    let quoted =
        table.expect("it ends").lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let quoted: Vec<_> = quoted.collect();
    assert!(quoted.len() > 5, "{quoted:?}");
    for sentence in quoted {
        // Names and numbers are filled in.
        for part in
            sentence.split(['5', '0']).flat_map(|part| part.split("Alice")).flat_map(|part| part.split("Bob"))
        {
            assert!(source.contains(part), "{sentence}: {part}");
        }
    }
}
