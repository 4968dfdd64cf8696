//! `p2p-chat config`: prints the settings and where each comes from.

use std::any::TypeId;
use std::io::{self, Write};

use clap::CommandFactory;
use unicode_width::UnicodeWidthStr;

use super::Cli;
use super::sources::{Origin, Sources};
use crate::model::untrusted::harmless;
use crate::settings::peers_file;

/// Writes the settings in effect, as they could stand in config.toml, and where each comes from.
pub fn print(sources: &Sources, out: &mut impl Write) -> io::Result<()> {
    let mut text = "# The settings in effect, in the format of config.toml.\n".to_owned();
    let file = match &sources.file {
        Some((path, true)) => format!("{}", path.display()),
        Some((path, false)) => format!("{} (does not exist)", path.display()),
        None => "none, because there is no home directory".into(),
    };
    text.push_str(&format!("# Configuration file: {}\n", harmless(&file)));
    let peers = match peers_file(&sources.settings) {
        Some(path) => path.display().to_string(),
        None => "none".into(),
    };
    text.push_str(&format!("# Peers file: {}\n", harmless(&peers)));
    let data =
        sources.settings.data_directory().map_or_else(|| "none".into(), |path| path.display().to_string());
    text.push_str(&format!("# Data directory: {}\n\n", harmless(&data)));
    let lines: Vec<(String, String)> =
        sources.values().into_iter().map(|(name, values, origin)| line(&name, &values, &origin)).collect();
    let width = lines.iter().map(|(line, _)| line.width()).max().unwrap_or(0);
    for (line, origin) in lines {
        let padding = " ".repeat(width - line.width());
        text.push_str(&format!("{line}{padding}  # {origin}\n"));
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
    let is_switch = arg.is_some_and(|arg| arg.get_value_parser().type_id() == TypeId::of::<bool>());
    if is_switch {
        let truth = matches!(value.to_lowercase().as_str(), "true" | "yes" | "y" | "t" | "on" | "1");
        return toml::Value::from(truth);
    }
    match value.parse::<i64>() {
        Ok(number) if matches!(name, "port" | "verbose") => toml::Value::from(number),
        _ => toml::Value::from(value),
    }
}
