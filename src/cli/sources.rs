//! Reads the settings from the command line, the environment and config.toml.
//!
//! Options override the environment, the environment overrides config.toml, and config.toml
//! overrides the defaults. The keys of config.toml are the names of the options, and its values
//! become clap's defaults. So clap parses every value, and knows where each comes from. A mistake
//! in config.toml stops the program, because half a configuration is worse than none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};
use toml::de::{DeTable, DeValue};

use super::{Cli, Subcommand, command};
use crate::model::name::quoted;
use crate::settings::file::{
    ConfigError, MAX_FILE_BYTES, Mistake, parsed, read_if_present, read_text, toml_mistake,
};
use crate::settings::{NameSource, Settings, configuration_directory};

/// The name of the configuration file.
const CONFIG_FILE: &str = "config.toml";

/// How alike a key has to be (1 is the same) to the name of a flag for that to be offered.
const ALIKE: f64 = 0.8;

/// The settings, and where each of them comes from.
#[derive(Debug)]
pub struct Sources {
    /// The settings in effect.
    pub settings: Settings,
    /// The subcommand to run. `None` starts a chat.
    pub subcommand: Option<Subcommand>,
    /// The path of the configuration file, and whether the file exists.
    pub file: Option<(PathBuf, bool)>,
    matches: ArgMatches,
    entries: BTreeMap<String, ConfigEntry>,
}

/// The values that config.toml gives a flag.
#[derive(Debug)]
pub struct ConfigEntry {
    /// The line of the flag, from 1.
    pub line: usize,
    /// The values as they would be written on the command line.
    pub values: Vec<String>,
}

/// Where a value comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This variable.
    Environment(String),
    /// This line of the configuration file.
    File(usize),
    /// The default.
    Default,
}

/// Why the settings cannot be read.
#[derive(Debug)]
pub enum SettingsError {
    /// An error of the command line or the environment, or `--help` or `--version`.
    Command(clap::Error),
    /// The configuration file.
    File(ConfigError),
}

impl From<clap::Error> for SettingsError {
    fn from(error: clap::Error) -> Self {
        Self::Command(error)
    }
}

impl Sources {
    /// Reads the command line, the environment and the configuration file.
    ///
    /// # Errors
    /// Those of clap, and those of the file: where one was named and cannot be read, or it holds a
    /// mistake.
    pub fn read() -> Result<Self, SettingsError> {
        let command = command();
        // These print the same whatever the environment and the file hold, even with a mistake
        // there.
        if let Ok(matches) = without_environment(&command).try_get_matches()
            && let Ok(mut cli) = Cli::from_arg_matches(&matches)
            && matches!(cli.subcommand, Some(Subcommand::Completions(_) | Subcommand::Man))
        {
            let subcommand = cli.subcommand.take();
            let settings = cli.into_settings(NameSource::Flag);
            return Ok(Self { settings, subcommand, file: None, matches, entries: BTreeMap::new() });
        }
        let first = Cli::from_arg_matches(&command.clone().try_get_matches()?)?;
        let (file, entries) = entries(first.config.as_deref(), &command).map_err(SettingsError::File)?;
        let command = command.mut_args(|arg| match entries.get(arg.get_id().as_str()) {
            Some(entry) => arg.default_values(entry.values.iter().map(String::from)),
            None => arg,
        });
        let matches = command.try_get_matches()?;
        let mut cli = Cli::from_arg_matches(&matches)?;
        let name_source = match (matches.value_source("name"), &file) {
            (Some(ValueSource::EnvVariable), _) => NameSource::Variable,
            (Some(ValueSource::DefaultValue), Some((path, _))) => NameSource::File(path.clone()),
            _ => NameSource::Flag,
        };
        let subcommand = cli.subcommand.take();
        Ok(Self { settings: cli.into_settings(name_source), subcommand, file, matches, entries })
    }

    /// Every flag that the file may hold, with its values as they were written and where they come
    /// from; no value for one that nobody set.
    pub fn values(&self) -> Vec<(String, Vec<String>, Origin)> {
        let command = command();
        let flags = command.get_arguments().filter(|arg| is_configurable(arg));
        flags
            .map(|arg| {
                let id = arg.get_id().as_str();
                let values = if matches!(arg.get_action(), ArgAction::Count) {
                    vec![self.matches.get_count(id).to_string()]
                } else {
                    let raw = self.matches.get_raw(id).into_iter().flatten();
                    raw.map(|value| value.to_string_lossy().into_owned()).collect()
                };
                let origin = match (self.matches.value_source(id), self.entries.get(id)) {
                    (Some(ValueSource::CommandLine), _) => Origin::Flag,
                    (Some(ValueSource::EnvVariable), _) => {
                        Origin::Environment(arg.get_env().unwrap_or_default().to_string_lossy().into_owned())
                    }
                    (_, Some(entry)) => Origin::File(entry.line),
                    _ => Origin::Default,
                };
                (name(arg), values, origin)
            })
            .collect()
    }
}

