//! The settings: flags, environment, config.toml and defaults; and what is printed instead of
//! chatting.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::{Builder, Peer, cannot_listen, nobody, refused};

/// A user without a name who runs something other than a chat.
fn nobody_yet() -> Builder {
    Peer::named("").without_port()
}

/// The line of `p2p-chat config` about this setting, its blanks made one.
fn setting(builder: Builder, name: &str) -> String {
    let config = builder.arg("config").prints();
    let line = config.lines().find(|line| line.trim_start_matches("# ").starts_with(&format!("{name} =")));
    let line = line.unwrap_or_else(|| panic!("{name} is missing in\n{config}"));
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

const CONFIG: &str = "p2p-chat/config.toml";

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let default = || nobody_yet();
    assert_eq!(setting(default(), "time-format"), "time-format = \"%H:%M:%S\" # default");
    assert_eq!(setting(default(), "name"), "# name = # not set");
    let file = || default().file(CONFIG, "# mine\ntime-format = \"%H:%M\"\nstatus = false\n");
    assert_eq!(setting(file(), "time-format"), "time-format = \"%H:%M\" # configuration file, line 2");
    assert_eq!(setting(file(), "status"), "status = false # configuration file, line 3");
    let environment = || file().env("P2P_CHAT_TIME_FORMAT", "%R").env("P2P_CHAT_STATUS", "on");
    let from = "environment, P2P_CHAT_TIME_FORMAT";
    assert_eq!(setting(environment(), "time-format"), format!("time-format = \"%R\" # {from}"));
    assert_eq!(setting(environment(), "status"), "status = true # environment, P2P_CHAT_STATUS");
    let flag = || environment().arg("--time-format").arg("off").arg("--status=no");
    assert_eq!(setting(flag(), "time-format"), "time-format = \"off\" # --time-format");
    assert_eq!(setting(flag(), "status"), "status = false # --status");
    // A variable that is set to nothing counts as not set.
    let empty = file().env("P2P_CHAT_TIME_FORMAT", "");
    assert!(setting(empty, "time-format").ends_with("# configuration file, line 2"));
}

#[test]
fn the_file_starts_a_chat_without_any_arguments() {
    let port = nobody().port();
    let text = format!("name = \"Filly\"\nport = {port}\nbind = \"127.0.0.1\"\nno-static = true\n");
    let mut filly = nobody_yet().file(CONFIG, text).start();
    filly.has_seen(&format!("Filly, listening on 127.0.0.1:{port}"));
    filly.still_answers();
}

#[test]
fn printed_config_is_a_file_of_equal_meaning() {
    let set = || {
        nobody_yet()
            .arg("--name=\"Quo\\te\"")
            .arg("--port=5000")
            .arg("--peer=127.0.0.1:1")
            .arg("--peer=127.0.0.1:2")
            .arg("--color=never")
            .arg("--plain")
            .arg("-vv")
            .arg("--time-format=%H:%M # \"o'clock\"")
    };
    let first = set().arg("config").prints();
    let again = nobody_yet().file(CONFIG, &first).arg("config").prints();
    let values = |text: &str| -> Vec<String> {
        let settings = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        settings.map(|line| line.rsplit_once("  # ").expect("an origin").0.trim_end().to_owned()).collect()
    };
    assert_eq!(values(&first), values(&again));
    assert!(values(&first).contains(&"peer = [\"127.0.0.1:1\", \"127.0.0.1:2\"]".to_owned()), "{first}");
    assert!(values(&first).contains(&"verbose = 2".to_owned()), "{first}");
    assert!(again.contains("# configuration file, line "), "{again}");
}

#[test]
fn config_mistake_is_named_with_line_and_remedy() {
    for (text, words) in [
        ("\nprot = 5000", "config.toml, line 2: `prot` is not a setting; did you mean `port`?"),
        (
            "port = \"five\"",
            "config.toml, line 1: `port = five` is invalid: a port is a number from 1 to 65535",
        ),
        ("name = \"two words\"", "Try two_words."),
        ("color = \"red\"", "write auto, always or never."),
        ("plain = \"maybe\"", "write true or false."),
        ("policy = \"lax\"", "write accept-new, ask or strict."),
        ("time-format = \"\"", "a time format cannot be empty"),
        ("port = 5000\nport = 5001", "config.toml, line 2: `port` is set twice"),
        ("[chat]\nport = 5000", "`chat` is not a setting"),
        ("name = \"\\u001b[2J\"", "\\x1b[2J"),
    ] {
        let errors = refused(Peer::named("Alice").file(CONFIG, text));
        assert!(errors.starts_with("p2p-chat: ") && errors.contains(words), "{text:?}: {errors}");
        assert!(errors.lines().count() == 1 && errors.ends_with(['.', '?']), "{text:?}: {errors}");
    }
}

