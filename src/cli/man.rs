//! What is printed instead of chatting: completions, the manual page, the settings in effect.

use std::io::{self, Write};

use clap::{Arg, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::sources::{Origin, Sources};
use super::{Cli, EXAMPLES};
use crate::exit;
use crate::settings::peers_file;
use crate::ui::{COMMANDS, KEYS, Menu};

/// Writes what `shell` needs to complete the command line.
///
/// # Errors
/// Where `out` is gone.
pub fn completions(shell: clap_complete::Shell, out: &mut impl Write) -> io::Result<()> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "p2p-chat", &mut text);
    out.write_all(&text)
}

/// Writes the manual page.
///
/// # Errors
/// Where `out` is gone.
pub fn man(out: &mut impl Write) -> io::Result<()> {
    let man = Man::new(Cli::command()).manual("User Commands");
    man.render_title(out)?;
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    let mut page = Roff::new();
    subcommands(&mut page);
    menu(&mut page);
    commands(&mut page);
    keys(&mut page);
    files(&mut page);
    environment(&mut page);
    statuses(&mut page);
    examples(&mut page);
    page.to_writer(out)
}

fn item(page: &mut Roff, tag: Vec<Inline>, text: &str) {
    page.control("TP", []);
    page.text(tag);
    page.text([roman(text)]);
}

fn subcommands(page: &mut Roff) {
    page.control("SH", ["SUBCOMMANDS"]);
    page.text([roman("These print something instead of starting a chat.")]);
    for command in Cli::command().get_subcommands() {
        let arguments: Vec<String> = command
            .get_positionals()
            .map(|arg| format!(" {}", arg.get_id().as_str().to_uppercase()))
            .collect();
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        item(page, vec![bold(command.get_name()), italic(arguments.concat())], &format!("{about}."));
        for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
            option(page, arg);
        }
    }
}

/// An option of what is done instead of chatting, below it.
fn option(page: &mut Roff, arg: &Arg) {
    let Some(long) = arg.get_long().filter(|long| *long != "help") else { return };
    let values = arg.get_value_names().filter(|_| arg.get_action().takes_values()).unwrap_or_default();
    let values: String = values.iter().map(|value| format!(" {value}")).collect();
    let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    page.control("RS", []);
    item(page, vec![bold(format!("--{long}")), italic(values)], &format!("{about}."));
    page.control("RE", []);
}

fn menu(page: &mut Roff) {
    page.control("SH", ["MENU"]);
    page.text([roman(
        "The prompt is `Choice [0-6]:`. Type the number of an entry and answer the next question, or type 0 to go back. Enter shows the menu.",
    )]);
    for line in Menu::lines() {
        let (number, words) = line.split_once("  ").unwrap_or((&line, ""));
        item(page, vec![bold(number)], words);
    }
}

fn commands(page: &mut Roff) {
    page.control("SH", ["COMMANDS"]);
    page.text([roman(
        "Type these at the same prompt. WHOM is a name, a number in the peer list, an ip:port, or all.",
    )]);
    item(
        page,
        vec![bold("@"), italic("WHOM TEXT")],
        "Send a message. To send a line that starts with @ or /, type @@ or //.",
    );
    for command in COMMANDS {
        item(page, vec![bold(command.name), roman(" "), italic(command.arguments)], &sentence(command.short));
        page.control("IP", []);
        page.text([roman(command.long)]);
    }
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), chars.as_str()))
}

fn keys(page: &mut Roff) {
    page.control("SH", ["KEYS"]);
    for (keys, what) in KEYS {
        item(page, vec![bold(*keys)], what);
    }
}

fn files(page: &mut Roff) {
    page.control("SH", ["FILES"]);
    page.text([roman(
        "config.toml and peers.toml are in the configuration directory: $XDG_CONFIG_HOME/p2p-chat or ~/.config/p2p-chat on \
         Linux, the usual place on other systems. The others are in the data directory: $XDG_DATA_HOME/p2p-chat or \
         ~/.local/share/p2p-chat on Linux. p2p-chat config prints both.",
    )]);
    for (file, what) in [
        (
            "config.toml",
            "The settings, with the names of the options: port = 5000. Options override the environment, the environment \
             overrides this file, and this file overrides the defaults.",
        ),
        (
            "peers.toml",
            "The peers to dial at the start: [[peer]] entries with an address and optionally a name, a form and a key. A \
             peers.toml in the working directory is used instead, if there is one. Its contacts are for that run only, and \
             p2p-chat asks before it trusts unknown keys in it. The file must belong to you or to root.",
        ),
        (
            "profiles/NAME/key",
            "Your private key, one per profile; others recognize you by it. Only you may have access to it. Anyone with a \
             copy can impersonate you. If you lose it, you are a stranger to your contacts.",
        ),
        (
            "profiles/NAME/profile.toml",
            "The name of the profile, its former names and its port. You can edit it while p2p-chat does not run.",
        ),
        (
            "profiles/NAME/contacts.toml",
            "Your contacts, with their nicknames and your decisions about them. You can edit it, even while p2p-chat runs. \
             p2p-chat contacts prints it.",
        ),
        (
            "profiles/NAME/history.db",
            "Your messages, in an SQLite file, unless --no-history is set. Only you may have access to it. p2p-chat history \
             prints and deletes them.",
        ),
        (
            "profiles/NAME/typed_lines",
            "The lines that you typed in earlier runs, for Up and Ctrl-R, unless --no-history is set. p2p-chat history \
             --forget deletes it.",
        ),
    ] {
        item(page, vec![italic(file)], what);
    }
}

