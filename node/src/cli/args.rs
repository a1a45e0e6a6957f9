//! What can be typed after `peer`.

use crate::settings::Common;
use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Log in to a Trellis realm, talk to its users, and carry packets for others
#[derive(Debug, Clone, Parser)]
#[command(name = "peer", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct PeerArgs {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: PeerCommand,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 something is wrong on this machine, 2 the command line or settings are wrong,
3 refused, 4 the network or the other side failed, 5 no peer runs here or it is not logged in,
6 it waits for the operator's approval: run the same command again";

/// The commands of `peer`.
#[derive(Debug, Clone, Subcommand)]
pub enum PeerCommand {
    /// Join a realm: make keys, register a name, and log in once
    #[command(after_help = "Example: peer join trellis1qvz... --name alice")]
    Join(JoinArgs),
    /// Log in and stay, show what comes, and send what is typed
    #[command(after_help = "Example: peer run\nThen type: @bob hello")]
    Run(RunArgs),
    /// Send a text by way of the running peer
    #[command(after_help = "Example: peer send bob 'how are you?'")]
    Send {
        /// To whom
        to: String,
        /// What to say; several words need no quotes
        #[arg(required = true, num_args = 1..)]
        text: Vec<String>,
    },
    /// Show the texts that came
    #[command(after_help = "Example: peer inbox --after 12")]
    Inbox {
        /// Only texts with a number above this one
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
    /// Write a message that waits until its recipient is there; it is on the disk when this returns
    #[command(
        after_help = "Example: peer message bob 'see you on Friday'\nTo wait until bob has it: peer message bob hello --wait"
    )]
    Message {
        /// To whom
        to: String,
        /// What to say; several words need no quotes
        #[arg(required = true, num_args = 1..)]
        text: Vec<String>,
        /// Wait until the recipient has it, or it has expired or come back
        #[arg(long)]
        wait: bool,
        /// Seconds for which it is kept; thirty days unless told otherwise, and at most
        #[arg(long, value_name = "SECONDS")]
        life: Option<u64>,
    },
    /// Talk with people on a screen: who is there, what was said, what has arrived
    #[command(
        after_help = "Example: peer chat bob\nIt needs `peer run` in the same data folder, and a terminal. F1 shows the keys."
    )]
    Chat {
        /// With whom to begin
        name: Option<String>,
    },
    /// Show what became of the messages written, and those that came
    #[command(after_help = "Example: peer messages --after 12")]
    Messages {
        /// Of those that came only the ones with a number above this
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: u64,
    },
    /// Show the running peer at a glance
    #[command(after_help = "Example: peer status --json")]
    Status,
    /// Show the neighbours of the running peer
    #[command(visible_alias = "neighbors", after_help = "Example: peer neighbours")]
    Neighbours,
    /// Show with whom this peer has sessions, and by which way
    #[command(after_help = "Example: peer sessions")]
    Sessions,
    /// Measure the way to a user and back
    #[command(after_help = "Example: peer ping bob")]
    Ping {
        /// Whom
        name: String,
    },
    /// Show every hop on the way to a user, with its time
    #[command(after_help = "Example: peer trace bob")]
    Trace {
        /// Whom
        name: String,
    },
    /// Find out where a user is
    #[command(after_help = "Example: peer lookup bob")]
    Lookup {
        /// Whom
        name: String,
    },
    /// Tell contacts who ask that you are away from the computer, until `peer back`
    #[command(after_help = "Example: peer away")]
    Away,
    /// Tell contacts who ask that you are back
    #[command(after_help = "Example: peer back")]
    Back,
    /// The devices of this user: show them, let one in, shut one out
    #[command(after_help = "Example: peer device add")]
    Device {
        /// What; `list` unless told otherwise
        #[command(subcommand)]
        command: Option<DeviceCommand>,
    },
    /// The people whom you let reach you
    #[command(after_help = "Example: peer contacts add bob --say 'it is me, Alice'")]
    Contacts {
        /// What; `list` unless told otherwise
        #[command(subcommand)]
        command: Option<ContactCommand>,
    },
    /// Send a file to a contact who runs `peer receive`; a transfer that broke goes on where it
    /// stopped
    #[command(
        after_help = "Example: peer send-file bob holiday.tar\n         peer send-file bob/1f3a holiday.tar (the device with that node id, from `peer lookup bob`)"
    )]
    SendFile {
        /// To whom
        to: String,
        /// What
        file: PathBuf,
    },
    /// Take files that contacts send, until Ctrl-C
    #[command(after_help = "Example: peer receive --into ~/Downloads --from alice")]
    Receive(ReceiveArgs),
    /// Reach a TCP port of a contact who runs `peer expose`, at a port of this machine
    #[command(after_help = "Example: peer forward 127.0.0.1:8080 bob:80
Then: curl http://127.0.0.1:8080/")]
    Forward {
        /// Where to listen on this machine
        #[arg(value_name = "IP:PORT")]
        local: SocketAddr,
        /// Whose port, and which
        #[arg(value_name = "NAME:PORT")]
        to: String,
    },
    /// Let contacts reach a TCP port of this machine, until Ctrl-C
    #[command(after_help = "Example: peer expose 80 --to alice")]
    Expose(ExposeArgs),
    /// Ask a service of a contact, such as `echo`, which every peer has for its contacts
    #[command(after_help = "Example: peer request bob echo hello")]
    Request(RequestArgs),
    /// Show frames readably: from hexadecimal digits, a file or a capture
    #[command(after_help = "Example: peer decode 820581f4