fn without_environment(command: &Command) -> Command {
    command.clone().mut_args(|arg| arg.env(Resettable::Reset))
}

/// Whether the file may hold it: every flag but those that only make sense on the command line.
fn is_configurable(arg: &Arg) -> bool {
    arg.get_long().is_some_and(|long| !matches!(long, "help" | "version" | "config"))
}

/// The name of a flag, which is the key in the file.
fn name(arg: &Arg) -> String {
    arg.get_long().unwrap_or_default().to_owned()
}

type FileEntries = (Option<(PathBuf, bool)>, BTreeMap<String, ConfigEntry>);

/// The file, and what it says by the id of the flag.
fn entries(named: Option<&Path>, command: &Command) -> Result<FileEntries, ConfigError> {
    let usual = || configuration_directory().map(|folder| folder.join(CONFIG_FILE));
    let Some(path) = named.map(Path::to_owned).or_else(usual) else {
        return Ok((None, BTreeMap::new()));
    };
    let text = match named {
        Some(_) => read_text(&path)?,
        None => match read_if_present(&path, MAX_FILE_BYTES)? {
            Some(text) => text,
            None => return Ok((Some((path, false)), BTreeMap::new())),
        },
    };
    let entries = entries_of(&path, &text, command)?;
    Ok((Some((path, true)), entries))
}

/// Returns the entries of the text of a config.toml by the id of their flag. `path` is for errors
/// only.
pub fn entries_of(
    path: &Path,
    text: &str,
    command: &Command,
) -> Result<BTreeMap<String, ConfigEntry>, ConfigError> {
    parsed(path, text, |text| parse(text, command))
}

/// What a configuration file says; a mistake with its place and a sentence.
fn parse(text: &str, command: &Command) -> Result<BTreeMap<String, ConfigEntry>, Mistake> {
    let table = DeTable::parse(text)
        .map_err(|error| toml_mistake(&error, text, "A configuration file has lines like `port = 5000`."))?;
    // A variable must not stand in for the value that is tried.
    let command = without_environment(command);
    let mut entries = BTreeMap::new();
    for (key, value) in table.get_ref() {
        let at = key.span().start;
        let wanted: &str = key.get_ref();
        let found =
            command.get_arguments().filter(|arg| is_configurable(arg)).find(|arg| name(arg) == wanted);
        let arg = found.ok_or_else(|| (at, unknown(wanted, &command)))?;
        let values = values_of(value.get_ref(), arg).map_err(|what| (at, format!("`{wanted}` {what}")))?;
        for value in &values {
            check(&command, arg, value)
                .map_err(|what| (at, format!("`{wanted} = {}` is invalid: {what}", quoted(value))))?;
        }
        let line = text[..at].matches('\n').count() + 1;
        entries.insert(arg.get_id().to_string(), ConfigEntry { line, values });
    }
    Ok(entries)
}

fn unknown(key: &str, command: &Command) -> String {
    let names: Vec<String> = command.get_arguments().filter(|arg| is_configurable(arg)).map(name).collect();
    let alike = |name: &String| strsim::jaro_winkler(name, key);
    let nearest =
        names.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|name| alike(name) >= ALIKE);
    match nearest {
        Some(name) => format!("`{}` is not a setting; did you mean `{name}`?", quoted(key)),
        None => format!("`{}` is not a setting; the settings are {}.", quoted(key), names.join(", ")),
    }
}

/// The values of a key as they would be written on the command line.
fn values_of(value: &DeValue<'_>, arg: &Arg) -> Result<Vec<String>, String> {
    let one = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    };
    match value {
        DeValue::Array(values) if matches!(arg.get_action(), ArgAction::Append) => {
            let values: Option<Vec<String>> = values.iter().map(|value| one(value.get_ref())).collect();
            values.ok_or_else(|| "must be a list of strings, such as [\"192.168.1.20:5000\"].".to_owned())
        }
        DeValue::Array(_) => Err("takes one value, not a list.".into()),
        value => one(value)
            .map(|value| vec![value])
            .ok_or_else(|| "takes a string, a number, or true or false.".into()),
    }
}

