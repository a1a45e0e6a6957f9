//! What can be typed after `supernode`.

use crate::store::RegistrationPolicy;
use clap::{Args, Parser, Subcommand};
use overlay_node::settings::{Common, Shape};
use overlay_proto::config::CODE_BYTES_MAX;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

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
    #[command(after_help = "Example: supernode run --metrics 127.0.0.1:9464")]
    Run(RunArgs),
    /// Make this machine a further supernode of a realm
    #[command(
        after_help = "Example: supernode join trellis1qvz... (from `supernode invite --supernode`)\n         supernode join trellis1qvz... --store postgres://USER@HOST/DATABASE (--registrar)"
    )]
    Join(JoinArgs),
    /// Give this supernode's certificate a new end; the supernode must not run
    #[command(
        after_help = "Example: supernode renew trellis1qvz... (from `supernode invite --supernode`)"
    )]
    Renew(RenewArgs),
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
    /// Show who has a name in the realm, and who waits for one
    #[command(after_help = "Example: supernode users --waiting")]
    Users(UsersArgs),
    /// Let those have their names who wait for them, or refuse them
    #[command(
        after_help = "Example: supernode approve alice bob\n         supernode approve --deny mallory"
    )]
    Approve(ApproveArgs),
    /// Make, list and take back registration codes
    #[command(after_help = "Example: supernode codes new --uses 10 --expires 7")]
    Codes(CodesArgs),
    /// Copy the registrar's store to a file, while it is in use
    #[command(after_help = "Example: supernode backup names-2026-11-23.backup")]
    Backup(BackupArgs),
    /// Put a backup in place of the registrar's store; the supernode must not run
    #[command(after_help = "Example: supernode restore names-2026-11-23.backup")]
    Restore(RestoreArgs),
}

/// What `supernode revoke` takes.
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// The user, with all devices
    #[arg(required_unless_present = "node", conflicts_with = "node")]
    pub name: Option<String>,
    /// One device or supernode by its node id, from `supernode peers --json` or `supernode status`;
    /// of a registrar the key goes out as well, and whom it has certified has to join again
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
    /// Who may register a new name [default: code if there is a registration code, else open]
    #[arg(long, env = "TRELLIS_REGISTRATION", value_name = "POLICY", value_enum)]
    pub registration: Option<RegistrationPolicy>,
    /// A code that a newcomer may show to register a name, any number of times
    #[arg(long, env = "TRELLIS_REGISTRATION_CODE", value_name = "CODE", hide_env_values = true,
          value_parser = code)]
    pub registration_code: Option<String>,
}

/// Where the registrar's store is.
#[derive(Debug, Clone, Args)]
pub struct Storage {
    /// The registrar's store: the path of a SQLite file, or postgres://USER@HOST/DATABASE, which
    /// registrars may share; a password belongs into the environment, config.toml or ~/.pgpass
    /// [default: store.sqlite in the data folder]
    #[arg(long, env = "TRELLIS_STORE", value_name = "STORE", hide_env_values = true)]
    pub store: Option<StoreText>,
}

/// The text of `--store`, in which there may be a password. It is read when it is used, so that no
/// message about command lines repeats it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreText(pub String);

impl FromStr for StoreText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<StoreText, Infallible> {
        Ok(StoreText(text.to_owned()))
    }
}

impl fmt::Debug for StoreText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreText(..)")
    }
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
    /// Where names are kept.
    #[command(flatten)]
    pub storage: Storage,
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
    /// Where names are kept.
    #[command(flatten)]
    pub storage: Storage,
    /// The topology.
    #[command(flatten)]
    pub shape: Shape,
    /// Log-ins to take in a second, in place of what is measured while it runs
    #[arg(long, env = "TRELLIS_LOGINS_PER_SECOND", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub logins_per_second: Option<u32>,
    /// Serve /metrics, /healthz and /readyz over HTTP at this address, such as 127.0.0.1:9464
    /// [default: not at all]
    #[arg(long, env = "TRELLIS_METRICS", value_name = "IP:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Write the frames of all links to this new file, not encrypted, at most 256 MiB, to look at
    /// them with `peer decode --capture` or Wireshark
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
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
    /// The invitation, from `supernode invite --supernode` or `supernode invite --registrar`
    pub invitation: String,
    /// Where it will be.
    #[command(flatten)]
    pub place: Place,
    /// Who may register at it, if it becomes a registrar.
    #[command(flatten)]
    pub registration: Registration,
    /// Where names are kept, if it becomes a registrar.
    #[command(flatten)]
    pub storage: Storage,
}

