//! `p2p-chat man`: prints the manual page.

use std::io::{self, Write};

use clap::{Arg, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::{Cli, EXAMPLES};
use crate::exit;
use crate::tui::{COMMANDS, KEYS, Menu};

/// Writes the manual page.
pub fn print(out: &mut impl Write) -> io::Result<()> {
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
        vec![bold("@"), italic("WHOM MESSAGE")],
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
             overrides this file, and this file overrides the defaults. A path can begin with ~/.",
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
             copy can impersonate you. If you lose it, you become a stranger to your contacts.",
        ),
        (
            "profiles/NAME/profile.toml",
            "The name of the profile, its former names and its port. You can edit it while p2p-chat is not running.",
        ),
        (
            "profiles/NAME/contacts.toml",
            "Your contacts, with their aliases and your decisions about them. You can edit it, even while p2p-chat runs. \
             p2p-chat contacts prints it.",
        ),
        (
            "profiles/NAME/introductions.toml",
            "The introductions of the last 7 days, and the keys whose introductions you ignore. Only p2p-chat writes this \
             file.",
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
    item(page, vec![bold("NO_COLOR")], "If it is set, p2p-chat uses no colours, unless --color is always.");
    item(
        page,
        vec![bold("TZ")],
        "The time zone of times and dates, such as Asia/Tokyo. Without it, the time zone of the system.",
    );
    item(
        page,
        vec![bold("TERM")],
        "If it is dumb, empty or not set, p2p-chat writes no control sequences and the terminal edits the line.",
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