/// Has clap read one value as if it stood on the command line.
fn check(command: &Command, arg: &Arg, value: &str) -> Result<(), String> {
    if matches!(arg.get_action(), ArgAction::Count) {
        return value.parse::<u8>().map(drop).map_err(|_| "write a number from 0 to 255.".to_owned());
    }
    let argument = format!("--{}={value}", name(arg));
    let Err(error) = command.clone().try_get_matches_from(["p2p-chat", &argument]) else {
        return Ok(());
    };
    if let Some(ContextValue::Strings(values)) = error.get(ContextKind::ValidValue) {
        return Err(match &values[..] {
            [first @ .., last] if !first.is_empty() => format!("write {} or {last}.", first.join(", ")),
            values => format!("write {}.", values.concat()),
        });
    }
    let why =
        std::error::Error::source(&error).map_or_else(|| error.kind().to_string(), |why| why.to_string());
    if why.contains("boolean") {
        return Err("write true or false.".into());
    }
    Err(if why.ends_with(['.', '?']) { why } else { format!("{why}.") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> (usize, String) {
        let (at, what) = parse(text, &command()).unwrap_err();
        (text[..at].matches('\n').count() + 1, what)
    }

    #[test]
    fn a_file_has_the_names_of_the_flags() {
        let text = "name = \"Alice\"\nport = 5000\n\nplain = true\npeer = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nverbose = 2\n\
                    time-format = \"off\"\n";
        let entries = parse(text, &command()).unwrap();
        assert_eq!((entries["port"].line, entries["port"].values.as_slice()), (2, &["5000".to_owned()][..]));
        assert_eq!(entries["peer"].values, ["127.0.0.1:1", "127.0.0.1:2"]);
        assert_eq!(entries["plain"].values, ["true"]);
        assert_eq!(entries.len(), 6);
        assert!(parse("# nothing\n", &command()).unwrap().is_empty());
    }

    #[test]
    fn mistake_in_any_file_takes_few_lines() {
        let long = "x".repeat(10_000);
        for text in ["{} = 1", "name = \"{}\"", "port = \"{}\"", "peer = [\"{}\"]", "color = \"{}\""] {
            let (_, what) = mistake(&text.replace("{}", &long));
            assert!(what.len() < 500 && what.ends_with(['.', '?']), "{what}");
        }
    }

    #[test]
    fn each_mistake_is_found_at_its_line() {
        for (text, line, words) in [
            ("prot = 5000", 1, "`prot` is not a setting; did you mean `port`?"),
            ("\nxyzzy = 1", 2, "`xyzzy` is not a setting; the settings are name, port,"),
            ("config = \"x\"", 1, "is not a setting"),
            ("port = \"five\"", 1, "a port is a number from 1 to 65535"),
            ("\n\nport = 70000", 3, "`port = 70000` is invalid"),
            ("port = [5000]", 1, "takes one value, not a list."),
            ("port = 1.5", 1, "takes a string, a number, or true or false."),
            ("name = \"a b\"", 1, "Try a_b."),
            ("color = \"red\"", 1, "write auto, always or never."),
            ("plain = \"maybe\"", 1, "write true or false."),
            ("policy = \"lax\"", 1, "write accept-new, ask or strict."),
            ("policy = true", 1, "write accept-new, ask or strict."),
            ("require_encryption = true", 1, "did you mean `require-encryption`?"),
            ("require-encryption = 2", 1, "write true or false."),
            ("no-history = 1.5", 1, "takes a string, a number, or true or false."),
            ("no-history = \"maybe\"", 1, "write true or false."),
            ("expire = 7", 1, "an age is a whole number and a unit"),
            ("expire = \"366d\"", 1, "a message stays queued for at most 365d."),
            ("keep-history = \"never\"", 1, "Or write forever."),
            ("keep_history = \"90d\"", 1, "did you mean `keep-history`?"),
            ("max-history = \"4GB\"", 1, "a size is a whole number and a unit"),
            ("max-history = \"1MiB\"", 1, "the smallest history is 256MiB."),
            ("verbose = true", 1, "write a number from 0 to 255."),
            ("time-format = \"%!\"", 1, "or off."),
            ("peer = [1.5]", 1, "must be a list of strings"),
            ("peer = \"10.1:1\"", 1, "IPv4 address"),
            ("name = \"Alice\"\nname = \"Bob\"", 2, "`name` is set twice"),
            ("name = ", 1, "A configuration file has lines like"),
        ] {
            let (found, what) = mistake(text);
            assert_eq!(found, line, "{text:?}: {what}");
            assert!(what.contains(words), "{text:?}: {what}");
            assert!(what.ends_with(['.', '?']), "{what}");
        }
    }
}