#[test]
fn only_a_named_config_file_must_exist() {
    let errors = refused(Peer::named("Alice").arg("--config=missing.toml"));
    assert!(errors.contains("Cannot read missing.toml"), "{errors}");
    let named = nobody_yet().file("my.toml", "name = \"Mine\"").arg("--config=my.toml");
    assert_eq!(setting(named, "name"), "name = \"Mine\" # configuration file, line 1");
    let config = nobody_yet().arg("config").prints();
    assert!(config.contains("config.toml (does not exist)"), "{config}");
}

#[test]
fn config_names_the_files_in_use() {
    let config = nobody_yet().peers_toml("").arg("config").prints();
    assert!(config.contains("# Peers file: peers.toml\n"), "{config}");
    let config = nobody_yet().arg("--no-static").arg("--data-dir=here").arg("config").prints();
    assert!(config.contains("# Peers file: none\n"), "{config}");
    assert!(config.contains("# Data directory: here\n"), "{config}");
}

/// All long flags, as the help has them.
fn flags() -> Vec<String> {
    let help = nobody_yet().arg("--help").prints();
    let words = help.split_whitespace().filter(|word| word.starts_with("--"));
    let flags = words.map(|word| word.trim_end_matches(|c: char| !c.is_ascii_lowercase()).to_owned());
    let flags: Vec<String> = flags.map(|flag| flag.split('[').next().expect("a flag").to_owned()).collect();
    assert!(flags.len() > 15, "{flags:?}");
    flags
}

#[test]
fn completions_for_every_shell_know_every_flag() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = nobody_yet().arg("completions").arg(shell).prints();
        for flag in flags() {
            // Fish has `-l name`.
            let name = flag.trim_start_matches("--");
            assert!(script.contains(&flag) || script.contains(&format!("-l {name}")), "{shell}: {flag}");
        }
        assert!(
            script.contains("completions") && script.contains("config") && script.contains("older-than"),
            "{shell}"
        );
    }
    let errors = refused(nobody_yet().arg("completions").arg("cmd"));
    assert!(errors.contains("[possible values: bash,"), "{errors}");
}

#[test]
fn bash_can_read_its_completions() {
    let (mut command, dir) = nobody_yet().arg("completions").arg("bash").command();
    let script = command.output().expect("it runs").stdout;
    let path = dir.path().join("script");
    fs::write(&path, script).expect("written");
    let bash = std::process::Command::new("bash").arg("-n").arg(&path).output().expect("bash runs");
    assert!(bash.status.success(), "{}", String::from_utf8_lossy(&bash.stderr));
}

#[test]
fn manual_page_covers_everything() {
    // A minus is written `\-` there.
    let page = nobody_yet().arg("man").prints().replace("\\-", "-");
    for flag in flags() {
        assert!(page.contains(&flag), "{flag} is missing in\n{page}");
    }
    for section in [
        "NAME",
        "SYNOPSIS",
        "MENU",
        "COMMANDS",
        "KEYS",
        "FILES",
        "ENVIRONMENT",
        "\"EXIT STATUS\"",
        "EXAMPLES",
    ] {
        assert!(page.contains(&format!(".SH {section}\n")), "{section} is missing in\n{page}");
    }
    for word in [
        "/chat",
        "/reply",
        "/alias",
        "Ctrl-R",
        "config.toml",
        "profiles/NAME/key",
        "profiles/NAME/contacts.toml",
        "p2p-chat contacts",
        "profiles/NAME/history.db",
        "--grep",
        "--older-than",
        "--forget",
        "P2P_CHAT_PLAIN",
        "128+N",
    ] {
        assert!(page.contains(word), "{word} is missing in\n{page}");
    }
}

#[test]
fn printed_output_may_be_read_in_part() {
    for what in ["man", "config"] {
        let (mut command, _dir) = nobody_yet().arg(what).command();
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        drop(child.stdout.take());
        let mut errors = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut errors).expect("read");
        assert!(child.wait().expect("it ends").success() && errors.is_empty(), "{errors}");
    }
}

