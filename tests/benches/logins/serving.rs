//! The processes that are measured, and those that only come: the benchmark's own program again.

use super::{Outcome, identity};
use futures::StreamExt;
use libp2p::identity::Keypair;
use libp2p::swarm::{SwarmEvent, dummy};
use libp2p::{SwarmBuilder, noise, tcp, yamux};
use overlay_node::driver::{self, Handle, Listen, Options};
use overlay_proto::Config;
use overlay_proto::identity::{Contact, Identity};
use overlay_proto::io::{Command as Order, Reply};
use overlay_proto::wire::TransportAddress;
use overlay_supernode::remembered::Remembered;
use overlay_tests::usage::cpu;
use overlay_tests::users;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// Two looks at the processor time apart by this say how busy a process is.
const LOOK: Duration = Duration::from_secs(2);
/// What is under way has come to its end by then.
const AFTERMATH: Duration = Duration::from_millis(1_500);
/// Peers of one process that start at the same time.
const AT_A_TIME: usize = 8;
/// Neighbours of each peer, as realms have them.
const DEGREE: usize = 8;

/// A process of this program. It is killed when this is dropped.
pub(crate) struct Served {
    child: Child,
    _output: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub(crate) said: Value,
    /// Where it is.
    pub(crate) contact: Contact,
}

impl Served {
    /// Starts `--serve WORDS` and waits until it is ready.
    pub(crate) fn start(words: &[&str]) -> Outcome<Served> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line)?;
        let contact = contact(&said)?;
        Ok(Served { child, _output: output, said, contact })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its processor time, in seconds, when what is under way has come to its end.
    pub(crate) fn cpu_at_rest(&self) -> f64 {
        std::thread::sleep(AFTERMATH);
        cpu(self.pid())
    }

    /// The part of a processor that it uses.
    pub(crate) fn load(&self) -> f64 {
        let before = cpu(self.pid());
        std::thread::sleep(LOOK);
        (cpu(self.pid()) - before) / LOOK.as_secs_f64()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn contact(said: &Value) -> Outcome<Contact> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let address = TransportAddress::new(text(&said["address"]))?;
    Ok(Contact { node: text(&said["node"]).parse()?, addresses: vec![address] })
}

/// What a process of this program does.
pub(crate) async fn serve(words: &[String]) -> Outcome<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bare"] => serve_bare().await,
        ["supernode", logins_per_second] => {
            let config = Config {
                degree: DEGREE,
                logins_per_second: logins_per_second.parse()?,
                children_soft: 1_000_000,
                children_hard: 1_000_000,
                verifier: Arc::new(Remembered::default()),
                ..Config::default()
            };
            let handle = start(users::supernode(), config, Vec::new()).await?;
            tell(&handle.id().to_string(), handle.addresses()[0].as_str());
            until_killed()
        }
        ["peers", to, first, count] => {
            let to = contact(&serde_json::from_str(to)?)?;
            serve_peers(&to, first.parse()?, count.parse()?).await
        }
        _ => Err("unknown words".into()),
    }
}

fn tell(node: &str, address: &str) {
    println!("{}", json!({ "node": node, "address": address }));
}

/// Until whoever has started this process ends as well.
fn until_killed() -> Outcome<()> {
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The transport of a node with nothing on it.
async fn serve_bare() -> Outcome<()> {
    let keys = Keypair::generate_ed25519();
    let node = overlay_proto::id::NodeId(keys.clone().try_into_ed25519()?.public().to_bytes());
    let mut swarm = SwarmBuilder::with_existing_identity(keys)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| dummy::Behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(15)))
        .build();
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
    std::thread::spawn(|| {
        let _ = until_killed();
        std::process::exit(0);
    });
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            tell(&node.to_string(), &address.to_string());
        }
    }
}

async fn start(identity: Identity, config: Config, hosts: Vec<Contact>) -> Outcome<Handle> {
    let options = Options {
        identity: Arc::new(identity),
        config: Arc::new(config),
        hosts,
        listen: Listen { ip: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0, announce: Vec::new() },
        store: None,
        keeper: None,
        measure_logins: false,
        capture: None,
    };
    Ok(driver::start(options).await?)
}

/// Real peers, which stay.
async fn serve_peers(to: &Contact, first: u32, count: u32) -> Outcome<()> {
    let mut starting = tokio::task::JoinSet::new();
    let mut handles = Vec::new();
    for n in first..first + count {
        if starting.len() == AT_A_TIME
            && let Some(handle) = starting.join_next().await
        {
            handles.push(handle??);
        }
        let to = to.clone();
        starting.spawn(async move {
            let config = Config { direct: false, ..Config::default() };
            let handle = start(identity(n), config, vec![to]).await?;
            while !matches!(handle.command(Order::Login).await, Reply::LoggedIn { .. }) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Outcome::Ok(handle)
        });
    }
    while let Some(handle) = starting.join_next().await {
        handles.push(handle??);
    }
    tell(&to.node.to_string(), to.addresses[0].as_str());
    // The peers run on other threads.
    until_killed()
}
