//! The program `supernode`.

mod args;
mod backup;
mod codes;
mod drain;
mod init;
pub(crate) mod invitation;
mod invite;
mod join;
mod renew;
mod revoke;
mod run;
mod show;
mod store;
mod users;

pub use args::SupernodeArgs;
pub(crate) use store::of_store;

use args::SupernodeCommand;
use overlay_node::cli::{Failure, Output, in_runtime, read};
use overlay_node::telemetry;
use std::ffi::OsString;
use std::process::ExitCode;

/// The name of the program, of its folder and of its first argument.
const PROGRAM: &str = "supernode";

/// Runs `supernode` with these arguments, the first being the program's name, to its end.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = args.into_iter().collect();
    let secret = store::shown_to_all(&words);
    let args: SupernodeArgs = match read(PROGRAM, words) {
        Ok(args) => args,
        Err(code) => return code,
    };
    let out = Output::new(args.common.json);
    if let Some(failure) = secret {
        return out.end(Err(failure));
    }
    telemetry::start(&args.common.log);
    out.end(in_runtime(follow(args, &out)))
}

async fn follow(args: SupernodeArgs, out: &Output) -> Result<(), Failure> {
    let folder = args.common.folder(PROGRAM)?;
    match args.command {
        SupernodeCommand::Init(init) => init::init(&folder, &init, out),
        SupernodeCommand::Run(run) => run::run(&folder, run, out).await,
        SupernodeCommand::Join(join) => join::join(&folder, &join, out).await,
        SupernodeCommand::Renew(args) => renew::renew(&folder, &args, out).await,
        SupernodeCommand::Invite(invite) => invite::invite(&folder, invite, out).await,
        SupernodeCommand::Revoke(args) => revoke::revoke(&folder, args, out).await,
        SupernodeCommand::Revocations => revoke::revocations(&folder, out).await,
        SupernodeCommand::Status => show::status(&folder, out).await,
        SupernodeCommand::Drain(args) => drain::drain(&folder, args, out).await,
        SupernodeCommand::Peers => show::peers(&folder, out).await,
        SupernodeCommand::Users(args) => users::users(&folder, &args, out).await,
        SupernodeCommand::Approve(args) => users::approve(&folder, &args, out).await,
        SupernodeCommand::Codes(args) => codes::codes(&folder, &args, out).await,
        SupernodeCommand::Backup(args) => backup::backup(&folder, &args, out).await,
        SupernodeCommand::Restore(args) => backup::restore(&folder, &args, out).await,
    }
}

#[cfg(test)]
mod tests;