/// What `supernode invite` takes.
#[derive(Debug, Clone, Args)]
pub struct InviteArgs {
    /// For a further supernode instead of a user; only on the machine with the realm's root key
    #[arg(long)]
    pub supernode: bool,
    /// For a further supernode that gives out names as well; only on the machine with the realm's
    /// root key, and with a store on PostgreSQL, which both then use
    #[arg(long, conflicts_with = "supernode")]
    pub registrar: bool,
    /// The registration code that the invitation carries [default: that of the settings]
    #[arg(long, value_name = "CODE", value_parser = code,
          conflicts_with_all = ["supernode", "registrar"])]
    pub code: Option<String>,
    /// Where it is, if it does not run now.
    #[command(flatten)]
    pub place: Place,
    /// Who may join.
    #[command(flatten)]
    pub registration: Registration,
    /// Where names are kept, if it does not run now.
    #[command(flatten)]
    pub storage: Storage,
}

/// What `supernode renew` takes.
#[derive(Debug, Clone, Args)]
pub struct RenewArgs {
    /// A new invitation for a supernode of its realm, made on the machine with the root key
    pub invitation: String,
    /// From where to ask.
    #[command(flatten)]
    pub place: Place,
}

/// What `supernode users` takes.
#[derive(Debug, Clone, Args)]
pub struct UsersArgs {
    /// Only those who wait, or were refused
    #[arg(long)]
    pub waiting: bool,
    /// Where names are kept.
    #[command(flatten)]
    pub storage: Storage,
}

/// What `supernode approve` takes.
#[derive(Debug, Clone, Args)]
pub struct ApproveArgs {
    /// Whose requests to decide
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Refuse them
    #[arg(long)]
    pub deny: bool,
    /// Where names are kept.
    #[command(flatten)]
    pub storage: Storage,
}

/// What `supernode codes` takes.
#[derive(Debug, Clone, Args)]
pub struct CodesArgs {
    /// What to do with codes.
    #[command(subcommand)]
    pub command: CodesCommand,
    /// Where codes are kept.
    #[command(flatten)]
    pub storage: Storage,
}

/// The commands of `supernode codes`.
#[derive(Debug, Clone, Subcommand)]
pub enum CodesCommand {
    /// Make a code and show it, this once
    #[command(after_help = "Example: supernode codes new --uses 10 --expires 7")]
    New {
        /// Names that can be registered with it
        #[arg(long, value_name = "N", default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// Days until it ends
        #[arg(long, value_name = "DAYS", default_value_t = 30,
              value_parser = clap::value_parser!(u32).range(1..=3_650))]
        expires: u32,
    },
    /// Show all codes by number; their texts are kept nowhere
    #[command(after_help = "Example: supernode codes list")]
    List,
    /// Take a code back
    #[command(after_help = "Example: supernode codes revoke 3")]
    Revoke {
        /// Its number in the list
        number: u64,
    },
}

/// What `supernode backup` takes.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// The file to make
    pub file: PathBuf,
    /// Where names are kept.
    #[command(flatten)]
    pub storage: Storage,
}

/// What `supernode restore` takes.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// The backup
    pub file: PathBuf,
    /// Replace the users that are in the store
    #[arg(long)]
    pub force: bool,
    /// Where names are kept.
    #[command(flatten)]
    pub storage: Storage,
}

fn code(text: &str) -> Result<String, String> {
    match text.len() {
        1..=CODE_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("a code has 1 to {CODE_BYTES_MAX} bytes")),
    }
}
