//! The TOML file: each key becomes the default of the argument of that name.

use clap::{Arg, ArgAction, Command};
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// Settings are a few lines; more is not read.
const BYTES_MAX: u64 = 64 * 1_024;
/// Arguments that say where the file is, so they cannot stand in it.
const NOT_IN_FILE: [&str; 2] = ["data", "config"];

/// Why a file with settings cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file was named and cannot be read.
    #[error("the settings in {} cannot be read ({source}): check the path and its permissions", path.display())]
    NoAccess {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not TOML.
    #[error("{}, line {line}: {reason}: correct the line; see toml.io for the form", path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key that no setting has.
    #[error("{}, line {line}: no setting is called `{key}`: the settings are {known}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The key.
        key: String,
        /// All there are.
        known: String,
    },
    /// A value that the setting cannot have.
    #[error("{}, line {line}: the value of `{key}` is not valid: {reason}", path.display())]
    WrongValue {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The key.
        key: String,
        /// What it should be.
        reason: String,
    },
}

/// Gives the arguments of `command` the values in the file at `path` as defaults. A file that was
/// not `named` need not be there.
pub(super) fn apply(command: Command, path: &Path, named: bool) -> Result<Command, SettingsError> {
    let text = match read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(command),
        read => read.map_err(|source| SettingsError::NoAccess { path: path.to_owned(), source })?,
    };
    let file = File { path, text: &text };
    let table = DeTable::parse(&text).map_err(|error| SettingsError::NotToml {
        path: path.to_owned(),
        line: file.line(error.span().unwrap_or(0..0)),
        reason: error.message().to_owned(),
    })?;
    let settings = settings_of(&command);
    let mut values = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let line = file.line(key.span());
        let Some(arg) = settings.iter().find(|arg| arg.get_long() == Some(name)) else {
            let known: Vec<&str> = settings.iter().filter_map(Arg::get_long).collect();
            return Err(SettingsError::UnknownKey {
                path: path.to_owned(),
                line,
                key: name.to_owned(),
                known: known.join(", "),
            });
        };
        let value =
            values_of(value.get_ref()).and_then(|value| checked(arg, value)).map_err(|reason| {
                let (path, key) = (path.to_owned(), name.to_owned());
                SettingsError::WrongValue { path, line, key, reason }
            })?;
        values.push((arg.get_id().clone(), value));
    }
    Ok(set(command, &values))
}

fn read(path: &Path) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        let _ = self.path;
        self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
    }
}

/// The arguments that are settings, of the command and its subcommands, each once.
fn settings_of(command: &Command) -> Vec<Arg> {
    let mut found: Vec<Arg> = Vec::new();
    let commands = std::iter::once(command).chain(command.get_subcommands());
    for arg in commands.flat_map(Command::get_arguments) {
        let is_setting = arg.get_env().is_some() && !NOT_IN_FILE.contains(&arg.get_id().as_str());
        if is_setting && found.iter().all(|known| known.get_id() != arg.get_id()) {
            found.push(arg.clone());
        }
    }
    found
}

/// The texts that a value stands for, as they would be typed.
fn values_of(value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match value {
        DeValue::String(text) => Ok(vec![text.to_string()]),
        DeValue::Integer(number) => Ok(vec![number.to_string()]),
        DeValue::Float(number) => Ok(vec![number.to_string()]),
        DeValue::Boolean(yes) => Ok(vec![yes.to_string()]),
        DeValue::Array(all) => {
            let each = all.iter().map(|one| match one.get_ref() {
                DeValue::Array(_) => Err("a list within a list".to_owned()),
                one => values_of(one),
            });
            Ok(each.collect::<Result<Vec<_>, _>>()?.concat())
        }
        DeValue::Datetime(_) => Err("a date is none of its values".to_owned()),
        DeValue::Table(_) => Err("a table is none of its values".to_owned()),
    }
}

/// Lets the argument itself judge the values.
fn checked(arg: &Arg, values: Vec<String>) -> Result<Vec<String>, String> {
    let many = matches!(arg.get_action(), ArgAction::Append);
    if !many && values.len() != 1 {
        return Err("one value is needed, not a list".to_owned());
    }
    // Neither the environment nor other arguments have a say here.
    let alone = arg.clone().env(None::<&str>).default_values(values.clone()).required(false);
    match Command::new("settings").no_binary_name(true).arg(alone).try_get_matches_from([""; 0]) {
        Ok(_) => Ok(values),
        Err(error) => {
            use clap::error::{ContextKind, ContextValue};
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let allowed = match error.get(ContextKind::ValidValue) {
                Some(ContextValue::Strings(all)) if !all.is_empty() => {
                    Some(format!("it must be one of {}", all.join(", ")))
                }
                _ => None,
            };
            Err(source.or(allowed).unwrap_or_else(|| error.kind().to_string()))
        }
    }
}

/// Sets the values wherever the arguments stand.
fn set(command: Command, values: &[(clap::Id, Vec<String>)]) -> Command {
    let set_here = |mut command: Command| {
        for (id, value) in values {
            if command.get_arguments().any(|arg| arg.get_id() == id) {
                command = command.mut_arg(id.clone(), |arg| arg.default_values(value.clone()));
            }
        }
        command
    };
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    names
        .into_iter()
        .fold(set_here(command), |command, name| command.mut_subcommand(name, set_here))
}
