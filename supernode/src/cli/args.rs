//! What can be typed after `supernode`.

use clap::{Args, Parser, Subcommand};
use overlay_node::settings::{Common, Shape};
use overlay_proto::config::CODE_BYTES_MAX;
use std::net::SocketAddr;

/// Run a supernode of a Trellis realm: log users in, find them, and keep the topology whole
#[derive(Debug, Clone, Parser)]
#[command(name = "supernode", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct SupernodeArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: SupernodeCommand,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 something is wrong on this machine, 2 the command line or settings are wrong,
3 refused, 4 the network or the other side failed, 5 no supernode runs here";

/// The commands of `supernode`.
#[derive(Debug, Clone, Subcommand)]
pub enum SupernodeCommand {
    /// Make a new realm, with this machine as its first supernode
    #[command(after_help = "Example: supernode init --listen 0.0.0.0:4002")]
    Init(InitArgs),
    /// Run the supernode of the data folder until Ctrl-C
    #[command(after_help = "Example: supernode run")]
    Run(RunArgs),
    /// Make this machine a further supernode of a realm
    #[command(
        after_help = "Example: supernode join trellis1qvz... (from `supernode invite --supernode`)"
    )]
    Join(JoinArgs),
    /// Print an invitation to the realm
    #[command(after_help = "Example: peer join $(supernode invite) --name alice")]
    Invite(InviteArgs),
    /// Shut a user, a device or a supernode out of the realm; the name of a user stays taken
    #[command(after_help = "Example: supernode revoke mallory")]
    Revoke(RevokeArgs),
    /// Show who is shut out
    #[command(after_help = "Example: supernode revocations --json")]
    Revocations,
    /// Show the running supernode at a glance, with the others it knows
    #[command(after_help = "Example: supernode status --json")]
    Status,
    /// Send the peers of the running supernode to others, a few at a time, and end it
    #[command(after_help = "Example: supernode drain --within 120")]
    Drain(DrainArgs),
    /// Show the peers logged in at the running supernode
    #[command(after_help = "Example: supernode peers")]
    Peers,
}

/// What `supernode revoke` takes.
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// The user, with all devices
    #[arg(required_unless_present = "node", conflicts_with = "node")]
    pub name: Option<String>,
    /// One device or supernode by its node id, from `supernode peers --json` or `supernode status`
    #[arg(long, value_name = "ID")]
    pub node: Option<String>,
}

/// Where a supernode is found. Invitations and host caches name it, so it should not change.
#[derive(Debug, Clone, Args)]
pub struct Place {
    /// Where to listen, for TCP and QUIC alike
    #[arg(long, env = "TRELLIS_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:4002")]
    pub listen: SocketAddr,
    /// An address at which others can dial this machine, if it cannot know; may be repeated
    #[arg(long, env = "TRELLIS_ANNOUNCE", value_name = "MULTIADDR", value_delimiter = ',')]
    pub announce: Vec<String>,
}

/// Who may have a name.
#[derive(Debug, Clone, Args)]
pub struct Registration {
    /// The code that a newcomer must show to register a name [default: none, everybody may]
    #[arg(long, env = "TRELLIS_REGISTRATION_CODE", value_name = "CODE", hide_env_values = true,
          value_parser = code)]
    pub registration_code: Option<String>,
}

/// What `supernode init` takes.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Where it will be.
    #[command(flatten)]
    pub place: Place,
    /// Who may join.
    #[command(flatten)]
    pub registration: Registration,
}

/// What `supernode run` takes.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where it is.
    #[command(flatten)]
    pub place: Place,
    /// Who may join.
    #[command(flatten)]
    pub registration: Registration,
    /// The topology.
    #[command(flatten)]
    pub shape: Shape,
    /// End when standard input ends
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}

/// What `supernode drain` takes.
#[derive(Debug, Clone, Args)]
pub struct DrainArgs {
    /// Give up waiting after so many seconds; the supernode goes on draining
    #[arg(long, value_name = "SECS", default_value = "60")]
    pub within: u64,
}

/// What `supernode join` takes.
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// The invitation, from `supernode invite --supernode`
    pub invitation: String,
    /// Where it will be.
    #[command(flatten)]
    pub place: Place,
}

/// What `supernode invite` takes.
#[derive(Debug, Clone, Args)]
pub struct InviteArgs {
    /// For a further supernode instead of a user; only on the machine with the realm's root key
    #[arg(long)]
    pub supernode: bool,
    /// The registration code that the invitation carries [default: that of the settings]
    #[arg(long, value_name = "CODE", value_parser = code, conflicts_with = "supernode")]
    pub code: Option<String>,
    /// Where it is, if it does not run now.
    #[command(flatten)]
    pub place: Place,
    /// Who may join.
    #[command(flatten)]
    pub registration: Registration,
}

fn code(text: &str) -> Result<String, String> {
    match text.len() {
        1..=CODE_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("a code has 1 to {CODE_BYTES_MAX} bytes")),
    }
}
