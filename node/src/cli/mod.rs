//! The program `peer`, and what the other programs' command lines share with it.

mod args;
mod ask;
mod chat;
mod commands;
mod contacts;
mod decode;
mod device;
mod exit;
mod files;
mod join;
mod life;
mod mail;
mod output;
mod ports;
mod run;
mod typed;

pub use args::PeerArgs;
pub use exit::Failure;
pub use life::{Ending, end_of_input, late, lines_of_stdin};
pub use output::{Output, day, duration, printable, short, table, table_of};

use crate::settings::{self, ParseError};
use crate::telemetry;
use args::{DeviceCommand, PeerCommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// The name of the program, of its folder and of its first argument.
const PROGRAM: &str = "peer";

/// Runs `peer` with these arguments, the first being the program's name, to its end.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: PeerArgs = match read::<PeerArgs>(PROGRAM, args) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let out = Output::new(args.common.json);
    telemetry::start(&args.common.log);
    out.end(in_runtime(follow(args, &out)))
}

/// Reads a command line of `program`; what is wrong with it has been said when there is none.
///
/// # Errors
/// The code to exit with; success if help or the version was asked for.
pub fn read<C: clap::CommandFactory + clap::FromArgMatches>(
    program: &str,
    args: impl IntoIterator<Item = OsString>,
) -> Result<C, ExitCode> {
    let args: Vec<OsString> = args.into_iter().collect();
    let json = args.iter().any(|arg| arg == "--json");
    settings::parse(program, args).map_err(|error| match error {
        ParseError::CommandLine(error) => {
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
        }
        ParseError::File(error) => Output::new(json).end(Err(Failure::usage(error.to_string()))),
    })
}

/// Runs `work` to its end in a runtime of its own.
///
/// # Errors
/// Those of `work`; and if the system gives no threads.
pub fn in_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local(format!("the system gives no threads ({error})")))?;
    let done = runtime.block_on(work);
    // What still reads standard input must not hold the process.
    runtime.shutdown_background();
    done
}

async fn follow(args: PeerArgs, out: &Output) -> Result<(), Failure> {
    if let PeerCommand::Decode(what) = args.command {
        return decode::decode(&what, out);
    }
    let folder = args.common.folder(PROGRAM)?;
    match args.command {
        PeerCommand::Join(join) => join::join(&folder, join, out).await,
        PeerCommand::Run(run) => run::run(&folder, run, out).await,
        PeerCommand::Device { command } => {
            device::device(&folder, command.unwrap_or(DeviceCommand::List), out).await
        }
        other => commands::ask(&folder, other, out).await,
    }
}

#[cfg(test)]
mod tests;
