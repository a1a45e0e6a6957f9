//! Settings: one definition each, a clap argument with an environment variable.
//!
//! A flag beats the environment, the environment beats the TOML file, the file beats the built-in
//! value. The file's keys are the long names of the arguments that have an environment variable.

mod file;

pub use file::SettingsError;

use crate::data::Folder;
use crate::driver::Listen;
use crate::telemetry::LogArgs;
use clap::{Args, CommandFactory, FromArgMatches};
use overlay_proto::Config;
use overlay_proto::config::{DEGREE_MAX, TREES_MAX};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The file in the data folder that is read unless another is named.
pub const FILE: &str = "config.toml";

/// What every command of every program takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The data folder
    #[arg(long, env = "TRELLIS_DATA", value_name = "DIR", global = true)]
    pub data: Option<PathBuf>,
    /// A file with settings [default: config.toml in the data folder]
    #[arg(long, env = "TRELLIS_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Logging.
    #[command(flatten)]
    pub log: LogArgs,
}

impl Common {
    /// The data folder of `program`.
    ///
    /// # Errors
    /// [`DataError::NoHome`](crate::data::DataError::NoHome).
    pub fn folder(&self, program: &str) -> Result<Folder, crate::data::DataError> {
        match &self.data {
            Some(path) => Ok(Folder::at(path)),
            None => Folder::default_path(program).map(Folder::at),
        }
    }
}

/// The shape of the topology. Every node of a realm should have the same.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Neighbours of a peer at most
    #[arg(long, env = "TRELLIS_DEGREE", value_name = "K", default_value = "8",
          value_parser = clap::value_parser!(u16).range(2..=DEGREE_MAX as i64))]
    pub degree: u16,
    /// Spanning trees over the peers
    #[arg(long, env = "TRELLIS_TREES", value_name = "T", default_value = "8",
          value_parser = clap::value_parser!(u16).range(1..=TREES_MAX as i64))]
    pub trees: u16,
}

impl Shape {
    /// The core's settings with this shape.
    pub fn config(&self) -> Config {
        Config { degree: self.degree.into(), trees: self.trees.into(), ..Config::default() }
    }
}

/// The driver's form of where to listen and what to announce.
pub fn listen(at: SocketAddr, announce: &[String]) -> Listen {
    Listen { ip: at.ip(), port: at.port(), announce: announce.to_vec() }
}

/// Why a command line with its settings cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// The command line; or help was asked for.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// The file with settings.
    #[error(transparent)]
    File(#[from] SettingsError),
}

/// Reads the command line `args` of `program` (`peer` or `supernode`), its first element being the
/// program itself, over the environment, the file with settings and the built-in values.
///
/// # Errors
/// [`ParseError`].
pub fn parse<C: CommandFactory + FromArgMatches>(
    program: &str,
    args: Vec<OsString>,
) -> Result<C, ParseError> {
    let mut command = C::command();
    if let Some((path, named)) = file_of(&command, program, &args) {
        command = file::apply(command, &path, named)?;
    }
    let matches = command.try_get_matches_from(args)?;
    Ok(C::from_arg_matches(&matches)?)
}

/// The file with settings, and whether it was named, so that it must be there.
fn file_of(command: &clap::Command, program: &str, args: &[OsString]) -> Option<(PathBuf, bool)> {
    // A wrong command line or a wish for help comes up again when all is read in earnest.
    let matches = command.clone().ignore_errors(true).try_get_matches_from(args).ok()?;
    let path = |name: &str| matches.try_get_one::<PathBuf>(name).ok().flatten().cloned();
    match path("config") {
        Some(named) => Some((named, true)),
        None => {
            let folder = path("data").or_else(|| Folder::default_path(program).ok())?;
            Some((folder.join(FILE), false))
        }
    }
}

#[cfg(test)]
mod tests;