To look at a live wire: peer run --capture links.pcapng
Then: peer decode --capture links.pcapng
For Wireshark: peer decode --dissector > ~/.local/lib/wireshark/plugins/trellis.lua")]
    Decode(DecodeArgs),
    /// Log the running peer out; it ends
    #[command(after_help = "Example: peer logout")]
    Logout,
}

/// The commands of `peer contacts`.
#[derive(Debug, Clone, Subcommand)]
pub enum ContactCommand {
    /// Show them, with those who wait for an answer
    #[command(after_help = "Example: peer contacts list --json")]
    List,
    /// Ask somebody to be a contact, or say yes to who has asked
    #[command(after_help = "Example: peer contacts add bob --say 'it is me, Alice'")]
    Add {
        /// Whom
        name: String,
        /// A short greeting
        #[arg(long, value_name = "TEXT", default_value = "")]
        say: String,
    },
    /// Forget somebody; they may ask again
    #[command(after_help = "Example: peer contacts remove bob")]
    Remove {
        /// Whom
        name: String,
    },
    /// Let nothing through from somebody any more
    #[command(after_help = "Example: peer contacts block mallory")]
    Block {
        /// Whom
        name: String,
    },
}

/// What `peer receive` takes.
#[derive(Debug, Clone, Args)]
pub struct ReceiveArgs {
    /// The folder to put them in
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub into: PathBuf,
    /// From whom: names with commas between, `contacts` or `everyone`
    #[arg(long, value_name = "WHO", default_value = "contacts")]
    pub from: String,
    /// End after so many files
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<u64>,
}

/// What `peer expose` takes.
#[derive(Debug, Clone, Args)]
pub struct ExposeArgs {
    /// The port, as contacts name it
    pub port: u16,
    /// Who may reach it: names with commas between, `contacts` or `everyone`
    #[arg(long, value_name = "WHO")]
    pub to: String,
    /// What listens behind it, if that is not the same port of this machine
    #[arg(long, value_name = "IP:PORT")]
    pub target: Option<SocketAddr>,
}

/// What `peer request` takes.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// Whom
    pub to: String,
    /// Which service
    pub service: String,
    /// What to say; several words need no quotes
    pub text: Vec<String>,
    /// Seconds to wait for the answer
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub deadline: u64,
}

/// What `peer decode` takes.
#[derive(Debug, Clone, Args)]
pub struct DecodeArgs {
    /// Frames in hexadecimal digits [default: those on standard input, one a line]
    pub frames: Vec<String>,
    /// A file with the bytes of one frame, or of several with their lengths before them as on a link
    #[arg(long, value_name = "FILE", conflicts_with = "frames")]
    pub file: Option<PathBuf>,
    /// A capture of `peer run --capture` or `supernode run --capture`, pcapng or pcap
    #[arg(long, value_name = "FILE", conflicts_with_all = ["frames", "file"])]
    pub capture: Option<PathBuf>,
    /// Print a dissector for Wireshark and tshark, in Lua
    #[arg(long, conflicts_with_all = ["frames", "file", "capture"])]
    pub dissector: bool,
}

/// The commands of `peer device`.
#[derive(Debug, Clone, Subcommand)]
pub enum DeviceCommand {
    /// Make a code with which one more computer can be you; it works once, for ten minutes, while
    /// this peer runs
    #[command(after_help = "Example: peer device add")]
    Add,
    /// Be a further device of a user, on this computer
    #[command(
        after_help = "Example: peer device join trellisdevice1qvz... (from `peer device add`)"
    )]
    Join(JoinDeviceArgs),
    /// Show the devices of this user
    #[command(after_help = "Example: peer device list --json")]
    List,
    /// Shut a device out of the realm for good, such as a stolen one
    #[command(after_help = "Example: peer device revoke laptop")]
    Revoke {
        /// Its label, or the first digits of its node id
        device: String,
    },
}

/// What `peer device join` takes.
#[derive(Debug, Clone, Args)]
pub struct JoinDeviceArgs {
    /// The code, from `peer device add` on the user's first device
    pub code: String,
    /// What to call this computer in the list of devices
    #[arg(long, visible_alias = "name-of-device", value_name = "LABEL", default_value = "device")]
    pub label: String,
}

/// What `peer join` takes.
#[derive(Debug, Clone, Args)]
pub struct JoinArgs {
    /// The invitation, from `supernode invite`
    pub invitation: String,
    /// The name under which others reach you
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// The registration code, where the realm asks for one and the invitation has none
    #[arg(long, env = "TRELLIS_CODE", value_name = "CODE", hide_env_values = true)]
    pub code: Option<String>,
}

/// What `peer run` takes.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where to listen, for TCP and QUIC alike; port 0 is any that is free
    #[arg(long, env = "TRELLIS_LISTEN", value_name = "IP:PORT", default_value = "0.0.0.0:0")]
    pub listen: SocketAddr,
    /// An address at which others can dial this machine, if it cannot know; may be repeated
    #[arg(long, env = "TRELLIS_ANNOUNCE", value_name = "MULTIADDR", value_delimiter = ',')]
    pub announce: Vec<String>,
    /// Send everything hop by hop: no direct links to those with whom much is exchanged
    #[arg(long, env = "TRELLIS_HOPS_ONLY")]
    pub hops_only: bool,
    /// Write the frames of all links to this new file, not encrypted, at most 256 MiB, to look at
    /// them with `peer decode --capture` or Wireshark
    #[arg(long, value_name = "FILE")]
    pub capture: Option<PathBuf>,
    /// Log out and end when standard input ends; typed lines are not read
    #[arg(long, hide = true)]
    pub exit_with_parent: bool,
}