fn environment(page: &mut Roff) {
    page.control("SH", ["ENVIRONMENT"]);
    page.text([roman("An empty variable counts as not set.")]);
    for arg in Cli::command().get_arguments() {
        if let (Some(variable), Some(long)) = (arg.get_env(), arg.get_long()) {
            item(page, vec![bold(variable.to_string_lossy())], &format!("Sets --{long}."));
        }
    }
    item(page, vec![bold("NO_COLOR")], "If it is set, p2p-chat uses no colors, unless --color is always.");
    item(
        page,
        vec![bold("TERM")],
        "If it is dumb, p2p-chat writes no control sequences and the terminal edits the line.",
    );
}

fn statuses(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in exit::MEANINGS {
        item(page, vec![bold(status)], meaning);
    }
}

fn examples(page: &mut Roff) {
    page.control("SH", ["EXAMPLES"]);
    for line in EXAMPLES.lines().chain(SCRIPT_EXAMPLE).map(str::trim).filter(|line| !line.is_empty()) {
        if line.contains("p2p-chat ") {
            page.control("IP", []);
            page.text([bold(line)]);
        } else {
            page.control("PP", []);
            page.text([roman(line)]);
        }
    }
}

/// How a script sends a message.
const SCRIPT_EXAMPLE: [&str; 2] =
    ["A script:", "printf '@all lunch is ready\\n/quit\\n' | p2p-chat --name Cook --port 0"];

/// Writes the settings in effect, as they could stand in config.toml, and where each comes from.
///
/// # Errors
/// Where `out` is gone.
pub fn config(sources: &Sources, out: &mut impl Write) -> io::Result<()> {
    let mut text = "# The settings in effect, in the format of config.toml.\n".to_owned();
    let file = match &sources.file {
        Some((path, true)) => format!("{}", path.display()),
        Some((path, false)) => format!("{} (does not exist)", path.display()),
        None => "none, because there is no home directory".into(),
    };
    text.push_str(&format!("# Configuration file: {}\n", crate::model::untrusted::harmless(&file)));
    let peers = match peers_file(&sources.settings) {
        Some(path) => path.display().to_string(),
        None => "none".into(),
    };
    text.push_str(&format!("# Peers file: {}\n", crate::model::untrusted::harmless(&peers)));
    let data =
        sources.settings.data_directory().map_or_else(|| "none".into(), |path| path.display().to_string());
    text.push_str(&format!("# Data directory: {}\n\n", crate::model::untrusted::harmless(&data)));
    let lines: Vec<(String, String)> =
        sources.values().into_iter().map(|(name, values, origin)| line(&name, &values, &origin)).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
    for (line, origin) in lines {
        text.push_str(&format!("{line:width$}  # {origin}\n"));
    }
    out.write_all(text.as_bytes())
}

/// A setting as it stands in a file, and where it comes from.
fn line(name: &str, values: &[String], origin: &Origin) -> (String, String) {
    let origin = match origin {
        Origin::Flag => format!("--{name}"),
        Origin::Environment(variable) => format!("environment, {variable}"),
        Origin::File(line) => format!("configuration file, line {line}"),
        Origin::Default if values.is_empty() => "not set".into(),
        Origin::Default => "default".into(),
    };
    let line = match (name, values) {
        (_, []) => format!("# {name} ="),
        ("peer", values) => format!("{name} = {}", toml::Value::from(values.to_vec())),
        (_, [value, ..]) => format!("{name} = {}", toml_value(name, value)),
    };
    (line, origin)
}

/// A value with the type that a reader expects: a number, a truth, or else a string.
fn toml_value(name: &str, value: &str) -> toml::Value {
    let command = Cli::command();
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(name));
    let is_switch = arg.is_some_and(|arg| arg.get_value_parser().type_id() == std::any::TypeId::of::<bool>());
    if is_switch {
        let truth = matches!(value.to_lowercase().as_str(), "true" | "yes" | "y" | "t" | "on" | "1");
        return toml::Value::from(truth);
    }
    match value.parse::<i64>() {
        Ok(number) if matches!(name, "port" | "verbose") => toml::Value::from(number),
        _ => toml::Value::from(value),
    }
}