#[test]
fn manual_and_completions_need_no_valid_settings() {
    for what in [&["man"][..], &["completions", "fish"]] {
        let broken = nobody_yet().file(CONFIG, "prot = 1").env("P2P_CHAT_PORT", "five");
        what.iter().fold(broken, |builder, arg| builder.arg(arg)).prints();
    }
    refused(nobody_yet().file(CONFIG, "prot = 1").arg("config"));
}

/// What is in a directory, at any depth.
fn everything_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("readable").map(|entry| entry.expect("readable").path());
    let names = entries
        .flat_map(|path| if path.is_dir() { everything_in(&path) } else { vec![path.display().to_string()] });
    names.collect()
}

#[test]
fn chat_leaves_only_the_files_of_its_profile() {
    for (flag, files) in [
        (None, &["history.db", "key", "lock", "profile.toml"][..]),
        (Some("--no-history"), &["key", "lock", "profile.toml"]),
    ] {
        let mut alice = flag.into_iter().fold(Peer::named("Alice"), Builder::arg).start();
        alice.types(&["/alias 127.0.0.1:1", "0", "0"]);
        assert!(alice.ends().success());
        let mut left = everything_in(&alice.dir());
        left.sort();
        let folder = alice.dir().join("p2p-chat/profiles/alice");
        let expected: Vec<String> =
            files.iter().map(|file| folder.join(file).display().to_string()).collect();
        assert_eq!(left, expected);
    }
}

#[test]
fn data_directory_follows_the_system() {
    let mut alice = Peer::named("Alice").start();
    alice.types(&["/alias 127.0.0.1:1 Nick"]);
    alice.sees("127.0.0.1:1 (127.0.0.1:1) is now called Nick");
    let contacts = alice.dir().join("p2p-chat/profiles/alice/contacts.toml");
    let contacts = fs::read_to_string(contacts).expect("readable");
    assert!(contacts.ends_with("[[contact]]\nlegacy = \"127.0.0.1:1\"\nalias = \"Nick\"\n"), "{contacts}");
}

#[test]
fn each_start_failure_has_its_exit_status() {
    let alice = Peer::named("Alice").start();
    // 2 and 3 are told by `refused` and `cannot_start` everywhere else.
    let errors = cannot_listen(Peer::named("Bob").arg("--bind=192.0.2.1"));
    assert!(errors.contains("192.0.2.1 is not an address of this machine"), "{errors}");
    drop(alice);
    let (mut command, _dir) = Peer::named("Alice").command();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(5));
}

#[test]
fn tilde_in_a_path_is_the_home_directory() {
    let new = |builder: Builder| {
        let (mut command, dir) = builder.command();
        assert!(command.args(["id", "--new", "--name=Alice"]).output().expect("it runs").status.success());
        assert!(dir.path().join("chat/profiles/alice/key").exists());
        assert!(!dir.path().join("~").exists());
    };
    new(nobody_yet().arg("--data-dir=~/chat"));
    new(nobody_yet().env("P2P_CHAT_DATA_DIR", "~/chat"));
    new(nobody_yet().file(CONFIG, "data-dir = \"~/chat\"\n"));
    new(nobody_yet().file("mine.toml", "data-dir = \"~/chat\"\n").arg("--config=~/mine.toml"));
    // Another directory shows that it is not looked for here.
    let (mut command, dir) = Peer::named("Alice").file("mine/peers.toml", "").command();
    let elsewhere = TempDir::new().expect("a temporary directory");
    let command = command.current_dir(elsewhere.path()).stdin(Stdio::null());
    let args = ["--bind=127.0.0.1", "-v", "--peers=~/mine/peers.toml", "--log-file=~/mine/log"];
    let output = command.args(args).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert!(dir.path().join("mine/log").exists());
    assert_eq!(fs::read_dir(elsewhere.path()).expect("readable").count(), 0);
    let errors = refused(nobody_yet().arg("--data-dir=~bob/chat"));
    assert!(errors.contains("~bob is not expanded; write the full path"), "{errors}");
    let errors = refused(nobody_yet().file(CONFIG, "data-dir = \"~bob\"\n"));
    assert!(errors.contains("line 1: `data-dir = ~bob` is invalid: ~bob is not expanded"), "{errors}");
}
